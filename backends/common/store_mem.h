/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The in-memory store: what tests do with it beyond store.h. A store from
 * store_open_mem() is one connection to a tree of its own; more connections give a
 * test the toolstack's or the frontend's side, each with its own watches. All of it
 * single-threaded.
 */
#ifndef XYLEM_STORE_MEM_H
#define XYLEM_STORE_MEM_H

#include "backends/common/store.h"

/* Another connection to the tree of @s. The tree lives until the last is closed. */
struct store *store_mem_connect(struct store *s);

/* Write bytes as a guest may: NULs inside, not terminated. */
bool store_mem_write_raw(struct store *s, const char *path, const void *data,
			 unsigned int len);

/* A domain comes (fires @introduceDomain), or dies (fires @releaseDomain; its nodes
 * stay until the toolstack removes them). Domain 0 is always there. */
bool store_mem_domain_add(struct store *s, uint32_t domid);
void store_mem_domain_die(struct store *s, uint32_t domid);

/*
 * The @nth operation of this connection from now (1: the next) fails with errno @err,
 * once; 0: none. Operations are read, write, rm, list, watch, unwatch, begin and end;
 * an end that fails ends its transaction without effect.
 */
void store_mem_fail(struct store *s, uint64_t nth, int err);
/* How many operations this connection has made: the length of a sweep. */
uint64_t store_mem_calls(const struct store *s);

/* Watches set on this connection; events waiting; transactions open. For audits. */
unsigned int store_mem_watches(const struct store *s);
unsigned int store_mem_events(const struct store *s);
unsigned int store_mem_transactions(const struct store *s);

#endif
