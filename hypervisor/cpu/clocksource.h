/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine's clocks of known frequency, by which the TSC is measured. */
#ifndef HV_CLOCKSOURCE_H
#define HV_CLOCKSOURCE_H

#include "hypervisor/lib/types.h"

struct clocksource {
	const char *name;
	uint64_t hz;
	uint64_t mask;          /* the counter's width */
	uint64_t (*read)(void); /* counts up */
};

/* The best there is: HPET, ACPI PM timer or PIT; set going. Never NULL. */
const struct clocksource *clocksource_init(void);
/* TSC ticks a second, by @c, in about 50 ms. */
uint64_t clocksource_measure_tsc(const struct clocksource *c);
uint64_t cmos_read_time(void); /* seconds since 1970 */

/* a * b / c with a 128-bit product; the quotient must fit. (No libgcc here.) */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t hi, lo;

	__asm__("mul %3; div %4" : "=&a"(lo), "=&d"(hi) : "0"(a), "r"(b), "r"(c) : "cc");
	return lo;
}

#endif
