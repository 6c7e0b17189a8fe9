/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The latency histogram and the names of what is counted. Bucket 0 is below 256 ns;
 * then come eight buckets an octave, so that a quantile is within an eighth.
 */
#include "backends/common/metrics.h"

#include <stddef.h>

#define FIRST_OCTAVE 8 /* 256 ns */
#define SUB_BITS     3

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int octave, index;

	if (ns < 1u << FIRST_OCTAVE)
		return 0;
	octave = 63 - (unsigned int)__builtin_clzll(ns);
	index = (octave - FIRST_OCTAVE) << SUB_BITS;
	index += (unsigned int)(ns >> (octave - SUB_BITS)) & ((1u << SUB_BITS) - 1);
	return index + 1 < METRIC_BUCKETS ? index + 1 : METRIC_BUCKETS - 1;
}

uint64_t metrics_bucket_start(unsigned int bucket)
{
	unsigned int octave = (bucket - 1) >> SUB_BITS,
		     sub = (bucket - 1) & ((1u << SUB_BITS) - 1);

	if (!bucket)
		return 0;
	return (uint64_t)((1u << SUB_BITS) + sub) << (octave + FIRST_OCTAVE - SUB_BITS);
}

/* The worker is the only writer, so a load and a store do. */
static void bump(_Atomic(uint64_t) *p, uint64_t n)
{
	atomic_store_explicit(p, atomic_load_explicit(p, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

void metrics_latencies(struct metrics_queue *m, uint64_t ns, uint64_t n)
{
	bump(&m->latency[bucket_of(ns)], n);
	bump(&m->latency_sum_ns, ns * n);
	bump(&m->latency_count, n);
}

void metrics_latency(struct metrics_queue *m, uint64_t ns)
{
	metrics_latencies(m, ns, 1);
}

uint64_t metrics_bucket_total(const struct metrics_queue *const *m, unsigned int n,
			      unsigned int bucket)
{
	uint64_t total = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		total += atomic_load_explicit(&m[i]->latency[bucket],
					      memory_order_relaxed);
	return total;
}

uint64_t metrics_quantile(const struct metrics_queue *const *m, unsigned int n, double q)
{
	double counts[METRIC_BUCKETS], total = 0, rank, start, width;
	unsigned int b;

	/* Each counter is read once: the writer goes on meanwhile, or lies. */
	for (b = 0; b < METRIC_BUCKETS; b++) {
		counts[b] = (double)metrics_bucket_total(m, n, b);
		total += counts[b];
	}
	if (total <= 0)
		return 0;
	rank = q * total;
	for (b = 0; b < METRIC_BUCKETS - 1 && rank > counts[b]; b++)
		rank -= counts[b];
	start = (double)metrics_bucket_start(b);
	width = b < METRIC_BUCKETS - 1 ? (double)metrics_bucket_start(b + 1) - start : 0;
	if (counts[b] > 0 && rank < counts[b])
		width *= rank / counts[b];
	return (uint64_t)(start + width);
}

static const struct {
	const char *name, *help;
} metrics[METRIC_COUNT] = {
	[METRIC_RX_OPS] = {"rx_ops",
			   "Disk: read requests. Network: packets to the guest."},
	[METRIC_RX_BYTES] = {"rx_bytes",
			     "Disk: bytes read. Network: bytes to the guest."},
	[METRIC_TX_OPS] = {"tx_ops",
			   "Disk: write requests. Network: packets from the guest."},
	[METRIC_TX_BYTES] = {"tx_bytes",
			     "Disk: bytes written. Network: bytes from the guest."},
	[METRIC_FLUSHES] = {"flushes", "Flush and write barrier requests."},
	[METRIC_DISCARDS] = {"discards", "Discard requests."},
	[METRIC_ERRORS] = {"errors", "Requests answered with an error; packets refused."},
	[METRIC_DROPS] = {"drops", "Packets dropped."},
	[METRIC_EVENTS_IN] = {"events_in", "Event-channel wake-ups taken."},
	[METRIC_EVENTS_OUT] = {"events_out", "Event-channel notifications sent."},
	[METRIC_SYSCALLS] = {"syscalls", "System calls made by the queue."},
	[METRIC_GRANT_MAPS] = {"grant_maps", "Granted pages mapped."},
	[METRIC_GRANT_UNMAPS] = {"grant_unmaps", "Granted pages unmapped."},
	[METRIC_GRANT_COPIES] = {"grant_copies", "Grant-copy segments."},
	[METRIC_COPIED_BYTES] = {"copied_bytes", "Bytes copied by grant copy or memcpy."},
	[METRIC_BATCHES] = {"batches",
			    "Times the ring was looked at with something in it."},
	[METRIC_THROTTLED] = {"throttled", "Times a limit held work back."},
	[METRIC_INFLIGHT] = {"inflight", "Requests in flight now."},
	[METRIC_PERSISTENT] = {"persistent_grants", "Persistent grants held now."},
};

const char *metric_name(enum metric k)
{
	return (unsigned int)k < METRIC_COUNT ? metrics[k].name : NULL;
}

const char *metric_help(enum metric k)
{
	return (unsigned int)k < METRIC_COUNT ? metrics[k].help : NULL;
}
