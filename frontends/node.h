/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers in xenstore, without a libc: decimal nodes of the two directories, and
 * node names that carry a number ("queue-3/ring-ref0").
 */
#ifndef XYLEM_FRONT_NODE_H
#define XYLEM_FRONT_NODE_H

#include "frontends/os.h"

#define NODE_MAX 64

/* A name under construction; too long a name is cut off, which no caller reaches. */
struct node {
	char text[NODE_MAX];
	unsigned int len;
};

void node_text(struct node *n, const char *text);
void node_number(struct node *n, uint64_t value);

/* A decimal number, whole and within uint64_t, at most @max. False: anything else. */
bool node_parse(const char *text, uint64_t max, uint64_t *out);

/*
 * The number at @node; @fallback when the node is missing. FRONT_STORE when it is
 * there and not a number up to @max.
 */
int node_get(struct front_os *os, enum front_side side, const char *node, uint64_t max,
	     uint64_t fallback, uint64_t *out);

/* A number of the backend, or @fallback when it is missing or makes no sense. */
uint64_t node_feature(struct front_os *os, const char *node, uint64_t max,
		      uint64_t fallback);

int node_put(struct front_os *os, const char *node, uint64_t value);

/* Write @prefix@node, or @prefix@node@index when @index is not negative. */
int node_put_in(struct front_os *os, const char *prefix, const char *node, int index,
		uint64_t value);

/* "queue-N/", or "" for the only queue. */
void node_queue(struct node *n, unsigned int queue, unsigned int nr_queues);

#endif
