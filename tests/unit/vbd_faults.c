/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault sweeps: one scenario (connect, requests of every kind, close), run again
 * with its 1st, 2nd, 3rd ... map, unmap, copy, copied segment, bind, notify, I/O,
 * system call of the engine's set-up and allocation made to fail. Whatever fails,
 * each request is answered, the queue closes, and nothing stays held. Sweeps are
 * as long as a run without faults makes calls.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/vbd_main.h"
#include "tests/unit/vbd_rig.h"

#define SIZE (1u << 20)

/* ---- allocations: linked with --wrap ---- */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t m);
void *__real_aligned_alloc(size_t a, size_t n);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t m);
void *__wrap_aligned_alloc(size_t a, size_t n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off);

static unsigned int allocations, allocation_fails_at;
static bool counting;

static bool refuse_allocation(void)
{
	return counting && ++allocations == allocation_fails_at;
}

void *__wrap_malloc(size_t n)
{
	return refuse_allocation() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t m)
{
	return refuse_allocation() ? NULL : __real_calloc(n, m);
}

void *__wrap_aligned_alloc(size_t a, size_t n)
{
	return refuse_allocation() ? NULL : __real_aligned_alloc(a, n);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t off)
{
	if (refuse_allocation()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap(at, n, prot, flags, fd, off);
}

/* ---- an engine whose nth I/O fails ---- */

static unsigned int ios, io_fails_at;
static int io_error;
static const struct engine_ops *inner;
static struct engine_ops faulty_ops;
static struct engine *(*inner_open)(const struct engine_setup *s);

static struct engine_io *faulty_reap(struct engine *e)
{
	struct engine_io *list = inner->reap(e);

	for (struct engine_io *io = list; io; io = io->next)
		if (++ios == io_fails_at)
			io->result = io_error;
	return list;
}

static struct engine *faulty_open(const struct engine_setup *s)
{
	struct engine *e = inner_open(s);

	if (e) {
		inner = e->ops;
		faulty_ops = *inner;
		faulty_ops.reap = faulty_reap;
		e->ops = &faulty_ops;
	}
	return e;
}

/* ---- the scenario ---- */

struct outcome {
	bool opened, clean;
	unsigned int unanswered, wrong, errors, broken;
	uint64_t calls[LOOPBACK_FAULTS];
};

/* What runs with the fault armed; @arm is called between making the guest and connecting.
 */
struct fault {
	int what; /* enum loopback_fault, or one of these */
#define FAULT_NONE  -1
#define FAULT_IO    -2
#define FAULT_ALLOC -3
	uint64_t nth;
	int err;
};

static struct rig r;

static void count(struct outcome *out, int16_t status)
{
	if (status == INT16_MIN)
		out->unanswered++;
	else if (status == BLKIF_RSP_ERROR || status == BLKIF_RSP_EOPNOTSUPP)
		out->errors++;
	else if (status != BLKIF_RSP_OKAY)
		out->wrong++;
}

static void put(uint8_t op, uint64_t id, uint64_t sector, uint32_t frame, uint32_t frames)
{
	struct blkif_req req;

	rig_request(&r, &req, op, id, sector, frame, frames);
	rig_put(&r, &req);
}

static void put_indirect(uint8_t op, uint64_t id, uint32_t page)
{
	struct blkif_request_segment *seg = (void *)rig_page(&r, page);
	struct blkif_req req;

	for (uint32_t i = 0; i < 20; i++)
		seg[i] = (struct blkif_request_segment){r.ref[i + 20], 0, 7};
	rig_request(&r, &req, op, id, 64, 0, 0);
	req.indirect = true;
	req.nr_segments = 20;
	req.indirect_gref[0] = r.ref[page];
	rig_put(&r, &req);
}

static void exchange(struct outcome *out)
{
	struct blkif_req discard = {
		.op = BLKIF_OP_DISCARD, .id = 9, .sector = 512, .nr_sectors = 64};

	put(BLKIF_OP_WRITE, 0, 0, 0, 3);
	put(BLKIF_OP_READ, 1, 0, 3, 11);
	put(BLKIF_OP_WRITE, 2, 33, 14, 1); /* not on a block: read-modify-write */
	put(BLKIF_OP_READ, 3, 3, 15, 2);
	put_indirect(BLKIF_OP_WRITE, 4, 60);
	put_indirect(BLKIF_OP_READ, 5, 61);
	put(BLKIF_OP_FLUSH_DISKCACHE, 6, 0, 0, 0);
	put(BLKIF_OP_WRITE_BARRIER, 7, 80, 17, 2);
	put(BLKIF_OP_WRITE, 8, 96, 19, 1);
	rig_put(&r, &discard);
	rig_push(&r);
	for (uint64_t id = 0; id < 10; id++)
		count(out, rig_wait(&r, id));
}

static struct outcome scenario(const struct rig_options *o, const struct fault *f)
{
	struct outcome out = {0};
	uint64_t before[LOOPBACK_FAULTS];

	rig_prepare(&r, o);
	for (int k = 0; k < LOOPBACK_FAULTS; k++)
		before[k] = loopback_calls(r.lb, (enum loopback_fault)k);
	ios = allocations = io_fails_at = allocation_fails_at = 0;
	if (f->what >= 0)
		loopback_fail(r.lb, (enum loopback_fault)f->what, f->nth, f->err);
	else if (f->what == FAULT_IO)
		io_fails_at = (unsigned int)f->nth;
	else if (f->what == FAULT_ALLOC)
		allocation_fails_at = (unsigned int)f->nth;
	io_error = f->err;
	counting = true;
	out.opened = rig_open_queue(&r);
	if (out.opened)
		exchange(&out);
	out.clean = rig_close_queue(&r);
	counting = false;
	for (int k = 0; k < LOOPBACK_FAULTS; k++)
		out.calls[k] = loopback_calls(r.lb, (enum loopback_fault)k) - before[k];
	out.broken = r.nr_broken;
	out.clean &= rig_close(&r);
	return out;
}

static struct rig_options options(unsigned int variant, int fd)
{
	static struct engine *(*const engines[])(const struct engine_setup *) = {
		engine_null_open, engine_uring_open, engine_aio_open};

	inner_open = engines[variant / 4 % 3];
	return (struct rig_options){
		.size = SIZE,
		.fd = fd,
		.persistent = variant & 1,
		.direct_min = variant & 2 ? 1 : 0,
		.max_persistent =
			variant & 1 ? 16 : 0, /* few, so that some are given up */
		.max_segments = 32,
		.offset_align = 4096,
		.flags = VBD_FLUSH | VBD_BARRIER | VBD_DISCARD,
		.engine_open = faulty_open,
	};
}

#define VARIANTS 12

static void check(const struct outcome *out, const struct fault *f, unsigned int variant)
{
	bool ok = out->clean && !out->unanswered && !out->wrong && !out->broken;

	if (!ok)
		fprintf(stderr,
			"variant %u fault %d nth %llu: clean %d unanswered %u wrong %u "
			"broken %u\n",
			variant, f->what, (unsigned long long)f->nth, out->clean,
			out->unanswered, out->wrong, out->broken);
	CU_ASSERT(ok);
}

static int image(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0 && !ftruncate(fd, SIZE));
	return fd;
}

/* Errors seen in a whole sweep: a sweep in which nothing fails proves nothing. */
static unsigned int sweep(int what, int err)
{
	unsigned int felt = 0;
	int fd = image();

	for (unsigned int v = 0; v < VARIANTS; v++) {
		struct rig_options o = options(v, fd);
		struct fault none = {FAULT_NONE, 0, 0};
		struct outcome out = scenario(&o, &none);
		uint64_t n = what >= 0          ? out.calls[what]
			     : what == FAULT_IO ? ios
						: allocations;

		check(&out, &none, v);
		CU_ASSERT(out.opened && !out.errors);
		for (uint64_t nth = 1; nth <= n; nth++) {
			struct fault f = {what, nth, err};

			out = scenario(&o, &f);
			check(&out, &f, v);
			felt += !out.opened + out.errors;
		}
	}
	close(fd);
	return felt;
}

static void test_map(void)
{
	CU_ASSERT(sweep(LOOPBACK_MAP, ENOMEM) > 0);
}

static void test_unmap(void)
{
	/* felt by nobody: it is tried again */
	CU_ASSERT_EQUAL(sweep(LOOPBACK_UNMAP, EINVAL), 0);
}

static void test_copy(void)
{
	CU_ASSERT(sweep(LOOPBACK_COPY, EFAULT) > 0);
}

static void test_segment(void)
{
	CU_ASSERT(sweep(LOOPBACK_COPY_SEGMENT, GNTST_bad_gntref) > 0);
}

static void test_bind(void)
{
	CU_ASSERT(sweep(LOOPBACK_BIND, EINVAL) > 0);
}

static void test_notify(void)
{
	/* the responses are on the ring all the same */
	CU_ASSERT_EQUAL(sweep(LOOPBACK_NOTIFY, EIO), 0);
}

static void test_io(void)
{
	CU_ASSERT(sweep(FAULT_IO, -EIO) > 0);
	CU_ASSERT(sweep(FAULT_IO, -EOPNOTSUPP) > 0);
}

static void test_allocation(void)
{
	CU_ASSERT(sweep(FAULT_ALLOC, 0) > 0);
}

static const CU_TestInfo tests[] = {
	{"each map fails", test_map},
	{"each unmap fails", test_unmap},
	{"each grant copy call fails", test_copy},
	{"each copied segment fails", test_segment},
	{"each bind fails", test_bind},
	{"each notification fails", test_notify},
	{"each I/O fails", test_io},
	{"each allocation fails", test_allocation},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("vbd_faults", tests)
