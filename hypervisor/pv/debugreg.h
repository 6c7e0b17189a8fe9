/* SPDX-License-Identifier: GPL-2.0-only */
/* Debug registers: what bits mean, and access to the machine's. */
#ifndef HV_DEBUGREG_H
#define HV_DEBUGREG_H

#include "hypervisor/lib/types.h"

#define X86_CR0_TS       (1u << 3)
#define DR6_CAUSES       0x1e00full /* B0-B3, BD, BS, BT */
#define DR6_RESERVED_ONE 0xffff0ff0ull
#define DR7_RESERVED_ONE 0x400ull
#define DR7_ACTIVE       0xffull    /* any of L0-L3, G0-G3 */

#ifdef HOST_TEST
uint64_t read_dr6(void);
void write_dr6(uint64_t v);
void write_dr(unsigned int n, uint64_t v);
#else
static inline uint64_t read_dr6(void)
{
	uint64_t v;

	__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return v;
}

static inline void write_dr6(uint64_t v)
{
	__asm__ volatile("mov %0, %%dr6" ::"r"(v));
}

static inline void write_dr(unsigned int n, uint64_t v)
{
	switch (n) {
	case 0:
		__asm__ volatile("mov %0, %%dr0" ::"r"(v));
		break;
	case 1:
		__asm__ volatile("mov %0, %%dr1" ::"r"(v));
		break;
	case 2:
		__asm__ volatile("mov %0, %%dr2" ::"r"(v));
		break;
	case 3:
		__asm__ volatile("mov %0, %%dr3" ::"r"(v));
		break;
	case 7:
		__asm__ volatile("mov %0, %%dr7" ::"r"(v));
		break;
	}
}
#endif

/* pv/misc.c: check and store; load them if @v is current. 0, -EPERM, -EINVAL. */
struct vcpu;
int pv_set_debugreg(struct vcpu *v, unsigned int reg, uint64_t value);

#endif
