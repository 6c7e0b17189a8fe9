/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The supervisor's devices: found by watching the backend directory, driven by
 * the state machine of xenbus.c, attached to workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/common/state.h"
#include "backends/common/supervisor_internal.h"

#define EVENTS_MAX 256 /* watch events taken in one turn */
/* Polls of one device a second before its frontend has to wait for the next second. */
#define POLLS_MAX  100
#define STATE_MAX  (64u << 20)
#define QUEUES_MAX 64
#define SEALS      (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

#define container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static struct device *of_xenbus(struct xenbus *x)
{
	return container_of(x, struct device, x);
}

struct device *device_find(struct supervisor *s, uint32_t domid, uint32_t devid)
{
	struct device *d = s->devices;

	while (d && (d->be.domid != domid || d->be.devid != devid || d->gone))
		d = d->next;
	return d;
}

/* ---- shared state ---- */

int device_map_state(struct device *d, int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	void *p;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st))
		return -EINVAL;
	if (st.st_size < (off_t)sizeof(struct state_head) || st.st_size > STATE_MAX)
		return -EINVAL;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	d->be.state = p;
	d->be.state_size = (size_t)st.st_size;
	d->state_fd = fd;
	return 0;
}

/*
 * A found worker may have changed it since it was told: one that lies spoils its own
 * figures, within the mapping, and no more than so many lines of them.
 */
static void note_layout(struct device *d)
{
	struct state_head *h = d->be.state;
	uint32_t nr = *(volatile uint32_t *)&h->nr_queues;
	uint32_t size = *(volatile uint32_t *)&h->queue_size;

	d->nr_queues = d->queue_size = 0;
	if (size < sizeof(struct state_queue) || size % 64 || nr > QUEUES_MAX ||
	    nr > (d->be.state_size - sizeof(*h)) / size)
		return;
	d->nr_queues = nr;
	d->queue_size = size;
}

static void unmap_state(struct device *d)
{
	if (d->be.state)
		munmap(d->be.state, d->be.state_size);
	if (d->state_fd >= 0)
		close(d->state_fd);
	d->be.state = NULL;
	d->be.state_size = 0;
	d->state_fd = -1;
}

static int make_state(struct device *d, size_t size)
{
	struct state_head *h;
	int fd, rc;

	if (size < sizeof(struct state_head) || size > STATE_MAX)
		return -EINVAL;
	fd = memfd_create("xylem-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, SEALS)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	rc = device_map_state(d, fd);
	if (rc) {
		close(fd);
		return rc;
	}
	h = d->be.state;
	h->magic = STATE_MAGIC;
	h->version = STATE_VERSION;
	h->size = (uint32_t)size;
	if (d->be.class->prepare)
		d->be.class->prepare(&d->be);
	note_layout(d);
	return 0;
}

/* ---- the guest's name ---- */

/* Without what xl puts behind it while the guest migrates to this host. */
static char *guest_name(struct store *store, uint32_t domid)
{
	static const char incoming[] = "--incoming";
	char *name = store_read(store, 0, "/local/domain/%u/name", domid), *end;

	if (!name && asprintf(&name, "domain-%u", domid) < 0)
		name = NULL;
	end = name ? strstr(name, incoming) : NULL;
	if (end && end != name && !end[sizeof(incoming) - 1])
		*end = '\0';
	return name;
}

/* It may have been renamed since we looked. */
static void refresh_name(struct device *d)
{
	char *name = guest_name(d->be.store, d->be.domid);

	if (!name)
		return;
	free(d->be.guest);
	d->be.guest = name;
}

/* ---- what the state machine asks ---- */

static bool op_foreign(struct xenbus *x)
{
	struct device *d = of_xenbus(x);
	char path[256], target[256];

	snprintf(path, sizeof(path), "%s/bus/xen-backend/devices/%s-%u-%u/driver",
		 d->s->o.sysfs ? d->s->o.sysfs : "/sys", d->be.class->type, d->be.domid,
		 d->be.devid);
	return readlink(path, target, sizeof(target)) > 0;
}

/* A worker may write files as far as its largest disk, which only the supervisor sets. */
static void limit_files(const struct device *d)
{
	uint64_t most = 0;
	const struct device *other;

	for (other = d->s->devices; other; other = other->next)
		if (other->w == d->w && other->be.file_max > most)
			most = other->be.file_max;
	if (worker_limit_files(d->w, most))
		log_info("guest %u: cannot limit its worker's files: %s", d->be.domid,
			 strerror(errno));
}

static int send_attach(struct device *d, struct backend_attach *a, size_t state_size)
{
	int fds[CONTROL_MAX_FDS], rc;

	if (a->nfds >= CONTROL_MAX_FDS || a->size > sizeof(a->payload))
		return -EINVAL;
	d->seen_alive = d->be.store->ops->domain_alive(d->be.store, d->be.domid);
	d->w = worker_get(d->s, d->be.domid);
	if (!d->w)
		return -errno;
	rc = make_state(d, state_size);
	if (rc)
		return rc;
	limit_files(d);
	memcpy(fds, a->fds, a->nfds * sizeof(int));
	fds[a->nfds] = d->state_fd;
	d->cookie = ++d->s->cookie;
	d->expect_attached = true;
	d->expect_detached = d->told_broken = false;
	return worker_send(d->w, CONTROL_ATTACH, d, a->payload, a->size, fds,
			   a->nfds + 1);
}

static void let_go(struct device *d)
{
	struct guest_worker *w = d->w;

	unmap_state(d);
	d->expect_attached = d->expect_detached = false;
	d->w = NULL;
	if (w)
		worker_unused(w);
}

static int op_attach(struct xenbus *x)
{
	struct device *d = of_xenbus(x);
	struct backend_attach *a = d->s->attach;
	size_t state_size = 0;
	unsigned int i;
	int rc;

	memset(a, 0, sizeof(*a));
	refresh_name(d);
	rc = d->be.class->connect(&d->be, a, &state_size);
	if (rc)
		return rc;
	rc = send_attach(d, a, state_size);
	for (i = 0; i < a->nfds; i++)
		close(a->fds[i]);
	if (rc) {
		let_go(d);
		d->be.class->disconnected(&d->be);
	}
	return rc;
}

static void op_detach(struct xenbus *x)
{
	struct device *d = of_xenbus(x);

	d->expect_detached = true;
	/* A worker that cannot be told is killed; its end is the answer. */
	if (d->w && worker_send(d->w, CONTROL_DETACH, d, NULL, 0, NULL, 0))
		worker_kill(d->w);
}

static bool op_shared(struct xenbus *x)
{
	const struct device *d = of_xenbus(x), *other;

	for (other = d->s->devices; other; other = other->next)
		if (other != d && other->w && other->w == d->w && !other->x.dead &&
		    other->x.phase != XENBUS_DETACHING)
			return true;
	return false;
}

static void op_kill(struct xenbus *x)
{
	struct device *d = of_xenbus(x);

	if (d->w)
		worker_kill(d->w);
}

static void op_released(struct xenbus *x)
{
	let_go(of_xenbus(x));
}

static void op_timer(struct xenbus *x, unsigned int ms)
{
	struct device *d = of_xenbus(x);

	ev_timer_stop(d->s->loop, &d->timer);
	if (!ms)
		return;
	ev_now_update(d->s->loop);
	ev_timer_set(&d->timer, ms / 1000.0, 0.);
	ev_timer_start(d->s->loop, &d->timer);
}

static void op_gone(struct xenbus *x)
{
	of_xenbus(x)->gone = true;
}

static const struct xenbus_ops device_ops = {
	.foreign = op_foreign,
	.attach = op_attach,
	.detach = op_detach,
	.shared = op_shared,
	.kill = op_kill,
	.released = op_released,
	.timer = op_timer,
	.gone = op_gone,
};

int backend_update(struct backend *be, const void *payload, size_t size, const int *fds,
		   unsigned int nfds)
{
	struct device *d = container_of(be, struct device, be);

	if (!d->w)
		return -ENOTCONN;
	limit_files(d);
	return worker_send(d->w, CONTROL_UPDATE, d, payload, size, fds, nfds);
}

/* ---- coming and going ---- */

static void on_timer(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct device *d = container_of(t, struct device, timer);

	(void)loop;
	(void)events;
	xenbus_timer(&d->x);
	devices_settle(d->s);
}

static void on_later(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct device *d = container_of(t, struct device, later);

	(void)loop;
	(void)events;
	devices_settle(d->s);
}

static void frontend_token(const struct device *d, char *out, size_t size)
{
	snprintf(out, size, "fe:%u:%u", d->be.domid, d->be.devid);
}

static void device_free(struct device *d)
{
	struct store *store = d->be.store;
	char token[64];

	ev_timer_stop(d->s->loop, &d->timer);
	ev_timer_stop(d->s->loop, &d->later);
	if (d->be.frontend) {
		frontend_token(d, token, sizeof(token));
		store->ops->unwatch(store, d->be.frontend, token);
	}
	unmap_state(d);
	free(d->be.path);
	free(d->be.frontend);
	free(d->be.guest);
	free(d);
}

/* The frontend that @path names, if it is @domid's; else NULL. */
static char *frontend_path(struct supervisor *s, const char *path, uint32_t domid)
{
	struct store *store = s->store;
	char *frontend = store_read(store, 0, "%s/frontend", path), prefix[64];
	uint64_t id = domid;

	if (!frontend)
		return NULL; /* not complete yet: the next event brings it */
	snprintf(prefix, sizeof(prefix), "/local/domain/%u/", domid);
	store_get_u64(store, 0, path, "frontend-id", 0, UINT32_MAX, &id);
	if (id == domid && !strncmp(frontend, prefix, strlen(prefix)))
		return frontend;
	log_guest(&s->odd, LOG_LEVEL_WARN,
		  "%s: its frontend is not domain %u's; left alone", path, domid);
	free(frontend);
	return NULL;
}

/* Did a worker that was there before us say that it serves this one? */
static bool claim(struct device *d)
{
	struct guest_worker *w = worker_find(d->s, d->be.domid);
	unsigned int i;
	int fd;

	for (i = 0; w && i < w->nr_found; i++) {
		if (w->found[i].devid != d->be.devid || w->found[i].state_fd < 0)
			continue;
		fd = w->found[i].state_fd;
		if (device_map_state(d, fd)) {
			log_error("guest %u %s %u: its state is not what it should be",
				  d->be.domid, d->be.class->type, d->be.devid);
			return false;
		}
		w->found[i].state_fd = -1;
		note_layout(d);
		d->w = w;
		d->cookie = w->found[i].cookie;
		return true;
	}
	return false;
}

static struct device *device_new(struct supervisor *s, uint32_t domid, uint32_t devid)
{
	struct device *d = calloc(1, sizeof(*d));
	char token[64];

	if (!d)
		return NULL;
	d->s = s;
	d->state_fd = -1;
	d->dirty = true;
	d->be.class = s->class;
	d->be.store = s->store;
	d->be.conf = s->conf;
	d->be.domid = domid;
	d->be.devid = devid;
	ev_timer_init(&d->timer, on_timer, 0., 0.);
	ev_timer_init(&d->later, on_later, 0., 0.);
	d->be.guest = guest_name(s->store, domid);
	if (asprintf(&d->be.path, "%s/%u/%u", s->root, domid, devid) < 0)
		d->be.path = NULL;
	if (d->be.path)
		d->be.frontend = frontend_path(s, d->be.path, domid);
	frontend_token(d, token, sizeof(token));
	if (!d->be.frontend || !d->be.guest ||
	    !s->store->ops->watch(s->store, d->be.frontend, token)) {
		free(d->be.frontend);
		d->be.frontend = NULL; /* not watched */
		device_free(d);
		return NULL;
	}
	xenbus_init(&d->x, &device_ops, &d->be, claim(d));
	d->seen_alive = s->store->ops->domain_alive(s->store, domid);
	d->x.dead = d->w && !d->seen_alive;
	d->next = s->devices;
	s->devices = d;
	return d;
}

/* ---- watches ---- */

/* A name in the store that is a number as we would write it; false: some other node. */
static bool parse_id(const char *text, size_t n, uint32_t *out)
{
	uint64_t v = 0;
	size_t i;

	if (!n || n > 10 || (n > 1 && text[0] == '0'))
		return false;
	for (i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	*out = (uint32_t)v;
	return v <= UINT32_MAX;
}

static void touch(struct supervisor *s, uint32_t domid, uint32_t devid)
{
	struct device *d = device_find(s, domid, devid);

	if (d)
		d->dirty = true;
	else if (!worker_awaited(s, domid))
		device_new(s, domid, devid);
}

static void scan_domain(struct supervisor *s, uint32_t domid)
{
	char path[STORE_PATH_MAX];
	unsigned int n = 0, i;
	uint32_t devid;
	char **names;

	snprintf(path, sizeof(path), "%s/%u", s->root, domid);
	names = s->store->ops->list(s->store, 0, path, &n);
	for (i = 0; names && i < n; i++)
		if (parse_id(names[i], strlen(names[i]), &devid))
			touch(s, domid, devid);
	free(names);
}

void devices_rescan(struct supervisor *s, uint32_t domid)
{
	scan_domain(s, domid);
}

static void scan_all(struct supervisor *s)
{
	unsigned int n = 0, i;
	uint32_t domid;
	char **names = s->store->ops->list(s->store, 0, s->root, &n);

	for (i = 0; names && i < n; i++)
		if (parse_id(names[i], strlen(names[i]), &domid))
			scan_domain(s, domid);
	free(names);
}

/* Something at or below @path, which is @depth levels below the root, came or went. */
static void touch_all(struct supervisor *s, bool one, uint32_t domid)
{
	struct device *d;

	for (d = s->devices; d; d = d->next)
		if (!one || d->be.domid == domid)
			d->dirty = true;
}

static void backend_event(struct supervisor *s, const char *path)
{
	size_t n = strlen(s->root), len;
	uint32_t domid, devid;

	if (strncmp(path, s->root, n) || (path[n] && path[n] != '/')) {
		/* a directory above ours was removed */
		touch_all(s, false, 0);
		return;
	}
	if (!path[n]) {
		touch_all(s, false, 0);
		scan_all(s);
		return;
	}
	path += n + 1;
	len = strcspn(path, "/");
	if (!parse_id(path, len, &domid))
		return;
	if (!path[len]) {
		touch_all(s, true, domid);
		scan_domain(s, domid);
		return;
	}
	path += len + 1;
	if (parse_id(path, strcspn(path, "/"), &devid))
		touch(s, domid, devid);
}

static void frontend_event(struct supervisor *s, const char *token)
{
	unsigned int domid, devid;
	struct device *d;

	if (sscanf(token, "fe:%u:%u", &domid, &devid) != 2)
		return;
	d = device_find(s, domid, devid);
	if (d)
		d->dirty = true;
}

static void domains_released(struct supervisor *s)
{
	struct device *d;

	for (d = s->devices; d; d = d->next) {
		if (d->x.dead || s->store->ops->domain_alive(s->store, d->be.domid) ||
		    !d->seen_alive)
			continue;
		d->x.dead = true;
		d->dirty = true;
	}
}

void devices_store_event(struct supervisor *s)
{
	unsigned int i;
	char **v;

	for (i = 0; i < EVENTS_MAX; i++) {
		v = s->store->ops->next_event(s->store);
		if (!v)
			break;
		if (!strcmp(v[1], "be"))
			backend_event(s, v[0]);
		else if (!strcmp(v[1], "release"))
			domains_released(s);
		else
			frontend_event(s, v[1]);
		free(v);
	}
	devices_settle(s);
}

/* A guest can make its nodes change as fast as it likes; once a second is enough then. */
static bool too_often(struct device *d)
{
	ev_tstamp now = ev_now(d->s->loop);

	if (now - d->window >= 1.) {
		d->window = now;
		d->polls = 0;
	}
	if (++d->polls <= POLLS_MAX)
		return false;
	if (!ev_is_active(&d->later)) {
		ev_timer_set(&d->later, 1., 0.);
		ev_timer_start(d->s->loop, &d->later);
	}
	return true;
}

/* Poll who is due. True: a device is over, and its place may have been taken again. */
static bool settle_once(struct supervisor *s, bool *connected)
{
	struct device **p, *d, *old = NULL;

	*connected = false;
	for (p = &s->devices; (d = *p);) {
		if (d->dirty && !too_often(d)) {
			d->dirty = false;
			xenbus_poll(&d->x);
		}
		if (d->gone) {
			*p = d->next;
			d->next = old;
			old = d;
			continue;
		}
		*connected |= d->x.phase == XENBUS_CONNECTED;
		p = &d->next;
	}
	if (!old)
		return false;
	while ((d = old)) {
		uint32_t domid = d->be.domid, devid = d->be.devid;

		old = d->next;
		device_free(d);
		touch(s, domid, devid);
	}
	return true;
}

void devices_settle(struct supervisor *s)
{
	bool connected;
	int i;

	for (i = 0; i < 4 && settle_once(s, &connected); i++)
		;
	if (connected && s->class->tick && !ev_is_active(&s->tick))
		ev_timer_again(s->loop, &s->tick);
	else if (!connected)
		ev_timer_stop(s->loop, &s->tick);
}

void devices_free(struct supervisor *s)
{
	struct device *d;

	while ((d = s->devices)) {
		s->devices = d->next;
		if (d->x.probed)
			s->class->remove(&d->be);
		device_free(d);
	}
}
