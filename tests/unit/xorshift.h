/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers that are random enough for tests, the same in each run. */
#ifndef XYLEM_XORSHIFT_H
#define XYLEM_XORSHIFT_H

#include <stdint.h>

#define XORSHIFT_SEED 88172645463325252ull

/* @state: not 0; the number that is returned. */
static inline uint64_t xorshift(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* With a state a thread and a source file. */
static inline uint64_t rnd(void)
{
	static __thread uint64_t state = XORSHIFT_SEED;

	return xorshift(&state);
}

#endif
