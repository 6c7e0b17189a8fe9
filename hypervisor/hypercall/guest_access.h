/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory by the current guest's linear address: the only way to it. Each returns
 * the number of bytes NOT copied: 0 is success. Addresses in the hypervisor's range are
 * refused (only the M2P is readable there, and not through this). Faults are survived.
 * May sleep on nothing; no lock that a page fault handler takes may be held.
 */
#ifndef HV_GUEST_ACCESS_H
#define HV_GUEST_ACCESS_H

#include "hypervisor/lib/types.h"

size_t copy_from_guest(void *to, uint64_t gva, size_t n);
size_t copy_to_guest(uint64_t gva, const void *from, size_t n);
size_t clear_guest(uint64_t gva, size_t n);
bool guest_range_ok(uint64_t gva, size_t n);

/* A structure: true when all of it was copied. */
#define get_guest(p, gva) (!copy_from_guest((p), (gva), sizeof(*(p))))
#define put_guest(gva, p) (!copy_to_guest((gva), (p), sizeof(*(p))))
/* The address in a XEN_GUEST_HANDLE. */
#define handle_gva(h) ((uint64_t)(h).p)

#endif
