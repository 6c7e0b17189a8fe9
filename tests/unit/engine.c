/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The engines: the same I/O does the same with each, they sleep and wake as
 * engine.h says, and io_uring works under the worker's restrictions.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "backends/blkback/engine_common.h"
#include "backends/blkback/engine_polled.h"
#include "backends/common/loopback.h"
#include "backends/common/sandbox.h"
#include "tests/unit/vbd_main.h"

#define SIZE (1u << 20)
#define POOL (1u << 18)

static struct loopback *lb;
static struct metrics_queue metrics;
static struct engine_setup setup;
static struct engine *e;
static struct io_uring worker_ring, polled_ring;
static uint32_t port;
static int local;

/* As worker_get_uring() does. */
static struct io_uring *restricted_ring(struct io_uring *ring, unsigned int flags)
{
	struct io_uring_params p = {.flags = flags};
	int fd = sandbox_uring(64, &p);

	if (fd < 0 || io_uring_queue_mmap(fd, &p, ring))
		return NULL;
	for (unsigned int i = 0; i < p.sq_entries; i++)
		ring->sq.array[i] = i;
	ring->features = p.features;
	return ring;
}

static struct engine *restricted_uring_open(const struct engine_setup *s)
{
	struct engine_setup mine = *s;

	mine.ring = restricted_ring(&worker_ring, IORING_SETUP_COOP_TASKRUN);
	return mine.ring ? engine_uring_open(&mine) : NULL;
}

/* With a second ring, for polled I/O, which a memfd refuses at the first try. */
static struct engine *polled_uring_open(const struct engine_setup *s)
{
	struct engine_setup mine = *s;

	mine.polled_ring = restricted_ring(&polled_ring, IORING_SETUP_IOPOLL);
	return mine.polled_ring ? restricted_uring_open(&mine) : NULL;
}

/* On a device that takes 4 KiB at a time. */
static struct engine *pieces_uring_open(const struct engine_setup *s)
{
	struct engine_setup mine = *s;

	mine.piece = 4096;
	return engine_uring_open(&mine);
}

static struct engine *(*const engines[])(const struct engine_setup *) = {
	engine_uring_open, restricted_uring_open, polled_uring_open,
	pieces_uring_open, engine_aio_open,       engine_null_open};
enum { RESTRICTED = 1, POLLED, REAL = 5 /* with a disk */, NONE = REAL, ENGINES };

static void start(unsigned int which)
{
	memset(&metrics, 0, sizeof(metrics));
	lb = loopback_new(1, 1, 2);
	CU_ASSERT_FATAL(lb != NULL);
	port = loopback_port_alloc(lb);
	setup = (struct engine_setup){
		.fd = memfd_create("image", MFD_CLOEXEC),
		.depth = 8,
		.events = loopback_events(lb),
		.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
		.pool_size = POOL,
		.metrics = &metrics,
	};
	CU_ASSERT_FATAL(!ftruncate(setup.fd, SIZE));
	local = events_bind(setup.events, port);
	e = engines[which](&setup);
	CU_ASSERT_FATAL(e != NULL && local > 0);
}

static void stop(unsigned int which)
{
	e->ops->close(e);
	if (which == RESTRICTED || which == POLLED)
		io_uring_queue_exit(&worker_ring);
	if (which == POLLED)
		io_uring_queue_exit(&polled_ring);
	events_close(setup.events);
	loopback_free(lb);
	munmap(setup.pool, POOL);
	close(setup.fd);
	close(setup.wake_fd);
}

/* Wait until @n are done. */
/* A polled engine's wait() does not wait: what ends this is the time. */
static unsigned int finish(unsigned int n)
{
	time_t until = time(NULL) + 60;
	unsigned int done = 0;
	int ports[4];

	while (done < n && time(NULL) < until) {
		for (struct engine_io *io = e->ops->reap(e); io; io = io->next)
			done++;
		if (done < n)
			e->ops->wait(e, NULL, 0, ports, 4, 100000000);
	}
	return done;
}

static int64_t run(struct engine_io *io)
{
	CU_ASSERT_EQUAL_FATAL(e->ops->submit(e, io), 0);
	CU_ASSERT_EQUAL(e->inflight, 1);
	CU_ASSERT_EQUAL_FATAL(finish(1), 1);
	CU_ASSERT_EQUAL(e->inflight, 0);
	return io->result;
}

static struct engine_io rw(enum engine_op op, uint64_t at, const struct iovec *iov,
			   unsigned int n)
{
	struct engine_io io = {.op = op, .offset = at, .iov = iov, .nr_iov = n};

	for (unsigned int i = 0; i < n; i++)
		io.length += iov[i].iov_len;
	return io;
}

static void test_read_write(void)
{
	for (unsigned int w = 0; w < REAL; w++) {
		char *pool, *other = malloc(3 * 4096);
		struct iovec one, three[3];
		struct engine_io io;

		start(w);
		pool = setup.pool;
		memset(pool, 0x21, 8192);
		one = (struct iovec){pool + 512, 4096};
		io = rw(ENGINE_WRITE, 8192, &one, 1);
		io.pooled = true;
		CU_ASSERT_EQUAL(run(&io), 0);
		for (unsigned int i = 0; i < 3; i++)
			three[i] = (struct iovec){other + 4096 * (2 - i), 1024 * (i + 1)};
		io = rw(ENGINE_READ, 8192 - 2048, three, 3);
		CU_ASSERT_EQUAL(run(&io), 0);
		CU_ASSERT(other[8192] == 0 && other[4096] == 0 &&
			  other[4096 + 1024] == 0x21 && other[0] == 0x21 &&
			  other[3071] == 0x21);
		memset(other, 0x44, 3 * 4096);
		io = rw(ENGINE_WRITE, 0, three, 3);
		io.fua = true;
		CU_ASSERT_EQUAL(run(&io), 0);
		CU_ASSERT_EQUAL(pread(setup.fd, pool, 6145, 0), 6145);
		CU_ASSERT(pool[0] == 0x44 && pool[6143] == 0x44 && pool[6144] != 0x44);
		io = (struct engine_io){.op = ENGINE_FLUSH};
		CU_ASSERT_EQUAL(run(&io), 0);
		io = (struct engine_io){.op = ENGINE_DISCARD, .length = 4096};
		CU_ASSERT_EQUAL(run(&io), 0);
		CU_ASSERT_EQUAL(pread(setup.fd, pool, 6144, 0), 6144);
		CU_ASSERT(pool[0] == 0 && pool[4095] == 0 && pool[4096] == 0x44);
		io = (struct engine_io){.op = ENGINE_SECURE_DISCARD, .length = 4096};
		CU_ASSERT_EQUAL(run(&io), -EOPNOTSUPP);
		stop(w);
		free(other);
	}
}

/* Large ones, whole and in pieces, out of one area and out of uneven elements. */
static void test_large(void)
{
	for (unsigned int w = 0; w < REAL; w++) {
		uint32_t *from, *to = malloc(POOL);
		struct iovec iov[40];
		struct engine_io io;
		size_t at = 0;
		unsigned int n = 0;

		start(w);
		from = setup.pool;
		for (unsigned int i = 0; i < POOL / 4; i++)
			from[i] = i * 2654435761u;
		iov[0] = (struct iovec){from, POOL - 512};
		io = rw(ENGINE_WRITE, 1536, iov, 1);
		io.pooled = true;
		CU_ASSERT_EQUAL(run(&io), 0);
		for (; n < 40; n++) {
			iov[n] = (struct iovec){(char *)to + at, 512 * (1 + n * 7 % 8)};
			at += iov[n].iov_len;
		}
		io = rw(ENGINE_READ, 1536, iov, n);
		CU_ASSERT_EQUAL(run(&io), 0);
		CU_ASSERT(at > 80000 && !memcmp(from, to, at));
		/* and where it ends beyond the image */
		io = rw(ENGINE_READ, SIZE - at + 512, iov, n);
		CU_ASSERT_EQUAL(run(&io), -EIO);
		io = rw(ENGINE_READ, SIZE - at, iov, n);
		CU_ASSERT_EQUAL(run(&io), 0);
		stop(w);
		free(to);
	}
}

/* The image ends in the middle: what is there is read, then it is an error. */
static void test_end_of_image(void)
{
	for (unsigned int w = 0; w < REAL; w++) {
		struct iovec iov[2];
		struct engine_io io;

		start(w);
		memset(setup.pool, 0x66, 8192);
		iov[0] = (struct iovec){setup.pool, 4096};
		iov[1] = (struct iovec){(char *)setup.pool + 4096, 4096};
		io = rw(ENGINE_READ, SIZE - 5120, iov, 2);
		CU_ASSERT_EQUAL(run(&io), -EIO);
		io = rw(ENGINE_READ, SIZE, iov, 1);
		CU_ASSERT_EQUAL(run(&io), -EIO);
		io = rw(ENGINE_READ, SIZE - 8192, iov, 2);
		CU_ASSERT_EQUAL(run(&io), 0);
		stop(w);
	}
}

static void test_depth_and_drain(void)
{
	for (unsigned int w = 0; w < ENGINES; w++) {
		struct engine_io io[9];
		struct iovec iov[9];
		unsigned int n = 0;

		start(w);
		for (unsigned int i = 0; i < 9; i++) {
			iov[i] = (struct iovec){(char *)setup.pool + 4096 * i, 4096};
			io[i] = rw(i & 1 ? ENGINE_READ : ENGINE_WRITE, 4096 * i, &iov[i],
				   1);
			CU_ASSERT_EQUAL(e->ops->submit(e, &io[i]), i < 8 ? 0 : -EAGAIN);
		}
		CU_ASSERT_EQUAL(e->inflight, 8);
		e->ops->drain(e);
		for (struct engine_io *p = e->ops->reap(e); p; p = p->next) {
			CU_ASSERT_EQUAL(p->result, 0);
			n++;
		}
		CU_ASSERT_EQUAL(n, 8);
		CU_ASSERT_EQUAL(e->inflight, 0);
		stop(w);
	}
}

static void test_events(void)
{
	for (unsigned int w = 0; w < ENGINES; w++) {
		int ports[4];

		start(w);
		/* binding fires once */
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, 1000000000), 1);
		CU_ASSERT_EQUAL(ports[0], local);
		/* masked now: an event stays pending until the port is unmasked */
		loopback_port_notify(lb, port);
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, 1000000), 0);
		CU_ASSERT_EQUAL(e->ops->wait(e, &local, 1, ports, 4, 1000000000), 1);
		for (int i = 0; i < 50; i++) {
			CU_ASSERT_EQUAL(e->ops->wait(e, &local, 1, ports, 4, ENGINE_POLL),
					0);
			loopback_port_notify(lb, port);
			CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, ENGINE_SLEEP),
					1);
		}
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, ENGINE_POLL), 0);
		stop(w);
	}
}

static void *wake_later(void *arg)
{
	uint64_t one = 1;

	usleep(3000);
	if (write(*(int *)arg, &one, sizeof(one)) < 0)
		return arg;
	return NULL;
}

static void test_wake(void)
{
	for (unsigned int w = 0; w < ENGINES; w++) {
		pthread_t t;
		void *failed;
		int ports[4];

		start(w);
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, ENGINE_SLEEP), 1);
		for (int i = 0; i < 3; i++) {
			CU_ASSERT_FATAL(
				!pthread_create(&t, NULL, wake_later, &setup.wake_fd));
			CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, ENGINE_SLEEP),
					0);
			pthread_join(t, &failed);
			CU_ASSERT(failed == NULL);
		}
		/* and by nothing but the time */
		CU_ASSERT_EQUAL(e->ops->wait(e, &local, 1, ports, 4, 2000000), 0);
		stop(w);
	}
}

/* A wake-up that comes while the caller is awake, and is seen on the way: it still
 * keeps the next wait from sleeping. */
static void test_wake_while_awake(void)
{
	for (unsigned int w = 0; w < ENGINES; w++) {
		struct engine_io io = {.op = ENGINE_FLUSH};
		uint64_t one = 1;
		int ports[4];

		start(w);
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, ENGINE_SLEEP), 1);
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, 1000000),
				0); /* armed */
		CU_ASSERT_EQUAL(write(setup.wake_fd, &one, sizeof(one)), sizeof(one));
		CU_ASSERT_EQUAL(e->ops->submit(e, &io), 0);
		e->ops->commit(e);
		CU_ASSERT_EQUAL(finish(1), 1);
		/* finish() may have come back from a wait(): then it is told once more */
		CU_ASSERT_EQUAL(write(setup.wake_fd, &one, sizeof(one)), sizeof(one));
		e->ops->reap(e);
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, ENGINE_SLEEP), 0);
		stop(w);
	}
}

/* Sleeping and I/O together: neither is lost. */
static void test_mixed(void)
{
	for (unsigned int w = 0; w < ENGINES; w++) {
		struct iovec iov;
		unsigned int done = 0, events = 0;
		struct engine_io io;
		int ports[4];

		start(w);
		CU_ASSERT_EQUAL(e->ops->wait(e, NULL, 0, ports, 4, ENGINE_SLEEP), 1);
		iov = (struct iovec){setup.pool, 4096};
		for (int round = 0; round < 100; round++) {
			io = rw(ENGINE_READ, 4096, &iov, 1);
			CU_ASSERT_EQUAL(e->ops->submit(e, &io), 0);
			loopback_port_notify(lb, port);
			for (int i = 0; i < 100 && (done <= (unsigned int)round ||
						    events <= (unsigned int)round);
			     i++) {
				events +=
					e->ops->wait(e, &local, 1, ports, 4, 1000000000);
				for (struct engine_io *p = e->ops->reap(e); p;
				     p = p->next)
					done++;
			}
		}
		CU_ASSERT_EQUAL(done, 100);
		CU_ASSERT_EQUAL(events, 100);
		stop(w);
	}
}

/* One system call submits, unmasks and sleeps (io_uring). */
static void test_one_call(void)
{
	struct iovec iov;
	struct engine_io io;
	int ports[4];
	uint64_t before;

	start(0);
	e->ops->wait(e, NULL, 0, ports, 4, ENGINE_SLEEP);
	iov = (struct iovec){setup.pool, 4096};
	io = rw(ENGINE_READ, 0, &iov, 1);
	CU_ASSERT_EQUAL(e->ops->submit(e, &io), 0);
	before = atomic_load(&metrics.value[METRIC_SYSCALLS]);
	e->ops->wait(e, &local, 1, ports, 4, ENGINE_SLEEP);
	CU_ASSERT_EQUAL(atomic_load(&metrics.value[METRIC_SYSCALLS]), before + 1);
	CU_ASSERT(e->ops->reap(e) == &io);
	stop(0);
}

/* After a short transfer the rest is asked for, whatever the vector. */
static void test_rest(void)
{
	char buf[6000];
	struct iovec iov[3] = {{buf, 1000}, {buf + 1000, 2000}, {buf + 3000, 3000}};

	for (unsigned int step = 1; step < 6000; step += 37) {
		struct engine_io io = rw(ENGINE_READ, 0, iov, 3);
		int64_t result = 1;
		uint64_t at = 0;
		bool over = false;

		while (!over) {
			struct iovec one;
			unsigned int n;
			const struct iovec *rest = engine_rest(&io, &one, &n);
			uint64_t there = 0;

			CU_ASSERT_FATAL(n >= 1 && (char *)rest[0].iov_base == buf + at);
			for (unsigned int i = 0; i < n; i++)
				there += rest[i].iov_len;
			there = there < step ? there : step;
			at += there;
			over = engine_progress(&io, (int64_t)there, &result);
		}
		CU_ASSERT(at == 6000 && result == 0);
	}
}

/* How many completions there are once no more come. */
static unsigned int settled(struct io_uring *ring)
{
	unsigned int n = 0, same = 0;

	for (int i = 0; i < 2000 && same < 10; i++) {
		same = n && n == io_uring_cq_ready(ring) ? same + 1 : 0;
		n = io_uring_cq_ready(ring);
		usleep(1000);
	}
	return n;
}

/* More pieces than completions find room for: some go whole, and none is lost. */
static void test_many_pieces(void)
{
	enum { IOS = 16, PART = 16 * 4096 };
	char *from = malloc(IOS * PART), *to = malloc(IOS * PART);
	struct engine_io io[IOS];
	struct iovec iov[IOS];
	struct io_uring ring;
	unsigned int ready;

	CU_ASSERT_EQUAL_FATAL(io_uring_queue_init(64, &ring, IORING_SETUP_R_DISABLED), 0);
	start(0);
	e->ops->close(e);
	setup.ring = &ring;
	setup.piece = 4096;
	setup.depth = IOS;
	e = engine_uring_open(&setup);
	CU_ASSERT_FATAL(e != NULL);
	for (unsigned int i = 0; i < IOS * PART; i++)
		from[i] = (char)(i / 512 * 37);
	CU_ASSERT_EQUAL(pwrite(setup.fd, from, IOS * PART, 0), IOS * PART);
	for (unsigned int round = 0; round < 3; round++) {
		memset(to, 0, IOS * PART);
		for (unsigned int i = 0; i < IOS; i++) {
			iov[i] = (struct iovec){to + i * PART, PART};
			io[i] = rw(ENGINE_READ, i * PART, &iov[i], 1);
			CU_ASSERT_EQUAL_FATAL(e->ops->submit(e, &io[i]), 0);
		}
		e->ops->commit(e);
		ready = settled(&ring);
		CU_ASSERT(ready > IOS && ready < ring.cq.ring_entries);
		CU_ASSERT(!(IO_URING_READ_ONCE(*ring.sq.kflags) & IORING_SQ_CQ_OVERFLOW));
		CU_ASSERT_EQUAL(finish(IOS), IOS);
		CU_ASSERT(!memcmp(from, to, IOS * PART));
	}
	stop(0);
	io_uring_queue_exit(&ring);
	free(from);
	free(to);
}

static void test_retries_end(void)
{
	char buf[512];
	struct iovec iov = {buf, 512};
	struct engine_io io = rw(ENGINE_READ, 0, &iov, 1);
	int64_t result;
	int n = 1;

	while (!engine_progress(&io, -EAGAIN, &result) && n < 10000)
		n++;
	CU_ASSERT(n < 10000 && result == -EAGAIN);
	CU_ASSERT(engine_progress(&io, -ENOSPC, &result) && result == -ENOSPC);
}

static void test_skips_data(void)
{
	struct iovec iov;
	struct engine_io io;

	start(NONE);
	CU_ASSERT(e->moves_data);
	iov = (struct iovec){setup.pool, 4096};
	memset(setup.pool, 0x11, 4096);
	io = rw(ENGINE_READ, 0, &iov, 1);
	CU_ASSERT_EQUAL(run(&io), 0);
	CU_ASSERT_EQUAL(*(char *)setup.pool, 0);
	e->ops->close(e);
	setup.null_skips_data = true;
	e = engine_null_open(&setup);
	CU_ASSERT_FATAL(e && !e->moves_data);
	memset(setup.pool, 0x11, 4096);
	io = rw(ENGINE_READ, 0, &iov, 1);
	CU_ASSERT_EQUAL(run(&io), 0);
	CU_ASSERT_EQUAL(*(char *)setup.pool, 0x11);
	stop(NONE);
}

/*
 * Polled I/O where the file system can: in a file, opened O_DIRECT. Nothing wakes the
 * engine when it completes, and flushes go with it. @piece: see engine_setup.
 */
static void polled_rounds(uint32_t piece)
{
	char name[] = "polled.XXXXXX", *pool;
	struct engine_io io[6], flush = {.op = ENGINE_FLUSH};
	int fd = mkostemp(name, O_DIRECT), before;

	if (fd < 0) /* no direct I/O here */
		return;
	unlink(name);
	CU_ASSERT_FATAL(!ftruncate(fd, SIZE));
	start(NONE); /* for the rest of `setup` */
	e->ops->close(e);
	before = setup.fd;
	setup.fd = fd;
	setup.piece = piece;
	e = polled_uring_open(&setup);
	CU_ASSERT_FATAL(e != NULL);
	pool = setup.pool;
	for (unsigned int round = 0; round < 20; round++) {
		struct iovec iov[6];

		for (unsigned int i = 0; i < 6; i++) {
			iov[i] = (struct iovec){pool + i * 8192, 8192};
			memset(iov[i].iov_base, (int)(round + i), 8192);
			io[i] = rw(ENGINE_WRITE, i * 8192, &iov[i], 1);
			io[i].pooled = true;
			io[i].fua = i == 3;
			CU_ASSERT_EQUAL_FATAL(e->ops->submit(e, &io[i]), 0);
		}
		CU_ASSERT_EQUAL_FATAL(e->ops->submit(e, &flush), 0);
		CU_ASSERT_EQUAL_FATAL(finish(7), 7);
		for (unsigned int i = 0; i < 6; i++) {
			CU_ASSERT_EQUAL(io[i].result, 0);
			io[i].op = ENGINE_READ;
			iov[i].iov_base = pool + 65536 + i * 8192;
			io[i].fua = false;
			CU_ASSERT_EQUAL_FATAL(e->ops->submit(e, &io[i]), 0);
		}
		if (round & 1) {
			e->ops->drain(e);
			CU_ASSERT(e->ops->reap(e) != NULL);
		} else {
			CU_ASSERT_EQUAL_FATAL(finish(6), 6);
		}
		CU_ASSERT_EQUAL(e->inflight, 0);
		CU_ASSERT(!e->polling);
		for (unsigned int i = 0; i < 6; i++) {
			CU_ASSERT_EQUAL(io[i].result, 0);
			CU_ASSERT(!memcmp(pool + i * 8192, iov[i].iov_base, 8192));
		}
	}
	setup.fd = before;
	stop(POLLED);
	close(fd);
}

static void test_polled(void)
{
	polled_rounds(0);
	polled_rounds(4096);
}

/* A device that is looked at in vain is left alone, longer each time. */
static void test_patience(void)
{
	struct io_uring ring;
	struct polled p = {.ring = &ring};
	unsigned int rest = 0;

	CU_ASSERT_FATAL(!io_uring_queue_init(8, &ring, 0));
	for (unsigned int round = 0; round < 40; round++) {
		unsigned int others = 0;

		while (!polled_wanted(&p))
			others++;
		CU_ASSERT_EQUAL(others, rest);
		rest = rest ? 2 * rest : POLLED_REST_FIRST;
		if (rest > POLLED_REST_MOST)
			rest = POLLED_REST_MOST;
		p.inflight = 2;
		for (unsigned int i = 0; i < POLLED_PATIENCE; i++) {
			CU_ASSERT(!p.slow);
			polled_look(&p);
		}
		CU_ASSERT(p.slow && !polled_wanted(&p));
		polled_done(&p);
		CU_ASSERT(p.slow);
		polled_done(&p);
		CU_ASSERT(!p.slow);
	}
	/* and one that was quick is asked as before */
	while (!polled_wanted(&p))
		;
	p.inflight = 1;
	io_uring_prep_nop(io_uring_get_sqe(&ring));
	polled_look(&p);
	CU_ASSERT_EQUAL(p.next_rest, 0);
	CU_ASSERT(polled_wanted(&p));
	io_uring_queue_exit(&ring);
}

static void test_cannot_open(void)
{
	struct engine_setup s = {
		.fd = -1, .depth = 8, .wake_fd = -1, .metrics = &metrics};
	struct engine *x = engine_uring_open(&s);

	/* no image: registered as an empty slot, and I/O to it fails */
	if (x) {
		char buf[512];
		struct iovec iov = {buf, 512};
		struct engine_io io = rw(ENGINE_READ, 0, &iov, 1);

		CU_ASSERT_EQUAL(x->ops->submit(x, &io), 0);
		x->ops->drain(x);
		CU_ASSERT(x->ops->reap(x) == &io && io.result == -EBADF);
		x->ops->close(x);
	}
	s.depth = 0;
	CU_ASSERT(engine_aio_open(&s) == NULL);
}

static const CU_TestInfo tests[] = {
	{"reads, writes, flush, discard", test_read_write},
	{"large ones, and in pieces", test_large},
	{"the end of the image", test_end_of_image},
	{"depth, and drain", test_depth_and_drain},
	{"events, masked and unmasked", test_events},
	{"the wake descriptor, and the time", test_wake},
	{"a wake-up that is seen on the way", test_wake_while_awake},
	{"I/O and events together", test_mixed},
	{"one system call a batch", test_one_call},
	{"the rest after a short transfer", test_rest},
	{"pieces, and room for completions", test_many_pieces},
	{"retries come to an end", test_retries_end},
	{"null, with and without data", test_skips_data},
	{"polled I/O", test_polled},
	{"a device not worth polling", test_patience},
	{"an engine that cannot be opened", test_cannot_open},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("engine", tests)
