/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames of the control socket: what goes through whole, and what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/common/control.h"
#include "tests/unit/open_fds.h"
#include "tests/unit/suite.h"

static int pair[2];
static struct control_packet packet;

static void open_pair(void)
{
	CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
}

static void close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

static void test_whole(void)
{
	struct control_msg m = {
		.type = CONTROL_UPDATE, .devid = 7, .status = -5, .cookie = 9};
	unsigned char payload[CONTROL_MAX];
	int fds[CONTROL_MAX_FDS];
	unsigned int i, before;
	struct stat a, b;

	open_pair();
	for (i = 0; i < CONTROL_MAX_FDS; i++)
		fds[i] = pair[0];
	memset(payload, 0x5a, sizeof(payload));
	before = open_fds();
	CU_ASSERT_EQUAL(
		control_send(pair[0], &m, payload, sizeof(payload), fds, CONTROL_MAX_FDS),
		0);
	CU_ASSERT_EQUAL(control_recv(pair[1], &packet), 0);
	CU_ASSERT_EQUAL(packet.head.type, CONTROL_UPDATE);
	CU_ASSERT_EQUAL(packet.head.devid, 7);
	CU_ASSERT_EQUAL(packet.head.status, -5);
	CU_ASSERT_EQUAL(packet.head.cookie, 9);
	CU_ASSERT_EQUAL(packet.head.size, sizeof(payload));
	CU_ASSERT_EQUAL(memcmp(packet.payload, payload, sizeof(payload)), 0);
	CU_ASSERT_EQUAL(packet.payload[CONTROL_MAX], 0);
	CU_ASSERT_EQUAL(packet.nfds, CONTROL_MAX_FDS);
	fstat(pair[0], &a);
	fstat(packet.fds[CONTROL_MAX_FDS - 1], &b);
	CU_ASSERT_EQUAL(a.st_ino, b.st_ino);
	CU_ASSERT_TRUE(fcntl(packet.fds[0], F_GETFD) & FD_CLOEXEC);
	control_close_fds(&packet);
	CU_ASSERT_EQUAL(open_fds(), before);
	/* and one with nothing in it */
	CU_ASSERT_EQUAL(control_send(pair[0], &m, NULL, 0, NULL, 0), 0);
	CU_ASSERT_EQUAL(control_recv(pair[1], &packet), 0);
	CU_ASSERT_EQUAL(packet.head.size, 0);
	CU_ASSERT_EQUAL(packet.payload[0], 0);
	close_pair();
}

static void test_too_much(void)
{
	static unsigned char payload[CONTROL_MAX + 1];
	struct control_msg m = {.type = CONTROL_UPDATE};
	int fds[CONTROL_MAX_FDS + 1] = {0};

	open_pair();
	CU_ASSERT_EQUAL(control_send(pair[0], &m, payload, sizeof(payload), NULL, 0),
			-EMSGSIZE);
	CU_ASSERT_EQUAL(control_send(pair[0], &m, NULL, 0, fds, CONTROL_MAX_FDS + 1),
			-EMSGSIZE);
	CU_ASSERT_EQUAL(control_recv(pair[1], &packet), -EAGAIN);
	close_pair();
}

/* Send raw bytes with @nfds descriptors. */
static void raw(const void *bytes, size_t size, unsigned int nfds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(200 * sizeof(int))];
	} anc;
	struct iovec iov = {(void *)(uintptr_t)bytes, size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;
	unsigned int i;

	memset(&anc, 0, sizeof(anc));
	if (nfds) {
		msg.msg_control = anc.bytes;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		for (i = 0; i < nfds; i++)
			memcpy(CMSG_DATA(c) + i * sizeof(int), &pair[0], sizeof(int));
	}
	CU_ASSERT_EQUAL(sendmsg(pair[0], &msg, 0), (ssize_t)size);
}

static void refused(const void *bytes, size_t size, unsigned int nfds)
{
	unsigned int before = open_fds();

	raw(bytes, size, nfds);
	CU_ASSERT_EQUAL(control_recv(pair[1], &packet), -EPROTO);
	CU_ASSERT_EQUAL(open_fds(), before); /* nothing smuggled in */
	CU_ASSERT_EQUAL(packet.nfds, 0);
}

static void test_refused(void)
{
	static unsigned char big[sizeof(struct control_msg) + CONTROL_MAX + 1];
	const struct control_msg good = {
		CONTROL_MAGIC, CONTROL_VERSION, CONTROL_READY, 0, 0, 0, 0, 0};
	struct control_msg m;

	open_pair();
	m = good;
	m.magic++;
	refused(&m, sizeof(m), 1);
	m = good;
	m.version++;
	refused(&m, sizeof(m), 0);
	m = good;
	m.size = 1;
	refused(&m, sizeof(m), 0);
	m = good;
	m.size = UINT32_MAX;
	refused(&m, sizeof(m), 0);
	m = good;
	m.nfds = 1;
	refused(&m, sizeof(m), 0);
	m.nfds = 1;
	refused(&m, sizeof(m), 2);
	m.nfds = 200;
	refused(&m, sizeof(m), 200);
	m.nfds = CONTROL_MAX_FDS + 1;
	refused(&m, sizeof(m), CONTROL_MAX_FDS + 1);
	refused(&good, sizeof(good) - 1, 1);
	refused(&good, 1, 0);
	m = good;
	m.size = CONTROL_MAX + 1;
	memcpy(big, &m, sizeof(m));
	refused(big, sizeof(big), 3);
	/* and the socket still works */
	raw(&good, sizeof(good), 0);
	CU_ASSERT_EQUAL(control_recv(pair[1], &packet), 0);
	close_pair();
}

static void test_ends(void)
{
	struct control_msg m = {.type = CONTROL_LOG};
	unsigned char payload[CONTROL_MAX] = {0};
	int i, rc = 0;

	open_pair();
	CU_ASSERT_EQUAL(control_recv(pair[1], &packet), -EAGAIN);
	/* the other end does not read: no waiting */
	for (i = 0; i < 10000 && !rc; i++)
		rc = control_send(pair[0], &m, payload, sizeof(payload), NULL, 0);
	CU_ASSERT_EQUAL(rc, -EAGAIN);
	close(pair[1]);
	CU_ASSERT_EQUAL(control_send(pair[0], &m, NULL, 0, NULL, 0), -EPIPE);
	close(pair[0]);
	open_pair();
	close(pair[0]);
	CU_ASSERT_EQUAL(control_recv(pair[1], &packet), -EPIPE);
	close(pair[1]);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"whole", test_whole},
		{"too much", test_too_much},
		{"refused", test_refused},
		{"ends", test_ends},
		CU_TEST_INFO_NULL,
	};

	return suite_main("control", tests);
}
