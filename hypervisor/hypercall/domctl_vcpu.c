// SPDX-License-Identifier: GPL-2.0-only
/* domctl: vcpus, their state as save and restore need it, where they run, what CPU they see. */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/segment.h"

/* ---- registers ---- */

long domctl_setvcpucontext(struct op_call *call)
{
	uint64_t gva = handle_gva(((struct xen_domctl_vcpucontext *)call->arg)->ctxt);
	struct domain *d = call->d;
	struct vcpu *v = call->v;
	struct vcpu_guest_context *c = NULL;
	long rc = 0;

	/* A dying domain's page tables are given up: it gets no others. */
	if (d->dying)
		return -EINVAL;
	if (gva) {
		c = xzalloc(struct vcpu_guest_context);
		if (!c)
			return -ENOMEM;
		if (!get_guest(c, gva))
			rc = -EFAULT;
	}
	if (!rc) {
		domain_pause(d);
		rc = c ? d->ops->set_context(v, c) : vcpu_reset(v);
		domain_unpause(d);
	}
	xfree(c);
	return rc == -EINTR ? -ERESTART : rc;
}

long domctl_getvcpucontext(struct op_call *call)
{
	uint64_t gva = handle_gva(((struct xen_domctl_vcpucontext *)call->arg)->ctxt);
	struct vcpu_guest_context *c;
	struct vcpu *v = call->v;
	long rc;

	if (!v->initialised)
		return -ENODATA;
	c = xzalloc(struct vcpu_guest_context);
	if (!c)
		return -ENOMEM;
	vcpu_pause(v);
	call->d->ops->get_context(v, c);
	vcpu_unpause(v);
	rc = put_guest(gva, c) ? 0 : -EFAULT;
	xfree(c);
	return rc;
}

long domctl_getvcpuinfo(struct op_call *c)
{
	struct xen_domctl_getvcpuinfo *info = c->arg;
	struct vcpu_runstate_info rs;
	struct vcpu *v = c->v;

	vcpu_runstate_get(v, &rs);
	info->online = !test_bit(VCPU_DOWN, &v->pause_flags);
	info->blocked = test_bit(VCPU_BLOCKED, &v->pause_flags);
	info->running = v->is_running;
	info->cpu_time = rs.time[RUNSTATE_running];
	info->cpu = v->cpu;
	return 0;
}

/* What is not in vcpu_guest_context. Machine-check state: a PV guest has no banks here. */
long domctl_get_ext_vcpucontext(struct op_call *c)
{
	struct xen_domctl_ext_vcpucontext *x = c->arg;
	struct vcpu *v = c->v;

	memset(x, 0, sizeof(*x));
	x->vcpu = v->id;
	x->size = sizeof(*x);
	x->sysenter_callback_cs = v->pv.sysenter_cs;
	x->sysenter_callback_eip = v->pv.sysenter_callback;
	x->sysenter_disables_events = v->pv.sysenter_masks_events;
	x->syscall32_callback_cs = v->pv.syscall32_cs;
	x->syscall32_callback_eip = v->pv.syscall32_callback;
	x->syscall32_disables_events = v->pv.syscall32_masks_events;
	return 0;
}

long domctl_set_ext_vcpucontext(struct op_call *c)
{
	const struct xen_domctl_ext_vcpucontext *x = c->arg;
	struct vcpu *v = c->v;

	if (x->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap) ||
	    !is_canonical(x->sysenter_callback_eip) || !is_canonical(x->syscall32_callback_eip))
		return -EINVAL;
	domain_pause(c->d);
	v->pv.sysenter_cs = x->sysenter_callback_cs | 3;
	v->pv.sysenter_callback = x->sysenter_callback_eip;
	v->pv.sysenter_masks_events = x->sysenter_disables_events;
	v->pv.syscall32_cs = x->syscall32_callback_cs | 3;
	v->pv.syscall32_callback = x->syscall32_callback_eip;
	v->pv.syscall32_masks_events = x->syscall32_disables_events;
	domain_unpause(c->d);
	return 0;
}

/* ---- extended state: XCR0, what it ever was, then the area as XSAVE leaves it ---- */

#define XSTATE_HEADER (2 * sizeof(uint64_t))

static uint64_t xstate_size(uint64_t xcr0_accum)
{
	return xcr0_accum ? XSTATE_HEADER + fpu_area_size(xcr0_accum) : 0;
}

long domctl_getvcpuextstate(struct op_call *c)
{
	struct xen_domctl_vcpuextstate *x = c->arg;
	struct vcpu *v = c->v;
	uint64_t gva = handle_gva(x->buffer), size, header[2];
	long rc = 0;

	vcpu_pause(v);
	size = xstate_size(v->fpu.xcr0_accum);
	if ((!x->size && !x->xfeature_mask) || !gva) {
		x->size = size;
		x->xfeature_mask = fpu_host_xcr0();
	} else if (x->size != size || x->xfeature_mask != fpu_host_xcr0()) {
		rc = -EINVAL;
	} else if (size) {
		header[0] = v->fpu.xcr0;
		header[1] = v->fpu.xcr0_accum;
		if (copy_to_guest(gva, header, sizeof(header)) ||
		    copy_to_guest(gva + XSTATE_HEADER, v->fpu.area, size - XSTATE_HEADER))
			rc = -EFAULT;
	}
	vcpu_unpause(v);
	return rc;
}

long domctl_setvcpuextstate(struct op_call *c)
{
	const struct xen_domctl_vcpuextstate *x = c->arg;
	uint64_t *buf;
	long rc = 0;

	if (x->size < XSTATE_HEADER || x->size > xstate_size(fpu_host_xcr0()))
		return -EINVAL;
	/* The area is aligned as xsave_area asks: it is copied behind the header's 64 bytes. */
	buf = xzalloc_bytes(64 + x->size, 64);
	if (!buf)
		return -ENOMEM;
	if (copy_from_guest(&buf[6], handle_gva(x->buffer), x->size))
		rc = -EFAULT;
	if (!rc && x->size > XSTATE_HEADER) {
		domain_pause(c->d);
		rc = fpu_set_xsave(c->v, buf[6], buf[7], &buf[8], x->size - XSTATE_HEADER);
		domain_unpause(c->d);
	}
	xfree(buf);
	return rc;
}

/* ---- MSRs: none that a PV guest may write has state of its own ---- */

long domctl_get_vcpu_msrs(struct op_call *c)
{
	((struct xen_domctl_vcpu_msrs *)c->arg)->msr_count = 0;
	return 0;
}

/* A guest saved elsewhere may come with some that it had cleared. */
long domctl_set_vcpu_msrs(struct op_call *c)
{
	struct xen_domctl_vcpu_msrs *m = c->arg;
	struct xen_domctl_vcpu_msr msr;
	uint32_t i, n = m->msr_count;

	if (n > 16)
		return -EINVAL;
	m->msr_count = 0;
	if (!handle_gva(m->msrs))
		return 0;
	for (i = 0; i < n; i++) {
		m->msr_count = i;
		if (!get_guest(&msr, handle_gva(m->msrs) + i * sizeof(msr)))
			return -EFAULT;
		if (msr.reserved || msr.value)
			return -EINVAL;
	}
	m->msr_count = n;
	return 0;
}

/* ---- where it runs ---- */

/* Plain, or what it comes to with @v's hard affinity and the CPUs there are. */
static int affinity_to_guest(const struct vcpu *v, const struct cpumask *m, bool effective,
			     const struct xenctl_bitmap *b)
{
	struct cpumask out = *m;
	unsigned int i;

	for (i = 0; effective && i < ARRAY_SIZE(out.bits); i++)
		out.bits[i] &= v->hard_affinity.bits[i] & cpu_online_map.bits[i] &
			       v->domain->pool_cpus->bits[i];
	return bitmap_to_guest(out.bits, nr_cpus, b);
}

long domctl_setvcpuaffinity(struct op_call *c)
{
	const struct xen_domctl_vcpuaffinity *a = c->arg;
	bool want_hard = a->flags & XEN_VCPUAFFINITY_HARD, want_soft = a->flags & XEN_VCPUAFFINITY_SOFT;
	struct cpumask hard, soft;
	struct vcpu *v = c->v;
	long rc = 0;

	if ((!want_hard && !want_soft) ||
	    a->flags & ~(XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT | XEN_VCPUAFFINITY_FORCE))
		return -EINVAL;
	if (a->flags & XEN_VCPUAFFINITY_FORCE)
		vcpu_pin_override(v, -1);
	if (want_hard)
		rc = bitmap_from_guest(hard.bits, NR_CPUS, &a->cpumap_hard);
	if (!rc && want_soft)
		rc = bitmap_from_guest(soft.bits, NR_CPUS, &a->cpumap_soft);
	if (!rc)
		rc = vcpu_set_affinity(v, want_hard ? &hard : NULL, want_soft ? &soft : NULL);
	if (!rc && want_hard)
		rc = affinity_to_guest(v, &v->hard_affinity, true, &a->cpumap_hard);
	if (!rc && want_soft)
		rc = affinity_to_guest(v, &v->soft_affinity, true, &a->cpumap_soft);
	return rc;
}

long domctl_getvcpuaffinity(struct op_call *c)
{
	const struct xen_domctl_vcpuaffinity *a = c->arg;
	struct vcpu *v = c->v;
	long rc = 0;

	if (!(a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)))
		return -EINVAL;
	if (a->flags & XEN_VCPUAFFINITY_HARD)
		rc = affinity_to_guest(v, &v->hard_affinity, false, &a->cpumap_hard);
	if (!rc && a->flags & XEN_VCPUAFFINITY_SOFT)
		rc = affinity_to_guest(v, &v->soft_affinity, false, &a->cpumap_soft);
	return rc;
}

long domctl_sendtrigger(struct op_call *c)
{
	const struct xen_domctl_sendtrigger *s = c->arg;
	struct vcpu *v = domain_vcpu(c->d, s->vcpu);

	if (!v)
		return -ESRCH;
	switch (s->trigger) {
	case XEN_DOMCTL_SENDTRIGGER_NMI:
		vcpu_nmi(v);
		return 0;
	case XEN_DOMCTL_SENDTRIGGER_POWER: /* ACPI's buttons: a PV guest has none */
	case XEN_DOMCTL_SENDTRIGGER_SLEEP:
		return -EINVAL;
	}
	return -ENOSYS;
}

/* ---- CPU policy ---- */

long domctl_get_cpu_policy(struct op_call *c)
{
	struct xen_domctl_cpu_policy *p = c->arg;

	return policy_to_guest(c->d->policy, handle_gva(p->leaves), &p->nr_leaves,
			       handle_gva(p->msrs), &p->nr_msrs);
}

static long policy_from_guest(struct cpu_policy *new, struct xen_domctl_cpu_policy *p)
{
	xen_cpuid_leaf_t leaf;
	xen_msr_entry_t msr;
	uint32_t i;
	int rc;

	for (i = 0; i < p->nr_leaves; i++) {
		if (!get_guest(&leaf, handle_gva(p->leaves) + i * sizeof(leaf)))
			return -EFAULT;
		rc = policy_set_leaf(new, &leaf);
		if (rc) {
			p->err_leaf = leaf.leaf;
			p->err_subleaf = leaf.subleaf;
			return rc;
		}
	}
	for (i = 0; i < p->nr_msrs; i++) {
		if (!get_guest(&msr, handle_gva(p->msrs) + i * sizeof(msr)))
			return -EFAULT;
		rc = policy_set_msr(new, &msr);
		if (rc) {
			p->err_msr = msr.idx;
			return rc;
		}
	}
	return 0;
}

long domctl_set_cpu_policy(struct op_call *c)
{
	struct xen_domctl_cpu_policy *p = c->arg;
	struct policy_error err;
	struct cpu_policy *new;
	struct domain *d = c->d;
	long rc;

	if (d->started)
		return -EEXIST;
	if (p->nr_leaves > POLICY_MAX_LEAVES || p->nr_msrs > POLICY_MAX_MSRS)
		return -E2BIG;
	p->err_leaf = p->err_subleaf = p->err_msr = ~0u;
	new = xzalloc(struct cpu_policy);
	if (!new)
		return -ENOMEM;
	*new = *d->policy;
	rc = policy_from_guest(new, p);
	if (!rc) {
		rc = policy_check(&pv_max_policy, new, &err);
		if (rc) {
			p->err_leaf = err.leaf;
			p->err_subleaf = err.subleaf;
			p->err_msr = err.msr;
		}
	}
	if (!rc) {
		policy_recalculate(new, &pv_max_policy);
		domain_pause(d);
		*d->policy = *new;
		domain_unpause(d);
	}
	xfree(new);
	return rc;
}

/* ---- gdbsx ---- */

/* A pause that gdbsx takes back alone: one flag beside the counts. */
long domctl_gdbsx_pausevcpu(struct op_call *c)
{
	if (!c->d->tools_pause_count)
		return -EBUSY;
	if (!test_and_set_bit(VCPU_PAUSED_TOOLS, &c->v->pause_flags))
		vcpu_sleep_sync(c->v);
	return 0;
}

long domctl_gdbsx_unpausevcpu(struct op_call *c)
{
	if (!c->d->tools_pause_count)
		return -EBUSY;
	if (!test_and_clear_bit(VCPU_PAUSED_TOOLS, &c->v->pause_flags))
		return -EINVAL;
	vcpu_wake(c->v);
	return 0;
}

/* The first vcpu that stopped for the debugger (pv/traps.c), told once. */
long domctl_gdbsx_domstatus(struct op_call *c)
{
	struct xen_domctl_gdbsx_domstatus *s = c->arg;
	struct vcpu *v;
	unsigned int i;

	s->vcpu_id = s->vcpu_ev = ~0u;
	s->paused = c->d->tools_pause_count > 0;
	for_each_vcpu(c->d, v, i)
		if (s->paused && v->pv.debugger_event) {
			s->vcpu_id = i;
			s->vcpu_ev = v->pv.debugger_event;
			v->pv.debugger_event = 0;
			break;
		}
	return 0;
}
