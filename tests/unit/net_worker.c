/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vif as a worker's device class: messages with wrong sizes, numbers and
 * descriptors, who closes what, packets through a vif attached that way.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

/* ---- the worker around it ---- */

struct worker {
	struct net_rig *rig;
	atomic_int broken;
	char text[256];
};

struct grants *worker_grants(struct worker *w)
{
	return loopback_grants(w->rig->lb);
}

void worker_broken(struct worker *w, uint32_t devid, const char *fmt, ...)
{
	va_list ap;

	CU_ASSERT_EQUAL(devid, 3);
	va_start(ap, fmt);
	vsnprintf(w->text, sizeof(w->text), fmt, ap);
	va_end(ap);
	atomic_fetch_add(&w->broken, 1);
}

static struct loopback *events_of;
static unsigned int events_left; /* so many succeed */

struct grants *grants_open_xen_pools(uint32_t domid)
{
	(void)domid;
	return NULL;
}

struct events *events_fdopen_xen(int fd, uint32_t domid)
{
	CU_ASSERT_EQUAL(domid, LOOPBACK_DOMID);
	CU_ASSERT_EQUAL(close(fd), 0);
	if (events_left--)
		return loopback_events(events_of);
	errno = EMFILE;
	return NULL;
}

/* ---- messages ---- */

static const struct net_rig_options options = {
	.features = RIG_FEATURES, .live_flags = VIF_CARRIER, .nr_queues = 2};

static unsigned int open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned int n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* A message and its descriptors; the packet sockets' other ends are in @wire. */
static void make_message(struct net_rig *r, struct vif_attach *a, int *fds, int *wire)
{
	uint32_t i;

	*a = (struct vif_attach){.version = VIF_PROTO_VERSION,
				 .domid = LOOPBACK_DOMID,
				 .nr_queues = 2,
				 .features = RIG_FEATURES,
				 .port_kind = VIF_PORT_PACKET,
				 .live.flags = VIF_CARRIER};
	for (i = 0; i < 2; i++) {
		int pair[2];

		a->queue[i] = (struct vif_queue_attach){r->q[i].tx_ref, r->q[i].rx_ref,
							r->q[i].tx_port, r->q[i].rx_port};
		fds[i] = dup(0);
		CU_ASSERT_EQUAL_FATAL(
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
		fds[2 + i] = pair[0];
		wire[i] = pair[1];
	}
}

static void close_wire(const int *wire)
{
	close(wire[0]);
	close(wire[1]);
}

static void test_attach(void)
{
	struct worker w = {.rig = net_rig_new(&options)};
	struct net_rig *r = w.rig;
	struct net_rig_send s = {.len = 100};
	struct vif_update u = {.version = VIF_PROTO_VERSION, .live.flags = VIF_CARRIER};
	struct worker_device *dev = NULL;
	struct vif_attach a;
	struct loopback_audit audit;
	uint8_t frame[100] = {0, 1, 2}, got[200];
	int fds[4], wire[2];
	unsigned int before = open_descriptors();

	events_of = r->lb;
	events_left = 2;
	s.frame = frame;
	make_message(r, &a, fds, wire);
	CU_ASSERT_EQUAL_FATAL(vif_class.attach(&w, 3, &a, sizeof(a), fds, 4, r->state,
					       r->state_size, &dev),
			      0);
	CU_ASSERT_EQUAL(net_rig_send(r, 1, &s), 1);
	CU_ASSERT_EQUAL(poll(&(struct pollfd){wire[1], POLLIN, 0}, 1, 5000), 1);
	CU_ASSERT_EQUAL(recv(wire[1], got, sizeof(got), 0), 110);
	CU_ASSERT_EQUAL(memcmp(got + 10, frame, 100), 0);
	CU_ASSERT_EQUAL(vif_class.update(dev, &u, sizeof(u), NULL, 0), 0);
	CU_ASSERT_EQUAL(vif_class.update(dev, &u, sizeof(u) - 1, NULL, 0), -EINVAL);
	fds[0] = dup(0); /* nobody asked for it: closed */
	u.live.flags = 0xff;
	CU_ASSERT_EQUAL(vif_class.update(dev, &u, sizeof(u), fds, 1), -EINVAL);
	vif_class.detach(dev);
	loopback_audit(r->lb, &audit);
	CU_ASSERT_EQUAL(audit.mapped_pages + audit.bound_ports + audit.open_sets, 0);
	close_wire(wire);
	CU_ASSERT_EQUAL(open_descriptors(), before);
	CU_ASSERT_EQUAL(w.broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void test_broken(void)
{
	struct worker w = {.rig = net_rig_new(&options)};
	struct net_rig *r = w.rig;
	struct worker_device *dev = NULL;
	struct vif_attach a;
	int fds[4], wire[2];
	uint64_t deadline = queue_now() + 10000000000ull;
	uint32_t i;

	events_of = r->lb;
	events_left = 2;
	make_message(r, &a, fds, wire);
	CU_ASSERT_EQUAL_FATAL(vif_class.attach(&w, 3, &a, sizeof(a), fds, 4, r->state,
					       r->state_size, &dev),
			      0);
	for (i = 0; i < 2; i++) {
		r->q[i].tx.shared->req_prod = 5000;
		loopback_port_notify(r->lb, r->q[i].tx_port);
	}
	while (!atomic_load(&w.broken) && queue_now() < deadline)
		sched_yield();
	vif_class.detach(dev);
	CU_ASSERT_EQUAL(w.broken, 1); /* said once for both queues */
	CU_ASSERT_PTR_NOT_NULL(strstr(w.text, "producer index"));
	close_wire(wire);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* Everything that can be wrong with a message: refused, and its descriptors closed. */
static void test_bad_messages(void)
{
	struct worker w = {.rig = net_rig_new(&options)};
	struct net_rig *r = w.rig;
	struct worker_device *dev = NULL;
	struct vif_attach a;
	struct loopback_audit audit;
	unsigned int before = open_descriptors(), i;
	int fds[4], wire[2], err;

	events_of = r->lb;
	for (i = 0; i < 11; i++) {
		size_t size = sizeof(a), state_size = r->state_size;
		unsigned int nfds = 4;

		events_left = i == 7 ? 0 : i == 8 ? 1 : 2;
		make_message(r, &a, fds, wire);
		switch (i) {
		case 0:
			size--;
			break;
		case 1:
			a.version = 0;
			break;
		case 2:
			a.nr_queues = 17;
			break;
		case 3:
			a.nr_queues = 1; /* does not go with four descriptors */
			break;
		case 4:
			close(fds[3]);
			nfds = 3;
			break;
		case 5:
			a.queue[1].tx_ref = 4000;
			break;
		case 6:
			state_size = 100;
			break;
		case 9:
			a.queue[0].rx_port = 200;
			break;
		case 10:
			a.port_kind = VIF_PORT_TAP; /* these sockets are none */
			break;
		}
		err = vif_class.attach(&w, 3, &a, size, fds, nfds, r->state, state_size,
				       &dev);
		CU_ASSERT_TRUE(err < 0);
		close_wire(wire);
		CU_ASSERT_EQUAL(open_descriptors(), before);
		loopback_audit(r->lb, &audit);
		CU_ASSERT_EQUAL(audit.mapped_pages + audit.bound_ports + audit.open_sets,
				0);
	}
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"attach, update, detach", test_attach},
		{"a frontend that breaks the protocol", test_broken},
		{"bad messages", test_bad_messages},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_worker", tests);
}
