/* SPDX-License-Identifier: GPL-2.0-only */
/* Sleeping with ppoll(), see waiter.h. */
#include "backends/netback/waiter.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { POLL_EVENTS, POLL_WAKE, POLL_PORT, POLL_FDS };

void waiter_parse(struct waiter *w, const void *buf, unsigned int len)
{
	unsigned int n;

	n = events_parse(w->events, buf, len, w->fired + w->nr_fired,
			 WAITER_PORTS - w->nr_fired);
	w->nr_fired += n;
	metric_add(w->metrics, METRIC_EVENTS_IN, n);
}

static void poll_unmask(struct waiter *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_fired; i++) {
		events_unmask(w->events, w->fired[i]);
		metric_add(w->metrics, METRIC_SYSCALLS, 1);
	}
	w->nr_fired = 0;
}

/* The wake-up is level-triggered until read: nobody needs its count. */
static void poll_read_wake(struct waiter *w)
{
	uint64_t count;

	while (read(w->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	metric_add(w->metrics, METRIC_SYSCALLS, 1);
}

static void poll_read_events(struct waiter *w)
{
	uint8_t buf[EVENTS_READ_SIZE];
	ssize_t n;

	do {
		n = read(w->events->fd, buf, sizeof(buf));
	} while (n < 0 && errno == EINTR);
	metric_add(w->metrics, METRIC_SYSCALLS, 1);
	if (n > 0)
		waiter_parse(w, buf, (unsigned int)n);
}

static unsigned int poll_wait(struct waiter *w, unsigned int want, uint64_t timeout_ns)
{
	struct pollfd fds[POLL_FDS] = {
		[POLL_EVENTS] = {.fd = w->events->fd, .events = POLLIN},
		[POLL_WAKE] = {.fd = w->wake_fd, .events = POLLIN},
		/* a descriptor not awaited is left out: its errors would wake us for ever
		 */
		[POLL_PORT] = {.fd = want ? w->port_fd : -1},
	};
	struct timespec ts = {(time_t)(timeout_ns / 1000000000u),
			      (long)(timeout_ns % 1000000000u)};
	unsigned int ready = 0;
	short got;

	if (want & WAIT_READABLE)
		fds[POLL_PORT].events |= POLLIN;
	if (want & WAIT_WRITABLE)
		fds[POLL_PORT].events |= POLLOUT;
	poll_unmask(w);
	metric_add(w->metrics, METRIC_SYSCALLS, 1);
	if (ppoll(fds, POLL_FDS, timeout_ns == UINT64_MAX ? NULL : &ts, NULL) <= 0)
		return 0;
	if (fds[POLL_EVENTS].revents)
		poll_read_events(w);
	if (fds[POLL_WAKE].revents)
		poll_read_wake(w);
	got = fds[POLL_PORT].revents;
	if (got & (POLLIN | POLLERR | POLLHUP | POLLNVAL))
		ready |= WAIT_READABLE;
	if (got & (POLLOUT | POLLERR | POLLHUP | POLLNVAL))
		ready |= WAIT_WRITABLE;
	return ready;
}

static void poll_close(struct waiter *w)
{
	free(w);
}

static const struct waiter_ops poll_ops = {.wait = poll_wait, .close = poll_close};

struct waiter *waiter_poll_open(struct events *events, int port_fd, int wake_fd,
				struct metrics_queue *metrics)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->ops = &poll_ops;
	w->events = events;
	w->metrics = metrics;
	w->port_fd = port_fd;
	w->wake_fd = wake_fd;
	return w;
}
