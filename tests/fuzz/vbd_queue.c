/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A front end made of the fuzzer's bytes drives a queue over the loopback. The
 * first byte chooses the disk and how it is negotiated; then come commands: write
 * into a ring slot, a page or an index, push, let the queue work. Beside what the
 * sanitizers see: a queue that has not broken has answered every request, each
 * once; and it closes with nothing held.
 */
#include <stdlib.h>
#include <string.h>

#include "backends/common/log.h"
#include "tests/unit/vbd_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE     (1u << 20)
#define VARIANTS 32
#define PAGES    24u /* data frames that commands write to */
#define STEPS    256 /* rounds to settle in: far more than any sound queue needs */

enum { SLOT, TYPED, PAGE, INDEX, PUSH, STEP, RESPONSES, RESIZE, COMMANDS };

static struct rig *rigs[VARIANTS];
static bool spoilt; /* the input has bent indices: the front end cannot go by them */

struct input {
	const uint8_t *at, *end;
};

static uint32_t take(struct input *in, unsigned int bytes)
{
	uint32_t v = 0;

	while (bytes-- && in->at < in->end)
		v = v << 8 | *in->at++;
	return v;
}

static void expect(bool ok)
{
	if (!ok)
		abort();
}

static struct rig *get_rig(unsigned int v)
{
	struct rig_options o = {
		.abi = v & 1 ? BLKIF_ABI_X86_32 : BLKIF_ABI_X86_64,
		.persistent = v & 2,
		.max_persistent = 16,
		.direct_min = v & 4 ? 1 : 0,
		.offset_align = v & 8 ? 4096 : 512,
		.sector_size = (v & 24) == 24 ? 4096 : 512,
		.sector_unit = (v & 25) == 25 ? 4096 : 512,
		.max_segments = v & 16 ? 256 : 32,
		.flags = VBD_FLUSH | VBD_BARRIER | VBD_DISCARD | VBD_SECURE,
		.size = SIZE,
	};

	if (rigs[v])
		return rigs[v];
	rigs[v] = malloc(sizeof(*rigs[v]));
	expect(rigs[v] != NULL && rig_open(rigs[v], &o));
	return rigs[v];
}

static void drop_rig(unsigned int v)
{
	expect(rig_close(rigs[v]));
	free(rigs[v]);
	rigs[v] = NULL;
}

/* A request that is mostly sound, so that the deeper parts are reached as well. */
static void typed_request(struct rig *r, struct input *in)
{
	uint32_t n = take(in, 1), page = take(in, 1) % PAGES;
	struct blkif_req req = {.op = (uint8_t)(take(in, 1) % 8), .id = take(in, 2)};

	req.sector = take(in, 2);
	req.nr_segments = (uint16_t)n;
	req.indirect = req.op == BLKIF_OP_INDIRECT;
	if (req.op == BLKIF_OP_DISCARD) {
		req.nr_sectors = take(in, 2);
		req.discard_flag = n & 1;
	} else if (req.indirect) {
		struct blkif_request_segment *seg = (void *)rig_page(r, page);

		req.op = n & 1;
		req.indirect_gref[0] = r->ref[page];
		for (uint32_t i = 0; i < n; i++)
			seg[i] = (struct blkif_request_segment){r->ref[i % PAGES], i & 3,
								4 + (i & 3)};
	} else {
		for (uint32_t i = 0; i < n % 12 && i < 11; i++) {
			uint32_t where = take(in, 1);

			req.seg[i] = (struct blkif_request_segment){
				r->ref[where % PAGES], (uint8_t)(where >> 6), 7};
		}
	}
	if (ring_front_free(&r->ring))
		blkif_encode(r->o.abi, ring_front_produce(&r->ring), &req);
}

static void raw_slot(struct rig *r, struct input *in)
{
	uint8_t *slot;

	if (!ring_front_free(&r->ring))
		return;
	slot = ring_front_produce(&r->ring);
	for (uint32_t i = 0; i < r->ring.slot_size && in->at < in->end; i++)
		slot[i] = *in->at++;
}

static void responses(struct rig *r)
{
	int32_t n = ring_front_responses(&r->ring);

	expect(n >= 0);
	ring_front_consume(&r->ring, (uint32_t)n);
}

static void command(struct rig *r, struct input *in)
{
	uint32_t at;

	switch (take(in, 1) % COMMANDS) {
	case SLOT:
		raw_slot(r, in);
		break;
	case TYPED:
		typed_request(r, in);
		break;
	case PAGE:
		at = take(in, 2) % (PAGES * 4096 - 8);
		for (uint32_t n = take(in, 1) % 8; n; n--)
			rig_page(r, 0)[at++] = (char)take(in, 1);
		break;
	case INDEX:
		at = take(in, 1);
		spoilt = true;
		((uint32_t *)r->ring.shared)[at % 4] +=
			(uint32_t)(int32_t)(int8_t)take(in, 1);
		break;
	case PUSH:
		rig_push(r);
		break;
	case STEP:
		vbd_queue_step(r->queue, false);
		break;
	case RESPONSES:
		if (!r->nr_broken && !spoilt)
			responses(r);
		break;
	case RESIZE:
		atomic_store(&r->disk.size, (take(in, 1) + 1) * 4096ull);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool quiet;
	struct input in = {data, data + size};
	unsigned int v = take(&in, 1) % VARIANTS, steps = 0;
	struct rig *r = get_rig(v);

	spoilt = false;
	if (!quiet)
		log_init("fuzz", (enum log_level)0);
	quiet = true;
	while (in.at < in.end)
		command(r, &in);
	rig_push(r);
	while (vbd_queue_step(r->queue, false) && ++steps < STEPS)
		;
	expect(steps < STEPS);
	if (!r->nr_broken && !spoilt) {
		responses(r);
		expect(ring_front_outstanding(&r->ring) == 0);
	}
	expect(r->nr_broken <= 1);
	/* Start afresh when this one has been bent. */
	if (r->nr_broken || spoilt)
		drop_rig(v);
	else
		atomic_store(&r->disk.size, SIZE);
	return 0;
}
