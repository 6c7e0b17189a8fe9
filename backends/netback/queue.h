/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue of a vif: a thread with a pair of rings, a set of event channels and a
 * port. Nothing in here is touched by another thread while it runs, except wake_fd,
 * stop and inbox.
 */
#ifndef XYLEM_NETBACK_QUEUE_H
#define XYLEM_NETBACK_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/common/limit.h"
#include "backends/common/metrics.h"
#include "backends/netback/ctrl.h"
#include "backends/netback/port.h"
#include "backends/netback/rx.h"
#include "backends/netback/steer.h"
#include "backends/netback/tx.h"
#include "backends/netback/vif.h"
#include "backends/netback/waiter.h"

struct queue {
	struct vif *vif;
	uint32_t index;
	struct grants *grants;
	struct events *events;
	struct port *port;
	struct waiter *waiter;
	struct io_uring *ring; /* that waiter sleeps in; NULL: in ppoll() */
	int tx_port, rx_port;  /* local; the same when not split; 0: not bound */
	int wake_fd;           /* eventfd: look at stop and at the vif's settings */
	atomic_bool stop;
	bool broken;
	bool started;
	pthread_t thread;

	struct vif_config config; /* a copy of the vif's, of generation config_gen */
	uint32_t config_gen;
	struct metrics_queue *metrics;
	struct vif_state_queue *state;
	struct limit_bucket *limit; /* [0]: to the guest, [1]: from it */

	uint32_t tx_streak; /* bursts from the guest since the port was last looked at */
	struct tx tx;
	struct rx rx;
	struct ctrl ctrl;
	struct steer
		inbox; /* from other queues' threads; with more than one queue only */
};

struct queue_setup {
	struct vif *vif;
	uint32_t index;
	struct vif_queue_attach attach;
	struct grants *grants;
	struct events *events; /* owned by the queue from here on, also on failure */
	struct port *port;     /* same */
	bool ctrl;
	uint32_t ctrl_ref, ctrl_port;
	struct io_uring *ring; /* or NULL; the queue only uses it */
};

/* 0 with *@out set, or -errno. */
int queue_open(const struct queue_setup *s, struct queue **out);
/* Start the thread. 0 or -errno. */
int queue_start(struct queue *q);
/*
 * The end, in three steps, since a queue's thread may hand packets to any other
 * queue: ask all threads to end, wait for all, then release everything.
 */
void queue_stop(struct queue *q);
void queue_join(struct queue *q);
void queue_close(struct queue *q);
/* The vif's settings have changed. Any thread. */
void queue_kick(struct queue *q);

/* One round of everything without sleeping. True: something was done. */
bool queue_work(struct queue *q);
/* Sleep until there is something to do, at most @max_ns. */
void queue_sleep(struct queue *q, uint64_t max_ns);

/* The frontend (or the host's interface) is beyond serving: say why, and stop. */
void queue_broken(struct queue *q, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Send an event through local port @port, counted. */
void queue_notify(struct queue *q, int port);

/*
 * A pool for grant copies: pages with references of their own where the transport
 * has such, plain memory otherwise. 0 or -errno; the free of a pool that is not
 * there does nothing.
 */
int queue_pool(struct queue *q, struct grants_pool *p, uint32_t pages);
void queue_pool_free(struct queue *q, struct grants_pool *p);

/* The pool's side of a segment: the bytes at @at, within one page. */
static inline void queue_pool_side(const struct grants_pool *p, const uint8_t *at,
				   union xengnttab_copy_ptr *side, uint16_t *flags,
				   uint16_t flag)
{
	uint32_t offset = (uint32_t)(at - (const uint8_t *)p->addr);

	if (!p->refs) {
		side->virt = (void *)(uintptr_t)at;
		return;
	}
	side->foreign.ref = p->refs[offset / XEN_PAGE_SIZE];
	side->foreign.offset = (uint16_t)(offset % XEN_PAGE_SIZE);
	side->foreign.domid = GRANTS_POOL_DOMID;
	*flags |= flag;
}

/* @pages zeroed, page-aligned pages of our own. NULL with errno. */
void *queue_pages(uint32_t pages);
void queue_pages_free(void *p, uint32_t pages);

/* CLOCK_MONOTONIC, ns. */
uint64_t queue_now(void);

#endif
