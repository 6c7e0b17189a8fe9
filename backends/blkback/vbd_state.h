/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk's shared state (common/state.h says how it is held): what a successor
 * of a crashed worker needs to go on with a ring. Per queue: struct state_queue
 * (metrics), struct vbd_state_ring, then one struct vbd_inflight a ring slot.
 *
 * A request is fetched straight into its record, so that keeping the table costs
 * nothing; a record is in use from `busy` = 1 until its response is in the ring.
 * Order of stores: record, busy = 1, req_cons; and response slot, rsp_prod_pvt,
 * busy = 0, only then the shared rsp_prod. A successor starts with req_cons and
 * rsp_prod_pvt from here, checks both against the ring, pushes rsp_prod_pvt, and
 * issues every busy record again: reads and writes of the same data to the same
 * place may be repeated, and a frontend accepts no second response, because the
 * record is free before its response becomes visible. A worker that dies between
 * those two stores has answered: the successor pushes the response that is
 * already in its slot.
 */
#ifndef XYLEM_VBD_STATE_H
#define XYLEM_VBD_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "backends/common/state.h"
#include "ring/blkif.h"

struct vbd_state_ring {
	uint32_t req_cons, rsp_prod_pvt;
	uint32_t nr_slots, reserved;
	uint64_t spare[6];
} __attribute__((aligned(64)));

struct vbd_inflight {
	uint32_t sequence; /* its request index: the order in which requests came */
	uint8_t busy;
	uint8_t reserved[11];
	struct blkif_req req; /* as fetched: nothing in it has been checked */
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct vbd_state_ring) == 64, "one cache line");
_Static_assert(sizeof(struct vbd_inflight) == 128, "two cache lines");

static inline uint32_t vbd_state_slots(uint32_t ring_order)
{
	return 32u << ring_order; /* __CONST_RING_SIZE for all three layouts */
}

/* Bytes of a queue's block: state_head.queue_size. */
static inline uint32_t vbd_state_queue_size(uint32_t ring_order)
{
	return (uint32_t)(sizeof(struct state_queue) + sizeof(struct vbd_state_ring) +
			  vbd_state_slots(ring_order) * sizeof(struct vbd_inflight));
}

/* Bytes of the whole state. */
static inline uint32_t vbd_state_size(uint32_t nr_queues, uint32_t ring_order)
{
	return (uint32_t)sizeof(struct state_head) +
	       nr_queues * vbd_state_queue_size(ring_order);
}

static inline struct vbd_state_ring *vbd_state_ring(struct state_queue *q)
{
	return (struct vbd_state_ring *)(q + 1);
}

static inline struct vbd_inflight *vbd_state_inflight(struct state_queue *q)
{
	return (struct vbd_inflight *)(vbd_state_ring(q) + 1);
}

#endif
