/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk in the worker: checks the attach message, starts a thread a queue, and
 * waits until each has connected. A thread opens, runs and closes its queue
 * itself, since an io_uring belongs to the thread that enabled it.
 */
#include "backends/blkback/vbd.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "backends/blkback/queue.h"
#include "backends/common/log.h"

struct events *(*vbd_open_events)(int fd, uint32_t domid) = events_fdopen_xen;

struct queue_thread {
	struct worker_device *dev;
	struct vbd_queue_setup setup;
	struct events *events;
	atomic_bool stop;
	pthread_t thread;
	sem_t started;
	int status; /* of vbd_queue_open() */
	bool created;
	uint32_t ring_ref[VBD_MAX_RING_PAGES];
	char name[64];
};

struct worker_device {
	struct worker *worker;
	uint32_t devid, domid;
	struct vbd_disk disk;
	struct vbd_ranges ranges;
	enum vbd_engine engine;
	int fd; /* the image */
	uint32_t nr_queues;
	struct queue_thread queue[];
};

/* ---- checking the message ---- */

static bool sector_size_ok(uint32_t n)
{
	return n == 512 || n == 4096;
}

static bool align_ok(uint32_t n)
{
	return n && n <= 4096 && !(n & (n - 1));
}

static int check_attach(const struct vbd_attach *a, size_t size, unsigned int nfds,
			const struct state_head *state, size_t state_size)
{
	if (size < vbd_attach_size(0) || a->nr_queues < 1 ||
	    a->nr_queues > VBD_MAX_QUEUES || size != vbd_attach_size(a->nr_queues) ||
	    nfds != 1 + a->nr_queues)
		return -EINVAL;
	if (a->abi >= BLKIF_ABIS || a->engine > VBD_ENGINE_NULL ||
	    a->ring_order > VBD_MAX_RING_ORDER || a->max_segments > VBD_MAX_SEGMENTS ||
	    a->max_persistent > VBD_MAX_PERSISTENT)
		return -EINVAL;
	if (!sector_size_ok(a->sector_size) || !sector_size_ok(a->sector_unit) ||
	    a->sector_unit > a->sector_size || !align_ok(a->offset_align) ||
	    !align_ok(a->memory_align) || a->size % a->sector_size)
		return -EINVAL;
	if (!state || state_size < vbd_state_size(a->nr_queues, a->ring_order))
		return -EINVAL;
	return 0;
}

/* A partial block at the end cannot be written by direct I/O: it does not exist. */
static uint64_t usable(uint64_t size, uint32_t offset_align)
{
	return size & ~(uint64_t)(offset_align - 1);
}

static void set_up_disk(struct worker_device *dev, const struct vbd_attach *a,
			struct state_head *state)
{
	struct vbd_disk *d = &dev->disk;

	d->abi = (enum blkif_abi)a->abi;
	d->flags = a->flags;
	d->sector_size = a->sector_size;
	d->sector_unit = a->sector_unit;
	vbd_disk_set_align(d, a->offset_align, a->memory_align);
	d->max_segments = a->max_segments;
	d->direct_min_persistent = a->direct_min ? a->direct_min : DIRECT_MIN_PERSISTENT;
	d->direct_min_mapped = a->direct_min ? a->direct_min : DIRECT_MIN_MAPPED;
	d->size = usable(a->size, d->offset_align);
	d->limit = state->limit;
	ranges_init(&dev->ranges);
	d->ranges = d->offset_align > d->sector_size ? &dev->ranges : NULL;
	dev->engine = (enum vbd_engine)a->engine;
	dev->nr_queues = a->nr_queues;
}

/* ---- a queue's thread ---- */

static void queue_broken(void *arg, const char *text)
{
	struct queue_thread *t = arg;

	worker_broken(t->dev->worker, t->dev->devid, "%s: %s", t->name, text);
}

/* io_uring, or what does without one when the worker has none left. */
static int choose_engine(struct queue_thread *t)
{
	struct worker_device *dev = t->dev;

	t->setup.engine.ring = t->setup.engine.polled_ring = NULL;
	switch (dev->engine) {
	case VBD_ENGINE_NULL:
		t->setup.engine_open = engine_null_open;
		return 0;
	case VBD_ENGINE_URING:
		t->setup.engine.ring = worker_get_uring(dev->worker);
		if (t->setup.engine.ring) {
			if (dev->disk.flags & VBD_POLLED)
				t->setup.engine.polled_ring =
					worker_get_polled_uring(dev->worker);
			t->setup.engine_open = engine_uring_open;
			return 0;
		}
		log_info("%s: no io_uring left, using libaio", t->name);
		/* fall through */
	case VBD_ENGINE_AIO:
		t->setup.engine_open = engine_aio_open;
		return 0;
	}
	return -EINVAL;
}

static void *queue_main(void *arg)
{
	struct queue_thread *t = arg;
	struct vbd_queue *queue = NULL;

	t->status = choose_engine(t);
	if (!t->status) {
		queue = vbd_queue_open(&t->setup);
		t->status = queue ? 0 : -errno;
	}
	sem_post(&t->started);
	if (queue) {
		vbd_queue_run(queue);
		vbd_queue_close(
			queue); /* a broken one too: it holds nothing until detach */
	}
	if (t->setup.engine.ring)
		worker_put_uring(t->dev->worker, t->setup.engine.ring);
	if (t->setup.engine.polled_ring)
		worker_put_uring(t->dev->worker, t->setup.engine.polled_ring);
	return NULL;
}

static void set_up_queue(struct worker_device *dev, unsigned int i,
			 const struct vbd_attach *a, struct state_head *state)
{
	struct queue_thread *t = &dev->queue[i];

	t->dev = dev;
	snprintf(t->name, sizeof(t->name), "guest %u vbd %u queue %u", dev->domid,
		 dev->devid, i);
	memcpy(t->ring_ref, a->queue[i].ring_ref, sizeof(t->ring_ref));
	t->setup = (struct vbd_queue_setup){
		.disk = &dev->disk,
		.name = t->name,
		.index = i,
		.grants = worker_grants(dev->worker),
		.events = t->events,
		.event_channel = a->queue[i].event_channel,
		.ring_ref = t->ring_ref,
		.ring_order = a->ring_order,
		.max_persistent = a->max_persistent,
		.state = state_queue(state, i, vbd_state_queue_size(a->ring_order)),
		.engine = {.fd = dev->fd,
			   .block_device = a->flags & VBD_BLOCK_DEVICE,
			   .readonly = a->flags & VBD_READONLY,
			   .wake_fd = dev->ranges.wake_fd[i]},
		.stop = &t->stop,
		.broken = queue_broken,
		.arg = t,
	};
}

static int start_queue(struct queue_thread *t)
{
	int ret;

	sem_init(&t->started, 0, 0);
	ret = pthread_create(&t->thread, NULL, queue_main, t);
	if (ret) {
		sem_destroy(&t->started);
		return -ret;
	}
	t->created = true;
	while (sem_wait(&t->started) && errno == EINTR)
		;
	return t->status;
}

/* ---- the device ---- */

/* Descriptors into events and wake descriptors. Those not taken over are closed. */
static int take_fds(struct worker_device *dev, const int *fds)
{
	int ret = 0;

	dev->fd = fds[0];
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		if (ret) {
			close(fds[1 + i]);
			continue;
		}
		dev->queue[i].events = vbd_open_events(fds[1 + i], dev->domid);
		if (!dev->queue[i].events) {
			ret = -errno;
			continue;
		}
		dev->ranges.wake_fd[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (dev->ranges.wake_fd[i] < 0)
			ret = -errno;
	}
	return ret;
}

static void stop_queues(struct worker_device *dev)
{
	uint64_t one = 1;

	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		atomic_store_explicit(&dev->queue[i].stop, true, memory_order_release);
		/* Only fails when the counter is full: then the queue is awake anyway. */
		if (dev->queue[i].created &&
		    write(dev->ranges.wake_fd[i], &one, sizeof(one)) < 0)
			assert(errno == EAGAIN);
	}
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		struct queue_thread *t = &dev->queue[i];

		if (!t->created)
			continue;
		pthread_join(t->thread, NULL);
		sem_destroy(&t->started);
	}
}

static void vbd_detach(struct worker_device *dev)
{
	stop_queues(dev);
	for (unsigned int i = 0; i < dev->nr_queues; i++) {
		if (dev->queue[i].events)
			events_close(dev->queue[i].events);
		if (dev->ranges.wake_fd[i] >= 0)
			close(dev->ranges.wake_fd[i]);
	}
	ranges_end(&dev->ranges);
	close(dev->fd);
	free(dev);
}

static void close_fds(const int *fds, unsigned int nfds)
{
	for (unsigned int i = 0; i < nfds; i++)
		close(fds[i]);
}

static int vbd_attach(struct worker *w, uint32_t devid, const void *payload, size_t size,
		      const int *fds, unsigned int nfds, void *state, size_t state_size,
		      struct worker_device **out)
{
	struct worker_device *dev;
	struct vbd_attach copy, *a = &copy;
	int ret;

	memset(&copy, 0, sizeof(copy));
	memcpy(&copy, payload, size < sizeof(copy) ? size : sizeof(copy));
	ret = check_attach(a, size, nfds, state, state_size);
	if (ret) {
		close_fds(fds, nfds);
		return ret;
	}
	dev = calloc(1, sizeof(*dev) + a->nr_queues * sizeof(dev->queue[0]));
	if (!dev) {
		close_fds(fds, nfds);
		return -ENOMEM;
	}
	dev->worker = w;
	dev->devid = devid;
	dev->domid = worker_grants(w)->domid;
	set_up_disk(dev, a, state);
	ret = take_fds(dev, fds);
	for (unsigned int i = 0; !ret && i < a->nr_queues; i++) {
		set_up_queue(dev, i, a, state);
		ret = start_queue(&dev->queue[i]);
	}
	if (ret) {
		vbd_detach(dev);
		return ret;
	}
	*out = dev;
	return 0;
}

/*
 * Another file under the number that the engines know; I/O in flight keeps the one it
 * began with. An io_uring has registered the file itself: not there.
 */
static int replace_image(struct worker_device *dev, const int *fds, unsigned int nfds)
{
	if (nfds != 1 || dev->engine != VBD_ENGINE_AIO)
		return -EINVAL;
	atomic_store(&dev->disk.size, 0);
	return dup3(fds[0], dev->fd, O_CLOEXEC) < 0 ? -errno : 0;
}

static int vbd_update(struct worker_device *dev, const void *payload, size_t size,
		      const int *fds, unsigned int nfds)
{
	struct vbd_update u = {0};
	int ret = 0;

	if (size == sizeof(u))
		memcpy(&u, payload, sizeof(u));
	if (size != sizeof(u) || u.size % dev->disk.sector_size)
		ret = -EINVAL;
	else if (nfds)
		ret = replace_image(dev, fds, nfds);
	if (!ret)
		atomic_store(&dev->disk.size, usable(u.size, dev->disk.offset_align));
	close_fds(fds, nfds);
	return ret;
}

const struct worker_class vbd_worker_class = {
	.type = "vbd",
	.uring_polled = 4, /* the queues of a disk, by default */
	.attach = vbd_attach,
	.update = vbd_update,
	.detach = vbd_detach,
};
