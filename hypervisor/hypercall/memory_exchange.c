// SPDX-License-Identifier: GPL-2.0-only
/*
 * XENMEM_exchange: give frames, get as many others, in larger extents or below a limit
 * (what Linux does for DMA). In chunks of the larger of the two extents: a chunk's frames
 * are stolen, the new ones allocated, then both change places, or all is put back.
 */
#include "hypervisor/hypercall/memory.h"

struct exchange {
	struct xen_memory_exchange x;
	struct domain *d;
	unsigned int in_order, out_order; /* extents of a chunk, log2 */
	struct memory_wish wish;
	uint32_t in, out; /* chains through frame.next: stolen frames; heads of extents */
};

static struct frame *pop(uint32_t *chain)
{
	struct frame *f = mfn_to_frame(MFN(*chain));

	*chain = f->next;
	f->next = 0;
	return f;
}

static void push(uint32_t *chain, struct frame *f)
{
	f->next = *chain;
	*chain = (uint32_t)frame_to_mfn(f).n;
}

static int check(struct exchange *e)
{
	const struct xen_memory_reservation *in = &e->x.in, *out = &e->x.out;

	if (e->x.nr_exchanged > in->nr_extents || in->domid != out->domid)
		return -EINVAL;
	if (in->extent_order > MAX_ORDER || out->extent_order > MAX_ORDER)
		return -EPERM;
	if (in->nr_extents > ~0ull >> (in->extent_order + PAGE_SHIFT) ||
	    out->nr_extents > ~0ull >> (out->extent_order + PAGE_SHIFT) ||
	    in->nr_extents << in->extent_order != out->nr_extents << out->extent_order)
		return -EINVAL;
	if (MAX(in->extent_order, out->extent_order) > memory_max_order())
		return -EPERM;
	if (in->extent_order <= out->extent_order) {
		e->in_order = out->extent_order - in->extent_order;
		e->out_order = 0;
	} else {
		e->in_order = 0;
		e->out_order = in->extent_order - out->extent_order;
	}
	/* Progress is whole chunks. */
	if (e->x.nr_exchanged & ((1ull << e->in_order) - 1))
		return -EINVAL;
	return memory_wish(&e->wish, out->mem_flags) ? 0 : -EINVAL;
}

/* The chunk's frames off the domain, onto e->in. */
static int steal(struct exchange *e, uint64_t chunk)
{
	const struct xen_memory_reservation *in = &e->x.in;
	xen_pfn_t mfn;

	for (uint64_t j = 0; j < 1ull << e->in_order; j++) {
		if (!get_guest(&mfn, extent_gva(in, (chunk << e->in_order) + j)))
			return -EFAULT;
		for (uint64_t k = 0; k < 1ull << in->extent_order; k++) {
			struct frame *f = frame_lookup(MFN(mfn + k));

			if (!f || !frame_steal(e->d, f))
				return -EINVAL;
			push(&e->in, f);
		}
	}
	return 0;
}

static int allocate(struct exchange *e)
{
	for (uint64_t j = 0; j < 1ull << e->out_order; j++) {
		struct frame *f = buddy_alloc(e->x.out.extent_order, e->wish.node,
					      e->wish.bits, e->wish.flags);

		if (!f)
			return -ENOMEM;
		push(&e->out, f);
	}
	return 0;
}

static void undo(struct exchange *e)
{
	while (e->out)
		buddy_free(pop(&e->out), e->x.out.extent_order);
	while (e->in) {
		struct frame *f = pop(&e->in);

		if (!frames_unsteal(e->d, f, 1))
			buddy_free(f, 0);
	}
}

static void free_stolen(struct exchange *e)
{
	while (e->in) {
		struct frame *f = pop(&e->in);

		m2p_set(frame_to_mfn(f), GFN(M2P_INVALID));
		buddy_free(f, 0);
	}
}

/* The new extents are the domain's; where it wants them, and where they are. */
static int commit(struct exchange *e, uint64_t chunk)
{
	const struct xen_memory_reservation *out = &e->x.out;
	uint64_t i = chunk << e->out_order, n = 1ull << out->extent_order;
	xen_pfn_t pfn, mfn;
	int rc = 0;

	for (; e->out; i++) {
		struct frame *f = pop(&e->out);

		mfn = frame_to_mfn(f).n;
		if (!get_guest(&pfn, extent_gva(out, i)))
			rc = -EFAULT;
		else
			for (uint64_t k = 0; k < n; k++)
				m2p_set(MFN(mfn + k), GFN(pfn + k));
		if (!frames_unsteal(e->d, f, n))
			buddy_free(f, out->extent_order); /* dying: nobody asks any more */
		else if (!put_guest(extent_gva(out, i), &mfn))
			rc = -EFAULT;
	}
	return rc;
}

static int one_chunk(struct exchange *e, uint64_t chunk)
{
	int rc = steal(e, chunk);

	if (!rc)
		rc = allocate(e);
	if (rc) {
		undo(e);
		return rc;
	}
	free_stolen(e);
	return commit(e, chunk);
}

long memory_exchange(struct op_call *c)
{
	struct exchange e = {.x = *(const struct xen_memory_exchange *)c->arg};
	long rc = check(&e);

	if (!rc)
		rc = memory_target(e.x.in.domid, ACCESS_MEMORY, &e.d);
	if (rc)
		return rc;
	while (!rc && e.x.nr_exchanged < e.x.in.nr_extents) {
		rc = one_chunk(&e, e.x.nr_exchanged >> e.in_order);
		if (rc)
			break;
		e.x.nr_exchanged += 1ull << e.in_order;
		if (e.x.nr_exchanged < e.x.in.nr_extents && preempt_check())
			rc = -ERESTART;
	}
	domain_put(e.d);
	/* How far it came, whatever ended it: a continued call goes on from there. */
	return put_guest(c->gva + offsetof(struct xen_memory_exchange, nr_exchanged),
			 &e.x.nr_exchanged)
		       ? rc
		       : -EFAULT;
}
