/* SPDX-License-Identifier: GPL-2.0-only */
/* frontends/os.h over the loopback transport. */
#include "tests/unit/front_loopback.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct front_loopback *of(struct front_os *os)
{
	return (struct front_loopback *)os;
}

static bool fails(struct front_loopback *fl)
{
	return __atomic_add_fetch(&fl->calls, 1, __ATOMIC_RELAXED) == fl->fail_at;
}

static void *fl_alloc(struct front_os *os, size_t size)
{
	void *p = fails(of(os)) ? NULL : calloc(1, size ? size : 1);

	of(os)->allocs += p != NULL;
	return p;
}

static void fl_free(struct front_os *os, void *p)
{
	of(os)->allocs -= p != NULL;
	free(p);
}

static void *fl_pages_alloc(struct front_os *os, unsigned int n)
{
	struct front_loopback *fl = of(os);
	unsigned int run = 0, i;

	if (fails(fl) || n == 0)
		return NULL;
	for (i = 0; i < fl->nr_frames && run < n; i++)
		run = fl->used[i] ? 0 : run + 1;
	if (run < n)
		return NULL;
	i -= n;
	memset(fl->used + i, 1, n);
	fl->pages += n;
	return memset(loopback_frame(fl->lb, fl->first_frame + i), 0,
		      (size_t)n * FRONT_PAGE_SIZE);
}

static unsigned int frame_of(struct front_loopback *fl, void *page)
{
	uintptr_t base = (uintptr_t)loopback_frame(fl->lb, 0);

	assert((uintptr_t)page >= base && (uintptr_t)page % FRONT_PAGE_SIZE == 0);
	return (unsigned int)(((uintptr_t)page - base) / FRONT_PAGE_SIZE);
}

static void fl_pages_free(struct front_os *os, void *pages, unsigned int n)
{
	struct front_loopback *fl = of(os);
	unsigned int i = frame_of(fl, pages) - fl->first_frame;

	assert(i + n <= fl->nr_frames && fl->used[i] && fl->used[i + n - 1]);
	memset(fl->used + i, 0, n);
	fl->pages -= n;
}

static uint32_t fl_grant(struct front_os *os, void *page, bool readonly)
{
	struct front_loopback *fl = of(os);
	uint32_t ref =
		fails(fl) ? 0 : loopback_grant(fl->lb, frame_of(fl, page), readonly);

	/* queues of one device may grant from several threads */
	if (ref)
		__atomic_fetch_add(&fl->grants, 1, __ATOMIC_RELAXED);
	return ref;
}

static int fl_grant_end(struct front_os *os, uint32_t ref)
{
	int err = loopback_end_access(of(os)->lb, ref);

	assert(err == 0 || err == -EBUSY);
	if (err == 0)
		__atomic_fetch_sub(&of(os)->grants, 1, __ATOMIC_RELAXED);
	return err ? FRONT_BUSY : FRONT_OK;
}

static uint32_t fl_port_alloc(struct front_os *os)
{
	uint32_t port = fails(of(os)) ? 0 : loopback_port_alloc(of(os)->lb);

	of(os)->ports += port != 0;
	return port;
}

static void fl_port_close(struct front_os *os, uint32_t port)
{
	of(os)->ports--;
	loopback_port_close(of(os)->lb, port);
}

static void fl_port_notify(struct front_os *os, uint32_t port)
{
	loopback_port_notify(of(os)->lb, port);
}

static struct front_loopback_node *find(struct front_loopback *fl, enum front_side side,
					const char *name, bool create)
{
	struct front_loopback_node *n = fl->node[side];

	for (unsigned int i = 0; i < FRONT_LOOPBACK_NODES; i++, n++) {
		if (!strcmp(n->name, name))
			return n;
		if (!n->name[0]) {
			if (!create)
				return NULL;
			assert(strlen(name) < sizeof(n->name));
			strcpy(n->name, name);
			return n;
		}
	}
	return NULL;
}

static int fl_get(struct front_os *os, enum front_side side, const char *node, char *buf,
		  size_t size)
{
	struct front_loopback *fl = of(os);
	struct front_loopback_node *n;
	char *value = NULL;
	int len = FRONT_STORE;

	if (fl->store)
		value = store_read(fl->store, 0, "%s/%s", fl->dir[side], node);
	else if ((n = find(fl, side, node, false)))
		value = strdup(n->value);
	if (value && strlen(value) < size)
		len = (int)strlen(strcpy(buf, value));
	free(value);
	return len;
}

static int fl_put(struct front_os *os, const char *node, const char *value)
{
	struct front_loopback *fl = of(os);
	struct front_loopback_node *n;

	if (fails(fl))
		return FRONT_STORE;
	if (fl->store)
		return store_write(fl->store, 0, value, "%s/%s", fl->dir[FRONT_DIR], node)
			       ? FRONT_OK
			       : FRONT_STORE;
	n = find(fl, FRONT_DIR, node, true);
	if (!n || strlen(value) >= sizeof(n->value))
		return FRONT_STORE;
	strcpy(n->value, value);
	return FRONT_OK;
}

static const struct front_os_ops ops = {
	.alloc = fl_alloc,
	.free = fl_free,
	.pages_alloc = fl_pages_alloc,
	.pages_free = fl_pages_free,
	.grant = fl_grant,
	.grant_end = fl_grant_end,
	.port_alloc = fl_port_alloc,
	.port_close = fl_port_close,
	.port_notify = fl_port_notify,
	.get = fl_get,
	.put = fl_put,
};

int front_loopback_init(struct front_loopback *fl, struct loopback *lb,
			unsigned int first, unsigned int frames)
{
	memset(fl, 0, sizeof(*fl));
	fl->os.ops = &ops;
	fl->lb = lb;
	fl->first_frame = first;
	fl->nr_frames = frames;
	fl->used = calloc(frames, 1);
	return fl->used ? 0 : -ENOMEM;
}

void front_loopback_fini(struct front_loopback *fl)
{
	free(fl->used);
	fl->used = NULL;
}

void front_loopback_use_store(struct front_loopback *fl, struct store *store,
			      const char *front, const char *back)
{
	fl->store = store;
	snprintf(fl->dir[FRONT_DIR], sizeof(fl->dir[0]), "%s", front);
	snprintf(fl->dir[BACK_DIR], sizeof(fl->dir[0]), "%s", back);
}

void front_loopback_set_back(struct front_loopback *fl, const char *node,
			     const char *value)
{
	struct front_loopback_node *n = find(fl, BACK_DIR, node, true);

	assert(n && strlen(value) < sizeof(n->value));
	strcpy(n->value, value);
}

const char *front_loopback_front(const struct front_loopback *fl, const char *node)
{
	const struct front_loopback_node *n =
		find((struct front_loopback *)fl, FRONT_DIR, node, false);

	return n ? n->value : NULL;
}

uint64_t front_loopback_number(const struct front_loopback *fl, const char *node)
{
	const char *v = front_loopback_front(fl, node);

	return v ? strtoull(v, NULL, 10) : 0;
}

void front_loopback_fail(struct front_loopback *fl, uint64_t nth)
{
	fl->fail_at = nth ? fl->calls + nth : 0;
}
