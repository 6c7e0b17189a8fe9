/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A ring's thread. One round (vbd_queue_step) takes what the engine completed,
 * fetches what the frontend asked, starts it, makes all grant copies of both in
 * one call, publishes the responses and notifies at most once. It sleeps only
 * when a round found nothing, so events are asked for, and the port unmasked, no
 * earlier than then.
 *
 * A request that must wait (limits, a barrier, no pool pages) holds the ones
 * behind it: `waiting` is in order, and nothing is fetched while it is not empty.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/blkback/answer.h"
#include "backends/blkback/request.h"

/* Pool pages by default: a good part of what a ring of ordinary requests can ask. */
#define POOL_PAGES_PER_SLOT 11
#define POOL_PAGES_MAX      2048

static void break_ring(struct vbd_queue *q, const char *text)
{
	if (q->broken)
		return;
	q->broken = true;
	q->setup.broken(q->setup.arg, text);
}

bool vbd_queue_broken(const struct vbd_queue *q)
{
	return q->broken;
}

/* ---- engine ---- */

void queue_submit(struct vbd_queue *q, struct vbd_request *req)
{
	if (q->unsubmitted.head || q->engine->ops->submit(q->engine, &req->io))
		list_add(&q->unsubmitted, req);
	else
		q->polled = false;
}

static bool submit_rest(struct vbd_queue *q)
{
	bool any = false;

	while (q->unsubmitted.head && q->engine->inflight < q->engine->depth &&
	       !q->engine->ops->submit(q->engine, &q->unsubmitted.head->io)) {
		list_pop(&q->unsubmitted);
		q->polled = false;
		any = true;
	}
	return any;
}

static bool collect(struct vbd_queue *q)
{
	struct engine_io *io = q->engine->ops->reap(q->engine), *next;

	if (q->poll_pending) {
		q->poll_pending = false;
		if (io)
			q->poll_every = 1;
		else if (q->poll_every < POLL_RAREST)
			q->poll_every *= 2;
	}
	if (!io)
		return false;
	q->now = fast_clock_now(&q->clock);
	for (; io; io = next) {
		struct vbd_request *req =
			(struct vbd_request *)((char *)io -
					       offsetof(struct vbd_request, io));

		next = io->next;
		if (req->plain)
			plain_continue(q, req);
		else
			request_continue(q, req);
	}
	return true;
}

/* ---- answering ---- */

void queue_finish(struct vbd_queue *q, struct vbd_request *req, int16_t status)
{
	data_release(q, req);
	if (req->ranged)
		ranges_put(q->disk->ranges, &req->range, q->setup.index);
	if (q->barrier == req)
		q->barrier = NULL;
	answer(q, req, req->op, req->bytes, status);
}

static void push(struct vbd_queue *q)
{
	answer_latencies(q);
	if (q->broken || !ring_back_push(&q->ring))
		return;
	metric_add(q->metrics, METRIC_EVENTS_OUT, 1);
	metric_add(q->metrics, METRIC_SYSCALLS, 1);
	if (events_notify(q->setup.events, q->port))
		queue_log(q, "notify: %s", strerror(errno));
}

/* ---- fetching ---- */

static bool stopped(const struct vbd_queue *q)
{
	return atomic_load_explicit(q->setup.stop, memory_order_acquire);
}

static struct vbd_request *fetch_one(struct vbd_queue *q, enum blkif_abi abi)
{
	struct vbd_request *req = q->free;
	struct vbd_inflight *rec;

	assert(req); /* one a slot, and the ring checks that no more are asked */
	q->free = req->next;
	rec = req->rec;
	blkif_fetch(&q->ring, abi, q->ring.req_cons, &rec->req);
	rec->sequence = q->ring.req_cons;
	atomic_signal_fence(memory_order_release);
	rec->busy = 1;
	ring_back_consume(&q->ring, 1);
	atomic_signal_fence(memory_order_release);
	q->ring_state->req_cons = q->ring.req_cons;
	req->started = q->now;
	return req;
}

static bool fetch(struct vbd_queue *q)
{
	bool plain = plain_possible(q);
	int32_t n;

	if (q->waiting.head || q->broken || stopped(q))
		return false;
	n = ring_back_requests(&q->ring);
	if (n == RING_OVERRUN)
		break_ring(q, "the frontend's request index is out of range");
	if (n <= 0)
		return false;
	metric_add(q->metrics, METRIC_BATCHES, 1);
	q->now = fast_clock_now(&q->clock);
	while (n--) {
		struct vbd_request *req = fetch_one(q, q->disk->abi);

		/* What is behind one that goes the long way goes behind it. */
		plain = plain && plain_start(q, req);
		if (plain)
			continue;
		request_parse(q, req);
		list_add(&q->waiting, req);
	}
	request_resolve_indirect(q);
	return true;
}

/* ---- admitting ---- */

/* Whether the limits let @req go now. Tokens are taken once. */
static bool within_limits(struct vbd_queue *q, struct vbd_request *req)
{
	struct limit_bucket *b;
	uint64_t now, wait;

	if (!q->disk->limit || req->limited)
		return true;
	b = &q->disk->limit[req->op == ENGINE_READ ? 0 : 1];
	if (!limit_active(b))
		return true;
	now = clock_monotonic_ns();
	wait = limit_take(b, req->nr_pieces ? req->bytes : 0, 1, now);
	req->limited = wait == 0;
	if (wait) {
		if (!q->limited_until)
			metric_add(q->metrics, METRIC_THROTTLED, 1);
		q->limited_until = now + wait;
	}
	return req->limited;
}

/* Whether no read-modify-write stands in the way of @req, or it in theirs. */
static bool range_free(struct vbd_queue *q, struct vbd_request *req)
{
	uint64_t mask = q->disk->offset_align - 1;

	if (!q->disk->ranges || req->ranged || req->op == ENGINE_READ ||
	    req->op == ENGINE_FLUSH)
		return true;
	req->range.start = req->offset & ~mask;
	req->range.end = (req->offset + req->bytes + mask) & ~mask;
	req->range.exclusive = req->rmw;
	req->ranged = ranges_take(q->disk->ranges, &req->range, q->setup.index);
	return req->ranged;
}

/* Start @req, or answer it. False: it must wait, and all behind it. */
static bool admit(struct vbd_queue *q, struct vbd_request *req)
{
	int ret;

	if (req->refused) {
		q->active++;
		queue_finish(q, req, req->refused);
		return true;
	}
	if (q->barrier || (req->barrier && q->active))
		return false;
	if (!within_limits(q, req) || !range_free(q, req))
		return false;
	ret = data_acquire(q, req);
	if (ret == -EAGAIN && q->active)
		return false;
	q->active++;
	if (ret) {
		queue_log(q, "request %llu: its data cannot be reached: %s",
			  (unsigned long long)req->rec->req.id, strerror(-ret));
		queue_finish(q, req, BLKIF_RSP_ERROR);
		return true;
	}
	if (req->barrier)
		q->barrier = req;
	request_start(q, req);
	return true;
}

static bool admit_all(struct vbd_queue *q)
{
	struct vbd_request *req;
	bool any = false;

	if (q->broken)
		return false;
	q->limited_until = 0;
	while ((req = q->waiting.head)) {
		struct vbd_request *next =
			req->next; /* admit() may put it in another list */

		if (!admit(q, req))
			break;
		q->waiting.head = next;
		if (!next)
			q->waiting.tail = &q->waiting.head;
		any = true;
	}
	return any;
}

/* ---- the round ---- */

static void wait_engine(struct vbd_queue *q, bool unmask, uint64_t timeout_ns)
{
	int fired;

	if (unmask && q->port_masked)
		q->port_masked = false;
	else
		unmask = false;
	if (q->engine->ops->wait(q->engine, &q->port, unmask, &fired, 1, timeout_ns)) {
		q->port_masked = true;
		metric_add(q->metrics, METRIC_EVENTS_IN, 1);
	}
}

/* How long to sleep for the limits; ENGINE_SLEEP when they hold nothing back. */
static uint64_t limit_timeout(const struct vbd_queue *q)
{
	uint64_t now;

	if (!q->limited_until)
		return ENGINE_SLEEP;
	now = clock_monotonic_ns();
	return q->limited_until > now ? q->limited_until - now : 1;
}

static void relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* Look at the ring for a moment. True: something came, or the ring is broken. */
static bool spin(struct vbd_queue *q)
{
	uint64_t end;

	if (++q->sleeps & (q->spin_every - 1))
		return false;
	end = fast_clock_now(&q->clock) + SPIN_NS;
	do {
		for (int i = 0; i < 16; i++) {
			if (ring_back_requests(&q->ring)) {
				q->spin_every = 1;
				return true;
			}
			relax();
		}
	} while (fast_clock_now(&q->clock) < end && !stopped(q));
	if (q->spin_every < SPIN_RAREST)
		q->spin_every *= 2;
	return false;
}

static void sleep_engine(struct vbd_queue *q)
{
	int32_t n;

	if (q->waiting.head || q->broken) {
		/* The ring is not looked at before something else has happened. */
		wait_engine(q, false, limit_timeout(q));
		return;
	}
	if (q->engine->polling) {
		wait_engine(q, false, ENGINE_POLL);
		return;
	}
	if (!q->engine->inflight && spin(q))
		return;
	n = ring_back_final_check(&q->ring, 1);
	if (n == RING_OVERRUN)
		break_ring(q, "the frontend's request index is out of range");
	if (n)
		return;
	wait_engine(q, true, ENGINE_SLEEP);
	if (!q->port_masked)
		ring_back_hold_events(&q->ring); /* awake: no need to call */
}

/*
 * Whether to submit the batch without sleeping, to collect what completes at once:
 * until then no event need be asked for. A disk that is never so quick is asked
 * more rarely; then one system call submits and sleeps.
 */
static bool poll_first(struct vbd_queue *q)
{
	if (!q->engine->inflight || q->polled)
		return false;
	q->polled = true;
	q->poll_pending = !(++q->polls & (q->poll_every - 1));
	return q->poll_pending;
}

bool vbd_queue_step(struct vbd_queue *q, bool may_sleep)
{
	bool any = collect(q);

	any |= submit_rest(q);
	any |= fetch(q);
	any |= admit_all(q);
	any |= data_copy_all(q);
	push(q);
	if (poll_first(q)) {
		metric_set(q->metrics, METRIC_INFLIGHT, q->active);
		wait_engine(q, false, ENGINE_POLL);
		return true;
	}
	if (any)
		return true;
	metric_set(q->metrics, METRIC_INFLIGHT, q->active);
	if (may_sleep)
		sleep_engine(q);
	else
		wait_engine(q, false, ENGINE_POLL);
	return false;
}

void vbd_queue_run(struct vbd_queue *q)
{
	while (!stopped(q) && !q->broken)
		vbd_queue_step(q, true);
}

/* ---- opening and closing ---- */

static uint32_t pool_pages(const struct vbd_queue *q)
{
	uint32_t pages = q->ring.size * POOL_PAGES_PER_SLOT;
	/* Two of the largest request, each with a partial block at both ends. */
	uint32_t least = 2 * (q->max_pieces + 2);

	if (pages > POOL_PAGES_MAX)
		pages = POOL_PAGES_MAX;
	return pages > least ? pages : least;
}

static int alloc_requests(struct vbd_queue *q)
{
	struct vbd_inflight *rec = vbd_state_inflight(q->setup.state);
	uint32_t slots = q->ring.size;
	size_t n = (size_t)slots * q->max_pieces;

	q->requests = calloc(slots, sizeof(*q->requests));
	q->iovs = malloc(n * sizeof(*q->iovs));
	q->pieces = malloc(n * sizeof(*q->pieces));
	q->helds = malloc(n * sizeof(*q->helds));
	q->copies = calloc(COPY_BATCH, sizeof(*q->copies));
	q->copy_owner = calloc(COPY_BATCH, sizeof(*q->copy_owner));
	q->indirect = aligned_alloc(POOL_PAGE, INDIRECT_BATCH * POOL_PAGE);
	if (!q->requests || !q->iovs || !q->pieces || !q->helds || !q->copies ||
	    !q->copy_owner || !q->indirect)
		return -ENOMEM;
	for (uint32_t i = slots; i--;) {
		struct vbd_request *req = &q->requests[i];

		req->rec = &rec[i];
		req->rec->busy = 0;
		req->iov = q->iovs + (size_t)i * q->max_pieces;
		req->pieces = q->pieces + (size_t)i * q->max_pieces;
		req->held = q->helds + (size_t)i * q->max_pieces;
		req->next = q->free;
		q->free = req;
	}
	return pool_init(&q->pool, pool_pages(q));
}

static int map_ring(struct vbd_queue *q)
{
	const struct vbd_queue_setup *s = &q->setup;

	q->ring_pages = 1u << s->ring_order;
	q->ring_page =
		grants_map(s->grants, s->ring_ref, q->ring_pages, PROT_READ | PROT_WRITE);
	if (!q->ring_page)
		return -errno;
	if (!ring_back_attach(&q->ring, q->ring_page, q->ring_pages,
			      blkif_slot_size(q->disk->abi)))
		return -EPROTO;
	if (q->ring.size != vbd_state_slots(s->ring_order))
		return -EINVAL;
	q->ring_state = vbd_state_ring(s->state);
	q->ring_state->nr_slots = q->ring.size;
	q->ring_state->req_cons = q->ring.req_cons;
	q->ring_state->rsp_prod_pvt = q->ring.rsp_prod_pvt;
	return 0;
}

static int open_engine(struct vbd_queue *q)
{
	struct engine_setup s = q->setup.engine;

	s.depth = q->ring.size;
	s.events = q->setup.events;
	s.pool = q->pool.base;
	s.pool_size = (size_t)q->pool.pages * POOL_PAGE;
	s.metrics = q->metrics;
	q->engine = q->setup.engine_open(&s);
	return q->engine ? 0 : -errno;
}

static int bring_up(struct vbd_queue *q)
{
	const struct vbd_queue_setup *s = &q->setup;
	int ret = map_ring(q);

	if (ret)
		return ret;
	ret = alloc_requests(q);
	if (ret)
		return ret;
	if (s->max_persistent && (q->disk->flags & VBD_PERSISTENT)) {
		ret = grant_cache_init(&q->cache, s->grants, s->max_persistent,
				       q->metrics);
		if (ret)
			return ret;
		q->persistent = true;
	}
	ret = open_engine(q);
	if (ret)
		return ret;
	q->port = events_bind(s->events, s->event_channel);
	return q->port < 0 ? -errno : 0;
}

struct vbd_queue *vbd_queue_open(const struct vbd_queue_setup *s)
{
	struct vbd_queue *q = calloc(1, sizeof(*q));
	int ret;

	if (!q)
		return NULL;
	q->setup = *s;
	q->disk = s->disk;
	q->metrics = &s->state->metrics;
	q->port = -1;
	q->spin_every = q->poll_every = 1;
	q->max_pieces = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	if (s->disk->max_segments > q->max_pieces)
		q->max_pieces = s->disk->max_segments;
	list_init(&q->waiting);
	list_init(&q->unsubmitted);
	list_init(&q->copying);
	ret = bring_up(q);
	if (!ret)
		return q;
	vbd_queue_close(q);
	errno = -ret;
	return NULL;
}

/* Let everything that was started end, and be answered. */
static void drain(struct vbd_queue *q)
{
	do {
		q->engine->ops->drain(q->engine);
		collect(q);
		submit_rest(q);
		data_copy_all(q);
	} while (q->engine->inflight || q->unsubmitted.head || q->copying.head);
	/* What has not been started is the frontend's to ask again. */
	for (struct vbd_request *req = q->waiting.head; req; req = req->next)
		if (req->ranged)
			ranges_put(q->disk->ranges, &req->range, q->setup.index);
	assert(!q->active);
	push(q);
}

static void release_ring(struct vbd_queue *q)
{
	if (!q->ring_page)
		return;
	if (grants_unmap(q->setup.grants, q->ring_page, q->ring_pages) &&
	    grants_unmap(q->setup.grants, q->ring_page, q->ring_pages))
		log_error("%s: unmap of the ring: %s", q->setup.name, strerror(errno));
}

void vbd_queue_close(struct vbd_queue *q)
{
	if (q->engine && q->port >= 0)
		drain(q);
	if (q->persistent)
		grant_cache_end(&q->cache);
	if (q->engine)
		q->engine->ops->close(q->engine);
	if (q->port >= 0 && events_unbind(q->setup.events, q->port))
		log_error("%s: unbind: %s", q->setup.name, strerror(errno));
	release_ring(q);
	pool_end(&q->pool);
	free(q->requests);
	free(q->iovs);
	free(q->pieces);
	free(q->helds);
	free(q->copies);
	free(q->copy_owner);
	free(q->indirect);
	free(q);
}
