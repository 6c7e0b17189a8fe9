// SPDX-License-Identifier: GPL-2.0-only
/*
 * RTDS: each vcpu may use its budget in each of its periods; whose period ends first runs
 * first, on any CPU. With extratime a vcpu whose budget is used up gets another one behind
 * all that still have theirs of this period.
 *
 * One run queue for all CPUs. A CPU's slice ends when the next budget or period does, idle
 * or not, so nothing else needs a timer.
 */
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/sched.h"
#include "hypervisor/sched/softirq.h"

#include <xen/domctl.h>

#define DEFAULT_PERIOD_US 10000
#define DEFAULT_BUDGET_US 4000
#define MIN_US            10
#define MAX_PERIOD_US     10000000
#define MIN_SLICE         MICROSECS(50)

struct server {
	stime_t period, budget; /* as set */
	stime_t deadline, left; /* of this period */
	stime_t charged;
	uint32_t level; /* budgets beyond the first in this period */
	bool extra;
};

static struct spinlock rt_lock = SPINLOCK(LOCK_SCHED);
static struct list queue = {&queue, &queue};
static struct cpumask idle_cpus; /* asleep and not yet poked */

static struct server *server_of(const struct vcpu *v)
{
	return v->sched_data;
}

/* A new period has begun, perhaps several ago. */
static void refresh(struct server *s, stime_t t)
{
	if (t < s->deadline)
		return;
	s->deadline += ((t - s->deadline) / s->period + 1) * s->period;
	s->left = s->budget;
	s->level = 0;
}

static void charge(struct server *s, stime_t t)
{
	if (t > s->charged)
		s->left -= t - s->charged;
	s->charged = t;
	refresh(s, t);
	if (s->left <= 0 && s->extra) {
		s->left = s->budget;
		s->level++;
	}
}

/* Does @a go before @b? */
static bool goes_before(const struct server *a, const struct server *b)
{
	return a->level != b->level ? a->level < b->level : a->deadline < b->deadline;
}

/* A CPU that should look: one that sleeps, else the one with what can wait longest. */
static void poke(struct vcpu *v)
{
	struct server *last = server_of(v);
	unsigned int cpu, victim = NR_CPUS;

	for_each_online_cpu(cpu) {
		struct vcpu *r = per_cpu(running_vcpu, cpu);

		if (!r || !vcpu_may_run_on(v, cpu))
			continue;
		if (test_bit(cpu, idle_cpus.bits)) {
			victim = cpu;
			break;
		}
		if (!is_idle_vcpu(r) && goes_before(last, server_of(r))) {
			last = server_of(r);
			victim = cpu;
		}
	}
	if (victim == NR_CPUS)
		return; /* it waits; whoever runs has a slice that ends */
	clear_bit(victim, idle_cpus.bits);
	softirq_raise_cpu(victim, SOFTIRQ_SCHEDULE);
}

static void rt_queue(struct vcpu *v, bool woken)
{
	(void)woken;
	refresh(server_of(v), now());
	list_add_tail(&v->queue, &queue);
	poke(v);
}

static void rt_yield(struct vcpu *v)
{
	struct server *s = server_of(v);

	s->left = MIN(s->left, 0); /* what is left of its budget is given away */
}

/* Of those that wait the first that may run here; *event: when that may change. */
static struct vcpu *first_for(unsigned int cpu, stime_t t, stime_t *event)
{
	struct vcpu *best = NULL;
	struct list *at;

	list_for_each(at, &queue) {
		struct vcpu *v = list_entry(at, struct vcpu, queue);
		struct server *s = server_of(v);

		if (!vcpu_may_run_on(v, cpu))
			continue;
		refresh(s, t);
		*event = MIN(*event, s->deadline);
		if (s->left > 0 && (!best || goes_before(s, server_of(best))))
			best = v;
	}
	return best;
}

static struct vcpu *rt_pick(struct vcpu *stays, stime_t t, stime_t *slice)
{
	struct vcpu *prev = this_cpu_var(running_vcpu), *v;
	unsigned int cpu = this_cpu;
	stime_t event = NEVER;

	if (!is_idle_vcpu(prev))
		charge(server_of(prev), t);
	if (stays && server_of(stays)->left <= 0)
		stays = NULL;
	v = first_for(cpu, t, &event);
	if (stays && (!v || !goes_before(server_of(v), server_of(stays)))) {
		v = stays;
	} else if (v) {
		sched_dequeue(v);
		server_of(v)->charged = t;
	}
	if (v)
		event = MIN(event, MIN(server_of(v)->deadline, t + server_of(v)->left));
	if (event != NEVER)
		*slice = MAX(event - t, MIN_SLICE);
	if (!v) {
		set_bit(cpu, idle_cpus.bits);
		return this_cpu_var(idle_vcpu);
	}
	clear_bit(cpu, idle_cpus.bits);
	return v;
}

static unsigned int rt_pick_cpu(struct vcpu *v)
{
	unsigned int cpu;

	if (vcpu_may_run_on(v, v->cpu))
		return v->cpu;
	for_each_online_cpu(cpu)
		if (vcpu_may_run_on(v, cpu))
			return cpu;
	return v->cpu;
}

/* ---- life and parameters ---- */

static void rt_cpu_init(unsigned int cpu)
{
	per_cpu(sched_lock, cpu) = &rt_lock;
}

static void rt_cpu_exit(unsigned int cpu)
{
	clear_bit(cpu, idle_cpus.bits);
}

static void rt_vcpu_init(struct vcpu *v)
{
	struct server *s = server_of(v);

	s->period = MICROSECS(DEFAULT_PERIOD_US);
	s->budget = MICROSECS(DEFAULT_BUDGET_US);
	s->extra = true;
}

static bool valid(const struct xen_domctl_sched_rtds *p)
{
	return p->budget >= MIN_US && p->period <= MAX_PERIOD_US && p->budget <= p->period;
}

static void set(struct vcpu *v, const struct xen_domctl_sched_rtds *p)
{
	struct server *s = server_of(v);
	unsigned long flags = spin_lock_irqsave(&rt_lock);

	s->period = MICROSECS(p->period);
	s->budget = MICROSECS(p->budget);
	s->extra = p->flags & XEN_DOMCTL_SCHEDRT_extra;
	s->deadline = 0; /* a new period */
	refresh(s, now());
	spin_unlock_irqrestore(&rt_lock, flags);
	softirq_raise_cpu(v->cpu, SOFTIRQ_SCHEDULE);
}

static int rt_adjust_domain(struct domain *d, void *arg)
{
	struct xen_domctl_scheduler_op *op = arg;
	struct xen_domctl_sched_rtds *p = &op->u.rtds;
	struct vcpu *v;
	unsigned int i;

	switch (op->cmd) {
	case XEN_DOMCTL_SCHEDOP_getinfo:
		p->period = DEFAULT_PERIOD_US;
		p->budget = DEFAULT_BUDGET_US;
		return 0;
	case XEN_DOMCTL_SCHEDOP_putinfo:
		if (!valid(p))
			return -EINVAL;
		for_each_vcpu(d, v, i)
			set(v, p);
		return 0;
	default:
		return -EINVAL;
	}
}

static int rt_adjust_vcpu(struct vcpu *v, void *arg, bool put)
{
	struct xen_domctl_sched_rtds *p = &((struct xen_domctl_schedparam_vcpu *)arg)->u.rtds;
	const struct server *s = server_of(v);

	if (put) {
		if (!valid(p))
			return -EINVAL;
		set(v, p);
		return 0;
	}
	p->period = (uint32_t)(s->period / 1000);
	p->budget = (uint32_t)(s->budget / 1000);
	p->flags = s->extra ? XEN_DOMCTL_SCHEDRT_extra : 0;
	return 0;
}

static void rt_dump(unsigned int cpu)
{
	struct list *at;

	if (cpu)
		return;
	list_for_each(at, &queue) {
		const struct vcpu *v = list_entry(at, struct vcpu, queue);
		const struct server *s = server_of(v);

		printk(LOG_INFO, "  waits: d%uv%u, deadline %ld, left %ld of %ld us, level %u\n",
		       v->domain->domid, v->id, s->deadline, s->left, s->budget / 1000,
		       s->level);
	}
}

const struct sched_policy sched_rtds = {
	.name = "rtds",
	.id = XEN_SCHEDULER_RTDS,
	.cpu_init = rt_cpu_init,
	.cpu_exit = rt_cpu_exit,
	.unit_size = sizeof(struct server),
	.vcpu_init = rt_vcpu_init,
	.queue = rt_queue,
	.yield = rt_yield,
	.pick = rt_pick,
	.pick_cpu = rt_pick_cpu,
	.adjust_domain = rt_adjust_domain,
	.adjust_vcpu = rt_adjust_vcpu,
	.dump = rt_dump,
};
