// SPDX-License-Identifier: GPL-2.0-only
/* What a CPU does when no vcpu wants it: softirqs, scrubbing of freed frames, sleep. */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/sched.h"
#include "hypervisor/sched/softirq.h"

#ifndef HOST_TEST
/* STI holds interrupts back for one instruction: one that comes ends the HLT. */
static void sleep_until_interrupt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

_Noreturn void idle_loop(void)
{
	irq_enable();
	for (;;) {
		if (softirq_is_pending()) {
			softirq_run();
			continue;
		}
		if (buddy_scrub_some())
			continue;
		irq_disable();
		if (softirq_is_pending())
			irq_enable();
		else
			sleep_until_interrupt();
	}
}
#endif
