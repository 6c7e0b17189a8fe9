/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a vif's packets go to and come from on the host's side. One port instance
 * a queue thread; single-threaded. A packet travels whole (up to 64 KiB) with its
 * offload state as a struct virtio_net_hdr: never segmented in software.
 */
#ifndef XYLEM_PORT_H
#define XYLEM_PORT_H

#include <linux/virtio_net.h>
#include <stdint.h>
#include <sys/uio.h>

struct port;

/* What the guest can do by itself, so that the host need not do it before. */
enum port_offload {
	PORT_OFFLOAD_CSUM = 1u << 0, /* fill in a TCP or UDP checksum */
	PORT_OFFLOAD_TSO4 = 1u << 1, /* take TCP/IPv4 packets longer than the MTU */
	PORT_OFFLOAD_TSO6 = 1u << 2,
};

struct port_ops {
	const char *name;
	/*
	 * Send one packet to the host. iov[0] is a struct virtio_net_hdr_v1 (12 bytes),
	 * the rest is the frame. 0; -EAGAIN: try again when writable; or -errno: dropped.
	 */
	int (*send)(struct port *p, const struct iovec *iov, unsigned int nr_iov);
	/*
	 * Receive one packet from the host into @iov (header first). Bytes, -EAGAIN when
	 * there is none, or -errno.
	 */
	int (*receive)(struct port *p, const struct iovec *iov, unsigned int nr_iov);
	/*
	 * Tell the host what may be left to the guest (TUNSETOFFLOAD): enum port_offload.
	 * 0 or -errno. It holds for the interface, thus for all of its queues.
	 */
	int (*set_offload)(struct port *p, unsigned int offload);
	void (*close)(struct port *p);
};

struct port {
	const struct port_ops *ops;
	int fd; /* to poll for readable and writable */
};

static inline int port_send(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	return p->ops->send(p, iov, nr_iov);
}

static inline int port_receive(struct port *p, const struct iovec *iov,
			       unsigned int nr_iov)
{
	return p->ops->receive(p, iov, nr_iov);
}

static inline int port_set_offload(struct port *p, unsigned int offload)
{
	return p->ops->set_offload(p, offload);
}

static inline void port_close(struct port *p)
{
	p->ops->close(p);
}

/* The most parts a packet may come in: the header, and a page a slot of the ring. */
#define PORT_IOV_MAX 32

/*
 * One queue of a tap opened by the supervisor with IFF_VNET_HDR|IFF_MULTI_QUEUE,
 * non-blocking, with a header of 12 bytes (TUNSETVNETHDRSZ). Owns @fd from here on,
 * also on failure. NULL with errno.
 */
struct port *port_tap_open(int fd);
/* An AF_PACKET socket bound by the supervisor, PACKET_VNET_HDR on. As above. */
struct port *port_packet_open(int fd);
/* What both are: a port that is nothing but its descriptor. */
struct port *port_fd_open(const struct port_ops *ops, int fd);
void port_fd_close(struct port *p);
/* tests and benchmarks: packets go to and come from memory, see port_loop.h */
struct port *port_loop_open(void);

#endif
