// SPDX-License-Identifier: GPL-2.0-only
/* Nodes of both ends of a device, read and written with their errors said. */
#include "backends/common/nodes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 16 /* of a transaction that others interfere with */

int nodes_number(const struct node_reader *r, const char *dir, const char *node,
		 uint64_t min, uint64_t max, uint64_t *out)
{
	int err = store_get_u64(r->store, 0, dir, node, min, max, out);

	if (err == -EINVAL)
		snprintf(r->why, r->why_size,
			 "%s/%s is not a number from %" PRIu64 " to %" PRIu64, dir, node,
			 min, max);
	else if (err && err != -ENOENT)
		snprintf(r->why, r->why_size, "%s/%s: %s", dir, node, strerror(-err));
	return err;
}

int nodes_required(const struct node_reader *r, const char *dir, const char *node,
		   uint64_t min, uint64_t max, uint64_t *out)
{
	int err = nodes_number(r, dir, node, min, max, out);

	if (err == -ENOENT)
		snprintf(r->why, r->why_size, "%s/%s is missing", dir, node);
	return err;
}

int nodes_optional(const struct node_reader *r, const char *node, uint64_t min,
		   uint64_t max, uint64_t *out)
{
	int err = nodes_number(r, r->dir, node, min, max, out);

	return err == -ENOENT ? 0 : err;
}

int nodes_queue_dir(const struct node_reader *r, uint32_t i, uint32_t n, char *dir)
{
	int len = n == 1 ? snprintf(dir, STORE_PATH_MAX, "%s", r->dir)
			 : snprintf(dir, STORE_PATH_MAX, "%s/queue-%u", r->dir, i);

	if (len < STORE_PATH_MAX)
		return 0;
	snprintf(r->why, r->why_size, "its directory's path is too long");
	return -ENAMETOOLONG;
}

static bool write_all(struct backend *be, store_txn t, const struct node *n,
		      unsigned int count)
{
	char *there = store_read(be->store, t, "%s/frontend", be->path);

	free(there);
	if (!there)
		return false;
	for (; count; count--, n++)
		if (!store_put_u64(be->store, t, be->path, n->name, n->value))
			return false;
	return true;
}

/* One transaction: 0 or an errno. */
static int try_write(struct backend *be, const struct node *n, unsigned int count)
{
	const struct store_ops *ops = be->store->ops;
	store_txn t = ops->begin(be->store);
	int err = 0;

	if (!t)
		return errno ? errno : EIO;
	if (!write_all(be, t, n, count)) {
		err = errno ? errno : EIO;
		ops->end(be->store, t, true);
	} else if (!ops->end(be->store, t, false)) {
		err = errno ? errno : EIO;
	}
	return err;
}

int nodes_write(struct backend *be, const struct node *n, unsigned int count)
{
	unsigned int i;
	int err = EAGAIN;

	for (i = 0; err == EAGAIN && i < TRIES; i++)
		err = try_write(be, n, count);
	if (err)
		log_warn("guest %u %s %u: cannot write %s: %s", be->domid,
			 be->class->type, be->devid, be->path, strerror(err));
	return -err;
}

char *nodes_text(struct backend *be, const char *node)
{
	char *text = store_read(be->store, 0, "%s/%s", be->path, node);

	return text || errno != ENOENT ? text : strdup("");
}
