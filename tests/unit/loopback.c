/* SPDX-License-Identifier: GPL-2.0-only */
/* The loopback transport behaves as Xen does, between threads and processes. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/common/loopback.h"
#include "tests/unit/suite.h"

#define RW (PROT_READ | PROT_WRITE)

static bool readable(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

/* The ports that have fired, without waiting. */
static unsigned int fired(struct events *e, int *ports, unsigned int max)
{
	char buf[EVENTS_READ_SIZE];
	ssize_t n = read(e->fd, buf, sizeof(buf));

	return n > 0 ? events_parse(e, buf, (unsigned int)n, ports, max) : 0;
}

static void assert_nothing_held(struct loopback *lb)
{
	struct loopback_audit a;

	loopback_audit(lb, &a);
	CU_ASSERT_EQUAL(a.mapped_pages, 0);
	CU_ASSERT_EQUAL(a.bound_ports, 0);
	CU_ASSERT_EQUAL(a.open_sets, 0);
}

static void test_map(void)
{
	struct loopback *lb = loopback_new(16, 16, 2);
	struct grants *g = loopback_grants(lb);
	struct loopback_audit a;
	uint32_t refs[3];
	char *m;

	/* frames out of order appear side by side */
	refs[0] = loopback_grant(lb, 9, false);
	refs[1] = loopback_grant(lb, 2, false);
	refs[2] = loopback_grant(lb, 5, false);
	CU_ASSERT_TRUE(refs[0] >= 8 && refs[1] >= 8 && refs[2] >= 8);
	strcpy(loopback_frame(lb, 9), "nine");
	strcpy(loopback_frame(lb, 2), "two");
	m = grants_map(g, refs, 3, RW);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_STRING_EQUAL(m, "nine");
	CU_ASSERT_STRING_EQUAL(m + XEN_PAGE_SIZE, "two");
	strcpy(m + 2 * XEN_PAGE_SIZE, "from the back");
	CU_ASSERT_STRING_EQUAL((char *)loopback_frame(lb, 5), "from the back");
	loopback_audit(lb, &a);
	CU_ASSERT_EQUAL(a.mapped_pages, 3);
	CU_ASSERT_EQUAL(loopback_end_access(lb, refs[1]), -EBUSY);
	/* what was not mapped so is not unmapped */
	CU_ASSERT_EQUAL(grants_unmap(g, m, 2), -1);
	CU_ASSERT_EQUAL(grants_unmap(g, m + XEN_PAGE_SIZE, 2), -1);
	CU_ASSERT_EQUAL(grants_unmap(g, m, 3), 0);
	CU_ASSERT_EQUAL(grants_unmap(g, m, 3), -1);
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(loopback_end_access(lb, refs[1]), 0);
	CU_ASSERT_EQUAL(loopback_end_access(lb, refs[1]), -EINVAL);
	assert_nothing_held(lb);
	loopback_free(lb);
}

static void test_map_bad(void)
{
	struct loopback *lb = loopback_new(4, 4, 0);
	struct grants *g = loopback_grants(lb);
	uint32_t rw = loopback_grant(lb, 0, false), ro = loopback_grant(lb, 1, true);
	uint32_t bad[] = {0, 7, 8 + 4, UINT32_MAX}, refs[2] = {rw, 0};
	unsigned int i;
	char *m;

	for (i = 0; i < 4; i++) {
		refs[1] = bad[i];
		errno = 0;
		CU_ASSERT_PTR_NULL(grants_map(g, refs, 2, RW));
		CU_ASSERT_EQUAL(errno, EINVAL);
	}
	refs[1] = ro;
	CU_ASSERT_PTR_NULL(grants_map(g, refs, 2, RW));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_PTR_NULL(grants_map(g, refs, 0, RW));
	assert_nothing_held(lb);
	m = grants_map(g, refs, 2, PROT_READ);
	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_EQUAL(grants_unmap(g, m, 2), 0);
	/* nothing of the failed calls is still held */
	CU_ASSERT_EQUAL(loopback_end_access(lb, rw), 0);
	CU_ASSERT_PTR_NULL(grants_map(g, &rw, 1, RW));
	CU_ASSERT_EQUAL(loopback_end_access(lb, ro), 0);
	loopback_free(lb);
}

/* Does touching @p kill the process? */
static bool faults(volatile char *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		(void)*p;
		_exit(0);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status);
}

static void test_map_guarded(void)
{
	struct loopback *lb = loopback_new(4, 4, 0);
	struct grants *g = loopback_grants(lb);
	uint32_t ref = loopback_grant(lb, 1, false);
	char *m = grants_map(g, &ref, 1, PROT_READ);

	CU_ASSERT_PTR_NOT_NULL_FATAL(m);
	CU_ASSERT_FALSE(faults(m));
	CU_ASSERT_TRUE(faults(m - 1));
	CU_ASSERT_TRUE(faults(m + XEN_PAGE_SIZE));
	grants_unmap(g, m, 1);
	loopback_free(lb);
}

static void test_grant_table_full(void)
{
	struct loopback *lb = loopback_new(1, 3, 0);
	uint32_t a = loopback_grant(lb, 0, false), b = loopback_grant(lb, 0, false);
	uint32_t c = loopback_grant(lb, 0, true);

	CU_ASSERT_TRUE(a && b && c && a != b && b != c && a != c);
	CU_ASSERT_EQUAL(loopback_grant(lb, 0, false), 0);
	CU_ASSERT_EQUAL(loopback_end_access(lb, b), 0);
	CU_ASSERT_EQUAL(loopback_grant(lb, 0, false), b);
	loopback_free(lb);
}

static char page[2 * XEN_PAGE_SIZE] __attribute__((aligned(4096)));

static xengnttab_grant_copy_segment_t from_guest(uint32_t ref, unsigned int offset,
						 void *to, unsigned int len)
{
	xengnttab_grant_copy_segment_t s = {
		.len = (uint16_t)len, .flags = GNTCOPY_source_gref, .status = 99};

	s.source.foreign.ref = ref;
	s.source.foreign.offset = (uint16_t)offset;
	s.source.foreign.domid = LOOPBACK_DOMID;
	s.dest.virt = to;
	return s;
}

static xengnttab_grant_copy_segment_t to_guest(uint32_t ref, unsigned int offset,
					       void *from, unsigned int len)
{
	xengnttab_grant_copy_segment_t s = {
		.len = (uint16_t)len, .flags = GNTCOPY_dest_gref, .status = 99};

	s.dest.foreign.ref = ref;
	s.dest.foreign.offset = (uint16_t)offset;
	s.dest.foreign.domid = LOOPBACK_DOMID;
	s.source.virt = from;
	return s;
}

static void test_copy(void)
{
	struct loopback *lb = loopback_new(4, 8, 0);
	struct grants *g = loopback_grants(lb);
	uint32_t rw = loopback_grant(lb, 0, false), ro = loopback_grant(lb, 1, true);
	xengnttab_grant_copy_segment_t s[6];

	memset(loopback_frame(lb, 1), 'g', XEN_PAGE_SIZE);
	memset(page, 'h', sizeof(page));
	s[0] = to_guest(rw, 4000, page + 10, 96);
	s[1] = to_guest(ro, 0, page, 16);
	s[2] = from_guest(ro, 0, page + XEN_PAGE_SIZE, XEN_PAGE_SIZE);
	s[3] = from_guest(7, 0, page, 1);
	s[4] = from_guest(8 + 8, 0, page, 1);
	s[5] = from_guest(rw, 0, page, 1);
	s[5].source.foreign.domid = LOOPBACK_DOMID + 1;
	CU_ASSERT_EQUAL(grants_copy(g, s, 6), 0);
	CU_ASSERT_EQUAL(s[0].status, GNTST_okay);
	CU_ASSERT_EQUAL(s[1].status, GNTST_general_error);
	CU_ASSERT_EQUAL(s[2].status, GNTST_okay);
	CU_ASSERT_EQUAL(s[3].status, GNTST_bad_gntref);
	CU_ASSERT_EQUAL(s[4].status, GNTST_bad_gntref);
	CU_ASSERT_EQUAL(s[5].status, GNTST_bad_domain);
	CU_ASSERT_EQUAL(((char *)loopback_frame(lb, 0))[3999], 0);
	CU_ASSERT_EQUAL(((char *)loopback_frame(lb, 0))[4000], 'h');
	CU_ASSERT_EQUAL(((char *)loopback_frame(lb, 0))[4095], 'h');
	CU_ASSERT_EQUAL(*(char *)loopback_frame(lb, 1), 'g');
	CU_ASSERT_EQUAL(page[XEN_PAGE_SIZE - 1], 'h');
	CU_ASSERT_EQUAL(page[2 * XEN_PAGE_SIZE - 1], 'g');
	/* an ended grant is as bad as none */
	CU_ASSERT_EQUAL(loopback_end_access(lb, rw), 0);
	CU_ASSERT_EQUAL(grants_copy(g, s, 1), 0);
	CU_ASSERT_EQUAL(s[0].status, GNTST_bad_gntref);
	loopback_free(lb);
}

static void test_copy_bad(void)
{
	struct loopback *lb = loopback_new(2, 8, 0);
	struct grants *g = loopback_grants(lb);
	uint32_t ref = loopback_grant(lb, 0, false);
	xengnttab_grant_copy_segment_t s[2], bad[6];
	unsigned int i;

	bad[0] = from_guest(ref, 4000, page, 97);
	bad[1] = to_guest(ref, 4000, page, 97);
	bad[2] = from_guest(ref, 0, page + 1, XEN_PAGE_SIZE);
	bad[3] = from_guest(ref, 65535, page, 65535);
	bad[4] = from_guest(ref, 0, page, 1);
	bad[4].flags = 0;
	bad[5] = from_guest(ref, 0, page, 1);
	bad[5].flags |= GNTCOPY_dest_gref;
	memset(page, 0, sizeof(page));
	memset(loopback_frame(lb, 0), 'x', XEN_PAGE_SIZE);
	for (i = 0; i < 6; i++) {
		s[0] = from_guest(ref, 0, page, 8);
		s[1] = bad[i];
		errno = 0;
		CU_ASSERT_EQUAL(grants_copy(g, s, 2), -1);
		CU_ASSERT_EQUAL(errno, EINVAL);
		CU_ASSERT_EQUAL(page[0], 0);
	}
	loopback_free(lb);
}

static void test_events(void)
{
	struct loopback *lb = loopback_new(1, 1, 4);
	struct events *e = loopback_events(lb);
	uint32_t front = loopback_port_alloc(lb);
	int back, ports[4], fd = loopback_port_fd(lb, front);
	uint64_t count;

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(loopback_port_notify(lb, front), 0); /* lost: nobody there */
	back = events_bind(e, front);
	CU_ASSERT_TRUE(back > 0 && back != (int)front);
	CU_ASSERT_EQUAL(events_bind(e, front), -1);
	CU_ASSERT_EQUAL(events_bind(e, 99), -1);
	CU_ASSERT_EQUAL(events_bind(e, 0), -1);
	/* Xen fires a port once when it is bound */
	CU_ASSERT_EQUAL(fired(e, ports, 4), 1);
	CU_ASSERT_EQUAL(ports[0], back);
	/* masked: an event waits for the unmask, and several are one */
	loopback_port_notify(lb, front);
	loopback_port_notify(lb, front);
	CU_ASSERT_FALSE(readable(e->fd, 0));
	CU_ASSERT_EQUAL(events_unmask(e, back), 0);
	CU_ASSERT_EQUAL(fired(e, ports, 4), 1);
	CU_ASSERT_EQUAL(events_unmask(e, back), 0);
	CU_ASSERT_FALSE(readable(e->fd, 0));
	loopback_port_notify(lb, front);
	CU_ASSERT_EQUAL(fired(e, ports, 4), 1);
	/* the other way */
	CU_ASSERT_FALSE(readable(fd, 0));
	CU_ASSERT_EQUAL(events_notify(e, back), 0);
	CU_ASSERT_TRUE(readable(fd, 0));
	CU_ASSERT_EQUAL(read(fd, &count, sizeof(count)), (ssize_t)sizeof(count));
	CU_ASSERT_EQUAL(count, 1);
	/* a port whose other end is closed takes notifications and does nothing */
	loopback_port_close(lb, front);
	CU_ASSERT_EQUAL(events_notify(e, back), 0);
	CU_ASSERT_EQUAL(loopback_port_notify(lb, front), -EINVAL);
	CU_ASSERT_EQUAL(events_unbind(e, back), 0);
	CU_ASSERT_EQUAL(events_unbind(e, back), -1);
	CU_ASSERT_EQUAL(events_notify(e, back), -1);
	CU_ASSERT_EQUAL(events_unmask(e, back), -1);
	events_close(e);
	assert_nothing_held(lb);
	loopback_free(lb);
}

static void test_rebind(void)
{
	struct loopback *lb = loopback_new(1, 1, 1);
	struct events *e = loopback_events(lb), *f = loopback_events(lb);
	uint32_t front = loopback_port_alloc(lb);
	int back, ports[4];

	CU_ASSERT_EQUAL(loopback_port_alloc(lb), 0);
	back = events_bind(e, front);
	CU_ASSERT_EQUAL(events_unbind(f, back), -1); /* not this set's */
	loopback_port_notify(lb, front);
	events_close(e); /* as a crash: the port is open again for a successor */
	back = events_bind(f, front);
	CU_ASSERT_TRUE(back > 0);
	CU_ASSERT_EQUAL(fired(f, ports, 4), 1);
	/* unbound while it had fired: not reported any more */
	events_unmask(f, back);
	loopback_port_notify(lb, front);
	CU_ASSERT_EQUAL(events_unbind(f, back), 0);
	CU_ASSERT_EQUAL(fired(f, ports, 4), 0);
	loopback_port_close(lb, front);
	CU_ASSERT_EQUAL(loopback_port_alloc(lb), front);
	events_close(f);
	assert_nothing_held(lb);
	loopback_free(lb);
}

static void test_many_ports(void)
{
	struct loopback *lb = loopback_new(1, 1, 80);
	struct events *e = loopback_events(lb);
	bool seen[2048] = {false};
	unsigned int i, n, total = 0;
	int ports[3];

	for (i = 0; i < 80; i++)
		CU_ASSERT_TRUE(events_bind(e, loopback_port_alloc(lb)) > 0);
	/* more have fired than fit: the rest comes with the next read */
	while ((n = fired(e, ports, 3))) {
		total += n;
		while (n--) {
			CU_ASSERT_FALSE(seen[ports[n]]);
			seen[ports[n]] = true;
		}
	}
	CU_ASSERT_EQUAL(total, 80);
	CU_ASSERT_EQUAL(events_parse(e, ports, 4, ports, 3),
			0); /* a short read is none */
	events_close(e);
	loopback_free(lb);
}

/* An armed io_uring READ of the descriptor completes when a port fires. */
static void test_uring(void)
{
	struct loopback *lb = loopback_new(1, 1, 1);
	struct events *e = loopback_events(lb);
	struct __kernel_timespec limit = {.tv_sec = 10};
	struct io_uring_cqe *cqe = NULL;
	struct io_uring_sqe *sqe;
	char buf[EVENTS_READ_SIZE];
	struct io_uring ring;
	uint32_t front = loopback_port_alloc(lb);
	int back, ports[4], err = io_uring_queue_init(4, &ring, 0);

	if (err == -EPERM || err == -ENOSYS) {
		fprintf(stderr, "(no io_uring on this machine) ");
		events_close(e);
		loopback_free(lb);
		return;
	}
	CU_ASSERT_EQUAL_FATAL(err, 0);
	back = events_bind(e, front);
	CU_ASSERT_EQUAL(fired(e, ports, 4), 1);
	events_unmask(e, back);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read(sqe, e->fd, buf, sizeof(buf), 0);
	CU_ASSERT_EQUAL(io_uring_submit(&ring), 1);
	CU_ASSERT_EQUAL(io_uring_peek_cqe(&ring, &cqe), -EAGAIN);
	loopback_port_notify(lb, front);
	CU_ASSERT_EQUAL_FATAL(io_uring_wait_cqe_timeout(&ring, &cqe, &limit), 0);
	CU_ASSERT_EQUAL(events_parse(e, buf, (unsigned int)cqe->res, ports, 4), 1);
	CU_ASSERT_EQUAL(ports[0], back);
	io_uring_queue_exit(&ring);
	events_close(e);
	loopback_free(lb);
}

#define ROUNDS 3000

struct pingpong {
	struct loopback *lb;
	uint32_t front, ref;
};

/* A backend that answers each increment of the shared word with another. */
static void *pong(void *arg)
{
	struct pingpong *p = arg;
	struct events *e = loopback_events(p->lb);
	struct grants *g = loopback_grants(p->lb);
	_Atomic(uint32_t) *word = grants_map(g, &p->ref, 1, RW);
	int ports[4], back = events_bind(e, p->front);
	uint32_t last = 0;

	while (last < 2 * ROUNDS && readable(e->fd, 20000)) {
		if (fired(e, ports, 4) != 1 || ports[0] != back)
			break;
		events_unmask(e, back);
		/* unmask first, then look: an answer is due when the word is odd */
		last = atomic_load(word);
		if (last & 1) {
			atomic_store(word, ++last);
			events_notify(e, back);
		}
	}
	events_unbind(e, back);
	events_close(e);
	grants_unmap(g, (void *)word, 1);
	return last == 2 * ROUNDS ? arg : NULL;
}

static void ping(struct pingpong *p)
{
	_Atomic(uint32_t) *word = loopback_frame(p->lb, 0);
	int fd = loopback_port_fd(p->lb, p->front);
	uint64_t count;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		atomic_store(word, 2 * i + 1);
		loopback_port_notify(p->lb, p->front);
		CU_ASSERT_FATAL(readable(fd, 20000));
		CU_ASSERT_EQUAL(read(fd, &count, sizeof(count)), (ssize_t)sizeof(count));
		CU_ASSERT_EQUAL(atomic_load(word), 2 * i + 2);
	}
}

static void test_threads(void)
{
	struct loopback *lb = loopback_new(1, 1, 1);
	struct pingpong p = {lb, loopback_port_alloc(lb), loopback_grant(lb, 0, false)};
	pthread_t back;
	void *ret;

	CU_ASSERT_EQUAL_FATAL(pthread_create(&back, NULL, pong, &p), 0);
	ping(&p);
	CU_ASSERT_EQUAL(pthread_join(back, &ret), 0);
	CU_ASSERT_PTR_EQUAL(ret, &p);
	assert_nothing_held(lb);
	loopback_free(lb);
}

static void test_processes(void)
{
	struct loopback *lb = loopback_new(1, 1, 1);
	struct pingpong p = {lb, loopback_port_alloc(lb), loopback_grant(lb, 0, false)};
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(pong(&p) ? 0 : 1);
	ping(&p);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	assert_nothing_held(lb);
	loopback_free(lb);
}

/* A worker that dies leaves what the kernel would release. */
static void test_back_died(void)
{
	struct loopback *lb = loopback_new(2, 2, 1);
	uint32_t ref = loopback_grant(lb, 1, false), front = loopback_port_alloc(lb);
	struct loopback_audit a;
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct events *e = loopback_events(lb);

		_exit(e && events_bind(e, front) > 0 &&
				      grants_map(loopback_grants(lb), &ref, 1, RW)
			      ? 0
			      : 1);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	loopback_audit(lb, &a);
	CU_ASSERT_EQUAL(a.mapped_pages, 1);
	CU_ASSERT_EQUAL(a.bound_ports, 1);
	CU_ASSERT_EQUAL(a.open_sets, 1);
	CU_ASSERT_EQUAL(loopback_end_access(lb, ref), -EBUSY);
	loopback_back_died(lb);
	assert_nothing_held(lb);
	CU_ASSERT_EQUAL(loopback_end_access(lb, ref), 0);
	loopback_free(lb);
}

static void test_faults(void)
{
	struct loopback *lb = loopback_new(2, 4, 2);
	struct grants *g = loopback_grants(lb);
	struct events *e = loopback_events(lb);
	uint32_t ref = loopback_grant(lb, 0, false), front = loopback_port_alloc(lb);
	xengnttab_grant_copy_segment_t s[3];
	void *m;
	int back;

	loopback_fail(lb, LOOPBACK_MAP, 2, ENOMEM);
	m = grants_map(g, &ref, 1, RW);
	CU_ASSERT_PTR_NOT_NULL(m);
	CU_ASSERT_PTR_NULL(grants_map(g, &ref, 1, RW));
	CU_ASSERT_EQUAL(errno, ENOMEM);
	loopback_fail(lb, LOOPBACK_UNMAP, 1, EIO);
	CU_ASSERT_EQUAL(grants_unmap(g, m, 1), -1);
	CU_ASSERT_EQUAL(errno, EIO);
	CU_ASSERT_EQUAL(grants_unmap(g, m, 1), 0);
	CU_ASSERT_EQUAL(loopback_calls(lb, LOOPBACK_MAP), 2);
	CU_ASSERT_EQUAL(loopback_calls(lb, LOOPBACK_UNMAP), 2);

	s[0] = s[1] = s[2] = to_guest(ref, 0, page, 8);
	loopback_fail(lb, LOOPBACK_COPY, 1, EFAULT);
	CU_ASSERT_EQUAL(grants_copy(g, s, 3), -1);
	CU_ASSERT_EQUAL(errno, EFAULT);
	loopback_fail(lb, LOOPBACK_COPY_SEGMENT, 5, GNTST_eagain);
	CU_ASSERT_EQUAL(grants_copy(g, s, 3), 0);
	CU_ASSERT_EQUAL(s[1].status, GNTST_okay);
	CU_ASSERT_EQUAL(grants_copy(g, s, 3), 0);
	CU_ASSERT_EQUAL(s[0].status, GNTST_okay);
	CU_ASSERT_EQUAL(s[1].status, GNTST_eagain);
	CU_ASSERT_EQUAL(s[2].status, GNTST_okay);
	CU_ASSERT_EQUAL(loopback_calls(lb, LOOPBACK_COPY_SEGMENT), 6);

	loopback_fail(lb, LOOPBACK_BIND, 1, EINVAL);
	CU_ASSERT_EQUAL(events_bind(e, front), -1);
	back = events_bind(e, front);
	CU_ASSERT_TRUE(back > 0);
	loopback_fail(lb, LOOPBACK_NOTIFY, 1, EIO);
	CU_ASSERT_EQUAL(events_notify(e, back), -1);
	CU_ASSERT_EQUAL(events_notify(e, back), 0);
	loopback_fail(lb, LOOPBACK_NOTIFY, 1, EIO);
	loopback_fail(lb, LOOPBACK_NOTIFY, 0, 0); /* taken back */
	CU_ASSERT_EQUAL(events_notify(e, back), 0);
	events_close(e);
	assert_nothing_held(lb);
	loopback_free(lb);
}

static void test_sets_run_out(void)
{
	struct loopback *lb = loopback_new(1, 1, 1);
	struct events *e[8];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		e[i] = loopback_events(lb);
		CU_ASSERT_PTR_NOT_NULL_FATAL(e[i]);
	}
	CU_ASSERT_PTR_NULL(loopback_events(lb));
	CU_ASSERT_EQUAL(errno, EMFILE);
	while (i--)
		events_close(e[i]);
	assert_nothing_held(lb);
	loopback_free(lb);
	CU_ASSERT_PTR_NULL(loopback_new(0, 1, 1));
	CU_ASSERT_PTR_NULL(loopback_new(1, 1, 257));
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"map and unmap", test_map},
		{"a bad reference fails the whole map", test_map_bad},
		{"nothing beside a mapping can be touched", test_map_guarded},
		{"grant table full", test_grant_table_full},
		{"copy: a status a segment", test_copy},
		{"copy: calls that are refused", test_copy_bad},
		{"events: bind, mask, unmask, notify, close", test_events},
		{"events: bind again", test_rebind},
		{"events: more than fit", test_many_ports},
		{"events through an io_uring READ", test_uring},
		{"two threads", test_threads},
		{"two processes", test_processes},
		{"a backend that dies", test_back_died},
		{"faults", test_faults},
		{"sets run out", test_sets_run_out},
		CU_TEST_INFO_NULL,
	};

	return suite_main("loopback", tests);
}
