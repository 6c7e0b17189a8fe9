/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a queue counts, in memory shared between the worker (the only writer:
 * plain relaxed stores, no locked instructions) and the supervisor, which reads
 * it for xylem-stat and OpenMetrics. A worker may be hostile: a reader trusts no
 * value here for anything but display.
 */
#ifndef XYLEM_METRICS_H
#define XYLEM_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

enum metric {
	METRIC_RX_OPS, /* vbd: read requests; vif: packets to the guest */
	METRIC_RX_BYTES,
	METRIC_TX_OPS, /* vbd: write requests; vif: packets from the guest */
	METRIC_TX_BYTES,
	METRIC_FLUSHES,
	METRIC_DISCARDS,
	METRIC_ERRORS, /* responses other than OKAY; vif: packets refused */
	METRIC_DROPS,
	METRIC_EVENTS_IN,  /* event-channel wake-ups taken */
	METRIC_EVENTS_OUT, /* notifications sent */
	METRIC_SYSCALLS,
	METRIC_GRANT_MAPS, /* pages */
	METRIC_GRANT_UNMAPS,
	METRIC_GRANT_COPIES, /* segments */
	METRIC_COPIED_BYTES, /* by grant copy or memcpy, not by the engine itself */
	METRIC_BATCHES,      /* times the ring was looked at with something in it */
	METRIC_THROTTLED,    /* times a limit held work back */
	METRIC_INFLIGHT,     /* gauge */
	METRIC_PERSISTENT,   /* gauge: persistent grants held */
	METRIC_COUNT
};

/* Latency histogram: log-linear, 8 buckets an octave, 256 ns to ~70 s. */
#define METRIC_BUCKETS 256

struct metrics_queue {
	_Atomic(uint64_t) value[METRIC_COUNT];
	_Atomic(uint64_t) latency[METRIC_BUCKETS];
	_Atomic(uint64_t) latency_sum_ns, latency_count;
};

static inline void metric_add(struct metrics_queue *m, enum metric k, uint64_t n)
{
	uint64_t v = atomic_load_explicit(&m->value[k], memory_order_relaxed);

	atomic_store_explicit(&m->value[k], v + n, memory_order_relaxed);
}

static inline void metric_set(struct metrics_queue *m, enum metric k, uint64_t v)
{
	atomic_store_explicit(&m->value[k], v, memory_order_relaxed);
}

/* Count one operation that took @ns. */
void metrics_latency(struct metrics_queue *m, uint64_t ns);
/* Count @n operations that took @ns each. */
void metrics_latencies(struct metrics_queue *m, uint64_t ns, uint64_t n);

/* The @q quantile (0 < q < 1) of the histogram summed over @n queues, ns. */
uint64_t metrics_quantile(const struct metrics_queue *const *m, unsigned int n, double q);

/* For readers that add up or export buckets: where bucket @bucket (below METRIC_BUCKETS)
 * begins, ns; and its count summed over @n queues. */
uint64_t metrics_bucket_start(unsigned int bucket);
uint64_t metrics_bucket_total(const struct metrics_queue *const *m, unsigned int n,
			      unsigned int bucket);

/* A value that goes up and down; the others are counters. */
static inline int metric_is_gauge(enum metric k)
{
	return k == METRIC_INFLIGHT || k == METRIC_PERSISTENT;
}

/* Names, units and help texts for OpenMetrics and xylem-stat. */
const char *metric_name(enum metric k);
const char *metric_help(enum metric k);

#endif
