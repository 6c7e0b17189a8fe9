// SPDX-License-Identifier: GPL-2.0-only
/* sysctl: console ring, debug keys, scheduler, CPUs on- and offline. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/lib/trace.h"
#include "hypervisor/mm/mm.h"

/* Copied through a page of ours: the ring is read without its lock. */
long sysctl_readconsole(struct op_call *c)
{
	struct xen_sysctl_readconsole *r = c->arg;
	uint32_t done = 0, index = r->index;
	bool incremental = r->incremental;
	char *buf = heap_pages(0);
	long rc = 0;

	if (!buf)
		return -ENOMEM;
	while (done < r->count) {
		size_t n = console_ring_read(buf, MIN(r->count - done, PAGE_SIZE), &index, false,
					     incremental);

		incremental = true;
		if (!n)
			break;
		if (copy_to_guest(handle_gva(r->buffer) + done, buf, n)) {
			rc = -EFAULT;
			break;
		}
		done += (uint32_t)n;
	}
	heap_free(buf, 0);
	if (rc)
		return rc;
	if (r->clear)
		console_ring_read(NULL, 0, &index, true, true);
	r->count = done;
	r->index = index;
	return 0;
}

long sysctl_debug_keys(struct op_call *call)
{
	const struct xen_sysctl_debug_keys *k = call->arg;
	uint32_t i;
	char c;

	for (i = 0; i < MIN(k->nr_keys, 256u); i++) {
		if (copy_from_guest(&c, handle_gva(k->keys) + i, 1))
			return -EFAULT;
		debug_key_run(c);
	}
	return 0;
}

/* ---- scheduling ---- */

long sysctl_sched_id(struct op_call *c)
{
	((struct xen_sysctl_sched_id *)c->arg)->sched_id = sched_policy->id;
	return 0;
}

long sysctl_scheduler_op(struct op_call *c)
{
	struct xen_sysctl_scheduler_op *s = c->arg;

	if (s->cmd > XEN_SYSCTL_SCHEDOP_getinfo)
		return -EINVAL;
	if (!cpupool_cpus(s->cpupool_id))
		return -ESRCH;
	if (s->sched_id != sched_policy->id)
		return -EINVAL;
	return sched_policy->adjust_global ? sched_policy->adjust_global(s) : -EINVAL;
}

long sysctl_cpu_hotplug(struct op_call *c)
{
	const struct xen_sysctl_cpu_hotplug *h = c->arg;
	bool online = h->op == XEN_SYSCTL_CPU_HOTPLUG_ONLINE;
	uint32_t cpu = h->cpu;

	if (!online && h->op != XEN_SYSCTL_CPU_HOTPLUG_OFFLINE)
		return -EOPNOTSUPP; /* second threads alone: nobody here treats them apart */
	if (cpu >= nr_cpus)
		return -EINVAL;
	cpu = (uint32_t)index_nospec(cpu, nr_cpus);
	if (!test_bit(cpu, cpu_present_map.bits))
		return -EINVAL;
	if (!cpu || (cpu_online(cpu) == online && !cpu_is_moving(cpu)))
		return online ? -EEXIST : -EINVAL;
	return online ? cpu_up(cpu) : cpu_down(cpu);
}

/* CPUs idle in HLT and run as fast as the firmware left them. */
long sysctl_pm_op(struct op_call *c)
{
	struct xen_sysctl_pm_op *p = c->arg;

	if ((p->cmd & PM_PARA_CATEGORY_MASK) == CPUFREQ_PARA)
		return -EINVAL;
	if (p->cmd != XEN_SYSCTL_pm_op_get_max_cstate)
		return -ENOSYS;
	p->u.get_max_cstate = XEN_SYSCTL_CX_UNLIMITED;
	return 0;
}

/* ---- trace buffers ---- */

long sysctl_tbuf_op(struct op_call *c)
{
	struct xen_sysctl_tbuf_op *t = c->arg;
	struct cpumask cpus;
	long rc;

	switch (t->cmd) {
	case XEN_SYSCTL_TBUFOP_get_info:
		trace_get(&t->evt_mask, &t->buffer_mfn, &t->size);
		return 0;
	case XEN_SYSCTL_TBUFOP_set_cpu_mask:
		rc = bitmap_from_guest(cpus.bits, NR_CPUS, &t->cpu_mask);
		if (!rc)
			trace_set_cpus(&cpus);
		return rc;
	case XEN_SYSCTL_TBUFOP_set_evt_mask:
		trace_set_mask(t->evt_mask);
		return 0;
	case XEN_SYSCTL_TBUFOP_set_size:
		return trace_set_size(t->size);
	case XEN_SYSCTL_TBUFOP_enable:
	case XEN_SYSCTL_TBUFOP_disable:
		return trace_enable(t->cmd == XEN_SYSCTL_TBUFOP_enable);
	}
	return -EINVAL;
}
