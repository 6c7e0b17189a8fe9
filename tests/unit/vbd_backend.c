// SPDX-License-Identifier: GPL-2.0-only
/*
 * The xenstore side of a disk, over the in-memory store: what is offered, what is
 * accepted of a frontend, what is handed to the worker and what the guest is told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "backends/blkback/vbd_backend.h"
#include "backends/blkback/vbd_medium.h"
#include "ring/blkif.h"
#include "tests/unit/class_rig.h"

#define BACK  "/local/domain/0/backend/vbd/3/51712"
#define FRONT "/local/domain/3/device/vbd/51712"

/* ---- what the supervisor and the transport would be ---- */

static struct vbd_update last_update;
static ino_t last_inode; /* of the image that came with it */

int backend_update(struct backend *b, const void *payload, size_t size, const int *fds,
		   unsigned int nfds)
{
	(void)b;
	CU_ASSERT_EQUAL_FATAL(size, sizeof(last_update));
	CU_ASSERT(nfds <= 1);
	last_inode = 0;
	if (nfds) {
		struct stat st;

		CU_ASSERT_EQUAL(fstat(fds[0], &st), 0);
		last_inode = st.st_ino;
	}
	memcpy(&last_update, payload, size);
	updates++;
	return 0;
}

/* ---- a device ---- */

const struct class_under_test under_test = {&vbd_backend_class, "vbd_backend", BACK, FRONT, 51712};
static char image_path[96];

static void write_file(const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL(ftruncate(fd, size), 0);
	close(fd);
}

static void begin(const char *configuration)
{
	class_begin(configuration);
	snprintf(image_path, sizeof(image_path), "%s/disk", dir);
	write_file(image_path, 1 << 20);
	put(BACK, "mode", "w");
	put(BACK, "device-type", "disk");
	put(BACK, "type", "phy");
	put(BACK, "dev", "xvda");
	put(BACK, "removable", "0");
	put(BACK, "params", image_path);
	put(FRONT, "ring-ref", "8");
}

static void end(void)
{
	class_end();
}

static int up(void)
{
	return class_up(NULL);
}

static const struct vbd_attach *attach(void)
{
	return (const struct vbd_attach *)out.payload;
}

/* ---- offers ---- */

static void test_offer(void)
{
	begin("[default]\nmax-queues = 3\n");
	CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), 0);
	CU_ASSERT(has("feature-barrier", "1"));
	CU_ASSERT(has("feature-flush-cache", "1"));
	CU_ASSERT(has("feature-persistent", "1"));
	CU_ASSERT(has("feature-max-indirect-segments", "256"));
	CU_ASSERT(has("max-ring-page-order", "4"));
	CU_ASSERT(has("max-ring-pages", "16"));
	CU_ASSERT(has("multi-queue-max-queues", "3"));
	end();

	begin("[default]\nmax-queues = 3\npersistent-grants = no\nindirect-segments = 0\n"
	      "[guest web1 device xvda]\nmax-ring-page-order = 1\n"
	      "[guest web1 device xvdb]\nmax-ring-page-order = 2\n"
	      "[guest web1]\nmax-queues = 2\n");
	CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), 0);
	CU_ASSERT(has("feature-persistent", "0"));
	CU_ASSERT(missing("feature-max-indirect-segments"));
	CU_ASSERT(has("max-ring-page-order", "1"));
	CU_ASSERT(has("max-ring-pages", "2"));
	CU_ASSERT(has("multi-queue-max-queues", "2"));
	end();

	/* by the number in xenstore */
	begin("[guest web1 device 51712]\nmax-queues = 1\n");
	CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), 0);
	CU_ASSERT(has("multi-queue-max-queues", "1"));
	end();

	begin("");
	gone(BACK, "mode");
	CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), -EINVAL);
	CU_ASSERT_PTR_NULL(be.priv);
	CU_ASSERT_EQUAL(errors, 1);
	end();
}

/* ---- connections ---- */

static void test_log(void)
{
	begin("");
	CU_ASSERT_EQUAL(up(), 0);
	class_log();
	end();
}

static void test_connect(void)
{
	struct stat want, got;

	begin("");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(out.size, vbd_attach_size(1));
	CU_ASSERT_EQUAL(state_size, vbd_state_size(1, 0));
	CU_ASSERT_EQUAL(out.nfds, 2);
	CU_ASSERT_EQUAL(fstat(out.fds[0], &got), 0);
	CU_ASSERT_EQUAL(stat(image_path, &want), 0);
	CU_ASSERT_EQUAL(got.st_ino, want.st_ino);
	CU_ASSERT_TRUE(fcntl(out.fds[0], F_GETFD) & FD_CLOEXEC);
	CU_ASSERT_EQUAL(attach()->nr_queues, 1);
	CU_ASSERT_EQUAL(attach()->ring_order, 0);
	CU_ASSERT_EQUAL(attach()->abi, BLKIF_ABI_NATIVE);
	CU_ASSERT_EQUAL(attach()->engine, VBD_ENGINE_URING);
	CU_ASSERT_EQUAL(attach()->queue[0].ring_ref[0], 8);
	CU_ASSERT_EQUAL(attach()->queue[0].event_channel, 17);
	CU_ASSERT_EQUAL(attach()->size, 1 << 20);
	CU_ASSERT_EQUAL(be.file_max, 1 << 20);
	CU_ASSERT_EQUAL(attach()->sector_size, 512);
	CU_ASSERT_EQUAL(attach()->sector_unit, 512);
	CU_ASSERT_EQUAL(attach()->max_segments, 256);
	CU_ASSERT_EQUAL(attach()->max_persistent, 0);
	CU_ASSERT_EQUAL(
		attach()->flags & (VBD_READONLY | VBD_BLOCK_DEVICE | VBD_PERSISTENT), 0);
	CU_ASSERT_EQUAL(attach()->flags & (VBD_BARRIER | VBD_FLUSH),
			VBD_BARRIER | VBD_FLUSH);
	CU_ASSERT(has("sectors", "2048"));
	CU_ASSERT(has("sector-size", "512"));
	CU_ASSERT(has("info", "0"));
	CU_ASSERT_FALSE(missing("physical-sector-size"));
	CU_ASSERT(has("feature-discard", attach()->flags & VBD_DISCARD ? "1" : "0"));
	CU_ASSERT_EQUAL(missing("discard-granularity"), !(attach()->flags & VBD_DISCARD));
	CU_ASSERT_EQUAL(errors, 0);
	end();
}

static void put_queue(const char *q, const char *ref0, const char *ref1, const char *port)
{
	char path[128];

	snprintf(path, sizeof(path), FRONT "/%s", q);
	put(path, "ring-ref0", ref0);
	put(path, "ring-ref1", ref1);
	put(path, "event-channel", port);
}

static void test_multi_queue(void)
{
	begin("[default]\nmax-queues = 4\nengine = libaio\npersistent-grants-max = "
	      "100\n");
	gone(FRONT, "ring-ref");
	gone(FRONT, "event-channel");
	put(FRONT, "multi-queue-num-queues", "2");
	put(FRONT, "ring-page-order", "1");
	put(FRONT, "num-ring-pages", "2");
	put(FRONT, "protocol", "x86_32-abi");
	put(FRONT, "feature-persistent", "1");
	put_queue("queue-0", "100", "101", "7");
	put_queue("queue-1", "200", "4294967295", "131071");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(out.nfds, 3);
	CU_ASSERT_EQUAL(out.size, vbd_attach_size(2));
	CU_ASSERT_EQUAL(state_size, vbd_state_size(2, 1));
	CU_ASSERT_EQUAL(attach()->nr_queues, 2);
	CU_ASSERT_EQUAL(attach()->ring_order, 1);
	CU_ASSERT_EQUAL(attach()->abi, BLKIF_ABI_X86_32);
	CU_ASSERT_EQUAL(attach()->engine, VBD_ENGINE_AIO);
	CU_ASSERT_EQUAL(attach()->max_persistent, 100);
	CU_ASSERT_TRUE(attach()->flags & VBD_PERSISTENT);
	CU_ASSERT_EQUAL(attach()->queue[0].ring_ref[1], 101);
	CU_ASSERT_EQUAL(attach()->queue[1].ring_ref[0], 200);
	CU_ASSERT_EQUAL(attach()->queue[1].ring_ref[1], 4294967295u);
	CU_ASSERT_EQUAL(attach()->queue[1].event_channel, 131071);
	end();
}

/* The deprecated way, and a frontend that numbers its one page. */
static void test_ring_pages(void)
{
	begin("");
	gone(FRONT, "ring-ref");
	put(FRONT, "num-ring-pages", "2");
	put(FRONT, "ring-ref0", "11");
	put(FRONT, "ring-ref1", "12");
	put(FRONT, "protocol", "x86_64-abi");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->ring_order, 1);
	CU_ASSERT_EQUAL(attach()->abi, BLKIF_ABI_X86_64);
	CU_ASSERT_EQUAL(attach()->queue[0].ring_ref[1], 12);
	end();
	begin("");
	gone(FRONT, "ring-ref");
	put(FRONT, "ring-page-order", "0");
	put(FRONT, "ring-ref0", "11");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->queue[0].ring_ref[0], 11);
	end();
}

/* ---- nonsense from the frontend ---- */

static void test_hostile(void)
{
	static const struct {
		const char *node, *value;
	} bad[] = {
		{"protocol", "arm-abi"},
		{"protocol", ""},
		{"protocol", "x86_64-abi\n"},
		{"ring-ref", ""},
		{"ring-ref", "0"},
		{"ring-ref", "-1"},
		{"ring-ref", "4294967296"},
		{"ring-ref", "8 "},
		{"ring-ref", "0x8"},
		{"ring-ref", "8;"},
		{"ring-ref", NULL},
		{"event-channel", "0"},
		{"event-channel", "131072"},
		{"event-channel", "18446744073709551617"},
		{"event-channel", NULL},
		{"multi-queue-num-queues", "0"},
		{"multi-queue-num-queues", "5"},
		{"multi-queue-num-queues", "all"},
		{"multi-queue-num-queues", "2"},
		{"multi-queue-num-queues", "99999999999999999999999999"},
		{"ring-page-order", "5"},
		{"ring-page-order", "-1"},
		{"ring-page-order", "4"},
		{"num-ring-pages", "3"},
		{"num-ring-pages", "32"},
		{"num-ring-pages", "0"},
		{"num-ring-pages", "2"},
		{"feature-persistent", "yes"},
		{"feature-large-sector-size", "%n%s"},
	};
	unsigned int i, before;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		unsigned int idle = 0;

		begin("[default]\nmax-queues = 4\n");
		idle = open_fds();
		if (bad[i].value)
			put(FRONT, bad[i].node, bad[i].value);
		else
			gone(FRONT, bad[i].node);
		CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), 0);
		CU_ASSERT_EQUAL(vbd_backend_class.ready(&be), 0);
		before = open_fds();
		CU_ASSERT_EQUAL(before, idle); /* an unused disk is not held open */
		CU_ASSERT_EQUAL(errors, 0);
		CU_ASSERT(vbd_backend_class.connect(&be, &out, &state_size) < 0);
		CU_ASSERT_EQUAL(errors, 1);
		CU_ASSERT_EQUAL(out.nfds, 0);
		CU_ASSERT_EQUAL(open_fds(), before);
		end();
	}
	/* both ways of saying it must agree */
	begin("");
	put(FRONT, "ring-page-order", "1");
	put(FRONT, "num-ring-pages", "4");
	CU_ASSERT_EQUAL(up(), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "disagree"));
	end();
}

static void test_raw_bytes(void)
{
	static const char nul[] = "8\0008";

	begin("");
	CU_ASSERT_TRUE(store_mem_write_raw(store, FRONT "/ring-ref", nul, 3));
	CU_ASSERT_EQUAL(up(), -EINVAL);
	end();
}

/* ---- sizes and sectors ---- */

static void test_sector_size(void)
{
	begin("[default]\nsector-size = 4096\n");
	write_file(image_path, (1 << 20) + 1536);
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->sector_size, 4096);
	CU_ASSERT_EQUAL(attach()->sector_unit, 512);
	CU_ASSERT_EQUAL(attach()->size, 1 << 20);
	CU_ASSERT(has("sector-size", "4096"));
	CU_ASSERT(has("sectors", "2048"));
	end();

	begin("[default]\nsector-size = 4096\n");
	put(FRONT, "feature-large-sector-size", "1");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->sector_unit, 4096);
	CU_ASSERT(has("sectors", "256"));
	end();

	begin("");
	put(FRONT, "feature-large-sector-size", "1");
	write_file(image_path, (1 << 20) + 512 + 3);
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->sector_unit, 512);
	CU_ASSERT(has("sectors", "2049"));
	CU_ASSERT(has("physical-sector-size", "512")); /* what divides the disk */
	end();
}

/* 3 TiB: numbers beyond 32 bits all the way (a sparse file). */
static void test_large(void)
{
	begin("");
	write_file(image_path, 3ll << 40);
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->size, 3ull << 40);
	CU_ASSERT(has("sectors", "6442450944"));
	end();
}

static void test_readonly(void)
{
	begin("");
	put(BACK, "mode", "r");
	put(BACK, "removable", "1");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_TRUE(attach()->flags & VBD_READONLY);
	CU_ASSERT_FALSE(attach()->flags & VBD_DISCARD);
	CU_ASSERT_EQUAL(fcntl(out.fds[0], F_GETFL) & O_ACCMODE, O_RDONLY);
	CU_ASSERT(has("info", "6"));
	CU_ASSERT(has("feature-discard", "0"));
	CU_ASSERT(missing("discard-granularity"));
	end();
	begin("");
	put(BACK, "mode", "w!");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_FALSE(attach()->flags & VBD_READONLY);
	end();
}

static void test_no_discard(void)
{
	begin("[default]\ndiscard = no\n");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_FALSE(attach()->flags & VBD_DISCARD);
	CU_ASSERT(has("feature-discard", "0"));
	end();
	begin("");
	put(BACK, "discard-enable", "0");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_FALSE(attach()->flags & VBD_DISCARD);
	end();
}

/* ---- media ---- */

static void test_bad_media(void)
{
	static const struct {
		const char *node, *value;
	} bad[] = {
		{"params", "/nonexistent/disk"}, {"params", "/tmp"},
		{"params", "/dev/null"},         {"params", ""},
		{"params", "relative"},          {"physical-device", "8"},
		{"physical-device", "zz:1"},     {"physical-device", "0xfd:1"},
		{"physical-device", "-1:1"},     {"physical-device", "fffff:fffff"},
	};
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin("");
		put(BACK, bad[i].node, bad[i].value);
		CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), 0);
		CU_ASSERT(vbd_backend_class.ready(&be) < 0);
		CU_ASSERT_EQUAL(errors, 1);
		CU_ASSERT_NOT_EQUAL(last_error[0], '\0');
		end();
	}
	begin("");
	write_file(image_path, 0);
	CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), 0);
	CU_ASSERT_EQUAL(vbd_backend_class.ready(&be), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "empty"));
	end();
}

/* ---- what the stock script leaves behind; only where we may make loop devices ---- */

static bool run(char *line, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool run(char *line, size_t size, const char *fmt, ...)
{
	char command[256];
	va_list ap;
	FILE *f;
	bool ok;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	f = popen(command, "r");
	ok = f && fgets(line, (int)size, f);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return f && pclose(f) == 0 && ok;
}

static void test_stock_script(void)
{
	char loop[64], number[64], other[160], line[64];
	struct stat want, got;

	begin("");
	if (!run(loop, sizeof(loop), "losetup -f --show %s 2>/dev/null", image_path) ||
	    !run(number, sizeof(number), "stat -L -c %%t:%%T %s", loop)) {
		printf("\nskip file behind a loop device: this machine does not let us "
		       "make one\n");
		end();
		return;
	}
	/* file: the file itself is opened */
	put(BACK, "physical-device", number);
	put(BACK, "physical-device-path", loop);
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_FALSE(attach()->flags & VBD_BLOCK_DEVICE);
	CU_ASSERT_EQUAL(stat(image_path, &want), 0);
	CU_ASSERT_EQUAL(fstat(out.fds[0], &got), 0);
	CU_ASSERT_EQUAL(got.st_ino, want.st_ino);
	end();

	/* phy: the device, here the loop device without a file in params */
	begin("");
	put(BACK, "params", loop);
	put(BACK, "physical-device", number);
	put(BACK, "physical-device-path", loop);
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_TRUE(attach()->flags & VBD_BLOCK_DEVICE);
	CU_ASSERT_EQUAL(attach()->size, 1 << 20);
	CU_ASSERT_EQUAL(stat(loop, &want), 0);
	CU_ASSERT_EQUAL(fstat(out.fds[0], &got), 0);
	CU_ASSERT_EQUAL(got.st_rdev, want.st_rdev);
	end();

	/* a script that writes the number only */
	begin("");
	put(BACK, "params", "iqn=example:disk");
	put(BACK, "physical-device", number);
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_TRUE(attach()->flags & VBD_BLOCK_DEVICE);
	end();

	/* the number is another device's */
	begin("");
	put(BACK, "params", loop);
	put(BACK, "physical-device", "1:0");
	put(BACK, "physical-device-path", loop);
	CU_ASSERT_EQUAL(up(), -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "physical-device says 1:0"));
	end();

	/* the loop device shows another file than params */
	begin("");
	snprintf(other, sizeof(other), "%s/other", dir);
	write_file(other, 1 << 20);
	put(BACK, "params", other);
	put(BACK, "physical-device", number);
	put(BACK, "physical-device-path", loop);
	CU_ASSERT_EQUAL(up(), -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "another file"));
	end();
	unlink(other);
	run(line, sizeof(line), "losetup -d %s && echo", loop);
}

static void test_device_numbers(void)
{
	static const char *const bad[] = {"",      ":",        "1:",       ":1",
					  "1:2:3", "1:2 ",     " 1:2",     "g:1",
					  "+1:1",  "100000:0", "1:100000", "0x1:2"};
	unsigned int i;
	dev_t dev;

	CU_ASSERT_EQUAL(medium_parse_device("fd:1a", &dev), 0);
	CU_ASSERT_EQUAL(dev, makedev(0xfd, 0x1a));
	CU_ASSERT_EQUAL(medium_parse_device("7:0", &dev), 0);
	CU_ASSERT_EQUAL(dev, makedev(7, 0));
	CU_ASSERT_EQUAL(medium_parse_device("103:FFFFF", &dev), 0);
	CU_ASSERT_EQUAL(dev, makedev(0x103, 0xfffff));
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(medium_parse_device(bad[i], &dev), -EINVAL);
}

static void test_cdrom(void)
{
	char inserted[128];
	unsigned int before;
	struct stat st;

	begin("");
	put(BACK, "device-type", "cdrom");
	put(BACK, "params", "");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->size, 0);
	CU_ASSERT_EQUAL(attach()->engine, VBD_ENGINE_AIO); /* whose file can be changed */
	CU_ASSERT_EQUAL(attach()->offset_align, 1);
	CU_ASSERT_EQUAL(fstat(out.fds[0], &st), 0);
	CU_ASSERT_TRUE(S_ISCHR(st.st_mode));
	CU_ASSERT(has("sectors", "0"));
	CU_ASSERT(has("info", "5"));
	close_fds();

	/* a disc goes in after the guest has disconnected */
	vbd_backend_class.disconnected(&be);
	snprintf(inserted, sizeof(inserted), "aio:%s", image_path);
	put(BACK, "params", inserted);
	CU_ASSERT_EQUAL(vbd_backend_class.connect(&be, &out, &state_size), 0);
	CU_ASSERT_EQUAL(vbd_backend_class.publish(&be), 0);
	CU_ASSERT_EQUAL(attach()->size, 1 << 20);
	CU_ASSERT_TRUE(attach()->flags & VBD_READONLY);
	CU_ASSERT(has("sectors", "2048"));

	/* it is taken out under the guest, and put back */
	put(BACK, "params", "");
	vbd_backend_class.changed(&be);
	CU_ASSERT(updates > 0);
	CU_ASSERT_EQUAL(last_update.size, 0);
	CU_ASSERT(has("sectors", "0"));
	before = updates;
	vbd_backend_class.changed(&be);
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, before);
	put(BACK, "params", inserted);
	vbd_backend_class.changed(&be);
	CU_ASSERT_EQUAL(last_update.size, 1 << 20);
	CU_ASSERT_EQUAL(stat(image_path, &st), 0);
	CU_ASSERT_EQUAL(last_inode, st.st_ino);
	CU_ASSERT(has("sectors", "2048"));
	CU_ASSERT(has("state", "4"));
	end();
}

/* ---- in use ---- */

static void test_resize(void)
{
	begin("");
	CU_ASSERT_EQUAL(up(), 0);
	put(BACK, "state", "4");
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 0);
	CU_ASSERT_EQUAL(truncate(image_path, 2 << 20), 0);
	CU_ASSERT_TRUE(store->ops->watch(store, BACK "/state", "t"));
	while (store_mem_events(store))
		free(store->ops->next_event(store));
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 1);
	CU_ASSERT_EQUAL(last_update.size, 2 << 20);
	CU_ASSERT_EQUAL(be.file_max, 2 << 20);
	CU_ASSERT(has("sectors", "4096"));
	CU_ASSERT(has("state", "4"));
	CU_ASSERT_EQUAL(store_mem_events(store),
			1); /* which the frontend's watch sees too */
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 1);
	CU_ASSERT_EQUAL(truncate(image_path, 1 << 19), 0);
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(last_update.size, 1 << 19);
	CU_ASSERT(has("sectors", "1024"));
	/* not while nobody is connected */
	vbd_backend_class.disconnected(&be);
	CU_ASSERT_EQUAL(truncate(image_path, 1 << 20), 0);
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 2);
	end();
}

static void test_limits(void)
{
	begin("[default]\nread-bytes = 50M\nwrite-ops = 100\nwrite-ops-burst = 7\n");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].bytes_rate), 50 << 20);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].ops_rate), 0);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[1].ops_rate), 100);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[1].bytes_rate), 0);
	configure("[guest web1]\nread-ops = 5\n");
	vbd_backend_class.changed(&be);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].bytes_rate), 0);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].ops_rate), 5);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[1].ops_rate), 0);
	end();
}

/* A supervisor that starts anew finds the device served by a worker. */
static void test_taken_over(void)
{
	begin("[default]\nread-ops = 9\n");
	put(BACK, "sectors", "2048");
	put(BACK, "sector-size", "512");
	put(BACK, "physical-sector-size", "512");
	put(BACK, "state", "4");
	be.state = &state;
	be.state_size = sizeof(state);
	CU_ASSERT_EQUAL(vbd_backend_class.resume(&be), 0);
	CU_ASSERT_EQUAL(be.file_max, 1 << 20);
	CU_ASSERT(missing("feature-barrier"));
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].ops_rate), 9);
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 0);
	CU_ASSERT_EQUAL(truncate(image_path, 2 << 20), 0);
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 1);
	CU_ASSERT(has("sectors", "4096"));
	end();
	/* a CD-ROM whose disc may have been changed meanwhile */
	begin("");
	put(BACK, "device-type", "cdrom");
	put(BACK, "sectors", "4096");
	put(BACK, "sector-size", "512");
	put(BACK, "physical-sector-size", "512");
	CU_ASSERT_EQUAL(vbd_backend_class.resume(&be), 0);
	be.state = &state;
	vbd_backend_class.changed(&be);
	CU_ASSERT_EQUAL(updates, 1);
	CU_ASSERT_EQUAL(last_update.size, 1 << 20);
	CU_ASSERT_NOT_EQUAL(last_inode, 0);
	CU_ASSERT(has("sectors", "2048"));
	vbd_backend_class.changed(&be);
	CU_ASSERT_EQUAL(updates, 1);
	end();
	begin("");
	put(BACK, "sectors", "many");
	CU_ASSERT(vbd_backend_class.resume(&be) < 0);
	CU_ASSERT_PTR_NULL(be.priv);
	end();
}

static void write_line(const char *path, const char *line)
{
	FILE *f = fopen(path, "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(line, f);
	fclose(f);
}

static void test_in_flight(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/xylem-inflight-%d", getpid());
	write_line(path, "       0        0\n");
	CU_ASSERT_FALSE(vbd_in_flight(path));
	write_line(path, "       0        1\n");
	CU_ASSERT_TRUE(vbd_in_flight(path));
	write_line(path, "       2        0\n");
	CU_ASSERT_TRUE(vbd_in_flight(path));
	write_line(path, "");
	CU_ASSERT_FALSE(vbd_in_flight(path));
	unlink(path);
	CU_ASSERT_FALSE(vbd_in_flight(path));
}

/* The guest is gone and the toolstack has cleaned up: nothing may grow back. */
static void test_removed(void)
{
	begin("");
	CU_ASSERT_EQUAL(vbd_backend_class.probe(&be), 0);
	CU_ASSERT_EQUAL(vbd_backend_class.ready(&be), 0);
	CU_ASSERT_EQUAL(vbd_backend_class.connect(&be, &out, &state_size), 0);
	store->ops->rm(store, 0, BACK);
	CU_ASSERT(vbd_backend_class.publish(&be) < 0);
	CU_ASSERT(missing("sectors"));
	vbd_backend_class.tick(&be);
	vbd_backend_class.changed(&be);
	vbd_backend_class.disconnected(&be);
	CU_ASSERT(missing("online"));
	CU_ASSERT(missing("max-ring-pages"));
	end();
}

/* Each call of the store fails in turn: an error, or the same result; no leak. */
static void test_faults(void)
{
	unsigned int before = 0;
	uint64_t calls, i;

	begin("");
	calls = store_mem_calls(store);
	CU_ASSERT_EQUAL(up(), 0);
	calls = store_mem_calls(store) - calls;
	end();
	CU_ASSERT(calls > 20);
	for (i = 1; i <= calls; i++) {
		begin("");
		before = before ? before : open_fds();
		store_mem_fail(store, i, i % 2 ? EIO : ENOMEM);
		if (up() == 0)
			CU_ASSERT_EQUAL(attach()->size, 1 << 20);
		store_mem_fail(store, 0, 0);
		close_fds();
		end();
		/* begin() opens a store; compare after another of the same */
		begin("");
		CU_ASSERT_EQUAL(open_fds(), before);
		end();
	}
	for (i = 1; i <= 3; i++) {
		begin("[default]\nmax-queues = 2\n");
		gone(FRONT, "ring-ref");
		put(FRONT, "multi-queue-num-queues", "2");
		put(FRONT, "ring-page-order", "1");
		put_queue("queue-0", "100", "101", "7");
		put_queue("queue-1", "102", "103", "8");
		events_fail_at = (unsigned int)i;
		CU_ASSERT_EQUAL(up(), i <= 2 ? -EMFILE : 0);
		CU_ASSERT_EQUAL(out.nfds, i <= 2 ? 0 : 3);
		end();
	}
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"what is offered", test_offer},
		{"connect", test_connect},
		{"connect without end", test_log},
		{"queues", test_multi_queue},
		{"ring pages by either name", test_ring_pages},
		{"nonsense from the frontend", test_hostile},
		{"bytes that are no text", test_raw_bytes},
		{"sector sizes", test_sector_size},
		{"beyond 2 TiB", test_large},
		{"read-only", test_readonly},
		{"discard forbidden", test_no_discard},
		{"media that cannot be", test_bad_media},
		{"stock script", test_stock_script},
		{"device numbers", test_device_numbers},
		{"CD-ROM", test_cdrom},
		{"resize", test_resize},
		{"limits", test_limits},
		{"taken over", test_taken_over},
		{"in flight", test_in_flight},
		{"removed under way", test_removed},
		{"store faults", test_faults},
		CU_TEST_INFO_NULL,
	};

	return class_main(tests);
}
