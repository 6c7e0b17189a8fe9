// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk frontend that writes anything into xenstore: what is accepted lies within
 * what was offered, what is refused has a reason. Also physical-device.
 */
#include "backends/blkback/vbd_backend.h"
#include "backends/blkback/vbd_medium.h"
#include "ring/blkif.h"
#include "tests/fuzz/nodes.h"

static const char *const nodes[][2] = {
	{"ring-ref", "8"},
	{"event-channel", "5"},
	{"protocol", NULL},
	{"ring-page-order", NULL},
	{"num-ring-pages", NULL},
	{"multi-queue-num-queues", NULL},
	{"feature-persistent", "1"},
	{"feature-large-sector-size", NULL},
	{"ring-ref0", "9"},
	{"ring-ref1", "10"},
	{"ring-ref2", NULL},
	{"ring-ref3", NULL},
	{"queue-0/ring-ref", "11"},
	{"queue-0/event-channel", "12"},
	{"queue-1/ring-ref", "13"},
	{"queue-1/event-channel", "14"},
};

static void check(const struct vbd_offer *offer, const struct vbd_attach *a,
		  const struct vbd_frontend *f)
{
	uint32_t i, j;

	FUZZ_ASSERT(a->nr_queues >= 1 && a->nr_queues <= offer->max_queues);
	FUZZ_ASSERT(a->ring_order <= offer->max_ring_order);
	FUZZ_ASSERT(a->abi < BLKIF_ABIS);
	FUZZ_ASSERT(offer->persistent || !f->persistent);
	for (i = 0; i < a->nr_queues; i++) {
		FUZZ_ASSERT(a->queue[i].event_channel >= 1 && a->queue[i].event_channel < 1u << 17);
		for (j = 0; j < 1u << a->ring_order; j++)
			FUZZ_ASSERT(a->queue[i].ring_ref[j] >= 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct vbd_offer offer = {.max_queues = 1 + fuzz_u8(&in) % VBD_MAX_QUEUES,
				  .max_ring_order = fuzz_u8(&in) % (VBD_MAX_RING_ORDER + 1),
				  .persistent = fuzz_u8(&in) & 1};
	struct vbd_attach a = {0};
	struct vbd_frontend f = {0};
	char why[200], text[16];
	struct store *s;
	dev_t dev;

	fuzz_bytes(&in, text, sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	medium_parse_device(text, &dev);
	s = fuzz_frontend(&in, nodes, sizeof(nodes) / sizeof(nodes[0]));
	if (!vbd_frontend_read(s, FRONT, &offer, &a, &f, why, sizeof(why)))
		check(&offer, &a, &f);
	else
		FUZZ_ASSERT(why[0]);
	s->ops->close(s);
	return 0;
}
