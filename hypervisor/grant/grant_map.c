// SPDX-License-Identifier: GPL-2.0-only
/*
 * GNTTABOP_map_grant_ref, unmap_grant_ref and unmap_and_replace. An unmap's pin is
 * dropped only after the TLBs of the domain that mapped have been emptied, once a batch.
 */
#include "hypervisor/grant/internal.h"

#define GNTMAP_KINDS (GNTMAP_host_map | GNTMAP_device_map)

/* ---- map ---- */

static int16_t map_pinned(const struct gnttab_map_grant_ref *op,
			  const struct grant_pin *pin)
{
	if (!(op->flags & GNTMAP_host_map))
		return GNTST_okay;
	return pv_grant_map(op->host_addr, frame_to_mfn(pin->frame), op->flags, 0);
}

/* @rd's reference goes to the maptrack entry on success. */
static int16_t map_from(struct domain *rd, struct gnttab_map_grant_ref *op)
{
	struct domain *ld = current->domain;
	bool readonly = op->flags & GNTMAP_readonly;
	int64_t handle = maptrack_get(ld->grant_table);
	struct maptrack *m;
	struct grant_pin pin;
	int16_t rc;

	if (handle < 0)
		return GNTST_no_space;
	rc = grant_pin(rd, op->ref, ld->domid, GRANT_MAP, readonly, &pin);
	if (!rc) {
		rc = map_pinned(op, &pin);
		if (rc)
			grant_unpin(&pin);
	}
	if (rc) {
		maptrack_put(ld->grant_table, (grant_handle_t)handle);
		return rc;
	}
	m = maptrack_entry(ld->grant_table, (grant_handle_t)handle);
	m->rd = rd;
	m->ref = pin.ref;
	atomic_store(&m->flags, (uint16_t)(op->flags & (GNTMAP_KINDS | GNTMAP_readonly |
							GNTMAP_contains_pte |
							GNTMAP_application_map)));
	op->handle = (grant_handle_t)handle;
	op->dev_bus_addr = mfn_to_maddr(frame_to_mfn(pin.frame));
	return GNTST_okay;
}

static int16_t map_one(struct gnttab_map_grant_ref *op)
{
	struct domain *rd;
	int16_t rc;

	if (!(op->flags & GNTMAP_KINDS))
		return GNTST_bad_gntref;
	rd = op->dom < DOMID_FIRST_RESERVED ? domain_get(op->dom) : NULL;
	if (!rd)
		return GNTST_bad_domain;
	rc = map_from(rd, op);
	if (rc)
		domain_put(rd);
	return rc;
}

long grant_map_batch(struct grant_batch *b)
{
	struct gnttab_map_grant_ref *op = (struct gnttab_map_grant_ref *)b->op;

	for (unsigned int i = 0; i < b->n; i++)
		op[i].status = map_one(&op[i]);
	return 0;
}

/* ---- unmap ---- */

/* An operation, in one form for all three; and what is left to do after the flush. */
struct unmap {
	uint64_t host_addr, dev_bus_addr, new_addr;
	grant_handle_t handle;
	struct maptrack *map; /* NULL: failed before anything was claimed */
	uint16_t flags;       /* what it had */
	uint16_t left;        /* kinds of mapping that remain */
	int16_t status;
};

/* The entry is ours until it is released: others see a handle that is not valid. */
static struct maptrack *claim(grant_handle_t handle, uint16_t *flags)
{
	struct maptrack *m = maptrack_entry(current->domain->grant_table, handle);
	uint16_t f = m ? atomic_load(&m->flags) : 0;

	while ((f & GNTMAP_KINDS) && !(f & MAPTRACK_BUSY))
		if (atomic_cmpxchg(&m->flags, &f, f | MAPTRACK_BUSY)) {
			*flags = f;
			return m;
		}
	return NULL;
}

static void unmap_begin(struct unmap *u)
{
	mfn_t mfn;

	u->map = claim(u->handle, &u->flags);
	if (!u->map) {
		u->status = GNTST_bad_handle;
		return;
	}
	u->status = GNTST_okay;
	u->left = u->flags & GNTMAP_KINDS;
	mfn = grant_pinned_mfn(u->map->rd, u->map->ref);
	if (u->dev_bus_addr && (u->flags & GNTMAP_device_map)) {
		if (u->dev_bus_addr != mfn_to_maddr(mfn)) {
			u->status = GNTST_bad_dev_addr;
			return;
		}
		u->left &= (uint16_t)~GNTMAP_device_map;
	}
	if (u->host_addr && (u->flags & GNTMAP_host_map)) {
		u->status = pv_grant_unmap(u->host_addr, mfn, u->new_addr, u->flags);
		if (u->status)
			u->left = u->flags & GNTMAP_KINDS;
		else
			u->left &= (uint16_t)~GNTMAP_host_map;
	}
}

static void unmap_finish(const struct unmap *u)
{
	struct domain *rd;

	if (!u->map)
		return;
	if (u->left) {
		atomic_store(&u->map->flags,
			     (uint16_t)((u->flags & ~GNTMAP_KINDS) | u->left));
		return;
	}
	rd = u->map->rd;
	grant_unpin_ref(rd, u->map->ref, u->flags & GNTMAP_readonly);
	maptrack_put(current->domain->grant_table, u->handle);
	domain_put(rd);
}

/* The two forms of the operation have the same size and the status in the same place. */
union unmap_op {
	struct gnttab_unmap_grant_ref unmap;
	struct gnttab_unmap_and_replace replace;
};
_Static_assert(sizeof(struct gnttab_unmap_grant_ref) ==
			       sizeof(struct gnttab_unmap_and_replace) &&
		       offsetof(struct gnttab_unmap_grant_ref, handle) ==
			       offsetof(struct gnttab_unmap_and_replace, handle) &&
		       offsetof(struct gnttab_unmap_grant_ref, status) ==
			       offsetof(struct gnttab_unmap_and_replace, status),
	       "one array for both");

long grant_unmap_batch(struct grant_batch *b)
{
	struct unmap u[GRANT_BATCH_BYTES / sizeof(union unmap_op)];
	union unmap_op *op = (union unmap_op *)b->op;
	bool replace = b->cmd == GNTTABOP_unmap_and_replace, flush = false;

	for (unsigned int i = 0; i < b->n; i++) {
		u[i] = (struct unmap){
			.host_addr = op[i].unmap.host_addr,
			.dev_bus_addr = replace ? 0 : op[i].unmap.dev_bus_addr,
			.new_addr = replace ? op[i].replace.new_addr : 0,
			.handle = op[i].unmap.handle,
		};
		unmap_begin(&u[i]);
		flush |= u[i].map && !u[i].status && u[i].host_addr;
		op[i].unmap.status = u[i].status;
	}
	if (flush)
		tlb_flush_mask(&current->domain->dirty_cpus, false);
	for (unsigned int i = 0; i < b->n; i++)
		unmap_finish(&u[i]);
	return 0;
}
