/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A set of numbers as sorted inclusive ranges, none touching another: what ports, device
 * frames and interrupts a domain may use. A lock of its own (LOCK_LEAF's kind: taken and
 * dropped inside each call; memory is allocated outside it).
 */
#ifndef HV_RANGESET_H
#define HV_RANGESET_H

#include "hypervisor/lib/types.h"

struct rangeset;

struct rangeset *rangeset_create(void); /* NULL: no memory */
void rangeset_destroy(struct rangeset *r); /* NULL is fine */
int rangeset_add(struct rangeset *r, uint64_t first, uint64_t last);    /* 0, -EINVAL, -ENOMEM */
int rangeset_remove(struct rangeset *r, uint64_t first, uint64_t last); /* the same */
bool rangeset_contains(struct rangeset *r, uint64_t first, uint64_t last); /* all of it */
bool rangeset_empty(struct rangeset *r);

#endif
