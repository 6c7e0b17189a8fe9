// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_domctl: what each operation is, and the life of domains. */
#include "hypervisor/cpu/policy.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/lib/trace.h"
#include "hypervisor/mm/mm.h"

struct domain *domain_from(domid_t domid)
{
	struct domain *d = domain_next(NULL);

	while (d && d->domid < domid)
		d = domain_next(d);
	return d;
}

/* What lingers after its destruction is still there to be looked at. */
struct domain *domain_find(domid_t domid)
{
	struct domain *d;

	if (domid >= DOMID_FIRST_RESERVED)
		return NULL;
	d = domain_get_any(domid);
	if (d)
		return d;
	d = domain_from(domid);
	if (d && d->domid != domid) {
		domain_put(d);
		d = NULL;
	}
	return d;
}

/* ---- creation ---- */

static bool domid_taken(domid_t domid)
{
	struct domain *d = domain_find(domid);

	if (d)
		domain_put(d);
	return d != NULL;
}

static domid_t domid_last; /* chosen here for a domain that came to be */

/* The next number that nobody has, so that one is used again as late as can be. */
static domid_t domid_choose(void)
{
	domid_t id = domid_last;
	unsigned int i;

	for (i = 1; i < DOMID_FIRST_RESERVED; i++) {
		if (++id == DOMID_FIRST_RESERVED)
			id = 1;
		if (!domid_taken(id))
			return id;
	}
	return DOMID_INVALID;
}

static long op_createdomain(struct op_call *call)
{
	const struct xen_domctl_createdomain *c = call->arg;
	struct xen_domctl *op = domctl_of(call);
	bool choose = !op->domain || op->domain >= DOMID_FIRST_RESERVED;
	domid_t domid = op->domain;
	struct domain *d;
	int err;

	if (choose)
		domid = domid_choose();
	else if (domid_taken(domid))
		return -EEXIST;
	if (domid == DOMID_INVALID)
		return -ENOMEM;
	if (c->flags & XEN_DOMCTL_CDF_hvm) {
		printk(LOG_WARN, "HVM and PVH domains are not supported yet\n");
		return -EOPNOTSUPP;
	}
	if (c->arch.misc_flags & ~XEN_X86_MSR_RELAXED)
		return -EINVAL;
	if (!cpupool_cpus(c->cpupool_id))
		return -ENOENT;
	d = domain_create(domid, c, false, &err);
	if (!d)
		return err;
	if (choose)
		domid_last = domid;
	trace(TRC_DOM0_DOM_ADD, d->domid);
	op->domain = d->domid;
	return 0;
}

static long op_max_vcpus(struct op_call *c)
{
	struct domain *d = c->d;
	unsigned int i, cpu = 0;

	if (((struct xen_domctl_max_vcpus *)c->arg)->max != d->max_vcpus)
		return -EINVAL;
	for (i = 0; i < d->max_vcpus; i++) {
		if (d->vcpu[i])
			continue;
		if (i && preempt_check())
			return -ERESTART;
		cpu = (unsigned int)find_next_bit(cpu_online_map.bits, nr_cpus, i % nr_cpus);
		if (!vcpu_create(d, i, cpu < nr_cpus ? cpu : 0))
			return -ENOMEM;
	}
	return 0;
}

/* ---- life ---- */

static long op_destroydomain(struct op_call *c)
{
	int rc = domain_kill(c->d);

	if (!rc)
		trace(TRC_DOM0_DOM_REM, c->d->domid);
	return rc;
}

static long op_pausedomain(struct op_call *c)
{
	return domain_pause_by_tools(c->d);
}

static long op_unpausedomain(struct op_call *c)
{
	c->d->started = true;
	return domain_unpause_by_tools(c->d);
}

static long op_resumedomain(struct op_call *c)
{
	domain_pause(c->d);
	if (c->d->is_shutting_down)
		domain_resume(c->d);
	domain_unpause(c->d);
	return 0;
}

static long op_setdomainhandle(struct op_call *c)
{
	memcpy(c->d->handle, c->arg, sizeof(c->d->handle));
	return 0;
}

static long op_setdebugging(struct op_call *c)
{
	domain_pause(c->d);
	c->d->debugger = !!((struct xen_domctl_setdebugging *)c->arg)->enable;
	domain_unpause(c->d);
	return 0;
}

static long op_subscribe(struct op_call *c)
{
	WRITE_ONCE(c->d->suspend_port, ((struct xen_domctl_subscribe *)c->arg)->port);
	return 0;
}

/* ---- what is known of a domain ---- */

static void vcpus_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	bool running = false, blocked = true;
	struct vcpu *v;
	unsigned int i;

	info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
	for_each_vcpu(d, v, i) {
		struct vcpu_runstate_info rs;

		vcpu_runstate_get(v, &rs);
		info->cpu_time += rs.time[RUNSTATE_running];
		info->max_vcpu_id = i;
		if (test_bit(VCPU_DOWN, &v->pause_flags))
			continue;
		info->nr_online_vcpus++;
		blocked &= test_bit(VCPU_BLOCKED, &v->pause_flags);
		running |= v->is_running;
	}
	if (!info->nr_online_vcpus)
		return;
	if (blocked)
		info->flags |= XEN_DOMINF_blocked;
	if (running)
		info->flags |= XEN_DOMINF_running;
}

void domain_info_fill(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	memset(info, 0, sizeof(*info));
	info->domain = d->domid;
	vcpus_info(d, info);
	/* Not while it is being destroyed: xenstored looks for what it may forget. */
	info->flags |= (d->dying == DEAD ? XEN_DOMINF_dying : 0u) |
		       (d->is_shut_down ? XEN_DOMINF_shutdown : 0u) |
		       (d->tools_pause_count ? XEN_DOMINF_paused : 0u) |
		       (d->debugger ? XEN_DOMINF_debugged : 0u) |
		       (d->xenstore ? XEN_DOMINF_xs_domain : 0u) |
		       (uint32_t)d->shutdown_code << XEN_DOMINF_shutdownshift;
	info->tot_pages = d->tot_pages - d->extra_pages;
	info->max_pages = d->max_pages;
	info->outstanding_pages = d->outstanding_pages;
	info->shr_pages = d->shr_pages;
	info->paged_pages = d->paged_pages;
	info->shared_info_frame = virt_to_mfn(d->shared_info).n;
	info->ssidref = d->ssidref;
	memcpy(info->handle, d->handle, sizeof(info->handle));
	info->cpupool = d->cpupool;
	info->gpaddr_bits = (uint8_t)host_policy.ext[8].a;
}

/* Of @op's domain, or the next there is: so tools go through all of them. */
static long op_getdomaininfo(struct op_call *c)
{
	struct xen_domctl *op = domctl_of(c);
	struct domain *d;

	if (op->domain >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	d = domain_from(op->domain);
	if (!d)
		return -ESRCH;
	domain_info_fill(d, &op->u.getdomaininfo);
	op->domain = d->domid;
	domain_put(d);
	return 0;
}

/* ---- the call ---- */

/* What is not in it, and has no answer of its own, is -ENOSYS. */
#define GDBSX_AT 87 /* their numbers are far from the others' */
#define LIFE(name, f)    [XEN_DOMCTL_##name] = {op_##name, .flags = CTL_LOCKED | (f)}
#define OP(name, f)      [XEN_DOMCTL_##name] = {domctl_##name, .flags = CTL_LOCKED | (f)}
#define ON_VCPU(name, f, none)                                                           \
	[XEN_DOMCTL_##name] = {domctl_##name, .flags = CTL_LOCKED | CTL_VCPU | (f),      \
			       .no_vcpu = (none)}
#define GDBSX(name, f, none)                                                             \
	[GDBSX_AT + XEN_DOMCTL_gdbsx_##name - XEN_DOMCTL_gdbsx_guestmemio] = {           \
		domctl_gdbsx_##name, .flags = CTL_LOCKED | (f), .no_vcpu = (none)}
#define OFF(name, e)     [XEN_DOMCTL_##name] = {.answer = -(e)}
static const struct control_op ops[] = {
	LIFE(createdomain, CTL_RESULTS | CTL_NO_DOMAIN),
	LIFE(destroydomain, 0),
	LIFE(pausedomain, CTL_OTHERS),
	LIFE(unpausedomain, 0),
	LIFE(getdomaininfo, CTL_RESULTS | CTL_NO_DOMAIN | CTL_XENSTORE),
	LIFE(max_vcpus, CTL_OTHERS),
	LIFE(setdomainhandle, 0),
	LIFE(setdebugging, CTL_OTHERS),
	LIFE(resumedomain, CTL_OTHERS),
	LIFE(subscribe, 0),

	ON_VCPU(setvcpucontext, CTL_OTHERS, EINVAL),
	ON_VCPU(getvcpucontext, CTL_RESULTS | CTL_OTHERS, 0),
	ON_VCPU(getvcpuinfo, CTL_RESULTS, 0),
	ON_VCPU(setvcpuaffinity, CTL_RESULTS, 0),
	ON_VCPU(getvcpuaffinity, CTL_RESULTS, 0),
	ON_VCPU(set_ext_vcpucontext, CTL_OTHERS, ESRCH),
	ON_VCPU(get_ext_vcpucontext, CTL_RESULTS | CTL_OTHERS, ESRCH),
	ON_VCPU(setvcpuextstate, CTL_OTHERS, EINVAL),
	ON_VCPU(getvcpuextstate, CTL_RESULTS | CTL_OTHERS, EINVAL),
	ON_VCPU(get_vcpu_msrs, CTL_ALWAYS | CTL_OTHERS, EINVAL),
	ON_VCPU(set_vcpu_msrs, CTL_ALWAYS | CTL_OTHERS, EINVAL),
	OP(sendtrigger, 0),
	OP(get_cpu_policy, CTL_ALWAYS),
	OP(set_cpu_policy, CTL_ALWAYS | CTL_OTHERS),

	OP(max_mem, 0),
	OP(getpageframeinfo3, CTL_RESULTS),
	OP(shadow_op, CTL_RESULTS | CTL_OTHERS),
	OP(hypercall_init, 0),
	OP(setnodeaffinity, 0),
	OP(getnodeaffinity, 0),
	OP(memory_mapping, 0),

	OP(irq_permission, 0),
	OP(iomem_permission, 0),
	OP(ioport_permission, 0),
	OP(settimeoffset, 0),
	OP(gettscinfo, CTL_RESULTS | CTL_OTHERS),
	OP(settscinfo, CTL_OTHERS),
	OP(set_address_size, 0),
	OP(get_address_size, CTL_RESULTS),
	OP(scheduler_op, CTL_RESULTS),
	OP(set_target, 0),
	OP(set_virq_handler, 0),
	OP(vm_event_op, CTL_RESULTS),
	OP(monitor_op, CTL_RESULTS),
	OP(set_access_required, 0),

	GDBSX(guestmemio, CTL_ALWAYS, 0),
	GDBSX(pausevcpu, CTL_VCPU | CTL_OTHERS, EINVAL),
	GDBSX(unpausevcpu, CTL_VCPU, EINVAL),
	GDBSX(domstatus, CTL_RESULTS, 0),

	/* No IOMMU: no device is given away. */
	OFF(assign_device, EOPNOTSUPP),
	OFF(test_assign_device, EOPNOTSUPP),
	OFF(deassign_device, EOPNOTSUPP),
	OFF(get_device_group, EOPNOTSUPP),
	OFF(bind_pt_irq, EINVAL),
	OFF(unbind_pt_irq, EINVAL),
	/* Of HVM domains. */
	OFF(gethvmcontext, EINVAL),
	OFF(sethvmcontext, EINVAL),
	OFF(gethvmcontext_partial, EINVAL),
	OFF(ioport_mapping, EOPNOTSUPP),
	OFF(debug_op, EINVAL),
	OFF(set_broken_page_p2m, EINVAL),
	OFF(soft_reset, EINVAL),
	OFF(get_paging_mempool_size, EOPNOTSUPP),
	OFF(set_paging_mempool_size, EOPNOTSUPP),
	/* Cache monitoring and allocation, processor trace. */
	OFF(psr_cmt_op, ENODEV),
	OFF(psr_alloc, ENODEV),
	OFF(vmtrace_op, EINVAL),
	OFF(setvnumainfo, EOPNOTSUPP), /* XENMEM_get_vnumainfo has none to give */
};

long do_domctl(uint64_t uop)
{
	static const struct control_family family = {
		ops, ARRAY_SIZE(ops), GDBSX_AT, XEN_DOMCTL_gdbsx_guestmemio,
		XEN_DOMCTL_INTERFACE_VERSION, __HYPERVISOR_domctl, ACCESS_DOMCTL,
		offsetof(struct xen_domctl, u), sizeof(struct xen_domctl),
	};

	_Static_assert(GDBSX_AT > XEN_DOMCTL_set_paging_mempool_size, "behind the others");
	return control_call(&family, uop);
}
