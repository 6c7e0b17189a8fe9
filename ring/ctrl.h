/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control ring of a network device (xen/io/netif.h, "Control ring"): hash
 * settings and static grants. One page, fixed-size messages, a response for each
 * request. Requests are copied once and checked for what does not depend on the
 * backend: the type is known, unused data is zero, tables fit their page.
 */
#ifndef XYLEM_RING_CTRL_H
#define XYLEM_RING_CTRL_H

#include <stddef.h>
#include <stdint.h>
#include <xen/io/netif.h>

#include "ring/ring.h"

#define CTRL_SLOT_SIZE sizeof(union xen_netif_ctrl_sring_entry)

/* Entries of a one-page table: hash mapping, static grants. */
#define CTRL_MAPPING_MAX (RING_PAGE_SIZE / sizeof(uint32_t))
#define CTRL_GREFS_MAX   (RING_PAGE_SIZE / sizeof(struct xen_netif_gref))

#define CTRL_HASH_TYPES                                                                  \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |             \
	 XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

_Static_assert(sizeof(struct xen_netif_ctrl_request) == 16, "request");
_Static_assert(sizeof(struct xen_netif_ctrl_response) == 12, "response");
_Static_assert(sizeof(struct xen_netif_gref) == 8, "static grant");
_Static_assert(offsetof(struct xen_netif_ctrl_request, data) == 4, "request.data");
_Static_assert(offsetof(struct xen_netif_ctrl_response, data) == 8, "response.data");
_Static_assert(offsetof(struct xen_netif_ctrl_sring, ring) == RING_HEAD_SIZE, "slots");

/* Copy request @idx, one of those ring_back_requests() counted, into @out. */
static inline void ctrl_fetch(const struct ring_back *r, uint32_t idx,
			      struct xen_netif_ctrl_request *out)
{
	ring_copy_in(out, ring_back_slot(r, idx), sizeof(*out));
}

/* How many of a request's data words mean something; the others are to be 0. -1: no such
 * type. */
static inline int32_t ctrl_words(uint16_t type)
{
	switch (type) {
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		return 0;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
	case XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE:
		return 1;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		return 2;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
	case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
	case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
		return 3;
	default:
		return -1;
	}
}

/*
 * XEN_NETIF_CTRL_STATUS_SUCCESS when the backend may look further into @req (a
 * private copy), or the status to answer with. What depends on the backend (queue
 * numbers, table and key sizes it supports, grants) is left to it.
 */
static inline uint32_t ctrl_check(const struct xen_netif_ctrl_request *req)
{
	int32_t words = ctrl_words(req->type);

	if (words < 0)
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	for (int32_t i = words; i < 3; i++)
		if (req->data[i] != 0)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	switch (req->type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		if (req->data[0] > XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		if (req->data[0] & ~(uint32_t)CTRL_HASH_TYPES)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		if (req->data[1] > RING_PAGE_SIZE)
			return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		if (req->data[1] > CTRL_MAPPING_MAX ||
		    req->data[2] > UINT32_MAX - req->data[1])
			return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
		break;
	case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
	case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
		if (req->data[2] > CTRL_GREFS_MAX)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
		break;
	}
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

/*
 * Whether @n entries (a private copy of a mapping table) all name one of @queues
 * queues.
 */
static inline bool ctrl_mapping_valid(const uint32_t *mapping, uint32_t n,
				      uint32_t queues)
{
	for (uint32_t i = 0; i < n; i++)
		if (mapping[i] >= queues)
			return false;
	return true;
}

/* Produce the response to @req. */
static inline void ctrl_respond(struct ring_back *r,
				const struct xen_netif_ctrl_request *req, uint32_t status,
				uint32_t data)
{
	struct xen_netif_ctrl_response rsp = {
		.id = req->id,
		.type = req->type,
		.status = status,
		.data = data,
	};

	ring_copy_out(ring_back_produce(r), &rsp, sizeof(rsp));
}

/* Front end: produce a request; a slot must be free. */
static inline void ctrl_request(struct ring_front *r,
				const struct xen_netif_ctrl_request *req)
{
	ring_copy_out(ring_front_produce(r), req, sizeof(*req));
}

/* Front end: copy response @idx into @out. */
static inline void ctrl_fetch_response(const struct ring_front *r, uint32_t idx,
				       struct xen_netif_ctrl_response *out)
{
	ring_copy_in(out, ring_front_slot(r, idx), sizeof(*out));
}

#endif
