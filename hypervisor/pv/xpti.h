/* SPDX-License-Identifier: GPL-2.0-only */
/* A root of a PV guest's own without most of the hypervisor: pv/xpti.c. */
#ifndef HV_XPTI_H
#define HV_XPTI_H

#include "hypervisor/domain/domain.h"

extern bool xpti_enabled; /* new domains get it */

void xpti_init(void); /* boot CPU, after policy_init() */
int xpti_init_cpu(uint64_t stub, uint64_t stub_maddr);
/* CR3 is @v's now (NULL: no guest's): what entry code exchanges it with. */
void xpti_load(const struct vcpu *v);
/* On the way to the guest, interrupts off. */
void xpti_refresh(const struct vcpu *v);
/* #PF of a guest that runs so: whether it came of an old copy. Then the guest tries again. */
bool xpti_fault(const struct vcpu *v, uint64_t address);

#endif
