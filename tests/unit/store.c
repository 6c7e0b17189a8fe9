/* SPDX-License-Identifier: GPL-2.0-only */
/* store: numbers from hostile text; the in-memory store behaves as xenstored. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/store_mem.h"
#include "tests/unit/suite.h"

static bool value_is(struct store *s, store_txn t, const char *path, const char *want)
{
	char *v = store_read(s, t, "%s", path);
	bool same = v && !strcmp(v, want);

	free(v);
	return same;
}

static bool absent(struct store *s, store_txn t, const char *path)
{
	char *v = store_read(s, t, "%s", path);
	bool gone = !v && errno == ENOENT;

	free(v);
	return gone;
}

/* The next event is @path with @token. */
static bool event_is(struct store *s, const char *path, const char *token)
{
	char **e = s->ops->next_event(s);
	bool same = e && !strcmp(e[0], path) && !strcmp(e[1], token);

	if (!same)
		fprintf(stderr, "(event %s %s) ", e ? e[0] : "none", e ? e[1] : "");
	free(e);
	return same;
}

static bool no_event(struct store *s)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	char **e = s->ops->next_event(s);
	bool none = !e && errno == EAGAIN && poll(&p, 1, 0) == 0;

	free(e);
	return none;
}

static bool put(struct store *s, const char *path, const char *value)
{
	return s->ops->write(s, 0, path, value);
}

static void test_nodes(void)
{
	struct store *s = store_open_mem();
	unsigned int n;
	char **list;

	CU_ASSERT_PTR_NOT_NULL_FATAL(s);
	CU_ASSERT_TRUE(
		store_write(s, 0, "1", "/local/domain/%d/device/vbd/%d/state", 3, 51712));
	CU_ASSERT_TRUE(value_is(s, 0, "/local/domain/3/device/vbd/51712/state", "1"));
	CU_ASSERT_TRUE(value_is(s, 0, "/local/domain", "")); /* parents are made, empty */
	CU_ASSERT_TRUE(absent(s, 0, "/local/domain/3/device/vbd/5171"));
	CU_ASSERT_TRUE(put(s, "/local/domain/3-x", "between in sort order"));
	CU_ASSERT_TRUE(put(s, "/local/domain/10", ""));
	list = s->ops->list(s, 0, "/local/domain", &n);
	CU_ASSERT_EQUAL_FATAL(n, 3);
	CU_ASSERT_STRING_EQUAL(list[0], "10");
	CU_ASSERT_STRING_EQUAL(list[1], "3");
	CU_ASSERT_STRING_EQUAL(list[2], "3-x");
	free(list);
	list = s->ops->list(s, 0, "/", &n);
	CU_ASSERT_EQUAL_FATAL(n, 1);
	CU_ASSERT_STRING_EQUAL(list[0], "local");
	free(list);
	list = s->ops->list(s, 0, "/local/domain/10", &n);
	CU_ASSERT_PTR_NOT_NULL(list);
	CU_ASSERT_EQUAL(n, 0);
	free(list);
	CU_ASSERT_PTR_NULL(s->ops->list(s, 0, "/nowhere", &n));
	CU_ASSERT_EQUAL(errno, ENOENT);
	/* rm: the subtree; nothing there is fine when the parent is */
	CU_ASSERT_TRUE(s->ops->rm(s, 0, "/local/domain/3"));
	CU_ASSERT_TRUE(absent(s, 0, "/local/domain/3/device/vbd/51712/state"));
	CU_ASSERT_TRUE(value_is(s, 0, "/local/domain/3-x", "between in sort order"));
	CU_ASSERT_TRUE(s->ops->rm(s, 0, "/local/domain/3"));
	CU_ASSERT_FALSE(s->ops->rm(s, 0, "/local/domain/3/device"));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_FALSE(s->ops->rm(s, 0, "/"));
	s->ops->close(s);
}

static void test_bad_paths(void)
{
	static const char *const bad[] = {"",   "local", "/a//b", "/a/",
					  "//", "/a b",  "/a\n",  "/\xc3"};
	struct store *s = store_open_mem();
	char longer[5000], too_long[3 * STORE_PATH_MAX];
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		CU_ASSERT_FALSE(put(s, bad[i], "x"));
		CU_ASSERT_EQUAL(errno, EINVAL);
	}
	memset(longer, 'v', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	CU_ASSERT_FALSE(put(s, "/a", longer));
	CU_ASSERT_EQUAL(errno, E2BIG);
	longer[4096 - 3] = 0;
	CU_ASSERT_TRUE(put(s, "/a", longer));
	/* a path that does not fit is refused, not cut */
	memset(too_long, 'p', sizeof(too_long) - 1);
	too_long[sizeof(too_long) - 1] = 0;
	CU_ASSERT_PTR_NULL(store_read(s, 0, "/%s", too_long));
	CU_ASSERT_EQUAL(errno, ENAMETOOLONG);
	CU_ASSERT_FALSE(store_write(s, 0, "x", "/%s", too_long));
	CU_ASSERT_FALSE(store_put_u64(s, 0, "/x", too_long, 1));
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/x", too_long, 0, 1, NULL), -ENAMETOOLONG);
	s->ops->close(s);
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		int err;
		uint64_t value;
	} cases[] = {
		{"0", 0, 0},
		{"16", 0, 16},
		{"007", 0, 7},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -EINVAL, 0},
		{"99999999999999999999", -EINVAL, 0},
		{"000000000000000000001", -EINVAL, 0},
		{"", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1\n", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
		{"1e3", -EINVAL, 0},
		{"12a", -EINVAL, 0},
		{"\xd9\xa1", -EINVAL, 0},
	};
	struct store *s = store_open_mem();
	unsigned int i;
	uint64_t v;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CU_ASSERT_TRUE(put(s, "/d/n", cases[i].text));
		v = 4711;
		CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "n", 0, UINT64_MAX, &v),
				cases[i].err);
		CU_ASSERT_EQUAL(v, cases[i].err ? 4711 : cases[i].value);
	}
	CU_ASSERT_TRUE(store_put_u64(s, 0, "/d", "n", UINT64_MAX));
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "n", 0, UINT64_MAX, &v), 0);
	CU_ASSERT_EQUAL(v, UINT64_MAX);
	v = 5;
	put(s, "/d/n", "8");
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "n", 9, 10, &v), -EINVAL);
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "n", 1, 7, &v), -EINVAL);
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "missing", 1, 7, &v), -ENOENT);
	CU_ASSERT_EQUAL(v, 5);
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "n", 8, 8, &v), 0);
	/* a NUL does not end what a guest wrote */
	CU_ASSERT_TRUE(store_mem_write_raw(s, "/d/n", "8\0009", 3));
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "n", 0, 100, &v), -EINVAL);
	store_mem_fail(s, 1, EIO);
	CU_ASSERT_EQUAL(store_get_u64(s, 0, "/d", "n", 0, 100, &v), -EIO);
	s->ops->close(s);
}

static void test_watches(void)
{
	struct store *s = store_open_mem(), *guest = store_mem_connect(s);

	/* fires once when set, also for a node that is not there */
	CU_ASSERT_TRUE(s->ops->watch(s, "/b/vbd", "top"));
	CU_ASSERT_TRUE(s->ops->watch(s, "/b/vbd/3/1/state", "leaf"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd", "top"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3/1/state", "leaf"));
	CU_ASSERT_FALSE(s->ops->watch(s, "/b/vbd", "top"));
	CU_ASSERT_EQUAL(errno, EEXIST);
	CU_ASSERT_TRUE(s->ops->watch(s, "/b/vbd", "other token"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd", "other token"));
	CU_ASSERT_TRUE(s->ops->unwatch(s, "/b/vbd", "other token"));
	CU_ASSERT_FALSE(s->ops->unwatch(s, "/b/vbd", "other token"));
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_TRUE(no_event(s));
	/* the node itself and everything below; who wrote does not matter */
	CU_ASSERT_TRUE(put(guest, "/b/vbd/3/1/state", "1"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3/1/state", "top"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3/1/state", "leaf"));
	CU_ASSERT_TRUE(put(s, "/b/vbd/3/1/state", "1")); /* the same value fires too */
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3/1/state", "top"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3/1/state", "leaf"));
	CU_ASSERT_TRUE(put(s, "/b/vbd/3/1/statement", "1"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3/1/statement", "top"));
	CU_ASSERT_TRUE(put(s, "/b", "above does not fire"));
	CU_ASSERT_TRUE(put(s, "/b/vbd-2", "beside neither"));
	CU_ASSERT_TRUE(no_event(s));
	/*
	 * rm of a subtree: watches below for their own node, then those above for the top
	 */
	CU_ASSERT_TRUE(s->ops->rm(guest, 0, "/b/vbd/3"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3/1/state", "leaf"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd/3", "top"));
	CU_ASSERT_TRUE(no_event(s));
	CU_ASSERT_TRUE(
		s->ops->rm(guest, 0, "/b/vbd/3")); /* nothing there: nothing fires */
	CU_ASSERT_TRUE(no_event(s));
	CU_ASSERT_TRUE(s->ops->rm(guest, 0, "/b"));
	CU_ASSERT_TRUE(event_is(s, "/b/vbd", "top"));
	CU_ASSERT_TRUE(no_event(s));
	CU_ASSERT_TRUE(no_event(guest));
	CU_ASSERT_EQUAL(store_mem_watches(s), 2);
	guest->ops->close(guest);
	s->ops->close(s);
}

static void test_transactions(void)
{
	struct store *s = store_open_mem(), *other = store_mem_connect(s);
	store_txn t;

	put(s, "/a/x", "1");
	s->ops->watch(other, "/a", "w");
	CU_ASSERT_TRUE(event_is(other, "/a", "w"));
	t = s->ops->begin(s);
	CU_ASSERT_NOT_EQUAL_FATAL(t, 0);
	CU_ASSERT_TRUE(s->ops->write(s, t, "/a/x", "2"));
	CU_ASSERT_TRUE(s->ops->write(s, t, "/a/new/deep", "3"));
	CU_ASSERT_TRUE(s->ops->rm(s, t, "/a/new"));
	CU_ASSERT_TRUE(absent(s, t, "/a/new/deep"));
	CU_ASSERT_TRUE(value_is(s, t, "/a/x", "2"));
	CU_ASSERT_TRUE(value_is(s, 0, "/a/x", "1")); /* not outside yet */
	CU_ASSERT_TRUE(no_event(other));
	put(s, "/elsewhere", "no conflict");
	CU_ASSERT_TRUE(s->ops->end(s, t, false));
	CU_ASSERT_TRUE(value_is(other, 0, "/a/x", "2"));
	CU_ASSERT_TRUE(event_is(other, "/a/x", "w"));
	CU_ASSERT_FALSE(s->ops->end(s, t, false)); /* is over */
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_FALSE(s->ops->write(s, t, "/a/x", "3"));
	CU_ASSERT_EQUAL(errno, ENOENT);
	/* given up */
	t = s->ops->begin(s);
	s->ops->write(s, t, "/a/x", "9");
	CU_ASSERT_TRUE(s->ops->end(s, t, true));
	CU_ASSERT_TRUE(value_is(s, 0, "/a/x", "2"));
	CU_ASSERT_EQUAL(store_mem_transactions(s), 0);
	other->ops->close(other);
	s->ops->close(s);
}

/* @in happens in a transaction, @out to @path meanwhile: is it a conflict? */
static bool conflict(void (*in)(struct store *s, store_txn t), const char *path, bool rm)
{
	struct store *s = store_open_mem();
	store_txn t;
	bool ended;

	put(s, "/a/x", "1");
	put(s, "/a/y", "1");
	put(s, "/b", "1");
	t = s->ops->begin(s);
	in(s, t);
	if (rm)
		s->ops->rm(s, 0, path);
	else
		put(s, path, "2");
	ended = s->ops->end(s, t, false);
	CU_ASSERT_TRUE(ended || errno == EAGAIN);
	CU_ASSERT_EQUAL(store_mem_transactions(s), 0);
	s->ops->close(s);
	return !ended;
}

static void reads_x(struct store *s, store_txn t)
{
	CU_ASSERT_TRUE(value_is(s, t, "/a/x", "1"));
}

static void writes_x(struct store *s, store_txn t)
{
	CU_ASSERT_TRUE(s->ops->write(s, t, "/a/x", "5"));
}

static void adds_z(struct store *s, store_txn t)
{
	CU_ASSERT_TRUE(s->ops->write(s, t, "/a/z", "5"));
}

static void misses_z(struct store *s, store_txn t)
{
	CU_ASSERT_TRUE(absent(s, t, "/a/z"));
}

static void lists_a(struct store *s, store_txn t)
{
	unsigned int n;

	free(s->ops->list(s, t, "/a", &n));
}

static void removes_a(struct store *s, store_txn t)
{
	CU_ASSERT_TRUE(s->ops->rm(s, t, "/a"));
	CU_ASSERT_TRUE(absent(s, t, "/a/x"));
	CU_ASSERT_TRUE(s->ops->write(s, t, "/a/x", "again"));
}

static void test_conflicts(void)
{
	CU_ASSERT_TRUE(conflict(reads_x, "/a/x", false));
	CU_ASSERT_TRUE(conflict(reads_x, "/a/x", true));
	CU_ASSERT_FALSE(conflict(reads_x, "/a/y", false));
	CU_ASSERT_TRUE(conflict(writes_x, "/a/x", false));
	CU_ASSERT_FALSE(conflict(writes_x, "/a/y", false));
	CU_ASSERT_TRUE(conflict(adds_z, "/a/q", false)); /* the same list of children */
	CU_ASSERT_FALSE(conflict(adds_z, "/b/q", false));
	CU_ASSERT_TRUE(conflict(misses_z, "/a/z", false));
	CU_ASSERT_TRUE(conflict(lists_a, "/a/z", false));
	CU_ASSERT_FALSE(conflict(lists_a, "/a/x", false));
	CU_ASSERT_TRUE(conflict(removes_a, "/a/x", false));
	CU_ASSERT_FALSE(conflict(removes_a, "/b", false));
}

static void test_domains(void)
{
	struct store *s = store_open_mem();

	CU_ASSERT_TRUE(s->ops->domain_alive(s, 0));
	CU_ASSERT_FALSE(s->ops->domain_alive(s, 3));
	CU_ASSERT_TRUE(s->ops->watch(s, "@releaseDomain", "gone"));
	CU_ASSERT_TRUE(s->ops->watch(s, "@introduceDomain", "new"));
	CU_ASSERT_FALSE(s->ops->watch(s, "@other", "t"));
	CU_ASSERT_TRUE(event_is(s, "@releaseDomain", "gone"));
	CU_ASSERT_TRUE(event_is(s, "@introduceDomain", "new"));
	CU_ASSERT_TRUE(store_mem_domain_add(s, 3));
	CU_ASSERT_TRUE(store_mem_domain_add(s, 4));
	CU_ASSERT_TRUE(event_is(s, "@introduceDomain", "new"));
	CU_ASSERT_TRUE(event_is(s, "@introduceDomain", "new"));
	put(s, "/local/domain/3/name", "g");
	store_mem_domain_die(s, 3);
	store_mem_domain_die(s, 3);
	CU_ASSERT_TRUE(event_is(s, "@releaseDomain", "gone"));
	CU_ASSERT_TRUE(no_event(s));
	CU_ASSERT_FALSE(s->ops->domain_alive(s, 3));
	CU_ASSERT_TRUE(s->ops->domain_alive(s, 4));
	CU_ASSERT_TRUE(value_is(s, 0, "/local/domain/3/name", "g"));
	s->ops->close(s);
}

/* What a backend does at start, stopping at the first failure. */
static bool start_up(struct store *s)
{
	store_txn t;
	unsigned int n;
	char **list;
	uint64_t v;

	if (!s->ops->watch(s, "/b", "t") || !s->ops->unwatch(s, "/b", "t"))
		return false;
	list = s->ops->list(s, 0, "/a", &n);
	free(list);
	if (!list || store_get_u64(s, 0, "/a", "x", 0, 9, &v))
		return false;
	t = s->ops->begin(s);
	if (!t)
		return false;
	if (!store_put_u64(s, t, "/a", "state", 2) || !s->ops->rm(s, t, "/a/x")) {
		s->ops->end(s, t, true);
		return false;
	}
	return s->ops->end(s, t, false);
}

static void test_fault_sweep(void)
{
	struct store *s;
	uint64_t nth, calls;

	for (nth = 1;; nth++) {
		s = store_open_mem();
		put(s, "/a/x", "1");
		calls = store_mem_calls(s);
		store_mem_fail(s, nth, EIO);
		errno = 0;
		if (start_up(s))
			break;
		CU_ASSERT_EQUAL(errno, EIO);
		CU_ASSERT_EQUAL(store_mem_transactions(s), 0);
		CU_ASSERT_TRUE(value_is(s, 0, "/a/x", "1"));
		CU_ASSERT_TRUE(absent(s, 0, "/a/state"));
		s->ops->close(s);
	}
	CU_ASSERT_EQUAL(store_mem_calls(s) - calls, nth - 1);
	CU_ASSERT_EQUAL(nth - 1, 8);
	s->ops->close(s);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"nodes", test_nodes},
		{"paths and values that are refused", test_bad_paths},
		{"numbers", test_numbers},
		{"watches", test_watches},
		{"transactions", test_transactions},
		{"transactions that conflict", test_conflicts},
		{"domains", test_domains},
		{"every operation fails in turn", test_fault_sweep},
		CU_TEST_INFO_NULL,
	};

	return suite_main("store", tests);
}
