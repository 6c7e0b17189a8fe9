// SPDX-License-Identifier: GPL-2.0-only
/* See class_rig.h. */
#include "tests/unit/class_rig.h"
#include "tests/unit/suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/common/transport.h"

char last_error[512];
unsigned int errors, updates, events_fail_at;
char dir[64];
struct store *store;
struct backend be;
struct state_head state;
struct backend_attach out;
size_t state_size;

/* ---- what the supervisor and the transport would be ---- */

void backend_error(struct backend *b, int err, const char *fmt, ...)
{
	va_list ap;

	(void)b;
	CU_ASSERT(err <= 0);
	va_start(ap, fmt);
	vsnprintf(last_error, sizeof(last_error), fmt, ap);
	va_end(ap);
	errors++;
}

int events_open_restricted_fd(uint32_t domid)
{
	CU_ASSERT_EQUAL(domid, 3);
	if (events_fail_at && !--events_fail_at) {
		errno = EMFILE;
		return -1;
	}
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* ---- the store ---- */

void put(const char *path, const char *node, const char *value)
{
	CU_ASSERT_TRUE(store_write(store, 0, value, "%s/%s", path, node));
}

void gone(const char *path, const char *node)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", path, node);
	store->ops->rm(store, 0, full);
}

bool has(const char *node, const char *value)
{
	char *text = store_read(store, 0, "%s/%s", under_test.back, node);
	bool same = text && !strcmp(text, value);

	if (!same)
		printf("\n    %s is '%s', not '%s'\n", node, text ? text : "(missing)", value);
	free(text);
	return same;
}

bool missing(const char *node)
{
	char *text = store_read(store, 0, "%s/%s", under_test.back, node);

	free(text);
	return !text;
}

/* ---- descriptors ---- */

void close_fds(void)
{
	while (out.nfds)
		close(out.fds[--out.nfds]);
}

/* ---- a device ---- */

void configure(const char *text)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/conf", dir);
	f = fopen(path, "we");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(text, f);
	fclose(f);
	conf_free((struct conf *)be.conf);
	be.conf = conf_load(path, under_test.class->conf_keys);
	CU_ASSERT_PTR_NOT_NULL_FATAL(be.conf);
}

void class_begin(const char *configuration)
{
	store = store_open_mem();
	CU_ASSERT_PTR_NOT_NULL_FATAL(store);
	put(under_test.back, "frontend", under_test.front);
	put(under_test.back, "online", "1");
	put(under_test.back, "state", "1");
	put(under_test.front, "state", "1");
	put(under_test.front, "event-channel", "17");
	memset(&be, 0, sizeof(be));
	be.class = under_test.class;
	be.store = store;
	be.domid = 3;
	be.devid = under_test.devid;
	be.path = strdup(under_test.back);
	be.frontend = strdup(under_test.front);
	be.guest = strdup("web1");
	memset(&out, 0, sizeof(out));
	memset(&state, 0, sizeof(state));
	errors = updates = events_fail_at = 0;
	last_error[0] = '\0';
	configure(configuration);
}

void class_end(void)
{
	close_fds();
	be.class->remove(&be);
	CU_ASSERT_PTR_NULL(be.priv);
	be.class->remove(&be);
	CU_ASSERT_EQUAL(store_mem_transactions(store), 0);
	conf_free((struct conf *)be.conf);
	free(be.path);
	free(be.frontend);
	free(be.guest);
	store->ops->close(store);
}

int class_up(void (*script)(void))
{
	int err = be.class->probe(&be);

	if (script)
		script();
	if (!err)
		err = be.class->ready(&be);
	if (!err)
		err = be.class->connect(&be, &out, &state_size);
	if (err)
		return err;
	be.state = &state;
	be.state_size = sizeof(state);
	be.class->prepare(&be);
	CU_ASSERT_EQUAL(state_size, sizeof(state) + state.nr_queues * state.queue_size);
	return be.class->publish(&be);
}

static void count_line(enum log_level level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	++*(unsigned int *)arg;
}

void class_log(void)
{
	unsigned int lines = 0, i;

	log_init(under_test.name, LOG_LEVEL_INFO);
	log_set_sink(count_line, &lines);
	for (i = 0; i < 200; i++) {
		close_fds();
		be.class->disconnected(&be);
		CU_ASSERT_EQUAL(be.class->connect(&be, &out, &state_size), 0);
	}
	log_set_sink(NULL, NULL);
	log_init(under_test.name, LOG_LEVEL_ERROR - 1);
	CU_ASSERT_TRUE(lines > 0 && lines < 100);
}

/* ---- the program ---- */

static int make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/xylem-%s-XXXXXX", under_test.name);
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	return rmdir(dir);
}

int class_main(const CU_TestInfo *tests)
{
	log_init(under_test.name, LOG_LEVEL_ERROR - 1);
	return suite_main_between(under_test.name, make_dir, drop_dir, tests);
}
