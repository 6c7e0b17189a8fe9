/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's network card beside a vif, see net_rig.h. */
#include "tests/unit/net_rig.h"

#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "net_rig: %s\n", what);
	abort();
}

static void *frame_of(struct net_rig *r, uint32_t frame)
{
	return loopback_frame(r->lb, frame);
}

/* A ring page: frame @frame, granted. */
static uint32_t make_ring(struct net_rig *r, uint32_t frame, struct ring_front *f,
			  size_t slot)
{
	uint32_t ref = loopback_grant(r->lb, frame, false);

	must(ref && ring_front_init(f, frame_of(r, frame), 1, (uint32_t)slot), "ring");
	return ref;
}

static void make_queue(struct net_rig *r, uint32_t i, uint32_t *frame, bool unsplit)
{
	struct net_rig_queue *q = &r->q[i];
	uint32_t k;

	q->tx_ref = make_ring(r, (*frame)++, &q->tx, NETIF_TX_SLOT_SIZE);
	q->rx_ref = make_ring(r, (*frame)++, &q->rx, NETIF_RX_SLOT_SIZE);
	q->tx_port = loopback_port_alloc(r->lb);
	q->rx_port = unsplit ? q->tx_port : loopback_port_alloc(r->lb);
	must(q->tx_port && q->rx_port, "port");
	q->tx_frame = *frame;
	q->rx_frame = *frame + RIG_FRAMES;
	*frame += 2 * RIG_FRAMES;
	for (k = 0; k < RIG_FRAMES; k++) {
		q->tx_gref[k] = loopback_grant(r->lb, q->tx_frame + k, true);
		q->rx_gref[k] = loopback_grant(r->lb, q->rx_frame + k, false);
		must(q->tx_gref[k] && q->rx_gref[k], "grant");
	}
}

struct net_rig *net_rig_new(const struct net_rig_options *o)
{
	uint32_t nr = o->nr_queues ? o->nr_queues : 1, frame = 0, i;
	struct net_rig *r = calloc(1, sizeof(*r));

	must(r != NULL, "memory");
	r->lb = loopback_new(nr * (2 * RIG_FRAMES + 2) + 2,
			     nr * (2 * RIG_FRAMES + 2) + 64, 2 * nr + 2);
	must(r->lb != NULL, "loopback");
	for (i = 0; i < nr; i++)
		make_queue(r, i, &frame, o->unsplit);
	r->ctrl_ref = make_ring(r, frame++, &r->ctrl, 16);
	r->ctrl_port = loopback_port_alloc(r->lb);
	r->ctrl_frame = frame++;
	r->ctrl_gref = loopback_grant(r->lb, r->ctrl_frame, true);
	r->state_size = vif_state_size(nr);
	r->state = aligned_alloc(64, (r->state_size + 63) & ~63ul);
	must(r->state != NULL, "state");
	memset(r->state, 0, r->state_size);
	return r;
}

static void rig_broken(void *ctx, const char *text)
{
	struct net_rig *r = ctx;

	r->broken++;
	snprintf(r->reason, sizeof(r->reason), "%s", text);
}

/*
 * A transport with pools: references from POOL_REF up mean pages of our own. Copies
 * are handed on to the loopback with addresses in their stead.
 */
#define POOL_REF   5000000u
#define POOL_PAGES 4096u

struct net_rig_grants {
	struct grants grants;
	struct grants *inner;
	pthread_mutex_t lock;
	uint8_t *page[POOL_PAGES]; /* of reference POOL_REF + i */
	uint32_t held;
};

static struct grants *pools_inner(struct grants *g)
{
	return ((struct net_rig_grants *)g)->inner;
}

static void *pools_map(struct grants *g, const uint32_t *refs, unsigned int n, int prot)
{
	return grants_map(pools_inner(g), refs, n, prot);
}

static int pools_unmap(struct grants *g, void *addr, unsigned int n)
{
	return grants_unmap(pools_inner(g), addr, n);
}

static void pools_side(struct net_rig_grants *p, union xengnttab_copy_ptr *side,
		       uint16_t *flags, uint16_t flag)
{
	uint32_t i = side->foreign.ref - POOL_REF;

	if (!(*flags & flag) || side->foreign.domid != GRANTS_POOL_DOMID)
		return;
	must(i < POOL_PAGES && p->page[i], "a reference of no pool");
	side->virt = p->page[i] + side->foreign.offset;
	*flags &= (uint16_t)~flag;
}

static int pools_copy(struct grants *g, xengnttab_grant_copy_segment_t *segs,
		      unsigned int n)
{
	xengnttab_grant_copy_segment_t *own = calloc(n, sizeof(*own));
	struct net_rig_grants *p = (struct net_rig_grants *)g;
	unsigned int i;
	int ret;

	must(own != NULL, "memory");
	for (i = 0; i < n; i++) {
		own[i] = segs[i];
		must(segs[i].flags == (GNTCOPY_source_gref | GNTCOPY_dest_gref),
		     "a copy past the pool");
		pools_side(p, &own[i].source, &own[i].flags, GNTCOPY_source_gref);
		pools_side(p, &own[i].dest, &own[i].flags, GNTCOPY_dest_gref);
	}
	ret = grants_copy(p->inner, own, n);
	for (i = 0; i < n; i++)
		segs[i].status = own[i].status;
	free(own);
	return ret;
}

static int pools_pool(struct grants *g, struct grants_pool *out, unsigned int pages)
{
	struct net_rig_grants *p = (struct net_rig_grants *)g;
	unsigned int i;

	out->addr = queue_pages(pages);
	out->refs = calloc(pages, sizeof(*out->refs));
	out->pages = pages;
	must(out->addr && out->refs && p->held + pages <= POOL_PAGES, "memory");
	pthread_mutex_lock(&p->lock);
	for (i = 0; i < pages; i++) {
		/* backwards: neighbours in memory are none in the table */
		uint32_t at = POOL_PAGES - 1 - p->held++;

		out->refs[i] = POOL_REF + at;
		p->page[at] = (uint8_t *)out->addr + (size_t)i * XEN_PAGE_SIZE;
	}
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static void pools_free(struct grants *g, struct grants_pool *out)
{
	struct net_rig_grants *p = (struct net_rig_grants *)g;
	unsigned int i;

	pthread_mutex_lock(&p->lock);
	for (i = 0; i < out->pages; i++)
		p->page[out->refs[i] - POOL_REF] = NULL;
	p->held -= out->pages;
	pthread_mutex_unlock(&p->lock);
	queue_pages_free(out->addr, out->pages);
	free(out->refs);
}

static const struct grants_ops pools_ops = {
	.map = pools_map,
	.unmap = pools_unmap,
	.copy = pools_copy,
	.pool = pools_pool,
	.pool_free = pools_free,
};

static struct grants *rig_grants(struct net_rig *r, bool pool)
{
	struct net_rig_grants *p = r->pools;

	if (!pool)
		return loopback_grants(r->lb);
	if (!p) {
		p = calloc(1, sizeof(*p));
		must(p != NULL, "memory");
		r->pools = p;
		p->grants.ops = &pools_ops;
		p->grants.domid = LOOPBACK_DOMID;
		p->inner = loopback_grants(r->lb);
		pthread_mutex_init(&p->lock, NULL);
	}
	return &p->grants;
}

/* Disabled, as a worker's are. */
static struct io_uring *rig_get_ring(void *ctx)
{
	struct net_rig *r = ctx;
	struct io_uring *ring = malloc(sizeof(*ring));

	must(ring && !io_uring_queue_init(16, ring, IORING_SETUP_R_DISABLED), "io_uring");
	r->rings++;
	return ring;
}

static void rig_put_ring(void *ctx, struct io_uring *ring)
{
	struct net_rig *r = ctx;

	io_uring_queue_exit(ring);
	free(ring);
	r->rings--;
}

void net_rig_prepare(struct net_rig *r, const struct net_rig_options *o)
{
	struct vif_setup *s = &r->setup;
	struct vif_attach *a = &s->attach;
	uint32_t i;

	*s = (struct vif_setup){.grants = rig_grants(r, o->pool),
				.state = r->state,
				.state_size = r->state_size,
				.broken = rig_broken,
				.ctx = r,
				.threads = o->threads};
	if (o->uring) {
		s->get_ring = rig_get_ring;
		s->put_ring = rig_put_ring;
	}
	a->version = VIF_PROTO_VERSION;
	a->domid = LOOPBACK_DOMID;
	a->nr_queues = o->nr_queues ? o->nr_queues : 1;
	a->features = o->features;
	a->port_kind = VIF_PORT_TAP;
	a->live.flags = o->live_flags;
	a->live.rx_headroom = o->headroom;
	a->ctrl_ref = r->ctrl_ref;
	a->ctrl_port = r->ctrl_port;
	for (i = 0; i < a->nr_queues; i++) {
		struct net_rig_queue *q = &r->q[i];

		a->queue[i] = (struct vif_queue_attach){q->tx_ref, q->rx_ref, q->tx_port,
							q->rx_port};
		s->events[i] = loopback_events(r->lb);
		s->port[i] = q->port = i == 0 && o->port ? o->port : port_loop_open();
		must(s->events[i] && s->port[i], "events");
	}
	r->prepared = true;
}

int net_rig_connect(struct net_rig *r, const struct net_rig_options *o)
{
	if (!r->prepared)
		net_rig_prepare(r, o);
	r->prepared = false;
	r->broken = 0;
	return vif_open(&r->setup, &r->vif);
}

struct net_rig *net_rig_open(const struct net_rig_options *o)
{
	struct net_rig *r = net_rig_new(o);

	must(!net_rig_connect(r, o), "vif_open");
	return r;
}

unsigned int net_rig_disconnect(struct net_rig *r)
{
	struct loopback_audit a;

	if (r->vif)
		vif_close(r->vif);
	r->vif = NULL;
	loopback_audit(r->lb, &a);
	return a.mapped_pages + a.bound_ports + a.open_sets + r->rings +
	       (r->pools ? r->pools->held : 0);
}

unsigned int net_rig_close(struct net_rig *r)
{
	unsigned int left = net_rig_disconnect(r);

	loopback_free(r->lb);
	free(r->pools);
	free(r->state);
	free(r);
	return left;
}

bool net_rig_run(struct net_rig *r)
{
	bool any = false, done;
	uint32_t quiet = 0, i;

	/* twice quiet: a queue may have handed a packet to one that was looked at before
	 */
	while (quiet < 2) {
		done = false;
		for (i = 0; i < r->vif->nr_queues; i++) {
			while (queue_work(r->vif->queue[i]))
				done = true;
			/* looks at the port and at the events, does not sleep */
			queue_sleep(r->vif->queue[i], 0);
		}
		any |= done;
		quiet = done ? 0 : quiet + 1;
	}
	return any;
}

/* ---- transmit ---- */

void net_rig_tx_slot(struct net_rig *r, uint32_t queue, const void *slot, size_t n)
{
	memcpy(ring_front_produce(&r->q[queue].tx), slot, n);
}

void net_rig_tx_push(struct net_rig *r, uint32_t queue)
{
	if (ring_front_push(&r->q[queue].tx))
		loopback_port_notify(r->lb, r->q[queue].tx_port);
}

uint32_t net_rig_send(struct net_rig *r, uint32_t queue, const struct net_rig_send *s)
{
	struct net_rig_queue *q = &r->q[queue];
	struct netif_tx_packet p = {.flags = s->flags, .extra = s->extra};
	uint32_t done = 0, offset = s->first_offset, n, k;

	while (done < s->len) {
		must(p.nr_frags < NETIF_FRAGS_MAX, "too many fragments");
		n = XEN_PAGE_SIZE - offset;
		if (!done && s->first_size && s->first_size < n)
			n = s->first_size;
		if (n > s->len - done)
			n = s->len - done;
		k = (q->tx_next + p.nr_frags) % RIG_FRAMES;
		p.frag[p.nr_frags++] = (struct netif_frag){
			q->tx_gref[k], (uint16_t)offset, (uint16_t)n, q->tx_id++};
		done += n;
		offset = 0;
	}
	if (netif_tx_slots(p.nr_frags, &p.extra) > ring_front_free(&q->tx))
		return 0;
	for (done = 0, n = 0; n < p.nr_frags; done += p.frag[n++].size) {
		k = q->tx_next++ % RIG_FRAMES;
		memcpy((uint8_t *)frame_of(r, q->tx_frame + k) + p.frag[n].offset,
		       s->frame + done, p.frag[n].size);
	}
	netif_tx_produce(&q->tx, &p);
	net_rig_tx_push(r, queue);
	return p.nr_slots;
}

bool net_rig_tx_response(struct net_rig *r, uint32_t queue, struct netif_tx_response *rsp)
{
	struct ring_front *f = &r->q[queue].tx;
	int32_t n = ring_front_responses(f);

	must(n >= 0, "responses nobody asked for");
	if (!n)
		return false;
	netif_tx_fetch_response(f, f->rsp_cons, rsp);
	ring_front_consume(f, 1);
	return true;
}

uint32_t net_rig_tx_count(struct net_rig *r, uint32_t queue, int16_t status)
{
	struct netif_tx_response rsp;
	uint32_t n = 0;

	while (net_rig_tx_response(r, queue, &rsp))
		n += rsp.status == status;
	ring_front_final_check(&r->q[queue].tx, 1);
	return n;
}

/* ---- receive ---- */

void net_rig_post(struct net_rig *r, uint32_t queue, uint32_t n)
{
	struct net_rig_queue *q = &r->q[queue];

	while (n-- && ring_front_free(&q->rx)) {
		uint32_t k = q->rx.req_prod_pvt % RIG_FRAMES;

		netif_rx_post(&q->rx, (uint16_t)k, q->rx_gref[k]);
	}
	if (ring_front_push(&q->rx))
		loopback_port_notify(r->lb, q->rx_port);
}

bool net_rig_receive(struct net_rig *r, uint32_t queue, uint8_t *buf,
		     struct netif_rx_packet *p, uint32_t *len, enum netif_error *error)
{
	struct net_rig_queue *q = &r->q[queue];
	int32_t avail = ring_front_responses(&q->rx);
	uint32_t i, slot;

	must(avail >= 0, "responses nobody asked for");
	if (!avail)
		return false;
	*error = netif_rx_parse(&q->rx, q->rx.rsp_cons, (uint32_t)avail, p);
	*len = 0;
	if (netif_error_fatal(*error))
		return true;
	for (i = 0; i < p->nr_frags && !*error; i++) {
		slot = (q->rx.rsp_cons + netif_rx_slot_of(i, p->extra.count)) %
		       RIG_FRAMES;
		must(p->frag[i].id == slot, "the response is not in its request's slot");
		memcpy(buf + *len,
		       (uint8_t *)frame_of(r, q->rx_frame + slot) + p->frag[i].offset,
		       (size_t)p->frag[i].status);
		*len += (uint32_t)p->frag[i].status;
	}
	ring_front_consume(&q->rx, p->nr_slots);
	ring_front_final_check(&q->rx, 1);
	return true;
}

/* ---- control ---- */

struct xen_netif_ctrl_response net_rig_ctrl(struct net_rig *r, uint16_t type, uint32_t d0,
					    uint32_t d1, uint32_t d2)
{
	struct xen_netif_ctrl_request req = {
		.id = (uint16_t)(type * 7 + 1), .type = type, .data = {d0, d1, d2}};
	struct xen_netif_ctrl_response rsp;

	memcpy(ring_front_produce(&r->ctrl), &req, sizeof(req));
	if (ring_front_push(&r->ctrl))
		loopback_port_notify(r->lb, r->ctrl_port);
	net_rig_run(r);
	must(ring_front_responses(&r->ctrl) == 1, "one answer a request");
	memcpy(&rsp, ring_front_slot(&r->ctrl, r->ctrl.rsp_cons), sizeof(rsp));
	ring_front_consume(&r->ctrl, 1);
	must(rsp.id == req.id && rsp.type == req.type, "the answer's id");
	return rsp;
}

/* ---- packets ---- */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint16_t net_reference_sum(const uint8_t *p, uint32_t n)
{
	uint32_t sum = 0, i;

	for (i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

uint16_t net_packet_pseudo(const uint8_t *buf, const struct net_packet *p, uint32_t l4,
			   uint32_t len)
{
	uint32_t l3 = 14 + 4 * p->vlan_tags, l4_len = len - l4, n = p->v6 ? 32 : 8;
	uint8_t pseudo[40];

	memcpy(pseudo, buf + l3 + (p->v6 ? 8 : 12), n);
	put16(pseudo + n, l4_len >> 16);
	put16(pseudo + n + 2, l4_len & 0xffff);
	put16(pseudo + n + 4, 0);
	put16(pseudo + n + 6, p->udp ? 17 : 6);
	return net_reference_sum(pseudo, n + 8);
}

static uint32_t build_ip(uint8_t *ip, const struct net_packet *p, uint32_t l4_len)
{
	uint32_t head = (p->v6 ? 40 : 20) + p->ip_options, i;

	memset(ip, 0, head);
	if (p->v6) {
		ip[0] = 0x60;
		put16(ip + 4, p->ip_options + l4_len);
		ip[6] = p->udp ? 17 : 6;
		ip[7] = 64;
		for (i = 0; i < 32; i++)
			ip[8 + i] = (uint8_t)(i * 5 + 1);
		if (p->ip_options) { /* one destination options header, padded */
			ip[40] = ip[6];
			ip[6] = 60;
			ip[41] = (uint8_t)(p->ip_options / 8 - 1);
		}
		return head;
	}
	ip[0] = (uint8_t)(0x40 | head / 4);
	put16(ip + 2, head + l4_len);
	ip[8] = 64;
	ip[9] = p->udp ? 17 : 6;
	memcpy(ip + 12, "\xc0\xa8\x01\x02\x0a\x00\x00\x07", 8);
	memset(ip + 20, 1, p->ip_options); /* no operation */
	put16(ip + 10, (uint16_t)~net_reference_sum(ip, head));
	return head;
}

uint32_t net_packet_build(uint8_t *buf, const struct net_packet *p, uint32_t *l4,
			  uint32_t *csum_at)
{
	uint32_t at = 12, l4_head = p->udp ? 8 : 20, i, len;
	uint64_t sum;

	memcpy(buf, "\x00\x16\x3e\x01\x02\x03\x00\x16\x3e\x0a\x0b\x0c", 12);
	for (i = 0; i < p->vlan_tags; i++, at += 4) {
		put16(buf + at, p->vlan_tags == 2 && i == 0 ? 0x88a8 : 0x8100);
		put16(buf + at + 2, 100 + i);
	}
	put16(buf + at, p->v6 ? 0x86dd : 0x0800);
	at += 2;
	at += build_ip(buf + at, p, l4_head + p->payload);
	*l4 = at;
	memset(buf + at, 0, l4_head);
	put16(buf + at, 40000);
	put16(buf + at + 2, 5201);
	if (p->udp) {
		put16(buf + at + 4, l4_head + p->payload);
	} else {
		buf[at + 12] = 0x50;
		buf[at + 13] = p->tcp_flags ? p->tcp_flags : 0x10;
	}
	for (i = 0; i < p->payload; i++)
		buf[at + l4_head + i] = (uint8_t)(i * 31 + (i >> 8));
	len = at + l4_head + p->payload;
	*csum_at = at + (p->udp ? 6 : 16);
	sum = net_packet_pseudo(buf, p, at, len);
	sum += net_reference_sum(buf + at, len - at);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (uint16_t)~sum;
	put16(buf + *csum_at, sum ? (uint32_t)sum : 0xffff);
	return len;
}
