/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The xenstore side of a network interface: struct backend_class of netback's
 * supervisor (vif_backend.c), and the reading of what a frontend wrote
 * (vif_frontend.c).
 */
#ifndef XYLEM_VIF_BACKEND_H
#define XYLEM_VIF_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backends/common/backend.h"
#include "backends/common/limit.h"
#include "backends/netback/vif_proto.h"

extern const struct backend_class vif_backend_class;

/* What a device offers its frontend: fixed from InitWait to the end of a connection. */
struct vif_offer {
	uint32_t max_queues;
	bool ctrl_ring, multicast_control;
};

/*
 * Read the frontend's nodes and fill nr_queues, features, ctrl_*, queues and the
 * frontend's part of live of @a. Every value is hostile text: 0, or -errno with
 * the reason in @why. Nothing beyond @offer is ever accepted.
 */
int vif_frontend_read(struct store *s, const char *frontend,
		      const struct vif_offer *offer, struct vif_attach *a, char *why,
		      size_t size);

/* Only what may change while connected. As above. */
int vif_frontend_live(struct store *s, const char *frontend,
		      const struct vif_offer *offer, struct vif_live *live, char *why,
		      size_t size);

/*
 * libxl's `rate` node, "BYTES,MICROSECONDS": so many bytes in each such interval.
 * Fills the bytes of @r. 0 or -EINVAL.
 */
int vif_parse_rate(const char *text, struct limit_rate *r);

#endif
