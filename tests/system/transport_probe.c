/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The real transport and store tried in dom0 against itself: a grant of domain 0
 * to domain 0, an event channel with both ends here, its own corner of xenstore.
 * One line a check, as tests/system/lib.sh prints them. It also holds the loopback
 * to what Xen does: the same checks run there with the argument "loopback".
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>

#include "backends/common/loopback.h"
#include "backends/common/store.h"
#include "backends/common/transport.h"

static unsigned int failures;

static void check(const char *name, bool good)
{
	printf("%s %s%s\n", good ? "ok" : "FAIL", name, good ? "" : " (see errno below)");
	if (!good) {
		printf("     errno %d: %s\n", errno, strerror(errno));
		failures++;
	}
}

/* The guest's end, on either transport. */
struct guest {
	struct loopback *lb;
	xengntshr_handle *shr;
	xenevtchn_handle *evtchn;
	struct grants *grants;
	struct events *events;
	char *pages;
	uint32_t refs[2], readonly; /* refs are writable, @readonly is not */
	uint32_t port;
	uint32_t domid;
};

static bool open_loopback(struct guest *g)
{
	g->lb = loopback_new(3, 8, 1);
	if (!g->lb)
		return false;
	g->domid = LOOPBACK_DOMID;
	g->pages = loopback_frame(g->lb, 0);
	g->refs[0] = loopback_grant(g->lb, 0, false);
	g->refs[1] = loopback_grant(g->lb, 1, false);
	g->readonly = loopback_grant(g->lb, 2, true);
	g->grants = loopback_grants(g->lb);
	g->events = loopback_events(g->lb);
	g->port = loopback_port_alloc(g->lb);
	return g->events && g->port;
}

/* Linux refuses to restrict a descriptor to domain 0, so this one is not. */
static int open_evtchn_fd(void)
{
	return open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

static bool open_xen(struct guest *g)
{
	int fd = open_evtchn_fd(), port;

	g->events = fd >= 0 ? events_fdopen_xen(fd, 0) : NULL;
	g->grants = grants_open_xen(0);
	g->shr = xengntshr_open(NULL, 0);
	g->evtchn = xenevtchn_open(NULL, 0);
	if (!g->events || !g->grants || !g->shr || !g->evtchn)
		return false;
	g->pages = xengntshr_share_pages(g->shr, 0, 2, g->refs, 1);
	if (!g->pages || !xengntshr_share_pages(g->shr, 0, 1, &g->readonly, 0))
		return false;
	port = xenevtchn_bind_unbound_port(g->evtchn, 0);
	g->port = (uint32_t)port;
	return port > 0;
}

static bool guest_notify(struct guest *g)
{
	return g->lb ? !loopback_port_notify(g->lb, g->port)
		     : !xenevtchn_notify(g->evtchn, g->port);
}

static bool guest_notified(struct guest *g, int ms)
{
	struct pollfd p = {.fd = g->lb ? loopback_port_fd(g->lb, g->port)
				       : xenevtchn_fd(g->evtchn),
			   .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void try_map(struct guest *g)
{
	uint32_t refs[3] = {g->refs[1], g->refs[0], 0};
	char *m;

	strcpy(g->pages, "page 0");
	strcpy(g->pages + XEN_PAGE_SIZE, "page 1");
	m = grants_map(g->grants, refs, 2, PROT_READ | PROT_WRITE);
	check("map", m != NULL);
	if (!m)
		return;
	check("map-lays-pages-side-by-side",
	      !strcmp(m, "page 1") && !strcmp(m + XEN_PAGE_SIZE, "page 0"));
	strcpy(m + 100, "from the back");
	check("map-is-shared", !strcmp(g->pages + XEN_PAGE_SIZE + 100, "from the back"));
	check("unmap", !grants_unmap(g->grants, m, 2));
	refs[2] = 0xfffff;
	errno = 0;
	check("map-with-one-bad-reference-is-refused",
	      !grants_map(g->grants, refs, 3, PROT_READ) && errno);
	m = grants_map(g->grants, &g->readonly, 1, PROT_READ);
	check("map-read-only", m && !grants_unmap(g->grants, m, 1));
	errno = 0;
	check("map-read-only-for-writing-is-refused",
	      !grants_map(g->grants, &g->readonly, 1, PROT_READ | PROT_WRITE) && errno);
}

static xengnttab_grant_copy_segment_t from_guest(struct guest *g, uint32_t ref, void *to,
						 unsigned int offset, unsigned int len)
{
	xengnttab_grant_copy_segment_t s = {.len = (uint16_t)len,
					    .flags = GNTCOPY_source_gref};

	s.source.foreign.ref = ref;
	s.source.foreign.offset = (uint16_t)offset;
	s.source.foreign.domid = (uint16_t)g->domid;
	s.dest.virt = to;
	return s;
}

static void try_copy(struct guest *g)
{
	static char page[XEN_PAGE_SIZE] __attribute__((aligned(4096)));
	xengnttab_grant_copy_segment_t s[3];
	char *to = page;

	memset(g->pages, 'a', XEN_PAGE_SIZE);
	s[0] = from_guest(g, g->refs[0], to, 4000, 96);
	s[1] = from_guest(g, 0xfffff, to + 96, 0, 1);
	s[2] = from_guest(g, g->readonly, to + 97, 0, 1);
	s[2].flags = GNTCOPY_dest_gref;
	s[2].dest = s[2].source;
	s[2].source.virt = to;
	check("copy", !grants_copy(g->grants, s, 3));
	check("copy-good-segment",
	      s[0].status == GNTST_okay && to[0] == 'a' && to[95] == 'a' && !to[96]);
	printf("     status of a bad reference %d, of writing read-only %d\n",
	       s[1].status, s[2].status);
	check("copy-bad-reference-fails-its-segment", s[1].status == GNTST_bad_gntref);
	check("copy-to-read-only-fails-its-segment", s[2].status == GNTST_general_error);
	s[0] = from_guest(g, g->refs[0], to, 4000, 97);
	errno = 0;
	check("copy-across-a-page-is-refused",
	      grants_copy(g->grants, s, 1) == -1 && errno == EINVAL);
}

/* Ports that have fired within a second; -1: several reads or none. */
static int next_port(struct guest *g)
{
	struct pollfd p = {.fd = g->events->fd, .events = POLLIN};
	char buf[EVENTS_READ_SIZE];
	int ports[16];
	ssize_t n;

	if (poll(&p, 1, 1000) != 1)
		return -1;
	n = read(g->events->fd, buf, sizeof(buf));
	if (n < 0 || events_parse(g->events, buf, (unsigned int)n, ports, 16) != 1)
		return -1;
	return ports[0];
}

static bool quiet(struct guest *g)
{
	struct pollfd p = {.fd = g->events->fd, .events = POLLIN};

	return poll(&p, 1, 100) == 0;
}

static void try_events(struct guest *g)
{
	int back = events_bind(g->events, g->port);
	uint32_t unmask = (uint32_t)back;
	char buf[EVENTS_READ_SIZE];

	check("bind", back > 0);
	check("bind-again-is-refused", events_bind(g->events, g->port) == -1);
	check("a-port-fires-when-bound", next_port(g) == back);
	check("read-does-not-block",
	      read(g->events->fd, buf, sizeof(buf)) == -1 && errno == EAGAIN);
	check("notify-while-masked", guest_notify(g) && guest_notify(g) && quiet(g));
	check("unmask-delivers-it",
	      !events_unmask(g->events, back) && next_port(g) == back);
	if (g->events->ops->unmask_size)
		check("unmask-by-write", write(g->events->fd, &unmask, sizeof(unmask)) ==
						 (ssize_t)g->events->ops->unmask_size);
	else
		check("unmask", !events_unmask(g->events, back));
	check("several-were-one", quiet(g));
	check("notify-when-unmasked", guest_notify(g) && next_port(g) == back);
	check("front-is-quiet", !guest_notified(g, 100));
	check("notify-front", !events_notify(g->events, back) && guest_notified(g, 1000));
	if (g->lb)
		loopback_port_close(g->lb, g->port);
	else
		xenevtchn_unbind(g->evtchn, g->port);
	check("notify-a-closed-port-does-nothing", !events_notify(g->events, back));
	check("unbind", !events_unbind(g->events, back));
	check("unbind-again-is-refused", events_unbind(g->events, back) == -1);
}

static void try_restricted(void)
{
	int fd = events_open_restricted_fd(5);
	struct events *e;

	check("restricted-descriptor", fd >= 0);
	check("restricted-descriptor-flags", fd >= 0 &&
						     (fcntl(fd, F_GETFL) & O_NONBLOCK) &&
						     (fcntl(fd, F_GETFD) & FD_CLOEXEC));
	e = fd >= 0 ? events_fdopen_xen(fd, 0) : NULL;
	errno = 0;
	check("restricted-to-another-domain",
	      e && events_bind(e, 1) == -1 && errno == EACCES);
	if (e)
		events_close(e);
	errno = 0;
	check("restricting-to-domain-0-is-refused",
	      events_open_restricted_fd(0) == -1 && errno == EINVAL);
}

static bool event_is(struct store *s, const char *path)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	char **e = NULL;
	bool same;

	if (poll(&p, 1, 2000) == 1)
		e = s->ops->next_event(s);
	same = e && !strcmp(e[0], path) && !strcmp(e[1], "token");
	free(e);
	return same;
}

static void try_store_nodes(struct store *s, const char *top)
{
	char path[128], **list, *v;
	unsigned int n = 0;
	uint64_t num = 0;

	check("store-write-makes-parents", store_write(s, 0, "one", "%s/a/b", top));
	v = store_read(s, 0, "%s/a/b", top);
	check("store-read", v && !strcmp(v, "one"));
	free(v);
	check("store-put-number",
	      store_put_u64(s, 0, top, "n", UINT64_MAX) &&
		      !store_get_u64(s, 0, top, "n", 0, UINT64_MAX, &num) &&
		      num == UINT64_MAX);
	check("store-missing-number",
	      store_get_u64(s, 0, top, "m", 0, 1, &num) == -ENOENT);
	list = s->ops->list(s, 0, top, &n);
	check("store-list", list && n == 2);
	free(list);
	snprintf(path, sizeof(path), "%s/none", top);
	check("store-rm-of-nothing-succeeds", s->ops->rm(s, 0, path));
	snprintf(path, sizeof(path), "%s/none/below", top);
	check("store-rm-below-nothing-fails", !s->ops->rm(s, 0, path) && errno == ENOENT);
}

static void try_store_watches(struct store *s, const char *top)
{
	char above[128], leaf[128];

	snprintf(above, sizeof(above), "%s/w", top);
	snprintf(leaf, sizeof(leaf), "%s/w/x/y", top);
	check("store-watch-fires-when-set",
	      s->ops->watch(s, above, "token") && event_is(s, above));
	check("store-watch-again-is-refused",
	      !s->ops->watch(s, above, "token") && errno == EEXIST);
	check("store-watch-below",
	      store_write(s, 0, "1", "%s", leaf) && event_is(s, leaf));
	s->ops->watch(s, leaf, "token");
	event_is(s, leaf);
	snprintf(above, sizeof(above), "%s/w/x", top);
	check("store-rm-of-subtree", s->ops->rm(s, 0, above));
	check("store-rm-fires-the-leaf-first", event_is(s, leaf));
	check("store-rm-fires-those-above", event_is(s, above));
	check("store-no-more-events", !s->ops->next_event(s) && errno == EAGAIN);
	snprintf(above, sizeof(above), "%s/w", top);
	check("store-unwatch",
	      s->ops->unwatch(s, above, "token") && s->ops->unwatch(s, leaf, "token"));
	check("store-unwatch-again-is-refused",
	      !s->ops->unwatch(s, leaf, "token") && errno == ENOENT);
}

static void try_store_transactions(struct store *s, const char *top)
{
	store_txn t = s->ops->begin(s);
	char *v;

	check("store-begin", t != 0);
	free(store_read(s, t, "%s/a/b", top));
	store_write(s, t, "in", "%s/a/b", top);
	store_write(s, 0, "out", "%s/a/b", top);
	check("store-conflict", !s->ops->end(s, t, false) && errno == EAGAIN);
	t = s->ops->begin(s);
	store_write(s, t, "in", "%s/a/b", top);
	check("store-commit", s->ops->end(s, t, false));
	v = store_read(s, 0, "%s/a/b", top);
	check("store-committed", v && !strcmp(v, "in"));
	free(v);
}

static void try_store(struct store *s)
{
	static const char top[] = "/tool/xylem-probe";

	check("store-open", s != NULL);
	if (!s)
		return;
	s->ops->rm(s, 0, top);
	try_store_nodes(s, top);
	try_store_watches(s, top);
	try_store_transactions(s, top);
	check("store-domain-0-is-alive", s->ops->domain_alive(s, 0));
	check("store-domain-4711-is-not", !s->ops->domain_alive(s, 4711));
	s->ops->rm(s, 0, top);
	s->ops->close(s);
}

int main(int argc, char **argv)
{
	bool loopback = argc > 1 && !strcmp(argv[1], "loopback");
	struct guest g = {0};
	bool opened;

	setvbuf(stdout, NULL, _IOLBF, 0);
	opened = loopback ? open_loopback(&g) : open_xen(&g);
	check("open", opened);
	if (opened) {
		try_map(&g);
		try_copy(&g);
		try_events(&g);
		if (!loopback)
			try_restricted();
		events_close(g.events);
		grants_close(g.grants);
	}
	try_store(loopback ? store_open_mem() : store_open_xen());
	loopback_free(g.lb);
	return failures != 0;
}
