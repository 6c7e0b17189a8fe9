/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Block requests: the layouts against the public header (and a 32-bit compiler's
 * view of it), decode and encode, and every check with its bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "ring/blkif.h"
#include "tests/unit/suite.h"

/*
 * What an i386 compiler makes of io/blkif.h: the same fields, 64-bit ones aligned
 * to 4 bytes as its ABI does.
 */
typedef uint64_t u64_i386 __attribute__((aligned(4)));
struct rw_i386 {
	uint8_t operation, nr_segments;
	uint16_t handle;
	u64_i386 id, sector_number;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};
struct discard_i386 {
	uint8_t operation, flag;
	uint16_t handle;
	u64_i386 id, sector_number, nr_sectors;
};
struct indirect_i386 {
	uint8_t operation, indirect_op;
	uint16_t nr_segments;
	u64_i386 id, sector_number;
	uint16_t handle;
	uint32_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	u64_i386 pad;
};
struct rsp_i386 {
	u64_i386 id;
	uint8_t operation;
	int16_t status;
};
_Static_assert(sizeof(struct rw_i386) == BLKIF_SLOT_SIZE(4), "i386 slot");
_Static_assert(offsetof(struct rw_i386, id) == BLKIF_ID(4), "i386 id");
_Static_assert(offsetof(struct rw_i386, sector_number) == BLKIF_SECTOR(4), "i386 sector");
_Static_assert(offsetof(struct rw_i386, seg) == BLKIF_BODY(4), "i386 segments");
_Static_assert(offsetof(struct discard_i386, nr_sectors) == BLKIF_BODY(4),
	       "i386 discard");
_Static_assert(offsetof(struct indirect_i386, handle) == BLKIF_BODY(4), "i386 indirect");
_Static_assert(offsetof(struct indirect_i386, indirect_grefs) == BLKIF_GREFS(4),
	       "i386 grefs");
_Static_assert(sizeof(struct indirect_i386) == 64, "i386 indirect");
_Static_assert(sizeof(struct rsp_i386) == 12, "i386 response");
_Static_assert(offsetof(struct rsp_i386, status) == BLKIF_RSP_STATUS, "i386 status");

static _Alignas(4096) uint8_t pages[RING_PAGES_MAX * RING_PAGE_SIZE];

/* Fill every field of a struct of either layout with values of its own. */
#define FILL_RW(p)                                                                       \
	do {                                                                             \
		(p)->operation = BLKIF_OP_WRITE;                                         \
		(p)->nr_segments = 11;                                                   \
		(p)->handle = 0xcafe;                                                    \
		(p)->id = 0x0123456789abcdef;                                            \
		(p)->sector_number = 0xfedcba9876543210;                                 \
		for (int i_ = 0; i_ < 11; i_++)                                          \
			(p)->seg[i_] = (struct blkif_request_segment){                   \
				.gref = 0x1000u + (uint32_t)i_,                          \
				.first_sect = (uint8_t)i_,                               \
				.last_sect = (uint8_t)(i_ + 1)};                         \
	} while (0)

static void expect_rw(const struct blkif_req *q)
{
	CU_ASSERT_EQUAL(q->op, BLKIF_OP_WRITE);
	CU_ASSERT_FALSE(q->indirect);
	CU_ASSERT_EQUAL(q->nr_segments, 11);
	CU_ASSERT_EQUAL(q->handle, 0xcafe);
	CU_ASSERT_EQUAL(q->id, 0x0123456789abcdef);
	CU_ASSERT_EQUAL(q->sector, 0xfedcba9876543210);
	for (int i = 0; i < 11; i++) {
		CU_ASSERT_EQUAL(q->seg[i].gref, 0x1000u + (uint32_t)i);
		CU_ASSERT_EQUAL(q->seg[i].first_sect, i);
		CU_ASSERT_EQUAL(q->seg[i].last_sect, i + 1);
	}
}

static void test_decode_rw(void)
{
	struct blkif_request native;
	struct rw_i386 i386;
	struct blkif_req q;

	FILL_RW(&native);
	FILL_RW(&i386);
	blkif_decode(BLKIF_ABI_NATIVE, &native, &q);
	expect_rw(&q);
	memset(&q, 0x5a, sizeof(q));
	blkif_decode(BLKIF_ABI_X86_64, &native, &q);
	expect_rw(&q);
	memset(&q, 0x5a, sizeof(q));
	blkif_decode(BLKIF_ABI_X86_32, &i386, &q);
	expect_rw(&q);
	/* a count beyond the slot is kept as it is: blkif_check() has to see it */
	native.nr_segments = 255;
	blkif_decode(BLKIF_ABI_NATIVE, &native, &q);
	CU_ASSERT_EQUAL(q.nr_segments, 255);
	CU_ASSERT_EQUAL(blkif_check(&q, 0), BLKIF_MANY_SEGMENTS);
}

#define FILL_DISCARD(p)                                                                  \
	do {                                                                             \
		(p)->operation = BLKIF_OP_DISCARD;                                       \
		(p)->flag = BLKIF_DISCARD_SECURE;                                        \
		(p)->handle = 0xbeef;                                                    \
		(p)->id = 1;                                                             \
		(p)->sector_number = 2;                                                  \
		(p)->nr_sectors = 0x8000000000000003;                                    \
	} while (0)

static void expect_discard(const struct blkif_req *q)
{
	CU_ASSERT_EQUAL(q->op, BLKIF_OP_DISCARD);
	CU_ASSERT_EQUAL(q->discard_flag, BLKIF_DISCARD_SECURE);
	CU_ASSERT_EQUAL(q->handle, 0xbeef);
	CU_ASSERT_EQUAL(q->nr_segments, 0);
	CU_ASSERT_EQUAL(q->id, 1);
	CU_ASSERT_EQUAL(q->sector, 2);
	CU_ASSERT_EQUAL(q->nr_sectors, 0x8000000000000003);
}

static void test_decode_discard(void)
{
	union blkif_sring_entry native;
	union {
		struct discard_i386 d;
		struct rw_i386 slot;
	} i386;
	struct blkif_request_discard d;
	struct blkif_req q;

	memset(&native, 0, sizeof(native));
	memset(&i386, 0, sizeof(i386));
	FILL_DISCARD(&d);
	FILL_DISCARD(&i386.d);
	memcpy(&native, &d, sizeof(d));
	blkif_decode(BLKIF_ABI_X86_64, &native, &q);
	expect_discard(&q);
	memset(&q, 0x5a, sizeof(q));
	blkif_decode(BLKIF_ABI_X86_32, &i386, &q);
	expect_discard(&q);
}

#define FILL_INDIRECT(p)                                                                 \
	do {                                                                             \
		(p)->operation = BLKIF_OP_INDIRECT;                                      \
		(p)->indirect_op = BLKIF_OP_READ;                                        \
		(p)->nr_segments = 4000;                                                 \
		(p)->id = 7;                                                             \
		(p)->sector_number = 8;                                                  \
		(p)->handle = 9;                                                         \
		for (uint32_t i_ = 0; i_ < 8; i_++)                                      \
			(p)->indirect_grefs[i_] = 100 + i_;                              \
	} while (0)

static void expect_indirect(const struct blkif_req *q)
{
	CU_ASSERT_TRUE(q->indirect);
	CU_ASSERT_EQUAL(q->op, BLKIF_OP_READ);
	CU_ASSERT_EQUAL(q->nr_segments, 4000);
	CU_ASSERT_EQUAL(q->id, 7);
	CU_ASSERT_EQUAL(q->sector, 8);
	CU_ASSERT_EQUAL(q->handle, 9);
	for (uint32_t i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(q->indirect_gref[i], 100 + i);
}

static void test_decode_indirect(void)
{
	union blkif_sring_entry native;
	union {
		struct indirect_i386 i;
		struct rw_i386 slot;
	} i386;
	struct blkif_request_indirect ind;
	struct blkif_req q;

	memset(&native, 0, sizeof(native));
	memset(&i386, 0, sizeof(i386));
	FILL_INDIRECT(&ind);
	FILL_INDIRECT(&i386.i);
	memcpy(&native, &ind, sizeof(ind));
	blkif_decode(BLKIF_ABI_X86_64, &native, &q);
	expect_indirect(&q);
	memset(&q, 0x5a, sizeof(q));
	blkif_decode(BLKIF_ABI_X86_32, &i386, &q);
	expect_indirect(&q);
}

/* What the front end writes, the back end reads; the same for responses. */
static void test_round_trip(void)
{
	static const uint32_t orders[] = {1, 2, 4, 8, 16};

	for (int abi = 0; abi < BLKIF_ABIS; abi++)
		for (unsigned int o = 0; o < 5; o++) {
			uint32_t slot = blkif_slot_size((enum blkif_abi)abi),
				 n = orders[o];
			struct ring_front f;
			struct ring_back b;
			struct blkif_req in, out;
			struct blkif_rsp rsp;

			CU_ASSERT_TRUE_FATAL(ring_front_init(&f, pages, n, slot));
			CU_ASSERT_EQUAL(f.size, 32 * n); /* also what Linux computes */
			CU_ASSERT_TRUE_FATAL(ring_back_attach(&b, pages, n, slot));
			for (uint32_t i = 0; i < f.size; i++) {
				memset(&in, 0, sizeof(in));
				in.op = i % 3 == 1 ? BLKIF_OP_DISCARD : BLKIF_OP_READ;
				in.indirect = i % 3 == 2;
				in.nr_segments = i % 3 == 1 ? 0 : 1 + i % 11;
				in.id = i * 0x100000001ull;
				in.sector = ~in.id;
				in.handle = (uint16_t)i;
				for (uint32_t k = 0; k < 8; k++)
					in.indirect_gref[k] = i * 8 + k;
				blkif_encode((enum blkif_abi)abi, ring_front_produce(&f),
					     &in);
				ring_front_push(&f);
				memset(&out, 0, sizeof(out));
				blkif_fetch(&b, (enum blkif_abi)abi, b.req_cons, &out);
				ring_back_consume(&b, 1);
				if (out.op == BLKIF_OP_DISCARD)
					memcpy(out.seg, in.seg, sizeof(in.seg));
				if (!out.indirect && out.nr_segments == 1) {
					CU_ASSERT_EQUAL(out.seg[1].gref,
							0); /* not read */
					memcpy(&out.seg[1], &in.seg[1],
					       sizeof(in.seg) - sizeof(in.seg[0]));
				}
				CU_ASSERT_EQUAL_FATAL(memcmp(&in, &out, sizeof(in)), 0);
			}
			for (uint32_t i = 0; i < f.size; i++) {
				blkif_respond(&b, i * 0x100000001ull, BLKIF_OP_READ,
					      -(int16_t)(i % 3));
				ring_back_push(&b);
				CU_ASSERT_EQUAL_FATAL(ring_front_responses(&f), 1);
				blkif_fetch_response(&f, f.rsp_cons, &rsp);
				ring_front_consume(&f, 1);
				CU_ASSERT_EQUAL(rsp.id, i * 0x100000001ull);
				CU_ASSERT_EQUAL(rsp.op, BLKIF_OP_READ);
				CU_ASSERT_EQUAL(rsp.status, -(int16_t)(i % 3));
			}
		}
}

/* A response as the public header's struct reads it. */
static void test_response_layout(void)
{
	struct ring_front f;
	struct ring_back b;
	struct blkif_sring *s = (void *)pages;

	CU_ASSERT_TRUE_FATAL(
		ring_front_init(&f, pages, 1, blkif_slot_size(BLKIF_ABI_NATIVE)));
	CU_ASSERT_TRUE_FATAL(
		ring_back_attach(&b, pages, 1, blkif_slot_size(BLKIF_ABI_NATIVE)));
	ring_front_produce(&f);
	ring_front_push(&f);
	ring_back_consume(&b, 1);
	blkif_respond(&b, 0x1122334455667788, BLKIF_OP_FLUSH_DISKCACHE,
		      BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(s->ring[0].rsp.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(s->ring[0].rsp.operation, BLKIF_OP_FLUSH_DISKCACHE);
	CU_ASSERT_EQUAL(s->ring[0].rsp.status, BLKIF_RSP_EOPNOTSUPP);
}

static void test_abi_names(void)
{
	enum blkif_abi abi = BLKIF_ABIS;

	CU_ASSERT_TRUE(blkif_abi_parse(NULL, &abi));
	CU_ASSERT_EQUAL(abi, BLKIF_ABI_NATIVE);
	CU_ASSERT_TRUE(blkif_abi_parse("x86_32-abi", &abi));
	CU_ASSERT_EQUAL(abi, BLKIF_ABI_X86_32);
	CU_ASSERT_TRUE(blkif_abi_parse("x86_64-abi", &abi));
	CU_ASSERT_EQUAL(abi, BLKIF_ABI_X86_64);
	CU_ASSERT_FALSE(blkif_abi_parse("arm-abi", &abi));
	CU_ASSERT_FALSE(blkif_abi_parse("", &abi));
	CU_ASSERT_EQUAL(abi, BLKIF_ABI_X86_64);
}

static enum blkif_error check(uint8_t op, bool indirect, uint16_t segs, uint32_t max)
{
	struct blkif_req q = {.op = op, .indirect = indirect, .nr_segments = segs};

	return blkif_check(&q, max);
}

static void test_check(void)
{
	for (int op = 0; op < 256; op++) {
		bool known = op == BLKIF_OP_READ || op == BLKIF_OP_WRITE ||
			     op == BLKIF_OP_DISCARD || op == BLKIF_OP_WRITE_BARRIER ||
			     op == BLKIF_OP_FLUSH_DISKCACHE;

		CU_ASSERT_EQUAL(check((uint8_t)op, false, 1, 256),
				known ? BLKIF_OK : BLKIF_BAD_OP);
		CU_ASSERT_EQUAL(check((uint8_t)op, true, 1, 256),
				op < 2 ? BLKIF_OK : BLKIF_BAD_INDIRECT_OP);
		CU_ASSERT_EQUAL(check((uint8_t)op, true, 1, 0), BLKIF_BAD_OP);
	}
	CU_ASSERT_EQUAL(check(BLKIF_OP_READ, false, 0, 0), BLKIF_NO_SEGMENTS);
	CU_ASSERT_EQUAL(check(BLKIF_OP_WRITE, false, 0, 0), BLKIF_NO_SEGMENTS);
	CU_ASSERT_EQUAL(check(BLKIF_OP_WRITE_BARRIER, false, 0, 0), BLKIF_OK);
	CU_ASSERT_EQUAL(check(BLKIF_OP_FLUSH_DISKCACHE, false, 0, 0), BLKIF_OK);
	CU_ASSERT_EQUAL(check(BLKIF_OP_READ, false, 11, 0), BLKIF_OK);
	CU_ASSERT_EQUAL(check(BLKIF_OP_READ, false, 12, 0), BLKIF_MANY_SEGMENTS);
	CU_ASSERT_EQUAL(check(BLKIF_OP_READ, false, 255, 4096), BLKIF_MANY_SEGMENTS);
	CU_ASSERT_EQUAL(check(BLKIF_OP_READ, true, 0, 256), BLKIF_NO_SEGMENTS);
	CU_ASSERT_EQUAL(check(BLKIF_OP_WRITE, true, 256, 256), BLKIF_OK);
	CU_ASSERT_EQUAL(check(BLKIF_OP_WRITE, true, 257, 256), BLKIF_MANY_SEGMENTS);
	CU_ASSERT_EQUAL(check(BLKIF_OP_WRITE, true, 4096, UINT32_MAX), BLKIF_OK);
	CU_ASSERT_EQUAL(check(BLKIF_OP_WRITE, true, 4097, UINT32_MAX),
			BLKIF_MANY_SEGMENTS);
	CU_ASSERT_EQUAL(blkif_indirect_pages(0), 0);
	CU_ASSERT_EQUAL(blkif_indirect_pages(1), 1);
	CU_ASSERT_EQUAL(blkif_indirect_pages(512), 1);
	CU_ASSERT_EQUAL(blkif_indirect_pages(513), 2);
	CU_ASSERT_EQUAL(blkif_indirect_pages(4096), 8);
	CU_ASSERT_EQUAL(blkif_error_status(BLKIF_BAD_OP), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(blkif_error_status(BLKIF_BAD_RANGE), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(blkif_error_status(BLKIF_OK), BLKIF_RSP_OKAY);
	for (int e = 0; e < BLKIF_ERRORS; e++)
		CU_ASSERT_PTR_NOT_NULL(blkif_error_text((enum blkif_error)e));
}

/* All 65536 pairs of first and last, in both units. */
static void test_segments(void)
{
	static const uint32_t units[] = {512, 4096};

	for (int u = 0; u < 2; u++)
		for (unsigned int first = 0; first < 256; first++)
			for (unsigned int last = 0; last < 256; last++) {
				struct blkif_request_segment s = {5, (uint8_t)first,
								  (uint8_t)last};
				struct blkif_piece p = {0, 0, 0};
				uint64_t total = 1;
				enum blkif_error e =
					blkif_check_segments(&s, 1, units[u], &p, &total);

				if (first > last) {
					CU_ASSERT_EQUAL_FATAL(e, BLKIF_BAD_SEGMENT);
				} else if (last >= 4096 / units[u]) {
					CU_ASSERT_EQUAL_FATAL(e, BLKIF_BEYOND_PAGE);
				} else {
					CU_ASSERT_EQUAL_FATAL(e, BLKIF_OK);
					CU_ASSERT_EQUAL(p.gref, 5);
					CU_ASSERT_EQUAL(p.offset, first * units[u]);
					CU_ASSERT_EQUAL(p.length,
							(last - first + 1) * units[u]);
					CU_ASSERT_EQUAL(total, 1u + p.length);
				}
			}
}

static void test_range(void)
{
	const uint64_t T = 1ull << 40, dev = 3 * T + 4096;
	uint64_t off;

	CU_ASSERT_EQUAL(blkif_check_range(0, 4096, 512, 512, dev, &off), BLKIF_OK);
	CU_ASSERT_EQUAL(blkif_check_range(dev / 512, 0, 512, 512, dev, &off), BLKIF_OK);
	CU_ASSERT_EQUAL(blkif_check_range(dev / 512 - 1, 512, 512, 512, dev, &off),
			BLKIF_OK);
	CU_ASSERT_EQUAL(off, dev - 512); /* beyond 2 TiB */
	CU_ASSERT_EQUAL(blkif_check_range(dev / 512 - 1, 1024, 512, 512, dev, &off),
			BLKIF_BAD_RANGE);
	CU_ASSERT_EQUAL(blkif_check_range(dev / 512 + 1, 0, 512, 512, dev, &off),
			BLKIF_BAD_RANGE);
	CU_ASSERT_EQUAL(blkif_check_range(UINT64_MAX, 512, 512, 512, dev, &off),
			BLKIF_BAD_RANGE);
	/* sector * 512 that wraps to something small */
	CU_ASSERT_EQUAL(blkif_check_range(1ull << 55, 512, 512, 512, dev, &off),
			BLKIF_BAD_RANGE);
	CU_ASSERT_EQUAL(blkif_check_range(0, UINT64_MAX, 512, 512, dev, &off),
			BLKIF_BAD_RANGE);
	CU_ASSERT_EQUAL(blkif_check_range(1, 512, 4096, 4096, dev, &off),
			BLKIF_UNALIGNED);
	CU_ASSERT_EQUAL(blkif_check_range(1, 4096, 512, 4096, dev, &off),
			BLKIF_UNALIGNED);
	CU_ASSERT_EQUAL(blkif_check_range(1, 4096, 4096, 4096, dev, &off), BLKIF_OK);
	CU_ASSERT_EQUAL(off, 4096);
}

static void test_discard(void)
{
	struct blkif_req q = {.op = BLKIF_OP_DISCARD, .sector = 8, .nr_sectors = 8};
	uint64_t off, len;

	CU_ASSERT_EQUAL(blkif_check_discard(&q, 512, 512, 8192, &off, &len), BLKIF_OK);
	CU_ASSERT_EQUAL(off, 4096);
	CU_ASSERT_EQUAL(len, 4096);
	q.nr_sectors = 9;
	CU_ASSERT_EQUAL(blkif_check_discard(&q, 512, 512, 8192, &off, &len),
			BLKIF_BAD_RANGE);
	q.nr_sectors = 1ull << 55; /* times 512 is 0 */
	CU_ASSERT_EQUAL(blkif_check_discard(&q, 512, 512, 8192, &off, &len),
			BLKIF_BAD_RANGE);
	q.nr_sectors = UINT64_MAX;
	CU_ASSERT_EQUAL(blkif_check_discard(&q, 512, 512, 8192, &off, &len),
			BLKIF_BAD_RANGE);
	q.sector = UINT64_MAX;
	q.nr_sectors = 1;
	CU_ASSERT_EQUAL(blkif_check_discard(&q, 512, 512, 8192, &off, &len),
			BLKIF_BAD_RANGE);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"read and write in each layout", test_decode_rw},
		{"discard in each layout", test_decode_discard},
		{"indirect in each layout", test_decode_indirect},
		{"round trip, 1 to 16 pages", test_round_trip},
		{"response layout", test_response_layout},
		{"protocol names", test_abi_names},
		{"operations and counts", test_check},
		{"segments", test_segments},
		{"range", test_range},
		{"discard range", test_discard},
		CU_TEST_INFO_NULL,
	};

	return suite_main("ring, blkif", tests);
}
