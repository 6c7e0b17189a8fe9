// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs that go offline and come back (XENPF_cpu_offline, XENPF_cpu_online). An offline CPU
 * is parked: halted in its idle vcpu, with nothing that wakes it but the call to come back.
 * One CPU at a time goes or comes.
 */
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

enum step { GOING = 1, PARKED, COMING };

static uint32_t moving;   /* the CPU that goes or comes; 0 (which never does): none */
static uint32_t progress; /* enum step */
/* In-flight interrupts reach a CPU well within this. */
#define SETTLE MICROSECS(200)

static void halt_until_interrupt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

static void park(void)
{
	unsigned int cpu = this_cpu;

	/* Until here others may have asked for the state that a vcpu left on this CPU. */
	drop_lazy_state();
	smp_set_answers(false);
	apic_timer_arm(0);
	atomic_store(&progress, PARKED);
	while (atomic_load(&moving) != cpu || atomic_load(&progress) != COMING) {
		irq_disable();
		if (atomic_load(&moving) != cpu || atomic_load(&progress) != COMING)
			halt_until_interrupt();
		irq_enable();
	}
	smp_set_answers(true);
	tlb_flush_local_global(); /* none of others' reached it meanwhile */
	sched_init_cpu(cpu);
	set_bit(cpu, cpu_online_map.bits);
	softirq_raise(SOFTIRQ_SCHEDULE);
}

/*
 * SOFTIRQ_CPU_DOWN, the last of them. The CPU that goes does it itself, and enters no guest
 * in between.
 */
static void cpu_goes(void)
{
	unsigned int cpu = this_cpu;
	stime_t end;

	if (cpu_online(cpu)) {
		clear_bit(cpu, cpu_online_map.bits);
		sched_cpu_evacuate(cpu);
		irqs_leave_cpu(cpu);
	}
	for (end = now() + SETTLE; now() < end;)
		cpu_relax();
	if (softirq_is_pending() || !is_idle_vcpu(this_cpu_var(running_vcpu)))
		softirq_raise(SOFTIRQ_CPU_DOWN); /* the others first: a switch to idle is one */
	else
		park();
}

int cpu_down(unsigned int cpu)
{
	uint32_t none = 0;

	if (atomic_cmpxchg(&moving, &none, cpu)) {
		if (!cpu_online(cpu)) {
			atomic_store(&moving, 0);
			return -EINVAL;
		}
		atomic_store(&progress, GOING);
		softirq_open(SOFTIRQ_CPU_DOWN, cpu_goes);
		softirq_raise_cpu(cpu, SOFTIRQ_CPU_DOWN);
		return -ERESTART;
	}
	if (none != cpu || READ_ONCE(progress) == COMING)
		return -EBUSY;
	if (atomic_load(&progress) != PARKED)
		return -ERESTART;
	sched_exit_cpu(cpu);
	timers_take(cpu);
	atomic_store(&progress, 0);
	atomic_store(&moving, 0);
	printk(LOG_INFO, "CPU %u is offline\n", cpu);
	send_global_virq(VIRQ_PCPU_STATE);
	return 0;
}

int cpu_up(unsigned int cpu)
{
	uint32_t none = 0;

	if (atomic_cmpxchg(&moving, &none, cpu)) {
		if (cpu_online(cpu)) {
			atomic_store(&moving, 0);
			return -EBUSY;
		}
		atomic_store(&progress, COMING);
		smp_send_event(cpu);
		return -ERESTART;
	}
	if (none != cpu || READ_ONCE(progress) != COMING)
		return -EBUSY;
	if (!cpu_online(cpu))
		return -ERESTART;
	atomic_store(&moving, 0);
	printk(LOG_INFO, "CPU %u is online\n", cpu);
	send_global_virq(VIRQ_PCPU_STATE);
	return 0;
}

bool cpu_is_moving(unsigned int cpu)
{
	return cpu && atomic_load(&moving) == cpu;
}
