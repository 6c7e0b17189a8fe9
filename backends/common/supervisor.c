/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The supervisor: start, loop, signals and command line. Devices are in
 * supervisor_device.c, worker processes in supervisor_worker.c.
 */
#include "backends/common/supervisor.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/common/supervisor_internal.h"
#include "build/config.h"

#define DEFAULT_UID_BASE 700000u

static void on_store(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop;
	(void)events;
	devices_store_event(io->data);
}

static void on_stop(struct ev_loop *loop, struct ev_signal *sig, int events)
{
	struct supervisor *s = sig->data;

	(void)events;
	s->stop = true;
	ev_break(loop, EVBREAK_ALL);
}

static void on_hup(struct ev_loop *loop, struct ev_signal *sig, int events)
{
	(void)loop;
	(void)events;
	supervisor_reload(sig->data);
}

static void on_tick(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct supervisor *s = t->data;
	struct device *d;

	(void)loop;
	(void)events;
	for (d = s->devices; d; d = d->next)
		if (d->x.phase == XENBUS_CONNECTED)
			s->class->tick(&d->be);
	devices_settle(s);
}

void supervisor_reload(struct supervisor *s)
{
	struct conf *fresh = conf_load(s->conf_path, s->class->conf_keys);
	struct conf *old = s->conf;
	struct device *d;

	if (!fresh) {
		log_error("%s: kept the configuration as it was", s->conf_path);
		return;
	}
	s->conf = fresh;
	for (d = s->devices; d; d = d->next) {
		d->be.conf = fresh;
		if (d->x.phase == XENBUS_CONNECTED)
			s->class->changed(&d->be);
	}
	conf_free(old);
	log_info("%s: read again", s->conf_path);
	devices_settle(s);
}

static int make_dirs(const char *path)
{
	char *copy = strdup(path), *p;
	int rc = 0;

	if (!copy)
		return -ENOMEM;
	for (p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = 0;
		if (mkdir(copy, 0755) && errno != EEXIST)
			rc = -errno;
		*p = '/';
	}
	if (mkdir(copy, 0700) && errno != EEXIST)
		rc = -errno;
	free(copy);
	return rc;
}

static int init_paths(struct supervisor *s)
{
	int rc;

	s->conf_path = strdup(s->o.conf_path ? s->o.conf_path : s->class->conf_path);
	if (s->o.runtime_dir)
		s->runtime_dir = strdup(s->o.runtime_dir);
	else if (asprintf(&s->runtime_dir, "/run/xylem/%s", s->class->name) < 0)
		s->runtime_dir = NULL;
	if (!s->conf_path || !s->runtime_dir)
		return -ENOMEM;
	rc = make_dirs(s->runtime_dir);
	if (rc)
		log_error("%s: %s", s->runtime_dir, strerror(-rc));
	return rc;
}

/* Our own domid: a path without a slash in front is below our own directory. */
static unsigned int own_domid(struct store *store)
{
	char *text = store_read(store, 0, "domid");
	unsigned int domid = 0;

	if (text && sscanf(text, "%u", &domid) != 1)
		domid = 0;
	free(text);
	return domid;
}

static int init_store(struct supervisor *s)
{
	s->store = s->o.store;
	if (!s->store) {
		s->store = store_open_xen();
		s->own_store = true;
	}
	if (!s->store) {
		log_error("cannot reach xenstored: %s", strerror(errno));
		return -errno;
	}
	if (asprintf(&s->root, "/local/domain/%u/backend/%s", own_domid(s->store),
		     s->class->type) < 0) {
		s->root = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int watch_store(struct supervisor *s)
{
	if (!s->store->ops->watch(s->store, s->root, "be") ||
	    !s->store->ops->watch(s->store, "@releaseDomain", "release")) {
		log_error("cannot watch %s: %s", s->root, strerror(errno));
		return -errno;
	}
	ev_io_init(&s->store_io, on_store, s->store->fd, EV_READ);
	s->store_io.data = s;
	ev_io_start(s->loop, &s->store_io);
	return 0;
}

static void start_signals(struct supervisor *s)
{
	ev_signal_init(&s->term, on_stop, SIGTERM);
	ev_signal_init(&s->interrupt, on_stop, SIGINT);
	ev_signal_init(&s->hup, on_hup, SIGHUP);
	s->term.data = s->interrupt.data = s->hup.data = s;
	ev_signal_start(s->loop, &s->term);
	ev_signal_start(s->loop, &s->interrupt);
	ev_signal_start(s->loop, &s->hup);
}

static int init(struct supervisor *s)
{
	int rc;

	/* Not the default loop: that one reaps every child, and we wait for ours. */
	s->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	s->packet = malloc(sizeof(*s->packet));
	s->attach = malloc(sizeof(*s->attach));
	if (!s->loop || !s->packet || !s->attach)
		return -ENOMEM;
	ev_timer_init(&s->tick, on_tick, 1., 1.);
	s->tick.data = s;
	rc = init_paths(s);
	if (rc)
		return rc;
	s->conf = conf_load(s->conf_path, s->class->conf_keys);
	if (!s->conf)
		return -EINVAL;
	rc = init_store(s);
	if (rc)
		return rc;
	workers_adopt(s);
	rc = watch_store(s);
	if (rc)
		return rc;
	/* A watch fires once when it is set: that event makes us look at everything. */
	devices_store_event(s);
	workers_drop_strays(s);
	stats_start(s);
	return 0;
}

struct supervisor *supervisor_new(const struct backend_class *class,
				  const struct supervisor_options *o)
{
	struct supervisor *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->class = class;
	s->o = *o;
	if (!s->o.uid_base)
		s->o.uid_base = class->uid_base ? class->uid_base : DEFAULT_UID_BASE;
	/* Cookies of an earlier supervisor must not come again. */
	s->cookie = (uint64_t)(ev_time() * 1e6);
	if (!init(s))
		return s;
	supervisor_free(s);
	return NULL;
}

void supervisor_run(struct supervisor *s)
{
	start_signals(s);
	while (!s->stop)
		ev_run(s->loop, 0);
}

static void on_turn(struct ev_loop *loop, struct ev_timer *t, int events)
{
	(void)loop;
	(void)t;
	(void)events;
}

void supervisor_turn(struct supervisor *s, unsigned int ms)
{
	struct ev_timer t;

	ev_timer_init(&t, on_turn, ms / 1000., 0.);
	ev_now_update(s->loop);
	ev_timer_start(s->loop, &t);
	ev_run(s->loop, EVRUN_ONCE);
	ev_timer_stop(s->loop, &t);
}

void supervisor_free(struct supervisor *s)
{
	stats_stop(s);
	devices_free(s);
	workers_free(s);
	if (s->store) {
		ev_io_stop(s->loop, &s->store_io);
		if (s->root) {
			s->store->ops->unwatch(s->store, s->root, "be");
			s->store->ops->unwatch(s->store, "@releaseDomain", "release");
		}
		if (s->own_store)
			s->store->ops->close(s->store);
	}
	if (s->conf)
		conf_free(s->conf);
	if (s->loop)
		ev_loop_destroy(s->loop);
	free(s->root);
	free(s->conf_path);
	free(s->runtime_dir);
	free(s->packet);
	free(s->attach);
	free(s);
}

void supervisor_each(struct supervisor *s, supervisor_visit *visit, void *arg)
{
	struct device *d;

	for (d = s->devices; d; d = d->next)
		visit(&d->be, xenbus_phase_name(d->x.phase), d->w ? d->w->pid : 0, arg);
}

/* ---- command line ---- */

static void usage(const struct backend_class *class, FILE *to)
{
	fprintf(to,
		"usage: %s [options]\n"
		"Serves the %s devices of Xen guests from dom0's user space.\n"
		"  -f, --conf FILE       configuration (default %s)\n"
		"      --runtime-dir DIR sockets (default /run/xylem/%s)\n"
		"      --uid-base N      a worker's uid and gid are N + domid (default "
		"%u)\n"
		"  -v, --verbose         say more\n"
		"      --foreground      stay in the foreground (always so)\n"
		"      --version, --help\n",
		class->name, class->type, class->conf_path, class->name,
		class->uid_base ? class->uid_base : DEFAULT_UID_BASE);
}

static bool parse_uid(const char *text, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (uint32_t)v;
	return *text >= '1' && *text <= '9' && !*end && v <= UINT32_MAX - 0x10000;
}

enum { OPT_RUNTIME = 256, OPT_UID, OPT_FOREGROUND, OPT_VERSION, OPT_HELP };

/* -1: go on; else the exit status. */
static int parse_options(const struct backend_class *class, int argc, char **argv,
			 struct supervisor_options *o)
{
	static const struct option options[] = {
		{"conf", required_argument, NULL, 'f'},
		{"runtime-dir", required_argument, NULL, OPT_RUNTIME},
		{"uid-base", required_argument, NULL, OPT_UID},
		{"verbose", no_argument, NULL, 'v'},
		{"foreground", no_argument, NULL, OPT_FOREGROUND},
		{"version", no_argument, NULL, OPT_VERSION},
		{"help", no_argument, NULL, OPT_HELP},
		{NULL, 0, NULL, 0},
	};
	int c;

	while ((c = getopt_long(argc, argv, "f:v", options, NULL)) != -1) {
		switch (c) {
		case 'f':
			o->conf_path = optarg;
			break;
		case 'v':
			o->log_level = LOG_LEVEL_DEBUG;
			break;
		case OPT_RUNTIME:
			o->runtime_dir = optarg;
			break;
		case OPT_UID:
			if (!parse_uid(optarg, &o->uid_base)) {
				fprintf(stderr, "%s: bad --uid-base\n", class->name);
				return 2;
			}
			break;
		case OPT_FOREGROUND:
			break;
		case OPT_VERSION:
			printf("%s (Xylem) %s\n", class->name, XYLEM_VERSION);
			return 0;
		case OPT_HELP:
			usage(class, stdout);
			return 0;
		default:
			usage(class, stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	usage(class, stderr);
	return 2;
}

/* sd_notify(3), READY=1: units ordered after us start when our watches are set. */
static void tell_service_manager(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t n = path ? strlen(path) : 0;
	int fd;

	if (!n || n >= sizeof(a.sun_path))
		return;
	memcpy(a.sun_path, path, n);
	if (path[0] == '@')
		a.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&a,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warn("cannot tell the service manager: %s", strerror(errno));
	close(fd);
}

int supervisor_main(const struct backend_class *class, int argc, char **argv)
{
	struct supervisor_options o = {.log_level = LOG_LEVEL_INFO};
	struct supervisor *s;
	int status = parse_options(class, argc, argv, &o);

	if (status >= 0)
		return status;
	signal(SIGPIPE, SIG_IGN);
	log_init(class->name, o.log_level);
	s = supervisor_new(class, &o);
	if (!s)
		return 1;
	log_info("serving %s", s->root);
	tell_service_manager();
	supervisor_run(s);
	log_info("ending; workers go on and will be found again");
	supervisor_free(s);
	return 0;
}
