/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket's frame: one message a packet, descriptors beside it. All
 * that the other end may lie about in a frame is checked here, so that callers
 * look at payloads only.
 */
#include "backends/common/control.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Room for descriptors. */
union ancillary {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
};

int control_send(int fd, const struct control_msg *what, const void *payload, size_t size,
		 const int *fds, unsigned int nfds)
{
	struct control_msg head = *what;
	union ancillary anc;
	struct iovec iov[2] = {{&head, sizeof(head)}, {(void *)(uintptr_t)payload, size}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = size ? 2 : 1};
	struct cmsghdr *c;
	ssize_t n;

	if (size > CONTROL_MAX || nfds > CONTROL_MAX_FDS)
		return -EMSGSIZE;
	head.magic = CONTROL_MAGIC;
	head.version = CONTROL_VERSION;
	head.size = (uint32_t)size;
	head.nfds = nfds;
	if (nfds) {
		memset(&anc, 0, sizeof(anc));
		msg.msg_control = anc.bytes;
		msg.msg_controllen = CMSG_SPACE(nfds * sizeof(int));
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0; /* a packet goes whole or not at all */
	return errno == ECONNRESET ? -EPIPE : -errno;
}

static void take_rights(struct control_packet *p, struct cmsghdr *c)
{
	size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int), i;
	int fd;

	for (i = 0; i < n; i++) {
		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (p->nfds < CONTROL_MAX_FDS)
			p->fds[p->nfds++] = fd;
		else
			close(fd);
	}
}

static void take_ancillary(struct control_packet *p, struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			take_rights(p, c);
}

int control_recv(int fd, struct control_packet *p)
{
	union ancillary anc;
	struct iovec iov[2] = {{&p->head, sizeof(p->head)}, {p->payload, CONTROL_MAX}};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	p->nfds = 0;
	memset(&anc, 0, sizeof(anc));
	msg.msg_control = anc.bytes;
	msg.msg_controllen = sizeof(anc.bytes);
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	take_ancillary(p, &msg);
	if (n == 0) {
		/* An empty packet cannot be told from the end: either way there is no
		 * more. */
		control_close_fds(p);
		return -EPIPE;
	}
	if ((size_t)n < sizeof(p->head) || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) ||
	    p->head.magic != CONTROL_MAGIC || p->head.version != CONTROL_VERSION ||
	    p->head.size != (size_t)n - sizeof(p->head) || p->head.nfds != p->nfds) {
		control_close_fds(p);
		return -EPROTO;
	}
	p->payload[p->head.size] = 0;
	return 0;
}

void control_close_fds(struct control_packet *p)
{
	unsigned int i;

	for (i = 0; i < p->nfds; i++)
		if (p->fds[i] >= 0)
			close(p->fds[i]);
	p->nfds = 0;
}
