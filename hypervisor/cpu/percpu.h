/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What belongs to one CPU. Each has an aligned stack of STACK_SIZE; struct cpu_info is at
 * its top end, found from the stack pointer. (Segment bases belong to the guest.)
 * Per-CPU variables are a copy of the .percpu section for each CPU.
 */
#ifndef HV_PERCPU_H
#define HV_PERCPU_H

#include "hypervisor/lib/abi.h"

#define NR_CPUS     4095
#define STACK_ORDER 3
#define STACK_SIZE  (PAGE_SIZE << STACK_ORDER)

struct vcpu;

/* At the top of the stack: what entry code needs. Offsets are in cpu/asm_offsets.c. */
struct cpu_info {
	struct cpu_user_regs regs; /* the guest's, where entry code put them */
	struct vcpu *current;
	uint64_t percpu_offset; /* add to a variable's address in .percpu */
	uint64_t cr4;
	uint64_t hypervisor_cr3, guest_cr3; /* XPTI; 0: the same root serves both */
	uint32_t cpu;
	uint32_t spec_flags;
};
/* The CPU aligns the stack to 16 bytes before it pushes an interrupt's frame; TSS.rsp0 is
 * &regs.es, so that must be aligned. A saved frame's address is then 8 modulo 16. */
_Static_assert((sizeof(struct cpu_info) - offsetof(struct cpu_info, regs.es)) % 16 == 0,
	       "hardware's frame lands in cpu_info.regs");

#ifndef HOST_TEST
static inline struct cpu_info *cpu_info(void)
{
	uint64_t sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return (struct cpu_info *)((sp | (STACK_SIZE - 1)) + 1) - 1;
}
#else
extern __thread struct cpu_info host_cpu_info; /* tests define and set it */
static inline struct cpu_info *cpu_info(void)
{
	return &host_cpu_info;
}
#endif

static inline void set_current(struct vcpu *v)
{
	cpu_info()->current = v;
}
#define current  (cpu_info()->current)
#define this_cpu (cpu_info()->cpu)
/* The interrupted or calling guest's registers, valid during an entry from the guest. */
#define guest_regs() (&cpu_info()->regs)

#ifndef HOST_TEST
#define DEFINE_PER_CPU(type, name)                                                       \
	__attribute__((section(".percpu"))) __typeof__(type) percpu_##name
#define DECLARE_PER_CPU(type, name) extern __typeof__(type) percpu_##name
extern uint64_t percpu_offset[NR_CPUS];
#define per_cpu(name, cpu)                                                               \
	(*(__typeof__(percpu_##name) *)((char *)&percpu_##name + percpu_offset[cpu]))
#define this_cpu_var(name)                                                               \
	(*(__typeof__(percpu_##name) *)((char *)&percpu_##name + cpu_info()->percpu_offset))
#else
#define HOST_CPUS                    8
#define DEFINE_PER_CPU(type, name)   __typeof__(type) percpu_##name[HOST_CPUS]
#define DECLARE_PER_CPU(type, name)  extern __typeof__(type) percpu_##name[HOST_CPUS]
#define per_cpu(name, cpu)           (percpu_##name[cpu])
#define this_cpu_var(name)           (percpu_##name[this_cpu])
#endif

/* ---- sets of CPUs ---- */
struct cpumask {
	uint64_t bits[(NR_CPUS + 63) / 64];
};
extern struct cpumask cpu_online_map, cpu_present_map;
extern unsigned int nr_cpus; /* possible: CPU numbers are below it */

static inline bool cpu_online(unsigned int cpu)
{
	return cpu_online_map.bits[cpu / 64] >> (cpu % 64) & 1;
}

#define for_each_cpu(cpu, mask)                                                          \
	for ((cpu) = (unsigned int)find_next_bit((mask)->bits, nr_cpus, 0); (cpu) < nr_cpus;    \
	     (cpu) = (unsigned int)find_next_bit((mask)->bits, nr_cpus, (cpu) + 1))
#define for_each_online_cpu(cpu) for_each_cpu(cpu, &cpu_online_map)

#endif
