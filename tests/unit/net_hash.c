/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Toeplitz hashing against the test vectors that Microsoft publishes for Receive
 * Side Scaling ("Verifying the RSS Hash Calculation"), and the choice of type.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "backends/netback/hash.h"
#include "tests/unit/suite.h"

static const uint8_t rss_key[40] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct vector {
	const char *dst;
	uint16_t dst_port;
	const char *src;
	uint16_t src_port;
	uint32_t ip, tcp;
} v4[] =
	{
		{"161.142.100.80", 1766, "66.9.149.187", 2794, 0x323e8fc2, 0x51ccc178},
		{"65.69.140.83", 4739, "199.92.111.2", 14230, 0xd718262a, 0xc626b0ea},
		{"12.22.207.184", 38024, "24.19.198.95", 12898, 0xd2d0a5de, 0x5c2b394a},
		{"209.142.163.6", 2217, "38.27.205.30", 48228, 0x82989176, 0xafc7327f},
		{"202.188.127.2", 1303, "153.39.163.191", 44251, 0x5d1809c5, 0x10e828a2},
},
  v6[] = {
	  {"3ffe:2501:200:3::1", 1766, "3ffe:2501:200:1fff::7", 2794, 0x2cc18cd5,
	   0x40207d3d},
	  {"ff02::1", 4739, "3ffe:501:8::260:97ff:fe40:efab", 14230, 0x0f0c461c,
	   0xdde51bbf},
	  {"fe80::200:f8ff:fe21:67cf", 38024, "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
	   44251, 0x4b61e985, 0x02d1feef},
};

/* A packet with the vector's addresses and ports; @options bytes behind the IP header. */
static uint32_t make_packet(uint8_t *p, const struct vector *v, bool is_v6, uint8_t proto,
			    uint32_t options)
{
	uint32_t l4 = 14 + (is_v6 ? 40 : 20) + options;

	memset(p, 0, 256);
	if (is_v6) {
		p[12] = 0x86;
		p[13] = 0xdd;
		p[14] = 0x60;
		p[20] = options ? 60 : proto;
		p[54] = proto; /* when there are options: one header of 8 bytes */
		inet_pton(AF_INET6, v->src, p + 22);
		inet_pton(AF_INET6, v->dst, p + 38);
	} else {
		p[12] = 8;
		p[14] = (uint8_t)(0x45 + options / 4);
		p[23] = proto;
		inet_pton(AF_INET, v->src, p + 26);
		inet_pton(AF_INET, v->dst, p + 30);
	}
	p[l4] = (uint8_t)(v->src_port >> 8);
	p[l4 + 1] = (uint8_t)v->src_port;
	p[l4 + 2] = (uint8_t)(v->dst_port >> 8);
	p[l4 + 3] = (uint8_t)v->dst_port;
	p[l4 + 12] = 0x50;
	return l4 + 20;
}

static struct hash *make_hash(uint32_t types)
{
	struct hash *h = calloc(1, sizeof(*h));

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	h->algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
	h->types = types;
	hash_set_key(h, rss_key, sizeof(rss_key));
	return h;
}

static void check(const struct hash *h, const struct vector *v, bool is_v6, uint8_t proto,
		  uint32_t options, uint8_t type, uint32_t value)
{
	uint8_t p[256];
	uint32_t n = make_packet(p, v, is_v6, proto, options);
	struct packet_headers hdr;
	struct hash_value out;

	CU_ASSERT_EQUAL_FATAL(packet_parse(p, n, &hdr), PACKET_OK);
	CU_ASSERT_TRUE_FATAL(hash_packet(h, p, &hdr, &out));
	CU_ASSERT_EQUAL(out.type, type);
	CU_ASSERT_EQUAL(out.value, value);
}

static void test_vectors_v4(void)
{
	struct hash *h = make_hash(HASH_TYPES_ALL);
	uint32_t i;

	for (i = 0; i < sizeof(v4) / sizeof(v4[0]); i++) {
		h->types = HASH_TYPES_ALL;
		check(h, &v4[i], false, 6, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP,
		      v4[i].tcp);
		check(h, &v4[i], false, 6, 12, _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP,
		      v4[i].tcp);
		/* only TCP's ports count */
		check(h, &v4[i], false, 17, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV4, v4[i].ip);
		check(h, &v4[i], false, 1, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV4, v4[i].ip);
		h->types = XEN_NETIF_CTRL_HASH_TYPE_IPV4;
		check(h, &v4[i], false, 6, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV4, v4[i].ip);
	}
	free(h);
}

static void test_vectors_v6(void)
{
	struct hash *h = make_hash(HASH_TYPES_ALL);
	uint32_t i;

	for (i = 0; i < sizeof(v6) / sizeof(v6[0]); i++) {
		h->types = HASH_TYPES_ALL;
		check(h, &v6[i], true, 6, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP,
		      v6[i].tcp);
		check(h, &v6[i], true, 6, 8, _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP,
		      v6[i].tcp);
		check(h, &v6[i], true, 17, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV6, v6[i].ip);
		h->types = XEN_NETIF_CTRL_HASH_TYPE_IPV6;
		check(h, &v6[i], true, 6, 0, _XEN_NETIF_CTRL_HASH_TYPE_IPV6, v6[i].ip);
	}
	free(h);
}

/* The definition in xen/io/netif.h, bit by bit, for keys and inputs of any length. */
static uint32_t by_definition(const uint8_t *key, uint32_t key_len, const uint8_t *buf,
			      uint32_t n)
{
	uint32_t value = 0, i, k;

	for (i = 0; i < n * 8; i++) {
		uint32_t window = 0;

		if (!(buf[i / 8] & (0x80 >> i % 8)))
			continue;
		for (k = i; k < i + 32; k++)
			window = window << 1 |
				 (k / 8 < key_len ? key[k / 8] >> (7 - k % 8) & 1 : 0);
		value ^= window;
	}
	return value;
}

static void test_key_lengths(void)
{
	struct hash *h = make_hash(HASH_TYPES_ALL);
	uint8_t buf[HASH_INPUT_MAX];
	uint32_t len, n, i;

	srand(1);
	for (len = 0; len <= HASH_KEY_MAX; len++) {
		hash_set_key(h, rss_key, len);
		for (n = 0; n <= HASH_INPUT_MAX; n++) {
			for (i = 0; i < n; i++)
				buf[i] = (uint8_t)rand();
			CU_ASSERT_EQUAL(hash_toeplitz(h, buf, n),
					by_definition(rss_key, len, buf, n));
		}
	}
	free(h);
}

/* What no requested type fits has no hash. */
static void test_no_hash(void)
{
	struct hash *h = make_hash(XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |
				   XEN_NETIF_CTRL_HASH_TYPE_IPV6);
	struct packet_headers hdr;
	struct hash_value out;
	uint8_t p[256];
	uint32_t n;

	n = make_packet(p, &v4[0], false, 17, 0);
	CU_ASSERT_EQUAL(packet_parse(p, n, &hdr), PACKET_OK);
	CU_ASSERT_FALSE(hash_packet(h, p, &hdr, &out));
	n = make_packet(p, &v4[0], false, 6, 0);
	p[20] = 0x20; /* a first fragment: its ports are those of no whole segment */
	CU_ASSERT_EQUAL(packet_parse(p, n, &hdr), PACKET_OK);
	CU_ASSERT_FALSE(hash_packet(h, p, &hdr, &out));
	p[13] = 6; /* ARP */
	CU_ASSERT_EQUAL(packet_parse(p, n, &hdr), PACKET_OK);
	CU_ASSERT_FALSE(hash_packet(h, p, &hdr, &out));
	CU_ASSERT_FALSE(hash_active(&(struct hash){.algorithm = 1}));
	CU_ASSERT_FALSE(hash_active(&(struct hash){.types = 1}));
	free(h);
}

static void test_queue(void)
{
	struct hash *h = make_hash(HASH_TYPES_ALL);
	uint32_t i;

	for (i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(hash_queue(h, i * 977, 3), i * 977 % 3);
	h->mapping_size = 5;
	memcpy(h->mapping, "\2\0\1\1\2", 5);
	for (i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(hash_queue(h, i, 3), h->mapping[i % 5]);
	free(h);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"published vectors, IPv4", test_vectors_v4},
		{"published vectors, IPv6", test_vectors_v6},
		{"any key, by the definition", test_key_lengths},
		{"packets without a hash", test_no_hash},
		{"hash to queue", test_queue},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_hash", tests);
}
