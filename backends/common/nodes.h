/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading a frontend's nodes and writing the backend's, as both device classes do
 * it.
 */
#ifndef XYLEM_NODES_H
#define XYLEM_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/common/backend.h"

/* What a frontend wrote: any bytes at all. The reason of a refusal goes to @why. */
struct node_reader {
	struct store *store;
	const char *dir; /* the frontend's directory */
	char *why;
	size_t why_size;
};

/* The number at @dir/@node, which must be there. 0 or -errno with the reason. */
int nodes_required(const struct node_reader *r, const char *dir, const char *node,
		   uint64_t min, uint64_t max, uint64_t *out);

/* As above; -ENOENT without a reason, and *@out untouched, when it is missing. */
int nodes_number(const struct node_reader *r, const char *dir, const char *node,
		 uint64_t min, uint64_t max, uint64_t *out);

/* As above below r->dir, and a missing node is fine: preset *@out. */
int nodes_optional(const struct node_reader *r, const char *node, uint64_t min,
		   uint64_t max, uint64_t *out);

/* Into @dir, of STORE_PATH_MAX bytes: where a frontend of @n queues has the nodes of
 * queue @i. 0 or -errno with the reason. */
int nodes_queue_dir(const struct node_reader *r, uint32_t i, uint32_t n, char *dir);

struct node {
	const char *name;
	uint64_t value;
};

/*
 * Write @count nodes below be->path: all or none, and none when the toolstack has
 * removed the directory, since a node written a moment too late would bring the
 * device of a dead guest back. 0 or -errno, logged.
 */
int nodes_write(struct backend *be, const struct node *n, unsigned int count);

/* The text at be->path/@node, "" when missing; NULL with errno. Freed by the caller. */
char *nodes_text(struct backend *be, const char *node);

#endif
