/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reading end of the statistics sockets, for xylem-stat: what the daemons said
 * at one moment, and the rates between two moments.
 */
#ifndef XYLEM_STAT_SNAPSHOT_H
#define XYLEM_STAT_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/common/stats.h"

#define STAT_DAEMONS_MAX 8
#define STAT_QUEUES_MAX  1024 /* a device; more is refused as nonsense */

/* A device as read: its strings and counters are its own. */
struct stat_device {
	unsigned int daemon; /* index into the snapshot's */
	char *guest, *device, *type, *engine;
	uint32_t domid, devid;
	unsigned int nr_queues;
	/* laid out with queue blocks of sizeof(struct state_queue) */
	struct state_head *state;
};

struct stat_snapshot {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	char *daemons[STAT_DAEMONS_MAX];
	unsigned int nr_daemons;
	struct stat_device *devices;
	unsigned int nr_devices;
};

/* Ask the daemon at @path one of its requests. The text, freed by the caller; NULL with
 * errno. */
char *stat_fetch(const char *path, const char *request);

/* Add what a daemon's "json" answer says. False: not understood, or out of memory;
 * the snapshot is as before. */
bool stat_snapshot_add(struct stat_snapshot *s, const char *json);
void stat_snapshot_free(struct stat_snapshot *s);

/* Leave only devices of the @n guests in @names: by name or domid. */
void stat_snapshot_keep(struct stat_snapshot *s, char *const *names, unsigned int n);

/* All of it as OpenMetrics, as stats_openmetrics() does. */
char *stat_snapshot_openmetrics(const struct stat_snapshot *s, size_t *size);

struct stat_rates {
	double per_s[METRIC_COUNT];       /* of a gauge: its value now */
	uint64_t p50_ns, p99_ns, p999_ns; /* of what completed in between */
};

/* The same device in an older snapshot, or NULL. */
const struct stat_device *stat_find(const struct stat_snapshot *old,
				    const struct stat_snapshot *s,
				    const struct stat_device *d);

/* What @now did since @before (NULL: since it began) in @seconds. */
void stat_rates(const struct stat_device *now, const struct stat_device *before,
		double seconds, struct stat_rates *out);

#endif
