/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Header parsing and checksums, see packet.h. Formats: IEEE 802.1Q, RFC 791,
 * RFC 8200 (IPv6 and its extension headers), RFC 4302 (AH), RFC 9293 (TCP).
 */
#include "backends/netback/packet.h"

#include <string.h>

#include "ring/ring.h"

enum {
	ETHER_IPV4 = 0x0800,
	ETHER_VLAN = 0x8100,
	ETHER_QINQ = 0x88a8,
	ETHER_IPV6 = 0x86dd,
};

/* IPv6 next-header values of extension headers that may be stepped over */
enum {
	NEXT_HOPOPTS = 0,
	NEXT_ROUTING = 43,
	NEXT_FRAGMENT = 44,
	NEXT_AH = 51,
	NEXT_DSTOPTS = 60,
};

/* More than anybody sends: a chain of headers costs time for each one. */
#define EXTENSIONS_MAX 8

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static enum packet_result parse_l4(const uint8_t *p, uint32_t n, uint32_t l4,
				   uint8_t proto, struct packet_headers *h)
{
	uint32_t len;

	if (proto == PACKET_PROTO_UDP) {
		len = 8;
	} else if (proto == PACKET_PROTO_TCP) {
		if (n < l4 + 20)
			return PACKET_SHORT;
		len = (p[l4 + 12] >> 4) * 4u;
		if (len < 20)
			return PACKET_BAD;
		h->tcp_flags = p[l4 + 13];
	} else {
		return PACKET_OK;
	}
	if (n < l4 + len)
		return PACKET_SHORT;
	h->proto = proto;
	h->l4 = (uint16_t)l4;
	h->end = (uint16_t)(l4 + len);
	return PACKET_OK;
}

/* Options 131 and 137 are source routes: the last hop is in the option. */
static bool ipv4_routed(const uint8_t *opt, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && opt[i] != 0) {
		if (opt[i] == 131 || opt[i] == 137)
			return true;
		if (opt[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 >= n || opt[i + 1] < 2)
			break;
		i += opt[i + 1];
	}
	return false;
}

static enum packet_result parse_ipv4(const uint8_t *p, uint32_t n, uint32_t l3,
				     struct packet_headers *h)
{
	uint32_t len;

	if (n < l3 + 20)
		return PACKET_SHORT;
	len = (p[l3] & 15) * 4u;
	if (p[l3] >> 4 != 4 || len < 20)
		return PACKET_BAD;
	if (n < l3 + len)
		return PACKET_SHORT;
	h->ip = 4;
	h->l3 = (uint16_t)l3;
	h->fragment = (get16(p + l3 + 6) & 0x3fff) != 0; /* more to come, or an offset */
	if (get16(p + l3 + 6) & 0x1fff)
		return PACKET_OK;
	if (len > 20)
		h->routed = ipv4_routed(p + l3 + 20, len - 20);
	return parse_l4(p, n, l3 + len, p[l3 + 9], h);
}

static enum packet_result parse_ipv6(const uint8_t *p, uint32_t n, uint32_t l3,
				     struct packet_headers *h)
{
	uint32_t at = l3 + 40, i, len;
	uint8_t next;

	if (n < at)
		return PACKET_SHORT;
	if (p[l3] >> 4 != 6)
		return PACKET_BAD;
	h->ip = 6;
	h->l3 = (uint16_t)l3;
	next = p[l3 + 6];
	for (i = 0; i < EXTENSIONS_MAX; i++) {
		if (next != NEXT_HOPOPTS && next != NEXT_ROUTING &&
		    next != NEXT_FRAGMENT && next != NEXT_AH && next != NEXT_DSTOPTS)
			return parse_l4(p, n, at, next, h);
		if (n < at + 8)
			return PACKET_SHORT;
		len = (p[at + 1] + 1u) * 8u;
		if (next == NEXT_FRAGMENT) {
			len = 8;
			h->fragment = true;
			if (get16(p + at + 2) & 0xfff8)
				return PACKET_OK;
		} else if (next == NEXT_AH) {
			len = (p[at + 1] + 2u) * 4u;
		} else if (next == NEXT_ROUTING && p[at + 3]) {
			h->routed = true; /* segments left */
		}
		next = p[at];
		at += len;
		if (at > PACKET_HEADERS_MAX)
			return PACKET_BAD;
	}
	return PACKET_BAD;
}

enum packet_result packet_parse(const uint8_t *p, uint32_t n, struct packet_headers *h)
{
	uint32_t l3 = PACKET_ETH_LEN, tags;
	uint16_t type;

	memset(h, 0, sizeof(*h));
	if (n < l3)
		return PACKET_SHORT;
	type = get16(p + 12);
	for (tags = 0; tags < 2 && (type == ETHER_VLAN || type == ETHER_QINQ); tags++) {
		l3 += 4;
		if (n < l3)
			return PACKET_SHORT;
		type = get16(p + l3 - 2);
	}
	if (type == ETHER_IPV4)
		return parse_ipv4(p, n, l3, h);
	if (type == ETHER_IPV6)
		return parse_ipv6(p, n, l3, h);
	return PACKET_OK;
}

/*
 * Sums 32-bit words in host order: one's-complement addition does not mind the
 * order of bytes as long as all words have the same (RFC 1071, 2B).
 */
uint64_t packet_sum(uint64_t sum, const void *data, uint32_t n, bool odd)
{
	const uint8_t *p = data;
	uint64_t part = 0;
	uint16_t half;

	while (n >= 4) {
		uint32_t word;

		memcpy(&word, p, 4);
		part += word;
		p += 4;
		n -= 4;
	}
	if (n >= 2) {
		memcpy(&half, p, 2);
		part += half;
		p += 2;
		n -= 2;
	}
	if (n) {
		uint8_t last[2] = {*p, 0};

		memcpy(&half, last, 2);
		part += half;
	}
	half = packet_fold(part);
	if (odd)
		half = __builtin_bswap16(half);
	return sum + half;
}

uint16_t packet_pseudo(const uint8_t *p, const struct packet_headers *h, uint32_t len)
{
	uint32_t l4_len = len - h->l4;
	uint8_t tail[8] = {(uint8_t)(l4_len >> 24),
			   (uint8_t)(l4_len >> 16),
			   (uint8_t)(l4_len >> 8),
			   (uint8_t)l4_len,
			   0,
			   0,
			   0,
			   h->proto};
	uint64_t sum;

	RING_ASSERT(h->proto && len >= h->l4);
	if (h->ip == 4)
		sum = packet_sum(0, p + h->l3 + 12, 8, false);
	else
		sum = packet_sum(0, p + h->l3 + 8, 32, false);
	sum = packet_sum(sum, tail, sizeof(tail), false);
	return packet_fold(sum);
}

/* The 16-bit field at @at, which an iovec boundary may split. */
static uint8_t *frame_byte(const struct iovec *iov, unsigned int nr_iov, uint32_t at)
{
	unsigned int i;

	for (i = 0; i < nr_iov; i++) {
		if (at < iov[i].iov_len)
			return (uint8_t *)iov[i].iov_base + at;
		at -= (uint32_t)iov[i].iov_len;
	}
	return NULL;
}

bool packet_put(const struct iovec *iov, unsigned int nr_iov, uint32_t at,
		const uint8_t *bytes, uint32_t n)
{
	uint32_t i;

	/* the last byte first: all or nothing */
	for (i = n; i-- > 0;) {
		uint8_t *p = frame_byte(iov, nr_iov, at + i);

		if (!p)
			return false;
		*p = bytes[i];
	}
	return true;
}

bool packet_checksum(const struct iovec *iov, unsigned int nr_iov, uint32_t start,
		     uint32_t offset)
{
	uint32_t skip = start, done = 0, n;
	uint64_t sum = 0;
	uint8_t bytes[2];
	uint16_t csum;
	unsigned int i;

	for (i = 0; i < nr_iov; i++) {
		n = (uint32_t)iov[i].iov_len;
		if (skip >= n) {
			skip -= n;
			continue;
		}
		sum = packet_sum(sum, (uint8_t *)iov[i].iov_base + skip, n - skip,
				 done & 1);
		done += n - skip;
		skip = 0;
	}
	csum = (uint16_t)~packet_fold(sum);
	if (csum == 0)
		csum = 0xffff; /* 0 means "none" in UDP; the two are equal (RFC 768) */
	memcpy(bytes, &csum, 2);
	return packet_put(iov, nr_iov, start + offset, bytes, 2);
}
