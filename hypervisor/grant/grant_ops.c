// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_grant_table_op: sizes, versions, frames; and the way to map, unmap and copy.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/grant/internal.h"
#include "hypervisor/hypercall/hypercall.h"

#define CACHE_LINE 64

struct domain *grant_domain_for(domid_t domid, int16_t *status)
{
	struct domain *d = domain_get(domid);

	*status = GNTST_bad_domain;
	if (!d)
		return NULL;
	*status = GNTST_permission_denied;
	if ((d == current->domain || !access_check(ACCESS_GRANT_FOR, d)) &&
	    d->grant_table) {
		*status = GNTST_okay;
		return d;
	}
	domain_put(d);
	return NULL;
}

/* ---- frames ---- */

static int16_t setup_table(struct domain *d, const struct gnttab_setup_table *op)
{
	struct grant_table *t = d->grant_table;
	int16_t rc = GNTST_okay;

	write_lock(&t->lock);
	if (op->nr_frames > t->nr_frames && grant_grow(t, op->nr_frames))
		rc = GNTST_general_error;
	write_unlock(&t->lock);
	/* Frames once there stay. */
	for (uint32_t i = 0; i < op->nr_frames && !rc; i++) {
		xen_pfn_t n = virt_to_mfn(t->shared[index_nospec(i, t->nr_frames)]).n;

		if (!put_guest(handle_gva(op->frame_list) + i * sizeof(n), &n))
			rc = GNTST_bad_virt_addr;
	}
	return rc;
}

static long op_setup_table(uint64_t uop, unsigned int count)
{
	struct gnttab_setup_table op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (!get_guest(&op, uop))
		return -EFAULT;
	d = grant_domain_for(op.dom, &op.status);
	if (d) {
		op.status = setup_table(d, &op);
		domain_put(d);
	}
	return put_guest(uop, &op) ? 0 : -EFAULT;
}

static int16_t status_frames(struct domain *d, const struct gnttab_get_status_frames *op)
{
	struct grant_table *t = d->grant_table;
	uint32_t nr;

	read_lock(&t->lock);
	nr = t->version == 2 ? t->nr_status : 0;
	read_unlock(&t->lock);
	if (op->nr_frames > nr)
		return GNTST_general_error;
	for (uint32_t i = 0; i < op->nr_frames; i++) {
		uint64_t n = virt_to_mfn(t->status[index_nospec(i, nr)]).n;

		if (!put_guest(handle_gva(op->frame_list) + i * sizeof(n), &n))
			return GNTST_bad_virt_addr;
	}
	return GNTST_okay;
}

static long op_get_status_frames(uint64_t uop, unsigned int count)
{
	struct gnttab_get_status_frames op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (!get_guest(&op, uop))
		return -EFAULT;
	d = grant_domain_for(op.dom, &op.status);
	if (d) {
		op.status = status_frames(d, &op);
		domain_put(d);
	}
	return put_guest(uop, &op) ? 0 : -EFAULT;
}

/* ---- sizes and versions ---- */

static long op_query_size(uint64_t uop, unsigned int count)
{
	struct gnttab_query_size op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (!get_guest(&op, uop))
		return -EFAULT;
	d = grant_domain_for(op.dom, &op.status);
	if (d) {
		op.nr_frames = READ_ONCE(d->grant_table->nr_frames);
		op.max_nr_frames = d->grant_table->max_frames;
		domain_put(d);
	}
	return put_guest(uop, &op) ? 0 : -EFAULT;
}

static long op_set_version(uint64_t uop)
{
	struct grant_table *t = current->domain->grant_table;
	struct gnttab_set_version op;
	int rc;

	if (!get_guest(&op, uop))
		return -EFAULT;
	rc = grant_set_version(t, op.version);
	op.version = READ_ONCE(t->version);
	return put_guest(uop, &op) ? rc : -EFAULT;
}

static long op_get_version(uint64_t uop)
{
	struct gnttab_get_version op;
	struct domain *d;
	int16_t status;

	if (!get_guest(&op, uop))
		return -EFAULT;
	d = grant_domain_for(op.dom, &status);
	if (!d)
		return status == GNTST_bad_domain ? -ESRCH : -EPERM;
	op.version = READ_ONCE(d->grant_table->version);
	domain_put(d);
	return put_guest(uop, &op) ? 0 : -EFAULT;
}

/* ---- entries ---- */

static void swap_entries(struct grant_table *t, grant_ref_t a, grant_ref_t b)
{
	if (t->version == 2) {
		union grant_entry_v2 tmp = *entry_v2(t, a);

		*entry_v2(t, a) = *entry_v2(t, b);
		*entry_v2(t, b) = tmp;
	} else {
		struct grant_entry_v1 tmp = *entry_v1(t, a);

		*entry_v1(t, a) = *entry_v1(t, b);
		*entry_v1(t, b) = tmp;
	}
}

static int16_t swap_refs(struct grant_table *t, grant_ref_t a, grant_ref_t b)
{
	struct active_entry *first, *second;
	int16_t rc = GNTST_bad_gntref;

	write_lock(&t->lock); /* nobody pins or unpins meanwhile */
	if (a < nr_entries(t) && b < nr_entries(t)) {
		a = (grant_ref_t)index_nospec(a, nr_entries(t));
		b = (grant_ref_t)index_nospec(b, nr_entries(t));
		first = active_entry(t, a);
		second = active_entry(t, b);
		rc = GNTST_eagain;
		if (!first->readers && !first->writers && !second->readers &&
		    !second->writers) {
			rc = GNTST_okay;
			if (a != b)
				swap_entries(t, a, b);
		}
	}
	write_unlock(&t->lock);
	return rc;
}

static long swap_list(uint64_t uop, unsigned int count, unsigned int *done)
{
	struct gnttab_swap_grant_ref op;

	for (*done = 0; *done < count; ++*done) {
		uint64_t at = uop + *done * sizeof(op);

		if (*done && preempt_check())
			return -ERESTART;
		if (!get_guest(&op, at))
			return -EFAULT;
		op.status = swap_refs(current->domain->grant_table, op.ref_a, op.ref_b);
		if (!put_guest(at, &op))
			return -EFAULT;
	}
	return 0;
}

/* ---- caches ---- */

/* Whether the caller has @mfn of @rd's mapped by grant. */
static bool is_mapped(const struct domain *ld, struct domain *rd, mfn_t mfn)
{
	struct grant_table *t = rd->grant_table;
	bool found = false;

	if (!t)
		return false;
	read_lock(&t->lock);
	for (uint32_t i = 0; i < nr_entries(t) && !found; i++) {
		const struct active_entry *a = active_entry(t, i);

		found = (READ_ONCE(a->readers) || READ_ONCE(a->writers)) &&
			a->mfn == mfn.n && a->domid == ld->domid;
	}
	read_unlock(&t->lock);
	return found;
}

static int cache_flush(const struct gnttab_cache_flush *op)
{
	struct domain *ld = current->domain, *owner;
	mfn_t mfn = maddr_to_mfn(op->a.dev_bus_addr);
	struct frame *f;
	int rc = 0;

	if (op->offset >= PAGE_SIZE || op->length > PAGE_SIZE ||
	    op->offset + op->length > PAGE_SIZE)
		return -EINVAL;
	if (!op->length || !op->op)
		return 0;
	if (op->op & GNTTAB_CACHE_SOURCE_GREF)
		return -EOPNOTSUPP; /* nor does stock */
	if (op->op & ~(GNTTAB_CACHE_CLEAN | GNTTAB_CACHE_INVAL) || !mfn_valid(mfn))
		return -EINVAL;
	f = mfn_to_frame(MFN(index_nospec(mfn.n, max_frame)));
	owner = frame_owner(f);
	if (!owner || !frame_get(f, owner))
		return -EPERM;
	/* The owner of memory is there as long as the memory is; not so of a page of
	 * ours. */
	if (owner != ld &&
	    (READ_ONCE(f->count) & FRAME_HEAP || !is_mapped(ld, owner, mfn)))
		rc = -EINVAL;
	if (!rc) {
		const char *p = map_frame(mfn),
			   *line = p + op->offset / CACHE_LINE * CACHE_LINE;

		for (; line < p + op->offset + op->length; line += CACHE_LINE)
			clflush(line);
		unmap_frame(p);
	}
	frame_put(f);
	return rc;
}

static long cache_flush_list(uint64_t uop, unsigned int count, unsigned int *done)
{
	struct gnttab_cache_flush op;

	for (*done = 0; *done < count; ++*done) {
		int rc;

		if (*done && preempt_check())
			return -ERESTART;
		if (!get_guest(&op, uop + *done * sizeof(op)))
			return -EFAULT;
		rc = cache_flush(&op);
		if (rc)
			return rc;
	}
	return 0;
}

/* ---- the rest ---- */

/* Ownership of pages is not transferred: nothing of today's uses it, and the frame stays
 * the caller's. */
static long transfer_list(uint64_t uop, unsigned int count, unsigned int *done)
{
	struct gnttab_transfer op;

	for (*done = 0; *done < count; ++*done) {
		uint64_t at = uop + *done * sizeof(op);

		if (*done && preempt_check())
			return -ERESTART;
		if (!get_guest(&op, at))
			return -EFAULT;
		op.status = GNTST_general_error;
		if (!put_guest(at, &op))
			return -EFAULT;
	}
	return 0;
}

static long op_dump_table(uint64_t uop, unsigned int count)
{
	struct gnttab_dump_table op;
	struct domain *d;

	if (count != 1)
		return -EINVAL;
	if (!get_guest(&op, uop))
		return -EFAULT;
	op.status = GNTST_permission_denied;
	d = current->domain->control ? grant_domain_for(op.dom, &op.status) : NULL;
	if (d) {
		grant_table_dump(d);
		domain_put(d);
	}
	return put_guest(uop, &op) ? 0 : -EFAULT;
}

static long grant_list_op(unsigned int cmd, uint64_t uop, unsigned int count,
			  unsigned int *done, size_t *size)
{
	switch (cmd) {
	case GNTTABOP_map_grant_ref:
		*size = sizeof(struct gnttab_map_grant_ref);
		return grant_map_list(uop, count, done);
	case GNTTABOP_unmap_grant_ref:
	case GNTTABOP_unmap_and_replace:
		*size = sizeof(struct gnttab_unmap_grant_ref);
		return grant_unmap_list(uop, count, cmd == GNTTABOP_unmap_and_replace,
					done);
	case GNTTABOP_copy:
		*size = sizeof(struct gnttab_copy);
		return grant_copy_list(uop, count, done);
	case GNTTABOP_swap_grant_ref:
		*size = sizeof(struct gnttab_swap_grant_ref);
		return swap_list(uop, count, done);
	case GNTTABOP_cache_flush:
		*size = sizeof(struct gnttab_cache_flush);
		return cache_flush_list(uop, count, done);
	case GNTTABOP_transfer:
		*size = sizeof(struct gnttab_transfer);
		return transfer_list(uop, count, done);
	default:
		return -ENOSYS;
	}
}

long do_grant_table_op(unsigned int cmd, uint64_t uop, unsigned int count)
{
	unsigned int done = 0;
	size_t size = 0;
	long rc;

	if ((int)count < 0)
		return -EINVAL;
	if (!current->domain->grant_table)
		return -ENOSYS;
	switch (cmd) {
	case GNTTABOP_setup_table:
		return op_setup_table(uop, count);
	case GNTTABOP_query_size:
		return op_query_size(uop, count);
	case GNTTABOP_set_version:
		return count == 1 ? op_set_version(uop) : -EINVAL;
	case GNTTABOP_get_version:
		return count == 1 ? op_get_version(uop) : -EINVAL;
	case GNTTABOP_get_status_frames:
		return op_get_status_frames(uop, count);
	case GNTTABOP_dump_table:
		return op_dump_table(uop, count);
	default:
		break;
	}
	rc = grant_list_op(cmd, uop, count, &done, &size);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_grant_table_op, 3, (uint64_t)cmd,
					  uop + done * size, (uint64_t)(count - done));
	return rc;
}
