/* SPDX-License-Identifier: GPL-2.0-only */
/* The in-memory store's tree: paths, nodes, copies. See store_tree.h. */
#include "backends/common/store_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

/* ---- paths ---- */

bool path_valid(const char *path)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-/_@";
	size_t len = strlen(path);

	if (path[0] == '/' && len < XENSTORE_ABS_PATH_MAX && !strstr(path, "//") &&
	    (len == 1 || path[len - 1] != '/') && strspn(path, allowed) == len)
		return true;
	errno = EINVAL;
	return false;
}

size_t parent_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == path ? 1 : (size_t)(slash - path);
}

bool path_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (len == 1)
		return path[1] != 0;
	return !strncmp(path, dir, len) && path[len] == '/';
}

/* ---- the tree ---- */

/* Where @path (its first @len bytes) is, or would be. */
static size_t tree_index(const struct tree *t, const char *path, size_t len, bool *found)
{
	size_t lo = 0, hi = t->n, mid;
	int cmp;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		cmp = strncmp(t->nodes[mid].path, path, len);
		if (!cmp)
			cmp = t->nodes[mid].path[len] != 0;
		if (!cmp) {
			*found = true;
			return mid;
		}
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*found = false;
	return lo;
}

struct node *tree_find(const struct tree *t, const char *path, size_t len)
{
	bool found;
	size_t i = tree_index(t, path, len, &found);

	return found ? &t->nodes[i] : NULL;
}

struct node *tree_get(const struct tree *t, const char *path)
{
	return tree_find(t, path, strlen(path));
}

void tree_free(struct tree *t)
{
	size_t i;

	for (i = 0; i < t->n; i++) {
		free(t->nodes[i].path);
		free(t->nodes[i].value);
	}
	free(t->nodes);
	memset(t, 0, sizeof(*t));
}

char *dup_bytes(const void *data, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy) {
		memcpy(copy, data, len);
		copy[len] = 0;
	}
	return copy;
}

struct node *tree_insert(struct tree *t, const char *path, size_t len,
			 uint64_t generation)
{
	struct node new = {.generation = generation}, *nodes;
	size_t i, room = t->room ? 2 * t->room : 32;
	bool found;

	if (t->n == t->room) {
		nodes = realloc(t->nodes, room * sizeof(*nodes));
		if (!nodes)
			return NULL;
		t->nodes = nodes;
		t->room = room;
	}
	new.path = dup_bytes(path, len);
	new.value = dup_bytes("", 0);
	if (!new.path || !new.value) {
		free(new.path);
		free(new.value);
		return NULL;
	}
	i = tree_index(t, path, len, &found);
	memmove(&t->nodes[i + 1], &t->nodes[i], (t->n - i) * sizeof(*t->nodes));
	t->nodes[i] = new;
	t->n++;
	return &t->nodes[i];
}

/* Make sure of the node and its parents, nearest to the root first. */
static struct node *tree_make(struct tree *t, const char *path, uint64_t generation)
{
	size_t len = 0, full = strlen(path), above = 1;
	struct node *n = tree_find(t, "/", 1);

	while (len < full) {
		const char *slash = strchr(path + len + 1, '/');

		len = slash ? (size_t)(slash - path) : full;
		n = tree_find(t, path, len);
		if (!n) {
			tree_find(t, path, above)->generation = generation;
			n = tree_insert(t, path, len, generation);
			if (!n)
				return NULL;
		}
		above = len;
	}
	return n;
}

bool tree_write(struct tree *t, const char *path, const void *data, unsigned int len,
		uint64_t generation)
{
	char *value = dup_bytes(data, len);
	struct node *n = value ? tree_make(t, path, generation) : NULL;

	if (!n) {
		free(value);
		return false;
	}
	free(n->value);
	n->value = value;
	n->len = len;
	n->generation = generation;
	return true;
}

void tree_remove(struct tree *t, const char *path, uint64_t generation)
{
	struct node *parent = tree_find(t, path, parent_len(path));
	size_t i, to = 0;

	if (parent)
		parent->generation = generation;
	for (i = 0; i < t->n; i++) {
		if (!strcmp(t->nodes[i].path, path) ||
		    path_below(t->nodes[i].path, path)) {
			free(t->nodes[i].path);
			free(t->nodes[i].value);
		} else {
			t->nodes[to++] = t->nodes[i];
		}
	}
	t->n = to;
}

bool tree_copy(struct tree *to, const struct tree *from)
{
	size_t i;

	memset(to, 0, sizeof(*to));
	to->nodes = malloc((from->n + 1) * sizeof(*to->nodes));
	if (!to->nodes)
		return false;
	to->room = from->n + 1;
	for (i = 0; i < from->n; i++) {
		to->nodes[i] = from->nodes[i];
		to->nodes[i].path =
			dup_bytes(from->nodes[i].path, strlen(from->nodes[i].path));
		to->nodes[i].value = dup_bytes(from->nodes[i].value, from->nodes[i].len);
		to->n++;
		if (!to->nodes[i].path || !to->nodes[i].value) {
			tree_free(to);
			return false;
		}
	}
	return true;
}
