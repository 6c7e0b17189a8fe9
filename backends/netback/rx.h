/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * To the guest: packets from the port into pages that the guest posted on the
 * receive ring.
 *
 * A burst is read from the port until it is empty or the guest's buffers are used
 * up; one grant copy moves all of it; one push and at most one event tell the
 * guest. A packet lies in private pages exactly as it will in the guest's: a page
 * a buffer, with the headroom before the first byte, so that no segment crosses
 * a page on either side.
 */
#ifndef XYLEM_NETBACK_RX_H
#define XYLEM_NETBACK_RX_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/common/transport.h"
#include "backends/netback/coalesce.h"
#include "backends/netback/packet.h"
#include "ring/netif.h"

struct queue;

#define RX_SLOTS 256u /* of the ring: one page */
/* Pages of the longest packet behind the largest headroom; the last one catches longer
 * ones. */
#define RX_PACKET_PAGES 18u
/* A burst of one-slot packets, one more packet being read, and one that waits. */
#define RX_POOL_PAGES (RX_SLOTS + 2 * RX_PACKET_PAGES)

/* A packet in the pool, ready to be given to the guest. */
struct rx_packet {
	uint32_t len;
	uint32_t first;    /* page of the pool */
	uint16_t headroom; /* free bytes in its first page */
	uint16_t flags;    /* NETRXF_* */
	struct netif_extras extra;
	uint8_t nr_frags, nr_slots;
	uint16_t seg;                 /* its first segment, when placed */
	uint16_t id[RX_PACKET_PAGES]; /* of the requests with a buffer */
};

struct rx {
	struct ring_back ring;
	void *page;
	struct grants_pool pool;
	uint32_t next; /* page of the pool to read into; wraps */
	uint32_t nr_packets, nr_segs;
	bool ready; /* the port may have a packet: it was readable, and not empty since */
	bool holding;   /* held is a packet that could not be placed */
	bool starved;   /* no buffers (or not enough of them for held) */
	bool throttled; /* a limit holds held back for wait_ns */
	uint64_t wait_ns, held_since;
	uint32_t bursts, errors;
	struct coalesce coalesce;
	struct virtio_net_hdr_v1 hdr; /* of the packet being read */
	struct rx_packet held;
	struct rx_packet packet[RX_SLOTS];
	xengnttab_grant_copy_segment_t seg[RX_SLOTS];
};

/* Map the ring. 0 or -errno; rx_close() releases what was taken, in either case. */
int rx_open(struct queue *q, uint32_t ref);
void rx_close(struct queue *q);

/* One burst. True: something was done. */
bool rx_run(struct queue *q);

/* Before sleeping: ask for an event when buffers are wanted. True: do not sleep. */
bool rx_arm(struct queue *q);

/* Whether to sleep on the port being readable. */
bool rx_wants_port(const struct queue *q);

/* How long to sleep at most for rx's sake, ns; UINT64_MAX: any time. */
uint64_t rx_timeout(const struct queue *q);

#endif
