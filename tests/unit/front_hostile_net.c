/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The attacks of tests/guest-process on a network interface, in one process: a vif
 * with its threads over the loopback, nodes read by netback's own reader, and a few
 * lines that walk the states (the state machine itself is in front_hostile.c).
 * Every attack gets the answer its table calls right, and nothing stays held.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/io/xenbus.h>

#include "backends/common/log.h"
#include "backends/common/store_mem.h"
#include "backends/netback/port_loop.h"
#include "backends/netback/vif.h"
#include "backends/netback/vif_backend.h"
#include "tests/guest-process/attack.h"
#include "tests/unit/front_loopback.h"
#include "tests/unit/suite.h"

#define BACK   "/local/domain/0/backend/vif/3/0"
#define FRONT  "/local/domain/3/device/vif/0"
#define FRAMES 3000u

static struct world {
	struct attack_env env; /* first */
	struct front_loopback fl;
	struct loopback *lb;
	struct store *store;
	struct vif *vif;
	void *state;
	bool broken; /* set by queue threads */
} w;

static void put(const char *path, const char *node, const char *value)
{
	CU_ASSERT_TRUE_FATAL(store_write(w.store, 0, value, "%s/%s", path, node));
}

static void broken(void *ctx, const char *text)
{
	(void)ctx;
	(void)text;
	__atomic_store_n(&w.broken, true, __ATOMIC_RELEASE);
}

static void let_go(void)
{
	if (w.vif)
		vif_close(w.vif);
	free(w.state);
	w.vif = NULL;
	w.state = NULL;
}

/* The frontend says it is Connected: read its nodes and open the vif. */
static bool take_up(void)
{
	static const struct vif_offer offer = {4, true, true};
	struct vif_setup s = {
		.grants = loopback_grants(w.lb), .broken = broken, .threads = true};
	struct vif_attach *a = &s.attach;
	char why[256];

	a->version = VIF_PROTO_VERSION;
	a->domid = LOOPBACK_DOMID;
	a->port_kind = VIF_PORT_TAP;
	a->live.flags = VIF_CARRIER;
	if (vif_frontend_read(w.store, FRONT, &offer, a, why, sizeof(why)))
		return false;
	w.broken = false;
	s.state_size = (vif_state_size(a->nr_queues) + 63) & ~63u;
	s.state = w.state = aligned_alloc(64, s.state_size);
	memset(w.state, 0, s.state_size);
	for (uint32_t i = 0; i < a->nr_queues; i++) {
		s.events[i] = loopback_events(w.lb);
		s.port[i] = port_loop_open();
		port_loop_mode(s.port[i], PORT_LOOP_REFLECT);
	}
	return vif_open(&s, &w.vif) == 0;
}

static uint64_t state_of(const char *path)
{
	uint64_t v = 0;

	store_get_u64(w.store, 0, path, "state", 0, 8, &v);
	return v;
}

/* What xenbus.c does, in short. */
static void supervise(void)
{
	uint64_t front = state_of(FRONT), back = state_of(BACK);

	if (__atomic_exchange_n(&w.broken, false, __ATOMIC_ACQUIRE))
		back = XenbusStateClosing;
	if (back == XenbusStateInitWait && front == XenbusStateConnected)
		back = take_up() ? XenbusStateConnected : XenbusStateClosing;
	else if (back == XenbusStateConnected && front >= XenbusStateClosing)
		back = XenbusStateClosing;
	else if (back == XenbusStateClosed && front == XenbusStateInitialising)
		back = XenbusStateInitWait;
	if (back == XenbusStateClosing) {
		let_go();
		back = XenbusStateClosed;
	}
	if (back != state_of(BACK))
		store_put_u64(w.store, 0, BACK, "state", back);
}

static void env_pause(struct attack_env *env, int ms)
{
	(void)env;
	(void)ms;
	supervise();
	poll(NULL, 0, 2);
}

static void env_rm(struct attack_env *env, const char *node)
{
	char path[256];

	(void)env;
	snprintf(path, sizeof(path), FRONT "/%s", node);
	w.store->ops->rm(w.store, 0, path);
}

static void begin(void)
{
	static const char *const on[] = {
		"feature-sg",
		"feature-gso-tcpv4",
		"feature-gso-tcpv6",
		"feature-rx-copy",
		"feature-ipv6-csum-offload",
		"feature-split-event-channels",
		"feature-ctrl-ring",
		"feature-multicast-control",
	};

	memset(&w, 0, sizeof(w));
	w.store = store_open_mem();
	w.lb = loopback_new(FRAMES, FRAMES, 32);
	CU_ASSERT_FATAL(w.store && w.lb);
	CU_ASSERT_EQUAL_FATAL(front_loopback_init(&w.fl, w.lb, 0, FRAMES), 0);
	front_loopback_use_store(&w.fl, w.store, FRONT, BACK);
	for (unsigned int i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		put(BACK, on[i], "1");
	put(BACK, "multi-queue-max-queues", "4");
	put(BACK, "state", "2");
	put(FRONT, "state", "1");
	w.env.os = &w.fl.os;
	w.env.pause = env_pause;
	w.env.rm = env_rm;
	w.env.limit_ms = 300000;
}

static void end(void)
{
	struct loopback_audit audit;

	let_go();
	loopback_audit(w.lb, &audit);
	CU_ASSERT_EQUAL(audit.mapped_pages, 0);
	CU_ASSERT_EQUAL(audit.bound_ports, 0);
	CU_ASSERT_EQUAL(audit.open_sets, 0);
	if (w.env.nf.os)
		CU_ASSERT_EQUAL(netfront_close(&w.env.nf), FRONT_OK);
	front_loopback_fini(&w.fl);
	loopback_free(w.lb);
	w.store->ops->close(w.store);
}

static void run_named(const char *prefix)
{
	unsigned int ran = 0;

	for (const struct attack *a = attacks_vif; a->name; a++) {
		enum answer answer;

		if (strncmp(a->name, prefix, strlen(prefix)))
			continue;
		begin();
		if (!strcmp(a->name, "vif-never-closes"))
			w.env.limit_ms = 1000;
		answer = attack_run(&w.env, a);
		/* here every packet comes back, so that an index is always looked at */
		if (!(a->right & 1u << answer) ||
		    (answer == ANSWER_SERVED && a->right & RIGHT(CLOSED) &&
		     !strncmp(a->name, "vif-rx-", 7) && strcmp(a->name, "vif-rx-gref"))) {
			printf("\n    %s: %s %s\n", a->name, answer_name(answer),
			       w.env.text ? w.env.text : "");
			CU_FAIL("the wrong answer");
		}
		end();
		ran++;
	}
	CU_ASSERT(ran > 0);
}

static void test_honest(void)
{
	run_named("vif-honest");
}

static void test_indices(void)
{
	run_named("vif-tx-");
	run_named("vif-rx-");
}

static void test_chains(void)
{
	static const char *const kinds[] = {
		"vif-short",     "vif-size", "vif-empty", "vif-crosses", "vif-truncated",
		"vif-many",      "vif-late", "vif-extra", "vif-gso",     "vif-hash",
		"vif-multicast", "vif-csum", "vif-gref",
	};

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		run_named(kinds[i]);
}

static void test_ctrl(void)
{
	run_named("vif-ctrl");
}

static void test_nodes(void)
{
	run_named("vif-node");
}

static void test_vanish(void)
{
	run_named("vif-vanish");
	run_named("vif-never");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"honest front ends", test_honest},
		{"ring indices", test_indices},
		{"packet chains", test_chains},
		{"control ring", test_ctrl},
		{"nonsense in xenstore", test_nodes},
		{"a front end that vanishes", test_vanish},
		CU_TEST_INFO_NULL,
	};

	log_init("front_hostile_net", (enum log_level)0);
	return suite_main("hostile front ends on a network interface", tests);
}
