/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fault sweeps: each map, copy, segment, bind, notification, port call and
 * allocation of a vif's whole life is made to fail in turn. Nothing may leak, and
 * the next vif on the same guest must work.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

static const struct net_rig_options options = {.features = RIG_FEATURES | VIF_CTRL_RING,
					       .live_flags = VIF_CARRIER,
					       .nr_queues = 2};
static uint8_t frame[RIG_PACKET], got[RIG_PACKET];

/* ---- what the vif takes from the C library fails too (linked with --wrap) ---- */

static uint64_t alloc_calls, alloc_fail_at;

static bool alloc_fails(void)
{
	return ++alloc_calls == alloc_fail_at;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	if (!alloc_fails())
		return __real_calloc(n, size);
	errno = ENOMEM;
	return NULL;
}

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	if (!alloc_fails())
		return __real_mmap(addr, len, prot, flags, fd, off);
	errno = ENOMEM;
	return MAP_FAILED;
}

int __real_eventfd(unsigned int count, int flags);
int __wrap_eventfd(unsigned int count, int flags);
int __wrap_eventfd(unsigned int count, int flags)
{
	if (!alloc_fails())
		return __real_eventfd(count, flags);
	errno = EMFILE;
	return -1;
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *),
			  void *arg)
{
	return alloc_fails() ? EAGAIN : __real_pthread_create(t, a, f, arg);
}

/* ---- a vif's life ---- */

static void inject(struct net_rig *r, uint32_t queue, uint32_t len)
{
	static const struct virtio_net_hdr_v1 hdr;

	frame[0] = 0;
	frame[12] = 0x88;
	CU_ASSERT_EQUAL(port_loop_inject(r->q[queue].port, &hdr, frame, len), 0);
}

/* Packets both ways on both queues and a key for the hash. */
static void traffic(struct net_rig *r)
{
	struct net_rig_send s = {.frame = frame, .len = 9000};
	struct xen_netif_ctrl_request key = {.type = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY,
					     .data = {r->ctrl_gref, 40, 0}};
	struct virtio_net_hdr_v1 hdr;
	uint32_t i;

	memcpy(ring_front_produce(&r->ctrl), &key, sizeof(key));
	if (ring_front_push(&r->ctrl))
		loopback_port_notify(r->lb, r->ctrl_port);
	for (i = 0; i < 2; i++) {
		net_rig_post(r, i, 20);
		net_rig_send(r, i, &s);
		s.len = 200;
		net_rig_send(r, i, &s);
		inject(r, i, 6000);
		inject(r, i, 100);
	}
	net_rig_run(r);
	for (i = 0; i < 2; i++)
		while (port_loop_take(r->q[i].port, &hdr, got, sizeof(got)) >= 0)
			;
}

/* After whatever happened: everything the guest sent was answered, one way or another. */
static void check_answers(struct net_rig *r)
{
	struct netif_rx_packet pk;
	enum netif_error error;
	uint32_t i, len;

	for (i = 0; i < 2; i++) {
		net_rig_tx_count(r, i, NETIF_RSP_OKAY);
		if (!r->broken)
			CU_ASSERT_EQUAL(ring_front_outstanding(&r->q[i].tx), 0);
		while (net_rig_receive(r, i, got, &pk, &len, &error))
			CU_ASSERT_FALSE(netif_error_fatal(error));
	}
}

/* Connect, traffic, disconnect with a fault armed; then all of it without one. */
static uint32_t life(struct net_rig *r)
{
	if (!net_rig_connect(r, &options)) {
		traffic(r);
		check_answers(r);
	}
	return net_rig_disconnect(r);
}

static void sweep_transport(enum loopback_fault what, int err, uint32_t leaves)
{
	struct net_rig *r = net_rig_new(&options);
	uint64_t n, i, before = loopback_calls(r->lb, what);

	CU_ASSERT_EQUAL(life(r), 0);
	n = loopback_calls(r->lb, what) - before;
	CU_ASSERT_TRUE(n > 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
	for (i = 1; i <= n; i++) {
		r = net_rig_new(&options);
		loopback_fail(r->lb, what, i, err);
		CU_ASSERT_EQUAL(life(r), leaves);
		loopback_fail(r->lb, what, 0, 0);
		if (!leaves) {
			CU_ASSERT_EQUAL(life(r), 0);
		}
		CU_ASSERT_EQUAL(net_rig_close(r), leaves);
	}
}

static void test_map(void)
{
	sweep_transport(LOOPBACK_MAP, EINVAL, 0);
}

/* A page that cannot be unmapped is the only thing left. */
static void test_unmap(void)
{
	sweep_transport(LOOPBACK_UNMAP, EINVAL, 1);
}

static void test_copy(void)
{
	sweep_transport(LOOPBACK_COPY, EFAULT, 0);
}

static void test_segment(void)
{
	sweep_transport(LOOPBACK_COPY_SEGMENT, GNTST_bad_page, 0);
}

static void test_bind(void)
{
	sweep_transport(LOOPBACK_BIND, ENOSPC, 0);
}

static void test_notify(void)
{
	sweep_transport(LOOPBACK_NOTIFY, EINVAL, 0);
}

/* Ports fail: once, and for good. */
static void sweep_port(enum port_loop_fault what, uint64_t times, int err)
{
	uint64_t i;

	for (i = 1; i <= 8; i++) {
		struct net_rig *r = net_rig_new(&options);

		CU_ASSERT_EQUAL_FATAL(net_rig_connect(r, &options), 0);
		port_loop_fail(r->q[0].port, what, i, times, err);
		traffic(r);
		check_answers(r);
		CU_ASSERT_EQUAL(net_rig_disconnect(r), 0);
		CU_ASSERT_EQUAL(life(r), 0);
		CU_ASSERT_EQUAL(net_rig_close(r), 0);
	}
}

static void test_port(void)
{
	sweep_port(PORT_LOOP_SEND, 1, EIO);
	sweep_port(PORT_LOOP_SEND, 1, EAGAIN);
	sweep_port(PORT_LOOP_SEND, 3, ENOBUFS);
	sweep_port(PORT_LOOP_SEND, 1000000, EIO);
	sweep_port(PORT_LOOP_RECEIVE, 1, EIO);
	sweep_port(PORT_LOOP_RECEIVE, 1000000, EBADFD);
}

static void test_offload(void)
{
	struct net_rig_options o = options;
	struct net_rig *r = net_rig_new(&options);

	o.port = port_loop_open();
	port_loop_fail(o.port, PORT_LOOP_OFFLOAD, 1, 1, EINVAL);
	CU_ASSERT_EQUAL(net_rig_connect(r, &o), -EINVAL);
	CU_ASSERT_EQUAL(net_rig_disconnect(r), 0);
	CU_ASSERT_EQUAL(life(r), 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

static void sweep_allocations(bool threads, bool uring)
{
	struct net_rig_options o = options;
	struct net_rig *r;
	uint64_t n, i;

	o.threads = threads;
	o.uring = uring;
	r = net_rig_new(&o);
	o.port = port_loop_open();
	alloc_calls = 0;
	CU_ASSERT_EQUAL(net_rig_connect(r, &o), 0);
	n = alloc_calls;
	CU_ASSERT_TRUE(n > 10);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
	for (i = 1; i <= n; i++) {
		int err;

		r = net_rig_new(&o);
		o.port = port_loop_open();
		net_rig_prepare(r, &o);
		alloc_calls = 0;
		alloc_fail_at = i;
		err = net_rig_connect(r, &o);
		alloc_fail_at = 0;
		/* without memory for an io_uring it sleeps in ppoll() */
		CU_ASSERT_TRUE(alloc_calls < i || err < 0 || uring);
		CU_ASSERT_EQUAL(net_rig_disconnect(r), 0);
		CU_ASSERT_EQUAL(life(r), 0);
		CU_ASSERT_EQUAL(net_rig_close(r), 0);
	}
}

static void test_allocations(void)
{
	sweep_allocations(false, false);
}

static void test_allocations_threads(void)
{
	sweep_allocations(true, false);
	sweep_allocations(true, true);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"map", test_map},
		{"unmap", test_unmap},
		{"copy", test_copy},
		{"a segment of a copy", test_segment},
		{"bind", test_bind},
		{"notify", test_notify},
		{"port", test_port},
		{"offload", test_offload},
		{"allocations", test_allocations},
		{"allocations and threads", test_allocations_threads},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_faults", tests);
}
