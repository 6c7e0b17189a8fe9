/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux native AIO, for kernels or policies without io_uring. One io_submit() a
 * batch; completions are told by an eventfd, so that ppoll() sleeps for all.
 * Discards are done at once in the call that submits them.
 */
#include <errno.h>
#include <libaio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/blkback/engine_common.h"
#include "backends/common/log.h"

#define EVENTS_A_CALL 64

struct engine_aio {
	struct engine base;
	struct engine_setup setup;
	io_context_t ctx;
	int io_fd;           /* eventfd: something has completed */
	struct iocb *iocbs;  /* depth */
	struct iocb **free;  /* a stack of nr_free */
	struct iocb **batch; /* to be submitted */
	unsigned int nr_free, nr_batch;
	unsigned int in_kernel;
	struct engine_done done;
};

static struct engine_aio *aio_of(struct engine *e)
{
	return (struct engine_aio *)e;
}

/* What is left of @io goes into the batch; there is always an iocb for it. */
static void queue_io(struct engine_aio *a, struct engine_io *io)
{
	struct iocb *cb = a->free[--a->nr_free];
	long long at = (long long)(io->offset + io->private[ENGINE_DONE_BYTES]);
	const struct iovec *iov;
	struct iovec one;
	unsigned int n;

	if (io->op == ENGINE_FLUSH) {
		io_prep_fdsync(cb, a->setup.fd);
	} else {
		iov = engine_rest(io, &one, &n);
		if (n == 1 && io->op == ENGINE_READ)
			io_prep_pread(cb, a->setup.fd, iov->iov_base, iov->iov_len, at);
		else if (n == 1)
			io_prep_pwrite(cb, a->setup.fd, iov->iov_base, iov->iov_len, at);
		else if (io->op == ENGINE_READ)
			io_prep_preadv(cb, a->setup.fd, iov, (int)n, at);
		else
			io_prep_pwritev(cb, a->setup.fd, iov, (int)n, at);
		cb->aio_rw_flags = io->op == ENGINE_WRITE && io->fua ? RWF_DSYNC : 0;
	}
	io_set_eventfd(cb, a->io_fd);
	cb->data = io;
	a->batch[a->nr_batch++] = cb;
}

static int aio_submit(struct engine *e, struct engine_io *io)
{
	struct engine_aio *a = aio_of(e);

	if (e->inflight >= e->depth || !a->nr_free)
		return -EAGAIN;
	memset(io->private, 0, sizeof(io->private));
	e->inflight++;
	if (io->op == ENGINE_DISCARD || io->op == ENGINE_SECURE_DISCARD)
		engine_done_add(&a->done, io, engine_discard_sync(&a->setup, io));
	else
		queue_io(a, io);
	return 0;
}

static void put_iocb(struct engine_aio *a, struct iocb *cb)
{
	a->free[a->nr_free++] = cb;
}

/* The first of the batch is one that the kernel does not take. */
static void fail_first(struct engine_aio *a, int err)
{
	struct iocb *cb = a->batch[0];

	engine_done_add(&a->done, cb->data, err);
	put_iocb(a, cb);
	memmove(a->batch, a->batch + 1, --a->nr_batch * sizeof(*a->batch));
}

static void aio_commit(struct engine *e)
{
	struct engine_aio *a = aio_of(e);
	int n;

	while (a->nr_batch) {
		metric_add(e->metrics, METRIC_SYSCALLS, 1);
		n = io_submit(a->ctx, (long)a->nr_batch, a->batch);
		if (n == -EINTR)
			continue;
		if (n == -EAGAIN && a->in_kernel)
			return; /* the kernel is short of something: after a completion */
		if (n <= 0) {
			fail_first(a, n ? n : -EIO);
			continue;
		}
		a->in_kernel += (unsigned int)n;
		a->nr_batch -= (unsigned int)n;
		memmove(a->batch, a->batch + n, a->nr_batch * sizeof(*a->batch));
	}
}

static void io_completed(struct engine_aio *a, const struct io_event *ev)
{
	struct engine_io *io = ev->data;
	int64_t result = (int64_t)ev->res;

	put_iocb(a, ev->obj);
	a->in_kernel--;
	if ((io->op == ENGINE_READ || io->op == ENGINE_WRITE) &&
	    !engine_progress(io, result, &result)) {
		queue_io(a, io);
		return;
	}
	engine_done_add(&a->done, io, result);
}

/* Take what has completed; wait for at least @least. */
static void collect(struct engine_aio *a, long least)
{
	struct io_event ev[EVENTS_A_CALL];
	int n;

	while (a->in_kernel) {
		metric_add(a->base.metrics, METRIC_SYSCALLS, 1);
		n = io_getevents(a->ctx, least, EVENTS_A_CALL, ev, NULL);
		if (n == -EINTR)
			continue;
		if (n < 0) {
			log_error("io_getevents: %s", strerror(-n));
			return;
		}
		for (int i = 0; i < n; i++)
			io_completed(a, &ev[i]);
		if (n < EVENTS_A_CALL)
			return;
		least = 0;
	}
}

static struct engine_io *aio_reap(struct engine *e)
{
	return engine_done_take(e, &aio_of(e)->done);
}

static unsigned int aio_wait(struct engine *e, const int *unmask, unsigned int nr_unmask,
			     int *ports, unsigned int max, uint64_t timeout_ns)
{
	struct engine_aio *a = aio_of(e);
	unsigned int n = 0;
	uint64_t count;

	aio_commit(e);
	if (timeout_ns != ENGINE_POLL && !a->done.head) {
		n = engine_poll(&a->setup, a->io_fd, unmask, nr_unmask, ports, max,
				timeout_ns);
		nr_unmask = 0;
		if (a->in_kernel && read(a->io_fd, &count, sizeof(count)) < 0 &&
		    errno != EAGAIN)
			log_error("aio eventfd: %s", strerror(errno));
	}
	while (nr_unmask)
		events_unmask(a->setup.events, unmask[--nr_unmask]);
	collect(a, 0);
	return n;
}

static void aio_drain(struct engine *e)
{
	struct engine_aio *a = aio_of(e);

	do {
		aio_commit(e);
		collect(a, 1);
	} while (a->in_kernel || a->nr_batch);
}

static void aio_close(struct engine *e)
{
	struct engine_aio *a = aio_of(e);

	if (a->ctx)
		io_destroy(a->ctx);
	if (a->io_fd >= 0)
		close(a->io_fd);
	free(a->iocbs);
	free(a->free);
	free(a->batch);
	free(a);
}

static const struct engine_ops aio_ops = {
	.name = "libaio",
	.submit = aio_submit,
	.commit = aio_commit,
	.reap = aio_reap,
	.wait = aio_wait,
	.drain = aio_drain,
	.close = aio_close,
};

static int bring_up(struct engine_aio *a)
{
	unsigned int depth = a->base.depth;
	int ret;

	a->iocbs = calloc(depth, sizeof(*a->iocbs));
	a->free = calloc(depth, sizeof(*a->free));
	a->batch = calloc(depth, sizeof(*a->batch));
	if (!a->iocbs || !a->free || !a->batch)
		return -ENOMEM;
	while (a->nr_free < depth) {
		a->free[a->nr_free] = &a->iocbs[a->nr_free];
		a->nr_free++;
	}
	a->io_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (a->io_fd < 0)
		return -errno;
	ret = io_setup((int)depth, &a->ctx);
	if (ret)
		a->ctx = NULL;
	return ret;
}

struct engine *engine_aio_open(const struct engine_setup *s)
{
	struct engine_aio *a = calloc(1, sizeof(*a));
	int ret;

	if (!a)
		return NULL;
	a->base.ops = &aio_ops;
	a->base.metrics = s->metrics;
	a->base.depth = s->depth;
	a->base.moves_data = true;
	a->setup = *s;
	a->io_fd = -1;
	engine_done_init(&a->done);
	ret = bring_up(a);
	if (!ret)
		return &a->base;
	aio_close(&a->base);
	errno = -ret;
	return NULL;
}
