// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ticket locks: the next ticket and the one being served are the halves of one word, so
 * taking a ticket is one fetch-and-add. In debug builds a CPU keeps the locks it holds,
 * and a lock must be of a higher class than all of them (lib/spinlock.h).
 */
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/lib/spinlock.h"

#define TICKET (1u << 16)

#ifdef DEBUG
#define HELD_MAX 16
struct held_locks {
	struct spinlock *lock[HELD_MAX];
	unsigned int n;
	bool off; /* reported already: no panic within panic */
};
static DEFINE_PER_CPU(struct held_locks, held_locks);

static void complain(struct held_locks *h, const struct spinlock *l, const char *what)
{
	h->off = true;
	for (unsigned int i = 0; i < h->n; i++)
		printk(LOG_ERR, "held: class %u lock %p taken at %pS\n", h->lock[i]->class,
		       (void *)h->lock[i], h->lock[i]->taken_at);
	panic("lock %p of class %u: %s", (const void *)l, l->class, what);
}

/* Before waiting, so that a deadlock is reported and not had. Two of one class may be
 * held when their addresses ascend. */
static void check_order(struct spinlock *l, bool wait)
{
	struct held_locks *h = &this_cpu_var(held_locks);

	if (h->off || !l->class)
		return;
	for (unsigned int i = 0; i < h->n; i++) {
		if (h->lock[i] == l)
			complain(h, l, "taken again");
		if (wait && (h->lock[i]->class > l->class ||
			     (h->lock[i]->class == l->class && h->lock[i] > l)))
			complain(h, l, "out of order");
	}
	if (h->n == HELD_MAX)
		complain(h, l, "too many held");
}

static bool check_irqs;

void spin_check_irqs(void)
{
	check_irqs = true;
}

/*
 * Always with interrupts on, or always off. Whoever waits with them off answers no call
 * (on_cpus()), while a holder with them on may make one, and may be interrupted by
 * a handler that wants the lock.
 */
static void note_irqs(struct held_locks *h, struct spinlock *l)
{
	l->irqs |= irqs_enabled() ? 1 : 2;
	if (l->irqs == 3)
		complain(h, l, "with interrupts on and off");
}

/* Interrupts are off while the list changes: a handler takes locks too. */
static void note_taken(struct spinlock *l, void *at)
{
	struct held_locks *h = &this_cpu_var(held_locks);
	unsigned long flags;

	l->cpu = (uint16_t)(this_cpu + 1);
	l->taken_at = at;
	if (h->off || !l->class)
		return;
	if (check_irqs)
		note_irqs(h, l);
	flags = irq_save();
	h->lock[h->n++] = l;
	irq_restore(flags);
}

static void note_dropped(struct spinlock *l)
{
	struct held_locks *h = &this_cpu_var(held_locks);
	unsigned long flags;
	unsigned int i;

	if (h->off || !l->class)
		return;
	l->cpu = 0;
	flags = irq_save();
	for (i = h->n; i-- && h->lock[i] != l;)
		;
	if (i >= h->n)
		complain(h, l, "not held by this CPU");
	for (h->n--; i < h->n; i++)
		h->lock[i] = h->lock[i + 1];
	irq_restore(flags);
}
#else
#define check_order(l, wait) ((void)0)
#define note_taken(l, at)    ((void)(at))
#define note_dropped(l)      ((void)0)
#endif

void spin_lock_init(struct spinlock *l, enum lock_class class)
{
	*l = (struct spinlock)SPINLOCK(class);
	(void)class;
}

bool spin_unfair;

/* Nobody has it, nobody waits. */
static bool take_free(struct spinlock *l)
{
	uint32_t t = READ_ONCE(l->tickets);

	return (uint16_t)t == (uint16_t)(t >> 16) &&
	       __atomic_compare_exchange_n(&l->tickets, &t, t + TICKET, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static void lock_from(struct spinlock *l, void *at)
{
	uint32_t t;
	uint16_t mine;

	check_order(l, true);
	if (unlikely(spin_unfair)) {
		while (!take_free(l))
			cpu_relax();
		note_taken(l, at);
		return;
	}
	t = __atomic_fetch_add(&l->tickets, TICKET, __ATOMIC_ACQUIRE);
	mine = (uint16_t)(t >> 16);
	while ((uint16_t)t != mine) {
		cpu_relax();
		t = __atomic_load_n(&l->tickets, __ATOMIC_ACQUIRE);
	}
	note_taken(l, at);
}

void spin_lock(struct spinlock *l)
{
	lock_from(l, __builtin_return_address(0));
}

bool spin_trylock(struct spinlock *l)
{
	if (!take_free(l))
		return false;
	check_order(l, false);
	note_taken(l, __builtin_return_address(0));
	return true;
}

static void unlock_word(struct spinlock *l)
{
	/* Only the holder changes the low half: an add of 16 bits, no carry into the other. */
	__atomic_store_n((uint16_t *)&l->tickets, (uint16_t)(READ_ONCE(l->tickets) + 1),
			 __ATOMIC_RELEASE);
}

void spin_unlock(struct spinlock *l)
{
	note_dropped(l);
	unlock_word(l);
}

unsigned long spin_lock_irqsave(struct spinlock *l)
{
	unsigned long flags = irq_save();

	lock_from(l, __builtin_return_address(0));
	return flags;
}

void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags)
{
	spin_unlock(l);
	irq_restore(flags);
}

void spin_lock_irq(struct spinlock *l)
{
	irq_disable();
	lock_from(l, __builtin_return_address(0));
}

void spin_unlock_irq(struct spinlock *l)
{
	spin_unlock(l);
	irq_enable();
}

void rw_lock_init(struct rwlock *l, enum lock_class class)
{
	spin_lock_init(&l->writer, class);
	l->readers = 0;
}

/* A reader holds the writers' lock only while it counts itself: a waiting writer, which
 * has that lock, keeps new readers out. To the order check it is held until the end. */
void read_lock(struct rwlock *l)
{
	lock_from(&l->writer, __builtin_return_address(0));
	__atomic_fetch_add(&l->readers, 1, __ATOMIC_ACQUIRE);
	unlock_word(&l->writer);
}

void read_unlock(struct rwlock *l)
{
	note_dropped(&l->writer);
	__atomic_fetch_sub(&l->readers, 1, __ATOMIC_RELEASE);
}

void write_lock(struct rwlock *l)
{
	lock_from(&l->writer, __builtin_return_address(0));
	while (__atomic_load_n(&l->readers, __ATOMIC_ACQUIRE))
		cpu_relax();
}

void write_unlock(struct rwlock *l)
{
	spin_unlock(&l->writer);
}
