/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The headers of a packet, found in a private copy: where the network and
 * transport headers lie, what the checksum field is, and the arithmetic of the
 * Internet checksum (RFC 1071). Nothing here touches shared memory.
 */
#ifndef XYLEM_NETBACK_PACKET_H
#define XYLEM_NETBACK_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define PACKET_ETH_LEN 14u
/* As many bytes as headers may take: 2 VLAN tags, IPv6 with options, TCP with options. */
#define PACKET_HEADERS_MAX 512u
/* The longest frame a vif carries: a 16-bit IP length behind Ethernet and two tags. */
#define PACKET_MAX (65535u + PACKET_ETH_LEN + 8u)

enum { PACKET_PROTO_TCP = 6, PACKET_PROTO_UDP = 17 };

struct packet_headers {
	uint16_t l3, l4; /* offsets; valid when ip is not 0, for l4 when proto is not 0 */
	uint16_t end;    /* where the payload begins, when proto is not 0 */
	uint8_t ip;      /* 4, 6, or 0: neither */
	uint8_t proto;   /* TCP or UDP; 0: something else, or not its first fragment */
	bool fragment;   /* a fragment of a datagram (the first one too) */
	bool routed;     /* source route: the addresses are not those of the checksum */
	uint8_t tcp_flags;
};

enum packet_result {
	PACKET_OK,    /* as much was found as there is; see ip and proto */
	PACKET_SHORT, /* the headers go on behind the bytes given */
	PACKET_BAD,   /* a length in a header cannot be */
};

/* Find the headers in the first @n bytes at @p. */
enum packet_result packet_parse(const uint8_t *p, uint32_t n, struct packet_headers *h);

/* Offset of the checksum field from the start of the packet; proto is not 0. */
static inline uint16_t packet_csum_field(const struct packet_headers *h)
{
	return (uint16_t)(h->l4 + (h->proto == PACKET_PROTO_TCP ? 16 : 6));
}

/* Add @n bytes to a one's-complement sum; @odd: they begin at an odd offset. */
uint64_t packet_sum(uint64_t sum, const void *p, uint32_t n, bool odd);

/* Fold a sum to 16 bits, in the byte order of the packet. */
static inline uint16_t packet_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/*
 * The folded pseudo-header sum of a packet of @len bytes in all, not complemented,
 * as it stands in the checksum field of a packet whose checksum is left to others.
 */
uint16_t packet_pseudo(const uint8_t *p, const struct packet_headers *h, uint32_t len);

/* Store @n bytes at offset @at of the packet in @iov. False: not within it. */
bool packet_put(const struct iovec *iov, unsigned int nr_iov, uint32_t at,
		const uint8_t *bytes, uint32_t n);

/*
 * Compute the checksum over [@start, end) of the packet in @iov (frame only), whose
 * field at @start + @offset holds the pseudo-header sum, and store it. False when
 * the field does not lie within the packet.
 */
bool packet_checksum(const struct iovec *iov, unsigned int nr_iov, uint32_t start,
		     uint32_t offset);

#endif
