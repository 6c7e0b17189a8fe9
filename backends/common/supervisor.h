/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The supervisor as an object: what supervisor_main() does around the command
 * line, and what tests drive with a store in memory.
 */
#ifndef XYLEM_SUPERVISOR_H
#define XYLEM_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/common/backend.h"

struct supervisor;

struct supervisor_options {
	const char *conf_path;   /* NULL: the class's */
	const char *runtime_dir; /* NULL: /run/xylem/NAME */
	const char *sysfs;       /* NULL: /sys */
	const char *worker_exe;  /* NULL: /proc/self/exe */
	struct store *store;     /* NULL: the machine's xenstored; else the caller's */
	uint32_t uid_base;       /* 0: the class's */
	bool keep_ids;           /* workers do not change uid (tests without root) */
	enum log_level log_level;
	/* For tests; 0: 5 s for workers found at start to answer before anything is
	 * served, 60 s for what they are asked later, 2.5 s for an unused one to stay. */
	unsigned int adopt_ms, patience_ms, linger_ms;
};

/* Configuration, store, watches, devices and workers that are there. NULL: logged why. */
struct supervisor *supervisor_new(const struct backend_class *class,
				  const struct supervisor_options *o);
/* Serve until SIGTERM or SIGINT. */
void supervisor_run(struct supervisor *s);
/* Serve for at most @ms, or until something has happened. For tests. */
void supervisor_turn(struct supervisor *s, unsigned int ms);
/* Let go of everything; workers go on serving and can be found again. */
void supervisor_free(struct supervisor *s);
/* Read the configuration again; a bad one is refused and logged. */
void supervisor_reload(struct supervisor *s);

/* For the statistics socket and tests: the connected and other devices, in no order. */
typedef void supervisor_visit(struct backend *be, const char *phase, int worker_pid,
			      void *arg);
void supervisor_each(struct supervisor *s, supervisor_visit *visit, void *arg);

#endif
