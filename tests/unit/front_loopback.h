/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * frontends/os.h over the loopback transport: a front end and a backend in one
 * process on any Linux. The two xenstore directories are either a table in memory
 * (front_loopback_set_back() and _front()) or directories of a struct store.
 */
#ifndef XYLEM_FRONT_LOOPBACK_H
#define XYLEM_FRONT_LOOPBACK_H

#include "backends/common/loopback.h"
#include "backends/common/store.h"
#include "frontends/os.h"

#define FRONT_LOOPBACK_NODES 256

struct front_loopback_node {
	char name[64], value[64];
};

struct front_loopback {
	struct front_os os; /* first: the front ends are given &fl->os */
	struct loopback *lb;
	unsigned int nr_frames, first_frame;
	uint8_t *used;                                            /* a frame */
	struct front_loopback_node node[2][FRONT_LOOPBACK_NODES]; /* by enum front_side */
	struct store *store;                                      /* NULL: the tables */
	char dir[2][256];
	/* the calls that can fail, and which of them will (0: none) */
	uint64_t calls, fail_at;
	/* what is held: all 0 after an orderly close */
	unsigned int allocs, pages, grants, ports;
};

/*
 * Take over frames @first to @first + @frames - 1 of @lb for pages_alloc(). Several
 * devices of one guest have one struct each and frames of their own. 0 or -ENOMEM.
 */
int front_loopback_init(struct front_loopback *fl, struct loopback *lb,
			unsigned int first, unsigned int frames);
void front_loopback_fini(struct front_loopback *fl);

/* Use directories of @store (kept by the caller) instead of the tables. */
void front_loopback_use_store(struct front_loopback *fl, struct store *store,
			      const char *front, const char *back);

/* With tables: what the backend publishes; and what the front end has written, or NULL.
 */
void front_loopback_set_back(struct front_loopback *fl, const char *node,
			     const char *value);
const char *front_loopback_front(const struct front_loopback *fl, const char *node);
/* The same as a number; 0 when it is missing. */
uint64_t front_loopback_number(const struct front_loopback *fl, const char *node);

/* The @nth call from now that may fail does so, once (allocations, grants, ports, nodes).
 */
void front_loopback_fail(struct front_loopback *fl, uint64_t nth);

#endif
