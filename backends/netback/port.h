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
	/* Tell the host what may be left to the guest (TUNSETOFFLOAD): VIF_OFFLOAD_* */
	int (*set_offload)(struct port *p, unsigned int offload);
	void (*close)(struct port *p);
};

struct port {
	const struct port_ops *ops;
	int fd; /* to poll for readable and writable */
};

/* One queue of a tap opened by the supervisor with IFF_VNET_HDR|IFF_MULTI_QUEUE. */
struct port *port_tap_open(int fd);
/* An AF_PACKET socket bound by the supervisor, PACKET_VNET_HDR on. */
struct port *port_packet_open(int fd);
/* tests and benchmarks: packets come back to a memory queue */
struct port *port_loop_open(void);

#endif
