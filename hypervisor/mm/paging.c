// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's own page tables, under idle_l4. Tables are made by compare-and-exchange
 * and never given back, so that two CPUs may map different things at once without a lock.
 * Slots 256-271 have their L3 tables from mm_init() on: a root takes the 16 entries as
 * they are and sees every later mapping.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm_internal.h"

#define ENTRIES    512
#define TABLE      (PTE_P | PTE_RW | PTE_A | PTE_D)
#define LEVEL_SHIFT(l) (PAGE_SHIFT + 9 * ((l) - 1))
#define LEVEL_PAGES(l) (1ull << (9 * ((l) - 1)))
#define INDEX(va, l)   ((va) >> LEVEL_SHIFT(l) & (ENTRIES - 1))
/* PAT is bit 12 of a large page's entry; it is bit 7 of an L1 entry. */
#define PTE_PAT_LARGE (1ull << 12)

uint64_t idle_l4[512] __attribute__((aligned(4096)));
uint64_t direct_map_limit = DIRECT_MAP_END - DIRECT_MAP_START;
BOOT_OPTION_SIZE("direct_map", direct_map_limit);

static bool pages_1g;

void *table_alloc(void)
{
	void *p;

	if (buddy_ready)
		return heap_pages(0);
	p = maddr_to_virt(boot_alloc(PAGE_SIZE, PAGE_SIZE));
	memset(p, 0, PAGE_SIZE);
	return p;
}

static void table_free(void *p)
{
	if (buddy_ready)
		heap_free(p, 0);
}

static uint64_t *entry_table(uint64_t e)
{
	return maddr_to_virt(e & PTE_ADDR);
}

/* Put a table where entry @e of level @l is empty or a large page, which it then covers. */
static bool make_table(uint64_t *e, unsigned int l)
{
	uint64_t old = READ_ONCE(*e), *t = table_alloc();

	if (!t)
		return false;
	if (old & PTE_P) {
		uint64_t leaf = old;

		if (l == 2 && (leaf & PTE_PAT_LARGE))
			leaf = (leaf & ~PTE_PAT_LARGE) | PTE_PAT;
		else if (l == 2)
			leaf &= ~PTE_PS;
		for (unsigned int i = 0; i < ENTRIES; i++)
			t[i] = leaf + ((uint64_t)i << LEVEL_SHIFT(l - 1));
	}
	/* L4 and leaf entries say what guests may read: the M2P. */
	if (((old & PTE_P) && !(old & PTE_PS)) ||
	    !atomic_cmpxchg(e, &old, virt_to_maddr(t) | TABLE | PTE_US))
		table_free(t); /* another CPU was first */
	return true;
}

/* The entry of level @level for @va, below an L3 table. NULL: none, or no memory. */
static uint64_t *walk(uint64_t *l3, uint64_t va, unsigned int level, bool make)
{
	uint64_t *t = l3;

	for (unsigned int l = 3; l > level; l--) {
		uint64_t *e = &t[INDEX(va, l)];

		while (!(READ_ONCE(*e) & PTE_P) || (READ_ONCE(*e) & PTE_PS))
			if (!make || !make_table(e, l))
				return NULL;
		t = entry_table(*e);
	}
	return &t[INDEX(va, level)];
}

uint64_t *paging_l1e(uint64_t *l3, uint64_t va, bool make)
{
	return walk(l3, va, 1, make);
}

static uint64_t *l3_of(uint64_t *l4, uint64_t va)
{
	uint64_t *e = &l4[INDEX(va, 4)];

	ASSERT(INDEX(va, 4) >= HV_FIRST_SLOT && INDEX(va, 4) <= HV_LAST_SLOT);
	ASSERT(*e & PTE_P);
	return entry_table(*e);
}

/* The largest page that may begin at @va and @frame, with @n frames to go. */
static unsigned int page_level(uint64_t va, uint64_t frame, uint64_t n)
{
	for (unsigned int l = pages_1g ? 3 : 2; l > 1; l--)
		if (!(((va >> PAGE_SHIFT) | frame) & (LEVEL_PAGES(l) - 1)) && n >= LEVEL_PAGES(l))
			return l;
	return 1;
}

static uint64_t leaf_flags(uint64_t flags, unsigned int level)
{
	if (level == 1)
		return flags;
	if (flags & PTE_PAT)
		flags |= PTE_PAT_LARGE;
	return flags | PTE_PS;
}

static int map_under(uint64_t *l4, uint64_t va, mfn_t mfn, uint64_t n, uint64_t flags)
{
	while (n) {
		unsigned int level = page_level(va, mfn.n, n);
		uint64_t *e = walk(l3_of(l4, va), va, level, true);

		/* A table that is there already stays: go down to its entries. */
		while (e && level > 1 && (*e & PTE_P) && !(*e & PTE_PS))
			e = walk(l3_of(l4, va), va, --level, true);
		if (!e)
			return -ENOMEM;
		WRITE_ONCE(*e, mfn_to_maddr(mfn) | leaf_flags(flags, level));
		va += PAGE_SIZE * LEVEL_PAGES(level);
		mfn.n += LEVEL_PAGES(level);
		n -= LEVEL_PAGES(level);
	}
	return 0;
}

int hv_map(uint64_t va, mfn_t mfn, uint64_t n, uint64_t flags)
{
	return map_under(idle_l4, va, mfn, n, flags);
}

/* Give what is mapped in the range other flags; 0 unmaps it. */
static int change(uint64_t va, uint64_t n, uint64_t flags)
{
	while (n) {
		unsigned int level = 3;
		uint64_t *l3 = l3_of(idle_l4, va), *e = walk(l3, va, 3, false);
		uint64_t offset = (va >> PAGE_SHIFT) & (LEVEL_PAGES(3) - 1);

		while (level > 1 && (*e & PTE_P) &&
		       (!(*e & PTE_PS) || offset || n < LEVEL_PAGES(level))) {
			e = walk(l3, va, --level, true);
			if (!e)
				return -ENOMEM;
			offset &= LEVEL_PAGES(level) - 1;
		}
		if (*e & PTE_P) {
			uint64_t addr = *e & PTE_ADDR & ~(level > 1 ? PTE_PAT_LARGE : 0);

			WRITE_ONCE(*e, flags ? addr | leaf_flags(flags, level) : 0);
		}

		uint64_t step = MIN(LEVEL_PAGES(level) - offset, n);

		va += step << PAGE_SHIFT;
		n -= step;
	}
	return 0;
}

/* This CPU's TLB alone: callers whose range another CPU may have used see to the rest. */
void hv_unmap(uint64_t va, uint64_t n)
{
	if (change(va, n, 0))
		panic("no memory to split a large page");
	if (n > 32)
		tlb_flush_local_global();
	else
		for (; n; n--, va += PAGE_SIZE)
			tlb_flush_va_local(va);
}

int hv_protect(uint64_t va, uint64_t n, uint64_t flags)
{
	int err = change(va, n, flags);

	tlb_flush_local_global();
	return err;
}

void hv_fill_root(uint64_t *l4, const struct domain *d)
{
	if (l4 != idle_l4)
		memcpy(&l4[HV_FIRST_SLOT], &idle_l4[HV_FIRST_SLOT],
		       (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*l4));
	l4[INDEX(PERDOMAIN_START, 4)] =
		d && d->perdomain_l3 ? virt_to_maddr(d->perdomain_l3) | TABLE : 0;
}

/* ---- slot 258: what is different in each domain. Tables are made as vcpus need them and live as
 * long as the domain. ---- */

int perdomain_create(struct domain *d)
{
	d->perdomain_l3 = heap_pages(0);
	if (!d->perdomain_l3)
		return -ENOMEM;
	/* Idle vcpus use idle_l4 itself. */
	if (d->domid == DOMID_IDLE)
		hv_fill_root(idle_l4, d);
	return 0;
}

/* @levels of tables are below this one. */
static void free_tables(uint64_t *t, unsigned int levels)
{
	for (unsigned int i = 0; levels && i < 512; i++)
		if (t[i] & PTE_P)
			free_tables(maddr_to_virt(t[i] & PTE_ADDR), levels - 1);
	heap_free(t, 0);
}

void perdomain_destroy(struct domain *d)
{
	if (d->perdomain_l3)
		free_tables(d->perdomain_l3, 2);
	d->perdomain_l3 = NULL;
}

uint64_t *perdomain_l1(struct domain *d, uint64_t va)
{
	uint64_t *l1e = paging_l1e(d->perdomain_l3, va, true);

	return (uint64_t *)((uint64_t)l1e & PAGE_MASK);
}

int perdomain_vcpu_init(struct vcpu *v)
{
	/* A window's entries are in one table: it divides the 512. */
	v->window = paging_l1e(v->domain->perdomain_l3, WINDOW_VADDR(v->id), true);
	return v->window ? 0 : -ENOMEM;
}

/* ---- start-up ---- */

static void must_map(uint64_t *l4, uint64_t va, uint64_t start, uint64_t end)
{
	if (start < end &&
	    map_under(l4, va, maddr_to_mfn(start), (end - start) >> PAGE_SHIFT, PTE_HV))
		panic("no memory for the hypervisor's page tables");
}

/* RAM and firmware tables only, and the low MiB: nothing may be read ahead from a
 * device's registers through here. */
static void map_directly(uint64_t *l4)
{
	const uint64_t low = 1 << 20;

	must_map(l4, DIRECT_MAP_START, 0, low);
	for (unsigned int i = 0; i < boot_info.nr_e820; i++) {
		const struct e820_entry *e = &boot_info.e820[i];
		uint64_t start = MAX(e->start & PAGE_MASK, low);
		uint64_t end = MIN(ROUND_UP(e->start + e->size, PAGE_SIZE), direct_map_limit);

		if (e->type == 1 || e->type == 3 || e->type == 4)
			must_map(l4, DIRECT_MAP_START + start, start, end);
	}
}

/*
 * head.S mapped the low 4 GiB with tables that its identity map uses too. The direct map
 * gets tables of its own, built under a scratch root while all of low memory is mapped.
 */
void paging_init(void)
{
	uint64_t *l4 = table_alloc();
	uint32_t r[4];

	cpuid(0x80000001, 0, r);
	pages_1g = r[3] & 1u << 26;
	direct_map_limit = ROUND_UP(direct_map_limit, 2ul << 20);
	direct_map_limit = MIN(direct_map_limit, DIRECT_MAP_END - DIRECT_MAP_START);
	boot_alloc_limit = MIN(boot_alloc_limit, direct_map_limit);

	for (unsigned int s = HV_FIRST_SLOT; s <= HV_LAST_SLOT; s++)
		l4[s] = virt_to_maddr(table_alloc()) | TABLE |
			(s == INDEX(M2P_RO_START, 4) ? PTE_US : 0);
	l4[INDEX(IMAGE_START, 4)] = idle_l4[INDEX(IMAGE_START, 4)];
	map_directly(l4);
	memcpy(&idle_l4[HV_FIRST_SLOT], &l4[HV_FIRST_SLOT],
	       (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*l4));
	idle_l4[0] = 0; /* head.S's identity map: other CPUs start with tables of their own */
	/* Slot 258 is the current domain's: of idle vcpus perdomain_create() sets it. */
	idle_l4[INDEX(PERDOMAIN_START, 4)] = 0;
	tlb_flush_local_global();
	boot_alloc_limit = direct_map_limit;
}

extern char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], image_start[],
	image_end[];

static void protect(const char *start, const char *end, uint64_t flags)
{
	if (hv_protect((uint64_t)start, (uint64_t)(end - start + PAGE_SIZE - 1) >> PAGE_SHIFT, flags))
		panic("no memory to split the image's pages");
}

/* Rights of the image's sections; what head.S mapped around it goes. */
void paging_protect_image(void)
{
	uint64_t end = ROUND_UP((uint64_t)image_end, PAGE_SIZE);
	uint64_t mapped = ROUND_UP((uint64_t)image_end, 16ul << 20);

	protect(text_start, text_end, PTE_HV_CODE);
	protect(rodata_start, rodata_end, PTE_HV_RO);
	protect(data_start, image_end, PTE_HV);
	hv_unmap(end, (mapped - end) >> PAGE_SHIFT);
}
