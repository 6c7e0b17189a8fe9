/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Coalescing of a port's wake-ups, as a NIC coalesces its interrupts: while packets
 * stream in, each of which would wake the queue's thread (and push the sender off its
 * CPU), the thread looks at the port a little later, and takes several at once.
 *
 * It begins after some wake-ups in a row, close together, that each brought much data,
 * and goes on while a wait brings more than one packet: a sender that waits for an
 * answer is kept waiting once, and then left alone for a while.
 */
#ifndef XYLEM_NETBACK_COALESCE_H
#define XYLEM_NETBACK_COALESCE_H

#include <stdint.h>

#define COALESCE_NS    200000u /* the wait */
#define COALESCE_CLOSE 200000u /* ns between wake-ups of a stream */
#define COALESCE_BYTES 16384u  /* of a wake-up that counts */
#define COALESCE_AFTER 8       /* such wake-ups */
#define COALESCE_PAUSE 64      /* of them, left out after a wait in vain */

/* Zeroed: no stream. Of one queue's thread. */
struct coalesce {
	uint64_t until; /* ns: the port is not looked at before; 0: not waiting */
	uint64_t last;  /* ns: the last sleep that counted */
	uint32_t packets, bytes; /* from the port since the last sleep */
	int streak;
};

static inline void coalesce_packet(struct coalesce *c, uint32_t bytes)
{
	c->packets++;
	c->bytes += bytes;
}

/*
 * The port is empty and the thread about to sleep: for how many ns it is not to look at
 * the port; 0: it sleeps on it. Something else may wake it before: then it asks again.
 * @clock says the time in ns, and is asked only in or near a stream.
 */
static inline uint64_t coalesce_sleep(struct coalesce *c, uint64_t (*clock)(void))
{
	uint64_t now = c->until || c->bytes >= COALESCE_BYTES ? clock() : 0;

	if (now < c->until)
		return c->until - now;
	if (c->until) {
		if (c->packets < 2)
			c->streak = -COALESCE_PAUSE;
	} else if (c->bytes >= COALESCE_BYTES) {
		if (now - c->last < COALESCE_CLOSE)
			c->streak++;
		else if (c->streak > 0)
			c->streak = 0;
		c->last = now;
	}
	c->packets = c->bytes = 0;
	if (!now || c->streak < COALESCE_AFTER) {
		c->until = 0;
		return 0;
	}
	c->streak = COALESCE_AFTER;
	c->until = now + COALESCE_NS;
	return COALESCE_NS;
}

#endif
