/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network front end: what is agreed on in xenstore, rings and buffers made and
 * given back. The data path is netfront_io.c.
 */
#include <xen/io/xenbus.h>

#include "frontends/netfront.h"
#include "frontends/node.h"

int netfront_put_state(struct netfront *nf, unsigned int state)
{
	return node_put(nf->os, "state", state);
}

bool netfront_carrier(struct netfront *nf)
{
	return node_feature(nf->os, "carrier", 1, 1) == 1;
}

/* What both ends can do, of what the caller wants. */
static void agree(struct netfront *nf)
{
	struct netfront_config *c = &nf->cfg;
	struct front_os *os = nf->os;
	uint64_t most = node_feature(os, "multi-queue-max-queues", UINT32_MAX, 1);

	if (c->queues == 0)
		c->queues = 1;
	if (c->queues > NETFRONT_QUEUES_MAX)
		c->queues = NETFRONT_QUEUES_MAX;
	if (c->queues > most)
		c->queues = most ? (unsigned int)most : 1;
	nf->sg = node_feature(os, "feature-sg", 1, 0);
	nf->gso = nf->sg && node_feature(os, "feature-gso-tcpv4", 1, 0);
	nf->gso6 = nf->sg && node_feature(os, "feature-gso-tcpv6", 1, 0);
	nf->csum6 = node_feature(os, "feature-ipv6-csum-offload", 1, 0);
	nf->rx_copy = node_feature(os, "feature-rx-copy", 1, 0);
	c->split_events =
		c->split_events && node_feature(os, "feature-split-event-channels", 1, 0);
	c->ctrl_ring = c->ctrl_ring && node_feature(os, "feature-ctrl-ring", 1, 0);
	c->multicast_control = c->multicast_control &&
			       node_feature(os, "feature-multicast-control", 1, 0);
}

/* One page of ring, granted. */
static int alloc_ring(struct netfront *nf, struct ring_front *r, void **page,
		      uint32_t *ref, uint32_t slot_size)
{
	struct front_os *os = nf->os;

	*page = os->ops->pages_alloc(os, 1);
	if (!*page)
		return FRONT_NOMEM;
	if (!ring_front_init(r, *page, 1, slot_size))
		return FRONT_INVALID;
	*ref = os->ops->grant(os, *page, false);
	return *ref ? FRONT_OK : FRONT_NOMEM;
}

static int alloc_tx(struct netfront_queue *q)
{
	struct front_os *os = q->nf->os;
	int err = alloc_ring(q->nf, &q->tx, &q->tx_page, &q->tx_ref, NETIF_TX_SLOT_SIZE);

	if (err != FRONT_OK)
		return err;
	q->tx_slot = os->ops->alloc(os, q->tx.size * sizeof(*q->tx_slot));
	if (!q->tx_slot)
		return FRONT_NOMEM;
	for (uint32_t i = 0; i < q->tx.size; i++)
		q->tx_slot[i].next = i + 1 < q->tx.size ? i + 1 : NETFRONT_NONE;
	q->tx_free = 0;
	q->tx_slots_free = q->tx.size;
	q->tx_port = os->ops->port_alloc(os);
	return q->tx_port ? FRONT_OK : FRONT_NOMEM;
}

static int alloc_rx(struct netfront_queue *q)
{
	struct front_os *os = q->nf->os;
	int err = alloc_ring(q->nf, &q->rx, &q->rx_page, &q->rx_ref, NETIF_RX_SLOT_SIZE);
	uint32_t wanted = q->nf->cfg.rx_buffers;

	if (err != FRONT_OK)
		return err;
	q->rx_posted = wanted && wanted < q->rx.size ? wanted : q->rx.size;
	q->rx_gref = os->ops->alloc(os, q->rx.size * sizeof(uint32_t));
	q->rx_buffers = os->ops->pages_alloc(os, q->rx.size);
	if (!q->rx_gref || !q->rx_buffers)
		return FRONT_NOMEM;
	for (uint32_t i = 0; i < q->rx.size; i++) {
		q->rx_gref[i] = os->ops->grant(
			os, q->rx_buffers + (size_t)i * FRONT_PAGE_SIZE, false);
		if (!q->rx_gref[i])
			return FRONT_NOMEM;
	}
	q->rx_port = q->nf->cfg.split_events ? os->ops->port_alloc(os) : q->tx_port;
	if (!q->rx_port)
		return FRONT_NOMEM;
	for (uint32_t i = 0; i < q->rx_posted; i++)
		netif_rx_post(&q->rx, (uint16_t)i, q->rx_gref[i]);
	ring_front_push(&q->rx); /* nobody is there to be notified */
	return FRONT_OK;
}

static int alloc_ctrl(struct netfront *nf)
{
	struct front_os *os = nf->os;
	int err;

	if (!nf->cfg.ctrl_ring)
		return FRONT_OK;
	err = alloc_ring(nf, &nf->ctrl, &nf->ctrl_page, &nf->ctrl_ref, CTRL_SLOT_SIZE);
	if (err != FRONT_OK)
		return err;
	nf->ctrl_data = os->ops->pages_alloc(os, 1);
	if (!nf->ctrl_data)
		return FRONT_NOMEM;
	nf->ctrl_data_ref = os->ops->grant(os, nf->ctrl_data, true);
	nf->ctrl_port = os->ops->port_alloc(os);
	return nf->ctrl_data_ref && nf->ctrl_port ? FRONT_OK : FRONT_NOMEM;
}

static int publish_queue(struct netfront_queue *q, unsigned int index)
{
	struct front_os *os = q->nf->os;
	struct node prefix;
	int err;

	node_queue(&prefix, index, q->nf->nr_queues);
	err = node_put_in(os, prefix.text, "tx-ring-ref", -1, q->tx_ref);
	if (err == FRONT_OK)
		err = node_put_in(os, prefix.text, "rx-ring-ref", -1, q->rx_ref);
	if (err != FRONT_OK)
		return err;
	if (!q->nf->cfg.split_events)
		return node_put_in(os, prefix.text, "event-channel", -1, q->tx_port);
	err = node_put_in(os, prefix.text, "event-channel-tx", -1, q->tx_port);
	if (err == FRONT_OK)
		err = node_put_in(os, prefix.text, "event-channel-rx", -1, q->rx_port);
	return err;
}

/* A node to write, unless @skip. */
struct setting {
	const char *node;
	bool skip;
	uint64_t value;
};

static int publish(struct netfront *nf)
{
	const struct netfront_config *c = &nf->cfg;
	const struct setting set[] = {
		{"multi-queue-num-queues", nf->nr_queues < 2, nf->nr_queues},
		{"request-rx-copy", false, 1},
		{"feature-rx-notify", false, 1},
		{"feature-sg", c->no_sg, 1},
		{"feature-gso-tcpv4", c->no_sg || c->no_gso, 1},
		{"feature-gso-tcpv6", c->no_sg || c->no_gso6, 1},
		{"feature-no-csum-offload", !c->no_csum, 1},
		{"feature-ipv6-csum-offload", !c->csum6, 1},
		{"request-multicast-control", !c->multicast_control, 1},
		{"xdp-headroom", c->headroom == 0, c->headroom},
		{"ctrl-ring-ref", !c->ctrl_ring, nf->ctrl_ref},
		{"event-channel-ctrl", !c->ctrl_ring, nf->ctrl_port},
	};
	int err = FRONT_OK;

	for (unsigned int i = 0; i < nf->nr_queues && err == FRONT_OK; i++)
		err = publish_queue(&nf->queue[i], i);
	for (unsigned int i = 0; i < sizeof(set) / sizeof(set[0]) && err == FRONT_OK; i++)
		if (!set[i].skip)
			err = node_put(nf->os, set[i].node, set[i].value);
	return err == FRONT_OK ? netfront_put_state(nf, XenbusStateConnected) : err;
}

int netfront_init(struct netfront *nf, struct front_os *os,
		  const struct netfront_config *cfg)
{
	int err;

	__builtin_memset(nf, 0, sizeof(*nf));
	nf->os = os;
	nf->cfg = *cfg;
	agree(nf);
	nf->queue = os->ops->alloc(os, nf->cfg.queues * sizeof(*nf->queue));
	if (!nf->queue)
		return FRONT_NOMEM;
	nf->nr_queues = nf->cfg.queues;
	err = alloc_ctrl(nf);
	for (unsigned int i = 0; i < nf->nr_queues && err == FRONT_OK; i++) {
		nf->queue[i].nf = nf;
		err = alloc_tx(&nf->queue[i]);
		if (err == FRONT_OK)
			err = alloc_rx(&nf->queue[i]);
	}
	if (err == FRONT_OK)
		err = publish(nf);
	if (err != FRONT_OK)
		netfront_close(nf); /* no backend has mapped anything yet */
	return err;
}

/* ---- giving back ---- */

/* End the grant at @ref and clear it; false while the backend has it mapped. */
static bool end_ref(struct front_os *os, uint32_t *ref)
{
	if (*ref && os->ops->grant_end(os, *ref) != FRONT_OK)
		return false;
	*ref = 0;
	return true;
}

/* Packets that will never be answered. Their grants end first. */
static bool abandon_tx(struct netfront_queue *q)
{
	struct front_os *os = q->nf->os;
	bool all = true;

	for (uint32_t i = 0; q->tx_slot && i < q->tx.size; i++) {
		struct netfront_tx_slot *s = &q->tx_slot[i];
		struct netfront_packet *p = s->packet;

		if (!p)
			continue;
		if (!end_ref(os, &s->ref)) {
			all = false;
			continue;
		}
		s->packet = NULL;
		p->status = NETIF_RSP_ERROR;
		if (--p->pending == 0)
			p->done(p);
	}
	return all;
}

static void free_page(struct front_os *os, void **page)
{
	if (*page)
		os->ops->pages_free(os, *page, 1);
	*page = NULL;
}

static bool close_queue(struct netfront_queue *q)
{
	struct front_os *os = q->nf->os;
	bool all;

	q->broken = true; /* a done() that sends again is told so */
	if (q->rx_port && q->rx_port != q->tx_port)
		os->ops->port_close(os, q->rx_port);
	if (q->tx_port)
		os->ops->port_close(os, q->tx_port);
	q->rx_port = q->tx_port = 0;
	all = abandon_tx(q);
	for (uint32_t i = 0; q->rx_gref && i < q->rx.size; i++)
		all &= end_ref(os, &q->rx_gref[i]);
	all &= end_ref(os, &q->tx_ref);
	all &= end_ref(os, &q->rx_ref);
	if (!all)
		return false;
	if (q->rx_buffers)
		os->ops->pages_free(os, q->rx_buffers, q->rx.size);
	free_page(os, &q->tx_page);
	free_page(os, &q->rx_page);
	os->ops->free(os, q->rx_gref);
	os->ops->free(os, q->tx_slot);
	__builtin_memset(q, 0, sizeof(*q));
	return true;
}

static bool close_ctrl(struct netfront *nf)
{
	struct front_os *os = nf->os;
	bool all;

	nf->ctrl_broken = true;
	if (nf->ctrl_port)
		os->ops->port_close(os, nf->ctrl_port);
	nf->ctrl_port = 0;
	all = end_ref(os, &nf->ctrl_ref);
	all &= end_ref(os, &nf->ctrl_data_ref);
	if (!all)
		return false;
	free_page(os, &nf->ctrl_page);
	free_page(os, &nf->ctrl_data);
	return true;
}

int netfront_close(struct netfront *nf)
{
	bool all = close_ctrl(nf);

	for (unsigned int i = 0; i < nf->nr_queues; i++)
		if (nf->queue[i].nf)
			all &= close_queue(&nf->queue[i]);
	if (!all)
		return FRONT_BUSY;
	if (nf->queue)
		nf->os->ops->free(nf->os, nf->queue);
	nf->queue = NULL;
	nf->nr_queues = 0;
	return FRONT_OK;
}
