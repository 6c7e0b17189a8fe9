/* SPDX-License-Identifier: GPL-2.0-only */
/* Byte streams (console, xenstore) and the network control ring. */
#include <stdlib.h>
#include <string.h>

#include "ring/bytes.h"
#include "ring/ctrl.h"
#include "ring/vchan.h"
#include "tests/unit/suite.h"

/* ---- byte streams ---- */

static void test_bytes_wrap(void)
{
	char buf[16], out[32];
	uint32_t prod, cons, start, n;

	for (start = 0u - 40; start != 8; start++)
		for (n = 0; n <= 16; n++) {
			struct bytes_reader r;
			struct bytes_writer w;
			char in[17];

			prod = cons = start;
			CU_ASSERT_TRUE_FATAL(
				bytes_writer_init(&w, buf, 16, &prod, &cons));
			CU_ASSERT_TRUE_FATAL(
				bytes_reader_init(&r, buf, 16, &prod, &cons));
			for (uint32_t i = 0; i < 17; i++)
				in[i] = (char)('a' + i + n);
			CU_ASSERT_EQUAL(bytes_write(&w, in, n), (int32_t)n);
			CU_ASSERT_EQUAL(bytes_writable(&w), 16 - (int32_t)n);
			CU_ASSERT_EQUAL(bytes_readable(&r), (int32_t)n);
			CU_ASSERT_EQUAL(bytes_peek(&r, n / 2, out, 32),
					(int32_t)(n - n / 2));
			CU_ASSERT_EQUAL(memcmp(out, in + n / 2, n - n / 2), 0);
			CU_ASSERT_EQUAL(bytes_peek(&r, n, out, 32), 0);
			CU_ASSERT_EQUAL(bytes_read(&r, out, 32), (int32_t)n);
			CU_ASSERT_EQUAL(memcmp(out, in, n), 0);
			CU_ASSERT_EQUAL(prod, start + n);
			CU_ASSERT_EQUAL(cons, start + n);
			/* more than fits is cut off */
			CU_ASSERT_EQUAL(bytes_write(&w, in, 17), 16);
			CU_ASSERT_EQUAL(bytes_write(&w, in, 1), 0);
			CU_ASSERT_EQUAL(bytes_read(&r, out, 3), 3);
			CU_ASSERT_EQUAL(bytes_write(&w, in, 17), 3);
		}
}

static void test_bytes_hostile(void)
{
	char buf[16], out[16];
	uint32_t start = 0xfffffffcu;

	for (int32_t delta = -20; delta <= 40; delta++) {
		uint32_t prod = start, cons = start;
		struct bytes_reader r;
		struct bytes_writer w;

		CU_ASSERT_TRUE_FATAL(bytes_reader_init(&r, buf, 16, &prod, &cons));
		prod = start + (uint32_t)delta;
		CU_ASSERT_EQUAL(bytes_readable(&r),
				delta < 0 || delta > 16 ? BYTES_OVERRUN : delta);
		if (delta < 0 || delta > 16) {
			CU_ASSERT_EQUAL(bytes_read(&r, out, 16), BYTES_OVERRUN);
			CU_ASSERT_EQUAL(cons, start);
		}
		prod = start;
		CU_ASSERT_TRUE_FATAL(bytes_writer_init(&w, buf, 16, &prod, &cons));
		CU_ASSERT_EQUAL(bytes_write(&w, "0123456789", 10), 10);
		cons = start + (uint32_t)delta;
		CU_ASSERT_EQUAL(bytes_writable(&w), 10 - delta < 0 || 10 - delta > 16
							    ? BYTES_OVERRUN
							    : 6 + delta);
	}
	for (uint32_t size = 0; size < 40; size++) {
		uint32_t prod = 0, cons = 0;
		struct bytes_reader r;
		bool power = size && !(size & (size - 1));

		CU_ASSERT_EQUAL(bytes_reader_init(&r, buf, size, &prod, &cons), power);
	}
	for (uint32_t lead = 0; lead < 40; lead++) {
		uint32_t prod = start + lead, cons = start;
		struct bytes_reader r;
		struct bytes_writer w;

		CU_ASSERT_EQUAL(bytes_reader_init(&r, buf, 16, &prod, &cons), lead <= 16);
		CU_ASSERT_EQUAL(bytes_writer_init(&w, buf, 16, &prod, &cons), lead <= 16);
	}
	/* a reader that changes our own index in the page changes nothing for us */
	{
		uint32_t prod = start, cons = start;
		struct bytes_writer w;

		CU_ASSERT_TRUE_FATAL(bytes_writer_init(&w, buf, 16, &prod, &cons));
		prod = 12345;
		CU_ASSERT_EQUAL(bytes_write(&w, "x", 1), 1);
		CU_ASSERT_EQUAL(prod, start + 1);
	}
}

static void test_console(void)
{
	static struct xencons_interface page;
	struct bytes_reader back_out, front_in;
	struct bytes_writer back_in, front_out;
	static char big[3000], got[3000];

	memset(&page, 0, sizeof(page));
	page.in_cons = page.in_prod = page.out_cons = page.out_prod = 0xfffffff0u;
	CU_ASSERT_TRUE(console_back_init(&page, &back_out, &back_in));
	CU_ASSERT_TRUE(console_front_init(&page, &front_in, &front_out));
	for (unsigned int i = 0; i < sizeof(big); i++)
		big[i] = (char)rand();
	CU_ASSERT_EQUAL(bytes_write(&front_out, big, 3000), 2048);
	CU_ASSERT_EQUAL(bytes_read(&back_out, got, 3000), 2048);
	CU_ASSERT_EQUAL(memcmp(big, got, 2048), 0);
	CU_ASSERT_EQUAL(bytes_write(&back_in, big, 3000), 1024);
	CU_ASSERT_EQUAL(bytes_read(&front_in, got, 3000), 1024);
	CU_ASSERT_EQUAL(memcmp(big, got, 1024), 0);
	page.out_prod = page.out_cons + 2049;
	CU_ASSERT_FALSE(console_back_init(&page, &back_out, &back_in));
}

static void test_xenstore(void)
{
	static struct xenstore_domain_interface page;
	struct xsd_sockmsg head = {.type = XS_READ, .req_id = 3, .len = 5}, seen;
	struct bytes_reader back_req, front_rsp;
	struct bytes_writer back_rsp, front_req;
	bool error;
	char body[8];

	memset(&page, 0, sizeof(page));
	page.req_cons = page.req_prod = page.rsp_cons = page.rsp_prod = 0u - 7;
	CU_ASSERT_TRUE(xenstore_front_init(&page, &front_req, &front_rsp));
	CU_ASSERT_TRUE(xenstore_back_init(&page, &back_req, &back_rsp));
	CU_ASSERT_EQUAL(bytes_write(&front_req, &head, 10), 10);
	CU_ASSERT_FALSE(xenstore_head(&back_req, &seen, &error));
	CU_ASSERT_FALSE(error);
	bytes_write(&front_req, (char *)&head + 10, sizeof(head) - 10);
	bytes_write(&front_req, "name", 5);
	CU_ASSERT_TRUE(xenstore_head(&back_req, &seen, &error));
	CU_ASSERT_FALSE(error);
	CU_ASSERT_EQUAL(seen.req_id, 3);
	bytes_take(&back_req, sizeof(head));
	CU_ASSERT_EQUAL(bytes_read(&back_req, body, 8), 5);
	CU_ASSERT_STRING_EQUAL(body, "name");
	CU_ASSERT_EQUAL(bytes_write(&back_rsp, body, 5), 5);
	CU_ASSERT_EQUAL(bytes_read(&front_rsp, body, 8), 5);
	head.len = XENSTORE_PAYLOAD_MAX + 1;
	bytes_write(&front_req, &head, sizeof(head));
	CU_ASSERT_FALSE(xenstore_head(&back_req, &seen, &error));
	CU_ASSERT_TRUE(error);
	page.req_prod += 4000;
	CU_ASSERT_FALSE(xenstore_head(&back_req, &seen, &error));
	CU_ASSERT_TRUE(error);
}

static void test_vchan_layout(void)
{
	for (uint32_t left = 0; left <= 24; left++)
		for (uint32_t right = 0; right <= 24; right++) {
			struct vchan_layout l;
			uint32_t pages = (left >= 12 ? 1u << (left - 12) : 0) +
					 (right >= 12 ? 1u << (right - 12) : 0);
			uint32_t least = left < right ? left : right;
			uint32_t room = least < 12 ? (1u << least) - 24 : 4096 - 24;
			bool good = least >= 10 && left <= 20 && right <= 20 &&
				    !(left == right && left < 12) && pages * 4 <= room;

			CU_ASSERT_EQUAL_FATAL(
				vchan_layout((uint16_t)left, (uint16_t)right, &l), good);
			if (!good)
				continue;
			CU_ASSERT_EQUAL(l.left.size, 1u << left);
			CU_ASSERT_EQUAL(l.right.size, 1u << right);
			CU_ASSERT_EQUAL(l.left.pages + l.right.pages, pages);
			CU_ASSERT_EQUAL(l.left.offset, left < 12 ? 1u << left : 0);
		}
}

static void test_vchan_data(void)
{
	static _Alignas(4096) uint8_t page[4096];
	struct vchan_interface *v = (void *)page;
	struct bytes_reader server_in, client_in;
	struct bytes_writer server_out, client_out;
	struct vchan_layout l;
	char got[8];

	memset(page, 0, sizeof(page));
	CU_ASSERT_TRUE_FATAL(vchan_layout(10, 11, &l));
	CU_ASSERT_TRUE(vchan_server_init(v, &l, page + 1024, page + 2048, &server_in,
					 &server_out));
	CU_ASSERT_TRUE(vchan_client_init(v, &l, page + 1024, page + 2048, &client_in,
					 &client_out));
	CU_ASSERT_EQUAL(bytes_write(&client_out, "left", 5), 5);
	CU_ASSERT_EQUAL(bytes_read(&server_in, got, 8), 5);
	CU_ASSERT_STRING_EQUAL(got, "left");
	CU_ASSERT_EQUAL(bytes_write(&server_out, "right", 6), 6);
	CU_ASSERT_EQUAL(bytes_read(&client_in, got, 8), 6);
	CU_ASSERT_STRING_EQUAL(got, "right");
	CU_ASSERT_EQUAL(memcmp(page + 1024, "left", 5), 0);
	CU_ASSERT_EQUAL(memcmp(page + 2048, "right", 6), 0);
	v->left.prod += 1025;
	CU_ASSERT_EQUAL(bytes_read(&server_in, got, 8), BYTES_OVERRUN);
	CU_ASSERT_FALSE(vchan_server_init(v, &l, page + 1024, page + 2048, &server_in,
					  &server_out));
}

/* ---- control ring ---- */

static uint32_t check(uint16_t type, uint32_t d0, uint32_t d1, uint32_t d2)
{
	struct xen_netif_ctrl_request q = {.type = type, .data = {d0, d1, d2}};

	return ctrl_check(&q);
}

#define OKAY   XEN_NETIF_CTRL_STATUS_SUCCESS
#define UNSUP  XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define INVAL  XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define TOOBIG XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW

static void test_ctrl_check(void)
{
	static const uint32_t mapping[4] = {0, 1, 2, 3};

	for (uint32_t type = 0; type < 65536; type++) {
		bool known = type >= 1 && type <= 10;

		CU_ASSERT_EQUAL(check((uint16_t)type, 0, 0, 0), known ? OKAY : UNSUP);
	}
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 1, 0, 0), INVAL);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 15, 0, 0), OKAY);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 16, 0, 0), INVAL);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 1, 1, 0), INVAL);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 9, 4096, 0), OKAY);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 9, 4097, 0), TOOBIG);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, 9, 40, 1), INVAL);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, 9, 1024, 0), OKAY);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, 9, 1025, 0), TOOBIG);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, 9, 1, UINT32_MAX),
			TOOBIG);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0), OKAY);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 2, 0, 0), INVAL);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, 9, 512), OKAY);
	CU_ASSERT_EQUAL(check(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0, 9, 513), INVAL);
	CU_ASSERT_TRUE(ctrl_mapping_valid(mapping, 4, 4));
	CU_ASSERT_FALSE(ctrl_mapping_valid(mapping, 4, 3));
	CU_ASSERT_TRUE(ctrl_mapping_valid(mapping, 0, 0));
}

static void test_ctrl_ring(void)
{
	static _Alignas(4096) uint8_t page[4096];
	struct ring_front f;
	struct ring_back b;

	CU_ASSERT_TRUE_FATAL(ring_front_init(&f, page, 1, CTRL_SLOT_SIZE));
	CU_ASSERT_TRUE_FATAL(ring_back_attach(&b, page, 1, CTRL_SLOT_SIZE));
	CU_ASSERT_EQUAL(f.size, 128);
	for (uint16_t i = 0; i < 1000; i++) {
		struct xen_netif_ctrl_request q = {.id = i, .type = 3, .data = {1, 2, i}},
					      seen;
		struct xen_netif_ctrl_response r;

		ctrl_request(&f, &q);
		ring_front_push(&f);
		CU_ASSERT_EQUAL_FATAL(ring_back_requests(&b), 1);
		ctrl_fetch(&b, b.req_cons, &seen);
		ring_back_consume(&b, 1);
		CU_ASSERT_EQUAL(memcmp(&seen, &q, sizeof(q)), 0);
		ctrl_respond(&b, &seen, i & 3, i * 7u);
		ring_back_push(&b);
		CU_ASSERT_EQUAL_FATAL(ring_front_responses(&f), 1);
		ctrl_fetch_response(&f, f.rsp_cons, &r);
		ring_front_consume(&f, 1);
		CU_ASSERT_EQUAL(r.id, i);
		CU_ASSERT_EQUAL(r.type, 3);
		CU_ASSERT_EQUAL(r.status, i & 3u);
		CU_ASSERT_EQUAL(r.data, i * 7u);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"bytes over the wrap", test_bytes_wrap},
		{"bytes, hostile indices", test_bytes_hostile},
		{"console page", test_console},
		{"xenstore page", test_xenstore},
		{"vchan layouts", test_vchan_layout},
		{"vchan data", test_vchan_data},
		{"control requests", test_ctrl_check},
		{"control ring", test_ctrl_ring},
		CU_TEST_INFO_NULL,
	};

	return suite_main("ring, streams and control", tests);
}
