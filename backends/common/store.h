/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xenstore as a backend's supervisor sees it. Two implementations: store_xen.c
 * (libxenstore) and store_mem.c (an in-memory tree with watches, transactions
 * and injected faults, for tests). Single-threaded. All values come from outside
 * and are untrusted text: parse them with the store_get_*() calls.
 */
#ifndef XYLEM_STORE_H
#define XYLEM_STORE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

struct store {
	const struct store_ops *ops;
	int fd; /* readable when a watch has fired */
};

#define STORE_PATH_MAX 1024
typedef uint32_t store_txn; /* 0: none */

/*
 * Called as s->ops->NAME(s, ...). What fails sets errno. As in xenstored, a write
 * makes the missing parents; rm takes the subtree along and succeeds for a node that
 * is not there if its parent is; a watch fires once when it is set (whether or not
 * its node exists) and then for its node and everything below; it may still fire once
 * after unwatch.
 */
struct store_ops {
	/*
	 * The value, NUL-terminated (it may have NULs inside: @len), freed by the caller.
	 */
	char *(*read)(struct store *s, store_txn t, const char *path, unsigned int *len);
	bool (*write)(struct store *s, store_txn t, const char *path, const char *value);
	bool (*rm)(struct store *s, store_txn t, const char *path);
	/* Names of the children: one free() for all. */
	char **(*list)(struct store *s, store_txn t, const char *path, unsigned int *n);
	/* @path may be "@introduceDomain" or "@releaseDomain". EEXIST: path and token are
	 * set. */
	bool (*watch)(struct store *s, const char *path, const char *token);
	bool (*unwatch)(struct store *s, const char *path, const char *token);
	/* { path, token } of the next event, one free() for both; NULL with EAGAIN: no
	 * more. When ->fd becomes readable, call it until then. */
	char **(*next_event)(struct store *s);
	store_txn (*begin)(struct store *s);
	/* EAGAIN: something read or written in it changed meanwhile; begin again. The
	 * transaction is over whatever comes back. */
	bool (*end)(struct store *s, store_txn t, bool abort);
	/* Whether xenstored still knows the domain: it does not once it is dead. */
	bool (*domain_alive)(struct store *s, uint32_t domid);
	void (*close)(struct store *s);
};

/* The xenstored of this machine; NULL with errno. */
struct store *store_open_xen(void);
/* An empty tree (see store_mem.h for what tests do with it). */
struct store *store_open_mem(void);

/*
 * The value at the formatted path, NUL-terminated, freed by the caller; NULL with errno.
 */
char *store_read(struct store *s, store_txn t, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Write @value at the formatted path. */
bool store_write(struct store *s, store_txn t, const char *value, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Parse the decimal number at @dir/@node into @out. Returns 0; -ENOENT when the
 * node is missing (*@out untouched, so preset a default); -EINVAL when it is not
 * a whole decimal number between @min and @max; or another -errno.
 */
int store_get_u64(struct store *s, store_txn t, const char *dir, const char *node,
		  uint64_t min, uint64_t max, uint64_t *out);

/* Write a decimal number at @dir/@node. */
bool store_put_u64(struct store *s, store_txn t, const char *dir, const char *node,
		   uint64_t value);

#endif
