/* SPDX-License-Identifier: GPL-2.0-only */
/* Attacks on a network interface: indices, packet chains, control ring, nodes. */
#include <string.h>
#include <xen/io/xenbus.h>

#include "frontends/node.h"
#include "tests/guest-process/attack.h"

#define NO_ANSWER INT16_MIN
#define MORE      NETTXF_more_data
#define EXTRA     NETTXF_extra_info

static struct netfront_queue *queue(struct attack_env *env)
{
	return &env->nf.queue[0];
}

static bool closed(struct attack_env *env)
{
	return STATES_CLOSED & 1u << backend_state(env);
}

static void ignore_packet(struct netfront_queue *q, const struct netfront_received *p)
{
	(void)q;
	(void)p;
}

static enum answer connect_with(struct attack_env *env, const struct netfront_config *c)
{
	if (netfront_init(&env->nf, env->os, c) != FRONT_OK)
		return setup_failed(env, "rings or nodes could not be made");
	env->nf.receive = ignore_packet;
	if (!wait_state(env, 1u << XenbusStateConnected))
		return setup_failed(env, "the backend does not connect");
	return ANSWER_SERVED;
}

static enum answer connect_plain(struct attack_env *env)
{
	return connect_with(env,
			    &(struct netfront_config){.queues = 1, .rx_buffers = 64});
}

/* A page whose first bytes are a broadcast frame of a local experimental EtherType. */
static uint32_t frame_page(struct attack_env *env, uint8_t **page)
{
	static const uint8_t head[NETIF_ETH_HLEN] = {255, 255, 255, 255, 255, 255,  2,
						     0,   0,   0,   0,   1,   0x88, 0xb5};

	*page = env->os->ops->pages_alloc(env->os, 1);
	if (!*page)
		return 0;
	memcpy(*page, head, sizeof(head));
	return env->os->ops->grant(env->os, *page, true);
}

static void put_request(struct attack_env *env, uint32_t gref, uint16_t offset,
			uint16_t flags, uint16_t size)
{
	struct ring_front *r = &queue(env)->tx;
	struct netif_tx_request q = {.gref = gref,
				     .offset = offset,
				     .flags = flags,
				     .id = (uint16_t)(r->req_prod_pvt & 255),
				     .size = size};

	ring_copy_out(ring_front_produce(r), &q, sizeof(q));
}

static void put_extra(struct attack_env *env, uint8_t type, uint8_t flags,
		      const void *body)
{
	struct netif_extra_info x = {.type = type, .flags = flags};

	memcpy(&x.u, body, 6);
	ring_copy_out(ring_front_produce(&queue(env)->tx), &x, sizeof(x));
}

static void push(struct attack_env *env)
{
	ring_front_push(&queue(env)->tx);
	env->os->ops->port_notify(env->os, queue(env)->tx_port);
}

/* Wait until all requests are answered; the worst status, or NO_ANSWER. */
static int16_t wait_answers(struct attack_env *env)
{
	struct ring_front *r = &queue(env)->tx;
	int16_t worst = NETIF_RSP_OKAY;

	for (unsigned int ms = 0; ms < env->limit_ms; ms += 20) {
		int32_t n = ring_front_final_check(r, 1);

		for (; n > 0; n--) {
			struct netif_tx_response rsp;

			netif_tx_fetch_response(r, r->rsp_cons, &rsp);
			ring_front_consume(r, 1);
			if (rsp.status != NETIF_RSP_NULL && rsp.status < worst)
				worst = rsp.status;
		}
		if (ring_front_outstanding(r) == 0)
			return worst;
		if (closed(env))
			break;
		env->pause(env, 20);
	}
	return NO_ANSWER;
}

static enum answer judge(struct attack_env *env, int16_t status, uint32_t gref)
{
	if (status == NO_ANSWER)
		return wait_closed(env);
	put_request(env, gref, 0, 0, 60);
	push(env);
	if (wait_answers(env) != NETIF_RSP_OKAY)
		return harm(env, "a sound packet after it is not taken");
	return status == NETIF_RSP_OKAY ? ANSWER_SERVED : ANSWER_REFUSED;
}

/* ---- indices ---- */

enum { TX_AHEAD, TX_FAR, TX_BACKWARDS, RX_AHEAD, RX_BACKWARDS, CTRL_AHEAD };

/*
 * A backend need not look at the receive ring before it has a packet for the guest:
 * a broadcast may bring one. Until then the other direction works.
 */
static enum answer rx_index_answer(struct attack_env *env, uint32_t gref)
{
	put_request(env, gref, 0, 0, 60);
	push(env);
	if (wait_answers(env) == NO_ANSWER)
		return wait_closed(env);
	for (int i = 0; i < 20 && !closed(env); i++)
		env->pause(env, 50);
	return closed(env) ? ANSWER_CLOSED : ANSWER_SERVED;
}

static enum answer index_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_with(
		env, &(struct netfront_config){.queues = 1,
					       .rx_buffers = 64,
					       .ctrl_ring = a->arg == CTRL_AHEAD});
	struct ring_shared *tx, *rx;
	uint32_t port, gref;
	uint8_t *page;

	if (answer != ANSWER_SERVED)
		return answer;
	if (a->arg == CTRL_AHEAD && !env->nf.cfg.ctrl_ring) {
		env->text = "no control ring on offer";
		return ANSWER_SKIP;
	}
	gref = frame_page(env, &page);
	put_request(env, gref, 0, 0, 60);
	push(env);
	if (wait_answers(env) != NETIF_RSP_OKAY)
		return setup_failed(env, "a sound packet is not taken");
	tx = queue(env)->tx.shared;
	rx = queue(env)->rx.shared;
	port = queue(env)->tx_port;
	switch (a->arg) {
	case TX_AHEAD:
		__atomic_store_n(&tx->req_prod, tx->rsp_prod + 257, __ATOMIC_RELEASE);
		break;
	case TX_FAR:
		__atomic_store_n(&tx->req_prod, tx->rsp_prod + 0x80000000u,
				 __ATOMIC_RELEASE);
		break;
	case TX_BACKWARDS:
		__atomic_store_n(&tx->req_prod, tx->rsp_prod - 1, __ATOMIC_RELEASE);
		break;
	case RX_AHEAD:
		__atomic_store_n(&rx->req_prod, rx->rsp_prod + 257, __ATOMIC_RELEASE);
		break;
	case RX_BACKWARDS:
		__atomic_store_n(&rx->req_prod, rx->rsp_prod - 1, __ATOMIC_RELEASE);
		break;
	case CTRL_AHEAD:
		__atomic_store_n(&env->nf.ctrl.shared->req_prod, 129, __ATOMIC_RELEASE);
		port = env->nf.ctrl_port;
		break;
	}
	env->os->ops->port_notify(env->os, port);
	if (a->arg == RX_AHEAD || a->arg == RX_BACKWARDS)
		return rx_index_answer(env, gref);
	return wait_closed(env);
}

/* ---- packet chains ---- */

enum {
	SHORT,
	SIZE_LIE,
	EMPTY,
	CROSSES,
	CROSSES_REST,
	TRUNCATED,
	TRUNCATED_EXTRA,
	MANY,
	LATE_EXTRA,
	EXTRA_TYPE,
	EXTRA_TWICE,
	EXTRA_LOOP,
	GSO_ZERO,
	GSO_TYPE,
	GSO_TINY,
	HASH_TYPE,
	MCAST_DATA,
	BAD_GREF,
	MCAST_FLOOD,
	CSUM_SHORT
};

static void put_chain(struct attack_env *env, int how, uint32_t gref)
{
	static const uint8_t zero[6], gso[6] = {0xb4, 5, 1}, gso_zero[6] = {0, 0, 1},
				      gso_type[6] = {0xb4, 5, 9}, gso_tiny[6] = {1, 0, 1},
				      hash[6] = {200, 1};
	uint8_t addr[6] = {1, 0, 0x5e, 0, 0, 0};

	switch (how) {
	case SHORT:
		return put_request(env, gref, 0, 0, 13);
	case SIZE_LIE:
		put_request(env, gref, 0, MORE, 60);
		return put_request(env, gref, 0, 0, 61);
	case EMPTY:
		put_request(env, gref, 0, MORE, 60);
		return put_request(env, gref, 0, 0, 60);
	case CROSSES:
		return put_request(env, gref, 4000, 0, 97);
	case CROSSES_REST:
		put_request(env, gref, 0, MORE, 1000);
		return put_request(env, gref, 65535, 0, 100);
	case TRUNCATED:
		return put_request(env, gref, 0, MORE, 60);
	case TRUNCATED_EXTRA:
		return put_request(env, gref, 0, EXTRA, 60);
	case MANY:
		for (int i = 0; i < 100; i++)
			put_request(env, gref, 0, MORE, i ? 1 : 1000);
		return put_request(env, gref, 0, 0, 1);
	case LATE_EXTRA:
		put_request(env, gref, 0, MORE, 120);
		return put_request(env, gref, 0, EXTRA, 60);
	case EXTRA_TYPE:
		put_request(env, gref, 0, EXTRA, 60);
		return put_extra(env, 99, 0, zero);
	case EXTRA_TWICE:
		put_request(env, gref, 0, EXTRA, 60);
		put_extra(env, XEN_NETIF_EXTRA_TYPE_GSO, XEN_NETIF_EXTRA_FLAG_MORE, gso);
		return put_extra(env, XEN_NETIF_EXTRA_TYPE_GSO, 0, gso);
	case EXTRA_LOOP:
		put_request(env, gref, 0, EXTRA, 60);
		for (int i = 0; i < 200; i++)
			put_extra(env, XEN_NETIF_EXTRA_TYPE_HASH,
				  XEN_NETIF_EXTRA_FLAG_MORE, hash);
		return;
	case GSO_ZERO:
	case GSO_TYPE:
	case GSO_TINY:
		put_request(env, gref, 0, EXTRA | NETTXF_csum_blank, 2000);
		return put_extra(env, XEN_NETIF_EXTRA_TYPE_GSO, 0,
				 how == GSO_ZERO   ? gso_zero
				 : how == GSO_TYPE ? gso_type
						   : gso_tiny);
	case HASH_TYPE:
		put_request(env, gref, 0, EXTRA, 60);
		return put_extra(env, XEN_NETIF_EXTRA_TYPE_HASH, 0, hash);
	case MCAST_DATA:
		put_request(env, gref, 0, EXTRA | MORE, 60);
		put_extra(env, XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, addr);
		return put_request(env, gref, 0, 0, 20);
	case BAD_GREF:
		return put_request(env, 0xfffffff0u, 0, 0, 60);
	case MCAST_FLOOD: /* more addresses than any backend wants to keep */
		for (int i = 0; i < 120; i++) {
			addr[5] = (uint8_t)i;
			put_request(env, gref, 0, EXTRA, 0);
			put_extra(env, XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, addr);
		}
		return;
	case CSUM_SHORT: /* a checksum to fill in, and no packet to fill it into */
		return put_request(env, gref, 0, NETTXF_csum_blank, 15);
	}
}

static enum answer chain_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_plain(env);
	uint8_t *page;
	uint32_t gref;

	if (answer != ANSWER_SERVED)
		return answer;
	gref = frame_page(env, &page);
	if (!gref)
		return setup_failed(env, "no page");
	put_chain(env, a->arg, gref);
	push(env);
	answer = judge(env, wait_answers(env), gref);
	if (env->os->ops->grant_end(env->os, gref) == FRONT_OK)
		env->os->ops->pages_free(env->os, page, 1);
	return answer;
}

/* Receive buffers that are not there: packets for this guest are lost, nothing else. */
static enum answer rx_gref_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_plain(env);
	uint8_t *page;
	uint32_t gref;

	(void)a;
	if (answer != ANSWER_SERVED)
		return answer;
	for (unsigned int i = 0; i < 64; i++)
		netif_rx_post(&queue(env)->rx, (uint16_t)i, 0xfffffff0u);
	ring_front_push(&queue(env)->rx);
	env->os->ops->port_notify(env->os, queue(env)->rx_port);
	env->pause(env, 200);
	gref = frame_page(env, &page);
	put_request(env, gref, 0, 0, 60);
	push(env);
	return judge(env, wait_answers(env), gref);
}

/* ---- control ring ---- */

enum {
	CTRL_TYPE,
	CTRL_KEY_GREF,
	CTRL_KEY_SIZE,
	CTRL_MAP_SIZE,
	CTRL_MAP_OFFSET,
	CTRL_MAP_QUEUE
};

static enum answer ctrl_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_with(
		env, &(struct netfront_config){
			     .queues = 1, .rx_buffers = 64, .ctrl_ring = true});
	static const uint32_t queues[4] = {9999, UINT32_MAX, 1, 7};
	uint32_t data[3] = {0, 0, 0}, status, value;
	uint16_t type = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY;
	struct xen_netif_ctrl_request raw;
	int err = 0;

	if (answer != ANSWER_SERVED)
		return answer;
	if (!env->nf.cfg.ctrl_ring) {
		env->text = "no control ring on offer";
		return ANSWER_SKIP;
	}
	if (a->arg == CTRL_TYPE)
		type = 4711;
	if (a->arg >= CTRL_MAP_SIZE)
		type = XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING;
	data[1] = a->arg == CTRL_KEY_SIZE || a->arg == CTRL_MAP_SIZE ? 0xffffffffu : 4;
	data[2] = a->arg == CTRL_MAP_OFFSET ? 0xfffffffdu : 0;
	if (a->arg == CTRL_KEY_GREF) {
		/* past netfront_ctrl_send(), which puts in a good reference */
		raw = (struct xen_netif_ctrl_request){.id = ++env->nf.ctrl_id,
						      .type = type,
						      .data = {0xfffffff0u, 40, 0}};
		env->nf.ctrl_busy = true;
		ctrl_request(&env->nf.ctrl, &raw);
		ring_front_push(&env->nf.ctrl);
		env->os->ops->port_notify(env->os, env->nf.ctrl_port);
	} else if (netfront_ctrl_send(&env->nf, type, data, queues, sizeof(queues)) !=
		   FRONT_OK) {
		return setup_failed(env, "the request cannot be sent");
	}
	for (unsigned int ms = 0; ms < env->limit_ms && err == 0 && !closed(env);
	     ms += 20) {
		err = netfront_ctrl_poll(&env->nf, &status, &value);
		if (err == 0)
			env->pause(env, 20);
	}
	if (err == 0)
		return closed(env) ? ANSWER_CLOSED : ANSWER_NOTHING;
	if (err < 0)
		return harm(env, "an answer to another request");
	return status == XEN_NETIF_CTRL_STATUS_SUCCESS ? ANSWER_SERVED : ANSWER_REFUSED;
}

/* ---- xenstore, and what is left undone ---- */

/* Sound rings first; then a second connect with one node replaced by nonsense. */
static enum answer node_attack(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_plain(env);

	if (answer != ANSWER_SERVED)
		return answer;
	node_put(env->os, "state", XenbusStateClosing);
	wait_state(env, STATES_CLOSED);
	node_put(env->os, "state", XenbusStateClosed);
	wait_state(env, 1u << XenbusStateClosed | 1u << XenbusStateInitWait);
	node_put(env->os, "state", XenbusStateInitialising);
	if (!wait_state(env, 1u << XenbusStateInitWait))
		return setup_failed(env, "the backend does not enter InitWait again");
	ring_shared_init(queue(env)->tx_page);
	ring_shared_init(queue(env)->rx_page);
	if (!write_nonsense(env, a))
		return setup_failed(env, "xenstore refuses the value");
	node_put(env->os, "state", XenbusStateConnected);
	if (!wait_state(env, STATES_CLOSED | 1u << XenbusStateConnected))
		return ANSWER_NOTHING;
	return closed(env) ? ANSWER_CLOSED : ANSWER_SERVED;
}

enum { BEFORE_STATE, AFTER_STATE, CONNECTED, IN_FLIGHT, NEVER_CLOSES };

static enum answer vanish_attack(struct attack_env *env, const struct attack *a)
{
	uint8_t *page;
	uint32_t gref;

	if (a->arg == BEFORE_STATE) {
		node_put(env->os, "tx-ring-ref", 8);
		return ANSWER_LEFT;
	}
	if (netfront_init(&env->nf, env->os, &(struct netfront_config){.queues = 1}) !=
	    FRONT_OK)
		return setup_failed(env, "rings or nodes could not be made");
	if (a->arg == AFTER_STATE)
		return ANSWER_LEFT;
	if (!wait_state(env, 1u << XenbusStateConnected))
		return setup_failed(env, "the backend does not connect");
	gref = frame_page(env, &page);
	for (int i = 0; gref && a->arg == IN_FLIGHT && i < 200; i++)
		put_request(env, gref, 0, 0, 60);
	push(env);
	if (a->arg == NEVER_CLOSES)
		for (unsigned int ms = 0; ms < env->limit_ms; ms += 100)
			env->pause(env, 100);
	return ANSWER_LEFT;
}

/* An honest front end: packets of many shapes are taken. */
static enum answer honest(struct attack_env *env, const struct attack *a)
{
	enum answer answer = connect_plain(env);
	uint8_t *page;
	uint32_t gref;

	(void)a;
	if (answer != ANSWER_SERVED)
		return answer;
	gref = frame_page(env, &page);
	for (unsigned int i = 0; gref && i < 300; i++) {
		unsigned int frags = env->nf.sg ? 1 + i % 17 : 1;

		put_request(env, gref, 0, frags > 1 ? MORE : 0,
			    (uint16_t)(60 + 70 * (frags - 1)));
		for (unsigned int k = 1; k < frags; k++)
			put_request(env, gref, (uint16_t)k, k + 1 < frags ? MORE : 0, 70);
		push(env);
		if (wait_answers(env) != NETIF_RSP_OKAY)
			return harm(env, "a sound packet is not taken");
	}
	return ANSWER_SERVED;
}

#define RX_INDEX(name, arg)                                                              \
	{                                                                                \
		name, ATTACK_VIF, RIGHT(CLOSED) | RIGHT(SERVED), index_attack, arg,      \
			NULL, NULL                                                       \
	}
#define INDEX(name, arg)                                                                 \
	{                                                                                \
		name, ATTACK_VIF, RIGHT(CLOSED), index_attack, arg, NULL, NULL           \
	}
/* refused: the packet is lost; closed: the chain cannot be followed */
#define CHAIN(name, arg, right)                                                          \
	{                                                                                \
		name, ATTACK_VIF, right, chain_attack, arg, NULL, NULL                   \
	}
#define LOST (RIGHT(REFUSED) | RIGHT(CLOSED))
#define CTRL(name, arg)                                                                  \
	{                                                                                \
		name, ATTACK_VIF, LOST | RIGHT(SKIP), ctrl_attack, arg, NULL, NULL       \
	}
#define NODE(name, node, value)                                                          \
	{                                                                                \
		name, ATTACK_VIF, RIGHT(CLOSED), node_attack, 0, node, value             \
	}
#define VANISH(name, arg)                                                                \
	{                                                                                \
		name, ATTACK_VIF, RIGHT(LEFT), vanish_attack, arg, NULL, NULL            \
	}

const struct attack attacks_vif[] = {
	{"vif-honest", ATTACK_VIF, RIGHT(SERVED), honest, 0, NULL, NULL},
	INDEX("vif-tx-producer-ahead", TX_AHEAD),
	INDEX("vif-tx-index-far", TX_FAR),
	INDEX("vif-tx-index-backwards", TX_BACKWARDS),
	RX_INDEX("vif-rx-producer-ahead", RX_AHEAD),
	RX_INDEX("vif-rx-index-backwards", RX_BACKWARDS),
	{"vif-ctrl-producer-ahead", ATTACK_VIF, RIGHT(CLOSED) | RIGHT(SKIP), index_attack,
	 CTRL_AHEAD, NULL, NULL},
	CHAIN("vif-short", SHORT, LOST),
	CHAIN("vif-size-lie", SIZE_LIE, LOST),
	CHAIN("vif-empty-fragment", EMPTY, LOST),
	CHAIN("vif-crosses-page", CROSSES, RIGHT(CLOSED)),
	CHAIN("vif-crosses-page-later", CROSSES_REST, RIGHT(CLOSED)),
	CHAIN("vif-truncated", TRUNCATED, RIGHT(CLOSED)),
	CHAIN("vif-truncated-extra", TRUNCATED_EXTRA, RIGHT(CLOSED)),
	CHAIN("vif-many-fragments", MANY, RIGHT(CLOSED)),
	CHAIN("vif-late-extra", LATE_EXTRA, LOST),
	CHAIN("vif-extra-type", EXTRA_TYPE, RIGHT(CLOSED)),
	CHAIN("vif-extra-twice", EXTRA_TWICE, RIGHT(CLOSED)),
	CHAIN("vif-extra-loop", EXTRA_LOOP, RIGHT(CLOSED)),
	CHAIN("vif-gso-zero", GSO_ZERO, RIGHT(CLOSED)),
	CHAIN("vif-gso-type", GSO_TYPE, RIGHT(CLOSED)),
	/* what the host makes of segments of a byte is its own affair: it must survive */
	CHAIN("vif-gso-tiny", GSO_TINY, LOST | RIGHT(SERVED)),
	CHAIN("vif-hash-type", HASH_TYPE, LOST),
	CHAIN("vif-multicast-data", MCAST_DATA, LOST),
	CHAIN("vif-multicast-flood", MCAST_FLOOD, LOST | RIGHT(SERVED)),
	CHAIN("vif-csum-short", CSUM_SHORT, LOST | RIGHT(SERVED)),
	CHAIN("vif-gref", BAD_GREF, LOST),
	{"vif-rx-gref", ATTACK_VIF, RIGHT(SERVED) | RIGHT(CLOSED), rx_gref_attack, 0,
	 NULL, NULL},
	CTRL("vif-ctrl-type", CTRL_TYPE),
	CTRL("vif-ctrl-key-gref", CTRL_KEY_GREF),
	CTRL("vif-ctrl-key-size", CTRL_KEY_SIZE),
	CTRL("vif-ctrl-map-size", CTRL_MAP_SIZE),
	CTRL("vif-ctrl-map-offset", CTRL_MAP_OFFSET),
	CTRL("vif-ctrl-map-queue", CTRL_MAP_QUEUE),
	NODE("vif-node-tx-ref-text", "tx-ring-ref", "banana"),
	NODE("vif-node-tx-ref-free", "tx-ring-ref", "4294967280"),
	NODE("vif-node-rx-ref-negative", "rx-ring-ref", "-1"),
	NODE("vif-node-rx-ref-empty", "rx-ring-ref", ""),
	NODE("vif-node-port-wrong", "event-channel", "4000000000"),
	NODE("vif-node-port-text", "event-channel", "1x"),
	NODE("vif-node-queues", "multi-queue-num-queues", "4294967297"),
	NODE("vif-node-queues-0", "multi-queue-num-queues", "0"),
	VANISH("vif-vanish-before", BEFORE_STATE),
	VANISH("vif-vanish-handshake", AFTER_STATE),
	VANISH("vif-vanish-connected", CONNECTED),
	VANISH("vif-vanish-in-flight", IN_FLIGHT),
	VANISH("vif-never-closes", NEVER_CLOSES),
	{.name = NULL},
};
