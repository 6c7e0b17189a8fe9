// SPDX-License-Identifier: GPL-2.0-only
/*
 * XENMEM_increase_reservation, decrease_reservation, populate_physmap, claim_pages. The
 * first three return how many extents are done: less than asked is failure, and all that
 * a caller learns of it.
 */
#include "hypervisor/hypercall/memory.h"

struct work {
	struct xen_memory_reservation r;
	struct domain *d;
	struct memory_wish wish;
};

static struct frame *allocate(struct work *w)
{
	return frames_alloc(w->d, w->r.extent_order, w->wish.node, w->wish.bits, w->wish.flags);
}

static bool increase(struct work *w, uint64_t i)
{
	struct frame *f = allocate(w);
	xen_pfn_t mfn;

	if (!f)
		return false;
	mfn = frame_to_mfn(f).n;
	return !handle_gva(w->r.extent_start) || put_guest(extent_gva(&w->r, i), &mfn);
}

static bool populate(struct work *w, uint64_t i)
{
	xen_pfn_t pfn, mfn;
	struct frame *f;

	if (!get_guest(&pfn, extent_gva(&w->r, i)))
		return false;
	f = allocate(w);
	if (!f)
		return false;
	mfn = frame_to_mfn(f).n;
	for (uint64_t j = 0; j < 1ull << w->r.extent_order; j++)
		m2p_set(MFN(mfn + j), GFN(pfn + j));
	return put_guest(extent_gva(&w->r, i), &mfn);
}

/* The owner's reference goes; who else has one keeps the frame until he lets go. */
static bool remove_page(struct domain *d, mfn_t mfn)
{
	struct frame *f = frame_lookup(mfn);

	if (!f || !frame_get(f, d)) {
		gprintk(LOG_INFO, "d%u: decrease_reservation: frame %lx is not its\n", d->domid,
			(unsigned long)mfn.n);
		return false;
	}
	if (f->count & (FRAME_SHARED_HV | FRAME_FOREIGN_IO)) {
		frame_put(f);
		return false;
	}
	frame_put_allocated(f);
	frame_put(f);
	return true;
}

static bool decrease(struct work *w, uint64_t i)
{
	xen_pfn_t mfn;

	if (!get_guest(&mfn, extent_gva(&w->r, i)))
		return false;
	for (uint64_t j = 0; j < 1ull << w->r.extent_order; j++)
		if (!remove_page(w->d, MFN(mfn + j)))
			return false;
	return true;
}

static bool one_extent(unsigned int op, struct work *w, uint64_t i)
{
	switch (op) {
	case XENMEM_increase_reservation:
		return increase(w, i);
	case XENMEM_decrease_reservation:
		return decrease(w, i);
	default:
		return populate(w, i);
	}
}

long memory_reservation_op(struct op_call *c)
{
	struct work w;

	if (!get_guest(&w.r, c->gva) || w.r.nr_extents > ~0ull >> MEMOP_EXTENT_SHIFT ||
	    c->start >= w.r.nr_extents || w.r.extent_order > memory_max_order() ||
	    (w.r.mem_flags & XENMEMF_populate_on_demand) ||
	    !memory_wish(&w.wish, w.r.mem_flags) ||
	    memory_target(w.r.domid, ACCESS_MEMORY, &w.d))
		return (long)c->start;
	while (c->start < w.r.nr_extents && one_extent(c->cmd, &w, c->start)) {
		c->start++;
		if (c->start < w.r.nr_extents && preempt_check()) {
			domain_put(w.d);
			return -ERESTART;
		}
	}
	domain_put(w.d);
	return (long)c->start;
}

long memory_claim(struct op_call *c)
{
	const struct xen_memory_reservation *r = c->arg;
	struct domain *d;
	long rc;

	if (handle_gva(r->extent_start) || r->extent_order || r->mem_flags)
		return -EINVAL;
	rc = memory_target(r->domid, ACCESS_DOMCTL, &d);
	if (rc)
		return rc == -ESRCH ? -EINVAL : rc;
	rc = domain_claim_pages(d, r->nr_extents);
	domain_put(d);
	return rc;
}
