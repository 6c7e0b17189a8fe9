/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A second ring of engine_uring.c, for a device with queues for polled I/O
 * (IORING_SETUP_IOPOLL): nothing interrupts when such I/O completes, it is found when
 * the ring is entered. Ordinary reads and writes go here while that pays: a device that
 * is looked at POLLED_PATIENCE times in vain is looked at rarely until all it has is
 * done, and then left alone, for longer each time. That engine's, on its thread.
 */
#ifndef XYLEM_ENGINE_POLLED_H
#define XYLEM_ENGINE_POLLED_H

#include <liburing.h>
#include <stdbool.h>

#define POLLED_PATIENCE   64u
#define POLLED_REST_FIRST 64u        /* I/Os that go the other way then */
#define POLLED_REST_MOST  (1u << 16) /* after many such tries */
#define POLLED_NAP_NS     50000u     /* between rare looks */

struct polled {
	struct io_uring *ring; /* NULL: there is none */
	bool ring_fd_registered;
	bool slow; /* patience has ended; until nothing is in flight */
	unsigned int inflight;
	unsigned int vain;            /* looks that found nothing, one after the other */
	unsigned int rest, next_rest; /* I/Os that go the other way: yet; the next time */
};

/* Whether the next I/O should go this way. Counts it. */
static inline bool polled_wanted(struct polled *p)
{
	if (!p->ring || p->slow)
		return false;
	if (!p->rest)
		return true;
	p->rest--;
	return false;
}

/* Submit what is queued, and look for what has completed. One system call. */
static inline void polled_look(struct polled *p)
{
	io_uring_submit_and_get_events(p->ring);
	if (io_uring_cq_ready(p->ring)) {
		p->vain = 0;
		if (!p->slow)
			p->next_rest = 0;
		return;
	}
	if (p->slow || ++p->vain < POLLED_PATIENCE)
		return;
	p->slow = true;
	p->next_rest = p->next_rest ? 2 * p->next_rest : POLLED_REST_FIRST;
	if (p->next_rest > POLLED_REST_MOST)
		p->next_rest = POLLED_REST_MOST;
	p->rest = p->next_rest;
}

/* One has been taken from the ring. */
static inline void polled_done(struct polled *p)
{
	if (--p->inflight)
		return;
	p->slow = false;
	p->vain = 0;
}

#endif
