/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes the nth allocation fail, for tests that sweep over every one. Link
 * $(ALLOC_FAULT_SRCS) with $(ALLOC_FAULT_LIBS) (backends/common/vars.mk): calls of
 * malloc, calloc, realloc, aligned_alloc, strdup and open_memstream from the code
 * under test go through here; those of libraries do not.
 */
#ifndef XYLEM_ALLOC_FAULT_H
#define XYLEM_ALLOC_FAULT_H

#include <stdbool.h>

/* The @nth allocation from now (1: the next) gives NULL with ENOMEM, once; 0: none. */
void alloc_fault(unsigned long nth);
/* Whether that has happened; ends it. A sweep is over when it has not. */
bool alloc_fault_hit(void);

#endif
