/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block requests: whatever a slot and an indirect page hold, what passes the checks
 * lies within its pages and within the device, and what is decoded can be encoded.
 */
#include "ring/blkif.h"
#include "tests/fuzz/fuzz.h"

static _Alignas(4096) uint8_t page[RING_PAGE_SIZE];

static void check_pieces(const struct blkif_request_segment *seg,
			 const struct blkif_req *q, uint32_t unit, uint32_t block,
			 uint64_t device)
{
	static struct blkif_piece piece[BLKIF_INDIRECT_SEGS_MAX];
	uint64_t total = 0, sum = 0, at;

	if (blkif_check_segments(seg, q->nr_segments, unit, piece, &total) != BLKIF_OK)
		return;
	for (uint32_t i = 0; i < q->nr_segments; i++) {
		FUZZ_ASSERT(piece[i].length >= 512 && piece[i].length % unit == 0);
		FUZZ_ASSERT(piece[i].offset + (uint32_t)piece[i].length <=
			    RING_PAGE_SIZE);
		sum += piece[i].length;
	}
	FUZZ_ASSERT(sum == total);
	if (blkif_check_range(q->sector, total, unit, block, device, &at) == BLKIF_OK) {
		FUZZ_ASSERT(at <= device && total <= device - at);
		FUZZ_ASSERT(at / unit == q->sector && (at | total) % block == 0);
	}
}

static void check_round_trip(enum blkif_abi abi, const struct blkif_req *q)
{
	uint8_t slot[BLKIF_SLOT_SIZE_MAX];
	struct blkif_req again;

	memset(&again, 0, sizeof(again));
	blkif_encode(abi, slot, q);
	blkif_decode(abi, slot, &again);
	FUZZ_ASSERT(again.op == q->op && again.indirect == q->indirect &&
		    again.id == q->id);
	FUZZ_ASSERT(again.nr_segments == q->nr_segments && again.sector == q->sector);
	FUZZ_ASSERT(again.handle == q->handle && again.discard_flag == q->discard_flag);
	FUZZ_ASSERT(!memcmp(again.indirect_gref, q->indirect_gref,
			    q->op == BLKIF_OP_DISCARD && !q->indirect ? 8 : 32));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct blkif_request_segment seg[BLKIF_INDIRECT_SEGS_MAX];
	struct fuzz_input in = {data, size};
	enum blkif_abi abi = (enum blkif_abi)(fuzz_u8(&in) % BLKIF_ABIS);
	uint8_t how = fuzz_u8(&in);
	uint32_t unit = how & 1 ? 4096 : 512, block = how & 2 ? 4096 : unit;
	uint32_t max_indirect = fuzz_u32(&in) % 5000, idx = fuzz_u32(&in);
	uint64_t device = ((uint64_t)fuzz_u32(&in) << 20) + 4096, at, len;
	struct ring_shared *s = (void *)page;
	struct ring_back r;
	struct blkif_req q;
	int32_t n;

	ring_shared_init(page);
	s->rsp_prod = idx;
	s->req_prod = idx + fuzz_u8(&in) % 40;
	if (!ring_back_attach(&r, page, 1, blkif_slot_size(abi)))
		return 0;
	s->req_prod += fuzz_u8(&in);
	n = ring_back_requests(&r);
	FUZZ_ASSERT(n <= (int32_t)r.size);
	if (n <= 0)
		return 0;
	fuzz_bytes(&in, ring_back_slot(&r, r.req_cons), r.slot_size);
	memset(&q, 0, sizeof(q));
	blkif_fetch(&r, abi, r.req_cons, &q);
	ring_back_consume(&r, 1);
	check_round_trip(abi, &q);
	if (blkif_check(&q, max_indirect) != BLKIF_OK)
		return 0;
	if (q.indirect) {
		FUZZ_ASSERT(q.nr_segments <= max_indirect);
		FUZZ_ASSERT(blkif_indirect_pages(q.nr_segments) <= 8);
		fuzz_bytes(&in, seg, q.nr_segments * sizeof(seg[0]));
		check_pieces(seg, &q, unit, block, device);
	} else if (q.op == BLKIF_OP_DISCARD) {
		if (blkif_check_discard(&q, unit, block, device, &at, &len) == BLKIF_OK)
			FUZZ_ASSERT(at <= device && len <= device - at);
	} else {
		FUZZ_ASSERT(q.nr_segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST);
		check_pieces(q.seg, &q, unit, block, device);
	}
	blkif_respond(&r, q.id, q.op, 0);
	FUZZ_ASSERT(ring_back_unanswered(&r) == 0);
	ring_back_push(&r);
	return 0;
}
