/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared page of a vchan (xen/io/libxenvchan.h): two byte streams, "left" from
 * client to server and "right" back, each inside the page or in pages of its own.
 * The sizes stand in the page, so they are copied once and checked before use.
 */
#ifndef XYLEM_RING_VCHAN_H
#define XYLEM_RING_VCHAN_H

#include "ring/bytes.h"

/* The public header and ring.h both have a struct ring_shared: rename the former's. */
#define ring_shared vchan_indices
#include <xen/io/libxenvchan.h>
#undef ring_shared

#define VCHAN_ORDER_MAX                                                                  \
	20u /* 1 MiB a direction: what the list of grants has room for                   \
	     */

_Static_assert(offsetof(struct vchan_interface, left_order) == 16, "orders");
_Static_assert(offsetof(struct vchan_interface, cli_live) == 20, "liveness");
_Static_assert(offsetof(struct vchan_interface, grants) == 24, "grants");

/* Where one stream lies. */
struct vchan_stream {
	uint32_t size;
	uint32_t offset; /* in the shared page; 0: in pages of its own */
	uint32_t pages;  /* of its own: so many entries in the list of grants */
};

struct vchan_layout {
	struct vchan_stream left, right;
};

static inline bool vchan_stream_layout(uint16_t order, struct vchan_stream *s)
{
	if (order < 10 || order > VCHAN_ORDER_MAX)
		return false;
	s->size = 1u << order;
	s->offset = order < 12 ? 1u << order : 0; /* 1024 at 1024, 2048 at 2048 */
	s->pages = order < 12 ? 0 : 1u << (order - 12);
	return true;
}

/*
 * What the orders in the page (a private copy of both) mean. False: an order that
 * cannot be, both streams at one place, or more grants than there is room for.
 */
static inline bool vchan_layout(uint16_t left_order, uint16_t right_order,
				struct vchan_layout *l)
{
	uint32_t room = RING_PAGE_SIZE, grants;

	if (!vchan_stream_layout(left_order, &l->left) ||
	    !vchan_stream_layout(right_order, &l->right))
		return false;
	if (l->left.offset && l->left.offset == l->right.offset)
		return false;
	if (l->left.offset)
		room = l->left.offset;
	if (l->right.offset && l->right.offset < room)
		room = l->right.offset;
	grants = l->left.pages + l->right.pages;
	return offsetof(struct vchan_interface, grants) + grants * sizeof(uint32_t) <=
	       room;
}

/*
 * The two ends. @left and @right are where the streams are mapped: within the page
 * at the layout's offset, or the caller's mapping of their own pages. False: the
 * indices are impossible.
 */
static inline bool vchan_server_init(struct vchan_interface *v,
				     const struct vchan_layout *l, const void *left,
				     void *right, struct bytes_reader *in,
				     struct bytes_writer *out)
{
	return bytes_reader_init(in, left, l->left.size, &v->left.prod, &v->left.cons) &&
	       bytes_writer_init(out, right, l->right.size, &v->right.prod,
				 &v->right.cons);
}

static inline bool vchan_client_init(struct vchan_interface *v,
				     const struct vchan_layout *l, void *left,
				     const void *right, struct bytes_reader *in,
				     struct bytes_writer *out)
{
	return bytes_reader_init(in, right, l->right.size, &v->right.prod,
				 &v->right.cons) &&
	       bytes_writer_init(out, left, l->left.size, &v->left.prod, &v->left.cons);
}

#endif
