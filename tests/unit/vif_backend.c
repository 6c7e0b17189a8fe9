// SPDX-License-Identifier: GPL-2.0-only
/*
 * The xenstore side of a network interface, over the in-memory store and with a
 * make-believe tap: what is offered, what is accepted of a frontend, what is
 * handed to the worker and what changes while in use.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/netback/tap.h"
#include "backends/netback/vif_backend.h"
#include "tests/unit/class_rig.h"

#define BACK  "/local/domain/0/backend/vif/3/1"
#define FRONT "/local/domain/3/device/vif/1"

/* ---- what the supervisor and the transport would be ---- */

static struct vif_update last_update;

int backend_update(struct backend *b, const void *payload, size_t size, const int *fds,
		   unsigned int nfds)
{
	(void)b;
	(void)fds;
	CU_ASSERT_EQUAL_FATAL(size, sizeof(last_update));
	CU_ASSERT_EQUAL(nfds, 0);
	memcpy(&last_update, payload, size);
	updates++;
	return 0;
}

/* ---- the interface ---- */

static struct {
	bool exists, up, carrier;
	char name[IFNAMSIZ], bridge[IFNAMSIZ];
	unsigned int mtu, holders, queues, fail_queue;
	int packet_fail;
} wire;

static int some_fd(void)
{
	return open("/dev/zero", O_RDWR | O_CLOEXEC);
}

void tap_init(struct tap *t)
{
	t->fd = -1;
}

int tap_create(struct tap *t, const char *name, unsigned int mtu)
{
	tap_init(t);
	if (wire.exists)
		return -EBUSY;
	wire.exists = true;
	wire.carrier = false;
	wire.mtu = mtu;
	wire.holders++;
	snprintf(wire.name, sizeof(wire.name), "%s", name);
	t->fd = some_fd();
	return 0;
}

int tap_hold(struct tap *t, const char *name)
{
	tap_init(t);
	if (!wire.exists || strcmp(name, wire.name))
		return -ENODEV;
	wire.holders++;
	t->fd = some_fd();
	return 0;
}

int tap_plug(const struct tap *t, const char *name, const char *bridge)
{
	CU_ASSERT(t->fd >= 0);
	snprintf(wire.bridge, sizeof(wire.bridge), "%s", bridge);
	if (name && name[0])
		snprintf(wire.name, sizeof(wire.name), "%s", name);
	wire.up = true;
	return 0;
}

int tap_open_queue(const struct tap *t)
{
	CU_ASSERT(t->fd >= 0);
	if (wire.fail_queue && !--wire.fail_queue)
		return -ENFILE;
	wire.queues++;
	return some_fd();
}

int tap_set_carrier(const struct tap *t, bool on)
{
	CU_ASSERT(t->fd >= 0);
	wire.carrier = on;
	return 0;
}

int tap_name(const struct tap *t, char name[IFNAMSIZ])
{
	CU_ASSERT(t->fd >= 0);
	memcpy(name, wire.name, IFNAMSIZ);
	return 0;
}

void tap_close(struct tap *t)
{
	if (t->fd < 0)
		return;
	close(t->fd);
	t->fd = -1;
	if (!--wire.holders)
		wire.exists = false;
}

int packet_open(const char *interface, unsigned int n, int *fds)
{
	CU_ASSERT_STRING_EQUAL(interface, "lo");
	if (wire.packet_fail)
		return -wire.packet_fail;
	while (n)
		fds[--n] = some_fd();
	return 0;
}

bool interface_is_up(const char *name)
{
	return !strcmp(name, "lo") || (!strcmp(name, wire.name) && wire.up);
}

/* ---- a device ---- */

const struct class_under_test under_test = {&vif_backend_class, "vif_backend", BACK, FRONT, 1};

static void begin(const char *configuration)
{
	class_begin(configuration);
	put(BACK, "handle", "1");
	put(BACK, "mac", "00:16:3e:00:00:01");
	put(BACK, "bridge", "xenbr0");
	put(BACK, "script", "/etc/xen/scripts/vif-bridge");
	put(FRONT, "request-rx-copy", "1");
	put(FRONT, "tx-ring-ref", "8");
	put(FRONT, "rx-ring-ref", "9");
	memset(&wire, 0, sizeof(wire));
}

static void end(void)
{
	class_end();
	CU_ASSERT_EQUAL(wire.holders, 0);
	CU_ASSERT_FALSE(wire.exists);
}

static void script(void)
{
	wire.up = true;
}

static int up(void)
{
	return class_up(script);
}

static const struct vif_attach *attach(void)
{
	return (const struct vif_attach *)out.payload;
}

/* ---- tests ---- */

static void test_offer(void)
{
	begin("[default]\nmax-queues = 3\n");
	CU_ASSERT_EQUAL(vif_backend_class.probe(&be), 0);
	CU_ASSERT_STRING_EQUAL(wire.name, "vif3.1");
	CU_ASSERT_STRING_EQUAL(wire.bridge, ""); /* that is the script's */
	CU_ASSERT_FALSE(wire.carrier);
	CU_ASSERT_EQUAL(wire.mtu, 0);
	CU_ASSERT(has("feature-sg", "1"));
	CU_ASSERT(has("feature-gso-tcpv4", "1"));
	CU_ASSERT(has("feature-gso-tcpv6", "1"));
	CU_ASSERT(has("feature-no-csum-offload", "0"));
	CU_ASSERT(has("feature-ipv6-csum-offload", "1"));
	CU_ASSERT(has("feature-rx-copy", "1"));
	CU_ASSERT(has("feature-rx-flip", "0"));
	CU_ASSERT(has("feature-split-event-channels", "1"));
	CU_ASSERT(has("feature-multicast-control", "1"));
	CU_ASSERT(has("feature-dynamic-multicast-control", "1"));
	CU_ASSERT(has("feature-ctrl-ring", "1"));
	CU_ASSERT(has("feature-xdp-headroom", "1"));
	CU_ASSERT(has("multi-queue-max-queues", "3"));
	end();

	begin("[guest web1 device 1]\nmax-queues = 1\ncontrol-ring = no\n"
	      "[guest web1 device eth7]\nmulticast-control = no\n"
	      "[guest web1 device 2]\nmax-queues = 2\n");
	put(BACK, "vifname", "eth7");
	put(BACK, "mtu", "9000");
	CU_ASSERT_EQUAL(vif_backend_class.probe(&be), 0);
	CU_ASSERT_STRING_EQUAL(wire.name, "vif3.1");
	CU_ASSERT_EQUAL(wire.mtu, 9000);
	CU_ASSERT(has("feature-ctrl-ring", "0"));
	CU_ASSERT(has("feature-multicast-control", "0"));
	CU_ASSERT(has("feature-dynamic-multicast-control", "0"));
	CU_ASSERT(has("multi-queue-max-queues", "1"));
	end();

	begin("");
	wire.exists = true;
	CU_ASSERT_EQUAL(vif_backend_class.probe(&be), -EBUSY);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "vif3.1"));
	wire.exists = false;
	end();
}

static void test_log(void)
{
	begin("");
	CU_ASSERT_EQUAL(up(), 0);
	class_log();
	end();
}

static void test_connect(void)
{
	begin("");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(out.size, sizeof(struct vif_attach));
	CU_ASSERT_EQUAL(out.nfds, 2);
	CU_ASSERT_EQUAL(wire.queues, 1);
	CU_ASSERT_EQUAL(attach()->version, VIF_PROTO_VERSION);
	CU_ASSERT_EQUAL(attach()->domid, 3);
	CU_ASSERT_EQUAL(attach()->nr_queues, 1);
	CU_ASSERT_EQUAL(attach()->features, VIF_CSUM_V4);
	CU_ASSERT_EQUAL(attach()->port_kind, VIF_PORT_TAP);
	CU_ASSERT_EQUAL(attach()->queue[0].tx_ref, 8);
	CU_ASSERT_EQUAL(attach()->queue[0].rx_ref, 9);
	CU_ASSERT_EQUAL(attach()->queue[0].tx_port, 17);
	CU_ASSERT_EQUAL(attach()->queue[0].rx_port, 17);
	CU_ASSERT_EQUAL(attach()->live.flags, VIF_CARRIER);
	CU_ASSERT_EQUAL(attach()->live.rx_headroom, 0);
	CU_ASSERT_EQUAL(state.nr_queues, 1);
	CU_ASSERT_EQUAL(state.queue_size, VIF_STATE_QUEUE_SIZE);
	CU_ASSERT(has("carrier", "1"));
	CU_ASSERT_TRUE(wire.carrier);
	vif_backend_class.disconnected(&be);
	CU_ASSERT_FALSE(wire.carrier);
	CU_ASSERT_TRUE(wire.exists);
	end();
}

static void put_queue(const char *q, const char *tx, const char *rx, const char *tx_port,
		      const char *rx_port)
{
	char path[128];

	snprintf(path, sizeof(path), FRONT "/%s", q);
	put(path, "tx-ring-ref", tx);
	put(path, "rx-ring-ref", rx);
	put(path, "event-channel-tx", tx_port);
	put(path, "event-channel-rx", rx_port);
}

static void test_everything(void)
{
	begin("[default]\nmax-queues = 4\n");
	gone(FRONT, "event-channel");
	gone(FRONT, "tx-ring-ref");
	gone(FRONT, "rx-ring-ref");
	put(FRONT, "multi-queue-num-queues", "2");
	put(FRONT, "feature-sg", "1");
	put(FRONT, "feature-gso-tcpv4", "1");
	put(FRONT, "feature-gso-tcpv6", "1");
	put(FRONT, "feature-no-csum-offload", "1");
	put(FRONT, "feature-ipv6-csum-offload", "1");
	put(FRONT, "feature-rx-notify", "1");
	put(FRONT, "request-multicast-control", "1");
	put(FRONT, "xdp-headroom", "256");
	put(FRONT, "ctrl-ring-ref", "77");
	put(FRONT, "event-channel-ctrl", "5");
	put_queue("queue-0", "10", "11", "20", "21");
	put_queue("queue-1", "12", "4294967295", "22", "131071");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(out.nfds, 4);
	CU_ASSERT_EQUAL(attach()->nr_queues, 2);
	CU_ASSERT_EQUAL(attach()->features,
			VIF_FEATURES_ALL & ~(uint32_t)VIF_CSUM_V4);
	CU_ASSERT_EQUAL(attach()->ctrl_ref, 77);
	CU_ASSERT_EQUAL(attach()->ctrl_port, 5);
	CU_ASSERT_EQUAL(attach()->live.flags, VIF_LIVE_ALL);
	CU_ASSERT_EQUAL(attach()->live.rx_headroom, 256);
	CU_ASSERT_EQUAL(attach()->queue[0].tx_port, 20);
	CU_ASSERT_EQUAL(attach()->queue[0].rx_port, 21);
	CU_ASSERT_EQUAL(attach()->queue[1].rx_ref, 4294967295u);
	CU_ASSERT_EQUAL(attach()->queue[1].rx_port, 131071);
	end();
}

/* What was not offered is not taken up, whatever the frontend writes. */
static void test_not_offered(void)
{
	begin("[default]\ncontrol-ring = no\nmulticast-control = no\nmax-queues = 1\n");
	put(FRONT, "ctrl-ring-ref", "77");
	put(FRONT, "event-channel-ctrl", "5");
	put(FRONT, "request-multicast-control", "1");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(attach()->features & VIF_CTRL_RING, 0);
	CU_ASSERT_EQUAL(attach()->ctrl_ref, 0);
	CU_ASSERT_EQUAL(attach()->live.flags, VIF_CARRIER);
	close_fds();
	put(FRONT, "multi-queue-num-queues", "2");
	CU_ASSERT(vif_backend_class.connect(&be, &out, &state_size) < 0);
	end();
}

static void test_hostile(void)
{
	static const struct {
		const char *node, *value;
	} bad[] = {
		{"request-rx-copy", NULL}, {"request-rx-copy", "0"}, {"request-rx-copy", "%s"},
		{"tx-ring-ref", NULL}, {"tx-ring-ref", "0"}, {"tx-ring-ref", "4294967296"},
		{"tx-ring-ref", "-8"}, {"rx-ring-ref", NULL}, {"rx-ring-ref", " 8"},
		{"rx-ring-ref", ""}, {"event-channel", NULL}, {"event-channel", "0"},
		{"event-channel", "131072"}, {"event-channel-tx", "5"},
		{"event-channel-tx", "x"}, {"multi-queue-num-queues", "0"},
		{"multi-queue-num-queues", "5"}, {"multi-queue-num-queues", "2"},
		{"multi-queue-num-queues", "18446744073709551618"}, {"ctrl-ring-ref", "5"},
		{"ctrl-ring-ref", "0"}, {"xdp-headroom", "1025"}, {"xdp-headroom", "-1"},
		{"request-multicast-control", "on"}, {"feature-sg", "\x01\xff"},
		{"feature-gso-tcpv4", "4294967296"}, {"feature-rx-notify", "1 "},
	};
	unsigned int i, before;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		begin("[default]\nmax-queues = 4\n");
		if (bad[i].value)
			put(FRONT, bad[i].node, bad[i].value);
		else
			gone(FRONT, bad[i].node);
		CU_ASSERT_EQUAL(vif_backend_class.probe(&be), 0);
		CU_ASSERT_EQUAL(vif_backend_class.ready(&be), 0);
		CU_ASSERT_EQUAL(errors, 0);
		before = open_fds();
		CU_ASSERT(vif_backend_class.connect(&be, &out, &state_size) < 0);
		CU_ASSERT_EQUAL(errors, 1);
		CU_ASSERT_EQUAL(out.nfds, 0);
		CU_ASSERT_EQUAL(wire.queues, 0);
		CU_ASSERT_EQUAL(open_fds(), before);
		end();
	}
}

static void test_rate(void)
{
	static const char *const bad[] = {"", ",", "1,", ",1", "1,2,3", "-1,1", "1,0", "0,1",
					  "1 ,2", "99999999999999999999999,1", "x,1", "+1,1"};
	struct limit_rate r = {0};
	unsigned int i;

	CU_ASSERT_EQUAL(vif_parse_rate("62500,50000", &r), 0); /* libxl's 10Mb/s */
	CU_ASSERT_EQUAL(r.bytes_per_s, 1250000);
	CU_ASSERT_EQUAL(r.bytes_burst, 62500);
	CU_ASSERT_EQUAL(vif_parse_rate("18446744073709551615,1", &r), 0);
	CU_ASSERT_EQUAL(r.bytes_per_s, UINT64_MAX);
	CU_ASSERT_EQUAL(vif_parse_rate("1,4294967295", &r), 0);
	CU_ASSERT_EQUAL(r.bytes_per_s, 1);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(vif_parse_rate(bad[i], &r), -EINVAL);
}

static void test_limits(void)
{
	begin("[default]\ntx-bytes = 10M\nrx-ops = 5\n");
	put(BACK, "rate", "62500,50000");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].ops_rate), 5);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].bytes_rate), 0);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[1].bytes_rate), 1250000);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[1].bytes_burst), 62500);
	configure("[guest web1]\ntx-bytes = 1000\n");
	vif_backend_class.changed(&be);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].ops_rate), 0);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[1].bytes_rate), 1000);
	end();
	begin("");
	put(BACK, "rate", "nonsense");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[1].bytes_rate), 0);
	end();
}

static void test_live(void)
{
	begin("");
	CU_ASSERT_EQUAL(up(), 0);
	vif_backend_class.changed(&be);
	vif_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 0);
	put(FRONT, "request-multicast-control", "1");
	vif_backend_class.changed(&be);
	CU_ASSERT_EQUAL(updates, 1);
	CU_ASSERT_EQUAL(last_update.version, VIF_PROTO_VERSION);
	CU_ASSERT_EQUAL(last_update.live.flags, VIF_CARRIER | VIF_MCAST_CONTROL);
	/* the administrator takes the interface down, and up */
	wire.up = false;
	vif_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 2);
	CU_ASSERT_EQUAL(last_update.live.flags, VIF_MCAST_CONTROL);
	CU_ASSERT(has("carrier", "0"));
	wire.up = true;
	vif_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 3);
	CU_ASSERT(has("carrier", "1"));
	/* nonsense changes nothing */
	put(FRONT, "xdp-headroom", "many");
	vif_backend_class.changed(&be);
	CU_ASSERT_EQUAL(updates, 3);
	vif_backend_class.disconnected(&be);
	wire.up = false;
	vif_backend_class.tick(&be);
	put(FRONT, "xdp-headroom", "100");
	vif_backend_class.changed(&be);
	CU_ASSERT_EQUAL(updates, 3);
	end();
}

/* An XDP program in the guest asks for headroom: state Reconfiguring and back. */
static void test_reconfigure(void)
{
	begin("");
	CU_ASSERT_EQUAL(up(), 0);
	put(BACK, "state", "4");
	put(FRONT, "state", "4");
	vif_backend_class.changed(&be);
	CU_ASSERT(has("state", "4"));
	put(FRONT, "xdp-headroom", "256");
	put(FRONT, "state", "7");
	vif_backend_class.changed(&be);
	CU_ASSERT_EQUAL(updates, 1);
	CU_ASSERT_EQUAL(last_update.live.rx_headroom, 256);
	CU_ASSERT(has("state", "8"));
	vif_backend_class.changed(&be);
	CU_ASSERT(has("state", "8"));
	put(FRONT, "state", "4");
	vif_backend_class.changed(&be);
	CU_ASSERT(has("state", "4"));
	CU_ASSERT_EQUAL(updates, 1);
	end();
}

static void test_packet(void)
{
	begin("[default]\nport = packet\n");
	CU_ASSERT_EQUAL(vif_backend_class.probe(&be), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "interface"));
	end();
	begin("[default]\nport = packet\ninterface = none99\n");
	CU_ASSERT_EQUAL(up(), -ENODEV);
	end();
	begin("[default]\nport = packet\ninterface = lo\nmax-queues = 4\n");
	put(FRONT, "multi-queue-num-queues", "2");
	put_queue("queue-0", "10", "11", "20", "21");
	put_queue("queue-1", "12", "13", "22", "23");
	CU_ASSERT_EQUAL(up(), 0);
	CU_ASSERT_FALSE(wire.exists);
	CU_ASSERT_EQUAL(attach()->port_kind, VIF_PORT_PACKET);
	CU_ASSERT_EQUAL(attach()->live.flags, VIF_CARRIER);
	CU_ASSERT_EQUAL(out.nfds, 4);
	close_fds();
	wire.packet_fail = EPERM;
	CU_ASSERT_EQUAL(vif_backend_class.connect(&be, &out, &state_size), -EPERM);
	CU_ASSERT_EQUAL(out.nfds, 0);
	end();
}

/* A supervisor that starts anew; the script has renamed the interface meanwhile. */
static void test_taken_over(void)
{
	begin("[default]\nrx-ops = 3\n");
	put(BACK, "vifname", "web1");
	put(BACK, "carrier", "1");
	put(BACK, "state", "8"); /* it died while the frontend reconfigured */
	put(FRONT, "state", "4");
	put(FRONT, "request-multicast-control", "1");
	wire.exists = wire.up = true;
	wire.holders = 1; /* the worker's queues */
	snprintf(wire.name, sizeof(wire.name), "web1");
	be.state = &state;
	be.state_size = sizeof(state);
	CU_ASSERT_EQUAL(vif_backend_class.resume(&be), 0);
	CU_ASSERT(missing("feature-sg"));
	CU_ASSERT_EQUAL(wire.holders, 2);
	CU_ASSERT_EQUAL(atomic_load(&state.limit[0].ops_rate), 3);
	vif_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 0);
	vif_backend_class.changed(&be);
	CU_ASSERT_EQUAL(updates, 1); /* what the worker knows is not known: told once */
	CU_ASSERT_EQUAL(last_update.live.flags, VIF_LIVE_ALL);
	CU_ASSERT(has("state", "4"));
	vif_backend_class.changed(&be);
	vif_backend_class.tick(&be);
	CU_ASSERT_EQUAL(updates, 1);
	wire.holders--;
	end();

	begin("");
	CU_ASSERT(vif_backend_class.resume(&be) < 0);
	CU_ASSERT_PTR_NULL(be.priv);
	end();

	/* nobody was connected: the tap went too, and the script has been */
	begin("");
	put(BACK, "vifname", "web1");
	put(BACK, "hotplug-status", "connected");
	CU_ASSERT_EQUAL(vif_backend_class.probe(&be), 0);
	CU_ASSERT_STRING_EQUAL(wire.bridge, "xenbr0");
	CU_ASSERT_STRING_EQUAL(wire.name, "web1");
	end();
}

static void test_removed(void)
{
	begin("");
	CU_ASSERT_EQUAL(vif_backend_class.probe(&be), 0);
	CU_ASSERT_EQUAL(vif_backend_class.connect(&be, &out, &state_size), 0);
	store->ops->rm(store, 0, BACK);
	CU_ASSERT(vif_backend_class.publish(&be) < 0);
	vif_backend_class.changed(&be);
	vif_backend_class.disconnected(&be);
	CU_ASSERT(missing("carrier"));
	CU_ASSERT(missing("feature-sg"));
	end();
}

/* Each call of the store, and each descriptor, fails in turn; nothing leaks. */
static void test_faults(void)
{
	uint64_t calls, i;
	unsigned int before = 0;

	begin("");
	calls = store_mem_calls(store);
	CU_ASSERT_EQUAL(up(), 0);
	calls = store_mem_calls(store) - calls;
	end();
	CU_ASSERT(calls > 20);
	for (i = 1; i <= calls; i++) {
		begin("");
		before = before ? before : open_fds();
		store_mem_fail(store, i, i % 2 ? EIO : ENOMEM);
		if (up() == 0)
			CU_ASSERT_EQUAL(attach()->queue[0].tx_ref, 8);
		store_mem_fail(store, 0, 0);
		end();
		begin("");
		CU_ASSERT_EQUAL(open_fds(), before);
		end();
	}
	for (i = 1; i <= 2; i++) {
		begin("");
		put(FRONT, "multi-queue-num-queues", "2");
		put_queue("queue-0", "10", "11", "20", "21");
		put_queue("queue-1", "12", "13", "22", "23");
		configure("[default]\nmax-queues = 2\n");
		events_fail_at = (unsigned int)i;
		CU_ASSERT_EQUAL(up(), -EMFILE);
		CU_ASSERT_EQUAL(out.nfds, 0);
		events_fail_at = 0;
		wire.fail_queue = (unsigned int)i;
		CU_ASSERT_EQUAL(vif_backend_class.connect(&be, &out, &state_size), -ENFILE);
		CU_ASSERT_EQUAL(out.nfds, 0);
		CU_ASSERT_EQUAL(vif_backend_class.connect(&be, &out, &state_size), 0);
		CU_ASSERT_EQUAL(out.nfds, 4);
		end();
	}
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"what is offered", test_offer},
		{"connect", test_connect},
		{"connect without end", test_log},
		{"connect with everything", test_everything},
		{"what was not offered", test_not_offered},
		{"nonsense from the frontend", test_hostile},
		{"rate", test_rate},
		{"limits", test_limits},
		{"live changes", test_live},
		{"reconfiguring", test_reconfigure},
		{"packet sockets", test_packet},
		{"taken over", test_taken_over},
		{"removed under way", test_removed},
		{"faults", test_faults},
		CU_TEST_INFO_NULL,
	};

	return class_main(tests);
}
