// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a network frontend wrote into xenstore (io/netif.h). The guest owns these
 * nodes: anything may stand there, and it may change between two reads, so that
 * each is read once and kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/nodes.h"
#include "backends/netback/vif_backend.h"

#define EVENT_CHANNEL_MAX ((1u << 17) - 1) /* FIFO ports; event_channel.h */

static int read_flag(const struct node_reader *r, const char *node, uint64_t fallback,
		     bool *out)
{
	int err = nodes_optional(r, node, 0, UINT32_MAX, &fallback);

	*out = fallback != 0;
	return err;
}

/* Flags with the meaning and the default that enum vif_feature gives them. */
static int read_features(const struct node_reader *r, uint32_t *features)
{
	static const struct {
		const char *node;
		uint32_t bit;
		bool inverted;
	} flag[] = {
		{"feature-sg", VIF_SG, false},
		{"feature-gso-tcpv4", VIF_GSO_TCPV4, false},
		{"feature-gso-tcpv6", VIF_GSO_TCPV6, false},
		{"feature-no-csum-offload", VIF_CSUM_V4, true},
		{"feature-ipv6-csum-offload", VIF_CSUM_V6, false},
		{"feature-rx-notify", VIF_RX_NOTIFY, false},
	};
	unsigned int i;
	bool set;
	int err;

	for (i = 0; i < sizeof(flag) / sizeof(flag[0]); i++) {
		err = read_flag(r, flag[i].node, 0, &set);
		if (err)
			return err;
		if (set != flag[i].inverted)
			*features |= flag[i].bit;
	}
	return 0;
}

/* Page flipping is long gone: a frontend must ask for copies, as all do. */
static int check_copy(const struct node_reader *r)
{
	bool copy;
	int err = read_flag(r, "request-rx-copy", 0, &copy);

	if (err || copy)
		return err;
	snprintf(r->why, r->why_size,
		 "it does not set request-rx-copy, and pages are not flipped");
	return -EOPNOTSUPP;
}

static int read_u32(const struct node_reader *r, const char *dir, const char *node,
		    uint32_t max, uint32_t *out)
{
	uint64_t v = 0;
	int err = nodes_required(r, dir, node, 1, max, &v);

	*out = (uint32_t)v;
	return err;
}

/* One channel for both rings, or with feature-split-event-channels one each. */
static int read_ports(const struct node_reader *r, const char *dir,
		      struct vif_queue_attach *q)
{
	uint64_t v = 0;
	int err = nodes_number(r, dir, "event-channel-tx", 1, EVENT_CHANNEL_MAX, &v);

	if (!err) {
		q->tx_port = (uint32_t)v;
		return read_u32(r, dir, "event-channel-rx", EVENT_CHANNEL_MAX,
				&q->rx_port);
	}
	if (err != -ENOENT)
		return err;
	err = read_u32(r, dir, "event-channel", EVENT_CHANNEL_MAX, &q->tx_port);
	q->rx_port = q->tx_port;
	return err;
}

static int read_queue(const struct node_reader *r, const char *dir,
		      struct vif_queue_attach *q)
{
	int err = read_u32(r, dir, "tx-ring-ref", UINT32_MAX, &q->tx_ref);

	if (!err)
		err = read_u32(r, dir, "rx-ring-ref", UINT32_MAX, &q->rx_ref);
	return err ? err : read_ports(r, dir, q);
}

static int read_queues(const struct node_reader *r, struct vif_attach *a)
{
	char dir[STORE_PATH_MAX];
	int err = 0;

	for (uint32_t i = 0; !err && i < a->nr_queues; i++) {
		err = nodes_queue_dir(r, i, a->nr_queues, dir);
		if (!err)
			err = read_queue(r, dir, &a->queue[i]);
	}
	return err;
}

/* Both nodes or neither. */
static int read_ctrl(const struct node_reader *r, struct vif_attach *a)
{
	uint64_t ref = 0;
	int err = nodes_number(r, r->dir, "ctrl-ring-ref", 1, UINT32_MAX, &ref);

	if (err)
		return err == -ENOENT ? 0 : err;
	err = read_u32(r, r->dir, "event-channel-ctrl", EVENT_CHANNEL_MAX, &a->ctrl_port);
	if (err)
		return err;
	a->ctrl_ref = (uint32_t)ref;
	a->features |= VIF_CTRL_RING;
	return 0;
}

static int read_live(const struct node_reader *r, const struct vif_offer *offer,
		     struct vif_live *live)
{
	uint64_t headroom = 0;
	bool multicast;
	int err;

	err = read_flag(r, "request-multicast-control", 0, &multicast);
	if (!err)
		err = nodes_optional(r, "xdp-headroom", 0, VIF_HEADROOM_MAX, &headroom);
	if (err)
		return err;
	live->flags &= ~(uint32_t)VIF_MCAST_CONTROL;
	if (multicast && offer->multicast_control)
		live->flags |= VIF_MCAST_CONTROL;
	live->rx_headroom = (uint32_t)headroom;
	return 0;
}

int vif_frontend_live(struct store *s, const char *frontend,
		      const struct vif_offer *offer, struct vif_live *live, char *why,
		      size_t size)
{
	const struct node_reader r = {s, frontend, why, size};

	why[0] = '\0';
	return read_live(&r, offer, live);
}

int vif_frontend_read(struct store *s, const char *frontend,
		      const struct vif_offer *offer, struct vif_attach *a, char *why,
		      size_t size)
{
	const struct node_reader r = {s, frontend, why, size};
	uint64_t queues = 1;
	int err;

	why[0] = '\0';
	err = check_copy(&r);
	if (!err)
		err = nodes_optional(&r, "multi-queue-num-queues", 1, offer->max_queues,
				     &queues);
	if (!err)
		err = read_features(&r, &a->features);
	if (!err && offer->ctrl_ring)
		err = read_ctrl(&r, a);
	if (!err)
		err = read_live(&r, offer, &a->live);
	if (err)
		return err;
	a->nr_queues = (uint32_t)queues;
	return read_queues(&r, a);
}

/* ---- the toolstack's ---- */

static bool parse_u64(const char **text, char until, uint64_t *out)
{
	size_t n = strspn(*text, "0123456789"); /* no sign, no blanks */

	if (n < 1 || n > 20 || (*text)[n] != until)
		return false;
	errno = 0;
	*out = strtoull(*text, NULL, 10);
	*text += n + 1;
	return errno == 0;
}

int vif_parse_rate(const char *text, struct limit_rate *r)
{
	uint64_t bytes, usec;
	unsigned __int128 rate;

	if (!parse_u64(&text, ',', &bytes) || !parse_u64(&text, '\0', &usec) || !bytes ||
	    !usec)
		return -EINVAL;
	rate = (unsigned __int128)bytes * 1000000 / usec;
	r->bytes_per_s = rate > UINT64_MAX ? UINT64_MAX : rate ? (uint64_t)rate : 1;
	r->bytes_burst = bytes;
	return 0;
}
