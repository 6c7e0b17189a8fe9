// SPDX-License-Identifier: GPL-2.0-only
/* TLB flushes: this CPU's, and other CPUs' by a call that is waited for. */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

#define CR4_PGE (1ull << 7)

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

static void flush(void *global)
{
	if (global)
		tlb_flush_local_global();
	else
		tlb_flush_local();
}

void tlb_flush_mask(const struct cpumask *mask, bool global)
{
	perfc_incr(tlb_flushes);
	on_cpus(mask, flush, (void *)(uintptr_t)global);
}

static void flush_va(void *va)
{
	tlb_flush_va_local((uint64_t)va);
}

void tlb_flush_va_mask(const struct cpumask *mask, uint64_t va)
{
	on_cpus(mask, flush_va, (void *)va);
}
