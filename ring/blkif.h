/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Block requests and responses (xen/io/blkif.h) in the three layouts a guest may
 * choose with its "protocol" node, and the checks that need no knowledge of the
 * device. A 32-bit x86 guest aligns 64-bit fields to 4 bytes, so its slots differ.
 *
 * A request is copied from the ring once, into struct blkif_req, which looks the
 * same whatever the layout was. Only the private copy is checked and used.
 */
#ifndef XYLEM_RING_BLKIF_H
#define XYLEM_RING_BLKIF_H

#include <stddef.h>
#include <stdint.h>
#include <xen/io/blkif.h>
#include <xen/io/protocols.h>

#include "ring/ring.h"

enum blkif_abi {
	BLKIF_ABI_NATIVE, /* as this compiler lays xen/io/blkif.h out */
	BLKIF_ABI_X86_32,
	BLKIF_ABI_X86_64,
	BLKIF_ABIS
};

/* Segments in one page of an indirect request, and in as many pages as there may be. */
#define BLKIF_SEGS_PER_INDIRECT_PAGE                                                     \
	(RING_PAGE_SIZE / sizeof(struct blkif_request_segment))
#define BLKIF_INDIRECT_SEGS_MAX                                                          \
	(BLKIF_SEGS_PER_INDIRECT_PAGE * BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST)

/*
 * Every layout follows from how it aligns a 64-bit field, A = 4 or 8:
 *
 *     0 operation   1 nr_segments, flag or indirect_op   2 handle (indirect: nr_segments)
 *     A id          A+8 sector_number
 *     A+16 segments | discard: nr_sectors | indirect: handle, then at A+20 the grefs
 *
 * and of a response 0 id, 8 operation, 10 status, padded to a multiple of A.
 */
#define BLKIF_ID(A)     (A)
#define BLKIF_SECTOR(A) ((A) + 8)
#define BLKIF_BODY(A)   ((A) + 16)
#define BLKIF_GREFS(A)  ((A) + 20)
#define BLKIF_SLOT_SIZE(A)                                                               \
	(BLKIF_BODY(A) +                                                                 \
	 BLKIF_MAX_SEGMENTS_PER_REQUEST * sizeof(struct blkif_request_segment))
#define BLKIF_SLOT_SIZE_MAX BLKIF_SLOT_SIZE(8)
#define BLKIF_RSP_OP        8
#define BLKIF_RSP_STATUS    10
#define BLKIF_RSP_SIZE      12 /* what is written; the padding is left alone */

/* What this compiler makes of the public header must be one of the two. */
#if defined(__i386__)
#define BLKIF_ABI_COMPILED BLKIF_ABI_X86_32
#define BLKIF_A            4
#else
#define BLKIF_ABI_COMPILED BLKIF_ABI_X86_64
#define BLKIF_A            8
#endif
#define BLKIF_AT(type, field, offset)                                                    \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
BLKIF_AT(blkif_request, operation, 0);
BLKIF_AT(blkif_request, nr_segments, 1);
BLKIF_AT(blkif_request, handle, 2);
BLKIF_AT(blkif_request, id, BLKIF_ID(BLKIF_A));
BLKIF_AT(blkif_request, sector_number, BLKIF_SECTOR(BLKIF_A));
BLKIF_AT(blkif_request, seg, BLKIF_BODY(BLKIF_A));
BLKIF_AT(blkif_request_discard, flag, 1);
BLKIF_AT(blkif_request_discard, handle, 2);
BLKIF_AT(blkif_request_discard, id, BLKIF_ID(BLKIF_A));
BLKIF_AT(blkif_request_discard, sector_number, BLKIF_SECTOR(BLKIF_A));
BLKIF_AT(blkif_request_discard, nr_sectors, BLKIF_BODY(BLKIF_A));
BLKIF_AT(blkif_request_indirect, indirect_op, 1);
BLKIF_AT(blkif_request_indirect, nr_segments, 2);
BLKIF_AT(blkif_request_indirect, id, BLKIF_ID(BLKIF_A));
BLKIF_AT(blkif_request_indirect, sector_number, BLKIF_SECTOR(BLKIF_A));
BLKIF_AT(blkif_request_indirect, handle, BLKIF_BODY(BLKIF_A));
BLKIF_AT(blkif_request_indirect, indirect_grefs, BLKIF_GREFS(BLKIF_A));
BLKIF_AT(blkif_response, id, 0);
BLKIF_AT(blkif_response, operation, BLKIF_RSP_OP);
BLKIF_AT(blkif_response, status, BLKIF_RSP_STATUS);
_Static_assert(sizeof(union blkif_sring_entry) == BLKIF_SLOT_SIZE(BLKIF_A), "slot size");
_Static_assert(sizeof(struct blkif_request_segment) == 8,
	       "a segment is alike in all layouts");
_Static_assert(offsetof(struct blkif_sring, ring) == RING_HEAD_SIZE,
	       "slots follow the head");
_Static_assert(offsetof(struct blkif_sring, req_prod) ==
			       offsetof(struct ring_shared, req_prod) &&
		       offsetof(struct blkif_sring, req_event) ==
			       offsetof(struct ring_shared, req_event) &&
		       offsetof(struct blkif_sring, rsp_prod) ==
			       offsetof(struct ring_shared, rsp_prod) &&
		       offsetof(struct blkif_sring, rsp_event) ==
			       offsetof(struct ring_shared, rsp_event),
	       "order of the indices");
#undef BLKIF_AT
#undef BLKIF_A

/* How the layout aligns a 64-bit field. */
static inline uint32_t blkif_align(enum blkif_abi abi)
{
	if (abi == BLKIF_ABI_NATIVE)
		abi = BLKIF_ABI_COMPILED;
	return abi == BLKIF_ABI_X86_32 ? 4 : 8;
}

/* Bytes of a slot; give it to ring_back_attach() or ring_front_init(). */
static inline uint32_t blkif_slot_size(enum blkif_abi abi)
{
	return (uint32_t)BLKIF_SLOT_SIZE(blkif_align(abi));
}

/*
 * Which layout the frontend's "protocol" node names; NULL (no node) is native.
 * False: an unknown name, and @abi is left alone.
 */
static inline bool blkif_abi_parse(const char *protocol, enum blkif_abi *abi)
{
	if (!protocol)
		*abi = BLKIF_ABI_NATIVE;
	else if (!__builtin_strcmp(protocol, XEN_IO_PROTO_ABI_X86_32))
		*abi = BLKIF_ABI_X86_32;
	else if (!__builtin_strcmp(protocol, XEN_IO_PROTO_ABI_X86_64))
		*abi = BLKIF_ABI_X86_64;
	else
		return false;
	return true;
}

/* A request, the same in every layout; private memory. */
struct blkif_req {
	/*
	 * BLKIF_OP_*. For an indirect request this is the operation inside it: it is
	 * also what the response carries (Linux's blkfront insists on that).
	 */
	uint8_t op;
	bool indirect;
	uint8_t discard_flag; /* BLKIF_DISCARD_SECURE or 0 */
	uint16_t nr_segments; /* as the guest wrote it: blkif_check() says if it may be */
	uint16_t handle;
	uint64_t id;
	uint64_t sector; /* in the units this frontend uses */
	union {
		struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
		uint32_t indirect_gref[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
		uint64_t nr_sectors; /* discard */
	};
};

/* The segments of a request that has so many; a number that cannot be: none. */
static inline void blkif_decode_segments(const uint8_t *body, uint32_t n,
					 struct blkif_req *out)
{
	if (n == 1) /* most, by far */
		ring_copy_in(out->seg, body, sizeof(out->seg[0]));
	else if (n && n <= BLKIF_MAX_SEGMENTS_PER_REQUEST)
		ring_copy_in(out->seg, body, sizeof(out->seg));
}

/* blkif_decode() for one alignment, which the compiler shall know. */
static inline __attribute__((always_inline)) void
blkif_decode_aligned(const uint32_t a, const uint8_t *slot, struct blkif_req *out)
{
	uint8_t head[BLKIF_BODY(8)];
	const uint8_t *body = slot + BLKIF_BODY(a);
	uint16_t word;

	ring_copy_in(head, slot, BLKIF_BODY(a));
	__builtin_memcpy(&word, head + 2, sizeof(word));
	__builtin_memcpy(&out->id, head + BLKIF_ID(a), sizeof(out->id));
	__builtin_memcpy(&out->sector, head + BLKIF_SECTOR(a), sizeof(out->sector));
	out->op = head[0];
	out->indirect = false;
	out->discard_flag = 0;
	out->nr_segments = head[1];
	out->handle = word;
	switch (head[0]) {
	case BLKIF_OP_INDIRECT:
		out->op = head[1];
		out->indirect = true;
		out->nr_segments = word;
		ring_copy_in(&out->handle, body, sizeof(out->handle));
		ring_copy_in(out->indirect_gref, slot + BLKIF_GREFS(a),
			     sizeof(out->indirect_gref));
		break;
	case BLKIF_OP_DISCARD:
		out->nr_segments = 0;
		out->discard_flag = head[1];
		ring_copy_in(&out->nr_sectors, body, sizeof(out->nr_sectors));
		break;
	default:
		blkif_decode_segments(body, head[1], out);
		break;
	}
}

/*
 * Read the request in the slot at @slot (shared memory, no byte of it read twice) into
 * @out: what it has of segments and no more, the rest of the array stays as it was.
 */
static inline void blkif_decode(enum blkif_abi abi, const void *slot,
				struct blkif_req *out)
{
	if (blkif_align(abi) == 8)
		blkif_decode_aligned(8, slot, out);
	else
		blkif_decode_aligned(4, slot, out);
}

/*
 * Copy request @idx, one of those ring_back_requests() counted, into @out. The
 * ring's indices do not move. Never fails; check @out with blkif_check().
 */
static inline void blkif_fetch(const struct ring_back *r, enum blkif_abi abi,
			       uint32_t idx, struct blkif_req *out)
{
	blkif_decode(abi, ring_back_slot(r, idx), out);
}

/* Produce a response to the request that had @id and (in struct blkif_req) @op. */
static inline void blkif_respond(struct ring_back *r, uint64_t id, uint8_t op,
				 int16_t status)
{
	uint8_t rsp[BLKIF_RSP_SIZE] = {0};

	__builtin_memcpy(rsp, &id, sizeof(id));
	rsp[BLKIF_RSP_OP] = op;
	__builtin_memcpy(rsp + BLKIF_RSP_STATUS, &status, sizeof(status));
	ring_copy_out(ring_back_produce(r), rsp, sizeof(rsp));
}

/* ---- checks that do not depend on the device ---- */

enum blkif_error {
	BLKIF_OK,
	BLKIF_BAD_OP,          /* unknown operation: EOPNOTSUPP */
	BLKIF_BAD_INDIRECT_OP, /* an indirect request of something other than read or
				  write */
	BLKIF_NO_SEGMENTS,     /* a read or write of nothing */
	BLKIF_MANY_SEGMENTS,   /* more than the request can carry, or than was offered */
	BLKIF_BAD_SEGMENT,     /* first_sect > last_sect */
	BLKIF_BEYOND_PAGE,     /* last_sect is not in the page */
	BLKIF_BAD_RANGE,       /* sector + length wraps, or ends beyond the device */
	BLKIF_UNALIGNED,       /* not a multiple of the device's logical block */
	BLKIF_ERRORS
};

/* What the error is, for a log line. */
static inline const char *blkif_error_text(enum blkif_error e)
{
	static const char *const text[BLKIF_ERRORS] = {
		"no error",
		"unknown operation",
		"indirect request that is neither read nor write",
		"read or write without segments",
		"too many segments",
		"segment whose first sector is after its last",
		"segment beyond the end of its page",
		"sectors beyond the end of the device",
		"sectors not aligned to the block size",
	};

	return (unsigned int)e < BLKIF_ERRORS ? text[e] : "unknown error";
}

/* The status of the response to a request with this error. */
static inline int16_t blkif_error_status(enum blkif_error e)
{
	if (e == BLKIF_OK)
		return BLKIF_RSP_OKAY;
	return e == BLKIF_BAD_OP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}

/* Whether a request's segments move data. A barrier may carry none. */
static inline bool blkif_is_rw(const struct blkif_req *req)
{
	return req->op == BLKIF_OP_READ || req->op == BLKIF_OP_WRITE ||
	       req->op == BLKIF_OP_WRITE_BARRIER;
}

/*
 * Whether operation and segment count can be, given the most segments an
 * indirect request may have (0: indirect requests were not offered, and are an
 * unknown operation). What the segments say is for blkif_check_segments().
 */
static inline enum blkif_error blkif_check(const struct blkif_req *req,
					   uint32_t max_indirect)
{
	if (req->indirect) {
		if (max_indirect == 0)
			return BLKIF_BAD_OP;
		if (req->op != BLKIF_OP_READ && req->op != BLKIF_OP_WRITE)
			return BLKIF_BAD_INDIRECT_OP;
		if (req->nr_segments > max_indirect ||
		    req->nr_segments > BLKIF_INDIRECT_SEGS_MAX)
			return BLKIF_MANY_SEGMENTS;
		return req->nr_segments ? BLKIF_OK : BLKIF_NO_SEGMENTS;
	}
	switch (req->op) {
	case BLKIF_OP_READ:
	case BLKIF_OP_WRITE:
		if (req->nr_segments == 0)
			return BLKIF_NO_SEGMENTS;
		break;
	case BLKIF_OP_WRITE_BARRIER:
	case BLKIF_OP_FLUSH_DISKCACHE:
	case BLKIF_OP_DISCARD:
		break;
	default:
		return BLKIF_BAD_OP;
	}
	return req->nr_segments <= BLKIF_MAX_SEGMENTS_PER_REQUEST ? BLKIF_OK
								  : BLKIF_MANY_SEGMENTS;
}

/* How many pages hold @nr_segments indirect segments. */
static inline uint32_t blkif_indirect_pages(uint32_t nr_segments)
{
	return (nr_segments + BLKIF_SEGS_PER_INDIRECT_PAGE - 1) /
	       BLKIF_SEGS_PER_INDIRECT_PAGE;
}

/* One piece of a request's data: @length bytes at @offset of the page @gref. */
struct blkif_piece {
	uint32_t gref;
	uint16_t offset;
	uint16_t length; /* 512 to 4096 */
};

/* Whether @seg, a private copy, is all of a page. @unit as below. */
static inline bool blkif_whole_page(const struct blkif_request_segment *seg,
				    uint32_t unit)
{
	return !(seg->first_sect | (seg->last_sect ^ (RING_PAGE_SIZE / unit - 1)));
}

/*
 * Turn @n segments (a private copy: of a request's own, or of an indirect page)
 * into pieces, and add their bytes to *@total if all are good. @unit is what first_sect
 * and last_sect count: 512, or the sector size for a frontend that set
 * feature-large-sector-size; a power of two, 512 to 4096.
 */
static inline enum blkif_error
blkif_check_segments(const struct blkif_request_segment *seg, uint32_t n, uint32_t unit,
		     struct blkif_piece *out, uint64_t *total)
{
	uint32_t per_page = RING_PAGE_SIZE / unit, sectors = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t first = seg[i].first_sect, last = seg[i].last_sect;

		if (first > last)
			return BLKIF_BAD_SEGMENT;
		if (last >= per_page)
			return BLKIF_BEYOND_PAGE;
		out[i].gref = seg[i].gref;
		out[i].offset = (uint16_t)(first * unit);
		out[i].length = (uint16_t)((last - first + 1) * unit);
		sectors += last - first + 1;
	}
	*total += (uint64_t)sectors * unit;
	return BLKIF_OK;
}

/*
 * Whether @bytes from @sector (in @unit bytes) lie within a device of
 * @device_bytes and on multiples of its logical @block (a power of two).
 * *@offset: where it starts, in bytes.
 */
static inline enum blkif_error blkif_check_range(uint64_t sector, uint64_t bytes,
						 uint32_t unit, uint32_t block,
						 uint64_t device_bytes, uint64_t *offset)
{
	if (sector > device_bytes / unit)
		return BLKIF_BAD_RANGE;
	*offset = sector * unit;
	if (bytes > device_bytes - *offset)
		return BLKIF_BAD_RANGE;
	if ((*offset | bytes) & (block - 1))
		return BLKIF_UNALIGNED;
	return BLKIF_OK;
}

/* As above, for a discard of @nr_sectors, whose product may not fit. */
static inline enum blkif_error blkif_check_discard(const struct blkif_req *req,
						   uint32_t unit, uint32_t block,
						   uint64_t device_bytes,
						   uint64_t *offset, uint64_t *bytes)
{
	if (req->nr_sectors > device_bytes / unit)
		return BLKIF_BAD_RANGE;
	*bytes = req->nr_sectors * unit;
	return blkif_check_range(req->sector, *bytes, unit, block, device_bytes, offset);
}

/* ---- front end ---- */

/* Write @req into the slot at @slot: what blkif_decode() reads back. */
static inline void blkif_encode(enum blkif_abi abi, void *slot,
				const struct blkif_req *req)
{
	uint8_t copy[BLKIF_SLOT_SIZE_MAX] = {0};
	uint32_t a = blkif_align(abi);
	uint8_t *body = copy + BLKIF_BODY(a);
	uint16_t word = req->indirect ? req->nr_segments : req->handle;

	copy[0] = req->indirect ? BLKIF_OP_INDIRECT : req->op;
	copy[1] = (uint8_t)req->nr_segments;
	__builtin_memcpy(copy + 2, &word, sizeof(word));
	__builtin_memcpy(copy + BLKIF_ID(a), &req->id, sizeof(req->id));
	__builtin_memcpy(copy + BLKIF_SECTOR(a), &req->sector, sizeof(req->sector));
	if (req->indirect) {
		copy[1] = req->op;
		__builtin_memcpy(body, &req->handle, sizeof(req->handle));
		__builtin_memcpy(copy + BLKIF_GREFS(a), req->indirect_gref,
				 sizeof(req->indirect_gref));
	} else if (req->op == BLKIF_OP_DISCARD) {
		copy[1] = req->discard_flag;
		__builtin_memcpy(body, &req->nr_sectors, sizeof(req->nr_sectors));
	} else {
		__builtin_memcpy(body, req->seg, sizeof(req->seg));
	}
	ring_copy_out(slot, copy, BLKIF_SLOT_SIZE(a));
}

struct blkif_rsp {
	uint64_t id;
	uint8_t op;
	int16_t status;
};

/* Copy response @idx, one of those ring_front_responses() counted, into @out. */
static inline void blkif_fetch_response(const struct ring_front *r, uint32_t idx,
					struct blkif_rsp *out)
{
	uint8_t copy[BLKIF_RSP_SIZE];

	ring_copy_in(copy, ring_front_slot(r, idx), sizeof(copy));
	__builtin_memcpy(&out->id, copy, sizeof(out->id));
	out->op = copy[BLKIF_RSP_OP];
	__builtin_memcpy(&out->status, copy + BLKIF_RSP_STATUS, sizeof(out->status));
}

#endif
