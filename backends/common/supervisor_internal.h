/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The supervisor's own structures, shared by supervisor.c (start, loop, signals),
 * supervisor_device.c (the devices of the store) and supervisor_worker.c (the
 * worker processes). One thread; no locks.
 */
#ifndef XYLEM_SUPERVISOR_INTERNAL_H
#define XYLEM_SUPERVISOR_INTERNAL_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/common/stats.h"
#include "backends/common/supervisor.h"
#include "backends/common/xenbus.h"

struct guest_worker;

/* A device that a worker found at start said it serves. */
struct found {
	uint32_t devid;
	uint64_t cookie;
	int state_fd; /* -1: claimed */
};

#define FOUND_MAX 256

struct device {
	struct backend be;
	struct xenbus x;
	struct supervisor *s;
	struct device *next;
	struct guest_worker *w; /* while a worker holds it, or has been asked to */
	uint64_t cookie;        /* of its ATTACH */
	bool expect_attached, expect_detached; /* answers that are due */
	bool told_broken;
	int state_fd;          /* with be.state */
	struct ev_timer timer; /* xenbus_timer() */
	bool dirty;            /* to be polled */
	bool gone;             /* to be freed */
	bool seen_alive;       /* its domain: one that is being built is not yet */
	char name[16];         /* the devid, for statistics */
	struct ev_timer
		later; /* a frontend that writes all the time is polled more rarely */
	ev_tstamp window;
	unsigned int polls; /* in this window */
};

/* One worker process; guests with devices have one. */
struct guest_worker {
	struct supervisor *s;
	struct guest_worker *next;
	uint32_t domid;
	int pid, pidfd, control; /* control -1: hung up */
	bool ready;
	bool exiting;  /* takes no new device */
	bool expected; /* asked to end, or killed: its end is no news */
	bool child;    /* ours to reap */
	struct ev_io control_io, pid_io;
	struct ev_timer limit; /* to be ready, to be gone */
	struct log_limit log_limit;
	struct found *found;
	unsigned int nr_found;
	unsigned int strays; /* DETACHED answers due for devices that nobody claimed */
};

struct supervisor {
	const struct backend_class *class;
	struct supervisor_options o;
	struct ev_loop *loop;
	struct conf *conf;
	struct store *store;
	bool own_store;
	char *root; /* /local/domain/0/backend/TYPE */
	char *conf_path, *runtime_dir;
	struct device *devices;
	struct guest_worker *workers;
	struct control_packet *packet;
	struct backend_attach *attach;
	uint64_t cookie;
	struct log_limit odd; /* lines about directories that are no devices */
	struct ev_io store_io;
	struct ev_signal term, interrupt, hup;
	struct ev_timer tick;
	struct stats_source source;
	struct stats_server *stats;
	bool stop;
};

/* ---- supervisor_device.c ---- */

/* Take what the store's watches have to say, then poll the devices concerned. */
void devices_store_event(struct supervisor *s);
/* Poll devices marked dirty and free those that are gone. */
void devices_settle(struct supervisor *s);
void devices_free(struct supervisor *s);
struct device *device_find(struct supervisor *s, uint32_t domid, uint32_t devid);
/* Map a state memfd into be->state after checking seals and size. 0 or -errno. */
int device_map_state(struct device *d, int fd);

/* ---- supervisor_stats.c ---- */

/* Offer statistics in the runtime directory; without them the daemon still serves. */
void stats_start(struct supervisor *s);
void stats_stop(struct supervisor *s);

/* ---- supervisor_worker.c ---- */

/* Find the workers of a supervisor that was here before. */
void workers_adopt(struct supervisor *s);
/* After the first look at the store: have them let go of what is no more. */
void workers_drop_strays(struct supervisor *s);
/* The worker of @domid, started if need be; NULL with errno. */
struct guest_worker *worker_get(struct supervisor *s, uint32_t domid);
/* One that can be given devices just now, or NULL. */
struct guest_worker *worker_find(struct supervisor *s, uint32_t domid);
int worker_send(struct guest_worker *w, enum control_type type, struct device *d,
		const void *payload, size_t size, const int *fds, unsigned int nfds);
void worker_kill(struct guest_worker *w);
/* A device has let go of it; the last one ends it. */
void worker_unused(struct guest_worker *w);
void workers_free(struct supervisor *s);

#endif
