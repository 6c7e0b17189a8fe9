// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_sysctl: the call itself, and what each operation is. */
#include "hypervisor/hypercall/control.h"

/* What is not in it, and has no answer of its own, is -ENOSYS. */
static const struct {
	sysctl_fn *fn;
	int16_t answer; /* without fn: the feature is off */
	bool copy;      /* results are in the argument */
	bool always;    /* on errors too */
} ops[] = {
	[XEN_SYSCTL_readconsole] = {sysctl_readconsole, 0, true, false},
	[XEN_SYSCTL_tbuf_op] = {sysctl_tbuf_op, 0, true, false},
	[XEN_SYSCTL_physinfo] = {sysctl_physinfo, 0, true, false},
	[XEN_SYSCTL_sched_id] = {sysctl_sched_id, 0, true, false},
	[XEN_SYSCTL_getdomaininfolist] = {sysctl_getdomaininfolist, 0, true, false},
	[XEN_SYSCTL_debug_keys] = {.fn = sysctl_debug_keys},
	[XEN_SYSCTL_getcpuinfo] = {sysctl_getcpuinfo, 0, true, false},
	[XEN_SYSCTL_availheap] = {sysctl_availheap, 0, true, false},
	[XEN_SYSCTL_get_pmstat] = {.answer = -ENODEV}, /* frequency and idle states: not driven */
	[XEN_SYSCTL_pm_op] = {sysctl_pm_op, 0, true, false},
	[XEN_SYSCTL_cpu_hotplug] = {.fn = sysctl_cpu_hotplug},
	[XEN_SYSCTL_page_offline_op] = {.fn = sysctl_page_status},
	[XEN_SYSCTL_cputopoinfo] = {sysctl_cputopoinfo, 0, true, false},
	[XEN_SYSCTL_numainfo] = {sysctl_numainfo, 0, true, false},
	[XEN_SYSCTL_cpupool_op] = {sysctl_cpupool_op, 0, true, false},
	[XEN_SYSCTL_scheduler_op] = {sysctl_scheduler_op, 0, true, false},
	[XEN_SYSCTL_coverage_op] = {.answer = -EOPNOTSUPP},
	[XEN_SYSCTL_psr_cmt_op] = {.answer = -ENODEV},
	[XEN_SYSCTL_psr_alloc] = {.answer = -ENODEV},
	[XEN_SYSCTL_pcitopoinfo] = {sysctl_pcitopoinfo, 0, true, true},
	[XEN_SYSCTL_get_cpu_levelling_caps] = {sysctl_levelling_caps, 0, true, false},
	[XEN_SYSCTL_get_cpu_featureset] = {sysctl_cpu_featureset, 0, true, true},
	[XEN_SYSCTL_get_cpu_policy] = {sysctl_cpu_policy, 0, true, true},
};

long do_sysctl(uint64_t uop)
{
	struct xen_sysctl op;
	long ret;
	uint32_t i;

	if (!get_guest(&op, uop))
		return -EFAULT;
	if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return -EACCES;
	ret = access_check(ACCESS_SYSCTL, NULL);
	if (ret)
		return ret;
	if (op.cmd >= ARRAY_SIZE(ops))
		return -ENOSYS;
	i = (uint32_t)index_nospec(op.cmd, ARRAY_SIZE(ops));
	if (!ops[i].fn)
		return ops[i].answer ? ops[i].answer : -ENOSYS;
	ret = ops[i].fn(&op);
	if (ops[i].copy && (ret >= 0 || ret == -ERESTART || ops[i].always) && !put_guest(uop, &op))
		return -EFAULT;
	return ret == -ERESTART ? hypercall_continue(__HYPERVISOR_sysctl, 1, uop) : ret;
}
