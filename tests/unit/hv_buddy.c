// SPDX-License-Identifier: GPL-2.0-only
/* The buddy allocator and domains' frames against a model. */
#include "tests/unit/hv_machine.h"

#define HELD   400
#define ROUNDS 60000

static struct {
	struct frame *f;
	unsigned int order;
	uint64_t mark;
} held[HELD];
static uint8_t taken[MACHINE_FRAMES];

static uint64_t *word(uint64_t n)
{
	return (uint64_t *)(host_memory + n * PAGE_SIZE);
}

static bool all_zero(uint64_t n)
{
	for (unsigned int i = 0; i < PAGE_SIZE / 8; i++)
		if (word(n)[i])
			return false;
	return true;
}

static void take(unsigned int i)
{
	unsigned int order = machine_random() % 3 ? machine_random() % 3 : machine_random() % 9;
	unsigned int bits = machine_random() % 4 ? 0 : 14 + machine_random() % 13;
	unsigned int flags = machine_random() % 2 ? ALLOC_NO_SCRUB : 0;
	struct frame *f = buddy_alloc(order, ANY_NODE, bits, flags);
	uint64_t n, end;

	held[i].f = f;
	held[i].order = order;
	if (!f)
		return;
	n = frame_to_mfn(f).n;
	end = n + (1ull << order);
	CU_ASSERT_FATAL(n && end <= MACHINE_FRAMES && !(n & ((1ull << order) - 1)));
	CU_ASSERT_FATAL(end <= HOLE_START || n >= HOLE_END);
	if (bits)
		CU_ASSERT(end << PAGE_SHIFT <= 1ull << bits);
	held[i].mark = machine_random();
	for (; n < end; n++) {
		CU_ASSERT_FATAL(!taken[n]);
		taken[n] = 1;
		CU_ASSERT_EQUAL(frame_table[n].count, FRAME_HEAP);
		if (!flags && !all_zero(n))
			CU_FAIL("not zero");
		*word(n) = word(n)[511] = held[i].mark;
	}
}

static void give(unsigned int i)
{
	uint64_t n = frame_to_mfn(held[i].f).n, end = n + (1ull << held[i].order);

	for (; n < end; n++) {
		CU_ASSERT(*word(n) == held[i].mark && word(n)[511] == held[i].mark);
		taken[n] = 0;
	}
	buddy_free(held[i].f, held[i].order);
	held[i].f = NULL;
}

/* How many blocks of each order there are, by taking the largest until nothing is left. */
static void census(unsigned int count[MAX_ORDER + 1])
{
	static struct {
		struct frame *f;
		unsigned int order;
	} all[2000];
	unsigned int n = 0;

	memset(count, 0, (MAX_ORDER + 1) * sizeof(*count));
	for (int order = MAX_ORDER; order >= 0; order--)
		while ((all[n].f = buddy_alloc((unsigned int)order, ANY_NODE, 0, ALLOC_NO_SCRUB))) {
			all[n++].order = (unsigned int)order;
			count[order]++;
		}
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), 0);
	while (n--)
		buddy_free(all[n].f, all[n].order);
}

static void test_random(void)
{
	unsigned int before[MAX_ORDER + 1], after[MAX_ORDER + 1], i;
	uint64_t free;

	machine_seed(42);
	free = buddy_free_frames(ANY_NODE);
	census(before);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		uint64_t sum = 0;

		i = machine_random() % HELD;
		if (held[i].f)
			give(i);
		else
			take(i);
		if (round % 3 == 0)
			buddy_scrub_some();
		if (round % 500)
			continue;
		for (i = 0; i < MACHINE_FRAMES; i++)
			sum += taken[i];
		CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE) + sum, free);
	}
	for (i = 0; i < HELD; i++)
		if (held[i].f)
			give(i);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
	census(after);
	CU_ASSERT(!memcmp(before, after, sizeof(before)));
}

/* Idle scrubbing ends, and then everything is zero. */
static void test_scrub(void)
{
	unsigned int n = 0;
	struct frame *f;

	while (buddy_scrub_some())
		CU_ASSERT_FATAL(++n < MACHINE_FRAMES);
	CU_ASSERT_FALSE(buddy_scrub_some());
	f = buddy_alloc(9, ANY_NODE, 0, ALLOC_NO_SCRUB);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	for (n = 0; n < 512; n++)
		CU_ASSERT(all_zero(frame_to_mfn(f).n + n));
	buddy_free(f, 9);
}

static void test_limits(void)
{
	CU_ASSERT_PTR_NULL(buddy_alloc(MAX_ORDER + 1, ANY_NODE, 0, 0));
	CU_ASSERT_PTR_NULL(buddy_alloc(MAX_ORDER, ANY_NODE, 0, 0));
	CU_ASSERT_PTR_NULL(buddy_alloc(0, ANY_NODE, 12, 0)); /* frame 0 alone is below 2^12 */
	CU_ASSERT_PTR_NULL(buddy_alloc(0, 5, 0, ALLOC_EXACT_NODE));

	struct frame *f = buddy_alloc(0, ANY_NODE, 13, 0);

	CU_ASSERT_PTR_EQUAL_FATAL(f, &frame_table[1]);
	CU_ASSERT_PTR_NULL(buddy_alloc(0, ANY_NODE, 13, 0));
	buddy_free(f, 0);
	f = buddy_alloc(0, ANY_NODE, 64, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	buddy_free(f, 0);
}

/* A frame given back is flushed from every TLB before it is somebody's again, once. */
static void test_flush(void)
{
	struct frame *f = buddy_alloc(0, ANY_NODE, 0, 0);
	unsigned long n;

	n = machine_flushes;
	buddy_free(f, 0);
	CU_ASSERT_EQUAL(machine_flushes, n);
	f = buddy_alloc(0, ANY_NODE, 13, 0);
	buddy_free(f, 0);
	n = machine_flushes;
	f = buddy_alloc(0, ANY_NODE, 13, 0);
	CU_ASSERT_EQUAL(machine_flushes, n + 1);
	buddy_free(f, 0);
	for (unsigned int cpu = 0; cpu < HOST_CPUS; cpu++) {
		machine_cpu(cpu);
		tlb_note_flush();
	}
	machine_cpu(0);
	n = machine_flushes;
	f = buddy_alloc(0, ANY_NODE, 13, 0);
	CU_ASSERT_EQUAL(machine_flushes, n);
	buddy_free(f, 0);
}

static void test_domain(void)
{
	struct domain *d = machine_domain(100);
	uint64_t free = buddy_free_frames(ANY_NODE), n = 0;
	struct frame *f, *all[100];

	while (n < 96) {
		f = frames_alloc(d, 2, ANY_NODE, 0, 0);
		CU_ASSERT_PTR_NOT_NULL_FATAL(f);
		for (unsigned int i = 0; i < 4; i++)
			all[n++] = f + i;
	}
	CU_ASSERT_PTR_NULL(frames_alloc(d, 3, ANY_NODE, 0, 0));
	CU_ASSERT_EQUAL(d->tot_pages, 96);
	CU_ASSERT_EQUAL(machine_domain_refs, 1);
	CU_ASSERT_PTR_EQUAL(frame_owner(all[5]), d);
	CU_ASSERT(frame_get(all[5], d));
	CU_ASSERT_FALSE(frame_get(all[5], dom_xen));

	/* The list is in order and whole. */
	uint32_t at = d->first_page;

	for (n = 0; n < 96; n++, at = frame_table[at].next)
		CU_ASSERT_PTR_EQUAL(&frame_table[at], all[n]);
	CU_ASSERT_EQUAL(at, 0);

	for (n = 0; n < 96; n++) {
		frame_put_allocated(all[n]);
		frame_put_allocated(all[5]); /* only the first counts */
	}
	CU_ASSERT_EQUAL(d->tot_pages, 1);
	CU_ASSERT_EQUAL(machine_domain_refs, 1);
	CU_ASSERT_EQUAL(d->first_page, frame_to_mfn(all[5]).n);
	CU_ASSERT_EQUAL(d->last_page, d->first_page);
	frame_put(all[5]);
	CU_ASSERT_EQUAL(d->tot_pages, 0);
	CU_ASSERT_EQUAL(d->first_page, 0);
	CU_ASSERT_EQUAL(machine_domain_refs, 0);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
	d->dying = DYING;
	CU_ASSERT_PTR_NULL(frames_alloc(d, 0, ANY_NODE, 0, 0));
	machine_domain_free(d);
}

static void test_claims(void)
{
	struct domain *a = machine_domain(MACHINE_FRAMES), *b = machine_domain(MACHINE_FRAMES);
	uint64_t free = buddy_free_frames(ANY_NODE), n = 0;
	struct frame *f;

	CU_ASSERT_EQUAL(domain_claim_pages(a, free + 1), -ENOMEM);
	CU_ASSERT_EQUAL(domain_claim_pages(a, free - 10), 0);
	CU_ASSERT_EQUAL(domain_claim_pages(a, 5), -EINVAL);
	CU_ASSERT_EQUAL(domain_claim_pages(b, 11), -ENOMEM);
	CU_ASSERT_EQUAL(outstanding_claims(), free - 10);
	while (frames_alloc(b, 0, ANY_NODE, 0, 0))
		n++;
	CU_ASSERT_EQUAL(n, 10);
	CU_ASSERT_PTR_NULL(heap_pages(0));
	f = frames_alloc(a, 4, ANY_NODE, 0, 0);
	CU_ASSERT_PTR_NOT_NULL(f);
	CU_ASSERT_EQUAL(a->outstanding_pages, free - 10 - 16);
	CU_ASSERT_EQUAL(outstanding_claims(), free - 10 - 16);
	CU_ASSERT_EQUAL(domain_claim_pages(a, 0), 0);
	CU_ASSERT_EQUAL(outstanding_claims(), 0);
	CU_ASSERT_EQUAL(domain_claim_pages(a, 16), -EINVAL); /* has as many */
	while (a->first_page)
		frame_put_allocated(&frame_table[a->first_page]);
	while (b->first_page)
		frame_put_allocated(&frame_table[b->first_page]);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
	machine_domain_free(a);
	machine_domain_free(b);
}

/* A shared frame lives until its last user lets go, whoever that is. */
static void test_shared(void)
{
	struct domain *d = machine_domain(0);
	void *p = heap_pages(0);
	struct frame *f = virt_to_frame(p);
	uint64_t free = buddy_free_frames(ANY_NODE);

	CU_ASSERT_FALSE(frame_get(f, d));
	share_frame_with(f, d, true);
	CU_ASSERT_EQUAL(d->xenheap_pages, 1);
	CU_ASSERT(frame_get_and_type(f, d, FRAME_WRITABLE));
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L1), -EINVAL);
	heap_free(p, 0);
	CU_ASSERT_EQUAL(d->xenheap_pages, 0);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
	CU_ASSERT_FALSE(frame_get(f, d));
	frame_put_and_type(f);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free + 1);

	p = heap_pages(0);
	f = virt_to_frame(p);
	share_frame_with(f, NULL, false);
	CU_ASSERT(frame_get(f, dom_xen));
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_WRITABLE), -EINVAL);
	frame_put(f);
	heap_free(p, 0);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free + 1);
	machine_domain_free(d);
}

/* Blocks of a node have nothing of the other's; its count is what can be had. */
static void test_node(unsigned int node)
{
	static struct frame *all[MACHINE_FRAMES];
	uint64_t n = 0, free = buddy_free_frames(node);
	struct frame *f;

	for (unsigned int order = 4; order--;)
		while ((f = buddy_alloc(order, node, 0, ALLOC_EXACT_NODE | ALLOC_NO_SCRUB)))
			for (unsigned int i = 0; i < 1u << order; i++) {
				CU_ASSERT_EQUAL_FATAL(node_of(frame_to_mfn(f + i)), node);
				all[n++] = f + i;
			}
	CU_ASSERT_EQUAL(n, free);
	while (n--)
		buddy_free(all[n], 0);
	CU_ASSERT_EQUAL(buddy_free_frames(node), free);
}

/* Memory turns out to be in two nodes, whose border is in the middle of blocks. */
static void test_nodes(void)
{
	uint64_t free, n;
	struct frame *f, *all[64];

	machine_node1 = 0x1803;
	buddy_sort_nodes(2);
	free = buddy_free_frames(ANY_NODE);
	CU_ASSERT_EQUAL(buddy_free_frames(0) + buddy_free_frames(1), free);
	CU_ASSERT(buddy_free_frames(1) <= MACHINE_FRAMES - machine_node1);
	CU_ASSERT(buddy_free_frames(1) + 100 > MACHINE_FRAMES - machine_node1);
	for (n = 0; n < 64; n++) {
		all[n] = f = buddy_alloc(n % 4, n % 2, 0, ALLOC_EXACT_NODE);
		CU_ASSERT_PTR_NOT_NULL_FATAL(f);
		CU_ASSERT_EQUAL(node_of(frame_to_mfn(f)), n % 2);
		CU_ASSERT_EQUAL(node_of(mfn_add(frame_to_mfn(f), (1 << n % 4) - 1)), n % 2);
	}
	/* All that is in node 1, then the other's. */
	CU_ASSERT_PTR_NULL(buddy_alloc(0, 1, 13, ALLOC_EXACT_NODE));
	f = buddy_alloc(0, 1, 13, 0);
	CU_ASSERT_PTR_EQUAL(f, &frame_table[1]);
	buddy_free(f, 0);
	while (n--)
		buddy_free(all[n], n % 4);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
	test_random();
	for (n = 0; n < 2; n++)
		test_node((unsigned int)n);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"random allocation against a model", test_random},
		{"scrubbing by idle CPUs", test_scrub},
		{"limits", test_limits},
		{"stale TLB entries", test_flush},
		{"a domain's frames", test_domain},
		{"claims", test_claims},
		{"shared frames", test_shared},
		{"two nodes", test_nodes},
		CU_TEST_INFO_NULL,
	};

	machine_init();
	return suite_main("buddy", tests);
}
