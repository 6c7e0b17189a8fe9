// SPDX-License-Identifier: GPL-2.0-only
/* domctl: rights to devices, time, scheduling. */
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/lib/rangeset.h"

#include <xen/vm_event.h>

/* ---- rights ---- */

/* The caller gives and takes only what it may use itself. */
static long permit(struct rangeset *mine, struct rangeset *its, uint64_t first, uint64_t last,
		   bool allow)
{
	if (!rangeset_contains(mine, first, last))
		return -EPERM;
	return allow ? rangeset_add(its, first, last) : rangeset_remove(its, first, last);
}

/* A line's number is the same in the hardware domain and in the set. */
long domctl_irq_permission(struct op_call *c)
{
	const struct xen_domctl_irq_permission *p = c->arg;

	if (p->pirq >= nr_pirqs(current->domain))
		return -EINVAL;
	return permit(current->domain->irqs, c->d->irqs, p->pirq, p->pirq, p->allow_access);
}

long domctl_iomem_permission(struct op_call *c)
{
	const struct xen_domctl_iomem_permission *p = c->arg;
	uint64_t last = p->first_mfn + p->nr_mfns - 1;

	if (last < p->first_mfn && p->nr_mfns)
		return -EINVAL;
	return permit(current->domain->iomem, c->d->iomem, p->first_mfn, last, p->allow_access);
}

long domctl_ioport_permission(struct op_call *c)
{
	const struct xen_domctl_ioport_permission *p = c->arg;
	uint64_t end = (uint64_t)p->first_port + p->nr_ports;

	if (!p->nr_ports || end > 0x10000)
		return -EINVAL;
	return permit(current->domain->ioports, c->d->ioports, p->first_port, end - 1,
		      p->allow_access);
}

/* ---- time ---- */

long domctl_settimeoffset(struct op_call *c)
{
	c->d->time_offset_seconds =
		((struct xen_domctl_settimeoffset *)c->arg)->time_offset_seconds;
	update_domain_wallclock(c->d);
	return 0;
}

/* libxl's tsc_mode. Default: emulated where the guest, restored, knew another rate. */
enum tsc_mode { TSC_DEFAULT, TSC_ALWAYS_EMULATE, TSC_NEVER_EMULATE };

/* Calibrations of one machine differ by less. */
static bool rate_differs(uint32_t khz)
{
	uint32_t d = khz > cpu_khz ? khz - cpu_khz : cpu_khz - khz;

	return khz && d > cpu_khz / 1000;
}

long domctl_gettscinfo(struct op_call *c)
{
	struct xen_domctl_tsc_info *t = c->arg;
	const struct domain *d = c->d;

	t->tsc_mode = d->tsc.mode;
	t->incarnation = d->tsc.incarnation;
	t->gtsc_khz = d->tsc.khz ? d->tsc.khz : cpu_khz;
	t->pad = 0;
	t->elapsed_nsec = d->tsc.vtsc ? (uint64_t)(now() - d->tsc.offset) : 0;
	if (d->tsc.mode == TSC_NEVER_EMULATE)
		t->gtsc_khz = 0;
	return 0;
}

long domctl_settscinfo(struct op_call *c)
{
	const struct xen_domctl_tsc_info *t = c->arg;
	struct domain *d = c->d;

	if (t->tsc_mode > TSC_NEVER_EMULATE)
		return -EINVAL;
	domain_pause(d);
	d->tsc.mode = t->tsc_mode;
	d->tsc.incarnation = t->incarnation + 1;
	d->tsc.khz = t->gtsc_khz && t->tsc_mode != TSC_NEVER_EMULATE ? t->gtsc_khz : cpu_khz;
	d->tsc.offset = now() - (int64_t)t->elapsed_nsec;
	d->tsc.vtsc = t->tsc_mode == TSC_ALWAYS_EMULATE ||
		      (t->tsc_mode == TSC_DEFAULT && rate_differs(t->gtsc_khz));
	domain_unpause(d);
	return 0;
}

/* ---- the rest ---- */

/* 32-bit PV guests are not supported. */
long domctl_set_address_size(struct op_call *c)
{
	uint32_t size = ((struct xen_domctl_address_size *)c->arg)->size;

	return size == 64 ? 0 : size == 32 ? -EOPNOTSUPP : -EINVAL;
}

long domctl_get_address_size(struct op_call *c)
{
	((struct xen_domctl_address_size *)c->arg)->size = 64;
	return 0;
}

/* XEN_DOMCTL_SCHEDOP_put/getvcpuinfo: each vcpu once at most. */
static long sched_adjust_vcpus(struct domain *d, struct xen_domctl_scheduler_op *op)
{
	bool put = op->cmd == XEN_DOMCTL_SCHEDOP_putvcpuinfo;
	struct xen_domctl_schedparam_vcpu p;
	uint32_t i;

	if (!sched_policy->adjust_vcpu || op->u.v.nr_vcpus > d->max_vcpus)
		return -EINVAL;
	for (i = 0; i < op->u.v.nr_vcpus; i++) {
		uint64_t at = handle_gva(op->u.v.vcpus) + i * sizeof(p);
		struct vcpu *v;
		long rc;

		if (!get_guest(&p, at))
			return -EFAULT;
		v = domain_vcpu(d, p.vcpuid);
		if (!v)
			return -EINVAL;
		rc = sched_policy->adjust_vcpu(v, &p, put);
		if (rc)
			return rc;
		if (!put && !put_guest(at, &p))
			return -EFAULT;
	}
	return 0;
}

long domctl_scheduler_op(struct op_call *c)
{
	struct xen_domctl_scheduler_op *s = c->arg;

	if (s->sched_id != sched_policy->id || s->cmd > XEN_DOMCTL_SCHEDOP_getvcpuinfo)
		return -EINVAL;
	if (s->cmd >= XEN_DOMCTL_SCHEDOP_putvcpuinfo)
		return sched_adjust_vcpus(c->d, s);
	return sched_policy->adjust_domain ? sched_policy->adjust_domain(c->d, s) : -EINVAL;
}

long domctl_set_target(struct op_call *c)
{
	domid_t domid = ((struct xen_domctl_set_target *)c->arg)->target;
	struct domain *target = domid < DOMID_FIRST_RESERVED ? domain_get(domid) : NULL;
	struct domain *d = c->d;
	long rc = 0;

	if (!target)
		return -ESRCH;
	if (target == d || d->target)
		rc = -EINVAL;
	else if (!target->hvm)
		rc = -EOPNOTSUPP; /* what has no devices emulated needs nobody to do it */
	else
		d->target = target; /* with the reference, which domain_free() drops */
	if (rc)
		domain_put(target);
	return rc;
}

/* Rings of events: none for a PV guest, but tools ask for their version. */
long domctl_vm_event_op(struct op_call *c)
{
	struct xen_domctl_vm_event_op *e = c->arg;

	if (e->op == XEN_VM_EVENT_GET_VERSION) {
		e->u.version = VM_EVENT_INTERFACE_VERSION;
		return 0;
	}
	if (c->d == current->domain || e->mode != XEN_DOMCTL_VM_EVENT_OP_MONITOR)
		return c->d == current->domain ? -EINVAL : -ENOSYS;
	return e->op == XEN_VM_EVENT_ENABLE ? -EOPNOTSUPP : -EINVAL;
}

long domctl_monitor_op(struct op_call *c)
{
	struct xen_domctl_monitor_op *m = c->arg;

	if (c->d == current->domain)
		return -EPERM;
	if (m->op != XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES)
		return -EOPNOTSUPP;
	m->event = 0;
	return 0;
}

/* Whether accesses wait for a listener: there is no listener. */
long domctl_set_access_required(struct op_call *c)
{
	return c->d == current->domain ? -EPERM : 0;
}

long domctl_set_virq_handler(struct op_call *c)
{
	return set_global_virq_handler(c->d, ((struct xen_domctl_set_virq_handler *)c->arg)->virq);
}
