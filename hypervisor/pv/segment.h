/* SPDX-License-Identifier: GPL-2.0-only */
/* Segment registers and bases of the CPU, and what pv/'s files share about state. */
#ifndef HV_PV_SEGMENT_H
#define HV_PV_SEGMENT_H

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"

#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

/* Entries of slot 258: not global, since each domain has its own. */
#define PTE_PERDOMAIN (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)

/* pv/entry.S: false when refused, and then null. */
bool load_ds(uint16_t sel);
bool load_es(uint16_t sel);
bool load_fs(uint16_t sel);
bool load_gs(uint16_t sel);

PRIVILEGED_READ(uint16_t, read_ds, "mov %%ds, %0")
PRIVILEGED_READ(uint16_t, read_es, "mov %%es, %0")
PRIVILEGED_READ(uint16_t, read_fs, "mov %%fs, %0")
PRIVILEGED_READ(uint16_t, read_gs, "mov %%gs, %0")
#define SEGMENT_BASE(s, msr)                                                             \
	PRIVILEGED(uint64_t, read_##s##_base, (void), uint64_t v;                        \
		   if (!cpu_has_fsgsbase) return rdmsr(msr);                             \
		   __asm__ volatile("rd" #s "base %0" : "=r"(v)); return v)              \
	PRIVILEGED(void, write_##s##_base, (uint64_t v), if (!cpu_has_fsgsbase) wrmsr(msr, v); \
		   else __asm__ volatile("wr" #s "base %0" ::"r"(v) : "memory"))
SEGMENT_BASE(fs, MSR_FS_BASE)
SEGMENT_BASE(gs, MSR_GS_BASE)
#undef SEGMENT_BASE
PRIVILEGED(void, swapgs, (void), __asm__ volatile("swapgs" ::: "memory"))
PRIVILEGED_WRITE(uint16_t, load_ldt, "lldt %0")

static inline bool is_canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* pv/control_reg.c: CR0 and CR4 as the guest reads them; @cr4 is what it wants. */
uint64_t pv_guest_cr0(const struct vcpu *v);
uint64_t pv_guest_cr4(uint64_t cr4);
void pv_load_cr4(const struct vcpu *v); /* the machine's while @v runs */
void pv_save(struct vcpu *v);             /* guest_ops */
void pv_restore(struct vcpu *v);

#endif
