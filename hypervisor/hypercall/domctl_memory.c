// SPDX-License-Identifier: GPL-2.0-only
/* domctl: a domain's memory as its tools see it. */
#include "hypervisor/hypercall/control.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/pv/trap.h"

long domctl_max_mem(struct op_call *c)
{
	uint64_t pages = ((struct xen_domctl_max_mem *)c->arg)->max_memkb >> (PAGE_SHIFT - 10);
	struct domain *d = c->d;

	spin_lock(&d->page_lock);
	/* Below what it has is allowed: it gets no more then. */
	d->max_pages = (uint32_t)MIN(pages, (uint64_t)~0u);
	spin_unlock(&d->page_lock);
	return 0;
}

/* ---- types of frames ---- */

#define PAGEINFO_MAX   1024
#define PAGEINFO_BATCH 64

static xen_pfn_t page_info(struct domain *d, xen_pfn_t gfn)
{
	struct frame *f = frame_lookup(d->ops->translate(d, GFN(gfn)));
	uint64_t type, count, info = XEN_DOMCTL_PFINFO_NOTAB;

	if (!f || (READ_ONCE(f->count) & FRAME_HEAP) || !frame_get(f, d))
		return XEN_DOMCTL_PFINFO_XTAB;
	type = READ_ONCE(f->type);
	count = READ_ONCE(f->count);
	if (type & FRAME_TYPE_COUNT_MASK) {
		info = (uint64_t)type_level(type & FRAME_TYPE_MASK)
		       << XEN_DOMCTL_PFINFO_LTAB_SHIFT;
		if (type & FRAME_PINNED)
			info |= XEN_DOMCTL_PFINFO_LPINTAB;
	}
	if (count & FRAME_BROKEN)
		info = XEN_DOMCTL_PFINFO_BROKEN;
	frame_put(f);
	return info;
}

long domctl_getpageframeinfo3(struct op_call *c)
{
	struct xen_domctl_getpageframeinfo3 *p = c->arg;
	xen_pfn_t batch[PAGEINFO_BATCH];
	uint64_t n, i;

	if (p->num > PAGEINFO_MAX)
		return -E2BIG;
	while (p->num) {
		uint64_t gva = handle_gva(p->array);

		n = MIN(p->num, PAGEINFO_BATCH);
		if (copy_from_guest(batch, gva, n * sizeof(batch[0])))
			return -EFAULT;
		for (i = 0; i < n; i++)
			batch[i] = page_info(c->d, batch[i]);
		if (copy_to_guest(gva, batch, n * sizeof(batch[0])))
			return -EFAULT;
		p->num -= n;
		p->array.p += n;
		if (p->num && preempt_check())
			return -ERESTART;
	}
	return 0;
}

/* ---- log-dirty mode ---- */

/*
 * A PV guest's kernel maps all of its memory writable, and its page tables are in use as
 * they are: there is no shadow in which writes could be noticed, and the dirty bits are
 * the guest's. So every page counts as dirty each time, and what is sent is right. The
 * count, by which tools judge whether one more round is worth while, says that it is not.
 */
static long log_dirty_read(struct xen_domctl_shadow_op *s)
{
	uint64_t gva = handle_gva(s->dirty_bitmap), bytes = (s->pages + 7) / 8, done;
	void *ones;
	long rc = 0;

	if (s->pages > max_frame * 2)
		return -EINVAL;
	s->stats.fault_count = s->stats.dirty_count = 0;
	if (!gva)
		return 0;
	ones = heap_pages(0);
	if (!ones)
		return -ENOMEM;
	memset(ones, 0xff, PAGE_SIZE);
	/* A bit a page: of 1 TiB it is 32 MiB. No need to preempt what sends all of that. */
	for (done = 0; done < bytes && !rc; done += PAGE_SIZE)
		if (copy_to_guest(gva + done, ones, MIN(bytes - done, PAGE_SIZE)))
			rc = -EFAULT;
	heap_free(ones, 0);
	return rc;
}

long domctl_shadow_op(struct op_call *c)
{
	struct xen_domctl_shadow_op *s = c->arg;
	uint32_t *on = &c->d->pv_state.shadow_log_dirty;

	if (c->d->dying)
		return -EINVAL;
	switch (s->op) {
	case XEN_DOMCTL_SHADOW_OP_ENABLE:
		if (s->mode != XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY)
			return -EINVAL;
		/* fall through */
	case XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY:
		if (*on)
			return -EINVAL;
		*on = 1;
		return 0;
	case XEN_DOMCTL_SHADOW_OP_OFF:
		*on = 0;
		return 0;
	case XEN_DOMCTL_SHADOW_OP_CLEAN:
	case XEN_DOMCTL_SHADOW_OP_PEEK:
		if (s->mode & ~XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL || !*on)
			return -EINVAL;
		return log_dirty_read(s);
	case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
		s->mb = 0; /* without shadow page tables no memory for them */
		return 0;
	case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
		return s->mb ? -EOPNOTSUPP : 0;
	}
	return -EINVAL;
}

/* ---- ---- */

long domctl_hypercall_init(struct op_call *c)
{
	struct domain *d = c->d;
	uint64_t gmfn = ((struct xen_domctl_hypercall_init *)c->arg)->gmfn;
	struct frame *f = frame_lookup(d->ops->translate(d, GFN(gmfn)));
	void *p;

	if (!f || !frame_get_and_type(f, d, FRAME_WRITABLE))
		return -EINVAL;
	p = map_frame(frame_to_mfn(f));
	hypercall_page_fill(p);
	unmap_frame(p);
	frame_put_and_type(f);
	return 0;
}

/* d->node says where memory is best taken from: one node, or any. */
long domctl_setnodeaffinity(struct op_call *c)
{
	const struct xen_domctl_nodeaffinity *a = c->arg;
	uint64_t nodes;
	long rc = bitmap_from_guest(&nodes, numa_nodes(), &a->nodemap);

	if (rc)
		return rc;
	if (!nodes)
		return -EINVAL;
	c->d->node = nodes & (nodes - 1) ? ANY_NODE : (uint32_t)__builtin_ctzll(nodes);
	return 0;
}

long domctl_getnodeaffinity(struct op_call *c)
{
	const struct xen_domctl_nodeaffinity *a = c->arg;
	uint64_t nodes = c->d->node == ANY_NODE ? ~0ull : 1ull << c->d->node;

	return bitmap_to_guest(&nodes, numa_nodes(), &a->nodemap);
}

/* A PV guest maps device memory itself: that it may is all there is to it. */
long domctl_memory_mapping(struct op_call *c)
{
	const struct xen_domctl_memory_mapping *m = c->arg;
	uint64_t last = m->first_mfn + m->nr_mfns - 1;

	if (last < m->first_mfn || m->first_gfn + m->nr_mfns - 1 < m->first_gfn ||
	    last >> (52 - PAGE_SHIFT))
		return -EINVAL;
	if (!rangeset_contains(current->domain->iomem, m->first_mfn, last) ||
	    !rangeset_contains(c->d->iomem, m->first_mfn, last))
		return -EPERM;
	return 0;
}

/* ---- gdbsx: memory by the guest's linear address ---- */

/* The frame that maps @va, through the tables of @root; 0: none. Entries are read once;
 * the debugger has the domain paused. */
static mfn_t walk(struct domain *d, mfn_t root, uint64_t va)
{
	mfn_t mfn = root;
	unsigned int level;

	for (level = 4; level; level--) {
		struct frame *f = frame_lookup(mfn);
		const uint64_t *table;
		uint64_t e;

		if (!f || !frame_get(f, d))
			return MFN(0);
		table = map_frame(mfn);
		e = READ_ONCE(table[va >> (12 + 9 * (level - 1)) & (PTES_PER_TABLE - 1)]);
		unmap_frame(table);
		frame_put(f);
		if (!(e & PTE_P))
			return MFN(0);
		mfn = pte_mfn(e);
	}
	return mfn;
}

/* Within one page. */
static long debug_copy(struct domain *d, mfn_t mfn, uint64_t offset, uint64_t uva, size_t n,
		       bool write)
{
	struct frame *f = frame_lookup(mfn);
	long rc = 0;
	char *p;

	if (!f || !frame_get(f, d))
		return -EFAULT;
	if (write && frame_get_type(f, FRAME_WRITABLE)) {
		frame_put(f);
		return -EFAULT; /* a page table */
	}
	p = map_frame(mfn);
	if (write ? copy_from_guest(p + offset, uva, n) : copy_to_guest(uva, p + offset, n))
		rc = -EFAULT;
	unmap_frame(p);
	if (write)
		frame_put_and_type(f);
	else
		frame_put(f);
	return rc;
}

long domctl_gdbsx_guestmemio(struct op_call *c)
{
	struct xen_domctl_gdbsx_memio *m = c->arg;
	struct domain *d = c->d;
	struct vcpu *v = domain_vcpu(d, 0);
	mfn_t root;

	m->remain = m->len;
	if (d == current->domain || !v || m->len > (1u << 20))
		return -EINVAL;
	root = m->pgd3val ? maddr_to_mfn(m->pgd3val & PTE_ADDR) : v->pv.kernel_root;
	while (m->remain) {
		uint64_t done = m->len - m->remain, va = m->gva + done;
		size_t n = MIN(m->remain, PAGE_SIZE - (va & ~PAGE_MASK));
		mfn_t mfn = guest_va_ok(va) ? walk(d, root, va) : MFN(0);

		if (!mfn.n || debug_copy(d, mfn, va & ~PAGE_MASK, m->uva + done, n, m->gwr))
			return -EFAULT;
		m->remain -= (uint32_t)n;
	}
	return 0;
}
