// SPDX-License-Identifier: GPL-2.0-only
/*
 * GNTTABOP_copy. Both ends stay pinned and mapped from one operation to the next as long
 * as they name the same page, their domains as long as they name the same domain, and
 * until the call ends at the latest.
 */
#include "hypervisor/grant/internal.h"

static void end_release(struct copy_end *e)
{
	if (!e->held)
		return;
	unmap_frame(e->map);
	if (e->by_ref)
		grant_unpin(&e->pin);
	else if (e->write)
		frame_put_and_type(e->frame);
	else
		frame_put(e->frame);
	e->held = false;
}

/* The domain that @e names, with a reference of the end's; false: there is none. */
static bool end_domain(struct copy_end *e, domid_t domid)
{
	if (e->d && e->domid == domid)
		return true;
	if (e->d)
		domain_put(e->d);
	e->domid = domid;
	e->d = domain_get(domid);
	return e->d;
}

static void end_close(struct copy_end *e)
{
	end_release(e);
	if (e->d)
		domain_put(e->d);
	e->d = NULL;
}

/* The caller's own page, by frame number. */
static int16_t end_own_page(struct copy_end *e)
{
	e->frame = frame_lookup(e->d->ops->translate(e->d, GFN(e->name)));
	if (!e->frame || !frame_get(e->frame, e->d))
		return GNTST_bad_page;
	if (e->write && frame_get_type(e->frame, FRAME_WRITABLE)) {
		frame_put(e->frame);
		return GNTST_permission_denied;
	}
	e->start = 0;
	e->length = PAGE_SIZE;
	return GNTST_okay;
}

static int16_t end_granted_page(struct copy_end *e)
{
	int16_t rc = grant_pin(e->d, (grant_ref_t)e->name, current->domain->domid,
			       GRANT_COPY, !e->write, &e->pin);

	e->frame = e->pin.frame;
	e->start = e->pin.start;
	e->length = e->pin.length;
	return rc;
}

static int16_t end_hold(struct copy_end *e, const struct gnttab_copy_ptr *p, bool by_ref)
{
	uint64_t name = by_ref ? p->u.ref : p->u.gmfn;
	int16_t rc;

	if (e->held && e->by_ref == by_ref && e->domid == p->domid && e->name == name)
		return GNTST_okay;
	end_release(e);
	if (!by_ref && p->domid != DOMID_SELF)
		return GNTST_permission_denied;
	e->by_ref = by_ref;
	e->name = name;
	if (!end_domain(e, p->domid))
		return GNTST_bad_domain;
	rc = by_ref ? end_granted_page(e) : end_own_page(e);
	if (rc)
		return rc;
	e->map = map_frame(frame_to_mfn(e->frame));
	e->held = true;
	return GNTST_okay;
}

static bool in_page_range(const struct copy_end *e, uint32_t offset, uint32_t len)
{
	return offset >= e->start && offset + len <= (uint32_t)e->start + e->length;
}

static int16_t copy_one(const struct gnttab_copy *op, struct copy_end *from,
			struct copy_end *to)
{
	int16_t rc;

	if (op->source.offset + (uint32_t)op->len > PAGE_SIZE ||
	    op->dest.offset + (uint32_t)op->len > PAGE_SIZE)
		return GNTST_bad_copy_arg;
	rc = end_hold(from, &op->source, op->flags & GNTCOPY_source_gref);
	if (!rc)
		rc = end_hold(to, &op->dest, op->flags & GNTCOPY_dest_gref);
	if (rc)
		return rc;
	if (!in_page_range(from, op->source.offset, op->len) ||
	    !in_page_range(to, op->dest.offset, op->len))
		return GNTST_general_error;
	/* Both may be one page. */
	memmove(to->map + op->dest.offset, from->map + op->source.offset, op->len);
	return GNTST_okay;
}

long grant_copy_batch(struct grant_batch *b)
{
	struct gnttab_copy *op = (struct gnttab_copy *)b->op;

	b->from.write = false;
	b->to.write = true;
	for (unsigned int i = 0; i < b->n; i++)
		op[i].status = copy_one(&op[i], &b->from, &b->to);
	return 0;
}

void grant_copy_end(struct grant_batch *b)
{
	end_close(&b->to);
	end_close(&b->from);
}
