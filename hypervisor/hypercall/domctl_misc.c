// SPDX-License-Identifier: GPL-2.0-only
/* domctl: rights to devices, time, scheduling; and what domctl and sysctl copy alike. */
#include "hypervisor/cpu/pirq.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/lib/rangeset.h"

#include <xen/vm_event.h>

/* ---- bitmaps: bytes of a guest's, of any length; words of ours ---- */

/* Bits that the guest has not are 0, those beyond @n are not looked at. */
int bitmap_from_guest(uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b)
{
	unsigned int have = MIN(n, b->nr_bits);

	memset(bits, 0, (n + 63) / 64 * 8);
	if (copy_from_guest(bits, handle_gva(b->bitmap), (have + 7) / 8))
		return -EFAULT;
	if (have % 64)
		bits[have / 64] &= (1ull << have % 64) - 1;
	return 0;
}

int bitmap_to_guest(const uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b)
{
	uint64_t gva = handle_gva(b->bitmap), word;
	unsigned int at, bytes, len = (b->nr_bits + 7) / 8;

	for (at = 0; at < n && at / 8 < len; at += 64) {
		word = bits[at / 64];
		if (n - at < 64)
			word &= (1ull << (n - at)) - 1;
		bytes = MIN(len - at / 8, 8u);
		if (copy_to_guest(gva + at / 8, &word, bytes))
			return -EFAULT;
	}
	bytes = MIN(at / 8, len);
	return clear_guest(gva + bytes, len - bytes) ? -EFAULT : 0;
}

long policy_leaves_to_guest(const struct cpu_policy *p, uint64_t gva, uint32_t *n)
{
	xen_cpuid_leaf_t leaf;
	uint32_t i;

	if (!gva) {
		*n = POLICY_MAX_LEAVES;
		return 0;
	}
	for (i = 0; policy_leaf(p, i, &leaf); i++) {
		if (i >= *n)
			return -ENOBUFS;
		if (!put_guest(gva + i * sizeof(leaf), &leaf))
			return -EFAULT;
	}
	*n = i;
	return 0;
}

long policy_msrs_to_guest(const struct cpu_policy *p, uint64_t gva, uint32_t *n)
{
	xen_msr_entry_t msr;
	uint32_t i;

	if (!gva) {
		*n = POLICY_MAX_MSRS;
		return 0;
	}
	for (i = 0; policy_msr(p, i, &msr); i++) {
		if (i >= *n)
			return -ENOBUFS;
		if (!put_guest(gva + i * sizeof(msr), &msr))
			return -EFAULT;
	}
	*n = i;
	return 0;
}

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
long domctl_irq_permission(struct domain *d, struct xen_domctl *op)
{
	const struct xen_domctl_irq_permission *p = &op->u.irq_permission;

	if (p->pirq >= nr_pirqs(current->domain))
		return -EINVAL;
	return permit(current->domain->irqs, d->irqs, p->pirq, p->pirq, p->allow_access);
}

long domctl_iomem_permission(struct domain *d, struct xen_domctl *op)
{
	const struct xen_domctl_iomem_permission *p = &op->u.iomem_permission;
	uint64_t last = p->first_mfn + p->nr_mfns - 1;

	if (last < p->first_mfn && p->nr_mfns)
		return -EINVAL;
	return permit(current->domain->iomem, d->iomem, p->first_mfn, last, p->allow_access);
}

long domctl_ioport_permission(struct domain *d, struct xen_domctl *op)
{
	const struct xen_domctl_ioport_permission *p = &op->u.ioport_permission;
	uint64_t end = (uint64_t)p->first_port + p->nr_ports;

	if (!p->nr_ports || end > 0x10000)
		return -EINVAL;
	return permit(current->domain->ioports, d->ioports, p->first_port, end - 1,
		      p->allow_access);
}

/* ---- time ---- */

long domctl_settimeoffset(struct domain *d, struct xen_domctl *op)
{
	d->time_offset_seconds = op->u.settimeoffset.time_offset_seconds;
	update_domain_wallclock(d);
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

long domctl_gettscinfo(struct domain *d, struct xen_domctl *op)
{
	struct xen_domctl_tsc_info *t = &op->u.tsc_info;

	if (d == current->domain)
		return -EINVAL;
	t->tsc_mode = d->tsc.mode;
	t->incarnation = d->tsc.incarnation;
	t->gtsc_khz = d->tsc.khz ? d->tsc.khz : cpu_khz;
	t->pad = 0;
	t->elapsed_nsec = d->tsc.vtsc ? (uint64_t)(now() - d->tsc.offset) : 0;
	if (d->tsc.mode == TSC_NEVER_EMULATE)
		t->gtsc_khz = 0;
	return 0;
}

long domctl_settscinfo(struct domain *d, struct xen_domctl *op)
{
	const struct xen_domctl_tsc_info *t = &op->u.tsc_info;

	if (d == current->domain || t->tsc_mode > TSC_NEVER_EMULATE)
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
long domctl_set_address_size(struct domain *d, struct xen_domctl *op)
{
	(void)d;
	return op->u.address_size.size == 64   ? 0
	       : op->u.address_size.size == 32 ? -EOPNOTSUPP
					       : -EINVAL;
}

long domctl_get_address_size(struct domain *d, struct xen_domctl *op)
{
	(void)d;
	op->u.address_size.size = 64;
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

long domctl_scheduler_op(struct domain *d, struct xen_domctl *op)
{
	struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;

	if (s->sched_id != sched_policy->id || s->cmd > XEN_DOMCTL_SCHEDOP_getvcpuinfo)
		return -EINVAL;
	if (s->cmd >= XEN_DOMCTL_SCHEDOP_putvcpuinfo)
		return sched_adjust_vcpus(d, s);
	return sched_policy->adjust_domain ? sched_policy->adjust_domain(d, s) : -EINVAL;
}

long domctl_set_target(struct domain *d, struct xen_domctl *op)
{
	domid_t domid = op->u.set_target.target;
	struct domain *target = domid < DOMID_FIRST_RESERVED ? domain_get(domid) : NULL;
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
long domctl_vm_event_op(struct domain *d, struct xen_domctl *op)
{
	struct xen_domctl_vm_event_op *e = &op->u.vm_event_op;

	if (e->op == XEN_VM_EVENT_GET_VERSION) {
		e->u.version = VM_EVENT_INTERFACE_VERSION;
		return 0;
	}
	if (d == current->domain || e->mode != XEN_DOMCTL_VM_EVENT_OP_MONITOR)
		return d == current->domain ? -EINVAL : -ENOSYS;
	return e->op == XEN_VM_EVENT_ENABLE ? -EOPNOTSUPP : -EINVAL;
}

long domctl_monitor_op(struct domain *d, struct xen_domctl *op)
{
	if (d == current->domain)
		return -EPERM;
	if (op->u.monitor_op.op != XEN_DOMCTL_MONITOR_OP_GET_CAPABILITIES)
		return -EOPNOTSUPP;
	op->u.monitor_op.event = 0;
	return 0;
}

/* Whether accesses wait for a listener: there is no listener. */
long domctl_set_access_required(struct domain *d, struct xen_domctl *op)
{
	(void)op;
	return d == current->domain ? -EPERM : 0;
}

long domctl_set_virq_handler(struct domain *d, struct xen_domctl *op)
{
	return set_global_virq_handler(d, op->u.set_virq_handler.virq);
}
