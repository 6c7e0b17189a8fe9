/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host side of a port that ends in memory, for tests, fuzzing and benchmarks:
 * take what the backend sent, give it packets, make its calls fail. Thread-safe.
 */
#ifndef XYLEM_NETBACK_PORT_LOOP_H
#define XYLEM_NETBACK_PORT_LOOP_H

#include <stdint.h>
#include <sys/types.h>

#include "backends/netback/port.h"

/* Packets a direction that are kept; more are dropped (sent) or refused (injected). */
#define PORT_LOOP_PACKETS 512u

enum port_loop_mode {
	PORT_LOOP_KEEP,    /* sent packets wait for port_loop_take() */
	PORT_LOOP_REFLECT, /* sent packets are received again */
	PORT_LOOP_COUNT,   /* sent packets are only counted */
};
void port_loop_mode(struct port *p, enum port_loop_mode mode);

/* A packet for the backend to receive. 0, -ENOSPC or -ENOMEM. */
int port_loop_inject(struct port *p, const struct virtio_net_hdr_v1 *hdr,
		     const void *frame, uint32_t len);
/*
 * The same packet @count more times: one copy in memory, received again and again
 * (for benchmarks). Comes before injected packets.
 */
int port_loop_generate(struct port *p, const struct virtio_net_hdr_v1 *hdr,
		       const void *frame, uint32_t len, uint64_t count);

/* The oldest packet sent: its length, or -EAGAIN. Cut to @max bytes. */
ssize_t port_loop_take(struct port *p, struct virtio_net_hdr_v1 *hdr, void *frame,
		       uint32_t max);

/* What was sent since the port was opened, in any mode. */
void port_loop_sent(struct port *p, uint64_t *packets, uint64_t *bytes);
/* Packets that the backend has not received yet, generated ones too. */
uint64_t port_loop_waiting(struct port *p);
/* The last set_offload(). */
unsigned int port_loop_offload(struct port *p);

enum port_loop_fault {
	PORT_LOOP_SEND,
	PORT_LOOP_RECEIVE,
	PORT_LOOP_OFFLOAD,
	PORT_LOOP_FAULTS
};
/* The @nth such call from now (1: the next) fails with -@err, and the @times - 1 after
 * it. */
void port_loop_fail(struct port *p, enum port_loop_fault what, uint64_t nth,
		    uint64_t times, int err);
uint64_t port_loop_calls(struct port *p, enum port_loop_fault what);

#endif
