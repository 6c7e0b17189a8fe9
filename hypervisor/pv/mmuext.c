// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_mmuext_op: pinning, base pointers, flushes, LDT, pages cleared and copied.
 */
#include "hypervisor/lib/perfc.h"
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/lib/rangeset.h"

#define LDT_ENTRIES_MAX  8192
#define RELINQUISH_BATCH 1024 /* frames looked at with the lock held */

/* A general reference to a page that the guest named and @d owns; NULL. */
static struct frame *page_get(uint64_t n, struct domain *d)
{
	struct frame *f = frame_lookup(MFN(n));

	return f && frame_get(f, d) ? f : NULL;
}

/* ---- pinning: a reference of the guest's own, one a frame ---- */

/* Whether the flag was set: whoever clears it drops the pin's references. */
static bool clear_pinned(struct frame *f)
{
	return __atomic_fetch_and(&f->type, ~FRAME_PINNED, __ATOMIC_SEQ_CST) &
	       FRAME_PINNED;
}

static int pin_table(struct domain *d, uint64_t mfn, unsigned int level)
{
	struct frame *f = page_get(mfn, d);
	int rc;

	if (!f)
		return -EINVAL;
	rc = frame_get_type_preemptible(f, level_type(level));
	if (rc) {
		frame_put(f);
		return rc == -EINTR ? -ERESTART : rc;
	}
	if (__atomic_fetch_or(&f->type, FRAME_PINNED, __ATOMIC_SEQ_CST) & FRAME_PINNED) {
		table_put(f);
		return -EINVAL;
	}
	/* Destruction says "dying" before it looks for pinned tables. */
	smp_mb();
	if (unlikely(d->dying) && clear_pinned(f))
		table_put(f);
	return 0;
}

static int unpin_table(struct domain *d, uint64_t mfn)
{
	struct frame *f = page_get(mfn, d);

	if (!f)
		return -EINVAL;
	if (!clear_pinned(f)) {
		frame_put(f);
		return -EINVAL;
	}
	table_put(f);
	frame_put(f);
	return 0;
}

/* ---- pages ---- */

static int copy_or_clear_page(struct domain *d, uint64_t to_mfn, bool copy,
			      uint64_t from_mfn)
{
	struct frame *to, *from = NULL;
	void *p;

	to = page_get(to_mfn, d);
	if (!to)
		return -EINVAL;
	if (frame_get_type(to, FRAME_WRITABLE)) {
		frame_put(to);
		return -EINVAL;
	}
	if (copy) {
		from = page_get(from_mfn, d);
		if (!from) {
			frame_put_and_type(to);
			return -EINVAL;
		}
	}
	p = map_frame(frame_to_mfn(to));
	if (copy) {
		const void *q = map_frame(frame_to_mfn(from));

		memcpy(p, q, PAGE_SIZE);
		unmap_frame(q);
		frame_put(from);
	} else {
		memset(p, 0, PAGE_SIZE);
	}
	unmap_frame(p);
	frame_put_and_type(to);
	return 0;
}

/* ---- flushes ---- */

static void write_back_caches(void *unused)
{
	(void)unused;
	wbinvd();
}

static int flush_caches(const struct domain *d, bool global)
{
	/* Who has no device has no memory that is not cached. */
	if (!d->iomem || rangeset_empty(d->iomem))
		return -EACCES;
	if (global)
		on_cpus(&cpu_online_map, write_back_caches, NULL);
	else
		wbinvd();
	return 0;
}

static int flush_tlb_op(struct domain *d, const struct mmuext_op *op)
{
	uint64_t va = op->arg1.linear_addr;
	const struct cpumask *mask = &d->dirty_cpus;
	struct cpumask set;

	if (op->cmd == MMUEXT_TLB_FLUSH_MULTI || op->cmd == MMUEXT_INVLPG_MULTI) {
		int rc = vcpus_to_cpumask(d, handle_gva(op->arg2.vcpumask), &set);

		if (rc)
			return rc;
		mask = &set;
	}
	switch (op->cmd) {
	case MMUEXT_TLB_FLUSH_LOCAL:
		tlb_flush_local();
		break;
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_TLB_FLUSH_ALL:
		tlb_flush_mask(mask, false);
		break;
	case MMUEXT_INVLPG_LOCAL:
		if (guest_va_ok(va))
			tlb_flush_va_local(va);
		break;
	default:
		if (guest_va_ok(va))
			tlb_flush_va_mask(mask, va);
		break;
	}
	return 0;
}

/* ---- the rest ---- */

static int set_ldt(struct vcpu *v, uint64_t base, uint32_t entries)
{
	if (!entries)
		base = 0;
	if ((base & ~PAGE_MASK) || entries > LDT_ENTRIES_MAX ||
	    (entries && !(guest_va_ok(base) && guest_va_ok(base + entries * 8ul - 1))))
		return -EINVAL;
	if (v->pv.ldt_entries == entries && v->pv.ldt_base == base)
		return 0;
	pv_invalidate_ldt(v);
	v->pv.ldt_base = base;
	v->pv.ldt_entries = entries;
	pv_load_ldt(v);
	return 0;
}

/* Operations on the caller itself. */
static int mmuext_self(const struct mmuext_op *op)
{
	struct vcpu *v = current;

	switch (op->cmd) {
	case MMUEXT_NEW_BASEPTR:
		return pv_new_root(v, MFN(op->arg1.mfn), false);
	case MMUEXT_NEW_USER_BASEPTR:
		return pv_new_root(v, MFN(op->arg1.mfn), true);
	case MMUEXT_TLB_FLUSH_LOCAL:
	case MMUEXT_INVLPG_LOCAL:
	case MMUEXT_TLB_FLUSH_MULTI:
	case MMUEXT_INVLPG_MULTI:
	case MMUEXT_TLB_FLUSH_ALL:
	case MMUEXT_INVLPG_ALL:
		return flush_tlb_op(v->domain, op);
	case MMUEXT_FLUSH_CACHE:
	case MMUEXT_FLUSH_CACHE_GLOBAL:
		return flush_caches(v->domain, op->cmd == MMUEXT_FLUSH_CACHE_GLOBAL);
	case MMUEXT_SET_LDT:
		return set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
	default:
		return -ENOSYS;
	}
}

static int mmuext_one(struct domain *d, const struct mmuext_op *op)
{
	perfc_incr(mmuext_ops);
	switch (op->cmd) {
	case MMUEXT_PIN_L1_TABLE:
	case MMUEXT_PIN_L2_TABLE:
	case MMUEXT_PIN_L3_TABLE:
	case MMUEXT_PIN_L4_TABLE:
		return pin_table(d, op->arg1.mfn, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
	case MMUEXT_UNPIN_TABLE:
		return unpin_table(d, op->arg1.mfn);
	case MMUEXT_CLEAR_PAGE:
		return copy_or_clear_page(d, op->arg1.mfn, false, 0);
	case MMUEXT_COPY_PAGE:
		return copy_or_clear_page(d, op->arg1.mfn, true, op->arg2.src_mfn);
	case MMUEXT_MARK_SUPER:
	case MMUEXT_UNMARK_SUPER:
		return -EOPNOTSUPP; /* superpages are not offered */
	default:
		return d == current->domain ? mmuext_self(op) : -EPERM;
	}
}

long do_mmuext_op(uint64_t uops, unsigned int count, uint64_t pdone,
		  unsigned int foreigndom)
{
	struct request_list l = {uops, pdone, sizeof(struct mmuext_op), count, 0, 0};
	struct domain *d;
	int rc = request_list_begin(&l);

	if (rc)
		return rc;
	d = foreigndom >> 16 ? NULL : table_owner_get((domid_t)foreigndom, &rc);
	if (!d)
		return foreigndom >> 16 ? -ESRCH : rc;
	REQUEST_LIST(rc, &l, struct mmuext_op, mmuext_one(d, req));
	page_owner_put(d);
	return request_list_end(&l, __HYPERVISOR_mmuext_op, foreigndom, rc);
}

/* ---- destruction ---- */

/*
 * The next frame after @f (NULL: the first) in @d's list that is pinned or partial, or
 * just one to rest at; with a reference. NULL at the end.
 */
static struct frame *list_next(struct domain *d, const struct frame *f)
{
	struct frame *next = NULL;
	unsigned int passed = 0;
	uint32_t n;

	spin_lock(&d->page_lock);
	for (n = f ? f->next : d->first_page; n; n = next->next) {
		next = mfn_to_frame(MFN(n));
		if (!(READ_ONCE(next->type) & (FRAME_PINNED | FRAME_PARTIAL)) &&
		    ++passed < RELINQUISH_BATCH)
			continue;
		/* One whose last reference is gone waits for this lock to leave the list.
		 */
		if (frame_get_again(next))
			break;
	}
	spin_unlock(&d->page_lock);
	return n ? next : NULL;
}

int pv_relinquish_page_tables(struct domain *d)
{
	struct frame *f = d->pv_state.relinquish_at;
	struct vcpu *v;
	unsigned int i;
	int rc;

	for_each_vcpu(d, v, i)
	{
		rc = pv_drop_roots(v);
		if (rc)
			return rc;
	}
	if (!f)
		f = list_next(d, NULL);
	while (f) {
		struct frame *next;

		rc = 0;
		if (clear_pinned(f)) {
			rc = frame_put_type_preemptible(f);
			frame_put(f);
		}
		if (rc != -ERESTART)
			rc = frame_finish_put(f);
		if (rc != -ERESTART && preempt_check())
			rc = -ERESTART;
		if (rc == -ERESTART) {
			d->pv_state.relinquish_at = f;
			return rc;
		}
		next = list_next(d, f);
		frame_put(f);
		f = next;
	}
	d->pv_state.relinquish_at = NULL;
	return 0;
}
