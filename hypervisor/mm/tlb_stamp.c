// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which CPUs may still have a stale entry for a frame. The clock is 32 bits and counts
 * flushes; all CPUs are flushed each 2^30 of them, so that differences keep their sign.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"

#define WRAP_GUARD (1u << 30)

DEFINE_PER_CPU(uint32_t, tlb_emptied_at);
uint32_t tlb_clock = 1;
static uint32_t last_full;

static bool stale(unsigned int cpu, uint32_t stamp)
{
	return (int32_t)(READ_ONCE(per_cpu(tlb_emptied_at, cpu)) - stamp) <= 0;
}

static void flush(const struct cpumask *mask, uint32_t stamp, bool all)
{
	uint32_t at = atomic_add(&tlb_clock, 1);
	struct cpumask need = {0};
	bool others = false;
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (all || ((!mask || test_bit(cpu, mask->bits)) && stale(cpu, stamp))) {
			need.bits[cpu / 64] |= 1ull << (cpu % 64);
			others |= cpu != this_cpu;
		}
	if (others) {
		/* An IPI that is waited for: see tlb_flush_mask(). */
		ASSERT(irqs_enabled());
		tlb_flush_mask(&need, false);
	} else {
		/* Idle keeps a vcpu's root loaded until another CPU asks for it, by interrupt: not
		 * between reading it and loading it again. */
		unsigned long flags = irq_save();

		tlb_flush_local();
		irq_restore(flags);
	}
	/* A CPU that noted a later flush of its own loses it here: one more flush, no less. */
	for_each_cpu(cpu, &need)
		WRITE_ONCE(per_cpu(tlb_emptied_at, cpu), at);
}

void tlb_flush_stale(const struct cpumask *mask, uint32_t stamp)
{
	unsigned int cpu;

	if (unlikely(READ_ONCE(tlb_clock) - READ_ONCE(last_full) >= WRAP_GUARD)) {
		WRITE_ONCE(last_full, READ_ONCE(tlb_clock));
		flush(mask, stamp, true);
		return;
	}
	for_each_online_cpu(cpu)
		if ((!mask || test_bit(cpu, mask->bits)) && stale(cpu, stamp)) {
			flush(mask, stamp, false);
			return;
		}
}
