/* SPDX-License-Identifier: GPL-2.0-only */
/* Both ways for a queue to sleep: the same things wake both, and nothing else does. */
#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

struct bed {
	struct loopback *lb;
	struct events *events;
	struct port *port;
	struct waiter *w;
	struct io_uring ring;
	struct metrics_queue metrics;
	uint32_t remote[3];
	int local[3], wake_fd;
	bool uring;
};

static struct bed *bed_open(bool uring)
{
	struct bed *b = calloc(1, sizeof(*b));
	int i;

	CU_ASSERT_PTR_NOT_NULL_FATAL(b);
	b->uring = uring;
	b->lb = loopback_new(1, 1, 3);
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->lb);
	b->events = loopback_events(b->lb);
	b->port = port_loop_open();
	b->wake_fd = eventfd(0, EFD_CLOEXEC);
	for (i = 0; i < 3; i++) {
		b->remote[i] = loopback_port_alloc(b->lb);
		b->local[i] = events_bind(b->events, b->remote[i]);
	}
	if (uring) {
		CU_ASSERT_EQUAL_FATAL(
			io_uring_queue_init(16, &b->ring, IORING_SETUP_R_DISABLED), 0);
		b->w = waiter_uring_open(&b->ring, b->events, b->port->fd, b->wake_fd,
					 &b->metrics);
	} else {
		b->w = waiter_poll_open(b->events, b->port->fd, b->wake_fd, &b->metrics);
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(b->w);
	/* each port fires once when it is bound */
	CU_ASSERT_EQUAL(waiter_wait(b->w, 0, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(b->w->nr_fired, 3);
	return b;
}

static void bed_close(struct bed *b)
{
	waiter_close(b->w);
	if (b->uring)
		io_uring_queue_exit(&b->ring);
	events_close(b->events);
	port_close(b->port);
	close(b->wake_fd);
	loopback_free(b->lb);
	free(b);
}

static void wake(struct bed *b)
{
	uint64_t one = 1;

	CU_ASSERT_EQUAL(write(b->wake_fd, &one, sizeof(one)), sizeof(one));
}

static void inject(struct bed *b)
{
	static const struct virtio_net_hdr_v1 hdr;

	CU_ASSERT_EQUAL(port_loop_inject(b->port, &hdr, "01234567890123", 14), 0);
}

static void check_events(bool uring)
{
	struct bed *b = bed_open(uring);
	int i;

	/* unmasked by the wait, and nothing there: the time passes */
	CU_ASSERT_EQUAL(waiter_wait(b->w, 0, 1000000), 0);
	CU_ASSERT_EQUAL(b->w->nr_fired, 0);
	for (i = 0; i < 3; i++) {
		loopback_port_notify(b->lb, b->remote[i]);
		CU_ASSERT_EQUAL(waiter_wait(b->w, 0, UINT64_MAX), 0);
		CU_ASSERT_EQUAL(b->w->nr_fired, 1);
		CU_ASSERT_EQUAL(b->w->fired[0], b->local[i]);
	}
	/* one that comes while its port is masked fires once it is not */
	loopback_port_notify(b->lb, b->remote[2]);
	CU_ASSERT_EQUAL(waiter_wait(b->w, 0, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(b->w->nr_fired, 1);
	CU_ASSERT_EQUAL(b->w->fired[0], b->local[2]);
	/* all of them at once */
	waiter_wait(b->w, 0, 0);
	for (i = 0; i < 3; i++)
		loopback_port_notify(b->lb, b->remote[i]);
	for (i = 0; i < 3 && b->w->nr_fired < 3; i++)
		waiter_parse(b->w, "01234567", 8);
	waiter_wait(b->w, 0, 0);
	CU_ASSERT_TRUE(b->metrics.value[METRIC_EVENTS_IN] >= 10);
	bed_close(b);
}

static void check_wake(bool uring)
{
	struct bed *b = bed_open(uring);
	int i;

	waiter_wait(b->w, 0, 0);
	for (i = 0; i < 5; i++) {
		wake(b);
		wake(b);
		CU_ASSERT_EQUAL(waiter_wait(b->w, 0, UINT64_MAX), 0);
		CU_ASSERT_EQUAL(b->w->nr_fired, 0);
	}
	bed_close(b);
}

static void check_port(bool uring)
{
	struct bed *b = bed_open(uring);
	struct virtio_net_hdr_v1 hdr;
	uint8_t frame[64];
	struct iovec iov[2] = {{&hdr, sizeof(hdr)}, {frame, sizeof(frame)}};
	int i;

	waiter_wait(b->w, 0, 0);
	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(waiter_wait(b->w, WAIT_READABLE, 1000000), 0);
		inject(b);
		/* not wanted, not awaited: at most one left-over of an earlier wish */
		waiter_wait(b->w, 0, 1000000);
		CU_ASSERT_EQUAL(waiter_wait(b->w, 0, 1000000), 0);
		CU_ASSERT_EQUAL(waiter_wait(b->w, WAIT_READABLE, UINT64_MAX),
				WAIT_READABLE);
		CU_ASSERT_EQUAL(port_receive(b->port, iov, 2), 26);
	}
	CU_ASSERT_EQUAL(waiter_wait(b->w, WAIT_WRITABLE, UINT64_MAX), WAIT_WRITABLE);
	CU_ASSERT_EQUAL(waiter_wait(b->w, WAIT_READABLE | WAIT_WRITABLE, UINT64_MAX),
			WAIT_WRITABLE);
	bed_close(b);
}

static void check_time(bool uring)
{
	struct bed *b = bed_open(uring);
	uint64_t start;

	waiter_wait(b->w, 0, 0);
	start = queue_now();
	CU_ASSERT_EQUAL(waiter_wait(b->w, WAIT_READABLE, 5000000), 0);
	CU_ASSERT_TRUE(queue_now() - start >= 5000000);
	CU_ASSERT_EQUAL(b->w->nr_fired, 0);
	bed_close(b);
}

/* ---- unmasking by a write, as /dev/xen/evtchn has it: all ports in one ---- */

static unsigned int paper_parse(struct events *e, const void *data, unsigned int len,
				int *ports, unsigned int max)
{
	unsigned int n = len / 4 < max ? len / 4 : max;

	(void)e;
	memcpy(ports, data, n * 4);
	return n;
}

static void test_unmask_uring(void)
{
	static const struct events_ops ops = {.parse = paper_parse, .unmask_size = 4};
	static const uint32_t two[2] = {11, 12};
	struct metrics_queue *metrics = calloc(1, sizeof(*metrics));
	struct events events = {.ops = &ops};
	int pair[2], wake_fd = eventfd(0, EFD_CLOEXEC), i;
	struct io_uring ring;
	struct waiter *w;
	uint32_t got[4];

	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	CU_ASSERT_EQUAL_FATAL(io_uring_queue_init(16, &ring, IORING_SETUP_R_DISABLED), 0);
	events.fd = pair[0];
	w = waiter_uring_open(&ring, &events, wake_fd, wake_fd, metrics);
	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(send(pair[1], two, sizeof(two), 0), sizeof(two));
		CU_ASSERT_EQUAL(waiter_wait(w, 0, UINT64_MAX), 0);
		CU_ASSERT_EQUAL(w->nr_fired, 2);
		CU_ASSERT_EQUAL(waiter_wait(w, 0, 1000000), 0);
		CU_ASSERT_EQUAL(w->nr_fired, 0);
		CU_ASSERT_EQUAL(recv(pair[1], got, sizeof(got), MSG_DONTWAIT),
				sizeof(two));
		CU_ASSERT_EQUAL(memcmp(got, two, sizeof(two)), 0);
	}
	/* nothing but system calls to sleep: reading and unmasking cost none */
	CU_ASSERT_EQUAL(metrics->value[METRIC_SYSCALLS], 6);
	waiter_close(w);
	io_uring_queue_exit(&ring);
	close(wake_fd);
	close(pair[0]);
	close(pair[1]);
	free(metrics);
}

#define BOTH(name)                                                                       \
	static void test_##name##_poll(void)                                             \
	{                                                                                \
		check_##name(false);                                                     \
	}                                                                                \
	static void test_##name##_uring(void)                                            \
	{                                                                                \
		check_##name(true);                                                      \
	}
BOTH(events)
BOTH(wake)
BOTH(port)
BOTH(time)

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"ppoll: events", test_events_poll},
		{"ppoll: the main thread calls", test_wake_poll},
		{"ppoll: the port", test_port_poll},
		{"ppoll: time", test_time_poll},
		{"io_uring: events", test_events_uring},
		{"io_uring: the main thread calls", test_wake_uring},
		{"io_uring: the port", test_port_uring},
		{"io_uring: time", test_time_uring},
		{"io_uring: unmasking", test_unmask_uring},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_waiter", tests);
}
