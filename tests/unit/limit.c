/* SPDX-License-Identifier: GPL-2.0-only */
/* limit: rates over simulated time, live change, and threads that share a bucket. */
#include <pthread.h>
#include <string.h>

#include "backends/common/limit.h"
#include "tests/unit/suite.h"

#define SECOND 1000000000ull
#define START  (5000 * SECOND)

static void set(struct limit_bucket *b, uint64_t bytes, uint64_t bytes_burst,
		uint64_t ops, uint64_t ops_burst)
{
	struct limit_rate r = {bytes, bytes_burst, ops, ops_burst};

	limit_set(b, &r);
}

/* Ask without end for @duration, waiting as told: bytes granted. */
static uint64_t greedy(struct limit_bucket *b, uint64_t bytes, uint64_t ops,
		       uint64_t duration)
{
	uint64_t now = START, got = 0, wait;

	while (now < START + duration) {
		wait = limit_take(b, bytes, ops, now);
		if (wait)
			now += wait;
		else
			got += bytes ? bytes : ops;
	}
	return got;
}

static void test_unlimited(void)
{
	struct limit_bucket b = {0};

	CU_ASSERT_FALSE(limit_active(&b));
	CU_ASSERT_EQUAL(limit_take(&b, UINT64_MAX, UINT64_MAX, START), 0);
	set(&b, 0, 0, 5, 0);
	CU_ASSERT_TRUE(limit_active(&b));
	CU_ASSERT_EQUAL(limit_take(&b, UINT64_MAX, 0, START), 0);
	set(&b, 0, 0, 0, 0);
	CU_ASSERT_FALSE(limit_active(&b));
}

static void test_rate(void)
{
	static const uint64_t rates[] = {1, 1000, 50 << 20, 10000000000ull};
	struct limit_bucket b = {0};
	uint64_t got, want;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		uint64_t chunk = rates[i] >= 1 << 20 ? 4096 : 1;

		set(&b, rates[i], chunk, 0, 0);
		got = greedy(&b, chunk, 1, 2 * SECOND);
		want = 2 * rates[i] + chunk;
		CU_ASSERT_TRUE(got <= want);
		CU_ASSERT_TRUE(got >= want - want / 50 - chunk);
	}
	set(&b, 0, 0, 1000, 1);
	got = greedy(&b, 0, 1, 2 * SECOND);
	CU_ASSERT_TRUE(got <= 2001 && got >= 2000);
}

static void test_burst(void)
{
	struct limit_bucket b = {0};
	unsigned int n = 0;

	/* no burst given: a tenth of a second's worth */
	set(&b, 0, 0, 1000, 0);
	while (!limit_take(&b, 0, 1, START))
		n++;
	CU_ASSERT_EQUAL(n, 100);
	CU_ASSERT_EQUAL(limit_take(&b, 0, 1, START), SECOND / 1000);
	CU_ASSERT_EQUAL(limit_take(&b, 0, 1, START + SECOND / 1000), 0);
	CU_ASSERT_NOT_EQUAL(limit_take(&b, 0, 1, START + SECOND / 1000), 0);
	/* an idle hour gives one burst */
	for (n = 0; !limit_take(&b, 0, 1, START + 3600 * SECOND); n++)
		;
	CU_ASSERT_EQUAL(n, 100);
	/* larger than the burst: when the bucket is full, and paid for afterwards */
	memset(&b, 0, sizeof(b));
	set(&b, 1000, 10, 0, 0);
	CU_ASSERT_EQUAL(limit_take(&b, 500, 1, START), 0);
	CU_ASSERT_EQUAL(limit_take(&b, 500, 1, START), SECOND / 2);
	CU_ASSERT_EQUAL(limit_take(&b, 10, 1, START), SECOND / 2);
	CU_ASSERT_EQUAL(limit_take(&b, 5, 1, START), SECOND / 2 - 5 * SECOND / 1000);
	CU_ASSERT_EQUAL(limit_take(&b, 500, 1, START + SECOND / 2), 0);
}

static void test_both_or_none(void)
{
	struct limit_bucket b = {0};

	set(&b, 1000, 1000, 10, 1);
	CU_ASSERT_EQUAL(limit_take(&b, 100, 1, START), 0);
	/* refused for the operations: no bytes are gone */
	CU_ASSERT_EQUAL(limit_take(&b, 900, 1, START), SECOND / 10);
	CU_ASSERT_EQUAL(limit_take(&b, 900, 0, START), 0);
	/* refused for the bytes: the operation is still there a second later */
	CU_ASSERT_NOT_EQUAL(limit_take(&b, 900, 1, START + SECOND / 10), 0);
	CU_ASSERT_EQUAL(limit_take(&b, 0, 1, START + SECOND / 10), 0);
}

static void test_live_change(void)
{
	struct limit_bucket b = {0};
	uint64_t wait;

	/* a debt of an hour at the old rate does not outlive it */
	set(&b, 1, 0, 0, 0);
	CU_ASSERT_EQUAL(limit_take(&b, 3600, 1, START), 0);
	wait = limit_take(&b, 1, 1, START);
	CU_ASSERT_TRUE(wait > 0 && wait <= SECOND); /* never told to sleep long */
	set(&b, 1 << 20, 0, 0, 0);
	CU_ASSERT_EQUAL(limit_take(&b, 4096, 1, START), 0);
	/* the same rate set again gives no new burst */
	while (!limit_take(&b, 4096, 1, START))
		;
	set(&b, 1 << 20, 0, 0, 0);
	CU_ASSERT_NOT_EQUAL(limit_take(&b, 4096, 1, START), 0);
	set(&b, 0, 0, 0, 0);
	CU_ASSERT_EQUAL(limit_take(&b, 1ull << 40, 1, START), 0);
}

static void test_extremes(void)
{
	struct limit_bucket b = {0};
	unsigned int i;

	set(&b, 1, 1, 1, 1);
	CU_ASSERT_EQUAL(limit_take(&b, UINT64_MAX, 1, START), 0);
	for (i = 0; i < 3; i++)
		CU_ASSERT_NOT_EQUAL(limit_take(&b, UINT64_MAX, UINT64_MAX, START + i), 0);
	set(&b, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX);
	CU_ASSERT_EQUAL(limit_take(&b, 1 << 30, 1, START), 0);
	/* a clock behind the bucket's time only waits */
	set(&b, 1000, 1, 0, 0);
	CU_ASSERT_EQUAL(limit_take(&b, 1, 1, START), 0);
	CU_ASSERT_NOT_EQUAL(limit_take(&b, 1, 1, START - SECOND), 0);
}

#define THREADS 4
#define RATE    (1u << 20)
#define CHUNK   1000u
#define STEPS   20000u

struct shared {
	struct limit_bucket b;
	_Atomic(uint64_t) clock, bytes, ops;
};

/* All threads push the one simulated clock forward, 5 us a step. */
static void *taker(void *arg)
{
	struct shared *s = arg;
	unsigned int i;

	for (i = 0; i < STEPS; i++) {
		uint64_t now = atomic_fetch_add(&s->clock, 5000);

		if (!limit_take(&s->b, CHUNK, 1, now)) {
			atomic_fetch_add(&s->bytes, CHUNK);
			atomic_fetch_add(&s->ops, 1);
		}
	}
	return NULL;
}

static void run_threads(struct shared *s)
{
	pthread_t t[THREADS];
	unsigned int i;

	atomic_store(&s->clock, START);
	for (i = 0; i < THREADS; i++)
		CU_ASSERT_EQUAL_FATAL(pthread_create(&t[i], NULL, taker, s), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static void test_threads(void)
{
	struct shared s = {0};
	uint64_t elapsed, allowed;

	set(&s.b, RATE, 10 * CHUNK, 0, 0);
	run_threads(&s);
	elapsed = s.clock - START;
	allowed = 10 * CHUNK + (uint64_t)((double)RATE * (double)elapsed / SECOND);
	CU_ASSERT_TRUE(s.bytes <= allowed + 1);
	/* and the rate is used: the bucket is asked far more often than it refills */
	CU_ASSERT_TRUE(s.bytes >= allowed - allowed / 10);

	/* both limits: neither is passed, though bytes go back when operations run out */
	memset(&s, 0, sizeof(s));
	set(&s.b, RATE, 10 * CHUNK, 500, 5);
	run_threads(&s);
	elapsed = s.clock - START;
	CU_ASSERT_TRUE(s.ops <= 5 + 500 * elapsed / SECOND + 1);
	CU_ASSERT_TRUE(s.bytes <= 10 * CHUNK + RATE * elapsed / SECOND + 1);
	CU_ASSERT_TRUE(s.ops >= 5);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"no limit", test_unlimited},
		{"the rate is kept and used", test_rate},
		{"burst", test_burst},
		{"bytes and operations together or not at all", test_both_or_none},
		{"changed live", test_live_change},
		{"extreme numbers", test_extremes},
		{"threads are not granted more", test_threads},
		CU_TEST_INFO_NULL,
	};

	return suite_main("limit", tests);
}
