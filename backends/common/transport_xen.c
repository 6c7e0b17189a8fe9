/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The real transport: /dev/xen/gntdev and /dev/xen/evtchn through libxengnttab
 * and libxenevtchn. Both libraries only make system calls on the descriptor here,
 * so the grant handle may be used by all threads at once.
 */
#include "backends/common/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/sys/gntalloc.h>
#include <xenevtchn.h>
#include <xentoollog.h>

/*
 * libxengnttab writes a line for each map that fails, and a guest can make maps
 * fail as fast as it likes: errno tells the caller, who logs with a limit.
 */
static void quiet_vmessage(struct xentoollog_logger *l, xentoollog_level level,
			   int errnoval, const char *context, const char *format,
			   va_list al)
{
	(void)l;
	(void)level;
	(void)errnoval;
	(void)context;
	(void)format;
	(void)al;
}

static void quiet_progress(struct xentoollog_logger *l, const char *context,
			   const char *doing, int percent, unsigned long done,
			   unsigned long total)
{
	(void)l;
	(void)context;
	(void)doing;
	(void)percent;
	(void)done;
	(void)total;
}

static void quiet_destroy(struct xentoollog_logger *l)
{
	(void)l; /* static */
}

static struct xentoollog_logger quiet = {
	.vmessage = quiet_vmessage,
	.progress = quiet_progress,
	.destroy = quiet_destroy,
};

/* ---- grants ---- */

struct xen_grants {
	struct grants grants;
	xengnttab_handle *handle;
	int gntalloc; /* /dev/xen/gntalloc, or -1: no pools */
};

static xengnttab_handle *gnttab(struct grants *g)
{
	return ((struct xen_grants *)g)->handle;
}

static void *xen_map(struct grants *g, const uint32_t *refs, unsigned int n, int prot)
{
	if (!n) {
		errno = EINVAL;
		return NULL;
	}
	/* The library's prototype lacks a const; it only reads the array. */
	return xengnttab_map_domain_grant_refs(gnttab(g), n, g->domid,
					       (uint32_t *)(uintptr_t)refs, prot);
}

static int xen_unmap(struct grants *g, void *addr, unsigned int n)
{
	return xengnttab_unmap(gnttab(g), addr, n) ? -1 : 0;
}

static int xen_copy(struct grants *g, xengnttab_grant_copy_segment_t *segs,
		    unsigned int n)
{
	return xengnttab_grant_copy(gnttab(g), n, segs) ? -1 : 0;
}

/*
 * Pools: pages that this domain grants to itself (xen/sys/gntalloc.h). A copy
 * between two grants spares Linux the lookup and pinning of a page of ours, which
 * costs a paravirtualised dom0 about as much as the copy. Granted to domain 0: where
 * this runs in another domain, or a hypervisor refuses such a copy, the trial below
 * fails and there are no pools.
 */
#define POOL_DOMID 0

static int pool_trial(struct grants *g, const struct grants_pool *p)
{
	static const char word[8] = "a trial";
	xengnttab_grant_copy_segment_t seg = {
		.source.foreign = {p->refs[0], 0, GRANTS_POOL_DOMID},
		.dest.foreign = {p->refs[p->pages - 1], XEN_PAGE_SIZE / 2, GRANTS_POOL_DOMID},
		.len = sizeof(word),
		.flags = GNTCOPY_source_gref | GNTCOPY_dest_gref,
	};
	char *last = (char *)p->addr + (size_t)(p->pages - 1) * XEN_PAGE_SIZE;

	memcpy(p->addr, word, sizeof(word));
	if (xengnttab_grant_copy(gnttab(g), 1, &seg) || seg.status != GNTST_okay ||
	    memcmp(last + XEN_PAGE_SIZE / 2, word, sizeof(word)))
		return -EOPNOTSUPP;
	return 0;
}

/* The pages live on while they are mapped; the references end with them. */
static void pool_dealloc(int fd, uint64_t index, unsigned int pages)
{
	struct ioctl_gntalloc_dealloc_gref d = {.index = index, .count = pages};

	ioctl(fd, IOCTL_GNTALLOC_DEALLOC_GREF, &d);
}

static void xen_pool_free(struct grants *g, struct grants_pool *p)
{
	munmap(p->addr, (size_t)p->pages * XEN_PAGE_SIZE);
	pool_dealloc(((struct xen_grants *)g)->gntalloc, p->index, p->pages);
	free(p->refs);
	memset(p, 0, sizeof(*p));
}

static int xen_pool(struct grants *g, struct grants_pool *p, unsigned int pages)
{
	int fd = ((struct xen_grants *)g)->gntalloc, ret;
	struct ioctl_gntalloc_alloc_gref *a;

	if (fd < 0 || !pages)
		return -EOPNOTSUPP;
	a = calloc(1, sizeof(*a) + pages * sizeof(a->gref_ids[0]));
	p->refs = calloc(pages, sizeof(*p->refs));
	ret = -ENOMEM;
	if (!a || !p->refs)
		goto out;
	a->domid = POOL_DOMID;
	a->flags = GNTALLOC_FLAG_WRITABLE;
	a->count = pages;
	if (ioctl(fd, IOCTL_GNTALLOC_ALLOC_GREF, a)) {
		ret = -errno;
		goto out;
	}
	memcpy(p->refs, a->gref_ids, pages * sizeof(*p->refs));
	p->index = a->index;
	p->pages = pages;
	p->addr = mmap(NULL, (size_t)pages * XEN_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED, fd, (off_t)a->index);
	if (p->addr == MAP_FAILED) {
		ret = -errno;
		pool_dealloc(fd, p->index, pages);
		goto out;
	}
	free(a);
	ret = pool_trial(g, p);
	if (ret)
		xen_pool_free(g, p);
	return ret;
out:
	free(a);
	free(p->refs);
	memset(p, 0, sizeof(*p));
	return ret;
}

static void xen_grants_close(struct grants *g)
{
	struct xen_grants *x = (struct xen_grants *)g;

	if (x->gntalloc >= 0)
		close(x->gntalloc);
	xengnttab_close(x->handle);
	free(g);
}

static const struct grants_ops xen_grants_ops = {
	.pool = xen_pool, .pool_free = xen_pool_free,
	.map = xen_map,
	.unmap = xen_unmap,
	.copy = xen_copy,
	.close = xen_grants_close,
};

/*
 * The module's bound on granted pages is for all of this domain, and its default is
 * two queues' worth. Half of dom0's grant table (32768 entries by default, one a
 * page): the rest is for its own frontends, xenconsoled and xenstored. Best effort:
 * without it later queues get no pools.
 */
static void raise_gntalloc_limit(void)
{
	const unsigned long pages = 16384;
	int fd = open("/sys/module/xen_gntalloc/parameters/limit", O_RDWR | O_CLOEXEC);
	char text[16] = "";
	int n;

	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 && strtoul(text, NULL, 10) < pages) {
		n = snprintf(text, sizeof(text), "%lu\n", pages);
		if (write(fd, text, (size_t)n) < 0)
			errno = 0; /* as it was, then */
	}
	close(fd);
}

struct grants *grants_open_xen(uint32_t domid)
{
	struct xen_grants *x = calloc(1, sizeof(*x));
	int err;

	if (!x)
		return NULL;
	x->handle = xengnttab_open(&quiet, 0);
	if (!x->handle) {
		err = errno;
		free(x);
		errno = err;
		return NULL;
	}
	x->gntalloc = -1;
	x->grants.ops = &xen_grants_ops;
	x->grants.domid = domid;
	return &x->grants;
}

struct grants *grants_open_xen_pools(uint32_t domid)
{
	struct grants *g = grants_open_xen(domid);
	struct xen_grants *x = (struct xen_grants *)g;

	if (!g)
		return NULL;
	raise_gntalloc_limit();
	x->gntalloc = open("/dev/xen/gntalloc", O_RDWR | O_CLOEXEC); /* may be missing */
	return g;
}

/* ---- event channels ---- */

struct xen_events {
	struct events events;
	xenevtchn_handle *handle;
	uint32_t domid;
};

static xenevtchn_handle *evtchn(struct events *e)
{
	return ((struct xen_events *)e)->handle;
}

static int xen_bind(struct events *e, uint32_t remote_port)
{
	return xenevtchn_bind_interdomain(evtchn(e), ((struct xen_events *)e)->domid,
					  remote_port);
}

static int xen_unbind(struct events *e, int port)
{
	return xenevtchn_unbind(evtchn(e), (evtchn_port_t)port) ? -1 : 0;
}

static int xen_notify(struct events *e, int port)
{
	return xenevtchn_notify(evtchn(e), (evtchn_port_t)port) ? -1 : 0;
}

/* A read of /dev/xen/evtchn gives an array of ports, 32 bits each. */
static unsigned int xen_parse(struct events *e, const void *buf, unsigned int len,
			      int *ports, unsigned int max)
{
	unsigned int n;
	uint32_t port;

	(void)e;
	for (n = 0; n < max && (n + 1) * sizeof(port) <= len; n++) {
		memcpy(&port, (const char *)buf + n * sizeof(port), sizeof(port));
		ports[n] = (int)port;
	}
	return n;
}

static int xen_unmask(struct events *e, int port)
{
	return xenevtchn_unmask(evtchn(e), (evtchn_port_t)port) ? -1 : 0;
}

static void xen_events_close(struct events *e)
{
	xenevtchn_close(evtchn(e)); /* the kernel unbinds what is still bound */
	free(e);
}

static const struct events_ops xen_events_ops = {
	.bind = xen_bind,
	.unbind = xen_unbind,
	.notify = xen_notify,
	.parse = xen_parse,
	.unmask = xen_unmask,
	.close = xen_events_close,
	.unmask_size = sizeof(uint32_t),
};

struct events *events_fdopen_xen(int fd, uint32_t domid)
{
	struct xen_events *x = calloc(1, sizeof(*x));
	int err;

	if (!x) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	x->handle = xenevtchn_fdopen(&quiet, fd, 0);
	if (!x->handle) {
		err = errno;
		close(fd);
		free(x);
		errno = err;
		return NULL;
	}
	x->events.ops = &xen_events_ops;
	x->events.fd = fd;
	x->domid = domid;
	return &x->events;
}

/* A descriptor of @handle's device that outlives it, non-blocking and close-on-exec. */
static int take_fd(xenevtchn_handle *handle)
{
	int flags, err, fd = fcntl(xenevtchn_fd(handle), F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -1;
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && !fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

int events_open_restricted_fd(uint32_t domid)
{
	xenevtchn_handle *handle = xenevtchn_open(&quiet, 0);
	int fd = -1, err;

	if (!handle)
		return -1;
	if (!xenevtchn_restrict(handle, (domid_t)domid))
		fd = take_fd(handle);
	err = errno;
	xenevtchn_close(handle);
	errno = err;
	return fd;
}
