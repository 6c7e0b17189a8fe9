/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The short way for what nearly every request is: a read or write of whole blocks,
 * through the pool, all of whose pages are mapped, with nothing it must wait for. It is
 * checked as every request is (ring/blkif.h), and when it has been started it is just
 * as request.c and data.c would have left it: from there on there is one way. What it
 * is not sure of it leaves to them, with nothing held.
 */
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

static inline void describe(struct vbd_queue *q, struct vbd_request *req, bool write,
			    uint64_t offset, uint64_t bytes)
{
	req->op = write ? ENGINE_WRITE : ENGINE_READ;
	req->offset = req->block_start = offset;
	req->bytes = bytes;
	req->block_end = offset + bytes;
	req->path = DATA_POOL_PERSISTENT;
	req->phase = PHASE_DATA;
	req->barrier = req->flush_first = req->rmw = false;
	req->limited = req->ranged = req->copy_failed = false;
	req->one.iov_base = pool_at(&q->pool, req->pool_first);
	req->one.iov_len = bytes;
	req->io.op = req->op;
	req->io.fua = false;
	req->io.pooled = true;
	req->io.offset = offset;
	req->io.length = bytes;
	req->io.iov = &req->one;
	req->io.nr_iov = 1;
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
	describe(q, req, r->op == BLKIF_OP_WRITE, offset, bytes);
	q->active++;
	if (req->op == ENGINE_WRITE)
		data_move(q, req);
	queue_submit(q, req);
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
