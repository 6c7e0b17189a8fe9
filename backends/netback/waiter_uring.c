/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sleeping in an io_uring, see waiter.h: one io_uring_enter() unmasks the ports,
 * waits, and reads the event descriptor. Reads of the event and the wake
 * descriptor stay armed from one wait to the next; so does the poll of the packet
 * port, which is armed only when it is wanted and may fire once more after that.
 */
#include "backends/common/uring.h"
#include "backends/netback/waiter.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_EVENTS, FILE_WAKE, FILE_PORT, FILES };
enum { TAG_EVENTS = 1, TAG_WAKE, TAG_READABLE, TAG_WRITABLE, TAG_UNMASK, TAG_CANCEL };

struct waiter_uring {
	struct waiter waiter;
	struct io_uring *ring;
	bool armed[TAG_CANCEL + 1]; /* a request of this tag is with the kernel */
	unsigned int ready;         /* WAIT_*, seen and not yet returned */
	uint8_t event_buf[EVENTS_READ_SIZE];
	uint64_t wake_count;
	uint32_t unmask[WAITER_PORTS];
};

/* A request of @tag on a registered file; a ring has more entries than there are tags. */
static struct io_uring_sqe *get_sqe(struct waiter_uring *u)
{
	return io_uring_get_sqe(u->ring);
}

static void tag_sqe(struct waiter_uring *u, struct io_uring_sqe *sqe, int tag)
{
	io_uring_sqe_set_flags(sqe, IOSQE_FIXED_FILE);
	io_uring_sqe_set_data64(sqe, (uint64_t)tag);
	u->armed[tag] = true;
}

static void arm_read(struct waiter_uring *u, int tag, int file, void *buf, unsigned int n)
{
	struct io_uring_sqe *sqe;

	if (u->armed[tag] || !(sqe = get_sqe(u)))
		return;
	io_uring_prep_read(sqe, file, buf, n, 0);
	tag_sqe(u, sqe, tag);
}

static void arm_poll(struct waiter_uring *u, int tag, unsigned int mask)
{
	struct io_uring_sqe *sqe;

	if (u->armed[tag] || !(sqe = get_sqe(u)))
		return;
	io_uring_prep_poll_add(sqe, FILE_PORT, mask);
	tag_sqe(u, sqe, tag);
}

/* The ports that fired: one write takes them all. */
static void arm_unmask(struct waiter_uring *u)
{
	struct waiter *w = &u->waiter;
	struct io_uring_sqe *sqe = NULL;
	unsigned int i;

	if (!w->nr_fired)
		return;
	if (w->events->ops->unmask_size == sizeof(u->unmask[0]) && !u->armed[TAG_UNMASK])
		sqe = get_sqe(u);
	if (sqe) {
		for (i = 0; i < w->nr_fired; i++)
			u->unmask[i] = (uint32_t)w->fired[i];
		io_uring_prep_write(sqe, FILE_EVENTS, u->unmask,
				    w->nr_fired * (unsigned int)sizeof(u->unmask[0]), 0);
		tag_sqe(u, sqe, TAG_UNMASK);
	} else {
		for (i = 0; i < w->nr_fired; i++)
			events_unmask(w->events, w->fired[i]);
		metric_add(w->metrics, METRIC_SYSCALLS, w->nr_fired);
	}
	w->nr_fired = 0;
}

static void completed(struct waiter_uring *u, uint64_t tag, int res)
{
	u->armed[tag] = false;
	switch (tag) {
	case TAG_EVENTS:
		if (res > 0)
			waiter_parse(&u->waiter, u->event_buf, (unsigned int)res);
		break;
	/* also on errors: whoever reads or writes the port will find out what is wrong */
	case TAG_READABLE:
		u->ready |= WAIT_READABLE;
		break;
	case TAG_WRITABLE:
		u->ready |= WAIT_WRITABLE;
		break;
	}
}

/* Take what has completed. Whether any of it is a reason to wake. */
static bool collect(struct waiter_uring *u)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	bool wake = false;

	io_uring_for_each_cqe(u->ring, head, cqe)
	{
		n++;
		completed(u, cqe->user_data, cqe->res);
		wake |= cqe->user_data != TAG_UNMASK && cqe->user_data != TAG_CANCEL;
	}
	io_uring_cq_advance(u->ring, n);
	return wake;
}

static unsigned int uring_wait(struct waiter *w, unsigned int want, uint64_t timeout_ns)
{
	struct waiter_uring *u = (struct waiter_uring *)w;
	struct __kernel_timespec ts = {(int64_t)(timeout_ns / 1000000000u),
				       (long long)(timeout_ns % 1000000000u)};
	struct io_uring_cqe *cqe;
	unsigned int ready;

	arm_unmask(u);
	/* when something is known already, this only submits */
	if (!collect(u)) {
		arm_read(u, TAG_EVENTS, FILE_EVENTS, u->event_buf, sizeof(u->event_buf));
		arm_read(u, TAG_WAKE, FILE_WAKE, &u->wake_count, sizeof(u->wake_count));
		if (want & WAIT_READABLE)
			arm_poll(u, TAG_READABLE, POLLIN);
		if (want & WAIT_WRITABLE)
			arm_poll(u, TAG_WRITABLE, POLLOUT);
		metric_add(w->metrics, METRIC_SYSCALLS, 1);
		/* an unmasking completes at once and is no reason to wake */
		if (timeout_ns == UINT64_MAX)
			io_uring_submit_and_wait(u->ring, 1 + u->armed[TAG_UNMASK]);
		else
			io_uring_submit_and_wait_timeout(
				u->ring, &cqe, 1 + u->armed[TAG_UNMASK], &ts, NULL);
		collect(u);
	} else {
		metric_add(w->metrics, METRIC_SYSCALLS, 1);
		io_uring_submit(u->ring);
	}
	ready = u->ready;
	u->ready = 0;
	return ready;
}

static void cancel(struct waiter_uring *u, int tag)
{
	struct io_uring_sqe *sqe;

	if (!u->armed[tag] || !(sqe = get_sqe(u)))
		return;
	io_uring_prep_cancel64(sqe, (uint64_t)tag, 0);
	io_uring_sqe_set_flags(sqe,
			       IOSQE_FIXED_FILE); /* the worker's rings insist on it */
	io_uring_sqe_set_data64(sqe, TAG_CANCEL);
}

static bool quiet(const struct waiter_uring *u)
{
	int tag;

	for (tag = TAG_EVENTS; tag < TAG_CANCEL; tag++)
		if (u->armed[tag])
			return false;
	return true;
}

/* End what is armed: the kernel must not write into this memory after it is freed. */
static void uring_close(struct waiter *w)
{
	struct waiter_uring *u = (struct waiter_uring *)w;
	struct __kernel_timespec ts = {.tv_nsec = 10000000};
	struct io_uring_cqe *cqe;
	int tag, tries;

	for (tag = TAG_EVENTS; tag <= TAG_WRITABLE; tag++)
		cancel(u, tag);
	for (tries = 0; !quiet(u) && tries < 100; tries++) {
		io_uring_submit_and_wait_timeout(u->ring, &cqe, 1, &ts, NULL);
		collect(u);
	}
	if (quiet(u))
		free(u); /* else: a small leak is better than a stray write */
}

static const struct waiter_ops uring_ops = {.wait = uring_wait, .close = uring_close};

struct waiter *waiter_uring_open(struct io_uring *ring, struct events *events,
				 int port_fd, int wake_fd, struct metrics_queue *metrics)
{
	int files[FILES] = {
		[FILE_EVENTS] = events->fd, [FILE_WAKE] = wake_fd, [FILE_PORT] = port_fd};
	struct waiter_uring *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return NULL;
	u->waiter = (struct waiter){.ops = &uring_ops,
				    .events = events,
				    .metrics = metrics,
				    .port_fd = port_fd,
				    .wake_fd = wake_fd};
	u->ring = ring;
	err = uring_set_nonblocking(events->fd);
	if (!err)
		err = uring_set_nonblocking(wake_fd);
	if (!err)
		err = io_uring_register_files(ring, files, FILES);
	if (!err)
		err = uring_enable(ring);
	if (err) {
		free(u);
		errno = -err;
		return NULL;
	}
	return &u->waiter;
}
