/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet chains: what the front end writes the backend reads, in both directions
 * and over the wrap; and every lie a chain can tell, by its name.
 */
#include <stdlib.h>
#include <string.h>

#include "ring/netif.h"
#include "tests/unit/suite.h"

static _Alignas(4096) uint8_t page[RING_PAGE_SIZE];
static struct ring_front f;
static struct ring_back b;

static void rings_at(uint32_t start, uint32_t slot)
{
	struct ring_shared *s = (void *)page;

	ring_shared_init(page);
	s->req_prod = s->rsp_prod = start;
	s->req_event = s->rsp_event = start + 1;
	CU_ASSERT_TRUE_FATAL(ring_front_resume(&f, page, 1, slot, start, start));
	CU_ASSERT_TRUE_FATAL(ring_back_attach(&b, page, 1, slot));
	CU_ASSERT_EQUAL_FATAL(b.size, 256);
}

/* ---- a chain written by hand: 'r' slots are requests, 'x' slots extra info ---- */

static void put_req(uint16_t offset, uint16_t flags, uint16_t size)
{
	struct netif_tx_request r = {.gref = 9,
				     .offset = offset,
				     .flags = flags,
				     .size = size,
				     .id = (uint16_t)(100 + f.req_prod_pvt)};

	ring_copy_out(ring_front_produce(&f), &r, sizeof(r));
}

static void put_extra(uint8_t type, uint8_t flags, const void *body)
{
	struct netif_extra_info x = {.type = type, .flags = flags};

	if (body)
		memcpy(&x.u, body, 6);
	ring_copy_out(ring_front_produce(&f), &x, sizeof(x));
}

static const uint8_t gso4[6] = {0xb4, 5, XEN_NETIF_GSO_TYPE_TCPV4}; /* size 1460 */

static enum netif_error parse(struct netif_tx_packet *p)
{
	int32_t n;

	ring_front_push(&f);
	n = ring_back_requests(&b);
	CU_ASSERT_FATAL(n > 0);
	memset(p, 0x5a, sizeof(*p));
	return netif_tx_parse(&b, b.req_cons, (uint32_t)n, p);
}

#define MORE  NETTXF_more_data
#define EXTRA NETTXF_extra_info
#define XMORE XEN_NETIF_EXTRA_FLAG_MORE

static void test_tx_layout(void)
{
	struct netif_tx_packet p;
	uint32_t start;

	for (start = 0xfffffff8u; start != 4; start++) {
		rings_at(start, NETIF_TX_SLOT_SIZE);
		put_req(100, MORE | EXTRA | NETTXF_csum_blank | NETTXF_data_validated,
			9000);
		put_extra(XEN_NETIF_EXTRA_TYPE_GSO, XMORE, gso4);
		put_extra(XEN_NETIF_EXTRA_TYPE_HASH, 0, "\x01\x01\x78\x56\x34\x12");
		put_req(0, MORE, 4096);
		put_req(96, 0, 4000);
		CU_ASSERT_EQUAL(parse(&p), NETIF_OK);
		CU_ASSERT_EQUAL(p.nr_slots, 5);
		CU_ASSERT_EQUAL(p.nr_frags, 3);
		CU_ASSERT_EQUAL(p.size, 9000);
		CU_ASSERT_EQUAL(p.flags, NETTXF_csum_blank | NETTXF_data_validated);
		CU_ASSERT_EQUAL(p.frag[0].size, 9000 - 4096 - 4000);
		CU_ASSERT_EQUAL(p.frag[0].offset, 100);
		CU_ASSERT_EQUAL(p.frag[0].id, (uint16_t)(100 + start));
		CU_ASSERT_EQUAL(p.frag[1].id, (uint16_t)(103 + start));
		CU_ASSERT_EQUAL(p.frag[2].size, 4000);
		CU_ASSERT_EQUAL(p.extra.gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
		CU_ASSERT_EQUAL(p.extra.gso_size, 1460);
		CU_ASSERT_TRUE(p.extra.has_hash);
		CU_ASSERT_EQUAL(p.extra.hash, 0x12345678);
		CU_ASSERT_EQUAL(p.extra.count, 2);
		/* five requests, five answers */
		ring_back_consume(&b, p.nr_slots);
		netif_tx_respond_packet(&b, &p, NETIF_RSP_OKAY);
		CU_ASSERT_EQUAL(ring_back_unanswered(&b), 0);
		ring_back_push(&b);
		CU_ASSERT_EQUAL_FATAL(ring_front_responses(&f), 5);
		for (uint32_t i = 0, ids = 0; i < 5; i++) {
			struct netif_tx_response r;

			netif_tx_fetch_response(&f, f.rsp_cons, &r);
			ring_front_consume(&f, 1);
			if (r.status == NETIF_RSP_NULL)
				continue;
			CU_ASSERT_EQUAL(r.status, NETIF_RSP_OKAY);
			CU_ASSERT_EQUAL(r.id, p.frag[ids++].id);
		}
	}
}

static void test_tx_round_trip(void)
{
	rings_at(0xffffff00u, NETIF_TX_SLOT_SIZE);
	for (unsigned int i = 0; i < 5000; i++) {
		struct netif_tx_packet in, out;
		uint32_t frags = 1 + (uint32_t)rand() % 15;

		memset(&in, 0, sizeof(in));
		in.nr_frags = (uint8_t)frags;
		in.flags = rand() & 3;
		for (uint32_t k = 0; k < frags; k++)
			in.frag[k] = (struct netif_frag){
				(uint32_t)rand(), (uint16_t)(rand() % 96),
				(uint16_t)(14 + rand() % 3987), (uint16_t)rand()};
		if (i & 1)
			in.extra.gso_type = 1 + (i >> 3 & 1), in.extra.gso_size = 1400;
		in.extra.mcast_add = frags == 1 && (i & 2);
		in.extra.mcast_add_addr[5] = in.extra.mcast_add ? (uint8_t)i : 0;
		in.extra.has_hash = i & 4;
		in.extra.hash = in.extra.has_hash ? (uint32_t)rand() : 0;
		in.extra.hash_algorithm = in.extra.has_hash;
		CU_ASSERT_EQUAL_FATAL(netif_tx_produce(&f, &in), b.req_cons);
		CU_ASSERT_EQUAL_FATAL(parse(&out), NETIF_OK);
		CU_ASSERT_EQUAL_FATAL(out.nr_slots, netif_tx_slots(frags, &in.extra));
		CU_ASSERT_EQUAL_FATAL(out.nr_frags, frags);
		CU_ASSERT_EQUAL_FATAL(out.size, in.size);
		CU_ASSERT_EQUAL_FATAL(out.flags, in.flags);
		for (uint32_t k = 0; k < frags; k++) {
			CU_ASSERT_EQUAL_FATAL(out.frag[k].gref, in.frag[k].gref);
			CU_ASSERT_EQUAL_FATAL(out.frag[k].offset, in.frag[k].offset);
			CU_ASSERT_EQUAL_FATAL(out.frag[k].size, in.frag[k].size);
			CU_ASSERT_EQUAL_FATAL(out.frag[k].id, in.frag[k].id);
		}
		CU_ASSERT_EQUAL_FATAL(memcmp(&out.extra, &in.extra, sizeof(in.extra)), 0);
		ring_back_consume(&b, out.nr_slots);
		netif_tx_respond_packet(&b, &out, 0);
		ring_back_push(&b);
		ring_front_consume(&f, (uint32_t)ring_front_responses(&f));
	}
}

/* Each lie alone. @slots: how many slots an answer would take, for what is not fatal. */
static void expect(enum netif_error want, uint32_t slots)
{
	struct netif_tx_packet p;
	enum netif_error e = parse(&p);

	CU_ASSERT_EQUAL(e, want);
	CU_ASSERT_PTR_NOT_NULL(netif_error_text(e));
	if (!netif_error_fatal(e)) {
		CU_ASSERT_EQUAL(p.nr_slots, slots);
		CU_ASSERT_EQUAL(p.nr_frags + p.extra.count, slots);
		ring_back_consume(&b, p.nr_slots);
		netif_tx_respond_packet(&b, &p, NETIF_RSP_ERROR);
		CU_ASSERT_EQUAL(ring_back_unanswered(&b), 0);
	}
	rings_at(0xffffffffu, NETIF_TX_SLOT_SIZE);
}

static void test_tx_sizes(void)
{
	rings_at(0xffffffffu, NETIF_TX_SLOT_SIZE);
	put_req(0, 0, 13);
	expect(NETIF_SHORT, 1);
	put_req(0, 0, 14);
	expect(NETIF_OK, 1);
	put_req(0, 0, 0);
	expect(NETIF_SHORT, 1);
	put_req(0, 0, 4096);
	expect(NETIF_OK, 1);
	put_req(0, 0, 4097);
	expect(NETIF_CROSSES_PAGE, 0);
	put_req(1, 0, 4096);
	expect(NETIF_CROSSES_PAGE, 0);
	put_req(4096, 0, 14);
	expect(NETIF_CROSSES_PAGE, 0);
	put_req(65535, 0, 65535);
	expect(NETIF_CROSSES_PAGE, 0);
	put_req(0, MORE, 100);
	put_req(0, 0, 101);
	expect(NETIF_SIZE_LIE, 2);
	put_req(0, MORE, 100);
	put_req(0, 0, 100);
	expect(NETIF_EMPTY_FRAGMENT, 2);
	put_req(0, MORE, 100);
	put_req(0, 0, 0);
	expect(NETIF_EMPTY_FRAGMENT, 2);
	put_req(0, MORE, 100);
	put_req(4090, 0, 10);
	expect(NETIF_CROSSES_PAGE, 0);
	/* the first fragment is what the rest leaves: here too much for its page */
	put_req(0, MORE, 5000);
	put_req(0, 0, 100);
	expect(NETIF_CROSSES_PAGE, 0);
	/* sums beyond 16 bits must not come round */
	put_req(0, MORE, 100);
	for (int i = 0; i < 16; i++)
		put_req(0, MORE, 4096);
	put_req(0, 0, 50);
	expect(NETIF_SIZE_LIE, 18);
}

static void test_tx_chains(void)
{
	rings_at(0xffffffffu, NETIF_TX_SLOT_SIZE);
	put_req(0, MORE, 100);
	expect(NETIF_TRUNCATED, 0);
	put_req(0, EXTRA, 100);
	expect(NETIF_TRUNCATED, 0);
	put_req(0, EXTRA, 100);
	put_extra(XEN_NETIF_EXTRA_TYPE_GSO, XMORE, gso4);
	expect(NETIF_TRUNCATED, 0);
	put_req(0, EXTRA | MORE, 100);
	put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, gso4);
	expect(NETIF_TRUNCATED, 0);
	for (uint32_t n = NETIF_FRAGS_MAX; n <= NETIF_FRAGS_MAX + 1; n++) {
		put_req(0, MORE, 1000);
		for (uint32_t i = 2; i < n; i++)
			put_req(0, MORE, 10);
		put_req(0, 0, 10);
		expect(n > NETIF_FRAGS_MAX ? NETIF_MANY_FRAGMENTS : NETIF_OK, n);
	}
	/* a whole ring of MORE */
	for (int i = 0; i < 256; i++)
		put_req(0, MORE, 1000);
	expect(NETIF_MANY_FRAGMENTS, 0);
	put_req(0, MORE, 100);
	put_req(0, EXTRA, 10);
	expect(NETIF_BAD_FLAGS, 2);
}

static void test_tx_extras(void)
{
	static const uint8_t bad_gso[][6] = {
		{0, 0, 1}, {1, 0, 0}, {1, 0, 3}, {1, 0, 255}};
	static const uint8_t bad_hash[][6] = {{4, 1}, {255, 1}, {0, 0}, {0, 2}};

	rings_at(0xffffffffu, NETIF_TX_SLOT_SIZE);
	for (int type = 0; type < 256; type++) {
		put_req(0, EXTRA, 100);
		put_extra((uint8_t)type, 0,
			  type == XEN_NETIF_EXTRA_TYPE_HASH ? (const uint8_t *)"\0\1aaaa"
							    : gso4);
		expect(type >= 1 && type < XEN_NETIF_EXTRA_TYPE_MAX ? NETIF_OK
								    : NETIF_BAD_EXTRA,
		       2);
	}
	for (int type = 1; type < XEN_NETIF_EXTRA_TYPE_MAX; type++) {
		const void *body = type == XEN_NETIF_EXTRA_TYPE_HASH
					   ? (const void *)"\0\1aaaa"
					   : gso4;

		put_req(0, EXTRA, 100);
		put_extra((uint8_t)type, XMORE, body);
		put_extra((uint8_t)type, 0, body);
		expect(NETIF_REPEATED_EXTRA, 0);
	}
	for (int i = 0; i < 4; i++) {
		put_req(0, EXTRA, 100);
		put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, bad_gso[i]);
		expect(NETIF_BAD_GSO, 0);
		put_req(0, EXTRA, 100);
		put_extra(XEN_NETIF_EXTRA_TYPE_HASH, 0, bad_hash[i]);
		expect(NETIF_BAD_HASH, 2);
		/* a fatal lie behind one that is not */
		put_req(0, EXTRA, 100);
		put_extra(XEN_NETIF_EXTRA_TYPE_HASH, XMORE, bad_hash[i]);
		put_extra(XEN_NETIF_EXTRA_TYPE_GSO, 0, bad_gso[i]);
		expect(NETIF_BAD_GSO, 0);
	}
	/* a multicast request has no data; its size means nothing */
	put_req(0, EXTRA, 0);
	put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_ADD, 0, "abcdef");
	expect(NETIF_OK, 2);
	put_req(0, EXTRA | MORE, 0);
	put_extra(XEN_NETIF_EXTRA_TYPE_MCAST_DEL, 0, "abcdef");
	put_req(0, 0, 10);
	expect(NETIF_MCAST_DATA, 3);
}

/* ---- receive ---- */

static void test_rx_round_trip(void)
{
	uint32_t gref[256];

	rings_at(0xfffffff0u, NETIF_RX_SLOT_SIZE);
	for (unsigned int i = 0; i < 5000; i++) {
		struct netif_rx_packet in, out;
		uint32_t frags = 1 + (uint32_t)rand() % 17, slots, first;

		memset(&in, 0, sizeof(in));
		in.nr_frags = (uint8_t)frags;
		in.flags = rand() & 3;
		if (i & 1)
			in.extra.gso_type = 1, in.extra.gso_size = 1400;
		in.extra.has_hash = i & 2;
		in.extra.hash_algorithm = in.extra.has_hash;
		in.extra.hash = in.extra.has_hash ? (uint32_t)rand() : 0;
		slots = netif_rx_slots(frags, &in.extra);
		first = f.req_prod_pvt;
		for (uint32_t k = 0; k < slots; k++) {
			gref[f.req_prod_pvt % 256] = (uint32_t)rand();
			netif_rx_post(&f, (uint16_t)f.req_prod_pvt,
				      gref[f.req_prod_pvt % 256]);
		}
		ring_front_push(&f);
		for (uint32_t k = 0; k < slots; k++) {
			struct netif_rx_request r;

			netif_rx_fetch(&b, b.req_cons + k, &r);
			CU_ASSERT_EQUAL_FATAL(r.gref, gref[(first + k) % 256]);
		}
		for (uint32_t k = 0; k < frags; k++) {
			struct netif_rx_request r;

			netif_rx_fetch(
				&b,
				b.req_cons +
					netif_rx_slot_of(k, netif_extra_slots(&in.extra)),
				&r);
			in.frag[k] = (struct netif_rx_frag){r.id, (uint16_t)(rand() % 96),
							    (int16_t)(rand() % 4001)};
		}
		ring_back_consume(&b, slots);
		netif_rx_produce(&b, &in);
		ring_back_push(&b);
		CU_ASSERT_EQUAL_FATAL(ring_front_responses(&f), (int32_t)slots);
		CU_ASSERT_EQUAL_FATAL(netif_rx_parse(&f, f.rsp_cons, slots, &out),
				      NETIF_OK);
		CU_ASSERT_EQUAL_FATAL(out.nr_slots, slots);
		CU_ASSERT_EQUAL_FATAL(out.nr_frags, frags);
		CU_ASSERT_EQUAL_FATAL(out.flags, in.flags);
		CU_ASSERT_EQUAL_FATAL(
			memcmp(out.frag, in.frag, frags * sizeof(in.frag[0])), 0);
		/* a response is in the slot of its request: ids were slot numbers */
		for (uint32_t k = 0; k < frags; k++)
			CU_ASSERT_EQUAL_FATAL(
				out.frag[k].id,
				(uint16_t)(first + netif_rx_slot_of(k, out.extra.count)));
		in.extra.count = out.extra.count;
		CU_ASSERT_EQUAL_FATAL(memcmp(&out.extra, &in.extra, sizeof(in.extra)), 0);
		ring_front_consume(&f, slots);
	}
}

struct rx_lie {
	uint16_t offset, flags;
	int16_t status;
	enum netif_error want;
};

static void test_rx_lies(void)
{
	static const struct rx_lie lies[] = {
		{0, 0, 4096, NETIF_OK},
		{0, 0, 0, NETIF_OK},
		{0, 0, NETIF_RSP_ERROR, NETIF_BAD_STATUS},
		{0, 0, INT16_MIN, NETIF_BAD_STATUS},
		{1, 0, 4096, NETIF_CROSSES_PAGE},
		{65535, 0, 1, NETIF_CROSSES_PAGE},
		{0, 0, INT16_MAX, NETIF_CROSSES_PAGE},
		{0, NETRXF_more_data, 1, NETIF_TRUNCATED},
		{0, NETRXF_extra_info, 1, NETIF_TRUNCATED},
	};

	for (unsigned int i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		struct netif_rx_response r = {.offset = lies[i].offset,
					      .flags = lies[i].flags,
					      .status = lies[i].status};
		struct netif_rx_packet p;

		rings_at(0xffffffffu, NETIF_RX_SLOT_SIZE);
		netif_rx_post(&f, 0, 9);
		ring_front_push(&f);
		ring_back_consume(&b, 1);
		ring_copy_out(ring_back_produce(&b), &r, sizeof(r));
		ring_back_push(&b);
		CU_ASSERT_EQUAL(netif_rx_parse(&f, f.rsp_cons, 1, &p), lies[i].want);
	}
	/* extra info that only a transmitter may send */
	for (int type = 0; type < 256; type++) {
		struct netif_rx_response r = {.flags = NETRXF_extra_info, .status = 60};
		struct netif_extra_info x = {.type = (uint8_t)type};
		struct netif_rx_packet p;
		enum netif_error e;

		memcpy(&x.u, gso4, 6);
		rings_at(0xffffffffu, NETIF_RX_SLOT_SIZE);
		netif_rx_post(&f, 0, 9);
		netif_rx_post(&f, 1, 9);
		ring_front_push(&f);
		ring_back_consume(&b, 2);
		ring_copy_out(ring_back_produce(&b), &r, sizeof(r));
		ring_copy_out(ring_back_produce(&b), &x, sizeof(x));
		ring_back_push(&b);
		e = netif_rx_parse(&f, f.rsp_cons, 2, &p);
		if (type == XEN_NETIF_EXTRA_TYPE_GSO || type == XEN_NETIF_EXTRA_TYPE_HASH)
			CU_ASSERT_EQUAL(e, NETIF_OK)
		else
			CU_ASSERT_EQUAL(e, NETIF_BAD_EXTRA)
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"tx chain over the wrap", test_tx_layout},
		{"tx round trip", test_tx_round_trip},
		{"tx sizes that lie", test_tx_sizes},
		{"tx chains that lie", test_tx_chains},
		{"tx extra info that lies", test_tx_extras},
		{"rx round trip", test_rx_round_trip},
		{"rx lies", test_rx_lies},
		CU_TEST_INFO_NULL,
	};

	return suite_main("ring, netif", tests);
}
