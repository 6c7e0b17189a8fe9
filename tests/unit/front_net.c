/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The network and console front ends over the loopback transport, against a small
 * backend of the test's own which sends every packet back, and against liars.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "frontends/console.h"
#include "frontends/netfront.h"
#include "tests/unit/front_loopback.h"
#include "tests/unit/suite.h"

#define FRAMES 3000u

/* ---- the backend of one queue: what is sent comes back ---- */

struct back {
	struct grants *g;
	struct events *e;
	int tx_port, rx_port;
	void *tx_page, *rx_page, *ctrl_page;
	struct ring_back tx, rx, ctrl;
	unsigned int mcast_adds, mcast_dels;
	struct netif_extras last;
};

static struct loopback *lb;
static struct front_loopback fl;
static struct netfront nf;
static struct back back;

static void *map_as(uint32_t ref, int prot)
{
	void *p = grants_map(back.g, &ref, 1, prot);

	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	return p;
}

static void *map(uint32_t ref)
{
	return map_as(ref, PROT_READ | PROT_WRITE);
}

static void back_connect(unsigned int queue)
{
	struct netfront_queue *q = &nf.queue[queue];

	memset(&back, 0, sizeof(back));
	back.g = loopback_grants(lb);
	back.e = loopback_events(lb);
	back.tx_port = events_bind(back.e, q->tx_port);
	back.rx_port =
		q->rx_port == q->tx_port ? back.tx_port : events_bind(back.e, q->rx_port);
	CU_ASSERT_FATAL(back.tx_port > 0 && back.rx_port > 0);
	back.tx_page = map(q->tx_ref);
	back.rx_page = map(q->rx_ref);
	CU_ASSERT_TRUE_FATAL(
		ring_back_attach(&back.tx, back.tx_page, 1, NETIF_TX_SLOT_SIZE));
	CU_ASSERT_TRUE_FATAL(
		ring_back_attach(&back.rx, back.rx_page, 1, NETIF_RX_SLOT_SIZE));
	if (nf.cfg.ctrl_ring) {
		back.ctrl_page = map(nf.ctrl_ref);
		CU_ASSERT_TRUE_FATAL(
			ring_back_attach(&back.ctrl, back.ctrl_page, 1, CTRL_SLOT_SIZE));
	}
}

static void back_disconnect(void)
{
	grants_unmap(back.g, back.tx_page, 1);
	grants_unmap(back.g, back.rx_page, 1);
	if (back.ctrl_page)
		grants_unmap(back.g, back.ctrl_page, 1);
	if (back.rx_port != back.tx_port)
		events_unbind(back.e, back.rx_port);
	events_unbind(back.e, back.tx_port);
	events_close(back.e);
}

static void copy_frag(const struct netif_frag *from, uint32_t to)
{
	uint8_t *src = map_as(from->gref, PROT_READ), *dst = map(to);

	memcpy(dst + from->offset, src + from->offset, from->size);
	grants_unmap(back.g, src, 1);
	grants_unmap(back.g, dst, 1);
}

static void send_back(const struct netif_tx_packet *p)
{
	struct netif_rx_packet out = {
		.flags = 0, .nr_frags = p->nr_frags, .extra = p->extra};
	uint32_t extras = netif_extra_slots(&p->extra),
		 n = netif_rx_slots(p->nr_frags, &p->extra);

	if (p->flags & NETTXF_csum_blank)
		out.flags = NETRXF_csum_blank | NETRXF_data_validated;
	CU_ASSERT_FATAL(ring_back_requests(&back.rx) >= (int32_t)n);
	for (uint32_t i = 0; i < p->nr_frags; i++) {
		struct netif_rx_request r;

		netif_rx_fetch(&back.rx, back.rx.req_cons + netif_rx_slot_of(i, extras),
			       &r);
		copy_frag(&p->frag[i], r.gref);
		out.frag[i] = (struct netif_rx_frag){r.id, p->frag[i].offset,
						     (int16_t)p->frag[i].size};
	}
	ring_back_consume(&back.rx, n);
	netif_rx_produce(&back.rx, &out);
}

static void back_serve(void)
{
	struct netif_tx_packet p;
	int32_t n;

	while ((n = ring_back_requests(&back.tx)) > 0) {
		CU_ASSERT_EQUAL_FATAL(
			netif_tx_parse(&back.tx, back.tx.req_cons, (uint32_t)n, &p),
			NETIF_OK);
		ring_back_consume(&back.tx, p.nr_slots);
		back.mcast_adds += p.extra.mcast_add;
		back.mcast_dels += p.extra.mcast_del;
		back.last = p.extra;
		if (!netif_tx_is_mcast(&p))
			send_back(&p);
		netif_tx_respond_packet(&back.tx, &p, NETIF_RSP_OKAY);
	}
	CU_ASSERT_EQUAL_FATAL(n, 0);
	if (ring_back_push(&back.tx))
		events_notify(back.e, back.tx_port);
	if (ring_back_push(&back.rx))
		events_notify(back.e, back.rx_port);
	ring_back_final_check(&back.tx, 1);
	ring_back_final_check(&back.rx, 1);
}

/* ---- the fixture ---- */

static void offer(const char *node, const char *value)
{
	front_loopback_set_back(&fl, node, value);
}

static void begin(void)
{
	static const char *const on[] = {
		"feature-sg",
		"feature-gso-tcpv4",
		"feature-gso-tcpv6",
		"feature-rx-copy",
		"feature-split-event-channels",
		"feature-ctrl-ring",
		"feature-multicast-control",
	};

	lb = loopback_new(FRAMES, FRAMES, 32);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lb);
	CU_ASSERT_EQUAL_FATAL(front_loopback_init(&fl, lb, 0, FRAMES), 0);
	for (unsigned int i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		offer(on[i], "1");
	offer("multi-queue-max-queues", "4");
}

static void assert_all_back(void)
{
	CU_ASSERT_EQUAL(fl.allocs, 0);
	CU_ASSERT_EQUAL(fl.pages, 0);
	CU_ASSERT_EQUAL(fl.grants, 0);
	CU_ASSERT_EQUAL(fl.ports, 0);
}

static void end(void)
{
	struct loopback_audit a;

	assert_all_back();
	loopback_audit(lb, &a);
	CU_ASSERT_EQUAL(a.mapped_pages, 0);
	CU_ASSERT_EQUAL(a.bound_ports, 0);
	front_loopback_fini(&fl);
	loopback_free(lb);
}

static uint8_t got[65536];
static uint32_t got_size, got_packets;
static struct netfront_received got_last;
static unsigned int sent_done;

static void on_receive(struct netfront_queue *q, const struct netfront_received *p)
{
	(void)q;
	got_size = 0;
	for (unsigned int i = 0; i < p->nr_frags; i++) {
		memcpy(got + got_size, p->frag[i].data, p->frag[i].len);
		got_size += p->frag[i].len;
	}
	CU_ASSERT_EQUAL(got_size, p->size);
	got_last = *p;
	got_packets++;
}

static void on_sent(struct netfront_packet *p)
{
	CU_ASSERT_FALSE(p->still_mapped);
	sent_done++;
}

static void connect_with(const struct netfront_config *c)
{
	CU_ASSERT_EQUAL_FATAL(netfront_init(&nf, &fl.os, c), FRONT_OK);
	nf.receive = on_receive;
	back_connect(0);
}

static void disconnect(void)
{
	back_disconnect();
	CU_ASSERT_EQUAL(netfront_close(&nf), FRONT_OK);
}

/* Send one packet of @n pieces of @len bytes, and see it come back. */
static void bounce(unsigned int n, uint32_t len, struct netfront_packet *p)
{
	struct netfront_queue *q = &nf.queue[0];
	struct netfront_seg seg[NETIF_FRAGS_MAX];
	uint8_t *pages = fl.os.ops->pages_alloc(&fl.os, n);
	unsigned int before = got_packets, done = sent_done;

	CU_ASSERT_PTR_NOT_NULL_FATAL(pages);
	for (unsigned int i = 0; i < n; i++) {
		uint8_t *at = pages + i * 4096 + i; /* not at the start of the page */

		for (uint32_t k = 0; k < len; k++)
			at[k] = (uint8_t)rand();
		seg[i] = (struct netfront_seg){at, len, 0};
	}
	p->seg = seg;
	p->nr_segs = n;
	p->done = on_sent;
	CU_ASSERT_EQUAL_FATAL(netfront_send(q, p), FRONT_OK);
	netfront_push(q);
	back_serve();
	CU_ASSERT_EQUAL(netfront_poll(q), 2);
	CU_ASSERT_TRUE(netfront_may_sleep(q));
	netfront_push(q); /* the buffers that were posted again */
	CU_ASSERT_EQUAL(got_packets, before + 1);
	CU_ASSERT_EQUAL(sent_done, done + 1);
	CU_ASSERT_EQUAL(p->status, NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(got_size, n * len);
	for (unsigned int i = 0; i < n; i++)
		CU_ASSERT_EQUAL(memcmp(got + i * len, seg[i].data, len), 0);
	fl.os.ops->pages_free(&fl.os, pages, n);
}

static void test_packets(void)
{
	for (int split = 0; split < 2; split++)
		for (unsigned int buffers = 0; buffers <= 64; buffers += 64) {
			struct netfront_config c = {.queues = 1,
						    .split_events = split,
						    .rx_buffers = buffers};

			begin();
			connect_with(&c);
			for (unsigned int i = 0; i < 600; i++) {
				struct netfront_packet p = {.csum_blank = i & 1};

				if ((i & 3) == 3) {
					p.gso_type = 1 + (i >> 2 & 1);
					p.gso_size = 1448;
				}
				p.has_hash = i & 4;
				p.hash_type = 1;
				p.hash = i * 0x01010101;
				bounce(1 + i % 17, 100 + i, &p);
				CU_ASSERT_EQUAL(got_last.csum_blank, p.csum_blank);
				CU_ASSERT_EQUAL(got_last.extra.gso_type, p.gso_type);
				CU_ASSERT_EQUAL(got_last.extra.gso_size, p.gso_size);
				CU_ASSERT_EQUAL(got_last.extra.has_hash, p.has_hash);
				CU_ASSERT_EQUAL(got_last.extra.hash,
						p.has_hash ? p.hash : 0);
			}
			disconnect();
			end();
		}
}

static void test_nodes(void)
{
	struct netfront_config c = {.queues = 3,
				    .split_events = true,
				    .ctrl_ring = true,
				    .multicast_control = true,
				    .csum6 = true,
				    .headroom = 256};

	begin();
	connect_with(&c);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "multi-queue-num-queues"), 3);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "queue-2/tx-ring-ref"),
			nf.queue[2].tx_ref);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "queue-2/rx-ring-ref"),
			nf.queue[2].rx_ref);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "queue-2/event-channel-tx"),
			nf.queue[2].tx_port);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "queue-2/event-channel-rx"),
			nf.queue[2].rx_port);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "ctrl-ring-ref"), nf.ctrl_ref);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "event-channel-ctrl"), nf.ctrl_port);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "request-rx-copy"), 1);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "feature-rx-notify"), 1);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "request-multicast-control"), 1);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "xdp-headroom"), 256);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "state"), 4);
	CU_ASSERT_PTR_NULL(front_loopback_front(&fl, "tx-ring-ref"));
	CU_ASSERT_TRUE(netfront_carrier(&nf));
	offer("carrier", "0");
	CU_ASSERT_FALSE(netfront_carrier(&nf));
	disconnect();
	memset(fl.node[FRONT_DIR], 0, sizeof(fl.node[FRONT_DIR]));
	c = (struct netfront_config){.no_sg = true, .no_csum = true};
	connect_with(&c);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "tx-ring-ref"), nf.queue[0].tx_ref);
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "event-channel"), nf.queue[0].tx_port);
	CU_ASSERT_PTR_NULL(front_loopback_front(&fl, "feature-sg"));
	CU_ASSERT_PTR_NULL(front_loopback_front(&fl, "feature-gso-tcpv4"));
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "feature-no-csum-offload"), 1);
	disconnect();
	end();
}

static void test_multicast(void)
{
	struct netfront_config c = {.multicast_control = true};
	static const uint8_t addr[6] = {1, 0, 0x5e, 1, 2, 3};
	struct netfront_packet p = {.done = on_sent};

	begin();
	connect_with(&c);
	sent_done = 0;
	CU_ASSERT_EQUAL(netfront_multicast(&nf.queue[0], &p, addr, true), FRONT_OK);
	netfront_push(&nf.queue[0]);
	back_serve();
	CU_ASSERT_EQUAL(back.mcast_adds, 1);
	CU_ASSERT_EQUAL(memcmp(back.last.mcast_add_addr, addr, 6), 0);
	CU_ASSERT(netfront_poll(&nf.queue[0]) > 0);
	CU_ASSERT_EQUAL(sent_done, 1);
	CU_ASSERT_EQUAL(netfront_multicast(&nf.queue[0], &p, addr, false), FRONT_OK);
	netfront_push(&nf.queue[0]);
	back_serve();
	CU_ASSERT_EQUAL(back.mcast_dels, 1);
	CU_ASSERT(netfront_poll(&nf.queue[0]) > 0);
	disconnect();
	end();
}

static void test_ctrl(void)
{
	struct netfront_config c = {.ctrl_ring = true};
	static const uint32_t set[3] = {0, 40, 0};
	struct xen_netif_ctrl_request req;
	uint32_t status, data;
	uint8_t key[40], *seen;

	begin();
	connect_with(&c);
	for (int i = 0; i < 40; i++)
		key[i] = (uint8_t)(i * 3);
	CU_ASSERT_EQUAL(netfront_ctrl_poll(&nf, &status, &data), 0);
	CU_ASSERT_EQUAL(
		netfront_ctrl_send(&nf, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, set, key, 40),
		FRONT_OK);
	CU_ASSERT_EQUAL(
		netfront_ctrl_send(&nf, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, set, key, 40),
		FRONT_FULL);
	CU_ASSERT_EQUAL(netfront_ctrl_poll(&nf, &status, &data), 0);
	CU_ASSERT_EQUAL_FATAL(ring_back_requests(&back.ctrl), 1);
	ctrl_fetch(&back.ctrl, 0, &req);
	ring_back_consume(&back.ctrl, 1);
	CU_ASSERT_EQUAL(ctrl_check(&req), XEN_NETIF_CTRL_STATUS_SUCCESS);
	seen = map_as(req.data[0], PROT_READ);
	CU_ASSERT_EQUAL(memcmp(seen, key, 40), 0);
	grants_unmap(back.g, seen, 1);
	ctrl_respond(&back.ctrl, &req, XEN_NETIF_CTRL_STATUS_SUCCESS, 77);
	ring_back_push(&back.ctrl);
	CU_ASSERT_EQUAL(netfront_ctrl_poll(&nf, &status, &data), 1);
	CU_ASSERT_EQUAL(status, XEN_NETIF_CTRL_STATUS_SUCCESS);
	CU_ASSERT_EQUAL(data, 77);
	/* an answer to something else */
	CU_ASSERT_EQUAL(netfront_ctrl_send(&nf, XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS,
					   (const uint32_t[3]){0}, NULL, 0),
			FRONT_OK);
	ring_back_consume(&back.ctrl, 1);
	ctrl_respond(&back.ctrl, &req, 0, 0);
	ring_back_push(&back.ctrl);
	CU_ASSERT_EQUAL(netfront_ctrl_poll(&nf, &status, &data), FRONT_BROKEN);
	disconnect();
	end();
}

static void test_refused(void)
{
	struct netfront_config c = {.queues = 1};
	uint8_t *page;
	struct netfront_seg seg[2];
	struct netfront_packet p = {.seg = seg, .nr_segs = 1, .done = on_sent};
	unsigned int sent = 0;

	begin();
	offer("feature-sg", "0");
	connect_with(&c);
	page = fl.os.ops->pages_alloc(&fl.os, 1);
	seg[0] = seg[1] = (struct netfront_seg){page, 60, 0};
	p.nr_segs = 2;
	CU_ASSERT_EQUAL(netfront_send(&nf.queue[0], &p), FRONT_UNSUPPORTED);
	p.nr_segs = 0;
	CU_ASSERT_EQUAL(netfront_send(&nf.queue[0], &p), FRONT_INVALID);
	p.nr_segs = 1;
	p.gso_type = 1;
	CU_ASSERT_EQUAL(netfront_send(&nf.queue[0], &p), FRONT_INVALID);
	p.gso_size = 1;
	p.csum_blank = true;
	CU_ASSERT_EQUAL(netfront_send(&nf.queue[0], &p), FRONT_UNSUPPORTED);
	p.gso_type = 0;
	seg[0].len = 13;
	CU_ASSERT_EQUAL(netfront_send(&nf.queue[0], &p), FRONT_INVALID);
	seg[0] = (struct netfront_seg){page + 4000, 97, 0};
	CU_ASSERT_EQUAL(netfront_send(&nf.queue[0], &p), FRONT_INVALID);
	front_loopback_fail(&fl, 1);
	seg[0] = (struct netfront_seg){page, 60, 0};
	CU_ASSERT_EQUAL(netfront_send(&nf.queue[0], &p), FRONT_NOMEM);
	/* a whole ring of packets, each its own struct in practice; one will do here */
	for (;;) {
		static struct netfront_packet many[300];

		many[sent] = p;
		if (netfront_send(&nf.queue[0], &many[sent]) != FRONT_OK)
			break;
		sent++;
	}
	CU_ASSERT_EQUAL(sent, 256);
	sent_done = 0;
	disconnect();
	CU_ASSERT_EQUAL(sent_done, 256); /* with errors, at close */
	fl.os.ops->pages_free(&fl.os, page, 1);
	end();
}

/* Backends that answer what was not asked, or make packets that cannot be. */
static void lie(int which)
{
	struct netfront_config c = {.queues = 1};
	struct netif_rx_response bad = {.offset = 4000, .status = 200};

	begin();
	connect_with(&c);
	ring_back_requests(&back.rx);
	got_packets = 0;
	switch (which) {
	case 0: /* a transmit answer from nowhere */
		back.tx.shared->rsp_prod++;
		break;
	case 1: /* beyond the page */
		ring_back_consume(&back.rx, 1);
		ring_copy_out(ring_back_produce(&back.rx), &bad, sizeof(bad));
		break;
	case 2: /* a chain that is cut off */
		bad = (struct netif_rx_response){.flags = NETRXF_more_data, .status = 60};
		ring_back_consume(&back.rx, 1);
		ring_copy_out(ring_back_produce(&back.rx), &bad, sizeof(bad));
		break;
	case 3: /* more answers than buffers */
		back.rx.shared->rsp_prod += 257;
		break;
	}
	ring_back_push(&back.rx);
	CU_ASSERT_EQUAL(netfront_poll(&nf.queue[0]), FRONT_BROKEN);
	CU_ASSERT_EQUAL(netfront_poll(&nf.queue[0]), FRONT_BROKEN);
	CU_ASSERT_FALSE(netfront_may_sleep(&nf.queue[0]));
	CU_ASSERT_EQUAL(got_packets, 0);
	disconnect();
	end();
}

static void test_lying_back(void)
{
	for (int i = 0; i < 4; i++)
		lie(i);
}

static void test_faults(void)
{
	struct netfront_config c = {.queues = 2, .split_events = true, .ctrl_ring = true};
	unsigned int n = 0;
	int err;

	begin();
	do {
		front_loopback_fail(&fl, ++n);
		err = netfront_init(&nf, &fl.os, &c);
		if (err != FRONT_OK)
			assert_all_back();
	} while (err != FRONT_OK);
	CU_ASSERT(n > 500);
	CU_ASSERT_EQUAL(netfront_close(&nf), FRONT_OK);
	end();
}

static void test_console(void)
{
	struct bytes_reader out;
	struct bytes_writer in;
	struct xencons_interface *page;
	struct console con;
	char text[16];
	unsigned int n = 0;
	int err;

	begin();
	do {
		front_loopback_fail(&fl, ++n);
		err = console_init(&con, &fl.os);
		if (err != FRONT_OK)
			assert_all_back();
	} while (err != FRONT_OK);
	CU_ASSERT_EQUAL(n, 7);
	back.g = loopback_grants(lb);
	page = map((uint32_t)front_loopback_number(&fl, "ring-ref"));
	CU_ASSERT_EQUAL(front_loopback_number(&fl, "port"), con.port);
	CU_ASSERT_TRUE(console_back_init(page, &out, &in));
	CU_ASSERT_EQUAL(console_write(&con, "hello", 5), 5);
	CU_ASSERT_EQUAL(bytes_read(&out, text, 16), 5);
	CU_ASSERT_EQUAL(memcmp(text, "hello", 5), 0);
	CU_ASSERT_EQUAL(bytes_write(&in, "ls\n", 3), 3);
	CU_ASSERT_EQUAL(console_read(&con, text, 16), 3);
	page->in_prod += 5000;
	CU_ASSERT_EQUAL(console_read(&con, text, 16), FRONT_BROKEN);
	CU_ASSERT_EQUAL(console_write(&con, "x", 1), FRONT_BROKEN);
	CU_ASSERT_EQUAL(console_close(&con), FRONT_BUSY);
	grants_unmap(back.g, page, 1);
	CU_ASSERT_EQUAL(console_close(&con), FRONT_OK);
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"packets there and back", test_packets},
		{"what is published", test_nodes},
		{"multicast control", test_multicast},
		{"control ring", test_ctrl},
		{"what cannot be sent", test_refused},
		{"backends that lie", test_lying_back},
		{"fault sweep", test_faults},
		{"console", test_console},
		CU_TEST_INFO_NULL,
	};

	return suite_main("netfront and console", tests);
}
