// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_mmu_update, update_va_mapping and update_va_mapping_otherdomain. */
#include "hypervisor/lib/perfc.h"
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/hypercall/hypercall.h"

/* ---- lists of requests ---- */

int request_list_begin(struct request_list *l)
{
	if (!(l->count & MMU_UPDATE_PREEMPTED))
		return 0;
	l->count &= ~MMU_UPDATE_PREEMPTED;
	return l->pdone && copy_from_guest(&l->before, l->pdone, sizeof(l->before)) ? -EFAULT : 0;
}

int request_list_fetch(const struct request_list *l, void *to)
{
	size_t n = MIN(l->count - l->done, REQUEST_BATCH) * l->size;

	return copy_from_guest(to, l->at + l->done * l->size, n) ? -EFAULT : 0;
}

long request_list_end(struct request_list *l, unsigned int call, unsigned int foreigndom, long rc)
{
	unsigned int all = l->before + l->done;

	if (l->pdone && copy_to_guest(l->pdone, &all, sizeof(all)) && !rc)
		rc = -EFAULT;
	if (rc == -ERESTART)
		rc = hypercall_continue(call, 4, l->at + l->done * l->size,
					(uint64_t)((l->count - l->done) | MMU_UPDATE_PREEMPTED),
					l->pdone, (uint64_t)foreigndom);
	return rc;
}

/* ---- mmu_update ---- */

struct mmu_call {
	struct domain *pt_owner, *page_owner;
	struct table table; /* of the request before: runs of one table are common */
};

static int machphys_update(struct mmu_call *c, mfn_t mfn, uint64_t gfn)
{
	struct frame *f = frame_lookup(mfn);

	/* Not of devices' frames, which are dom_io's: they are nobody's memory. */
	if (!f || c->page_owner == dom_io || !frame_get(f, c->page_owner))
		return -EINVAL;
	m2p_set(mfn, GFN(gfn));
	frame_put(f);
	return 0;
}

static int mmu_update_one(struct mmu_call *c, const struct mmu_update *req)
{
	unsigned int cmd = req->ptr & 3;
	uint64_t ptr = req->ptr & ~3ull;
	mfn_t mfn = maddr_to_mfn(ptr);

	perfc_incr(mmu_updates);
	if (cmd == MMU_MACHPHYS_UPDATE)
		return machphys_update(c, mfn, req->val);
	if (ptr & 4)
		return -EINVAL;
	if (!c->table.frame || !mfn_eq(frame_to_mfn(c->table.frame), mfn)) {
		int rc;

		table_close(&c->table);
		rc = table_open(&c->table, mfn, c->pt_owner);
		if (rc)
			return rc;
	}
	return table_update(&c->table, (ptr & ~PAGE_MASK) / sizeof(uint64_t), req->val,
			    c->page_owner, cmd == MMU_PT_UPDATE_PRESERVE_AD);
}

static int mmu_call_begin(struct mmu_call *c, unsigned int foreigndom)
{
	unsigned int pfd = foreigndom >> 16;
	int rc;

	c->table.frame = NULL;
	c->pt_owner = table_owner_get(pfd ? pfd - 1 : DOMID_SELF, &rc);
	if (!c->pt_owner)
		return rc;
	c->page_owner = page_owner_get(foreigndom & 0xffff, &rc);
	if (!c->page_owner) {
		page_owner_put(c->pt_owner);
		return rc;
	}
	return 0;
}

long do_mmu_update(uint64_t ureqs, unsigned int count, uint64_t pdone,
		   unsigned int foreigndom)
{
	struct request_list l = {ureqs, pdone, sizeof(struct mmu_update), count, 0, 0};
	struct mmu_call c;
	int rc = request_list_begin(&l);

	if (!rc)
		rc = mmu_call_begin(&c, foreigndom);
	if (rc)
		return rc;
	REQUEST_LIST(rc, &l, struct mmu_update, mmu_update_one(&c, req));
	table_close(&c.table);
	page_owner_put(c.page_owner);
	page_owner_put(c.pt_owner);
	return request_list_end(&l, __HYPERVISOR_mmu_update, foreigndom, rc);
}

/* ---- update_va_mapping ---- */

/* UVMF_*: what to flush, and whose: the low bits, and a bitmap's address in the others.
 */
static int uvmf_flush(const struct domain *d, uint64_t va, uint64_t flags)
{
	uint64_t type = flags & UVMF_FLUSHTYPE_MASK, who = flags & ~UVMF_FLUSHTYPE_MASK;
	struct cpumask set;
	const struct cpumask *mask = &d->dirty_cpus;

	if (type != UVMF_TLB_FLUSH && type != UVMF_INVLPG)
		return 0;
	if (who == UVMF_LOCAL) {
		if (type == UVMF_INVLPG)
			tlb_flush_va_local(va);
		else
			tlb_flush_local();
		return 0;
	}
	if (who != UVMF_ALL) {
		int rc = vcpus_to_cpumask(d, who, &set);

		if (rc)
			return rc;
		mask = &set;
	}
	if (type == UVMF_INVLPG)
		tlb_flush_va_mask(mask, va);
	else
		tlb_flush_mask(mask, false);
	return 0;
}

static long update_va_mapping(uint64_t va, uint64_t val, uint64_t flags,
			      struct domain *page_owner)
{
	mfn_t l1mfn;
	uint64_t *l1e = pv_map_l1e(va, &l1mfn);
	int rc;

	if (!l1e)
		return -EINVAL;
	rc = pv_mod_l1(l1e, val, l1mfn, page_owner, false);
	pv_unmap_l1e(l1e, l1mfn);
	return rc ? rc : uvmf_flush(current->domain, va, flags);
}

long do_update_va_mapping(uint64_t va, uint64_t val, uint64_t flags)
{
	return update_va_mapping(va, val, flags, current->domain);
}

long do_update_va_mapping_otherdomain(uint64_t va, uint64_t val, uint64_t flags,
				      domid_t dom)
{
	struct domain *d;
	int err;
	long rc;

	if (dom == DOMID_IO && !current->domain->control)
		return -EPERM;
	d = page_owner_get(dom, &err);
	if (!d)
		return err;
	rc = update_va_mapping(va, val, flags, d);
	page_owner_put(d);
	return rc;
}
