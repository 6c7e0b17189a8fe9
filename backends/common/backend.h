/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A device class as the supervisor sees it: what the xenbus state machine
 * (xenbus.c) and the supervisor (supervisor.c) ask of blkback and netback.
 * Everything here runs in the supervisor's one thread and must not block for
 * longer than a file takes to open.
 */
#ifndef XYLEM_BACKEND_H
#define XYLEM_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/common/conf.h"
#include "backends/common/control.h"
#include "backends/common/log.h"
#include "backends/common/store.h"

/* One device: /local/domain/0/backend/TYPE/DOMID/DEVID and the frontend it names. */
struct backend {
	const struct backend_class *class;
	struct store *store;
	const struct conf *conf;
	uint32_t domid, devid;
	char *path;         /* backend directory */
	char *frontend;     /* frontend directory */
	char *guest;        /* the guest's name, for configuration and logs */
	void *state;        /* mapping of the memfd shared with the worker, or NULL */
	size_t state_size;
	uint64_t file_max;  /* the class's: no file that the worker writes to shall grow
			     * beyond this, bytes; devices have ends of their own */
	unsigned int nr_errors; /* told by backend_error() */
	struct log_limit log_limit;
	void *priv;         /* the class's own */
};

/* What connect() hands to the worker. */
struct backend_attach {
	unsigned char payload[CONTROL_MAX];
	size_t size;
	int fds[CONTROL_MAX_FDS]; /* closed by the supervisor once sent */
	unsigned int nfds;
};

struct backend_class {
	const char *name;   /* daemon: "blkback" */
	const char *type;   /* xenstore: "vbd" */
	const char *kernel_driver; /* /sys/bus/xen-backend/drivers/NAME, e.g. "vbd" */
	const char *conf_path;
	const struct conf_key *conf_keys;
	/* A worker's uid and gid are this + domid (0: 700000). Each daemon has its own. */
	uint32_t uid_base;

	/*
	 * A new backend directory: read what the toolstack wrote and publish features.
	 * 0: the device enters InitWait. -errno: it is closed with an error node.
	 */
	int (*probe)(struct backend *be);
	/*
	 * hotplug-status says connected: open the image, check the interface. 0; -EAGAIN
	 * to be asked again at the next change of the backend directory; or -errno.
	 */
	int (*ready)(struct backend *be);
	/*
	 * The frontend is Initialised (or Connected): read its nodes (hostile text), fill
	 * @out, size the state. Nothing is mapped here: the worker does that. 0 or -errno.
	 */
	int (*connect)(struct backend *be, struct backend_attach *out, size_t *state_size);
	/*
	 * Optional. be->state is mapped, zero but for magic, version and size: fill
	 * nr_queues, queue_size and the limits before the worker sees it.
	 */
	void (*prepare)(struct backend *be);
	/*
	 * Optional. A supervisor that was started anew found the device Connected and its
	 * worker alive (be->state is mapped): build priv again and publish nothing. NULL:
	 * probe() and ready() are called instead. 0, or -errno: the device is closed.
	 */
	int (*resume)(struct backend *be);
	/* The worker has attached: publish what the frontend reads in Connected. */
	int (*publish)(struct backend *be);
	/* The worker has detached; the frontend may connect again (InitWait). */
	void (*disconnected)(struct backend *be);
	/* A node below the backend or frontend directory changed while in use, or the
	 * configuration was read again: take up live changes. */
	void (*changed)(struct backend *be);
	/* Optional, for statistics: the name in the guest ("xvda", "vif 0") and what carries
	 * its I/O ("io_uring", "tap"); strings that live as long as be. */
	void (*describe)(struct backend *be, const char **device, const char **engine);
	/* Optional. The device's worker has ended without detaching it: may I/O that it began
	 * still be under way? Asked again for a while before the device is Closed. */
	bool (*busy)(struct backend *be);
	/* Once a second while connected: image size, carrier. May be NULL. */
	void (*tick)(struct backend *be);
	/* The device goes away: close images and taps, free priv. Called once for each
	 * device whose probe() or resume() has succeeded (one that fails cleans up itself). */
	void (*remove)(struct backend *be);
};

/* Send CONTROL_UPDATE for a connected device; fds are duplicated by the kernel. 0 or -errno. */
int backend_update(struct backend *be, const void *payload, size_t size, const int *fds,
		   unsigned int nfds);

/* Write error nodes the way xenbus clients expect (error/backend/TYPE/...), and log. */
void backend_error(struct backend *be, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* main() of the supervisor: options, watches, workers, statistics socket. */
int supervisor_main(const struct backend_class *class, int argc, char **argv);

#endif
