// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPU pools: XEN_SYSCTL_cpupool_op. A CPU is in one pool or in none, a domain in one, whose
 * CPUs alone its vcpus run on. All pools have the one policy the hypervisor was booted
 * with. Changes are made under the control plane's lock; the scheduler reads the masks.
 */
#include "hypervisor/hypercall/control.h"
#include "hypervisor/mm/mm.h"

#define POOLS_MAX 64

/* CPUs that come up later are the first pool's. */
static struct cpumask pool0 = {.bits = {[0 ... (NR_CPUS + 63) / 64 - 1] = ~0ull}};
static struct cpumask *pools[POOLS_MAX] = {&pool0};
static struct cpumask free_cpus;

const struct cpumask *cpupool_cpus(uint32_t id)
{
	return id < POOLS_MAX ? pools[index_nospec(id, POOLS_MAX)] : NULL;
}

static bool pool_empty(const struct cpumask *m)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (test_bit(cpu, m->bits))
			return false;
	return true;
}

static uint32_t pool_domains(uint32_t id)
{
	struct domain *d;
	uint32_t n = 0;

	for (d = domain_next(NULL); d; d = domain_next(d))
		n += d->cpupool == id;
	return n;
}

static long pool_create(struct xen_sysctl_cpupool_op *p)
{
	uint32_t id = p->cpupool_id;

	if (p->sched_id != sched_policy->id) {
		printk(LOG_WARN, "cpupool: all pools are %s's\n", sched_policy->name);
		return -EOPNOTSUPP;
	}
	if (id == XEN_SYSCTL_CPUPOOL_PAR_ANY)
		for (id = 0; id < POOLS_MAX && pools[id]; id++)
			;
	if (id >= POOLS_MAX)
		return -ENOSPC;
	id = (uint32_t)index_nospec(id, POOLS_MAX);
	if (pools[id])
		return -EEXIST;
	pools[id] = xzalloc(struct cpumask);
	if (!pools[id])
		return -ENOMEM;
	p->cpupool_id = id;
	return 0;
}

/* No domain is left in it, so nobody looks at its mask. */
static long pool_destroy(uint32_t id)
{
	struct cpumask *m = pools[id];
	unsigned int i;

	if (!id || pool_domains(id))
		return -EBUSY;
	for (i = 0; i < ARRAY_SIZE(m->bits); i++)
		free_cpus.bits[i] |= m->bits[i];
	pools[id] = NULL;
	xfree(m);
	return 0;
}

/* The pool of that number or the next there is: so tools go through all. */
static long pool_info(struct xen_sysctl_cpupool_op *p)
{
	uint32_t id = p->cpupool_id;
	struct cpumask out;
	unsigned int i;

	while (id < POOLS_MAX && !pools[index_nospec(id, POOLS_MAX)])
		id++;
	if (id >= POOLS_MAX)
		return -ENOENT;
	id = (uint32_t)index_nospec(id, POOLS_MAX);
	p->cpupool_id = id;
	p->sched_id = sched_policy->id;
	p->n_dom = pool_domains(id);
	for (i = 0; i < ARRAY_SIZE(out.bits); i++)
		out.bits[i] = pools[id]->bits[i] & cpu_online_map.bits[i];
	return bitmap_to_guest(out.bits, nr_cpus, &p->cpumap);
}

static long pool_add_cpu(uint32_t id, uint32_t cpu)
{
	if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY)
		cpu = (uint32_t)find_next_bit(free_cpus.bits, nr_cpus, 0);
	else if (cpu >= nr_cpus)
		return -EINVAL;
	if (cpu >= nr_cpus || !test_and_clear_bit(cpu, free_cpus.bits))
		return -ENODEV;
	set_bit(cpu, pools[id]->bits);
	return 0;
}

/* Vcpus of the pool go where they may run now; with nowhere to go, anywhere in the pool. */
static void pool_settle(uint32_t id)
{
	struct domain *d;
	struct vcpu *v;
	unsigned int i;

	for (d = domain_next(NULL); d; d = domain_next(d)) {
		if (d->cpupool != id)
			continue;
		for_each_vcpu(d, v, i)
			if (vcpu_set_affinity(v, &v->hard_affinity, NULL))
				vcpu_set_affinity(v, pools[id], NULL);
	}
}

static long pool_remove_cpu(uint32_t id, uint32_t cpu)
{
	struct cpumask *m = pools[id];
	unsigned int i;

	if (cpu == XEN_SYSCTL_CPUPOOL_PAR_ANY) {
		for_each_online_cpu(i)
			if (test_bit(i, m->bits))
				cpu = i; /* the last */
	} else if (cpu >= nr_cpus) {
		return -EINVAL;
	}
	if (cpu >= nr_cpus || !test_and_clear_bit(cpu, m->bits))
		return -ENODEV;
	if (pool_empty(m) && pool_domains(id)) {
		set_bit(cpu, m->bits);
		return -EBUSY;
	}
	set_bit(cpu, free_cpus.bits);
	pool_settle(id);
	return 0;
}

/* Which CPUs a domain's vcpus were tied to means nothing in another pool. */
static long pool_move_domain(uint32_t id, uint32_t domid)
{
	struct domain *d = domid < DOMID_FIRST_RESERVED ? domain_get((domid_t)domid) : NULL;
	struct cpumask all;
	struct vcpu *v;
	unsigned int i;

	if (!d)
		return -ESRCH;
	if (d->cpupool != id && pool_empty(pools[id])) {
		domain_put(d);
		return -EINVAL;
	}
	if (d->cpupool != id) {
		memset(&all, 0xff, sizeof(all));
		domain_pause(d);
		d->cpupool = id;
		d->pool_cpus = pools[id];
		for_each_vcpu(d, v, i)
			vcpu_set_affinity(v, &all, &all);
		domain_unpause(d);
	}
	domain_put(d);
	return 0;
}

long sysctl_cpupool_op(struct op_call *c)
{
	struct xen_sysctl_cpupool_op *p = c->arg;
	uint32_t id = p->cpupool_id;

	switch (p->op) {
	case XEN_SYSCTL_CPUPOOL_OP_CREATE:
		return pool_create(p);
	case XEN_SYSCTL_CPUPOOL_OP_INFO:
		return pool_info(p);
	case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
		return bitmap_to_guest(free_cpus.bits, nr_cpus, &p->cpumap);
	case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
		if (p->domid == current->domain->domid)
			return -EPERM;
		break;
	case XEN_SYSCTL_CPUPOOL_OP_DESTROY:
	case XEN_SYSCTL_CPUPOOL_OP_ADDCPU:
	case XEN_SYSCTL_CPUPOOL_OP_RMCPU:
		break;
	default:
		return -ENOSYS;
	}
	if (!cpupool_cpus(id))
		return -ENOENT;
	id = (uint32_t)index_nospec(id, POOLS_MAX);
	if (p->op == XEN_SYSCTL_CPUPOOL_OP_DESTROY)
		return pool_destroy(id);
	if (p->op == XEN_SYSCTL_CPUPOOL_OP_ADDCPU)
		return pool_add_cpu(id, p->cpu);
	if (p->op == XEN_SYSCTL_CPUPOOL_OP_RMCPU)
		return pool_remove_cpu(id, p->cpu);
	return pool_move_domain(id, p->domid);
}
