/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Header parsing, hashing and checksums over arbitrary bytes: every offset found
 * lies within them, and a checksum filled in is right.
 */
#include "backends/netback/hash.h"
#include "backends/netback/packet.h"
#include "tests/fuzz/fuzz.h"

static uint16_t reference(const uint8_t *p, uint32_t n)
{
	uint32_t sum = 0, i;

	for (i = 0; i < n; i++) {
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void check_checksum(uint8_t *p, uint32_t n, uint32_t start, uint32_t offset,
			   uint32_t cut)
{
	struct iovec iov[2] = {{p, cut % (n + 1)},
			       {p + cut % (n + 1), n - cut % (n + 1)}};
	uint16_t want;

	if (start + offset + 2 > n) {
		FUZZ_ASSERT(!packet_checksum(iov, 2, start, offset));
		return;
	}
	want = (uint16_t)~reference(p + start, n - start);
	FUZZ_ASSERT(packet_checksum(iov, 2, start, offset));
	FUZZ_ASSERT((p[start + offset] << 8 | p[start + offset + 1]) ==
		    (want ? want : 0xffff));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hash hash = {.algorithm = 1, .types = HASH_TYPES_ALL};
	struct packet_headers h;
	struct hash_value value;
	uint32_t n = size < 2000 ? (uint32_t)size : 2000;
	uint8_t *p = malloc(n + 1); /* of its very size, for the sanitizer */

	FUZZ_ASSERT(p);
	if (n)
		memcpy(p, data, n);
	if (packet_parse(p, n, &h) == PACKET_OK) {
		if (h.ip)
			FUZZ_ASSERT(h.l3 + (h.ip == 4 ? 20u : 40u) <= n);
		if (h.proto) {
			FUZZ_ASSERT(h.ip && h.l3 < h.l4 && h.l4 < h.end && h.end <= n);
			FUZZ_ASSERT(packet_csum_field(&h) + 2u <= h.end);
			packet_pseudo(p, &h, n);
		}
		hash_packet(&hash, p, &h, &value);
	}
	if (n >= 8)
		check_checksum(p, n, p[0] | (p[1] & 7u) << 8, p[2],
			       p[3] | (p[4] & 7u) << 8);
	free(p);
	return 0;
}
