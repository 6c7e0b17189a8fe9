/* SPDX-License-Identifier: GPL-2.0-only */
/* The control ring, see ctrl.h. */
#include "backends/netback/ctrl.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/netback/queue.h"

#define CTRL_SLOT_SIZE sizeof(union xen_netif_ctrl_sring_entry)

_Static_assert(sizeof(union xen_netif_ctrl_sring_entry) == 16, "control slot");
_Static_assert(sizeof(struct xen_netif_ctrl_response) == 12, "control response");

int ctrl_open(struct queue *q, uint32_t ref, uint32_t remote_port)
{
	struct ctrl *c = &q->ctrl;
	int port;

	c->copy = queue_pages(1);
	if (!c->copy)
		return -ENOMEM;
	c->page = grants_map(q->grants, &ref, 1, PROT_READ | PROT_WRITE);
	if (!c->page)
		return -errno;
	if (!ring_back_attach(&c->ring, c->page, 1, CTRL_SLOT_SIZE))
		return -EPROTO;
	port = events_bind(q->events, remote_port);
	if (port < 0)
		return -errno;
	c->port = port;
	return 0;
}

void ctrl_close(struct queue *q)
{
	struct ctrl *c = &q->ctrl;

	if (c->port)
		events_unbind(q->events, c->port);
	c->port = 0;
	if (c->page)
		grants_unmap(q->grants, c->page, 1);
	c->page = NULL;
	queue_pages_free(c->copy, 1);
	c->copy = NULL;
}

/* The first @n bytes of the page granted as @ref, into c->copy. */
static bool ctrl_fetch(struct queue *q, uint32_t ref, uint32_t n)
{
	xengnttab_grant_copy_segment_t seg = {
		.source.foreign = {ref, 0, (uint16_t)q->grants->domid},
		.dest.virt = q->ctrl.copy,
		.len = (uint16_t)n,
		.flags = GNTCOPY_source_gref,
	};

	return !n || (!grants_copy(q->grants, &seg, 1) && seg.status == GNTST_okay);
}

/* Each of the following answers one type of request with a XEN_NETIF_CTRL_STATUS_*. */

static uint32_t set_algorithm(struct vif_config *cf, uint32_t algorithm)
{
	if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE &&
	    algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	cf->hash.algorithm = algorithm;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_flags(struct vif_config *cf, uint32_t types)
{
	if (cf->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	if (types & ~(uint32_t)HASH_TYPES_ALL)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	cf->hash.types = types;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t get_flags(const struct vif_config *cf, uint32_t *data)
{
	if (cf->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	*data = HASH_TYPES_ALL;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_key(struct queue *q, struct vif_config *cf, uint32_t ref, uint32_t n)
{
	if (n > HASH_KEY_MAX)
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	if (!ctrl_fetch(q, ref, n))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	hash_set_key(&cf->hash, q->ctrl.copy, n);
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping_size(struct vif_config *cf, uint32_t n)
{
	if (n > HASH_MAPPING_MAX)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	cf->hash.mapping_size = n;
	memset(cf->hash.mapping, 0, sizeof(cf->hash.mapping));
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping(struct queue *q, struct vif_config *cf, uint32_t ref,
			    uint32_t n, uint32_t offset)
{
	uint32_t entry, i;

	if (n > HASH_MAPPING_MAX)
		return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
	if (offset > cf->hash.mapping_size || n > cf->hash.mapping_size - offset)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (!ctrl_fetch(q, ref, n * (uint32_t)sizeof(entry)))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	for (i = 0; i < n; i++) {
		memcpy(&entry, q->ctrl.copy + i * sizeof(entry), sizeof(entry));
		if (entry >= q->vif->nr_queues)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	}
	for (i = 0; i < n; i++) {
		memcpy(&entry, q->ctrl.copy + i * sizeof(entry), sizeof(entry));
		cf->hash.mapping[offset + i] = (uint8_t)entry;
	}
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

/* Carry out one request (private copy) on the settings @cf. */
static uint32_t ctrl_request(struct queue *q, struct vif_config *cf,
			     const struct xen_netif_ctrl_request *req, uint32_t *data)
{
	switch (req->type) {
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		return set_algorithm(cf, req->data[0]);
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
		return get_flags(cf, data);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		return set_flags(cf, req->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		return set_key(q, cf, req->data[0], req->data[1]);
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		*data = HASH_MAPPING_MAX;
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		return set_mapping_size(cf, req->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		return set_mapping(q, cf, req->data[0], req->data[1], req->data[2]);
	default: /* static grants, and what is yet to be invented */
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	}
}

bool ctrl_run(struct queue *q)
{
	struct ctrl *c = &q->ctrl;
	struct xen_netif_ctrl_response rsp;
	struct xen_netif_ctrl_request req;
	struct vif_config *cf;
	int32_t n, i;

	if (!c->page)
		return false;
	n = ring_back_requests(&c->ring);
	if (n == RING_OVERRUN)
		queue_broken(q, "control ring: producer index out of range");
	if (n <= 0)
		return false;
	cf = vif_config_begin(q->vif);
	for (i = 0; i < n; i++) {
		ring_copy_in(&req, ring_back_slot(&c->ring, c->ring.req_cons),
			     sizeof(req));
		ring_back_consume(&c->ring, 1);
		rsp = (struct xen_netif_ctrl_response){.id = req.id, .type = req.type};
		rsp.status = ctrl_request(q, cf, &req, &rsp.data);
		ring_copy_out(ring_back_produce(&c->ring), &rsp, sizeof(rsp));
	}
	vif_config_end(q->vif);
	if (ring_back_push(&c->ring))
		queue_notify(q, c->port);
	return true;
}

bool ctrl_arm(struct queue *q)
{
	struct ctrl *c = &q->ctrl;
	int32_t n;

	if (!c->page)
		return false;
	n = ring_back_final_check(&c->ring, 1);
	if (n == RING_OVERRUN)
		queue_broken(q, "control ring: producer index out of range");
	return n != 0;
}
