// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk from xenstore to bytes and back, in one process: the supervisor's class
 * over the in-memory store, the worker's class with its threads over the loopback,
 * and our own front end as the guest. What the unit tests of each assume of the
 * others is true here or nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/blkback/vbd.h"
#include "backends/blkback/vbd_backend.h"
#include "backends/common/log.h"
#include "backends/common/loopback.h"
#include "backends/common/store_mem.h"
#include "frontends/blkfront.h"
#include "tests/unit/front_loopback.h"
#include "tests/unit/suite.h"

#define BACK   "/local/domain/0/backend/vbd/3/51712"
#define FRONT  "/local/domain/3/device/vbd/51712"
#define FRAMES 1024u

static char dir[64], image_path[96], other_path[96], conf_path[96];
static struct store *store;
static struct loopback *lb;
static struct front_loopback fl;
static struct backend be;
static struct worker_device *dev;
static struct blkfront bf;
static void *page;
static char broken[256], last_error[512];

/* ---- the supervisor and the worker process ---- */

void backend_error(struct backend *b, int err, const char *fmt, ...)
{
	va_list ap;

	(void)b;
	(void)err;
	va_start(ap, fmt);
	vsnprintf(last_error, sizeof(last_error), fmt, ap);
	va_end(ap);
}

/* The descriptor travels through a socket there: the worker gets its own. */
int backend_update(struct backend *b, const void *payload, size_t size, const int *fds,
		   unsigned int nfds)
{
	int copy = nfds ? dup(fds[0]) : -1;

	(void)b;
	CU_ASSERT(nfds <= 1);
	return vbd_worker_class.update(dev, payload, size, &copy, nfds);
}

struct events *events_fdopen_xen(int fd, uint32_t domid)
{
	(void)domid;
	close(fd);
	return loopback_events(lb);
}

struct grants *worker_grants(struct worker *w)
{
	(void)w;
	return loopback_grants(lb);
}

void worker_broken(struct worker *w, uint32_t devid, const char *fmt, ...)
{
	va_list ap;

	(void)w;
	(void)devid;
	va_start(ap, fmt);
	vsnprintf(broken, sizeof(broken), fmt, ap);
	va_end(ap);
}

/* ---- a guest with a disk ---- */

static void put(const char *path, const char *node, const char *value)
{
	CU_ASSERT_TRUE(store_write(store, 0, value, "%s/%s", path, node));
}

static void write_file(const char *path, char fill, size_t size)
{
	char *buf = malloc(size);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CU_ASSERT_FATAL(buf && fd >= 0);
	memset(buf, fill, size);
	CU_ASSERT_EQUAL(write(fd, buf, size), (ssize_t)size);
	close(fd);
	free(buf);
}

static void begin(const char *configuration, const char *type, const char *params)
{
	FILE *f = fopen(conf_path, "we");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(configuration, f);
	fclose(f);
	store = store_open_mem();
	lb = loopback_new(FRAMES, 2 * FRAMES, 32);
	CU_ASSERT_FATAL(store && lb);
	CU_ASSERT_EQUAL_FATAL(front_loopback_init(&fl, lb, 0, FRAMES), 0);
	front_loopback_use_store(&fl, store, FRONT, BACK);
	write_file(image_path, 'i', 1 << 20);
	put(BACK, "frontend", FRONT);
	put(BACK, "online", "1");
	put(BACK, "mode", strcmp(type, "cdrom") ? "w" : "r");
	put(BACK, "device-type", type);
	put(BACK, "dev", "xvda");
	put(BACK, "params", params);
	put(FRONT, "state", "1");
	memset(&be, 0, sizeof(be));
	be.class = &vbd_backend_class;
	be.store = store;
	be.domid = 3;
	be.devid = 51712;
	be.path = strdup(BACK);
	be.frontend = strdup(FRONT);
	be.guest = strdup("web1");
	be.conf = conf_load(conf_path, vbd_backend_class.conf_keys);
	CU_ASSERT_PTR_NOT_NULL_FATAL(be.conf);
	broken[0] = '\0';
	CU_ASSERT_EQUAL_FATAL(vbd_backend_class.probe(&be), 0);
	put(BACK, "state", "2");
	CU_ASSERT_EQUAL_FATAL(vbd_backend_class.ready(&be), 0);
}

static void up(const struct blkfront_config *cfg)
{
	struct backend_attach *out = calloc(1, sizeof(*out));
	int err;

	CU_ASSERT_EQUAL_FATAL(blkfront_init(&bf, &fl.os, cfg), 0);
	CU_ASSERT_EQUAL_FATAL(vbd_backend_class.connect(&be, out, &be.state_size), 0);
	be.state_size = (be.state_size + 63) & ~(size_t)63;
	be.state = aligned_alloc(64, be.state_size);
	memset(be.state, 0, be.state_size);
	vbd_backend_class.prepare(&be);
	err = vbd_worker_class.attach(NULL, be.devid, out->payload, out->size, out->fds, out->nfds,
				      be.state, be.state_size, &dev);
	free(out);
	CU_ASSERT_EQUAL_FATAL(err, 0);
	CU_ASSERT_EQUAL_FATAL(vbd_backend_class.publish(&be), 0);
	put(BACK, "state", "4");
	CU_ASSERT_EQUAL_FATAL(blkfront_connect(&bf), 0);
	page = fl.os.ops->pages_alloc(&fl.os, 1);
	CU_ASSERT_PTR_NOT_NULL_FATAL(page);
}

static void down(void)
{
	struct loopback_audit audit;

	vbd_worker_class.detach(dev);
	vbd_backend_class.disconnected(&be);
	free(be.state);
	be.state = NULL;
	fl.os.ops->pages_free(&fl.os, page, 1);
	CU_ASSERT_EQUAL(blkfront_close(&bf), 0);
	loopback_audit(lb, &audit);
	CU_ASSERT_EQUAL(audit.mapped_pages, 0);
	CU_ASSERT_EQUAL(audit.bound_ports, 0);
	CU_ASSERT_EQUAL(audit.open_sets, 0);
	CU_ASSERT_STRING_EQUAL(broken, "");
}

static void end(void)
{
	vbd_backend_class.remove(&be);
	front_loopback_fini(&fl);
	loopback_free(lb);
	conf_free((struct conf *)be.conf);
	free(be.path);
	free(be.frontend);
	free(be.guest);
	store->ops->close(store);
}

static bool finished;

static void on_done(struct blkfront_io *io)
{
	(void)io;
	finished = true;
}

/* One request on queue @q; its status. */
static int request(unsigned int q, uint8_t op, uint64_t sector, uint32_t len)
{
	struct blkfront_seg seg = {.data = page, .len = len};
	struct blkfront_io io = {
		.op = op, .sector = sector, .seg = &seg, .nr_segs = !!len, .done = on_done};
	int i;

	finished = false;
	CU_ASSERT_EQUAL_FATAL(blkfront_submit(&bf.queue[q], &io), 0);
	blkfront_push(&bf.queue[q]);
	for (i = 0; i < 20000 && !finished; i++) {
		CU_ASSERT_FATAL(blkfront_poll(&bf.queue[q]) >= 0);
		if (!finished)
			poll(NULL, 0, 1);
	}
	CU_ASSERT_TRUE_FATAL(finished);
	return io.status;
}

static bool page_is(char c, size_t n)
{
	const char *p = page;
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != c)
			return false;
	return true;
}

static bool file_is(const char *path, off_t at, char c, size_t n)
{
	char buf[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = pread(fd, buf, n, at);

	close(fd);
	for (size_t i = 0; i < n; i++)
		if (buf[i] != c)
			return false;
	return got == (ssize_t)n;
}

/* ---- tests ---- */

static void read_and_write(const struct blkfront_config *cfg, uint32_t scale)
{
	unsigned int q;

	up(cfg);
	for (q = 0; q < bf.nr_queues; q++) {
		uint32_t at = 16 * (q + 1) * bf.unit;

		CU_ASSERT_EQUAL(request(q, BLKIF_OP_READ, 0, 4096), BLKIF_RSP_OKAY);
		CU_ASSERT_TRUE(page_is('i', 4096));
		memset(page, 'w', 4096);
		CU_ASSERT_EQUAL(request(q, BLKIF_OP_WRITE, 16 * (q + 1), scale), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(request(q, BLKIF_OP_FLUSH_DISKCACHE, 0, 0), BLKIF_RSP_OKAY);
		CU_ASSERT_TRUE(file_is(image_path, at, 'w', scale));
		CU_ASSERT_TRUE(file_is(image_path, at + (off_t)scale, 'i', 512));
	}
	down();
}

static void test_io(void)
{
	static const struct blkfront_config plain = {.queues = 1},
					    full = {.queues = 2,
						    .ring_order = 2,
						    .persistent = true,
						    .pool_pages = 64,
						    .indirect_segs = 32,
						    .abi = BLKIF_ABI_X86_32};

	begin("[default]\nmax-queues = 2\n", "disk", image_path);
	read_and_write(&plain, 512);
	CU_ASSERT_EQUAL(bf.unit, 512);
	/* the same device again, as a boot loader hands over to a kernel */
	write_file(image_path, 'i', 1 << 20);
	read_and_write(&full, 4096);
	end();
}

/* Both kinds of frontend on a disk of 4096-byte sectors address the same bytes. */
static void test_large_sectors(void)
{
	struct blkfront_config cfg = {.queues = 1};

	begin("[default]\nsector-size = 4096\n", "disk", image_path);
	read_and_write(&cfg, 4096);
	CU_ASSERT_EQUAL(bf.unit, 512);
	CU_ASSERT_EQUAL(bf.sectors, (1 << 20) / 512);
	write_file(image_path, 'i', 1 << 20);
	cfg.large_sectors = true;
	read_and_write(&cfg, 4096);
	CU_ASSERT_EQUAL(bf.unit, 4096);
	CU_ASSERT_EQUAL(bf.sectors, (1 << 20) / 4096);
	end();
}

static void test_resize(void)
{
	static const struct blkfront_config cfg = {.queues = 1};

	begin("", "disk", image_path);
	up(&cfg);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 2048, 512), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(truncate(image_path, 2 << 20), 0);
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(blkfront_resized(&bf), 0);
	CU_ASSERT_EQUAL(bf.sectors, 4096);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 2048, 512), BLKIF_RSP_OKAY);
	CU_ASSERT_TRUE(page_is(0, 512));
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 4096, 512), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(truncate(image_path, 1 << 19), 0);
	vbd_backend_class.tick(&be);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 2048, 512), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 1023, 512), BLKIF_RSP_OKAY);
	down();
	end();
}

static void test_cdrom(void)
{
	static const struct blkfront_config cfg = {.queues = 1};
	char params[128];

	write_file(other_path, 'o', 1 << 19);
	begin("", "cdrom", "");
	up(&cfg);
	CU_ASSERT_EQUAL(bf.sectors, 0);
	CU_ASSERT_EQUAL(bf.info, VDISK_CDROM | VDISK_READONLY);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 0, 512), BLKIF_RSP_ERROR);
	/* a disc goes in, another takes its place, and the drive is emptied */
	snprintf(params, sizeof(params), "aio:%s", image_path);
	put(BACK, "params", params);
	vbd_backend_class.changed(&be);
	CU_ASSERT_EQUAL(blkfront_resized(&bf), 0);
	CU_ASSERT_EQUAL(bf.sectors, 2048);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 8, 512), BLKIF_RSP_OKAY);
	CU_ASSERT_TRUE(page_is('i', 512));
	snprintf(params, sizeof(params), "aio:%s", other_path);
	put(BACK, "params", params);
	vbd_backend_class.changed(&be);
	CU_ASSERT_EQUAL(blkfront_resized(&bf), 0);
	CU_ASSERT_EQUAL(bf.sectors, 1024);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 8, 512), BLKIF_RSP_OKAY);
	CU_ASSERT_TRUE(page_is('o', 512));
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 1024, 512), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_WRITE, 8, 512), BLKIF_RSP_ERROR);
	put(BACK, "params", "");
	vbd_backend_class.changed(&be);
	CU_ASSERT_EQUAL(blkfront_resized(&bf), 0);
	CU_ASSERT_EQUAL(bf.sectors, 0);
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 8, 512), BLKIF_RSP_ERROR);
	/* one that cannot be opened is no disc */
	put(BACK, "params", "aio:/nonexistent/disc");
	vbd_backend_class.changed(&be);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "/nonexistent/disc"));
	CU_ASSERT_EQUAL(request(0, BLKIF_OP_READ, 8, 512), BLKIF_RSP_ERROR);
	down();
	end();
	unlink(other_path);
}

static int make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/xylem-whole-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(image_path, sizeof(image_path), "%s/disk", dir);
	snprintf(other_path, sizeof(other_path), "%s/other", dir);
	snprintf(conf_path, sizeof(conf_path), "%s/conf", dir);
	return 0;
}

static int drop_dir(void)
{
	unlink(image_path);
	unlink(conf_path);
	return rmdir(dir);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"read and write", test_io},
		{"large sectors", test_large_sectors},
		{"resize", test_resize},
		{"CD-ROM", test_cdrom},
		CU_TEST_INFO_NULL,
	};

	log_init("vbd-test", LOG_LEVEL_ERROR - 1);
	return suite_main_between("vbd_whole", make_dir, drop_dir, tests);
}
