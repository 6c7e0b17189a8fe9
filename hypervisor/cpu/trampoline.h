/* SPDX-License-Identifier: GPL-2.0-only */
/* What an AP finds in the trampoline's page, after its code: set by cpu/smp.c. */
#ifndef HV_TRAMPOLINE_H
#define HV_TRAMPOLINE_H

#include "hypervisor/lib/types.h"

struct trampoline_data {
	struct {
		uint16_t pad, limit;
		uint32_t base;
	} gdtr;                /* base: the page's address + offset of gdt[] */
	uint32_t entry64;      /* far pointer to 64-bit code: offset and selector */
	uint32_t selector;
	uint64_t gdt[3];
	uint32_t cr0, cr3;
	uint64_t efer;
	uint64_t stack, entry; /* in the hypervisor's address space */
} __attribute__((packed));

extern char trampoline_start[], trampoline_64[], trampoline_data[], trampoline_end[];

#endif
