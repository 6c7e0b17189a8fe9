/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue of a tap: a packet a read() or write(), a virtio_net_hdr before it.
 * The supervisor made the interface; nothing here needs a privilege.
 */
#include "backends/netback/port.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct port_tap {
	struct port port;
	unsigned int header; /* bytes of virtio_net_hdr that the tap reads and writes */
};

/* The caller's vector with the header cut to what this tap has: 10 or 12 bytes. */
static void fit_header(const struct port_tap *t, const struct iovec *iov, unsigned int nr,
		       struct iovec *out)
{
	memcpy(out, iov, nr * sizeof(*iov));
	out[0].iov_len = t->header;
}

static int tap_send(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	const struct port_tap *t = (struct port_tap *)p;
	struct iovec out[PORT_IOV_MAX];
	ssize_t n;

	if (nr_iov > PORT_IOV_MAX)
		return -EMSGSIZE;
	fit_header(t, iov, nr_iov, out);
	do {
		n = writev(p->fd, out, (int)nr_iov);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int tap_receive(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	const struct port_tap *t = (struct port_tap *)p;
	struct iovec in[PORT_IOV_MAX];
	ssize_t n;

	if (nr_iov > PORT_IOV_MAX)
		return -EMSGSIZE;
	fit_header(t, iov, nr_iov, in);
	do {
		n = readv(p->fd, in, (int)nr_iov);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n < (ssize_t)t->header)
		return -EIO;
	return (int)(n - t->header + (ssize_t)sizeof(struct virtio_net_hdr_v1));
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

static void tap_close(struct port *p)
{
	close(p->fd);
	free(p);
}

static const struct port_ops tap_ops = {
	.name = "tap",
	.send = tap_send,
	.receive = tap_receive,
	.set_offload = tap_set_offload,
	.close = tap_close,
};

struct port *port_tap_open(int fd)
{
	struct port_tap *t = calloc(1, sizeof(*t));
	int header;

	if (!t)
		goto fail;
	if (ioctl(fd, TUNGETVNETHDRSZ, &header) < 0)
		goto fail;
	if (header != sizeof(struct virtio_net_hdr) &&
	    header != sizeof(struct virtio_net_hdr_v1)) {
		errno = EINVAL;
		goto fail;
	}
	t->port.ops = &tap_ops;
	t->port.fd = fd;
	t->header = (unsigned int)header;
	return &t->port;
fail:
	free(t);
	close(fd);
	return NULL;
}
