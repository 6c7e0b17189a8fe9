/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The supervisor's own structures, shared by supervisor.c (start, loop, signals),
 * supervisor_device.c (the devices of the store), supervisor_worker.c (the worker
 * processes) and supervisor_adopt.c (those that were there). One thread; no locks.
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
	/* its lay-out, read before a worker could write there, or when it was found */
	uint32_t nr_queues, queue_size;
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
	bool idle;     /* no device just now: ended when the limit has passed */
	bool expected; /* asked to end, or killed: its end is no news */
	bool child;    /* ours to reap */
	ev_tstamp died; /* > 0: when; its devices may not know yet */
	bool unheard;  /* found, or looked for; has not said yet what it serves */
	ev_tstamp patience; /* until when */
	struct ev_io control_io, pid_io;
	struct ev_timer limit; /* to be ready, to be gone */
	struct log_limit log_limit;
	struct found *found;
	unsigned int nr_found;
	unsigned int strays; /* DETACHED answers due for devices that nobody claimed */
	bool strays_late;    /* they have been due for too long */
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
/* Look for devices of @domid that are not known yet. */
void devices_rescan(struct supervisor *s, uint32_t domid);
struct device *device_find(struct supervisor *s, uint32_t domid, uint32_t devid);
/* Map a state memfd into be->state after checking seals and size. 0 or -errno. */
int device_map_state(struct device *d, int fd);

/* ---- supervisor_stats.c ---- */

/* Offer statistics in the runtime directory; without them the daemon still serves. */
void stats_start(struct supervisor *s);
void stats_stop(struct supervisor *s);

/* ---- supervisor_worker.c ---- */

/* The worker of @domid, started if need be; NULL with errno. */
struct guest_worker *worker_get(struct supervisor *s, uint32_t domid);
/* One that can be given devices just now, or NULL. */
struct guest_worker *worker_find(struct supervisor *s, uint32_t domid);
int worker_send(struct guest_worker *w, enum control_type type, struct device *d,
		const void *payload, size_t size, const int *fds, unsigned int nfds);
/* RLIMIT_FSIZE: no regular file grows beyond @bytes. 0, or -1 with errno. */
int worker_limit_files(const struct guest_worker *w, uint64_t bytes);
void worker_kill(struct guest_worker *w);
/* A device has let go of it; the last one ends it. */
void worker_unused(struct guest_worker *w);
void workers_free(struct supervisor *s);

/* For supervisor_adopt.c: make and end the object (not the process), watch what it has
 * of descriptors, hang up, set its time limit (s; 0: none), its files. */
struct guest_worker *worker_new(struct supervisor *s, uint32_t domid);
void worker_free(struct guest_worker *w);
void worker_watch(struct guest_worker *w);
void worker_hang_up(struct guest_worker *w);
void worker_limit(struct guest_worker *w, ev_tstamp seconds);
void worker_file(const struct supervisor *s, uint32_t domid, const char *suffix,
		 char *out, size_t size);
void worker_remove_files(const struct supervisor *s, uint32_t domid);

/* ---- supervisor_adopt.c ---- */

/* Find the workers of a supervisor that was here before. */
void workers_adopt(struct supervisor *s);
/* After the first look at the store: have them let go of what is no more. */
void workers_drop_strays(struct supervisor *s);
void worker_drop_strays(struct guest_worker *w);
/* A message of one that is still unheard. False: nonsense. */
bool worker_hear(struct guest_worker *w, struct control_packet *p);
/* Its timer has run out: look for it again, or give it up. May free it. */
void worker_still_unheard(struct guest_worker *w);
/* A worker of @domid may be alive that has not said what it serves: the guest's devices
 * must be left alone until devices_rescan(). */
bool worker_awaited(struct supervisor *s, uint32_t domid);

#endif
