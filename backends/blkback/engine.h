/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What carries a queue's I/O to a file or block device. One engine instance a
 * queue thread; single-threaded. The engine also owns the queue's sleep, since an
 * io_uring can wait for I/O and events in one system call.
 */
#ifndef XYLEM_ENGINE_H
#define XYLEM_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "backends/common/metrics.h"
#include "backends/common/transport.h"

struct engine;

enum engine_op { ENGINE_READ, ENGINE_WRITE, ENGINE_FLUSH, ENGINE_DISCARD, ENGINE_SECURE_DISCARD };

/*
 * One I/O, embedded in the caller's request. The caller fills the first part and
 * keeps it in place until the engine returns it from engine_reap(). Offsets and
 * lengths are bytes, checked by the caller against the image's size.
 */
struct engine_io {
	enum engine_op op;
	bool fua;               /* write: durable before it completes */
	int buffer;             /* index of a registered pool buffer, or -1: iov is anywhere */
	uint64_t offset, length;
	const struct iovec *iov;
	unsigned int nr_iov;
	/* filled by the engine */
	int64_t result;         /* 0, or -errno; short transfers are finished inside */
	uint64_t private[4];
	struct engine_io *next;
};

struct engine_ops {
	const char *name;
	/* Queue an I/O; nothing need happen before commit(). 0, or -EAGAIN when full. */
	int (*submit)(struct engine *e, struct engine_io *io);
	/* Hand all queued I/O to the kernel (at most one system call). */
	void (*commit)(struct engine *e);
	/* Completed I/O as a list, or NULL; no system call. */
	struct engine_io *(*reap)(struct engine *e);
	/*
	 * commit(), then sleep until I/O completes, an event fires, @wake_fd is readable
	 * or @timeout_ns has passed (UINT64_MAX: none). @ports: local ports that fired;
	 * the engine unmasks the ones the caller names in the next wait (@unmask), in the
	 * same system call where it can. Returns the number of ports.
	 */
	unsigned int (*wait)(struct engine *e, const int *unmask, unsigned int nr_unmask,
			     int *ports, unsigned int max, uint64_t timeout_ns);
	/* Cancel what can be, wait for the rest; everything comes back from reap(). */
	void (*drain)(struct engine *e);
	void (*close)(struct engine *e);
};

struct engine {
	const struct engine_ops *ops;
	struct metrics_queue *metrics;
	unsigned int inflight;
};

struct engine_setup {
	int fd;                  /* image, opened O_DIRECT where the file system can */
	bool block_device, readonly;
	unsigned int depth;      /* I/Os at a time */
	struct events *events;   /* of this queue */
	int wake_fd;             /* eventfd by which the main thread calls the queue */
	void *pool;              /* this queue's bounce buffers, page-aligned */
	unsigned int pool_buffers;
	unsigned int pool_buffer_size;
	struct metrics_queue *metrics;
	struct io_uring *ring;   /* for io_uring: from worker_get_uring() */
};

/* NULL with errno. */
struct engine *engine_uring_open(const struct engine_setup *s);
struct engine *engine_aio_open(const struct engine_setup *s);
struct engine *engine_null_open(const struct engine_setup *s);
/* tests only: a disk with a volatile write cache that can lose power */
struct engine *engine_volatile_open(const struct engine_setup *s);

#endif
