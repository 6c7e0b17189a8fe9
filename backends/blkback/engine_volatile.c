/* SPDX-License-Identifier: GPL-2.0-only */
/* A disk with a volatile write cache; see engine_volatile.h. */
#include "backends/blkback/engine_volatile.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/blkback/engine_common.h"

/* A version of a sector that is not durable yet; newest last. */
struct version {
	struct version *next;
	uint64_t order; /* of completion */
	char data[VOLATILE_SECTOR];
};

struct volatile_disk {
	uint64_t size, seed, completed, cut_at;
	bool armed, cut, lies;
	char *cache, *durable;
	struct version **versions; /* a list a sector */
};

struct engine_volatile {
	struct engine base;
	struct engine_setup setup;
	struct volatile_disk *disk;
	struct engine_io *pending; /* submitted, any may complete next */
	struct engine_done done;
};

static uint64_t next_random(struct volatile_disk *d)
{
	d->seed ^= d->seed << 13;
	d->seed ^= d->seed >> 7;
	d->seed ^= d->seed << 17;
	return d->seed;
}

/* ---- the disk ---- */

struct volatile_disk *volatile_disk_new(uint64_t size, uint64_t seed)
{
	struct volatile_disk *d = calloc(1, sizeof(*d));

	assert(size % VOLATILE_SECTOR == 0);
	if (!d)
		return NULL;
	d->size = size;
	d->seed = seed * 2 + 1;
	d->cache = calloc(1, size);
	d->durable = calloc(1, size);
	d->versions = calloc(size / VOLATILE_SECTOR, sizeof(*d->versions));
	if (d->cache && d->durable && d->versions)
		return d;
	volatile_disk_free(d);
	return NULL;
}

static void drop_versions(struct volatile_disk *d, uint64_t sector)
{
	struct version *v;

	while ((v = d->versions[sector])) {
		d->versions[sector] = v->next;
		free(v);
	}
}

void volatile_disk_free(struct volatile_disk *d)
{
	if (d->versions)
		for (uint64_t s = 0; s < d->size / VOLATILE_SECTOR; s++)
			drop_versions(d, s);
	free(d->versions);
	free(d->cache);
	free(d->durable);
	free(d);
}

void volatile_disk_cut_after(struct volatile_disk *d, uint64_t ios)
{
	d->armed = true;
	d->cut_at = d->completed + ios;
	d->cut = !ios;
}

bool volatile_disk_is_cut(const struct volatile_disk *d)
{
	return d->cut;
}

void volatile_disk_lie(struct volatile_disk *d)
{
	d->lies = true;
}

const char *volatile_disk_data(const struct volatile_disk *d)
{
	return d->cache;
}

/* What is durable, and of each later version, by chance, one or none. */
void volatile_disk_restore(struct volatile_disk *d)
{
	for (uint64_t s = 0; s < d->size / VOLATILE_SECTOR; s++) {
		for (struct version *v = d->versions[s]; v; v = v->next)
			if (next_random(d) & 1)
				memcpy(d->durable + s * VOLATILE_SECTOR, v->data,
				       VOLATILE_SECTOR);
		drop_versions(d, s);
	}
	memcpy(d->cache, d->durable, d->size);
	d->armed = d->cut = false;
}

/* A new version of each sector of [offset, offset + length), out of the flat @data. */
static void add_versions(struct volatile_disk *d, uint64_t offset, uint64_t length,
			 const char *data)
{
	for (uint64_t s = offset / VOLATILE_SECTOR;
	     s < (offset + length) / VOLATILE_SECTOR; s++) {
		struct version *v = calloc(1, sizeof(*v)), **p = &d->versions[s];

		assert(v);
		v->order = d->completed;
		memcpy(v->data, data + s * VOLATILE_SECTOR - offset, VOLATILE_SECTOR);
		while (*p)
			p = &(*p)->next;
		*p = v;
	}
}

/* Make durable what completed before @order, of the given sectors. */
static void settle(struct volatile_disk *d, uint64_t offset, uint64_t length,
		   uint64_t order)
{
	for (uint64_t s = offset / VOLATILE_SECTOR;
	     s < (offset + length) / VOLATILE_SECTOR; s++) {
		struct version *v;

		while ((v = d->versions[s]) && v->order < order) {
			memcpy(d->durable + s * VOLATILE_SECTOR, v->data,
			       VOLATILE_SECTOR);
			d->versions[s] = v->next;
			free(v);
		}
	}
}

/* ---- the engine ---- */

static void flatten(const struct engine_io *io, char *to)
{
	for (unsigned int i = 0; i < io->nr_iov; i++) {
		memcpy(to, io->iov[i].iov_base, io->iov[i].iov_len);
		to += io->iov[i].iov_len;
	}
}

static void do_read(struct volatile_disk *d, struct engine_io *io)
{
	const char *from = d->cache + io->offset;

	for (unsigned int i = 0; i < io->nr_iov; i++) {
		memcpy(io->iov[i].iov_base, from, io->iov[i].iov_len);
		from += io->iov[i].iov_len;
	}
}

static void do_write(struct volatile_disk *d, struct engine_io *io)
{
	char *data = calloc(1, io->length);

	assert(data);
	if (io->op == ENGINE_WRITE)
		flatten(io, data);
	add_versions(d, io->offset, io->length, data);
	/* In flight when the power goes: it may leave traces, and is not in the cache. */
	if (!d->cut)
		memcpy(d->cache + io->offset, data, io->length);
	free(data);
}

static int perform(struct volatile_disk *d, struct engine_io *io)
{
	bool alive = !d->cut;

	if (io->private[1])
		return -EIO; /* it came when the power was gone: no trace of it */
	if (io->offset + io->length > d->size || io->offset + io->length < io->offset)
		return -EINVAL;
	switch (io->op) {
	case ENGINE_READ:
		do_read(d, io);
		break;
	case ENGINE_FLUSH:
		/* private[0]: how many had completed when it was submitted */
		if (alive && !d->lies)
			settle(d, 0, d->size, io->private[0]);
		break;
	default:
		do_write(d, io);
		if (alive && io->fua && !d->lies)
			settle(d, io->offset, io->length, d->completed + 1);
		break;
	}
	return alive ? 0 : -EIO;
}

static void complete_one(struct engine_volatile *v)
{
	struct volatile_disk *d = v->disk;
	struct engine_io **p = &v->pending, *io;
	unsigned int n = 0, i;

	for (io = v->pending; io; io = io->next)
		n++;
	if (!n)
		return;
	for (i = (unsigned int)(next_random(d) % n); i; i--)
		p = &(*p)->next;
	io = *p;
	*p = io->next;
	if (d->armed && d->completed >= d->cut_at)
		d->cut = true;
	engine_done_add(&v->done, io, perform(d, io));
	d->completed++;
}

static struct engine_volatile *volatile_of(struct engine *e)
{
	return (struct engine_volatile *)e;
}

static int volatile_submit(struct engine *e, struct engine_io *io)
{
	struct engine_volatile *v = volatile_of(e);

	if (e->inflight >= e->depth)
		return -EAGAIN;
	e->inflight++;
	io->private[0] = v->disk->completed;
	io->private[1] = v->disk->cut;
	io->next = v->pending;
	v->pending = io;
	return 0;
}

static void volatile_commit(struct engine *e)
{
	(void)e;
}

/* As if time passed: between none and all of what is pending completes. */
static unsigned int volatile_wait(struct engine *e, const int *unmask,
				  unsigned int nr_unmask, int *ports, unsigned int max,
				  uint64_t timeout_ns)
{
	struct engine_volatile *v = volatile_of(e);
	unsigned int n = (unsigned int)(next_random(v->disk) % 8);

	if (timeout_ns != ENGINE_POLL && !n)
		n = 1;
	while (n--)
		complete_one(v);
	if (timeout_ns == ENGINE_POLL && !nr_unmask)
		return 0;
	return engine_poll(&v->setup, -1, unmask, nr_unmask, ports, max,
			   v->done.head ? ENGINE_POLL : timeout_ns);
}

static struct engine_io *volatile_reap(struct engine *e)
{
	return engine_done_take(e, &volatile_of(e)->done);
}

static void volatile_drain(struct engine *e)
{
	while (volatile_of(e)->pending)
		complete_one(volatile_of(e));
}

static void volatile_close(struct engine *e)
{
	free(e);
}

static const struct engine_ops volatile_ops = {
	.name = "volatile",
	.submit = volatile_submit,
	.commit = volatile_commit,
	.reap = volatile_reap,
	.wait = volatile_wait,
	.drain = volatile_drain,
	.close = volatile_close,
};

struct engine *engine_volatile_open(const struct engine_setup *s)
{
	struct engine_volatile *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->base.ops = &volatile_ops;
	v->base.metrics = s->metrics;
	v->base.depth = s->depth;
	v->base.moves_data = true;
	v->setup = *s;
	v->disk = s->disk;
	engine_done_init(&v->done);
	return &v->base;
}
