/* SPDX-License-Identifier: GPL-2.0-only */
/* From the port to the guest: sizes, offloads, headroom, missing buffers, limits. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

static const struct net_rig_options plain = {.features = RIG_FEATURES,
					     .live_flags = VIF_CARRIER};
static const struct virtio_net_hdr_v1 no_offload;

static uint8_t frame[RIG_PACKET], got[RIG_PACKET];
static struct netif_rx_packet pk;
static enum netif_error error;
static uint32_t len;

static void fill(uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8) + 3);
	frame[0] = 0;
	frame[12] = 0x88;
	frame[13] = 0xb5;
}

/* The guest gets exactly the frame. */
static void expect(struct net_rig *r, uint32_t n)
{
	CU_ASSERT_TRUE_FATAL(net_rig_receive(r, 0, got, &pk, &len, &error));
	CU_ASSERT_EQUAL(error, NETIF_OK);
	CU_ASSERT_EQUAL_FATAL(len, n);
	CU_ASSERT_EQUAL(memcmp(got, frame, n), 0);
}

static void expect_none(struct net_rig *r)
{
	CU_ASSERT_FALSE(net_rig_receive(r, 0, got, &pk, &len, &error));
}

static uint64_t metric(struct net_rig *r, enum metric m)
{
	return r->vif->queue[0]->metrics->value[m];
}

static void check_sizes(uint32_t headroom, bool pool)
{
	static const uint32_t sizes[] = {14,   60,    61,    1514,  4095,  4096, 4097,
					 9014, 16384, 32769, 65534, 65535, 65549};
	struct net_rig_options o = plain;
	struct net_rig *r;
	uint32_t i, k;

	o.headroom = headroom;
	o.pool = pool;
	r = net_rig_open(&o);
	net_rig_post(r, 0, 256);
	for (i = 0; i < 4 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t n = sizes[i / 4];

		fill(n);
		CU_ASSERT_EQUAL(port_loop_inject(r->q[0].port, &no_offload, frame, n), 0);
		net_rig_run(r);
		expect(r, n);
		CU_ASSERT_EQUAL(pk.flags, 0);
		CU_ASSERT_EQUAL(pk.nr_frags, (n + headroom + 4095) / 4096);
		CU_ASSERT_EQUAL(pk.frag[0].offset, headroom);
		for (k = 1; k < pk.nr_frags; k++)
			CU_ASSERT_EQUAL(pk.frag[k].offset, 0);
		net_rig_post(r, 0, pk.nr_slots);
	}
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_sizes(void)
{
	check_sizes(0, false);
	check_sizes(0, true);
}

static void test_headroom(void)
{
	check_sizes(256, false);
	check_sizes(VIF_HEADROOM_MAX, true);
}

/* Longer than any frame: dropped, and the next one goes. */
static void test_too_long(void)
{
	struct net_rig *r = net_rig_open(&plain);

	net_rig_post(r, 0, 256);
	memset(frame, 0, sizeof(frame));
	port_loop_inject(r->q[0].port, &no_offload, frame, sizeof(frame));
	port_loop_inject(r->q[0].port, &no_offload, frame, 13);
	fill(100);
	port_loop_inject(r->q[0].port, &no_offload, frame, 100);
	net_rig_run(r);
	expect(r, 100);
	CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 2);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A burst: one copy, one push, one event. */
static void test_burst(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct loopback_audit before, after;
	uint64_t copies;
	uint32_t i;

	net_rig_post(r, 0, 256);
	net_rig_run(r);
	copies = loopback_calls(r->lb, LOOPBACK_COPY);
	loopback_audit(r->lb, &before);
	for (i = 0; i < 300; i++) {
		fill(200);
		frame[20] = (uint8_t)i;
		port_loop_inject(r->q[0].port, &no_offload, frame, 200);
	}
	net_rig_run(r);
	loopback_audit(r->lb, &after);
	CU_ASSERT_EQUAL(loopback_calls(r->lb, LOOPBACK_COPY), copies + 1);
	CU_ASSERT_EQUAL(after.notify_front, before.notify_front + 1);
	CU_ASSERT_EQUAL(port_loop_waiting(r->q[0].port), 44); /* left to the kernel */
	for (i = 0; i < 256; i++) {
		frame[20] = (uint8_t)i;
		expect(r, 200);
	}
	net_rig_post(r, 0, 256);
	net_rig_run(r);
	for (; i < 300; i++) {
		frame[20] = (uint8_t)i;
		expect(r, 200);
	}
	CU_ASSERT_EQUAL(metric(r, METRIC_RX_OPS), 300);
	CU_ASSERT_EQUAL(metric(r, METRIC_RX_BYTES), 300 * 200);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A large packet waits, whole, until there are buffers for all of it; order holds. */
static void test_few_buffers(void)
{
	struct net_rig *r = net_rig_open(&plain);
	uint32_t i;

	net_rig_post(r, 0, 5);
	fill(60000);
	port_loop_inject(r->q[0].port, &no_offload, frame, 60000);
	port_loop_inject(r->q[0].port, &no_offload, frame, 50);
	net_rig_run(r);
	expect_none(r);
	for (i = 0; i < 9; i++) {
		net_rig_post(r, 0, 1);
		net_rig_run(r);
		expect_none(r);
	}
	net_rig_post(r, 0, 1);
	net_rig_run(r);
	expect(r, 60000);
	expect_none(r);
	net_rig_post(r, 0, 1);
	net_rig_run(r);
	expect(r, 50);
	CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* With no buffers the port is left alone, and the queue sleeps without a time limit. */
static void test_no_buffers(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct queue *q = r->vif->queue[0];
	uint64_t calls;

	fill(50);
	net_rig_run(r);
	port_loop_inject(r->q[0].port, &no_offload, frame, 50);
	net_rig_run(r);
	calls = port_loop_calls(r->q[0].port, PORT_LOOP_RECEIVE);
	net_rig_run(r);
	queue_work(q);
	CU_ASSERT_EQUAL(port_loop_calls(r->q[0].port, PORT_LOOP_RECEIVE), calls);
	CU_ASSERT_FALSE(rx_wants_port(q));
	CU_ASSERT_EQUAL(rx_timeout(q), UINT64_MAX);
	net_rig_post(r, 0, 1);
	net_rig_run(r);
	expect(r, 50);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A frontend that does not tell of new buffers is looked at again, then given up. */
static void test_silent_frontend(void)
{
	struct net_rig_options o = plain;
	struct net_rig *r;
	struct queue *q;
	uint32_t i;

	o.features &= ~(uint32_t)VIF_RX_NOTIFY;
	r = net_rig_open(&o);
	q = r->vif->queue[0];
	fill(50);
	port_loop_inject(r->q[0].port, &no_offload, frame, 50);
	net_rig_run(r);
	CU_ASSERT_TRUE(rx_timeout(q) < UINT64_MAX);
	/* buffers without an event: found when the time is up */
	for (i = 0; i < 10; i++)
		netif_rx_post(&r->q[0].rx, (uint16_t)i, r->q[0].rx_gref[i]);
	ring_front_push(&r->q[0].rx);
	for (i = 0; i < 100 && !q->metrics->value[METRIC_RX_OPS]; i++) {
		queue_sleep(q, UINT64_MAX);
		queue_work(q);
	}
	expect(r, 50);
	/* nothing more is to be found for a packet that needs more than it ever posts */
	fill(60000);
	port_loop_inject(r->q[0].port, &no_offload, frame, 60000);
	for (i = 0; i < 1000 && !metric(r, METRIC_DROPS); i++) {
		queue_work(q);
		queue_sleep(q, UINT64_MAX);
	}
	CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 1);
	queue_work(q);
	CU_ASSERT_EQUAL(rx_timeout(q), UINT64_MAX);
	expect_none(r);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static uint16_t field(uint32_t at)
{
	return (uint16_t)(got[at] << 8 | got[at + 1]);
}

/* A checksum left open by the host reaches the guest as such, or is filled in for it. */
static void check_csum(uint32_t features, const struct net_packet *p, bool odd_place)
{
	struct net_rig_options o = {.features = features, .live_flags = VIF_CARRIER};
	struct net_rig *r = net_rig_open(&o);
	uint32_t l4, at, n = net_packet_build(frame, p, &l4, &at);
	uint16_t pseudo = net_packet_pseudo(frame, p, l4, n);
	uint16_t right = (uint16_t)(frame[at] << 8 | frame[at + 1]);
	bool can = features & (p->v6 ? VIF_CSUM_V6 : VIF_CSUM_V4) && !odd_place;
	struct virtio_net_hdr_v1 hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.csum_start = (uint16_t)l4,
					.csum_offset = (uint16_t)(at - l4)};

	frame[at] = (uint8_t)(pseudo >> 8);
	frame[at + 1] = (uint8_t)pseudo;
	if (odd_place) /* some inner protocol's */
		hdr.csum_start = (uint16_t)(l4 + 31);
	net_rig_post(r, 0, 32);
	port_loop_inject(r->q[0].port, &hdr, frame, n);
	net_rig_run(r);
	CU_ASSERT_TRUE_FATAL(net_rig_receive(r, 0, got, &pk, &len, &error));
	CU_ASSERT_EQUAL(len, n);
	CU_ASSERT_TRUE(pk.flags & NETRXF_data_validated);
	CU_ASSERT_EQUAL(!!(pk.flags & NETRXF_csum_blank), can);
	if (!odd_place)
		CU_ASSERT_EQUAL(field(at), can ? pseudo : right);
	if (can)
		CU_ASSERT_EQUAL(memcmp(got, frame, n), 0);
	if (odd_place) {
		uint32_t from = l4 + 31;

		CU_ASSERT_EQUAL(memcmp(got, frame, from), 0);
		/* whatever the field held counts as a part of the sum */
		CU_ASSERT_EQUAL((uint16_t)~net_reference_sum(frame + from, n - from),
				field(from + at - l4));
	}
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_checksum(void)
{
	struct net_packet p = {0};
	uint32_t i;

	for (i = 0; i < 32; i++) {
		p.payload = 1000 + i * 389; /* odd and even, one page and more */
		p.v6 = i & 1;
		p.udp = i & 2;
		p.vlan_tags = i & 4 ? 1 : 0;
		p.ip_options = i & 8 ? 16 : 0;
		check_csum(RIG_FEATURES, &p, false);
		check_csum(VIF_SG, &p, false);
		check_csum(RIG_FEATURES, &p, i & 16);
	}
}

/* What the host validated is said to be so. */
static void test_validated(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct virtio_net_hdr_v1 hdr = {.flags = VIRTIO_NET_HDR_F_DATA_VALID};

	fill(100);
	net_rig_post(r, 0, 8);
	port_loop_inject(r->q[0].port, &hdr, frame, 100);
	net_rig_run(r);
	expect(r, 100);
	CU_ASSERT_EQUAL(pk.flags, NETRXF_data_validated);
	/* a checksum field outside of the packet: dropped */
	hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	hdr.csum_start = 90;
	hdr.csum_offset = 10;
	port_loop_inject(r->q[0].port, &hdr, frame, 100);
	net_rig_run(r);
	expect_none(r);
	CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 1);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void inject_gso(struct net_rig *r, const struct net_packet *p, uint8_t type,
		       uint32_t *n)
{
	uint32_t l4, at;
	struct virtio_net_hdr_v1 hdr = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					.gso_type = type,
					.gso_size = 1448,
					.csum_offset = 16};

	*n = net_packet_build(frame, p, &l4, &at);
	hdr.csum_start = (uint16_t)l4;
	hdr.hdr_len = (uint16_t)(l4 + 20);
	port_loop_inject(r->q[0].port, &hdr, frame, *n);
	net_rig_run(r);
}

static void test_gso(void)
{
	struct net_packet p = {.payload = 65000};
	struct net_rig *r = net_rig_open(&plain);
	uint32_t n, i;

	for (i = 0; i < 2; i++) {
		p.v6 = i;
		net_rig_post(r, 0, 256);
		inject_gso(r, &p, i ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4,
			   &n);
		expect(r, n);
		CU_ASSERT_EQUAL(pk.extra.gso_type,
				i ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4);
		CU_ASSERT_EQUAL(pk.extra.gso_size, 1448);
		CU_ASSERT_EQUAL(pk.flags, NETRXF_csum_blank | NETRXF_data_validated);
		CU_ASSERT_EQUAL(pk.nr_slots, pk.nr_frags + 1);
	}
	/* no such type on the ring */
	inject_gso(r, &p, VIRTIO_NET_HDR_GSO_UDP, &n);
	expect_none(r);
	CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 1);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* The host is asked for no more than the frontend takes; what comes all the same is
 * dropped. */
static void test_features(void)
{
	static const struct {
		uint32_t features;
		unsigned int offload;
	} want[] = {
		{0, 0},
		{VIF_SG, 0},
		{VIF_SG | VIF_GSO_TCPV4, 0},
		{VIF_CSUM_V4 | VIF_GSO_TCPV4, PORT_OFFLOAD_CSUM},
		{VIF_CSUM_V4 | VIF_SG | VIF_GSO_TCPV4 | VIF_GSO_TCPV6,
		 PORT_OFFLOAD_CSUM | PORT_OFFLOAD_TSO4},
		{VIF_CSUM_V6 | VIF_SG | VIF_GSO_TCPV4 | VIF_GSO_TCPV6,
		 PORT_OFFLOAD_CSUM | PORT_OFFLOAD_TSO6},
		{RIG_FEATURES, PORT_OFFLOAD_CSUM | PORT_OFFLOAD_TSO4 | PORT_OFFLOAD_TSO6},
	};
	struct net_packet p = {.payload = 9000};
	uint32_t i, n;

	for (i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		struct net_rig_options o = {.features = want[i].features,
					    .live_flags = VIF_CARRIER};
		struct net_rig *r = net_rig_open(&o);

		CU_ASSERT_EQUAL(port_loop_offload(r->q[0].port), want[i].offload);
		net_rig_post(r, 0, 256);
		inject_gso(r, &p, VIRTIO_NET_HDR_GSO_TCPV4, &n);
		if (!(want[i].offload & PORT_OFFLOAD_TSO4)) {
			expect_none(r);
			CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 1);
		} else {
			expect(r, n);
		}
		fill(4097); /* more than a page */
		port_loop_inject(r->q[0].port, &no_offload, frame, 4097);
		net_rig_run(r);
		if (want[i].features & VIF_SG) {
			expect(r, 4097);
		} else {
			expect_none(r);
		}
		CU_ASSERT_EQUAL(net_rig_close(r), 0);
	}
}

/* A buffer that cannot be written: its response says so, the others go on. */
static void test_bad_grant(void)
{
	struct net_rig *r = net_rig_open(&plain);

	loopback_end_access(r->lb, r->q[0].rx_gref[2]);
	net_rig_post(r, 0, 10);
	fill(9000);
	port_loop_inject(r->q[0].port, &no_offload, frame, 9000); /* buffers 0, 1, 2 */
	port_loop_inject(r->q[0].port, &no_offload, frame, 9000);
	net_rig_run(r);
	CU_ASSERT_TRUE(net_rig_receive(r, 0, got, &pk, &len, &error));
	CU_ASSERT_EQUAL(error, NETIF_BAD_STATUS);
	CU_ASSERT_EQUAL(pk.frag[0].status, 4096);
	CU_ASSERT_EQUAL(pk.frag[2].status, NETIF_RSP_ERROR);
	expect(r, 9000);
	CU_ASSERT_EQUAL(metric(r, METRIC_ERRORS), 1);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_limit(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct limit_rate rate = {.bytes_per_s = 20000, .bytes_burst = 2000};
	struct queue *q = r->vif->queue[0];
	uint64_t start;
	uint32_t i;

	limit_set(&r->vif->state->limit[0], &rate);
	net_rig_post(r, 0, 256);
	fill(1000);
	for (i = 0; i < 4; i++)
		port_loop_inject(r->q[0].port, &no_offload, frame, 1000);
	start = queue_now();
	net_rig_run(r);
	CU_ASSERT_TRUE(q->rx.holding && q->rx.throttled);
	CU_ASSERT_TRUE(rx_timeout(q) < UINT64_MAX);
	for (i = 0; i < 1000 && metric(r, METRIC_RX_OPS) < 4; i++) {
		queue_sleep(q, UINT64_MAX);
		queue_work(q);
	}
	CU_ASSERT_TRUE(queue_now() - start >= 40000000);
	for (i = 0; i < 4; i++)
		expect(r, 1000);
	CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A packet that waited for buffers counts like any other when they come. */
static void test_limit_starved(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct limit_rate rate = {.bytes_per_s = 1, .bytes_burst = 5000};
	uint32_t i;

	limit_set(&r->vif->state->limit[0], &rate);
	fill(5000);
	net_rig_post(r, 0, 1);
	for (i = 0; i < 4; i++) {
		port_loop_inject(r->q[0].port, &no_offload, frame, 5000);
		net_rig_run(r); /* too few: it takes two */
		net_rig_post(r, 0, 2);
		net_rig_run(r);
	}
	CU_ASSERT_EQUAL(metric(r, METRIC_RX_OPS), 1);
	expect(r, 5000);
	expect_none(r);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_carrier(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct vif_update u = {.version = VIF_PROTO_VERSION};

	net_rig_post(r, 0, 16);
	fill(100);
	CU_ASSERT_EQUAL(vif_update(r->vif, &u), 0);
	port_loop_inject(r->q[0].port, &no_offload, frame, 100);
	net_rig_run(r);
	expect_none(r);
	CU_ASSERT_EQUAL(port_loop_waiting(r->q[0].port), 0);
	CU_ASSERT_EQUAL(metric(r, METRIC_DROPS), 1);
	u.live.flags = VIF_CARRIER;
	u.live.rx_headroom = 256;
	CU_ASSERT_EQUAL(vif_update(r->vif, &u), 0);
	port_loop_inject(r->q[0].port, &no_offload, frame, 100);
	net_rig_run(r);
	expect(r, 100);
	CU_ASSERT_EQUAL(pk.frag[0].offset, 256);
	u.live.rx_headroom = VIF_HEADROOM_MAX + 1;
	CU_ASSERT_EQUAL(vif_update(r->vif, &u), -EINVAL);
	u.live.rx_headroom = 0;
	u.live.flags = ~0u;
	CU_ASSERT_EQUAL(vif_update(r->vif, &u), -EINVAL);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A host interface that is gone ends the vif; nothing spins. */
static void test_port_gone(void)
{
	struct net_rig *r = net_rig_open(&plain);

	net_rig_post(r, 0, 16);
	fill(100);
	/* a few errors are survived */
	port_loop_fail(r->q[0].port, PORT_LOOP_RECEIVE, 1, 3, EIO);
	port_loop_inject(r->q[0].port, &no_offload, frame, 100);
	net_rig_run(r);
	expect(r, 100);
	CU_ASSERT_EQUAL(r->broken, 0);
	port_loop_fail(r->q[0].port, PORT_LOOP_RECEIVE, 1, 1000000, EBADFD);
	port_loop_inject(r->q[0].port, &no_offload, frame, 100);
	net_rig_run(r);
	CU_ASSERT_EQUAL(r->broken, 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(r->reason, "interface"));
	CU_ASSERT_FALSE(queue_work(r->vif->queue[0]));
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* Both ways at once with threads: the guest's packets come back to it whole. */
static void run_reflect(bool uring)
{
	struct net_rig_options o = plain;
	struct net_rig_send s = {.frame = frame, .len = 5000};
	uint64_t deadline = queue_now() + 20000000000ull;
	uint32_t sent = 0, back = 0;
	struct net_rig *r;

	o.threads = true;
	o.unsplit = !uring;
	o.uring = o.pool = uring;
	r = net_rig_open(&o);
	port_loop_mode(r->q[0].port, PORT_LOOP_REFLECT);
	fill(5000);
	net_rig_post(r, 0, 256);
	while (back < 2000 && queue_now() < deadline) {
		net_rig_tx_count(r, 0, NETIF_RSP_OKAY);
		if (sent < 2000 && sent - back < 100 && net_rig_send(r, 0, &s))
			sent++;
		if (net_rig_receive(r, 0, got, &pk, &len, &error)) {
			CU_ASSERT_EQUAL_FATAL(len, 5000);
			CU_ASSERT_EQUAL(memcmp(got, frame, len), 0);
			net_rig_post(r, 0, pk.nr_slots);
			back++;
		}
	}
	CU_ASSERT_EQUAL(back, 2000);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_reflect(void)
{
	run_reflect(false);
}

static void test_reflect_uring(void)
{
	run_reflect(true);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"sizes", test_sizes},
		{"headroom for XDP", test_headroom},
		{"too long and too short", test_too_long},
		{"a full ring is one burst", test_burst},
		{"few buffers", test_few_buffers},
		{"no buffers", test_no_buffers},
		{"a frontend without rx-notify", test_silent_frontend},
		{"checksums", test_checksum},
		{"validated data", test_validated},
		{"GSO", test_gso},
		{"what the frontend accepts", test_features},
		{"a bad grant", test_bad_grant},
		{"limits", test_limit},
		{"limits and too few buffers", test_limit_starved},
		{"carrier and live changes", test_carrier},
		{"the host's interface gone", test_port_gone},
		{"reflected, with threads", test_reflect},
		{"reflected, sleeping in an io_uring", test_reflect_uring},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_rx", tests);
}
