/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The default engine. One io_uring_enter() a batch submits the I/O, unmasks the
 * event channel (a write to its descriptor), re-arms the read of it, and sleeps.
 * Image, event and wake descriptors are registered, and so is the pool.
 */
#include <assert.h>
#include <errno.h>
#include <linux/fs.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backends/blkback/engine_common.h"
#include "backends/blkback/engine_polled.h"
#include "backends/common/log.h"
#include "backends/common/uring.h"

enum { FILE_IMAGE, FILE_EVENT, FILE_WAKE, FILES };

/* user_data of what is not an I/O; those are pointers. */
enum { TAG_EVENT = 1, TAG_WAKE, TAG_UNMASK, TAG_CANCEL, TAGS };

/*
 * A request larger than the device takes at once would be refused to a submitter
 * that must not block, and go to a kernel thread: some 20 us. So it is asked for in
 * pieces. Without the device's word, and for what many segments may make of it:
 */
#define PIECE_UNKNOWN (64u << 10)
#define PIECE_MOST    (512u << 10)

/* Of a request in pieces: how many are under way; the first error. */
enum { URING_PIECES = ENGINE_PRIVATE, URING_ERROR };
#define URING_WHOLE 1 /* in URING_ERROR: not in pieces, they came out short */

/*
 * So many submissions go to the kernel at a time. The block layer takes a batch's tags
 * in one go if they lie side by side in one word of the device's bitmap, often of 16
 * bits; and what a batch allocates should come out of one slab.
 */
#define BATCH 16

#define BUFFER      4096u
#define BUFFERS_MAX 16384u /* io_uring's limit */

#define PORTS_FIRED 8
#define UNMASKS     8
#define CONTROL_SQES                                                                     \
	(2 + UNMASKS) /* both reads and the unmasking writes of one wait()               \
		       */

/* What of the pool is registered; see register_pool(). */
enum buffers { BUFFERS_NONE, BUFFERS_WHOLE, BUFFERS_PAGES };

struct engine_uring {
	struct engine base;
	struct engine_setup setup;
	struct io_uring *ring, own;
	struct polled polled;
	struct engine_done done; /* nr_done of them, counted as in flight until reaped */
	unsigned int nr_done;
	uint32_t piece;      /* bytes an I/O may have before it is split */
	unsigned int room;   /* completions of I/O there is place for */
	unsigned int queued; /* I/O since the kernel last took all */
	unsigned int extra;  /* pieces in flight beyond one an I/O */
	enum buffers buffers;
	bool plain_discard, ring_fd_registered;
	bool event_armed, wake_armed;
	bool woken; /* by wake_fd, and the caller has not been back from wait() since */
	unsigned int nr_fired;
	int fired[PORTS_FIRED];
	uint32_t
		unmask[UNMASKS]; /* what the writes write: in place until they complete */
	unsigned int unmasking;
	uint64_t wake_count;
	unsigned char event_buf[EVENTS_READ_SIZE];
};

static struct engine_uring *uring_of(struct engine *e)
{
	return (struct engine_uring *)e;
}

static void done_add(struct engine_uring *u, struct engine_io *io, int64_t result)
{
	engine_done_add(&u->done, io, result);
	u->nr_done++;
}

static void count_syscall(struct engine_uring *u)
{
	metric_add(u->base.metrics, METRIC_SYSCALLS, 1);
}

/* A submission entry. Hands what is queued to the kernel when there is none free. */
static inline struct io_uring_sqe *get_sqe(struct engine_uring *u)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(u->ring);

	if (!sqe) {
		count_syscall(u);
		io_uring_submit(u->ring);
		sqe = io_uring_get_sqe(u->ring);
	}
	return sqe;
}

/* The same for a read or write: in the ring for polled I/O where that may and will. */
static inline struct io_uring_sqe *get_io_sqe(struct engine_uring *u,
					      const struct engine_io *io)
{
	struct io_uring_sqe *sqe = NULL;

	if (io->pooled && !io->fua && polled_wanted(&u->polled))
		sqe = io_uring_get_sqe(u->polled.ring);
	if (!sqe)
		return get_sqe(u);
	u->polled.inflight++;
	u->base.polling = true;
	return sqe;
}

static void file_sqe(struct io_uring_sqe *sqe, uint64_t data)
{
	sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = data;
}

/* Which registered buffer @iov, in the pool, is in; see register_pool(). */
static uint16_t buffer_of(const struct engine_uring *u, const struct iovec *iov)
{
	size_t at = (size_t)((char *)iov->iov_base - (char *)u->setup.pool);

	if (u->buffers != BUFFERS_PAGES || at % BUFFER + iov->iov_len > BUFFER)
		return 0;
	return (uint16_t)(1 + at / BUFFER);
}

/* One submission of one piece of memory, at @at of the image. */
static inline void prep_one(struct engine_uring *u, struct io_uring_sqe *sqe,
			    const struct engine_io *io, const struct iovec *iov,
			    uint64_t at)
{
	bool write = io->op == ENGINE_WRITE, fixed = io->pooled && u->buffers;
	int plain = write ? IORING_OP_WRITE : IORING_OP_READ;

	io_uring_prep_rw(!fixed  ? plain
			 : write ? IORING_OP_WRITE_FIXED
				 : IORING_OP_READ_FIXED,
			 sqe, FILE_IMAGE, iov->iov_base, (unsigned int)iov->iov_len, at);
	if (fixed)
		sqe->buf_index = buffer_of(u, iov);
	if (write && io->fua)
		sqe->rw_flags = RWF_DSYNC;
	file_sqe(sqe, (uint64_t)(uintptr_t)io);
}

/* The same of @n elements. */
static void prep_rw(struct engine_uring *u, struct io_uring_sqe *sqe,
		    const struct engine_io *io, const struct iovec *iov, unsigned int n,
		    uint64_t at)
{
	bool write = io->op == ENGINE_WRITE;

	if (n == 1) {
		prep_one(u, sqe, io, iov, at);
		return;
	}
	io_uring_prep_rw(write ? IORING_OP_WRITEV : IORING_OP_READV, sqe, FILE_IMAGE, iov,
			 n, at);
	if (write && io->fua)
		sqe->rw_flags = RWF_DSYNC;
	file_sqe(sqe, (uint64_t)(uintptr_t)io);
}

/* Queue what is left of a read or write as one submission. 0 or -EAGAIN. */
static int issue_whole(struct engine_uring *u, struct engine_io *io)
{
	struct io_uring_sqe *sqe = get_sqe(u);
	const struct iovec *iov;
	struct iovec one;
	unsigned int n;

	if (!sqe)
		return -EAGAIN;
	iov = engine_rest(io, &one, &n);
	prep_rw(u, sqe, io, iov, n, io->offset + io->private[ENGINE_DONE_BYTES]);
	return 0;
}

/* The next piece of @io from element *@i and @done bytes on: elements, or a part of one.
 */
static unsigned int next_piece(const struct engine_io *io, uint64_t done, uint64_t most,
			       unsigned int *i, struct iovec *one, uint64_t *bytes)
{
	unsigned int n = 0;

	*bytes = 0;
	if (io->nr_iov == 1) {
		one->iov_base = (char *)io->iov->iov_base + done;
		one->iov_len = io->length - done < most ? io->length - done : most;
		*bytes = one->iov_len;
		return 1;
	}
	while (*i < io->nr_iov && (!n || *bytes + io->iov[*i].iov_len <= most)) {
		*bytes += io->iov[(*i)++].iov_len;
		n++;
	}
	return n;
}

static int issue_pieces(struct engine_uring *u, struct engine_io *io)
{
	unsigned int least = (unsigned int)((io->length + u->piece - 1) / u->piece);
	uint64_t most = (io->length / least + 4095) & ~4095ull, done = 0, bytes;
	unsigned int i = 0, first, n;

	if (u->base.inflight + u->extra + 2 * least > u->room)
		return issue_whole(u, io);
	if (io_uring_sq_space_left(u->ring) < 2 * least + CONTROL_SQES) {
		count_syscall(u);
		io_uring_submit(u->ring);
		if (io_uring_sq_space_left(u->ring) < 2 * least + CONTROL_SQES)
			return issue_whole(u, io);
	}
	for (; done < io->length; done += bytes) {
		struct io_uring_sqe *sqe = get_io_sqe(u, io);
		struct iovec one;

		first = i;
		n = next_piece(io, done, most < u->piece ? most : u->piece, &i, &one,
			       &bytes);
		prep_rw(u, sqe, io, io->nr_iov == 1 ? &one : &io->iov[first], n,
			io->offset + done);
		io->private[URING_PIECES]++;
	}
	assert(io->private[URING_PIECES] <= 2 * least);
	u->extra += (unsigned int)io->private[URING_PIECES] - 1;
	return 0;
}

/* Queue what is left of @io. 0, or -EAGAIN when there is no room. */
static int issue(struct engine_uring *u, struct engine_io *io)
{
	struct io_uring_sqe *sqe;

	if (io->op == ENGINE_READ || io->op == ENGINE_WRITE)
		return io->length > u->piece && !io->private[URING_ERROR]
			       ? issue_pieces(u, io)
			       : issue_whole(u, io);
	sqe = get_sqe(u);
	if (!sqe)
		return -EAGAIN;
	if (io->op == ENGINE_FLUSH)
		io_uring_prep_fsync(sqe, FILE_IMAGE, IORING_FSYNC_DATASYNC);
	else
		io_uring_prep_fallocate(
			sqe, FILE_IMAGE,
			engine_discard_mode(u->setup.block_device, u->plain_discard),
			(off_t)io->offset, (off_t)io->length);
	file_sqe(sqe, (uint64_t)(uintptr_t)io);
	return 0;
}

static void uring_commit(struct engine *e)
{
	struct engine_uring *u = uring_of(e);

	u->queued = 0;
	if (u->polled.inflight && io_uring_sq_ready(u->polled.ring)) {
		count_syscall(u);
		io_uring_submit(u->polled.ring);
	}
	if (!io_uring_sq_ready(u->ring))
		return;
	count_syscall(u);
	io_uring_submit(u->ring);
}

/* Queue a request of one piece, out of the pool: what nearly every one is. */
static inline int issue_plain(struct engine_uring *u, struct engine_io *io)
{
	struct io_uring_sqe *sqe = get_io_sqe(u, io);

	if (!sqe)
		return -EAGAIN;
	prep_one(u, sqe, io, io->iov, io->offset);
	u->base.inflight++;
	return 0;
}

static int uring_submit(struct engine *e, struct engine_io *io)
{
	struct engine_uring *u = uring_of(e);

	if (e->inflight >= e->depth || e->inflight + u->extra >= u->room)
		return -EAGAIN;
	/* Not before there is another: the last batch goes with wait(). */
	if (u->queued >= BATCH)
		uring_commit(e);
	u->queued++;
	memset(io->private, 0, sizeof(io->private));
	if (io->pooled && io->op <= ENGINE_WRITE && io->length <= u->piece)
		return issue_plain(u, io);
	if (io->op ==
	    ENGINE_SECURE_DISCARD) { /* only an ioctl can: rare, and it may block */
		e->inflight++;
		done_add(u, io, engine_discard_sync(&u->setup, io));
		return 0;
	}
	if (issue(u, io))
		return -EAGAIN;
	e->inflight++;
	return 0;
}

/* One piece of @io came back. True: it was the last, and all is well or *@res says why
 * not. */
static bool piece_completed(struct engine_uring *u, struct engine_io *io, int *res)
{
	int64_t error;

	if (*res >= 0)
		io->private[ENGINE_DONE_BYTES] += (uint64_t)*res;
	else if (!io->private[URING_ERROR])
		io->private[URING_ERROR] = (uint64_t)(int64_t)*res;
	if (--io->private[URING_PIECES]) {
		u->extra--;
		return false;
	}
	error = (int64_t)io->private[URING_ERROR];
	*res = (int)error;
	if (error && error != -EAGAIN && error != -EINTR)
		return true;
	if (!error && io->private[ENGINE_DONE_BYTES] == io->length)
		return true;
	/* Short somewhere: all of it again, as one, which finds out where. */
	io->private[ENGINE_DONE_BYTES] = 0;
	io->private[URING_ERROR] = URING_WHOLE;
	*res = -EIO;
	return issue_whole(u, io) != 0;
}

static void io_completed(struct engine_uring *u, struct engine_io *io, int res)
{
	int64_t result = res;

	if (res > 0 && (uint64_t)res == io->length) { /* in one go: nearly always */
		done_add(u, io, 0);
		return;
	}
	if (io->op == ENGINE_DISCARD && (res == -EOPNOTSUPP || res == -EINVAL) &&
	    u->setup.block_device && !u->plain_discard) {
		u->plain_discard = true; /* a kernel that no longer knows the hint */
		if (!issue(u, io))
			return;
	}
	if (io->private[URING_PIECES]) {
		if (!piece_completed(u, io, &res))
			return;
		result = res;
	} else if ((io->op == ENGINE_READ || io->op == ENGINE_WRITE) &&
		   !engine_progress(io, res, &result)) {
		if (!issue_whole(u, io))
			return;
		result = -EIO;
	}
	done_add(u, io, result);
}

static void event_completed(struct engine_uring *u, int res)
{
	u->event_armed = false;
	if (res > 0)
		u->nr_fired +=
			events_parse(u->setup.events, u->event_buf, (unsigned int)res,
				     u->fired + u->nr_fired, PORTS_FIRED - u->nr_fired);
}

static void unmask_completed(struct engine_uring *u, int res)
{
	u->unmasking--;
	if (res < 0) /* a port left masked would never fire again */
		log_error("unmasking an event channel through io_uring: %s",
			  strerror(-res));
}

static void collect_polled(struct engine_uring *u)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	io_uring_for_each_cqe(u->polled.ring, head, cqe)
	{
		int res = cqe->res;

		n++;
		polled_done(&u->polled);
		if (res == -EOPNOTSUPP) { /* sysfs says otherwise: not this way again */
			u->polled.rest = UINT_MAX;
			res = -EAGAIN;
		}
		io_completed(u, (struct engine_io *)(uintptr_t)cqe->user_data, res);
	}
	io_uring_cq_advance(u->polled.ring, n);
	u->base.polling = u->polled.inflight && !u->polled.slow;
}

/* Take all completions. No system call. */
static void collect(struct engine_uring *u)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;

	if (u->polled.inflight)
		collect_polled(u);
	io_uring_for_each_cqe(u->ring, head, cqe)
	{
		n++;
		switch (cqe->user_data) {
		case TAG_EVENT:
			event_completed(u, cqe->res);
			break;
		case TAG_WAKE:
			u->wake_armed = false;
			u->woken = true;
			break;
		case TAG_UNMASK:
			unmask_completed(u, cqe->res);
			break;
		case TAG_CANCEL:
			break;
		default:
			io_completed(u, (struct engine_io *)(uintptr_t)cqe->user_data,
				     cqe->res);
			break;
		}
	}
	io_uring_cq_advance(u->ring, n);
}

static struct engine_io *uring_reap(struct engine *e)
{
	struct engine_uring *u = uring_of(e);

	collect(u);
	u->nr_done = 0;
	return engine_done_take(e, &u->done);
}

/* Queue the reads by which the event and wake descriptors wake the sleeper. */
static void arm(struct engine_uring *u)
{
	struct io_uring_sqe *sqe;

	if (!u->event_armed && u->setup.events && (sqe = get_sqe(u))) {
		io_uring_prep_read(sqe, FILE_EVENT, u->event_buf, sizeof(u->event_buf),
				   0);
		file_sqe(sqe, TAG_EVENT);
		u->event_armed = true;
	}
	if (!u->wake_armed && (sqe = get_sqe(u))) {
		io_uring_prep_read(sqe, FILE_WAKE, &u->wake_count, sizeof(u->wake_count),
				   0);
		file_sqe(sqe, TAG_WAKE);
		u->wake_armed = true;
	}
}

static void unmask_port(struct engine_uring *u, int port)
{
	struct events *ev = u->setup.events;
	struct io_uring_sqe *sqe = NULL;

	if (ev->ops->unmask_size == sizeof(u->unmask[0]) && u->unmasking < UNMASKS)
		sqe = get_sqe(u);
	if (!sqe) {
		events_unmask(ev, port);
		return;
	}
	/* Slots are reused only when no write is under way: see uring_wait(). */
	u->unmask[u->unmasking] = (uint32_t)port;
	io_uring_prep_write(sqe, FILE_EVENT, &u->unmask[u->unmasking],
			    sizeof(u->unmask[0]), 0);
	file_sqe(sqe, TAG_UNMASK);
	u->unmasking++;
}

static unsigned int take_fired(struct engine_uring *u, int *ports, unsigned int max)
{
	unsigned int n = u->nr_fired < max ? u->nr_fired : max;

	memcpy(ports, u->fired, n * sizeof(*ports));
	u->nr_fired -= n;
	memmove(u->fired, u->fired + n, u->nr_fired * sizeof(*ports));
	return n;
}

/*
 * For polled I/O: look for it. What @timeout_ns has become: nothing while it is worth
 * while to look again at once.
 */
static uint64_t look(struct engine_uring *u, uint64_t timeout_ns)
{
	u->queued = 0;
	count_syscall(u);
	polled_look(&u->polled);
	collect_polled(u);
	if (u->base.polling || u->done.head)
		return ENGINE_POLL;
	if (u->polled.inflight && timeout_ns > POLLED_NAP_NS)
		return POLLED_NAP_NS;
	return timeout_ns;
}

static void enter(struct engine_uring *u, unsigned int want, uint64_t timeout_ns)
{
	struct __kernel_timespec ts = {(int64_t)(timeout_ns / 1000000000),
				       (long long)(timeout_ns % 1000000000)};
	struct io_uring_cqe *cqe;

	count_syscall(u);
	u->queued = 0;
	if (timeout_ns == ENGINE_POLL)
		io_uring_submit_and_get_events(u->ring);
	else if (timeout_ns == ENGINE_SLEEP)
		io_uring_submit_and_wait(u->ring, want);
	else
		io_uring_submit_and_wait_timeout(u->ring, &cqe, want, &ts, NULL);
}

static unsigned int uring_wait(struct engine *e, const int *unmask,
			       unsigned int nr_unmask, int *ports, unsigned int max,
			       uint64_t timeout_ns)
{
	struct engine_uring *u = uring_of(e);

	collect(u);
	if (u->polled.inflight)
		timeout_ns = look(u, timeout_ns);
	if (u->done.head || u->nr_fired || u->woken)
		timeout_ns = ENGINE_POLL;
	if (u->unmasking) /* the last ones are not through yet: do not reuse their slots
			   */
		while (nr_unmask)
			events_unmask(u->setup.events, unmask[--nr_unmask]);
	if (timeout_ns != ENGINE_POLL)
		arm(u);
	while (nr_unmask)
		unmask_port(u, unmask[--nr_unmask]);
	/* An unmasking write completes at once, and must not count as a reason to wake.
	 */
	if (timeout_ns != ENGINE_POLL || io_uring_sq_ready(u->ring) ||
	    e->inflight + u->extra > u->polled.inflight + u->nr_done)
		enter(u, 1 + u->unmasking, timeout_ns);
	collect(u);
	u->woken = false;
	return take_fired(u, ports, max);
}

static void uring_drain(struct engine *e)
{
	struct engine_uring *u = uring_of(e);
	int ret;

	for (;;) {
		collect(u);
		if (u->nr_done == e->inflight)
			return;
		if (u->polled.inflight) {
			look(u, ENGINE_POLL);
			continue;
		}
		count_syscall(u);
		ret = io_uring_submit_and_wait(u->ring, 1);
		if (ret < 0 && ret != -EINTR && ret != -EAGAIN && ret != -EBUSY)
			log_error("io_uring_enter: %s", strerror(-ret));
	}
}

/* End the armed reads: the kernel must not write into this engine after it is freed. */
static bool disarm(struct engine_uring *u)
{
	struct io_uring_sqe *sqe;
	uint64_t one = 1;

	if (u->wake_armed && write(u->setup.wake_fd, &one, sizeof(one)) < 0)
		log_error("wake descriptor: %s", strerror(errno));
	if (u->event_armed && (sqe = get_sqe(u))) {
		io_uring_prep_cancel64(sqe, TAG_EVENT, 0);
		file_sqe(sqe, TAG_CANCEL); /* the worker's rings insist on the flag */
	}
	for (int tries = 0;
	     (u->event_armed || u->wake_armed || u->unmasking) && tries < 100; tries++) {
		struct __kernel_timespec ts = {.tv_nsec = 10000000};
		struct io_uring_cqe *cqe;

		io_uring_submit_and_wait_timeout(u->ring, &cqe, 1, &ts, NULL);
		collect(u);
	}
	return !u->event_armed && !u->wake_armed && !u->unmasking;
}

static void uring_close(struct engine *e)
{
	struct engine_uring *u = uring_of(e);
	bool quiet = disarm(u);

	if (u->ring_fd_registered)
		io_uring_unregister_ring_fd(u->ring);
	if (u->polled.ring_fd_registered)
		io_uring_unregister_ring_fd(u->polled.ring);
	if (u->ring == &u->own)
		io_uring_queue_exit(&u->own);
	if (quiet)
		free(u);
	else /* a small leak is better than a stray write */
		log_error("io_uring: an armed read could not be cancelled");
}

static const struct engine_ops uring_ops = {
	.name = "io_uring",
	.submit = uring_submit,
	.commit = uring_commit,
	.reap = uring_reap,
	.wait = uring_wait,
	.drain = uring_drain,
	.close = uring_close,
};

/* A ring for tests and benchmarks; the worker's own come from its pool. 0 or -errno. */
static int own_ring(struct engine_uring *u, unsigned int depth)
{
	unsigned int base = IORING_SETUP_R_DISABLED | IORING_SETUP_CLAMP;
	int ret;

	ret = io_uring_queue_init(depth + CONTROL_SQES, &u->own,
				  base | IORING_SETUP_SINGLE_ISSUER |
					  IORING_SETUP_DEFER_TASKRUN);
	if (ret == -EINVAL) /* before Linux 6.1 */
		ret = io_uring_queue_init(depth + CONTROL_SQES, &u->own,
					  base | IORING_SETUP_COOP_TASKRUN);
	if (!ret)
		u->ring = &u->own;
	return ret;
}

/*
 * The pool whole as buffer 0, and each of its pages as one more. A page is looked up
 * in the kernel once for either, but what is asked of the whole pool goes to the
 * device's driver with all pages behind it, which have to be looked at before they
 * are found to be too many. What cannot be had (locked memory is limited) is done
 * without: the pool alone, or plain reads and writes.
 */
static enum buffers register_pool(const struct engine_uring *u, struct io_uring *ring)
{
	char *pool = u->setup.pool;
	size_t n = u->setup.pool_size / BUFFER;
	struct iovec whole = {pool, u->setup.pool_size};
	struct iovec *v = n < BUFFERS_MAX ? malloc((n + 1) * sizeof(*v)) : NULL;
	int ret = -ENOMEM;

	if (v) {
		v[0] = whole;
		for (size_t i = 0; i < n; i++)
			v[i + 1] = (struct iovec){pool + i * BUFFER, BUFFER};
		ret = io_uring_register_buffers(ring, v, (unsigned int)n + 1);
		free(v);
	}
	if (!ret)
		return BUFFERS_PAGES;
	return io_uring_register_buffers(ring, &whole, 1) ? BUFFERS_NONE : BUFFERS_WHOLE;
}

/* The image and the pool once more for polled I/O; without, it is not used. */
static void bring_up_polled(struct engine_uring *u)
{
	struct io_uring *ring = u->setup.polled_ring;

	if (!ring || !u->buffers || io_uring_register_files(ring, &u->setup.fd, 1) ||
	    register_pool(u, ring) != u->buffers || uring_enable(ring))
		return;
	u->polled.ring = ring;
	u->polled.ring_fd_registered = io_uring_register_ring_fd(ring) == 1;
}

/* Register files and pool, and enable the ring. 0 or -errno. */
static int bring_up(struct engine_uring *u)
{
	const struct engine_setup *s = &u->setup;
	int files[FILES] = {s->fd, s->events ? s->events->fd : -1, s->wake_fd};
	int ret;

	for (int i = FILE_EVENT; i < FILES; i++) {
		ret = files[i] < 0 ? 0 : uring_set_nonblocking(files[i]);
		if (ret)
			return ret;
	}
	ret = io_uring_register_files(u->ring, files, FILES);
	if (ret)
		return ret;
	if (s->pool)
		u->buffers = register_pool(u, u->ring);
	u->ring_fd_registered = io_uring_register_ring_fd(u->ring) == 1;
	bring_up_polled(u);
	return uring_enable(u->ring);
}

/* How much the device takes in one request; 0 for a file, whose device is not known. */
static uint32_t piece_size(const struct engine_setup *s)
{
	unsigned short sectors = 0;
	uint32_t bytes;

	if (!s->block_device)
		return s->piece;
	if (ioctl(s->fd, BLKSECTGET, &sectors) || !sectors)
		return PIECE_UNKNOWN;
	bytes = sectors * 512u & ~4095u;
	if (bytes > PIECE_MOST)
		return PIECE_MOST;
	return bytes ? bytes : 4096;
}

struct engine *engine_uring_open(const struct engine_setup *s)
{
	struct engine_uring *u = calloc(1, sizeof(*u));
	int ret = 0;

	if (!u)
		return NULL;
	u->base.ops = &uring_ops;
	u->base.metrics = s->metrics;
	u->base.moves_data = true;
	u->setup = *s;
	u->ring = s->ring;
	u->piece = piece_size(s);
	if (!u->piece)
		u->piece = UINT32_MAX;
	engine_done_init(&u->done);
	if (!u->ring)
		ret = own_ring(u, s->depth);
	if (!ret)
		ret = bring_up(u);
	if (!ret && u->ring->cq.ring_entries <= 2 * CONTROL_SQES)
		ret = -EINVAL;
	if (ret) {
		if (u->ring == &u->own)
			io_uring_queue_exit(&u->own);
		free(u);
		errno = -ret;
		return NULL;
	}
	/* Completions never overflow the ring. */
	u->room = u->ring->cq.ring_entries - CONTROL_SQES - 1;
	u->base.depth = u->room < s->depth ? u->room : s->depth;
	return &u->base;
}
