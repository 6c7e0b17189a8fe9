/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tree of the in-memory store (store_mem.c): nodes with a value and the
 * generation of their last change. Where a function can run out of memory it says
 * so and leaves the tree usable. The root is always there; paths are absolute and
 * valid (path_valid()).
 */
#ifndef XYLEM_STORE_TREE_H
#define XYLEM_STORE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sorted by path, so that a subtree below "/a" is the run that begins with "/a/". */
struct node {
	char *path, *value;
	unsigned int len;
	uint64_t generation; /* of the last change: value or list of children */
};

struct tree {
	struct node *nodes;
	size_t n, room;
};

/* Whether xenstored would take @path (not a special one); false with EINVAL. */
bool path_valid(const char *path);
/* How much of @path its parent's path is; 1 for a child of the root. */
size_t parent_len(const char *path);
bool path_below(const char *path, const char *dir);

/* A copy of @len bytes with a NUL behind; NULL: out of memory. */
char *dup_bytes(const void *data, size_t len);

/* The node whose path is the first @len bytes of @path, or NULL. */
struct node *tree_find(const struct tree *t, const char *path, size_t len);
struct node *tree_get(const struct tree *t, const char *path);

/* Add a node that is not there; its parent is the caller's business. NULL: no memory. */
struct node *tree_insert(struct tree *t, const char *path, size_t len,
			 uint64_t generation);
/* Set a value, making the node and its parents; false: out of memory. */
bool tree_write(struct tree *t, const char *path, const void *data, unsigned int len,
		uint64_t generation);
/* Remove the node and all below. */
void tree_remove(struct tree *t, const char *path, uint64_t generation);

/* @to is overwritten; false: out of memory, and @to is empty. */
bool tree_copy(struct tree *to, const struct tree *from);
void tree_free(struct tree *t);

#endif
