/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of XENMEM_*. */
#ifndef HV_MEMORY_H
#define HV_MEMORY_H

#include "hypervisor/hypercall/op.h"
#include "hypervisor/mm/mm.h"

/* A preempted call's progress is in the upper bits of its number. */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK     ((1u << MEMOP_EXTENT_SHIFT) - 1)

/* Largest extent the current domain may ask for: stock's memop-max-order=9,18,12. */
unsigned int memory_max_order(void);
/* -ESRCH, -EPERM, or 0 and a reference. */
int memory_target(domid_t domid, enum access what, struct domain **d);

/* What a mem_flags word asks of the allocator. */
struct memory_wish {
	unsigned int node, bits, flags;
};
bool memory_wish(struct memory_wish *w, unsigned int mem_flags); /* false: none can be meant */

static inline uint64_t extent_gva(const struct xen_memory_reservation *r, uint64_t i)
{
	return handle_gva(r->extent_start) + i * sizeof(xen_pfn_t);
}

/* memory_populate.c: increase, decrease, populate; memory_exchange.c */
op_fn memory_reservation_op, memory_claim, memory_exchange;
/* memory_maps.c: memory maps and the M2P's whereabouts */
op_fn memory_map, memory_machine_map, memory_set_map;
op_fn memory_machphys_mapping, memory_machphys_list;

#endif
