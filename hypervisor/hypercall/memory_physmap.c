// SPDX-License-Identifier: GPL-2.0-only
/*
 * XENMEM_add_to_physmap(_batch) and remove_from_physmap: for guests whose address space we
 * lay out, which a PV guest's is not. XENMEM_acquire_resource: frames that belong to a
 * domain's state, for its tools to map.
 */
#include "hypervisor/hypercall/memory.h"

#define RESOURCE_BATCH 32

/* Stock's order of checks; no kind of guest here has a translated address space. */
static long physmap_check(domid_t domid)
{
	struct domain *d = domain_get(domid);
	long rc;

	if (!d)
		return -ESRCH;
	rc = d->ops->translate == pv_guest_ops.translate ? -EACCES
	     : access_check(ACCESS_MEMORY, d)		 ? -EPERM
							 : -EOPNOTSUPP;
	domain_put(d);
	return rc;
}

long memory_add_to_physmap(uint64_t arg)
{
	struct xen_add_to_physmap x;

	if (!get_guest(&x, arg))
		return -EFAULT;
	/* A foreign frame needs the batch's second domain. */
	if (x.space == XENMAPSPACE_gmfn_foreign)
		return -ENOSYS;
	return physmap_check(x.domid);
}

long memory_add_to_physmap_batch(uint64_t arg)
{
	struct xen_add_to_physmap_batch x;

	if (!get_guest(&x, arg))
		return -EFAULT;
	return physmap_check(x.domid);
}

long memory_remove_from_physmap(uint64_t arg)
{
	struct xen_remove_from_physmap x;

	if (!get_guest(&x, arg))
		return -EFAULT;
	return physmap_check(x.domid);
}

static uint32_t resource_frames(struct domain *d, const struct xen_mem_acquire_resource *r)
{
	switch (r->type) {
	case XENMEM_resource_grant_table:
		return grant_table_resource_frames(d, r->id);
	default: /* ioreq servers and vmtrace buffers are HVM's */
		return 0;
	}
}

/* Frames [done, nr_frames) of the request, a batch at a time. Progress in *done. */
static long resource_list(struct domain *d, const struct xen_mem_acquire_resource *r,
			  uint64_t *done)
{
	xen_pfn_t pfn[RESOURCE_BATCH];
	mfn_t mfn[RESOURCE_BATCH];
	long rc;

	while (*done < r->nr_frames) {
		uint32_t n = (uint32_t)MIN(r->nr_frames - *done, RESOURCE_BATCH);

		rc = grant_table_acquire(d, r->id, (uint32_t)(r->frame + *done), n, mfn);
		if (rc < 0)
			return rc;
		for (uint32_t i = 0; i < n; i++)
			pfn[i] = mfn[i].n;
		if (copy_to_guest(handle_gva(r->frame_list) + *done * sizeof(pfn[0]), pfn,
				  n * sizeof(pfn[0])))
			return -EFAULT;
		*done += n;
		if (*done < r->nr_frames && preempt_check())
			return -ERESTART;
	}
	return 0;
}

static long acquire(struct domain *d, struct xen_mem_acquire_resource *r, uint64_t *done,
		    uint64_t arg)
{
	uint32_t max;

	if (d == current->domain)
		return -EPERM;
	if (access_check(ACCESS_MAP_FOREIGN, d))
		return -EPERM;
	max = resource_frames(d, r);
	if (!max)
		return -EINVAL;
	if (!handle_gva(r->frame_list)) {
		if (r->nr_frames)
			return -EINVAL;
		r->nr_frames = max;
		return put_guest(arg + offsetof(struct xen_mem_acquire_resource, nr_frames),
				 &r->nr_frames)
			       ? 0
			       : -EFAULT;
	}
	return resource_list(d, r, done);
}

long memory_acquire_resource(uint64_t start, uint64_t arg)
{
	struct xen_mem_acquire_resource r;
	struct domain *d;
	long rc;

	if (!get_guest(&r, arg))
		return -EFAULT;
	if (r.pad || (start && start >= r.nr_frames))
		return -EINVAL;
	if (r.frame >> 32 || (r.frame + r.nr_frames) >> 32)
		return -EINVAL;
	d = domain_get(r.domid);
	if (!d)
		return -ESRCH;
	rc = acquire(d, &r, &start, arg);
	domain_put(d);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_memory_op, 2,
					  XENMEM_acquire_resource | start << MEMOP_EXTENT_SHIFT,
					  arg);
	return rc;
}
