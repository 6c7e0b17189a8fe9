/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue on a thread of its own, and a front end that sleeps as a guest does: no
 * wake-up is lost at either end, and an idle queue stays asleep.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/vbd_main.h"
#include "tests/unit/vbd_rig.h"
#include "tests/unit/xorshift.h"

#define SIZE (1u << 20)

static int image(uint64_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0 && !ftruncate(fd, (off_t)size));
	return fd;
}

static uint64_t seed = 0x1234567;
static uint64_t below(uint64_t n)
{
	return xorshift(&seed) % n;
}

struct sleeper {
	struct rig *r;
	atomic_int up; /* 1: opened, -1: failed */
	bool clean;
};

static void *sleeper_main(void *arg)
{
	struct sleeper *s = arg;

	if (!rig_open_queue(s->r)) {
		atomic_store(&s->up, -1);
		return NULL;
	}
	atomic_store(&s->up, 1);
	vbd_queue_run(s->r->queue);
	s->clean = rig_close_queue(s->r);
	return NULL;
}

/* Wait for @n more responses as a guest does: look, ask, look again, sleep. */
static bool await(struct rig *r, uint32_t n)
{
	struct pollfd p = {loopback_port_fd(r->lb, r->port), POLLIN, 0};
	uint64_t count;

	while (n) {
		int32_t got = ring_front_final_check(&r->ring, 1);

		if (got < 0)
			return false;
		if (!got) {
			if (poll(&p, 1, 10000) != 1)
				return false; /* the event was lost */
			if (read(p.fd, &count, sizeof(count)) < 0)
				return false;
			continue;
		}
		rig_poll(r);
		r->nr_rsp = 0;
		n -= (uint32_t)got;
	}
	return true;
}

static void wake_ups(struct engine *(*engine)(const struct engine_setup *),
		     bool persistent)
{
	struct rig_options o = {.fd = image(SIZE),
				.size = SIZE,
				.engine_open = engine,
				.persistent = persistent};
	static struct rig r;
	struct sleeper s = {.r = &r};
	uint64_t one = 1;
	struct blkif_req req;
	bool ok = true;
	pthread_t t;

	rig_prepare(&r, &o);
	CU_ASSERT_FATAL(!pthread_create(&t, NULL, sleeper_main, &s));
	while (!atomic_load(&s.up))
		usleep(100);
	CU_ASSERT_EQUAL_FATAL(atomic_load(&s.up), 1);
	for (int round = 0; ok && round < 400; round++) {
		uint32_t n = 1 + (uint32_t)below(8);

		for (uint32_t i = 0; i < n; i++) {
			rig_request(&r, &req, i & 1 ? BLKIF_OP_WRITE : BLKIF_OP_READ, i,
				    8 * i, i, 1);
			rig_put(&r, &req);
			if (below(2))
				rig_push(&r);
		}
		rig_push(&r);
		ok = await(&r, n);
		if (below(4) == 0)
			usleep((useconds_t)below(300));
	}
	CU_ASSERT(ok);
	/* stopped while work is under way */
	for (uint32_t i = 0; i < 8; i++) {
		rig_request(&r, &req, BLKIF_OP_READ, i, 8 * i, i, 1);
		rig_put(&r, &req);
	}
	rig_push(&r);
	atomic_store(&r.stop, true);
	CU_ASSERT_EQUAL(write(r.wake_fd, &one, sizeof(one)), sizeof(one));
	pthread_join(t, NULL);
	CU_ASSERT(s.clean);
	r.queue = NULL;
	CU_ASSERT(rig_close(&r));
	close(o.fd);
}

static void test_wake_ups_uring(void)
{
	wake_ups(engine_uring_open, true);
	wake_ups(engine_uring_open, false);
}

static void test_wake_ups_aio(void)
{
	wake_ups(engine_aio_open, false);
}

static void test_wake_ups_null(void)
{
	wake_ups(engine_null_open, true);
}

/* An idle queue makes no system call but the one it sleeps in. */
static void test_idle(void)
{
	struct rig_options o = {.size = SIZE};
	static struct rig r;
	struct sleeper s = {.r = &r};
	uint64_t one = 1, before;
	pthread_t t;

	rig_prepare(&r, &o);
	CU_ASSERT_FATAL(!pthread_create(&t, NULL, sleeper_main, &s));
	while (!atomic_load(&s.up))
		usleep(100);
	usleep(50000);
	before = rig_metric(&r, METRIC_SYSCALLS);
	usleep(100000);
	CU_ASSERT_EQUAL(rig_metric(&r, METRIC_SYSCALLS), before);
	atomic_store(&r.stop, true);
	CU_ASSERT_EQUAL(write(r.wake_fd, &one, sizeof(one)), sizeof(one));
	pthread_join(t, NULL);
	r.queue = NULL;
	CU_ASSERT(rig_close(&r));
}

static const CU_TestInfo tests[] = {
	{"no wake-up is lost, io_uring", test_wake_ups_uring},
	{"no wake-up is lost, libaio", test_wake_ups_aio},
	{"no wake-up is lost, null", test_wake_ups_null},
	{"an idle queue sleeps", test_idle},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("vbd_sleep", tests)
