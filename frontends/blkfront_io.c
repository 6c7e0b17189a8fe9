/* SPDX-License-Identifier: BSD-2-Clause */
/* Block front end: requests to the ring, responses off it. */
#include "frontends/blkfront.h"

static void *page_of(void *p)
{
	return (void *)((uintptr_t)p & ~(uintptr_t)(FRONT_PAGE_SIZE - 1));
}

static uint32_t offset_in_page(const void *p)
{
	return (uint32_t)((uintptr_t)p & (FRONT_PAGE_SIZE - 1));
}

static int check_op(const struct blkfront *bf, const struct blkfront_io *io)
{
	switch (io->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		return io->nr_segs ? FRONT_OK : FRONT_INVALID;
	case BLKIF_OP_WRITE_BARRIER:
		return bf->barrier ? FRONT_OK : FRONT_UNSUPPORTED;
	case BLKIF_OP_FLUSH_DISKCACHE:
		if (!bf->flush)
			return FRONT_UNSUPPORTED;
		return io->nr_segs ? FRONT_INVALID : FRONT_OK;
	case BLKIF_OP_DISCARD:
		if (!bf->discard || (io->secure && !bf->secure))
			return FRONT_UNSUPPORTED;
		return io->nr_segs ? FRONT_INVALID : FRONT_OK;
	default:
		return FRONT_INVALID;
	}
}

/* Whether a segment is copied through the pool. */
static bool pooled(const struct blkfront *bf, const struct blkfront_seg *seg)
{
	return bf->cfg.persistent && !seg->gref;
}

static int check(const struct blkfront_queue *q, const struct blkfront_io *io)
{
	const struct blkfront *bf = q->bf;
	uint32_t from_pool = 0;
	int err = check_op(bf, io);

	if (err != FRONT_OK)
		return err;
	if (io->nr_segs > bf->max_segs || (io->op == BLKIF_OP_WRITE_BARRIER &&
					   io->nr_segs > BLKIF_MAX_SEGMENTS_PER_REQUEST))
		return FRONT_INVALID;
	for (unsigned int i = 0; i < io->nr_segs; i++) {
		const struct blkfront_seg *s = &io->seg[i];
		uint32_t at = offset_in_page(s->data);

		if (s->len == 0 || s->len > FRONT_PAGE_SIZE || s->len % bf->unit)
			return FRONT_INVALID;
		if (pooled(bf, s))
			from_pool++;
		else if (at % bf->unit || at + s->len > FRONT_PAGE_SIZE)
			return FRONT_INVALID;
	}
	return from_pool <= q->pool_top ? FRONT_OK : FRONT_FULL;
}

/* Give back what the first @n segments took. False: a grant is still mapped. */
static bool release(struct blkfront_queue *q, struct blkfront_shadow *s, uint32_t n)
{
	struct front_os *os = q->bf->os;
	bool all = true;

	for (uint32_t i = 0; i < n; i++) {
		if (s->ref[i] == BLKFRONT_CALLERS)
			continue;
		if (q->bf->cfg.persistent)
			q->pool_free[q->pool_top++] = s->ref[i];
		else if (os->ops->grant_end(os, s->ref[i]) != FRONT_OK)
			all = false;
		s->ref[i] = BLKFRONT_CALLERS;
	}
	return all;
}

/* Grant or copy segment @i, and say where it is in @out. */
static bool prepare(struct blkfront_queue *q, struct blkfront_shadow *s, uint32_t i,
		    struct blkif_request_segment *out)
{
	const struct blkfront *bf = q->bf;
	const struct blkfront_seg *seg = &s->io->seg[i];
	uint32_t at = offset_in_page(seg->data), ref = seg->gref;

	s->ref[i] = BLKFRONT_CALLERS;
	if (pooled(bf, seg)) {
		uint32_t page = q->pool_free[--q->pool_top];

		s->ref[i] = page;
		ref = q->pool_ref[page];
		at = 0;
		if (s->op != BLKIF_OP_READ)
			__builtin_memcpy(q->pool + (size_t)page * FRONT_PAGE_SIZE,
					 seg->data, seg->len);
	} else if (!ref) {
		ref = bf->os->ops->grant(bf->os, page_of(seg->data),
					 s->op != BLKIF_OP_READ);
		if (!ref)
			return false;
		s->ref[i] = ref;
	}
	*out = (struct blkif_request_segment){
		.gref = ref,
		.first_sect = (uint8_t)(at / bf->unit),
		.last_sect = (uint8_t)((at + seg->len) / bf->unit - 1),
	};
	return true;
}

int blkfront_submit(struct blkfront_queue *q, struct blkfront_io *io)
{
	struct blkif_request_segment *seg;
	struct blkfront_shadow *s;
	struct blkif_req req;
	uint32_t id = q->free_shadow;
	int err;

	if (q->broken)
		return FRONT_BROKEN;
	if (id == BLKFRONT_NONE || ring_front_free(&q->ring) == 0)
		return FRONT_FULL;
	err = check(q, io);
	if (err != FRONT_OK)
		return err;
	s = &q->shadow[id];
	s->io = io;
	s->op = io->op;
	s->nr_segs = io->nr_segs;
	req = (struct blkif_req){
		.op = io->op,
		.indirect = io->nr_segs > BLKIF_MAX_SEGMENTS_PER_REQUEST,
		.discard_flag = io->secure ? BLKIF_DISCARD_SECURE : 0,
		.nr_segments = (uint16_t)io->nr_segs,
		.id = id,
		.sector = io->sector,
	};
	seg = req.indirect ? s->indirect : req.seg;
	for (uint32_t i = 0; i < io->nr_segs; i++)
		if (!prepare(q, s, i, &seg[i])) {
			release(q, s, i);
			s->io = NULL;
			return FRONT_NOMEM;
		}
	if (req.indirect)
		__builtin_memcpy(req.indirect_gref, s->indirect_ref,
				 sizeof(req.indirect_gref));
	else if (io->op == BLKIF_OP_DISCARD)
		req.nr_sectors = io->nr_sectors;
	q->free_shadow = s->next;
	q->in_flight++;
	io->still_mapped = false;
	blkif_encode(q->bf->cfg.abi, ring_front_produce(&q->ring), &req);
	return FRONT_OK;
}

void blkfront_push(struct blkfront_queue *q)
{
	if (ring_front_push(&q->ring) && !q->broken) {
		q->notified++;
		q->bf->os->ops->port_notify(q->bf->os, q->port);
	}
}

/* What a read brought, from the pool to where it was wanted. */
static void copy_back(struct blkfront_queue *q, struct blkfront_shadow *s)
{
	for (uint32_t i = 0; i < s->nr_segs; i++)
		if (s->ref[i] != BLKFRONT_CALLERS)
			__builtin_memcpy(s->io->seg[i].data,
					 q->pool + (size_t)s->ref[i] * FRONT_PAGE_SIZE,
					 s->io->seg[i].len);
}

/* One response; false: it answers nothing that is in flight. */
static bool complete(struct blkfront_queue *q, const struct blkif_rsp *rsp)
{
	struct blkfront_shadow *s;
	struct blkfront_io *io;

	if (rsp->id >= q->ring.size)
		return false;
	s = &q->shadow[rsp->id];
	io = s->io;
	if (!io || rsp->op != s->op)
		return false;
	if (q->bf->cfg.persistent && s->op == BLKIF_OP_READ &&
	    rsp->status == BLKIF_RSP_OKAY)
		copy_back(q, s);
	io->still_mapped = !release(q, s, s->nr_segs);
	io->status = rsp->status;
	s->io = NULL;
	s->next = q->free_shadow;
	q->free_shadow = (uint32_t)rsp->id;
	q->in_flight--;
	io->done(io);
	return true;
}

int blkfront_poll(struct blkfront_queue *q)
{
	int32_t n, done;

	if (q->broken)
		return FRONT_BROKEN;
	n = ring_front_responses(&q->ring);
	q->broken = n < 0;
	for (done = 0; done < n && !q->broken; done++) {
		struct blkif_rsp rsp;

		blkif_fetch_response(&q->ring, q->ring.rsp_cons, &rsp);
		ring_front_consume(&q->ring, 1);
		if (!complete(q, &rsp))
			q->broken = true;
	}
	return q->broken ? FRONT_BROKEN : done;
}

bool blkfront_may_sleep(struct blkfront_queue *q, unsigned int distance)
{
	int32_t n;

	if (q->broken)
		return false;
	n = ring_front_final_check(&q->ring, distance);
	q->broken = n < 0;
	return n >= 0 && n < (int32_t)distance;
}
