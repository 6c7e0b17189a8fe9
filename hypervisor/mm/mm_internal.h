/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of mm/. */
#ifndef HV_MM_INTERNAL_H
#define HV_MM_INTERNAL_H

#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"

#define MAX_NODES 64

/* ---- boot_alloc.c ---- */
struct mem_range {
	uint64_t start, end;
};
/* Boot allocations end below it: what head.S mapped, then the direct map. */
extern uint64_t boot_alloc_limit;
/* What is left; no boot_alloc() after this. */
unsigned int boot_alloc_finish(struct mem_range **ranges);

/* ---- init.c ---- */
extern bool buddy_ready; /* pages come from it; before that from boot_alloc() */

/* ---- buddy.c ---- */
void buddy_init(void);
/* Hand over frames [start, end), not used by anybody, contents unknown. */
void buddy_add(uint64_t start, uint64_t end);
/* buddy_alloc() of @n = 2^order frames for @d, whose claim it may use. */
struct frame *buddy_alloc_for(struct domain *d, unsigned int order, unsigned int node,
			      unsigned int bits, unsigned int flags);
/* @d's claim becomes @n frames; 0 releases it. 0, -ENOMEM, -EINVAL: has one already. */
int buddy_claim(struct domain *d, uint64_t n);
/* node_of() has answers for @n nodes from now on. */
void buddy_sort_nodes(unsigned int n);
uint64_t buddy_dirty_frames(unsigned int node);
void scrub_frames(mfn_t mfn, uint64_t n);

/* ---- dump.c ---- */
void dump_init(void);

/* ---- paging.c ---- */
void paging_init(void);        /* direct map; every slot's L3 */
void paging_protect_image(void);
void *table_alloc(void);       /* a zeroed page; NULL */

#endif
