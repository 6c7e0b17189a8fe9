/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What carries a queue's I/O to a file or block device. One engine instance a
 * queue thread; single-threaded. The engine also owns the queue's sleep, since an
 * io_uring can wait for I/O and events in one system call.
 */
#ifndef XYLEM_ENGINE_H
#define XYLEM_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "backends/common/metrics.h"
#include "backends/common/transport.h"

struct engine;

enum engine_op {
	ENGINE_READ,
	ENGINE_WRITE,
	ENGINE_FLUSH,
	ENGINE_DISCARD,
	ENGINE_SECURE_DISCARD
};

/*
 * One I/O, embedded in the caller's request. The caller fills the first part and
 * keeps it in place until the engine returns it from engine_reap(). Offsets and
 * lengths are bytes, checked by the caller against the image's size.
 */
struct engine_io {
	enum engine_op op;
	bool fua;    /* write: durable before it completes */
	bool pooled; /* nr_iov is 1 and iov lies inside engine_setup.pool */
	uint64_t offset, length;
	const struct iovec *iov;
	unsigned int nr_iov;
	/* filled by the engine */
	int64_t result; /* 0, or -errno; short transfers are finished inside */
	uint64_t private[4];
	struct engine_io *next;
};

struct engine_ops {
	const char *name;
	/*
	 * Queue an I/O; nothing need happen before commit(). 0; -EAGAIN when as many are
	 * in flight as the engine takes: submit again after something was reaped.
	 */
	int (*submit)(struct engine *e, struct engine_io *io);
	/* Hand all queued I/O to the kernel (at most one system call). */
	void (*commit)(struct engine *e);
	/* Completed I/O as a list, or NULL; no system call. */
	struct engine_io *(*reap)(struct engine *e);
	/*
	 * commit(), then sleep until I/O completes, an event fires, @wake_fd is readable
	 * or @timeout_ns has passed (UINT64_MAX: none; 0: do not sleep, only collect what
	 * has completed). Does not sleep while reap() has something to give. The
	 * @nr_unmask ports are unmasked before it sleeps, in the same system call where
	 * that can be.
	 * @ports: local ports that fired, at most @max. Returns how many.
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
	unsigned int inflight; /* submitted and not yet given back by reap() */
	unsigned int depth;    /* I/Os it takes at a time */
	/* What is in flight completes in wait() only, and soon: ask for no event, do not
	 * sleep. */
	bool polling;
	bool moves_data; /* false: buffers are never looked at, so nothing need be copied
			  */
};

struct engine_setup {
	int fd; /* image, opened O_DIRECT where the file system can */
	bool block_device, readonly;
	unsigned int depth;    /* I/Os at a time */
	struct events *events; /* of this queue */
	int wake_fd;           /* eventfd by which the main thread calls the queue */
	void *pool;            /* this queue's bounce buffers, page-aligned, or NULL */
	size_t pool_size;
	struct metrics_queue *metrics;
	/*
	 * For io_uring: from worker_get_uring(), disabled; the engine registers files and
	 * the pool, and enables it, which binds it to the calling thread. close() leaves
	 * nothing armed in it. NULL (tests, benchmarks): the engine makes one of its own.
	 */
	struct io_uring *ring;
	struct io_uring *polled_ring; /* the same for polled I/O; NULL: none */
	uint32_t piece;       /* for io_uring on a file: split what is larger; 0: no */
	bool null_skips_data; /* for null: see engine.moves_data */
	struct volatile_disk *disk; /* for volatile: engine_volatile.h */
};

/* How long an engine may be asked to wait: none at all, and until something happens. */
#define ENGINE_POLL  0ull
#define ENGINE_SLEEP UINT64_MAX

/* NULL with errno. */
struct engine *engine_uring_open(const struct engine_setup *s);
struct engine *engine_aio_open(const struct engine_setup *s);
struct engine *engine_null_open(const struct engine_setup *s);
/* Tests only: a disk with a volatile write cache that can lose power. */
struct engine *engine_volatile_open(const struct engine_setup *s);

#endif
