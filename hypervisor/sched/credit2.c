// SPDX-License-Identifier: GPL-2.0-only
/*
 * The default policy: weighted fair shares, work-conserving, caps. It answers to the
 * name and the controls of credit2.
 *
 * Up to GROUP_CPUS CPUs share a run queue and its lock. A vcpu's virtual time grows as it
 * runs, slower the more weight it has; the one that is furthest behind runs next. A CPU
 * without competition has no timer; whoever queues a vcpu pokes a CPU to look. Groups
 * even out when a vcpu wakes or has lost its CPU (pick_cpu).
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/sched.h"
#include "hypervisor/sched/softirq.h"

#include <xen/domctl.h>
#include <xen/sysctl.h>

#define GROUP_CPUS     16
#define GROUPS         ((NR_CPUS + GROUP_CPUS - 1) / GROUP_CPUS)
#define DEFAULT_WEIGHT 256
#define SLICE          MILLISECS(2)  /* between vcpus that compete */
#define AHEAD_MAX      MILLISECS(20) /* of real time, at the vcpu's weight */
#define CAP_PERIOD     MILLISECS(10)
#define WAKE_BONUS     MILLISECS(2)  /* a sleeper comes back that far ahead of the others */

struct group {
	struct spinlock lock;
	struct list queue; /* by vtime */
	uint64_t min_vtime;
	uint32_t load; /* queued and running; read without the lock elsewhere */
	uint32_t cpus, idle; /* of the CPUs first..first + 15; idle: asleep and not yet poked */
	unsigned int first;
};

struct share {
	struct domain *d;
	uint16_t weight, cap; /* cap: per cent of a CPU, 0 none */
	int64_t budget;       /* of this period, ns; atomic */
	struct timer refill;
	stime_t due; /* when the timer is to fire */
};

struct unit {
	struct share *share;
	struct group *group; /* whose clock vtime is on */
	uint64_t vtime;
	stime_t started; /* when it got its CPU */
	stime_t charged; /* up to when it has paid */
	bool yield, counted;
};

static struct group *groups[GROUPS];
static uint32_t ratelimit_us = 1000;

static struct unit *unit_of(const struct vcpu *v)
{
	return v->sched_data;
}

/* Of a place in a queue. */
static struct unit *unit_at(struct list *l)
{
	return unit_of(list_entry(l, struct vcpu, queue));
}

static struct group *group_of(unsigned int cpu)
{
	return groups[cpu / GROUP_CPUS];
}

static uint32_t bit_of(unsigned int cpu)
{
	return 1u << cpu % GROUP_CPUS;
}

static uint64_t weighted(const struct unit *u, stime_t ns)
{
	return (uint64_t)ns * DEFAULT_WEIGHT / u->share->weight;
}

static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static bool out_of_budget(const struct unit *u)
{
	return u->share->cap && READ_ONCE(u->share->budget) <= 0;
}

static void count(struct unit *u, struct group *g, bool on)
{
	if (u->counted == on)
		return;
	u->counted = on;
	if (on)
		g->load++;
	else
		g->load--;
}

/* Pay for the time since the last charge. */
static void charge(struct group *g, struct unit *u, stime_t t)
{
	stime_t ran = t - u->charged;
	uint64_t limit = g->min_vtime + weighted(u, AHEAD_MAX);

	u->charged = t;
	if (ran <= 0)
		return;
	u->vtime += weighted(u, ran);
	/* Time it had alone is not held against it for long. */
	if (before(limit, u->vtime))
		u->vtime = limit;
	if (u->share->cap)
		atomic_sub(&u->share->budget, ran);
}

static void enqueue(struct group *g, struct vcpu *v, stime_t bonus)
{
	struct unit *u = unit_of(v);
	uint64_t least = g->min_vtime - weighted(u, bonus);
	struct list *at;

	if (u->group != g || before(u->vtime, least)) {
		u->group = g;
		u->vtime = least;
	}
	for (at = g->queue.prev; at != &g->queue; at = at->prev)
		if (!before(u->vtime, unit_at(at)->vtime))
			break;
	list_add(&v->queue, at);
	count(u, g, true);
}

/* ---- which CPU ---- */

/* CPUs of @g where @v may run. */
static uint32_t allowed(const struct group *g, const struct vcpu *v, bool soft)
{
	unsigned int word = g->first / 64, shift = g->first % 64;
	uint64_t bits;

	if (unlikely(v->pin_override)) {
		unsigned int cpu = v->pin_override - 1;

		return group_of(cpu) == g ? bit_of(cpu) : 0;
	}
	bits = v->hard_affinity.bits[word];
	if (v->domain->pool_cpus)
		bits &= v->domain->pool_cpus->bits[word];
	if (soft)
		bits &= v->soft_affinity.bits[word];
	return (uint32_t)(bits >> shift) & READ_ONCE(g->cpus);
}

/* One of @bits, @cpu itself if it is there. */
static unsigned int choose(const struct group *g, uint32_t bits, unsigned int cpu)
{
	if (group_of(cpu) == g && (bits & bit_of(cpu)))
		return cpu;
	return g->first + (unsigned int)__builtin_ctz(bits);
}

static unsigned int idle_cpu_for(struct vcpu *v, bool soft)
{
	struct group *home = group_of(v->cpu);
	uint32_t bits = allowed(home, v, soft) & READ_ONCE(home->idle);
	unsigned int i;

	if (likely(bits))
		return choose(home, bits, v->cpu);
	for (i = 0; i < ROUND_UP(nr_cpus, GROUP_CPUS) / GROUP_CPUS; i++) {
		if (!groups[i] || groups[i] == home)
			continue;
		bits = allowed(groups[i], v, soft) & READ_ONCE(groups[i]->idle);
		if (bits)
			return choose(groups[i], bits, v->cpu);
	}
	return NR_CPUS;
}

/* An idle CPU, one in its soft affinity first; else the group with the least to do. */
static unsigned int c2_pick_cpu(struct vcpu *v)
{
	struct group *home = group_of(v->cpu), *best = NULL;
	unsigned int i, cpu = idle_cpu_for(v, true);
	uint64_t load, least = ~0ull;
	uint32_t bits;

	if (cpu == NR_CPUS)
		cpu = idle_cpu_for(v, false);
	if (cpu < NR_CPUS)
		return cpu;
	for (i = 0; i < ROUND_UP(nr_cpus, GROUP_CPUS) / GROUP_CPUS; i++) {
		if (!groups[i] || !allowed(groups[i], v, false))
			continue;
		/* Its lock is not held: its last CPU may just go offline. */
		load = (uint64_t)READ_ONCE(groups[i]->load) * 64 /
		       (uint64_t)MAX(__builtin_popcount(READ_ONCE(groups[i]->cpus)), 1);
		/* A move must gain something. */
		if (groups[i] != home)
			load += 64 / GROUP_CPUS * 2;
		if (load < least) {
			least = load;
			best = groups[i];
		}
	}
	if (!best)
		return v->cpu;
	bits = allowed(best, v, true);
	bits = bits ? bits : allowed(best, v, false);
	return bits ? choose(best, bits, v->cpu) : v->cpu;
}

/* Make some CPU look at the queue, where @v has just been put. */
static void poke(struct group *g, struct vcpu *v, stime_t t)
{
	uint32_t may = allowed(g, v, false), bits = may & g->idle;
	unsigned int cpu, victim = NR_CPUS;
	uint64_t latest = 0;

	if (bits) {
		uint32_t soft = bits & allowed(g, v, true);

		cpu = choose(g, soft ? soft : bits, v->cpu);
		g->idle &= ~bit_of(cpu);
		softirq_raise_cpu(cpu, SOFTIRQ_SCHEDULE);
		return;
	}
	for (; may; may &= may - 1) {
		struct vcpu *r;
		struct unit *ru;
		uint64_t vtime;

		cpu = g->first + (unsigned int)__builtin_ctz(may);
		r = per_cpu(running_vcpu, cpu);
		if (!r || is_idle_vcpu(r)) {
			victim = cpu; /* poked already; it sees the queue, or is about to */
			break;
		}
		ru = unit_of(r);
		vtime = ru->vtime + weighted(ru, MAX(t - ru->charged, (stime_t)0));
		if (victim == NR_CPUS || before(latest, vtime)) {
			victim = cpu;
			latest = vtime;
		}
	}
	if (victim < NR_CPUS)
		softirq_raise_cpu(victim, SOFTIRQ_SCHEDULE);
}

/* ---- the policy's face; run queue lock held ---- */

static void c2_slept(struct vcpu *v)
{
	count(unit_of(v), group_of(v->cpu), false);
}

static void c2_queue(struct vcpu *v, bool woken)
{
	struct group *g = group_of(v->cpu);

	enqueue(g, v, woken ? WAKE_BONUS : 0);
	poke(g, v, now());
}

static void c2_yield(struct vcpu *v)
{
	unit_of(v)->yield = true;
}

static struct vcpu *first_for(struct group *g, unsigned int cpu)
{
	struct list *at;

	list_for_each(at, &g->queue) {
		struct vcpu *v = list_entry(at, struct vcpu, queue);

		if (vcpu_may_run_on(v, cpu) && !out_of_budget(unit_of(v)))
			return v;
	}
	return NULL;
}

static bool keeps_cpu(const struct unit *u, const struct vcpu *other, stime_t t)
{
	if (out_of_budget(u))
		return false;
	if (!other)
		return true;
	if (u->yield)
		return false;
	return t - u->started < MICROSECS(ratelimit_us) || !before(unit_of(other)->vtime, u->vtime);
}

static stime_t slice_of(struct group *g, struct unit *u, stime_t t)
{
	stime_t slice = NEVER;

	if (!list_empty(&g->queue)) {
		slice = SLICE;
		if (t - u->started < MICROSECS(ratelimit_us))
			slice = u->started + MICROSECS(ratelimit_us) - t;
	}
	if (u->share->cap)
		slice = MIN(slice, MAX(READ_ONCE(u->share->budget), MICROSECS(50)));
	return slice;
}

static struct vcpu *c2_pick(struct vcpu *stays, stime_t t, stime_t *slice)
{
	unsigned int cpu = this_cpu;
	struct group *g = group_of(cpu);
	struct vcpu *prev = this_cpu_var(running_vcpu), *v;
	struct unit *u;

	if (!is_idle_vcpu(prev))
		charge(g, unit_of(prev), t);
	v = first_for(g, cpu);
	if (stays && keeps_cpu(unit_of(stays), v, t)) {
		v = stays;
	} else {
		if (!is_idle_vcpu(prev))
			count(unit_of(prev), g, false); /* until it is queued again */
		if (v) {
			sched_dequeue(v);
			unit_of(v)->started = unit_of(v)->charged = t;
		}
	}
	if (stays)
		unit_of(stays)->yield = false;
	if (!v) {
		g->idle |= bit_of(cpu) & g->cpus;
		return this_cpu_var(idle_vcpu);
	}
	g->idle &= ~bit_of(cpu);
	u = unit_of(v);
	if (before(g->min_vtime, u->vtime) &&
	    (list_empty(&g->queue) || !before(unit_at(g->queue.next)->vtime, u->vtime)))
		g->min_vtime = u->vtime;
	*slice = slice_of(g, u, t);
	return v;
}

/* ---- life ---- */

static void c2_cpu_init(unsigned int cpu)
{
	struct group *g = groups[cpu / GROUP_CPUS];

	if (!g) {
		g = xzalloc(struct group);
		if (!g)
			panic("sched: no memory for CPU %u's run queue", cpu);
		spin_lock_init(&g->lock, LOCK_SCHED);
		list_init(&g->queue);
		g->first = cpu / GROUP_CPUS * GROUP_CPUS;
		groups[cpu / GROUP_CPUS] = g;
	}
	per_cpu(sched_lock, cpu) = &g->lock;
	__atomic_fetch_or(&g->cpus, bit_of(cpu), __ATOMIC_SEQ_CST);
}

static void c2_cpu_exit(unsigned int cpu)
{
	struct group *g = group_of(cpu);
	unsigned long flags = spin_lock_irqsave(&g->lock);

	__atomic_fetch_and(&g->cpus, ~bit_of(cpu), __ATOMIC_SEQ_CST);
	g->idle &= ~bit_of(cpu);
	spin_unlock_irqrestore(&g->lock, flags);
}

static void refill(void *arg)
{
	struct share *s = arg;
	int64_t full = CAP_PERIOD * s->cap / 100;
	/* Late, it makes up for the periods it missed: they were charged, too. */
	int64_t periods = 1 + MAX(now() - s->due, (stime_t)0) / CAP_PERIOD;
	struct vcpu *v;
	unsigned int i;

	if (!s->cap)
		return;
	if (atomic_add(&s->budget, full * periods) > full)
		atomic_store(&s->budget, full);
	s->due += periods * CAP_PERIOD;
	timer_set(&s->refill, s->due);
	for_each_vcpu(s->d, v, i)
		if (READ_ONCE(v->queued))
			softirq_raise_cpu(v->cpu, SOFTIRQ_SCHEDULE);
}

static int c2_domain_init(struct domain *d)
{
	struct share *s = xzalloc(struct share);

	if (!s)
		return -ENOMEM;
	s->d = d;
	s->weight = DEFAULT_WEIGHT;
	timer_init(&s->refill, refill, s, this_cpu);
	d->sched_data = s;
	return 0;
}

static void c2_domain_destroy(struct domain *d)
{
	struct share *s = d->sched_data;

	if (!s)
		return;
	timer_kill(&s->refill);
	xfree(s);
	d->sched_data = NULL;
}

static void c2_vcpu_init(struct vcpu *v)
{
	unit_of(v)->share = v->domain->sched_data;
}

static int c2_adjust_domain(struct domain *d, void *arg)
{
	struct xen_domctl_scheduler_op *op = arg;
	struct share *s = d->sched_data;
	bool had_cap;

	if (op->cmd == XEN_DOMCTL_SCHEDOP_getinfo) {
		op->u.credit2.weight = s->weight;
		op->u.credit2.cap = s->cap;
		return 0;
	}
	if (op->cmd != XEN_DOMCTL_SCHEDOP_putinfo)
		return -EINVAL;
	if (op->u.credit2.weight)
		WRITE_ONCE(s->weight, op->u.credit2.weight);
	if (op->u.credit2.cap == (uint16_t)~0u)
		return 0;
	had_cap = s->cap;
	atomic_store(&s->budget, CAP_PERIOD * op->u.credit2.cap / 100);
	WRITE_ONCE(s->cap, op->u.credit2.cap);
	if (s->cap && !had_cap) {
		struct vcpu *v;
		unsigned int i;

		s->due = now() + CAP_PERIOD;
		timer_set(&s->refill, s->due);
		for_each_vcpu(d, v, i) /* those that run have no timer yet */
			softirq_raise_cpu(v->cpu, SOFTIRQ_SCHEDULE);
	}
	return 0;
}

static int c2_adjust_global(void *arg)
{
	struct xen_sysctl_scheduler_op *op = arg;
	struct xen_sysctl_credit2_schedule *p = &op->u.sched_credit2;

	if (op->cmd == XEN_SYSCTL_SCHEDOP_putinfo) {
		if (p->ratelimit_us && (p->ratelimit_us > XEN_SYSCTL_SCHED_RATELIMIT_MAX ||
					p->ratelimit_us < XEN_SYSCTL_SCHED_RATELIMIT_MIN))
			return -EINVAL;
		ratelimit_us = p->ratelimit_us;
	} else if (op->cmd != XEN_SYSCTL_SCHEDOP_getinfo) {
		return -EINVAL;
	}
	p->ratelimit_us = ratelimit_us;
	return 0;
}

static void c2_dump(unsigned int cpu)
{
	struct group *g = group_of(cpu);
	struct vcpu *v = per_cpu(running_vcpu, cpu);
	struct list *at;

	printk(LOG_INFO, "cpu%u: runs d%u v%u, group at %u, load %u, idle %#x, min %llu\n", cpu,
	       v->domain->domid, v->id, g->first, g->load, g->idle,
	       (unsigned long long)g->min_vtime);
	if (cpu != g->first)
		return;
	list_for_each(at, &g->queue) {
		const struct vcpu *w = list_entry(at, struct vcpu, queue);
		const struct unit *u = unit_of(w);

		printk(LOG_INFO, "  waits: d%u v%u, weight %u, cap %u, vtime %llu\n",
		       w->domain->domid, w->id, u->share->weight, u->share->cap,
		       (unsigned long long)u->vtime);
	}
}

const struct sched_policy sched_credit2 = {
	.name = "credit2",
	.id = XEN_SCHEDULER_CREDIT2,
	.cpu_init = c2_cpu_init,
	.cpu_exit = c2_cpu_exit,
	.domain_init = c2_domain_init,
	.domain_destroy = c2_domain_destroy,
	.unit_size = sizeof(struct unit),
	.vcpu_init = c2_vcpu_init,
	.queue = c2_queue,
	.slept = c2_slept,
	.yield = c2_yield,
	.pick = c2_pick,
	.pick_cpu = c2_pick_cpu,
	.adjust_domain = c2_adjust_domain,
	.adjust_global = c2_adjust_global,
	.dump = c2_dump,
};
