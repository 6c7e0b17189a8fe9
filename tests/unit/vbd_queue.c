/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue does what io/blkif.h says, over the loopback: each layout, feature and
 * way of moving data, against a model of the disk in memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/vbd_main.h"
#include "tests/unit/vbd_rig.h"
#include "tests/unit/xorshift.h"

#define SIZE     (1u << 20)
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int image(uint64_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0 && !ftruncate(fd, (off_t)size));
	return fd;
}

static uint64_t seed;
static uint64_t below(uint64_t n)
{
	return xorshift(&seed) % n;
}

static void fill(char *p, size_t n)
{
	for (size_t i = 0; i + 8 <= n; i += 8) {
		uint64_t v = below(~0ull);

		memcpy(p + i, &v, 8);
	}
}

/* ---- random requests against a model ---- */

/* A request of random pieces; their places in the guest in order. */
struct shape {
	struct blkif_req req;
	uint32_t n, bytes;
	char *at[VBD_MAX_SEGMENTS];
	uint32_t len[VBD_MAX_SEGMENTS];
};

/* Data frames 0..899; indirect pages from 900 on. */
static void random_shape(struct rig *r, struct shape *s, uint8_t op, uint64_t id)
{
	uint32_t unit = r->disk.sector_unit, per_page = 4096 / unit;
	uint32_t grain = r->disk.sector_size / unit, max = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	struct blkif_request_segment *seg = s->req.seg;
	uint64_t units = r->disk.size / unit;

	memset(s, 0, sizeof(*s));
	s->req.op = op;
	s->req.id = id;
	if (r->disk.max_segments && below(3) == 0) {
		uint32_t page = 900 + (uint32_t)below(300);

		s->req.indirect = true;
		s->req.indirect_gref[0] = r->ref[page];
		seg = (void *)rig_page(r, page);
		max = r->disk.max_segments;
	}
	s->n = 1 + (uint32_t)below(max);
	for (uint32_t i = 0; i < s->n; i++) {
		uint32_t frame = (uint32_t)below(900), first = 0, last = per_page - 1;

		if (below(2)) {
			first = (uint32_t)below(per_page / grain) * grain;
			last = first +
			       (1 + (uint32_t)below((per_page - first) / grain)) * grain -
			       1;
		}
		seg[i] = (struct blkif_request_segment){r->ref[frame], (uint8_t)first,
							(uint8_t)last};
		s->at[i] = rig_page(r, frame) + first * unit;
		s->len[i] = (last - first + 1) * unit;
		s->bytes += s->len[i];
	}
	s->req.nr_segments = (uint16_t)s->n;
	s->req.sector = below((units - s->bytes / unit) / grain + 1) * grain;
}

static void model_write(const struct rig *r, const struct shape *s, char *disk)
{
	char *to = disk + s->req.sector * r->disk.sector_unit;

	for (uint32_t i = 0; i < s->n; to += s->len[i++])
		memcpy(to, s->at[i], s->len[i]);
}

/* Pieces may name the same page twice: what is read last must be there. */
static bool model_check(const struct rig *r, const struct shape *s, const char *disk)
{
	const char *from = disk + s->req.sector * r->disk.sector_unit;
	static char want[900 * 4096], mask[900 * 4096];
	const char *base = s->at[0];
	bool ok = true;

	for (uint32_t i = 0; i < s->n; i++)
		if (s->at[i] < base)
			base = s->at[i];
	memset(mask, 0, sizeof(mask));
	for (uint32_t i = 0; i < s->n; from += s->len[i++]) {
		memcpy(want + (s->at[i] - base), from, s->len[i]);
		memset(mask + (s->at[i] - base), 1, s->len[i]);
	}
	for (uint32_t i = 0; ok && i < s->n; i++)
		for (uint32_t k = 0; ok && k < s->len[i]; k++)
			ok = s->at[i][k] == want[s->at[i] - base + k];
	return ok;
}

/* Whether a piece shares memory with another: then no order is promised. */
static bool overlaps(const struct shape *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (s->at[i] < s->at[j] + s->len[j] &&
			    s->at[j] < s->at[i] + s->len[i])
				return true;
	return false;
}

static void verify_run(struct rig_options o, unsigned int requests)
{
	char *disk = calloc(1, SIZE);
	static struct shape s;
	static struct rig r;
	bool ok = true;

	o.fd = image(SIZE);
	o.size = SIZE;
	o.check_io = true;
	CU_ASSERT_FATAL(disk && rig_open(&r, &o));
	for (unsigned int i = 0; ok && i < requests; i++) {
		bool write = below(2);

		do
			random_shape(&r, &s, write ? BLKIF_OP_WRITE : BLKIF_OP_READ, i);
		while (overlaps(&s));
		if (write) {
			for (uint32_t k = 0; k < s.n; k++)
				fill(s.at[k], s.len[k]);
			model_write(&r, &s, disk);
		}
		ok = rig_do(&r, &s.req) == BLKIF_RSP_OKAY &&
		     (write || model_check(&r, &s, disk));
	}
	CU_ASSERT(ok);
	CU_ASSERT_EQUAL(r.misaligned, 0);
	if (!ok)
		fprintf(stderr,
			"abi %u order %u persistent %u direct %u max %u unit %u align "
			"%u\n",
			o.abi, o.ring_order, o.persistent, o.direct_min, o.max_segments,
			o.sector_unit, o.offset_align);
	CU_ASSERT(rig_close(&r));
	if (o.engine_open != engine_null_open) {
		char *now = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, o.fd, 0);

		CU_ASSERT(!memcmp(now, disk, SIZE));
		munmap(now, SIZE);
	}
	close(o.fd);
	free(disk);
}

static void test_matrix(void)
{
	static struct engine *(*const engines[])(const struct engine_setup *) = {
		engine_uring_open, engine_aio_open};
	static const uint32_t directs[] = {0, 1, 16384}, segments[] = {0, 32, 256};

	for (unsigned int i = 0; i < 3 * 2 * 2 * 3 * 3; i++) {
		struct rig_options o = {
			.abi = i % 3,
			.persistent = i / 3 % 2,
			.ring_order = i / 6 % 2 ? 4 : 0,
			.direct_min = directs[i / 12 % 3],
			.max_segments = segments[i / 36 % 3],
			.engine_open = engines[i % 2],
			.max_persistent = i % 5 ? 0 : 40, /* far fewer than are used */
		};

		seed = 0x1234567 + i;
		verify_run(o, 40);
	}
}

static void test_sector_units(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct rig_options o = {
			.sector_size = 4096,
			.sector_unit = i & 1 ? 4096 : 512,
			.offset_align = 4096,
			.memory_align = 4096,
			.persistent = i & 2,
			.direct_min = i & 4 ? 1 : 0,
			.max_segments = 32,
			.engine_open = engine_uring_open,
		};

		seed = 77 + i;
		verify_run(o, 60);
	}
}

/* 512-byte sectors on an image of 4096-byte blocks. */
static void test_rmw(void)
{
	for (unsigned int i = 0; i < 12; i++) {
		struct rig_options o = {
			.offset_align = i % 3 ? 4096 : 1024,
			.memory_align = i & 1 ? 4096 : 512,
			.persistent = i & 2,
			.direct_min = i & 4 ? 1 : 0,
			.max_segments = 64,
			.engine_open = i & 1 ? engine_uring_open : engine_aio_open,
		};

		seed = 99 + i;
		verify_run(o, 60);
	}
}

/* All eight sectors of a block at once, each by its own read-modify-write. */
static void test_rmw_same_block(void)
{
	struct rig_options o = {.offset_align = 4096,
				.fd = image(SIZE),
				.size = SIZE,
				.engine_open = engine_uring_open};
	char want[4096], got[4096];
	struct blkif_req req;
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	for (int round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 8; i++) {
			fill(rig_page(&r, i), 512);
			memcpy(want + 512 * i, rig_page(&r, i), 512);
			rig_request(&r, &req, BLKIF_OP_WRITE, i, 16 + i, i, 1);
			req.seg[0].last_sect = 0;
			rig_put(&r, &req);
		}
		rig_push(&r);
		for (uint32_t i = 0; i < 8; i++)
			CU_ASSERT_EQUAL(rig_wait(&r, i), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(pread(o.fd, got, 4096, 8192), 4096);
		CU_ASSERT(!memcmp(want, got, 4096));
	}
	CU_ASSERT(rig_close(&r));
	close(o.fd);
}

/* ---- operations and answers ---- */

static int16_t do_op(struct rig *r, uint8_t op, uint64_t sector, uint32_t frames)
{
	struct blkif_req req;

	rig_request(r, &req, op, 1, sector, 0, frames);
	return rig_do(r, &req);
}

static int16_t do_discard(struct rig *r, uint64_t sector, uint64_t n, uint8_t flag)
{
	struct blkif_req req = {.op = BLKIF_OP_DISCARD,
				.id = 5,
				.sector = sector,
				.nr_sectors = n,
				.discard_flag = flag};

	return rig_do(r, &req);
}

static void test_not_offered(void)
{
	struct rig_options o = {.size = SIZE};
	struct blkif_req req;
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_FLUSH_DISKCACHE, 0, 0), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE_BARRIER, 0, 1), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(do_discard(&r, 0, 8, 0), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_RESERVED_1, 0, 1), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(do_op(&r, 200, 0, 1), BLKIF_RSP_EOPNOTSUPP);
	rig_request(&r, &req, BLKIF_OP_READ, 1, 0, 0, 1);
	req.indirect = true;
	req.indirect_gref[0] = r.ref[1];
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_EOPNOTSUPP);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(rig_metric(&r, METRIC_ERRORS), 6);
	CU_ASSERT(rig_close(&r));
}

static void test_readonly(void)
{
	struct rig_options o = {.size = SIZE,
				.flags = VBD_READONLY | VBD_FLUSH | VBD_BARRIER |
					 VBD_DISCARD};
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE, 0, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE_BARRIER, 0, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(do_discard(&r, 0, 8, 0), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_FLUSH_DISKCACHE, 0, 0), BLKIF_RSP_OKAY);
	/* with data it is a write */
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_FLUSH_DISKCACHE, 0, 1), BLKIF_RSP_ERROR);
	CU_ASSERT(rig_close(&r));
}

static void test_flush_barrier(struct engine *(*engine)(const struct engine_setup *))
{
	struct rig_options o = {.fd = image(SIZE),
				.size = SIZE,
				.engine_open = engine,
				.flags = VBD_FLUSH | VBD_BARRIER};
	static struct rig r;
	char got[4096];

	CU_ASSERT_FATAL(rig_open(&r, &o));
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_FLUSH_DISKCACHE, 0, 0), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE_BARRIER, 0, 0), BLKIF_RSP_OKAY);
	memset(rig_page(&r, 0), 0x5a, 4096);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE_BARRIER, 8, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(pread(o.fd, got, 4096, 4096), 4096);
	CU_ASSERT(!memcmp(got, rig_page(&r, 0), 4096));
	memset(rig_page(&r, 0), 0x3c, 4096);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_FLUSH_DISKCACHE, 8, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(pread(o.fd, got, 4096, 4096), 4096);
	CU_ASSERT(!memcmp(got, rig_page(&r, 0), 4096));
	CU_ASSERT(rig_metric(&r, METRIC_FLUSHES) == 2);
	CU_ASSERT(rig_close(&r));
	close(o.fd);
}

static void test_flush_barrier_uring(void)
{
	test_flush_barrier(engine_uring_open);
}

static void test_flush_barrier_aio(void)
{
	test_flush_barrier(engine_aio_open);
}

static void test_discard(void)
{
	struct rig_options o = {.fd = image(SIZE),
				.size = SIZE,
				.offset_align = 4096,
				.flags = VBD_DISCARD};
	static char got[SIZE];
	static struct rig r;

	for (int e = 0; e < 2; e++) {
		o.engine_open = e ? engine_aio_open : engine_uring_open;
		memset(got, 0x77, SIZE);
		CU_ASSERT_EQUAL_FATAL(pwrite(o.fd, got, SIZE, 0), SIZE);
		CU_ASSERT_FATAL(rig_open(&r, &o));
		/* sectors 12 to 35: the whole blocks in it are 16 to 31 */
		CU_ASSERT_EQUAL(do_discard(&r, 12, 24, 0), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(pread(o.fd, got, SIZE, 0), SIZE);
		CU_ASSERT(got[16 * 512 - 1] == 0x77 && got[32 * 512] == 0x77);
		CU_ASSERT(!got[16 * 512] && !got[32 * 512 - 1]);
		CU_ASSERT_EQUAL(do_discard(&r, 1, 3, 0),
				BLKIF_RSP_OKAY); /* no whole block */
		CU_ASSERT_EQUAL(do_discard(&r, 0, 0, 0), BLKIF_RSP_OKAY);
		/* secure is ignored where it was not offered */
		CU_ASSERT_EQUAL(do_discard(&r, 64, 8, BLKIF_DISCARD_SECURE),
				BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(do_discard(&r, 0, SIZE / 512 + 1, 0), BLKIF_RSP_ERROR);
		CU_ASSERT_EQUAL(do_discard(&r, 8, ~0ull, 0), BLKIF_RSP_ERROR);
		CU_ASSERT_EQUAL(do_discard(&r, ~0ull, 8, 0), BLKIF_RSP_ERROR);
		CU_ASSERT_EQUAL(do_discard(&r, 8, (~0ull / 512) + 1, 0), BLKIF_RSP_ERROR);
		CU_ASSERT(rig_close(&r));
	}
	close(o.fd);
}

static void test_secure_discard(void)
{
	struct rig_options o = {.fd = image(SIZE),
				.size = SIZE,
				.offset_align = 4096,
				.flags = VBD_DISCARD | VBD_SECURE};
	static struct rig r;

	for (int e = 0; e < 2; e++) {
		o.engine_open = e ? engine_aio_open : engine_uring_open;
		CU_ASSERT_FATAL(rig_open(&r, &o));
		/* a file cannot: the guest must not believe that it did */
		CU_ASSERT_EQUAL(do_discard(&r, 8, 8, BLKIF_DISCARD_SECURE),
				BLKIF_RSP_EOPNOTSUPP);
		CU_ASSERT_EQUAL(do_discard(&r, 9, 8, BLKIF_DISCARD_SECURE),
				BLKIF_RSP_ERROR);
		CU_ASSERT_EQUAL(do_discard(&r, 8, 8, 0), BLKIF_RSP_OKAY);
		CU_ASSERT(rig_close(&r));
	}
	close(o.fd);
}

static void test_beyond_2tib(void)
{
	uint64_t size = 3ull << 40, sector = (5ull << 39) / 512;
	struct rig_options o = {
		.fd = image(size), .size = size, .engine_open = engine_uring_open};
	static struct rig r;
	char got[4096];

	CU_ASSERT_FATAL(rig_open(&r, &o));
	memset(rig_page(&r, 0), 0x42, 4096);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE, sector, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(pread(o.fd, got, 4096, (off_t)(sector * 512)), 4096);
	CU_ASSERT(!memcmp(got, rig_page(&r, 0), 4096));
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, size / 512 - 8, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, size / 512 - 7, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, size / 512, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, ~0ull, 1), BLKIF_RSP_ERROR);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, (~0ull >> 9) - 7, 1), BLKIF_RSP_ERROR);
	CU_ASSERT(rig_close(&r));
	close(o.fd);
}

static void test_resize(void)
{
	struct rig_options o = {.size = SIZE};
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, SIZE / 512, 1), BLKIF_RSP_ERROR);
	atomic_store(&r.disk.size, 2 * SIZE);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, SIZE / 512, 1), BLKIF_RSP_OKAY);
	atomic_store(&r.disk.size, SIZE / 2);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, SIZE / 512 - 8, 1), BLKIF_RSP_ERROR);
	CU_ASSERT(rig_close(&r));
}

static void test_io_error(void)
{
	struct rig_options o = {.fd = image(SIZE / 2), .size = SIZE};
	char name[64];
	static struct rig r;
	int ro;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", o.fd);
	ro = open(name, O_RDONLY | O_CLOEXEC);
	for (int e = 0; e < 2; e++) {
		o.engine_open = e ? engine_aio_open : engine_uring_open;
		CU_ASSERT_FATAL(rig_open(&r, &o));
		/* the image ends before the disk does; half of this one is there */
		CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, SIZE / 1024, 1),
				BLKIF_RSP_ERROR);
		CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, SIZE / 1024 - 8, 2),
				BLKIF_RSP_ERROR);
		CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, 0, 2), BLKIF_RSP_OKAY);
		CU_ASSERT(rig_close(&r));
		o.fd = ro;
		CU_ASSERT_FATAL(rig_open(&r, &o));
		CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE, 0, 1), BLKIF_RSP_ERROR);
		CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_READ, 0, 1), BLKIF_RSP_OKAY);
		CU_ASSERT(rig_close(&r));
	}
	close(ro);
}

/* ---- ring ---- */

static void test_wrap(void)
{
	for (unsigned int i = 0; i < 6; i++) {
		struct rig_options o = {.abi = i % 3,
					.ring_order = i / 3 * 4,
					.first_index = 0xfffffff0u,
					.engine_open = engine_uring_open};

		seed = 5 + i;
		verify_run(o, 64);
	}
}

/* A full ring in one batch; one event for all responses. */
static void test_batch(void)
{
	struct rig_options o = {.size = SIZE};
	struct loopback_audit a;
	struct blkif_req req;
	static struct rig r;

	for (o.ring_order = 0; o.ring_order <= 4; o.ring_order++) {
		CU_ASSERT_FATAL(rig_open(&r, &o));
		for (uint32_t i = 0; i < 32u << o.ring_order; i++) {
			rig_request(&r, &req, BLKIF_OP_READ, i, 0, i, 1);
			rig_put(&r, &req);
		}
		CU_ASSERT_EQUAL(ring_front_free(&r.ring), 0);
		rig_push(&r);
		rig_settle(&r);
		rig_poll(&r);
		CU_ASSERT_EQUAL(r.nr_rsp, 32u << o.ring_order);
		loopback_audit(r.lb, &a);
		CU_ASSERT_EQUAL(a.notify_front, 1);
		CU_ASSERT_EQUAL(rig_metric(&r, METRIC_EVENTS_OUT), 1);
		CU_ASSERT_EQUAL(rig_metric(&r, METRIC_BATCHES), 1);
		CU_ASSERT_EQUAL(rig_metric(&r, METRIC_RX_OPS), 32u << o.ring_order);
		CU_ASSERT_EQUAL(rig_metric(&r, METRIC_RX_BYTES),
				4096ull * (32u << o.ring_order));
		CU_ASSERT(rig_close(&r));
	}
}

/* One grant copy call for a batch, when grants are not persistent. */
static void test_copy_batch(void)
{
	struct rig_options o = {.size = SIZE};
	struct blkif_req req;
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	for (uint32_t i = 0; i < 16; i++) {
		rig_request(&r, &req, i & 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, 0, 2 * i,
			    2);
		rig_put(&r, &req);
	}
	rig_push(&r);
	rig_settle(&r);
	rig_poll(&r);
	CU_ASSERT_EQUAL(r.nr_rsp, 16);
	CU_ASSERT_EQUAL(rig_metric(&r, METRIC_GRANT_COPIES), 32);
	CU_ASSERT(loopback_calls(r.lb, LOOPBACK_COPY) <= 2); /* writes in, reads out */
	CU_ASSERT(rig_close(&r));
}

static void test_persistent_bound(void)
{
	struct rig_options o = {.size = SIZE, .persistent = true, .max_persistent = 20};
	struct loopback_audit a;
	struct blkif_req req;
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	for (uint32_t i = 0; i < 64; i++) {
		rig_request(&r, &req, BLKIF_OP_READ, i, 0, 3 * i, 3);
		CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
		loopback_audit(r.lb, &a);
		CU_ASSERT(a.mapped_pages <= 20 + 1);
	}
	/* those of a request come and go together */
	CU_ASSERT_EQUAL(rig_metric(&r, METRIC_PERSISTENT), 18);
	/* more at once than may be mapped: the rest is copied */
	for (uint32_t i = 0; i < 32; i++) {
		rig_request(&r, &req, BLKIF_OP_READ, i, 0, 11 * i, 11);
		rig_put(&r, &req);
	}
	rig_push(&r);
	for (uint32_t i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(rig_wait(&r, i), BLKIF_RSP_OKAY);
	CU_ASSERT(rig_close(&r));
}

/* What a successor would need is in the table while a request is in flight. */
static void test_inflight_table(void)
{
	struct volatile_disk *d = volatile_disk_new(SIZE, 1);
	struct rig_options o = {.size = SIZE,
				.engine_open = engine_volatile_open,
				.disk = d,
				.first_index = 100};
	struct vbd_state_ring *ring;
	struct vbd_inflight *rec;
	struct blkif_req req;
	unsigned int busy = 0;
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	ring = vbd_state_ring(r.state);
	rec = vbd_state_inflight(r.state);
	CU_ASSERT(ring->nr_slots == 32 && ring->req_cons == 100 &&
		  ring->rsp_prod_pvt == 100);
	for (uint32_t i = 0; i < 20; i++) {
		rig_request(&r, &req, BLKIF_OP_READ, 1000 + i, 8 * i, i, 1);
		rig_put(&r, &req);
	}
	rig_push(&r);
	vbd_queue_step(r.queue, false);
	rig_poll(&r);
	CU_ASSERT_EQUAL(ring->req_cons, 120);
	CU_ASSERT_EQUAL(ring->rsp_prod_pvt, 100 + r.nr_rsp);
	for (uint32_t i = 0; i < 32; i++) {
		if (!rec[i].busy)
			continue;
		busy++;
		CU_ASSERT(rec[i].sequence >= 100 && rec[i].sequence < 120);
		CU_ASSERT_EQUAL(rec[i].req.id, 1000 + rec[i].sequence - 100);
		CU_ASSERT_EQUAL(rec[i].req.sector, 8 * (rec[i].sequence - 100));
	}
	CU_ASSERT_EQUAL(busy, 20 - r.nr_rsp);
	CU_ASSERT(busy);
	for (uint32_t i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(rig_wait(&r, 1000 + i), BLKIF_RSP_OKAY);
	for (uint32_t i = 0; i < 32; i++)
		CU_ASSERT(!rec[i].busy);
	CU_ASSERT(rig_close(&r));
	volatile_disk_free(d);
}

/* ---- limits ---- */

static void test_limits(void)
{
	struct limit_rate rate = {.ops_per_s = 2000, .ops_burst = 1};
	struct rig_options o = {.size = SIZE};
	struct blkif_req req;
	static struct rig r;

	for (int dir = 0; dir < 2; dir++) {
		CU_ASSERT_FATAL(rig_open(&r, &o));
		limit_set(&r.limit[dir], &rate);
		for (uint32_t i = 0; i < 16; i++) {
			rig_request(&r, &req, dir ? BLKIF_OP_WRITE : BLKIF_OP_READ, i, 0,
				    i, 1);
			rig_put(&r, &req);
		}
		rig_push(&r);
		rig_settle(&r);
		rig_poll(&r);
		CU_ASSERT(r.nr_rsp < 16);
		/* they come in the order in which they were asked */
		while (r.nr_rsp < 16) {
			vbd_queue_step(r.queue, true);
			rig_poll(&r);
		}
		for (uint32_t i = 0; i < 16; i++)
			CU_ASSERT_EQUAL(r.rsp[i].id, i);
		CU_ASSERT(rig_metric(&r, METRIC_THROTTLED) > 0);
		CU_ASSERT(rig_close(&r));
	}
}

/* Limited to nearly nothing, then set free: the queue takes it up, and closes when held.
 */
static void test_limits_live(void)
{
	struct limit_rate slow = {.bytes_per_s = 1, .bytes_burst = 4096}, none = {0};
	struct rig_options o = {.size = SIZE};
	struct blkif_req req;
	static struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	limit_set(&r.limit[0], &slow);
	for (uint32_t i = 0; i < 4; i++) {
		rig_request(&r, &req, BLKIF_OP_READ, i, 0, i, 1);
		rig_put(&r, &req);
	}
	rig_push(&r);
	rig_settle(&r);
	rig_poll(&r);
	CU_ASSERT_EQUAL(r.nr_rsp, 1);
	limit_set(&r.limit[0], &none);
	rig_settle(&r);
	rig_poll(&r);
	CU_ASSERT_EQUAL(r.nr_rsp, 4);
	limit_set(&r.limit[0], &slow);
	CU_ASSERT_EQUAL(do_op(&r, BLKIF_OP_WRITE, 0, 1), BLKIF_RSP_OKAY);
	rig_request(&r, &req, BLKIF_OP_READ, 9, 0, 0, 11);
	rig_put(&r, &req);
	rig_put(&r, &req);
	rig_push(&r);
	rig_settle(&r);
	CU_ASSERT(rig_close(&r)); /* with one held back */
}

/* ---- read-modify-write of two queues ---- */

static void test_ranges(void)
{
	struct vbd_range a = {.start = 0, .end = 4096, .exclusive = true}, b = a, c = a;
	struct vbd_ranges rs;

	ranges_init(&rs);
	CU_ASSERT(ranges_take(&rs, &a, 0));
	CU_ASSERT(!ranges_take(&rs, &b, 1));
	b.exclusive = false;
	CU_ASSERT(!ranges_take(&rs, &b, 1));
	b.start = 4096;
	b.end = 8192;
	CU_ASSERT(ranges_take(&rs, &b, 1));
	c.exclusive = false;
	c.start = 4096;
	c.end = 12288;
	CU_ASSERT(ranges_take(&rs, &c, 2)); /* two whole writes may overlap */
	ranges_put(&rs, &a, 0);
	ranges_put(&rs, &b, 1);
	ranges_put(&rs, &c, 2);
	ranges_end(&rs);
}

static const CU_TestInfo tests[] = {
	{"random requests: layouts, rings, grants, direct, indirect", test_matrix},
	{"4096-byte sectors, in units of either kind", test_sector_units},
	{"read-modify-write", test_rmw},
	{"read-modify-write of one block, all at once", test_rmw_same_block},
	{"what was not offered is answered so", test_not_offered},
	{"a read-only disk", test_readonly},
	{"flush and barrier, io_uring", test_flush_barrier_uring},
	{"flush and barrier, libaio", test_flush_barrier_aio},
	{"discard", test_discard},
	{"secure discard", test_secure_discard},
	{"beyond 2 TiB, and beyond the end", test_beyond_2tib},
	{"a disk changes its size", test_resize},
	{"I/O errors", test_io_error},
	{"indices wrap", test_wrap},
	{"a full ring is one batch and one event", test_batch},
	{"a batch is one grant copy call", test_copy_batch},
	{"persistent grants stay within their bound", test_persistent_bound},
	{"the table of requests in flight", test_inflight_table},
	{"limits hold back in order", test_limits},
	{"limits change live", test_limits_live},
	{"ranges", test_ranges},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("vbd_queue", tests)
