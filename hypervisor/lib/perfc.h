/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Performance counters, in debug builds: xenperf (XEN_SYSCTL_perfc_op), debug keys p and P.
 * A counter is a number of each CPU, or an array of them. What the short ways of
 * pv/entry_fast.S serve is not counted.
 */
#ifndef HV_PERFC_H
#define HV_PERFC_H

#include "hypervisor/cpu/percpu.h"

/* X(name, how many, what xenperf calls it) */
#define PERFC_COUNTERS(X)                                                                \
	X(hypercalls, 64, "hypercalls") /* first: pv/entry.S knows */                    \
	X(exceptions, 32, "exceptions of guests")                                        \
	X(interrupts, 1, "interrupts")                                                   \
	X(ipis, 1, "interrupts sent to CPUs")                                            \
	X(calls, 1, "calls of other CPUs")                                               \
	X(softirqs, 8, "softirqs")                                                       \
	X(schedules, 1, "scheduler runs")                                                \
	X(switches, 1, "vcpu switches")                                                  \
	X(pte_writes, 1, "page-table writes emulated")                                   \
	X(privileged, 1, "privileged instructions emulated")                             \
	X(mmu_updates, 1, "mmu_update requests")                                         \
	X(mmuext_ops, 1, "mmuext operations")                                            \
	X(tlb_flushes, 1, "TLB flushes asked for")                                       \
	X(events, 1, "events sent")                                                      \
	X(timers, 1, "timers run")

enum {
#define PERFC_INDEX(name, n, what) PERFC_##name, PERFC_##name##_last = PERFC_##name + (n)-1,
	PERFC_COUNTERS(PERFC_INDEX)
#undef PERFC_INDEX
	PERFC_VALUES
};

#if defined(DEBUG) && !defined(HOST_TEST)
struct perfc {
	uint32_t value[PERFC_VALUES];
};
DECLARE_PER_CPU(struct perfc, perfc);

/* Not exact: an interrupt between load and store may lose one of its own. */
#define perfc_add(name, n)   (this_cpu_var(perfc).value[PERFC_##name] += (uint32_t)(n))
#define perfc_incr_at(name, i) (this_cpu_var(perfc).value[PERFC_##name + (i)]++)
void perfc_init(void);
#else
#define perfc_add(name, n)     ((void)0)
#define perfc_incr_at(name, i) ((void)0)
#define perfc_init()           ((void)0)
#endif
#define perfc_incr(name) perfc_add(name, 1)

#endif
