// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_sysctl: what each operation is. */
#include "hypervisor/hypercall/control.h"

/* What is not in it, and has no answer of its own, is -ENOSYS. */
#define OP(name, f) [XEN_SYSCTL_##name] = {sysctl_##name, .flags = (f)}
#define OFF(name, e) [XEN_SYSCTL_##name] = {.answer = -(e)}
static const struct control_op ops[] = {
	OP(readconsole, CTL_RESULTS),
	OP(tbuf_op, CTL_RESULTS | CTL_LOCKED),
	OP(physinfo, CTL_RESULTS),
	OP(sched_id, CTL_RESULTS),
#ifdef DEBUG
	OP(perfc_op, CTL_RESULTS),
#endif
	OP(getdomaininfolist, CTL_RESULTS),
	OP(debug_keys, 0),
	OP(getcpuinfo, CTL_RESULTS),
	OP(availheap, CTL_RESULTS),
	OP(pm_op, CTL_RESULTS),
	OP(cpu_hotplug, 0),
	OP(page_offline_op, 0),
	OP(cputopoinfo, CTL_RESULTS),
	OP(numainfo, CTL_RESULTS),
	OP(cpupool_op, CTL_RESULTS | CTL_LOCKED),
	OP(scheduler_op, CTL_RESULTS),
	OP(pcitopoinfo, CTL_ALWAYS),
	OP(get_cpu_levelling_caps, CTL_RESULTS),
	OP(get_cpu_featureset, CTL_ALWAYS),
	OP(get_cpu_policy, CTL_ALWAYS),
	OFF(get_pmstat, ENODEV), /* frequency and idle states: not driven */
	OFF(coverage_op, EOPNOTSUPP),
	OFF(psr_cmt_op, ENODEV),
	OFF(psr_alloc, ENODEV),
};

long do_sysctl(uint64_t uop)
{
	static const struct control_family family = {
		.ops = ops, .nr_ops = ARRAY_SIZE(ops), .version = XEN_SYSCTL_INTERFACE_VERSION,
		.hypercall = __HYPERVISOR_sysctl, .access = ACCESS_SYSCTL,
		.union_at = offsetof(struct xen_sysctl, u), .size = sizeof(struct xen_sysctl),
	};

	return control_call(&family, uop);
}
