// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames of domains: a list by frame numbers and counts, under d->page_lock. The list holds
 * a reference to the struct domain while it is not empty, so that a frame's owner is
 * always a struct that exists.
 */
#include "hypervisor/mm/mm_internal.h"

static void list_append(struct domain *d, struct frame *f)
{
	uint32_t n = (uint32_t)frame_to_mfn(f).n;

	f->next = 0;
	f->prev = d->last_page;
	*(d->last_page ? &frame_table[d->last_page].next : &d->first_page) = n;
	d->last_page = n;
}

static void list_append_all(struct domain *d, struct frame *f, uint64_t n)
{
	for (; n; n--, f++) {
		list_append(d, f);
		frame_set_owner(f, d);
		/* From here on others may take references. */
		atomic_store(&f->count, FRAME_ALLOCATED | 1);
	}
}

static void list_remove(struct domain *d, struct frame *f)
{
	*(f->prev ? &frame_table[f->prev].next : &d->first_page) = f->next;
	*(f->next ? &frame_table[f->next].prev : &d->last_page) = f->prev;
	f->next = f->prev = 0;
}

/* Give frames without an owner to @d. False: it is dying, or would have too many. */
static bool assign(struct domain *d, struct frame *f, uint64_t n)
{
	spin_guard(&d->page_lock);
	if (d->dying != ALIVE || d->tot_pages + n > d->max_pages || !(d->tot_pages || domain_ref(d)))
		return false;
	d->tot_pages += (uint32_t)n;
	list_append_all(d, f, n);
	return true;
}

struct frame *frames_alloc(struct domain *d, unsigned int order, unsigned int node,
			   unsigned int bits, unsigned int flags)
{
	uint64_t n = 1ull << order;
	struct frame *f;

	/* Checked again with the lock; this spares the scrubbing. */
	if (order > MAX_ORDER || READ_ONCE(d->dying) != ALIVE ||
	    (!(flags & ALLOC_NO_REFCOUNT) && READ_ONCE(d->tot_pages) + n > READ_ONCE(d->max_pages)))
		return NULL;
	f = buddy_alloc_for(d, order, node, bits, flags);
	if (!f)
		return NULL;
	if (flags & ALLOC_NO_REFCOUNT) {
		/* Remains FRAME_HEAP without references: nobody can get one. */
		for (uint64_t i = 0; i < n; i++)
			frame_set_owner(&f[i], d);
		return f;
	}
	if (assign(d, f, n))
		return f;
	buddy_free(f, order);
	return NULL;
}

/* The struct's reference goes with the last page. Lock held on entry, not on return. */
static void lower_tot_pages(struct domain *d, uint64_t n)
{
	bool last;

	d->tot_pages -= (uint32_t)n;
	last = !d->tot_pages;
	spin_unlock(&d->page_lock);
	if (last)
		domain_put(d);
}

void frame_free_domain(struct frame *f)
{
	struct domain *d = frame_owner(f);

	spin_lock(&d->page_lock);
	list_remove(d, f);
	m2p_set(frame_to_mfn(f), GFN(M2P_INVALID));
	frame_set_owner(f, NULL);
	f->type = 0;
	atomic_store(&f->count, FRAME_HEAP);
	buddy_free(f, 0);
	lower_tot_pages(d, 1);
}

bool frame_steal(struct domain *d, struct frame *f)
{
	uint64_t x;
	bool ok;

	if (!frame_get(f, d))
		return false;
	spin_lock(&d->page_lock);
	x = (READ_ONCE(f->count) & FRAME_CACHE_MASK) | FRAME_ALLOCATED | 2; /* and ours */
	ok = !(READ_ONCE(f->type) & FRAME_TYPE_COUNT_MASK) &&
	     atomic_cmpxchg(&f->count, &x, FRAME_HEAP);
	if (ok) {
		list_remove(d, f);
		frame_set_owner(f, NULL);
	}
	spin_unlock(&d->page_lock);
	if (!ok)
		frame_put(f);
	return ok;
}

bool frames_unsteal(struct domain *d, struct frame *f, uint64_t n)
{
	spin_lock(&d->page_lock);
	if (d->dying != ALIVE) {
		lower_tot_pages(d, n);
		return false;
	}
	list_append_all(d, f, n);
	spin_unlock(&d->page_lock);
	return true;
}

int domain_claim_pages(struct domain *d, uint64_t pages)
{
	/* The end of @d gives its claim up after it said "dying". */
	spin_guard(&d->page_lock);
	if (!pages)
		return buddy_claim(d, 0);
	if (pages <= d->tot_pages || pages > d->max_pages || d->dying != ALIVE)
		return -EINVAL;
	return buddy_claim(d, pages - d->tot_pages);
}

/*
 * The frame keeps a type for good, so that it becomes no page table, and a read-only one
 * never writable. heap_free() takes all of it back.
 */
void share_frame_with(struct frame *f, struct domain *d, bool writable)
{
	if (d)
		atomic_add(&d->xenheap_pages, 1);
	frame_set_owner(f, d ? d : dom_xen);
	f->type = (writable ? FRAME_WRITABLE : FRAME_NONE) | FRAME_VALIDATED | 1;
	atomic_store(&f->count, FRAME_HEAP | FRAME_SHARED_HV | FRAME_ALLOCATED | 1);
}
