/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What engines share: the list of completed I/O, going on after a short transfer,
 * discards without an asynchronous call, and sleeping in ppoll().
 */
#ifndef XYLEM_ENGINE_COMMON_H
#define XYLEM_ENGINE_COMMON_H

#include "backends/blkback/engine.h"

/* How engines use engine_io.private. */
enum { ENGINE_DONE_BYTES, ENGINE_RETRIES, ENGINE_PRIVATE };

/* Completed I/O, oldest first. */
struct engine_done {
	struct engine_io *head, **tail;
};

static inline void engine_done_init(struct engine_done *d)
{
	d->head = NULL;
	d->tail = &d->head;
}

static inline void engine_done_add(struct engine_done *d, struct engine_io *io,
				   int64_t result)
{
	io->result = result;
	io->next = NULL;
	*d->tail = io;
	d->tail = &io->next;
}

/* All of them; for the reap() of an engine. */
static inline struct engine_io *engine_done_take(struct engine *e, struct engine_done *d)
{
	struct engine_io *list = d->head;

	for (struct engine_io *io = list; io; io = io->next)
		e->inflight--;
	engine_done_init(d);
	return list;
}

/*
 * What is left of a read or write after ENGINE_DONE_BYTES of it: either one piece
 * of memory (*@one) or the tail of its vector. Returns the vector, *@n elements.
 */
const struct iovec *engine_rest(const struct engine_io *io, struct iovec *one,
				unsigned int *n);

/*
 * Take account of a read's or write's result @res. True: finished, io's result is
 * *@result. False: submit the rest (engine_rest()).
 */
bool engine_progress(struct engine_io *io, int64_t res, int64_t *result);

/* fallocate() mode that discards on this image; @plain: without the stale-data hint. */
int engine_discard_mode(bool block_device, bool plain);

/* Discard now, in this call. 0 or -errno. */
int engine_discard_sync(const struct engine_setup *s, const struct engine_io *io);

/*
 * Unmask, then sleep until one of the queue's event descriptor, wake_fd and
 * @io_fd (-1: none) is readable or the time is over, as engine_ops.wait says.
 * Reads the descriptors that were readable. Returns the number of ports that fired.
 */
unsigned int engine_poll(const struct engine_setup *s, int io_fd, const int *unmask,
			 unsigned int nr_unmask, int *ports, unsigned int max,
			 uint64_t timeout_ns);

#endif
