/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's side of a vif as the supervisor makes it: a multi-queue tap, or
 * packet sockets on an interface that exists. Workers get descriptors of queues.
 */
#ifndef XYLEM_TAP_H
#define XYLEM_TAP_H

#include <net/if.h>
#include <stdbool.h>

/*
 * A tap that lives as long as somebody holds a descriptor of it. This one is
 * attached to no queue: it keeps the interface (and its place on a bridge) while
 * no worker serves it, and loses no packet by being there. A name is no handle: the
 * hotplug script may rename the interface.
 */
struct tap {
	int fd; /* -1: none */
};

void tap_init(struct tap *t);

/*
 * Make the interface @name: down, without carrier, address fe:ff:ff:ff:ff:ff, with
 * a virtio_net_hdr_v1 (12 bytes) before each packet. @mtu 0: as the kernel makes it.
 * 0; -EBUSY when an interface of the name exists; or -errno.
 */
int tap_create(struct tap *t, const char *name, unsigned int mtu);

/*
 * Hold a tap again that tap_create() of another process made and a worker keeps
 * alive. Unlike there, @name must exist. 0 or -errno.
 */
int tap_hold(struct tap *t, const char *name);

/* A new queue's descriptor, non-blocking, or -errno. */
int tap_open_queue(const struct tap *t);

/* Off whenever no guest listens. On needs a queue. 0 or -errno. */
int tap_set_carrier(const struct tap *t, bool on);

/* The name of today. 0 or -errno. */
int tap_name(const struct tap *t, char name[IFNAMSIZ]);

/*
 * What a hotplug script did to a tap that is no more: give the new one the name
 * @name (NULL or "": keep), put it on @bridge (NULL or "": none) and set it up.
 * 0 or -errno.
 */
int tap_plug(const struct tap *t, const char *name, const char *bridge);

/* Idempotent. Whoever closes last removes the interface. */
void tap_close(struct tap *t);

/*
 * @n sockets that take what @interface receives, spread by flow, promiscuous,
 * non-blocking, with virtio_net_hdr (PACKET_VNET_HDR). 0, or -errno with none open.
 */
int packet_open(const char *interface, unsigned int n, int *fds);

/* Whether an interface has been set up (ip link set ... up). */
bool interface_is_up(const char *name);

#endif
