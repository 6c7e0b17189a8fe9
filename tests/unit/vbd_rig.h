/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One queue of blkback over the loopback, and a bare front end that puts on the
 * ring exactly what a test says, sound or not. Single-threaded: the test steps
 * the queue. Frames 0.. are the ring, the others data; each frame is granted once.
 */
#ifndef XYLEM_VBD_RIG_H
#define XYLEM_VBD_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/blkback/engine_volatile.h"
#include "backends/blkback/queue.h"
#include "backends/common/loopback.h"

#define RIG_DATA_FRAMES 1200u

struct rig_options {
	enum blkif_abi abi;
	uint32_t ring_order;
	bool persistent;
	uint32_t max_persistent; /* 0: 1056 */
	uint32_t flags;          /* enum vbd_flags, besides VBD_PERSISTENT */
	uint32_t sector_size, sector_unit, offset_align, memory_align; /* 0: 512 */
	uint32_t max_segments;
	uint32_t direct_min; /* 0: the defaults; else of both kinds */
	uint64_t size;       /* 0: 64 MiB */
	struct engine *(*engine_open)(const struct engine_setup *s); /* NULL: null */
	int fd;
	bool null_skips_data;
	struct volatile_disk *disk;
	uint32_t first_index; /* where the ring's indices start */
	bool readonly_grants; /* of the data frames */
	bool check_io;        /* count I/O that direct I/O would refuse */
};

struct rig {
	struct rig_options o;
	struct loopback *lb;
	struct events *events;
	struct vbd_disk disk;
	struct vbd_ranges ranges;
	struct limit_bucket limit[2];
	struct vbd_queue *queue;
	void *state;
	int wake_fd;
	atomic_bool stop;
	struct ring_front ring;
	uint32_t ring_pages, port;
	uint32_t ring_ref[VBD_MAX_RING_PAGES];
	uint32_t ref[RIG_DATA_FRAMES];
	struct blkif_rsp rsp[512]; /* not yet taken by rig_wait() */
	uint32_t nr_rsp;
	char broken[128]; /* what the backend said, if it gave up */
	unsigned int nr_broken;
	unsigned int misaligned; /* check_io */
};

/* Everything but the queue. */
void rig_prepare(struct rig *r, const struct rig_options *o);
/* The queue, on the thread that will step it. False: errno says why not. */
bool rig_open_queue(struct rig *r);
/* Both. False: vbd_queue_open() failed; the rest stands and rig_close() is due. */
bool rig_open(struct rig *r, const struct rig_options *o);

/* Close the queue, if open, and check that nothing is held. True: nothing leaked. */
bool rig_close_queue(struct rig *r);
/* All of it. True: nothing leaked. */
bool rig_close(struct rig *r);

/* Data frame @i. */
char *rig_page(struct rig *r, uint32_t i);

/* Put on the ring; rig_push() lets the backend see it. */
void rig_put(struct rig *r, const struct blkif_req *req);
void rig_push(struct rig *r);

/* A read or write of whole segments out of the frames from @frame on. */
void rig_request(struct rig *r, struct blkif_req *req, uint8_t op, uint64_t id,
		 uint64_t sector, uint32_t frame, uint32_t nr_frames);

/* Step until response @id is there, for at most 10 s. Its status; INT16_MIN: none came.
 */
int16_t rig_wait(struct rig *r, uint64_t id);
/* Put, push, wait. */
int16_t rig_do(struct rig *r, const struct blkif_req *req);
/* Step until nothing is left to do. */
void rig_settle(struct rig *r);
/* Collect responses without stepping. */
void rig_poll(struct rig *r);

uint64_t rig_metric(struct rig *r, enum metric k);

#endif
