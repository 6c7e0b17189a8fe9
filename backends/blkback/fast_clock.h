/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CLOCK_MONOTONIC by the time-stamp counter, taken from the kernel at most every
 * millisecond: in a PV dom0 without an invariant TSC each clock_gettime() is a
 * system call. For latency figures; off by at most what the counter drifts in a
 * millisecond. Limits take the kernel's own clock.
 */
#ifndef XYLEM_FAST_CLOCK_H
#define XYLEM_FAST_CLOCK_H

#include <stdint.h>
#include <time.h>

struct fast_clock {
	uint64_t tsc, ns; /* read together */
	uint64_t valid;   /* ticks for which the rate below is used; 0: no rate yet */
	uint64_t mult;    /* ns a tick, 32.32 fixed point */
};

static inline uint64_t clock_monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

#ifdef __x86_64__
static inline void fast_clock_refresh(struct fast_clock *c, uint64_t tsc)
{
	uint64_t ns = clock_monotonic_ns();
	uint64_t ticks = tsc - c->tsc, passed = ns - c->ns;

	/* A first reading has nothing to compare with; a counter that went back (another
	 * CPU's) or hardly moved gives no rate. */
	if (c->tsc && passed >= 100000 && ticks >= passed / 100 && ticks / 100 < passed) {
		c->mult = (uint64_t)(((unsigned __int128)passed << 32) / ticks);
		c->valid = (uint64_t)(((unsigned __int128)1000000 << 32) / c->mult);
	} else if (c->tsc && passed < 100000) {
		return; /* wait until there is enough to measure by */
	}
	c->tsc = tsc;
	c->ns = ns;
}

static inline uint64_t fast_clock_now(struct fast_clock *c)
{
	uint64_t tsc = __builtin_ia32_rdtsc();

	if (tsc - c->tsc >= c->valid) {
		fast_clock_refresh(c, tsc);
		if (!c->valid)
			return clock_monotonic_ns();
		if (tsc != c->tsc)
			return c->ns;
	}
	return c->ns + (uint64_t)(((unsigned __int128)(tsc - c->tsc) * c->mult) >> 32);
}
#else
static inline uint64_t fast_clock_now(struct fast_clock *c)
{
	(void)c;
	return clock_monotonic_ns();
}
#endif

#endif
