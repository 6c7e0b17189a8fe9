/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory allocation and mapping inside the hypervisor. */
#ifndef HV_MM_H
#define HV_MM_H

#include "hypervisor/cpu/percpu.h"
#include "hypervisor/mm/frame.h"

struct vcpu;

/* ---- before the frame table exists (mm/boot_alloc.c) ---- */
/* Memory handed to the boot allocator, page-aligned, not overlapping. */
void boot_alloc_add(uint64_t start, uint64_t end);
/* Never fails (panics). @align: bytes, a power of two. Machine address. */
uint64_t boot_alloc(uint64_t bytes, uint64_t align);
/* Build frame table, M2P and buddy lists out of what is left. */
void mm_init(void);
/* RAM kept from the allocator at start-up (a module, start-up code): now free. */
void mm_give_back(uint64_t start, uint64_t end);
/* Entries of the frame table that are not memory (FRAME_FOREIGN_IO) become @dom_io's:
 * domains_init() calls it, with dom_xen there: the M2P becomes that one's to share. */
void mm_set_io_owner(const struct domain *dom_io);
/* First frame of the @n-th 2 MiB of the M2P; 0: a hole. */
mfn_t m2p_chunk_mfn(uint64_t n);

/* ---- buddy allocator (mm/buddy.c); LOCK_HEAP ---- */
#define ORDER_1G  18
#define MAX_ORDER 18
#define ANY_NODE  0xffu

/* Of a block that holds @bytes. */
static inline unsigned int order_of(uint64_t bytes)
{
	return bytes > PAGE_SIZE ? 64 - (unsigned int)__builtin_clzll((bytes - 1) >> PAGE_SHIFT) : 0;
}

enum alloc_flags {
	ALLOC_32BIT = 1,     /* below 4 GiB */
	ALLOC_NO_SCRUB = 2,  /* the caller overwrites all of it */
	ALLOC_EXACT_NODE = 4,
	ALLOC_MAPPED = 16,   /* in the direct map: mfn_to_virt() may be used */
	ALLOC_NO_REFCOUNT = 8, /* the domain owns it and may not map it as its memory */
};
/* @bits-limited allocation: 0 for anywhere; else machine addresses below 2^bits. */
struct frame *buddy_alloc(unsigned int order, unsigned int node, unsigned int bits,
			  unsigned int flags);
void buddy_free(struct frame *f, unsigned int order);
uint64_t buddy_free_frames(unsigned int node); /* ANY_NODE: of all */
uint64_t total_frames(void);
/* Idle work: scrub some freed frames. True: more to do. */
bool buddy_scrub_some(void);

/* ---- NUMA (mm/numa.c): one node without SRAT ---- */
void numa_init(void); /* after ACPI; acpi_cpu.node becomes a node's number */
unsigned int numa_nodes(void);
unsigned int node_of(mfn_t mfn);
uint64_t numa_node_frames(unsigned int node);
unsigned int numa_distance(unsigned int a, unsigned int b); /* 10: the same; 0: no such */

/* ---- for domains (mm/domain_pages.c); LOCK_DOMAIN_PAGES ---- */
/* 2^order frames for @d, on its page list, each with count 1|FRAME_ALLOCATED, scrubbed.
 * NULL: no memory, over max_pages, or dying. */
struct frame *frames_alloc(struct domain *d, unsigned int order, unsigned int node,
			   unsigned int bits, unsigned int flags);
/* By the last frame_put(): off the list, scrub, back to the buddy allocator. */
void frame_free_domain(struct frame *f);
/*
 * XENMEM_exchange. frame_steal(): take a frame to which @d alone has its one reference off
 * @d; it becomes the hypervisor's, @d's counts stay. frames_unsteal(): give @d frames in
 * the place of stolen ones; false: @d is dying, its count is lowered, they are yours.
 */
bool frame_steal(struct domain *d, struct frame *f);
bool frames_unsteal(struct domain *d, struct frame *f, uint64_t n);
/* Stake out memory for @d (XENMEM_claim_pages): 0, -ENOMEM, -EINVAL. */
int domain_claim_pages(struct domain *d, uint64_t pages);
uint64_t outstanding_claims(void);
/* Frames of the hypervisor that @d (or every domain, NULL: xen's) may map: shared info... */
void share_frame_with(struct frame *f, struct domain *d, bool writable);

/* ---- the hypervisor's own memory ---- */
void *heap_pages(unsigned int order);            /* zeroed; NULL */
void heap_free(void *p, unsigned int order);
void *xzalloc_bytes(size_t size, size_t align);  /* zeroed; NULL; mm/xmalloc.c */
void xfree(void *p);
#define xzalloc(type)          ((type *)xzalloc_bytes(sizeof(type), _Alignof(type)))
#define xzalloc_array(type, n) ((type *)xzalloc_bytes(sizeof(type) * (n), _Alignof(type)))

/* ---- mapping ---- */
/*
 * A frame for a moment: direct map below its limit, else a slot of the current vcpu's
 * window. Not across a context switch. Nest as a stack would, at most WINDOW_PAGES.
 */
#ifdef HOST_TEST
void *map_frame(mfn_t mfn);
void unmap_frame(const void *p);
#else
void *window_map(mfn_t mfn); /* above the direct map; mm/map.c */
void window_unmap(const void *p);
extern uint64_t direct_map_limit;

static inline void *map_frame(mfn_t mfn)
{
	return likely(mfn.n < direct_map_limit >> PAGE_SHIFT) ? mfn_to_virt(mfn) : window_map(mfn);
}

static inline void unmap_frame(const void *p)
{
	if (unlikely((uint64_t)p < DIRECT_MAP_START))
		window_unmap(p);
}
#endif
/* Lasting, in the vmap area: any frames in order. NULL: no room. */
void *vmap(const mfn_t *mfn, unsigned int n);
/* -EINVAL: not a writable page of @d's; -ENOMEM. Unmapping what is not mapped is nothing. */
int guest_page_map(struct domain *d, gfn_t gfn, struct guest_page *p); /* mm/guest_page.c */
void guest_page_unmap(struct guest_page *p);
void vunmap(const void *p, unsigned int n);
void *map_device(uint64_t maddr, size_t bytes); /* uncached registers */
void *map_device_cached(uint64_t maddr, size_t bytes);
void *map_device_wc(uint64_t maddr, size_t bytes); /* writes are combined: a screen */
extern uint64_t direct_map_limit;               /* machine address; direct_map= lowers it */

/* ---- the hypervisor's own page tables (mm/paging.c) ---- */
#define PTE_P    (1ull << 0)
#define PTE_RW   (1ull << 1)
#define PTE_US   (1ull << 2)
#define PTE_PWT  (1ull << 3)
#define PTE_PCD  (1ull << 4)
#define PTE_A    (1ull << 5)
#define PTE_D    (1ull << 6)
#define PTE_PS   (1ull << 7)
#define PTE_PAT  (1ull << 7) /* in an L1 entry */
#define PTE_G    (1ull << 8)
#define PTE_NX   (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull
#define PTE_HV      (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PTE_HV_RO   (PTE_P | PTE_A | PTE_D | PTE_G | PTE_NX)
#define PTE_HV_CODE (PTE_P | PTE_A | PTE_G)

extern uint64_t idle_l4[512]; /* the root of idle vcpus; slots 256-271 go into every root */
/* Map @n frames from @mfn at @va with L1 to L3 entries as sizes allow. 0 or -ENOMEM. */
int hv_map(uint64_t va, mfn_t mfn, uint64_t n, uint64_t flags);
void hv_unmap(uint64_t va, uint64_t n);
int hv_protect(uint64_t va, uint64_t n, uint64_t flags);
/* The L1 entry of @va below an L3 table, tables made as needed if @make; NULL. */
uint64_t *paging_l1e(uint64_t *l3, uint64_t va, bool make);
/* Slots 256-271 of a new root, @d's slot 258 among them. */
void hv_fill_root(uint64_t *l4, const struct domain *d);
/* Slot 258 of a domain: 0 or -ENOMEM. */
int perdomain_create(struct domain *d);
void perdomain_destroy(struct domain *d);
/* The window of @v for map_frame(): vcpu_create() calls it. 0 or -ENOMEM. */
int perdomain_vcpu_init(struct vcpu *v);
/* L1 table page that maps @va in @d's slot 258, made if missing; NULL: no memory. The
 * caller writes entries. @va need not be mapped now. */
uint64_t *perdomain_l1(struct domain *d, uint64_t va);

/*
 * ---- when a TLB was last emptied (mm/tlb_stamp.c) ----
 * A frame that leaves somebody's use takes the time of tlb_clock. Before it may be used in
 * a way that a stale TLB entry would harm, every CPU must have emptied its TLB of guest
 * entries (which never have PTE_G) at a later time.
 */
DECLARE_PER_CPU(uint32_t, tlb_emptied_at);
extern uint32_t tlb_clock;
/* This CPU is about to empty its TLB of all non-global entries (CR3 write, INVPCID).
 * pv/entry_fast.S does the same in assembly. */
static inline void tlb_note_flush(void)
{
	this_cpu_var(tlb_emptied_at) = atomic_add(&tlb_clock, 1);
}
/* Empty those of @mask (NULL: all online CPUs) that have not since @stamp. */
void tlb_flush_stale(const struct cpumask *mask, uint32_t stamp);

/* ---- TLB (cpu/tlb.c) ---- */
void tlb_flush_local(void);                     /* all but global */
void tlb_flush_local_global(void);
void tlb_flush_va_local(uint64_t va);
/* All CPUs of @mask, this one too if in it. Waits. Interrupts on, no irq-safe lock held. */
void tlb_flush_mask(const struct cpumask *mask, bool global);
void tlb_flush_va_mask(const struct cpumask *mask, uint64_t va);

#endif
