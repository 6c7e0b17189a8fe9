/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small machine for tests of the hypervisor's memory: MACHINE_FRAMES of memory with a
 * frame table, an M2P, CPUs that are threads, and what mm/ wants of other folders.
 */
#ifndef HV_MACHINE_H
#define HV_MACHINE_H

#include "tests/unit/suite.h"

#include "hypervisor/mm/mm_internal.h"

#define MACHINE_FRAMES 16384u
#define HOLE_START     0x1000u /* no memory here */
#define HOLE_END       0x1100u

void machine_init(void);                 /* all memory to the buddy allocator */
void machine_cpu(unsigned int cpu);      /* this thread is that CPU */
struct domain *machine_domain(uint32_t max_pages);
void machine_domain_free(struct domain *d);
uint64_t machine_random(void);           /* xorshift, a state a thread */
void machine_seed(uint64_t seed);

/* What frame_validate() and frame_devalidate() are in a test. */
extern int (*machine_validate)(struct frame *f, uint64_t type, bool preemptible);
extern int (*machine_devalidate)(struct frame *f, uint64_t type, bool preemptible);
extern unsigned long machine_flushes;
extern int machine_domain_refs;
extern uint64_t machine_node1; /* frames from here on are node 1's; 0: one node */

#endif
