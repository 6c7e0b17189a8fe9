/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operating system gives to the front ends: memory that can be granted,
 * grants, event channels and a device's two xenstore directories. One struct
 * front_os a device; the OS embeds it in whatever it keeps about the device.
 *
 * The front ends need nothing else: no libc, no locks (a queue belongs to one
 * thread at a time), no waiting. The OS watches the backend's state, receives
 * events, and calls in.
 */
#ifndef XYLEM_FRONT_OS_H
#define XYLEM_FRONT_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRONT_PAGE_SIZE 4096u

/* What the front ends' functions return: 0 or more, or one of these. */
enum front_error {
	FRONT_OK = 0,
	FRONT_NOMEM = -1, /* memory, grants or ports ran out */
	FRONT_STORE = -2, /* xenstore refused, or a node of the backend makes no sense */
	FRONT_FULL = -3,  /* no room now: poll, and try again */
	FRONT_INVALID = -4,     /* the request cannot be expressed to this backend */
	FRONT_UNSUPPORTED = -5, /* the backend does not offer it */
	FRONT_BROKEN = -6,      /* the backend broke the protocol: close the device */
	FRONT_BUSY = -7,        /* the backend still has pages mapped: call again later */
};

enum front_side { FRONT_DIR, BACK_DIR }; /* the device's directories in xenstore */

struct front_os;

struct front_os_ops {
	/* Private memory, zeroed; NULL when there is none. free(NULL) does nothing. */
	void *(*alloc)(struct front_os *os, size_t size);
	void (*free)(struct front_os *os, void *p);

	/* @n zeroed pages side by side that can be granted, page-aligned; or NULL. */
	void *(*pages_alloc)(struct front_os *os, unsigned int n);
	void (*pages_free)(struct front_os *os, void *pages, unsigned int n);

	/* Grant the page that starts at @page to the backend's domain. 0: no grant left.
	 */
	uint32_t (*grant)(struct front_os *os, void *page, bool readonly);
	/* End a grant. FRONT_OK; FRONT_BUSY: the backend has it mapped, nothing was done.
	 */
	int (*grant_end)(struct front_os *os, uint32_t ref);

	/* An event channel for the backend's domain to bind. 0: none left. */
	uint32_t (*port_alloc)(struct front_os *os);
	void (*port_close)(struct front_os *os, uint32_t port);
	void (*port_notify)(struct front_os *os, uint32_t port);

	/*
	 * Read @node (relative to the directory) into @buf, NUL-terminated. Its length;
	 * FRONT_STORE when it is missing or does not fit.
	 */
	int (*get)(struct front_os *os, enum front_side side, const char *node, char *buf,
		   size_t size);
	/* Write @node in the frontend's directory. FRONT_OK or FRONT_STORE. */
	int (*put)(struct front_os *os, const char *node, const char *value);
};

struct front_os {
	const struct front_os_ops *ops;
};

#endif
