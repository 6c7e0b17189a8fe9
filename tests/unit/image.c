// SPDX-License-Identifier: GPL-2.0-only
/* backends/blkback/image.c: what is opened, what is refused, what is measured. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/blkback/image.h"
#include "backends/common/log.h"
#include "tests/unit/open_fds.h"
#include "tests/unit/suite.h"

static char dir[64];

static const char *at(const char *name)
{
	static char path[4][256];
	static unsigned int turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void put(const char *path, off_t size)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(ftruncate(fd, size), 0);
	close(fd);
}

static void put_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
}

static void refused(const char *path, int err)
{
	unsigned int before = open_fds();
	struct image img;

	CU_ASSERT_EQUAL(image_open(&img, path, IMAGE_READONLY), -err);
	CU_ASSERT_EQUAL(img.fd, -1);
	CU_ASSERT_NOT_EQUAL(img.error[0], '\0');
	CU_ASSERT_EQUAL(open_fds(), before);
	image_close(&img);
}

static void test_refuses(void)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CU_ASSERT_EQUAL(mkfifo(at("fifo"), 0600), 0);
	CU_ASSERT_EQUAL(mkdir(at("folder"), 0700), 0);
	CU_ASSERT_EQUAL(symlink("nowhere", at("dangling")), 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", at("socket"));
	CU_ASSERT_EQUAL(bind(s, (struct sockaddr *)&sa, sizeof(sa)), 0);
	refused("", EINVAL);
	refused("relative", EINVAL);
	refused(at("missing"), ENOENT);
	refused(at("dangling"), ENOENT);
	refused(at("folder"), EINVAL);
	refused(at("fifo"), EINVAL); /* and does not wait for a writer */
	refused(at("socket"), EINVAL);
	refused("/dev/null", EINVAL);
	close(s);
}

static bool dir_has_direct(void)
{
	int fd;

	put(at("d"), 4096);
	fd = open(at("d"), O_RDWR | O_DIRECT | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void test_file(void)
{
	struct image img;
	char *buf = NULL;

	put(at("a"), 1 << 20);
	CU_ASSERT_EQUAL(symlink("a", at("link")), 0);
	CU_ASSERT_EQUAL_FATAL(image_open(&img, at("link"), 0), 0);
	CU_ASSERT_FALSE(img.block_device);
	CU_ASSERT_EQUAL(img.size, 1 << 20);
	CU_ASSERT_EQUAL(img.direct, dir_has_direct());
	CU_ASSERT_EQUAL(!!(fcntl(img.fd, F_GETFL) & O_DIRECT), img.direct);
	CU_ASSERT_EQUAL(fcntl(img.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	CU_ASSERT_TRUE(fcntl(img.fd, F_GETFD) & FD_CLOEXEC);
	CU_ASSERT_TRUE(img.physical >= img.logical && img.physical <= IMAGE_PHYSICAL_MAX);
	CU_ASSERT_TRUE(img.offset_align >= 1 && img.offset_align <= 4096);
	CU_ASSERT_TRUE(img.memory_align >= 1 && img.memory_align <= 4096);
	if (!img.direct)
		CU_ASSERT_EQUAL(img.offset_align, 1);
	/* I/O that keeps to the alignments it states must work */
	CU_ASSERT_EQUAL_FATAL(posix_memalign((void **)&buf, 4096, 16384), 0);
	memset(buf, 'x', 16384);
	CU_ASSERT_EQUAL(pwrite(img.fd, buf + img.memory_align, img.offset_align,
			       img.offset_align),
			(ssize_t)img.offset_align);
	CU_ASSERT_EQUAL(pread(img.fd, buf + img.memory_align, img.offset_align, 0),
			(ssize_t)img.offset_align);
	free(buf);
	image_close(&img);
	image_close(&img);
	CU_ASSERT_EQUAL(img.fd, -1);
}

static void test_readonly(void)
{
	struct image img;
	char c = 'x';

	put(at("r"), 8192);
	CU_ASSERT_EQUAL_FATAL(image_open(&img, at("r"), IMAGE_READONLY), 0);
	CU_ASSERT_EQUAL(fcntl(img.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	CU_ASSERT_EQUAL(pwrite(img.fd, &c, 1, 0), -1);
	CU_ASSERT_FALSE(img.discard);
	image_close(&img);
}

/* Odd sizes: whole sectors count, and no sector may be out of O_DIRECT's reach. */
static void test_size(void)
{
	static const off_t sizes[] = {0,     1,    511,        512,    513,
				      10000, 1536, 4096 + 512, 1 << 20};
	struct image img;
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		put(at("s"), sizes[i]);
		CU_ASSERT_EQUAL_FATAL(image_open(&img, at("s"), IMAGE_READONLY), 0);
		CU_ASSERT_EQUAL(img.size, (uint64_t)sizes[i] & ~511ull);
		CU_ASSERT_EQUAL(
			img.size % (img.offset_align > 512 ? img.offset_align : 1), 0);
		image_close(&img);
	}
}

static void test_resize(void)
{
	struct image img;

	put(at("z"), 1 << 20);
	CU_ASSERT_EQUAL_FATAL(image_open(&img, at("z"), 0), 0);
	CU_ASSERT_FALSE(image_resized(&img));
	CU_ASSERT_EQUAL(truncate(at("z"), 3 << 20), 0);
	CU_ASSERT_TRUE(image_resized(&img));
	CU_ASSERT_EQUAL(img.size, 3 << 20);
	CU_ASSERT_FALSE(image_resized(&img));
	CU_ASSERT_EQUAL(truncate(at("z"), (1 << 20) + 100), 0);
	CU_ASSERT_TRUE(image_resized(&img));
	CU_ASSERT_EQUAL(img.size, 1 << 20);
	image_close(&img);
	CU_ASSERT_FALSE(image_resized(&img));
}

static void test_discard(void)
{
	struct image img;
	struct stat st;
	int fd, able;

	put(at("p"), 1 << 20);
	fd = open(at("p"), O_RDWR | O_CLOEXEC);
	able = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536) == 0;
	CU_ASSERT_EQUAL(pwrite(fd, "last", 4, (1 << 20) - 4), 4);
	close(fd);
	CU_ASSERT_EQUAL_FATAL(image_open(&img, at("p"), 0), 0);
	CU_ASSERT_EQUAL(img.discard, able);
	if (able)
		CU_ASSERT_TRUE(img.discard_granularity >= 512);
	CU_ASSERT_FALSE(img.discard_secure);
	image_close(&img);
	/* finding out has changed nothing */
	CU_ASSERT_EQUAL(stat(at("p"), &st), 0);
	CU_ASSERT_EQUAL(st.st_size, 1 << 20);
	fd = open(at("p"), O_RDONLY | O_CLOEXEC);
	char tail[4] = "";
	CU_ASSERT_EQUAL(pread(fd, tail, 4, (1 << 20) - 4), 4);
	CU_ASSERT_EQUAL(memcmp(tail, "last", 4), 0);
	close(fd);
}

static void test_limits(void)
{
	struct image_limits l;

	CU_ASSERT_EQUAL(mkdir(at("disk"), 0700), 0);
	CU_ASSERT_EQUAL(mkdir(at("disk/queue"), 0700), 0);
	CU_ASSERT_EQUAL(mkdir(at("disk/part"), 0700), 0);
	put_text(at("disk/queue/physical_block_size"), "4096\n");
	put_text(at("disk/queue/discard_max_bytes"), "2199023255040\n");
	put_text(at("disk/queue/discard_granularity"), "512\n");
	put_text(at("disk/discard_alignment"), "0\n");
	put_text(at("disk/part/discard_alignment"), "3584\n");
	image_limits_read(at("disk"), &l);
	CU_ASSERT(!l.polled);
	put_text(at("disk/queue/io_poll"), "1\n");
	CU_ASSERT_EQUAL(l.physical, 4096);
	CU_ASSERT_EQUAL(l.discard_max, 2199023255040ull);
	CU_ASSERT_EQUAL(l.discard_granularity, 512);
	CU_ASSERT_EQUAL(l.discard_alignment, 0);
	image_limits_read(at("disk/part"), &l);
	CU_ASSERT(l.polled);
	CU_ASSERT_EQUAL(l.physical, 4096);
	CU_ASSERT_EQUAL(l.discard_granularity, 512);
	CU_ASSERT_EQUAL(l.discard_alignment, 3584);
	put_text(at("disk/queue/physical_block_size"), "many\n");
	put_text(at("disk/queue/discard_granularity"), "99999999999999999999999\n");
	image_limits_read(at("disk"), &l);
	CU_ASSERT_EQUAL(l.physical, 0);
	CU_ASSERT_EQUAL(l.discard_granularity, 0);
	image_limits_read(at("nowhere"), &l);
	CU_ASSERT_EQUAL(l.discard_max, 0);
}

/* ---- loop devices: only where this machine lets us make one ---- */

static int loop_attach(const char *path, uint64_t offset, char *dev, size_t size)
{
	struct loop_config config = {.info.lo_offset = offset};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n, loop;

	if (control < 0)
		return -1;
	n = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	if (n < 0)
		return -1;
	snprintf(dev, size, "/dev/loop%d", n);
	loop = open(dev, O_RDWR | O_CLOEXEC);
	if (loop < 0)
		return -1;
	config.fd = (uint32_t)open(path, O_RDWR | O_CLOEXEC);
	if (ioctl(loop, LOOP_CONFIGURE, &config)) {
		close(loop);
		loop = -1;
	}
	close((int)config.fd);
	return loop;
}

static void test_loop(void)
{
	struct image file, other, disk;
	char dev[32], path[64];
	struct stat st;
	int loop;

	put(at("l"), 1 << 20);
	put(at("m"), 1 << 20);
	loop = loop_attach(at("l"), 0, dev, sizeof(dev));
	if (loop < 0) {
		printf("\nskip loop devices: this machine does not let us make one\n");
		return;
	}
	CU_ASSERT_EQUAL(fstat(loop, &st), 0);
	CU_ASSERT_EQUAL(image_open(&file, at("l"), 0), 0);
	CU_ASSERT_EQUAL(image_open(&other, at("m"), 0), 0);
	CU_ASSERT_EQUAL(image_backs_loop(&file, st.st_rdev), 1);
	CU_ASSERT_EQUAL(image_backs_loop(&other, st.st_rdev), -ESTALE);
	CU_ASSERT_NOT_EQUAL(other.error[0], '\0');
	CU_ASSERT_TRUE(image_backs_loop(&file, makedev(7, 0xfffff)) < 0);
	CU_ASSERT_EQUAL(image_device_path(st.st_rdev, path, sizeof(path)), 0);
	CU_ASSERT_STRING_EQUAL(path, dev);

	CU_ASSERT_EQUAL(image_open(&disk, dev, 0), 0);
	CU_ASSERT_TRUE(disk.block_device);
	CU_ASSERT_EQUAL(disk.dev, st.st_rdev);
	CU_ASSERT_EQUAL(disk.size, 1 << 20);
	CU_ASSERT_EQUAL(truncate(at("l"), 2 << 20), 0);
	CU_ASSERT_FALSE(image_resized(&disk));
	CU_ASSERT_EQUAL(ioctl(loop, LOOP_SET_CAPACITY), 0);
	CU_ASSERT_TRUE(image_resized(&disk));
	CU_ASSERT_EQUAL(disk.size, 2 << 20);
	image_close(&disk);
	CU_ASSERT_EQUAL(ioctl(loop, LOOP_CLR_FD), 0);
	close(loop);
	CU_ASSERT_TRUE(image_backs_loop(&file, st.st_rdev) < 0);

	loop = loop_attach(at("l"), 4096, dev, sizeof(dev));
	if (loop >= 0) {
		CU_ASSERT_EQUAL(fstat(loop, &st), 0);
		CU_ASSERT_EQUAL(image_backs_loop(&file, st.st_rdev), 0);
		ioctl(loop, LOOP_CLR_FD);
		close(loop);
	}
	image_close(&file);
	image_close(&other);
}

static int make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/xylem-image-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"what is neither file nor disk is refused", test_refuses},
		{"file", test_file},
		{"read-only", test_readonly},
		{"odd sizes", test_size},
		{"resize", test_resize},
		{"discard", test_discard},
		{"queue limits", test_limits},
		{"loop devices", test_loop},
		CU_TEST_INFO_NULL,
	};

	log_init("image-test", LOG_LEVEL_ERROR);
	return suite_main_between("image", make_dir, drop_dir, tests);
}
