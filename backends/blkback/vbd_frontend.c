// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a disk frontend wrote into xenstore (io/blkif.h, "Frontend XenBus Nodes").
 * The guest owns these nodes: anything may stand there, and it may change between
 * two reads, so that each node is read once and kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/protocols.h>

#include "backends/blkback/vbd_backend.h"
#include "backends/common/nodes.h"

#define EVENT_CHANNEL_MAX ((1u << 17) - 1) /* FIFO ports; event_channel.h */

static int read_abi(const struct node_reader *r, uint32_t *abi)
{
	char *text = store_read(r->store, 0, "%s/protocol", r->dir);
	int err = 0;

	if (!text && errno == ENOENT) {
		*abi = BLKIF_ABI_NATIVE;
		return 0;
	}
	if (!text) {
		err = -errno;
		snprintf(r->why, r->why_size, "%s/protocol: %s", r->dir, strerror(-err));
		return err;
	}
	if (!strcmp(text, XEN_IO_PROTO_ABI_X86_32)) {
		*abi = BLKIF_ABI_X86_32;
	} else if (!strcmp(text, XEN_IO_PROTO_ABI_X86_64)) {
		*abi = BLKIF_ABI_X86_64;
	} else {
		snprintf(r->why, r->why_size, "protocol '%.32s' is unknown", text);
		err = -EINVAL;
	}
	free(text);
	return err;
}

/* Two names for one thing: the order of pages, or their number (deprecated). */
static int read_ring_order(const struct node_reader *r, uint32_t max, uint32_t *order)
{
	uint64_t by_order = UINT64_MAX, pages = 0;
	int err;

	err = nodes_optional(r, "ring-page-order", 0, max, &by_order);
	if (!err)
		err = nodes_optional(r, "num-ring-pages", 1, 1u << max, &pages);
	if (err)
		return err;
	if (pages & (pages - 1)) {
		snprintf(r->why, r->why_size, "num-ring-pages is not a power of two");
		return -EINVAL;
	}
	if (by_order != UINT64_MAX && pages && pages != 1u << by_order) {
		snprintf(r->why, r->why_size,
			 "ring-page-order and num-ring-pages disagree");
		return -EINVAL;
	}
	if (by_order != UINT64_MAX)
		*order = (uint32_t)by_order;
	else
		*order = pages ? (uint32_t)__builtin_ctzll(pages) : 0;
	return 0;
}

static int read_queue(const struct node_reader *r, const char *dir, uint32_t order,
		      struct vbd_queue_attach *q)
{
	uint64_t v = 0;
	uint32_t i;
	int err;

	err = nodes_required(r, dir, "event-channel", 1, EVENT_CHANNEL_MAX, &v);
	if (err)
		return err;
	q->event_channel = (uint32_t)v;
	if (order == 0) {
		err = nodes_number(r, dir, "ring-ref", 1, UINT32_MAX, &v);
		if (err != -ENOENT) {
			q->ring_ref[0] = (uint32_t)v;
			return err;
		}
	}
	for (i = 0; i < 1u << order; i++) {
		char node[24];

		snprintf(node, sizeof(node), "ring-ref%u", i);
		err = nodes_required(r, dir, node, 1, UINT32_MAX, &v);
		if (err)
			return err;
		q->ring_ref[i] = (uint32_t)v;
	}
	return 0;
}

static int read_queues(const struct node_reader *r, struct vbd_attach *a)
{
	char dir[STORE_PATH_MAX];
	int err = 0;

	for (uint32_t i = 0; !err && i < a->nr_queues; i++) {
		err = nodes_queue_dir(r, i, a->nr_queues, dir);
		if (!err)
			err = read_queue(r, dir, a->ring_order, &a->queue[i]);
	}
	return err;
}

int vbd_frontend_read(struct store *s, const char *frontend,
		      const struct vbd_offer *offer, struct vbd_attach *a,
		      struct vbd_frontend *f, char *why, size_t size)
{
	const struct node_reader r = {s, frontend, why, size};
	uint64_t queues = 1, persistent = 0, large = 0;
	int err;

	why[0] = '\0';
	err = read_abi(&r, &a->abi);
	if (!err)
		err = nodes_optional(&r, "multi-queue-num-queues", 1, offer->max_queues,
				     &queues);
	if (!err)
		err = read_ring_order(&r, offer->max_ring_order, &a->ring_order);
	if (!err)
		err = nodes_optional(&r, "feature-persistent", 0, UINT32_MAX,
				     &persistent);
	if (!err)
		err = nodes_optional(&r, "feature-large-sector-size", 0, UINT32_MAX,
				     &large);
	if (err)
		return err;
	a->nr_queues = (uint32_t)queues;
	f->persistent = offer->persistent && persistent;
	f->large_sectors = large != 0;
	return read_queues(&r, a);
}
