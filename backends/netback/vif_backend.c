// SPDX-License-Identifier: GPL-2.0-only
/*
 * The class of netback's supervisor: the tap that the hotplug script expects, what
 * a vif offers, how a connection with a frontend is put together for the worker,
 * and what changes while it is in use. Nodes: io/netif.h.
 */
#include "backends/netback/vif_backend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "backends/common/nodes.h"
#include "backends/common/transport.h"
#include "backends/netback/tap.h"

#define DEFAULT_QUEUES 4
#define WHY_MAX        256
#define MTU_MIN        68
#define MTU_MAX        65521 /* 64 KiB less an Ethernet header and a VLAN tag's */

static const struct conf_key vif_conf_keys[] = {
	{.name = "port", .kind = CONF_CHOICE, .choices = "tap packet"},
	{.name = "interface", .kind = CONF_STRING},
	{.name = "max-queues", .kind = CONF_NUMBER, .min = 1, .max = VIF_QUEUES_MAX},
	{.name = "control-ring", .kind = CONF_BOOL},
	{.name = "multicast-control", .kind = CONF_BOOL},
	{.name = "rx-bytes", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "rx-bytes-burst", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "rx-ops", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = "rx-ops-burst", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = "tx-bytes", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "tx-bytes-burst", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "tx-ops", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = "tx-ops-burst", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = NULL},
};

struct vif {
	char id[16], vifname[IFNAMSIZ];
	const char *names[3]; /* what the configuration may call it */
	struct vif_offer offer;
	uint32_t port_kind;
	char interface[IFNAMSIZ]; /* port=packet */
	struct tap tap;           /* port=tap */
	struct limit_rate rate;   /* the toolstack's */
	/* of the connection */
	bool connected;
	bool told;         /* live is what the worker knows */
	bool reconfigured; /* our state says Reconfigured */
	uint32_t nr_queues;
	struct vif_live live;
};

#define LOG_NAME     "guest %u vif %u: "
#define LOG_ARGS(be) (be)->domid, (be)->devid

/* ---- configuration ---- */

static uint64_t conf_u64(const struct backend *be, const char *key, uint64_t fallback)
{
	const struct vif *v = be->priv;

	return conf_number(be->conf, be->guest, v->names, key, fallback);
}

static uint32_t default_queues(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > DEFAULT_QUEUES ? DEFAULT_QUEUES : (uint32_t)n;
}

/* What is offered: taken before a frontend may look, so that it holds until then. */
static void read_offer(struct backend *be)
{
	struct vif *v = be->priv;

	v->offer.max_queues = (uint32_t)conf_u64(be, "max-queues", default_queues());
	v->offer.ctrl_ring =
		conf_bool(be->conf, be->guest, v->names, "control-ring", true);
	v->offer.multicast_control =
		conf_bool(be->conf, be->guest, v->names, "multicast-control", true);
}

/* The port is chosen once: the hotplug script works on it. */
static int read_port(struct backend *be)
{
	struct vif *v = be->priv;
	const char *port = conf_string(be->conf, be->guest, v->names, "port", "tap");
	const char *interface =
		conf_string(be->conf, be->guest, v->names, "interface", "");

	v->port_kind = strcmp(port, "packet") ? VIF_PORT_TAP : VIF_PORT_PACKET;
	if (v->port_kind == VIF_PORT_TAP)
		return 0;
	if (!interface[0] || strlen(interface) >= sizeof(v->interface)) {
		backend_error(be, 0, "port = packet needs interface = NAME in %s",
			      vif_backend_class.conf_path);
		return -EINVAL;
	}
	memcpy(v->interface, interface, strlen(interface) + 1);
	return 0;
}

static void read_limit(const struct backend *be, struct limit_rate *r,
		       const char *direction)
{
	char bytes[24], bytes_burst[24], ops[24], ops_burst[24];

	snprintf(bytes, sizeof(bytes), "%s-bytes", direction);
	snprintf(bytes_burst, sizeof(bytes_burst), "%s-bytes-burst", direction);
	snprintf(ops, sizeof(ops), "%s-ops", direction);
	snprintf(ops_burst, sizeof(ops_burst), "%s-ops-burst", direction);
	r->bytes_per_s = conf_u64(be, bytes, 0);
	r->bytes_burst = conf_u64(be, bytes_burst, 0);
	r->ops_per_s = conf_u64(be, ops, 0);
	r->ops_burst = conf_u64(be, ops_burst, 0);
}

/* What the guest sends is under the toolstack's rate= too: the lower one holds. */
static void set_limits(const struct backend *be)
{
	const struct vif *v = be->priv;
	struct state_head *h = be->state;
	struct limit_rate rx, tx;

	if (!h || be->state_size < sizeof(*h))
		return;
	read_limit(be, &rx, "rx");
	read_limit(be, &tx, "tx");
	if (v->rate.bytes_per_s &&
	    (!tx.bytes_per_s || tx.bytes_per_s > v->rate.bytes_per_s)) {
		tx.bytes_per_s = v->rate.bytes_per_s;
		tx.bytes_burst = v->rate.bytes_burst;
	}
	limit_set(&h->limit[0], &rx);
	limit_set(&h->limit[1], &tx);
}

/* ---- nodes ---- */

static int publish_offer(struct backend *be)
{
	const struct vif *v = be->priv;
	const struct node n[] = {
		{"feature-sg", 1},
		{"feature-gso-tcpv4", 1},
		{"feature-gso-tcpv6", 1},
		{"feature-no-csum-offload", 0},
		{"feature-ipv6-csum-offload", 1},
		{"feature-rx-copy", 1},
		{"feature-rx-flip", 0},
		{"feature-split-event-channels", 1},
		{"feature-xdp-headroom", 1},
		{"feature-multicast-control", v->offer.multicast_control},
		{"feature-dynamic-multicast-control", v->offer.multicast_control},
		{"feature-ctrl-ring", v->offer.ctrl_ring},
		{"multi-queue-max-queues", v->offer.max_queues},
	};

	return nodes_write(be, n, sizeof(n) / sizeof(n[0]));
}

/* The script reads `vifname` and renames the interface accordingly. */
static int read_identity(struct backend *be)
{
	struct vif *v = be->priv;
	char *vifname = nodes_text(be, "vifname"), *rate = nodes_text(be, "rate");
	int err = vifname && rate ? 0 : -(errno ? errno : ENOMEM);

	if (err) {
		backend_error(be, err, "reading %s", be->path);
	} else {
		snprintf(v->vifname, sizeof(v->vifname), "%s", vifname);
		if (rate[0] && vif_parse_rate(rate, &v->rate))
			log_warn(LOG_NAME
				 "rate '%.40s' is not BYTES,MICROSECONDS: no limit",
				 LOG_ARGS(be), rate);
	}
	free(vifname);
	free(rate);
	snprintf(v->id, sizeof(v->id), "%u", be->devid);
	v->names[0] = v->id;
	v->names[1] = v->vifname[0] ? v->vifname : NULL;
	return err;
}

/* ---- the interface in dom0 ---- */

static void default_name(const struct backend *be, char name[IFNAMSIZ])
{
	snprintf(name, IFNAMSIZ, "vif%u.%u", be->domid, be->devid);
}

/*
 * A supervisor that found its predecessor's unconnected vif: the tap went with that
 * one, the script has done its work and will not come again. On a bridge it can be
 * done for it.
 */
static void plug_again(struct backend *be)
{
	struct vif *v = be->priv;
	char *status = nodes_text(be, "hotplug-status"),
	     *bridge = nodes_text(be, "bridge");
	int err;

	if (status && bridge && !strcmp(status, "connected")) {
		err = tap_plug(&v->tap, v->vifname, bridge);
		if (err)
			log_warn(LOG_NAME "cannot put the new tap back on '%s': %s",
				 LOG_ARGS(be), bridge, strerror(-err));
	}
	free(status);
	free(bridge);
}

static int create_tap(struct backend *be)
{
	struct vif *v = be->priv;
	char name[IFNAMSIZ];
	uint64_t mtu = 0;
	int err;

	default_name(be, name);
	store_get_u64(be->store, 0, be->path, "mtu", MTU_MIN, MTU_MAX, &mtu);
	err = tap_create(&v->tap, name, (unsigned int)mtu);
	if (err)
		backend_error(be, err, "cannot create the tap %s", name);
	else
		plug_again(be);
	return err;
}

/* The tap of a supervisor that has died: by its name of today, which we only guess. */
static int hold_tap(struct backend *be)
{
	struct vif *v = be->priv;
	char name[IFNAMSIZ];
	int err = -ENODEV;

	if (v->vifname[0])
		err = tap_hold(&v->tap, v->vifname);
	if (err) {
		default_name(be, name);
		err = tap_hold(&v->tap, name);
	}
	if (err)
		backend_error(be, err, "cannot hold the tap");
	return err;
}

static bool link_is_up(const struct vif *v)
{
	char name[IFNAMSIZ];

	if (v->port_kind == VIF_PORT_PACKET)
		return interface_is_up(v->interface);
	return !tap_name(&v->tap, name) && interface_is_up(name);
}

/* ---- life ---- */

static void vif_remove(struct backend *be)
{
	struct vif *v = be->priv;

	if (v)
		tap_close(&v->tap);
	free(v);
	be->priv = NULL;
}

/* be->priv from what toolstack and configuration say. */
static int make_vif(struct backend *be)
{
	struct vif *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	be->priv = v;
	tap_init(&v->tap);
	err = read_identity(be);
	if (!err)
		err = read_port(be);
	if (err)
		vif_remove(be);
	else
		read_offer(be);
	return err;
}

static int vif_probe(struct backend *be)
{
	struct vif *v;
	int err = make_vif(be);

	if (err)
		return err;
	v = be->priv;
	if (v->port_kind == VIF_PORT_TAP)
		err = create_tap(be);
	if (!err)
		err = publish_offer(be);
	if (err)
		vif_remove(be);
	return err;
}

static int vif_ready(struct backend *be)
{
	const struct vif *v = be->priv;

	if (v->port_kind == VIF_PORT_TAP || if_nametoindex(v->interface))
		return 0;
	backend_error(be, 0, "there is no interface %s", v->interface);
	return -ENODEV;
}

static void forget_connection(struct vif *v)
{
	v->connected = v->told = v->reconfigured = false;
	memset(&v->live, 0, sizeof(v->live));
}

static int fill_attach(struct backend *be, struct vif_attach *a)
{
	struct vif *v = be->priv;
	char why[WHY_MAX];
	int err;

	memset(a, 0, sizeof(*a));
	a->version = VIF_PROTO_VERSION;
	a->domid = be->domid;
	a->port_kind = v->port_kind;
	err = vif_frontend_read(be->store, be->frontend, &v->offer, a, why, sizeof(why));
	if (err) {
		backend_error(be, 0, "frontend: %s", why);
		return err;
	}
	if (link_is_up(v))
		a->live.flags |= VIF_CARRIER;
	forget_connection(v);
	v->nr_queues = a->nr_queues;
	v->live = a->live;
	v->told = true;
	return 0;
}

static int open_events(struct backend *be, struct backend_attach *out, uint32_t n)
{
	int fd;

	for (; n; n--) {
		fd = events_open_restricted_fd(be->domid);
		if (fd < 0) {
			int err = errno ? -errno : -EIO;

			backend_error(be, err, "event channels");
			return err;
		}
		out->fds[out->nfds++] = fd;
	}
	return 0;
}

static int open_ports(struct backend *be, struct backend_attach *out, uint32_t n)
{
	const struct vif *v = be->priv;
	int err = 0, fd;

	if (v->port_kind == VIF_PORT_PACKET) {
		err = packet_open(v->interface, n, out->fds + out->nfds);
		if (!err)
			out->nfds += n;
	}
	for (; !err && v->port_kind == VIF_PORT_TAP && n; n--) {
		fd = tap_open_queue(&v->tap);
		if (fd < 0)
			err = fd;
		else
			out->fds[out->nfds++] = fd;
	}
	if (err)
		backend_error(be, err, "cannot open a queue of the interface");
	return err;
}

/* A guest may connect as often as it likes. */
static void log_connection(struct backend *be, const struct vif_attach *a)
{
	const struct vif *v = be->priv;
	char name[IFNAMSIZ] = "?";

	if (v->port_kind == VIF_PORT_PACKET)
		memcpy(name, v->interface, sizeof(name));
	else
		tap_name(&v->tap, name);
	log_guest(&be->log_limit, LOG_LEVEL_INFO, LOG_NAME "%s %s, %u queues%s%s%s%s",
		  LOG_ARGS(be),
		  v->port_kind == VIF_PORT_TAP ? "tap" : "packet sockets on", name,
		  a->nr_queues, a->features & VIF_SG ? ", sg" : "",
		  a->features & (VIF_GSO_TCPV4 | VIF_GSO_TCPV6) ? ", gso" : "",
		  a->features & VIF_CTRL_RING ? ", control ring" : "",
		  a->live.flags & VIF_MCAST_CONTROL ? ", multicast control" : "");
}

static int vif_connect(struct backend *be, struct backend_attach *out, size_t *state_size)
{
	struct vif_attach a;
	int err = fill_attach(be, &a);

	if (err)
		return err;
	out->nfds = 0;
	err = open_events(be, out, a.nr_queues);
	if (!err)
		err = open_ports(be, out, a.nr_queues);
	while (err && out->nfds)
		close(out->fds[--out->nfds]);
	if (err)
		return err;
	out->size = sizeof(a);
	memcpy(out->payload, &a, sizeof(a));
	*state_size = vif_state_size(a.nr_queues);
	log_connection(be, &a);
	return 0;
}

static void vif_prepare(struct backend *be)
{
	const struct vif *v = be->priv;
	struct state_head *h = be->state;

	h->nr_queues = v->nr_queues;
	h->queue_size = VIF_STATE_QUEUE_SIZE;
	set_limits(be);
}

static int publish_carrier(struct backend *be)
{
	const struct vif *v = be->priv;
	const struct node n = {"carrier", !!(v->live.flags & VIF_CARRIER)};

	return nodes_write(be, &n, 1);
}

static int vif_publish(struct backend *be)
{
	struct vif *v = be->priv;
	int err = publish_carrier(be);

	if (!err && v->port_kind == VIF_PORT_TAP) {
		err = tap_set_carrier(&v->tap, true);
		if (err)
			backend_error(be, err, "cannot give the tap a carrier");
	}
	v->connected = !err;
	return err;
}

static uint64_t own_state(const struct backend *be)
{
	uint64_t state = XenbusStateUnknown;

	store_get_u64(be->store, 0, be->path, "state", 0, XenbusStateReconfigured,
		      &state);
	return state;
}

static int vif_resume(struct backend *be)
{
	struct vif *v;
	int err = make_vif(be);

	if (err)
		return err;
	v = be->priv;
	if (v->port_kind == VIF_PORT_TAP)
		err = hold_tap(be);
	if (err) {
		vif_remove(be);
		return err;
	}
	v->connected = true; /* what the worker was told last is not known: told again */
	v->reconfigured = own_state(be) == XenbusStateReconfigured;
	set_limits(be);
	return 0;
}

/* ---- in use ---- */

/* Tell the worker if @live is news. */
static void set_live(struct backend *be, const struct vif_live *live)
{
	struct vif *v = be->priv;
	const struct vif_update u = {.version = VIF_PROTO_VERSION, .live = *live};
	bool carrier = !v->told || (v->live.flags ^ live->flags) & VIF_CARRIER;
	int err;

	if (v->told && v->live.flags == live->flags &&
	    v->live.rx_headroom == live->rx_headroom)
		return;
	v->live = *live;
	v->told = true;
	err = backend_update(be, &u, sizeof(u), NULL, 0);
	if (err)
		log_error(LOG_NAME "cannot tell the worker: %s", LOG_ARGS(be),
			  strerror(-err));
	if (carrier)
		publish_carrier(be);
}

/*
 * Linux's netfront announces another headroom with state Reconfiguring and waits for
 * ours to say Reconfigured; then both go back to Connected.
 */
static void follow_reconfiguration(struct backend *be)
{
	struct vif *v = be->priv;
	struct node n = {"state", XenbusStateReconfigured};
	uint64_t state = 0;

	if (store_get_u64(be->store, 0, be->frontend, "state", 0, XenbusStateReconfigured,
			  &state))
		return;
	if (state == XenbusStateReconfiguring && !v->reconfigured) {
		v->reconfigured = !nodes_write(be, &n, 1);
	} else if (state == XenbusStateConnected && v->reconfigured) {
		n.value = XenbusStateConnected;
		v->reconfigured = nodes_write(be, &n, 1) != 0;
	}
}

static void vif_changed(struct backend *be)
{
	struct vif *v = be->priv;
	struct vif_live live = v->live;
	char why[WHY_MAX];

	set_limits(be);
	if (!v->connected)
		return;
	if (!v->told && link_is_up(v))
		live.flags |= VIF_CARRIER;
	if (vif_frontend_live(be->store, be->frontend, &v->offer, &live, why,
			      sizeof(why)))
		log_guest(&be->log_limit, LOG_LEVEL_WARN, LOG_NAME "frontend: %s",
			  LOG_ARGS(be), why);
	else
		set_live(be, &live);
	follow_reconfiguration(be);
}

/* The guest's link is what the administrator made of our end: ip link set ... down. */
static void vif_tick(struct backend *be)
{
	struct vif *v = be->priv;
	struct vif_live live = v->live;

	if (!v->connected || !v->told)
		return;
	live.flags &= ~(uint32_t)VIF_CARRIER;
	if (link_is_up(v))
		live.flags |= VIF_CARRIER;
	set_live(be, &live);
}

static bool same_offer(const struct vif_offer *a, const struct vif_offer *b)
{
	return a->max_queues == b->max_queues && a->ctrl_ring == b->ctrl_ring &&
	       a->multicast_control == b->multicast_control;
}

static bool online(const struct backend *be)
{
	uint64_t v = 0;

	return !store_get_u64(be->store, 0, be->path, "online", 0, 1, &v) && v;
}

/* The tap stays, on its bridge: the frontend may come back. */
static void vif_disconnected(struct backend *be)
{
	struct vif *v = be->priv;
	struct vif_offer before = v->offer;

	forget_connection(v);
	if (v->port_kind == VIF_PORT_TAP)
		tap_set_carrier(&v->tap, false);
	read_offer(be);
	if (!same_offer(&before, &v->offer) && online(be))
		publish_offer(be);
}

static void vif_describe(struct backend *be, const char **device, const char **engine)
{
	struct vif *v = be->priv;

	if (!v)
		return;
	*device = v->id;
	*engine = v->port_kind == VIF_PORT_TAP ? "tap" : "packet";
}

const struct backend_class vif_backend_class = {
	.name = "netback",
	.type = "vif",
	.kernel_driver = "vif",
	.uid_base = 800000,
	.conf_path = "/etc/xylem/netback.conf",
	.conf_keys = vif_conf_keys,
	.probe = vif_probe,
	.ready = vif_ready,
	.connect = vif_connect,
	.prepare = vif_prepare,
	.resume = vif_resume,
	.publish = vif_publish,
	.disconnected = vif_disconnected,
	.changed = vif_changed,
	.describe = vif_describe,
	.tick = vif_tick,
	.remove = vif_remove,
};
