/* SPDX-License-Identifier: GPL-2.0-only */
/* Persistent grants: found again, bounded, the least recently used goes first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/blkback/grant_cache.h"
#include "backends/common/loopback.h"
#include "tests/unit/vbd_main.h"

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

static uint32_t use(uint32_t frame)
{
	uint32_t i = grant_cache_get(&c, ref[frame]);

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
		held[f] = grant_cache_get(&c, ref[f]);
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
	for (int i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(grant_cache_get(&c, bad + (uint32_t)i), GRANT_CACHE_NONE);
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

static const struct vbd_test tests[] = {
	{"mapped once, found again", test_found_again},
	{"the least recently used goes", test_lru},
	{"what is held stays", test_held},
	{"a grant that cannot be mapped", test_cannot_map},
	{"an unmap that fails", test_unmap_fails_once},
	{"against a model", test_model},
};

VBD_MAIN("grant_cache", tests)
