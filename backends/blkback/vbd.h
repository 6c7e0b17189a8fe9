/* SPDX-License-Identifier: GPL-2.0-only */
/* The worker's side of a disk: CONTROL_ATTACH to queue threads and back. */
#ifndef XYLEM_VBD_H
#define XYLEM_VBD_H

#include "backends/common/worker.h"

extern const struct worker_class vbd_worker_class;

/*
 * Where a queue's event channel comes from: events_fdopen_xen(), unless a test
 * with a loopback says otherwise before the first attach. Takes over @fd.
 */
extern struct events *(*vbd_open_events)(int fd, uint32_t domid);

#endif
