/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of XENMEM_*. */
#ifndef HV_MEMORY_H
#define HV_MEMORY_H

#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/mm/mm.h"

/* A preempted call's progress is in the upper bits of its number. */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK     ((1u << MEMOP_EXTENT_SHIFT) - 1)

/* Largest extent the current domain may ask for: stock's memop-max-order=9,18,12. */
unsigned int memory_max_order(void);
/* -ESRCH, -EPERM, or 0 and a reference. */
int memory_target(domid_t domid, enum access what, struct domain **d);

/* memory_populate.c: increase, decrease, populate. @start: extents done before. */
long memory_reservation_op(unsigned int op, uint64_t start, uint64_t arg);
long memory_claim(uint64_t arg);
/* memory_exchange.c */
long memory_exchange(uint64_t arg);
/* memory_physmap.c */
long memory_add_to_physmap(uint64_t arg);
long memory_add_to_physmap_batch(uint64_t arg);
long memory_remove_from_physmap(uint64_t arg);
long memory_acquire_resource(uint64_t start, uint64_t arg);
/* memory_maps.c: memory maps and the M2P's whereabouts */
long memory_map(uint64_t arg);
long memory_machine_map(uint64_t arg);
long memory_set_map(uint64_t arg);
long memory_machphys_mapping(uint64_t arg);
long memory_machphys_list(uint64_t arg);

#endif
