/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The block front end over the loopback transport, against a small backend of the
 * test's own that keeps a disk in memory, and against backends that lie.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "frontends/blkfront.h"
#include "tests/unit/front_loopback.h"
#include "tests/unit/suite.h"

#define FRAMES  6000u
#define GRANTS  8000u
#define SECTORS 4096u

/* ---- the backend: one queue, synchronous ---- */

struct back {
	struct loopback *lb;
	struct grants *g;
	struct events *e;
	int port;
	struct ring_back ring;
	void *pages;
	unsigned int nr_pages;
	enum blkif_abi abi;
	uint32_t unit;
	uint32_t max_indirect;
	uint8_t disk[SECTORS * 512];
	unsigned int flushes, barriers, discards, requests, indirects;
};

static struct loopback *lb;
static struct front_loopback fl;
static struct blkfront bf;
static struct back back;

static void back_connect(struct back *b, unsigned int queue)
{
	struct blkfront_queue *q = &bf.queue[queue];

	memset(b, 0, sizeof(*b));
	b->lb = lb;
	b->g = loopback_grants(lb);
	b->e = loopback_events(lb);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->e);
	b->port = events_bind(b->e, q->port);
	CU_ASSERT_FATAL(b->port > 0);
	b->nr_pages = 1u << bf.cfg.ring_order;
	b->abi = bf.cfg.abi;
	b->unit = bf.unit;
	b->max_indirect = bf.cfg.indirect_segs;
	b->pages = grants_map(b->g, q->ring_ref, b->nr_pages, PROT_READ | PROT_WRITE);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->pages);
	CU_ASSERT_TRUE_FATAL(ring_back_attach(&b->ring, b->pages, b->nr_pages,
					      blkif_slot_size(b->abi)));
}

static void back_disconnect(struct back *b)
{
	CU_ASSERT_EQUAL(grants_unmap(b->g, b->pages, b->nr_pages), 0);
	CU_ASSERT_EQUAL(events_unbind(b->e, b->port), 0);
	events_close(b->e);
}

static void move(struct back *b, uint8_t op, const struct blkif_piece *p, uint64_t at)
{
	uint8_t *page =
		grants_map(b->g, &p->gref, 1,
			   op == BLKIF_OP_READ ? PROT_READ | PROT_WRITE : PROT_READ);

	CU_ASSERT_PTR_NOT_NULL_FATAL(page);
	if (op == BLKIF_OP_READ)
		memcpy(page + p->offset, b->disk + at, p->length);
	else
		memcpy(b->disk + at, page + p->offset, p->length);
	grants_unmap(b->g, page, 1);
}

static enum blkif_error serve_rw(struct back *b, struct blkif_req *q)
{
	static struct blkif_request_segment seg[BLKIF_INDIRECT_SEGS_MAX];
	static struct blkif_piece piece[BLKIF_INDIRECT_SEGS_MAX];
	uint64_t total = 0, at;
	enum blkif_error e;

	if (q->indirect) {
		uint32_t n = blkif_indirect_pages(q->nr_segments);
		void *p = grants_map(b->g, q->indirect_gref, n, PROT_READ);

		CU_ASSERT_PTR_NOT_NULL_FATAL(p);
		ring_copy_in(seg, p, q->nr_segments * sizeof(seg[0]));
		grants_unmap(b->g, p, n);
		b->indirects++;
	} else {
		memcpy(seg, q->seg, sizeof(q->seg));
	}
	e = blkif_check_segments(seg, q->nr_segments, b->unit, piece, &total);
	if (!e)
		e = blkif_check_range(q->sector, total, b->unit, 512, sizeof(b->disk),
				      &at);
	for (uint32_t i = 0; !e && i < q->nr_segments; i++, at += piece[i - 1].length)
		move(b, q->op, &piece[i], at);
	return e;
}

static void back_serve(struct back *b)
{
	int32_t n = ring_back_requests(&b->ring);

	CU_ASSERT_FATAL(n >= 0);
	for (; n > 0; n--) {
		struct blkif_req q;
		enum blkif_error e;
		uint64_t at, len;

		blkif_fetch(&b->ring, b->abi, b->ring.req_cons, &q);
		ring_back_consume(&b->ring, 1);
		e = blkif_check(&q, b->max_indirect);
		b->requests++;
		b->flushes += q.op == BLKIF_OP_FLUSH_DISKCACHE;
		b->barriers += q.op == BLKIF_OP_WRITE_BARRIER;
		if (!e && blkif_is_rw(&q)) {
			e = serve_rw(b, &q);
		} else if (!e && q.op == BLKIF_OP_DISCARD) {
			b->discards++;
			e = blkif_check_discard(&q, b->unit, 512, sizeof(b->disk), &at,
						&len);
			if (!e)
				memset(b->disk + at, 0, len);
		}
		blkif_respond(&b->ring, q.id, q.op, blkif_error_status(e));
	}
	if (ring_back_push(&b->ring))
		events_notify(b->e, b->port);
	ring_back_final_check(&b->ring, 1);
}

/* ---- the fixture ---- */

static void offer(const char *node, const char *value)
{
	front_loopback_set_back(&fl, node, value);
}

static void begin(void)
{
	lb = loopback_new(FRAMES, GRANTS, 16);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lb);
	CU_ASSERT_EQUAL_FATAL(front_loopback_init(&fl, lb, 0, FRAMES), 0);
	offer("sectors", "4096");
	offer("sector-size", "512");
	offer("max-ring-page-order", "4");
	offer("multi-queue-max-queues", "4");
	offer("feature-max-indirect-segments", "256");
	offer("feature-persistent", "1");
	offer("feature-flush-cache", "1");
	offer("feature-barrier", "1");
	offer("feature-discard", "1");
	offer("info", "0");
}

static void assert_all_back(void)
{
	CU_ASSERT_EQUAL(fl.allocs, 0);
	CU_ASSERT_EQUAL(fl.pages, 0);
	CU_ASSERT_EQUAL(fl.grants, 0);
	CU_ASSERT_EQUAL(fl.ports, 0);
}

static void end(void)
{
	struct loopback_audit a;

	assert_all_back();
	loopback_audit(lb, &a);
	CU_ASSERT_EQUAL(a.mapped_pages, 0);
	CU_ASSERT_EQUAL(a.bound_ports, 0);
	front_loopback_fini(&fl);
	loopback_free(lb);
}

static void connect_with(const struct blkfront_config *c)
{
	CU_ASSERT_EQUAL_FATAL(blkfront_init(&bf, &fl.os, c), FRONT_OK);
	CU_ASSERT_EQUAL_FATAL(blkfront_connect(&bf), FRONT_OK);
	back_connect(&back, 0);
}

static void disconnect(void)
{
	back_disconnect(&back);
	CU_ASSERT_EQUAL(blkfront_close(&bf), FRONT_OK);
}

static unsigned int done_count;
static int16_t last_status;

static void on_done(struct blkfront_io *io)
{
	done_count++;
	last_status = io->status;
	CU_ASSERT_FALSE(io->still_mapped);
}

/* Submit one, let the backend answer, and take the answer. */
static int16_t run_io(struct blkfront_io *io)
{
	unsigned int before = done_count;

	io->done = on_done;
	CU_ASSERT_EQUAL_FATAL(blkfront_submit(&bf.queue[0], io), FRONT_OK);
	blkfront_push(&bf.queue[0]);
	back_serve(&back);
	CU_ASSERT_EQUAL_FATAL(blkfront_poll(&bf.queue[0]), 1);
	CU_ASSERT_EQUAL_FATAL(done_count, before + 1);
	CU_ASSERT_TRUE(blkfront_may_sleep(&bf.queue[0], 1));
	return io->status;
}

static void transfer(uint8_t op, uint64_t sector, uint8_t *pages, unsigned int n)
{
	struct blkfront_seg seg[256];
	struct blkfront_io io = {.op = op, .sector = sector, .seg = seg, .nr_segs = n};

	for (unsigned int i = 0; i < n; i++)
		seg[i] = (struct blkfront_seg){pages + i * 4096, 4096, 0};
	CU_ASSERT_EQUAL(run_io(&io), BLKIF_RSP_OKAY);
}

static void write_and_read(unsigned int n)
{
	uint8_t *w = fl.os.ops->pages_alloc(&fl.os, n),
		*r = fl.os.ops->pages_alloc(&fl.os, n);

	CU_ASSERT_FATAL(w && r);
	for (unsigned int i = 0; i < n * 4096; i++)
		w[i] = (uint8_t)rand();
	transfer(BLKIF_OP_WRITE, 16, w, n);
	CU_ASSERT_EQUAL(memcmp(back.disk + 16 * bf.unit, w, n * 4096), 0);
	transfer(BLKIF_OP_READ, 16, r, n);
	CU_ASSERT_EQUAL(memcmp(r, w, n * 4096), 0);
	fl.os.ops->pages_free(&fl.os, w, n);
	fl.os.ops->pages_free(&fl.os, r, n);
}

/* Every combination of what can be agreed on. */
static void test_data(void)
{
	for (int abi = 0; abi < BLKIF_ABIS; abi++)
		for (unsigned int order = 0; order <= 4; order += 2)
			for (int persistent = 0; persistent < 2; persistent++)
				for (int indirect = 0; indirect < 2; indirect++) {
					struct blkfront_config c = {
						.ring_order = order,
						.persistent = persistent,
						.pool_pages = 400,
						.indirect_segs = indirect ? 64 : 0,
						.abi = (enum blkif_abi)abi,
					};

					begin();
					connect_with(&c);
					write_and_read(1);
					write_and_read(11);
					CU_ASSERT_EQUAL(back.indirects, 0);
					if (indirect)
						write_and_read(64);
					CU_ASSERT_EQUAL(back.indirects,
							indirect ? 2u : 0u);
					disconnect();
					end();
				}
}

static void test_nodes(void)
{
	struct blkfront_config c = {.queues = 9,
				    .ring_order = 2,
				    .persistent = true,
				    .pool_pages = 64,
				    .abi = BLKIF_ABI_X86_32};

	begin();
	connect_with(&c);
	CU_ASSERT_EQUAL(bf.nr_queues, 4); /* what the backend offers */
	CU_ASSERT_STRING_EQUAL(front_loopback_front(&fl, "protocol"), "x86_32-abi");
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "multi-queue-num-queues"), 4);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "ring-page-order"), 2);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "num-ring-pages"), 4);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "feature-persistent"), 1);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "queue-3/ring-ref3"),
			bf.queue[3].ring_ref[3]);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "queue-3/event-channel"),
			bf.queue[3].port);
	CU_ASSERT_PTR_NULL(front_loopback_front(&fl, "ring-ref"));
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "state"), 4);
	disconnect();
	c = (struct blkfront_config){.queues = 1};
	memset(fl.node[FRONT_DIR], 0, sizeof(fl.node[FRONT_DIR]));
	connect_with(&c);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "ring-ref"), bf.queue[0].ring_ref[0]);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "event-channel"), bf.queue[0].port);
	CU_ASSERT_PTR_NULL(front_loopback_front(&fl, "protocol"));
	CU_ASSERT_PTR_NULL(front_loopback_front(&fl, "multi-queue-num-queues"));
	disconnect();
	end();
}

static void test_operations(void)
{
	struct blkfront_config c = {.queues = 1};
	struct blkfront_io io = {.op = BLKIF_OP_FLUSH_DISKCACHE};
	struct blkfront_seg seg;
	uint8_t *page;

	begin();
	connect_with(&c);
	CU_ASSERT_EQUAL(run_io(&io), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(back.flushes, 1);
	io.op = BLKIF_OP_WRITE_BARRIER;
	CU_ASSERT_EQUAL(run_io(&io), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(back.barriers, 1);
	memset(back.disk, 0xff, sizeof(back.disk));
	io = (struct blkfront_io){.op = BLKIF_OP_DISCARD, .sector = 8, .nr_sectors = 8};
	CU_ASSERT_EQUAL(run_io(&io), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(back.disk[4095], 0xff);
	CU_ASSERT_EQUAL(back.disk[4096], 0);
	CU_ASSERT_EQUAL(back.disk[8191], 0);
	io.sector = SECTORS;
	CU_ASSERT_EQUAL(run_io(&io), BLKIF_RSP_ERROR);
	io.secure = true;
	CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_UNSUPPORTED);
	/* pieces of a page, and pieces that cannot be */
	page = fl.os.ops->pages_alloc(&fl.os, 1);
	io = (struct blkfront_io){.op = BLKIF_OP_READ, .seg = &seg, .nr_segs = 1};
	seg = (struct blkfront_seg){page + 512, 1024, 0};
	back.disk[0] = 42;
	CU_ASSERT_EQUAL(run_io(&io), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(page[512], 42);
	CU_ASSERT_EQUAL(page[511], 0);
	seg.len = 513;
	CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_INVALID);
	seg.len = 4096;
	CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_INVALID);
	seg = (struct blkfront_seg){page + 1, 512, 0};
	CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_INVALID);
	io.nr_segs = 0;
	CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_INVALID);
	io.op = 77;
	CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_INVALID);
	fl.os.ops->pages_free(&fl.os, page, 1);
	disconnect();
	end();
}

/* A full ring is FRONT_FULL, and goes on once answered; many rounds wrap the slots. */
static void test_full(void)
{
	struct blkfront_config c = {.queues = 1, .persistent = true, .pool_pages = 40};
	struct blkfront_io io[33];
	struct blkfront_seg seg;
	static uint8_t data[4096]; /* persistent: any memory will do */

	begin();
	connect_with(&c);
	seg = (struct blkfront_seg){data, 4096, 0};
	for (unsigned int round = 0; round < 10; round++) {
		unsigned int i;

		done_count = 0;
		for (i = 0; i < 33; i++) {
			io[i] = (struct blkfront_io){.op = BLKIF_OP_WRITE,
						     .seg = &seg,
						     .nr_segs = 1,
						     .done = on_done};
			if (blkfront_submit(&bf.queue[0], &io[i]) != FRONT_OK)
				break;
		}
		CU_ASSERT_EQUAL(i, 32);
		CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io[32]), FRONT_FULL);
		blkfront_push(&bf.queue[0]);
		CU_ASSERT_EQUAL(blkfront_poll(&bf.queue[0]), 0);
		back_serve(&back);
		CU_ASSERT_FALSE(blkfront_may_sleep(&bf.queue[0], 1));
		CU_ASSERT_EQUAL(blkfront_poll(&bf.queue[0]), 32);
		CU_ASSERT_EQUAL(done_count, 32);
	}
	CU_ASSERT_EQUAL(bf.queue[0].pool_top, 40);
	disconnect();
	end();
}

/* What a backend may not answer. Nothing is completed twice or out of bounds. */
static void test_lying_back(void)
{
	static const struct {
		uint64_t id;
		uint8_t op;
		uint32_t extra; /* responses beyond what was asked */
	} lies[] = {
		{32, BLKIF_OP_READ, 0},          {UINT64_MAX, BLKIF_OP_READ, 0},
		{1, BLKIF_OP_READ, 0},           {0, BLKIF_OP_WRITE, 0},
		{0x100000000, BLKIF_OP_READ, 0}, {0, BLKIF_OP_READ, 1},
		{0, BLKIF_OP_READ, 0x80000000},
	};

	for (unsigned int i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct blkfront_config c = {.queues = 1};
		struct blkfront_io io = {
			.op = BLKIF_OP_READ, .nr_segs = 1, .done = on_done};
		struct blkfront_seg seg = {.len = 512};
		struct ring_shared *s;

		begin();
		connect_with(&c);
		seg.data = fl.os.ops->pages_alloc(&fl.os, 1);
		io.seg = &seg;
		done_count = 0;
		CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_OK);
		blkfront_push(&bf.queue[0]);
		ring_back_consume(&back.ring, 1);
		blkif_respond(&back.ring, lies[i].id, lies[i].op, 0);
		ring_back_push(&back.ring);
		s = back.ring.shared;
		s->rsp_prod += lies[i].extra;
		CU_ASSERT_EQUAL(blkfront_poll(&bf.queue[0]), FRONT_BROKEN);
		CU_ASSERT_EQUAL(blkfront_poll(&bf.queue[0]), FRONT_BROKEN);
		CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_BROKEN);
		CU_ASSERT_FALSE(blkfront_may_sleep(&bf.queue[0], 1));
		CU_ASSERT_EQUAL(done_count, 0);
		disconnect();
		CU_ASSERT_EQUAL(done_count, 1); /* the one in flight, with an error */
		CU_ASSERT_EQUAL(last_status, BLKIF_RSP_ERROR);
		fl.os.ops->pages_free(&fl.os, seg.data, 1);
		end();
	}
}

/* A backend that keeps a page mapped: closing waits for it. */
static void test_close_busy(void)
{
	struct blkfront_config c = {.queues = 1};
	struct blkfront_io io = {.op = BLKIF_OP_WRITE, .nr_segs = 1, .done = on_done};
	struct blkfront_seg seg = {.len = 512};
	struct blkif_req q;
	void *kept;

	begin();
	connect_with(&c);
	seg.data = fl.os.ops->pages_alloc(&fl.os, 1);
	io.seg = &seg;
	done_count = 0;
	CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_OK);
	blkfront_push(&bf.queue[0]);
	blkif_fetch(&back.ring, back.abi, 0, &q);
	kept = grants_map(back.g, &q.seg[0].gref, 1, PROT_READ);
	CU_ASSERT_PTR_NOT_NULL(kept);
	CU_ASSERT_EQUAL(blkfront_close(&bf), FRONT_BUSY);
	CU_ASSERT_EQUAL(done_count, 0);
	back_disconnect(&back);
	CU_ASSERT_EQUAL(blkfront_close(&bf), FRONT_BUSY);
	grants_unmap(back.g, kept, 1);
	CU_ASSERT_EQUAL(blkfront_close(&bf), FRONT_OK);
	CU_ASSERT_EQUAL(done_count, 1);
	CU_ASSERT_EQUAL(last_status, BLKIF_RSP_ERROR);
	fl.os.ops->pages_free(&fl.os, seg.data, 1);
	end();
}

/* Each call that can fail does so once; nothing may be left behind. */
static void test_faults(void)
{
	struct blkfront_config c = {.queues = 2,
				    .ring_order = 1,
				    .persistent = true,
				    .pool_pages = 8,
				    .indirect_segs = 32};
	unsigned int n = 0;
	int err;

	begin();
	do {
		front_loopback_fail(&fl, ++n);
		err = blkfront_init(&bf, &fl.os, &c);
		if (err != FRONT_OK)
			assert_all_back();
	} while (err != FRONT_OK);
	CU_ASSERT(n > 100); /* it was a sweep */
	CU_ASSERT_EQUAL(blkfront_close(&bf), FRONT_OK);
	front_loopback_fail(&fl, 0);
	/* a grant that fails in the middle of a request */
	c = (struct blkfront_config){.queues = 1};
	connect_with(&c);
	for (n = 1; n <= 3; n++) {
		uint8_t *pages = fl.os.ops->pages_alloc(&fl.os, 3);
		struct blkfront_seg seg[3];
		struct blkfront_io io = {.op = BLKIF_OP_WRITE, .seg = seg, .nr_segs = 3};
		unsigned int before = fl.grants;

		for (int i = 0; i < 3; i++)
			seg[i] = (struct blkfront_seg){pages + i * 4096, 4096, 0};
		front_loopback_fail(&fl, n);
		CU_ASSERT_EQUAL(blkfront_submit(&bf.queue[0], &io), FRONT_NOMEM);
		CU_ASSERT_EQUAL(fl.grants, before);
		CU_ASSERT_EQUAL(run_io(&io), BLKIF_RSP_OKAY);
		fl.os.ops->pages_free(&fl.os, pages, 3);
	}
	disconnect();
	end();
}

/* Nonsense from the backend's directory is refused, or a feature the less. */
static void test_bad_nodes(void)
{
	static const char *const bad[] = {"",   "x",   "-1", "1x", "18446744073709551616",
					  " 1", "0x10"};
	struct blkfront_config c = {.queues = 2, .ring_order = 4, .indirect_segs = 256};

	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin();
		offer("multi-queue-max-queues", bad[i]);
		offer("max-ring-page-order", bad[i]);
		offer("feature-max-indirect-segments", bad[i]);
		offer("feature-flush-cache", bad[i]);
		connect_with(&c);
		CU_ASSERT_EQUAL(bf.nr_queues, 1);
		CU_ASSERT_EQUAL(bf.cfg.ring_order, 0);
		CU_ASSERT_EQUAL(bf.max_segs, 11);
		CU_ASSERT_FALSE(bf.flush);
		offer("sectors", bad[i]);
		CU_ASSERT_EQUAL(blkfront_connect(&bf), FRONT_STORE);
		offer("sectors", "1");
		offer("sector-size", "513");
		CU_ASSERT_EQUAL(blkfront_connect(&bf), FRONT_STORE);
		disconnect();
		end();
	}
	begin();
	offer("multi-queue-max-queues", "0");
	offer("max-ring-page-order", "31");
	offer("feature-max-indirect-segments", "4294967295");
	offer("sector-size", "4096");
	c.large_sectors = true;
	connect_with(&c);
	CU_ASSERT_EQUAL(bf.nr_queues, 1);
	CU_ASSERT_EQUAL(bf.cfg.ring_order, 4);
	CU_ASSERT_EQUAL(bf.max_segs, 256);
	CU_ASSERT_EQUAL(bf.unit, 4096);
	write_and_read(1);
	disconnect();
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"data over every combination", test_data},
		{"what is published", test_nodes},
		{"flush, barrier, discard, pieces", test_operations},
		{"a full ring", test_full},
		{"backends that lie", test_lying_back},
		{"close while mapped", test_close_busy},
		{"fault sweep", test_faults},
		{"nonsense in xenstore", test_bad_nodes},
		CU_TEST_INFO_NULL,
	};

	return suite_main("blkfront", tests);
}
