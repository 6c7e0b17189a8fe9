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

#ifdef HOST_TEST
uint16_t read_ds(void);
uint16_t read_es(void);
uint16_t read_fs(void);
uint16_t read_gs(void);
uint64_t read_fs_base(void);
uint64_t read_gs_base(void);
void write_fs_base(uint64_t v);
void write_gs_base(uint64_t v);
void swapgs(void);
void load_ldt(uint16_t sel);
#else
#define HV_SEGMENT(s)                                                                    \
	static inline uint16_t read_##s(void)                                            \
	{                                                                                \
		uint16_t v;                                                              \
		__asm__ volatile("mov %%" #s ", %0" : "=r"(v));                          \
		return v;                                                                \
	}
HV_SEGMENT(ds)
HV_SEGMENT(es)
HV_SEGMENT(fs)
HV_SEGMENT(gs)
#undef HV_SEGMENT

#define HV_SEGMENT_BASE(s, msr)                                                          \
	static inline uint64_t read_##s##_base(void)                                     \
	{                                                                                \
		uint64_t v;                                                              \
		if (!cpu_has_fsgsbase)                                                   \
			return rdmsr(msr);                                               \
		__asm__ volatile("rd" #s "base %0" : "=r"(v));                           \
		return v;                                                                \
	}                                                                                \
	static inline void write_##s##_base(uint64_t v)                                  \
	{                                                                                \
		if (cpu_has_fsgsbase)                                                    \
			__asm__ volatile("wr" #s "base %0" ::"r"(v) : "memory");         \
		else                                                                     \
			wrmsr(msr, v);                                                   \
	}
HV_SEGMENT_BASE(fs, MSR_FS_BASE)
HV_SEGMENT_BASE(gs, MSR_GS_BASE)
#undef HV_SEGMENT_BASE

static inline void swapgs(void)
{
	__asm__ volatile("swapgs" ::: "memory");
}

static inline void load_ldt(uint16_t sel)
{
	__asm__ volatile("lldt %0" ::"r"(sel) : "memory");
}
#endif

static inline bool is_canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* pv/control_reg.c: CR0 and CR4 as the guest reads them; @cr4 is what it wants. */
uint64_t pv_guest_cr0(const struct vcpu *v);
uint64_t pv_guest_cr4(uint64_t cr4);
uint64_t pv_cr4_of(const struct vcpu *v); /* the machine's while @v runs */
void pv_save(struct vcpu *v);             /* guest_ops */
void pv_restore(struct vcpu *v);

#endif
