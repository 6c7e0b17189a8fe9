/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engine without a disk: every I/O succeeds at once, reads give zeroes. For
 * measuring the protocol; with null_skips_data not even the buffers are touched.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/blkback/engine_common.h"

struct engine_null {
	struct engine base;
	struct engine_setup setup;
	struct engine_done done;
};

static int null_submit(struct engine *e, struct engine_io *io)
{
	struct engine_null *n = (struct engine_null *)e;

	if (e->inflight >= e->depth)
		return -EAGAIN;
	e->inflight++;
	if (io->op == ENGINE_READ && e->moves_data)
		for (unsigned int i = 0; i < io->nr_iov; i++)
			memset(io->iov[i].iov_base, 0, io->iov[i].iov_len);
	engine_done_add(&n->done, io, 0);
	return 0;
}

static void null_commit(struct engine *e)
{
	(void)e;
}

static struct engine_io *null_reap(struct engine *e)
{
	return engine_done_take(e, &((struct engine_null *)e)->done);
}

static unsigned int null_wait(struct engine *e, const int *unmask, unsigned int nr_unmask,
			      int *ports, unsigned int max, uint64_t timeout_ns)
{
	struct engine_null *n = (struct engine_null *)e;

	if (timeout_ns == ENGINE_POLL && !nr_unmask)
		return 0;
	return engine_poll(&n->setup, -1, unmask, nr_unmask, ports, max,
			   n->done.head ? ENGINE_POLL : timeout_ns);
}

static void null_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops null_ops = {
	.name = "null",
	.submit = null_submit,
	.commit = null_commit,
	.reap = null_reap,
	.wait = null_wait,
	.drain = null_commit,
	.close = null_close,
};

struct engine *engine_null_open(const struct engine_setup *s)
{
	struct engine_null *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->base.ops = &null_ops;
	n->base.metrics = s->metrics;
	n->base.depth = s->depth;
	n->base.moves_data = !s->null_skips_data;
	n->setup = *s;
	engine_done_init(&n->done);
	return &n->base;
}
