/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a request means, and its way through the engine:
 *
 *     barrier:             FLUSH -> DATA (durable before it completes)
 *     unaligned write:     HEAD -> TAIL -> DATA
 *     everything else:     DATA
 *
 * Only the private copy in the in-flight table is looked at, never the ring.
 */
#include <errno.h>
#include <string.h>

#include "backends/blkback/request.h"

/* ---- checking ---- */

static void refuse(struct vbd_queue *q, struct vbd_request *req, enum blkif_error e)
{
	req->refused = blkif_error_status(e);
	queue_log(q, "request %llu, operation %u: %s",
		  (unsigned long long)req->rec->req.id, req->rec->req.op,
		  blkif_error_text(e));
}

/* Whether the operation was offered, and the disk may be written. */
static int16_t check_permitted(const struct vbd_queue *q, const struct blkif_req *r)
{
	uint32_t flags = q->disk->flags;
	/* a flush that carries data writes them */
	bool harmless = r->op == BLKIF_OP_READ ||
			(r->op == BLKIF_OP_FLUSH_DISKCACHE && !r->nr_segments);

	if (!harmless && (flags & VBD_READONLY))
		return BLKIF_RSP_ERROR;
	if ((r->op == BLKIF_OP_WRITE_BARRIER && !(flags & VBD_BARRIER)) ||
	    (r->op == BLKIF_OP_FLUSH_DISKCACHE && !(flags & VBD_FLUSH)) ||
	    (r->op == BLKIF_OP_DISCARD && !(flags & VBD_DISCARD)))
		return BLKIF_RSP_EOPNOTSUPP;
	return BLKIF_RSP_OKAY;
}

static void set_blocks(const struct vbd_disk *d, struct vbd_request *req)
{
	uint64_t mask = d->offset_align - 1;

	req->block_start = req->offset & ~mask;
	req->block_end = (req->offset + req->bytes + mask) & ~mask;
	req->rmw = req->op == ENGINE_WRITE && req->bytes &&
		   (req->block_start != req->offset ||
		    req->block_end != req->offset + req->bytes);
}

static void parse_discard(struct vbd_queue *q, struct vbd_request *req)
{
	const struct vbd_disk *d = q->disk;
	const struct blkif_req *r = &req->rec->req;
	uint64_t mask = d->offset_align - 1, end;
	enum blkif_error e;

	e = blkif_check_discard(r, d->sector_unit, d->sector_size, d->size, &req->offset,
				&req->bytes);
	if (e) {
		refuse(q, req, e);
		return;
	}
	req->op = ENGINE_DISCARD;
	/* "ignored if discard-secure=0" (io/blkif.h) */
	if ((r->discard_flag & BLKIF_DISCARD_SECURE) && (d->flags & VBD_SECURE))
		req->op = ENGINE_SECURE_DISCARD;
	/* Only whole blocks can be discarded; the rest of an ordinary one may stay. */
	end = (req->offset + req->bytes) & ~mask;
	if (req->op == ENGINE_SECURE_DISCARD &&
	    ((req->offset & mask) || end != req->offset + req->bytes)) {
		refuse(q, req, BLKIF_UNALIGNED);
		return;
	}
	req->block_start = (req->offset + mask) & ~mask;
	req->block_end = end > req->block_start ? end : req->block_start;
}

/* The segments, private copies, of a request that moves data. */
static void parse_segments(struct vbd_queue *q, struct vbd_request *req,
			   const struct blkif_request_segment *seg)
{
	const struct vbd_disk *d = q->disk;
	const struct blkif_req *r = &req->rec->req;
	enum blkif_error e;

	req->bytes = 0;
	e = blkif_check_segments(seg, r->nr_segments, d->sector_unit, req->pieces,
				 &req->bytes);
	if (!e)
		e = blkif_check_range(r->sector, req->bytes, d->sector_unit,
				      d->sector_size, d->size, &req->offset);
	if (e) {
		refuse(q, req, e);
		return;
	}
	req->nr_pieces = r->nr_segments;
	set_blocks(d, req);
}

static void parse_indirect(struct vbd_queue *q, struct vbd_request *req)
{
	struct blkif_request_segment seg[VBD_MAX_SEGMENTS];
	const struct blkif_req *r = &req->rec->req;
	const void *page;
	uint32_t held;

	_Static_assert(VBD_MAX_SEGMENTS <= BLKIF_SEGS_PER_INDIRECT_PAGE,
		       "one indirect page");
	page = data_peek(q, r->indirect_gref[0], &held);
	if (page) {
		ring_copy_in(seg, page, r->nr_segments * sizeof(seg[0]));
		grant_cache_put(&q->cache, &held, 1);
		parse_segments(q, req, seg);
		return;
	}
	if (q->nr_indirect == INDIRECT_BATCH)
		request_resolve_indirect(q);
	q->indirect_owner[q->nr_indirect++] = req;
}

void request_resolve_indirect(struct vbd_queue *q)
{
	uint32_t gref[INDIRECT_BATCH], length[INDIRECT_BATCH], n = q->nr_indirect;
	bool ok[INDIRECT_BATCH];

	if (!n)
		return;
	for (uint32_t i = 0; i < n; i++) {
		const struct blkif_req *r = &q->indirect_owner[i]->rec->req;

		gref[i] = r->indirect_gref[0];
		length[i] =
			r->nr_segments * (uint32_t)sizeof(struct blkif_request_segment);
	}
	data_fetch(q, gref, length, n, q->indirect, ok);
	for (uint32_t i = 0; i < n; i++) {
		struct vbd_request *req = q->indirect_owner[i];

		if (ok[i]) {
			parse_segments(q, req,
				       (void *)(q->indirect + (size_t)i * POOL_PAGE));
			continue;
		}
		req->refused = BLKIF_RSP_ERROR;
		queue_log(q, "request %llu: indirect page, grant %u: cannot be copied",
			  (unsigned long long)req->rec->req.id, gref[i]);
	}
	q->nr_indirect = 0;
}

static void parse_init(struct vbd_request *req)
{
	req->refused = BLKIF_RSP_OKAY;
	req->nr_pieces = 0;
	req->bytes = req->offset = req->block_start = req->block_end = 0;
	req->barrier = req->flush_first = req->rmw = false;
	req->limited = req->ranged = req->copy_failed = false;
	req->plain = req->io.fua = false;
	req->path = DATA_NONE;
	req->pool_pages = 0;
}

void request_parse(struct vbd_queue *q, struct vbd_request *req)
{
	const struct blkif_req *r = &req->rec->req;
	enum blkif_error e;

	parse_init(req);
	e = blkif_check(r, q->disk->max_segments);
	if (e) {
		refuse(q, req, e);
		return;
	}
	req->refused = check_permitted(q, r);
	if (req->refused)
		return;
	switch (r->op) {
	case BLKIF_OP_DISCARD:
		parse_discard(q, req);
		return;
	case BLKIF_OP_READ:
		req->op = ENGINE_READ;
		break;
	case BLKIF_OP_WRITE:
		req->op = ENGINE_WRITE;
		break;
	default:
		/* A flush may carry data: they are written after it, and durable. */
		req->barrier = r->op == BLKIF_OP_WRITE_BARRIER;
		req->op = r->nr_segments ? ENGINE_WRITE : ENGINE_FLUSH;
		req->flush_first = req->io.fua = r->nr_segments != 0;
		break;
	}
	if (r->indirect)
		parse_indirect(q, req);
	else if (r->nr_segments)
		parse_segments(q, req, r->seg);
}

/* ---- phases ---- */

static void submit_flush(struct vbd_queue *q, struct vbd_request *req)
{
	req->io.op = ENGINE_FLUSH;
	req->io.offset = req->io.length = 0;
	req->io.iov = NULL;
	req->io.nr_iov = 0;
	queue_submit(q, req);
}

/* Read the block at @at of the image to its place in the pool. */
static void submit_block(struct vbd_queue *q, struct vbd_request *req, uint64_t at)
{
	uint32_t size = q->disk->offset_align;

	req->io.op = ENGINE_READ;
	req->io.offset = at;
	req->io.length = size;
	req->io.iov = NULL;
	req->io.nr_iov = 0;
	req->io.pooled = false;
	if (req->path != DATA_NONE) {
		req->one.iov_base =
			pool_at(&q->pool, req->pool_first) + (at - req->block_start);
		req->one.iov_len = size;
		req->io.iov = &req->one;
		req->io.nr_iov = 1;
		req->io.pooled = true;
	}
	queue_submit(q, req);
}

static void submit_data(struct vbd_queue *q, struct vbd_request *req)
{
	req->phase = PHASE_DATA;
	req->io.op = req->op;
	data_describe(q, req);
	queue_submit(q, req);
}

static void start_data(struct vbd_queue *q, struct vbd_request *req)
{
	req->phase = PHASE_DATA;
	/* Nothing but a write's data have to be in place before. */
	if (req->op != ENGINE_WRITE || data_move(q, req))
		submit_data(q, req);
}

static bool head_partial(const struct vbd_request *req)
{
	return req->offset != req->block_start;
}

/* Whether the last block must be read: partial, and not read as the first already. */
static bool tail_partial(const struct vbd_queue *q, const struct vbd_request *req)
{
	return req->offset + req->bytes != req->block_end &&
	       !(head_partial(req) &&
		 req->block_end - req->block_start == q->disk->offset_align);
}

static void start_blocks(struct vbd_queue *q, struct vbd_request *req)
{
	if (req->rmw && req->phase < PHASE_HEAD && head_partial(req)) {
		req->phase = PHASE_HEAD;
		submit_block(q, req, req->block_start);
	} else if (req->rmw && req->phase < PHASE_TAIL && tail_partial(q, req)) {
		req->phase = PHASE_TAIL;
		submit_block(q, req, req->block_end - q->disk->offset_align);
	} else {
		start_data(q, req);
	}
}

void request_start(struct vbd_queue *q, struct vbd_request *req)
{
	req->phase = PHASE_FLUSH;
	if (req->nr_pieces && !req->rmw && !req->flush_first)
		start_data(q, req); /* nearly all */
	else if ((req->op == ENGINE_DISCARD || req->op == ENGINE_SECURE_DISCARD) &&
		 req->block_start == req->block_end)
		queue_finish(q, req, BLKIF_RSP_OKAY); /* not one whole block */
	else if (req->flush_first)
		submit_flush(q, req);
	else
		start_blocks(q, req);
}

static int16_t status_of(const struct vbd_request *req)
{
	int64_t err = req->io.result;

	if (!err)
		return BLKIF_RSP_OKAY;
	/* An image that cannot flush or discard after all: the frontend does without. */
	if (err == -EOPNOTSUPP && req->op != ENGINE_READ && req->op != ENGINE_WRITE)
		return BLKIF_RSP_EOPNOTSUPP;
	return BLKIF_RSP_ERROR;
}

void request_continue(struct vbd_queue *q, struct vbd_request *req)
{
	if (req->io.result) {
		log_guest(&q->log_limit, LOG_LEVEL_ERROR,
			  "%s: %s of %llu bytes at %llu: %s", q->setup.name,
			  req->io.op == ENGINE_READ    ? "read"
			  : req->io.op == ENGINE_WRITE ? "write"
						       : "flush or discard",
			  (unsigned long long)req->io.length,
			  (unsigned long long)req->io.offset,
			  strerror((int)-req->io.result));
		queue_finish(q, req, status_of(req));
	} else if (req->phase != PHASE_DATA) {
		start_blocks(q, req);
	} else if (req->op != ENGINE_READ || data_move(q, req)) {
		queue_finish(q, req, BLKIF_RSP_OKAY);
	}
}

void request_copied(struct vbd_queue *q, struct vbd_request *req)
{
	if (req->copy_failed)
		queue_finish(q, req, BLKIF_RSP_ERROR);
	else if (req->op == ENGINE_READ)
		queue_finish(q, req, BLKIF_RSP_OKAY);
	else
		submit_data(q, req);
}
