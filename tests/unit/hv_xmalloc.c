// SPDX-License-Identifier: GPL-2.0-only
/* Small objects: alignment, zeroes, no overlap, everything given back. */
#include <pthread.h>

#include "tests/unit/hv_machine.h"

#define HELD   600
#define ROUNDS 20000
#define RACES  2000 /* each waits for a ticket: slow on a busy machine */

struct held {
	uint8_t *p;
	size_t size;
	uint8_t mark;
};

static void check_mark(const struct held *h)
{
	for (size_t i = 0; i < h->size; i++)
		if (h->p[i] != h->mark) {
			CU_FAIL("overwritten");
			return;
		}
}

static size_t random_size(void)
{
	switch (machine_random() % 8) {
	case 0:
		return 1 + machine_random() % 40000;
	case 1:
		return 1 + machine_random() % 5000;
	default:
		return 1 + machine_random() % 300;
	}
}

static void take(struct held *h)
{
	size_t align = 1ul << machine_random() % 13;

	h->size = random_size();
	h->p = xzalloc_bytes(h->size, align);
	CU_ASSERT_PTR_NOT_NULL_FATAL(h->p);
	if ((uintptr_t)h->p & (align - 1))
		CU_FAIL("not aligned");
	h->mark = 0;
	check_mark(h);
	h->mark = (uint8_t)machine_random();
	memset(h->p, h->mark, h->size);
}

static void churn(struct held *held, unsigned int rounds)
{
	for (unsigned int round = 0; round < rounds; round++) {
		struct held *h = &held[machine_random() % HELD];

		if (h->p) {
			check_mark(h);
			xfree(h->p);
			h->p = NULL;
		} else {
			take(h);
		}
	}
	for (unsigned int i = 0; i < HELD; i++)
		xfree(held[i].p);
}

static void test_random(void)
{
	static struct held held[HELD];
	uint64_t free = buddy_free_frames(ANY_NODE);

	machine_seed(3);
	churn(held, ROUNDS);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
}

static void *thread(void *cpu)
{
	static struct held held[4][HELD];

	machine_cpu((unsigned int)(uintptr_t)cpu);
	machine_seed((uintptr_t)cpu + 50);
	churn(held[(uintptr_t)cpu], RACES);
	return NULL;
}

static void test_threads(void)
{
	uint64_t free = buddy_free_frames(ANY_NODE);
	pthread_t t[4];

	for (uintptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread, (void *)i);
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
}

/* Of a large object only the pages that it needs are kept. */
static void test_large(void)
{
	uint64_t free = buddy_free_frames(ANY_NODE);
	void *p = xzalloc_bytes(9 * PAGE_SIZE + 1, 8);

	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free - 10);
	xfree(p);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
	xfree(NULL);
	CU_ASSERT_PTR_NULL(xzalloc_bytes((size_t)MACHINE_FRAMES * PAGE_SIZE, 8));
	CU_ASSERT_PTR_NULL(xzalloc_bytes(1ul << 40, 8));
}

static void test_exhaustion(void)
{
	uint64_t free = buddy_free_frames(ANY_NODE);
	void **first = NULL, **p;
	unsigned int n = 0;

	while ((p = xzalloc_bytes(2048, 8))) {
		*p = first;
		first = p;
		n++;
	}
	CU_ASSERT_EQUAL(n, free * 2);
	CU_ASSERT_PTR_NULL(xzalloc_bytes(4096, 8));
	while ((p = first)) {
		first = *p;
		xfree(p);
	}
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"random sizes", test_random},
		{"four CPUs", test_threads},
		{"large objects", test_large},
		{"no memory left", test_exhaustion},
		CU_TEST_INFO_NULL,
	};

	machine_init();
	return suite_main("xmalloc", tests);
}
