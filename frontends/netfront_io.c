/* SPDX-License-Identifier: BSD-2-Clause */
/* Network front end: packets to and from the rings, and the control ring. */
#include "frontends/netfront.h"

static uint32_t offset_in_page(const void *p)
{
	return (uint32_t)((uintptr_t)p & (FRONT_PAGE_SIZE - 1));
}

/* ---- transmit ---- */

static int check_packet(const struct netfront_queue *q, const struct netfront_packet *p)
{
	const struct netfront *nf = q->nf;
	uint32_t size = 0;

	if (p->nr_segs == 0 || p->nr_segs > NETIF_FRAGS_MAX)
		return FRONT_INVALID;
	for (unsigned int i = 0; i < p->nr_segs; i++) {
		const struct netfront_seg *s = &p->seg[i];

		if (s->len == 0 ||
		    offset_in_page(s->data) + (uint64_t)s->len > FRONT_PAGE_SIZE)
			return FRONT_INVALID;
		size += s->len;
	}
	if (p->seg[0].len < NETIF_ETH_HLEN || size > XEN_NETIF_MAX_TX_SIZE)
		return FRONT_INVALID;
	if (p->gso_type && (!p->csum_blank || !p->gso_size))
		return FRONT_INVALID;
	if (p->nr_segs > 1 && !nf->sg)
		return FRONT_UNSUPPORTED;
	if ((p->gso_type == XEN_NETIF_GSO_TYPE_TCPV4 && !nf->gso) ||
	    (p->gso_type == XEN_NETIF_GSO_TYPE_TCPV6 && !nf->gso6))
		return FRONT_UNSUPPORTED;
	return p->gso_type <= XEN_NETIF_GSO_TYPE_TCPV6 ? FRONT_OK : FRONT_INVALID;
}

/* An id for one slot of @p, to be given back with put_id(). There must be one. */
static uint16_t take_id(struct netfront_queue *q, struct netfront_packet *p, uint32_t ref)
{
	uint32_t id = q->tx_free;
	struct netfront_tx_slot *s = &q->tx_slot[id];

	q->tx_free = s->next;
	q->tx_slots_free--;
	s->packet = p;
	s->ref = ref;
	return (uint16_t)id;
}

/* False: its grant could not be ended. */
static bool put_id(struct netfront_queue *q, uint32_t id)
{
	struct netfront_tx_slot *s = &q->tx_slot[id];
	struct front_os *os = q->nf->os;
	bool ended = !s->ref || os->ops->grant_end(os, s->ref) == FRONT_OK;

	s->ref = 0;
	s->packet = NULL;
	s->next = q->tx_free;
	q->tx_free = id;
	q->tx_slots_free++;
	return ended;
}

/* Grant the pieces of @p and give them ids. False: out of grants, nothing taken. */
static bool prepare(struct netfront_queue *q, struct netfront_packet *p,
		    struct netif_tx_packet *out)
{
	struct front_os *os = q->nf->os;

	for (unsigned int i = 0; i < p->nr_segs; i++) {
		const struct netfront_seg *s = &p->seg[i];
		uint32_t at = offset_in_page(s->data), ref = s->gref;

		if (!ref)
			ref = os->ops->grant(os, (uint8_t *)s->data - at, true);
		if (!ref) {
			while (i-- > 0)
				put_id(q, out->frag[i].id);
			return false;
		}
		out->frag[i] = (struct netif_frag){
			.gref = ref,
			.offset = (uint16_t)at,
			.size = (uint16_t)s->len,
			.id = take_id(q, p, s->gref ? 0 : ref),
		};
	}
	out->nr_frags = (uint8_t)p->nr_segs;
	return true;
}

static bool room_for(const struct netfront_queue *q, uint32_t frags,
		     const struct netif_extras *x)
{
	return ring_front_free(&q->tx) >= netif_tx_slots(frags, x) &&
	       q->tx_slots_free >= frags;
}

static void produce(struct netfront_queue *q, struct netfront_packet *p,
		    struct netif_tx_packet *out)
{
	p->pending = out->nr_frags;
	p->status = NETIF_RSP_OKAY;
	p->still_mapped = false;
	q->tx_in_flight++;
	netif_tx_produce(&q->tx, out);
}

int netfront_send(struct netfront_queue *q, struct netfront_packet *p)
{
	struct netif_tx_packet out;
	int err;

	if (q->broken)
		return FRONT_BROKEN;
	err = check_packet(q, p);
	if (err != FRONT_OK)
		return err;
	out.flags = (uint16_t)((p->csum_blank ? NETTXF_csum_blank | NETTXF_data_validated
					      : 0) |
			       (p->data_validated ? NETTXF_data_validated : 0));
	out.extra = (struct netif_extras){
		.gso_type = p->gso_type,
		.gso_size = p->gso_size,
		.has_hash = p->has_hash,
		.hash_type = p->hash_type,
		.hash_algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ,
		.hash = p->hash,
	};
	if (!room_for(q, p->nr_segs, &out.extra))
		return FRONT_FULL;
	if (!prepare(q, p, &out))
		return FRONT_NOMEM;
	produce(q, p, &out);
	return FRONT_OK;
}

int netfront_multicast(struct netfront_queue *q, struct netfront_packet *p,
		       const uint8_t addr[6], bool add)
{
	struct netif_tx_packet out = {.nr_frags = 1};

	if (q->broken)
		return FRONT_BROKEN;
	if (!q->nf->cfg.multicast_control)
		return FRONT_UNSUPPORTED;
	out.extra.mcast_add = add;
	out.extra.mcast_del = !add;
	__builtin_memcpy(add ? out.extra.mcast_add_addr : out.extra.mcast_del_addr, addr,
			 6);
	if (!room_for(q, 1, &out.extra))
		return FRONT_FULL;
	out.frag[0].id = take_id(q, p, 0);
	produce(q, p, &out);
	return FRONT_OK;
}

/*
 * One transmit response; false: it answers nothing that is in flight. The last of a
 * packet's completes it and counts in *@packets.
 */
static bool complete_tx(struct netfront_queue *q, const struct netif_tx_response *rsp,
			int *packets)
{
	struct netfront_packet *p;

	if (rsp->status == NETIF_RSP_NULL)
		return true;
	if (rsp->id >= q->tx.size || !q->tx_slot[rsp->id].packet)
		return false;
	p = q->tx_slot[rsp->id].packet;
	if (!put_id(q, rsp->id))
		p->still_mapped = true;
	if (rsp->status < p->status)
		p->status = rsp->status;
	if (--p->pending == 0) {
		q->tx_in_flight--;
		++*packets;
		p->done(p);
	}
	return true;
}

static int poll_tx(struct netfront_queue *q)
{
	int32_t n = ring_front_responses(&q->tx);
	int packets = 0;

	q->broken |= n < 0;
	for (; n > 0 && !q->broken; n--) {
		struct netif_tx_response rsp;

		netif_tx_fetch_response(&q->tx, q->tx.rsp_cons, &rsp);
		ring_front_consume(&q->tx, 1);
		q->broken = !complete_tx(q, &rsp, &packets);
	}
	return q->broken ? FRONT_BROKEN : packets;
}

/* ---- receive ---- */

static void deliver(struct netfront_queue *q, const struct netif_rx_packet *in)
{
	struct netfront_received p = {
		.nr_frags = in->nr_frags,
		.csum_blank = in->flags & NETRXF_csum_blank,
		.data_validated = in->flags & NETRXF_data_validated,
		.extra = in->extra,
	};

	for (uint32_t i = 0; i < in->nr_frags; i++) {
		uint32_t idx = q->rx.rsp_cons + netif_rx_slot_of(i, in->extra.count);

		p.frag[i].data = q->rx_buffers +
				 (size_t)(idx & (q->rx.size - 1)) * FRONT_PAGE_SIZE +
				 in->frag[i].offset;
		p.frag[i].len = (uint32_t)in->frag[i].status;
		p.size += p.frag[i].len;
	}
	q->nf->receive(q, &p);
}

/* Post buffers until rx_posted are with the backend. */
static void refill(struct netfront_queue *q)
{
	while (ring_front_outstanding(&q->rx) < q->rx_posted) {
		uint32_t slot = q->rx.req_prod_pvt & (q->rx.size - 1);

		netif_rx_post(&q->rx, (uint16_t)slot, q->rx_gref[slot]);
	}
}

static int poll_rx(struct netfront_queue *q)
{
	int32_t n = ring_front_responses(&q->rx);
	int done = 0;

	q->broken |= n < 0;
	while (n > 0 && !q->broken) {
		struct netif_rx_packet p;
		enum netif_error e =
			netif_rx_parse(&q->rx, q->rx.rsp_cons, (uint32_t)n, &p);

		if (netif_error_fatal(e)) {
			q->why = e;
			q->broken = true;
			break;
		}
		if (e == NETIF_OK)
			deliver(q, &p);
		else
			q->rx_errors++;
		ring_front_consume(&q->rx, p.nr_slots);
		n -= p.nr_slots;
		done++;
	}
	if (!q->broken)
		refill(q);
	return q->broken ? FRONT_BROKEN : done;
}

void netfront_push(struct netfront_queue *q)
{
	struct front_os *os = q->nf->os;
	bool tx = ring_front_push(&q->tx), rx = ring_front_push(&q->rx);

	if (q->broken)
		return;
	if (tx || (rx && q->rx_port == q->tx_port))
		os->ops->port_notify(os, q->tx_port);
	if (rx && q->rx_port != q->tx_port)
		os->ops->port_notify(os, q->rx_port);
}

int netfront_poll(struct netfront_queue *q)
{
	int tx, rx;

	if (q->broken)
		return FRONT_BROKEN;
	tx = poll_tx(q);
	rx = tx < 0 ? tx : poll_rx(q);
	return rx < 0 ? rx : tx + rx;
}

bool netfront_may_sleep(struct netfront_queue *q)
{
	int32_t tx, rx;

	if (q->broken)
		return false;
	tx = ring_front_final_check(&q->tx, 1);
	rx = ring_front_final_check(&q->rx, 1);
	q->broken = tx < 0 || rx < 0;
	return tx == 0 && rx == 0;
}

/* ---- control ring ---- */

/* Which data word is the grant of a table; -1: none. */
static int table_word(uint16_t type)
{
	if (type == XEN_NETIF_CTRL_TYPE_SET_HASH_KEY ||
	    type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING)
		return 0;
	return -1;
}

int netfront_ctrl_send(struct netfront *nf, uint16_t type, const uint32_t data[3],
		       const void *table, size_t bytes)
{
	struct xen_netif_ctrl_request req = {
		.type = type,
		.data = {data[0], data[1], data[2]},
	};
	int word = table_word(type);

	if (!nf->cfg.ctrl_ring)
		return FRONT_UNSUPPORTED;
	if (nf->ctrl_broken)
		return FRONT_BROKEN;
	if (nf->ctrl_busy || ring_front_free(&nf->ctrl) == 0)
		return FRONT_FULL;
	if (bytes > FRONT_PAGE_SIZE)
		return FRONT_INVALID;
	if (word >= 0) {
		__builtin_memcpy(nf->ctrl_data, table, bytes);
		req.data[word] = nf->ctrl_data_ref;
	}
	req.id = ++nf->ctrl_id;
	nf->ctrl_busy = true;
	ctrl_request(&nf->ctrl, &req);
	if (ring_front_push(&nf->ctrl))
		nf->os->ops->port_notify(nf->os, nf->ctrl_port);
	return FRONT_OK;
}

int netfront_ctrl_poll(struct netfront *nf, uint32_t *status, uint32_t *data)
{
	struct xen_netif_ctrl_response rsp;
	int32_t n;

	if (!nf->ctrl_busy || nf->ctrl_broken)
		return nf->ctrl_broken ? FRONT_BROKEN : 0;
	n = ring_front_final_check(&nf->ctrl, 1);
	if (n == 0)
		return 0;
	if (n > 0) {
		ctrl_fetch_response(&nf->ctrl, nf->ctrl.rsp_cons, &rsp);
		ring_front_consume(&nf->ctrl, 1);
	}
	if (n < 0 || rsp.id != nf->ctrl_id) {
		nf->ctrl_broken = true;
		return FRONT_BROKEN;
	}
	nf->ctrl_busy = false;
	*status = rsp.status;
	*data = rsp.data;
	return 1;
}
