/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every interleaving of a front end and a back end that sleep and wake, over the
 * real functions of ring.h: each end is a coroutine which gives way between calls
 * and, because the fence is replaced by a yield, between the two halves of push
 * and final check. A state in which both ends sleep with work left is a lost event.
 *
 * Steps are interleaved as if memory were sequentially consistent; that the fences
 * make it so is what the two threads in ring.c try out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static void model_fence(void);
#define __atomic_thread_fence(order) model_fence()
#include "ring/ring.h"
#undef __atomic_thread_fence
#include "tests/unit/suite.h"

#define STACK      (256 * 1024)
#define STEPS_MAX  4096
#define STATES_MAX (1u << 18)

enum { FRONT, BACK, ENDS };

/* All that decides what happens next; two runs in equal states go on alike. */
struct state {
	uint32_t shared[4];
	uint32_t req_prod_pvt, req_pushed, rsp_cons;
	uint32_t req_cons, rsp_prod_pvt, rsp_pushed;
	uint32_t sent, got;   /* front */
	uint32_t echoed;      /* back */
	uint32_t old[ENDS];   /* what the push under way started from */
	uint32_t at[ENDS];    /* which step each end is about to take */
	uint32_t event[ENDS]; /* a pending event for this end */
	uint32_t asleep[ENDS], ended[ENDS];
};

struct plan {
	uint32_t size, messages, burst, distance, start;
	bool careless; /* the back end sleeps without looking again */
};

static struct plan plan;
static struct state now;
static struct ring_front f;
static struct ring_back b;
static _Alignas(4096) uint8_t page[RING_PAGE_SIZE];
static ucontext_t scheduler, coroutine[ENDS];
static char *stack[ENDS];
static int running;
static unsigned int nr_states, lost, runs, stuck;
static struct state *states;

static void yield_at(uint32_t step)
{
	now.at[running] = step;
	swapcontext(&coroutine[running], &scheduler);
}

static void model_fence(void)
{
	yield_at(now.at[running] + 100);
}

static void sleep_until_event(uint32_t step)
{
	now.asleep[running] = 1;
	yield_at(step);
	now.asleep[running] = 0;
	now.event[running] = 0;
}

static void front(void)
{
	while (now.got < plan.messages) {
		uint32_t burst = 0;

		yield_at(1);
		for (int32_t n = ring_front_responses(&f); n > 0; n--) {
			ring_front_consume(&f, 1);
			now.got++;
		}
		for (; now.sent < plan.messages && ring_front_free(&f) &&
		       burst < plan.burst;
		     burst++) {
			ring_front_produce(&f);
			now.sent++;
		}
		now.old[FRONT] = f.req_pushed;
		yield_at(2);
		if (ring_front_push(&f))
			now.event[BACK] = 1;
		/* a burst at a time: go on sending before sleeping */
		if (now.got == plan.messages ||
		    (now.sent < plan.messages && ring_front_free(&f)))
			continue;
		yield_at(3);
		if (ring_front_final_check(&f, 1) == 0)
			sleep_until_event(4);
	}
	now.ended[FRONT] = 1;
	yield_at(5);
}

static void back_end(void)
{
	while (now.echoed < plan.messages) {
		int32_t n;

		yield_at(1);
		n = ring_back_requests(&b);
		if (n == 0) {
			yield_at(2);
			n = ring_back_final_check(&b, plan.distance);
			if (plan.careless || n < (int32_t)plan.distance)
				sleep_until_event(3);
			continue;
		}
		for (; n > 0; n--) {
			ring_back_consume(&b, 1);
			ring_back_produce(&b);
			now.echoed++;
		}
		now.old[BACK] = b.rsp_pushed;
		yield_at(4);
		if (ring_back_push(&b))
			now.event[FRONT] = 1;
	}
	now.ended[BACK] = 1;
	yield_at(5);
}

static void start_run(void)
{
	static void (*const entry[ENDS])(void) = {front, back_end};
	struct ring_shared *s = (void *)page;
	uint32_t slot = ((RING_PAGE_SIZE - RING_HEAD_SIZE) / plan.size) & ~3u;
	int i;

	memset(&now, 0, sizeof(now));
	ring_shared_init(page);
	s->req_prod = s->rsp_prod = plan.start;
	s->req_event = s->rsp_event = plan.start + 1;
	CU_ASSERT_TRUE_FATAL(
		ring_front_resume(&f, page, 1, slot, plan.start, plan.start));
	CU_ASSERT_TRUE_FATAL(ring_back_attach(&b, page, 1, slot));
	CU_ASSERT_EQUAL_FATAL(f.size, plan.size);
	for (i = 0; i < ENDS; i++) {
		getcontext(&coroutine[i]);
		coroutine[i].uc_stack.ss_sp = stack[i];
		coroutine[i].uc_stack.ss_size = STACK;
		coroutine[i].uc_link = NULL;
		makecontext(&coroutine[i], entry[i], 0);
	}
}

/* Note the state; true when it was there before. */
static bool seen(void)
{
	uint64_t hash = 14695981039346656037u;
	uint32_t i;

	memcpy(now.shared, page, sizeof(now.shared));
	now.req_prod_pvt = f.req_prod_pvt;
	now.req_pushed = f.req_pushed;
	now.rsp_cons = f.rsp_cons;
	now.req_cons = b.req_cons;
	now.rsp_prod_pvt = b.rsp_prod_pvt;
	now.rsp_pushed = b.rsp_pushed;
	for (i = 0; i < sizeof(now); i++)
		hash = (hash ^ ((uint8_t *)&now)[i]) * 1099511628211u;
	for (i = (uint32_t)hash % STATES_MAX; states[i].at[FRONT];
	     i = (i + 1) % STATES_MAX)
		if (!memcmp(&states[i], &now, sizeof(now)))
			return true;
	states[i] = now;
	CU_ASSERT_FATAL(++nr_states < STATES_MAX / 2);
	return false;
}

static bool runnable(int end)
{
	return !now.ended[end] && !(now.asleep[end] && !now.event[end]);
}

static void step(int end)
{
	running = end;
	swapcontext(&scheduler, &coroutine[end]);
}

/*
 * Both ends sleep or have ended, and no event is under way: is there something
 * they were to be told of? A back end that asked for several may be left with fewer.
 */
static bool slept_through(void)
{
	if (now.asleep[FRONT] && ring_front_responses(&f) > 0)
		return true;
	if (now.asleep[BACK] && ring_back_requests(&b) >= (int32_t)plan.distance)
		return true;
	return plan.distance == 1 &&
	       (now.got < plan.messages || now.echoed < plan.messages);
}

/* One run: replay @choice[0..n), then go on with the first end that can; new depth. */
static int run(uint8_t *choice, uint8_t *both, int n)
{
	int depth = 0;

	start_run();
	step(FRONT); /* up to the first yield of each, so that at[] is set */
	step(BACK);
	runs++;
	for (;;) {
		bool can[ENDS] = {runnable(FRONT), runnable(BACK)};

		if (!can[FRONT] && !can[BACK]) {
			lost += slept_through();
			return depth;
		}
		if (depth >= n) {
			if (seen())
				return depth;
			choice[depth] = can[FRONT] ? FRONT : BACK;
			both[depth] = can[FRONT] && can[BACK];
		}
		CU_ASSERT_FATAL(depth + 1 < STEPS_MAX);
		step(choice[depth++]);
		if (ring_front_responses(&f) < 0 || ring_back_requests(&b) < 0)
			stuck++;
	}
}

/* All runs, depth first: change the last choice that had an alternative. */
static void explore(void)
{
	static uint8_t choice[STEPS_MAX], both[STEPS_MAX];
	int n = 0, depth;

	nr_states = lost = runs = stuck = 0;
	memset(states, 0, STATES_MAX * sizeof(*states));
	do {
		depth = run(choice, both, n);
		while (depth > 0 && !both[depth - 1])
			depth--;
		if (depth > 0) {
			choice[depth - 1] = BACK;
			both[depth - 1] = 0;
		}
		n = depth;
	} while (depth > 0);
}

static void with_memory(void (*test)(void))
{
	states = calloc(STATES_MAX, sizeof(*states));
	stack[FRONT] = malloc(STACK);
	stack[BACK] = malloc(STACK);
	CU_ASSERT_FATAL(states && stack[FRONT] && stack[BACK]);
	test();
	free(stack[BACK]);
	free(stack[FRONT]);
	free(states);
}

static void all_plans(void)
{
	for (uint32_t size = 1; size <= 4; size *= 2)
		for (uint32_t burst = 1; burst <= size; burst++) {
			plan = (struct plan){.size = size,
					     .messages = 2 * size + 1,
					     .burst = burst,
					     .distance = 1,
					     .start = 0xffffffffu};
			explore();
			CU_ASSERT_EQUAL(lost, 0);
			CU_ASSERT_EQUAL(stuck, 0);
			CU_ASSERT(runs > 1 && nr_states > 50);
		}
}

static void test_no_event_lost(void)
{
	with_memory(all_plans);
}

/* A back end that waits for several is told once they are there. */
static void distances(void)
{
	for (uint32_t distance = 1; distance <= 3; distance++)
		for (uint32_t burst = 1; burst <= 2; burst++) {
			plan = (struct plan){.size = 4,
					     .messages = 6,
					     .burst = burst,
					     .distance = distance,
					     .start = 0xfffffffeu};
			explore();
			CU_ASSERT_EQUAL(lost, 0);
			CU_ASSERT_EQUAL(stuck, 0);
			CU_ASSERT(runs > 1);
		}
}

static void test_distances(void)
{
	with_memory(distances);
}

/* The exploration finds what it is there to find. */
static void careless(void)
{
	for (uint32_t distance = 1; distance <= 2; distance++) {
		plan = (struct plan){.size = 4,
				     .messages = 5,
				     .burst = 1,
				     .distance = distance,
				     .careless = true};
		explore();
		CU_ASSERT(lost > 0);
	}
}

static void test_finds_lost_event(void)
{
	with_memory(careless);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"no event is lost", test_no_event_lost},
		{"event distances", test_distances},
		{"a careless end is found out", test_finds_lost_event},
		CU_TEST_INFO_NULL,
	};

	return suite_main("ring, all interleavings", tests);
}
