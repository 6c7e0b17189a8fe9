/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control ring (xen/io/netif.h, "Control ring"): a frontend sets up hashing.
 * Served by queue 0's thread. Static grants are not offered: NOT_SUPPORTED.
 */
#ifndef XYLEM_NETBACK_CTRL_H
#define XYLEM_NETBACK_CTRL_H

#include <stdbool.h>
#include <stdint.h>

#include "ring/ring.h"

struct queue;

struct ctrl {
	struct ring_back ring;
	void *page; /* NULL: the frontend has no control ring */
	int port;
	uint8_t *copy; /* a page of ours for keys and tables */
};

/* Map the ring and bind its port. 0 or -errno; ctrl_close() releases what was taken. */
int ctrl_open(struct queue *q, uint32_t ref, uint32_t remote_port);
void ctrl_close(struct queue *q);

/* Answer what waits. True: something was done. */
bool ctrl_run(struct queue *q);
/* Before sleeping. True: there is work. */
bool ctrl_arm(struct queue *q);

#endif
