// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's page tables: what hv_map(), hv_unmap() and hv_protect() leave, walked as
 * the CPU would, against a model of every page. And the boot allocator beneath. */
#include "hypervisor/boot/boot.h"
#include "tests/unit/hv_machine.h"

#define PAGES   (1ull << 20) /* 4 GiB of addresses */
#define BASE    VMAP_START
#define RUNS    12
#define ROUNDS  60 /* a run; tables are never joined again, so begin anew */
#define FLAGS   (PTE_P | PTE_RW | PTE_US | PTE_PWT | PTE_PCD | PTE_NX)

struct boot_info boot_info;
char text_start[1], text_end[1], rodata_start[1], rodata_end[1], data_start[1], image_start[1],
	image_end[1];
bool buddy_ready = true;
static bool has_1g;
static uint64_t *model; /* a page's entry, 0: not mapped */
static unsigned int large_pages;

void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)leaf, (void)subleaf;
	out[0] = out[1] = out[2] = 0;
	out[3] = has_1g ? 1u << 26 : 0;
}

void tlb_flush_local_global(void)
{
}

void tlb_flush_va_local(uint64_t va)
{
	(void)va;
}

/* ---- the walk ---- */

static uint64_t look(uint64_t va)
{
	uint64_t *t = idle_l4;

	for (unsigned int level = 4; level; level--) {
		uint64_t e = t[va >> (12 + 9 * (level - 1)) & 511];

		if (!(e & PTE_P))
			return 0;
		if (level == 1 || e & PTE_PS) {
			uint64_t offset = va & ((1ull << (12 + 9 * (level - 1))) - 1) & PAGE_MASK;
			uint64_t pat = level > 1 ? e >> 12 & 1 : e >> 7 & 1;

			large_pages += level > 1;
			return (((e & PTE_ADDR & ~(level > 1 ? 1ull << 12 : 0)) + offset) |
				(e & FLAGS)) ^ pat << 7;
		}
		t = maddr_to_virt(e & PTE_ADDR);
	}
	return 0;
}

static uint64_t random_flags(void)
{
	return PTE_P | (machine_random() & (PTE_RW | PTE_US | PTE_PWT | PTE_PCD | PTE_PAT)) |
	       (machine_random() & 1 ? PTE_NX : 0);
}

/* Ranges of all sizes, aligned often enough for large pages. */
static uint64_t random_range(uint64_t *n)
{
	uint64_t align = machine_random() % 3 ? machine_random() % 2 ? 1ull << 18 : 512 : 1;
	uint64_t at = machine_random() % PAGES / align * align;

	*n = machine_random() % 3 ? 1 + machine_random() % 1500
				  : (1 + machine_random() % 2) << (machine_random() % 2 ? 18 : 9);
	*n = MIN(*n, PAGES - at);
	return at;
}

static void step(void)
{
	uint64_t n, at = random_range(&n), flags = random_flags(), i;
	uint64_t va = BASE + at * PAGE_SIZE, mfn;

	switch (machine_random() % 4) {
	case 0:
	case 1:
		mfn = machine_random() % 2 ? at : machine_random() % (1ull << 30);
		CU_ASSERT_EQUAL_FATAL(hv_map(va, MFN(mfn), n, flags), 0);
		for (i = 0; i < n; i++)
			model[at + i] = (mfn + i) << PAGE_SHIFT | flags;
		break;
	case 2:
		hv_unmap(va, n);
		memset(model + at, 0, n * sizeof(*model));
		break;
	default:
		CU_ASSERT_EQUAL_FATAL(hv_protect(va, n, flags), 0);
		for (i = 0; i < n; i++)
			if (model[at + i])
				model[at + i] = (model[at + i] & PTE_ADDR) | flags;
	}
}

static void compare(uint64_t step)
{
	for (uint64_t i = machine_random() % step; i < PAGES; i += step)
		if (look(BASE + i * PAGE_SIZE) != model[i]) {
			CU_FAIL("another entry than it should be");
			return;
		}
}

static void free_tables(uint64_t *t, unsigned int level)
{
	for (unsigned int i = 0; level && i < 512; i++)
		if (t[i] & PTE_P && !(t[i] & PTE_PS)) {
			free_tables(maddr_to_virt(t[i] & PTE_ADDR), level - 1);
			heap_free(maddr_to_virt(t[i] & PTE_ADDR), 0);
		}
}

static void run(void)
{
	large_pages = 0;
	memset(idle_l4, 0, PAGE_SIZE);
	memset(model, 0, PAGES * sizeof(*model));
	paging_init();
	CU_ASSERT_EQUAL(idle_l4[256] & PTE_US, PTE_US);
	CU_ASSERT_EQUAL(idle_l4[257] & PTE_US, 0);
	CU_ASSERT_EQUAL(idle_l4[0], 0);
	CU_ASSERT_EQUAL(idle_l4[258], 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		step();
		if (i % 6 == 0)
			compare(997);
	}
	compare(1);
	CU_ASSERT(large_pages > 0);
	free_tables(maddr_to_virt(idle_l4[BASE >> 39 & 511] & PTE_ADDR), 2);
}

static void runs(bool with_1g)
{
	has_1g = with_1g;
	for (unsigned int i = 0; i < RUNS; i++)
		run();
}

static void test_2m(void)
{
	machine_seed(11);
	runs(false);
}

static void test_1g(void)
{
	machine_seed(12);
	runs(true);
}

/* A root sees what was mapped after it was filled. */
static void test_roots(void)
{
	uint64_t root[512] = {1};
	struct domain *d = machine_domain(0);
	uint64_t *l1;

	CU_ASSERT_EQUAL(perdomain_create(d), 0);
	hv_fill_root(root, d);
	CU_ASSERT_EQUAL(root[0], 1);
	CU_ASSERT_EQUAL(root[272], 0);
	CU_ASSERT_EQUAL(root[258] & PTE_ADDR, virt_to_maddr(d->perdomain_l3));
	for (unsigned int s = 256; s < 272; s++)
		if (s != 258)
			CU_ASSERT_EQUAL(root[s], idle_l4[s]);
	l1 = perdomain_l1(d, GDT_VADDR(3));
	CU_ASSERT_PTR_NOT_NULL_FATAL(l1);
	CU_ASSERT_EQUAL((uintptr_t)l1 & ~PAGE_MASK, 0);
	CU_ASSERT_PTR_EQUAL(perdomain_l1(d, LDT_VADDR(3)), l1);
	CU_ASSERT_PTR_NOT_EQUAL(perdomain_l1(d, WINDOW_VADDR(3)), l1);
	perdomain_destroy(d);
	machine_domain_free(d);
}

/* ---- ranges before there is a frame table ---- */
static void test_boot_alloc(void)
{
	struct mem_range *left;
	uint64_t sum = 0, a, b;
	unsigned int n;

	boot_alloc_limit = 4ull << 30;
	boot_alloc_add(0, 0x5000); /* never frame 0 */
	boot_alloc_add(0x100000, 0x40000000);
	boot_alloc_add(0xfff00000, 0x180000000);
	a = boot_alloc(2 << 20, 2 << 20);
	CU_ASSERT_EQUAL(a, 0x3fe00000); /* below the limit there is 1 MiB only */
	b = boot_alloc(1, 1);
	CU_ASSERT_EQUAL(b, 0xfffff000);
	boot_alloc_limit = 1ull << 40;
	CU_ASSERT_EQUAL(boot_alloc(0x3000, PAGE_SIZE), 0x17fffd000);
	CU_ASSERT_EQUAL(boot_alloc(1ull << 30, 1ull << 30), 0x100000000);
	n = boot_alloc_finish(&left);
	for (unsigned int i = 0; i < n; i++) {
		sum += left[i].end - left[i].start;
		CU_ASSERT(left[i].start >= PAGE_SIZE && left[i].start < left[i].end);
		for (unsigned int j = 0; j < i; j++)
			CU_ASSERT(left[i].end <= left[j].start || left[j].end <= left[i].start);
	}
	CU_ASSERT_EQUAL(sum, 0x4000 + 0x3ff00000 + 0x80100000 - (2 << 20) - 0x1000 - 0x3000 -
				     (1ull << 30));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"maps of 4 KiB and 2 MiB pages", test_2m},
		{"and of 1 GiB pages", test_1g},
		{"roots and slot 258", test_roots},
		{"the boot allocator", test_boot_alloc},
		CU_TEST_INFO_NULL,
	};

	machine_init();
	model = calloc(PAGES, sizeof(*model));
	return suite_main("paging", tests);
}
