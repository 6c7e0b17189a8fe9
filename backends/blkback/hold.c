/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistent grants that a request names for the first time: mapped together, and
 * with those of the requests that wait behind it. A frontend's grants come so a few at
 * a time, and as few calls map them, and unmap them at the end.
 */
#include "backends/blkback/request.h"

/* Mapped at once, more only for one request: two of the hypervisor's lots of 32. */
#define FORESEEN_PAGES 64

_Static_assert(VBD_MAX_SEGMENTS <= GRANT_RUN_MAX, "a request is one run");
_Static_assert(INDIRECT_BATCH <= GRANT_RUN_MAX, "so is a batch of indirect pages");

struct wanted {
	uint32_t gref[GRANT_RUN_MAX];
	uint32_t n;
};

/* Add what @r misses. False: there was no room for all of it. */
static bool want(struct vbd_queue *q, const struct vbd_request *r, struct wanted *w)
{
	for (uint32_t i = 0; i < r->nr_pieces; i++) {
		if (grant_cache_has(&q->cache, r->pieces[i].gref))
			continue;
		if (w->n >= FORESEEN_PAGES)
			return false;
		w->gref[w->n++] = r->pieces[i].gref;
	}
	return true;
}

/*
 * Add what the requests behind @req miss, looking at each once: a grant that cannot be
 * mapped would else cost a try for every request before it.
 */
static void foresee(struct vbd_queue *q, const struct vbd_request *req, struct wanted *w)
{
	const struct vbd_request *r = req;

	if (q->foreseen - 1 - req->rec->sequence < q->ring.size)
		return;
	do {
		q->foreseen = r->rec->sequence + 1;
		r = r->next;
	} while (r && want(q, r, w));
}

/* Those that are not there yet; in the end all are held, or none. */
static bool hold_again(struct vbd_queue *q, struct vbd_request *req)
{
	uint32_t *held = req->held, n = req->nr_pieces, missing = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (held[i] == GRANT_CACHE_NONE)
			held[i] = grant_cache_get(&q->cache, req->pieces[i].gref);
		missing += held[i] == GRANT_CACHE_NONE;
	}
	for (uint32_t i = 0; missing && i < n; i++)
		if (held[i] != GRANT_CACHE_NONE)
			grant_cache_put(&q->cache, &held[i], 1);
	return !missing;
}

bool hold_missing(struct vbd_queue *q, struct vbd_request *req, uint32_t from)
{
	struct wanted w;
	uint32_t need;

	w.n = 0;
	/* What is there is held first: making room must not take it. */
	for (uint32_t i = from; i < req->nr_pieces; i++) {
		req->held[i] = grant_cache_get(&q->cache, req->pieces[i].gref);
		if (req->held[i] == GRANT_CACHE_NONE)
			w.gref[w.n++] = req->pieces[i].gref;
	}
	need = w.n;
	foresee(q, req, &w);
	grant_cache_map(&q->cache, w.gref, need, w.n);
	return hold_again(q, req);
}

void hold_indirect(struct vbd_queue *q, const uint32_t *gref, const bool *ok, uint32_t n)
{
	struct wanted w;

	w.n = 0;
	for (uint32_t i = 0; i < n; i++)
		if (ok[i])
			w.gref[w.n++] = gref[i];
	grant_cache_map(&q->cache, w.gref, w.n, w.n);
}
