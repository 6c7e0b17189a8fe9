// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory: libxl maps the kernel and what belongs to it (xen.h, "start-of-day memory
 * layout"); here all other frames are mapped at PHYSMAP too, tables read-only.
 */
#include "tests/guest/guest.h"

struct start_info *start_info;
struct shared_info *shared_info;
unsigned long nr_pages, pt_first, pt_count;
xen_pfn_t *mfn_list;
static unsigned long next_free, free_list, free_end, nr_free;
static char shared_window[PAGE_SIZE] __attribute__((aligned(PAGE_SIZE)));
static uint64_t table_window[PAGE_SIZE / 8] __attribute__((aligned(PAGE_SIZE)));

int map_at(unsigned long va, uint64_t pte)
{
	return (int)hcall(update_va_mapping, va, pte, UVMF_INVLPG | UVMF_ALL);
}

/* The boot tables lie in the boot mapping, ours at the end of memory in PHYSMAP. */
static const uint64_t *table_at(unsigned long mfn)
{
	unsigned long pfn = pfn_of_mfn(mfn);

	if (pfn >= pt_first && pfn < pt_first + pt_count)
		return (void *)(IMAGE + pfn * PAGE_SIZE);
	return page(pfn);
}

const uint64_t *entry_of(unsigned long va, int level)
{
	const uint64_t *table = (void *)start_info->pt_base;

	for (int l = 4;; l--) {
		const uint64_t *e = &table[va >> (12 + 9 * (l - 1)) & 511];

		if (l == level)
			return e;
		if (!(*e & PTE_P))
			return NULL;
		table = table_at(PTE_MFN(*e));
	}
}

uint64_t entry_address(const uint64_t *entry)
{
	unsigned long va = (unsigned long)entry;
	unsigned long pfn = (va - (va >= IMAGE ? IMAGE : PHYSMAP)) / PAGE_SIZE;

	return mfn_of(pfn) << 12 | (va & (PAGE_SIZE - 1));
}

static void set_entry(uint64_t address, uint64_t value)
{
	struct mmu_update u = {.ptr = address | MMU_NORMAL_PT_UPDATE, .val = value};

	must(hcall(mmu_update, &u, 1, NULL, DOMID_SELF) == 0);
}

/*
 * Where entry @index of a level-@l table is that is not in the mappings yet, while
 * PHYSMAP is made: tables are its last frames, in the order L1s, L2s, L3.
 */
static unsigned long first_table, nr_l1, nr_l2;

static uint64_t frame_entry(unsigned long pfn)
{
	bool table = pfn >= first_table || (pfn >= pt_first && pfn < pt_first + pt_count);

	return mfn_of(pfn) << 12 | (table ? PTE_RO : PTE_DATA);
}

/* Frame @pfn becomes a table: its @n entries are frame_entry() or tables from @from on. */
static void make_table(unsigned long pfn, unsigned long from, unsigned long n, bool leaf)
{
	must(map_at((unsigned long)table_window, mfn_of(pfn) << 12 | PTE_DATA) == 0);
	memset(table_window, 0, PAGE_SIZE);
	for (unsigned long i = 0; i < n; i++)
		table_window[i] = leaf ? frame_entry(from + i) :
					 mfn_of(from + i) << 12 | PTE_US | PTE_RW | PTE_A | PTE_P;
	must(map_at((unsigned long)table_window, 0) == 0);
}

static unsigned long at_most(unsigned long n)
{
	return n < 512 ? n : 512;
}

static void physmap_init(void)
{
	unsigned long l4 = PHYSMAP >> 39 & 511, first_l2, l3;

	nr_l1 = (nr_pages + 511) / 512;
	nr_l2 = (nr_l1 + 511) / 512;
	first_table = nr_pages - nr_l1 - nr_l2 - 1;
	first_l2 = first_table + nr_l1;
	l3 = nr_pages - 1;
	for (unsigned long i = 0; i < nr_l1; i++)
		make_table(first_table + i, i * 512, at_most(nr_pages - i * 512), true);
	for (unsigned long i = 0; i < nr_l2; i++)
		make_table(first_l2 + i, first_table + i * 512, at_most(nr_l1 - i * 512), false);
	make_table(l3, first_l2, nr_l2, false);
	set_entry(mfn_of(pt_first) << 12 | l4 * 8,
		  mfn_of(l3) << 12 | PTE_US | PTE_RW | PTE_A | PTE_P);
}

/* The boot mapping of frames that nobody uses goes: PHYSMAP is theirs. */
static void trim_boot_mapping(void)
{
	const uint64_t *e;

	for (unsigned long pfn = next_free; pfn < nr_pages; pfn++) {
		unsigned long va = IMAGE + pfn * PAGE_SIZE;

		e = entry_of(va, 2) && (*entry_of(va, 2) & PTE_P) ? entry_of(va, 1) : NULL;
		if (!e || !(*e & PTE_P))
			return;
		must(map_at(va, 0) == 0);
	}
}

void memory_init(void)
{
	nr_pages = start_info->nr_pages;
	mfn_list = (void *)start_info->mfn_list;
	pt_first = (start_info->pt_base - IMAGE) / PAGE_SIZE;
	pt_count = start_info->nr_pt_frames;
	next_free = pt_first + pt_count;
	shared_info = (void *)shared_window;
	must(map_at((unsigned long)shared_window, start_info->shared_info | PTE_DATA) == 0);
	physmap_init();
	trim_boot_mapping();
	free_end = first_table;
	nr_free = free_end - next_free;
}

unsigned long page_alloc(void)
{
	unsigned long pfn = free_list;

	if (pfn)
		free_list = *(unsigned long *)page(pfn);
	else if (next_free < free_end)
		pfn = next_free++;
	else
		return 0;
	nr_free--;
	memset(page(pfn), 0, PAGE_SIZE);
	return pfn;
}

void page_free(unsigned long pfn)
{
	*(unsigned long *)page(pfn) = free_list;
	free_list = pfn;
	nr_free++;
}

unsigned long pages_left(void)
{
	return nr_free;
}

/* A fresh table, read-only where it is mapped, in entry @e of level @level. */
static void add_table(const uint64_t *e)
{
	unsigned long pfn = page_alloc();

	must(pfn);
	must(map_at((unsigned long)page(pfn), mfn_of(pfn) << 12 | PTE_RO) == 0);
	set_entry(entry_address(e), mfn_of(pfn) << 12 | PTE_US | PTE_RW | PTE_A | PTE_P);
}

void tables_for(unsigned long va, unsigned long n)
{
	for (unsigned long end = va + n * PAGE_SIZE; va < end; va += PAGE_SIZE)
		for (int level = 4; level > 1; level--) {
			const uint64_t *e = entry_of(va, level);

			if (!(*e & PTE_P))
				add_table(e);
		}
}
