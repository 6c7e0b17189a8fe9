/* SPDX-License-Identifier: GPL-2.0-only */
/* Control requests: what passes has sane words, and every request is answered once. */
#include "ring/ctrl.h"
#include "tests/fuzz/fuzz.h"

static _Alignas(4096) uint8_t page[RING_PAGE_SIZE];

static uint32_t check(const struct xen_netif_ctrl_request *q)
{
	uint32_t status = ctrl_check(q);

	if (status != XEN_NETIF_CTRL_STATUS_SUCCESS)
		return status;
	FUZZ_ASSERT(q->type > XEN_NETIF_CTRL_TYPE_INVALID);
	FUZZ_ASSERT(q->type <= XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING);
	if (q->type == XEN_NETIF_CTRL_TYPE_SET_HASH_KEY)
		FUZZ_ASSERT(q->data[1] <= RING_PAGE_SIZE && q->data[2] == 0);
	if (q->type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING)
		FUZZ_ASSERT(q->data[1] <= 1024 && q->data[1] + q->data[2] >= q->data[2]);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct ring_shared *s = (void *)page;
	uint32_t start = fuzz_u32(&in);
	struct ring_back r;
	int32_t n;

	ring_shared_init(page);
	s->rsp_prod = s->req_prod = start;
	FUZZ_ASSERT(ring_back_attach(&r, page, 1, CTRL_SLOT_SIZE));
	s->req_prod = start + fuzz_u8(&in);
	n = ring_back_requests(&r);
	FUZZ_ASSERT(n == RING_OVERRUN || n <= 128);
	for (; n > 0; n--) {
		struct xen_netif_ctrl_request q;

		fuzz_bytes(&in, ring_back_slot(&r, r.req_cons), CTRL_SLOT_SIZE);
		ctrl_fetch(&r, r.req_cons, &q);
		ring_back_consume(&r, 1);
		ctrl_respond(&r, &q, check(&q), 0);
		FUZZ_ASSERT(ring_back_unanswered(&r) == 0);
	}
	ring_back_push(&r);
	return 0;
}
