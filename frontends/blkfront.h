/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block front end (xen/io/blkif.h) for any operating system: several queues,
 * rings of up to 16 pages, persistent grants, indirect requests, flush, barrier,
 * discard, and the layouts of 32- and 64-bit guests.
 *
 * Order of calls: blkfront_init() when the backend is in InitWait;
 * blkfront_connect() when it is Connected; then for each queue, from one thread at
 * a time, blkfront_submit() ... blkfront_push(), blkfront_poll(); blkfront_close()
 * in the end. The front end trusts no backend: a wrong index, id or operation in
 * a response is FRONT_BROKEN and nothing outside the request's own pages changes.
 */
#ifndef XYLEM_BLKFRONT_H
#define XYLEM_BLKFRONT_H

#include "frontends/os.h"
#include "ring/blkif.h"

#define BLKFRONT_QUEUES_MAX 64u

struct blkfront_config {
	unsigned int queues;     /* at most; the backend may offer fewer. 0: 1 */
	unsigned int ring_order; /* ring of 1 << ring_order pages, at most 4 */
	bool persistent;         /* keep to granted pages, and copy */
	unsigned int pool_pages; /* persistent: pages a queue. 0: enough for 11 segments a
				    slot */
	unsigned int indirect_segs; /* segments of an indirect request at most; 0: none */
	enum blkif_abi abi;         /* "protocol"; not written for BLKIF_ABI_NATIVE */
	bool large_sectors; /* count in the backend's sector size, whatever it is */
};

/*
 * A piece of memory of a request: within one page, @len a multiple of the unit
 * (blkfront.unit). Without persistent grants @data must lie in a page that the OS
 * can grant, at a multiple of the unit.
 */
struct blkfront_seg {
	void *data;
	uint32_t len;
	uint32_t gref; /* already granted by the caller, who also ends it; 0: grant it */
};

/* One request; the caller's memory, in place until done() is called. */
struct blkfront_io {
	uint8_t op;  /* BLKIF_OP_READ, _WRITE, _WRITE_BARRIER, _FLUSH_DISKCACHE, _DISCARD
		      */
	bool secure; /* discard: BLKIF_DISCARD_SECURE */
	uint64_t sector;     /* in units of blkfront.unit */
	uint64_t nr_sectors; /* discard */
	const struct blkfront_seg *seg;
	unsigned int nr_segs;
	void (*done)(struct blkfront_io *io); /* may submit again */
	void *priv;
	/* set before done() */
	int16_t status;    /* BLKIF_RSP_* */
	bool still_mapped; /* the backend kept pages mapped: they must not be used again
			    */
};

#define BLKFRONT_CALLERS UINT32_MAX /* the caller granted this segment */
#define BLKFRONT_NONE    UINT32_MAX /* end of a free list */

/* What the front end keeps about a request in flight. */
struct blkfront_shadow {
	struct blkfront_io *io;
	uint8_t op;    /* what the response must say */
	uint32_t next; /* free list */
	uint32_t nr_segs;
	/* a segment: page of the pool (persistent), or grant to end; BLKFRONT_CALLERS */
	uint32_t *ref;
	struct blkif_request_segment *indirect; /* granted pages, or NULL */
	uint32_t indirect_ref[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
};

struct blkfront_queue {
	struct blkfront *bf;
	struct ring_front ring;
	void *ring_pages;
	uint32_t ring_ref[RING_PAGES_MAX];
	uint32_t port;
	struct blkfront_shadow *shadow; /* ring.size of them */
	uint32_t *shadow_refs;
	uint32_t free_shadow, in_flight;
	/* persistent: a LIFO of granted pages, so that few are in use */
	uint8_t *pool;
	uint32_t *pool_ref, *pool_free;
	uint32_t pool_pages, pool_top;
	void *indirect_pages;
	bool broken;
	uint64_t notified;
};

struct blkfront {
	struct front_os *os;
	struct blkfront_config cfg; /* as agreed on */
	unsigned int nr_queues;
	struct blkfront_queue *queue;
	unsigned int max_segs; /* of one request */
	uint32_t segs_per_shadow;
	/* the disk, after blkfront_connect() */
	uint64_t sectors; /* of sector_size bytes */
	uint32_t sector_size, physical_sector_size;
	uint32_t unit; /* what sector fields count: 512, or sector_size */
	uint32_t info; /* VDISK_* */
	bool flush, barrier, discard, secure;
	uint32_t discard_granularity, discard_alignment;
};

/*
 * Read what the backend offers, make the rings, publish them and enter
 * Initialised. On an error everything is given back.
 */
int blkfront_init(struct blkfront *bf, struct front_os *os,
		  const struct blkfront_config *cfg);

/* The backend is Connected: read the disk's properties and enter Connected. */
int blkfront_connect(struct blkfront *bf);

/* The backend is Connected and its "sectors" changed: take up the new size. */
int blkfront_resized(struct blkfront *bf);

/*
 * Put a request on the ring; the backend sees it after blkfront_push(). FRONT_FULL:
 * no slot, shadow or pool page is free; FRONT_INVALID, FRONT_UNSUPPORTED,
 * FRONT_NOMEM (grants), FRONT_BROKEN: nothing happened, done() will not be called.
 */
int blkfront_submit(struct blkfront_queue *q, struct blkfront_io *io);

/* Let the backend see what was submitted; notifies it when it asks for that. */
void blkfront_push(struct blkfront_queue *q);

/* Complete what the backend answered. How many, or FRONT_BROKEN. */
int blkfront_poll(struct blkfront_queue *q);

/*
 * Before sleeping: ask for an event after @distance (1 or more) responses. True:
 * the queue may sleep. False: poll first (or the backend is broken).
 */
bool blkfront_may_sleep(struct blkfront_queue *q, unsigned int distance);

/*
 * The backend is Closed or gone (or never came): requests in flight end with
 * BLKIF_RSP_ERROR, grants, pages and ports are given back. FRONT_BUSY: the backend
 * still has a page mapped; what is left is kept, call again.
 */
int blkfront_close(struct blkfront *bf);

/* Enter @state (enum xenbus_state) in the frontend's directory. */
int blkfront_put_state(struct blkfront *bf, unsigned int state);

#endif
