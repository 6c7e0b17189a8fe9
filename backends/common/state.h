/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The head of a device's shared state: a sealed memfd that the supervisor creates
 * and keeps, and the worker maps. Behind the head come per-queue blocks: metrics,
 * then what the class keeps (private ring indices and the table of requests in
 * flight), so that a successor of a crashed worker can replay. The worker may be
 * hostile: the supervisor uses nothing in here to find its way in memory.
 */
#ifndef XYLEM_STATE_H
#define XYLEM_STATE_H

#include <stdint.h>

#include "backends/common/limit.h"
#include "backends/common/metrics.h"

#define STATE_MAGIC   0x586c6d53u /* "XlmS" */
#define STATE_VERSION 1

struct state_head {
	uint32_t magic, version;
	uint32_t size;        /* of the whole mapping, bytes */
	uint32_t nr_queues, queue_size; /* bytes a queue block, multiple of 64 */
	uint32_t reserved;
	struct limit_bucket limit[2]; /* [0]: to the guest (reads, rx); [1]: from it */
} __attribute__((aligned(64)));

/* A queue block starts with this; the class's own data follow. */
struct state_queue {
	struct metrics_queue metrics;
} __attribute__((aligned(64)));

static inline struct state_queue *state_queue(struct state_head *h, unsigned int i,
					      uint32_t queue_size)
{
	return (struct state_queue *)((char *)h + sizeof(*h) + (uint64_t)i * queue_size);
}

#endif
