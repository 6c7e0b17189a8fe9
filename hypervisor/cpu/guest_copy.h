/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies that survive faults at any address: cpu/guest_access.S. Bytes not copied. */
#ifndef HV_GUEST_COPY_H
#define HV_GUEST_COPY_H

#include "hypervisor/lib/types.h"
#include "hypervisor/mm/layout.h"

size_t copy_survive(void *to, const void *from, size_t n);
size_t clear_survive(void *to, size_t n);

#define GUEST_SMALL 128

/* @gva for a copy of at most GUEST_SMALL bytes, where one comparison does; NULL if some of
 * them could be ours. Masked as well: see gva_nospec() in guest_access.c. */
static inline void *guest_small(uint64_t gva)
{
	const uint64_t start = HV_VIRT_START - GUEST_SMALL;
	uint64_t inside;

	__asm__("cmp %2, %1; sbb %0, %0"
		: "=r"(inside)
		: "r"(gva - start), "r"(HV_VIRT_END - start)
		: "cc");
	return unlikely(inside) ? NULL : (void *)(gva & ~inside);
}

#endif
