/* SPDX-License-Identifier: GPL-2.0-only */
/* From the port to the guest, see rx.h. */
#include "backends/netback/rx.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/netback/queue.h"

#define RX_SAMPLE 16u
/* How long a packet waits for a guest that posts too few buffers, and tells nobody. */
#define RX_HOLD_NS        1000000000ull
#define RX_HOLD_SILENT_NS 20000000ull
#define RX_POLL_SILENT_NS 1000000ull
/* So many errors in a row, and the interface is taken for gone. */
#define RX_ERRORS_MAX 16u
/* Packets looked at a round, those dropped or handed to other queues included. */
#define RX_BUDGET (2 * RX_SLOTS)
/* While the link is down: packets thrown away a round. */
#define RX_DISCARD_MAX 64u

_Static_assert(PACKET_MAX + VIF_HEADROOM_MAX < (RX_PACKET_PAGES - 1) * XEN_PAGE_SIZE,
	       "the longest packet leaves a page, which catches longer ones");

int rx_open(struct queue *q, uint32_t ref)
{
	struct rx *rx = &q->rx;
	int err = queue_pool(q, &rx->pool, RX_POOL_PAGES);

	if (err)
		return err;
	rx->page = grants_map(q->grants, &ref, 1, PROT_READ | PROT_WRITE);
	if (!rx->page)
		return -errno;
	if (!ring_back_attach(&rx->ring, rx->page, 1, NETIF_RX_SLOT_SIZE))
		return -EPROTO;
	/* the ring's page holds more than we keep in a burst: see struct rx */
	RING_ASSERT(rx->ring.size <= RX_SLOTS);
	rx->ready = true;
	return 0;
}

void rx_close(struct queue *q)
{
	struct rx *rx = &q->rx;

	if (rx->page)
		grants_unmap(q->grants, rx->page, 1);
	rx->page = NULL;
	queue_pool_free(q, &rx->pool);
}

static uint8_t *rx_page(const struct rx *rx, uint32_t n)
{
	return (uint8_t *)rx->pool.addr + (size_t)(n % RX_POOL_PAGES) * XEN_PAGE_SIZE;
}

/*
 * The pages from @first on as a vector for @len bytes behind @headroom: one piece, or
 * two where the pool wraps.
 */
static uint32_t rx_vector(const struct rx *rx, uint32_t first, uint32_t headroom,
			  uint32_t len, struct iovec iov[2])
{
	uint32_t page = first % RX_POOL_PAGES, n = 1;
	uint32_t part = (RX_POOL_PAGES - page) * XEN_PAGE_SIZE - headroom;

	if (len > part) {
		iov[1] = (struct iovec){rx_page(rx, 0), len - part};
		len = part;
		n = 2;
	}
	iov[0] = (struct iovec){rx_page(rx, page) + headroom, len};
	return n;
}

/*
 * One packet into the pool: one that another queue steered here, or else from the
 * port. Its length, -EAGAIN or -errno.
 */
static int rx_receive(struct queue *q, uint32_t headroom, bool *steered)
{
	struct rx *rx = &q->rx;
	uint32_t max = RX_PACKET_PAGES * XEN_PAGE_SIZE - headroom, n;
	struct iovec iov[1 + 2];
	int len;

	iov[0].iov_base = &rx->hdr;
	iov[0].iov_len = sizeof(rx->hdr);
	n = rx_vector(rx, rx->next, headroom, max, iov + 1);
	*steered = steer_waiting(&q->inbox);
	if (*steered)
		return steer_take(&q->inbox, &rx->hdr, iov + 1, n);
	if (!rx->ready)
		return -EAGAIN;
	len = port_receive(q->port, iov, 1 + n);
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	if (len >= 0) {
		rx->errors = 0;
		coalesce_packet(&rx->coalesce, (uint32_t)len);
		return len - (int)sizeof(rx->hdr);
	}
	rx->ready = len != -EAGAIN;
	if (len != -EAGAIN && ++rx->errors >= RX_ERRORS_MAX)
		queue_broken(q, "the host's interface: %s", strerror(-len));
	return len;
}

/* ---- what the packet is ---- */

/* Whether the frontend fills in checksums of such packets itself. */
static bool rx_takes_csum(const struct queue *q, const struct packet_headers *h)
{
	if (!h->proto || h->fragment)
		return false;
	return q->vif->features & (h->ip == 4 ? VIF_CSUM_V4 : VIF_CSUM_V6);
}

/*
 * The checksum is not filled in. The ring can say so only for the TCP or UDP
 * header that the frontend finds by itself; any other is computed here. False: it
 * cannot be.
 */
static bool rx_checksum(struct queue *q, struct rx_packet *p,
			const struct packet_headers *h)
{
	const struct virtio_net_hdr_v1 *hdr = &q->rx.hdr;
	struct iovec iov[2];
	uint32_t n;

	if (rx_takes_csum(q, h) && hdr->csum_start == h->l4 &&
	    hdr->csum_start + hdr->csum_offset == packet_csum_field(h)) {
		p->flags = NETRXF_csum_blank | NETRXF_data_validated;
		return true;
	}
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	n = rx_vector(&q->rx, p->first, p->headroom, p->len, iov);
	if (hdr->csum_start >= p->len ||
	    !packet_checksum(iov, n, hdr->csum_start, hdr->csum_offset))
		return false;
	p->flags = NETRXF_data_validated;
	return true;
}

/* A packet longer than the MTU, as far as the frontend accepts such. */
static bool rx_gso(const struct queue *q, struct rx_packet *p)
{
	const struct virtio_net_hdr_v1 *hdr = &q->rx.hdr;
	uint32_t need;

	switch (hdr->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
	case VIRTIO_NET_HDR_GSO_TCPV4:
		p->extra.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
		need = VIF_SG | VIF_GSO_TCPV4;
		break;
	case VIRTIO_NET_HDR_GSO_TCPV6:
		p->extra.gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
		need = VIF_SG | VIF_GSO_TCPV6;
		break;
	default:
		return false;
	}
	p->extra.gso_size = hdr->gso_size;
	return hdr->gso_size && (q->vif->features & need) == need &&
	       p->flags & NETRXF_csum_blank;
}

/* Fill in @p for the packet just read. False: it cannot go to this guest. */
static bool rx_classify(struct queue *q, struct rx_packet *p)
{
	const struct virtio_net_hdr_v1 *hdr = &q->rx.hdr;
	const uint8_t *start = rx_page(&q->rx, p->first) + p->headroom;
	uint32_t contiguous = XEN_PAGE_SIZE - p->headroom;
	struct packet_headers h = {0};
	struct hash_value hash;

	if (p->len < PACKET_ETH_LEN || p->len > PACKET_MAX)
		return false;
	if (q->config.live.flags & VIF_MCAST_CONTROL &&
	    !mcast_pass(&q->config.mcast, start))
		return false;
	p->flags = hdr->flags & VIRTIO_NET_HDR_F_DATA_VALID ? NETRXF_data_validated : 0;
	p->extra = (struct netif_extras){0};
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM || hash_active(&q->config.hash)) {
		if (packet_parse(start, p->len < contiguous ? p->len : contiguous, &h) !=
		    PACKET_OK)
			h = (struct packet_headers){0};
		if (hash_active(&q->config.hash) &&
		    hash_packet(&q->config.hash, start, &h, &hash)) {
			p->extra.has_hash = true;
			p->extra.hash_type = hash.type;
			p->extra.hash_algorithm = (uint8_t)q->config.hash.algorithm;
			p->extra.hash = hash.value;
		}
	}
	if (hdr->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM && !rx_checksum(q, p, &h))
		return false;
	if (hdr->gso_type != VIRTIO_NET_HDR_GSO_NONE && !rx_gso(q, p))
		return false;
	p->nr_frags =
		(uint8_t)((p->headroom + p->len + XEN_PAGE_SIZE - 1) / XEN_PAGE_SIZE);
	p->nr_slots = (uint8_t)netif_rx_slots(p->nr_frags, &p->extra);
	return p->nr_frags == 1 || q->vif->features & VIF_SG;
}

/* ---- giving packets to the guest ---- */

/* Take the requests for @p and add the copies that fill their buffers. */
static void rx_place(struct queue *q, struct rx_packet *p)
{
	struct rx *rx = &q->rx;
	struct netif_rx_request req;
	xengnttab_grant_copy_segment_t *seg;
	uint32_t extras = p->nr_slots - p->nr_frags, offset = p->headroom, len = p->len;
	uint32_t i, part;

	p->seg = (uint16_t)rx->nr_segs;
	for (i = 0; i < p->nr_frags; i++) {
		part = len < XEN_PAGE_SIZE - offset ? len : XEN_PAGE_SIZE - offset;
		netif_rx_fetch(&rx->ring, rx->ring.req_cons + netif_rx_slot_of(i, extras),
			       &req);
		p->id[i] = req.id;
		seg = &rx->seg[rx->nr_segs++];
		*seg = (xengnttab_grant_copy_segment_t){
			.dest.foreign = {req.gref, (uint16_t)offset,
					 (uint16_t)q->grants->domid},
			.len = (uint16_t)part,
			.flags = GNTCOPY_dest_gref,
		};
		queue_pool_side(&rx->pool, rx_page(rx, p->first + i) + offset,
				&seg->source, &seg->flags, GNTCOPY_source_gref);
		len -= part;
		offset = 0;
	}
	ring_back_consume(&rx->ring, p->nr_slots);
}

/* The responses of one packet, each fragment with what became of its copy. */
static bool rx_respond(struct queue *q, const struct rx_packet *p, bool failed)
{
	struct rx *rx = &q->rx;
	struct netif_rx_packet out = {
		.flags = p->flags, .nr_frags = p->nr_frags, .extra = p->extra};
	bool ok = true;
	uint32_t i;

	for (i = 0; i < p->nr_frags; i++) {
		const xengnttab_grant_copy_segment_t *seg = &rx->seg[p->seg + i];

		out.frag[i].id = p->id[i];
		out.frag[i].offset = seg->dest.foreign.offset;
		out.frag[i].status = (int16_t)seg->len;
		if (failed || seg->status != GNTST_okay) {
			out.frag[i].status = NETIF_RSP_ERROR;
			ok = false;
		}
	}
	netif_rx_produce(&rx->ring, &out);
	return ok;
}

/* Copy the burst into the guest's pages and tell it. */
static void rx_flush(struct queue *q)
{
	struct rx *rx = &q->rx;
	uint64_t bytes = 0, ops = 0;
	bool failed;
	uint32_t i;

	failed = grants_copy(q->grants, rx->seg, rx->nr_segs) < 0;
	for (i = 0; i < rx->nr_packets; i++) {
		if (rx_respond(q, &rx->packet[i], failed)) {
			ops++;
			bytes += rx->packet[i].len;
		} else {
			metric_add(q->metrics, METRIC_ERRORS, 1);
		}
	}
	RING_ASSERT(ring_back_unanswered(&rx->ring) == 0);
	if (ring_back_push(&rx->ring))
		queue_notify(q, q->rx_port);
	atomic_store_explicit(&q->state->rx_req_cons, rx->ring.req_cons,
			      memory_order_relaxed);
	atomic_store_explicit(&q->state->rx_rsp_prod, rx->ring.rsp_prod_pvt,
			      memory_order_relaxed);
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	metric_add(q->metrics, METRIC_BATCHES, 1);
	metric_add(q->metrics, METRIC_GRANT_COPIES, rx->nr_segs);
	metric_add(q->metrics, METRIC_COPIED_BYTES, bytes);
	metric_add(q->metrics, METRIC_RX_OPS, ops);
	metric_add(q->metrics, METRIC_RX_BYTES, bytes);
}

/*
 * When the frontend's mapping wants the packet on another queue: hand it over, or
 * lose it. A packet is handed over once, even if the mapping changes meanwhile.
 */
static bool rx_steer(struct queue *q, const struct rx_packet *p)
{
	struct iovec iov[2];
	struct queue *to;
	uint32_t n;

	if (!p->extra.has_hash || q->vif->nr_queues == 1)
		return false;
	to = q->vif->queue[hash_queue(&q->config.hash, p->extra.hash, q->vif->nr_queues)];
	if (to == q)
		return false;
	n = rx_vector(&q->rx, p->first, p->headroom, p->len, iov);
	switch (steer_put(&to->inbox, &q->rx.hdr, iov, n, p->len)) {
	case STEER_FIRST:
		queue_kick(to);
		metric_add(q->metrics, METRIC_SYSCALLS, 1);
		break;
	case STEER_FULL:
		metric_add(q->metrics, METRIC_DROPS, 1);
		break;
	case STEER_PUT:
		break;
	}
	return true;
}

/*
 * The next packet, into @p, from the port or another queue. Those that cannot go to the
 * guest are dropped here. False: none.
 */
static bool rx_next(struct queue *q, struct rx_packet *p, uint32_t *budget)
{
	struct rx *rx = &q->rx;
	bool steered;
	int len;

	while (*budget && !q->broken) {
		p->headroom = (uint16_t)q->config.live.rx_headroom;
		len = rx_receive(q, p->headroom, &steered);
		if (len == -EAGAIN)
			return false;
		(*budget)--;
		p->len = (uint32_t)len;
		p->first = rx->next;
		if (len < 0 || !rx_classify(q, p)) {
			metric_add(q->metrics, METRIC_DROPS, 1);
			continue;
		}
		if (!steered && rx_steer(q, p))
			continue;
		rx->next += p->nr_frags;
		return true;
	}
	return false;
}

/* The limits, asked once a packet. */
static bool rx_allowed(struct queue *q, const struct rx_packet *p)
{
	struct limit_bucket *limit = &q->limit[0];

	q->rx.throttled = false;
	if (!limit_active(limit))
		return true;
	q->rx.wait_ns = limit_take(limit, p->len, 1, queue_now());
	if (!q->rx.wait_ns)
		return true;
	q->rx.throttled = true;
	metric_add(q->metrics, METRIC_THROTTLED, 1);
	return false;
}

/* Keep @p until there are buffers, or until the limits let it pass. */
static void rx_hold(struct rx *rx, const struct rx_packet *p)
{
	rx->held = *p;
	rx->held_since = queue_now();
	rx->holding = true;
}

/* The guest has too few buffers for the packet held: give it up when it has waited
 * enough. */
static void rx_expire(struct queue *q)
{
	struct rx *rx = &q->rx;
	uint64_t most = q->vif->features & VIF_RX_NOTIFY ? RX_HOLD_NS : RX_HOLD_SILENT_NS;

	if (!rx->holding || !rx->starved || queue_now() - rx->held_since < most)
		return;
	rx->holding = false;
	metric_add(q->metrics, METRIC_DROPS, 1);
}

/* Gather a burst for at most @avail requests. True: the port or the inbox gave something.
 */
static bool rx_gather(struct queue *q, uint32_t avail)
{
	struct rx *rx = &q->rx;
	bool silent = !(q->vif->features & VIF_RX_NOTIFY);
	uint32_t budget = RX_BUDGET;

	rx->starved = false;
	while (rx->nr_packets < RX_SLOTS) {
		struct rx_packet *p = &rx->packet[rx->nr_packets];
		bool was_held = rx->holding;

		/* a frontend that tells us of new buffers is waited for; another one is
		 * tried */
		if (!avail && !was_held && !silent) {
			rx->starved = true;
			break;
		}
		if (was_held)
			*p = rx->held;
		else if (!rx_next(q, p, &budget))
			break;
		if (p->nr_slots > avail)
			rx->starved = true;
		/* the limits come last: what they let pass goes at once */
		if (rx->starved || !rx_allowed(q, p)) {
			if (!was_held)
				rx_hold(rx, p);
			break;
		}
		rx->holding = false;
		rx_place(q, p);
		avail -= p->nr_slots;
		rx->nr_packets++;
	}
	return budget != RX_BUDGET;
}

/* The link is down: what arrives is lost. */
static bool rx_discard(struct queue *q)
{
	struct rx *rx = &q->rx;
	bool steered;
	uint32_t n;

	if (rx->holding)
		metric_add(q->metrics, METRIC_DROPS, 1);
	rx->holding = rx->starved = rx->throttled = false;
	for (n = 0; n < RX_DISCARD_MAX && !q->broken; n++) {
		if (rx_receive(q, 0, &steered) == -EAGAIN)
			break;
		metric_add(q->metrics, METRIC_DROPS, 1);
	}
	return n > 0;
}

bool rx_run(struct queue *q)
{
	struct rx *rx = &q->rx;
	uint64_t start = 0;
	int32_t avail;
	bool taken;

	if (!(q->config.live.flags & VIF_CARRIER))
		return rx_discard(q);
	if (!rx->ready && !rx->holding && !steer_waiting(&q->inbox)) {
		/* nothing wants buffers any more: back to watching the port */
		rx->starved = false;
		return false;
	}
	avail = ring_back_requests(&rx->ring);
	if (avail == RING_OVERRUN) {
		queue_broken(q, "receive ring: producer index out of range");
		return false;
	}
	if (rx->bursts++ % RX_SAMPLE == 0)
		start = queue_now();
	/* the pool is free from here on, but for the packet held */
	rx->next = rx->holding ? (rx->held.first + rx->held.nr_frags) % RX_POOL_PAGES : 0;
	rx->nr_packets = rx->nr_segs = 0;
	taken = rx_gather(q, (uint32_t)avail);
	rx_expire(q);
	if (!rx->nr_packets || q->broken)
		return taken;
	rx_flush(q);
	if (start)
		metrics_latency(q->metrics, queue_now() - start);
	return true;
}

bool rx_arm(struct queue *q)
{
	struct rx *rx = &q->rx;
	uint32_t need = rx->holding ? rx->held.nr_slots : 1;
	int32_t n;

	if (!rx->starved) {
		ring_back_hold_events(&rx->ring);
		return false;
	}
	n = ring_back_final_check(&rx->ring, need);
	if (n == RING_OVERRUN)
		queue_broken(q, "receive ring: producer index out of range");
	return n == RING_OVERRUN || (uint32_t)n >= need;
}

bool rx_wants_port(const struct queue *q)
{
	return !q->rx.holding && !q->rx.starved;
}

uint64_t rx_timeout(const struct queue *q)
{
	const struct rx *rx = &q->rx;

	if (rx->holding && rx->starved)
		return q->vif->features & VIF_RX_NOTIFY ? RX_HOLD_NS : RX_POLL_SILENT_NS;
	return rx->holding && rx->throttled ? rx->wait_ns : UINT64_MAX;
}
