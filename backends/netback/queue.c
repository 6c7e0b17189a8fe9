/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue's life and its thread's loop, see queue.h. */
#include "backends/netback/queue.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/*
 * While the guest keeps sending, the port is not asked whether it has something:
 * that is a system call a burst. But not for longer than this.
 */
#define TX_STREAK_MAX 4u

void *queue_pages(uint32_t pages)
{
	void *p = mmap(NULL, (size_t)pages * XEN_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void queue_pages_free(void *p, uint32_t pages)
{
	if (p)
		munmap(p, (size_t)pages * XEN_PAGE_SIZE);
}

int queue_pool(struct queue *q, struct grants_pool *p, uint32_t pages)
{
	if (!grants_pool(q->grants, p, pages))
		return 0;
	*p = (struct grants_pool){.addr = queue_pages(pages), .pages = pages};
	return p->addr ? 0 : -ENOMEM;
}

void queue_pool_free(struct queue *q, struct grants_pool *p)
{
	if (p->refs)
		grants_pool_free(q->grants, p);
	else
		queue_pages_free(p->addr, p->pages);
	memset(p, 0, sizeof(*p));
}

uint64_t queue_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void queue_broken(struct queue *q, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	if (q->broken)
		return;
	q->broken = true;
	n = snprintf(text, sizeof(text), "queue %u: ", q->index);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	vif_broken(q->vif, text);
}

void queue_notify(struct queue *q, int port)
{
	metric_add(q->metrics, METRIC_EVENTS_OUT, 1);
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	if (events_notify(q->events, port) < 0)
		queue_broken(q, "cannot send an event: %s", strerror(errno));
}

/* Take over the vif's settings when they have changed. */
static void queue_refresh(struct queue *q)
{
	struct vif *v = q->vif;

	if (atomic_load_explicit(&v->config_gen, memory_order_acquire) == q->config_gen)
		return;
	pthread_mutex_lock(&v->lock);
	q->config = v->config;
	q->config_gen = atomic_load_explicit(&v->config_gen, memory_order_relaxed);
	pthread_mutex_unlock(&v->lock);
}

bool queue_work(struct queue *q)
{
	bool done;

	if (q->broken)
		return false;
	queue_refresh(q);
	done = ctrl_run(q);
	if (q->broken)
		return false;
	if (tx_run(q)) {
		done = true;
		if (++q->tx_streak >= TX_STREAK_MAX)
			q->rx.ready = true;
	} else {
		q->tx_streak = 0;
	}
	if (q->rx.ready)
		q->tx_streak = 0;
	if (!q->broken && rx_run(q))
		done = true;
	return done && !q->broken;
}

void queue_sleep(struct queue *q, uint64_t max_ns)
{
	struct coalesce *c = &q->rx.coalesce;
	uint64_t timeout = rx_timeout(q), later = 0;
	unsigned int want = 0, ready;

	if (tx_arm(q) || rx_arm(q) || ctrl_arm(q) || q->broken)
		return;
	if (rx_wants_port(q)) {
		later = coalesce_sleep(c, queue_now);
		if (!later)
			want |= WAIT_READABLE;
		else if (later < timeout)
			timeout = later;
	}
	if (q->tx.blocked)
		want |= WAIT_WRITABLE;
	if (q->tx.wait_ns && q->tx.wait_ns < timeout)
		timeout = q->tx.wait_ns;
	ready = waiter_wait(q->waiter, want, timeout < max_ns ? timeout : max_ns);
	if (ready & WAIT_READABLE || (later && queue_now() >= c->until))
		q->rx.ready = true;
}

static void *queue_thread(void *arg)
{
	struct queue *q = arg;

	while (!atomic_load(&q->stop) && !q->broken)
		if (!queue_work(q))
			queue_sleep(q, UINT64_MAX);
	/* what is armed in an io_uring belongs to this thread */
	waiter_close(q->waiter);
	q->waiter = NULL;
	return NULL;
}

static int queue_bind(struct queue *q, const struct vif_queue_attach *a)
{
	int port = events_bind(q->events, a->tx_port);

	if (port < 0)
		return -errno;
	q->tx_port = q->rx_port = port;
	if (a->rx_port == a->tx_port)
		return 0;
	port = events_bind(q->events, a->rx_port);
	if (port < 0)
		return -errno;
	q->rx_port = port;
	return 0;
}

static unsigned int queue_offload(const struct vif *v)
{
	uint32_t f = v->features;
	unsigned int offload = 0;

	if (f & (VIF_CSUM_V4 | VIF_CSUM_V6))
		offload |= PORT_OFFLOAD_CSUM;
	if ((f & (VIF_SG | VIF_GSO_TCPV4 | VIF_CSUM_V4)) ==
	    (VIF_SG | VIF_GSO_TCPV4 | VIF_CSUM_V4))
		offload |= PORT_OFFLOAD_TSO4;
	if ((f & (VIF_SG | VIF_GSO_TCPV6 | VIF_CSUM_V6)) ==
	    (VIF_SG | VIF_GSO_TCPV6 | VIF_CSUM_V6))
		offload |= PORT_OFFLOAD_TSO6;
	return offload;
}

/* An io_uring when there is one, and it can be used; ppoll() otherwise. */
static int queue_open_waiter(struct queue *q)
{
	if (q->ring)
		q->waiter = waiter_uring_open(q->ring, q->events, q->port->fd, q->wake_fd,
					      q->metrics);
	if (!q->waiter)
		q->waiter =
			waiter_poll_open(q->events, q->port->fd, q->wake_fd, q->metrics);
	return q->waiter ? 0 : -errno;
}

static int queue_setup(struct queue *q, const struct queue_setup *s)
{
	int err;

	q->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (q->wake_fd < 0)
		return -errno;
	err = queue_open_waiter(q);
	if (!err)
		err = tx_open(q, s->attach.tx_ref);
	if (!err)
		err = rx_open(q, s->attach.rx_ref);
	if (!err)
		err = queue_bind(q, &s->attach);
	if (!err && q->vif->nr_queues > 1)
		err = steer_open(&q->inbox);
	if (!err && s->ctrl)
		err = ctrl_open(q, s->ctrl_ref, s->ctrl_port);
	/* it holds for the interface: once is enough */
	if (!err && !q->index)
		err = port_set_offload(q->port, queue_offload(q->vif));
	return err;
}

int queue_open(const struct queue_setup *s, struct queue **out)
{
	struct queue *q = calloc(1, sizeof(*q));
	int err;

	if (!q) {
		events_close(s->events);
		port_close(s->port);
		return -ENOMEM;
	}
	q->vif = s->vif;
	q->index = s->index;
	q->grants = s->grants;
	q->events = s->events;
	q->port = s->port;
	q->wake_fd = -1;
	q->ring = s->ring;
	q->state = (struct vif_state_queue *)state_queue(s->vif->state, s->index,
							 VIF_STATE_QUEUE_SIZE);
	q->metrics = &q->state->head.metrics;
	q->limit = s->vif->state->limit;
	q->config_gen = atomic_load(&s->vif->config_gen) - 1; /* none yet */
	err = queue_setup(q, s);
	if (err) {
		queue_close(q);
		return err;
	}
	*out = q;
	return 0;
}

int queue_start(struct queue *q)
{
	int err = pthread_create(&q->thread, NULL, queue_thread, q);

	q->started = !err;
	return -err;
}

void queue_kick(struct queue *q)
{
	uint64_t one = 1;

	/* fails only when the counter is full: then it is awake already */
	if (write(q->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void queue_stop(struct queue *q)
{
	atomic_store(&q->stop, true);
	queue_kick(q);
}

void queue_join(struct queue *q)
{
	if (q->started)
		pthread_join(q->thread, NULL);
	q->started = false;
}

/*
 * Nothing is in flight once the thread has ended: a burst is copied and answered
 * before the next one begins. Then ports go first, so that no event comes for a
 * ring that is not mapped any more.
 */
void queue_close(struct queue *q)
{
	RING_ASSERT(!q->started);
	if (q->rx_port && q->rx_port != q->tx_port)
		events_unbind(q->events, q->rx_port);
	if (q->tx_port)
		events_unbind(q->events, q->tx_port);
	ctrl_close(q);
	rx_close(q);
	tx_close(q);
	steer_close(&q->inbox);
	if (q->waiter)
		waiter_close(q->waiter);
	if (q->wake_fd >= 0)
		close(q->wake_fd);
	events_close(q->events);
	port_close(q->port);
	free(q);
}
