/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answering a request that holds nothing any more: counted, entered in the ring, and
 * its record free again. Inline, for queue.c and plain.c. Queue.c pushes.
 */
#ifndef XYLEM_BLK_ANSWER_H
#define XYLEM_BLK_ANSWER_H

#include "backends/blkback/request.h"

static inline void count_response(struct vbd_queue *q, enum engine_op op, uint64_t bytes,
				  int16_t status)
{
	if (status != BLKIF_RSP_OKAY) {
		metric_add(q->metrics, METRIC_ERRORS, 1);
	} else if (op == ENGINE_READ) {
		metric_add(q->metrics, METRIC_RX_OPS, 1);
		metric_add(q->metrics, METRIC_RX_BYTES, bytes);
	} else if (op == ENGINE_WRITE) {
		metric_add(q->metrics, METRIC_TX_OPS, 1);
		metric_add(q->metrics, METRIC_TX_BYTES, bytes);
	} else {
		metric_add(q->metrics,
			   op == ENGINE_FLUSH ? METRIC_FLUSHES : METRIC_DISCARDS, 1);
	}
}

/*
 * What was fetched in one round and collected in one took equally long: such
 * requests are entered in the histogram together, when the responses are published.
 */
static inline void answer_latencies(struct vbd_queue *q)
{
	if (q->latency_count)
		metrics_latencies(q->metrics, q->latency, q->latency_count);
	q->latency_count = 0;
}

static inline void count_latency(struct vbd_queue *q, const struct vbd_request *req)
{
	uint64_t ns = q->now > req->started ? q->now - req->started : 0;

	if (ns != q->latency)
		answer_latencies(q);
	q->latency = ns;
	q->latency_count++;
}

/* Keeps the order of stores that vbd_state.h promises to a successor. */
static inline void respond(struct vbd_queue *q, struct vbd_request *req, int16_t status)
{
	const struct blkif_req *r = &req->rec->req;

	if (!q->broken) {
		blkif_respond(&q->ring, r->id, r->op, status);
		atomic_signal_fence(memory_order_release);
		q->ring_state->rsp_prod_pvt = q->ring.rsp_prod_pvt;
	}
	atomic_signal_fence(memory_order_release);
	req->rec->busy = 0;
	req->next = q->free;
	q->free = req;
}

static inline void answer(struct vbd_queue *q, struct vbd_request *req, enum engine_op op,
			  uint64_t bytes, int16_t status)
{
	q->active--;
	count_response(q, op, bytes, status);
	count_latency(q, req);
	respond(q, req, status);
}

#endif
