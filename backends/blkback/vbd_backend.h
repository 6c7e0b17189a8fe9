/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The xenstore side of a disk: struct backend_class of blkback's supervisor
 * (vbd_backend.c), and the reading of what a frontend wrote (vbd_frontend.c).
 */
#ifndef XYLEM_VBD_BACKEND_H
#define XYLEM_VBD_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/blkback/vbd_proto.h"
#include "backends/common/backend.h"

extern const struct backend_class vbd_backend_class;

/* What a device offers its frontend: fixed from InitWait to the end of a connection. */
struct vbd_offer {
	uint32_t max_queues, max_ring_order, max_segments;
	bool persistent;
};

/* What a frontend chose besides what struct vbd_attach holds. */
struct vbd_frontend {
	bool persistent;
	bool large_sectors; /* feature-large-sector-size */
};

/*
 * Read the frontend's nodes and fill abi, nr_queues, ring_order and the queues of
 * @a. Every value is hostile text: 0, or -errno with the reason in @why. Nothing
 * beyond @offer is ever accepted.
 */
int vbd_frontend_read(struct store *s, const char *frontend,
		      const struct vbd_offer *offer, struct vbd_attach *a,
		      struct vbd_frontend *f, char *why, size_t size);

/*
 * Is anything under way to the disk whose file in sysfs this is,
 * /sys/dev/block/N:M/inflight ("READS WRITES")? False also when there is none.
 */
bool vbd_in_flight(const char *path);

#endif
