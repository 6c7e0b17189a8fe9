// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timers: a pairing heap for each CPU. It links the timers themselves, so setting one
 * allocates nothing and cannot fail; the earliest is the root.
 *
 * Heap: no timer expires before its parent. child: first of its children; next: sibling;
 * prev: previous sibling, or the parent for a first child; all NULL for the lone root.
 */
#include "hypervisor/sched/timer.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/sched/softirq.h"

#define CPU_MIGRATING UINT32_MAX /* timer->cpu between two heaps: nobody's lock covers it */

struct timer_cpu {
	struct spinlock lock; /* root, running, and every timer of this CPU */
	struct timer *root;
	struct timer *running;
	stime_t programmed; /* what the hardware is set to; never later than the root */
};
static DEFINE_PER_CPU(struct timer_cpu, timer_cpu);

/* ---- the heap ---- */

/* Two roots (no siblings) become one. */
static struct timer *heap_merge(struct timer *a, struct timer *b)
{
	struct timer *t;

	if (!a || !b)
		return a ? a : b;
	if (b->expires < a->expires) {
		t = a;
		a = b;
		b = t;
	}
	b->next = a->child;
	if (b->next)
		b->next->prev = b;
	b->prev = a;
	a->child = b;
	return a;
}

/* One root of a list of siblings: pairs from the left, then the pairs from the right. */
static struct timer *heap_merge_siblings(struct timer *first)
{
	struct timer *pairs = NULL, *root = NULL, *a, *b;

	while (first) {
		a = first;
		b = a->next;
		first = b ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b)
			b->next = b->prev = NULL;
		a = heap_merge(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		a = pairs;
		pairs = a->next;
		a->next = NULL;
		root = heap_merge(root, a);
	}
	return root;
}

static void heap_insert(struct timer_cpu *tc, struct timer *t)
{
	t->child = t->next = t->prev = NULL;
	WRITE_ONCE(t->heap_index, 1);
	tc->root = heap_merge(tc->root, t);
}

static void heap_remove(struct timer_cpu *tc, struct timer *t)
{
	struct timer *children = heap_merge_siblings(t->child);

	if (tc->root == t) {
		tc->root = children;
	} else {
		if (t->prev->child == t)
			t->prev->child = t->next;
		else
			t->prev->next = t->next;
		if (t->next)
			t->next->prev = t->prev;
		tc->root = heap_merge(tc->root, children);
	}
	t->child = t->next = t->prev = NULL;
	WRITE_ONCE(t->heap_index, 0);
}

/* ---- timers ---- */

/* Lock the CPU the timer belongs to. Interrupts are off after it. */
static struct timer_cpu *timer_lock(struct timer *t, unsigned long *flags)
{
	*flags = irq_save();
	for (;;) {
		uint32_t cpu = READ_ONCE(t->cpu);
		struct timer_cpu *tc;

		if (unlikely(cpu == CPU_MIGRATING)) {
			cpu_relax();
			continue;
		}
		tc = &per_cpu(timer_cpu, cpu);
		spin_lock(&tc->lock);
		if (likely(READ_ONCE(t->cpu) == cpu))
			return tc;
		spin_unlock(&tc->lock);
	}
}

static void timer_unlock(struct timer_cpu *tc, unsigned long flags)
{
	spin_unlock(&tc->lock);
	irq_restore(flags);
}

/* The hardware must fire for the root. Locked. */
static void timer_program(struct timer_cpu *tc, unsigned int cpu)
{
	if (!tc->root || tc->root->expires >= tc->programmed)
		return; /* fires early enough; timers_run() sets it anew */
	if (cpu != this_cpu) {
		softirq_raise_cpu(cpu, SOFTIRQ_TIMER);
	} else {
		tc->programmed = tc->root->expires;
		if (!reprogram_timer(tc->programmed))
			softirq_raise(SOFTIRQ_TIMER);
	}
}

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg, unsigned int cpu)
{
	*t = (struct timer){.fn = fn, .arg = arg, .cpu = cpu};
}

void timer_set(struct timer *t, stime_t expires)
{
	uint32_t cpu = READ_ONCE(t->cpu);
	unsigned long flags;
	struct timer_cpu *tc;

	if (unlikely(cpu != CPU_MIGRATING && !cpu_online(cpu)))
		timer_migrate(t, this_cpu);
	tc = timer_lock(t, &flags);
	if (!t->killed) {
		if (t->heap_index)
			heap_remove(tc, t);
		t->expires = expires;
		heap_insert(tc, t);
		timer_program(tc, t->cpu);
	}
	timer_unlock(tc, flags);
}

void timer_stop(struct timer *t)
{
	unsigned long flags;
	struct timer_cpu *tc;

	/* Pending or not is only ever raced with by callers who do not care which comes first. */
	if (!timer_pending(t) && READ_ONCE(t->cpu) != CPU_MIGRATING)
		return;
	tc = timer_lock(t, &flags);
	if (t->heap_index)
		heap_remove(tc, t);
	timer_unlock(tc, flags);
}

void timer_migrate(struct timer *t, unsigned int cpu)
{
	unsigned long flags;
	struct timer_cpu *tc;
	bool pending;

	if (READ_ONCE(t->cpu) == cpu)
		return;
	tc = timer_lock(t, &flags);
	pending = t->heap_index;
	if (pending)
		heap_remove(tc, t);
	/* Never two such locks at once: whoever wants the timer meanwhile waits for the new CPU. */
	WRITE_ONCE(t->cpu, CPU_MIGRATING);
	spin_unlock(&tc->lock);

	tc = &per_cpu(timer_cpu, cpu);
	spin_lock(&tc->lock);
	if (pending) {
		heap_insert(tc, t);
		timer_program(tc, cpu);
	}
	atomic_store(&t->cpu, cpu);
	timer_unlock(tc, flags);
}

void timer_kill(struct timer *t)
{
	unsigned long flags;
	struct timer_cpu *tc = timer_lock(t, &flags);
	unsigned int cpu;

	t->killed = true;
	if (t->heap_index)
		heap_remove(tc, t);
	timer_unlock(tc, flags);

	/* Its handler may run where it was before it migrated. A handler may kill its own. */
	for_each_online_cpu(cpu)
		while (cpu != this_cpu && READ_ONCE(per_cpu(timer_cpu, cpu).running) == t)
			cpu_relax();
}

/* SOFTIRQ_TIMER */
static void timers_run(void)
{
	struct timer_cpu *tc = &this_cpu_var(timer_cpu);
	struct timer *t;

	spin_lock_irq(&tc->lock);
	while ((t = tc->root) && t->expires <= now()) {
		void (*fn)(void *) = t->fn;
		void *arg = t->arg;

		perfc_incr(timers);
		heap_remove(tc, t);
		WRITE_ONCE(tc->running, t);
		spin_unlock_irq(&tc->lock);
		fn(arg); /* may set, kill or free the timer: it is not touched again */
		spin_lock_irq(&tc->lock);
		WRITE_ONCE(tc->running, NULL);
	}
	tc->programmed = t ? t->expires : NEVER;
	if (!reprogram_timer(tc->programmed))
		softirq_raise(SOFTIRQ_TIMER);
	spin_unlock_irq(&tc->lock);
}

void timers_take(unsigned int cpu)
{
	struct timer_cpu *tc = &per_cpu(timer_cpu, cpu);
	struct timer *t;

	/* It sets none of its own any more, and others' go elsewhere: timer_set(). */
	while ((t = READ_ONCE(tc->root)))
		timer_migrate(t, this_cpu);
	tc->programmed = NEVER;
}

void timers_init_cpu(unsigned int cpu)
{
	struct timer_cpu *tc = &per_cpu(timer_cpu, cpu);

	spin_lock_init(&tc->lock, LOCK_TIMER);
	tc->programmed = NEVER;
}

/* The next in an order that visits each once: children before siblings. */
static const struct timer *heap_next(const struct timer *t)
{
	if (t->child)
		return t->child;
	while (t && !t->next) {
		while (t->prev && t->prev->child != t)
			t = t->prev; /* the first of its siblings, whose prev is the parent */
		t = t->prev;
	}
	return t ? t->next : NULL;
}

/* Debug key a. */
static void timers_dump(void)
{
	const struct timer *t;
	unsigned long flags;
	unsigned int cpu;
	stime_t at = now();

	for_each_online_cpu(cpu) {
		struct timer_cpu *tc = &per_cpu(timer_cpu, cpu);

		flags = spin_lock_irqsave(&tc->lock);
		if (tc->programmed != NEVER)
			printk(LOG_INFO, "CPU %u: hardware fires in %ld us\n", cpu,
			       (long)(tc->programmed - at) / 1000);
		else
			printk(LOG_INFO, "CPU %u: hardware is stopped\n", cpu);
		for (t = tc->root; t; t = heap_next(t))
			printk(LOG_INFO, "  in %10ld us: %pS %p\n", (long)(t->expires - at) / 1000,
			       (void *)(uintptr_t)t->fn, t->arg);
		spin_unlock_irqrestore(&tc->lock, flags);
	}
}

void timers_init(void)
{
	timers_init_cpu(this_cpu);
	debug_key_add('a', "dump timer queues", timers_dump);
	softirq_open(SOFTIRQ_TIMER, timers_run);
}
