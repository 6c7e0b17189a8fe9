/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ticket locks and reader-writer locks. In debug builds each knows its owner and its
 * class; taking a lock whose class is not above all classes held panics: the classes
 * below are the lock order, outermost first (docs/locking.md). So does one that is taken
 * with interrupts on here and off (the _irq variants) there: a lock taken by interrupt
 * handlers is only ever taken with them off.
 */
#ifndef HV_SPINLOCK_H
#define HV_SPINLOCK_H

#include "hypervisor/lib/types.h"

enum lock_class {
	LOCK_NONE, /* not checked */
	LOCK_DOMCTL,
	LOCK_DOMAIN_LIST,
	LOCK_DOMAIN,     /* domain->lock: life cycle, hypercalls of its own */
	LOCK_DOMAIN_IRQ, /* PIRQ tables of a domain */
	LOCK_PHYSDEV,
	LOCK_GRANT_TABLE,
	LOCK_GRANT_ENTRY,
	LOCK_EVENT,         /* event_domain.lock */
	LOCK_EVENT_CHANNEL, /* one port */
	LOCK_EVENT_QUEUE,   /* FIFO queue of a vcpu and priority */
	LOCK_DOMAIN_PAGES,  /* domain->page_lock: page list and counts */
	LOCK_HEAP,
	LOCK_XMALLOC,
	LOCK_VMAP,
	LOCK_IRQ_DESC,
	LOCK_SCHED,      /* one CPU's run queue */
	LOCK_TIMER,      /* one CPU's timers */
	LOCK_SERIAL,
	LOCK_MSI_MASK,
	LOCK_LEAF, /* nothing is taken under it */
};

struct spinlock {
	uint32_t tickets; /* low half: being served; high half: next to be given */
#ifdef DEBUG
	uint16_t class;
	uint16_t cpu; /* holder + 1 */
	uint8_t irqs; /* taken with interrupts on: 1; off: 2 */
	void *taken_at;
#endif
};

#ifdef DEBUG
#define SPINLOCK(c) {.class = (c)}
void spin_check_irqs(void); /* from now on: while it starts, all are off */
#else
#define spin_check_irqs() ((void)0)
#define SPINLOCK(c) {0}
#endif

/* Locks go to whoever finds them free, and not by tickets. For CPUs that are threads of another
 * machine: of those the one whose turn it is may not be running. */
extern bool spin_unfair;

void spin_lock_init(struct spinlock *l, enum lock_class class);
void spin_lock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
unsigned long spin_lock_irqsave(struct spinlock *l); /* returns the flags */
void spin_unlock_irqrestore(struct spinlock *l, unsigned long flags);
void spin_lock_irq(struct spinlock *l);
void spin_unlock_irq(struct spinlock *l);

/* spin_guard(&l): locked until the end of the block. spin_guard_irqsave(): interrupts off too. */
struct spin_irq_guard {
	struct spinlock *lock;
	unsigned long flags;
};

static inline void spin_guard_end(struct spinlock **l)
{
	spin_unlock(*l);
}

static inline void spin_guard_irqsave_end(struct spin_irq_guard *g)
{
	spin_unlock_irqrestore(g->lock, g->flags);
}

#define spin_guard(l)                                                                    \
	struct spinlock *guard_ __attribute__((cleanup(spin_guard_end), unused)) =       \
		(spin_lock(l), (l))
#define spin_guard_irqsave(l)                                                            \
	struct spin_irq_guard guard_ __attribute__((cleanup(spin_guard_irqsave_end), unused)) = { \
		(l), spin_lock_irqsave(l)}

/* Readers exclude writers only; writers are preferred. Same order check. */
struct rwlock {
	struct spinlock writer;
	int32_t readers;
};
#define RWLOCK(c) {.writer = SPINLOCK(c)}
void rw_lock_init(struct rwlock *l, enum lock_class class);
void read_lock(struct rwlock *l);
void read_unlock(struct rwlock *l);
void write_lock(struct rwlock *l);
void write_unlock(struct rwlock *l);

#endif
