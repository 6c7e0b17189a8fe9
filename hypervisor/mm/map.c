// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings in passing (map_frame) and lasting ones (the vmap area).
 *
 * Above the direct map a frame goes into the current vcpu's window in slot 258: an empty
 * entry is taken by compare-and-exchange, an interrupt may nest. What is unmapped is
 * flushed at once on this CPU, and no other has used it.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm_internal.h"

/* Not PTE_G: every domain has its own slot 258. */
#define PTE_WINDOW (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)

static uint64_t *window(void)
{
	struct vcpu *v = current;

	if (is_idle_vcpu(v))
		drop_lazy_state(); /* slot 258 may be the last guest's */
	return v->window;
}

void *window_map(mfn_t mfn)
{
	uint64_t *l1e = window(), none;

	for (unsigned int i = 0; i < WINDOW_PAGES; i++) {
		none = 0;
		if (!READ_ONCE(l1e[i]) &&
		    atomic_cmpxchg(&l1e[i], &none, mfn_to_maddr(mfn) | PTE_WINDOW))
			return (void *)(WINDOW_VADDR(current->id) + i * PAGE_SIZE);
	}
	panic("too many frames mapped at once");
}

void window_unmap(const void *p)
{
	uint64_t va = (uint64_t)p & PAGE_MASK, i;

	if (va < PERDOMAIN_START)
		return; /* NULL: nothing was mapped */
	i = (va - WINDOW_VADDR(current->id)) >> PAGE_SHIFT;
	BUG_ON(i >= WINDOW_PAGES);
	atomic_store(&window()[i], 0);
	tlb_flush_va_local(va);
}

/*
 * The vmap area: a bit a page, used or waiting for its TLB entries to be flushed. Those go
 * when the area has been gone through once, so vunmap() sends nobody an interrupt: nobody
 * uses an address that was given back. A page stays free after each mapping.
 */
#define VMAP_PAGES (1ul << 20)

static uint64_t used[VMAP_PAGES / 64], stale[VMAP_PAGES / 64];
static uint64_t next_fit;
static struct spinlock vmap_lock = SPINLOCK(LOCK_VMAP);

static void set_bits(uint64_t *map, uint64_t from, uint64_t n, bool on)
{
	for (; n; n--, from++)
		if (on)
			map[from / 64] |= 1ull << (from % 64);
		else
			map[from / 64] &= ~(1ull << (from % 64));
}

/* First of @n free bits at or after @from, or VMAP_PAGES. */
static uint64_t find_room(uint64_t from, uint64_t n)
{
	while (from + n <= VMAP_PAGES) {
		uint64_t start = find_next_zero_bit(used, VMAP_PAGES, from);
		uint64_t end = start + n <= VMAP_PAGES ? find_next_bit(used, start + n, start) : 0;

		if (start + n > VMAP_PAGES)
			break;
		if (end >= start + n)
			return start;
		from = end;
	}
	return VMAP_PAGES;
}

/* Reuse addresses given back since the last time. With the lock held, lest one be given
 * back during the flush; who waits for it has interrupts on and answers. */
static void reclaim(void)
{
	tlb_flush_mask(&cpu_online_map, true);
	for (unsigned int i = 0; i < VMAP_PAGES / 64; i++) {
		used[i] &= ~stale[i];
		stale[i] = 0;
	}
	next_fit = 0;
}

static uint64_t vmap_room(uint64_t n)
{
	uint64_t at;

	spin_lock(&vmap_lock);
	at = find_room(next_fit, n + 1);
	if (at == VMAP_PAGES) {
		reclaim();
		at = find_room(0, n + 1);
	}
	if (at != VMAP_PAGES) {
		set_bits(used, at, n + 1, true);
		next_fit = at + n + 1;
	}
	spin_unlock(&vmap_lock);
	return at == VMAP_PAGES ? 0 : VMAP_START + at * PAGE_SIZE;
}

static void give_back(uint64_t va, uint64_t n)
{
	hv_unmap(va, n);
	spin_lock(&vmap_lock);
	set_bits(stale, (va - VMAP_START) >> PAGE_SHIFT, n + 1, true);
	spin_unlock(&vmap_lock);
}

void *vmap(const mfn_t *mfn, unsigned int n)
{
	uint64_t va = vmap_room(n);

	for (unsigned int i = 0; va && i < n; i++)
		if (hv_map(va + i * PAGE_SIZE, mfn[i], 1, PTE_HV)) {
			give_back(va, n);
			return NULL;
		}
	return (void *)va;
}

void vunmap(const void *p, unsigned int n)
{
	give_back((uint64_t)p, n);
}

static void *map_range(uint64_t maddr, size_t bytes, uint64_t flags)
{
	uint64_t offset = maddr & (PAGE_SIZE - 1);
	uint64_t n = ROUND_UP(offset + bytes, PAGE_SIZE) >> PAGE_SHIFT;
	uint64_t va = vmap_room(n);

	if (!va)
		return NULL;
	if (hv_map(va, maddr_to_mfn(maddr), n, flags)) {
		give_back(va, n);
		return NULL;
	}
	return (void *)(va + offset);
}

void *map_device(uint64_t maddr, size_t bytes)
{
	return map_range(maddr, bytes, PTE_HV | PTE_PCD | PTE_PWT);
}

void *map_device_cached(uint64_t maddr, size_t bytes)
{
	return map_range(maddr, bytes, PTE_HV);
}

void *map_device_wc(uint64_t maddr, size_t bytes)
{
	return map_range(maddr, bytes, PTE_HV | PTE_PAT);
}
