// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_memory_op: which sub-operation, and the small ones. */
#include "hypervisor/hypercall/memory.h"

#define RESOURCE_BATCH 32

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

bool memory_wish(struct memory_wish *w, unsigned int mem_flags)
{
	unsigned int bits = XENMEMF_get_address_bits(mem_flags);

	w->node = XENMEMF_get_node(mem_flags);
	w->flags = mem_flags & XENMEMF_exact_node_request ? ALLOC_EXACT_NODE : 0;
	/* 2^bits is above all memory: no limit. */
	w->bits = bits < 64 && max_frame << PAGE_SHIFT > 1ull << bits ? bits : 0;
	return !bits || bits > PAGE_SHIFT;
}

static long max_ram_page(struct op_call *c)
{
	(void)c;
	return (long)max_frame;
}

static long query(struct op_call *c)
{
	if (c->cmd == XENMEM_current_reservation)
		return c->d->tot_pages;
	return c->cmd == XENMEM_maximum_reservation ? c->d->max_pages : maximum_gpfn(c->d);
}

/* No populate-on-demand for PV: what `xl mem-set` asks on its way succeeds, and there is
 * never anything in the cache. */
static long pod_target(struct op_call *c)
{
	struct xen_pod_target *t = c->arg;

	if (c->cmd == XENMEM_set_pod_target && t->target_pages > c->d->max_pages)
		return -EINVAL;
	t->tot_pages = c->d->tot_pages;
	t->pod_cache_pages = t->pod_entries = 0;
	return 0;
}

/* No domain has virtual NUMA nodes yet: XEN_DOMCTL_setvnumainfo is not there. */
static long vnuma_info(struct op_call *c)
{
	return ((struct xen_vnuma_topology_info *)c->arg)->pad ? -EINVAL : -EOPNOTSUPP;
}

/* Memory that devices need mapped one to one: an IOMMU's business, and there is none. */
static long reserved_device_memory(struct op_call *c)
{
	struct xen_reserved_device_memory_map *m = c->arg;

	if (m->flags & ~(uint32_t)XENMEM_RDM_ALL)
		return -EINVAL;
	m->nr_entries = 0;
	return 0;
}

/* add_to_physmap and its kin are for guests whose address space we lay out, and no kind of
 * guest here is one. A foreign frame needs the batch's second domain. */
static long add_to_physmap(struct op_call *c)
{
	const struct xen_add_to_physmap *x = c->arg;

	return x->space == XENMAPSPACE_gmfn_foreign ? -ENOSYS : -EACCES;
}

/* ---- XENMEM_acquire_resource: frames of a domain's state, for its tools to map ---- */

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

static long acquire_resource(struct op_call *c)
{
	struct xen_mem_acquire_resource *r = c->arg;
	uint32_t max;

	if (r->pad || (c->start && c->start >= r->nr_frames))
		return -EINVAL;
	if (r->frame >> 32 || (r->frame + r->nr_frames) >> 32)
		return -EINVAL;
	if (c->d == current->domain)
		return -EPERM;
	/* Ioreq servers and vmtrace buffers are HVM's. */
	max = r->type == XENMEM_resource_grant_table ? grant_table_resource_frames(c->d, r->id) : 0;
	if (!max)
		return -EINVAL;
	if (handle_gva(r->frame_list))
		return resource_list(c->d, r, &c->start);
	if (r->nr_frames)
		return -EINVAL;
	r->nr_frames = max;
	return 0;
}

/* ---- the call ---- */

/* Not there: paging_op and sharing_op, as stock built without them. */
static const struct op_def ops[] = {
	[XENMEM_increase_reservation] = {.fn = memory_reservation_op},
	[XENMEM_decrease_reservation] = {.fn = memory_reservation_op},
	[XENMEM_populate_physmap] = {.fn = memory_reservation_op},
	[XENMEM_exchange] = {memory_exchange, OP_IN(struct xen_memory_exchange)},
	[XENMEM_claim_pages] = {memory_claim, OP_IN(struct xen_memory_reservation)},
	[XENMEM_maximum_ram_page] = {.fn = max_ram_page},
#define QUERY OP_IN(struct xen_memory_domain), \
	OP_DOMAIN(struct xen_memory_domain, domid, ACCESS_MEMORY)
	[XENMEM_current_reservation] = {query, QUERY},
	[XENMEM_maximum_reservation] = {query, QUERY},
	[XENMEM_maximum_gpfn] = {query, QUERY},
#undef QUERY
	[XENMEM_add_to_physmap] = {add_to_physmap, OP_IN(struct xen_add_to_physmap),
		OP_DOMAIN(struct xen_add_to_physmap, domid, ACCESS_ANYONE)},
	[XENMEM_add_to_physmap_batch] = {.answer = -EACCES,
		OP_IN(struct xen_add_to_physmap_batch),
		OP_DOMAIN(struct xen_add_to_physmap_batch, domid, ACCESS_ANYONE)},
	[XENMEM_remove_from_physmap] = {.answer = -EACCES, OP_IN(struct xen_remove_from_physmap),
		OP_DOMAIN(struct xen_remove_from_physmap, domid, ACCESS_ANYONE)},
	[XENMEM_memory_map] = {memory_map, OP_INOUT(struct xen_memory_map)},
	[XENMEM_machine_memory_map] = {memory_machine_map, OP_INOUT(struct xen_memory_map),
		.access = ACCESS_PHYSDEV},
	[XENMEM_set_memory_map] = {memory_set_map, OP_IN(struct xen_foreign_memory_map),
		OP_DOMAIN(struct xen_foreign_memory_map, domid, ACCESS_MEMORY)},
	[XENMEM_machphys_mapping] = {memory_machphys_mapping, OP_OUT(struct xen_machphys_mapping)},
	[XENMEM_machphys_mfn_list] = {memory_machphys_list,
		OP_INOUT(struct xen_machphys_mfn_list)},
	/* Of 32-bit PV guests, of which there are none. */
	[XENMEM_machphys_compat_mfn_list] = {.answer = -EOPNOTSUPP},
	[XENMEM_set_pod_target] = {pod_target, OP_INOUT(struct xen_pod_target),
		OP_DOMAIN(struct xen_pod_target, domid, ACCESS_DOMCTL)},
	[XENMEM_get_pod_target] = {pod_target, OP_INOUT(struct xen_pod_target),
		OP_DOMAIN(struct xen_pod_target, domid, ACCESS_MEMORY)},
	[XENMEM_get_vnumainfo] = {vnuma_info, OP_IN(struct xen_vnuma_topology_info),
		OP_DOMAIN(struct xen_vnuma_topology_info, domid, ACCESS_MEMORY)},
	[XENMEM_reserved_device_memory_map] = {reserved_device_memory,
		OP_INOUT(struct xen_reserved_device_memory_map)},
	/* Of HVM guests: stock's answer for a PV domain. */
	[XENMEM_access_op] = {.answer = -EOPNOTSUPP, OP_IN(struct xen_mem_access_op),
		OP_DOMAIN(struct xen_mem_access_op, domid, ACCESS_DOMCTL)},
	[XENMEM_get_sharing_freed_pages] = {.fn = op_nothing},
	[XENMEM_get_sharing_shared_pages] = {.fn = op_nothing},
	[XENMEM_acquire_resource] = {acquire_resource, OP_INOUT(struct xen_mem_acquire_resource),
		OP_DOMAIN(struct xen_mem_acquire_resource, domid, ACCESS_MAP_FOREIGN)},
};

long do_memory_op(uint64_t cmd, uint64_t arg)
{
	struct op_call c = {.cmd = cmd & MEMOP_CMD_MASK, .start = cmd >> MEMOP_EXTENT_SHIFT,
			    .gva = arg};
	long rc;

	/* The others keep their progress, if any, in their arguments. */
	if (c.start && c.cmd != XENMEM_increase_reservation &&
	    c.cmd != XENMEM_decrease_reservation && c.cmd != XENMEM_populate_physmap &&
	    c.cmd != XENMEM_acquire_resource)
		return -EINVAL;
	rc = op_run(ops, ARRAY_SIZE(ops), &c);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_memory_op, 2,
					  c.cmd | c.start << MEMOP_EXTENT_SHIFT, arg);
	return rc;
}
