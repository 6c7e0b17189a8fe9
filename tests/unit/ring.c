/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ring indices: sizes against the public header's macros, every start near the
 * wrap, indices that a hostile other end may write, notification thresholds
 * against the header's own macros, and two threads that sleep and wake.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ring/ring.h"
#include "tests/unit/suite.h"
#define xen_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define xen_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#include <xen/io/ring.h>

struct msg {
	uint32_t value, check;
};
DEFINE_RING_TYPES(msg, struct msg, struct msg);

_Static_assert(offsetof(struct msg_sring, req_prod) ==
		       offsetof(struct ring_shared, req_prod),
	       "");
_Static_assert(offsetof(struct msg_sring, req_event) ==
		       offsetof(struct ring_shared, req_event),
	       "");
_Static_assert(offsetof(struct msg_sring, rsp_prod) ==
		       offsetof(struct ring_shared, rsp_prod),
	       "");
_Static_assert(offsetof(struct msg_sring, rsp_event) ==
		       offsetof(struct ring_shared, rsp_event),
	       "");
_Static_assert(offsetof(struct msg_sring, ring) == sizeof(struct ring_shared), "");

#define SLOT sizeof(struct msg)
static _Alignas(4096) uint8_t page[RING_PAGES_MAX * RING_PAGE_SIZE];

/* A slot size for which one page has @size slots: tiny rings wrap soon. */
static uint32_t slot_for(uint32_t size)
{
	uint32_t slot = ((RING_PAGE_SIZE - RING_HEAD_SIZE) / size) & ~3u;

	CU_ASSERT_EQUAL_FATAL(ring_slots(1, slot), size);
	return slot;
}

static void both_at(struct ring_front *f, struct ring_back *b, uint32_t size,
		    uint32_t start)
{
	struct ring_shared *s = (void *)page;

	ring_shared_init(page);
	s->req_prod = s->rsp_prod = start;
	s->req_event = s->rsp_event = start + 1;
	CU_ASSERT_TRUE_FATAL(ring_front_resume(f, page, 1, slot_for(size), start, start));
	CU_ASSERT_TRUE_FATAL(ring_back_attach(b, page, 1, slot_for(size)));
}

static void test_sizes(void)
{
	uint32_t pages, slot;

	for (pages = 1; pages <= RING_PAGES_MAX; pages++)
		for (slot = 1; slot <= 4200; slot++) {
			uint32_t room = pages * RING_PAGE_SIZE - RING_HEAD_SIZE;
			uint32_t n = ring_slots(pages, slot);

			CU_ASSERT_EQUAL_FATAL(n, room < slot ? 0 : __RD32(room / slot));
		}
	CU_ASSERT_EQUAL(ring_slots(1, SLOT), __CONST_RING_SIZE(msg, 4096));
	CU_ASSERT_EQUAL(ring_slots(16, SLOT), __CONST_RING_SIZE(msg, 65536));
	CU_ASSERT_EQUAL(ring_slots(0, 8), 0);
	CU_ASSERT_EQUAL(ring_slots(17, 8), 0);
	CU_ASSERT_EQUAL(ring_slots(1, 0), 0);
	CU_ASSERT_EQUAL(ring_slots(UINT32_MAX, 8), 0);
}

static void test_init(void)
{
	struct ring_shared *s = (void *)page;
	struct ring_front f;
	struct ring_back b;

	memset(page, 0xa5, sizeof(page));
	CU_ASSERT_TRUE(ring_front_init(&f, page, 2, SLOT));
	CU_ASSERT_EQUAL(s->req_prod, 0);
	CU_ASSERT_EQUAL(s->rsp_prod, 0);
	CU_ASSERT_EQUAL(s->req_event, 1);
	CU_ASSERT_EQUAL(s->rsp_event, 1);
	CU_ASSERT_EQUAL(f.size, 1024 - 512);
	CU_ASSERT_EQUAL(ring_front_free(&f), f.size);
	CU_ASSERT_TRUE(ring_back_attach(&b, page, 2, SLOT));
	CU_ASSERT_EQUAL(ring_back_requests(&b), 0);
	CU_ASSERT_EQUAL(ring_back_unanswered(&b), 0);
	CU_ASSERT_FALSE(ring_front_init(&f, page, 17, SLOT));
	CU_ASSERT_FALSE(ring_back_attach(&b, page, 0, SLOT));
}

/* One message each way, carrying its number; slots are not overwritten too soon. */
static void exchange(struct ring_front *f, struct ring_back *b, uint32_t burst,
		     uint32_t *sent, uint32_t *seen)
{
	uint32_t i;

	for (i = 0; i < burst; i++) {
		struct msg m = {*sent, ~*sent};

		++*sent;
		ring_copy_out(ring_front_produce(f), &m, sizeof(m));
	}
	ring_front_push(f);
	CU_ASSERT_EQUAL_FATAL(ring_back_requests(b), (int32_t)burst);
	for (i = 0; i < burst; i++) {
		struct msg m;

		ring_copy_in(&m, ring_back_slot(b, b->req_cons), sizeof(m));
		ring_back_consume(b, 1);
		CU_ASSERT_EQUAL_FATAL(m.value, *seen + i);
		CU_ASSERT_EQUAL_FATAL(m.check, ~m.value);
		m.check = m.value + 1;
		ring_copy_out(ring_back_produce(b), &m, sizeof(m));
	}
	ring_back_push(b);
	CU_ASSERT_EQUAL_FATAL(ring_front_responses(f), (int32_t)burst);
	for (i = 0; i < burst; i++) {
		struct msg m;

		ring_copy_in(&m, ring_front_slot(f, f->rsp_cons), sizeof(m));
		ring_front_consume(f, 1);
		CU_ASSERT_EQUAL_FATAL(m.value, (*seen)++);
		CU_ASSERT_EQUAL_FATAL(m.check, m.value + 1);
	}
}

static void test_wrap(void)
{
	uint32_t size, back, burst;

	for (size = 1; size <= 8; size *= 2)
		for (back = 0; back <= 2 * size + 1; back++)
			for (burst = 1; burst <= size; burst++) {
				struct ring_front f;
				struct ring_back b;
				uint32_t sent = 0, seen = 0;

				both_at(&f, &b, size, 0u - back);
				while (sent < 3 * size + 2)
					exchange(&f, &b, burst, &sent, &seen);
				CU_ASSERT_EQUAL(ring_front_free(&f), size);
			}
}

/* Every req_prod around the legal window, for every state of the back end near the wrap.
 */
static void test_hostile_front(void)
{
	struct ring_shared *s = (void *)page;
	uint32_t size = 4, back, inflight;
	int32_t delta;

	for (back = 0; back <= 2 * size; back++)
		for (inflight = 0; inflight <= size; inflight++)
			for (delta = -9; delta <= 9; delta++) {
				struct ring_front f;
				struct ring_back b;
				int32_t n, legal = (int32_t)(size - inflight);

				both_at(&f, &b, size, 0u - back);
				b.req_cons += inflight;
				s->req_prod = b.req_cons + (uint32_t)delta;
				n = ring_back_requests(&b);
				CU_ASSERT_EQUAL(n, delta < 0 || delta > legal
							   ? RING_OVERRUN
							   : delta);
				CU_ASSERT_EQUAL(ring_back_final_check(&b, 1), n);
			}
}

static void test_hostile_back(void)
{
	struct ring_shared *s = (void *)page;
	uint32_t size = 4, back, asked;
	int32_t delta;

	for (back = 0; back <= 2 * size; back++)
		for (asked = 0; asked <= size; asked++)
			for (delta = -9; delta <= 9; delta++) {
				struct ring_front f;
				struct ring_back b;
				uint32_t i;

				both_at(&f, &b, size, 0u - back);
				for (i = 0; i < asked; i++)
					ring_front_produce(&f);
				ring_front_push(&f);
				if (asked < size)
					ring_front_produce(
						&f); /* not pushed: not to be answered */
				s->rsp_prod = f.rsp_cons + (uint32_t)delta;
				CU_ASSERT_EQUAL(ring_front_responses(&f),
						delta < 0 || delta > (int32_t)asked
							? RING_OVERRUN
							: delta);
			}
}

static void test_resume(void)
{
	struct ring_shared *s = (void *)page;
	uint32_t slot = slot_for(8), base = 0xfffffffdu;
	struct ring_back b;

	ring_shared_init(page);
	s->rsp_prod = base;
	s->req_prod = base + 8; /* full */
	CU_ASSERT_TRUE(ring_back_attach(&b, page, 1, slot));
	CU_ASSERT_EQUAL(ring_back_requests(&b), 8);
	s->req_prod = base + 9;
	CU_ASSERT_FALSE(ring_back_attach(&b, page, 1, slot));
	s->req_prod = base - 1;
	CU_ASSERT_FALSE(ring_back_attach(&b, page, 1, slot));
	/* a successor: three answered of which one was pushed, two in flight, one waiting
	 */
	s->rsp_prod = base + 1;
	s->req_prod = base + 6;
	CU_ASSERT_TRUE(ring_back_resume(&b, page, 1, slot, base + 5, base + 3));
	CU_ASSERT_EQUAL(ring_back_requests(&b), 1);
	CU_ASSERT_EQUAL(ring_back_unanswered(&b), 2);
	ring_back_push(&b);
	CU_ASSERT_EQUAL(s->rsp_prod, base + 3);
	/* what cannot be */
	CU_ASSERT_FALSE(ring_back_resume(&b, page, 1, slot, base + 3, base + 5));
	CU_ASSERT_FALSE(ring_back_resume(&b, page, 1, slot, base + 12, base + 3));
	CU_ASSERT_FALSE(ring_back_resume(&b, page, 1, slot, base + 7, base + 3));
	CU_ASSERT_FALSE(ring_back_resume(&b, page, 17, slot, base + 5, base + 3));
}

/* The header's macro and ours decide alike, for every threshold near the wrap. */
static void test_thresholds(void)
{
	struct msg_back_ring theirs;
	struct msg_sring *ms = (void *)page;
	uint32_t size = ring_slots(1, SLOT);
	int32_t back, n, event;

	for (back = -6; back <= 6; back++)
		for (n = 0; n <= 6; n++)
			for (event = -9; event <= 9; event++) {
				uint32_t start = (uint32_t)back;
				struct ring_back b;
				bool ours, want;

				ring_shared_init(page);
				ms->rsp_prod = start;
				ms->req_prod = start + size;
				BACK_RING_ATTACH(&theirs, ms, start, 4096);
				theirs.req_cons += (uint32_t)n;
				theirs.rsp_prod_pvt += (uint32_t)n;
				ms->rsp_event = start + (uint32_t)event;
				RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&theirs, want);
				ms->rsp_prod = start;
				CU_ASSERT_TRUE_FATAL(ring_back_attach(&b, page, 1, SLOT));
				ring_back_consume(&b, (uint32_t)n);
				b.rsp_prod_pvt += (uint32_t)n;
				ours = ring_back_push(&b);
				CU_ASSERT_EQUAL(ours, want);
				CU_ASSERT_EQUAL(ours, event >= 1 && event <= n);
				CU_ASSERT_EQUAL(ms->rsp_prod, start + (uint32_t)n);
			}
}

/* An event is sent exactly when the asked number of requests has arrived, at any
 * batching. */
static void test_distance(void)
{
	uint32_t distance, back, burst;

	for (back = 0; back <= 9; back++)
		for (distance = 1; distance <= 8; distance++)
			for (burst = 1; burst <= 4; burst++) {
				struct ring_front f;
				struct ring_back b;
				uint32_t sent = 0, events = 0, i;

				both_at(&f, &b, 8, 0u - back);
				CU_ASSERT_EQUAL(ring_back_final_check(&b, distance), 0);
				while (sent + burst <= 8) {
					for (i = 0; i < burst; i++, sent++)
						ring_front_produce(&f);
					events += ring_front_push(&f);
					CU_ASSERT_EQUAL(events, sent >= distance);
				}
			}
}

static void test_hold_events(void)
{
	struct ring_front f;
	struct ring_back b;
	uint32_t i;

	both_at(&f, &b, 8, 0xfffffffcu);
	ring_back_hold_events(&b);
	for (i = 0; i < 8; i++) {
		ring_front_produce(&f);
		CU_ASSERT_FALSE(ring_front_push(&f));
	}
	CU_ASSERT_EQUAL(ring_back_final_check(&b, 1), 8);
	CU_ASSERT_FALSE(ring_front_push(&f)); /* nothing new */
}

/* ---- two threads: whoever sleeps is woken ---- */

#define MESSAGES    30000u
#define THREAD_RING 16u

struct party {
	struct ring_front f;
	struct ring_back b;
	sem_t to_back, to_front;
	uint32_t back_seen;
	bool back_lost, front_lost;
};

static bool sleep_on(sem_t *s)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 20; /* far beyond any delay: only a lost event takes that long */
	while (sem_timedwait(s, &until))
		if (errno != EINTR)
			return false;
	return true;
}

static void *back_thread(void *arg)
{
	struct party *p = arg;

	while (p->back_seen < MESSAGES) {
		int32_t n = ring_back_requests(&p->b);

		if (n == 0 && ring_back_final_check(&p->b, 1) == 0) {
			if (!sleep_on(&p->to_back)) {
				p->back_lost = true;
				return NULL;
			}
			continue;
		}
		for (; n > 0; n--) {
			struct msg m;

			ring_copy_in(&m, ring_back_slot(&p->b, p->b.req_cons), sizeof(m));
			ring_back_consume(&p->b, 1);
			m.check = ~m.value;
			ring_copy_out(ring_back_produce(&p->b), &m, sizeof(m));
			p->back_seen++;
		}
		if (ring_back_push(&p->b))
			sem_post(&p->to_front);
	}
	return NULL;
}

static void front_loop(struct party *p)
{
	uint32_t sent = 0, got = 0;

	while (got < MESSAGES) {
		int32_t n = ring_front_responses(&p->f);

		for (; n > 0; n--) {
			struct msg m;

			ring_copy_in(&m, ring_front_slot(&p->f, p->f.rsp_cons),
				     sizeof(m));
			ring_front_consume(&p->f, 1);
			CU_ASSERT_FATAL(m.value == got++ && m.check == ~m.value);
		}
		while (sent < MESSAGES && ring_front_free(&p->f)) {
			struct msg m = {sent++, 0};

			ring_copy_out(ring_front_produce(&p->f), &m, sizeof(m));
		}
		if (ring_front_push(&p->f))
			sem_post(&p->to_back);
		if (got < MESSAGES && ring_front_final_check(&p->f, 1) == 0 &&
		    !sleep_on(&p->to_front)) {
			p->front_lost = true;
			return;
		}
	}
}

static void test_threads(void)
{
	static struct party p;
	pthread_t t;

	memset(&p, 0, sizeof(p));
	both_at(&p.f, &p.b, THREAD_RING, 0u - MESSAGES / 2);
	sem_init(&p.to_back, 0, 0);
	sem_init(&p.to_front, 0, 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&t, NULL, back_thread, &p), 0);
	front_loop(&p);
	pthread_join(t, NULL);
	CU_ASSERT_FALSE(p.back_lost);
	CU_ASSERT_FALSE(p.front_lost);
	CU_ASSERT_EQUAL(p.back_seen, MESSAGES);
	sem_destroy(&p.to_back);
	sem_destroy(&p.to_front);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"sizes", test_sizes},
		{"init", test_init},
		{"wrap", test_wrap},
		{"hostile front", test_hostile_front},
		{"hostile back", test_hostile_back},
		{"attach and resume", test_resume},
		{"thresholds as the header's", test_thresholds},
		{"event distance", test_distance},
		{"hold events", test_hold_events},
		{"two threads", test_threads},
		CU_TEST_INFO_NULL,
	};

	return suite_main("ring", tests);
}
