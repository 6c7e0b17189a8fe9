/* SPDX-License-Identifier: GPL-2.0-only */
/* Changing current's root and mode, in line: every system call of a guest's user does both. */
#ifndef HV_PV_MODE_H
#define HV_PV_MODE_H

#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/xpti.h"

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
