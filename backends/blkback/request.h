/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside a queue: the request and its way. queue.c fetches, admits and answers;
 * request.c checks and takes a request through its phases; data.c moves its data.
 * All on the queue's thread.
 */
#ifndef XYLEM_BLK_REQUEST_H
#define XYLEM_BLK_REQUEST_H

#include <xengnttab.h>

#include "backends/blkback/copy.h"
#include "backends/blkback/fast_clock.h"
#include "backends/blkback/grant_cache.h"
#include "backends/blkback/pool.h"
#include "backends/blkback/queue.h"
#include "backends/common/log.h"
#include "ring/blkif.h"

#define COPY_BATCH     256 /* grant copy segments a call */
#define INDIRECT_BATCH 16  /* indirect pages copied in one call */

/* Where a request's data is while the engine works on it. */
enum data_path {
	DATA_NONE,              /* there are none, or the engine does not look at them */
	DATA_POOL_PERSISTENT,   /* pool; memcpy from or to persistently mapped pages */
	DATA_POOL_COPY,         /* pool; grant copy */
	DATA_DIRECT_PERSISTENT, /* the persistently mapped pages themselves */
	DATA_DIRECT_MAPPED,     /* the guest's pages, mapped for this request */
};

/* What the engine is doing for a request. Each is followed by a later one. */
enum request_phase {
	PHASE_FLUSH, /* before a barrier's data */
	PHASE_HEAD,  /* read-modify-write: the first block */
	PHASE_TAIL,  /* the last block */
	PHASE_DATA,  /* the operation itself */
};

struct vbd_request {
	struct engine_io io;
	struct vbd_inflight *rec;
	struct vbd_request *next;        /* in whichever list it is */
	uint64_t started;                /* ns */
	uint64_t offset, bytes;          /* of the guest's data in the image */
	uint64_t block_start, block_end; /* the same in whole blocks of offset_align */
	uint32_t nr_pieces;
	uint32_t pool_first, pool_pages;
	enum engine_op op;
	enum data_path path;
	enum request_phase phase;
	bool barrier; /* waits for all before it, and holds all after it */
	bool flush_first;
	bool limited; /* has taken its tokens */
	bool ranged;  /* is in disk->ranges */
	bool rmw;
	bool copy_failed;
	bool plain;      /* goes the short way: most fields above are not set */
	bool whole;      /* and its pieces are pages: `pieces` is not set either, and a
			    write's are not held */
	int16_t refused; /* status to answer without doing anything; 0: go */
	struct vbd_range range;
	struct iovec one;
	void *mapped;      /* DATA_DIRECT_MAPPED */
	struct iovec *iov; /* these three: max_pieces elements */
	struct blkif_piece *pieces;
	uint32_t *held; /* persistent grants' entries */
};

struct request_list {
	struct vbd_request *head, **tail;
};

static inline void list_init(struct request_list *l)
{
	l->head = NULL;
	l->tail = &l->head;
}

static inline void list_add(struct request_list *l, struct vbd_request *r)
{
	r->next = NULL;
	*l->tail = r;
	l->tail = &r->next;
}

static inline struct vbd_request *list_pop(struct request_list *l)
{
	struct vbd_request *r = l->head;

	if (r) {
		l->head = r->next;
		if (!l->head)
			l->tail = &l->head;
	}
	return r;
}

struct vbd_queue {
	struct vbd_queue_setup setup;
	struct vbd_disk *disk;
	struct engine *engine;
	struct metrics_queue *metrics;
	struct vbd_state_ring *ring_state;
	struct ring_back ring;
	void *ring_page;
	uint32_t ring_pages;
	int port;         /* local; -1: not bound */
	bool port_masked; /* has fired since it was last unmasked */
	bool broken, polled;
	uint64_t now;     /* ns, of this round */
	uint64_t latency; /* of so many requests of this round, not counted yet */
	uint32_t latency_count;
	uint64_t limited_until; /* CLOCK_MONOTONIC ns: when to ask the limits again; or 0
				 */
	struct fast_clock clock;
	uint32_t spin_every; /* spin at every so-manieth sleep; a power of two */
	uint32_t sleeps;
	uint32_t poll_every; /* the same for poll_first() */
	uint32_t polls;
	bool poll_pending; /* the last wait was such a poll */
	struct log_limit log_limit;

	struct vbd_request *free;        /* by next; the order is that of last use */
	struct request_list waiting;     /* fetched, in order, not started */
	struct request_list unsubmitted; /* the engine was full */
	struct request_list copying;     /* have segments in `copies` */
	struct vbd_request *barrier;     /* the one that holds all others, or NULL */
	uint32_t active;                 /* started and not answered */

	struct grant_cache cache; /* used when persistent */
	bool persistent;
	uint32_t foreseen; /* sequence behind the last request that hold.c looked at */
	struct pool pool;
	uint32_t max_pieces;
	struct vbd_request *requests;
	struct iovec *iovs;
	struct blkif_piece *pieces;
	uint32_t *helds;

	xengnttab_grant_copy_segment_t *copies;
	struct vbd_request **copy_owner;
	uint32_t nr_copies;
	char *indirect; /* INDIRECT_BATCH pages */
	struct vbd_request *indirect_owner[INDIRECT_BATCH];
	uint32_t nr_indirect;
};

/* A log line that the guest provoked. */
#define queue_log(q, fmt, ...)                                                           \
	log_guest(&(q)->log_limit, LOG_LEVEL_WARN, "%s: " fmt, (q)->setup.name,          \
		  ##__VA_ARGS__)

/* ---- queue.c ---- */

/* Give req->io to the engine, or keep it for when there is room. */
void queue_submit(struct vbd_queue *q, struct vbd_request *req);

/* Release all that @req holds and answer it. */
void queue_finish(struct vbd_queue *q, struct vbd_request *req, int16_t status);

/* ---- request.c ---- */

/*
 * Check what was fetched: sets op, range and pieces, or `refused`. An indirect
 * request joins the batch that request_resolve_indirect() completes.
 */
void request_parse(struct vbd_queue *q, struct vbd_request *req);
void request_resolve_indirect(struct vbd_queue *q);

/* Begin with the first phase; data_acquire() has been done. */
void request_start(struct vbd_queue *q, struct vbd_request *req);

/* The engine has finished a phase with req->io.result. */
void request_continue(struct vbd_queue *q, struct vbd_request *req);

/* The copies of @req, to or from the pool, are done: submit, or finish. */
void request_copied(struct vbd_queue *q, struct vbd_request *req);

/* ---- hold.c: rare, and with tables on the stack; kept out of their callers ---- */

/*
 * Map what is missing of @req, whose first @from pieces are held, and hold them all.
 * False: none is held. With it those of the waiting requests behind @req are mapped.
 */
__attribute__((noinline, cold)) bool hold_missing(struct vbd_queue *q,
						  struct vbd_request *req, uint32_t from);

/* Map the indirect pages that had to be copied this time. */
__attribute__((noinline, cold)) void
hold_indirect(struct vbd_queue *q, const uint32_t *gref, const bool *ok, uint32_t n);

/* ---- plain.c ---- */

/* Whether nothing stands in the way of requests that come now. */
bool plain_possible(const struct vbd_queue *q);

/*
 * Check and start @req, just fetched, if it is an ordinary one. False: it is not, or
 * something is missing; nothing is held, and request_parse() goes on.
 */
bool plain_start(struct vbd_queue *q, struct vbd_request *req);

/* The same as request_continue() for what plain_start() started. */
void plain_continue(struct vbd_queue *q, struct vbd_request *req);

/* ---- data.c ---- */

/*
 * Choose the path and take what it needs: pool pages, mappings. 0; -EAGAIN when
 * that must wait for requests in flight; or -errno.
 */
int data_acquire(struct vbd_queue *q, struct vbd_request *req);
void data_release(struct vbd_queue *q, struct vbd_request *req);

/*
 * Move a write's data to where the engine takes them, or a read's to the guest.
 * True: done. False: segments were queued, request_copied() will be called.
 */
bool data_move(struct vbd_queue *q, struct vbd_request *req);

/*
 * Move @req's data between its persistent pages and @data: the guest's to us, or back.
 */
static inline void data_move_persistent(struct vbd_queue *q,
					const struct vbd_request *req, char *data,
					bool to_guest)
{
	const struct blkif_piece *p = req->pieces, *end = p + req->nr_pieces;
	const uint32_t *held = req->held;
	uint64_t bytes = 0;

	for (; p != end; data += p++->length) {
		char *page = grant_cache_page(&q->cache, *held++) + p->offset;

		if (to_guest)
			copy_data(page, data, p->length);
		else
			copy_data(data, page, p->length);
		bytes += p->length;
	}
	metric_add(q->metrics, METRIC_COPIED_BYTES, bytes);
}

/* Point req->io at the data. */
void data_describe(struct vbd_queue *q, struct vbd_request *req);

/* Make the queued grant copies and call request_copied() for each. Whether there were
 * any. */
bool data_copy_all(struct vbd_queue *q);

/* The page of an indirect request, if it can be had without a copy; with its entry. */
const void *data_peek(struct vbd_queue *q, uint32_t gref, uint32_t *held);

/* Copy @n grants' beginnings, @length[i] bytes of each, to @to + i pages. ok[i]: it
 * worked. */
void data_fetch(struct vbd_queue *q, const uint32_t *gref, const uint32_t *length,
		uint32_t n, char *to, bool *ok);

#endif
