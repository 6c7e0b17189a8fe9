/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store of this machine through libxenstore. The library keeps a thread that
 * reads xenstored's messages from the first watch on; its pipe is what ->fd polls.
 */
#include "backends/common/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

struct store_xen {
	struct store store;
	struct xs_handle *xs;
};

static struct xs_handle *xs_of(struct store *s)
{
	return ((struct store_xen *)s)->xs;
}

static char *xen_read(struct store *s, store_txn t, const char *path, unsigned int *len)
{
	return xs_read(xs_of(s), t, path, len);
}

static bool xen_write(struct store *s, store_txn t, const char *path, const char *value)
{
	return xs_write(xs_of(s), t, path, value, (unsigned int)strlen(value));
}

static bool xen_rm(struct store *s, store_txn t, const char *path)
{
	return xs_rm(xs_of(s), t, path);
}

static char **xen_list(struct store *s, store_txn t, const char *path, unsigned int *n)
{
	return xs_directory(xs_of(s), t, path, n);
}

static bool xen_watch(struct store *s, const char *path, const char *token)
{
	return xs_watch(xs_of(s), path, token);
}

static bool xen_unwatch(struct store *s, const char *path, const char *token)
{
	return xs_unwatch(xs_of(s), path, token);
}

static char **xen_next_event(struct store *s)
{
	return xs_check_watch(xs_of(s));
}

static store_txn xen_begin(struct store *s)
{
	return xs_transaction_start(xs_of(s));
}

static bool xen_end(struct store *s, store_txn t, bool abort)
{
	return xs_transaction_end(xs_of(s), t, abort);
}

static bool xen_domain_alive(struct store *s, uint32_t domid)
{
	return xs_is_domain_introduced(xs_of(s), domid);
}

static void xen_close(struct store *s)
{
	xs_close(xs_of(s));
	free(s);
}

static const struct store_ops store_xen_ops = {
	.read = xen_read,
	.write = xen_write,
	.rm = xen_rm,
	.list = xen_list,
	.watch = xen_watch,
	.unwatch = xen_unwatch,
	.next_event = xen_next_event,
	.begin = xen_begin,
	.end = xen_end,
	.domain_alive = xen_domain_alive,
	.close = xen_close,
};

struct store *store_open_xen(void)
{
	struct store_xen *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return NULL;
	x->xs = xs_open(0);
	if (!x->xs)
		goto fail;
	x->store.ops = &store_xen_ops;
	x->store.fd = xs_fileno(x->xs);
	if (x->store.fd < 0)
		goto fail;
	return &x->store;

fail:
	err = errno;
	xs_close(x->xs); /* NULL is fine */
	free(x);
	errno = err;
	return NULL;
}
