/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From the guest: packets off the transmit ring, out of granted pages, to the port.
 *
 * A burst is as many packets as the ring holds. Their slots are read once; one
 * grant copy brings all of their bytes into private pages, headers and data alike;
 * then the slots are answered, since the guest's pages are needed no longer; then
 * the packets go to the port, whole.
 */
#ifndef XYLEM_NETBACK_TX_H
#define XYLEM_NETBACK_TX_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "backends/common/transport.h"
#include "ring/netif.h"

struct queue;

#define TX_SLOTS 256u /* of the ring: one page */

/* A packet of the burst in hand. */
struct tx_packet {
	struct virtio_net_hdr_v1 hdr;
	int16_t status; /* NETIF_RSP_*, for its slots */
	uint16_t first; /* its first fragment in iov[], id[] and, when copied, seg[] */
	uint8_t nr_frags, nr_extras;
	uint8_t nr_iov; /* in iov[]: fragments that lie together are one */
	uint16_t flags; /* NETTXF_* */
	uint16_t gso_size;
	uint8_t gso_type;
	uint32_t len;
};

struct tx {
	struct ring_back ring;
	void *page;
	/*
	 * One page a slot of the ring is enough: a fragment, at most a page, is never
	 * laid across the end of a page, so a new page is begun at most once a slot.
	 */
	struct grants_pool pool;
	uint32_t pool_used; /* bytes */
	uint32_t nr_packets, sent, nr_frags, nr_segs;
	uint32_t idx;     /* ring index after the last slot of the burst */
	uint64_t wait_ns; /* a limit holds the next packet back for so long */
	bool blocked;     /* the port takes no more: wait until it is writable */
	uint32_t bursts;
	struct tx_packet packet[TX_SLOTS];
	struct iovec iov[TX_SLOTS];
	uint16_t id[TX_SLOTS];
	uint16_t seg_packet[TX_SLOTS]; /* which packet a segment is of */
	xengnttab_grant_copy_segment_t seg[TX_SLOTS];
};

/* Map the ring. 0 or -errno; tx_close() releases what was taken, in either case. */
int tx_open(struct queue *q, uint32_t ref);
void tx_close(struct queue *q);

/* One burst. True: something was done. Stops the queue when the frontend lies. */
bool tx_run(struct queue *q);

/* Before sleeping: ask for an event. True: there is work, do not sleep. */
bool tx_arm(struct queue *q);

#endif
