/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker: one sandboxed process serving all devices of one class of one guest.
 * Its main thread waits for control messages; each queue of each device has a
 * thread of its own. This header is what a device class (blkback's vbd, netback's
 * vif) gives and gets.
 */
#ifndef XYLEM_WORKER_H
#define XYLEM_WORKER_H

#include <stddef.h>
#include <stdint.h>

#include "backends/common/control.h"
#include "backends/common/transport.h"

struct worker;
struct worker_device; /* defined by the class */

struct worker_class {
	const char *type; /* "vbd" or "vif" */
	/* io_urings made at start: how many (0: 16, negative: none), of how many entries
	 * (0: 128), with which more IORING_SETUP flags */
	int uring_pool;
	/* How many more whose I/O completes only when it is asked for. */
	unsigned int uring_polled;
	unsigned int uring_entries, uring_flags;
	/* Nice value of its threads, setpriority(2). */
	int nice;
	/* NULL: grants_open_xen(), without pools. Tests give a loopback's. */
	struct grants *(*open_grants)(uint32_t domid);
	/*
	 * A device to serve. @msg's payload (class-specific, @size bytes) and @fds are
	 * owned by the callee from here on, also on failure. @state is the device's
	 * shared memory (metrics, limits, ring indices, in-flight table), @state_size
	 * bytes. Starts the queue threads. 0 with *@dev set, or -errno.
	 */
	int (*attach)(struct worker *w, uint32_t devid, const void *payload, size_t size,
		      const int *fds, unsigned int nfds, void *state, size_t state_size,
		      struct worker_device **dev);
	int (*update)(struct worker_device *dev, const void *payload, size_t size,
		      const int *fds, unsigned int nfds);
	/*
	 * Stop the queues, wait for what is in flight, release every grant and port,
	 * free @dev. Runs on the main thread; may block as long as the engine does.
	 */
	void (*detach)(struct worker_device *dev);
};

/* The frontend's granted memory; one handle for the whole worker. */
struct grants *worker_grants(struct worker *w);

/*
 * An io_uring from the pool that was made before the sandbox closed: restricted
 * to read, write, fsync, fallocate, poll, timeout and cancel on registered files,
 * and disabled until the caller has registered its files (and buffers) and called
 * uring_enable() (uring.h). EVERY request needs IOSQE_FIXED_FILE, also those that
 * have no file (timeout, cancel, nop); others end with -EACCES. NULL when the pool
 * is empty: use an engine without one. Give it back with worker_put_uring() once
 * nothing is in flight: that unregisters files and buffers, and the ring may be
 * handed to another queue later. Any thread.
 */
struct io_uring;
struct io_uring *worker_get_uring(struct worker *w);
/* The same of those for polled I/O (IORING_SETUP_IOPOLL): only reads and writes. */
struct io_uring *worker_get_polled_uring(struct worker *w);
void worker_put_uring(struct worker *w, struct io_uring *ring);

/* The guest's domid. */
uint32_t worker_domid(const struct worker *w);

/*
 * Called from any thread when the frontend breaks the protocol: logs the text
 * (through the supervisor) and tells the supervisor to close the device. The
 * queue stops by itself; detach follows.
 */
void worker_broken(struct worker *w, uint32_t devid, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * main() of the worker process, which the supervisor starts as
 * `<daemon> --worker` with the control socket as descriptor 3.
 */
int worker_main(const struct worker_class *class);

#endif
