// SPDX-License-Identifier: GPL-2.0-only
/* Tasklets: a queue for each CPU, emptied in softirq on the CPU that scheduled the work. */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/sched/softirq.h"

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
