/* SPDX-License-Identifier: GPL-2.0-only */
/* A worker's own state, shared by worker.c and worker_uring.c only. */
#ifndef XYLEM_WORKER_INTERNAL_H
#define XYLEM_WORKER_INTERNAL_H

#include <liburing.h>
#include <pthread.h>
#include <stdbool.h>

#include "backends/common/worker.h"

struct pool_ring {
	struct io_uring ring; /* first: what worker_get_uring() hands out */
	struct io_uring_params params;
	int fd;
	bool polled; /* IORING_SETUP_IOPOLL */
	bool mapped, busy;
};

struct slot;

#define BROKEN_MAX 256

/* A device whose frontend broke the protocol. */
struct broken {
	struct broken *next;
	uint32_t devid;
	char text[BROKEN_MAX];
};

struct worker {
	const struct worker_class *class;
	uint32_t domid;
	uint32_t owner; /* the uid that may be our supervisor */
	struct grants *grants;

	/* the socket: replaced by the main thread, used by all */
	pthread_mutex_t control_lock;
	int control; /* -1: no supervisor */
	struct broken *broken;

	/* main thread only */
	struct slot *slots;
	unsigned int nr_slots;
	struct control_packet *packet;

	pthread_mutex_t uring_lock;
	struct pool_ring *rings;
	unsigned int nr_rings;
};

/* Make the pool; a kernel that refuses leaves it smaller or empty, and logs why. */
void worker_uring_make(struct worker *w);

#endif
