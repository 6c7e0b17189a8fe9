/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What netback's supervisor tells a worker about a vif: the payload of
 * CONTROL_ATTACH and CONTROL_UPDATE, the descriptors that travel with it, and the
 * layout of the state memfd. The supervisor (vif_backend.c) fills it from
 * xenstore after checking every number; the worker (vif.c) checks it again, since
 * a mistake here would otherwise reach the rings.
 */
#ifndef XYLEM_VIF_PROTO_H
#define XYLEM_VIF_PROTO_H

#include <stdint.h>

#include "backends/common/control.h"
#include "backends/common/state.h"

#define VIF_PROTO_VERSION 1
/* "multi-queue-max-queues" at most; two descriptors a queue must fit CONTROL_MAX_FDS */
#define VIF_QUEUES_MAX 16
/* largest "xdp-headroom" a frontend may ask for (XDP_PACKET_HEADROOM of Linux is 256) */
#define VIF_HEADROOM_MAX 1024

/*
 * Fixed at connect: what the frontend said it accepts, under the frontend's
 * directory. A missing node has the default in brackets.
 */
enum vif_feature {
	VIF_SG = 1u << 0,        /* feature-sg (0) */
	VIF_GSO_TCPV4 = 1u << 1, /* feature-gso-tcpv4 (0); means nothing without VIF_SG */
	VIF_GSO_TCPV6 = 1u << 2, /* feature-gso-tcpv6 (0); same */
	VIF_CSUM_V4 = 1u << 3,   /* NOT feature-no-csum-offload (0): set when absent or 0 */
	VIF_CSUM_V6 = 1u << 4,   /* feature-ipv6-csum-offload (0) */
	VIF_RX_NOTIFY = 1u << 5, /* feature-rx-notify (0) */
	VIF_CTRL_RING = 1u << 6, /* ctrl-ring-ref and event-channel-ctrl are both present */
	VIF_FEATURES_ALL = (1u << 7) - 1,
};

enum vif_port_kind {
	VIF_PORT_TAP = 1,    /* a tap queue: IFF_TAP|IFF_NO_PI|IFF_VNET_HDR|IFF_MULTI_QUEUE */
	VIF_PORT_PACKET = 2, /* AF_PACKET SOCK_RAW, bound, PACKET_VNET_HDR on */
};

/* May change while connected: in the attach message, and whole in every update. */
enum vif_live_flag {
	VIF_CARRIER = 1u << 0,       /* the link is up; down: packets of both directions are lost */
	VIF_MCAST_CONTROL = 1u << 1, /* request-multicast-control: filter multicast to the guest */
	VIF_LIVE_ALL = (1u << 2) - 1,
};

struct vif_live {
	uint32_t flags;       /* enum vif_live_flag */
	uint32_t rx_headroom; /* xdp-headroom (0), bytes, at most VIF_HEADROOM_MAX */
};

struct vif_queue_attach {
	uint32_t tx_ref, rx_ref;   /* tx-ring-ref, rx-ring-ref */
	uint32_t tx_port, rx_port; /* event-channel-{tx,rx}; the same number: not split */
};

/*
 * CONTROL_ATTACH. Descriptors, 2 * nr_queues of them:
 *   fds[i]             restricted event-channel descriptor of queue i
 *   fds[nr_queues + i] port of queue i: tap queue or packet socket, non-blocking
 * The control ring shares queue 0's event-channel descriptor. The state memfd comes
 * with the generic attach; its size must be vif_state_size(nr_queues).
 * Limits are in the state's head (limit[0] to the guest, limit[1] from it).
 */
struct vif_attach {
	uint32_t version;   /* VIF_PROTO_VERSION */
	uint32_t domid;
	uint32_t nr_queues; /* 1 .. VIF_QUEUES_MAX */
	uint32_t features;  /* enum vif_feature */
	uint32_t port_kind; /* enum vif_port_kind */
	uint32_t ctrl_ref, ctrl_port; /* when VIF_CTRL_RING */
	struct vif_live live;
	uint32_t reserved;  /* 0 */
	struct vif_queue_attach queue[VIF_QUEUES_MAX]; /* unused ones 0 */
};

/* CONTROL_UPDATE: no descriptors. */
struct vif_update {
	uint32_t version; /* VIF_PROTO_VERSION */
	struct vif_live live;
	uint32_t reserved; /* 0 */
};

_Static_assert(sizeof(struct vif_attach) == 40 + 16 * VIF_QUEUES_MAX, "vif_attach layout");
_Static_assert(sizeof(struct vif_attach) + sizeof(struct control_msg) <= CONTROL_MAX, "fits");
_Static_assert(2 * VIF_QUEUES_MAX <= CONTROL_MAX_FDS, "descriptors fit");

/*
 * A queue's block in the state memfd. The indices are private copies (nobody but
 * the worker writes them): how far each ring was consumed and answered. A tx
 * request is answered in the batch that consumed it, and rx answers in the order
 * of requests, so that the indices are the whole table in flight: what lies
 * between a successor's view and the ring's req_prod was never answered.
 */
struct vif_state_queue {
	struct state_queue head;
	_Atomic(uint32_t) tx_req_cons, tx_rsp_prod;
	_Atomic(uint32_t) rx_req_cons, rx_rsp_prod;
} __attribute__((aligned(64)));

#define VIF_STATE_QUEUE_SIZE ((uint32_t)sizeof(struct vif_state_queue))

/* Bytes of the state memfd; the supervisor sets nr_queues and queue_size accordingly. */
static inline uint32_t vif_state_size(uint32_t nr_queues)
{
	return (uint32_t)sizeof(struct state_head) + nr_queues * VIF_STATE_QUEUE_SIZE;
}

#endif
