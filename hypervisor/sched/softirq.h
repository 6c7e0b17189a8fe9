/* SPDX-License-Identifier: GPL-2.0-only */
/* Work for after the interrupt: bits a CPU; run before returning to a guest and in idle. */
#ifndef HV_SOFTIRQ_H
#define HV_SOFTIRQ_H

#include "hypervisor/cpu/percpu.h"

enum softirq {
	SOFTIRQ_TIMER,
	SOFTIRQ_SCHEDULE,
	SOFTIRQ_TASKLET,
	SOFTIRQ_PIRQ, /* guests' interrupts become events: cpu/irq.c */
	SOFTIRQ_CPU_DOWN, /* after all others */
	SOFTIRQS
};

DECLARE_PER_CPU(uint64_t, softirq_pending);

void softirq_open(enum softirq nr, void (*fn)(void));
void softirq_raise(enum softirq nr);                   /* on this CPU */
void softirq_raise_cpu(unsigned int cpu, enum softirq nr); /* with an IPI if it sleeps */
void softirq_run(void); /* interrupts on, no locks held; may switch vcpus */

static inline bool softirq_is_pending(void)
{
	return READ_ONCE(this_cpu_var(softirq_pending)) != 0;
}

/* A long hypercall should stop and continue later. */
static inline bool preempt_check(void)
{
	return unlikely(softirq_is_pending());
}

/* ---- tasklets: a function called once for each time it is scheduled, in softirq ---- */
struct tasklet {
	struct tasklet *next;
	void (*fn)(void *arg);
	void *arg;
	bool scheduled;
};
void tasklet_init(struct tasklet *t, void (*fn)(void *), void *arg);
void tasklet_schedule(struct tasklet *t);

/* ---- IPIs (cpu/smp.c) ---- */
/* Run @fn on the CPUs of @mask, this one included if in it; wait for all. */
void on_cpus(const struct cpumask *mask, void (*fn)(void *), void *arg);
/* What others were doing with interrupts off is done: they hold no pointer from before. */
void smp_wait_others(void);
void smp_send_event(unsigned int cpu); /* make it look at its softirqs */
void smp_set_answers(bool answers);    /* this CPU, while no call or flush is under way */
void smp_prepare(void);       /* counts CPUs; once the boot CPU's APIC id is known */
void stop_other_cpus(void); /* for an orderly end; waits a little for them (panic: NMI) */

#endif
