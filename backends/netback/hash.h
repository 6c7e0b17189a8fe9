/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hash a frontend asks for over the control ring (xen/io/netif.h, "Hash types"
 * and "Hash algorithms"): Toeplitz over addresses and ports, as Receive Side
 * Scaling defines it, and the table that maps a hash to a queue. Plain data: the
 * vif keeps one under its lock, each queue a copy of its own.
 */
#ifndef XYLEM_NETBACK_HASH_H
#define XYLEM_NETBACK_HASH_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/io/netif.h>

#include "backends/netback/packet.h"

#define HASH_KEY_MAX     40u  /* bytes; what RSS uses */
#define HASH_INPUT_MAX   36u  /* two IPv6 addresses and two ports */
#define HASH_MAPPING_MAX 128u /* entries */
#define HASH_TYPES_ALL                                                                   \
	(XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |             \
	 XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

struct hash {
	uint32_t algorithm;    /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
	uint32_t types;        /* XEN_NETIF_CTRL_HASH_TYPE_* */
	uint32_t mapping_size; /* 0: modulo the number of queues */
	uint8_t mapping[HASH_MAPPING_MAX];
	/* what each half-byte of the input adds to the result, made from the key */
	uint32_t nibble[2 * HASH_INPUT_MAX][16];
};

struct hash_value {
	uint8_t type; /* _XEN_NETIF_CTRL_HASH_TYPE_*, the number of the bit */
	uint32_t value;
};

/* Set the key; what lies behind its @n bytes (at most HASH_KEY_MAX) is zero. */
void hash_set_key(struct hash *h, const uint8_t *key, uint32_t n);

/* The Toeplitz hash of @n bytes, at most HASH_INPUT_MAX. */
uint32_t hash_toeplitz(const struct hash *h, const uint8_t *buf, uint32_t n);

static inline bool hash_active(const struct hash *h)
{
	return h->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ && h->types;
}

/*
 * Hash a packet by the largest type that was asked for and fits it. False: none
 * fits, the packet has no hash.
 */
bool hash_packet(const struct hash *h, const uint8_t *p, const struct packet_headers *hdr,
		 struct hash_value *out);

/* The queue, of @nr_queues, for a hash. */
uint32_t hash_queue(const struct hash *h, uint32_t value, uint32_t nr_queues);

#endif
