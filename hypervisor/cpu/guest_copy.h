/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies that survive faults at any address: cpu/guest_access.S. Bytes not copied. */
#ifndef HV_GUEST_COPY_H
#define HV_GUEST_COPY_H

#include "hypervisor/lib/types.h"

size_t copy_survive(void *to, const void *from, size_t n);
size_t clear_survive(void *to, size_t n);

#endif
