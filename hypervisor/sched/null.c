// SPDX-License-Identifier: GPL-2.0-only
/* The null policy: a vcpu has a CPU for itself, or waits for one to become free. The
 * choice is made once; scheduling then costs nothing. */
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/sched.h"
#include "hypervisor/sched/softirq.h"

#include <xen/domctl.h>

struct seat {
	struct list waiting;
	struct vcpu *v;
	unsigned int cpu; /* NR_CPUS: none */
};

/* Whose CPU it is. Given and taken under seats_lock, read under the CPU's lock. */
static DEFINE_PER_CPU(struct vcpu *, owner);
static struct spinlock seats_lock = SPINLOCK(LOCK_XMALLOC);
static struct list waiting = {&waiting, &waiting};

static struct seat *seat_of(const struct vcpu *v)
{
	return v->sched_data;
}

static bool seat_take(struct seat *s)
{
	unsigned int cpu;

	for_each_online_cpu(cpu) {
		if (per_cpu(owner, cpu) || !vcpu_may_run_on(s->v, cpu))
			continue;
		WRITE_ONCE(per_cpu(owner, cpu), s->v);
		s->cpu = cpu;
		return true;
	}
	return false;
}

static void null_vcpu_init(struct vcpu *v)
{
	struct seat *s = seat_of(v);

	s->v = v;
	s->cpu = NR_CPUS;
	list_init(&s->waiting);
	spin_lock(&seats_lock);
	if (!seat_take(s)) {
		list_add_tail(&s->waiting, &waiting);
		printk(LOG_WARN, "sched: no CPU left for d%uv%u\n", v->domain->domid, v->id);
	}
	spin_unlock(&seats_lock);
}

static void null_vcpu_destroy(struct vcpu *v)
{
	struct seat *s = seat_of(v);
	struct vcpu *next = NULL;
	struct list *at;

	spin_lock(&seats_lock);
	list_del(&s->waiting);
	if (s->cpu != NR_CPUS) {
		unsigned long flags = spin_lock_irqsave(per_cpu(sched_lock, s->cpu));

		WRITE_ONCE(per_cpu(owner, s->cpu), NULL); /* null_pick() does not look at @v */
		spin_unlock_irqrestore(per_cpu(sched_lock, s->cpu), flags);
		list_for_each(at, &waiting) {
			struct seat *w = list_entry(at, struct seat, waiting);

			if (!seat_take(w))
				continue;
			list_del(&w->waiting);
			next = w->v;
			break;
		}
	}
	spin_unlock(&seats_lock);
	/* Queued where it had no seat: taken off there, and placed where it has one. */
	if (next)
		vcpu_set_affinity(next, NULL, NULL);
}

/* There is nobody to queue behind. */
static void null_queue(struct vcpu *v, bool woken)
{
	(void)woken;
	if (per_cpu(owner, v->cpu) == v)
		softirq_raise_cpu(v->cpu, SOFTIRQ_SCHEDULE);
}

static struct vcpu *null_pick(struct vcpu *stays, stime_t t, stime_t *slice)
{
	struct vcpu *v = this_cpu_var(owner), *prev = this_cpu_var(running_vcpu);

	(void)stays, (void)t, (void)slice; /* its CPU stays its own, whatever its affinity */
	if (!v || v->cpu != this_cpu || !vcpu_runnable(v) || (v != prev && !v->queued))
		return this_cpu_var(idle_vcpu);
	v->queued = false;
	return v;
}

static unsigned int null_pick_cpu(struct vcpu *v)
{
	unsigned int cpu = READ_ONCE(seat_of(v)->cpu);

	return cpu == NR_CPUS ? v->cpu : cpu;
}

static void null_dump(unsigned int cpu)
{
	struct vcpu *v = per_cpu(owner, cpu);

	if (v)
		printk(LOG_INFO, "cpu%u: d%uv%u's\n", cpu, v->domain->domid, v->id);
}

const struct sched_policy sched_null = {
	.name = "null",
	.id = XEN_SCHEDULER_NULL,
	.unit_size = sizeof(struct seat),
	.vcpu_init = null_vcpu_init,
	.vcpu_destroy = null_vcpu_destroy,
	.queue = null_queue,
	.pick = null_pick,
	.pick_cpu = null_pick_cpu,
	.dump = null_dump,
};
