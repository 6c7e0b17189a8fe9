/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The worker's side of a disk: what it makes of an attach message, sound or not,
 * with several queues and threads, and that detach leaves nothing behind. The
 * worker itself is stood in for by this file.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backends/blkback/vbd.h"
#include "backends/blkback/vbd_proto.h"
#include "backends/common/loopback.h"
#include "tests/unit/open_fds.h"
#include "tests/unit/vbd_main.h"

#define SIZE   (1u << 20)
#define QUEUES 3u
#define FRAMES 96u

/* ---- the worker ---- */

struct worker {
	struct loopback *lb;
	struct io_uring *rings; /* handed out */
	unsigned int rings_left, rings_out;
	atomic_uint broken;
};

static struct worker w;

struct grants *worker_grants(struct worker *worker)
{
	return loopback_grants(worker->lb);
}

static struct io_uring *make_ring(struct worker *worker, unsigned int flags)
{
	struct io_uring *ring;

	if (!worker->rings_left)
		return NULL;
	worker->rings_left--;
	ring = calloc(1, sizeof(*ring));
	if (ring && io_uring_queue_init(64, ring, IORING_SETUP_R_DISABLED | flags)) {
		free(ring);
		return NULL;
	}
	worker->rings_out++;
	return ring;
}

struct io_uring *worker_get_uring(struct worker *worker)
{
	return make_ring(worker, IORING_SETUP_COOP_TASKRUN);
}

struct io_uring *worker_get_polled_uring(struct worker *worker)
{
	return make_ring(worker, IORING_SETUP_IOPOLL);
}

void worker_put_uring(struct worker *worker, struct io_uring *ring)
{
	/* nothing may still be armed: what is left would write into freed memory */
	io_uring_queue_exit(ring);
	free(ring);
	__atomic_fetch_sub(&worker->rings_out, 1, __ATOMIC_RELAXED);
}

void worker_broken(struct worker *worker, uint32_t devid, const char *fmt, ...)
{
	(void)devid;
	(void)fmt;
	atomic_fetch_add(&worker->broken, 1);
}

struct events *events_fdopen_xen(int fd, uint32_t domid)
{
	(void)fd;
	(void)domid;
	return NULL;
}

static int fail_events_at;

static struct events *open_events(int fd, uint32_t domid)
{
	(void)domid;
	close(fd);
	if (fail_events_at && !--fail_events_at) {
		errno = ENODEV;
		return NULL;
	}
	return loopback_events(w.lb);
}

/* ---- the guest ---- */

struct guest_queue {
	struct ring_front ring;
	uint32_t port;
};

static struct vbd_attach msg;
static struct guest_queue guest[QUEUES];
static uint32_t ref[FRAMES];
static void *state;
static size_t state_size;
static int fds[1 + QUEUES];
static int image_dup = -1; /* of the image last attached */

/* Two pages a ring; the frames behind them are data. */
static void make_guest(void)
{
	memset(&w, 0, sizeof(w));
	w.rings_left = QUEUES;
	w.lb = loopback_new(FRAMES, FRAMES, QUEUES);
	CU_ASSERT_FATAL(w.lb != NULL);
	for (uint32_t i = 0; i < FRAMES; i++)
		ref[i] = loopback_grant(w.lb, i, false);
	msg = (struct vbd_attach){
		.flags = VBD_PERSISTENT | VBD_FLUSH,
		.abi = BLKIF_ABI_X86_64,
		.engine = VBD_ENGINE_URING,
		.nr_queues = QUEUES,
		.ring_order = 1,
		.sector_size = 512,
		.sector_unit = 512,
		.offset_align = 512,
		.memory_align = 512,
		.max_segments = 32,
		.max_persistent = 64,
		.size = SIZE,
	};
	for (unsigned int q = 0; q < QUEUES; q++) {
		guest[q].port = loopback_port_alloc(w.lb);
		ring_front_init(&guest[q].ring, loopback_frame(w.lb, 2 * q), 2,
				blkif_slot_size(BLKIF_ABI_X86_64));
		msg.queue[q].event_channel = guest[q].port;
		msg.queue[q].ring_ref[0] = ref[2 * q];
		msg.queue[q].ring_ref[1] = ref[2 * q + 1];
	}
	state_size = vbd_state_size(QUEUES, 1);
	state = aligned_alloc(64, (state_size + 63) & ~63ul);
	memset(state, 0, state_size);
	vbd_open_events = open_events;
	fail_events_at = 0;
}

static void end_guest(void)
{
	loopback_free(w.lb);
	free(state);
}

static void check_nothing_held(void)
{
	struct loopback_audit a;

	loopback_audit(w.lb, &a);
	CU_ASSERT(!a.mapped_pages && !a.bound_ports && !a.open_sets);
	CU_ASSERT_EQUAL(w.rings_out, 0);
}

static int attach_sized(size_t size, unsigned int nfds, struct worker_device **dev)
{
	fds[0] = memfd_create("image", MFD_CLOEXEC);
	CU_ASSERT_FATAL(!ftruncate(fds[0], SIZE));
	if (image_dup >= 0)
		close(image_dup);
	image_dup = dup(fds[0]);
	for (unsigned int i = 1; i < nfds; i++)
		fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
	return vbd_worker_class.attach(&w, 51712, &msg, size, fds, nfds, state,
				       state_size, dev);
}

static int attach(struct worker_device **dev)
{
	return attach_sized(vbd_attach_size(msg.nr_queues), 1 + msg.nr_queues, dev);
}

static void put(unsigned int q, uint8_t op, uint64_t sector, uint32_t frame, uint8_t last)
{
	struct guest_queue *g = &guest[q];
	struct blkif_req req = {.op = op,
				.id = 77,
				.sector = sector,
				.nr_segments = op == BLKIF_OP_FLUSH_DISKCACHE ? 0 : 1,
				.seg = {{ref[frame], 0, last}}};

	blkif_encode(BLKIF_ABI_X86_64, ring_front_produce(&g->ring), &req);
	if (ring_front_push(&g->ring))
		loopback_port_notify(w.lb, g->port);
}

/* The answer, as a guest that sleeps. */
static int16_t answer(unsigned int q)
{
	struct guest_queue *g = &guest[q];
	struct pollfd p = {loopback_port_fd(w.lb, g->port), POLLIN, 0};
	struct blkif_rsp rsp;
	uint64_t count;

	while (ring_front_final_check(&g->ring, 1) < 1)
		if (poll(&p, 1, 10000) != 1 || read(p.fd, &count, sizeof(count)) < 0)
			return INT16_MIN;
	blkif_fetch_response(&g->ring, g->ring.rsp_cons, &rsp);
	ring_front_consume(&g->ring, 1);
	return rsp.id == 77 ? rsp.status : INT16_MIN;
}

static int16_t ask(unsigned int q, uint8_t op, uint64_t sector, uint32_t frame)
{
	put(q, op, sector, frame, 7);
	return answer(q);
}

/* ---- tests ---- */

static void test_serves(void)
{
	static const uint32_t engine[] = {VBD_ENGINE_URING, VBD_ENGINE_AIO,
					  VBD_ENGINE_NULL, VBD_ENGINE_URING};

	for (unsigned int e = 0; e < 4; e++) {
		struct worker_device *dev;

		make_guest();
		msg.engine = engine[e];
		if (e == 3) { /* with a second ring each */
			msg.flags |= VBD_POLLED;
			w.rings_left = 2 * QUEUES;
		}
		CU_ASSERT_EQUAL_FATAL(attach(&dev), 0);
		for (unsigned int q = 0; q < QUEUES; q++) {
			memset(loopback_frame(w.lb, 20 + q), 0x30 + (int)q, 4096);
			CU_ASSERT_EQUAL(ask(q, BLKIF_OP_WRITE, 8 * q, 20 + q),
					BLKIF_RSP_OKAY);
			CU_ASSERT_EQUAL(ask(q, BLKIF_OP_FLUSH_DISKCACHE, 0, 0),
					BLKIF_RSP_OKAY);
		}
		/* what one queue wrote another reads */
		for (unsigned int q = 0; q < QUEUES; q++) {
			CU_ASSERT_EQUAL(ask(q, BLKIF_OP_READ, 8 * ((q + 1) % QUEUES), 40),
					BLKIF_RSP_OKAY);
			CU_ASSERT_EQUAL(*(char *)loopback_frame(w.lb, 40),
					e == 2 ? 0 : 0x30 + (int)((q + 1) % QUEUES));
		}
		vbd_worker_class.detach(dev);
		check_nothing_held();
		end_guest();
	}
}

/* Fewer io_urings than queues: the others make do with libaio. */
static void test_no_uring_left(void)
{
	struct worker_device *dev;

	make_guest();
	w.rings_left = 1;
	CU_ASSERT_EQUAL_FATAL(attach(&dev), 0);
	for (unsigned int q = 0; q < QUEUES; q++)
		CU_ASSERT_EQUAL(ask(q, BLKIF_OP_READ, 0, 40), BLKIF_RSP_OKAY);
	vbd_worker_class.detach(dev);
	check_nothing_held();
	end_guest();
}

static void refuse(void)
{
	struct worker_device *dev;

	CU_ASSERT(attach(&dev) < 0);
	check_nothing_held();
}

/* So that a duplicate of the image is open before descriptors are counted. */
static void refuse_once(void)
{
	msg.abi = BLKIF_ABIS;
	refuse();
	msg.abi = BLKIF_ABI_X86_64;
}

/* Set one field to what it may not be; expect a refusal; put it back. */
#define REFUSE(field, value)                                                             \
	do {                                                                             \
		__typeof__(msg.field) good = msg.field;                                  \
		msg.field = (value);                                                     \
		refuse();                                                                \
		msg.field = good;                                                        \
	} while (0)

static void test_bad_messages(void)
{
	struct worker_device *dev;
	unsigned int before;

	make_guest();
	refuse_once();
	before = open_fds();
	REFUSE(abi, BLKIF_ABIS);
	REFUSE(engine, 3);
	REFUSE(nr_queues, 0);
	REFUSE(ring_order, 5);
	REFUSE(sector_size, 1024);
	REFUSE(sector_size, 0);
	REFUSE(sector_unit, 4096);
	REFUSE(sector_unit, 0);
	REFUSE(offset_align, 0);
	REFUSE(offset_align, 3);
	REFUSE(offset_align, 8192);
	REFUSE(memory_align, 0);
	REFUSE(max_segments, 257);
	REFUSE(max_persistent, VBD_MAX_PERSISTENT + 1);
	REFUSE(size, 513);
	REFUSE(ring_order, 2); /* a state too small for it */
	REFUSE(queue[0].ring_ref[1], 3);
	REFUSE(queue[2].ring_ref[0], 0);
	REFUSE(queue[2].event_channel, 99);
	REFUSE(queue[1].event_channel, msg.queue[0].event_channel);
	for (size_t n = 0; n < vbd_attach_size(QUEUES); n += 97)
		CU_ASSERT(attach_sized(n, 1 + QUEUES, &dev) < 0);
	CU_ASSERT(attach_sized(vbd_attach_size(QUEUES), 1, &dev) < 0);
	CU_ASSERT(attach_sized(vbd_attach_size(QUEUES), QUEUES, &dev) < 0);
	for (int i = 1; i <= (int)QUEUES; i++) {
		fail_events_at = i;
		refuse();
	}
	CU_ASSERT_EQUAL(open_fds(), before);
	end_guest();
}

static void test_update(void)
{
	struct vbd_update u = {2 * SIZE};
	struct worker_device *dev;

	make_guest();
	msg.engine = VBD_ENGINE_NULL;
	CU_ASSERT_EQUAL_FATAL(attach(&dev), 0);
	CU_ASSERT_EQUAL(ask(1, BLKIF_OP_READ, SIZE / 512, 40), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(vbd_worker_class.update(dev, &u, sizeof(u), NULL, 0), 0);
	CU_ASSERT_EQUAL(ask(1, BLKIF_OP_READ, SIZE / 512, 40), BLKIF_RSP_OKAY);
	u.size = 100;
	CU_ASSERT(vbd_worker_class.update(dev, &u, sizeof(u), NULL, 0) < 0);
	CU_ASSERT(vbd_worker_class.update(dev, &u, 7, NULL, 0) < 0);
	CU_ASSERT_EQUAL(ask(1, BLKIF_OP_READ, SIZE / 512, 40), BLKIF_RSP_OKAY);
	vbd_worker_class.detach(dev);
	end_guest();
}

/* A guest breaks one ring: said once; the other queues go on until the detach. */
static void test_broken(void)
{
	struct worker_device *dev;

	make_guest();
	CU_ASSERT_EQUAL_FATAL(attach(&dev), 0);
	CU_ASSERT_EQUAL(ask(0, BLKIF_OP_READ, 0, 40), BLKIF_RSP_OKAY);
	guest[0].ring.shared->req_prod += 1000;
	loopback_port_notify(w.lb, guest[0].port);
	for (int i = 0; i < 2000 && !atomic_load(&w.broken); i++)
		usleep(1000);
	CU_ASSERT_EQUAL(atomic_load(&w.broken), 1);
	CU_ASSERT_EQUAL(ask(1, BLKIF_OP_READ, 0, 41), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask(2, BLKIF_OP_WRITE, 0, 42), BLKIF_RSP_OKAY);
	vbd_worker_class.detach(dev);
	CU_ASSERT_EQUAL(atomic_load(&w.broken), 1);
	check_nothing_held();
	end_guest();
}

/* Sectors of one block through different queues at once: none undoes another. */
static void test_rmw_across_queues(void)
{
	struct worker_device *dev;
	bool ok = true;
	char got[4096];
	int fd;

	make_guest();
	msg.offset_align = 4096;
	CU_ASSERT_EQUAL_FATAL(attach(&dev), 0);
	fd = image_dup;
	for (int round = 1; ok && round < 300; round++) {
		for (unsigned int i = 0; i < 6; i++) {
			memset(loopback_frame(w.lb, 20 + i), round + (int)i, 512);
			put(i % QUEUES, BLKIF_OP_WRITE, 8 + i, 20 + i, 0);
		}
		for (unsigned int i = 0; i < 6; i++)
			ok &= answer(i % QUEUES) == BLKIF_RSP_OKAY;
		ok &= pread(fd, got, 4096, 4096) == 4096;
		for (unsigned int i = 0; i < 6; i++)
			ok &= got[512 * i] == (char)(round + (int)i) &&
			      got[512 * i + 511] == got[512 * i];
	}
	CU_ASSERT(ok);
	vbd_worker_class.detach(dev);
	check_nothing_held();
	end_guest();
}

/* Again and again, with requests under way when it ends. */
static void test_cycles(void)
{
	unsigned int before = open_fds();

	for (unsigned int i = 0; i < 30; i++) {
		struct worker_device *dev;

		make_guest();
		CU_ASSERT_EQUAL_FATAL(attach(&dev), 0);
		for (unsigned int q = 0; q < QUEUES; q++) {
			struct blkif_req req = {.op = BLKIF_OP_READ,
						.nr_segments = 1,
						.seg = {{ref[50 + q], 0, 7}}};

			for (uint32_t n = 0; n < 20; n++) {
				req.sector = 8 * n;
				blkif_encode(BLKIF_ABI_X86_64,
					     ring_front_produce(&guest[q].ring), &req);
			}
			if (ring_front_push(&guest[q].ring))
				loopback_port_notify(w.lb, guest[q].port);
		}
		usleep(i * 20);
		vbd_worker_class.detach(dev);
		check_nothing_held();
		end_guest();
	}
	CU_ASSERT_EQUAL(open_fds(), before);
}

static const CU_TestInfo tests[] = {
	{"three queues, each engine, polled or not", test_serves},
	{"fewer io_urings than queues", test_no_uring_left},
	{"attach messages that are wrong", test_bad_messages},
	{"the size changes", test_update},
	{"one ring breaks", test_broken},
	{"read-modify-write of one block by several queues", test_rmw_across_queues},
	{"attach and detach under load", test_cycles},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("vbd", tests)
