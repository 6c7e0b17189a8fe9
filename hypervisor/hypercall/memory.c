// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_memory_op: which sub-operation, and the small ones. */
#include "hypervisor/hypercall/memory.h"

unsigned int memory_max_order(void)
{
	const struct domain *d = current->domain;

	return d->control ? 18 : d->hardware ? 12 : 9;
}

int memory_target(domid_t domid, enum access what, struct domain **out)
{
	struct domain *d = domain_get(domid);

	if (!d)
		return -ESRCH;
	if (access_check(what, d)) {
		domain_put(d);
		return -EPERM;
	}
	*out = d;
	return 0;
}

static long maximum_gpfn(const struct domain *d)
{
	uint64_t max_pfn;

	if (!d->pv)
		return (long)d->max_gfn;
	max_pfn = READ_ONCE(d->shared_info->arch.max_pfn);
	return max_pfn ? (long)max_pfn - 1 : 0;
}

static long query(unsigned int op, uint64_t arg)
{
	struct xen_memory_domain q;
	struct domain *d;
	long rc;

	if (!get_guest(&q, arg))
		return -EFAULT;
	rc = memory_target(q.domid, ACCESS_MEMORY, &d);
	if (rc)
		return rc;
	if (op == XENMEM_current_reservation)
		rc = d->tot_pages;
	else if (op == XENMEM_maximum_reservation)
		rc = d->max_pages;
	else
		rc = maximum_gpfn(d);
	domain_put(d);
	return rc;
}

/* No populate-on-demand for PV: what `xl mem-set` asks on its way succeeds, and there is
 * never anything in the cache. */
static long pod_target(bool set, uint64_t arg)
{
	struct xen_pod_target t;
	struct domain *d;
	long rc;

	if (!get_guest(&t, arg))
		return -EFAULT;
	rc = memory_target(t.domid, set ? ACCESS_DOMCTL : ACCESS_MEMORY, &d);
	if (rc)
		return rc;
	if (set && t.target_pages > d->max_pages) {
		rc = -EINVAL;
	} else {
		t.tot_pages = d->tot_pages;
		t.pod_cache_pages = t.pod_entries = 0;
		rc = put_guest(arg, &t) ? 0 : -EFAULT;
	}
	domain_put(d);
	return rc;
}

/* No domain has virtual NUMA nodes yet: XEN_DOMCTL_setvnumainfo is not there. */
static long vnuma_info(uint64_t arg)
{
	struct xen_vnuma_topology_info t;
	struct domain *d;
	long rc;

	if (!get_guest(&t, arg))
		return -EFAULT;
	if (t.pad)
		return -EINVAL;
	rc = memory_target(t.domid, ACCESS_MEMORY, &d);
	if (rc)
		return rc;
	domain_put(d);
	return -EOPNOTSUPP;
}

/* Memory that devices need mapped one to one: an IOMMU's business, and there is none. */
static long reserved_device_memory(uint64_t arg)
{
	struct xen_reserved_device_memory_map m;

	if (!get_guest(&m, arg))
		return -EFAULT;
	if (m.flags & ~(uint32_t)XENMEM_RDM_ALL)
		return -EINVAL;
	m.nr_entries = 0;
	return put_guest(arg, &m) ? 0 : -EFAULT;
}

/* Of HVM guests: stock's answer for a PV domain. */
static long access_op(uint64_t arg)
{
	struct xen_mem_access_op op;
	struct domain *d;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	rc = memory_target(op.domid, ACCESS_DOMCTL, &d);
	if (rc)
		return rc;
	domain_put(d);
	return -EOPNOTSUPP;
}

long do_memory_op(uint64_t cmd, uint64_t arg)
{
	unsigned int op = cmd & MEMOP_CMD_MASK;
	uint64_t start = cmd >> MEMOP_EXTENT_SHIFT;

	switch (op) {
	case XENMEM_increase_reservation:
	case XENMEM_decrease_reservation:
	case XENMEM_populate_physmap:
		return memory_reservation_op(op, start, arg);
	case XENMEM_acquire_resource:
		return memory_acquire_resource(start, arg);
	}
	/* The others keep their progress, if any, in their arguments. */
	if (start)
		return -EINVAL;
	switch (op) {
	case XENMEM_exchange:
		return memory_exchange(arg);
	case XENMEM_maximum_ram_page:
		return (long)max_frame;
	case XENMEM_current_reservation:
	case XENMEM_maximum_reservation:
	case XENMEM_maximum_gpfn:
		return query(op, arg);
	case XENMEM_add_to_physmap:
		return memory_add_to_physmap(arg);
	case XENMEM_add_to_physmap_batch:
		return memory_add_to_physmap_batch(arg);
	case XENMEM_remove_from_physmap:
		return memory_remove_from_physmap(arg);
	case XENMEM_memory_map:
		return memory_map(arg);
	case XENMEM_machine_memory_map:
		return memory_machine_map(arg);
	case XENMEM_set_memory_map:
		return memory_set_map(arg);
	case XENMEM_machphys_mapping:
		return memory_machphys_mapping(arg);
	case XENMEM_machphys_mfn_list:
		return memory_machphys_list(arg);
	case XENMEM_claim_pages:
		return memory_claim(arg);
	case XENMEM_set_pod_target:
	case XENMEM_get_pod_target:
		return pod_target(op == XENMEM_set_pod_target, arg);
	case XENMEM_get_vnumainfo:
		return vnuma_info(arg);
	case XENMEM_reserved_device_memory_map:
		return access_check(ACCESS_PHYSDEV, NULL) ? -EPERM : reserved_device_memory(arg);
	case XENMEM_access_op:
		return access_op(arg);
	case XENMEM_get_sharing_freed_pages:
	case XENMEM_get_sharing_shared_pages:
		return 0;
	default:
		/* Also paging_op and sharing_op, as stock built without them; the M2P of
		 * 32-bit PV guests, of which there are none. */
		return -ENOSYS;
	}
}
