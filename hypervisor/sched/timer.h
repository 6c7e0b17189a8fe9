/* SPDX-License-Identifier: GPL-2.0-only */
/* Time and timers. System time is ns since boot, the same on every CPU. */
#ifndef HV_TIMER_H
#define HV_TIMER_H

#include "hypervisor/cpu/percpu.h"
#include "hypervisor/lib/lib.h"

typedef int64_t stime_t; /* ns */
#define NEVER      INT64_MAX
#define MILLISECS(x) ((stime_t)(x) * 1000000)
#define MICROSECS(x) ((stime_t)(x) * 1000)
#define SECONDS(x)   ((stime_t)(x) * 1000000000)

stime_t now(void); /* cpu/time.c */

struct timer {
	stime_t expires;
	void (*fn)(void *arg);
	void *arg;
	uint32_t cpu;
	uint32_t heap_index; /* 0: not pending */
	bool killed;
	struct timer *child, *next, *prev; /* in its CPU's pairing heap: sched/timer.c */
};

/* The handler runs in TIMER_SOFTIRQ on the timer's CPU, once a set_timer(). */
void timer_init(struct timer *t, void (*fn)(void *), void *arg, unsigned int cpu);
void timer_set(struct timer *t, stime_t expires);
void timer_stop(struct timer *t);
void timer_migrate(struct timer *t, unsigned int cpu);
void timer_kill(struct timer *t); /* waits for a running handler; final */
static inline bool timer_pending(const struct timer *t)
{
	return READ_ONCE(t->heap_index) != 0;
}

void timers_init(void);              /* boot CPU, once */
void timers_init_cpu(unsigned int cpu);
void timers_take(unsigned int cpu);  /* of a CPU that is offline; to this one */
/* Below: cpu/time.c gives these to timer.c. */
bool reprogram_timer(stime_t when);  /* this CPU's hardware timer; false: already past */

/* ---- what PV guests are told of time (cpu/time.c) ---- */
struct vcpu;
struct domain;
void time_init(void);                /* calibrate; after ACPI tables are parsed */
void time_init_cpu(void);            /* an AP; while the boot CPU is in time_sync_serve() */
void time_sync_serve(void);          /* answers it, if it asks */
void update_vcpu_time(struct vcpu *v);        /* vcpu_time_info, if it changed */
void force_update_vcpu_time(struct vcpu *v);
/* The copy at v->time_area: current's, with its kernel's page tables. */
void update_vcpu_time_area(struct vcpu *v);
void update_domain_wallclock(struct domain *d);
void set_wallclock(uint64_t secs, uint32_t nsecs, uint64_t system_time_base);
void get_wallclock(uint64_t *secs, uint32_t *nsecs);
extern uint32_t cpu_khz;
uint64_t emulated_tsc(const struct domain *d, stime_t t); /* d->tsc.vtsc: what it reads at @t */
uint64_t tsc_to_ns(uint64_t ticks);  /* a difference of two TSC readings */
/* ns = (ticks << shift, or >> -shift) * mul >> 32, as vcpu_time_info has it. */
struct time_scale {
	uint32_t mul;
	int8_t shift;
};
struct time_scale time_scale_of(uint64_t hz);
uint64_t time_scale(struct time_scale s, uint64_t ticks);

#endif
