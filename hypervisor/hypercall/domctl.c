// SPDX-License-Identifier: GPL-2.0-only
/*
 * HYPERVISOR_domctl: the call itself, and the life of domains. One at a time: who finds the
 * lock taken asks again rather than wait, for its holder may wait for his CPU.
 */
#include "hypervisor/cpu/policy.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/lib/trace.h"
#include "hypervisor/mm/mm.h"

struct spinlock control_lock = SPINLOCK(LOCK_DOMCTL);

struct domain *domain_from(domid_t domid)
{
	struct domain *d = domain_next(NULL);

	while (d && d->domid < domid)
		d = domain_next(d);
	return d;
}

/* What lingers after its destruction is still there to be looked at. */
static struct domain *domain_find(domid_t domid)
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

static long op_createdomain(struct domain *none, struct xen_domctl *op)
{
	const struct xen_domctl_createdomain *c = &op->u.createdomain;
	bool choose = !op->domain || op->domain >= DOMID_FIRST_RESERVED;
	domid_t domid = op->domain;
	struct domain *d;
	int err;

	(void)none;
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

static long op_max_vcpus(struct domain *d, struct xen_domctl *op)
{
	unsigned int i, cpu = 0;

	if (d == current->domain || op->u.max_vcpus.max != d->max_vcpus)
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

static long op_destroydomain(struct domain *d, struct xen_domctl *op)
{
	int rc = domain_kill(d);

	(void)op;
	if (!rc)
		trace(TRC_DOM0_DOM_REM, d->domid);
	return rc;
}

static long op_pausedomain(struct domain *d, struct xen_domctl *op)
{
	(void)op;
	return d == current->domain ? -EINVAL : domain_pause_by_tools(d);
}

static long op_unpausedomain(struct domain *d, struct xen_domctl *op)
{
	(void)op;
	d->started = true;
	return domain_unpause_by_tools(d);
}

static long op_resumedomain(struct domain *d, struct xen_domctl *op)
{
	(void)op;
	if (d == current->domain)
		return -EINVAL;
	domain_pause(d);
	if (d->is_shutting_down)
		domain_resume(d);
	domain_unpause(d);
	return 0;
}

static long op_soft_reset(struct domain *d, struct xen_domctl *op)
{
	(void)d, (void)op;
	return -EINVAL; /* of HVM domains alone */
}

static long op_setdomainhandle(struct domain *d, struct xen_domctl *op)
{
	memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
	return 0;
}

static long op_setdebugging(struct domain *d, struct xen_domctl *op)
{
	if (d == current->domain)
		return -EINVAL;
	domain_pause(d);
	d->debugger = !!op->u.setdebugging.enable;
	domain_unpause(d);
	return 0;
}

static long op_subscribe(struct domain *d, struct xen_domctl *op)
{
	WRITE_ONCE(d->suspend_port, op->u.subscribe.port);
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
static long op_getdomaininfo(struct domain *none, struct xen_domctl *op)
{
	struct domain *d;

	(void)none;
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

enum copy { NO_COPY, COPY, COPY_ALWAYS /* on errors too */ };

/* What is not in it, and has no answer of its own, is -ENOSYS. */
static const struct {
	domctl_fn *fn;
	int16_t answer;    /* without fn: the feature is off */
	uint8_t copy;      /* enum copy: results are in the argument */
	bool no_domain;    /* fn finds its domain itself */
} ops[] = {
#define OP(name, c)   [XEN_DOMCTL_##name] = {.fn = domctl_##name, .copy = c}
#define OFF(name, e)  [XEN_DOMCTL_##name] = {.answer = -(e)}
	[XEN_DOMCTL_createdomain] = {op_createdomain, 0, COPY, true},
	[XEN_DOMCTL_destroydomain] = {.fn = op_destroydomain},
	[XEN_DOMCTL_pausedomain] = {.fn = op_pausedomain},
	[XEN_DOMCTL_unpausedomain] = {.fn = op_unpausedomain},
	[XEN_DOMCTL_getdomaininfo] = {op_getdomaininfo, 0, COPY, true},
	[XEN_DOMCTL_max_vcpus] = {.fn = op_max_vcpus},
	[XEN_DOMCTL_setdomainhandle] = {.fn = op_setdomainhandle},
	[XEN_DOMCTL_setdebugging] = {.fn = op_setdebugging},
	[XEN_DOMCTL_resumedomain] = {.fn = op_resumedomain},
	[XEN_DOMCTL_subscribe] = {.fn = op_subscribe},
	[XEN_DOMCTL_soft_reset] = {.fn = op_soft_reset},

	OP(setvcpucontext, NO_COPY),
	OP(getvcpucontext, COPY),
	OP(getvcpuinfo, COPY),
	OP(setvcpuaffinity, COPY),
	OP(getvcpuaffinity, COPY),
	OP(set_ext_vcpucontext, NO_COPY),
	OP(get_ext_vcpucontext, COPY),
	OP(setvcpuextstate, NO_COPY),
	OP(getvcpuextstate, COPY),
	OP(get_vcpu_msrs, COPY_ALWAYS),
	OP(set_vcpu_msrs, COPY_ALWAYS),
	OP(sendtrigger, NO_COPY),
	OP(get_cpu_policy, COPY_ALWAYS),
	OP(set_cpu_policy, COPY_ALWAYS),

	OP(max_mem, NO_COPY),
	OP(getpageframeinfo3, COPY),
	OP(shadow_op, COPY),
	OP(hypercall_init, NO_COPY),
	OP(setnodeaffinity, NO_COPY),
	OP(getnodeaffinity, NO_COPY),
	OP(memory_mapping, NO_COPY),

	OP(irq_permission, NO_COPY),
	OP(iomem_permission, NO_COPY),
	OP(ioport_permission, NO_COPY),
	OP(settimeoffset, NO_COPY),
	OP(gettscinfo, COPY),
	OP(settscinfo, NO_COPY),
	OP(set_address_size, NO_COPY),
	OP(get_address_size, COPY),
	OP(scheduler_op, COPY),
	OP(set_target, NO_COPY),
	OP(set_virq_handler, NO_COPY),
	OP(vm_event_op, COPY),
	OP(monitor_op, COPY),
	OP(set_access_required, NO_COPY),

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
	OFF(get_paging_mempool_size, EOPNOTSUPP),
	OFF(set_paging_mempool_size, EOPNOTSUPP),
	/* Cache monitoring and allocation, processor trace. */
	OFF(psr_cmt_op, ENODEV),
	OFF(psr_alloc, ENODEV),
	OFF(vmtrace_op, EINVAL),
	OFF(setvnumainfo, EOPNOTSUPP), /* XENMEM_get_vnumainfo has none to give */
#undef OP
#undef OFF
};

static const struct {
	domctl_fn *fn;
	uint8_t copy;
} gdbsx_ops[] = {
	{domctl_gdbsx_guestmemio, COPY_ALWAYS},
	{domctl_gdbsx_pausevcpu, NO_COPY},
	{domctl_gdbsx_unpausevcpu, NO_COPY},
	{domctl_gdbsx_domstatus, COPY},
};

/* What @cmd is: its function, or NULL and the answer. */
static domctl_fn *op_lookup(uint32_t cmd, enum copy *copy, bool *no_domain, long *answer)
{
	uint32_t i;

	*copy = NO_COPY;
	*no_domain = false;
	*answer = -ENOSYS;
	if (cmd < ARRAY_SIZE(ops)) {
		i = (uint32_t)index_nospec(cmd, ARRAY_SIZE(ops));
		*copy = ops[i].copy;
		*no_domain = ops[i].no_domain;
		*answer = ops[i].answer ? ops[i].answer : -ENOSYS;
		return ops[i].fn;
	}
	i = cmd - XEN_DOMCTL_gdbsx_guestmemio;
	if (i >= ARRAY_SIZE(gdbsx_ops))
		return NULL;
	i = (uint32_t)index_nospec(i, ARRAY_SIZE(gdbsx_ops));
	*copy = gdbsx_ops[i].copy;
	return gdbsx_ops[i].fn;
}

static long domctl(struct xen_domctl *op, enum copy *copy)
{
	struct domain *d = NULL;
	domctl_fn *fn;
	bool no_domain;
	long ret, answer;

	fn = op_lookup(op->cmd, copy, &no_domain, &answer);
	if (!no_domain) {
		d = domain_find(op->domain);
		if (!d)
			return -ESRCH;
	}
	ret = access_check(op->cmd == XEN_DOMCTL_getdomaininfo ? ACCESS_XENSTORE : ACCESS_DOMCTL, d);
	if (!ret && !fn) {
		ret = answer;
	} else if (!ret) {
		if (spin_trylock(&control_lock)) {
			ret = fn(d, op);
			spin_unlock(&control_lock);
		} else {
			ret = -ERESTART;
		}
	}
	if (d)
		domain_put(d);
	return ret;
}

long do_domctl(uint64_t uop)
{
	struct xen_domctl op;
	enum copy copy;
	long ret;

	if (!get_guest(&op, uop))
		return -EFAULT;
	if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION)
		return -EACCES;
	copy = NO_COPY;
	ret = domctl(&op, &copy);
	if ((copy == COPY_ALWAYS || (copy == COPY && (!ret || ret == -ERESTART))) &&
	    ret != -EPERM && ret != -ESRCH && !put_guest(uop, &op))
		return -EFAULT;
	return ret == -ERESTART ? hypercall_continue(__HYPERVISOR_domctl, 1, uop) : ret;
}
