/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ordinary requests go a short way (plain.c): which do and which do not, that order is
 * kept between the two kinds, and that what fails on it ends like any other.
 */
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backends/blkback/request.h"
#include "tests/unit/vbd_main.h"
#include "tests/unit/vbd_rig.h"

#define SIZE   (1u << 20)
#define FRAMES 16u

static struct rig r;
static int fd;

static void start(struct rig_options o)
{
	fd = memfd_create("image", MFD_CLOEXEC);
	CU_ASSERT_FATAL(fd >= 0 && !ftruncate(fd, SIZE));
	o.fd = fd;
	o.size = SIZE;
	if (!o.engine_open)
		o.engine_open = engine_uring_open;
	CU_ASSERT_FATAL(rig_open(&r, &o));
}

static void stop(void)
{
	CU_ASSERT(rig_close(&r)); /* nothing is held any more */
	close(fd);
}

/* How many of the last uses of the ring's records went the short way. */
static unsigned int plain_ones(void)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < r.queue->ring.size; i++)
		n += r.queue->requests[i].plain;
	return n;
}

/* A request of one frame; its status. */
static int16_t one(uint8_t op, uint64_t sector, uint32_t frame)
{
	struct blkif_req req;

	rig_request(&r, &req, op, 1, sector, frame, 1);
	return rig_do(&r, &req);
}

/* Have the first frames mapped. */
static void map_frames(void)
{
	for (uint32_t i = 0; i < FRAMES; i++)
		CU_ASSERT_EQUAL(one(BLKIF_OP_READ, 0, i), BLKIF_RSP_OKAY);
}

static bool is_short(uint8_t op, uint64_t sector, uint32_t frame, int16_t status)
{
	/* the record that was used last is used next */
	CU_ASSERT_EQUAL(one(op, sector, frame), status);
	return r.queue->free->plain;
}

static void test_which(void)
{
	start((struct rig_options){.persistent = true,
				   .flags = VBD_FLUSH | VBD_BARRIER | VBD_DISCARD});
	CU_ASSERT(!is_short(BLKIF_OP_READ, 0, 0, BLKIF_RSP_OKAY)); /* not mapped yet */
	CU_ASSERT(is_short(BLKIF_OP_READ, 0, 0, BLKIF_RSP_OKAY));
	CU_ASSERT(is_short(BLKIF_OP_WRITE, 8, 0, BLKIF_RSP_OKAY));
	CU_ASSERT(!is_short(BLKIF_OP_WRITE_BARRIER, 8, 0, BLKIF_RSP_OKAY));
	CU_ASSERT(!is_short(BLKIF_OP_FLUSH_DISKCACHE, 8, 0, BLKIF_RSP_OKAY));
	CU_ASSERT(!is_short(BLKIF_OP_READ, SIZE / 512, 0, BLKIF_RSP_ERROR));
	CU_ASSERT(!is_short(BLKIF_OP_READ, ~0ull, 0, BLKIF_RSP_ERROR));
	CU_ASSERT(is_short(BLKIF_OP_READ, SIZE / 512 - 8, 0, BLKIF_RSP_OKAY));
	stop();
}

/* Where others must be waited for, or writes are more than they seem. */
static void test_which_disk(void)
{
	struct limit_rate rate = {.ops_per_s = 100000, .ops_burst = 1000};

	start((struct rig_options){.persistent = false});
	map_frames();
	CU_ASSERT_EQUAL(plain_ones(), 0);
	stop();
	start((struct rig_options){.persistent = true, .offset_align = 4096});
	map_frames();
	CU_ASSERT(!is_short(BLKIF_OP_READ, 0, 0, BLKIF_RSP_OKAY));
	stop();
	start((struct rig_options){.persistent = true, .flags = VBD_READONLY});
	map_frames();
	CU_ASSERT(is_short(BLKIF_OP_READ, 0, 0, BLKIF_RSP_OKAY));
	CU_ASSERT(!is_short(BLKIF_OP_WRITE, 0, 0, BLKIF_RSP_ERROR));
	stop();
	start((struct rig_options){.persistent = true, .direct_min = 4096});
	map_frames();
	CU_ASSERT(!is_short(BLKIF_OP_READ, 0, 0, BLKIF_RSP_OKAY));
	stop();
	start((struct rig_options){.persistent = true});
	map_frames();
	limit_set(&r.limit[1], &rate);
	CU_ASSERT(!is_short(BLKIF_OP_READ, 0, 0, BLKIF_RSP_OKAY));
	rate = (struct limit_rate){0};
	limit_set(&r.limit[1], &rate);
	CU_ASSERT(is_short(BLKIF_OP_READ, 0, 0, BLKIF_RSP_OKAY));
	stop();
}

/* A write of @frame, filled with @value. */
static void put_write(uint8_t op, uint64_t id, uint64_t sector, uint32_t frame, int value)
{
	struct blkif_req req;

	memset(rig_page(&r, frame), value, 4096);
	rig_request(&r, &req, op, id, sector, frame, 1);
	rig_put(&r, &req);
}

/* Short, long and short again to the same place, pushed together: the last one stays. */
static void test_order(void)
{
	char got[4096];

	start((struct rig_options){.persistent = true, .flags = VBD_BARRIER});
	map_frames();
	for (int round = 0; round < 20; round++) {
		put_write(BLKIF_OP_WRITE, 1, 0, 0, 1);
		put_write(BLKIF_OP_WRITE_BARRIER, 2, 0, 1, 2);
		put_write(BLKIF_OP_WRITE, 3, 0, 2, 3 + round);
		rig_push(&r);
		for (uint64_t id = 1; id <= 3; id++)
			CU_ASSERT_EQUAL(rig_wait(&r, id), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(pread(fd, got, 4096, 0), 4096);
		CU_ASSERT(got[0] == 3 + round && got[4095] == 3 + round);
	}
	CU_ASSERT_EQUAL(plain_ones(), 1); /* the one before the barrier */
	stop();
}

/* Behind one that is refused all others are served, and only it is refused. */
static void test_refused_between(void)
{
	struct blkif_req req;
	char got[4096];

	start((struct rig_options){.persistent = true});
	map_frames();
	for (uint32_t i = 0; i < FRAMES; i++)
		put_write(BLKIF_OP_WRITE, i, i == 5 ? SIZE : 8 * i, i, 0x40 + (int)i);
	rig_push(&r);
	for (uint32_t i = 0; i < FRAMES; i++)
		CU_ASSERT_EQUAL(rig_wait(&r, i),
				i == 5 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(plain_ones(), 5);
	for (uint32_t i = 0; i < FRAMES; i++) {
		CU_ASSERT_EQUAL(pread(fd, got, 4096, 4096 * i), 4096);
		CU_ASSERT(got[0] == (i == 5 ? 0 : 0x40 + (char)i) && got[0] == got[4095]);
	}
	/* a grant that does not exist, behind one that is held already */
	rig_request(&r, &req, BLKIF_OP_READ, 7, 0, 0, 3);
	req.seg[2].gref = 0x7fffffff;
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(r.queue->pool.used, 0);
	stop();
}

/* The image is shorter than it was: what the engine cannot do is an error as ever. */
static void test_engine_fails(void)
{
	start((struct rig_options){.persistent = true});
	map_frames();
	CU_ASSERT(!ftruncate(fd, SIZE / 2));
	for (uint32_t i = 0; i < FRAMES; i++) {
		struct blkif_req req;

		rig_request(&r, &req, BLKIF_OP_READ, i, i % 2 ? 0 : SIZE / 512 - 8, i, 1);
		rig_put(&r, &req);
	}
	rig_push(&r);
	for (uint32_t i = 0; i < FRAMES; i++)
		CU_ASSERT_EQUAL(rig_wait(&r, i),
				i % 2 ? BLKIF_RSP_OKAY : BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(rig_metric(&r, METRIC_ERRORS), FRAMES / 2);
	CU_ASSERT_EQUAL(r.queue->pool.used, 0);
	CU_ASSERT_EQUAL(r.queue->active, 0);
	stop();
}

/* Segments in a page of the guest's, and a piece of a page at either end. */
static void test_indirect(void)
{
	struct blkif_request_segment *seg;
	struct blkif_req req = {
		.op = BLKIF_OP_WRITE, .indirect = true, .nr_segments = 20};
	char want[20 * 4096], got[20 * 4096];

	start((struct rig_options){.persistent = true, .max_segments = 32});
	seg = (void *)rig_page(&r, 900);
	req.indirect_gref[0] = r.ref[900];
	for (uint32_t i = 0; i < 20; i++) {
		memset(rig_page(&r, i), 0x50 + (int)i, 4096);
		seg[i] = (struct blkif_request_segment){r.ref[i], i ? 0 : 2,
							i < 19 ? 7 : 5};
	}
	/* the second time all is mapped */
	for (int round = 0; round < 2; round++) {
		req.id = 3;
		CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
	}
	CU_ASSERT(r.queue->free->plain);
	for (uint32_t i = 0; i < 20; i++)
		memset(want + (i ? 4096 * i - 1024 : 0), 0x50 + (int)i, 4096);
	CU_ASSERT_EQUAL(pread(fd, got, sizeof(got), 0), sizeof(got));
	CU_ASSERT(!memcmp(got, want, 20 * 4096 - 2048));
	CU_ASSERT(got[20 * 4096 - 2048] == 0);
	for (uint32_t i = 0; i < 20; i++)
		memset(rig_page(&r, i), 0, 4096);
	req.op = BLKIF_OP_READ;
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
	CU_ASSERT(r.queue->free->plain);
	CU_ASSERT(rig_page(&r, 0)[1023] == 0 && rig_page(&r, 0)[1024] == 0x50);
	CU_ASSERT(rig_page(&r, 19)[3071] == 0x50 + 19 && rig_page(&r, 19)[3072] == 0);
	/* an index page that lies */
	seg[7].last_sect = 8;
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(r.queue->pool.used, 0);
	stop();
}

/* Many whole pages; the same with one that is a part, or not mapped yet. */
static void test_whole(void)
{
	struct blkif_request_segment *seg;
	struct blkif_req req = {.indirect = true, .nr_segments = 32};
	char got[4096];

	start((struct rig_options){.persistent = true, .max_segments = 32});
	seg = (void *)rig_page(&r, 900);
	req.indirect_gref[0] = r.ref[900];
	for (uint32_t i = 0; i < 32; i++)
		seg[i] = (struct blkif_request_segment){r.ref[i], 0, 7};
	for (int round = 0; round < 4; round++) {
		for (uint32_t i = 0; i < 32; i++)
			memset(rig_page(&r, i), round + (int)i, 4096);
		if (round == 2)
			seg[9].last_sect = 6;
		if (round == 3)
			seg[9] = (struct blkif_request_segment){r.ref[40], 0, 7};
		memset(rig_page(&r, 40), round + 9, 4096);
		req.op = BLKIF_OP_WRITE;
		CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(r.queue->free->plain, round == 1 || round == 2);
		CU_ASSERT_EQUAL(r.queue->free->plain && r.queue->free->whole, round == 1);
		for (uint32_t i = 0; i < 32; i++) {
			uint64_t at = 4096 * i - (round == 2 && i > 9 ? 512 : 0);

			CU_ASSERT_EQUAL(pread(fd, got, 4096, (off_t)at), 4096);
			CU_ASSERT(got[0] == (char)(round + i) && got[0] == got[3583]);
			CU_ASSERT(got[0] == got[4095] || (round == 2 && i == 9));
			memset(rig_page(&r, i), 0xee, 4096);
		}
		memset(rig_page(&r, 40), 0xee, 4096);
		req.op = BLKIF_OP_READ;
		CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
		CU_ASSERT(r.queue->free->plain);
		for (uint32_t i = 0; i < 32; i++) {
			char *page = rig_page(&r, round == 3 && i == 9 ? 40 : i);

			CU_ASSERT(page[0] == (char)(round + i) && page[0] == page[3583]);
			CU_ASSERT(page[4095] ==
				  (round == 2 && i == 9 ? (char)0xee : page[0]));
		}
		CU_ASSERT_EQUAL(r.queue->pool.used, 0);
	}
	stop();
}

static struct io_uring small_ring;

static struct engine *small_uring_open(const struct engine_setup *s)
{
	struct engine_setup mine = *s;

	if (io_uring_queue_init(64, &small_ring, IORING_SETUP_R_DISABLED))
		return NULL;
	mine.ring = &small_ring;
	return engine_uring_open(&mine);
}

/* More than the engine takes at a time, twice, the second time by the short way. */
static void test_engine_full(void)
{
	uint32_t slots;

	start((struct rig_options){
		.persistent = true, .ring_order = 4, .engine_open = small_uring_open});
	slots = r.queue->ring.size;
	CU_ASSERT_EQUAL_FATAL(slots, 512);
	CU_ASSERT(r.queue->engine->depth < slots);
	for (int round = 1; round <= 2; round++) {
		for (uint32_t i = 0; i < slots; i++)
			put_write(BLKIF_OP_WRITE, i, 8 * (i % (SIZE / 4096)), i, round);
		rig_push(&r);
		for (uint32_t i = 0; i < slots; i++)
			CU_ASSERT_EQUAL(rig_wait(&r, i), BLKIF_RSP_OKAY);
	}
	CU_ASSERT_EQUAL(plain_ones(), slots);
	CU_ASSERT_EQUAL(r.queue->pool.used, 0);
	CU_ASSERT_EQUAL(r.queue->engine->inflight, 0);
	stop();
	io_uring_queue_exit(&small_ring);
}

static const CU_TestInfo tests[] = {
	{"which requests", test_which},
	{"on which disks", test_which_disk},
	{"order, with a barrier between", test_order},
	{"one that is refused between", test_refused_between},
	{"the engine fails", test_engine_fails},
	{"indirect, and parts of pages", test_indirect},
	{"whole pages", test_whole},
	{"more than the engine takes", test_engine_full},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("vbd_plain", tests)
