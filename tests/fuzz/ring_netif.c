/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packet chains, both directions: whatever is in the slots, a packet that passes
 * has fragments within their pages that add up to its size, and each chain can be
 * answered slot for slot.
 */
#include "ring/netif.h"
#include "tests/fuzz/fuzz.h"

static _Alignas(4096) uint8_t page[RING_PAGE_SIZE];

static void check_tx(const struct netif_tx_packet *p, uint32_t avail)
{
	uint32_t sum = 0;

	FUZZ_ASSERT(p->nr_slots <= avail && p->nr_slots == p->nr_frags + p->extra.count);
	FUZZ_ASSERT(p->nr_frags >= 1 && p->nr_frags <= NETIF_FRAGS_MAX);
	FUZZ_ASSERT(p->extra.count <= NETIF_EXTRAS_MAX);
	FUZZ_ASSERT(p->extra.count == netif_extra_slots(&p->extra));
	if (netif_tx_is_mcast(p)) {
		FUZZ_ASSERT(p->nr_frags == 1);
		return;
	}
	for (uint32_t i = 0; i < p->nr_frags; i++) {
		FUZZ_ASSERT(p->frag[i].size != 0);
		FUZZ_ASSERT(p->frag[i].offset + (uint32_t)p->frag[i].size <=
			    RING_PAGE_SIZE);
		sum += p->frag[i].size;
	}
	FUZZ_ASSERT(sum == p->size && sum >= NETIF_ETH_HLEN);
	FUZZ_ASSERT(!p->extra.gso_type || p->extra.gso_size);
}

static void tx(struct fuzz_input *in)
{
	struct ring_shared *s = (void *)page;
	uint32_t start = fuzz_u32(in), slots;
	struct netif_tx_packet p;
	struct ring_back r;
	int32_t n;

	ring_shared_init(page);
	s->rsp_prod = start;
	s->req_prod = start + fuzz_u8(in) + 1u;
	if (!ring_back_attach(&r, page, 1, NETIF_TX_SLOT_SIZE))
		return;
	slots = (uint32_t)(in->left / NETIF_TX_SLOT_SIZE) + 1;
	for (uint32_t i = 0; i < slots && i < r.size; i++)
		fuzz_bytes(in, ring_back_slot(&r, start + i), NETIF_TX_SLOT_SIZE);
	while ((n = ring_back_requests(&r)) > 0) {
		enum netif_error e = netif_tx_parse(&r, r.req_cons, (uint32_t)n, &p);

		if (netif_error_fatal(e))
			return;
		FUZZ_ASSERT(p.nr_slots >= 1 && p.nr_slots <= n);
		if (e == NETIF_OK)
			check_tx(&p, (uint32_t)n);
		ring_back_consume(&r, p.nr_slots);
		netif_tx_respond_packet(&r, &p, NETIF_RSP_OKAY);
		FUZZ_ASSERT(ring_back_unanswered(&r) == 0);
	}
	ring_back_push(&r);
}

static void rx(struct fuzz_input *in)
{
	struct ring_shared *s = (void *)page;
	uint32_t start = fuzz_u32(in), slots;
	struct netif_rx_packet p;
	struct ring_front f;
	int32_t n;

	ring_shared_init(page);
	s->rsp_prod = start;
	if (!ring_front_resume(&f, page, 1, NETIF_RX_SLOT_SIZE, start, start))
		return;
	for (uint32_t i = 0; i < f.size; i++)
		netif_rx_post(&f, (uint16_t)i, i);
	ring_front_push(&f);
	s->rsp_prod = start + fuzz_u8(in) + 1u;
	slots = (uint32_t)(in->left / NETIF_RX_SLOT_SIZE) + 1;
	for (uint32_t i = 0; i < slots && i < f.size; i++)
		fuzz_bytes(in, ring_front_slot(&f, start + i), NETIF_RX_SLOT_SIZE);
	while ((n = ring_front_responses(&f)) > 0) {
		enum netif_error e = netif_rx_parse(&f, f.rsp_cons, (uint32_t)n, &p);

		if (netif_error_fatal(e))
			return;
		FUZZ_ASSERT(p.nr_slots == p.nr_frags + p.extra.count && p.nr_slots <= n);
		for (uint32_t i = 0; e == NETIF_OK && i < p.nr_frags; i++) {
			FUZZ_ASSERT(p.frag[i].status >= 0);
			FUZZ_ASSERT(p.frag[i].offset + p.frag[i].status <=
				    (int)RING_PAGE_SIZE);
			FUZZ_ASSERT(netif_rx_slot_of(i, p.extra.count) < p.nr_slots);
		}
		ring_front_consume(&f, p.nr_slots);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};

	if (fuzz_u8(&in) & 1)
		rx(&in);
	else
		tx(&in);
	return 0;
}
