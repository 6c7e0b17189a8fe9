// SPDX-License-Identifier: GPL-2.0-only
/* Guests' timers: singleshot and periodic, each an event on VIRQ_TIMER. */
#include "hypervisor/domain/domain.h"
#include "hypervisor/sched/sched.h"

#define PERIOD_MIN MICROSECS(200)
#define PERIOD_MAX ((uint64_t)INT64_MAX / 2)

static void singleshot_fires(void *arg)
{
	send_vcpu_virq(arg, VIRQ_TIMER);
}

static void periodic_fires(void *arg)
{
	struct vcpu *v = arg;
	uint64_t period = READ_ONCE(v->period);
	stime_t t = now();

	if (!period)
		return;
	/* A vcpu that is off its CPU gets its tick when it runs again. */
	if (READ_ONCE(v->is_running)) {
		v->last_tick = t;
		send_vcpu_virq(v, VIRQ_TIMER);
		timer_set(&v->periodic, t + (stime_t)period);
	}
}

/* On its way onto a CPU: the tick that it missed, and the timer of the next. */
void vcpu_timers_resume(struct vcpu *v)
{
	uint64_t period = READ_ONCE(v->period);
	stime_t t, next;

	if (likely(!period))
		return;
	t = now();
	next = v->last_tick + (stime_t)period;
	if (next <= t) {
		v->last_tick = t;
		send_vcpu_virq(v, VIRQ_TIMER);
		next = t + (stime_t)period;
	}
	timer_migrate(&v->periodic, this_cpu);
	timer_set(&v->periodic, next);
}

void vcpu_timers_init(struct vcpu *v)
{
	timer_init(&v->singleshot, singleshot_fires, v, v->cpu);
	timer_init(&v->periodic, periodic_fires, v, v->cpu);
	v->period = MILLISECS(10); /* until the guest says otherwise, as on stock Xen */
}

void vcpu_timers_kill(struct vcpu *v)
{
	timer_kill(&v->singleshot);
	timer_kill(&v->periodic);
}

long vcpu_set_singleshot(struct vcpu *v, uint64_t when, uint32_t flags)
{
	if ((flags & VCPU_SSHOTTMR_future) && (stime_t)when < now())
		return -ETIME;
	timer_migrate(&v->singleshot, this_cpu);
	timer_set(&v->singleshot, (stime_t)MIN(when, (uint64_t)NEVER - 1));
	return 0;
}

void vcpu_stop_singleshot(struct vcpu *v)
{
	timer_stop(&v->singleshot);
}

long vcpu_set_periodic(struct vcpu *v, uint64_t period_ns)
{
	if (!period_ns) {
		WRITE_ONCE(v->period, 0);
		timer_stop(&v->periodic);
		return 0;
	}
	if (period_ns < PERIOD_MIN || period_ns > PERIOD_MAX)
		return -EINVAL;
	timer_stop(&v->periodic);
	WRITE_ONCE(v->period, period_ns);
	v->last_tick = now();
	timer_migrate(&v->periodic, this_cpu);
	timer_set(&v->periodic, v->last_tick + (stime_t)period_ns);
	return 0;
}
