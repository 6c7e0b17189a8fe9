/* SPDX-License-Identifier: GPL-2.0-only */
/* From the guest to the port, see tx.h. */
#include "backends/netback/tx.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/netback/packet.h"
#include "backends/netback/queue.h"

#define TX_POOL_PAGES TX_SLOTS
/* A burst in so many has its time taken: reading the clock costs as much as a packet's
 * header. */
#define TX_SAMPLE 16u
/* The smallest segment a TCP peer may ask for: 48 bytes less the most options (40). */
#define GSO_SIZE_MIN 8u

int tx_open(struct queue *q, uint32_t ref)
{
	struct tx *tx = &q->tx;
	int err = queue_pool(q, &tx->pool, TX_POOL_PAGES);

	if (err)
		return err;
	tx->page = grants_map(q->grants, &ref, 1, PROT_READ | PROT_WRITE);
	if (!tx->page)
		return -errno;
	if (!ring_back_attach(&tx->ring, tx->page, 1, NETIF_TX_SLOT_SIZE))
		return -EPROTO;
	RING_ASSERT(tx->ring.size == TX_SLOTS);
	return 0;
}

void tx_close(struct queue *q)
{
	struct tx *tx = &q->tx;

	if (tx->page)
		grants_unmap(q->grants, tx->page, 1);
	tx->page = NULL;
	queue_pool_free(q, &tx->pool);
}

/*
 * @n bytes of the pool, within one page. What @more of the packet follows starts the
 * next page, mostly: so its first bytes, and what else is short of a page, are put
 * where their page ends, and the port gets the packet in one piece, or few.
 */
static uint8_t *pool_take(struct tx *tx, uint32_t n, bool first, bool more)
{
	uint32_t at = tx->pool_used, room;

	if (first)
		at = (at + 63) & ~63u; /* cache lines are not shared */
	room = XEN_PAGE_SIZE - at % XEN_PAGE_SIZE;
	if (n > room) {
		at += room;
		room = XEN_PAGE_SIZE;
	}
	if (more && (first || room == XEN_PAGE_SIZE))
		at += room - n;
	tx->pool_used = at + n;
	RING_ASSERT(at + n <= TX_POOL_PAGES * XEN_PAGE_SIZE);
	return (uint8_t *)tx->pool.addr + at;
}

/* Lengthen the packet's vector by @n bytes at @at. */
static void tx_add_iov(struct tx *tx, struct tx_packet *pk, uint8_t *at, uint32_t n)
{
	struct iovec *iov = &tx->iov[pk->first + pk->nr_iov];

	if (pk->nr_iov && (uint8_t *)iov[-1].iov_base + iov[-1].iov_len == at) {
		iov[-1].iov_len += n;
		return;
	}
	*iov = (struct iovec){at, n};
	pk->nr_iov++;
}

/* Lay out the packet's bytes in the pool and add what brings them there. */
static void tx_add_segments(struct queue *q, const struct netif_tx_packet *p)
{
	struct tx *tx = &q->tx;
	struct tx_packet *pk = &tx->packet[tx->nr_packets];
	xengnttab_grant_copy_segment_t *seg;
	uint32_t i;

	for (i = 0; i < p->nr_frags; i++) {
		const struct netif_frag *f = &p->frag[i];
		uint8_t *at = pool_take(tx, f->size, i == 0, i + 1 < p->nr_frags);

		tx_add_iov(tx, pk, at, f->size);
		tx->seg_packet[tx->nr_segs] = (uint16_t)tx->nr_packets;
		seg = &tx->seg[tx->nr_segs++];
		*seg = (xengnttab_grant_copy_segment_t){
			.source.foreign = {f->gref, f->offset,
					   (uint16_t)q->grants->domid},
			.len = f->size,
			.flags = GNTCOPY_source_gref,
		};
		queue_pool_side(&tx->pool, at, &seg->dest, &seg->flags,
				GNTCOPY_dest_gref);
	}
}

/* A change of the multicast list instead of a packet. */
static int16_t tx_mcast(struct queue *q, const struct netif_tx_packet *p)
{
	struct vif_config *c = vif_config_begin(q->vif);
	bool ok = true;

	if (p->extra.mcast_add)
		ok = mcast_add(&c->mcast, p->extra.mcast_add_addr);
	if (p->extra.mcast_del)
		mcast_del(&c->mcast, p->extra.mcast_del_addr);
	vif_config_end(q->vif);
	return ok ? NETIF_RSP_OKAY : NETIF_RSP_ERROR;
}

/* Whether the limits let the packet go now; otherwise it stays on the ring. */
static bool tx_allowed(struct queue *q, const struct netif_tx_packet *p)
{
	struct limit_bucket *limit = &q->limit[1];

	if (!limit_active(limit))
		return true;
	q->tx.wait_ns = limit_take(limit, p->size, 1, queue_now());
	if (!q->tx.wait_ns)
		return true;
	metric_add(q->metrics, METRIC_THROTTLED, 1);
	return false;
}

static void tx_add_packet(struct queue *q, const struct netif_tx_packet *p,
			  int16_t status)
{
	struct tx *tx = &q->tx;
	struct tx_packet *pk = &tx->packet[tx->nr_packets];
	uint32_t i;

	memset(&pk->hdr, 0, sizeof(pk->hdr));
	pk->status = status;
	pk->first = (uint16_t)tx->nr_frags;
	pk->nr_frags = p->nr_frags;
	pk->nr_iov = 0;
	pk->nr_extras = p->extra.count;
	pk->flags = p->flags;
	pk->gso_type = p->extra.gso_type;
	pk->gso_size = p->extra.gso_size;
	pk->len = p->size;
	for (i = 0; i < p->nr_frags; i++)
		tx->id[tx->nr_frags + i] = p->frag[i].id;
	if (status == NETIF_RSP_OKAY && !netif_tx_is_mcast(p))
		tx_add_segments(q, p);
	if (netif_tx_is_mcast(p))
		pk->len = 0; /* nothing to send */
	tx->nr_frags += p->nr_frags;
	tx->nr_packets++;
	tx->idx += p->nr_slots;
}

/* Read packets off the ring until it is empty or a limit says wait. False: fatal. */
static bool tx_fetch(struct queue *q, uint32_t avail)
{
	struct tx *tx = &q->tx;
	uint32_t end = tx->ring.req_cons + avail;
	struct netif_tx_packet p;
	enum netif_error error;
	int16_t status;

	tx->idx = tx->ring.req_cons;
	tx->wait_ns = 0;
	while (tx->idx != end) {
		error = netif_tx_parse(&tx->ring, tx->idx, end - tx->idx, &p);
		if (netif_error_fatal(error)) {
			queue_broken(q, "transmit ring: %s", netif_error_text(error));
			return false;
		}
		if (error)
			status = NETIF_RSP_ERROR;
		else if (netif_tx_is_mcast(&p))
			status = tx_mcast(q, &p);
		else if (!(q->config.live.flags & VIF_CARRIER))
			status = NETIF_RSP_DROPPED;
		else if (tx_allowed(q, &p))
			status = NETIF_RSP_OKAY;
		else
			break;
		tx_add_packet(q, &p, status);
	}
	return true;
}

/* One grant copy for the burst; a packet of which a part failed is refused. */
static void tx_copy(struct queue *q)
{
	struct tx *tx = &q->tx;
	uint64_t bytes = 0;
	uint32_t i;
	bool failed;

	if (!tx->nr_segs)
		return;
	failed = grants_copy(q->grants, tx->seg, tx->nr_segs) < 0;
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	metric_add(q->metrics, METRIC_GRANT_COPIES, tx->nr_segs);
	for (i = 0; i < tx->nr_segs; i++) {
		if (failed || tx->seg[i].status != GNTST_okay)
			tx->packet[tx->seg_packet[i]].status = NETIF_RSP_ERROR;
		else
			bytes += tx->seg[i].len;
	}
	metric_add(q->metrics, METRIC_COPIED_BYTES, bytes);
}

/*
 * The packet's headers, from its first piece where they mostly are whole, or
 * gathered into @buf. NULL when they are not all there or lie.
 */
static const uint8_t *tx_headers(const struct iovec *iov, uint32_t nr_iov, uint8_t *buf,
				 struct packet_headers *h)
{
	enum packet_result r = packet_parse(iov[0].iov_base, (uint32_t)iov[0].iov_len, h);
	uint32_t n = 0, i, part;

	if (r == PACKET_OK)
		return iov[0].iov_base;
	if (r == PACKET_BAD || nr_iov == 1)
		return NULL;
	for (i = 0; i < nr_iov && n < PACKET_HEADERS_MAX; i++) {
		part = (uint32_t)iov[i].iov_len;
		if (part > PACKET_HEADERS_MAX - n)
			part = PACKET_HEADERS_MAX - n;
		memcpy(buf + n, iov[i].iov_base, part);
		n += part;
	}
	return packet_parse(buf, n, h) == PACKET_OK ? buf : NULL;
}

/* Put the pseudo-header's sum where the checksum will be, as GSO needs it. */
static void tx_put_pseudo(const struct tx_packet *pk, const struct iovec *iov,
			  const uint8_t *headers, const struct packet_headers *h)
{
	uint16_t sum = packet_pseudo(headers, h, pk->len);
	uint8_t bytes[2];

	memcpy(bytes, &sum, 2);
	packet_put(iov, pk->nr_iov, packet_csum_field(h), bytes, 2);
}

static bool tx_gso(struct tx_packet *pk, const struct packet_headers *h)
{
	bool v4 = pk->gso_type == XEN_NETIF_GSO_TYPE_TCPV4;

	if (h->ip != (v4 ? 4 : 6) || h->proto != PACKET_PROTO_TCP || h->fragment ||
	    pk->gso_size < GSO_SIZE_MIN)
		return false;
	pk->hdr.gso_type = v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
	if (h->tcp_flags & 0x80) /* CWR: only the first segment has it */
		pk->hdr.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	pk->hdr.gso_size = pk->gso_size;
	return true;
}

/* Fill in the offload header from what the slots said and what the headers show. */
static bool tx_offload(struct tx *tx, struct tx_packet *pk)
{
	const struct iovec *iov = &tx->iov[pk->first];
	uint8_t buf[PACKET_HEADERS_MAX];
	const uint8_t *headers;
	struct packet_headers h;

	if (!(pk->flags & NETTXF_csum_blank) && !pk->gso_type) {
		if (pk->flags & NETTXF_data_validated)
			pk->hdr.flags = VIRTIO_NET_HDR_F_DATA_VALID;
		return true;
	}
	headers = tx_headers(iov, pk->nr_iov, buf, &h);
	if (!headers || !h.proto)
		return false;
	if (pk->gso_type && !tx_gso(pk, &h))
		return false;
	if (!(pk->flags & NETTXF_csum_blank)) {
		/* the checksum there is of the whole packet, not of a segment */
		if (h.routed)
			return false;
		tx_put_pseudo(pk, iov, headers, &h);
	}
	pk->hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	pk->hdr.csum_start = h.l4;
	pk->hdr.csum_offset = (uint16_t)(packet_csum_field(&h) - h.l4);
	pk->hdr.hdr_len = h.end;
	return true;
}

static void tx_respond(struct queue *q)
{
	struct tx *tx = &q->tx;
	uint32_t i, k;

	ring_back_consume(&tx->ring, tx->idx - tx->ring.req_cons);
	for (i = 0; i < tx->nr_packets; i++) {
		const struct tx_packet *pk = &tx->packet[i];

		if (pk->status < 0)
			metric_add(q->metrics, METRIC_ERRORS, 1);
		netif_tx_respond(&tx->ring, tx->id[pk->first], pk->status);
		for (k = 0; k < pk->nr_extras; k++)
			netif_tx_respond(&tx->ring, 0, NETIF_RSP_NULL);
		for (k = 1; k < pk->nr_frags; k++)
			netif_tx_respond(&tx->ring, tx->id[pk->first + k], pk->status);
	}
	/* every slot is answered in the burst that consumed it: see vif_proto.h */
	RING_ASSERT(ring_back_unanswered(&tx->ring) == 0);
	if (ring_back_push(&tx->ring))
		queue_notify(q, q->tx_port);
	atomic_store_explicit(&q->state->tx_req_cons, tx->ring.req_cons,
			      memory_order_relaxed);
	atomic_store_explicit(&q->state->tx_rsp_prod, tx->ring.rsp_prod_pvt,
			      memory_order_relaxed);
}

static int tx_send_one(struct queue *q, struct tx_packet *pk)
{
	struct tx *tx = &q->tx;
	struct iovec iov[1 + NETIF_FRAGS_MAX];

	iov[0].iov_base = &pk->hdr;
	iov[0].iov_len = sizeof(pk->hdr);
	memcpy(iov + 1, &tx->iov[pk->first], pk->nr_iov * sizeof(*iov));
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	return port_send(q->port, iov, 1u + pk->nr_iov);
}

/* Give the port what is left of the burst, until it takes no more. */
static void tx_send(struct queue *q)
{
	struct tx *tx = &q->tx;
	uint64_t ops = 0, bytes = 0, drops = 0;
	int err;

	tx->blocked = false;
	for (; tx->sent < tx->nr_packets; tx->sent++) {
		struct tx_packet *pk = &tx->packet[tx->sent];

		if (pk->status != NETIF_RSP_OKAY || !pk->len)
			continue;
		err = tx_send_one(q, pk);
		if (err == -EAGAIN) {
			tx->blocked = true;
			break;
		}
		if (err) {
			drops++;
			continue;
		}
		ops++;
		bytes += pk->len;
	}
	metric_add(q->metrics, METRIC_TX_OPS, ops);
	metric_add(q->metrics, METRIC_TX_BYTES, bytes);
	if (drops)
		metric_add(q->metrics, METRIC_DROPS, drops);
}

/* The packets of a copied burst: offload headers, answers, then off they go. */
static void tx_finish(struct queue *q)
{
	struct tx *tx = &q->tx;
	uint32_t i;

	for (i = 0; i < tx->nr_packets; i++) {
		struct tx_packet *pk = &tx->packet[i];

		if (pk->status == NETIF_RSP_OKAY && pk->len && !tx_offload(tx, pk))
			pk->status = NETIF_RSP_ERROR;
	}
	tx_respond(q);
	tx_send(q);
}

bool tx_run(struct queue *q)
{
	struct tx *tx = &q->tx;
	uint64_t start = 0;
	int32_t avail;

	if (tx->blocked) {
		tx_send(q);
		if (tx->blocked)
			return false;
	}
	avail = ring_back_requests(&tx->ring);
	if (avail == RING_OVERRUN) {
		queue_broken(q, "transmit ring: producer index out of range");
		return false;
	}
	tx->nr_packets = tx->nr_frags = tx->nr_segs = tx->sent = tx->pool_used = 0;
	if (!avail) {
		tx->wait_ns = 0; /* the frontend took back what a limit held */
		return false;
	}
	if (tx->bursts++ % TX_SAMPLE == 0)
		start = queue_now();
	if (!tx_fetch(q, (uint32_t)avail) || !tx->nr_packets)
		return false;
	metric_add(q->metrics, METRIC_BATCHES, 1);
	tx_copy(q);
	tx_finish(q);
	if (start)
		metrics_latency(q->metrics, queue_now() - start);
	return true;
}

bool tx_arm(struct queue *q)
{
	struct tx *tx = &q->tx;
	int32_t n;

	/* a timer or the port will wake us: an event would be for nothing */
	if (tx->blocked || tx->wait_ns) {
		ring_back_hold_events(&tx->ring);
		return false;
	}
	n = ring_back_final_check(&tx->ring, 1);
	if (n == RING_OVERRUN)
		queue_broken(q, "transmit ring: producer index out of range");
	return n != 0;
}
