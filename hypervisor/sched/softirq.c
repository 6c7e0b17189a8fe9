// SPDX-License-Identifier: GPL-2.0-only
/*
 * Softirqs: a bit for each kind in a word for each CPU, set from any context and looked
 * at with interrupts on before a guest is entered and in the idle loop.
 */
#include "hypervisor/sched/softirq.h"

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/lib/perfc.h"

DEFINE_PER_CPU(uint64_t, softirq_pending);
static void (*softirq_handler[SOFTIRQS])(void);

void softirq_open(enum softirq nr, void (*fn)(void))
{
	ASSERT(nr < SOFTIRQS);
	softirq_handler[nr] = fn;
}

void softirq_raise(enum softirq nr)
{
	set_bit(nr, &this_cpu_var(softirq_pending));
}

void softirq_raise_cpu(unsigned int cpu, enum softirq nr)
{
	/* A bit that was set already has its IPI on the way, or its CPU is in softirq_run(). */
	if (!test_and_set_bit(nr, &per_cpu(softirq_pending, cpu)) && cpu != this_cpu)
		smp_send_event(cpu);
}

void softirq_run(void)
{
	uint64_t pending;

	/*
	 * A handler may switch to another vcpu and not come back here, or come back on
	 * another CPU: so the word is read afresh each time, and what is left over is found
	 * by whoever runs next on this CPU.
	 */
	while ((pending = READ_ONCE(this_cpu_var(softirq_pending))) != 0) {
		unsigned int nr = (unsigned int)__builtin_ctzll(pending);

		clear_bit(nr, &this_cpu_var(softirq_pending));
		perfc_incr_at(softirqs, nr & 7);
		if (nr < SOFTIRQS && softirq_handler[nr])
			softirq_handler[nr]();
	}
}

/* ---- tasklets: a queue for each CPU, emptied on the CPU that scheduled the work ---- */

/* Changed with interrupts off on its own CPU alone, so it needs no lock. */
struct tasklet_queue {
	struct tasklet *first, **last; /* last: NULL until the first use */
};
static DEFINE_PER_CPU(struct tasklet_queue, tasklet_queue);

void tasklet_init(struct tasklet *t, void (*fn)(void *), void *arg)
{
	*t = (struct tasklet){.fn = fn, .arg = arg};
}

static void tasklets_run(void)
{
	struct tasklet_queue *q = &this_cpu_var(tasklet_queue);
	struct tasklet *t, *next;
	unsigned long flags = irq_save();

	t = q->first;
	q->first = NULL;
	q->last = NULL;
	irq_restore(flags);

	for (; t; t = next) {
		next = t->next;
		/* Before the call: it may schedule itself again, or be freed by its function. */
		atomic_store(&t->scheduled, false);
		t->fn(t->arg);
	}
}

void tasklet_schedule(struct tasklet *t)
{
	struct tasklet_queue *q;
	unsigned long flags;

	if (atomic_xchg(&t->scheduled, true))
		return;
	flags = irq_save();
	softirq_open(SOFTIRQ_TASKLET, tasklets_run);
	q = &this_cpu_var(tasklet_queue);
	t->next = NULL;
	if (!q->last)
		q->last = &q->first;
	*q->last = t;
	q->last = &t->next;
	softirq_raise(SOFTIRQ_TASKLET);
	irq_restore(flags);
}
