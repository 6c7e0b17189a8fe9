/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A front end that breaks every rule of io/blkif.h. A broken ring ends the
 * device, a bad request is refused, what is not granted is not touched, and
 * nothing stays held.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/vbd_main.h"
#include "tests/unit/vbd_rig.h"
#include "tests/unit/xorshift.h"

#define SIZE (1u << 20)

static struct rig r;

static void open_rig(bool persistent, uint32_t max_segments)
{
	struct rig_options o = {.size = SIZE,
				.persistent = persistent,
				.max_segments = max_segments,
				.flags = VBD_DISCARD | VBD_FLUSH};

	CU_ASSERT_FATAL(rig_open(&r, &o));
}

/* The queue still serves, and closes with nothing held. */
static void still_sound(void)
{
	struct blkif_req req;

	rig_request(&r, &req, BLKIF_OP_WRITE, 4242, 8, 50, 2);
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(r.nr_broken, 0);
	CU_ASSERT(rig_close(&r));
}

/* ---- the ring ---- */

static void broken_by(uint32_t prod_ahead)
{
	struct blkif_req req;

	open_rig(true, 0);
	rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 3);
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
	r.ring.shared->req_prod += prod_ahead;
	loopback_port_notify(r.lb, r.port);
	rig_settle(&r);
	CU_ASSERT_EQUAL(r.nr_broken, 1);
	CU_ASSERT(strstr(r.broken, "out of range") != NULL);
	CU_ASSERT(vbd_queue_broken(r.queue));
	/* put right again: too late */
	r.ring.shared->req_prod -= prod_ahead;
	rig_put(&r, &req);
	ring_front_push(&r.ring);
	rig_settle(&r);
	CU_ASSERT_EQUAL(ring_front_responses(&r.ring), 0);
	CU_ASSERT_EQUAL(r.nr_broken, 1);
	CU_ASSERT(rig_close(&r));
}

static void test_producer_ahead(void)
{
	broken_by(33);
	broken_by(1000);
	broken_by(0x7fffffff);
}

static void test_producer_back(void)
{
	broken_by((uint32_t)-1);
	broken_by(0x80000000u);
}

/* Broken while much is in flight: all of it ends, none of it is answered. */
static void test_broken_in_flight(void)
{
	struct volatile_disk *d = volatile_disk_new(SIZE, 3);
	struct rig_options o = {.size = SIZE,
				.engine_open = engine_volatile_open,
				.disk = d,
				.persistent = true};
	struct blkif_req req;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	for (uint32_t i = 0; i < 20; i++) {
		rig_request(&r, &req, BLKIF_OP_WRITE, i, 8 * i, i, 1);
		rig_put(&r, &req);
	}
	rig_push(&r);
	vbd_queue_step(r.queue, false);
	r.ring.shared->req_prod += 100;
	rig_settle(&r);
	CU_ASSERT_EQUAL(r.nr_broken, 1);
	CU_ASSERT(rig_close(&r));
	volatile_disk_free(d);
}

/* At the time of connecting, too. */
static void test_bad_from_the_start(void)
{
	struct rig_options o = {.size = SIZE};

	rig_prepare(&r, &o);
	r.ring.shared->req_prod = 1000;
	CU_ASSERT(!rig_open_queue(&r));
	CU_ASSERT_EQUAL(errno, EPROTO);
	CU_ASSERT(rig_close(&r));
	rig_prepare(&r, &o);
	r.ring_ref[0] = 0xdeadbeef;
	CU_ASSERT(!rig_open_queue(&r));
	CU_ASSERT(rig_close(&r));
	rig_prepare(&r, &o);
	r.port = 77;
	CU_ASSERT(!rig_open_queue(&r));
	CU_ASSERT(rig_close(&r));
}

/* ---- single requests ---- */

static void refused(struct blkif_req *req)
{
	req->id = 99;
	CU_ASSERT_EQUAL(rig_do(&r, req), BLKIF_RSP_ERROR);
}

static void test_segments(void)
{
	for (int persistent = 0; persistent < 2; persistent++) {
		struct blkif_req req;

		open_rig(persistent, 32);
		for (unsigned int n = 12; n < 256; n += 27) {
			rig_request(&r, &req, BLKIF_OP_WRITE, 1, 0, 0, 11);
			req.nr_segments = (uint16_t)n;
			refused(&req);
		}
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 0);
		refused(&req);
		rig_request(&r, &req, BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, 0);
		req.nr_segments = 200;
		refused(&req);
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 2);
		req.seg[1].first_sect = 5;
		req.seg[1].last_sect = 4;
		refused(&req);
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 2);
		req.seg[1].last_sect = 8;
		refused(&req);
		req.seg[1].first_sect = req.seg[1].last_sect = 255;
		refused(&req);
		rig_request(&r, &req, BLKIF_OP_READ, 1, SIZE / 512 - 7, 0, 1);
		refused(&req);
		rig_request(&r, &req, BLKIF_OP_WRITE, 1, ~0ull, 0, 1);
		refused(&req);
		rig_request(&r, &req, BLKIF_OP_WRITE, 1, 1ull << 55, 0, 1);
		refused(&req);
		still_sound();
	}
}

static void test_grants(void)
{
	static const uint32_t bad[] = {0, 1, 7, 0x7fffffff, 0xffffffff, 60000};

	for (int persistent = 0; persistent < 2; persistent++) {
		struct blkif_req req;

		open_rig(persistent, 32);
		for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
			for (uint32_t at = 0; at < 3; at++) {
				rig_request(&r, &req,
					    i & 1 ? BLKIF_OP_READ : BLKIF_OP_WRITE, 1, 0,
					    0, 3);
				req.seg[at].gref = bad[i];
				refused(&req);
			}
		}
		/* revoked in between */
		CU_ASSERT_EQUAL(loopback_end_access(r.lb, r.ref[7]), 0);
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 6, 3);
		refused(&req);
		r.ref[7] = loopback_grant(r.lb, r.ring_pages + 7, false);
		still_sound();
	}
}

/* Mapped for each request, where all of a request must be mappable. */
static void test_grants_mapped(void)
{
	struct rig_options o = {.size = SIZE, .direct_min = 1};
	struct blkif_req req;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	for (uint32_t at = 0; at < 3; at++) {
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 3);
		req.seg[at].gref = 3;
		refused(&req);
	}
	still_sound();
}

/* Pages granted read-only can be written from, and never read into. */
static void test_readonly_grants(void)
{
	for (int i = 0; i < 4; i++) {
		struct rig_options o = {.size = SIZE,
					.readonly_grants = true,
					.persistent = i & 1,
					.direct_min = i & 2 ? 1 : 0};
		struct blkif_req req;

		CU_ASSERT_FATAL(rig_open(&r, &o));
		memset(rig_page(&r, 3), 0x11, 4096);
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 3, 1);
		refused(&req);
		CU_ASSERT(rig_page(&r, 3)[0] == 0x11 && rig_page(&r, 3)[4095] == 0x11);
		still_sound();
	}
}

static void test_indirect(void)
{
	for (int persistent = 0; persistent < 2; persistent++) {
		static const uint16_t counts[] = {0, 33, 256, 257, 512, 4096, 65535};
		struct blkif_request_segment *seg;
		struct blkif_req req;

		open_rig(persistent, 32);
		seg = (void *)rig_page(&r, 100);
		for (uint32_t i = 0; i < 512; i++)
			seg[i] = (struct blkif_request_segment){r.ref[i % 90], 0, 7};
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 0);
		req.indirect = true;
		req.indirect_gref[0] = r.ref[100];
		for (unsigned int i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			req.nr_segments = counts[i];
			refused(&req);
		}
		req.nr_segments = 32;
		req.id = 5;
		CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
		req.op = BLKIF_OP_DISCARD; /* inside an indirect request */
		refused(&req);
		req.op = BLKIF_OP_INDIRECT;
		refused(&req);
		req.op = BLKIF_OP_READ;
		seg[31].last_sect = 8;
		refused(&req);
		seg[31].last_sect = 7;
		seg[0].gref = 4;
		refused(&req);
		seg[0].gref = r.ref[0];
		req.indirect_gref[0] = 5;
		refused(&req);
		req.indirect_gref[0] = r.ref[100];
		req.sector = SIZE / 512 - 8;
		refused(&req);
		still_sound();
	}
}

/* The ring's own page as data: the guest may spoil its ring, nothing else. */
static void test_ring_as_data(void)
{
	struct rig_options o = {.size = SIZE, .persistent = true};
	struct blkif_req req;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 1);
	req.seg[0].gref = r.ring_ref[0];
	rig_put(&r, &req);
	rig_push(&r);
	rig_settle(&r); /* zeroes over the indices */
	CU_ASSERT(rig_close(&r));
}

/* Nothing beside the pages that a request names is touched. */
static void test_neighbours(void)
{
	for (int i = 0; i < 4; i++) {
		struct rig_options o = {
			.size = SIZE, .persistent = i & 1, .direct_min = i & 2 ? 1 : 0};
		struct blkif_req req;

		CU_ASSERT_FATAL(rig_open(&r, &o));
		for (uint32_t k = 0; k < 9; k++)
			memset(rig_page(&r, k), 0x55, 4096);
		rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 4, 1);
		req.seg[0].first_sect = 2;
		req.seg[0].last_sect = 3;
		CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
		for (uint32_t k = 0; k < 9 * 4096; k++) {
			bool inside = k >= 4 * 4096 + 1024 && k < 4 * 4096 + 2048;

			if (rig_page(&r, 0)[k] != (inside ? 0 : 0x55)) {
				CU_FAIL("a byte outside the segment has changed");
				break;
			}
		}
		CU_ASSERT(rig_close(&r));
	}
}

/* ---- what changes while it is read ---- */

struct flipper {
	volatile uint8_t *at;
	size_t n;
	atomic_bool stop;
};

static void *flip(void *arg)
{
	struct flipper *f = arg;
	uint64_t x = XORSHIFT_SEED;

	while (!atomic_load_explicit(&f->stop, memory_order_relaxed)) {
		xorshift(&x);
		f->at[(x >> 8) % f->n] = (uint8_t)x;
	}
	return NULL;
}

static void while_flipping(volatile void *at, size_t n, void (*work)(void))
{
	struct flipper f = {.at = at, .n = n};
	pthread_t t;

	CU_ASSERT_FATAL(!pthread_create(&t, NULL, flip, &f));
	work();
	atomic_store(&f.stop, true);
	pthread_join(t, NULL);
}

static void ask_indirect(void)
{
	struct blkif_request_segment *seg = (void *)rig_page(&r, 100);
	struct blkif_req req;

	for (uint32_t n = 0; n < 2000; n++) {
		if (n % 16 == 0)
			for (uint32_t i = 0; i < 32; i++)
				seg[i] = (struct blkif_request_segment){r.ref[i], 0, 7};
		rig_request(&r, &req, n & 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ, n, 0, 0, 0);
		req.indirect = true;
		req.nr_segments = 32;
		req.indirect_gref[0] = r.ref[100];
		if (rig_do(&r, &req) == INT16_MIN) {
			CU_FAIL("no answer");
			break;
		}
	}
}

static void test_indirect_changes(void)
{
	for (int i = 0; i < 4; i++) {
		struct rig_options o = {.size = SIZE,
					.persistent = i & 1,
					.max_segments = 32,
					.direct_min = i & 2 ? 1 : 0};

		CU_ASSERT_FATAL(rig_open(&r, &o));
		/* 256 bytes of segments: grants 8 to some 1200 exist, so many stay sound
		 */
		while_flipping(rig_page(&r, 100), 256, ask_indirect);
		still_sound();
	}
}

static void ask_plain(void)
{
	for (uint32_t n = 0; n < 2000 && !r.nr_broken; n++) {
		struct blkif_req req;

		rig_request(&r, &req, n & 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ, n, 0, 0,
			    11);
		rig_put(&r, &req);
		ring_front_push(&r.ring);
		rig_settle(&r);
		/* whatever id came back */
		ring_front_consume(&r.ring, (uint32_t)ring_front_responses(&r.ring));
	}
}

static void test_slot_changes(void)
{
	for (int persistent = 0; persistent < 2; persistent++) {
		open_rig(persistent, 32);
		while_flipping((char *)loopback_frame(r.lb, 0) + RING_HEAD_SIZE,
			       4096 - RING_HEAD_SIZE, ask_plain);
		/* a segment may come to name the ring's own page: then it is a read into
		 * the indices that ends the queue, and nothing else does */
		CU_ASSERT(!r.nr_broken || r.ring.shared->req_prod != r.ring.req_pushed);
		CU_ASSERT(rig_close(&r));
	}
}

/* The indices as well: the queue ends, or goes on; it never runs away. */
static void test_indices_change(void)
{
	for (int i = 0; i < 20; i++) {
		struct flipper f = {0};
		pthread_t t;

		open_rig(i & 1, 32);
		f.at = loopback_frame(r.lb, 0);
		f.n = 4096;
		CU_ASSERT_FATAL(!pthread_create(&t, NULL, flip, &f));
		for (int n = 0; n < 200; n++)
			vbd_queue_step(r.queue, false);
		atomic_store(&f.stop, true);
		pthread_join(t, NULL);
		CU_ASSERT(r.nr_broken <= 1);
		CU_ASSERT(rig_close(&r));
	}
}

/* Garbage for requests, as fast as it can: each is answered, none is logged for ever. */
static void test_flood(void)
{
	uint64_t x = 0x9e3779b97f4a7c15ull, answered = 0;

	open_rig(true, 32);
	for (int round = 0; round < 500; round++) {
		uint32_t n = 0;

		while (ring_front_free(&r.ring)) {
			uint64_t *slot = ring_front_produce(&r.ring);

			for (unsigned int i = 0; i < r.ring.slot_size / 8; i++)
				slot[i] = xorshift(&x);
			*(uint8_t *)slot = (uint8_t)(x % 8);
			n++;
		}
		ring_front_push(&r.ring);
		rig_settle(&r);
		CU_ASSERT_EQUAL_FATAL(ring_front_responses(&r.ring), (int32_t)n);
		ring_front_consume(&r.ring, n);
		answered += n;
	}
	CU_ASSERT_EQUAL(answered, 500 * 32);
	still_sound();
}

static const CU_TestInfo tests[] = {
	{"a producer that runs ahead", test_producer_ahead},
	{"a producer that goes back", test_producer_back},
	{"a ring that breaks with requests in flight", test_broken_in_flight},
	{"bad ring, grant or port from the start", test_bad_from_the_start},
	{"segment counts, sectors and places", test_segments},
	{"grants that are not there", test_grants},
	{"grants that are not there, mapped", test_grants_mapped},
	{"grants for reading only", test_readonly_grants},
	{"indirect requests", test_indirect},
	{"the ring granted as data", test_ring_as_data},
	{"nothing beside the segment", test_neighbours},
	{"an indirect page that changes while it is read", test_indirect_changes},
	{"ring slots that change while they are read", test_slot_changes},
	{"indices that change while they are read", test_indices_change},
	{"a flood of garbage", test_flood},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("vbd_hostile", tests)
