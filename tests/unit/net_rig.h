/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's network card beside a vif, for the net_* tests: rings over the
 * loopback transport, written with plain slots so that a test can also write what
 * no honest frontend would. The vif's queues run in the test's own thread
 * (net_rig_run) unless it asks for threads.
 */
#ifndef XYLEM_TESTS_NET_RIG_H
#define XYLEM_TESTS_NET_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "backends/common/loopback.h"
#include "backends/netback/port_loop.h"
#include "backends/netback/queue.h"
#include "backends/netback/vif.h"
#include "ring/netif.h"

#define RIG_QUEUES 4u
#define RIG_FRAMES 256u /* a direction of a queue */
#define RIG_PACKET 70000u

struct net_rig_queue {
	struct ring_front tx, rx;
	uint32_t tx_ref, rx_ref, tx_port, rx_port;
	uint32_t tx_frame, rx_frame; /* first of RIG_FRAMES data frames */
	uint32_t tx_gref[RIG_FRAMES], rx_gref[RIG_FRAMES];
	uint32_t tx_next; /* frame of the next fragment */
	uint16_t tx_id;
	struct port *port;
};

struct net_rig {
	struct loopback *lb;
	struct net_rig_grants *pools; /* with the option of that name */
	struct vif *vif;
	struct net_rig_queue q[RIG_QUEUES];
	struct ring_front ctrl;
	uint32_t ctrl_ref, ctrl_port, ctrl_gref,
		ctrl_frame; /* a page for keys and tables */
	void *state;
	size_t state_size;
	struct vif_setup setup;
	bool prepared;
	uint32_t rings; /* io_urings that the vif holds */
	int broken;
	char reason[256];
};

struct net_rig_options {
	uint32_t nr_queues; /* 0: 1 */
	uint32_t features, live_flags, headroom;
	bool unsplit, threads, uring;
	bool pool;         /* the transport has pools with references, as on Xen */
	struct port *port; /* of queue 0, instead of a loop port */
};

#define RIG_FEATURES                                                                     \
	(VIF_SG | VIF_GSO_TCPV4 | VIF_GSO_TCPV6 | VIF_CSUM_V4 | VIF_CSUM_V6 |            \
	 VIF_RX_NOTIFY)

/* The guest without a vif: memory, rings, grants. Then net_rig_connect(). */
struct net_rig *net_rig_new(const struct net_rig_options *o);
/* Make the ports and event sets for a connect: what fails from then on is the vif's. */
void net_rig_prepare(struct net_rig *r, const struct net_rig_options *o);
/* Prepare, unless done; 0 or what vif_open() says. */
int net_rig_connect(struct net_rig *r, const struct net_rig_options *o);
/* Both, with nothing going wrong. */
struct net_rig *net_rig_open(const struct net_rig_options *o);
/* Close the vif; how many pages, ports and sets it left behind. */
unsigned int net_rig_disconnect(struct net_rig *r);
/* net_rig_disconnect() and free; what it left behind. */
unsigned int net_rig_close(struct net_rig *r);

/* Run the queues until there is nothing to do; returns whether anything was. */
bool net_rig_run(struct net_rig *r);

/* A fragment layout for net_rig_send(): sizes, ended by 0; offset in the page of each. */
struct net_rig_send {
	const uint8_t *frame;
	uint32_t len;
	uint16_t flags; /* NETTXF_csum_blank, _data_validated */
	uint16_t first_offset;
	uint16_t first_size; /* 0: as much as the page takes */
	struct netif_extras extra;
};
/* Put a packet on the transmit ring and push. The number of slots, 0: no room. */
uint32_t net_rig_send(struct net_rig *r, uint32_t queue, const struct net_rig_send *s);
/* One raw slot (request or extra info) on the ring; not pushed. */
void net_rig_tx_slot(struct net_rig *r, uint32_t queue, const void *slot, size_t n);
/* Publish, notify if asked to. */
void net_rig_tx_push(struct net_rig *r, uint32_t queue);
/* The next transmit response. False: none. */
bool net_rig_tx_response(struct net_rig *r, uint32_t queue,
			 struct netif_tx_response *rsp);
/* Take all responses: how many had @status. */
uint32_t net_rig_tx_count(struct net_rig *r, uint32_t queue, int16_t status);

/* Post @n receive buffers, publish. */
void net_rig_post(struct net_rig *r, uint32_t queue, uint32_t n);
/* The next packet the guest gets, put together in @buf. False: none. */
bool net_rig_receive(struct net_rig *r, uint32_t queue, uint8_t *buf,
		     struct netif_rx_packet *p, uint32_t *len, enum netif_error *error);

/* A control request and its answer. */
struct xen_netif_ctrl_response net_rig_ctrl(struct net_rig *r, uint16_t type, uint32_t d0,
					    uint32_t d1, uint32_t d2);

/* ---- packets ---- */

struct net_packet {
	bool v6, udp;
	uint32_t vlan_tags, payload, ip_options; /* options: multiple of 4; v6: of 8 */
	uint8_t tcp_flags;
};
/* Build a packet with right checksums; its length. csum_at: offset of the checksum field.
 */
uint32_t net_packet_build(uint8_t *buf, const struct net_packet *p, uint32_t *l4,
			  uint32_t *csum_at);
/* The pseudo-header's sum (as in a packet to be finished by others), by the book. */
uint16_t net_packet_pseudo(const uint8_t *buf, const struct net_packet *p, uint32_t l4,
			   uint32_t len);
/* The Internet checksum, byte by byte as RFC 1071 says. */
uint16_t net_reference_sum(const uint8_t *p, uint32_t n);

#endif
