/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistent grants: found again, bounded, mapped and unmapped in runs, the least
 * recently used run goes first; and how many calls a queue makes of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/blkback/grant_cache.h"
#include "backends/common/loopback.h"
#include "tests/unit/vbd_main.h"
#include "tests/unit/vbd_rig.h"

#define FRAMES 512u

static struct loopback *lb;
static struct metrics_queue metrics;
static struct grant_cache c;
static uint32_t ref[FRAMES];

static void start(uint32_t max)
{
	memset(&metrics, 0, sizeof(metrics));
	lb = loopback_new(FRAMES, FRAMES, 1);
	CU_ASSERT_FATAL(lb != NULL);
	for (uint32_t i = 0; i < FRAMES; i++) {
		ref[i] = loopback_grant(lb, i, false);
		memset(loopback_frame(lb, i), (int)i, 4096);
	}
	CU_ASSERT_FATAL(!grant_cache_init(&c, loopback_grants(lb), max, &metrics));
}

static unsigned int mapped(void)
{
	struct loopback_audit a;

	loopback_audit(lb, &a);
	return a.mapped_pages;
}

static void stop(void)
{
	grant_cache_end(&c);
	CU_ASSERT_EQUAL(mapped(), 0);
	loopback_free(lb);
}

static uint32_t hold(uint32_t frame)
{
	uint32_t i = grant_cache_get(&c, ref[frame]);

	if (i != GRANT_CACHE_NONE)
		return i;
	grant_cache_map(&c, &ref[frame], 1, 1);
	return grant_cache_get(&c, ref[frame]);
}

static uint32_t use(uint32_t frame)
{
	uint32_t i = hold(frame);

	if (i != GRANT_CACHE_NONE)
		grant_cache_put(&c, &i, 1);
	return i;
}

static uint64_t maps(void)
{
	return atomic_load(&metrics.value[METRIC_GRANT_MAPS]);
}

static void test_found_again(void)
{
	start(8);
	for (int round = 0; round < 5; round++)
		for (uint32_t f = 0; f < 8; f++) {
			uint32_t i = use(f);

			CU_ASSERT_FATAL(i != GRANT_CACHE_NONE);
			CU_ASSERT_EQUAL((unsigned char)grant_cache_page(&c, i)[17], f);
		}
	CU_ASSERT_EQUAL(maps(), 8);
	CU_ASSERT_EQUAL(atomic_load(&metrics.value[METRIC_PERSISTENT]), 8);
	stop();
}

static void test_lru(void)
{
	start(4);
	for (uint32_t f = 0; f < 4; f++)
		use(f);
	use(0); /* 1 is the oldest now */
	use(9);
	CU_ASSERT_EQUAL(maps(), 5);
	CU_ASSERT_EQUAL(mapped(), 4);
	use(0);
	use(2);
	use(3);
	CU_ASSERT_EQUAL(maps(), 5); /* all still there */
	use(1);
	CU_ASSERT_EQUAL(maps(), 6); /* it had gone */
	stop();
}

static void test_held(void)
{
	uint32_t held[4];

	start(4);
	for (uint32_t f = 0; f < 4; f++)
		held[f] = hold(f);
	CU_ASSERT_EQUAL(grant_cache_get(&c, ref[2]), held[2]); /* twice */
	CU_ASSERT_EQUAL(use(7), GRANT_CACHE_NONE);
	grant_cache_put(&c, &held[2], 1);
	CU_ASSERT_EQUAL(use(7), GRANT_CACHE_NONE);
	grant_cache_put(&c, &held[2], 1);
	CU_ASSERT_EQUAL(use(7), held[2]);
	for (uint32_t f = 0; f < 4; f++)
		if (f != 2)
			grant_cache_put(&c, &held[f], 1);
	stop();
}

static void test_cannot_map(void)
{
	uint32_t bad = 0xffffff00u;

	start(4);
	for (uint32_t i = 0; i < 10; i++) {
		uint32_t one = bad + i;

		grant_cache_map(&c, &one, 1, 1);
		CU_ASSERT_EQUAL(grant_cache_get(&c, one), GRANT_CACHE_NONE);
	}
	loopback_fail(lb, LOOPBACK_MAP, 1, ENOMEM);
	CU_ASSERT_EQUAL(use(0), GRANT_CACHE_NONE);
	for (uint32_t f = 0; f < 4; f++)
		CU_ASSERT(use(f) != GRANT_CACHE_NONE);
	CU_ASSERT_EQUAL(mapped(), 4);
	stop();
}

static void test_unmap_fails_once(void)
{
	start(2);
	use(0);
	use(1);
	loopback_fail(lb, LOOPBACK_UNMAP, 1, EINVAL);
	use(2);
	CU_ASSERT_EQUAL(mapped(), 2);
	loopback_fail(lb, LOOPBACK_UNMAP, 2, EINVAL);
	stop();
}

/* ---- runs ---- */

static uint64_t calls(enum loopback_fault what)
{
	return loopback_calls(lb, what);
}

/* Whether the grant of @frame is mapped, and where it should be. */
static bool there(uint32_t frame)
{
	uint32_t i = grant_cache_get(&c, ref[frame]);
	bool right;

	if (i == GRANT_CACHE_NONE)
		return false;
	right = (unsigned char)grant_cache_page(&c, i)[4095] == (unsigned char)frame;
	CU_ASSERT(right);
	grant_cache_put(&c, &i, 1);
	return right;
}

/* How many of @n frames from @first on are mapped. */
static uint32_t there_of(uint32_t first, uint32_t n)
{
	uint32_t sum = 0;

	for (uint32_t f = first; f < first + n; f++)
		sum += there(f);
	return sum;
}

static void test_run(void)
{
	uint32_t all[256];

	start(300);
	grant_cache_map(&c, &ref[3], 11, 11);
	CU_ASSERT_EQUAL(calls(LOOPBACK_MAP), 1);
	CU_ASSERT_EQUAL(there_of(3, 11), 11);
	/* those that are there are left out, and what is named twice */
	for (uint32_t i = 0; i < 256; i++)
		all[i] = ref[i / 2];
	grant_cache_map(&c, all, 256, 256);
	CU_ASSERT_EQUAL(calls(LOOPBACK_MAP), 2);
	CU_ASSERT_EQUAL(maps(), 128);
	CU_ASSERT_EQUAL(mapped(), 128);
	CU_ASSERT_EQUAL(there_of(0, 128), 128);
	grant_cache_map(&c, all, 256, 256);
	CU_ASSERT_EQUAL(calls(LOOPBACK_MAP), 2);
	grant_cache_end(&c);
	CU_ASSERT_EQUAL(calls(LOOPBACK_UNMAP), 2);
	CU_ASSERT_EQUAL(mapped(), 0);
	loopback_free(lb);
}

/* A bad one costs two calls, and takes none with it that comes before it. */
static void test_run_bad(void)
{
	for (uint32_t at = 0; at < 8; at++) {
		uint32_t list[8];

		start(64);
		memcpy(list, ref, sizeof(list));
		list[at] = 0xffffff00u;
		grant_cache_map(&c, list, 8, 8);
		CU_ASSERT_EQUAL(there_of(0, 8), at);
		CU_ASSERT_EQUAL(mapped(), at);
		CU_ASSERT_EQUAL(calls(LOOPBACK_MAP), at + 2);
		/* then only the bad one is tried, or it and what is behind it */
		grant_cache_map(&c, &list[at], 1, 1);
		CU_ASSERT_EQUAL(calls(LOOPBACK_MAP), at + 3);
		grant_cache_map(&c, list, 8, 8);
		CU_ASSERT(calls(LOOPBACK_MAP) <= at + 5);
		CU_ASSERT_EQUAL(mapped(), at);
		stop();
	}
	/* the call fails, the grants are good */
	start(64);
	loopback_fail(lb, LOOPBACK_MAP, 1, ENOMEM);
	grant_cache_map(&c, ref, 8, 8);
	CU_ASSERT_EQUAL(there_of(0, 8), 8);
	stop();
}

/* A run goes as a whole, the one of which nothing was used for longest. */
static void test_run_lru(void)
{
	start(30);
	for (uint32_t f = 0; f < 30; f += 10)
		grant_cache_map(&c, &ref[f], 10, 10);
	use(25);
	use(5); /* one page of the first keeps it all */
	grant_cache_map(&c, &ref[100], 1, 1);
	CU_ASSERT_EQUAL(mapped(), 21);
	CU_ASSERT_EQUAL(calls(LOOPBACK_UNMAP), 1);
	CU_ASSERT_EQUAL(grant_cache_get(&c, ref[10]), GRANT_CACHE_NONE);
	grant_cache_map(&c, &ref[110], 9, 9);
	CU_ASSERT_EQUAL(mapped(), 30);
	grant_cache_map(&c, &ref[200], 15, 15); /* takes two, then there is room */
	CU_ASSERT_EQUAL(calls(LOOPBACK_UNMAP), 3);
	CU_ASSERT_EQUAL(mapped(), 10 + 15);
	CU_ASSERT_EQUAL(there_of(200, 15), 15);
	CU_ASSERT_EQUAL(there_of(110, 9), 9);
	CU_ASSERT_EQUAL(there_of(0, 30), 0);
	stop();
}

/* One page that is held keeps its run; without room nothing is given up. */
static void test_run_held(void)
{
	uint32_t held;

	start(20);
	grant_cache_map(&c, &ref[0], 10, 10);
	grant_cache_map(&c, &ref[10], 10, 10);
	held = grant_cache_get(&c, ref[4]);
	grant_cache_map(&c, &ref[30], 11, 11);
	CU_ASSERT_EQUAL(calls(LOOPBACK_UNMAP), 0);
	CU_ASSERT_EQUAL(calls(LOOPBACK_MAP), 2);
	grant_cache_map(&c, &ref[30], 10, 10);
	CU_ASSERT_EQUAL(there_of(0, 10), 10);
	CU_ASSERT_EQUAL(there_of(30, 10), 10);
	CU_ASSERT_EQUAL(mapped(), 20);
	grant_cache_put(&c, &held, 1);
	grant_cache_map(&c, &ref[100], 21, 21); /* never */
	CU_ASSERT_EQUAL(there_of(0, 10) + there_of(30, 10), 20);
	stop();
}

/* Who is not needed yet takes free room, and no more. */
static void test_run_foreseen(void)
{
	start(20);
	grant_cache_map(&c, &ref[0], 3, 12);
	CU_ASSERT_EQUAL(there_of(0, 12), 12);
	grant_cache_map(&c, &ref[20], 3, 12);
	CU_ASSERT_EQUAL(there_of(0, 12), 12);
	CU_ASSERT_EQUAL(there_of(20, 8), 8);
	CU_ASSERT_EQUAL(mapped(), 20);
	grant_cache_map(&c, &ref[40], 0, 12);
	CU_ASSERT_EQUAL(calls(LOOPBACK_UNMAP), 0);
	CU_ASSERT_EQUAL(mapped(), 20);
	stop();
}

/*
 * Runs, holds and failing calls by chance: never more than the bound, never anything
 * but the page that was asked for, nothing held goes.
 */
static void random_runs(uint32_t max, uint64_t x)
{
	uint32_t held[16], frame[16], nr = 0;

	start(max);
	for (int step = 0; step < 4000; step++) {
		uint32_t first, n, need;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		first = (uint32_t)(x >> 40) % (FRAMES - 64);
		n = 1 + (uint32_t)(x >> 20) % 64;
		need = (uint32_t)(x >> 30) % (n + 1);
		if (!(x >> 60))
			loopback_fail(lb, LOOPBACK_MAP, 1 + (x >> 50) % 4, ENOMEM);
		if (x >> 60 == 1)
			loopback_fail(lb, LOOPBACK_UNMAP, 1, EINVAL);
		grant_cache_map(&c, &ref[first], need, n);
		CU_ASSERT_FATAL(mapped() <= max && c.mapped == mapped());
		if (nr == 16) {
			for (uint32_t i = 0; i < nr; i++)
				CU_ASSERT_EQUAL((unsigned char)grant_cache_page(
							&c, held[i])[4095],
						(unsigned char)frame[i]);
			grant_cache_put(&c, held, nr);
			nr = 0;
		}
		held[nr] = grant_cache_get(&c, ref[first]);
		frame[nr] = first;
		nr += held[nr] != GRANT_CACHE_NONE;
		there_of(first, n);
	}
	grant_cache_put(&c, held, nr);
	stop();
}

static void test_random(void)
{
	random_runs(1, 1);
	random_runs(17, 2);
	random_runs(100, 3);
	random_runs(400, 4);
}

/* ---- what a queue makes of them ---- */

static struct rig r;

static void queue_open(uint32_t max_segments)
{
	struct rig_options o = {.persistent = true, .max_segments = max_segments};

	CU_ASSERT_FATAL(rig_open(&r, &o));
}

static uint64_t queue_calls(enum loopback_fault what)
{
	return loopback_calls(r.lb, what);
}

#define PAGES 1024u

/* Request @k reads into its own @segments pages; an indirect one has a page as well. */
static void put_read(uint32_t k, uint32_t segments)
{
	struct blkif_request_segment seg[32];
	uint32_t page = PAGES + k;
	struct blkif_req req;

	if (segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST) {
		rig_request(&r, &req, BLKIF_OP_READ, k, 8 * k, k * segments, segments);
		rig_put(&r, &req);
		return;
	}
	CU_ASSERT_FATAL(segments <= 32 && page < RIG_DATA_FRAMES);
	for (uint32_t i = 0; i < segments; i++)
		seg[i] = (struct blkif_request_segment){
			.gref = r.ref[k * segments + i], .first_sect = 0, .last_sect = 7};
	memcpy(rig_page(&r, page), seg, segments * sizeof(seg[0]));
	rig_request(&r, &req, BLKIF_OP_READ, k, 8 * k, 0, 0);
	req.indirect = true;
	req.nr_segments = (uint16_t)segments;
	req.indirect_gref[0] = r.ref[page];
	rig_put(&r, &req);
}

/* PAGES pages by requests of @segments, @depth of them at a time. */
static void queue_use(uint32_t segments, uint32_t depth)
{
	uint32_t total = PAGES / segments;

	for (uint32_t i = 0; i < total; i += depth) {
		uint32_t n = total - i < depth ? total - i : depth;

		for (uint32_t k = i; k < i + n; k++)
			put_read(k, segments);
		rig_push(&r);
		for (uint32_t k = i; k < i + n; k++)
			CU_ASSERT_EQUAL(rig_wait(&r, k), BLKIF_RSP_OKAY);
	}
}

/* Calls to unmap when the queue is closed; the ring takes one of them. */
static uint64_t close_calls(void)
{
	uint64_t before = queue_calls(LOOPBACK_UNMAP), n;

	CU_ASSERT(rig_close_queue(&r));
	n = queue_calls(LOOPBACK_UNMAP) - before;
	CU_ASSERT(rig_close(&r));
	return n - 1;
}

/* One call for what a request or a round needs, and one to be rid of it. */
static void test_calls(void)
{
	static const struct {
		uint32_t segments, depth, most;
	} row[] = {
		{11, 1, 93},               /* one a request */
		{11, 32, 18}, {32, 1, 64}, /* the indirect page is a run of its own */
		{32, 32, 18}, {1, 32, 32}, /* one a round */
		{8, 32, 16},
	};

	for (unsigned int i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		uint32_t total = PAGES / row[i].segments;
		uint64_t before, n;

		queue_open(32);
		before = queue_calls(LOOPBACK_MAP);
		queue_use(row[i].segments, row[i].depth);
		n = queue_calls(LOOPBACK_MAP) - before;
		CU_ASSERT_EQUAL(rig_metric(&r, METRIC_PERSISTENT),
				total * row[i].segments +
					(row[i].segments > 11 ? total : 0));
		/* all again: they are there */
		queue_use(row[i].segments, row[i].depth);
		CU_ASSERT_EQUAL(queue_calls(LOOPBACK_MAP) - before, n);
		CU_ASSERT(n <= row[i].most);
		/* not too large either: a run goes as a whole */
		CU_ASSERT(64 * n >= total * row[i].segments);
		CU_ASSERT_EQUAL(close_calls(), n);
	}
}

/*
 * Requests with a grant that is not there, among sound ones of the same round: those
 * alone fail. A bad one costs a few calls, however many it comes with.
 */
static void test_bad_among_good(void)
{
	uint64_t before;

	for (uint32_t mask = 0; mask < 256; mask++) {
		struct blkif_req req;

		queue_open(0);
		before = queue_calls(LOOPBACK_MAP);
		for (uint32_t k = 0; k < 8; k++) {
			rig_request(&r, &req, BLKIF_OP_READ, k, 8 * k, 3 * k, 3);
			if (mask >> k & 1)
				req.seg[k % 3].gref = 0xffffff00u + k;
			rig_put(&r, &req);
		}
		rig_push(&r);
		for (uint32_t k = 0; k < 8; k++)
			CU_ASSERT_EQUAL(rig_wait(&r, k),
					mask >> k & 1 ? BLKIF_RSP_ERROR : BLKIF_RSP_OKAY);
		CU_ASSERT(queue_calls(LOOPBACK_MAP) - before <= 24 + 2 * 8);
		CU_ASSERT(rig_close(&r));
	}
}

/* A ring full of bad ones: a call each, and one for having tried them together. */
static void test_all_bad(void)
{
	struct blkif_req req;
	uint64_t before;

	queue_open(0);
	before = queue_calls(LOOPBACK_MAP);
	for (uint32_t k = 0; k < 32; k++) {
		rig_request(&r, &req, BLKIF_OP_WRITE, k, 8 * k, k, 1);
		req.seg[0].gref = 0xffffff00u + k;
		rig_put(&r, &req);
	}
	rig_push(&r);
	for (uint32_t k = 0; k < 32; k++)
		CU_ASSERT_EQUAL(rig_wait(&r, k), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(queue_calls(LOOPBACK_MAP) - before, 32 + 1);
	CU_ASSERT(rig_close(&r));
}

/* More than may be mapped, over and over: what is in use stays within the bound. */
static void test_too_many(void)
{
	struct rig_options o = {.persistent = true, .max_persistent = 100};
	struct blkif_req req;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	for (uint32_t round = 0; round < 40; round++) {
		struct loopback_audit a;

		for (uint32_t k = 0; k < 32; k++) {
			rig_request(&r, &req, BLKIF_OP_READ, k, 8 * k,
				    (round * 37 + k * (1 + round % 11)) % 1100,
				    1 + (round + k) % 11);
			rig_put(&r, &req);
		}
		rig_push(&r);
		for (uint32_t k = 0; k < 32; k++)
			CU_ASSERT_EQUAL(rig_wait(&r, k), BLKIF_RSP_OKAY);
		loopback_audit(r.lb, &a);
		CU_ASSERT(a.mapped_pages <= 100 + 1);
	}
	CU_ASSERT(rig_metric(&r, METRIC_GRANT_UNMAPS) > 1000);
	CU_ASSERT(rig_close(&r));
}

/* Against a model: a list ordered by last use. */
static void test_model(void)
{
	static const uint32_t sizes[] = {1, 2, 7, 64, 300};

	for (unsigned int s = 0; s < 5; s++) {
		uint32_t max = sizes[s], list[512], n = 0;
		uint64_t x = 42 + s, expected = 0;

		start(max);
		for (int step = 0; step < 20000; step++) {
			uint32_t f, i;

			x = x * 6364136223846793005ull + 1442695040888963407ull;
			f = (uint32_t)(x >> 40) % (max + max / 2 + 1) % FRAMES;
			for (i = 0; i < n && list[i] != f; i++)
				;
			if (i == n) {
				expected++;
				if (n == max)
					i = n - 1; /* the last is the oldest */
				else
					n++;
			}
			memmove(list + 1, list, i * sizeof(list[0]));
			list[0] = f;
			i = use(f);
			if (i == GRANT_CACHE_NONE ||
			    (unsigned char)grant_cache_page(&c, i)[4095] !=
				    (unsigned char)f) {
				CU_FAIL("not the page that was asked for");
				break;
			}
		}
		CU_ASSERT_EQUAL(maps(), expected);
		CU_ASSERT_EQUAL(mapped(), n);
		stop();
	}
}

static const CU_TestInfo tests[] = {
	{"mapped once, found again", test_found_again},
	{"the least recently used goes", test_lru},
	{"what is held stays", test_held},
	{"a grant that cannot be mapped", test_cannot_map},
	{"an unmap that fails", test_unmap_fails_once},
	{"a run", test_run},
	{"a bad one in a run", test_run_bad},
	{"the least recently used run goes", test_run_lru},
	{"a run with a page that is held", test_run_held},
	{"what is foreseen takes free room", test_run_foreseen},
	{"runs by chance", test_random},
	{"calls of a queue", test_calls},
	{"bad requests among sound ones", test_bad_among_good},
	{"nothing but bad requests", test_all_bad},
	{"more than may be mapped", test_too_many},
	{"against a model", test_model},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("grant_cache", tests)
