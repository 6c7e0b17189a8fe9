/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a queue's thread sleeps: until a port of its event set fires, its packet
 * port is ready, the main thread calls, or time is up. Two ways: ppoll and read
 * (waiter_poll.c), or one io_uring_enter for all of it (waiter_uring.c).
 */
#ifndef XYLEM_NETBACK_WAITER_H
#define XYLEM_NETBACK_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/common/metrics.h"
#include "backends/common/transport.h"

enum { WAIT_READABLE = 1, WAIT_WRITABLE = 2 };

#define WAITER_PORTS 8u /* tx, rx, control: an event set has no more */

struct waiter;

struct waiter_ops {
	unsigned int (*wait)(struct waiter *w, unsigned int want, uint64_t timeout_ns);
	void (*close)(struct waiter *w);
};

struct waiter {
	const struct waiter_ops *ops;
	struct events *events;
	struct metrics_queue *metrics;
	int port_fd, wake_fd;
	/* ports that fired and are masked until the next wait */
	int fired[WAITER_PORTS];
	unsigned int nr_fired;
};

/*
 * Unmask the ports that have fired, then sleep. The caller has asked for events on
 * its rings before: one that came meanwhile is pending and fires at once. @want:
 * what to await of the packet port, WAIT_*. @timeout_ns: UINT64_MAX is no limit.
 * Returns what the packet port is ready for, also when it was not awaited.
 */
static inline unsigned int waiter_wait(struct waiter *w, unsigned int want,
				       uint64_t timeout_ns)
{
	return w->ops->wait(w, want, timeout_ns);
}

static inline void waiter_close(struct waiter *w)
{
	w->ops->close(w);
}

/* NULL with errno. The descriptors stay the caller's. */
struct waiter *waiter_poll_open(struct events *events, int port_fd, int wake_fd,
				struct metrics_queue *metrics);

/*
 * The same in @ring, which may be disabled and restricted as sandbox_uring() makes
 * them, and stays the caller's. Makes the events' descriptor non-blocking. To be
 * closed by the thread that waits in it.
 */
struct io_uring;
struct waiter *waiter_uring_open(struct io_uring *ring, struct events *events,
				 int port_fd, int wake_fd, struct metrics_queue *metrics);

/* What came of a read() of the event set's descriptor: into fired[], counted. */
void waiter_parse(struct waiter *w, const void *buf, unsigned int len);

#endif
