/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A network front end (xen/io/netif.h) for any operating system: several queues,
 * scatter-gather, GSO and checksum offload both ways, extra info, multicast
 * control, the control ring, one or two event channels a queue.
 *
 * Order of calls: netfront_init() once the backend is in InitWait; then for each
 * queue, from one thread at a time, netfront_send() ... netfront_push(),
 * netfront_poll(); netfront_close() in the end. No backend is trusted: what it
 * writes is copied once and checked.
 */
#ifndef XYLEM_NETFRONT_H
#define XYLEM_NETFRONT_H

#include "frontends/os.h"
#include "ring/ctrl.h"
#include "ring/netif.h"

#define NETFRONT_QUEUES_MAX 64u
#define NETFRONT_NONE       UINT32_MAX

struct netfront_config {
	unsigned int queues; /* at most; 0: 1 */
	unsigned int
		rx_buffers; /* pages posted to receive into, a queue; 0: the whole ring */
	bool split_events;  /* an event channel each for tx and rx, if offered */
	bool no_sg;         /* do not say feature-sg: packets of one page only */
	bool no_gso, no_gso6;   /* do not accept GSO packets */
	bool no_csum, csum6;    /* do not accept blank IPv4 checksums; accept IPv6 ones */
	bool multicast_control; /* request-multicast-control, if offered */
	bool ctrl_ring;         /* if offered */
	unsigned int
		headroom; /* "xdp-headroom": bytes kept free before a received packet */
};

/* A piece of a packet, within one page. */
struct netfront_seg {
	void *data;
	uint32_t len;
	uint32_t gref; /* already granted by the caller, who also ends it; 0: grant it */
};

/* A packet to send; the caller's memory (and @seg's), in place until done(). */
struct netfront_packet {
	const struct netfront_seg *seg;
	unsigned int nr_segs; /* at most NETIF_FRAGS_MAX; the first at least 14 bytes */
	bool csum_blank;      /* the backend fills the checksum in */
	bool data_validated;
	uint8_t gso_type; /* XEN_NETIF_GSO_TYPE_*, 0: none; needs csum_blank */
	uint16_t gso_size;
	bool has_hash;
	uint8_t hash_type; /* _XEN_NETIF_CTRL_HASH_TYPE_* */
	uint32_t hash;
	void (*done)(struct netfront_packet *p); /* may send again */
	void *priv;
	/* set before done() */
	int16_t status;    /* NETIF_RSP_*: the worst of the fragments' */
	bool still_mapped; /* the backend kept a page: it must not be used again */
	/* the front end's */
	uint32_t pending;
};

/* A received packet, valid until the callback returns. */
struct netfront_received {
	unsigned int nr_frags;
	struct {
		const uint8_t
			*data; /* shared memory: a hostile backend may still change it */
		uint32_t len;
	} frag[NETIF_FRAGS_MAX];
	uint32_t size; /* of all fragments */
	bool csum_blank, data_validated;
	struct netif_extras extra; /* gso and hash */
};

/* A transmit slot with an id. */
struct netfront_tx_slot {
	struct netfront_packet *packet; /* NULL: free */
	uint32_t ref;                   /* to end, or 0 */
	uint32_t next;
};

struct netfront_queue {
	struct netfront *nf;
	bool broken;
	enum netif_error why; /* with broken, when a packet was the reason */
	/* transmit */
	struct ring_front tx;
	void *tx_page;
	uint32_t tx_ref, tx_port;
	struct netfront_tx_slot *tx_slot;
	uint32_t tx_free, tx_slots_free, tx_in_flight;
	/* receive: buffer i belongs to slot i, always */
	struct ring_front rx;
	void *rx_page;
	uint32_t rx_ref, rx_port; /* the same port when events are not split */
	uint8_t *rx_buffers;
	uint32_t *rx_gref;
	uint32_t rx_posted; /* how many to keep posted */
	uint64_t rx_errors, rx_dropped;
};

struct netfront {
	struct front_os *os;
	struct netfront_config cfg; /* as agreed on */
	unsigned int nr_queues;
	struct netfront_queue *queue;
	/* called by netfront_poll() for each packet; set before it */
	void (*receive)(struct netfront_queue *q, const struct netfront_received *p);
	void *priv;
	/* what the backend takes */
	bool sg, gso, gso6, csum6, rx_copy;
	/* control ring */
	struct ring_front ctrl;
	void *ctrl_page, *ctrl_data; /* ring; the page whose grant carries tables */
	uint32_t ctrl_ref, ctrl_data_ref, ctrl_port;
	uint16_t ctrl_id;
	bool ctrl_busy, ctrl_broken;
};

/*
 * Read what the backend offers, make the rings, post the receive buffers, publish
 * and enter Connected (as network front ends do). All is given back on an error.
 */
int netfront_init(struct netfront *nf, struct front_os *os,
		  const struct netfront_config *cfg);

/* Whether the backend says that the link is up. Without its node it is. */
bool netfront_carrier(struct netfront *nf);

/*
 * Put a packet on the ring; the backend sees it after netfront_push(). FRONT_FULL:
 * too few slots; FRONT_INVALID: more or odd pieces; FRONT_UNSUPPORTED: the backend
 * lacks sg or GSO; FRONT_NOMEM; FRONT_BROKEN. Then done() will not be called.
 */
int netfront_send(struct netfront_queue *q, struct netfront_packet *p);

/*
 * Add or take @addr off the backend's multicast filter: a request without data.
 * @p is the caller's memory until p->done().
 */
int netfront_multicast(struct netfront_queue *q, struct netfront_packet *p,
		       const uint8_t addr[6], bool add);

/* Let the backend see sent packets and posted buffers; notifies it where it asks. */
void netfront_push(struct netfront_queue *q);

/*
 * Complete sent packets, hand received ones to nf->receive(), post the buffers
 * again (without pushing them). How many of both, or FRONT_BROKEN.
 */
int netfront_poll(struct netfront_queue *q);

/* Before sleeping: true when nothing waits and an event will come. */
bool netfront_may_sleep(struct netfront_queue *q);

/* As blkfront_close(). */
int netfront_close(struct netfront *nf);

int netfront_put_state(struct netfront *nf, unsigned int state);

/* ---- the control ring: one request at a time ---- */

/*
 * Send @type with the words @data. For a type that takes a table (key, mapping)
 * @table of @bytes is copied to the page whose grant goes into the right word.
 * FRONT_OK: ask netfront_ctrl_poll() for the answer; FRONT_FULL: one is under way.
 */
int netfront_ctrl_send(struct netfront *nf, uint16_t type, const uint32_t data[3],
		       const void *table, size_t bytes);

/* 1: answered, with @status and @data; 0: not yet; FRONT_BROKEN. */
int netfront_ctrl_poll(struct netfront *nf, uint32_t *status, uint32_t *data);

#endif
