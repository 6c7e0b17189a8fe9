/* SPDX-License-Identifier: GPL-2.0-only */
/* metrics: the histogram's buckets, quantiles against sorted samples, hostile memory. */
#include <stdlib.h>
#include <string.h>

#include "backends/common/metrics.h"
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#define SAMPLES 20000

static unsigned int only_bucket(struct metrics_queue *m)
{
	unsigned int b, found = METRIC_BUCKETS;

	for (b = 0; b < METRIC_BUCKETS; b++)
		if (m->latency[b])
			found = b;
	return found;
}

static void test_buckets(void)
{
	struct metrics_queue m;
	uint64_t start, before;
	unsigned int b;

	CU_ASSERT_EQUAL(metrics_bucket_start(0), 0);
	CU_ASSERT_EQUAL(metrics_bucket_start(1), 256);
	for (b = 1; b < METRIC_BUCKETS; b++) {
		start = metrics_bucket_start(b);
		before = metrics_bucket_start(b - 1);
		CU_ASSERT_TRUE(start > before);
		/* at most an eighth wide */
		CU_ASSERT_TRUE(b == 1 || (start - before) * 8 <= before);
		memset(&m, 0, sizeof(m));
		metrics_latency(&m, start);
		CU_ASSERT_EQUAL(only_bucket(&m), b);
		memset(&m, 0, sizeof(m));
		metrics_latency(&m, start - 1);
		CU_ASSERT_EQUAL(only_bucket(&m), b - 1);
	}
	CU_ASSERT_TRUE(metrics_bucket_start(METRIC_BUCKETS - 1) > 70000000000ull);
	/* beyond the last bucket's start all is the last bucket */
	for (start = metrics_bucket_start(METRIC_BUCKETS - 1); start < UINT64_MAX / 2;
	     start += start / 16) {
		memset(&m, 0, sizeof(m));
		metrics_latency(&m, start);
		CU_ASSERT_EQUAL(only_bucket(&m), METRIC_BUCKETS - 1);
		CU_ASSERT_EQUAL(m.latency_sum_ns, start);
	}
	memset(&m, 0, sizeof(m));
	metrics_latency(&m, UINT64_MAX);
	CU_ASSERT_EQUAL(only_bucket(&m), METRIC_BUCKETS - 1);
	metrics_latency(&m, 0);
	CU_ASSERT_EQUAL(m.latency[0], 1);
	CU_ASSERT_EQUAL(m.latency_count, 2);
	/* several at once are the same as one after the other */
	memset(&m, 0, sizeof(m));
	metrics_latencies(&m, 5000, 7);
	CU_ASSERT_EQUAL(m.latency[only_bucket(&m)], 7);
	CU_ASSERT_EQUAL(m.latency_sum_ns, 35000);
	CU_ASSERT_EQUAL(m.latency_count, 7);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_quantiles(void)
{
	static const double qs[] = {0.01, 0.5, 0.9, 0.99, 0.999};
	static uint64_t samples[SAMPLES];
	static struct metrics_queue a, b;
	const struct metrics_queue *both[] = {&a, &b};
	uint64_t x, got, want;
	unsigned int i;

	CU_ASSERT_EQUAL(metrics_quantile(both, 2, 0.5), 0);
	for (i = 0; i < SAMPLES; i++) {
		x = rnd();
		samples[i] = 1000 + (x % 1000) * (x % 997) * (x % 11);
		metrics_latency(i % 3 ? &a : &b, samples[i]);
	}
	qsort(samples, SAMPLES, sizeof(samples[0]), compare);
	for (i = 0; i < 5; i++) {
		got = metrics_quantile(both, 2, qs[i]);
		want = samples[(unsigned int)(qs[i] * SAMPLES)];
		CU_ASSERT_TRUE(got >= want - want / 8 && got <= want + want / 8);
	}
	/* one sample: every quantile lies in its bucket */
	memset(&a, 0, sizeof(a));
	metrics_latency(&a, 5000);
	CU_ASSERT_TRUE(metrics_quantile(both, 1, 0.999) >= 4608);
	CU_ASSERT_TRUE(metrics_quantile(both, 1, 0.001) <= 5120);
}

/* A worker may write anything: only the figures are nonsense then. */
static void test_hostile(void)
{
	static struct metrics_queue m;
	const struct metrics_queue *p = &m;
	uint64_t last = metrics_bucket_start(METRIC_BUCKETS - 1);

	memset(&m, 0xff, sizeof(m));
	CU_ASSERT_TRUE(metrics_quantile(&p, 1, 0.5) <= last);
	CU_ASSERT_TRUE(metrics_quantile(&p, 1, 0.999) <= last);
	memset(&m, 0, sizeof(m));
	m.latency_count = UINT64_MAX;
	CU_ASSERT_EQUAL(metrics_quantile(&p, 1, 0.5), 0);
}

static void test_counters(void)
{
	static struct metrics_queue m;
	unsigned int i, j;

	metric_add(&m, METRIC_RX_OPS, 3);
	metric_add(&m, METRIC_RX_OPS, 4);
	metric_set(&m, METRIC_INFLIGHT, 9);
	metric_set(&m, METRIC_INFLIGHT, 2);
	CU_ASSERT_EQUAL(m.value[METRIC_RX_OPS], 7);
	CU_ASSERT_EQUAL(m.value[METRIC_INFLIGHT], 2);
	for (i = 0; i < METRIC_COUNT; i++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(metric_name((enum metric)i));
		CU_ASSERT_PTR_NOT_NULL_FATAL(metric_help((enum metric)i));
		for (j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(metric_name((enum metric)i),
						   metric_name((enum metric)j));
	}
	CU_ASSERT_PTR_NULL(metric_name(METRIC_COUNT));
	CU_ASSERT_PTR_NULL(metric_help(METRIC_COUNT));
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"buckets", test_buckets},
		{"quantiles", test_quantiles},
		{"hostile memory", test_hostile},
		{"counters and names", test_counters},
		CU_TEST_INFO_NULL,
	};

	return suite_main("metrics", tests);
}
