/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vif in a worker: its queues and what they share (live settings, the hash, the
 * multicast list). vif.c knows nothing of processes: tests, fuzzers and benchmarks
 * open a vif over the loopback; vif_worker.c makes it the worker's device class.
 */
#ifndef XYLEM_NETBACK_VIF_H
#define XYLEM_NETBACK_VIF_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/common/worker.h"
#include "backends/netback/hash.h"
#include "backends/netback/mcast.h"
#include "backends/netback/port.h"
#include "backends/netback/vif_proto.h"

struct queue;
struct io_uring;

/* What may change while queues run. Each queue works from a private copy. */
struct vif_config {
	struct vif_live live;
	struct mcast mcast;
	struct hash hash;
};

struct vif {
	uint32_t features, nr_queues; /* fixed */
	struct queue *queue[VIF_QUEUES_MAX];
	struct state_head *state;
	bool threads;

	pthread_mutex_t lock; /* of config */
	struct vif_config config;
	_Atomic(uint32_t)
		config_gen; /* counts changes of config; written under the lock */

	void (*broken)(void *ctx, const char *text);
	void (*put_ring)(void *ctx, struct io_uring *ring);
	struct io_uring *ring[VIF_QUEUES_MAX];
	void *ctx;
	atomic_flag broken_said;
};

struct vif_setup {
	struct vif_attach attach;
	struct grants *grants;
	struct events *events[VIF_QUEUES_MAX];
	struct port *port[VIF_QUEUES_MAX];
	void *state; /* at least vif_state_size(nr_queues) bytes, 64-byte aligned */
	size_t state_size;
	/* Called once at most, from any queue's thread: the frontend broke the protocol.
	 */
	void (*broken)(void *ctx, const char *text);
	void *ctx;
	/* An io_uring to sleep in, one a queue, or NULL; given back through put_ring.
	 * Both or neither may be NULL: then queues sleep in ppoll(). */
	struct io_uring *(*get_ring)(void *ctx);
	void (*put_ring)(void *ctx, struct io_uring *ring);
	bool threads; /* false: the caller runs each queue with queue_work() */
};

/* Whether an attach payload is complete and every number in it possible. */
bool vif_attach_valid(const struct vif_attach *a);

/*
 * Map the rings, bind the ports, start the queues. Owns the nr_queues event sets and
 * ports from here on, also on failure. 0 with *@out set, or -errno.
 */
int vif_open(const struct vif_setup *setup, struct vif **out);

/* Take up live changes. 0 or -EINVAL. Any thread. */
int vif_update(struct vif *v, const struct vif_update *u);

/* Stop the queues, wait for what they have in hand, release grants and ports, free. */
void vif_close(struct vif *v);

/* Change the shared settings: between the two calls v->config may be written. */
struct vif_config *vif_config_begin(struct vif *v);
void vif_config_end(struct vif *v);

/* A queue says why it gives up; the first reason is passed on. Any thread. */
void vif_broken(struct vif *v, const char *text);

/* The worker's device class. */
extern const struct worker_class vif_class;

#endif
