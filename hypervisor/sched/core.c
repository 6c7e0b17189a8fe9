// SPDX-License-Identifier: GPL-2.0-only
/* The scheduler's core: blocks, wakes, places and switches vcpus. Who runs is a policy's
 * choice. v->cpu and queues change under the run queue lock of v's CPU (vcpu_lock()). */
#include "hypervisor/boot/boot.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/lib/trace.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/sched.h"
#include "hypervisor/sched/softirq.h"

DEFINE_PER_CPU(struct vcpu *, running_vcpu);
DEFINE_PER_CPU(struct vcpu *, idle_vcpu);
DEFINE_PER_CPU(struct spinlock *, sched_lock);
static DEFINE_PER_CPU(struct spinlock, own_lock);
static DEFINE_PER_CPU(struct timer, slice_timer);

#define TOOLS_PAUSE_MAX 255

static const struct sched_policy *const policies[] = {&sched_credit2, &sched_null, &sched_rtds};
const struct sched_policy *sched_policy = &sched_credit2;

/* The run queue lock of @v's CPU, which may change until the lock is held. */
static struct spinlock *vcpu_lock(const struct vcpu *v, unsigned long *flags)
{
	for (;;) {
		struct spinlock *l = per_cpu(sched_lock, READ_ONCE(v->cpu));

		*flags = spin_lock_irqsave(l);
		if (likely(l == per_cpu(sched_lock, v->cpu)))
			return l;
		spin_unlock_irqrestore(l, *flags);
	}
}

bool vcpu_runnable(const struct vcpu *v)
{
	return !(READ_ONCE(v->pause_flags) | (uint64_t)READ_ONCE(v->pause_count) |
		 (uint64_t)READ_ONCE(v->domain->pause_count));
}

static bool in_pool(const struct domain *d, unsigned int cpu)
{
	return !d->pool_cpus || test_bit(cpu, d->pool_cpus->bits);
}

/* May @v run on @cpu? */
bool vcpu_may_run_on(const struct vcpu *v, unsigned int cpu)
{
	if (unlikely(v->pin_override))
		return v->pin_override == cpu + 1;
	return test_bit(cpu, v->hard_affinity.bits) && cpu_online(cpu) &&
	       in_pool(v->domain, cpu);
}

static bool is_blocked(const struct vcpu *v)
{
	return READ_ONCE(v->pause_flags) & (1ull << VCPU_BLOCKED | 1ull << VCPU_POLLING);
}

/*
 * A vcpu that is neither queued nor running goes where its policy wants it: with the lock
 * of the CPU it leaves held, v->cpu is set, and that CPU's lock is taken instead. Others
 * may have woken or stopped the vcpu meanwhile, so callers look again.
 */
static struct spinlock *vcpu_place(struct vcpu *v, struct spinlock *l, unsigned long *flags)
{
	unsigned int cpu = sched_policy->pick_cpu(v);

	if (cpu == v->cpu)
		return l;
	WRITE_ONCE(v->cpu, cpu);
	if (l == per_cpu(sched_lock, cpu))
		return l;
	spin_unlock_irqrestore(l, *flags);
	return vcpu_lock(v, flags);
}

/* ---- waking and sleeping ---- */

void sched_dequeue(struct vcpu *v)
{
	list_del(&v->queue);
	v->queued = false;
}

/* Unless something has changed while the lock was let go. */
static void enqueue(struct vcpu *v, bool woken)
{
	if (!vcpu_runnable(v) || v->is_running || v->queued)
		return;
	v->queued = true;
	sched_policy->queue(v, woken);
}

static void dequeue(struct vcpu *v)
{
	sched_dequeue(v);
	if (sched_policy->slept)
		sched_policy->slept(v);
}

void vcpu_wake(struct vcpu *v)
{
	unsigned long flags;
	struct spinlock *l = vcpu_lock(v, &flags);

	trace(TRC_SCHED_WAKE, v->domain->domid, v->id);
	if (vcpu_runnable(v)) {
		if (v->runstate.state >= RUNSTATE_blocked)
			vcpu_runstate_set(v, RUNSTATE_runnable, now());
		/* While it is on a CPU it stays there, or switched_out() queues it. */
		if (!v->is_running && !v->queued) {
			l = vcpu_place(v, l, &flags);
			enqueue(v, true);
		}
	} else if (!is_blocked(v) && v->runstate.state == RUNSTATE_blocked) {
		vcpu_runstate_set(v, RUNSTATE_offline, now());
	}
	spin_unlock_irqrestore(l, flags);
}

void vcpu_sleep_nosync(struct vcpu *v)
{
	unsigned long flags;
	struct spinlock *l = vcpu_lock(v, &flags);

	if (!vcpu_runnable(v)) {
		if (v->runstate.state == RUNSTATE_runnable)
			vcpu_runstate_set(v, RUNSTATE_offline, now());
		if (v->queued)
			dequeue(v);
		else if (v->is_running)
			softirq_raise_cpu(v->cpu, SOFTIRQ_SCHEDULE);
	}
	spin_unlock_irqrestore(l, flags);
}

void vcpu_sleep_sync(struct vcpu *v)
{
	vcpu_sleep_nosync(v);
	while (!vcpu_runnable(v) && atomic_load(&v->is_running))
		cpu_relax();
	sync_vcpu_state(v);
}

static bool events_deliverable(const struct vcpu *v)
{
	return READ_ONCE(v->info->evtchn_upcall_pending) &&
	       !READ_ONCE(v->info->evtchn_upcall_mask);
}

void vcpu_block(void)
{
	struct vcpu *v = current;

	WRITE_ONCE(v->info->evtchn_upcall_mask, 0);
	/* The flag before the look: an event after it finds the flag and clears it. */
	set_bit(VCPU_BLOCKED, &v->pause_flags);
	if (events_deliverable(v))
		clear_bit(VCPU_BLOCKED, &v->pause_flags);
	else
		softirq_raise(SOFTIRQ_SCHEDULE);
}

/* True: it was polling, and no longer is. */
bool vcpu_end_poll(struct vcpu *v)
{
	if (!test_and_clear_bit(VCPU_POLLING, &v->pause_flags))
		return false;
	clear_bit(v->id, v->domain->poll_mask);
	return true;
}

void vcpu_unblock(struct vcpu *v)
{
	bool wake = vcpu_end_poll(v);

	if (READ_ONCE(v->pause_flags) & 1ull << VCPU_BLOCKED)
		wake |= test_and_clear_bit(VCPU_BLOCKED, &v->pause_flags);
	if (wake)
		vcpu_wake(v);
}

void vcpu_yield(void)
{
	unsigned long flags;
	struct vcpu *v = current;
	struct spinlock *l = vcpu_lock(v, &flags);

	trace(TRC_SCHED_YIELD, v->domain->domid, v->id);
	if (sched_policy->yield)
		sched_policy->yield(v);
	spin_unlock_irqrestore(l, flags);
	softirq_raise(SOFTIRQ_SCHEDULE);
}

long vcpu_poll(const evtchn_port_t *ports, unsigned int n, uint64_t timeout)
{
	struct vcpu *v = current;
	struct domain *d = v->domain;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (ports[i] >= READ_ONCE(d->event.nr_valid))
			return -EINVAL;
	WRITE_ONCE(v->poll_port, n == 1 ? (int32_t)ports[0] : -1);
	set_bit(VCPU_POLLING, &v->pause_flags);
	set_bit(v->id, d->poll_mask);
	/* Bits first, then the look: event senders do it the other way round. */
	smp_mb();
	if (events_deliverable(v)) {
		vcpu_end_poll(v);
		return 0;
	}
	for (i = 0; i < n; i++)
		if (event_port_is_pending(d, ports[i])) {
			vcpu_end_poll(v);
			return 0;
		}
	if (timeout) {
		timer_migrate(&v->poll_timer, this_cpu);
		timer_set(&v->poll_timer, (stime_t)MIN(timeout, (uint64_t)NEVER));
	}
	softirq_raise(SOFTIRQ_SCHEDULE);
	return 0;
}

/* ---- switching ---- */

static int state_off_cpu(const struct vcpu *v)
{
	if (is_blocked(v))
		return RUNSTATE_blocked;
	return vcpu_runnable(v) ? RUNSTATE_runnable : RUNSTATE_offline;
}

static void schedule(void)
{
	struct vcpu *prev = this_cpu_var(running_vcpu), *next;
	struct spinlock *l;
	stime_t t, slice = NEVER;
	bool stays;

	perfc_incr(schedules);
	irq_disable();
	l = this_cpu_var(sched_lock);
	spin_lock(l);
	t = now();
	stays = !is_idle_vcpu(prev) && vcpu_runnable(prev) && vcpu_may_run_on(prev, this_cpu);
	next = sched_policy->pick(stays ? prev : NULL, t, &slice);
	if (prev != next) {
		perfc_incr(switches);
		trace(TRC_SCHED_SWITCH, prev->domain->domid, prev->id, next->domain->domid,
		      next->id);
		vcpu_runstate_set(prev, state_off_cpu(prev), t);
		vcpu_runstate_set(next, RUNSTATE_running, t);
		ASSERT(!next->is_running);
		next->is_running = true;
		next->last_cpu = next->cpu;
		WRITE_ONCE(next->cpu, this_cpu);
		this_cpu_var(running_vcpu) = next;
	}
	spin_unlock(l);

	if (slice == NEVER)
		timer_stop(&this_cpu_var(slice_timer));
	else
		timer_set(&this_cpu_var(slice_timer), t + slice);
	if (prev != next) {
		/* While it is its own address space that is loaded. */
		if (!is_idle_vcpu(prev))
			vcpu_runstate_update_guest(prev);
		context_switch(prev, next);
	}
	irq_enable();
}

void sched_context_saved(struct vcpu *prev)
{
	unsigned long flags;
	struct spinlock *l;

	if (is_idle_vcpu(prev)) {
		prev->is_running = false;
		return;
	}
	l = vcpu_lock(prev, &flags);
	atomic_store(&prev->is_running, false);
	if (vcpu_runnable(prev)) {
		l = vcpu_place(prev, l, &flags);
		enqueue(prev, false);
	}
	spin_unlock_irqrestore(l, flags);
}

static void slice_over(void *unused)
{
	(void)unused;
	softirq_raise(SOFTIRQ_SCHEDULE);
}

/* ---- pausing ---- */

void vcpu_pause(struct vcpu *v)
{
	ASSERT(v != current);
	atomic_add(&v->pause_count, 1);
	vcpu_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
	if (!atomic_sub(&v->pause_count, 1))
		vcpu_wake(v);
}

/* Whole domains: counted; the tools' count apart, since xl may take back only what xl gave. */
static void pause_count_up(struct domain *d, bool sync)
{
	struct vcpu *v;
	unsigned int i;

	atomic_add(&d->pause_count, 1);
	for_each_vcpu(d, v, i)
		if (sync)
			vcpu_sleep_sync(v);
		else
			vcpu_sleep_nosync(v);
}

void domain_pause(struct domain *d)
{
	ASSERT(d != current->domain);
	pause_count_up(d, true);
}

void domain_pause_nosync(struct domain *d)
{
	pause_count_up(d, false);
}

void domain_unpause(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	if (atomic_sub(&d->pause_count, 1))
		return;
	for_each_vcpu(d, v, i)
		vcpu_wake(v);
}

/* A counter with bounds: 0, or @full when it is at @end already. */
static int count_step(int32_t *count, int32_t step, int32_t end, int full)
{
	int32_t old = READ_ONCE(*count);

	do {
		if (old == end)
			return full;
	} while (!atomic_cmpxchg(count, &old, old + step));
	return 0;
}

int domain_pause_by_tools(struct domain *d)
{
	int rc = count_step(&d->tools_pause_count, 1, TOOLS_PAUSE_MAX, -EOVERFLOW);

	if (!rc)
		domain_pause(d);
	return rc;
}

int domain_unpause_by_tools(struct domain *d)
{
	int rc = count_step(&d->tools_pause_count, -1, 0, -EINVAL);

	if (!rc)
		domain_unpause(d);
	return rc;
}

/* ---- affinity ---- */

static bool has_online_cpu(const struct domain *d, const struct cpumask *m)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (test_bit(cpu, m->bits) && in_pool(d, cpu))
			return true;
	return false;
}

int vcpu_set_affinity(struct vcpu *v, const struct cpumask *hard, const struct cpumask *soft)
{
	unsigned long flags;
	struct spinlock *l;

	if (hard && !has_online_cpu(v->domain, hard))
		return -EINVAL;
	l = vcpu_lock(v, &flags);
	if (hard)
		v->hard_affinity = *hard;
	if (soft)
		v->soft_affinity = *soft;
	/* Running: it is switched out, and placed anew then. Queued: here. */
	if (v->is_running) {
		if (!vcpu_may_run_on(v, v->cpu))
			softirq_raise_cpu(v->cpu, SOFTIRQ_SCHEDULE);
	} else {
		if (v->queued)
			dequeue(v);
		l = vcpu_place(v, l, &flags);
		enqueue(v, true);
	}
	spin_unlock_irqrestore(l, flags);
	return 0;
}

int vcpu_pin_override(struct vcpu *v, int cpu)
{
	if (cpu < 0) {
		if (!v->pin_override)
			return 0;
		v->pin_override = 0;
	} else {
		if ((unsigned int)cpu >= nr_cpus || !cpu_online((unsigned int)cpu))
			return -EINVAL;
		if (v->pin_override)
			return -EBUSY;
		v->pin_override = (uint32_t)cpu + 1;
	}
	return vcpu_set_affinity(v, NULL, NULL);
}

/* ---- set-up ---- */

/* The name may be one of stock Xen's that we do not have: the default then. */
void sched_init(const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(policies); i++)
		if (name && !strcmp(name, policies[i]->name))
			break;
	if (i < ARRAY_SIZE(policies))
		sched_policy = policies[i];
	else if (name && name[0])
		printk(LOG_WARN, "sched: no policy \"%s\", %s instead\n", name, sched_policy->name);
	if (sched_policy->init && sched_policy->init())
		panic("sched: %s does not start", sched_policy->name);
	softirq_open(SOFTIRQ_SCHEDULE, schedule);
	printk(LOG_INFO, "sched: %s\n", sched_policy->name);
}

void sched_init_cpu(unsigned int cpu)
{
	spin_lock_init(&per_cpu(own_lock, cpu), LOCK_SCHED);
	per_cpu(sched_lock, cpu) = &per_cpu(own_lock, cpu);
	timer_init(&per_cpu(slice_timer, cpu), slice_over, NULL, cpu);
	if (sched_policy->cpu_init)
		sched_policy->cpu_init(cpu);
}

static void evacuate_vcpu(struct vcpu *v, unsigned int cpu)
{
	struct cpumask all;

	if (v->pin_override == cpu + 1)
		v->pin_override = 0;
	if (has_online_cpu(v->domain, &v->hard_affinity)) {
		vcpu_set_affinity(v, NULL, NULL);
		return;
	}
	printk(LOG_WARN, "d%uv%u: no CPU of its affinity is left: all of them now\n",
	       v->domain->domid, v->id);
	memset(&all, 0xff, sizeof(all));
	vcpu_set_affinity(v, &all, NULL);
}

void sched_cpu_evacuate(unsigned int cpu)
{
	struct domain *d;
	struct vcpu *v;
	unsigned int i;

	if (sched_policy->cpu_exit)
		sched_policy->cpu_exit(cpu);
	for (d = domain_next(NULL); d; d = domain_next(d)) {
		for_each_vcpu(d, v, i)
			evacuate_vcpu(v, cpu);
	}
	softirq_raise_cpu(cpu, SOFTIRQ_SCHEDULE);
}

void sched_exit_cpu(unsigned int cpu)
{
	timer_kill(&per_cpu(slice_timer, cpu));
}

static void poll_timeout(void *arg)
{
	struct vcpu *v = arg;

	if (vcpu_end_poll(v))
		vcpu_wake(v);
}

int sched_vcpu_init(struct vcpu *v, unsigned int cpu)
{
	v->cpu = v->last_cpu = cpu;
	v->runstate.since = now();
	if (is_idle_vcpu(v)) {
		set_bit(cpu, v->hard_affinity.bits);
		v->runstate.state = RUNSTATE_running;
		v->is_running = true;
		per_cpu(idle_vcpu, cpu) = v;
		per_cpu(running_vcpu, cpu) = v;
		return 0;
	}
	v->runstate.state = RUNSTATE_offline;
	memset(&v->hard_affinity, 0xff, sizeof(v->hard_affinity));
	memset(&v->soft_affinity, 0xff, sizeof(v->soft_affinity));
	v->sched_data = xzalloc_bytes(sched_policy->unit_size, _Alignof(uint64_t));
	if (!v->sched_data)
		return -ENOMEM;
	list_init(&v->queue);
	sched_policy->vcpu_init(v);
	v->cpu = sched_policy->pick_cpu(v);
	timer_init(&v->poll_timer, poll_timeout, v, v->cpu);
	vcpu_timers_init(v);
	return 0;
}

void sched_vcpu_destroy(struct vcpu *v)
{
	if (is_idle_vcpu(v))
		return;
	timer_kill(&v->poll_timer);
	vcpu_timers_kill(v);
	if (sched_policy->vcpu_destroy)
		sched_policy->vcpu_destroy(v);
	xfree(v->sched_data);
	v->sched_data = NULL;
}
