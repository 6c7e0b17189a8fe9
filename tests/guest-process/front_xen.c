/* SPDX-License-Identifier: GPL-2.0-only */
/* frontends/os.h for a process inside a Linux guest. */
#include "tests/guest-process/front_xen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct front_xen *of(struct front_os *os)
{
	return (struct front_xen *)os;
}

static void *fx_alloc(struct front_os *os, size_t size)
{
	(void)os;
	return calloc(1, size ? size : 1);
}

static void fx_free(struct front_os *os, void *p)
{
	(void)os;
	free(p);
}

static void *fx_pages_alloc(struct front_os *os, unsigned int n)
{
	struct front_xen *fx = of(os);
	struct front_xen_block *b = fx->block;

	while (b < fx->block + FRONT_XEN_BLOCKS && b->pages)
		b++;
	if (b == fx->block + FRONT_XEN_BLOCKS || n == 0)
		return NULL;
	b->ref = calloc(n, sizeof(*b->ref));
	if (!b->ref)
		return NULL;
	/* the kernel clears the pages; each is granted from here on, for writing */
	b->pages = xengntshr_share_pages(fx->gntshr, fx->domid, (int)n, b->ref, 1);
	if (!b->pages) {
		free(b->ref);
		b->ref = NULL;
		return NULL;
	}
	b->n = n;
	return b->pages;
}

static void free_block(struct front_xen *fx, struct front_xen_block *b)
{
	/* the kernel keeps a page that is still mapped until it no longer is */
	xengntshr_unshare(fx->gntshr, b->pages, b->n);
	free(b->ref);
	memset(b, 0, sizeof(*b));
}

static struct front_xen_block *block_of(struct front_xen *fx, const void *page)
{
	for (struct front_xen_block *b = fx->block; b < fx->block + FRONT_XEN_BLOCKS; b++)
		if (b->pages && (const uint8_t *)page >= b->pages &&
		    (const uint8_t *)page < b->pages + (size_t)b->n * FRONT_PAGE_SIZE)
			return b;
	return NULL;
}

static void fx_pages_free(struct front_os *os, void *pages, unsigned int n)
{
	struct front_xen_block *b = block_of(of(os), pages);

	if (b && b->n == n)
		free_block(of(os), b);
}

static uint32_t fx_grant(struct front_os *os, void *page, bool readonly)
{
	struct front_xen_block *b = block_of(of(os), page);

	(void)readonly; /* gntalloc grants when it allocates */
	return b ? b->ref[((uint8_t *)page - b->pages) / FRONT_PAGE_SIZE] : 0;
}

static int fx_grant_end(struct front_os *os, uint32_t ref)
{
	(void)os;
	(void)ref; /* ends with the page */
	return FRONT_OK;
}

static uint32_t fx_port_alloc(struct front_os *os)
{
	xenevtchn_port_or_error_t p =
		xenevtchn_bind_unbound_port(of(os)->evtchn, of(os)->domid);

	return p > 0 ? (uint32_t)p : 0;
}

static void fx_port_close(struct front_os *os, uint32_t port)
{
	xenevtchn_unbind(of(os)->evtchn, port);
}

static void fx_port_notify(struct front_os *os, uint32_t port)
{
	xenevtchn_notify(of(os)->evtchn, port);
}

static void node_path(struct front_xen *fx, enum front_side side, const char *node,
		      char out[512])
{
	snprintf(out, 512, "%s/%s", fx->dir[side], node);
}

static int fx_get(struct front_os *os, enum front_side side, const char *node, char *buf,
		  size_t size)
{
	char path[512], *value;
	unsigned int len;
	int ret = FRONT_STORE;

	node_path(of(os), side, node, path);
	value = xs_read(of(os)->xs, XBT_NULL, path, &len);
	if (value && len < size && strlen(value) == len) {
		memcpy(buf, value, len + 1);
		ret = (int)len;
	}
	free(value);
	return ret;
}

static int fx_put(struct front_os *os, const char *node, const char *value)
{
	return front_xen_write_raw(of(os), node, value, (unsigned int)strlen(value));
}

static const struct front_os_ops ops = {
	.alloc = fx_alloc,
	.free = fx_free,
	.pages_alloc = fx_pages_alloc,
	.pages_free = fx_pages_free,
	.grant = fx_grant,
	.grant_end = fx_grant_end,
	.port_alloc = fx_port_alloc,
	.port_close = fx_port_close,
	.port_notify = fx_port_notify,
	.get = fx_get,
	.put = fx_put,
};

int front_xen_write_raw(struct front_xen *fx, const char *node, const void *data,
			unsigned int n)
{
	char path[512];

	node_path(fx, FRONT_DIR, node, path);
	return xs_write(fx->xs, XBT_NULL, path, data, n) ? FRONT_OK : FRONT_STORE;
}

void front_xen_rm(struct front_xen *fx, const char *node)
{
	char path[512];

	node_path(fx, FRONT_DIR, node, path);
	xs_rm(fx->xs, XBT_NULL, path);
}

static int missing(const char *what)
{
	int err = errno;

	fprintf(stderr, "hostile-front: %s: %s\n", what, strerror(err));
	errno = err;
	return -1;
}

int front_xen_open(struct front_xen *fx, const char *frontend)
{
	char buf[256];

	memset(fx, 0, sizeof(*fx));
	fx->os.ops = &ops;
	snprintf(fx->dir[FRONT_DIR], sizeof(fx->dir[0]), "%s", frontend);
	fx->xs = xs_open(0);
	if (!fx->xs)
		return missing("xenstore (is xenfs mounted, or /dev/xen/xenbus there?)");
	fx->gntshr = xengntshr_open(NULL, 0);
	if (!fx->gntshr)
		return missing("/dev/xen/gntalloc (module xen-gntalloc)");
	fx->evtchn = xenevtchn_open(NULL, 0);
	if (!fx->evtchn)
		return missing("/dev/xen/evtchn (module xen-evtchn)");
	if (fx_get(&fx->os, FRONT_DIR, "backend-id", buf, sizeof(buf)) < 0)
		return missing("backend-id of the device");
	fx->domid = (uint32_t)strtoul(buf, NULL, 10);
	if (fx_get(&fx->os, FRONT_DIR, "backend", fx->dir[BACK_DIR], sizeof(fx->dir[0])) <
	    0)
		return missing("backend of the device");
	return 0;
}

void front_xen_close(struct front_xen *fx)
{
	for (struct front_xen_block *b = fx->block; b < fx->block + FRONT_XEN_BLOCKS; b++)
		if (b->pages)
			free_block(fx, b);
	if (fx->evtchn)
		xenevtchn_close(fx->evtchn);
	if (fx->gntshr)
		xengntshr_close(fx->gntshr);
	if (fx->xs)
		xs_close(fx->xs);
	memset(fx, 0, sizeof(*fx));
}

uint32_t front_xen_wait(struct front_xen *fx, int ms)
{
	struct pollfd p = {.fd = xenevtchn_fd(fx->evtchn), .events = POLLIN};
	xenevtchn_port_or_error_t port;

	if (poll(&p, 1, ms) != 1)
		return 0;
	port = xenevtchn_pending(fx->evtchn);
	if (port <= 0)
		return 0;
	xenevtchn_unmask(fx->evtchn, (evtchn_port_t)port);
	return (uint32_t)port;
}
