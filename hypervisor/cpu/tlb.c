// SPDX-License-Identifier: GPL-2.0-only
/* TLB flushes: this CPU's, and other CPUs' by an interrupt whose effect is waited for. */
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/tlb.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/mm/mm.h"

#define CR4_PGE (1ull << 7)

enum flush_kind { FLUSH_VA, FLUSH_NON_GLOBAL, FLUSH_ALL };

/* One request at a time. The lock is held with interrupts on (so that its waiters answer
 * the holder) and hence is not in the order of locks. */
static struct spinlock flush_lock = SPINLOCK(LOCK_NONE);
static struct {
	enum flush_kind kind;
	uint64_t va;
	uint32_t unanswered;
} flush;

void tlb_flush_local(void)
{
	tlb_note_flush();
	write_cr3(read_cr3());
}

void tlb_flush_local_global(void)
{
	unsigned long flags = irq_save();
	uint64_t cr4 = read_cr4();

	tlb_note_flush();
	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		tlb_flush_local();
	}
	irq_restore(flags);
}

void tlb_flush_va_local(uint64_t va)
{
	invlpg((const void *)va);
}

static void flush_do(enum flush_kind kind, uint64_t va)
{
	switch (kind) {
	case FLUSH_VA:
		tlb_flush_va_local(va);
		break;
	case FLUSH_NON_GLOBAL:
		tlb_flush_local();
		break;
	case FLUSH_ALL:
		tlb_flush_local_global();
		break;
	}
}

static void flush_interrupt(void)
{
	flush_do(flush.kind, flush.va);
	atomic_sub(&flush.unanswered, 1); /* after the flush: the requester goes on */
}

static unsigned int count_others(const struct cpumask *mask)
{
	unsigned int cpu, n = 0;

	for_each_cpu(cpu, mask)
		n += cpu != this_cpu && cpu_answers(cpu);
	return n;
}

static void flush_mask(const struct cpumask *mask, enum flush_kind kind, uint64_t va)
{
	unsigned int others = count_others(mask);
	bool locked = others;

	if (locked) {
		ASSERT(irqs_enabled());
		spin_lock(&flush_lock);
		others = count_others(mask); /* which changes under the lock alone */
		flush.kind = kind;
		flush.va = va;
		atomic_store(&flush.unanswered, others);
		apic_send_ipi_mask(mask, VECTOR_INVALIDATE_TLB);
	}
	if (test_bit(this_cpu, mask->bits))
		flush_do(kind, va);
	if (locked) {
		while (atomic_load(&flush.unanswered))
			cpu_relax();
		spin_unlock(&flush_lock);
	}
}

void tlb_flush_mask(const struct cpumask *mask, bool global)
{
	flush_mask(mask, global ? FLUSH_ALL : FLUSH_NON_GLOBAL, 0);
}

void tlb_flush_va_mask(const struct cpumask *mask, uint64_t va)
{
	flush_mask(mask, FLUSH_VA, va);
}

void tlb_set_answers(bool answers)
{
	spin_lock(&flush_lock);
	if (answers)
		set_bit(this_cpu, cpu_ipi_map.bits);
	else
		clear_bit(this_cpu, cpu_ipi_map.bits);
	spin_unlock(&flush_lock);
}

void tlb_init(void)
{
	vector_set_handler(VECTOR_INVALIDATE_TLB, flush_interrupt);
}
