/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frontend and a host made of fuzz: slots, indices, granted bytes, control
 * requests, packets with offload headers and live changes in any order, into a vif
 * over the loopback. What comes out to the host must be sound, what was consumed
 * answered, and nothing left behind.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/unit/net_rig.h"

#define STEPS_MAX 200

static struct net_rig *rig;
static struct net_rig_options options = {.nr_queues = 2};

/* Fresh rings on the guest's pages; everything else of the guest stays. */
static void reset(struct fuzz_input *in)
{
	uint32_t i;

	if (!rig)
		rig = net_rig_new(&options);
	for (i = 0; i < 2; i++) {
		ring_front_init(&rig->q[i].tx, rig->q[i].tx.shared, 1,
				NETIF_TX_SLOT_SIZE);
		ring_front_init(&rig->q[i].rx, rig->q[i].rx.shared, 1,
				NETIF_RX_SLOT_SIZE);
	}
	ring_front_init(&rig->ctrl, rig->ctrl.shared, 1, 16);
	memset(rig->state, 0, rig->state_size);
	options.features = (fuzz_u8(in) & VIF_FEATURES_ALL) | VIF_CTRL_RING;
	options.live_flags = fuzz_u8(in) & VIF_LIVE_ALL;
	options.headroom = fuzz_u32(in) % (VIF_HEADROOM_MAX + 1);
}

/* A slot with a grant that exists, mostly: a reference nobody has is soon refused. */
static void write_tx(struct fuzz_input *in, uint32_t queue)
{
	struct net_rig_queue *q = &rig->q[queue];
	uint8_t at = fuzz_u8(in), kind = fuzz_u8(in);
	uint8_t slot[12];

	fuzz_bytes(in, slot, sizeof(slot));
	if (kind & 3)
		memcpy(slot, &q->tx_gref[slot[0]], 4);
	if (kind & 4) { /* an offset and a size that may fit */
		slot[5] &= 0x0f;
		slot[11] &= 0x0f;
	}
	memcpy(ring_front_slot(&q->tx, at), slot, sizeof(slot));
}

static void write_rx(struct fuzz_input *in, uint32_t queue)
{
	struct net_rig_queue *q = &rig->q[queue];
	uint8_t at = fuzz_u8(in), n = fuzz_u8(in), i;
	struct netif_rx_request req;

	fuzz_bytes(in, &req, sizeof(req));
	for (i = 0; i < n; i++, at++) {
		req.gref = i & 15 ? q->rx_gref[at] : req.gref;
		memcpy(ring_front_slot(&q->rx, at), &req, sizeof(req));
	}
}

static void write_ctrl(struct fuzz_input *in)
{
	struct xen_netif_ctrl_request req;
	uint8_t kind = fuzz_u8(in);

	fuzz_bytes(in, &req, sizeof(req));
	if (kind & 1)
		req.type %= 12;
	if (kind & 2)
		req.data[0] = rig->ctrl_gref;
	if (kind & 4)
		req.data[1] %= 130;
	memcpy(ring_front_slot(&rig->ctrl, rig->ctrl.shared->req_prod), &req,
	       sizeof(req));
	rig->ctrl.shared->req_prod += kind & 8 ? fuzz_u32(in) : 1;
}

static void inject(struct fuzz_input *in, uint32_t queue)
{
	static uint8_t frame[RIG_PACKET];
	struct virtio_net_hdr_v1 hdr;
	uint32_t len = fuzz_u32(in) % sizeof(frame);

	fuzz_bytes(in, &hdr, sizeof(hdr));
	if (fuzz_u8(in) & 1)
		hdr.gso_type &= 5;
	fuzz_bytes(in, frame, 128);
	port_loop_inject(rig->q[queue].port, &hdr, frame, len);
}

static void step(struct fuzz_input *in)
{
	struct vif_update u = {.version = VIF_PROTO_VERSION};
	uint8_t op = fuzz_u8(in);
	uint32_t queue = op >> 4 & 1;

	switch (op & 15) {
	case 0:
	case 1:
		write_tx(in, queue);
		break;
	case 2:
		rig->q[queue].tx.shared->req_prod += fuzz_u8(in);
		break;
	case 3:
		write_rx(in, queue);
		break;
	case 4:
		rig->q[queue].rx.shared->req_prod += fuzz_u8(in);
		break;
	case 5:
		write_ctrl(in);
		break;
	case 6:
		inject(in, queue);
		break;
	case 7: /* headers and data */
		fuzz_bytes(in,
			   loopback_frame(rig->lb, rig->q[queue].tx_frame + fuzz_u8(in)),
			   96);
		break;
	case 8:
		fuzz_bytes(in, loopback_frame(rig->lb, rig->ctrl_frame), 160);
		break;
	case 9:
		u.live.flags = fuzz_u8(in);
		u.live.rx_headroom = fuzz_u32(in);
		vif_update(rig->vif, &u);
		break;
	case 10: /* any index, any time */
		fuzz_bytes(in, rig->q[queue].tx.shared, 16);
		break;
	case 11:
		fuzz_bytes(in, rig->q[queue].rx.shared, 16);
		break;
	default:
		queue_work(rig->vif->queue[queue]);
		queue_sleep(rig->vif->queue[queue], 0);
	}
}

/* What the host is given must hold together, whatever the guest wrote. */
static void check_sent(struct port *port)
{
	static uint8_t frame[RIG_PACKET];
	struct virtio_net_hdr_v1 h;
	ssize_t len;

	while ((len = port_loop_take(port, &h, frame, sizeof(frame))) >= 0) {
		FUZZ_ASSERT(len >= 14 && len <= 65535);
		FUZZ_ASSERT(h.hdr_len <= len);
		if (h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
			FUZZ_ASSERT(h.csum_start + h.csum_offset + 2 <= len);
		if (h.gso_type)
			FUZZ_ASSERT(h.gso_size && h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint32_t i;

	reset(&in);
	FUZZ_ASSERT(!net_rig_connect(rig, &options));
	for (i = 0; i < STEPS_MAX && in.left; i++)
		step(&in);
	for (i = 0; i < 4; i++) {
		queue_work(rig->vif->queue[i & 1]);
		check_sent(rig->q[i & 1].port);
		FUZZ_ASSERT(!ring_back_unanswered(&rig->vif->queue[i & 1]->tx.ring));
		FUZZ_ASSERT(!ring_back_unanswered(&rig->vif->queue[i & 1]->rx.ring));
	}
	FUZZ_ASSERT(!net_rig_disconnect(rig));
	return 0;
}
