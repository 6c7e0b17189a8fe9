/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue of a tap: a packet a read() or write(), a virtio_net_hdr_v1 before it
 * (TUNSETVNETHDRSZ). The supervisor made the interface; nothing here needs a
 * privilege, and the only ioctl is TUNSETOFFLOAD.
 */
#include "backends/netback/port.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int tap_send(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	ssize_t n;

	do {
		n = writev(p->fd, iov, (int)nr_iov);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int tap_receive(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	ssize_t n;

	do {
		n = readv(p->fd, iov, (int)nr_iov);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n < (ssize_t)iov[0].iov_len ? -EIO : (int)n;
}

static int tap_set_offload(struct port *p, unsigned int offload)
{
	unsigned long flags = 0;

	if (offload & PORT_OFFLOAD_CSUM)
		flags |= TUN_F_CSUM;
	/* the kernel refuses TSO without checksums left open */
	if (flags && offload & PORT_OFFLOAD_TSO4)
		flags |= TUN_F_TSO4;
	if (flags && offload & PORT_OFFLOAD_TSO6)
		flags |= TUN_F_TSO6;
	return ioctl(p->fd, TUNSETOFFLOAD, flags) < 0 ? -errno : 0;
}

static const struct port_ops tap_ops = {
	.name = "tap",
	.send = tap_send,
	.receive = tap_receive,
	.set_offload = tap_set_offload,
	.close = port_fd_close,
};

struct port *port_tap_open(int fd)
{
	return port_fd_open(&tap_ops, fd);
}
