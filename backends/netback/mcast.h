/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The multicast addresses a guest wants to hear (xen/io/netif.h, "feature-
 * multicast-control"). Plain data of bounded size: the vif keeps one under its
 * lock, each queue a copy of its own.
 */
#ifndef XYLEM_NETBACK_MCAST_H
#define XYLEM_NETBACK_MCAST_H

#include <stdbool.h>
#include <stdint.h>

#define MCAST_MAX 64u

struct mcast {
	uint32_t nr;
	uint8_t addr[MCAST_MAX][6];
};

/* Add a group. False: it is no multicast address, or the list is full. Adding twice is
 * once. */
bool mcast_add(struct mcast *m, const uint8_t *addr);
/* Remove a group; one that is not there is no error. */
void mcast_del(struct mcast *m, const uint8_t *addr);
/*
 * Whether a frame to @addr may go to the guest when the filter is on: everything
 * but multicast that is not listed. Broadcast always goes.
 */
bool mcast_pass(const struct mcast *m, const uint8_t *addr);

#endif
