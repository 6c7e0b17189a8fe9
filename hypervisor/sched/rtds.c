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
	struct list link; /* in the queue */
	struct vcpu *v;
	stime_t period, budget; /* as set */
	stime_t deadline, left; /* of this period */
	stime_t charged;
	uint32_t level; /* budgets beyond the first in this period */
	bool extra, queued;
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

static bool rt_queued(const struct vcpu *v)
{
	return server_of(v)->queued;
}

static void rt_sleep(struct vcpu *v)
{
	list_del(&server_of(v)->link);
	server_of(v)->queued = false;
}

/* A CPU that should look: one that sleeps, else the one with what can wait longest. */
static void poke(struct server *s)
{
	struct server *last = s;
	unsigned int cpu, victim = NR_CPUS;

	for_each_online_cpu(cpu) {
		struct vcpu *r = per_cpu(running_vcpu, cpu);

		if (!r || !vcpu_may_run_on(s->v, cpu))
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

static void rt_wake(struct vcpu *v)
{
	struct server *s = server_of(v);

	refresh(s, now());
	s->queued = true;
	list_add_tail(&s->link, &queue);
	poke(s);
}

static void rt_yield(struct vcpu *v)
{
	struct server *s = server_of(v);

	s->left = MIN(s->left, 0); /* what is left of its budget is given away */
}

/* Of those that wait the first that may run here; *event: when that may change. */
static struct server *first_for(unsigned int cpu, stime_t t, stime_t *event)
{
	struct server *best = NULL;
	struct list *at;

	list_for_each(at, &queue) {
		struct server *s = list_entry(at, struct server, link);

		if (!vcpu_may_run_on(s->v, cpu))
			continue;
		refresh(s, t);
		*event = MIN(*event, s->deadline);
		if (s->left > 0 && (!best || goes_before(s, best)))
			best = s;
	}
	return best;
}

static struct vcpu *rt_pick(stime_t t, stime_t *slice)
{
	unsigned int cpu = this_cpu;
	struct vcpu *prev = this_cpu_var(running_vcpu);
	struct server *mine = NULL, *s;
	stime_t event = NEVER;

	if (!is_idle_vcpu(prev)) {
		mine = server_of(prev);
		charge(mine, t);
		if (!vcpu_runnable(prev) || !vcpu_may_run_on(prev, cpu) || mine->left <= 0)
			mine = NULL;
	}
	s = first_for(cpu, t, &event);
	if (mine && (!s || !goes_before(s, mine))) {
		s = mine;
	} else if (s) {
		rt_sleep(s->v);
		s->charged = t;
	}
	if (s)
		event = MIN(event, MIN(s->deadline, t + s->left));
	if (event != NEVER)
		*slice = MAX(event - t, MIN_SLICE);
	if (!s) {
		set_bit(cpu, idle_cpus.bits);
		return this_cpu_var(idle_vcpu);
	}
	clear_bit(cpu, idle_cpus.bits);
	return s->v;
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

static int rt_vcpu_init(struct vcpu *v)
{
	struct server *s = xzalloc(struct server);

	if (!s)
		return -ENOMEM;
	list_init(&s->link);
	s->v = v;
	s->period = MICROSECS(DEFAULT_PERIOD_US);
	s->budget = MICROSECS(DEFAULT_BUDGET_US);
	s->extra = true;
	v->sched_data = s;
	return 0;
}

static void rt_vcpu_destroy(struct vcpu *v)
{
	xfree(v->sched_data);
	v->sched_data = NULL;
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
		const struct server *s = list_entry(at, struct server, link);

		printk(LOG_INFO, "  waits: d%uv%u, deadline %ld, left %ld of %ld us, level %u\n",
		       s->v->domain->domid, s->v->id, s->deadline, s->left, s->budget / 1000,
		       s->level);
	}
}

const struct sched_policy sched_rtds = {
	.name = "rtds",
	.id = XEN_SCHEDULER_RTDS,
	.cpu_init = rt_cpu_init,
	.cpu_exit = rt_cpu_exit,
	.vcpu_init = rt_vcpu_init,
	.vcpu_destroy = rt_vcpu_destroy,
	.queued = rt_queued,
	.sleep = rt_sleep,
	.wake = rt_wake,
	.yield = rt_yield,
	.switched_out = rt_wake,
	.pick = rt_pick,
	.pick_cpu = rt_pick_cpu,
	.adjust_domain = rt_adjust_domain,
	.adjust_vcpu = rt_adjust_vcpu,
	.dump = rt_dump,
};
