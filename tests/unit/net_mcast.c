/* SPDX-License-Identifier: GPL-2.0-only */
/* Multicast control: the list, its requests on the transmit ring, the filter. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/net_rig.h"
#include "tests/unit/suite.h"

static const uint8_t group[6] = {0x01, 0x00, 0x5e, 1, 2, 3};
static const struct virtio_net_hdr_v1 no_offload;

static void test_list(void)
{
	struct mcast m = {0};
	uint8_t addr[6], i;

	memcpy(addr, group, 6);
	CU_ASSERT_TRUE(mcast_pass(&m, (const uint8_t *)"\0\x16\x3e\1\2\3"));
	CU_ASSERT_TRUE(mcast_pass(&m, (const uint8_t *)"\xff\xff\xff\xff\xff\xff"));
	CU_ASSERT_FALSE(mcast_pass(&m, group));
	CU_ASSERT_FALSE(mcast_add(&m, (const uint8_t *)"\0\x16\x3e\1\2\3"));
	for (i = 0; i < MCAST_MAX; i++) {
		addr[5] = i;
		CU_ASSERT_TRUE(mcast_add(&m, addr));
		CU_ASSERT_TRUE(mcast_add(&m, addr)); /* once is enough */
		CU_ASSERT_EQUAL(m.nr, i + 1u);
	}
	addr[5] = MCAST_MAX;
	CU_ASSERT_FALSE(mcast_add(&m, addr)); /* full */
	mcast_del(&m, addr);
	CU_ASSERT_EQUAL(m.nr, MCAST_MAX);
	addr[5] = 7;
	mcast_del(&m, addr);
	CU_ASSERT_FALSE(mcast_pass(&m, addr));
	addr[5] = MCAST_MAX - 1;
	CU_ASSERT_TRUE(mcast_pass(&m, addr));
	while (m.nr) {
		memcpy(addr, m.addr[0], 6);
		mcast_del(&m, addr);
		CU_ASSERT_FALSE(mcast_pass(&m, addr));
	}
}

/* A dummy request with extra info; the status of its answer. */
static int16_t request(struct net_rig *r, uint32_t queue, bool add, const uint8_t *addr)
{
	struct netif_tx_request req = {.flags = NETTXF_extra_info, .id = 77, .size = 0};
	struct netif_extra_info info = {.type = add ? XEN_NETIF_EXTRA_TYPE_MCAST_ADD
						    : XEN_NETIF_EXTRA_TYPE_MCAST_DEL};
	struct netif_tx_response rsp[2];

	memcpy(info.u.mcast.addr, addr, 6);
	net_rig_tx_slot(r, queue, &req, sizeof(req));
	net_rig_tx_slot(r, queue, &info, sizeof(info));
	net_rig_tx_push(r, queue);
	net_rig_run(r);
	CU_ASSERT_TRUE_FATAL(net_rig_tx_response(r, queue, &rsp[0]));
	CU_ASSERT_TRUE_FATAL(net_rig_tx_response(r, queue, &rsp[1]));
	CU_ASSERT_EQUAL(rsp[0].id, 77);
	CU_ASSERT_EQUAL(rsp[1].status, NETIF_RSP_NULL);
	return rsp[0].status;
}

static bool arrives(struct net_rig *r, uint32_t queue, const uint8_t *addr)
{
	static uint8_t got[RIG_PACKET];
	struct netif_rx_packet p;
	enum netif_error error;
	uint8_t frame[60] = {0};
	uint32_t len;

	memcpy(frame, addr, 6);
	frame[12] = 0x88;
	frame[13] = 0xb5;
	port_loop_inject(r->q[queue].port, &no_offload, frame, sizeof(frame));
	net_rig_run(r);
	return net_rig_receive(r, queue, got, &p, &len, &error);
}

static void test_filter(void)
{
	struct net_rig_options o = {
		.features = RIG_FEATURES, .nr_queues = 2, .live_flags = VIF_CARRIER};
	struct vif_update u = {.version = VIF_PROTO_VERSION,
			       .live.flags = VIF_CARRIER | VIF_MCAST_CONTROL};
	static const uint8_t unicast[6] = {0, 0x16, 0x3e, 1, 2, 3};
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct net_rig *r = net_rig_open(&o);
	uint64_t packets, bytes;

	net_rig_post(r, 0, 64);
	net_rig_post(r, 1, 64);
	CU_ASSERT_TRUE(arrives(r, 0, group)); /* no control asked for */
	/* the list may be amended before it applies */
	CU_ASSERT_EQUAL(request(r, 0, true, group), NETIF_RSP_OKAY);
	CU_ASSERT_EQUAL(request(r, 0, true, unicast), NETIF_RSP_ERROR);
	CU_ASSERT_EQUAL(vif_update(r->vif, &u), 0);
	/* it is the vif's, whichever queue was told */
	CU_ASSERT_TRUE(arrives(r, 0, group));
	CU_ASSERT_TRUE(arrives(r, 1, group));
	CU_ASSERT_FALSE(arrives(r, 0, (const uint8_t *)"\1\0\x5e\1\2\4"));
	CU_ASSERT_TRUE(arrives(r, 0, unicast));
	CU_ASSERT_TRUE(arrives(r, 0, all));
	CU_ASSERT_EQUAL(request(r, 1, false, group), NETIF_RSP_OKAY);
	CU_ASSERT_FALSE(arrives(r, 0, group));
	CU_ASSERT_FALSE(arrives(r, 1, group));
	/* nothing of it goes to the host */
	port_loop_sent(r->q[0].port, &packets, &bytes);
	CU_ASSERT_EQUAL(packets, 0);
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

/* A guest cannot make the list grow without end. */
static void test_bound(void)
{
	struct net_rig_options o = {.features = RIG_FEATURES, .live_flags = VIF_CARRIER};
	struct net_rig *r = net_rig_open(&o);
	uint8_t addr[6];
	uint32_t i;

	memcpy(addr, group, 6);
	for (i = 0; i < 2 * MCAST_MAX; i++) {
		addr[5] = (uint8_t)i;
		CU_ASSERT_EQUAL(request(r, 0, true, addr),
				i < MCAST_MAX ? NETIF_RSP_OKAY : NETIF_RSP_ERROR);
	}
	CU_ASSERT_EQUAL(r->broken, 0);
	CU_ASSERT_EQUAL(net_rig_close(r), 0);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"the list", test_list},
		{"the filter", test_filter},
		{"the list's bound", test_bound},
		CU_TEST_INFO_NULL,
	};

	return suite_main("net_mcast", tests);
}
