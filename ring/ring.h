/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shared ring of request and response slots (xen/io/ring.h), both ends.
 *
 * The two ends share four indices and an array of slots. The front end produces
 * requests, the back end consumes them and produces responses into the same
 * slots. Indices count from 0 to 2^32-1 and wrap; a slot is index modulo size.
 *
 * Invariant of every ring, seen from either end (all modulo 2^32):
 *
 *     rsp_cons <= rsp_prod <= rsp_prod_pvt <= req_cons <= req_prod
 *     req_prod - rsp_cons <= size
 *
 * Each end keeps its own indices in private memory and never reads them back
 * from the shared page. What the other end writes is checked on every read: an
 * index that breaks the invariant is RING_OVERRUN, and the ring must be given up.
 *
 * Freestanding: no libc, no allocation. An end belongs to one thread at a time.
 */
#ifndef XYLEM_RING_H
#define XYLEM_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_PAGE_SIZE 4096u
#define RING_HEAD_SIZE 64u /* the indices, before the first slot */
#define RING_PAGES_MAX 16u

/* What a function that counts returns when the other end's index is impossible. */
#define RING_OVERRUN (-1)

/* A fault of the caller, which no other end can provoke: never go on. */
#define RING_ASSERT(x)                                                                   \
	do {                                                                             \
		if (__builtin_expect(!(x), 0))                                           \
			__builtin_trap();                                                \
	} while (0)

/* The head of the first shared page, as DEFINE_RING_TYPES lays it out. */
struct ring_shared {
	uint32_t req_prod, req_event;
	uint32_t rsp_prod, rsp_event;
	uint8_t pad[48];
};
_Static_assert(sizeof(struct ring_shared) == RING_HEAD_SIZE, "slots start at 64");

/* The back end. Invariant: req_cons - rsp_prod_pvt <= size. */
struct ring_back {
	struct ring_shared *shared;
	uint8_t *slots;
	uint32_t size;         /* slots; a power of two */
	uint32_t slot_size;    /* bytes */
	uint32_t req_cons;     /* next request to consume */
	uint32_t rsp_prod_pvt; /* next response to produce */
	uint32_t rsp_pushed;   /* what rsp_prod in the shared page was last set to */
};

/* The front end. Invariant: req_prod_pvt - rsp_cons <= size. */
struct ring_front {
	struct ring_shared *shared;
	uint8_t *slots;
	uint32_t size;
	uint32_t slot_size;
	uint32_t req_prod_pvt; /* next request to produce */
	uint32_t req_pushed;   /* what req_prod in the shared page was last set to */
	uint32_t rsp_cons;     /* next response to consume */
};

/*
 * How many slots of @slot_size bytes a ring of @pages pages has: as many as fit
 * behind the indices, rounded down to a power of two. 0 when there is none, or
 * @pages is not between 1 and RING_PAGES_MAX.
 */
static inline uint32_t ring_slots(uint32_t pages, uint32_t slot_size)
{
	uint32_t n;

	if (pages == 0 || pages > RING_PAGES_MAX || slot_size == 0)
		return 0;
	n = (pages * RING_PAGE_SIZE - RING_HEAD_SIZE) / slot_size;
	return n ? 1u << (31 - __builtin_clz(n)) : 0;
}

/*
 * Copy @n bytes from memory that the other end can change into private memory,
 * so that every later use sees this one copy. The asm takes both addresses and
 * clobbers memory: the compiler must have finished the copy there, and cannot
 * satisfy a later use of @dst by reading @src again.
 */
static inline void ring_copy_in(void *dst, const void *src, size_t n)
{
	__builtin_memcpy(dst, src, n);
	__asm__ volatile("" : : "r"(dst), "r"(src) : "memory");
}

/* Copy @n bytes from private memory into a slot. A push makes them visible. */
static inline void ring_copy_out(void *dst, const void *src, size_t n)
{
	__builtin_memcpy(dst, src, n);
}

/*
 * Set up @page as a new, empty ring. Done by the front end, before it grants the
 * page. Both ends are to be told of the very first message.
 */
static inline void ring_shared_init(void *page)
{
	struct ring_shared *s = page;

	__builtin_memset(s, 0, sizeof(*s));
	s->req_event = 1;
	s->rsp_event = 1;
}

/* ---- back end ---- */

/*
 * Take up the back end of a ring at indices of the caller's choice: a successor
 * replays from those its predecessor kept. @pages is mapped at @page. False when
 * the geometry is impossible or the indices break the invariant: then @r is unusable.
 */
static inline bool ring_back_resume(struct ring_back *r, void *page, uint32_t pages,
				    uint32_t slot_size, uint32_t req_cons,
				    uint32_t rsp_prod)
{
	struct ring_shared *s = page;
	uint32_t size = ring_slots(pages, slot_size);
	uint32_t req_prod;

	if (size == 0 || req_cons - rsp_prod > size)
		return false;
	/* Acquire: what the front end wrote before req_prod is seen after it. */
	req_prod = __atomic_load_n(&s->req_prod, __ATOMIC_ACQUIRE);
	if (req_prod - req_cons > size - (req_cons - rsp_prod))
		return false;
	*r = (struct ring_back){
		.shared = s,
		.slots = (uint8_t *)page + RING_HEAD_SIZE,
		.size = size,
		.slot_size = slot_size,
		.req_cons = req_cons,
		.rsp_prod_pvt = rsp_prod,
		/* the predecessor may have died between producing and pushing */
		.rsp_pushed = __atomic_load_n(&s->rsp_prod, __ATOMIC_RELAXED),
	};
	return true;
}

/*
 * Take up the back end of a ring that a front end has just connected: nothing in
 * flight, and everything from rsp_prod on is a request still to be consumed (a
 * front end may fill its ring before the back end connects). False as above.
 */
static inline bool ring_back_attach(struct ring_back *r, void *page, uint32_t pages,
				    uint32_t slot_size)
{
	struct ring_shared *s = page;
	uint32_t rsp_prod = __atomic_load_n(&s->rsp_prod, __ATOMIC_RELAXED);

	if (!ring_back_resume(r, page, pages, slot_size, rsp_prod, rsp_prod))
		return false;
	r->rsp_pushed = rsp_prod; /* it was read twice; keep to one value */
	return true;
}

/*
 * How many requests wait to be consumed, or RING_OVERRUN: the front end's
 * producer went backwards, or has more requests outstanding than the ring holds.
 */
static inline int32_t ring_back_requests(const struct ring_back *r)
{
	/*
	 * Acquire: the slots up to req_prod are read after req_prod, so they hold what
	 * the front end wrote before it published the index (its release).
	 */
	uint32_t prod = __atomic_load_n(&r->shared->req_prod, __ATOMIC_ACQUIRE);
	uint32_t n = prod - r->req_cons;

	if (__builtin_expect(n > r->size - (r->req_cons - r->rsp_prod_pvt), 0))
		return RING_OVERRUN;
	return (int32_t)n;
}

/* The slot of index @idx. Shared memory: copy it with ring_copy_in(), once. */
static inline void *ring_back_slot(const struct ring_back *r, uint32_t idx)
{
	return r->slots + (size_t)(idx & (r->size - 1)) * r->slot_size;
}

/* @n requests, of those ring_back_requests() counted, have been copied. */
static inline void ring_back_consume(struct ring_back *r, uint32_t n)
{
	r->req_cons += n;
	RING_ASSERT(r->req_cons - r->rsp_prod_pvt <= r->size);
}

/* Requests consumed and not answered. */
static inline uint32_t ring_back_unanswered(const struct ring_back *r)
{
	return r->req_cons - r->rsp_prod_pvt;
}

/* The slot of the next response; the caller fills it. There must be one to answer. */
static inline void *ring_back_produce(struct ring_back *r)
{
	RING_ASSERT(r->rsp_prod_pvt != r->req_cons);
	return ring_back_slot(r, r->rsp_prod_pvt++);
}

/*
 * Whether a producer that moved from @old to @new passed the point @event at
 * which the consumer wants to be told: event lies in (old, new].
 */
static inline bool ring_passed(uint32_t old, uint32_t new, uint32_t event)
{
	return new - event < new - old;
}

/* Publish the responses produced so far. True: the front end wants an event. */
static inline bool ring_back_push(struct ring_back *r)
{
	uint32_t old = r->rsp_pushed, new = r->rsp_prod_pvt;

	if (new == old)
		return false;
	/*
	 * Release: the response slots (and our reads of the requests that were in
	 * them) come before the index that lets the front end read and reuse them.
	 */
	__atomic_store_n(&r->shared->rsp_prod, new, __ATOMIC_RELEASE);
	r->rsp_pushed = new;
	/*
	 * Full: rsp_prod is visible before rsp_event is read. With the fence between
	 * the front end's write of rsp_event and its read of rsp_prod, one of the two
	 * sees the other: no response stays unseen while the front end sleeps.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring_passed(old, new,
			   __atomic_load_n(&r->shared->rsp_event, __ATOMIC_RELAXED));
}

/*
 * Before sleeping: ask for an event when @distance more requests have arrived
 * (1 or more; more than one gathers a batch), then count once more what waits.
 * The caller may sleep when the result is below @distance: then an event will
 * come. At @distance or above it may have been missed. RING_OVERRUN as above.
 */
static inline int32_t ring_back_final_check(struct ring_back *r, uint32_t distance)
{
	__atomic_store_n(&r->shared->req_event, r->req_cons + distance, __ATOMIC_RELAXED);
	/* Full: req_event is visible before req_prod is read; see ring_back_push(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring_back_requests(r);
}

/*
 * While polling: put the event far away, so that the front end sends none.
 * Nothing is ordered: an event too many is harmless.
 */
static inline void ring_back_hold_events(struct ring_back *r)
{
	__atomic_store_n(&r->shared->req_event, r->req_cons - 1, __ATOMIC_RELAXED);
}

/* ---- front end ---- */

/* Make @pages pages at @page a new ring and take up its front end. False: geometry. */
static inline bool ring_front_init(struct ring_front *r, void *page, uint32_t pages,
				   uint32_t slot_size)
{
	uint32_t size = ring_slots(pages, slot_size);

	if (size == 0)
		return false;
	ring_shared_init(page);
	*r = (struct ring_front){
		.shared = page,
		.slots = (uint8_t *)page + RING_HEAD_SIZE,
		.size = size,
		.slot_size = slot_size,
	};
	return true;
}

/*
 * Take up the front end at given indices, for a ring whose previous front end
 * has gone (or, in tests, next to the wrap). Nothing is written to the page but
 * what the next push writes. False when geometry or indices are impossible.
 */
static inline bool ring_front_resume(struct ring_front *r, void *page, uint32_t pages,
				     uint32_t slot_size, uint32_t req_prod,
				     uint32_t rsp_cons)
{
	uint32_t size = ring_slots(pages, slot_size);

	if (size == 0 || req_prod - rsp_cons > size)
		return false;
	*r = (struct ring_front){
		.shared = page,
		.slots = (uint8_t *)page + RING_HEAD_SIZE,
		.size = size,
		.slot_size = slot_size,
		.req_prod_pvt = req_prod,
		.req_pushed = req_prod,
		.rsp_cons = rsp_cons,
	};
	return true;
}

/* Slots into which requests can be produced now. */
static inline uint32_t ring_front_free(const struct ring_front *r)
{
	return r->size - (r->req_prod_pvt - r->rsp_cons);
}

static inline void *ring_front_slot(const struct ring_front *r, uint32_t idx)
{
	return r->slots + (size_t)(idx & (r->size - 1)) * r->slot_size;
}

/* The slot of the next request; the caller fills it. One must be free. */
static inline void *ring_front_produce(struct ring_front *r)
{
	RING_ASSERT(ring_front_free(r) != 0);
	return ring_front_slot(r, r->req_prod_pvt++);
}

/* Publish the requests produced so far. True: the back end wants an event. */
static inline bool ring_front_push(struct ring_front *r)
{
	uint32_t old = r->req_pushed, new = r->req_prod_pvt;

	if (new == old)
		return false;
	/* Release: the request slots come before the index that publishes them. */
	__atomic_store_n(&r->shared->req_prod, new, __ATOMIC_RELEASE);
	r->req_pushed = new;
	/*
	 * Full: req_prod is visible before req_event is read, against the back end's
	 * fence between its write of req_event and its read of req_prod.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring_passed(old, new,
			   __atomic_load_n(&r->shared->req_event, __ATOMIC_RELAXED));
}

/*
 * How many responses wait, or RING_OVERRUN: the back end answered what was never
 * asked, or its producer went backwards.
 */
static inline int32_t ring_front_responses(const struct ring_front *r)
{
	/* Acquire: slots are read after rsp_prod; the back end's release wrote them
	 * before. */
	uint32_t prod = __atomic_load_n(&r->shared->rsp_prod, __ATOMIC_ACQUIRE);
	uint32_t n = prod - r->rsp_cons;

	if (__builtin_expect(n > r->req_pushed - r->rsp_cons, 0))
		return RING_OVERRUN;
	return (int32_t)n;
}

/* @n responses, of those ring_front_responses() counted, have been copied. */
static inline void ring_front_consume(struct ring_front *r, uint32_t n)
{
	r->rsp_cons += n;
	RING_ASSERT(r->req_prod_pvt - r->rsp_cons <= r->size);
}

/* Requests pushed and not answered, as far as consumed. */
static inline uint32_t ring_front_outstanding(const struct ring_front *r)
{
	return r->req_prod_pvt - r->rsp_cons;
}

/* Before sleeping: as ring_back_final_check(), for responses. */
static inline int32_t ring_front_final_check(struct ring_front *r, uint32_t distance)
{
	__atomic_store_n(&r->shared->rsp_event, r->rsp_cons + distance, __ATOMIC_RELAXED);
	/* Full: rsp_event is visible before rsp_prod is read; see ring_back_push(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return ring_front_responses(r);
}

#endif
