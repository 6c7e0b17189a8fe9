/* SPDX-License-Identifier: GPL-2.0-only */
/* Changing current's root and mode, in line: every system call of a guest's user does both. */
#ifndef HV_PV_MODE_H
#define HV_PV_MODE_H

#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"

/* ---- XPTI: a root of the CPU's own without most of the hypervisor (pv/xpti.c) ---- */
extern bool xpti_enabled;

void xpti_init(void); /* boot CPU, after policy_init() */
int xpti_init_cpu(uint64_t stub, uint64_t stub_maddr);
/* CR3 is @v's now (NULL: no guest's): what entry code exchanges it with. */
void xpti_load(const struct vcpu *v);
/* On the way to the guest, interrupts off. */
void xpti_refresh(const struct vcpu *v);
/* #PF of a guest that runs so: whether it came of an old copy. Then the guest tries again. */
bool xpti_fault(const struct vcpu *v, uint64_t address);

/* ---- roots and modes ---- */

static inline void load_root(struct vcpu *v)
{
	v->pv.cr3 = pv_cr3_of(v);
	if (unlikely(xpti_enabled))
		xpti_load(v);
	tlb_note_flush();
	write_cr3(v->pv.cr3);
}

static inline void toggle_mode(struct vcpu *v)
{
	v->pv.kernel_mode = !v->pv.kernel_mode;
	swapgs();
	load_root(v);
	if (unlikely(v->time_area_stale) && v->pv.kernel_mode)
		update_vcpu_time_area(v);
}

#endif
