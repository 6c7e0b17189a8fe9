/* SPDX-License-Identifier: GPL-2.0-only */
/* Headers of every kind, whole and cut off at every byte; checksums by the book. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

static uint8_t buf[PACKET_MAX];

/* An IPv6 packet with the extension headers @chain ({ type, bytes }, ended by 0 bytes).
 */
static uint32_t v6_chain(const uint8_t (*chain)[2], uint8_t proto)
{
	uint32_t at = 54, i, len;
	uint8_t *next = buf + 20;

	memset(buf, 0, 400);
	buf[12] = 0x86;
	buf[13] = 0xdd;
	buf[14] = 0x60;
	for (i = 0; chain[i][1]; i++) {
		len = chain[i][1];
		*next = chain[i][0];
		next = buf + at;
		if (chain[i][0] == 51)
			buf[at + 1] = (uint8_t)(len / 4 - 2);
		else if (chain[i][0] != 44)
			buf[at + 1] = (uint8_t)(len / 8 - 1);
		at += len;
	}
	*next = proto;
	buf[at + 12] = 0x50;
	return at;
}

/* Cut at any byte before the end of the headers, the parser asks for more. */
static void check_cut(uint32_t end)
{
	struct packet_headers h;
	uint32_t n;

	for (n = 0; n < end; n++)
		CU_ASSERT_EQUAL(packet_parse(buf, n, &h), PACKET_SHORT);
	CU_ASSERT_EQUAL(packet_parse(buf, end, &h), PACKET_OK);
}

static void test_extension_headers(void)
{
	static const uint8_t chains[][5][2] = {
		{{0}},
		{{0, 8}},
		{{60, 24}, {43, 24}, {60, 8}},
		{{51, 24}},
		{{0, 8}, {43, 8}, {51, 16}, {60, 256 - 8}},
	};
	struct packet_headers h;
	uint32_t i, at;

	for (i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		at = v6_chain(chains[i], PACKET_PROTO_TCP);
		CU_ASSERT_EQUAL(packet_parse(buf, at + 20, &h), PACKET_OK);
		CU_ASSERT_EQUAL(h.ip, 6);
		CU_ASSERT_EQUAL(h.proto, PACKET_PROTO_TCP);
		CU_ASSERT_EQUAL(h.l3, 14);
		CU_ASSERT_EQUAL(h.l4, at);
		CU_ASSERT_EQUAL(h.end, at + 20);
		CU_ASSERT_FALSE(h.fragment || h.routed);
		check_cut(at + 20);
		at = v6_chain(chains[i], PACKET_PROTO_UDP);
		CU_ASSERT_EQUAL(packet_parse(buf, at + 8, &h), PACKET_OK);
		CU_ASSERT_EQUAL(packet_csum_field(&h), at + 6);
		at = v6_chain(chains[i], 58); /* ICMPv6: nothing that we know */
		CU_ASSERT_EQUAL(packet_parse(buf, at, &h), PACKET_OK);
		CU_ASSERT_EQUAL(h.proto, 0);
	}
}

static void test_extension_oddities(void)
{
	static const uint8_t fragment[][2] = {{44, 8}, {0, 0}};
	static const uint8_t routing[][2] = {{43, 24}, {0, 0}};
	static const uint8_t endless[][2] = {{0, 8},  {60, 8}, {60, 8}, {60, 8}, {60, 8},
					     {60, 8}, {60, 8}, {60, 8}, {60, 8}, {0, 0}};
	static const uint8_t lengthy[][2] = {{60, 8}, {0, 0}};
	struct packet_headers h;
	uint32_t at;

	at = v6_chain(fragment, PACKET_PROTO_TCP); /* the first fragment */
	CU_ASSERT_EQUAL(packet_parse(buf, at + 20, &h), PACKET_OK);
	CU_ASSERT_TRUE(h.fragment);
	CU_ASSERT_EQUAL(h.l4, at);
	buf[56] = 1; /* a later one has no transport header */
	CU_ASSERT_EQUAL(packet_parse(buf, at, &h), PACKET_OK);
	CU_ASSERT_TRUE(h.fragment);
	CU_ASSERT_EQUAL(h.proto, 0);
	at = v6_chain(routing, PACKET_PROTO_TCP);
	buf[57] = 1; /* segments left */
	CU_ASSERT_EQUAL(packet_parse(buf, at + 20, &h), PACKET_OK);
	CU_ASSERT_TRUE(h.routed);
	at = v6_chain(endless, PACKET_PROTO_TCP);
	CU_ASSERT_EQUAL(packet_parse(buf, at + 20, &h), PACKET_BAD);
	v6_chain(lengthy, PACKET_PROTO_TCP);
	buf[55] = 255; /* 2 KiB of options */
	CU_ASSERT_EQUAL(packet_parse(buf, 400, &h), PACKET_BAD);
	buf[14] = 0x40; /* not the version that the type says */
	CU_ASSERT_EQUAL(packet_parse(buf, 400, &h), PACKET_BAD);
}

static void test_ipv4(void)
{
	struct net_packet p = {.payload = 100, .ip_options = 12};
	static const uint8_t options[][12] = {
		{1, 1, 131, 7, 4},    /* loose source route */
		{137, 7, 4},          /* strict */
		{7, 4, 0, 0, 137, 3}, /* behind a record route */
		{0, 131, 7},          /* behind the end: not one */
		{7, 0, 131},          /* a length that leads nowhere */
		{7, 200, 131},
		{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 7}, /* no room for a length */
	};
	static const bool routed[] = {true, true, true, false, false, false, false};
	struct packet_headers h;
	uint32_t l4, at, i;

	net_packet_build(buf, &p, &l4, &at);
	check_cut(l4 + 20);
	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		memcpy(buf + 34, options[i], 12);
		CU_ASSERT_EQUAL(packet_parse(buf, l4 + 20, &h), PACKET_OK);
		CU_ASSERT_EQUAL(h.routed, routed[i]);
		CU_ASSERT_EQUAL(h.l4, l4);
	}
	buf[21] = 1; /* a fragment that is not the first */
	CU_ASSERT_EQUAL(packet_parse(buf, 46, &h), PACKET_OK);
	CU_ASSERT_TRUE(h.fragment);
	CU_ASSERT_EQUAL(h.proto, 0);
	buf[21] = 0;
	buf[20] = 0x40; /* don't fragment: none */
	CU_ASSERT_EQUAL(packet_parse(buf, l4 + 20, &h), PACKET_OK);
	CU_ASSERT_FALSE(h.fragment);
}

/* Three tags are two tags and a type that is no IP. */
static void test_vlan(void)
{
	struct net_packet p = {.payload = 10, .vlan_tags = 2};
	struct packet_headers h;
	uint32_t l4, at, n = net_packet_build(buf, &p, &l4, &at);

	check_cut(l4 + 20);
	buf[20] = 0x81; /* the type behind the second tag */
	buf[21] = 0;
	CU_ASSERT_EQUAL(packet_parse(buf, n, &h), PACKET_OK);
	CU_ASSERT_EQUAL(h.ip, 0);
}

/* Sums over pieces cut anywhere, of every length and alignment. */
static void test_sums(void)
{
	uint32_t n, cut, from;

	for (n = 0; n < 300; n++)
		buf[n] = (uint8_t)(n * 73 + (n >> 3));
	for (n = 0; n < 70; n++) {
		for (from = 0; from < 9; from++) {
			for (cut = 0; cut <= n; cut += 1 + n / 7) {
				uint64_t sum = packet_sum(0, buf + from, cut, false);
				uint8_t bytes[2];
				uint16_t got;

				sum = packet_sum(sum, buf + from + cut, n - cut, cut & 1);
				got = packet_fold(sum);
				memcpy(bytes, &got, 2);
				CU_ASSERT_EQUAL(bytes[0] << 8 | bytes[1],
						net_reference_sum(buf + from, n));
			}
		}
	}
}

static void test_checksum(void)
{
	struct iovec iov[3] = {{buf, 20}, {buf + 20, 15}, {buf + 35, 65}};
	uint32_t start, offset;

	for (start = 0; start < 100; start += 7) {
		for (offset = 0; offset < 100; offset += 9) {
			uint16_t want;
			bool fits = start + offset + 2 <= 100;

			memset(buf, 0x5a, 100);
			buf[start] = (uint8_t)offset;
			want = (uint16_t)~net_reference_sum(buf + start, 100 - start);
			CU_ASSERT_EQUAL(packet_checksum(iov, 3, start, offset), fits);
			if (fits)
				CU_ASSERT_EQUAL(buf[start + offset] << 8 |
							buf[start + offset + 1],
						want);
		}
	}
	/* a sum of 0 is written as its equal: 0 would mean "none" in UDP */
	memset(buf, 0xff, 100);
	CU_ASSERT_TRUE(packet_checksum(iov, 3, 0, 0));
	CU_ASSERT_EQUAL(buf[0] << 8 | buf[1], 0xffff);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"IPv6 extension headers", test_extension_headers},
		{"IPv6 oddities", test_extension_oddities},
		{"IPv4", test_ipv4},
		{"VLAN tags", test_vlan},
		{"sums", test_sums},
		{"checksums", test_checksum},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_packet", tests);
}
