/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grant tables (public/grant_table.h): v1 and v2. grant.c: tables and their life;
 * grant_map.c: map and unmap; grant_copy.c; grant_ops.c: the other operations.
 *
 * A guest's shared entries are read once and changed by cmpxchg. What is in use is in our
 * active entries, each with a lock. table->lock (rw): versions and sizes.
 */
#ifndef HV_GRANT_H
#define HV_GRANT_H

#include "hypervisor/lib/abi.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/mm/frame.h"

struct domain;
struct vcpu;
struct grant_table;

int grant_table_create(struct domain *d, uint32_t max_frames, uint32_t max_maptrack,
		       uint32_t options);
/* Undo all maps that @d made of others' frames; preemptible. */
int grant_table_relinquish(struct domain *d);
void grant_table_destroy(struct domain *d);

long do_grant_table_op(unsigned int cmd, uint64_t uop, unsigned int count);

/* Frames [frame, frame + n) of @id, a XENMEM_resource_grant_table_id_*; grown as needed. */
int grant_table_acquire(struct domain *d, uint32_t id, uint32_t frame, uint32_t n,
			mfn_t *mfn);
unsigned int grant_table_resource_frames(struct domain *d, uint32_t id);
void grant_table_dump(struct domain *d);
/* How many mappings @d has; exact while its vcpus stand still. */
uint64_t grant_maps(const struct domain *d);

/* ---- what a guest kind does for us (guest_ops) ---- */
/* Put @mfn at a PV guest's host_addr: pv/grant_map.c. @flags are GNTMAP_*. GNTST_*. */
int16_t pv_grant_map(uint64_t host_addr, mfn_t mfn, uint32_t flags, unsigned int cache);
/* Take it away, if it is still that frame; @new_addr: leave that address' PTE there. */
int16_t pv_grant_unmap(uint64_t host_addr, mfn_t mfn, uint64_t new_addr, uint32_t flags);

#endif
