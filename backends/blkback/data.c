/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a request's data travels between the guest's pages and the image: which
 * path, what it takes and gives back, and the batch of grant copies.
 *
 * A pooled request has a run of pages for the whole blocks around its data; the
 * data start at the same offset in the first block as they do in the image.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/blkback/request.h"

/* ---- choosing ---- */

/* Whether direct I/O can use the pieces where they are. */
static bool aligned_for_direct(const struct vbd_disk *d, const struct vbd_request *req)
{
	uint32_t bits = 0;

	if (req->block_start != req->offset || req->block_end != req->offset + req->bytes)
		return false;
	for (uint32_t i = 0; i < req->nr_pieces; i++) {
		if (req->pieces[i].offset & (d->memory_align - 1))
			return false;
		bits |= req->pieces[i].length;
	}
	return !(bits & (d->offset_align - 1));
}

/* Hold every piece's page in the cache, or none. */
static bool hold_all(struct vbd_queue *q, struct vbd_request *req)
{
	for (uint32_t i = 0; i < req->nr_pieces; i++) {
		req->held[i] = grant_cache_get(&q->cache, req->pieces[i].gref);
		if (req->held[i] == GRANT_CACHE_NONE)
			return hold_missing(q, req, i);
	}
	return true;
}

static enum data_path choose(struct vbd_queue *q, struct vbd_request *req)
{
	const struct vbd_disk *d = q->disk;

	if (!q->engine->moves_data)
		return DATA_NONE;
	if (q->persistent && hold_all(q, req))
		return req->bytes >= d->direct_min_persistent &&
				       aligned_for_direct(d, req)
			       ? DATA_DIRECT_PERSISTENT
			       : DATA_POOL_PERSISTENT;
	return req->bytes >= d->direct_min_mapped && aligned_for_direct(d, req)
		       ? DATA_DIRECT_MAPPED
		       : DATA_POOL_COPY;
}

/* ---- taking and giving back ---- */

static int take_pool(struct vbd_queue *q, struct vbd_request *req)
{
	uint32_t pages = ((uint32_t)(req->block_end - req->block_start) + POOL_PAGE - 1) /
			 POOL_PAGE;

	req->pool_first = pool_get(&q->pool, pages);
	req->pool_pages = req->pool_first == POOL_NONE ? 0 : pages;
	return req->pool_pages ? 0 : -EAGAIN;
}

static int map_all(struct vbd_queue *q, struct vbd_request *req)
{
	uint32_t refs[VBD_MAX_SEGMENTS];
	int prot = req->op == ENGINE_READ ? PROT_READ | PROT_WRITE : PROT_READ;

	assert(req->nr_pieces <= VBD_MAX_SEGMENTS);
	for (uint32_t i = 0; i < req->nr_pieces; i++)
		refs[i] = req->pieces[i].gref;
	req->mapped = grants_map(q->setup.grants, refs, req->nr_pieces, prot);
	if (!req->mapped)
		return -errno;
	metric_add(q->metrics, METRIC_GRANT_MAPS, req->nr_pieces);
	return 0;
}

int data_acquire(struct vbd_queue *q, struct vbd_request *req)
{
	int ret = 0;

	req->pool_pages = 0;
	req->path = DATA_NONE;
	if (!req->nr_pieces)
		return 0;
	req->path = choose(q, req);
	switch (req->path) {
	case DATA_POOL_PERSISTENT:
		ret = take_pool(q, req);
		if (ret)
			grant_cache_put(&q->cache, req->held, req->nr_pieces);
		break;
	case DATA_POOL_COPY:
		ret = take_pool(q, req);
		break;
	case DATA_DIRECT_MAPPED:
		ret = map_all(q, req);
		break;
	default:
		break;
	}
	if (ret)
		req->path = DATA_NONE;
	return ret;
}

void data_release(struct vbd_queue *q, struct vbd_request *req)
{
	switch (req->path) {
	case DATA_POOL_PERSISTENT:
	case DATA_DIRECT_PERSISTENT:
		grant_cache_put(&q->cache, req->held, req->nr_pieces);
		break;
	case DATA_DIRECT_MAPPED:
		/* A second try: what stays mapped keeps the guest's memory. */
		if (grants_unmap(q->setup.grants, req->mapped, req->nr_pieces) &&
		    grants_unmap(q->setup.grants, req->mapped, req->nr_pieces))
			log_error("%s: unmap: %s", q->setup.name, strerror(errno));
		metric_add(q->metrics, METRIC_GRANT_UNMAPS, req->nr_pieces);
		break;
	default:
		break;
	}
	if (req->pool_pages)
		pool_put(&q->pool, req->pool_first, req->pool_pages);
	req->pool_pages = 0;
	req->path = DATA_NONE;
}

/* ---- describing to the engine ---- */

static char *pool_data(struct vbd_queue *q, const struct vbd_request *req)
{
	return pool_at(&q->pool, req->pool_first) + (req->offset - req->block_start);
}

static void describe_direct(struct vbd_queue *q, struct vbd_request *req)
{
	for (uint32_t i = 0; i < req->nr_pieces; i++) {
		char *page = req->path == DATA_DIRECT_MAPPED
				     ? (char *)req->mapped + (size_t)i * XEN_PAGE_SIZE
				     : grant_cache_page(&q->cache, req->held[i]);

		req->iov[i].iov_base = page + req->pieces[i].offset;
		req->iov[i].iov_len = req->pieces[i].length;
	}
	req->io.iov = req->iov;
	req->io.nr_iov = req->nr_pieces;
	req->io.pooled = false;
}

void data_describe(struct vbd_queue *q, struct vbd_request *req)
{
	req->io.offset = req->block_start;
	req->io.length = req->block_end - req->block_start;
	req->io.iov = NULL;
	req->io.nr_iov = 0;
	req->io.pooled = false;
	if (req->path == DATA_DIRECT_PERSISTENT || req->path == DATA_DIRECT_MAPPED) {
		describe_direct(q, req);
	} else if (req->path != DATA_NONE) {
		req->one.iov_base = pool_at(&q->pool, req->pool_first);
		req->one.iov_len = req->io.length;
		req->io.iov = &req->one;
		req->io.nr_iov = 1;
		req->io.pooled = true;
	}
}

/* ---- moving ---- */

/* Do the queued segments now; a segment that failed fails its request. */
static void copy_segments(struct vbd_queue *q)
{
	uint32_t n = q->nr_copies;
	bool called;

	if (!n)
		return;
	called = !grants_copy(q->setup.grants, q->copies, n);
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	metric_add(q->metrics, METRIC_GRANT_COPIES, n);
	if (!called)
		queue_log(q, "grant copy: %s", strerror(errno));
	for (uint32_t i = 0; i < n; i++) {
		if (called && q->copies[i].status == GNTST_okay)
			continue;
		if (called && !q->copy_owner[i]->copy_failed)
			queue_log(q, "grant copy of request %llu: status %d",
				  (unsigned long long)q->copy_owner[i]->rec->req.id,
				  q->copies[i].status);
		q->copy_owner[i]->copy_failed = true;
	}
	q->nr_copies = 0;
}

static void add_segment(struct vbd_queue *q, struct vbd_request *req, uint32_t gref,
			uint32_t offset, char *local, uint32_t length)
{
	xengnttab_grant_copy_segment_t *s;

	if (q->nr_copies == COPY_BATCH)
		copy_segments(q);
	s = &q->copies[q->nr_copies];
	q->copy_owner[q->nr_copies++] = req;
	if (req->op == ENGINE_READ) {
		s->source.virt = local;
		s->dest.foreign.ref = gref;
		s->dest.foreign.offset = (uint16_t)offset;
		s->dest.foreign.domid = (uint16_t)q->setup.grants->domid;
		s->flags = GNTCOPY_dest_gref;
	} else {
		s->source.foreign.ref = gref;
		s->source.foreign.offset = (uint16_t)offset;
		s->source.foreign.domid = (uint16_t)q->setup.grants->domid;
		s->dest.virt = local;
		s->flags = GNTCOPY_source_gref;
	}
	s->len = (uint16_t)length;
	s->status = GNTST_general_error;
}

/* Queue segments for all pieces: none crosses a page of the pool either. */
static void queue_copies(struct vbd_queue *q, struct vbd_request *req)
{
	char *data = pool_data(q, req);

	req->copy_failed = false;
	for (uint32_t i = 0; i < req->nr_pieces; i++) {
		uint32_t offset = req->pieces[i].offset, left = req->pieces[i].length;

		while (left) {
			uint32_t room =
				POOL_PAGE - (uint32_t)((uintptr_t)data % POOL_PAGE);
			uint32_t n = left < room ? left : room;

			add_segment(q, req, req->pieces[i].gref, offset, data, n);
			offset += n;
			data += n;
			left -= n;
		}
	}
	metric_add(q->metrics, METRIC_COPIED_BYTES, req->bytes);
	list_add(&q->copying, req);
}

bool data_move(struct vbd_queue *q, struct vbd_request *req)
{
	if (req->path == DATA_POOL_PERSISTENT) {
		data_move_persistent(q, req, pool_data(q, req), req->op == ENGINE_READ);
	} else if (req->path == DATA_POOL_COPY) {
		queue_copies(q, req);
		return false;
	}
	return true;
}

bool data_copy_all(struct vbd_queue *q)
{
	struct request_list list;
	struct vbd_request *req;

	if (!q->copying.head)
		return false;
	copy_segments(q);
	/* request_copied() may queue copies of other requests: those are for next time.
	 */
	list.head = q->copying.head;
	list.tail = q->copying.tail;
	list_init(&q->copying);
	while ((req = list_pop(&list)))
		request_copied(q, req);
	return true;
}

/* ---- indirect pages ---- */

const void *data_peek(struct vbd_queue *q, uint32_t gref, uint32_t *held)
{
	*held = q->persistent ? grant_cache_get(&q->cache, gref) : GRANT_CACHE_NONE;
	return *held == GRANT_CACHE_NONE ? NULL : grant_cache_page(&q->cache, *held);
}

void data_fetch(struct vbd_queue *q, const uint32_t *gref, const uint32_t *length,
		uint32_t n, char *to, bool *ok)
{
	xengnttab_grant_copy_segment_t seg[INDIRECT_BATCH];
	bool called;

	assert(n && n <= INDIRECT_BATCH);
	for (uint32_t i = 0; i < n; i++) {
		seg[i] = (xengnttab_grant_copy_segment_t){
			.source.foreign = {gref[i], 0, (uint16_t)q->setup.grants->domid},
			.dest.virt = to + (size_t)i * POOL_PAGE,
			.len = (uint16_t)length[i],
			.flags = GNTCOPY_source_gref,
			.status = GNTST_general_error,
		};
		metric_add(q->metrics, METRIC_COPIED_BYTES, length[i]);
	}
	called = !grants_copy(q->setup.grants, seg, n);
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	metric_add(q->metrics, METRIC_GRANT_COPIES, n);
	for (uint32_t i = 0; i < n; i++)
		ok[i] = called && seg[i].status == GNTST_okay;
	if (q->persistent)
		hold_indirect(q, gref, ok, n);
}
