/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Statistics of a daemon's devices as text, and the socket that offers them:
 * /run/xylem/DAEMON/stat.sock. A client sends one line, "json" or "openmetrics",
 * gets the text and end of file. xylem-stat reads it.
 *
 * Counters lie in memory that a worker may write at any moment: each is read once,
 * and nothing in there says where anything is.
 */
#ifndef XYLEM_STATS_H
#define XYLEM_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "backends/common/state.h"

/* Clients at a time (more are turned away), bytes of a request, seconds for a visit. */
#define STATS_CLIENTS     16
#define STATS_REQUEST_MAX 64
#define STATS_TIMEOUT     5.0

#define OPENMETRICS_TYPE  "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* One connected device. The strings may be a guest's: they are escaped. */
struct stats_device {
	const char *guest, *device; /* "web1", "xvda"; never NULL */
	const char *type;           /* "vbd" or "vif" */
	const char *engine;         /* engine or port: "io_uring", "tap" */
	uint32_t domid, devid;
	/*
	 * The mapping shared with the worker, and its lay-out as the caller knows it from
	 * its own memory; nothing of @state but counters is believed.
	 */
	struct state_head *state;
	unsigned int nr_queues;
	uint32_t queue_size;
};

/* Where devices come from. device() fills @out for the @index'th, false: no more. */
struct stats_source {
	const char *daemon; /* "blkback" */
	bool (*device)(void *arg, unsigned int index, struct stats_device *out);
	void *arg;
};

/*
 * The text for @n sources (a daemon has one): freed by the caller, *@size bytes
 * without the NUL. NULL: out of memory. JSON is one object a source, on one line
 * each; the OpenMetrics text holds all of them.
 */
char *stats_json(const struct stats_source *sources, unsigned int n, size_t *size);
char *stats_openmetrics(const struct stats_source *sources, unsigned int n, size_t *size);

/* @text in quotes, escaped for both formats: what is not printable UTF-8 becomes '?'. */
void stats_put_string(FILE *f, const char *text);

struct ev_loop;
struct stats_server;

/*
 * Offer @source on a Unix stream socket at @path (mode 0660; a stale socket there is
 * replaced) from @loop, never blocking. @source must stay. NULL with errno.
 */
struct stats_server *stats_server_open(struct ev_loop *loop, const char *path,
				       const struct stats_source *source);
/* Also turns away who is connected, and removes the socket. NULL is fine. */
void stats_server_close(struct stats_server *s);

#endif
