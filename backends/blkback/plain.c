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
	req->plain = true;
	req->one.iov_base = pool_at(&q->pool, req->pool_first);
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

/*
 * Hold the pages of @n segments, each a whole page, or none of them, for a read. Not
 * inline: its loop needs all registers.
 */
__attribute__((noinline)) static bool hold_pages(struct grant_cache *c, uint32_t unit,
						 const struct blkif_request_segment *seg,
						 uint32_t n, uint32_t *held)
{
	const struct blkif_request_segment *s = seg, *end = seg + n;
	const struct grant_finder f = grant_cache_finder(c);

	for (; s != end && blkif_whole_page(s, unit); s++) {
		uint32_t index = grant_finder_find(&f, s->gref);

		if (index == GRANT_CACHE_NONE)
			break;
		f.entry[index].holders++;
		*held++ = index;
	}
	if (s == end)
		return true;
	n = (uint32_t)(s - seg);
	grant_cache_put(c, held - n, n);
	return false;
}

/* The same; most have one. */
static inline bool hold_whole(struct grant_cache *c, uint32_t unit,
			      const struct blkif_request_segment *seg, uint32_t n,
			      uint32_t *held)
{
	if (n != 1)
		return hold_pages(c, unit, seg, n, held);
	*held = blkif_whole_page(seg, unit) ? grant_cache_get(c, seg->gref)
					    : GRANT_CACHE_NONE;
	return *held != GRANT_CACHE_NONE;
}

/*
 * Take a write's data from the pages of @n segments, each a whole page: all of them, or
 * it does not count. Then nobody needs the pages any more, and none is held.
 */
__attribute__((always_inline)) static inline bool
take(struct grant_cache *c, uint32_t unit, const struct blkif_request_segment *seg,
     uint32_t n, char *data)
{
	const struct blkif_request_segment *end = seg + n;
	const struct grant_finder f = grant_cache_finder(c);
	uint64_t now = ++c->uses;

	for (; seg != end && blkif_whole_page(seg, unit); seg++, data += POOL_PAGE) {
		uint32_t index = grant_finder_find(&f, seg->gref);

		if (index == GRANT_CACHE_NONE)
			break;
		f.entry[index].last_use = now;
		copy_page(data, f.entry[index].page);
	}
	return seg == end;
}

__attribute__((noinline)) static bool take_pages(struct grant_cache *c, uint32_t unit,
						 const struct blkif_request_segment *seg,
						 uint32_t n, char *data)
{
	return take(c, unit, seg, n, data);
}

static inline bool take_whole(struct vbd_queue *q,
			      const struct blkif_request_segment *seg, uint32_t n,
			      char *data)
{
	uint32_t unit = q->disk->sector_unit;

	if (!(n == 1 ? take(&q->cache, unit, seg, 1, data)
		     : take_pages(&q->cache, unit, seg, n, data)))
		return false;
	metric_add(q->metrics, METRIC_COPIED_BYTES, (uint64_t)n * POOL_PAGE);
	return true;
}

/* Nearly every segment is a page, which is soon checked. */
static inline bool start_whole(struct vbd_queue *q, struct vbd_request *req,
			       const struct blkif_request_segment *seg)
{
	const struct vbd_disk *d = q->disk;
	const struct blkif_req *r = &req->rec->req;
	uint32_t n = r->nr_segments;
	uint64_t bytes = (uint64_t)n * POOL_PAGE, offset;
	bool write = r->op == BLKIF_OP_WRITE;

	if (bytes >= d->direct_min_persistent ||
	    blkif_check_range(r->sector, bytes, d->sector_unit, d->sector_size, d->size,
			      &offset) ||
	    (offset & (d->offset_align - 1)))
		return false;
	req->pool_first = pool_get(&q->pool, n);
	if (req->pool_first == POOL_NONE)
		return false;
	if (!(write ? take_whole(q, seg, n, pool_at(&q->pool, req->pool_first))
		    : hold_whole(&q->cache, d->sector_unit, seg, n, req->held))) {
		pool_put(&q->pool, req->pool_first, n);
		return false;
	}
	req->whole = true;
	req->nr_pieces = write ? 0 : n;
	req->pool_pages = n;
	submit(q, req, write, offset, bytes);
	return true;
}

__attribute__((noinline)) static bool start(struct vbd_queue *q, struct vbd_request *req,
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
	req->whole = false;
	req->nr_pieces = r->nr_segments;
	req->pool_pages = pages;
	if (r->op == BLKIF_OP_WRITE)
		data_move_persistent(q, req, pool_at(&q->pool, req->pool_first), false);
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
	return start_whole(q, req, seg) || start(q, req, seg);
}

bool plain_start(struct vbd_queue *q, struct vbd_request *req)
{
	const struct vbd_disk *d = q->disk;
	const struct blkif_req *r = &req->rec->req;

	if ((r->op != BLKIF_OP_READ &&
	     (r->op != BLKIF_OP_WRITE || (d->flags & VBD_READONLY))) ||
	    blkif_check(r, d->max_segments))
		return false;
	return r->indirect ? start_indirect(q, req)
			   : start_whole(q, req, r->seg) || start(q, req, r->seg);
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

/* Give a read's data, and the pages back. */
static inline void give_whole(struct vbd_queue *q, struct vbd_request *req)
{
	struct grant_cache_entry *entry = q->cache.entry;
	const uint32_t *held = req->held, *end = held + req->nr_pieces;
	char *data = pool_at(&q->pool, req->pool_first);
	uint64_t now = ++q->cache.uses;

	for (; held != end; data += POOL_PAGE) {
		struct grant_cache_entry *e = &entry[*held++];

		assert(e->holders);
		e->holders--;
		e->last_use = now;
		copy_page(e->page, data);
	}
	metric_add(q->metrics, METRIC_COPIED_BYTES, req->io.length);
}

void plain_continue(struct vbd_queue *q, struct vbd_request *req)
{
	if (req->io.result) {
		make_ordinary(req);
		request_continue(q, req);
		return;
	}
	if (!req->whole) {
		if (req->io.op == ENGINE_READ)
			data_move_persistent(q, req, pool_at(&q->pool, req->pool_first),
					     true);
		grant_cache_put(&q->cache, req->held, req->nr_pieces);
	} else if (req->io.op == ENGINE_READ) {
		give_whole(q, req);
	}
	pool_put(&q->pool, req->pool_first, req->pool_pages);
	answer(q, req, req->io.op, req->io.length, BLKIF_RSP_OKAY);
}
