// SPDX-License-Identifier: GPL-2.0-only
/*
 * A network frontend that writes anything into xenstore: what is accepted lies
 * within what was offered, what is refused has a reason. Also libxl's rate.
 */
#include "backends/netback/vif_backend.h"
#include "tests/fuzz/nodes.h"

static const char *const nodes[][2] = {
	{"request-rx-copy", "1"},
	{"tx-ring-ref", "8"},
	{"rx-ring-ref", "9"},
	{"event-channel", "5"},
	{"event-channel-tx", NULL},
	{"event-channel-rx", NULL},
	{"multi-queue-num-queues", NULL},
	{"feature-sg", "1"},
	{"feature-gso-tcpv4", "1"},
	{"feature-no-csum-offload", NULL},
	{"feature-rx-notify", "1"},
	{"ctrl-ring-ref", NULL},
	{"event-channel-ctrl", NULL},
	{"request-multicast-control", NULL},
	{"xdp-headroom", NULL},
	{"queue-0/tx-ring-ref", "10"},
	{"queue-0/rx-ring-ref", "11"},
	{"queue-0/event-channel", "12"},
	{"queue-1/tx-ring-ref", "13"},
	{"queue-1/rx-ring-ref", "14"},
	{"queue-1/event-channel-tx", "15"},
	{"queue-1/event-channel-rx", "16"},
};

static void check_port(uint32_t port)
{
	FUZZ_ASSERT(port >= 1 && port < 1u << 17);
}

static void check_live(const struct vif_offer *offer, const struct vif_live *live)
{
	FUZZ_ASSERT(!(live->flags & ~(uint32_t)VIF_LIVE_ALL));
	FUZZ_ASSERT(offer->multicast_control || !(live->flags & VIF_MCAST_CONTROL));
	FUZZ_ASSERT(live->rx_headroom <= VIF_HEADROOM_MAX);
}

static void check(const struct vif_offer *offer, const struct vif_attach *a)
{
	uint32_t i;

	FUZZ_ASSERT(a->nr_queues >= 1 && a->nr_queues <= offer->max_queues);
	FUZZ_ASSERT(!(a->features & ~(uint32_t)VIF_FEATURES_ALL));
	check_live(offer, &a->live);
	if (a->features & VIF_CTRL_RING) {
		FUZZ_ASSERT(offer->ctrl_ring && a->ctrl_ref);
		check_port(a->ctrl_port);
	}
	for (i = 0; i < a->nr_queues; i++) {
		FUZZ_ASSERT(a->queue[i].tx_ref && a->queue[i].rx_ref);
		check_port(a->queue[i].tx_port);
		check_port(a->queue[i].rx_port);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t bits = fuzz_u8(&in);
	struct vif_offer offer = {.max_queues = 1 + bits % VIF_QUEUES_MAX,
				  .ctrl_ring = bits & 64,
				  .multicast_control = bits & 128};
	struct vif_attach a = {0};
	struct vif_live live = {0};
	struct limit_rate rate = {0};
	char why[200], text[32];
	struct store *s;

	fuzz_bytes(&in, text, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	if (!vif_parse_rate(text, &rate))
		FUZZ_ASSERT(rate.bytes_per_s && rate.bytes_burst);
	s = fuzz_frontend(&in, nodes, sizeof(nodes) / sizeof(nodes[0]));
	if (!vif_frontend_read(s, FRONT, &offer, &a, why, sizeof(why)))
		check(&offer, &a);
	else
		FUZZ_ASSERT(why[0]);
	if (!vif_frontend_live(s, FRONT, &offer, &live, why, sizeof(why)))
		check_live(&offer, &live);
	s->ops->close(s);
	return 0;
}
