/* SPDX-License-Identifier: GPL-2.0-only */
/* Debug registers: what bits mean, and access to the machine's. */
#ifndef HV_DEBUGREG_H
#define HV_DEBUGREG_H

#include "hypervisor/cpu/privileged.h"

#define X86_CR0_TS       (1u << 3)
#define DR6_CAUSES       0x1e00full /* B0-B3, BD, BS, BT */
#define DR6_RESERVED_ONE 0xffff0ff0ull
#define DR7_RESERVED_ONE 0x400ull
#define DR7_ACTIVE       0xffull    /* any of L0-L3, G0-G3 */

PRIVILEGED_READ(uint64_t, read_dr6, "mov %%dr6, %0")
PRIVILEGED_WRITE(uint64_t, write_dr6, "mov %0, %%dr6")
PRIVILEGED_WRITE(uint64_t, write_dr7, "mov %0, %%dr7")
PRIVILEGED(void, write_dr_addresses, (const uint64_t v[4]),
	   __asm__ volatile("mov %0, %%dr0; mov %1, %%dr1; mov %2, %%dr2; mov %3, %%dr3" ::"r"(v[0]),
			    "r"(v[1]), "r"(v[2]), "r"(v[3])))

/* pv/misc.c: check and store; load them if @v is current. 0, -EPERM, -EINVAL. */
struct vcpu;
int pv_set_debugreg(struct vcpu *v, unsigned int reg, uint64_t value);

#endif
