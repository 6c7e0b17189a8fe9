/* SPDX-License-Identifier: GPL-2.0-only */
/* Every allocation of the shared parts fails in turn: nothing leaks, nothing is half
 * done. */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backends/common/conf.h"
#include "backends/common/log.h"
#include "backends/common/loopback.h"
#include "backends/common/stat_snapshot.h"
#include "backends/common/stats.h"
#include "backends/common/store_mem.h"
#include "tests/unit/alloc_fault.h"
#include "tests/unit/suite.h"

#define MOST 1000 /* allocations in one case */

static void be_quiet(enum log_level level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

/* Run @once with the first, the second, ... allocation failing until none is left. */
static void sweep(bool (*once)(void *arg), void *arg)
{
	unsigned long nth;
	bool done;

	for (nth = 1; nth < MOST; nth++) {
		alloc_fault(nth);
		done = once(arg);
		if (!alloc_fault_hit()) {
			CU_ASSERT_TRUE(done);
			break;
		}
		CU_ASSERT_FALSE(done);
	}
	CU_ASSERT_TRUE(nth > 1 && nth < MOST);
}

/* ---- conf ---- */

static const struct conf_key keys[] = {
	{"engine", CONF_CHOICE, "io_uring null", 0, 0},
	{"queues", CONF_NUMBER, NULL, 1, 16},
	{NULL, CONF_STRING, NULL, 0, 0},
};

static bool load_conf(void *path)
{
	struct conf *c = conf_load(path, keys);
	bool ok = c && conf_number(c, "web1", NULL, "queues", 0) == 4;

	conf_free(c);
	return ok;
}

static void test_conf(void)
{
	static const char text[] = "[default]\nengine = null\n[guest web1]\nqueues = 4\n"
				   "[guest web1 device xvda]\nengine = io_uring\n";
	char path[] = "/tmp/xylem-conf-XXXXXX";
	int fd = mkstemp(path);

	CU_ASSERT_EQUAL(write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	close(fd);
	log_set_sink(be_quiet, NULL);
	sweep(load_conf, path);
	log_set_sink(NULL, NULL);
	unlink(path);
}

/* ---- loopback ---- */

static bool use_loopback(void *arg)
{
	struct loopback *lb = loopback_new(4, 8, 2);
	uint32_t refs[2], port;
	struct loopback_audit audit;
	struct events *e = NULL;
	void *m = NULL;

	(void)arg;
	if (!lb)
		return false;
	refs[0] = loopback_grant(lb, 0, false);
	refs[1] = loopback_grant(lb, 1, false);
	port = loopback_port_alloc(lb);
	m = grants_map(loopback_grants(lb), refs, 2, PROT_READ | PROT_WRITE);
	e = m ? loopback_events(lb) : NULL;
	if (e) {
		CU_ASSERT_TRUE(events_bind(e, port) > 0);
		events_close(e);
	}
	if (m)
		CU_ASSERT_EQUAL(grants_unmap(loopback_grants(lb), m, 2), 0);
	CU_ASSERT_EQUAL(loopback_end_access(lb, refs[0]), 0);
	loopback_audit(lb, &audit);
	CU_ASSERT_EQUAL(audit.mapped_pages + audit.bound_ports + audit.open_sets, 0);
	loopback_free(lb);
	return e != NULL;
}

static void test_loopback(void)
{
	sweep(use_loopback, NULL);
}

/* ---- store ---- */

/* Without watches: an event that cannot be queued ends the process by design. */
static bool use_store(void *arg)
{
	struct store *s = store_open_mem();
	bool ok = false;
	unsigned int n;
	char **list, *v;
	store_txn t;

	(void)arg;
	if (!s)
		return false;
	if (!store_write(s, 0, "1", "/a/b/c") || !store_mem_domain_add(s, 3))
		goto out;
	t = s->ops->begin(s);
	if (!t)
		goto out;
	if (!store_put_u64(s, t, "/a/x/y", "n", 5) || !s->ops->rm(s, t, "/a/b")) {
		s->ops->end(s, t, true);
		goto out;
	}
	if (!s->ops->end(s, t, false)) {
		/* none of it is to be seen */
		CU_ASSERT_EQUAL(errno, ENOMEM);
		v = store_read(s, 0, "/a/b/c");
		CU_ASSERT_PTR_NOT_NULL(v);
		free(v);
		goto out;
	}
	list = s->ops->list(s, 0, "/a", &n);
	ok = list && n == 1;
	free(list);
	v = ok ? store_read(s, 0, "/a/x/y/n") : NULL;
	ok = v && !strcmp(v, "5");
	free(v);
out:
	CU_ASSERT_EQUAL(store_mem_transactions(s), 0);
	s->ops->close(s);
	return ok;
}

static void test_store(void)
{
	sweep(use_store, NULL);
}

/* ---- statistics ---- */

static bool next_disk(void *arg, unsigned int index, struct stats_device *out)
{
	*out = *(const struct stats_device *)arg;
	return index < 2;
}

static bool stats_there_and_back(void *arg)
{
	struct stats_source *src = arg;
	struct stat_snapshot s = {0};
	size_t size;
	char *json = stats_json(src, 1, &size), *text = NULL;

	if (json && stat_snapshot_add(&s, json))
		text = stat_snapshot_openmetrics(&s, &size);
	else
		CU_ASSERT_EQUAL(s.nr_devices + s.nr_daemons, 0);
	stat_snapshot_free(&s);
	free(json);
	free(text);
	return text != NULL;
}

static bool open_server(void *arg)
{
	struct ev_loop *loop = ev_default_loop(0);
	char dir[] = "/tmp/xylem-stats-XXXXXX", path[64];
	struct stats_server *s;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	s = stats_server_open(loop, path, arg);
	stats_server_close(s);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
	return s != NULL;
}

static void test_stats(void)
{
	size_t size = sizeof(struct state_head) + sizeof(struct state_queue);
	struct stats_device d = {.guest = "g",
				 .device = "xvda",
				 .type = "vbd",
				 .engine = "null",
				 .nr_queues = 1,
				 .queue_size = sizeof(struct state_queue)};
	struct stats_source src = {"blkback", next_disk, &d};

	d.state = aligned_alloc(64, size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(d.state);
	memset(d.state, 0, size);
	sweep(stats_there_and_back, &src);
	ev_default_loop(0); /* its own allocations are not ours to fail */
	sweep(open_server, &src);
	ev_loop_destroy(EV_DEFAULT_UC);
	free(d.state);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"conf", test_conf},
		{"loopback", test_loopback},
		{"store", test_store},
		{"statistics", test_stats},
		CU_TEST_INFO_NULL,
	};

	return suite_main("common_faults", tests);
}
