/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The back end's half of a xenbus connection, one device at a time. Pure: it
 * reads and writes the store, asks its owner through struct xenbus_ops for a
 * worker and for time, and is told what happened through the calls below. It
 * keeps no descriptors and never waits. docs/xenbus.md has the picture.
 *
 * It looks at levels, not edges: xenbus_poll() reads everything that matters and
 * goes on until nothing more changes, so lost, repeated and reordered watch
 * events do no harm.
 */
#ifndef XYLEM_XENBUS_H
#define XYLEM_XENBUS_H

#include <stdbool.h>
#include <stdint.h>
#include <xen/io/xenbus.h>

#include "backends/common/backend.h"

enum xenbus_phase {
	XENBUS_NEW,       /* nothing done yet */
	XENBUS_WAIT,      /* InitWait: for the hotplug script, then for the frontend */
	XENBUS_ATTACHING, /* InitWait: the worker is mapping the rings */
	XENBUS_CONNECTED, /* Connected */
	XENBUS_CLOSING,   /* Closing: the frontend may still finish what it has begun */
	XENBUS_DETACHING, /* the worker drains and unmaps */
	XENBUS_CLOSED,    /* Closed: until the frontend wants to begin again */
	XENBUS_FOREIGN,   /* the kernel's driver has it */
	XENBUS_GONE,      /* directory removed, all released; ops->gone has been called */
};

/* A read or write of the store that failed is tried again after so many ms. */
#define XENBUS_RETRY 500
/* How long a frontend is given to close by itself once it has been told to, ms. libxl
 * waits 10 s for Closed, and draining must fit in too. */
#define XENBUS_CLOSE_GRACE 4000
/* How long a worker may take, ms: to attach; to detach; to detach when libxl waits or the
 * device is gone, and nothing else hangs on this worker; the same when libxl has waited
 * for the frontend already. Then it is killed. */
#define XENBUS_ATTACH_LIMIT 20000
#define XENBUS_DETACH_LIMIT 60000
#define XENBUS_HURRY_LIMIT  8500
#define XENBUS_FORCE_LIMIT  4500

struct xenbus;

struct xenbus_ops {
	/* The kernel's driver is bound to this device. */
	bool (*foreign)(struct xenbus *x);
	/*
	 * Ask the guest's worker (starting it if need be) to attach: class->connect(),
	 * the state, the message. 0: xenbus_attached() or xenbus_lost() follows. Or
	 * -errno.
	 */
	int (*attach)(struct xenbus *x);
	/* Ask it to detach: xenbus_detached() or xenbus_lost() follows. */
	void (*detach)(struct xenbus *x);
	/* The worker serves other devices of the guest that are in use: killing it would
	 * take them too. */
	bool (*shared)(struct xenbus *x);
	/* The worker took too long: kill it. xenbus_lost() follows for all its devices.
	 */
	void (*kill)(struct xenbus *x);
	/* Nothing of the device is held by a worker any more: unmap the state. */
	void (*released)(struct xenbus *x);
	/* Call xenbus_timer() in so many ms; 0: not at all. Replaces an earlier wish. */
	void (*timer)(struct xenbus *x, unsigned int ms);
	/* The device is over and may be freed (not before this call has returned). */
	void (*gone)(struct xenbus *x);
};

struct xenbus {
	const struct xenbus_ops *ops;
	struct backend *be;
	enum xenbus_phase phase;
	int state;          /* what we wrote last; XenbusState* */
	int want;           /* what should stand there; differs when a write failed */
	bool attached;      /* a worker holds it, or has been asked to */
	bool probed;        /* class->probe() has succeeded */
	bool ready;         /* class->ready() has succeeded */
	bool failed;        /* closing because of an error of ours or theirs */
	bool broken;        /* the frontend broke the protocol: stop at once */
	bool may_return;    /* the frontend has closed, so Initialising means: again */
	bool expired;       /* the time limit of this phase has passed */
	bool dead;          /* the domain is gone */
	bool deciding;      /* xenbus_poll() is running */
	unsigned int limit; /* the time limit asked for, ms; 0: none */
	unsigned int steps; /* taken so far */
};

/*
 * Begin. be->path, be->frontend and be->store are set. @resumed: a worker already
 * serves the device (be->state is mapped). Nothing happens until xenbus_poll().
 */
void xenbus_init(struct xenbus *x, const struct xenbus_ops *ops, struct backend *be,
		 bool resumed);

/* Something in either directory may have changed. */
void xenbus_poll(struct xenbus *x);

/* The worker's answer to attach: 0 or -errno. */
void xenbus_attached(struct xenbus *x, int status);
/* The worker's answer to detach. */
void xenbus_detached(struct xenbus *x);
/* The worker said that the frontend broke the protocol (already logged). */
void xenbus_broken(struct xenbus *x);
/* The worker died. */
void xenbus_lost(struct xenbus *x);
/* The time asked for has passed. */
void xenbus_timer(struct xenbus *x);
/* The domain has been released: its frontend will never answer. */
void xenbus_domain_gone(struct xenbus *x);

const char *xenbus_phase_name(enum xenbus_phase phase);

#endif
