/* SPDX-License-Identifier: GPL-2.0-only */
/* From the guest to the port: sizes, fragments, offloads, answers, limits. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

static const struct net_rig_options plain = {.features = RIG_FEATURES,
					     .live_flags = VIF_CARRIER};

static uint8_t frame[RIG_PACKET], got[RIG_PACKET];

static void fill(uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++)
		frame[i] = (uint8_t)(i * 7 + (i >> 8) + 3);
	frame[12] = 0x88; /* an ether type nobody parses */
	frame[13] = 0xb5;
}

/* Send and look at what came out; the number of slots. */
static uint32_t send_one(struct net_rig *r, const struct net_rig_send *s)
{
	struct virtio_net_hdr_v1 hdr;
	uint32_t slots = net_rig_send(r, 0, s);

	CU_ASSERT_TRUE_FATAL(slots > 0);
	CU_ASSERT_TRUE(net_rig_run(r));
	CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), s->len);
	CU_ASSERT_EQUAL(memcmp(got, s->frame, s->len), 0);
	CU_ASSERT_EQUAL(hdr.flags, 0);
	CU_ASSERT_EQUAL(hdr.gso_type, 0);
	CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), -EAGAIN);
	return slots;
}

/* Every size of interest, from every kind of first offset. */
static void run_sizes(bool pool)
{
	static const uint32_t sizes[] = {14,   15,   60,    61,    1514,  4095, 4096,
					 4097, 9014, 16384, 32769, 65534, 65535};
	static const uint16_t offsets[] = {0, 1, 64, 2048, 4080, 4095};
	struct net_rig_options o = plain;
	struct net_rig *r;
	uint32_t i, k, slots;

	o.pool = pool;
	r = net_rig_open(&o);

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (k = 0; k < sizeof(offsets) / sizeof(offsets[0]); k++) {
			struct net_rig_send s = {.frame = frame,
						 .len = sizes[i],
						 .first_offset = offsets[k]};

			fill(sizes[i]);
			slots = send_one(r, &s);
			CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), slots);
		}
	}
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_sizes(void)
{
	run_sizes(false);
}

static void test_sizes_pool(void)
{
	run_sizes(true);
}

/* The first slot may be as small as a byte. */
static void test_first_fragment_sizes(void)
{
	struct net_rig *r = net_rig_open(&plain);
	uint16_t n;

	fill(3000);
	for (n = 1; n < 200; n += 13) {
		struct net_rig_send s = {.frame = frame,
					 .len = 3000,
					 .first_offset = 100,
					 .first_size = n};

		CU_ASSERT_EQUAL(send_one(r, &s), 2);
		CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), 2);
	}
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* Many packets go with one grant copy, one push and one event at most. */
static void test_burst(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct net_rig_send s = {.frame = frame, .len = 90};
	struct loopback_audit before, after;
	struct virtio_net_hdr_v1 hdr;
	uint64_t copies;
	uint32_t i;

	fill(90);
	net_rig_run(r);
	copies = loopback_calls(r->lb, LOOPBACK_COPY);
	loopback_audit(r->lb, &before);
	for (i = 0; i < 256; i++) {
		frame[20] = (uint8_t)i;
		CU_ASSERT_EQUAL(net_rig_send(r, 0, &s), 1);
	}
	CU_ASSERT_EQUAL(net_rig_send(r, 0, &s), 0); /* full */
	net_rig_run(r);
	loopback_audit(r->lb, &after);
	CU_ASSERT_EQUAL(loopback_calls(r->lb, LOOPBACK_COPY), copies + 1);
	CU_ASSERT_EQUAL(after.notify_front, before.notify_front + 1);
	for (i = 0; i < 256; i++) {
		CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), 90);
		CU_ASSERT_EQUAL(got[20], i); /* in order */
	}
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), 256);
	CU_ASSERT_EQUAL(r->vif->queue[0]->metrics->value[METRIC_TX_OPS], 256);
	CU_ASSERT_EQUAL(r->vif->queue[0]->metrics->value[METRIC_TX_BYTES], 256 * 90);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* Finish the checksum as the receiver of the header would; then it must be right. */
static void finish_checksum(const struct virtio_net_hdr_v1 *hdr, uint32_t len)
{
	uint16_t sum = (uint16_t)~net_reference_sum(got + hdr->csum_start,
						    len - hdr->csum_start);

	got[hdr->csum_start + hdr->csum_offset] = (uint8_t)(sum >> 8);
	got[hdr->csum_start + hdr->csum_offset + 1] = (uint8_t)sum;
}

static void check_csum(struct net_rig *r, const struct net_packet *p, uint16_t first_size)
{
	uint32_t l4, at, len = net_packet_build(frame, p, &l4, &at);
	uint16_t pseudo = net_packet_pseudo(frame, p, l4, len), right;
	struct net_rig_send s = {.frame = frame,
				 .len = len,
				 .first_size = first_size,
				 .flags = NETTXF_csum_blank | NETTXF_data_validated};
	struct virtio_net_hdr_v1 hdr;

	right = (uint16_t)(frame[at] << 8 | frame[at + 1]);
	frame[at] = (uint8_t)(pseudo >> 8);
	frame[at + 1] = (uint8_t)pseudo;
	CU_ASSERT_TRUE_FATAL(net_rig_send(r, 0, &s) > 0);
	net_rig_run(r);
	CU_ASSERT_EQUAL_FATAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), len);
	CU_ASSERT_EQUAL(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CU_ASSERT_EQUAL(hdr.csum_start, l4);
	CU_ASSERT_EQUAL(hdr.csum_start + hdr.csum_offset, at);
	CU_ASSERT_EQUAL(hdr.hdr_len, l4 + (p->udp ? 8 : 20));
	finish_checksum(&hdr, len);
	if (p->udp && right == 0xffff && !got[at] && !got[at + 1])
		got[at] = got[at + 1] = 0xff;
	CU_ASSERT_EQUAL(got[at] << 8 | got[at + 1], right);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_ERROR), 0);
}

static void test_checksum_offload(void)
{
	struct net_rig *r = net_rig_open(&plain);
	static const uint16_t firsts[] = {0, 1, 13, 14, 30, 40, 60, 90};
	struct net_packet p = {.payload = 1001};
	uint32_t i, k;

	for (i = 0; i < 16; i++) {
		p.v6 = i & 1;
		p.udp = i & 2;
		p.vlan_tags = i & 4 ? 2 : 0;
		p.ip_options = i & 8 ? 8 : 0;
		for (k = 0; k < sizeof(firsts) / sizeof(firsts[0]); k++)
			check_csum(r, &p, firsts[k]);
	}
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void check_gso(struct net_rig *r, bool v6, bool blank)
{
	struct net_packet p = {.v6 = v6, .payload = 60000, .tcp_flags = 0x90};
	uint32_t l4, at, len = net_packet_build(frame, &p, &l4, &at), slots;
	uint16_t pseudo = net_packet_pseudo(frame, &p, l4, len);
	struct net_rig_send s = {
		.frame = frame,
		.len = len,
		.first_size = 66,
		.first_offset = 2,
		.flags = blank ? NETTXF_csum_blank | NETTXF_data_validated : 0};
	struct virtio_net_hdr_v1 hdr;

	if (blank) {
		frame[at] = (uint8_t)(pseudo >> 8);
		frame[at + 1] = (uint8_t)pseudo;
	}
	s.extra.gso_type = v6 ? XEN_NETIF_GSO_TYPE_TCPV6 : XEN_NETIF_GSO_TYPE_TCPV4;
	s.extra.gso_size = 1448;
	slots = net_rig_send(r, 0, &s);
	CU_ASSERT_TRUE_FATAL(slots > 16);
	net_rig_run(r);
	CU_ASSERT_EQUAL_FATAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), len);
	CU_ASSERT_EQUAL(hdr.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	CU_ASSERT_EQUAL(hdr.gso_type,
			(v6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4) |
				VIRTIO_NET_HDR_GSO_ECN);
	CU_ASSERT_EQUAL(hdr.gso_size, 1448);
	CU_ASSERT_EQUAL(hdr.hdr_len, l4 + 20);
	CU_ASSERT_EQUAL(got[at] << 8 | got[at + 1], pseudo); /* put there if it was not */
	got[at] = frame[at];
	got[at + 1] = frame[at + 1];
	CU_ASSERT_EQUAL(memcmp(got, frame, len), 0);
	/* the extra-info slot is answered with NULL */
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_NULL), 1);
}

static void test_gso(void)
{
	struct net_rig *r = net_rig_open(&plain);
	int i;

	for (i = 0; i < 4; i++)
		check_gso(r, i & 1, i & 2);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* What a checksum or GSO flag claims must be so; otherwise the packet is refused. */
static void test_offload_lies(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct net_packet v4 = {.payload = 2000}, v6 = {.payload = 2000, .v6 = true},
			  udp = {.payload = 2000, .udp = true};
	struct virtio_net_hdr_v1 hdr;
	struct net_rig_send s = {.frame = frame, .flags = NETTXF_csum_blank};
	uint32_t l4, at, slots, i;

	for (i = 0; i < 8; i++) {
		s.len = net_packet_build(frame,
					 i == 0   ? &v6
					 : i == 1 ? &udp
						  : &v4,
					 &l4, &at);
		s.extra = (struct netif_extras){.gso_type = XEN_NETIF_GSO_TYPE_TCPV4,
						.gso_size = 1448};
		if (i == 2)
			s.extra.gso_size = 1;
		if (i == 3)
			frame[l4 + 12] = 0x10; /* a TCP header of 4 bytes */
		if (i == 4)
			frame[14] = 0x42; /* an IP header of 8 bytes */
		if (i == 5)
			frame[20] = 0x20; /* more fragments follow */
		if (i == 6)
			s.len = l4 + 10; /* ends within the TCP header */
		if (i == 7) {
			s.extra.gso_type = 0; /* a blank checksum in something unknown */
			frame[13] = 0x99;
		}
		slots = net_rig_send(r, 0, &s);
		net_rig_run(r);
		CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)),
				-EAGAIN);
		CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_ERROR),
				slots - (s.extra.gso_type ? 1 : 0));
	}
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A port that takes no more holds the burst, not the guest's buffers. */
static void test_port_full(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct net_rig_send s = {.frame = frame, .len = 100};
	struct virtio_net_hdr_v1 hdr;
	uint32_t i;

	fill(100);
	port_loop_fail(r->q[0].port, PORT_LOOP_SEND, 3, 2, EAGAIN);
	for (i = 0; i < 5; i++)
		net_rig_send(r, 0, &s);
	queue_work(r->vif->queue[0]);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), 5);
	CU_ASSERT_TRUE(r->vif->queue[0]->tx.blocked);
	queue_work(r->vif->queue[0]); /* still full */
	queue_work(r->vif->queue[0]);
	CU_ASSERT_FALSE(r->vif->queue[0]->tx.blocked);
	for (i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)),
				100);
	/* an error is a packet lost, counted */
	port_loop_fail(r->q[0].port, PORT_LOOP_SEND, 1, 1, EIO);
	net_rig_send(r, 0, &s);
	net_rig_run(r);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), 1);
	CU_ASSERT_EQUAL(r->vif->queue[0]->metrics->value[METRIC_DROPS], 1);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A grant that is not there spoils its packet only. */
static void test_bad_grant(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct net_rig_send s = {.frame = frame, .len = 5000};
	struct virtio_net_hdr_v1 hdr;

	fill(5000);
	net_rig_send(r, 0, &s);
	loopback_end_access(r->lb, r->q[0].tx_gref[3]);
	net_rig_send(r, 0, &s); /* fragments 2 and 3 */
	net_rig_send(r, 0, &s);
	net_rig_run(r);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_ERROR), 2);
	CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), 5000);
	CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), 5000);
	CU_ASSERT_EQUAL(port_loop_take(r->q[0].port, &hdr, got, sizeof(got)), -EAGAIN);
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A limit leaves packets on the ring and passes them when their time has come. */
static void test_limit(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct limit_rate rate = {.ops_per_s = 20, .ops_burst = 2};
	struct net_rig_send s = {.frame = frame, .len = 100};
	uint64_t start, packets, bytes;
	uint32_t i;

	fill(100);
	limit_set(&r->vif->state->limit[1], &rate);
	for (i = 0; i < 4; i++)
		net_rig_send(r, 0, &s);
	start = queue_now();
	net_rig_run(r);
	port_loop_sent(r->q[0].port, &packets, &bytes);
	CU_ASSERT_TRUE(packets < 4);
	CU_ASSERT_TRUE(r->vif->queue[0]->tx.wait_ns > 0);
	CU_ASSERT_TRUE(r->vif->queue[0]->metrics->value[METRIC_THROTTLED] > 0);
	for (i = 0; i < 1000 && packets < 4; i++) {
		queue_sleep(r->vif->queue[0],
			    UINT64_MAX); /* until the limit's time is up */
		queue_work(r->vif->queue[0]);
		port_loop_sent(r->q[0].port, &packets, &bytes);
	}
	CU_ASSERT_EQUAL(packets, 4);
	CU_ASSERT_TRUE(queue_now() - start >= 40000000);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), 4);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A frontend takes back what a limit held: the queue must sleep, not poll for it. */
static void test_limit_taken_back(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct limit_rate rate = {.ops_per_s = 1, .ops_burst = 1};
	struct net_rig_send s = {.frame = frame, .len = 100};
	struct queue *q = r->vif->queue[0];

	fill(100);
	limit_set(&r->vif->state->limit[1], &rate);
	net_rig_send(r, 0, &s);
	net_rig_send(r, 0, &s);
	net_rig_run(r);
	CU_ASSERT_TRUE(q->tx.wait_ns > 0);
	r->q[0].tx.shared->req_prod = q->tx.ring.req_cons;
	net_rig_run(r);
	CU_ASSERT_EQUAL(q->tx.wait_ns, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* The link down: packets are answered as dropped; up again: they go. */
static void test_carrier(void)
{
	struct net_rig *r = net_rig_open(&plain);
	struct vif_update u = {.version = VIF_PROTO_VERSION};
	struct net_rig_send s = {.frame = frame, .len = 100};
	uint64_t packets, bytes;

	fill(100);
	CU_ASSERT_EQUAL(vif_update(r->vif, &u), 0);
	net_rig_send(r, 0, &s);
	net_rig_run(r);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_DROPPED), 1);
	u.live.flags = VIF_CARRIER;
	CU_ASSERT_EQUAL(vif_update(r->vif, &u), 0);
	net_rig_send(r, 0, &s);
	net_rig_run(r);
	CU_ASSERT_EQUAL(net_rig_tx_count(r, 0, NETIF_RSP_OKAY), 1);
	port_loop_sent(r->q[0].port, &packets, &bytes);
	CU_ASSERT_EQUAL(packets, 1);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* With threads, packets flow and the end comes in order. */
static void run_threads(bool uring)
{
	struct net_rig_options o = plain;
	struct net_rig_send s = {.frame = frame, .len = 1514};
	uint64_t deadline = queue_now() + 20000000000ull;
	uint32_t sent[2] = {0}, done[2] = {0}, i;
	struct net_rig *r;

	o.nr_queues = 2;
	o.threads = true;
	o.uring = uring;
	r = net_rig_open(&o);
	fill(1514);
	for (i = 0; i < 2; i++)
		port_loop_mode(r->q[i].port, PORT_LOOP_COUNT);
	while ((done[0] < 5000 || done[1] < 5000) && queue_now() < deadline) {
		for (i = 0; i < 2; i++) {
			while (sent[i] < 5000 && net_rig_send(r, i, &s))
				sent[i]++;
			done[i] += net_rig_tx_count(r, i, NETIF_RSP_OKAY);
		}
	}
	CU_ASSERT_EQUAL(net_rig_disconnect(r), 0);
	for (i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(done[i], 5000);
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_threads(void)
{
	run_threads(false);
}

static void test_threads_uring(void)
{
	run_threads(true);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"sizes and offsets", test_sizes},
		{"sizes and offsets, pools with references", test_sizes_pool},
		{"sizes of the first fragment", test_first_fragment_sizes},
		{"a full ring is one burst", test_burst},
		{"checksum offload", test_checksum_offload},
		{"GSO", test_gso},
		{"offloads that lie", test_offload_lies},
		{"a port that is full", test_port_full},
		{"a bad grant", test_bad_grant},
		{"limits", test_limit},
		{"limited packets taken back", test_limit_taken_back},
		{"carrier", test_carrier},
		{"threads", test_threads},
		{"threads that sleep in an io_uring", test_threads_uring},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_tx", tests);
}
