// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_grant_table_op: sizes, versions, frames; and the way to map, unmap and copy.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/grant/internal.h"
#include "hypervisor/hypercall/op.h"

#define CACHE_LINE 64

/* The domain that @domid names, with a reference, if the caller may act for it: NULL and
 * a GNTST_* in *status. */
static struct domain *domain_for(domid_t domid, int16_t *status)
{
	struct domain *d = domain_get(domid);

	*status = GNTST_bad_domain;
	if (!d)
		return NULL;
	*status = GNTST_permission_denied;
	if (!access_check(ACCESS_GRANT_FOR, d) && d->grant_table) {
		*status = GNTST_okay;
		return d;
	}
	domain_put(d);
	return NULL;
}

/* ---- one operation a call ---- */

/* @n frame numbers, of pages that stay once they are there. */
static int16_t put_frames(uint64_t gva, void *const *page, uint32_t n, uint32_t limit)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t mfn = virt_to_mfn(page[index_nospec(i, limit)]).n;

		if (!put_guest(gva + i * sizeof(mfn), &mfn))
			return GNTST_bad_virt_addr;
	}
	return GNTST_okay;
}

static long op_setup_table(struct op_call *c)
{
	struct gnttab_setup_table *op = c->arg;
	struct domain *d = domain_for(op->dom, &op->status);
	struct grant_table *t;
	int rc = 0;

	if (!d)
		return 0;
	t = d->grant_table;
	write_lock(&t->lock);
	if (op->nr_frames > t->nr_frames)
		rc = grant_grow(t, op->nr_frames);
	write_unlock(&t->lock);
	op->status = rc ? GNTST_general_error
			: put_frames(handle_gva(op->frame_list), t->shared, op->nr_frames,
				     t->nr_frames);
	domain_put(d);
	return 0;
}

static long op_get_status_frames(struct op_call *c)
{
	struct gnttab_get_status_frames *op = c->arg;
	struct domain *d = domain_for(op->dom, &op->status);
	struct grant_table *t;
	uint32_t nr;

	if (!d)
		return 0;
	t = d->grant_table;
	read_lock(&t->lock);
	nr = t->version == 2 ? t->nr_status : 0;
	read_unlock(&t->lock);
	op->status = op->nr_frames > nr
			     ? GNTST_general_error
			     : put_frames(handle_gva(op->frame_list), (void **)t->status,
					  op->nr_frames, nr);
	domain_put(d);
	return 0;
}

static long op_query_size(struct op_call *c)
{
	struct gnttab_query_size *op = c->arg;
	struct domain *d = domain_for(op->dom, &op->status);

	if (d) {
		op->nr_frames = READ_ONCE(d->grant_table->nr_frames);
		op->max_nr_frames = d->grant_table->max_frames;
		domain_put(d);
	}
	return 0;
}

/* Whatever comes of it, the caller is told the version there is. */
static long op_set_version(struct op_call *c)
{
	struct grant_table *t = c->d->grant_table;
	struct gnttab_set_version *op = c->arg;
	int rc = grant_set_version(t, op->version);

	op->version = READ_ONCE(t->version);
	return put_guest(c->gva, op) ? rc : -EFAULT;
}

static long op_get_version(struct op_call *c)
{
	struct gnttab_get_version *op = c->arg;

	if (!c->d->grant_table)
		return -EPERM;
	op->version = READ_ONCE(c->d->grant_table->version);
	return 0;
}

static const struct op_def single_ops[] = {
	[GNTTABOP_setup_table] = {op_setup_table, OP_INOUT(struct gnttab_setup_table)},
	[GNTTABOP_query_size] = {op_query_size, OP_INOUT(struct gnttab_query_size)},
	[GNTTABOP_set_version] = {op_set_version, OP_IN(struct gnttab_set_version)},
	[GNTTABOP_get_status_frames] = {op_get_status_frames,
		OP_INOUT(struct gnttab_get_status_frames)},
	[GNTTABOP_get_version] = {op_get_version, OP_INOUT(struct gnttab_get_version),
		OP_DOMAIN(struct gnttab_get_version, dom, ACCESS_GRANT_FOR)},
};

/* ---- arrays of operations ---- */

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
	int16_t rc = GNTST_bad_gntref;

	write_lock(&t->lock); /* nobody pins or unpins meanwhile */
	if (a < nr_entries(t) && b < nr_entries(t)) {
		a = (grant_ref_t)index_nospec(a, nr_entries(t));
		b = (grant_ref_t)index_nospec(b, nr_entries(t));
		rc = GNTST_eagain;
		if (!grant_pinned(active_entry(t, a)) && !grant_pinned(active_entry(t, b))) {
			rc = GNTST_okay;
			swap_entries(t, a, b);
		}
	}
	write_unlock(&t->lock);
	return rc;
}

static long swap_batch(struct grant_batch *b)
{
	struct gnttab_swap_grant_ref *op = (struct gnttab_swap_grant_ref *)b->op;

	for (unsigned int i = 0; i < b->n; i++)
		op[i].status = swap_refs(current->domain->grant_table, op[i].ref_a, op[i].ref_b);
	return 0;
}

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

		found = grant_pinned(a) && a->what.frame == mfn.n && a->domid == ld->domid;
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

static long cache_flush_batch(struct grant_batch *b)
{
	const struct gnttab_cache_flush *op = (const struct gnttab_cache_flush *)b->op;
	long rc = 0;

	for (unsigned int i = 0; i < b->n && !rc; i++)
		rc = cache_flush(&op[i]);
	return rc;
}

/* Ownership of pages is not transferred: nothing of today's uses it, and the frame stays
 * the caller's. */
static long transfer_batch(struct grant_batch *b)
{
	struct gnttab_transfer *op = (struct gnttab_transfer *)b->op;

	for (unsigned int i = 0; i < b->n; i++)
		op[i].status = GNTST_general_error;
	return 0;
}

static const struct list_def {
	long (*fn)(struct grant_batch *b);
	uint8_t size;
	bool silent; /* no status in the operations: the first error ends the call */
} list_ops[] = {
#define LIST(name, batch, type)                                                          \
	[GNTTABOP_##name] = {.fn = (batch), .size = sizeof(struct gnttab_##type)}
	LIST(map_grant_ref, grant_map_batch, map_grant_ref),
	LIST(unmap_grant_ref, grant_unmap_batch, unmap_grant_ref),
	LIST(unmap_and_replace, grant_unmap_batch, unmap_and_replace),
	LIST(copy, grant_copy_batch, copy),
	LIST(swap_grant_ref, swap_batch, swap_grant_ref),
	LIST(transfer, transfer_batch, transfer),
	[GNTTABOP_cache_flush] = {.fn = cache_flush_batch, .silent = true,
		.size = sizeof(struct gnttab_cache_flush)},
#undef LIST
};

/* As many as can be done at a time; *done counts. -ERESTART: go on later. */
static long run_list(const struct list_def *l, struct grant_batch *b, uint64_t uop,
		     unsigned int count, unsigned int *done)
{
	while (*done < count) {
		uint64_t at = uop + *done * (uint64_t)l->size;
		long rc;

		b->n = MIN(count - *done, GRANT_BATCH_BYTES / (unsigned int)l->size);
		if (copy_from_guest(b->op, at, b->n * l->size))
			return -EFAULT;
		rc = l->fn(b);
		if (rc)
			return rc;
		*done += b->n;
		if (!l->silent && copy_to_guest(at, b->op, b->n * l->size))
			return -EFAULT;
		if (*done < count && preempt_check())
			return -ERESTART;
	}
	return 0;
}

long do_grant_table_op(unsigned int cmd, uint64_t uop, unsigned int count)
{
	struct op_call call = {.cmd = cmd, .gva = uop};
	const struct list_def *list;
	struct grant_batch b;
	unsigned int done = 0;
	long rc;

	if ((int)count < 0)
		return -EINVAL;
	if (!current->domain->grant_table)
		return -ENOSYS;
	if (cmd < ARRAY_SIZE(single_ops) &&
	    single_ops[index_nospec(cmd, ARRAY_SIZE(single_ops))].fn)
		return count == 1 ? op_run(single_ops, ARRAY_SIZE(single_ops), &call) : -EINVAL;
	if (cmd >= ARRAY_SIZE(list_ops))
		return -ENOSYS;
	list = &list_ops[index_nospec(cmd, ARRAY_SIZE(list_ops))];
	if (!list->fn)
		return -ENOSYS;
	b.cmd = cmd;
	b.from.held = b.to.held = false;
	b.from.d = b.to.d = NULL;
	rc = run_list(list, &b, uop, count, &done);
	grant_copy_end(&b);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_grant_table_op, 3, (uint64_t)cmd,
					  uop + done * (uint64_t)list->size,
					  (uint64_t)(count - done));
	return rc;
}
