// SPDX-License-Identifier: GPL-2.0-only
/*
 * The class of blkback's supervisor: what a disk offers, how a connection with a
 * frontend is put together for the worker, and what changes while it is in use.
 * Nodes: io/blkif.h, "Feature and Parameter Negotiation".
 */
#include "backends/blkback/vbd_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <xen/io/xenbus.h>

#include "backends/blkback/vbd_medium.h"
#include "backends/common/limit.h"
#include "backends/common/nodes.h"
#include "backends/common/transport.h"

#define DEFAULT_QUEUES 4
#define WHY_MAX        256

static const struct conf_key vbd_conf_keys[] = {
	{.name = "engine", .kind = CONF_CHOICE, .choices = "io_uring libaio null"},
	{.name = "sector-size", .kind = CONF_CHOICE, .choices = "512 4096"},
	{.name = "discard", .kind = CONF_BOOL},
	{.name = "max-queues", .kind = CONF_NUMBER, .min = 1, .max = VBD_MAX_QUEUES},
	{.name = "max-ring-page-order", .kind = CONF_NUMBER, .max = VBD_MAX_RING_ORDER},
	{.name = "indirect-segments", .kind = CONF_NUMBER, .max = VBD_MAX_SEGMENTS},
	{.name = "persistent-grants", .kind = CONF_BOOL},
	{.name = "persistent-grants-max", .kind = CONF_NUMBER, .max = VBD_MAX_PERSISTENT},
	{.name = "direct-min", .kind = CONF_SIZE, .max = UINT32_MAX},
	{.name = "poll", .kind = CONF_BOOL},
	{.name = "read-bytes", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "read-bytes-burst", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "read-ops", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = "read-ops-burst", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = "write-bytes", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "write-bytes-burst", .kind = CONF_SIZE, .max = UINT64_MAX},
	{.name = "write-ops", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = "write-ops-burst", .kind = CONF_NUMBER, .max = UINT64_MAX},
	{.name = NULL},
};

struct vbd {
	char dev[32], id[16];
	const char *names[3]; /* what the configuration may call it */
	bool readonly, cdrom, removable;
	bool poll;    /* polled I/O where the device has queues for it */
	bool discard; /* neither toolstack nor configuration forbids it */
	struct vbd_offer offer;
	uint32_t engine, max_persistent, direct_min;
	uint32_t conf_sector_size;
	struct medium medium;
	/* of the connection */
	bool connected;
	bool taken_over; /* which disc the worker has is not known */
	uint32_t nr_queues, ring_order;
	uint32_t sector_size, sector_unit;
	uint32_t physical; /* as published */
	uint64_t size;     /* bytes, as worker and frontend know it */
};

static const char *const engines[] = {"io_uring", "libaio", "null"};

#define LOG_NAME     "guest %u vbd %u: "
#define LOG_ARGS(be) (be)->domid, (be)->devid

/* ---- configuration ---- */

static uint64_t conf_u64(const struct backend *be, const char *key, uint64_t fallback)
{
	const struct vbd *v = be->priv;

	return conf_number(be->conf, be->guest, v->names, key, fallback);
}

static uint32_t conf_engine(const struct backend *be)
{
	const struct vbd *v = be->priv;
	const char *e = conf_string(be->conf, be->guest, v->names, "engine", "io_uring");

	if (!strcmp(e, "libaio"))
		return VBD_ENGINE_AIO;
	return strcmp(e, "null") ? VBD_ENGINE_URING : VBD_ENGINE_NULL;
}

/* The disc of a drive may be another one at any time: only libaio lets it change. */
static uint32_t used_engine(const struct vbd *v)
{
	return v->cdrom && v->engine == VBD_ENGINE_URING ? VBD_ENGINE_AIO : v->engine;
}

/* More queues than processors only cost memory. */
static uint32_t default_queues(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);

	return n < 1 ? 1 : n > DEFAULT_QUEUES ? DEFAULT_QUEUES : (uint32_t)n;
}

/* Taken once before a frontend may look: an offer must hold until it has connected. */
static void read_conf(struct backend *be)
{
	struct vbd *v = be->priv;
	uint64_t enable = 1;

	v->engine = conf_engine(be);
	v->conf_sector_size =
		strcmp(conf_string(be->conf, be->guest, v->names, "sector-size", "512"),
		       "4096")
			? 512
			: 4096;
	v->offer.max_queues = (uint32_t)conf_u64(be, "max-queues", default_queues());
	v->offer.max_ring_order =
		(uint32_t)conf_u64(be, "max-ring-page-order", VBD_MAX_RING_ORDER);
	v->offer.max_segments =
		(uint32_t)conf_u64(be, "indirect-segments", VBD_MAX_SEGMENTS);
	v->offer.persistent =
		conf_bool(be->conf, be->guest, v->names, "persistent-grants", true);
	v->max_persistent =
		(uint32_t)conf_u64(be, "persistent-grants-max", VBD_DEFAULT_PERSISTENT);
	v->direct_min = (uint32_t)conf_u64(be, "direct-min", 0);
	v->poll = conf_bool(be->conf, be->guest, v->names, "poll", true);
	store_get_u64(be->store, 0, be->path, "discard-enable", 0, 1, &enable);
	v->discard = enable && conf_bool(be->conf, be->guest, v->names, "discard", true);
}

static void set_limit(const struct backend *be, struct limit_bucket *b,
		      const char *direction)
{
	char bytes[24], bytes_burst[24], ops[24], ops_burst[24];
	struct limit_rate r;

	snprintf(bytes, sizeof(bytes), "%s-bytes", direction);
	snprintf(bytes_burst, sizeof(bytes_burst), "%s-bytes-burst", direction);
	snprintf(ops, sizeof(ops), "%s-ops", direction);
	snprintf(ops_burst, sizeof(ops_burst), "%s-ops-burst", direction);
	r.bytes_per_s = conf_u64(be, bytes, 0);
	r.bytes_burst = conf_u64(be, bytes_burst, 0);
	r.ops_per_s = conf_u64(be, ops, 0);
	r.ops_burst = conf_u64(be, ops_burst, 0);
	limit_set(b, &r);
}

static void set_limits(const struct backend *be)
{
	struct state_head *h = be->state;

	if (!h || be->state_size < sizeof(*h))
		return;
	set_limit(be, &h->limit[0], "read");
	set_limit(be, &h->limit[1], "write");
}

/* ---- nodes ---- */

static int publish_offer(struct backend *be)
{
	const struct vbd *v = be->priv;
	const struct node n[] = {
		{"feature-barrier", 1},
		{"feature-flush-cache", 1},
		{"feature-persistent", v->offer.persistent},
		{"max-ring-page-order", v->offer.max_ring_order},
		{"max-ring-pages", 1u << v->offer.max_ring_order},
		{"multi-queue-max-queues", v->offer.max_queues},
		/* must not exist when indirect requests are unknown: last, left out when
		   0 */
		{"feature-max-indirect-segments", v->offer.max_segments},
	};

	return nodes_write(be, n, sizeof(n) / sizeof(n[0]) - !v->offer.max_segments);
}

static bool offers_discard(const struct vbd *v)
{
	return v->discard && !v->readonly && v->medium.image.discard;
}

/* The physical size must divide the disk (io/blkif.h, "sectors"). */
static uint32_t physical_size(const struct vbd *v)
{
	uint32_t p = v->medium.image.physical;

	while (p > v->sector_size && v->size % p)
		p /= 2;
	return p > v->sector_size ? p : v->sector_size;
}

static int publish_disk(struct backend *be)
{
	struct vbd *v = be->priv;
	const struct image *img = &v->medium.image;
	bool discard = offers_discard(v);
	uint32_t granularity = img->discard_granularity > v->sector_size
				       ? img->discard_granularity
				       : v->sector_size;
	const struct node n[] = {
		{"sector-size", v->sector_size},
		{"physical-sector-size", v->physical = physical_size(v)},
		{"sectors", v->size / v->sector_unit},
		{"info", (v->cdrom ? VDISK_CDROM : 0) |
				 (v->removable ? VDISK_REMOVABLE : 0) |
				 (v->readonly ? VDISK_READONLY : 0)},
		{"feature-discard", discard},
		{"discard-granularity", granularity},
		{"discard-alignment", img->discard_alignment},
		{"discard-secure", discard && img->discard_secure},
	};

	return nodes_write(be, n, discard ? 8 : 5);
}

/* ---- probe, ready ---- */

static int read_identity(struct backend *be)
{
	struct vbd *v = be->priv;
	char *mode = nodes_text(be, "mode"), *type = nodes_text(be, "device-type");
	char *dev = nodes_text(be, "dev");
	uint64_t removable = 0;
	int err = 0;

	if (!mode || !type || !dev) {
		err = -(errno ? errno : ENOMEM);
		backend_error(be, err, "reading %s", be->path);
	} else if (!mode[0]) {
		err = -EINVAL;
		backend_error(be, 0, "mode is missing");
	} else {
		v->cdrom = !strcmp(type, "cdrom");
		v->readonly = v->cdrom || !strchr(mode, 'w');
		snprintf(v->dev, sizeof(v->dev), "%s", dev);
	}
	store_get_u64(be->store, 0, be->path, "removable", 0, 1, &removable);
	v->removable = removable;
	snprintf(v->id, sizeof(v->id), "%u", be->devid);
	v->names[0] = v->dev[0] ? v->dev : v->id;
	v->names[1] = v->dev[0] ? v->id : NULL;
	free(mode);
	free(type);
	free(dev);
	return err;
}

static void vbd_remove(struct backend *be)
{
	struct vbd *v = be->priv;

	if (v)
		medium_close(&v->medium);
	free(v);
	be->priv = NULL;
}

/* be->priv from what toolstack and configuration say. */
static int make_vbd(struct backend *be)
{
	struct vbd *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return -ENOMEM;
	be->priv = v;
	medium_init(&v->medium);
	err = read_identity(be);
	if (err)
		vbd_remove(be);
	else
		read_conf(be);
	return err;
}

static int vbd_probe(struct backend *be)
{
	int err = make_vbd(be);

	if (err)
		return err;
	err = publish_offer(be);
	if (err)
		vbd_remove(be);
	return err;
}

/*
 * A disc may be changed for one of other alignment while the guest is connected:
 * through the page cache all are alike.
 */
static unsigned int how_to_open(const struct vbd *v)
{
	return (v->readonly ? IMAGE_READONLY : 0) | (v->cdrom ? IMAGE_BUFFERED : 0);
}

/* Open what the guest gets. An empty CD-ROM drive is no error. */
static int open_medium(struct backend *be)
{
	struct vbd *v = be->priv;
	int err;

	if (v->medium.image.fd >= 0)
		return 0;
	err = medium_open(&v->medium, be->store, be->path, how_to_open(v));
	if (err == -ENOMEDIUM && v->cdrom)
		return 0;
	if (!err && !v->medium.image.size && !v->cdrom) {
		err = -EINVAL;
		snprintf(v->medium.image.error, sizeof(v->medium.image.error),
			 "%s is empty", v->medium.params);
		image_close(&v->medium.image);
	}
	if (err)
		backend_error(be, 0, "%s", v->medium.image.error); /* says why itself */
	return err;
}

/*
 * Tried, but not kept open: a toolstack that takes an unused disk away wants to
 * detach what is below it, and a frontend may connect much later or never.
 */
static int vbd_ready(struct backend *be)
{
	struct vbd *v = be->priv;
	int err = open_medium(be);

	medium_close(&v->medium);
	return err;
}

/* ---- connect ---- */

static uint64_t medium_size(const struct vbd *v)
{
	return v->medium.image.fd >= 0 ? v->medium.image.size : 0;
}

/* The disk's size in whole @unit; says what is left over. */
static uint64_t whole(struct backend *be, uint64_t size, uint32_t unit)
{
	uint64_t rest = size % unit;

	if (rest)
		log_guest(&be->log_limit, LOG_LEVEL_WARN,
			  LOG_NAME "the last %" PRIu64 " of %" PRIu64
				   " bytes make no sector of %u:"
				   " the guest does not see them",
			  LOG_ARGS(be), rest, size, unit);
	return size - rest;
}

static uint32_t attach_flags(const struct vbd *v, const struct vbd_frontend *f)
{
	uint32_t flags = VBD_BARRIER | VBD_FLUSH;

	if (v->readonly)
		flags |= VBD_READONLY;
	if (v->medium.image.fd >= 0 && v->medium.image.block_device)
		flags |= VBD_BLOCK_DEVICE;
	if (v->medium.image.fd >= 0 && v->medium.image.polled && v->poll)
		flags |= VBD_POLLED;
	if (f->persistent)
		flags |= VBD_PERSISTENT;
	if (offers_discard(v))
		flags |= VBD_DISCARD | (v->medium.image.discard_secure ? VBD_SECURE : 0);
	return flags;
}

static int fill_attach(struct backend *be, struct vbd_attach *a)
{
	struct vbd *v = be->priv;
	const struct image *img = &v->medium.image;
	char why[WHY_MAX];
	struct vbd_frontend f;
	int err;

	memset(a, 0, sizeof(*a));
	err = vbd_frontend_read(be->store, be->frontend, &v->offer, a, &f, why,
				sizeof(why));
	if (err) {
		backend_error(be, 0, "frontend: %s", why);
		return err;
	}
	v->nr_queues = a->nr_queues;
	v->ring_order = a->ring_order;
	v->sector_size = v->conf_sector_size;
	v->sector_unit = f.large_sectors ? v->sector_size : 512;
	v->size = whole(be, medium_size(v), v->sector_size);
	a->flags = attach_flags(v, &f);
	/* the engine whose file can be changed under way (vbd_proto.h) */
	a->engine = used_engine(v);
	a->sector_size = v->sector_size;
	a->sector_unit = v->sector_unit;
	a->offset_align = img->fd >= 0 ? img->offset_align : 1;
	a->memory_align = img->fd >= 0 ? img->memory_align : 1;
	a->max_segments = v->offer.max_segments;
	a->max_persistent = f.persistent ? v->max_persistent : 0;
	a->direct_min = v->direct_min;
	a->size = v->size;
	be->file_max = v->readonly ? 0 : v->size;
	return 0;
}

static int add_fd(struct backend *be, struct backend_attach *out, int fd,
		  const char *what)
{
	if (fd < 0) {
		int err = errno ? errno : EIO;

		backend_error(be, -err, "%s", what);
		return -err;
	}
	out->fds[out->nfds++] = fd;
	return 0;
}

/* The caller's own; an empty drive has no file, and every request is out of range. */
static int image_fd(const struct vbd *v)
{
	if (v->medium.image.fd >= 0)
		return fcntl(v->medium.image.fd, F_DUPFD_CLOEXEC, 0);
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* The image, then one event-channel descriptor a queue (vbd_proto.h). */
static int fill_fds(struct backend *be, struct backend_attach *out, uint32_t queues)
{
	const struct vbd *v = be->priv;
	int err;

	out->nfds = 0;
	err = add_fd(be, out, image_fd(v), "image");
	for (; !err && queues; queues--)
		err = add_fd(be, out, events_open_restricted_fd(be->domid),
			     "event channels");
	while (err && out->nfds)
		close(out->fds[--out->nfds]);
	return err;
}

/* A guest may connect as often as it likes. */
static void log_connection(struct backend *be, const struct vbd_attach *a)
{
	const struct vbd *v = be->priv;

	log_guest(&be->log_limit, LOG_LEVEL_INFO,
		  LOG_NAME "%s (%s): %" PRIu64 " bytes, %s, %u queues of %u pages%s%s%s",
		  LOG_ARGS(be), v->dev, v->medium.params ? v->medium.params : "", a->size,
		  engines[a->engine], a->nr_queues, 1u << a->ring_order,
		  a->flags & VBD_PERSISTENT ? ", persistent grants" : "",
		  a->flags & VBD_DISCARD ? ", discard" : "",
		  a->flags & VBD_READONLY ? ", read-only" : "");
	if (v->medium.image.fd >= 0 && !v->medium.image.direct)
		log_guest(&be->log_limit, LOG_LEVEL_INFO,
			  LOG_NAME
			  "%s: no direct I/O for this file or its size; using the page"
			  " cache",
			  LOG_ARGS(be), v->medium.params);
}

static int vbd_connect(struct backend *be, struct backend_attach *out, size_t *state_size)
{
	struct vbd *v = be->priv;
	struct vbd_attach a;
	int err;

	err = open_medium(be);
	if (!err)
		err = fill_attach(be, &a);
	if (!err)
		err = fill_fds(be, out, a.nr_queues);
	if (err) {
		medium_close(&v->medium);
		return err;
	}
	out->size = vbd_attach_size(a.nr_queues);
	memcpy(out->payload, &a, out->size);
	*state_size = vbd_state_size(a.nr_queues, a.ring_order);
	log_connection(be, &a);
	return 0;
}

/* ---- in use ---- */

static void vbd_prepare(struct backend *be)
{
	const struct vbd *v = be->priv;
	struct state_head *h = be->state;

	h->nr_queues = v->nr_queues;
	h->queue_size = vbd_state_queue_size(v->ring_order);
	set_limits(be);
}

static int vbd_publish(struct backend *be)
{
	struct vbd *v = be->priv;
	int err = publish_disk(be);

	v->connected = !err;
	return err;
}

/* What the last supervisor agreed on stands in the nodes it published. */
static int read_published(struct backend *be)
{
	struct vbd *v = be->priv;
	uint64_t size = 512, physical = 512, sectors = 0, large = 0;
	int err;

	err = store_get_u64(be->store, 0, be->path, "sector-size", 512, 4096, &size);
	if (!err)
		err = store_get_u64(be->store, 0, be->path, "physical-sector-size", 512,
				    IMAGE_PHYSICAL_MAX, &physical);
	if (!err)
		err = store_get_u64(be->store, 0, be->path, "sectors", 0,
				    UINT64_MAX / 4096, &sectors);
	if (err)
		return err;
	store_get_u64(be->store, 0, be->frontend, "feature-large-sector-size", 0,
		      UINT32_MAX, &large);
	v->sector_size = (uint32_t)size;
	v->sector_unit = large ? v->sector_size : 512;
	v->physical = (uint32_t)physical;
	v->size = sectors * v->sector_unit;
	return 0;
}

/* Without its medium the disk is served all the same: only its size is not followed. */
static int vbd_resume(struct backend *be)
{
	struct vbd *v;
	int err = make_vbd(be);

	if (err)
		return err;
	v = be->priv;
	err = read_published(be);
	if (err) {
		backend_error(be, err, "%s does not say what was connected", be->path);
		vbd_remove(be);
		return err;
	}
	be->file_max = v->readonly ? 0 : v->size;
	v->connected = v->taken_over = true;
	open_medium(be);
	set_limits(be);
	return 0;
}

/*
 * A new size, or with @fd another file too: first the worker, so that what the guest
 * is told it can use. A frontend reads `sectors` again when it sees the state
 * written again.
 */
static void resize(struct backend *be, uint64_t size, int fd)
{
	struct vbd *v = be->priv;
	const struct vbd_update update = {.size = size};
	const struct node n[] = {
		{"sectors", size / v->sector_unit},
		{"state", XenbusStateConnected},
	};
	int err;

	if (size != v->size)
		log_info(LOG_NAME "size changes from %" PRIu64 " to %" PRIu64 " bytes",
			 LOG_ARGS(be), v->size, size);
	be->file_max = v->readonly ? 0 : size;
	v->size = size; /* also if it fails: not again every second */
	err = backend_update(be, &update, sizeof(update), &fd, fd >= 0);
	if (err)
		log_error(LOG_NAME "cannot tell the worker: %s", LOG_ARGS(be),
			  strerror(-err));
	else
		nodes_write(be, n, 2);
}

static void vbd_tick(struct backend *be)
{
	struct vbd *v = be->priv;
	uint64_t size;

	if (!v->connected || !image_resized(&v->medium.image))
		return;
	size = whole(be, medium_size(v), v->physical);
	if (size != v->size)
		resize(be, size, -1);
}

/* Hand the worker the disc that is in the drive now, or none. */
static void hand_over_disc(struct backend *be)
{
	struct vbd *v = be->priv;
	int fd = image_fd(v);

	if (fd < 0) {
		log_error(LOG_NAME "cannot change the disc: %s", LOG_ARGS(be),
			  strerror(errno));
		return;
	}
	resize(be, whole(be, medium_size(v), v->physical), fd);
	close(fd);
}

/* Another disc, or none: the guest sees an empty drive, then one of the new size. */
static void change_disc(struct backend *be)
{
	struct vbd *v = be->priv;

	medium_close(&v->medium);
	open_medium(be);
	log_info(LOG_NAME "disc changed: '%s'", LOG_ARGS(be),
		 v->medium.params ? v->medium.params : "");
	if (v->size)
		resize(be, 0, -1);
	hand_over_disc(be);
}

static void vbd_changed(struct backend *be)
{
	struct vbd *v = be->priv;

	set_limits(be);
	if (!v->cdrom || !v->connected)
		return;
	if (v->taken_over)
		hand_over_disc(be);
	else if (medium_changed(&v->medium, be->store, be->path))
		change_disc(be);
	v->taken_over = false;
}

static bool online(const struct backend *be)
{
	uint64_t v = 0;

	return !store_get_u64(be->store, 0, be->path, "online", 0, 1, &v) && v;
}

static bool same_offer(const struct vbd_offer *a, const struct vbd_offer *b)
{
	return a->max_queues == b->max_queues && a->max_ring_order == b->max_ring_order &&
	       a->max_segments == b->max_segments && a->persistent == b->persistent;
}

/*
 * The medium is closed with the connection: after the last one the toolstack wants
 * to take the device away, and the next one shall find what is there then.
 */
static void vbd_disconnected(struct backend *be)
{
	struct vbd *v = be->priv;
	struct vbd_offer before = v->offer;

	v->connected = v->taken_over = false;
	medium_close(&v->medium);
	read_conf(be);
	if (!same_offer(&before, &v->offer) && online(be))
		publish_offer(be);
}

bool vbd_in_flight(const char *path)
{
	unsigned long reads = 0, writes = 0;
	FILE *f = fopen(path, "re");
	bool found;

	if (!f)
		return false;
	found = fscanf(f, "%lu %lu", &reads, &writes) == 2;
	fclose(f);
	return found && (reads || writes);
}

/* A file's disk may have other users: then this lasts longer, but not for ever. */
static bool vbd_busy(struct backend *be)
{
	const struct vbd *v = be->priv;
	char path[64];

	if (v->medium.image.fd < 0)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/inflight",
		 major(v->medium.image.dev), minor(v->medium.image.dev));
	return vbd_in_flight(path);
}

static void vbd_describe(struct backend *be, const char **device, const char **engine)
{
	struct vbd *v = be->priv;

	if (!v)
		return;
	if (v->dev[0])
		*device = v->dev;
	*engine = engines[used_engine(v)];
}

const struct backend_class vbd_backend_class = {
	.name = "blkback",
	.type = "vbd",
	.kernel_driver = "vbd",
	.conf_path = "/etc/xylem/blkback.conf",
	.conf_keys = vbd_conf_keys,
	.probe = vbd_probe,
	.ready = vbd_ready,
	.connect = vbd_connect,
	.prepare = vbd_prepare,
	.resume = vbd_resume,
	.publish = vbd_publish,
	.disconnected = vbd_disconnected,
	.changed = vbd_changed,
	.describe = vbd_describe,
	.busy = vbd_busy,
	.tick = vbd_tick,
	.remove = vbd_remove,
};
