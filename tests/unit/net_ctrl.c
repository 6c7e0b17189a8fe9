/* SPDX-License-Identifier: GPL-2.0-only */
/* The control ring: every request, right and wrong, and what hashing does to packets. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

#define OK       XEN_NETIF_CTRL_STATUS_SUCCESS
#define NOT      XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define INVALID  XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define OVERFLOW XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW

static const struct virtio_net_hdr_v1 no_offload;
static uint8_t got[RIG_PACKET];

static struct net_rig *open_rig(uint32_t queues, bool threads)
{
	struct net_rig_options o = {.features = RIG_FEATURES | VIF_CTRL_RING,
				    .live_flags = VIF_CARRIER,
				    .nr_queues = queues,
				    .threads = threads};

	return net_rig_open(&o);
}

static uint32_t ask(struct net_rig *r, uint16_t type, uint32_t d0, uint32_t d1,
		    uint32_t d2)
{
	return net_rig_ctrl(r, type, d0, d1, d2).status;
}

static void test_algorithm_and_flags(void)
{
	struct net_rig *r = open_rig(1, false);
	struct xen_netif_ctrl_response rsp;

	/* "a valid hash algorithm must be selected before" */
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0), NOT);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1, 0, 0), NOT);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 2, 0, 0), INVALID);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0), OK);
	rsp = net_rig_ctrl(r, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0);
	CU_ASSERT_EQUAL(rsp.status, OK);
	CU_ASSERT_EQUAL(rsp.data, 15);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 16, 0, 0), INVALID);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 15, 0, 0), OK);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 0, 0, 0), OK);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1, 0, 0), NOT);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_key(void)
{
	struct net_rig *r = open_rig(1, false);

	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, r->ctrl_gref, 40, 0),
			OK);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, r->ctrl_gref, 41, 0),
			OVERFLOW);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, r->ctrl_gref, ~0u, 0),
			OVERFLOW);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 9999, 40, 0), INVALID);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 9999, 0, 0),
			OK); /* cleared */
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_mapping(void)
{
	struct net_rig *r = open_rig(2, false);
	uint32_t *table = loopback_frame(r->lb, r->ctrl_frame), i;
	struct xen_netif_ctrl_response rsp;
	const uint16_t set = XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING;

	rsp = net_rig_ctrl(r, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
	CU_ASSERT_EQUAL(rsp.status, OK);
	CU_ASSERT_EQUAL(rsp.data, HASH_MAPPING_MAX);
	for (i = 0; i < HASH_MAPPING_MAX; i++)
		table[i] = i & 1;
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 1, 0), INVALID); /* no size yet */
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 129, 0, 0),
			INVALID);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 128, 0, 0), OK);
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 128, 0), OK);
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 129, 0), OVERFLOW);
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, ~0u, 0), OVERFLOW);
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 128, 1), INVALID);
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 2, ~0u), INVALID);
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 64, 64), OK);
	CU_ASSERT_EQUAL(ask(r, set, 9999, 2, 0), INVALID);
	/* a queue that is not there spoils the whole request */
	table[0] = 0;
	table[1] = 2;
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 2, 0), INVALID);
	CU_ASSERT_EQUAL(r->vif->config.hash.mapping[1], 1);
	table[1] = 0;
	CU_ASSERT_EQUAL(ask(r, set, r->ctrl_gref, 2, 0), OK);
	CU_ASSERT_EQUAL(r->vif->config.hash.mapping[1], 0);
	CU_ASSERT_EQUAL(r->vif->config.hash.mapping[3], 1);
	/* a new size is a new table */
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 4, 0, 0), OK);
	CU_ASSERT_EQUAL(r->vif->config.hash.mapping[3], 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_unknown(void)
{
	struct net_rig *r = open_rig(1, false);

	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 0, 0, 0), NOT);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, 8, 1), NOT);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, 0, 8, 1), NOT);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_INVALID, 0, 0, 0), NOT);
	CU_ASSERT_EQUAL(ask(r, 0xffff, ~0u, ~0u, ~0u), NOT);
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A full control ring at once, and then one too many. */
static void test_full(void)
{
	struct net_rig *r = open_rig(1, false);
	struct xen_netif_ctrl_request req = {
		.type = XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE};
	uint32_t i;

	for (i = 0; i < r->ctrl.size; i++)
		memcpy(ring_front_produce(&r->ctrl), &req, sizeof(req));
	ring_front_push(&r->ctrl);
	net_rig_run(r);
	CU_ASSERT_EQUAL(ring_front_responses(&r->ctrl), (int32_t)r->ctrl.size);
	r->ctrl.shared->req_prod += r->ctrl.size + 1;
	net_rig_run(r);
	CU_ASSERT_EQUAL(r->broken, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->reason, "control"));
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* The key and table pages may be anything: they are read once, into our memory. */
static void set_up_hashing(struct net_rig *r, uint32_t mapping_size)
{
	uint32_t *table = loopback_frame(r->lb, r->ctrl_frame), i;
	uint8_t *key = loopback_frame(r->lb, r->ctrl_frame);

	for (i = 0; i < HASH_KEY_MAX; i++)
		key[i] = (uint8_t)(i * 41 + 7);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0), OK);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, r->ctrl_gref, 40, 0),
			OK);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 15, 0, 0), OK);
	for (i = 0; i < mapping_size; i++)
		table[i] = (i / 2) % r->vif->nr_queues;
	CU_ASSERT_EQUAL(
		ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, mapping_size, 0, 0),
		OK);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, r->ctrl_gref,
			    mapping_size, 0),
			OK);
}

static uint32_t hash_of(struct net_rig *r, const uint8_t *frame, uint32_t n)
{
	struct packet_headers h;
	struct hash_value v;

	CU_ASSERT_EQUAL(packet_parse(frame, n, &h), PACKET_OK);
	CU_ASSERT_TRUE_FATAL(hash_packet(&r->vif->config.hash, frame, &h, &v));
	return v.value;
}

/* Each packet arrives once, on the queue that the table names, with its hash. */
static void test_steering(void)
{
	struct net_rig *r = open_rig(3, false);
	uint32_t l4, at, len, i, k, n, want, seen;
	struct net_packet p = {.payload = 3000};
	struct netif_rx_packet pk;
	enum netif_error error;
	uint8_t frame[4000];

	set_up_hashing(r, 6);
	for (i = 0; i < 3; i++)
		net_rig_post(r, i, 256);
	for (i = 0; i < 60; i++) {
		p.v6 = i & 1;
		n = net_packet_build(frame, &p, &l4, &at);
		frame[l4 + 1] = (uint8_t)i; /* the source port */
		want = r->vif->config.hash.mapping[hash_of(r, frame, n) % 6];
		port_loop_inject(r->q[i % 3].port, &no_offload, frame, n);
		net_rig_run(r);
		for (k = seen = 0; k < 3; k++) {
			while (net_rig_receive(r, k, got, &pk, &len, &error)) {
				CU_ASSERT_EQUAL(k, want);
				CU_ASSERT_EQUAL(len, n);
				CU_ASSERT_EQUAL(memcmp(got, frame, n), 0);
				CU_ASSERT_TRUE(pk.extra.has_hash);
				CU_ASSERT_EQUAL(pk.extra.hash, hash_of(r, frame, n));
				CU_ASSERT_EQUAL(
					pk.extra.hash_type,
					p.v6 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP
					     : _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP);
				net_rig_post(r, k, pk.nr_slots);
				seen++;
			}
		}
		CU_ASSERT_EQUAL(seen, 1);
	}
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A queue whose guest side is stuck: its inbox fills and then loses; others go on. */
static void test_steering_bound(void)
{
	struct net_rig *r = open_rig(2, false);
	uint32_t l4, at, n, i, len, seen = 0;
	struct net_packet p = {.payload = 1400};
	struct netif_rx_packet pk;
	enum netif_error error;
	uint8_t frame[2000];

	set_up_hashing(r, 2);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 1, 0, 0), OK);
	*(uint32_t *)loopback_frame(r->lb, r->ctrl_frame) = 1;
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, r->ctrl_gref, 1, 0),
			OK);
	net_rig_post(r, 0, 256); /* queue 1 has no buffers */
	n = net_packet_build(frame, &p, &l4, &at);
	for (i = 0; i < 400; i++) {
		port_loop_inject(r->q[0].port, &no_offload, frame, n);
		net_rig_run(r);
	}
	CU_ASSERT_EQUAL(port_loop_waiting(r->q[0].port), 0);
	CU_ASSERT_TRUE(r->vif->queue[0]->metrics->value[METRIC_DROPS] > 0);
	for (i = 0; i < 4; i++) {
		net_rig_post(r, 1, 256);
		net_rig_run(r);
		while (net_rig_receive(r, 1, got, &pk, &len, &error)) {
			CU_ASSERT_EQUAL(memcmp(got, frame, n), 0);
			seen++;
		}
	}
	CU_ASSERT_EQUAL(seen, 400 - r->vif->queue[0]->metrics->value[METRIC_DROPS]);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/*
 * Steered packets use up a queue's last buffers while its own port is quiet: with new
 * buffers it must go back to watching the port, and must be able to sleep.
 */
static void test_steering_starved(void)
{
	struct net_rig *r = open_rig(2, false);
	struct net_packet p = {.payload = 600};
	struct netif_rx_packet pk;
	enum netif_error error;
	uint32_t l4, at, n, len;
	uint8_t frame[1000];

	set_up_hashing(r, 2);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 1, 0, 0), OK);
	*(uint32_t *)loopback_frame(r->lb, r->ctrl_frame) = 1;
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, r->ctrl_gref, 1, 0),
			OK);
	net_rig_post(r, 0, 200);
	net_rig_run(r);
	net_rig_post(r, 1, 2); /* one packet and its hash, no more */
	net_rig_run(r);        /* both ports have been found empty */
	n = net_packet_build(frame, &p, &l4, &at);
	port_loop_inject(r->q[0].port, &no_offload, frame, n);
	net_rig_run(r);
	CU_ASSERT_TRUE(net_rig_receive(r, 1, got, &pk, &len, &error));
	net_rig_post(r, 1, 200);
	net_rig_run(r);
	CU_ASSERT_FALSE(rx_arm(r->vif->queue[1]));
	CU_ASSERT_TRUE(rx_wants_port(r->vif->queue[1]));
	port_loop_inject(r->q[1].port, &no_offload, frame, n);
	net_rig_run(r);
	CU_ASSERT_TRUE(net_rig_receive(r, 1, got, &pk, &len, &error));
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/*
 * A steered packet given up for want of buffers: the queue then watches its port
 * again and sleeps. It must not take buffers that are there for a reason to stay up.
 */
static void test_steering_given_up(void)
{
	struct net_rig_options o = {.features = (RIG_FEATURES | VIF_CTRL_RING) &
						~(uint32_t)VIF_RX_NOTIFY,
				    .live_flags = VIF_CARRIER,
				    .nr_queues = 2};
	struct net_rig *r = net_rig_open(&o);
	struct queue *q = r->vif->queue[1];
	struct net_packet p = {.payload = 30000};
	uint32_t l4, at, n, i;
	static uint8_t frame[31000];

	set_up_hashing(r, 2);
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, 1, 0, 0), OK);
	*(uint32_t *)loopback_frame(r->lb, r->ctrl_frame) = 1;
	CU_ASSERT_EQUAL(ask(r, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, r->ctrl_gref, 1, 0),
			OK);
	net_rig_post(r, 0, 64);
	net_rig_post(r, 1, 3); /* too few for the packet */
	n = net_packet_build(frame, &p, &l4, &at);
	port_loop_inject(r->q[0].port, &no_offload, frame, n);
	net_rig_run(r);
	for (i = 0; i < 1000 && !q->metrics->value[METRIC_DROPS]; i++) {
		queue_sleep(q, UINT64_MAX);
		queue_work(q);
	}
	CU_ASSERT_EQUAL(q->metrics->value[METRIC_DROPS], 1);
	while (queue_work(q))
		;
	CU_ASSERT_TRUE(rx_wants_port(q));
	CU_ASSERT_FALSE(rx_arm(q));
	CU_ASSERT_EQUAL(rx_timeout(q), UINT64_MAX);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* With threads: everything that goes in comes out somewhere, also while settings change.
 */
static void test_steering_threads(void)
{
	struct net_rig *r;
	uint32_t l4, at, n, i, k, len, seen = 0;
	uint64_t deadline = queue_now() + 20000000000ull, drops;
	struct net_packet p = {.payload = 600};
	struct netif_rx_packet pk;
	enum netif_error error;
	uint8_t frame[1000];

	r = open_rig(3, true);
	vif_config_begin(r->vif);
	r->vif->config.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	r->vif->config.hash.types = HASH_TYPES_ALL;
	hash_set_key(&r->vif->config.hash, (const uint8_t *)"0123456789abcdef", 16);
	vif_config_end(r->vif);
	for (i = 0; i < 3; i++)
		net_rig_post(r, i, 256);
	n = net_packet_build(frame, &p, &l4, &at);
	for (i = 0; (i < 3000 || seen < 3000) && queue_now() < deadline;) {
		frame[l4 + 1] = (uint8_t)i;
		if (i < 3000 && i - seen < 200 &&
		    !port_loop_inject(r->q[i % 3].port, &no_offload, frame, n))
			i++;
		if (i % 100 == 50) {
			vif_config_begin(r->vif)->hash.mapping_size = 0;
			vif_config_end(r->vif);
		}
		for (k = 0; k < 3; k++) {
			if (!net_rig_receive(r, k, got, &pk, &len, &error))
				continue;
			net_rig_post(r, k, pk.nr_slots);
			seen++;
		}
	}
	for (drops = k = 0; k < 3; k++)
		drops += r->vif->queue[k]->metrics->value[METRIC_DROPS];
	CU_ASSERT_EQUAL(drops, 0);
	CU_ASSERT_EQUAL(seen, 3000);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"algorithm and flags", test_algorithm_and_flags},
		{"key", test_key},
		{"mapping", test_mapping},
		{"what is not offered", test_unknown},
		{"a full ring, and beyond", test_full},
		{"steering", test_steering},
		{"steering to a stuck queue", test_steering_bound},
		{"steering to a queue without buffers", test_steering_starved},
		{"steering, a packet given up", test_steering_given_up},
		{"steering with threads", test_steering_threads},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_ctrl", tests);
}
