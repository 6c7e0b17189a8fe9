/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One ring of a disk and the thread that serves it: fetches requests, checks
 * them, moves their data, gives them to the engine and answers.
 */
#ifndef XYLEM_BLK_QUEUE_H
#define XYLEM_BLK_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/blkback/engine.h"
#include "backends/blkback/ranges.h"
#include "backends/blkback/vbd_proto.h"
#include "backends/blkback/vbd_state.h"
#include "backends/common/limit.h"
#include "backends/common/transport.h"

/*
 * How a request's data travels is chosen by its size and by what the frontend
 * negotiated (data.c). Requests of at least so many bytes are read and written
 * straight into the guest's pages; smaller ones go through the pool. Measured on a
 * PV dom0 (docs/backends.md): looking up the page behind a grant mapping, which
 * direct I/O does for each page, costs more there than copying it, and mapping and
 * unmapping a page costs twice what a grant copy of it does.
 */
#define DIRECT_MIN_PERSISTENT (256u << 10)
#define DIRECT_MIN_MAPPED     UINT32_MAX

/*
 * Before it sleeps, a queue whose frontend has lately been quick looks at the ring
 * for so long: about what a sleep, an event and a wake-up cost both ends. A look
 * that finds nothing makes the next one rarer (every 2nd, 4th, ... sleep), so that
 * a slow guest, or one that shares our CPU, costs next to nothing; an idle one
 * costs nothing at all.
 */
#define SPIN_NS     10000u
#define SPIN_RAREST 256u
#define POLL_RAREST 64u /* of polling the engine before sleeping, likewise */

/* What the queues of a disk share. Set up before they start; only `size` changes. */
struct vbd_disk {
	enum blkif_abi abi;
	uint32_t flags; /* enum vbd_flags */
	uint32_t sector_size, sector_unit;
	uint32_t offset_align, memory_align;
	uint32_t max_segments; /* of an indirect request; 0: none */
	uint32_t direct_min_persistent, direct_min_mapped;
	_Atomic(uint64_t) size;     /* bytes */
	struct limit_bucket *limit; /* [0] reads, [1] writes; NULL: none */
	struct vbd_ranges *ranges; /* NULL unless sectors are smaller than offset_align */
};

/*
 * Set what the image asks of offsets and of memory. Requests are multiples of
 * sector_size anyway. Where read-modify-write is needed, its blocks are large enough
 * that each of them is aligned in memory as well.
 */
static inline void vbd_disk_set_align(struct vbd_disk *d, uint32_t offset,
				      uint32_t memory)
{
	d->memory_align = memory;
	d->offset_align = offset > d->sector_size ? offset : d->sector_size;
	if (offset > d->sector_size && memory > offset)
		d->offset_align = memory;
}

struct vbd_queue_setup {
	struct vbd_disk *disk;
	const char *name;   /* for log lines: "guest 3 vbd 51712 queue 0" */
	unsigned int index; /* of this queue */
	struct grants *grants;
	struct events *events;    /* stays the caller's; nothing bound after close */
	uint32_t event_channel;   /* the frontend's port */
	const uint32_t *ring_ref; /* 1 << ring_order */
	uint32_t ring_order;
	uint32_t max_persistent;
	struct state_queue *state; /* vbd_state_queue_size(ring_order) bytes */
	struct engine *(*engine_open)(const struct engine_setup *s);
	/* fd, block_device, readonly, wake_fd, ring, ...; the queue sets the rest */
	struct engine_setup engine;
	/*
	 * Set by any thread, which then writes to engine.wake_fd: ends vbd_queue_run().
	 * The caller's, so that it can be set whether the queue still exists or not.
	 */
	atomic_bool *stop;
	/* The frontend broke the protocol: called once, from the queue's thread. */
	void (*broken)(void *arg, const char *text);
	void *arg;
};

struct vbd_queue;

/*
 * Map the ring, bind the port, open the engine. On the thread that will run the
 * queue. Everything that a disk's largest request needs is allocated here. NULL
 * with errno; then nothing is held.
 */
struct vbd_queue *vbd_queue_open(const struct vbd_queue_setup *s);

/* Serve until *stop, or until the frontend breaks the protocol. */
void vbd_queue_run(struct vbd_queue *q);

/*
 * One round of vbd_queue_run(): collect, fetch, start, answer; then, if there was
 * nothing to do and @may_sleep, sleep. Returns whether there was anything to do.
 */
bool vbd_queue_step(struct vbd_queue *q, bool may_sleep);

bool vbd_queue_broken(const struct vbd_queue *q);

/*
 * Wait for what is in flight and answer it; then release every grant, the port
 * and the ring. On the queue's thread.
 */
void vbd_queue_close(struct vbd_queue *q);

#endif
