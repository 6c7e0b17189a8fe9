/* SPDX-License-Identifier: GPL-2.0-only */
/* Toeplitz hashing, see hash.h. */
#include "backends/netback/hash.h"

#include <string.h>

#include "ring/ring.h"

/* 32 bits of the key from bit @at on, the most significant bit of key[0] being bit 0. */
static uint32_t key_window(const uint8_t *key, uint32_t at)
{
	uint64_t v = 0;
	uint32_t i, byte = at / 8;

	for (i = 0; i < 5; i++)
		v = v << 8 | (byte + i < HASH_KEY_MAX ? key[byte + i] : 0);
	return (uint32_t)(v >> (8 - at % 8));
}

void hash_set_key(struct hash *h, const uint8_t *key, uint32_t n)
{
	uint8_t full[HASH_KEY_MAX] = {0};
	uint32_t i, v, bit;

	RING_ASSERT(n <= HASH_KEY_MAX);
	memcpy(full, key, n);
	for (i = 0; i < 2 * HASH_INPUT_MAX; i++) {
		for (v = 0; v < 16; v++) {
			h->nibble[i][v] = 0;
			for (bit = 0; bit < 4; bit++)
				if (v & (8u >> bit))
					h->nibble[i][v] ^= key_window(full, 4 * i + bit);
		}
	}
}

uint32_t hash_toeplitz(const struct hash *h, const uint8_t *buf, uint32_t n)
{
	uint32_t result = 0, i;

	RING_ASSERT(n <= HASH_INPUT_MAX);
	for (i = 0; i < n; i++)
		result ^=
			h->nibble[2 * i][buf[i] >> 4] ^ h->nibble[2 * i + 1][buf[i] & 15];
	return result;
}

bool hash_packet(const struct hash *h, const uint8_t *p, const struct packet_headers *hdr,
		 struct hash_value *out)
{
	uint32_t types = h->types, n;
	uint8_t buf[HASH_INPUT_MAX];
	uint8_t with_ports, without;

	if (hdr->ip == 4) {
		n = 8;
		memcpy(buf, p + hdr->l3 + 12, n);
		with_ports = _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
		without = _XEN_NETIF_CTRL_HASH_TYPE_IPV4;
	} else if (hdr->ip == 6) {
		n = 32;
		memcpy(buf, p + hdr->l3 + 8, n);
		with_ports = _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;
		without = _XEN_NETIF_CTRL_HASH_TYPE_IPV6;
	} else {
		return false;
	}
	if (types & 1u << with_ports && hdr->proto == PACKET_PROTO_TCP &&
	    !hdr->fragment) {
		memcpy(buf + n, p + hdr->l4, 4);
		n += 4;
		out->type = with_ports;
	} else if (types & 1u << without) {
		out->type = without;
	} else {
		return false;
	}
	out->value = hash_toeplitz(h, buf, n);
	return true;
}

uint32_t hash_queue(const struct hash *h, uint32_t value, uint32_t nr_queues)
{
	uint32_t q;

	if (!h->mapping_size)
		return value % nr_queues;
	q = h->mapping[value % h->mapping_size];
	/* checked when it was set; the number of queues does not change */
	RING_ASSERT(q < nr_queues);
	return q;
}
