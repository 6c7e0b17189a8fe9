/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A packet socket on an interface of the host, with PACKET_VNET_HDR: the header
 * before each packet is the 10-byte struct virtio_net_hdr (packet(7)). The socket
 * was opened, bound and made promiscuous by the supervisor.
 */
#include "backends/netback/port.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

static int packet_send(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	struct iovec out[PORT_IOV_MAX];
	struct msghdr msg = {.msg_iov = out, .msg_iovlen = nr_iov};
	ssize_t n;

	if (nr_iov > PORT_IOV_MAX)
		return -EMSGSIZE;
	memcpy(out, iov, nr_iov * sizeof(*iov));
	out[0].iov_len = sizeof(struct virtio_net_hdr);
	do {
		n = sendmsg(p->fd, &msg, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	/* ENOBUFS: the interface's queue is full, and poll() would not tell when it is
	 * not */
	return -errno;
}

static int packet_receive(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	struct iovec in[PORT_IOV_MAX];
	struct sockaddr_ll from;
	struct msghdr msg = {.msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_iov = in,
			     .msg_iovlen = nr_iov};
	ssize_t n;

	if (nr_iov > PORT_IOV_MAX)
		return -EMSGSIZE;
	memcpy(in, iov, nr_iov * sizeof(*iov));
	in[0].iov_len = sizeof(struct virtio_net_hdr);
	for (;;) {
		msg.msg_namelen = sizeof(from);
		n = recvmsg(p->fd, &msg, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		/* the socket sees what it sent itself (and what the host sends) as
		 * outgoing */
		if (msg.msg_namelen >= sizeof(from) && from.sll_family == AF_PACKET &&
		    from.sll_pkttype == PACKET_OUTGOING)
			continue;
		break;
	}
	if (msg.msg_flags & MSG_TRUNC || n < (ssize_t)sizeof(struct virtio_net_hdr))
		return -EIO;
	return (int)(n - (ssize_t)sizeof(struct virtio_net_hdr) +
		     (ssize_t)sizeof(struct virtio_net_hdr_v1));
}

static int packet_set_offload(struct port *p, unsigned int offload)
{
	/* A packet socket takes what the interface receives: nothing can be asked of it.
	 */
	(void)p;
	(void)offload;
	return 0;
}

static const struct port_ops packet_ops = {
	.name = "packet",
	.send = packet_send,
	.receive = packet_receive,
	.set_offload = packet_set_offload,
	.close = port_fd_close,
};

struct port *port_packet_open(int fd)
{
	return port_fd_open(&packet_ops, fd);
}
