/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The worker process alone, with this test as its supervisor on the other end of
 * the socket: messages in any order, a change of supervisor, the io_uring pool
 * from inside the sandbox, ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/common/log.h"
#include "backends/common/uring.h"
#include "backends/common/worker.h"
#include "tests/unit/privileged.h"
#include "tests/unit/suite.h"

#define POOL       3
#define WORKER_UID 730000u

/* ---- the worker's side: a class whose attach() runs what the payload names ---- */

struct worker_device {
	struct worker *w;
	uint32_t devid;
	uint64_t *state;
};

#define READS 4

/* Read bytes of @fd through a ring of the pool, several at once. 0 or -errno. */
static int read_through(struct io_uring *ring, int fd)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	char c[READS] = {0};
	unsigned int seen = 0, i;
	int rc;

	rc = io_uring_register_files(ring, &fd, 1);
	if (!rc)
		rc = uring_enable(ring);
	if (rc)
		return rc;
	for (i = 0; i < READS; i++) {
		sqe = io_uring_get_sqe(ring);
		io_uring_prep_read(sqe, 0, &c[i], 1, 0);
		sqe->flags |= IOSQE_FIXED_FILE;
		sqe->user_data = i;
	}
	rc = io_uring_submit_and_wait(ring, READS);
	if (rc != READS)
		return -EIO;
	for (i = 0; i < READS && !io_uring_peek_cqe(ring, &cqe); i++) {
		if (cqe->res < 0)
			return cqe->res;
		seen |= cqe->res == 1 ? 1u << cqe->user_data : 0;
		io_uring_cqe_seen(ring, cqe);
	}
	return seen == (1u << READS) - 1 && !memcmp(c, "xxxx", READS) ? 0 : -EBADMSG;
}

/* All rings of the pool, twice over: each is usable again after it was given back. */
static int use_rings(struct worker *w, int fd)
{
	struct io_uring *ring[POOL + 1];
	int i, round, rc = 0;

	for (round = 0; round < 2 && !rc; round++) {
		for (i = 0; i < POOL; i++) {
			ring[i] = worker_get_uring(w);
			if (!ring[i])
				return -ENOENT;
		}
		if (worker_get_uring(w))
			return -E2BIG;
		ring[POOL] = worker_get_polled_uring(w);
		if (!ring[POOL] || worker_get_polled_uring(w))
			return -EDOM;
		worker_put_uring(w, ring[POOL]);
		for (i = 0; i < POOL && !rc; i++)
			rc = read_through(ring[i], fd);
		for (i = 0; i < POOL; i++)
			worker_put_uring(w, ring[i]);
	}
	return rc;
}

static int t_attach(struct worker *w, uint32_t devid, const void *payload, size_t size,
		    const int *fds, unsigned int nfds, void *state, size_t state_size,
		    struct worker_device **out)
{
	struct worker_device *dev = calloc(1, sizeof(*dev));
	const char *what = payload;
	unsigned int i;
	int rc = 0;

	if (!dev)
		return -ENOMEM;
	if (size == 5 && !memcmp(what, "rings", 5))
		rc = nfds == 1 ? use_rings(w, fds[0]) : -EINVAL;
	else if (size == 4 && !memcmp(what, "grow", 4))
		rc = pwrite(fds[0], "x", 1, 4095) != 1  ? -EIO
		     : pwrite(fds[0], "x", 1, 4096) < 0 ? -errno
							: 0;
	else if (size == 3 && !memcmp(what, "log", 3))
		log_warn("a line for domain %u", worker_domid(w));
	else if (size == 5 && !memcmp(what, "broke", 5))
		worker_broken(w, devid, "it lied about %d", 42);
	else if (size == 6 && !memcmp(what, "refuse", 6))
		rc = -EUCLEAN;
	for (i = 0; i < nfds; i++)
		close(fds[i]);
	if (rc) {
		free(dev);
		return rc;
	}
	if (state_size != 4096 || worker_grants(w)->domid != worker_domid(w))
		abort();
	dev->w = w;
	dev->devid = devid;
	dev->state = state;
	dev->state[0]++;
	*out = dev;
	return 0;
}

static int t_update(struct worker_device *dev, const void *payload, size_t size,
		    const int *fds, unsigned int nfds)
{
	(void)payload;
	while (nfds)
		close(fds[--nfds]);
	dev->state[1] += size;
	return size == 1 ? -EINVAL : 0;
}

static void t_detach(struct worker_device *dev)
{
	dev->state[2]++;
	free(dev);
}

static struct grants *t_grants(uint32_t domid)
{
	static struct grants g;

	g.domid = domid;
	return &g;
}

static const struct worker_class class = {
	.type = "vbd",
	.uring_pool = POOL,
	.uring_polled = 1,
	.uring_entries = 8,
	.nice = 10,
	.open_grants = t_grants,
	.attach = t_attach,
	.update = t_update,
	.detach = t_detach,
};

/* ---- the supervisor's side ---- */

static struct control_packet packet;
static char socket_path[64];
static int control, pid, memfd;
static uint64_t *state;

static void send_fds(enum control_type type, uint32_t devid, const char *payload,
		     const int *fds, unsigned int nfds)
{
	struct control_msg m = {
		.type = (uint16_t)type, .devid = devid, .cookie = devid + 100};

	CU_ASSERT_EQUAL(control_send(control, &m, payload, strlen(payload), fds, nfds),
			0);
}

static void send_plain(enum control_type type, uint32_t devid, const char *payload)
{
	send_fds(type, devid, payload, NULL, 0);
}

static void send_attach(uint32_t devid, const char *payload)
{
	send_fds(CONTROL_ATTACH, devid, payload, &memfd, 1);
}

/* The next message, of this type for this device; its status. */
static int expect(enum control_type type, uint32_t devid)
{
	struct pollfd pfd = {.fd = control, .events = POLLIN};
	int rc;

	CU_ASSERT_EQUAL(poll(&pfd, 1, 10000), 1);
	rc = control_recv(control, &packet);
	CU_ASSERT_EQUAL(rc, 0);
	if (rc)
		return -EIO;
	CU_ASSERT_EQUAL(packet.head.type, type);
	CU_ASSERT_EQUAL(packet.head.devid, devid);
	if (type == CONTROL_ATTACHED || type == CONTROL_DETACHED)
		CU_ASSERT_EQUAL(packet.head.cookie, devid + 100);
	control_close_fds(&packet);
	return packet.head.status;
}

static int ended(void)
{
	int status, i;

	for (i = 0; i < 1000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status)
						 : -WTERMSIG(status);
		usleep(10000);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1000;
}

static rlim_t file_limit = RLIM_INFINITY;

static void start_process(int their, int listener)
{
	struct rlimit r = {file_limit, RLIM_INFINITY};

	pid = fork();
	if (pid)
		return;
	their = fcntl(their, F_DUPFD, 10);
	listener = fcntl(listener, F_DUPFD, 10);
	dup2(their, 3);
	dup2(listener, 4);
	if (file_limit != RLIM_INFINITY && setrlimit(RLIMIT_FSIZE, &r))
		_exit(126);
	execl("/proc/self/exe", "worker", "--worker", NULL);
	_exit(127);
}

static void start(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct control_start s = {.domid = 5, .log_level = LOG_LEVEL_INFO};
	int pair[2], listener;

	if (!not_privileged())
		s.uid = s.gid = WORKER_UID;
	snprintf(socket_path, sizeof(socket_path), "/tmp/xylem-worker-%d", getpid());
	unlink(socket_path);
	strcpy(a.sun_path, socket_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	CU_ASSERT_EQUAL_FATAL(listen(listener, 4), 0);
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair),
			      0);
	control = pair[0];
	start_process(pair[1], listener);
	close(pair[1]);
	close(listener);
	memfd = memfd_create("state", MFD_CLOEXEC);
	CU_ASSERT_EQUAL_FATAL(ftruncate(memfd, 4096), 0);
	state = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	CU_ASSERT_PTR_NOT_EQUAL_FATAL(state, MAP_FAILED);
	CU_ASSERT_EQUAL(control_send(control,
				     &(struct control_msg){.type = CONTROL_START}, &s,
				     sizeof(s), NULL, 0),
			0);
	CU_ASSERT_EQUAL(expect(CONTROL_READY, 0), 0);
}

static void cleanup(void)
{
	if (control >= 0)
		close(control);
	munmap(state, 4096);
	close(memfd);
	unlink(socket_path);
}

static void finish(int status)
{
	CU_ASSERT_EQUAL(ended(), status);
	cleanup();
}

/* As a new supervisor: connect to the worker's socket. */
static int reconnect(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, socket_path);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

/* ---- tests ---- */

static void test_messages(void)
{
	start();
	CU_ASSERT_EQUAL(getpriority(PRIO_PROCESS, (id_t)pid), class.nice);
	send_attach(1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), 0);
	send_attach(2, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 2), 0);
	CU_ASSERT_EQUAL(state[0], 2);
	/* the same once more; no memfd; a refusal */
	send_attach(1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), -EEXIST);
	send_plain(CONTROL_ATTACH, 3, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 3), -EINVAL);
	send_attach(3, "refuse");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 3), -EUCLEAN);
	send_plain(CONTROL_DETACH, 3, "");
	CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 3), -ENOENT);
	/* updates: one good, one refused, one for nobody */
	send_plain(CONTROL_UPDATE, 2, "abcd");
	send_plain(CONTROL_UPDATE, 2, "a");
	expect(CONTROL_LOG, 0);
	send_fds(CONTROL_UPDATE, 9, "a", &memfd, 1);
	expect(CONTROL_LOG, 0);
	CU_ASSERT_EQUAL(state[1], 5);
	/* what no supervisor sends is ignored */
	send_plain(CONTROL_READY, 0, "");
	send_plain((enum control_type)77, 0, "");
	send_plain(CONTROL_DETACH, 1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 1), 0);
	CU_ASSERT_EQUAL(state[2], 1);
	/* EXIT detaches what is left */
	send_plain(CONTROL_EXIT, 0, "");
	CU_ASSERT_EQUAL(ended(), 0);
	CU_ASSERT_EQUAL(state[2], 2);
	cleanup();
}

static void test_words(void)
{
	start();
	send_attach(1, "log");
	CU_ASSERT_EQUAL(expect(CONTROL_LOG, 0), LOG_LEVEL_WARN);
	CU_ASSERT_STRING_EQUAL((char *)packet.payload, "a line for domain 5");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), 0);
	send_attach(2, "broke");
	expect(CONTROL_BROKEN, 2);
	CU_ASSERT_STRING_EQUAL((char *)packet.payload, "it lied about 42");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 2), 0);
	send_plain(CONTROL_EXIT, 0, "");
	finish(0);
}

/* A file does not grow beyond what the supervisor allows; that is an error, no end. */
static void test_file_limit(void)
{
	int fds[2];

	file_limit = 4096;
	start();
	file_limit = RLIM_INFINITY;
	fds[0] = fds[1] = memfd;
	send_fds(CONTROL_ATTACH, 1, "grow", fds, 2);
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), -EFBIG);
	send_plain(CONTROL_EXIT, 0, "");
	finish(0);
}

static void test_rings(void)
{
	char text[2 * 2 * POOL * READS];
	int fds[2], p[2], i;

	start();
	CU_ASSERT_EQUAL(pipe(p), 0);
	memset(text, 'x', sizeof(text));
	CU_ASSERT_EQUAL(write(p[1], text, sizeof(text)), sizeof(text));
	fds[0] = p[0];
	fds[1] = memfd;
	for (i = 0; i < 2; i++) {
		send_fds(CONTROL_ATTACH, 1, "rings", fds, 2);
		CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), 0);
		send_plain(CONTROL_DETACH, 1, "");
		CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 1), 0);
	}
	send_plain(CONTROL_EXIT, 0, "");
	finish(0);
	close(p[0]);
	close(p[1]);
}

/* The supervisor dies; the worker keeps its devices and tells the next one. */
static void test_change_of_supervisor(void)
{
	uint32_t seen = 0;
	int i, n, other;

	start();
	send_attach(1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), 0);
	send_attach(2, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 2), 0);
	for (i = 0; i < 3; i++) {
		close(control);
		control = reconnect();
		send_plain(CONTROL_HELLO, 0, "");
		for (n = 0, seen = 0; n < 2; n++) {
			struct pollfd pfd = {.fd = control, .events = POLLIN};

			CU_ASSERT_EQUAL(poll(&pfd, 1, 10000), 1);
			CU_ASSERT_EQUAL(control_recv(control, &packet), 0);
			CU_ASSERT_EQUAL(packet.head.type, CONTROL_ATTACHED);
			CU_ASSERT_EQUAL(packet.head.cookie, packet.head.devid + 100);
			CU_ASSERT_EQUAL(packet.nfds, 1);
			CU_ASSERT_EQUAL(lseek(packet.fds[0], 0, SEEK_END), 4096);
			seen |= 1u << packet.head.devid;
			control_close_fds(&packet);
		}
		CU_ASSERT_EQUAL(seen, 6);
		CU_ASSERT_EQUAL(expect(CONTROL_READY, 0), 0);
	}
	/* a second one while the first is there: the newer wins */
	other = control;
	control = reconnect();
	send_plain(CONTROL_DETACH, 1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 1), 0);
	CU_ASSERT_EQUAL(control_recv(other, &packet), -EPIPE);
	close(other);
	/* without a device it need not outlive its supervisor */
	send_plain(CONTROL_DETACH, 2, "");
	CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 2), 0);
	close(control);
	control = -1;
	finish(0);
}

/* More answers than the socket holds: none is lost while the supervisor is busy. */
static void test_busy_supervisor(void)
{
	enum { ASKED = 400 }; /* less than both directions hold */
	struct control_msg m = {.type = CONTROL_DETACH};
	unsigned int i, tries;
	int rc;

	start();
	for (i = 1; i <= ASKED; i++) {
		m.devid = i;
		m.cookie = i + 100;
		for (tries = 0; tries < 5000; tries++) {
			rc = control_send(control, &m, NULL, 0, NULL, 0);
			if (rc != -EAGAIN)
				break;
			usleep(1000);
		}
		CU_ASSERT_EQUAL_FATAL(rc, 0);
	}
	usleep(200000); /* it is most likely waiting by now */
	for (i = 1; i <= ASKED; i++)
		CU_ASSERT_EQUAL_FATAL(expect(CONTROL_DETACHED, i), -ENOENT);
	send_plain(CONTROL_EXIT, 0, "");
	finish(0);
}

static void next_supervisor(void)
{
	close(control);
	control = reconnect();
	send_fds(CONTROL_HELLO, 0, "", NULL, 0);
}

/* The next supervisor hears that a frontend broke the protocol: the last one may not
 * have. After a detach it is forgotten. */
static void test_broken_is_remembered(void)
{
	int i;

	start();
	send_attach(1, "broke");
	expect(CONTROL_BROKEN, 1);
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), 0);
	for (i = 0; i < 2; i++) {
		next_supervisor();
		expect(CONTROL_ATTACHED, 1);
		expect(CONTROL_READY, 0);
		expect(CONTROL_BROKEN, 1);
		CU_ASSERT_STRING_EQUAL((char *)packet.payload, "it lied about 42");
	}
	send_plain(CONTROL_DETACH, 1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 1), 0);
	send_attach(1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), 0);
	next_supervisor();
	expect(CONTROL_ATTACHED, 1);
	expect(CONTROL_READY, 0);
	send_plain(CONTROL_DETACH, 1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 1), 0);
	send_plain(CONTROL_EXIT, 0, "");
	finish(0);
}

/* Another user's process connects: it is turned away, the supervisor stays. */
static void test_stranger(void)
{
	int status, child;
	char c;

	if (geteuid()) {
		printf("\nskip test_stranger: needs root\n");
		return;
	}
	start();
	chmod(socket_path, 0777);
	send_attach(1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_ATTACHED, 1), 0);
	child = fork();
	if (!child) {
		int fd;

		if (setgid(65534) || setuid(65534))
			_exit(9);
		fd = reconnect();
		_exit(read(fd, &c, 1) == 0 ? 0 : 1);
	}
	CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
	CU_ASSERT_EQUAL(status, 0);
	send_plain(CONTROL_DETACH, 1, "");
	CU_ASSERT_EQUAL(expect(CONTROL_DETACHED, 1), 0);
	send_plain(CONTROL_EXIT, 0, "");
	finish(0);
}

/* No START: nothing is opened, nothing served. */
static void test_bad_start(void)
{
	int pair[2], i;

	for (i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(
			socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		start_process(pair[1], pair[1]);
		close(pair[1]);
		control = pair[0];
		if (i == 0)
			send_plain(CONTROL_HELLO, 0, "");
		else if (i == 1)
			send_plain(CONTROL_START, 0, "short");
		close(pair[0]);
		CU_ASSERT_EQUAL(ended(), 1);
	}
}

int main(int argc, char **argv)
{
	static const CU_TestInfo tests[] = {
		{"messages", test_messages},
		{"words", test_words},
		{"rings", test_rings},
		{"file limit", test_file_limit},
		{"change of supervisor", test_change_of_supervisor},
		{"busy supervisor", test_busy_supervisor},
		{"broken is remembered", test_broken_is_remembered},
		{"stranger", test_stranger},
		{"bad start", test_bad_start},
		CU_TEST_INFO_NULL,
	};

	if (argc == 2 && !strcmp(argv[1], "--worker"))
		return worker_main(&class);
	signal(SIGPIPE, SIG_IGN);
	return suite_main("worker", tests);
}
