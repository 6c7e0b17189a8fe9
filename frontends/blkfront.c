/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block front end: what is agreed on in xenstore, rings and pages made and given
 * back. The data path is blkfront_io.c.
 */
#include <xen/io/xenbus.h>

#include "frontends/blkfront.h"
#include "frontends/node.h"

static uint32_t min_u32(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

static unsigned int log2_of(uint64_t v)
{
	unsigned int n = 0;

	while (v > 1) {
		v >>= 1;
		n++;
	}
	return n;
}

int blkfront_put_state(struct blkfront *bf, unsigned int state)
{
	return node_put(bf->os, "state", state);
}

/* What both ends can do, of what the caller wants. */
static void agree(struct blkfront *bf)
{
	struct blkfront_config *c = &bf->cfg;
	struct front_os *os = bf->os;
	uint64_t order = log2_of(node_feature(os, "max-ring-pages", RING_PAGES_MAX, 1));
	uint64_t segs;

	order = node_feature(os, "max-ring-page-order", 64, order);
	c->ring_order = min_u32(c->ring_order, min_u32(order, 4));
	if (c->queues == 0)
		c->queues = 1;
	c->queues = min_u32(c->queues, BLKFRONT_QUEUES_MAX);
	c->queues = min_u32(c->queues,
			    node_feature(os, "multi-queue-max-queues", UINT32_MAX, 1));
	if (c->queues == 0)
		c->queues = 1;
	segs = node_feature(os, "feature-max-indirect-segments", UINT32_MAX, 0);
	c->indirect_segs =
		min_u32(c->indirect_segs, min_u32(segs, BLKIF_INDIRECT_SEGS_MAX));
	if (c->indirect_segs <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
		c->indirect_segs = 0; /* nothing gained */
	bf->max_segs =
		c->indirect_segs ? c->indirect_segs : BLKIF_MAX_SEGMENTS_PER_REQUEST;
	bf->segs_per_shadow = bf->max_segs;
}

static int alloc_ring(struct blkfront_queue *q)
{
	struct front_os *os = q->bf->os;
	unsigned int pages = 1u << q->bf->cfg.ring_order;

	q->ring_pages = os->ops->pages_alloc(os, pages);
	if (!q->ring_pages)
		return FRONT_NOMEM;
	if (!ring_front_init(&q->ring, q->ring_pages, pages,
			     blkif_slot_size(q->bf->cfg.abi)))
		return FRONT_INVALID;
	for (unsigned int i = 0; i < pages; i++) {
		q->ring_ref[i] = os->ops->grant(
			os, (uint8_t *)q->ring_pages + (size_t)i * FRONT_PAGE_SIZE,
			false);
		if (!q->ring_ref[i])
			return FRONT_NOMEM;
	}
	q->port = os->ops->port_alloc(os);
	return q->port ? FRONT_OK : FRONT_NOMEM;
}

static int alloc_shadows(struct blkfront_queue *q)
{
	struct front_os *os = q->bf->os;
	uint32_t segs = q->bf->segs_per_shadow;

	q->shadow = os->ops->alloc(os, q->ring.size * sizeof(*q->shadow));
	q->shadow_refs =
		os->ops->alloc(os, (size_t)q->ring.size * segs * sizeof(uint32_t));
	if (!q->shadow || !q->shadow_refs)
		return FRONT_NOMEM;
	for (uint32_t i = 0; i < q->ring.size; i++) {
		q->shadow[i].ref = q->shadow_refs + (size_t)i * segs;
		q->shadow[i].next = i + 1 < q->ring.size ? i + 1 : BLKFRONT_NONE;
	}
	q->free_shadow = 0;
	return FRONT_OK;
}

/* A persistent backend maps these for writing too, whatever they are used for. */
static int alloc_indirect(struct blkfront_queue *q)
{
	struct front_os *os = q->bf->os;
	uint32_t n = blkif_indirect_pages(q->bf->cfg.indirect_segs);
	uint8_t *page;

	if (n == 0)
		return FRONT_OK;
	page = os->ops->pages_alloc(os, q->ring.size * n);
	q->indirect_pages = page;
	if (!page)
		return FRONT_NOMEM;
	for (uint32_t i = 0; i < q->ring.size; i++) {
		q->shadow[i].indirect = (struct blkif_request_segment *)page;
		for (uint32_t k = 0; k < n; k++, page += FRONT_PAGE_SIZE) {
			uint32_t ref = os->ops->grant(os, page, !q->bf->cfg.persistent);

			if (!ref)
				return FRONT_NOMEM;
			q->shadow[i].indirect_ref[k] = ref;
		}
	}
	return FRONT_OK;
}

static int alloc_pool(struct blkfront_queue *q)
{
	struct front_os *os = q->bf->os;
	uint32_t n = q->bf->cfg.pool_pages;

	if (!q->bf->cfg.persistent)
		return FRONT_OK;
	if (n == 0)
		n = q->ring.size * BLKIF_MAX_SEGMENTS_PER_REQUEST;
	if (n < q->bf->max_segs)
		n = q->bf->max_segs;
	q->pool_pages = n;
	q->pool_ref = os->ops->alloc(os, n * sizeof(uint32_t));
	q->pool_free = os->ops->alloc(os, n * sizeof(uint32_t));
	q->pool = os->ops->pages_alloc(os, n);
	if (!q->pool || !q->pool_ref || !q->pool_free)
		return FRONT_NOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t ref =
			os->ops->grant(os, q->pool + (size_t)i * FRONT_PAGE_SIZE, false);

		if (!ref)
			return FRONT_NOMEM;
		q->pool_ref[i] = ref;
		q->pool_free[q->pool_top++] = n - 1 - i;
	}
	return FRONT_OK;
}

static int alloc_queue(struct blkfront_queue *q)
{
	int err = alloc_ring(q);

	if (err == FRONT_OK)
		err = alloc_shadows(q);
	if (err == FRONT_OK)
		err = alloc_indirect(q);
	if (err == FRONT_OK)
		err = alloc_pool(q);
	return err;
}

static int publish_queue(struct blkfront_queue *q, unsigned int index)
{
	struct blkfront *bf = q->bf;
	unsigned int pages = 1u << bf->cfg.ring_order;
	struct node prefix;
	int err = FRONT_OK;

	node_queue(&prefix, index, bf->nr_queues);
	if (pages == 1)
		err = node_put_in(bf->os, prefix.text, "ring-ref", -1, q->ring_ref[0]);
	for (unsigned int i = 0; pages > 1 && i < pages && err == FRONT_OK; i++)
		err = node_put_in(bf->os, prefix.text, "ring-ref", (int)i,
				  q->ring_ref[i]);
	if (err == FRONT_OK)
		err = node_put_in(bf->os, prefix.text, "event-channel", -1, q->port);
	return err;
}

static int publish(struct blkfront *bf)
{
	static const char *const abi[BLKIF_ABIS] = {NULL, XEN_IO_PROTO_ABI_X86_32,
						    XEN_IO_PROTO_ABI_X86_64};
	const struct blkfront_config *c = &bf->cfg;
	struct front_os *os = bf->os;
	int err = FRONT_OK;

	for (unsigned int i = 0; i < bf->nr_queues && err == FRONT_OK; i++)
		err = publish_queue(&bf->queue[i], i);
	if (err == FRONT_OK && bf->nr_queues > 1)
		err = node_put(os, "multi-queue-num-queues", bf->nr_queues);
	/* both names of the ring's size: io/blkif.h, note 3 */
	if (err == FRONT_OK && c->ring_order)
		err = node_put(os, "ring-page-order", c->ring_order);
	if (err == FRONT_OK && c->ring_order)
		err = node_put(os, "num-ring-pages", 1u << c->ring_order);
	if (err == FRONT_OK && abi[c->abi])
		err = os->ops->put(os, "protocol", abi[c->abi]);
	if (err == FRONT_OK && c->persistent)
		err = node_put(os, "feature-persistent", 1);
	if (err == FRONT_OK && c->large_sectors)
		err = node_put(os, "feature-large-sector-size", 1);
	return err == FRONT_OK ? blkfront_put_state(bf, XenbusStateInitialised) : err;
}

int blkfront_init(struct blkfront *bf, struct front_os *os,
		  const struct blkfront_config *cfg)
{
	int err = FRONT_OK;

	__builtin_memset(bf, 0, sizeof(*bf));
	if ((unsigned int)cfg->abi >= BLKIF_ABIS)
		return FRONT_INVALID;
	bf->os = os;
	bf->cfg = *cfg;
	bf->unit = 512;
	agree(bf);
	bf->queue = os->ops->alloc(os, bf->cfg.queues * sizeof(*bf->queue));
	if (!bf->queue)
		return FRONT_NOMEM;
	bf->nr_queues = bf->cfg.queues;
	for (unsigned int i = 0; i < bf->nr_queues && err == FRONT_OK; i++) {
		bf->queue[i].bf = bf;
		err = alloc_queue(&bf->queue[i]);
	}
	if (err == FRONT_OK)
		err = publish(bf);
	if (err != FRONT_OK)
		blkfront_close(bf); /* no backend has mapped anything yet */
	return err;
}

int blkfront_resized(struct blkfront *bf)
{
	uint64_t sectors;

	if (node_get(bf->os, BACK_DIR, "sectors", UINT64_MAX, 0, &sectors) != FRONT_OK)
		return FRONT_STORE;
	bf->sectors = sectors;
	return FRONT_OK;
}

static bool sector_size_valid(uint64_t v)
{
	return v >= 512 && (v & (v - 1)) == 0;
}

int blkfront_connect(struct blkfront *bf)
{
	struct front_os *os = bf->os;

	if (blkfront_resized(bf) != FRONT_OK)
		return FRONT_STORE;
	bf->sector_size = (uint32_t)node_feature(os, "sector-size", FRONT_PAGE_SIZE, 512);
	bf->physical_sector_size = (uint32_t)node_feature(os, "physical-sector-size",
							  1u << 30, bf->sector_size);
	if (!sector_size_valid(bf->sector_size) ||
	    !sector_size_valid(bf->physical_sector_size))
		return FRONT_STORE;
	bf->unit = bf->cfg.large_sectors ? bf->sector_size : 512;
	bf->info = (uint32_t)node_feature(os, "info", UINT32_MAX, 0);
	bf->flush = node_feature(os, "feature-flush-cache", 1, 0);
	bf->barrier = node_feature(os, "feature-barrier", 1, 0);
	bf->discard = node_feature(os, "feature-discard", 1, 0);
	bf->secure = bf->discard && node_feature(os, "discard-secure", 1, 0);
	bf->discard_granularity = (uint32_t)node_feature(os, "discard-granularity",
							 UINT32_MAX, bf->sector_size);
	bf->discard_alignment =
		(uint32_t)node_feature(os, "discard-alignment", UINT32_MAX, 0);
	return blkfront_put_state(bf, XenbusStateConnected);
}

/* ---- giving back ---- */

/* End the grant at @ref and clear it; false while the backend has it mapped. */
static bool end_ref(struct front_os *os, uint32_t *ref)
{
	if (*ref && os->ops->grant_end(os, *ref) != FRONT_OK)
		return false;
	*ref = 0;
	return true;
}

/* The grants of one request in flight, then its end. False: some are still mapped. */
static bool abandon(struct blkfront_queue *q, struct blkfront_shadow *s)
{
	struct front_os *os = q->bf->os;
	struct blkfront_io *io = s->io;
	bool all = true;

	for (uint32_t i = 0; !q->bf->cfg.persistent && i < s->nr_segs; i++)
		if (s->ref[i] != BLKFRONT_CALLERS)
			all &= end_ref(os, &s->ref[i]);
	if (!all)
		return false;
	s->io = NULL;
	q->in_flight--;
	io->status = BLKIF_RSP_ERROR;
	io->done(io);
	return true;
}

static bool end_grants(struct blkfront_queue *q)
{
	struct front_os *os = q->bf->os;
	bool all = true;

	for (uint32_t i = 0; q->shadow && i < q->ring.size; i++) {
		struct blkfront_shadow *s = &q->shadow[i];

		if (s->io)
			all &= abandon(q, s);
		for (uint32_t k = 0; k < BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST; k++)
			all &= end_ref(os, &s->indirect_ref[k]);
	}
	for (uint32_t i = 0; q->pool_ref && i < q->pool_pages; i++)
		all &= end_ref(os, &q->pool_ref[i]);
	for (uint32_t i = 0; i < RING_PAGES_MAX; i++)
		all &= end_ref(os, &q->ring_ref[i]);
	return all;
}

static bool close_queue(struct blkfront_queue *q)
{
	struct front_os *os = q->bf->os;
	uint32_t n = blkif_indirect_pages(q->bf->cfg.indirect_segs);

	q->broken = true; /* a done() that submits again is told so */
	if (q->port)
		os->ops->port_close(os, q->port);
	q->port = 0;
	if (!end_grants(q))
		return false;
	if (q->pool)
		os->ops->pages_free(os, q->pool, q->pool_pages);
	if (q->indirect_pages)
		os->ops->pages_free(os, q->indirect_pages, q->ring.size * n);
	if (q->ring_pages)
		os->ops->pages_free(os, q->ring_pages, 1u << q->bf->cfg.ring_order);
	os->ops->free(os, q->pool_ref);
	os->ops->free(os, q->pool_free);
	os->ops->free(os, q->shadow_refs);
	os->ops->free(os, q->shadow);
	__builtin_memset(q, 0, sizeof(*q));
	return true;
}

int blkfront_close(struct blkfront *bf)
{
	bool all = true;

	for (unsigned int i = 0; i < bf->nr_queues; i++)
		if (bf->queue[i].bf)
			all &= close_queue(&bf->queue[i]);
	if (!all)
		return FRONT_BUSY;
	if (bf->queue)
		bf->os->ops->free(bf->os, bf->queue);
	bf->queue = NULL;
	bf->nr_queues = 0;
	return FRONT_OK;
}
