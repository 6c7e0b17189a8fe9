/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way for what nearly every request is: a read or write of whole blocks,
 * through the pool, all of whose pages are mapped, with nothing it must wait for. It is
 * checked as every request is (ring/blkif.h); what is not sure of it is left to
 * request.c and data.c, with nothing held, and so is what the engine could not do.
 */
#include "backends/blkback/answer.h"
#include "backends/blkback/request.h"

bool plain_possible(const struct vbd_queue *q)
{
	const struct limit_bucket *limit = q->disk->limit;

	return q->persistent && q->engine->moves_data && !q->disk->ranges &&
	       !q->barrier && !q->unsubmitted.head && !q->waiting.head &&
	       !(limit && (limit_active(&limit[0]) || limit_active(&limit[1])));
}

/* Hold every piece's page and a run of the pool, or nothing. */
static inline bool hold(struct vbd_queue *q, struct vbd_request *req, uint32_t n,
			uint32_t pages)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		req->held[i] = grant_cache_get(&q->cache, req->pieces[i].gref);
		if (req->held[i] == GRANT_CACHE_NONE)
			break;
	}
	if (i == n) {
		req->pool_first = pool_get(&q->pool, pages);
		if (req->pool_first != POOL_NONE)
			return true;
	}
	grant_cache_put(&q->cache, req->held, i);
	return false;
}

static inline void submit(struct vbd_queue *q, struct vbd_request *req, bool write,
			  uint64_t offset, uint64_t bytes)
{
	char *data = pool_at(&q->pool, req->pool_first);

	if (write)
		data_move_persistent(q, req, data, false);
	req->plain = true;
	req->one.iov_base = data;
	req->one.iov_len = bytes;
	req->io.op = write ? ENGINE_WRITE : ENGINE_READ;
	req->io.fua = false;
	req->io.pooled = true;
	req->io.offset = offset;
	req->io.length = bytes;
	req->io.iov = &req->one;
	req->io.nr_iov = 1;
	q->active++;
	queue_submit(q, req);
}

static inline bool start(struct vbd_queue *q, struct vbd_request *req,
			 const struct blkif_request_segment *seg)
{
	const struct vbd_disk *d = q->disk;
	const struct blkif_req *r = &req->rec->req;
	uint64_t bytes = 0, offset;
	uint32_t pages;

	if (blkif_check_segments(seg, r->nr_segments, d->sector_unit, req->pieces,
				 &bytes) ||
	    blkif_check_range(r->sector, bytes, d->sector_unit, d->sector_size, d->size,
			      &offset) ||
	    ((offset | bytes) & (d->offset_align - 1)) ||
	    bytes >= d->direct_min_persistent)
		return false;
	pages = ((uint32_t)bytes + POOL_PAGE - 1) / POOL_PAGE;
	if (!hold(q, req, r->nr_segments, pages))
		return false;
	req->nr_pieces = r->nr_segments;
	req->pool_pages = pages;
	submit(q, req, r->op == BLKIF_OP_WRITE, offset, bytes);
	return true;
}

/* Its segments are in a page of the guest's: copied, once, if that is mapped. */
__attribute__((noinline)) static bool start_indirect(struct vbd_queue *q,
						     struct vbd_request *req)
{
	struct blkif_request_segment seg[VBD_MAX_SEGMENTS];
	const struct blkif_req *r = &req->rec->req;
	uint32_t held = grant_cache_get(&q->cache, r->indirect_gref[0]);

	if (held == GRANT_CACHE_NONE)
		return false;
	ring_copy_in(seg, grant_cache_page(&q->cache, held),
		     r->nr_segments * sizeof(seg[0]));
	grant_cache_put(&q->cache, &held, 1);
	return start(q, req, seg);
}

bool plain_start(struct vbd_queue *q, struct vbd_request *req)
{
	const struct vbd_disk *d = q->disk;
	const struct blkif_req *r = &req->rec->req;

	if ((r->op != BLKIF_OP_READ &&
	     (r->op != BLKIF_OP_WRITE || (d->flags & VBD_READONLY))) ||
	    blkif_check(r, d->max_segments))
		return false;
	return r->indirect ? start_indirect(q, req) : start(q, req, r->seg);
}

/* As request.c and data.c would have left it. */
static void make_ordinary(struct vbd_request *req)
{
	req->plain = false;
	req->op = req->io.op;
	req->offset = req->block_start = req->io.offset;
	req->bytes = req->io.length;
	req->block_end = req->offset + req->bytes;
	req->path = DATA_POOL_PERSISTENT;
	req->phase = PHASE_DATA;
	req->barrier = req->flush_first = req->rmw = false;
	req->limited = req->ranged = req->copy_failed = false;
	req->refused = BLKIF_RSP_OKAY;
}

void plain_continue(struct vbd_queue *q, struct vbd_request *req)
{
	if (req->io.result) {
		make_ordinary(req);
		request_continue(q, req);
		return;
	}
	if (req->io.op == ENGINE_READ)
		data_move_persistent(q, req, pool_at(&q->pool, req->pool_first), true);
	grant_cache_put(&q->cache, req->held, req->nr_pieces);
	pool_put(&q->pool, req->pool_first, req->pool_pages);
	answer(q, req, req->io.op, req->io.length, BLKIF_RSP_OKAY);
}
