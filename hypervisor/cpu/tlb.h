/* SPDX-License-Identifier: GPL-2.0-only */
/* Start of cpu/tlb.c; the flushes are in mm/mm.h. */
#ifndef HV_TLB_H
#define HV_TLB_H

#include <stdbool.h>

void tlb_set_answers(bool answers); /* this CPU in cpu_ipi_map, between two requests */
void tlb_init(void); /* before other CPUs run */

#endif
