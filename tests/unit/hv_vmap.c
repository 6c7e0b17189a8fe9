// SPDX-License-Identifier: GPL-2.0-only
/* Addresses of lasting mappings: none is given out again before the TLBs that may know its
 * last use were emptied, whoever gives one back meanwhile. */
#include "tests/unit/suite.h"

#include <pthread.h>
#include <sched.h>

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/mm/mm_internal.h"

#define AREA  (1ul << 20) /* pages: mm/map.c */
#define CHUNK 1000u

struct cpumask cpu_online_map;
static bool mapped[AREA], stale[AREA];
static unsigned int flushes, early;
static void *given_back; /* by another CPU while one flushes */
static bool go, done;

static uint64_t page_of(uint64_t va)
{
	return (va - VMAP_START) >> PAGE_SHIFT;
}

int hv_map(uint64_t va, mfn_t mfn, uint64_t n, uint64_t flags)
{
	(void)mfn, (void)flags;
	for (uint64_t i = page_of(va); n--; i++) {
		early += stale[i] || mapped[i];
		mapped[i] = true;
	}
	return 0;
}

void hv_unmap(uint64_t va, uint64_t n)
{
	for (uint64_t i = page_of(va); n--; i++) {
		mapped[i] = false;
		__atomic_store_n(&stale[i], true, __ATOMIC_SEQ_CST);
	}
}

/* What is unmapped after its beginning is not flushed. */
void tlb_flush_mask(const struct cpumask *mask, bool global)
{
	CU_ASSERT_TRUE(global);
	CU_ASSERT_PTR_EQUAL(mask, &cpu_online_map);
	flushes++;
	memset(stale, 0, sizeof(stale));
	if (!given_back)
		return;
	atomic_store(&go, true);
	/* It gets in, or has to wait for us. */
	for (unsigned int i = 0; i < 2000 && !atomic_load(&done); i++)
		sched_yield();
}

void tlb_flush_va_local(uint64_t va)
{
	(void)va;
}

void drop_lazy_state(void)
{
}

static void *other_cpu(void *arg)
{
	host_cpu_info.cpu = 1;
	while (!atomic_load(&go))
		sched_yield();
	vunmap(given_back, CHUNK);
	atomic_store(&done, true);
	return arg;
}

static void test_reuse(void)
{
	static mfn_t mfn[CHUNK];
	static void *p[AREA / (CHUNK + 1)];
	pthread_t thread;
	unsigned int i;
	void *q;

	for (i = 0; i < ARRAY_SIZE(p); i++)
		CU_ASSERT_PTR_NOT_NULL(p[i] = vmap(mfn, CHUNK));
	CU_ASSERT_EQUAL(flushes, 0);
	CU_ASSERT_PTR_NULL(vmap(mfn, CHUNK)); /* full */
	CU_ASSERT_EQUAL(flushes, 1);

	/* The first and the second are given back, one of them during the flush. */
	vunmap(p[1], CHUNK);
	given_back = p[0];
	pthread_create(&thread, NULL, other_cpu, NULL);
	q = vmap(mfn, CHUNK);
	CU_ASSERT_EQUAL(flushes, 2);
	CU_ASSERT_PTR_EQUAL(q, p[1]);
	pthread_join(thread, NULL);
	given_back = NULL;
	CU_ASSERT_PTR_EQUAL(vmap(mfn, CHUNK), p[0]);
	CU_ASSERT_EQUAL(flushes, 3);
	CU_ASSERT_EQUAL(early, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"addresses are used again after a flush", test_reuse},
		CU_TEST_INFO_NULL,
	};

	return suite_main("vmap", tests);
}
