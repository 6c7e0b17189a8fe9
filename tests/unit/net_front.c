/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Our front end and our backend together: random packets, a seed a round, go out
 * through netfront and a vif to a port that sends them back, and arrive as they
 * were sent, in order. A failing round prints its seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontends/netfront.h"
#include "tests/unit/front_loopback.h"
#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

#define FRAMES    3000u
#define PACKETS   400u
#define IN_FLIGHT 6u

struct sent {
	struct netfront_packet packet;
	struct netfront_seg seg[NETIF_FRAGS_MAX];
	uint8_t *pages; /* 18 of them */
	uint32_t len;
	bool busy;
	uint8_t copy[RIG_PACKET];
};

static struct bed {
	struct loopback *lb;
	struct front_loopback fl;
	struct netfront nf;
	struct vif *vif;
	struct port *port[2];
	void *state;
	struct sent sent[IN_FLIGHT];
	unsigned int next_out, next_in; /* packets sent and received */
	unsigned int seed, wrong;
	char reason[256];
} * bed;

static unsigned int rnd(unsigned int below)
{
	return (unsigned int)rand_r(&bed->seed) % below;
}

/* A packet came back: it must be the next one. */
static void received(struct netfront_queue *q, const struct netfront_received *p)
{
	struct sent *s = &bed->sent[bed->next_in % IN_FLIGHT];
	uint32_t at = 0, i;

	(void)q;
	if (bed->next_in == bed->next_out || p->size != s->len ||
	    p->csum_blank != s->packet.csum_blank ||
	    p->extra.gso_type != s->packet.gso_type ||
	    p->extra.gso_size != s->packet.gso_size) {
		bed->wrong++;
		return;
	}
	for (i = 0; i < p->nr_frags; at += p->frag[i++].len)
		if (memcmp(p->frag[i].data, s->copy + at, p->frag[i].len))
			bed->wrong++;
	bed->next_in++;
}

static void sent_done(struct netfront_packet *p)
{
	struct sent *s = p->priv;

	if (p->status != NETIF_RSP_OKAY || p->still_mapped)
		bed->wrong++;
	s->busy = false;
}

/* The bytes of a packet: TCP with an offload, or of a type that nobody looks into. */
static void make_bytes(struct sent *s)
{
	struct net_packet p = {
		.v6 = rnd(2), .vlan_tags = rnd(3), .payload = 1 + rnd(64000)};
	uint32_t l4, at, i;
	uint16_t sum;

	if (rnd(4) == 0)
		p.payload = 1 + rnd(1400);
	s->len = net_packet_build(s->copy, &p, &l4, &at);
	memset(&s->packet, 0, sizeof(s->packet));
	if (rnd(2)) {
		sum = net_packet_pseudo(s->copy, &p, l4, s->len);
		s->copy[at] = (uint8_t)(sum >> 8);
		s->copy[at + 1] = (uint8_t)sum;
		s->packet.csum_blank = true;
		if (p.payload > 1448) {
			s->packet.gso_type = p.v6 ? XEN_NETIF_GSO_TYPE_TCPV6
						  : XEN_NETIF_GSO_TYPE_TCPV4;
			s->packet.gso_size = 1448;
		}
		return;
	}
	s->copy[12] = 0x88;
	s->copy[13] = 0xb5;
	for (i = 14; i < s->len; i += 1 + rnd(50))
		s->copy[i] = (uint8_t)rnd(256);
}

/* Cut it into pieces of any size and place. */
static void make_pieces(struct sent *s)
{
	uint32_t done = 0, n, offset;

	s->packet.seg = s->seg;
	while (done < s->len) {
		uint32_t left = s->len - done,
			 pages = NETIF_FRAGS_MAX - s->packet.nr_segs - 2;

		offset = left < XEN_PAGE_SIZE * (pages / 2) ? rnd(4000) : 0;
		n = XEN_PAGE_SIZE - offset;
		if (left < XEN_PAGE_SIZE * (pages / 2) && n > 20)
			n = 14 + rnd(n - 14);
		if (n > left)
			n = left;
		if (!done && n < 14) {
			n = left < 100 ? left : 100;
			offset = 0;
		}
		s->seg[s->packet.nr_segs].data =
			s->pages + s->packet.nr_segs * XEN_PAGE_SIZE + offset;
		s->seg[s->packet.nr_segs].len = n;
		memcpy(s->seg[s->packet.nr_segs].data, s->copy + done, n);
		s->packet.nr_segs++;
		done += n;
	}
}

static bool send_next(void)
{
	struct sent *s = &bed->sent[bed->next_out % IN_FLIGHT];

	if (bed->next_out == PACKETS || bed->next_out - bed->next_in == IN_FLIGHT ||
	    s->busy)
		return false;
	make_bytes(s);
	make_pieces(s);
	s->packet.done = sent_done;
	s->packet.priv = s;
	if (netfront_send(&bed->nf.queue[0], &s->packet))
		return false;
	s->busy = true;
	bed->next_out++;
	return true;
}

static void broken(void *ctx, const char *text)
{
	(void)ctx;
	snprintf(bed->reason, sizeof(bed->reason), "%s", text);
}

static void connect_vif(bool threads)
{
	struct vif_setup s = {.grants = loopback_grants(bed->lb),
			      .state = bed->state,
			      .state_size = vif_state_size(2),
			      .broken = broken,
			      .threads = threads};
	struct vif_attach *a = &s.attach;
	uint32_t i;

	a->version = VIF_PROTO_VERSION;
	a->domid = LOOPBACK_DOMID;
	a->nr_queues = bed->nf.nr_queues;
	a->port_kind = VIF_PORT_TAP;
	a->features = RIG_FEATURES | VIF_CTRL_RING;
	a->live.flags = VIF_CARRIER;
	a->live.rx_headroom = bed->nf.cfg.headroom;
	a->ctrl_ref = bed->nf.ctrl_ref;
	a->ctrl_port = bed->nf.ctrl_port;
	for (i = 0; i < a->nr_queues; i++) {
		struct netfront_queue *q = &bed->nf.queue[i];

		a->queue[i] = (struct vif_queue_attach){q->tx_ref, q->rx_ref, q->tx_port,
							q->rx_port};
		s.events[i] = loopback_events(bed->lb);
		s.port[i] = bed->port[i] = port_loop_open();
		port_loop_mode(s.port[i], PORT_LOOP_REFLECT);
	}
	CU_ASSERT_EQUAL_FATAL(vif_open(&s, &bed->vif), 0);
}

static void bed_open(unsigned int seed, bool threads)
{
	static const char *const on[] = {
		"feature-sg",
		"feature-gso-tcpv4",
		"feature-gso-tcpv6",
		"feature-rx-copy",
		"feature-ipv6-csum-offload",
		"feature-split-event-channels",
		"feature-ctrl-ring",
		"feature-multicast-control",
		"feature-xdp-headroom",
	};
	struct netfront_config cfg = {
		.csum6 = true, .ctrl_ring = true, .multicast_control = true};
	unsigned int i;

	bed = calloc(1, sizeof(*bed));
	CU_ASSERT_PTR_NOT_NULL_FATAL(bed);
	bed->seed = seed;
	bed->lb = loopback_new(FRAMES, FRAMES, 16);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bed->lb);
	CU_ASSERT_EQUAL_FATAL(front_loopback_init(&bed->fl, bed->lb, 0, FRAMES), 0);
	for (i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		front_loopback_set_back(&bed->fl, on[i], "1");
	front_loopback_set_back(&bed->fl, "multi-queue-max-queues", "2");
	bed->state = aligned_alloc(64, (vif_state_size(2) + 63) & ~63u);
	memset(bed->state, 0, vif_state_size(2));
	cfg.queues = 1 + rnd(2);
	cfg.split_events = rnd(2);
	cfg.headroom = rnd(2) * 256;
	CU_ASSERT_EQUAL_FATAL(netfront_init(&bed->nf, &bed->fl.os, &cfg), FRONT_OK);
	bed->nf.receive = received;
	for (i = 0; i < IN_FLIGHT; i++)
		bed->sent[i].pages =
			bed->fl.os.ops->pages_alloc(&bed->fl.os, NETIF_FRAGS_MAX);
	connect_vif(threads);
}

static void bed_close(void)
{
	struct loopback_audit audit;
	unsigned int i;

	vif_close(bed->vif);
	loopback_audit(bed->lb, &audit);
	CU_ASSERT_EQUAL(audit.mapped_pages + audit.bound_ports + audit.open_sets, 0);
	for (i = 0; i < IN_FLIGHT; i++)
		bed->fl.os.ops->pages_free(&bed->fl.os, bed->sent[i].pages,
					   NETIF_FRAGS_MAX);
	CU_ASSERT_EQUAL(netfront_close(&bed->nf), FRONT_OK);
	CU_ASSERT_EQUAL(bed->fl.allocs + bed->fl.pages + bed->fl.grants + bed->fl.ports,
			0);
	front_loopback_fini(&bed->fl);
	loopback_free(bed->lb);
	free(bed->state);
	free(bed);
}

static void run_backend(bool threads)
{
	uint32_t i, round;

	for (round = 0; !threads && round < 3; round++) {
		for (i = 0; i < bed->vif->nr_queues; i++) {
			while (queue_work(bed->vif->queue[i]))
				;
			queue_sleep(bed->vif->queue[i], 0);
		}
	}
}

static void round_trip(unsigned int seed, bool threads)
{
	uint64_t deadline = queue_now() + 30000000000ull;

	bed_open(seed, threads);
	while (bed->next_in < PACKETS && !bed->wrong && !bed->reason[0] &&
	       queue_now() < deadline) {
		while (rnd(3) && send_next())
			;
		netfront_push(&bed->nf.queue[0]);
		run_backend(threads);
		if (netfront_poll(&bed->nf.queue[0]) < 0)
			bed->wrong++;
		netfront_push(&bed->nf.queue[0]);
		netfront_may_sleep(&bed->nf.queue[0]);
	}
	if (bed->next_in != PACKETS || bed->wrong || bed->reason[0])
		printf("seed %u: %u sent, %u received, %u wrong; %s\n", seed,
		       bed->next_out, bed->next_in, bed->wrong, bed->reason);
	CU_ASSERT_EQUAL(bed->next_in, PACKETS);
	CU_ASSERT_EQUAL(bed->wrong, 0);
	CU_ASSERT_EQUAL(bed->reason[0], 0);
	bed_close();
}

static void test_seeds(void)
{
	unsigned int seed;

	for (seed = 1; seed <= 20; seed++)
		round_trip(seed, false);
}

static void test_seeds_threads(void)
{
	unsigned int seed;

	for (seed = 101; seed <= 110; seed++)
		round_trip(seed, true);
}

/* The control ring and multicast through the front end's own calls. */
static void test_control(void)
{
	static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint32_t toeplitz[3] = {XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ};
	static const uint32_t key[3] = {0, 40, 0};
	struct netfront_packet p = {.done = sent_done, .priv = NULL};
	uint8_t bytes[40] = {1, 2, 3};
	uint32_t status, data;

	bed_open(7, false);
	p.priv = &bed->sent[0];
	CU_ASSERT_EQUAL(netfront_ctrl_send(&bed->nf,
					   XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
					   toeplitz, NULL, 0),
			FRONT_OK);
	run_backend(false);
	CU_ASSERT_EQUAL(netfront_ctrl_poll(&bed->nf, &status, &data), 1);
	CU_ASSERT_EQUAL(status, XEN_NETIF_CTRL_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(netfront_ctrl_send(&bed->nf, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY,
					   key, bytes, sizeof(bytes)),
			FRONT_OK);
	run_backend(false);
	CU_ASSERT_EQUAL(netfront_ctrl_poll(&bed->nf, &status, &data), 1);
	CU_ASSERT_EQUAL(status, XEN_NETIF_CTRL_STATUS_SUCCESS);
	CU_ASSERT_NOT_EQUAL(bed->vif->config.hash.nibble[0][8], 0);
	CU_ASSERT_EQUAL(netfront_multicast(&bed->nf.queue[0], &p, group, true), FRONT_OK);
	netfront_push(&bed->nf.queue[0]);
	run_backend(false);
	CU_ASSERT_TRUE(netfront_poll(&bed->nf.queue[0]) > 0);
	CU_ASSERT_EQUAL(bed->wrong, 0);
	CU_ASSERT_TRUE(mcast_pass(&bed->vif->config.mcast, group));
	bed_close();
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"random packets, one thread", test_seeds},
		{"random packets, threads", test_seeds_threads},
		{"control ring and multicast", test_control},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_front", tests);
}
