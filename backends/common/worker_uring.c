/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker's io_urings. All are made before the sandbox closes, since
 * io_uring_setup() kills afterwards; each is mapped when a queue first takes it,
 * so that a ring nobody uses costs the worker no memory.
 */
#include <stdlib.h>
#include <string.h>

#include "backends/common/log.h"
#include "backends/common/sandbox.h"
#include "backends/common/worker_internal.h"

#define DEFAULT_POOL    16
#define DEFAULT_ENTRIES 128

static int make_ring(struct pool_ring *r, const struct worker_class *class, bool polled)
{
	unsigned int entries =
		class->uring_entries ? class->uring_entries : DEFAULT_ENTRIES;

	/* Linux 5.19 and later do not interrupt a running thread for a completion it will
	 * see at its next system call; ask for that where it is known. */
	r->polled = polled;
	r->params.flags = polled ? IORING_SETUP_IOPOLL
				 : class->uring_flags | IORING_SETUP_COOP_TASKRUN;
	r->fd = sandbox_uring(entries, &r->params);
	if (r->fd == -EINVAL && !polled) {
		memset(&r->params, 0, sizeof(r->params));
		r->params.flags = class->uring_flags;
		r->fd = sandbox_uring(entries, &r->params);
	}
	return r->fd < 0 ? r->fd : 0;
}

void worker_uring_make(struct worker *w)
{
	int n = w->class->uring_pool ? w->class->uring_pool : DEFAULT_POOL, i, rc;
	int all = n + (int)w->class->uring_polled;

	if (n < 0)
		return;
	w->rings = calloc((size_t)all, sizeof(*w->rings));
	if (!w->rings)
		return;
	for (i = 0; i < all; i++) {
		rc = make_ring(&w->rings[i], w->class, i >= n);
		if (rc) {
			log_warn("no io_uring: %s", strerror(-rc));
			break;
		}
		w->nr_rings++;
	}
}

/* What io_uring_queue_init() does beyond io_uring_queue_mmap() (liburing 2.3): each
 * place of the submission ring names its own entry, and the features are known. */
static int map_ring(struct pool_ring *r)
{
	int rc = io_uring_queue_mmap(r->fd, &r->params, &r->ring);
	unsigned int i;

	if (rc)
		return rc;
	for (i = 0; i < r->params.sq_entries; i++)
		r->ring.sq.array[i] = i;
	r->ring.features = r->params.features;
	return 0;
}

static struct io_uring *get_ring(struct worker *w, bool polled)
{
	struct pool_ring *r = NULL;
	unsigned int i;

	pthread_mutex_lock(&w->uring_lock);
	for (i = 0; i < w->nr_rings && !r; i++) {
		if (w->rings[i].busy || w->rings[i].polled != polled)
			continue;
		r = &w->rings[i];
		if (!r->mapped && map_ring(r))
			r = NULL;
		else
			r->mapped = r->busy = true;
	}
	pthread_mutex_unlock(&w->uring_lock);
	return r ? &r->ring : NULL;
}

struct io_uring *worker_get_uring(struct worker *w)
{
	return get_ring(w, false);
}

struct io_uring *worker_get_polled_uring(struct worker *w)
{
	return get_ring(w, true);
}

/* The ring keeps its restrictions; files and buffers must not outlive the device. */
void worker_put_uring(struct worker *w, struct io_uring *ring)
{
	struct pool_ring *r = (struct pool_ring *)ring;

	io_uring_unregister_files(ring);
	io_uring_unregister_buffers(ring);
	io_uring_cq_advance(ring, io_uring_cq_ready(ring));
	/* A registered ring descriptor was the thread's that used it, and ended with it.
	 */
	ring->enter_ring_fd = ring->ring_fd;
	ring->int_flags = 0;
	pthread_mutex_lock(&w->uring_lock);
	r->busy = false;
	pthread_mutex_unlock(&w->uring_lock);
}
