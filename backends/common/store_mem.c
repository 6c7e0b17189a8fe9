/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The in-memory store: one tree (store_tree.h), connections with watches and an
 * event queue, transactions that work on a copy and fail when something they
 * touched has changed meanwhile. Behaves as xenstored does where a backend could
 * tell (docs/misc/xenstore.txt in Xen's documentation); permissions are left out.
 */
#include "backends/common/store_mem.h"
#include "backends/common/store_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xen/io/xs_wire.h>

struct change {
	char *path, *value; /* value NULL: removed */
	unsigned int len;
};

/* A node a transaction has looked at or changed, and its generation at the start (0:
 * it was not there). */
struct touched {
	char *path;
	uint64_t generation;
};

struct txn {
	struct txn *next;
	store_txn id;
	struct tree tree;
	struct change *changes;
	struct touched *touched;
	size_t nr_changes, nr_touched;
};

struct watch {
	struct watch *next;
	char *path, *token;
};

struct event {
	struct event *next;
	char **text; /* what next_event() returns */
};

struct conn {
	struct store store;
	struct world *world;
	struct conn *next;
	struct watch *watches;
	struct event *events, **events_tail;
	struct txn *txns;
	store_txn last_txn;
	uint64_t calls, fail_at;
	int fail_err;
};

struct world {
	struct tree tree;
	struct conn *conns;
	uint64_t generation;
	uint32_t *domains;
	size_t nr_domains;
};

/* ---- events ---- */

/* { path, token } in one allocation. */
static char **make_event_text(const char *path, const char *token)
{
	size_t plen = strlen(path) + 1, tlen = strlen(token) + 1;
	char **text = malloc(2 * sizeof(char *) + plen + tlen);

	if (text) {
		text[0] = (char *)(text + 2);
		text[1] = text[0] + plen;
		memcpy(text[0], path, plen);
		memcpy(text[1], token, tlen);
	}
	return text;
}

/* Out of memory ends the test: a lost event would make it lie. */
static void queue_event(struct conn *c, const char *path, const char *token)
{
	struct event *e = malloc(sizeof(*e));
	uint64_t one = 1;

	if (!e)
		abort();
	e->next = NULL;
	e->text = make_event_text(path, token);
	if (!e->text ||
	    (!c->events && write(c->store.fd, &one, sizeof(one)) != sizeof(one)))
		abort();
	*c->events_tail = e;
	c->events_tail = &e->next;
}

/* @exact: only watches of the very node, for what goes with a removed parent. */
static void fire(struct world *w, const char *path, bool exact)
{
	struct conn *c;
	struct watch *watch;

	for (c = w->conns; c; c = c->next)
		for (watch = c->watches; watch; watch = watch->next)
			if (!strcmp(path, watch->path) ||
			    (!exact && path[0] == '/' && watch->path[0] == '/' &&
			     path_below(path, watch->path)))
				queue_event(c, path, watch->token);
}

static char **mem_next_event(struct store *s)
{
	struct conn *c = (struct conn *)s;
	struct event *e = c->events;
	uint64_t count;
	char **text;

	if (!e) {
		errno = EAGAIN;
		return NULL;
	}
	c->events = e->next;
	if (!c->events) {
		c->events_tail = &c->events;
		if (read(s->fd, &count, sizeof(count)) != sizeof(count))
			abort();
	}
	text = e->text;
	free(e);
	return text;
}

/* ---- transactions ---- */

/* Count an operation; false with errno when it is the one to fail. */
static bool op_start(struct conn *c)
{
	c->calls++;
	if (!c->fail_at || c->calls != c->fail_at)
		return true;
	errno = c->fail_err;
	return false;
}

static struct txn *txn_find(struct conn *c, store_txn id)
{
	struct txn *t;

	for (t = c->txns; t && t->id != id; t = t->next)
		;
	if (!t)
		errno = ENOENT;
	return t;
}

/* The tree that an operation in transaction @id works on; NULL with errno. */
static struct tree *tree_of(struct conn *c, store_txn id, struct txn **txn)
{
	*txn = id ? txn_find(c, id) : NULL;
	if (id)
		return *txn ? &(*txn)->tree : NULL;
	return &c->world->tree;
}

/* Remember, before a transaction changes it, what it relied on. */
static bool txn_touch(struct txn *t, const char *path, size_t len)
{
	struct touched *list;
	struct node *n;
	size_t i;

	if (!t)
		return true;
	for (i = 0; i < t->nr_touched; i++)
		if (!strncmp(t->touched[i].path, path, len) && !t->touched[i].path[len])
			return true;
	list = realloc(t->touched, (i + 1) * sizeof(*list));
	if (!list)
		return false;
	t->touched = list;
	n = tree_find(&t->tree, path, len);
	list[i].generation = n ? n->generation : 0;
	list[i].path = dup_bytes(path, len);
	if (!list[i].path)
		return false;
	t->nr_touched++;
	return true;
}

static bool txn_record(struct txn *t, const char *path, const void *data,
		       unsigned int len)
{
	struct change *list = realloc(t->changes, (t->nr_changes + 1) * sizeof(*list));
	struct change *c;

	if (!list)
		return false;
	t->changes = list;
	c = &list[t->nr_changes];
	c->path = dup_bytes(path, strlen(path));
	c->value = data ? dup_bytes(data, len) : NULL;
	c->len = len;
	if (!c->path || (data && !c->value)) {
		free(c->path);
		free(c->value);
		return false;
	}
	t->nr_changes++;
	return true;
}

static void txn_free(struct conn *c, struct txn *t)
{
	struct txn **p;
	size_t i;

	for (p = &c->txns; *p != t; p = &(*p)->next)
		;
	*p = t->next;
	for (i = 0; i < t->nr_changes; i++) {
		free(t->changes[i].path);
		free(t->changes[i].value);
	}
	for (i = 0; i < t->nr_touched; i++)
		free(t->touched[i].path);
	free(t->changes);
	free(t->touched);
	tree_free(&t->tree);
	free(t);
}

static store_txn mem_begin(struct store *s)
{
	struct conn *c = (struct conn *)s;
	struct txn *t;

	if (!op_start(c))
		return 0;
	t = calloc(1, sizeof(*t));
	if (!t)
		return 0;
	if (!tree_copy(&t->tree, &c->world->tree)) {
		free(t);
		return 0;
	}
	t->id = ++c->last_txn;
	t->next = c->txns;
	c->txns = t;
	return t->id;
}

static bool txn_conflicts(const struct world *w, const struct txn *t)
{
	struct node *n;
	size_t i;

	for (i = 0; i < t->nr_touched; i++) {
		n = tree_get(&w->tree, t->touched[i].path);
		if ((n ? n->generation : 0) != t->touched[i].generation)
			return true;
	}
	return false;
}

/* Watches of a subtree about to go: the nodes below first and for themselves alone. */
static void fire_removed(struct world *w, const struct tree *t, const char *path)
{
	size_t i;

	for (i = t->n; i-- > 0;)
		if (path_below(t->nodes[i].path, path))
			fire(w, t->nodes[i].path, true);
	fire(w, path, false);
}

/* All of the changes or, out of memory, none. */
static bool txn_apply(struct world *w, const struct txn *t)
{
	struct tree new;
	size_t i;

	if (!tree_copy(&new, &w->tree))
		return false;
	w->generation++;
	for (i = 0; i < t->nr_changes; i++) {
		const struct change *c = &t->changes[i];

		if (!c->value) {
			tree_remove(&new, c->path, w->generation);
		} else if (!tree_write(&new, c->path, c->value, c->len, w->generation)) {
			tree_free(&new);
			return false;
		}
	}
	for (i = 0; i < t->nr_changes; i++) {
		if (t->changes[i].value)
			fire(w, t->changes[i].path, false);
		else
			fire_removed(w, &w->tree, t->changes[i].path);
	}
	tree_free(&w->tree);
	w->tree = new;
	return true;
}

static bool mem_end(struct store *s, store_txn id, bool abandon)
{
	struct conn *c = (struct conn *)s;
	bool ok = op_start(c);
	int err = errno;
	struct txn *t = txn_find(c, id);

	if (!t)
		return false;
	if (ok && !abandon) {
		ok = !txn_conflicts(c->world, t);
		err = EAGAIN;
		if (ok) {
			ok = txn_apply(c->world, t);
			err = ENOMEM;
		}
	}
	txn_free(c, t);
	errno = err;
	return ok;
}

/* ---- nodes ---- */

static char *mem_read(struct store *s, store_txn id, const char *path, unsigned int *len)
{
	struct conn *c = (struct conn *)s;
	struct tree *tree;
	struct node *n;
	struct txn *t;

	if (!op_start(c) || !path_valid(path))
		return NULL;
	tree = tree_of(c, id, &t);
	if (!tree || !txn_touch(t, path, strlen(path)))
		return NULL;
	n = tree_get(tree, path);
	if (!n) {
		errno = ENOENT;
		return NULL;
	}
	if (len)
		*len = n->len;
	return dup_bytes(n->value, n->len);
}

/* A new node changes the list of its nearest parent that is there. */
static bool touch_for_write(struct txn *t, const char *path)
{
	size_t len = strlen(path);

	if (!t)
		return true;
	while (txn_touch(t, path, len)) {
		if (tree_find(&t->tree, path, len))
			return true;
		while (len > 1 && path[--len] != '/')
			;
	}
	return false;
}

static bool write_bytes(struct conn *c, store_txn id, const char *path, const void *data,
			unsigned int len)
{
	struct tree *tree;
	struct txn *t;

	if (!op_start(c) || !path_valid(path))
		return false;
	if (strlen(path) + 1 + len > XENSTORE_PAYLOAD_MAX) {
		errno = E2BIG;
		return false;
	}
	tree = tree_of(c, id, &t);
	if (!tree || !touch_for_write(t, path) ||
	    !tree_write(tree, path, data, len, t ? 0 : ++c->world->generation))
		return false;
	if (t)
		return txn_record(t, path, data, len);
	fire(c->world, path, false);
	return true;
}

static bool mem_write(struct store *s, store_txn id, const char *path, const char *value)
{
	return write_bytes((struct conn *)s, id, path, value,
			   (unsigned int)strlen(value));
}

bool store_mem_write_raw(struct store *s, const char *path, const void *data,
			 unsigned int len)
{
	return write_bytes((struct conn *)s, 0, path, data, len);
}

/* A transaction that removes a subtree has relied on every node of it. */
static bool touch_for_rm(struct txn *t, const char *path)
{
	size_t i;

	if (!t)
		return true;
	for (i = 0; i < t->tree.n; i++)
		if (path_below(t->tree.nodes[i].path, path) &&
		    !txn_touch(t, t->tree.nodes[i].path, strlen(t->tree.nodes[i].path)))
			return false;
	return txn_touch(t, path, strlen(path)) && txn_touch(t, path, parent_len(path));
}

static bool mem_rm(struct store *s, store_txn id, const char *path)
{
	struct conn *c = (struct conn *)s;
	struct tree *tree;
	struct txn *t;

	if (!op_start(c) || !path_valid(path))
		return false;
	if (!path[1]) {
		errno = EINVAL;
		return false;
	}
	tree = tree_of(c, id, &t);
	if (!tree || !touch_for_rm(t, path))
		return false;
	if (!tree_get(tree, path)) {
		errno = ENOENT;
		return tree_find(tree, path, parent_len(path)) != NULL;
	}
	if (t) {
		if (!txn_record(t, path, NULL, 0))
			return false;
	} else {
		fire_removed(c->world, tree, path);
	}
	tree_remove(tree, path, t ? 0 : ++c->world->generation);
	return true;
}

/* The name of @path as a child of @dir, or NULL. */
static const char *child_name(const char *path, const char *dir)
{
	const char *name = path + (dir[1] ? strlen(dir) + 1 : 1);

	return path_below(path, dir) && !strchr(name, '/') ? name : NULL;
}

static char **mem_list(struct store *s, store_txn id, const char *path, unsigned int *n)
{
	struct conn *c = (struct conn *)s;
	size_t i, bytes = 0;
	struct tree *tree;
	struct txn *t;
	const char *name;
	char **list, *text;

	if (!op_start(c) || !path_valid(path))
		return NULL;
	tree = tree_of(c, id, &t);
	if (!tree || !txn_touch(t, path, strlen(path)))
		return NULL;
	if (!tree_get(tree, path)) {
		errno = ENOENT;
		return NULL;
	}
	*n = 0;
	for (i = 0; i < tree->n; i++) {
		name = child_name(tree->nodes[i].path, path);
		if (name) {
			bytes += strlen(name) + 1;
			(*n)++;
		}
	}
	list = malloc(*n * sizeof(*list) + bytes + 1);
	if (!list)
		return NULL;
	text = (char *)(list + *n);
	*n = 0;
	for (i = 0; i < tree->n; i++) {
		name = child_name(tree->nodes[i].path, path);
		if (name) {
			list[(*n)++] = text;
			text = stpcpy(text, name) + 1;
		}
	}
	return list;
}

/* ---- watches ---- */

static struct watch **watch_find(struct conn *c, const char *path, const char *token)
{
	struct watch **p;

	for (p = &c->watches; *p; p = &(*p)->next)
		if (!strcmp((*p)->path, path) && !strcmp((*p)->token, token))
			break;
	return p;
}

static bool mem_watch(struct store *s, const char *path, const char *token)
{
	struct conn *c = (struct conn *)s;
	struct watch *w, **p;

	if (!op_start(c))
		return false;
	if (strcmp(path, "@introduceDomain") && strcmp(path, "@releaseDomain") &&
	    !path_valid(path))
		return false;
	p = watch_find(c, path, token);
	if (*p) {
		errno = EEXIST;
		return false;
	}
	w = calloc(1, sizeof(*w));
	if (!w)
		return false;
	w->path = dup_bytes(path, strlen(path));
	w->token = dup_bytes(token, strlen(token));
	if (!w->path || !w->token) {
		free(w->path);
		free(w->token);
		free(w);
		return false;
	}
	*p = w;
	queue_event(c, path, token);
	return true;
}

static void watch_free(struct watch **p)
{
	struct watch *w = *p;

	*p = w->next;
	free(w->path);
	free(w->token);
	free(w);
}

static bool mem_unwatch(struct store *s, const char *path, const char *token)
{
	struct conn *c = (struct conn *)s;
	struct watch **p;

	if (!op_start(c))
		return false;
	p = watch_find(c, path, token);
	if (!*p) {
		errno = ENOENT;
		return false;
	}
	watch_free(p);
	return true;
}

/* ---- domains ---- */

static bool mem_domain_alive(struct store *s, uint32_t domid)
{
	struct world *w = ((struct conn *)s)->world;
	size_t i;

	for (i = 0; i < w->nr_domains; i++)
		if (w->domains[i] == domid)
			return true;
	return domid == 0;
}

bool store_mem_domain_add(struct store *s, uint32_t domid)
{
	struct world *w = ((struct conn *)s)->world;
	uint32_t *list;

	if (mem_domain_alive(s, domid))
		return true;
	list = realloc(w->domains, (w->nr_domains + 1) * sizeof(*list));
	if (!list)
		return false;
	w->domains = list;
	list[w->nr_domains++] = domid;
	fire(w, "@introduceDomain", true);
	return true;
}

void store_mem_domain_die(struct store *s, uint32_t domid)
{
	struct world *w = ((struct conn *)s)->world;
	size_t i;

	for (i = 0; i < w->nr_domains; i++) {
		if (w->domains[i] == domid) {
			w->domains[i] = w->domains[--w->nr_domains];
			fire(w, "@releaseDomain", true);
			return;
		}
	}
}

/* ---- faults and audits ---- */

void store_mem_fail(struct store *s, uint64_t nth, int err)
{
	struct conn *c = (struct conn *)s;

	c->fail_at = nth && err ? c->calls + nth : 0;
	c->fail_err = err;
}

uint64_t store_mem_calls(const struct store *s)
{
	return ((const struct conn *)s)->calls;
}

unsigned int store_mem_watches(const struct store *s)
{
	const struct watch *w;
	unsigned int n = 0;

	for (w = ((const struct conn *)s)->watches; w; w = w->next)
		n++;
	return n;
}

unsigned int store_mem_events(const struct store *s)
{
	const struct event *e;
	unsigned int n = 0;

	for (e = ((const struct conn *)s)->events; e; e = e->next)
		n++;
	return n;
}

unsigned int store_mem_transactions(const struct store *s)
{
	const struct txn *t;
	unsigned int n = 0;

	for (t = ((const struct conn *)s)->txns; t; t = t->next)
		n++;
	return n;
}

/* ---- connections ---- */

static void world_free(struct world *w)
{
	tree_free(&w->tree);
	free(w->domains);
	free(w);
}

static void mem_close(struct store *s)
{
	struct conn *c = (struct conn *)s, **p;
	char **text;

	while ((text = mem_next_event(s)))
		free(text);
	while (c->watches)
		watch_free(&c->watches);
	while (c->txns)
		txn_free(c, c->txns);
	for (p = &c->world->conns; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	if (!c->world->conns)
		world_free(c->world);
	close(s->fd);
	free(c);
}

static const struct store_ops store_mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.rm = mem_rm,
	.list = mem_list,
	.watch = mem_watch,
	.unwatch = mem_unwatch,
	.next_event = mem_next_event,
	.begin = mem_begin,
	.end = mem_end,
	.domain_alive = mem_domain_alive,
	.close = mem_close,
};

static struct store *conn_open(struct world *w)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->store.ops = &store_mem_ops;
	c->store.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->store.fd < 0) {
		free(c);
		return NULL;
	}
	c->events_tail = &c->events;
	c->world = w;
	c->next = w->conns;
	w->conns = c;
	return &c->store;
}

struct store *store_mem_connect(struct store *s)
{
	return conn_open(((struct conn *)s)->world);
}

struct store *store_open_mem(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct store *s;

	if (!w)
		return NULL;
	s = tree_insert(&w->tree, "/", 1, ++w->generation) ? conn_open(w) : NULL;
	if (!s)
		world_free(w);
	return s;
}
