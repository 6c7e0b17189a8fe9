/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * frontends/os.h for a process inside a Linux guest: pages and grants from
 * /dev/xen/gntalloc, event channels from /dev/xen/evtchn, nodes through libxenstore.
 * The device must not be taken by the guest kernel's own driver.
 */
#ifndef XYLEM_FRONT_XEN_H
#define XYLEM_FRONT_XEN_H

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "frontends/os.h"

#define FRONT_XEN_BLOCKS 256

struct front_xen_block {
	uint8_t *pages;
	unsigned int n;
	uint32_t *ref;
};

struct front_xen {
	struct front_os os; /* first: the front ends are given &fx->os */
	xengntshr_handle *gntshr;
	xenevtchn_handle *evtchn;
	struct xs_handle *xs;
	uint32_t domid;   /* of the backend */
	char dir[2][256]; /* by enum front_side */
	struct front_xen_block block[FRONT_XEN_BLOCKS];
};

/*
 * Take up the device at @frontend ("device/vbd/51728" or an absolute path). 0, or
 * -1 with errno and a line on stderr that says what is missing.
 */
int front_xen_open(struct front_xen *fx, const char *frontend);
/* Everything is given back, also what the front end still held. */
void front_xen_close(struct front_xen *fx);

/* Wait up to @ms for an event on any port; the port, 0: none came. */
uint32_t front_xen_wait(struct front_xen *fx, int ms);

/* A node's raw text in the frontend's directory, as a hostile guest writes it. */
int front_xen_write_raw(struct front_xen *fx, const char *node, const void *data,
			unsigned int n);
void front_xen_rm(struct front_xen *fx, const char *node);

#endif
