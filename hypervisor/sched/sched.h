/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler's core. A policy (one file) decides who runs; the core blocks, wakes,
 * pauses and switches. vcpu->pause_flags says why a vcpu does not run: it is runnable
 * when that is 0 and neither it nor its domain is paused by count.
 */
#ifndef HV_SCHED_H
#define HV_SCHED_H

#include "hypervisor/cpu/percpu.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/sched/timer.h"

struct domain;
struct vcpu;

enum vcpu_pause_flag {
	VCPU_BLOCKED,      /* SCHEDOP_block, HLT */
	VCPU_DOWN,         /* offline: never started, or VCPUOP_down */
	VCPU_POLLING,      /* SCHEDOP_poll */
	VCPU_PAUSED_TOOLS, /* by domctl (domain's controller_pause_count is beside) */
	VCPU_SHUTDOWN,     /* its domain is shutting down */
};

struct sched_policy {
	const char *name;
	uint32_t id; /* XEN_SCHEDULER_* */
	int (*init)(void);
	size_t unit_size; /* of v->sched_data, all 0 before vcpu_init */
	void (*vcpu_init)(struct vcpu *v);
	void (*vcpu_destroy)(struct vcpu *v); /* may be missing */
	int (*domain_init)(struct domain *d); /* d->sched_data */
	void (*domain_destroy)(struct domain *d);
	/* This CPU joins: may point the CPU's sched_lock at a lock that CPUs share. */
	void (*cpu_init)(unsigned int cpu);
	void (*cpu_exit)(unsigned int cpu); /* no longer online; it still has to pick idle */
	/* Run queue lock of v's CPU held, interrupts off. */
	/* Runnable, not running: into a queue by v->queue, and make a CPU look. @woken: it
	 * slept; else it has just lost its CPU. */
	void (*queue)(struct vcpu *v, bool woken);
	void (*slept)(struct vcpu *v); /* has been taken off its queue; may be missing */
	void (*yield)(struct vcpu *v); /* may be missing */
	/* The next to run on this CPU, taken off its queue (idle vcpu if none), and for how
	 * long (ns, or NEVER). @stays: the one that runs, if it may go on. */
	struct vcpu *(*pick)(struct vcpu *stays, stime_t now, stime_t *slice);
	/* Where a vcpu that is neither queued nor running should wait. */
	unsigned int (*pick_cpu)(struct vcpu *v);
	/* XEN_DOMCTL_SCHEDOP_*, XEN_SYSCTL_SCHEDOP_*: the union is the ABI's. */
	int (*adjust_domain)(struct domain *d, void *op);
	int (*adjust_vcpu)(struct vcpu *v, void *param, bool put); /* xen_domctl_schedparam_vcpu */
	int (*adjust_global)(void *op);
	void (*dump)(unsigned int cpu);
};
extern const struct sched_policy sched_credit2, sched_null, sched_rtds;
extern const struct sched_policy *sched_policy;

/* The run queue lock of a CPU: its own, unless the policy shares one among CPUs. v->cpu
 * changes only under the lock of the CPU it leaves. */
DECLARE_PER_CPU(struct spinlock *, sched_lock);

DECLARE_PER_CPU(struct vcpu *, running_vcpu); /* what is on the CPU's stack and registers */
DECLARE_PER_CPU(struct vcpu *, idle_vcpu);

void sched_dequeue(struct vcpu *v); /* by the policy; run queue lock held */
void sched_init(const char *name); /* sched=; before the first vcpu */
void sched_init_cpu(unsigned int cpu);
/* A CPU goes offline: first it is taken out of cpu_online_map. Its vcpus go elsewhere; one
 * that may be nowhere else loses its affinity. Then, when it is idle, the second. */
void sched_cpu_evacuate(unsigned int cpu);
void sched_exit_cpu(unsigned int cpu);
int sched_vcpu_init(struct vcpu *v, unsigned int cpu);
void sched_vcpu_destroy(struct vcpu *v);

bool vcpu_runnable(const struct vcpu *v);
void vcpu_wake(struct vcpu *v);      /* it has become runnable; harmless otherwise */
void vcpu_sleep_nosync(struct vcpu *v); /* no longer runnable: get it off its CPU */
void vcpu_sleep_sync(struct vcpu *v);   /* and wait until its state is in memory */
void vcpu_block(void);               /* current, unless an event is pending; events on */
void vcpu_unblock(struct vcpu *v);   /* something came for it */
void vcpu_yield(void);
long vcpu_poll(const evtchn_port_t *ports, unsigned int n, uint64_t timeout);
void vcpu_pause(struct vcpu *v);     /* counted; waits */
void vcpu_unpause(struct vcpu *v);
void domain_pause(struct domain *d); /* counted; waits; not for current's own domain */
void domain_unpause(struct domain *d);
int domain_pause_by_tools(struct domain *d);   /* XEN_DOMCTL_pausedomain */
int domain_unpause_by_tools(struct domain *d);
bool vcpu_may_run_on(const struct vcpu *v, unsigned int cpu); /* affinity, override */
bool vcpu_end_poll(struct vcpu *v); /* it was in SCHEDOP_poll: vcpu_wake() it then */
void domain_pause_nosync(struct domain *d);
int vcpu_set_affinity(struct vcpu *v, const struct cpumask *hard, const struct cpumask *soft);

int vcpu_pin_override(struct vcpu *v, int cpu); /* SCHEDOP_pin_override; -1 ends it */

/* Runstate: RUNSTATE_* and the time since; the guest's area is updated (guest_ops). */
void vcpu_runstate_get(const struct vcpu *v, struct vcpu_runstate_info *out);
void vcpu_runstate_set(struct vcpu *v, int state, stime_t t); /* run queue lock held */
/* Write the guest's area. @v is current with its address space loaded: context_switch()
 * calls it for next when all of next is on the CPU; schedule() for prev before. */
void vcpu_runstate_update_guest(struct vcpu *v);
uint64_t cpu_idle_time(unsigned int cpu); /* ns */

/* Singleshot and periodic timers of guests (sched/vcpu_timer.c). */
long vcpu_set_singleshot(struct vcpu *v, uint64_t when, uint32_t flags);
void vcpu_stop_singleshot(struct vcpu *v);
long vcpu_set_periodic(struct vcpu *v, uint64_t period_ns);

void vcpu_timers_init(struct vcpu *v);
void vcpu_timers_kill(struct vcpu *v);
void vcpu_timers_resume(struct vcpu *v); /* context_switch(): next is on the CPU */

/* Continue as @next: pv/switch.c. Called with interrupts off, no locks. Does not return to its caller when stacks are reset. */
void context_switch(struct vcpu *prev, struct vcpu *next);
/* context_switch() calls it when prev's state is saved. */
void sched_context_saved(struct vcpu *prev);
/* Save a vcpu's registers that are still on its CPU (lazy switch), to look at them. */
void sync_vcpu_state(struct vcpu *v);
/* Idle needs an address space of its own: save what this CPU still holds of a vcpu. */
void drop_lazy_state(void);
_Noreturn void idle_loop(void);

#endif
