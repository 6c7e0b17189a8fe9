/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Token buckets: how many bytes and operations a second a device may move in
 * each direction. Rates live in memory shared with the supervisor, which changes
 * them live; the bucket itself belongs to one device and is shared by its queues
 * (atomics).
 */
#ifndef XYLEM_LIMIT_H
#define XYLEM_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* 0 in a field: unlimited. A burst of 0 with a rate means a tenth of a second's worth. */
struct limit_rate {
	uint64_t bytes_per_s, bytes_burst;
	uint64_t ops_per_s, ops_burst;
};

struct limit_bucket {
	_Atomic(uint64_t) bytes_rate, bytes_burst, ops_rate, ops_burst;
	/*
	 * virtual scheduling (GCRA): the theoretical arrival time, ns on CLOCK_MONOTONIC
	 */
	_Atomic(uint64_t) bytes_tat, ops_tat;
};

/* Change the rates; may be called by another process or thread at any time. */
void limit_set(struct limit_bucket *b, const struct limit_rate *r);

/* Whether any limit is set at all: one load on the hot path. */
static inline bool limit_active(const struct limit_bucket *b)
{
	return atomic_load_explicit(&b->bytes_rate, memory_order_relaxed) ||
	       atomic_load_explicit(&b->ops_rate, memory_order_relaxed);
}

/*
 * Take @bytes and @ops at time @now (CLOCK_MONOTONIC ns). Returns 0 when granted;
 * otherwise nothing is taken and the result is how many ns to wait before asking
 * again. A request larger than the burst is granted when the bucket is full.
 */
uint64_t limit_take(struct limit_bucket *b, uint64_t bytes, uint64_t ops, uint64_t now);

#endif
