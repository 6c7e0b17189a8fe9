// SPDX-License-Identifier: GPL-2.0-only
/*
 * Softirqs: a bit for each kind in a word for each CPU, set from any context and looked
 * at with interrupts on before a guest is entered and in the idle loop.
 */
#include "hypervisor/sched/softirq.h"

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/lib.h"

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
		if (nr < SOFTIRQS && softirq_handler[nr])
			softirq_handler[nr]();
	}
}
