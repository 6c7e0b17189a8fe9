/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's page in every GDT: entries from FIRST_RESERVED_GDT_ENTRY on, one page a
 * CPU. Selectors a guest may know (FLAT_RING3_*) are the ABI's. While a guest's vcpu is
 * loaded, GDTR is GDT_VADDR(vcpu) and this page is mapped there as page 14; else GDTR is
 * the page's own address less 14 pages.
 */
#ifndef HV_GDT_H
#define HV_GDT_H

#define HV_CS          0xe008 /* SYSCALL takes it and the next from STAR */
#define HV_DS          0xe010
#define HV_CS32        0xe018 /* start-up */
#define HV_TSS         0xe040 /* two entries; as is the LDT's */
#define HV_LDT         0xe050
#define HV_GDT_LIMIT   0xefff /* 15 pages less one byte */
#define HV_GDT_INDEX(sel) (((sel) - 0xe000) / 8)

#ifndef __ASSEMBLY__
#include "hypervisor/cpu/percpu.h"

/* This CPU's page, in the direct map (cpu/descriptors.c). */
DECLARE_PER_CPU(uint64_t *, gdt_page);
#endif

#endif
