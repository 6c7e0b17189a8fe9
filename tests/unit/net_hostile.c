/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frontend that lies. Each lie ends with the packet refused or with the vif shut
 * down and a reason given; another guest's vif in the same process goes on, and
 * nothing is left behind. The loopback guards the pages beside every mapping.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

static const struct net_rig_options plain = {.features = RIG_FEATURES | VIF_CTRL_RING,
					     .live_flags = VIF_CARRIER};
static const struct virtio_net_hdr_v1 no_offload;
static uint8_t frame[RIG_PACKET], got[RIG_PACKET];

/* Both directions of @r work. */
static void check_works(struct net_rig *r)
{
	struct net_rig_send s = {.frame = frame, .len = 3000};
	struct virtio_net_hdr_v1 hdr;
	struct netif_rx_packet pk;
	enum netif_error error;
	uint32_t i, len;

	for (i = 0; i < 3000; i++)
		frame[i] = (uint8_t)(i * 5);
	frame[12] = 0x88;
	frame[0] = 0;
	net_rig_post(r, 0, 4);
	CU_ASSERT_TRUE(net_rig_send(r, 0, &s) > 0);
	port_loop_inject(r->q[0].port, &no_offload, frame, 3000);
	net_rig_run(r);
	CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), 3000);
	CU_ASSERT_EQUAL(memcmp(got, frame, 3000), 0);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), 1);
	CU_ASSERT_TRUE_FATAL(net_rig_receive(r, 0, got, &pk, &len, &error));
	CU_ASSERT_EQUAL(memcmp(got, frame, 3000), 0);
}

/* The vif gives up, says why, does nothing more, and leaves nothing behind. */
static void expect_broken(struct net_rig *r, const char *why)
{
	uint64_t sent, bytes, copies = loopback_calls(r->lb, LOOPBACK_COPY);

	net_rig_run(r);
	CU_ASSERT_EQUAL(r->broken, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->reason, why));
	if (!strstr(r->reason, why))
		fprintf(stderr, "expected \"%s\", got \"%s\"\n", why, r->reason);
	port_loop_sent(r->q[0].port, &sent, &bytes);
	CU_ASSERT_EQUAL(sent, 0);
	CU_ASSERT_EQUAL(loopback_calls(r->lb, LOOPBACK_COPY), copies);
	CU_ASSERT_FALSE(queue_work(r->vif->queue[0]));
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* ---- indices ---- */

static void test_tx_index(void)
{
	static const uint32_t wrong[] = {257, 1000, 0x80000000u, ~0u};
	struct net_rig *other = net_rig_open(&plain);
	uint32_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct net_rig *r = net_rig_open(&plain);

		net_rig_run(r);
		r->q[0].tx.shared->req_prod = wrong[i];
		expect_broken(r, "transmit ring: producer index");
		check_works(other);
	}
	CU_ASSERT_EQUAL(net_rig_close(other), 0);
}

/* A producer that goes back, after having been served. */
static void test_tx_backwards(void)
{
	struct net_rig *r = net_rig_open(&plain);

	check_works(r);
	r->q[0].tx.shared->req_prod = 0;
	net_rig_run(r);
	CU_ASSERT_EQUAL(r->broken, 1);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_rx_index(void)
{
	struct net_rig *r = net_rig_open(&plain);

	net_rig_run(r);
	r->q[0].rx.shared->req_prod = 257;
	port_loop_inject(r->q[0].port, &no_offload, frame, 100);
	expect_broken(r, "receive ring: producer index");
	/* and while it waits for buffers */
	r = net_rig_open(&plain);
	port_loop_inject(r->q[0].port, &no_offload, frame, 100);
	net_rig_run(r);
	r->q[0].rx.shared->req_prod = 0x7fffffff;
	expect_broken(r, "receive ring: producer index");
}

/* Impossible indices already when the vif connects. */
static void test_connect_index(void)
{
	uint32_t i;

	for (i = 0; i < 3; i++) {
		struct net_rig *r = net_rig_new(&plain);
		struct ring_shared *s = i == 0   ? r->q[0].tx.shared
					: i == 1 ? r->q[0].rx.shared
						 : r->ctrl.shared;

		s->req_prod = 5000;
		CU_ASSERT_EQUAL(net_rig_connect(r, &plain), -EPROTO);
		CU_ASSERT_EQUAL(net_rig_close(r), 0);
	}
}

/* The shared event indices are the guest's to spoil: at worst it is not told. */
static void test_event_index(void)
{
	struct net_rig *r = net_rig_open(&plain);

	check_works(r);
	r->q[0].tx.shared->rsp_event = 0xdeadbeef;
	r->q[0].rx.shared->rsp_event = 0;
	r->q[0].tx.shared->rsp_prod = 77; /* never read back */
	r->q[0].rx.shared->rsp_prod = 99;
	r->q[0].tx.shared->rsp_prod = r->q[0].tx.rsp_cons;
	r->q[0].rx.shared->rsp_prod = r->q[0].rx.rsp_cons;
	check_works(r);
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* ---- chains ---- */

struct slot {
	bool extra;
	union {
		struct netif_tx_request req;
		struct netif_extra_info info;
	};
};

#define REQ(o, s, f)                                                                     \
	{                                                                                \
		.req = {.gref = 0, .offset = (o), .flags = (f), .size = (s), .id = 9 }   \
	}
#define GSO(t, s, f)                                                                     \
	{                                                                                \
		true, .info = {                                                          \
			.type = XEN_NETIF_EXTRA_TYPE_GSO,                                \
			.flags = (f),                                                    \
			.u.gso = {.size = (s), .type = (t)}                              \
		}                                                                        \
	}
#define EXTRA(t, f)                                                                      \
	{                                                                                \
		true, .info = {.type = (t), .flags = (f) }                               \
	}
#define MORE  NETTXF_more_data
#define INFO  NETTXF_extra_info
#define XMORE XEN_NETIF_EXTRA_FLAG_MORE

/* Put the slots on the ring; their grants are real. */
static struct net_rig *send_slots(const struct slot *slots, uint32_t n)
{
	struct net_rig *r = net_rig_open(&plain);
	uint32_t i;

	net_rig_run(r);
	for (i = 0; i < n; i++) {
		struct netif_tx_request req = slots[i].req;

		if (slots[i].extra) {
			net_rig_tx_slot(r, 0, &slots[i].info, sizeof(slots[i].info));
			continue;
		}
		req.gref = r->q[0].tx_gref[i];
		net_rig_tx_slot(r, 0, &req, sizeof(req));
	}
	net_rig_tx_push(r, 0);
	return r;
}

static void fatal(const struct slot *slots, uint32_t n, const char *why)
{
	expect_broken(send_slots(slots, n), why);
}

#define FATAL(why, ...)                                                                  \
	do {                                                                             \
		const struct slot slots_[] = {__VA_ARGS__};                              \
		fatal(slots_, sizeof(slots_) / sizeof(slots_[0]), why);                  \
	} while (0)

static void test_fatal_chains(void)
{
	struct slot many[21];
	uint32_t i;

	FATAL("cut off", REQ(0, 5000, MORE));
	FATAL("cut off", REQ(0, 100, INFO));
	FATAL("cut off", REQ(0, 100, INFO), GSO(1, 1448, XMORE));
	FATAL("end of its page", REQ(4000, 97, 0));
	FATAL("end of its page", REQ(0xffff, 100, 0));
	FATAL("end of its page", REQ(0, 5000, 0));
	FATAL("end of its page", REQ(0, 5000, MORE), REQ(4095, 1000, 0));
	FATAL("unknown extra", REQ(0, 100, INFO), EXTRA(0, 0));
	FATAL("unknown extra", REQ(0, 100, INFO), EXTRA(5, 0));
	FATAL("unknown extra", REQ(0, 100, INFO), EXTRA(255, 255));
	FATAL("twice", REQ(0, 100, INFO), GSO(1, 1448, XMORE), GSO(1, 1448, 0));
	FATAL("GSO", REQ(0, 100, INFO), GSO(1, 0, 0));
	FATAL("GSO", REQ(0, 100, INFO), GSO(0, 1448, 0));
	FATAL("GSO", REQ(0, 100, INFO), GSO(3, 1448, 0));
	for (i = 0; i < 21; i++)
		many[i] = (struct slot)REQ(0, i ? 100 : 20000, i < 20 ? MORE : 0);
	fatal(many, 21, "too many fragments");
}

/* Lies that can be answered: the packet is refused, the vif lives. */
static void refuse(const struct slot *slots, uint32_t n, uint32_t errors)
{
	struct net_rig *r = send_slots(slots, n);
	uint64_t sent, bytes;

	net_rig_run(r);
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_ERROR), errors);
	CU_ASSERT_EQUAL(ring_front_outstanding(&r->q[0].tx), 0);
	port_loop_sent(r->q[0].port, &sent, &bytes);
	CU_ASSERT_EQUAL(sent, 0);
	check_works(r);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

#define REFUSE(errors, ...)                                                              \
	do {                                                                             \
		const struct slot slots_[] = {__VA_ARGS__};                              \
		refuse(slots_, sizeof(slots_) / sizeof(slots_[0]), errors);              \
	} while (0)

static void test_refused_chains(void)
{
	REFUSE(1, REQ(0, 0, 0));
	REFUSE(1, REQ(0, 13, 0));
	REFUSE(2, REQ(0, 100, MORE), REQ(0, 100, 0)); /* nothing left for the first */
	REFUSE(2, REQ(0, 100, MORE), REQ(0, 101, 0)); /* more than the whole */
	REFUSE(2, REQ(0, 1000, MORE), REQ(0, 0, 0));
	REFUSE(2, REQ(0, 1000, MORE), REQ(0, 100, INFO));
	REFUSE(1, REQ(0, 100, INFO),
	       EXTRA(XEN_NETIF_EXTRA_TYPE_HASH, 0)); /* algorithm none */
	/* GSO said of what is no TCP */
	REFUSE(1, REQ(0, 100, INFO), GSO(1, 1448, 0));
	REFUSE(1, REQ(0, 100, NETTXF_csum_blank));
}

/* ---- grants ---- */

static void test_bad_refs(void)
{
	static const uint32_t refs[] = {0, 1, 7, 100000, 0x7fffffff, ~0u};
	struct net_rig *r = net_rig_open(&plain);
	struct netif_rx_packet pk;
	enum netif_error error;
	uint32_t i, len;

	for (i = 0; i < sizeof(refs) / sizeof(refs[0]); i++) {
		struct netif_tx_request req = {.gref = refs[i], .size = 100, .id = 3};

		net_rig_tx_slot(r, 0, &req, sizeof(req));
		net_rig_tx_push(r, 0);
		net_rig_run(r);
		CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_ERROR), 1);
		/* a receive buffer that is none; and one that is read-only */
		netif_rx_post(&r->q[0].rx, (uint16_t)(2 * i), refs[i]);
		netif_rx_post(&r->q[0].rx, (uint16_t)(2 * i + 1), r->q[0].tx_gref[0]);
		ring_front_push(&r->q[0].rx);
		frame[0] = 0;
		port_loop_inject(r->q[0].port, &no_offload, frame, 200);
		port_loop_inject(r->q[0].port, &no_offload, frame, 200);
		net_rig_run(r);
		CU_ASSERT_TRUE(net_rig_receive(r, 0, got, &pk, &len, &error));
		CU_ASSERT_EQUAL(error, NETIF_BAD_STATUS);
		CU_ASSERT_TRUE(net_rig_receive(r, 0, got, &pk, &len, &error));
		CU_ASSERT_EQUAL(error, NETIF_BAD_STATUS);
	}
	CU_ASSERT_EQUAL(r->broken, 0);
	check_works(r);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* Rings that are not granted, are read-only, or ports that are not there. */
static void test_bad_connect(void)
{
	uint32_t i;

	for (i = 0; i < 6; i++) {
		struct net_rig *r = net_rig_new(&plain);
		uint32_t ref = r->q[0].tx_gref[0];

		if (i == 0)
			r->q[0].tx_ref = 5000;
		if (i == 1)
			r->q[0].rx_ref = ref;
		if (i == 2)
			r->ctrl_ref = ref;
		if (i == 3)
			r->q[0].tx_port = 200;
		if (i == 4)
			r->q[0].rx_port = 201;
		if (i == 5)
			r->ctrl_port = r->q[0].tx_port; /* bound already */
		CU_ASSERT_TRUE(net_rig_connect(r, &plain) < 0);
		CU_ASSERT_EQUAL(net_rig_close(r), 0);
	}
}

/* The attach message's own numbers. */
static void test_bad_attach(void)
{
	struct vif_attach good = {.version = VIF_PROTO_VERSION,
				  .nr_queues = 2,
				  .port_kind = VIF_PORT_TAP,
				  .queue = {{8, 9, 1, 2}, {10, 11, 3, 3}}};
	struct vif_attach a = good;

	CU_ASSERT_TRUE(vif_attach_valid(&a));
#define BAD(change)                                                                      \
	do {                                                                             \
		a = good;                                                                \
		change;                                                                  \
		CU_ASSERT_FALSE(vif_attach_valid(&a));                                   \
	} while (0)
	BAD(a.version++);
	BAD(a.nr_queues = 0);
	BAD(a.nr_queues = VIF_QUEUES_MAX + 1);
	BAD(a.features = VIF_FEATURES_ALL + 1);
	BAD(a.port_kind = 0);
	BAD(a.port_kind = 3);
	BAD(a.live.flags = VIF_LIVE_ALL + 1);
	BAD(a.live.rx_headroom = VIF_HEADROOM_MAX + 1);
	BAD(a.reserved = 1);
	BAD(a.features = VIF_CTRL_RING);
	BAD(a.queue[1].tx_port = 0);
	BAD(a.queue[0].rx_port = 0);
#undef BAD
}

/* A guest that is gone: ports closed, nothing answers; the end is orderly. */
static void test_vanished(void)
{
	struct net_rig_options o = plain;
	struct net_rig *r;
	uint32_t i;

	o.threads = true;
	r = net_rig_open(&o);
	net_rig_post(r, 0, 8);
	loopback_port_close(r->lb, r->q[0].tx_port);
	loopback_port_close(r->lb, r->q[0].rx_port);
	for (i = 0; i < 50; i++)
		port_loop_inject(r->q[0].port, &no_offload, frame, 200);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* Events without number and without cause cost a look at the ring each. */
static void test_event_storm(void)
{
	struct net_rig_options o = plain;
	struct net_rig *r;
	uint32_t i;

	o.threads = true;
	r = net_rig_open(&o);
	for (i = 0; i < 20000; i++)
		loopback_port_notify(r->lb, i & 1 ? r->q[0].tx_port : r->q[0].rx_port);
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* ---- a ring that changes while it is read ---- */

struct scribbler {
	struct net_rig *r;
	atomic_bool stop;
	unsigned int seed;
};

static void *scribble(void *arg)
{
	struct scribbler *s = arg;
	uint8_t *tx = (uint8_t *)s->r->q[0].tx.shared,
		*rx = (uint8_t *)s->r->q[0].rx.shared;

	while (!atomic_load(&s->stop)) {
		uint32_t at = RING_HEAD_SIZE + (uint32_t)rand_r(&s->seed) % 4000;

		((volatile uint8_t *)tx)[at] = (uint8_t)rand_r(&s->seed);
		((volatile uint8_t *)rx)[at] = (uint8_t)rand_r(&s->seed);
	}
	return NULL;
}

/*
 * Whatever the slots turn into, the vif's private state holds: it goes on or gives
 * up, under the sanitizers, and leaves nothing behind.
 */
static void test_scribbling(void)
{
	struct net_rig_options o = plain;
	uint32_t round, i;
	pthread_t thread;

	o.threads = true;
	for (round = 0; round < 30; round++) {
		struct net_rig *r = net_rig_open(&o);
		struct scribbler s = {.r = r, .seed = round};

		port_loop_mode(r->q[0].port, PORT_LOOP_COUNT);
		CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, scribble, &s), 0);
		for (i = 0; i < 200; i++) {
			struct netif_tx_request req = {.gref = r->q[0].tx_gref[i % 200],
						       .size = 90,
						       .id = (uint16_t)i};

			if (ring_front_free(&r->q[0].tx) > 1)
				net_rig_tx_slot(r, 0, &req, sizeof(req));
			net_rig_tx_push(r, 0);
			net_rig_post(r, 0, 1);
			port_loop_inject(r->q[0].port, &no_offload, frame, 90);
			r->q[0].tx.rsp_cons =
				r->q[0].tx.shared->rsp_prod; /* take what it says */
			r->q[0].rx.rsp_cons = r->q[0].rx.shared->rsp_prod;
		}
		atomic_store(&s.stop, true);
		pthread_join(thread, NULL);
		CU_ASSERT_EQUAL(net_rig_close(r), 0);
	}
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"transmit producer out of range", test_tx_index},
		{"transmit producer backwards", test_tx_backwards},
		{"receive producer out of range", test_rx_index},
		{"indices at connect", test_connect_index},
		{"event and response indices", test_event_index},
		{"chains beyond answering", test_fatal_chains},
		{"chains that are refused", test_refused_chains},
		{"references", test_bad_refs},
		{"rings and ports at connect", test_bad_connect},
		{"the attach message", test_bad_attach},
		{"a guest that vanishes", test_vanished},
		{"an event storm", test_event_storm},
		{"rings that change while read", test_scribbling},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_hostile", tests);
}
