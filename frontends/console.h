/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A console front end: the byte rings of xen/io/console.h. The first console's
 * page and port are given to a guest when it starts; further ones are devices
 * like others, with a page and port of the guest's own.
 */
#ifndef XYLEM_CONSOLE_H
#define XYLEM_CONSOLE_H

#include "frontends/os.h"
#include "ring/bytes.h"

struct console {
	struct front_os *os;
	struct bytes_reader in;
	struct bytes_writer out;
	uint32_t port;
	void *page; /* own page and grant, or NULL */
	uint32_t ref;
	bool broken;
};

/* Take up the console that the guest was started with. FRONT_BROKEN: odd indices. */
int console_attach(struct console *c, struct front_os *os, struct xencons_interface *page,
		   uint32_t port);

/* Make a page and a port, publish "ring-ref" and "port", and enter Initialised. */
int console_init(struct console *c, struct front_os *os);

/* How many bytes fitted (0: the daemon is slow), or FRONT_BROKEN. */
int console_write(struct console *c, const void *data, uint32_t len);

/* How many bytes there were, up to @len, or FRONT_BROKEN. */
int console_read(struct console *c, void *data, uint32_t len);

/* Give back what console_init() made. FRONT_BUSY as elsewhere. */
int console_close(struct console *c);

#endif
