/* SPDX-License-Identifier: GPL-2.0-only */
/* stats: the texts of hostile names and memory, and the socket with rude clients. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/common/log.h"
#include "backends/common/stats.h"
#include "tests/unit/suite.h"

#define QUEUE_SIZE                                                                       \
	(sizeof(struct state_queue) + 128) /* a class has data of its own behind */
#define QUEUES 2

struct disks {
	struct stats_device d[2];
	unsigned int n;
};

static bool next_disk(void *arg, unsigned int index, struct stats_device *out)
{
	struct disks *disks = arg;

	if (index >= disks->n)
		return false;
	*out = disks->d[index];
	return true;
}

static struct state_head *new_state(void)
{
	return aligned_alloc(64, (sizeof(struct state_head) + QUEUES * QUEUE_SIZE + 63) /
					 64 * 64);
}

static void make_disks(struct disks *disks)
{
	unsigned int i;

	memset(disks, 0, sizeof(*disks));
	disks->n = 2;
	for (i = 0; i < 2; i++) {
		struct state_head *h = new_state();

		CU_ASSERT_PTR_NOT_NULL_FATAL(h);
		memset(h, 0, sizeof(*h) + QUEUES * QUEUE_SIZE);
		disks->d[i] = (struct stats_device){
			.guest = i ? "db" : "web1",
			.device = i ? "xvdb" : "xvda",
			.type = "vbd",
			.engine = "io_uring",
			.domid = 3 + i,
			.devid = 51712 + 16 * i,
			.state = h,
			.nr_queues = QUEUES,
			.queue_size = QUEUE_SIZE,
		};
	}
}

static void free_disks(struct disks *disks)
{
	free(disks->d[0].state);
	free(disks->d[1].state);
}

static struct metrics_queue *queue(struct disks *disks, unsigned int disk, unsigned int i)
{
	return &state_queue(disks->d[disk].state, i, QUEUE_SIZE)->metrics;
}

static double number(const cJSON *object, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(object, name);

	return cJSON_IsNumber(n) ? n->valuedouble : -1;
}

static const char *string(const cJSON *object, const char *name)
{
	const char *s =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return s ? s : "(none)";
}

static void test_json(void)
{
	struct disks disks;
	struct stats_source src = {"blkback", next_disk, &disks};
	const cJSON *dev, *q, *lat;
	size_t size;
	cJSON *root;
	char *text;

	make_disks(&disks);
	metric_add(queue(&disks, 1, 1), METRIC_RX_OPS, 42);
	metrics_latency(queue(&disks, 1, 1), 5000);
	metrics_latency(queue(&disks, 1, 1), 5000);
	limit_set(&disks.d[1].state->limit[1], &(struct limit_rate){.bytes_per_s = 1000});
	text = stats_json(&src, 1, &size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(strlen(text), size);
	CU_ASSERT_EQUAL(text[size - 1], '\n');
	root = cJSON_Parse(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(root);
	CU_ASSERT_STRING_EQUAL(string(root, "daemon"), "blkback");
	dev = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "devices"), 1);
	CU_ASSERT_STRING_EQUAL(string(dev, "guest"), "db");
	CU_ASSERT_STRING_EQUAL(string(dev, "device"), "xvdb");
	CU_ASSERT_STRING_EQUAL(string(dev, "engine"), "io_uring");
	CU_ASSERT_EQUAL(number(dev, "domid"), 4);
	CU_ASSERT_EQUAL(number(dev, "devid"), 51728);
	CU_ASSERT_EQUAL(number(cJSON_GetObjectItem(cJSON_GetObjectItem(dev, "limits"),
						   "from_guest"),
			       "bytes_per_s"),
			1000);
	CU_ASSERT_EQUAL(cJSON_GetArraySize(cJSON_GetObjectItem(dev, "queues")), QUEUES);
	q = cJSON_GetArrayItem(cJSON_GetObjectItem(dev, "queues"), 1);
	CU_ASSERT_EQUAL(number(q, "rx_ops"), 42);
	CU_ASSERT_EQUAL(number(q, "tx_ops"), 0);
	lat = cJSON_GetObjectItem(q, "latency");
	CU_ASSERT_EQUAL(number(lat, "count"), 2);
	CU_ASSERT_EQUAL(number(lat, "sum_ns"), 10000);
	CU_ASSERT_TRUE(number(lat, "p50_ns") >= 4608 && number(lat, "p50_ns") <= 5120);
	CU_ASSERT_EQUAL(cJSON_GetArraySize(cJSON_GetObjectItem(lat, "buckets")), 1);
	cJSON_Delete(root);
	free(text);
	free_disks(&disks);
}

/* Names are escaped and valid UTF-8 whatever a guest is called. */
static void test_hostile_names(void)
{
	struct disks disks;
	struct stats_source src = {"blkback", next_disk, &disks};
	size_t size;
	char *text;
	cJSON *root;

	make_disks(&disks);
	disks.n = 1;
	disks.d[0].guest =
		"a\"b\\c\nd\x1b\x7f\xff\xc0\x80\xed\xa0\x80\xc3\xa4\xc2\x9b\xe2\x82";
	text = stats_json(&src, 1, &size);
	root = cJSON_Parse(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(root);
	CU_ASSERT_STRING_EQUAL(
		string(cJSON_GetArrayItem(cJSON_GetObjectItem(root, "devices"), 0),
		       "guest"),
		"a\"b\\c?d????????\xc3\xa4???");
	cJSON_Delete(root);
	free(text);
	text = stats_openmetrics(&src, 1, &size);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "guest=\"a\\\"b\\\\c?d????????\xc3\xa4???\","));
	free(text);
	free_disks(&disks);
}

/* The worker has written everywhere: sizes and counts come from the supervisor alone. */
static void test_hostile_state(void)
{
	struct disks disks;
	struct stats_source src = {"blkback", next_disk, &disks};
	size_t size;
	cJSON *root;
	char *text;

	make_disks(&disks);
	memset(disks.d[0].state, 0xff, sizeof(struct state_head) + QUEUES * QUEUE_SIZE);
	text = stats_json(&src, 1, &size);
	root = cJSON_Parse(text);
	CU_ASSERT_PTR_NOT_NULL_FATAL(root);
	CU_ASSERT_EQUAL(
		cJSON_GetArraySize(cJSON_GetObjectItem(
			cJSON_GetArrayItem(cJSON_GetObjectItem(root, "devices"), 0),
			"queues")),
		QUEUES);
	cJSON_Delete(root);
	free(text);
	text = stats_openmetrics(&src, 1, &size);
	CU_ASSERT_PTR_NOT_NULL(strstr(
		text,
		"xylem_rx_ops_total{daemon=\"blkback\",guest=\"web1\","
		"domid=\"3\",type=\"vbd\",devid=\"51712\",device=\"xvda\",queue=\"1\"} "
		"18446744073709551615\n"));
	free(text);
	free_disks(&disks);
}

/*
 * Each family once, its lines together and typed; buckets cumulative; # EOF at the end.
 */
static void check_openmetrics(char *text)
{
	char family[128] = "", seen[8192] = "", *line, *save = NULL, key[160];
	unsigned long long last = 0, count;
	bool eof = false;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		CU_ASSERT_FALSE(eof);
		if (!strncmp(line, "# TYPE ", 7)) {
			CU_ASSERT_EQUAL(sscanf(line, "# TYPE %127s", family), 1);
			snprintf(key, sizeof(key), "|%s|", family);
			CU_ASSERT_PTR_NULL(strstr(seen, key));
			strcat(seen, key);
		} else if (!strcmp(line, "# EOF")) {
			eof = true;
		} else if (line[0] != '#') {
			CU_ASSERT_EQUAL(strncmp(line, family, strlen(family)), 0);
		}
		if (strstr(line, "_bucket{")) {
			CU_ASSERT_EQUAL(sscanf(strrchr(line, ' '), "%llu", &count), 1);
			CU_ASSERT_TRUE(count >= last);
			last = strstr(line, "+Inf") ? 0 : count;
		}
	}
	CU_ASSERT_TRUE(eof);
}

static void test_openmetrics(void)
{
	struct disks disks, nics;
	struct stats_source src[2] = {{"blkback", next_disk, &disks},
				      {"netback", next_disk, &nics}};
	size_t size;
	char *text;

	make_disks(&disks);
	make_disks(&nics);
	metrics_latency(queue(&disks, 0, 0), 100);
	metrics_latency(queue(&disks, 0, 1), 256);
	metrics_latency(queue(&disks, 0, 1), 1000000);
	metrics_latency(queue(&disks, 0, 1), UINT64_MAX / 4);
	metric_set(queue(&nics, 1, 0), METRIC_INFLIGHT, 12);
	text = stats_openmetrics(src, 2, &size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
#define WEB1                                                                             \
	"{daemon=\"blkback\",guest=\"web1\",domid=\"3\",type=\"vbd\",devid=\"51712\","   \
	"device=\"xvda\""
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "xylem_device_info" WEB1 ",engine=\"io_uring\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "xylem_latency_seconds_bucket" WEB1
					    ",le=\"2.56e-07\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "xylem_latency_seconds_bucket" WEB1
					    ",le=\"5.12e-07\"} 2\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "xylem_latency_seconds_bucket" WEB1
					    ",le=\"0.001048576\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "xylem_latency_seconds_bucket" WEB1
					    ",le=\"68.7194767\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "xylem_latency_seconds_bucket" WEB1 ",le=\"+Inf\"} 4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "xylem_latency_seconds_count" WEB1 "} 4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(
		text, "xylem_inflight{daemon=\"netback\",guest=\"db\",domid=\"4\","
		      "type=\"vbd\",devid=\"51728\",device=\"xvdb\",queue=\"0\"} 12\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(
		text, "# TYPE xylem_rx_bytes counter\n# UNIT xylem_rx_bytes bytes\n"));
	check_openmetrics(text);
	free(text);
	free_disks(&disks);
	free_disks(&nics);
}

/* ---- the socket ---- */

struct served {
	char dir[32], path[64];
	struct disks disks;
	struct stats_source source;
	struct ev_loop *loop;
	struct stats_server *server;
};

static void serve(struct served *s)
{
	strcpy(s->dir, "/tmp/xylem-stats-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(s->dir));
	snprintf(s->path, sizeof(s->path), "%s/stat.sock", s->dir);
	make_disks(&s->disks);
	s->source = (struct stats_source){"blkback", next_disk, &s->disks};
	s->loop = ev_loop_new(0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->loop);
	s->server = stats_server_open(s->loop, s->path, &s->source);
	CU_ASSERT_PTR_NOT_NULL_FATAL(s->server);
}

static void stop_serving(struct served *s)
{
	stats_server_close(s->server);
	CU_ASSERT_EQUAL(access(s->path, F_OK), -1);
	ev_loop_destroy(s->loop);
	free_disks(&s->disks);
	rmdir(s->dir);
}

static int dial(struct served *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(addr.sun_path, s->path);
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ev_run(s->loop, EVRUN_NOWAIT);
	return fd;
}

/* Everything the server says on @fd until it hangs up; NULL: it does not. */
static char *listen_to(struct served *s, int fd)
{
	static char buf[1 << 20];
	size_t got = 0;
	unsigned int turns;
	ssize_t n = -1;

	for (turns = 0; turns < 1000 && n; turns++) {
		ev_run(s->loop, EVRUN_NOWAIT);
		n = read(fd, buf + got, sizeof(buf) - 1 - got);
		if (n < 0 && errno == ECONNRESET)
			n = 0;
		if (n > 0)
			got += (size_t)n;
	}
	buf[got] = 0;
	close(fd);
	return n ? NULL : buf;
}

static char *ask(struct served *s, const char *request)
{
	int fd = dial(s);

	CU_ASSERT_EQUAL(send(fd, request, strlen(request), MSG_NOSIGNAL),
			(ssize_t)strlen(request));
	return listen_to(s, fd);
}

static void test_socket(void)
{
	struct served s;
	struct stat st;
	cJSON *root;
	char *text;

	serve(&s);
	CU_ASSERT_EQUAL(stat(s.path, &st), 0);
	CU_ASSERT_EQUAL(st.st_mode & 0777, 0660);
	text = ask(&s, "json\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	root = cJSON_Parse(text);
	CU_ASSERT_PTR_NOT_NULL(root);
	cJSON_Delete(root);
	text = ask(&s, "openmetrics\r\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	check_openmetrics(text);
	text = ask(&s, "JSON\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, "error: unknown request\n");
	stop_serving(&s);
}

static void test_rude_clients(void)
{
	int fds[STATS_CLIENTS], fd;
	struct served s;
	unsigned int i;
	char line[200], *text;

	serve(&s);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = 0;
	text = ask(&s, line); /* a line without end */
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, "");
	fd = dial(&s); /* gone before asking */
	close(fd);
	ev_run(s.loop, EVRUN_NOWAIT);
	fd = dial(&s); /* gone before the answer */
	CU_ASSERT_EQUAL(write(fd, "json\n", 5), 5);
	close(fd);
	for (i = 0; i < 5; i++)
		ev_run(s.loop, EVRUN_NOWAIT);
	for (i = 0; i < STATS_CLIENTS; i++)
		fds[i] = dial(&s);
	fd = dial(&s); /* one too many is turned away */
	text = listen_to(&s, fd);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_STRING_EQUAL(text, "");
	/* a line in pieces */
	CU_ASSERT_EQUAL(write(fds[0], "js", 2), 2);
	ev_run(s.loop, EVRUN_NOWAIT);
	CU_ASSERT_EQUAL(write(fds[0], "on\n", 3), 3);
	text = listen_to(&s, fds[0]);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(text[0], '{');
	text = ask(&s, "json\n"); /* its place is free again */
	CU_ASSERT_PTR_NOT_NULL(text);
	stop_serving(&s); /* with clients connected */
	for (i = 1; i < STATS_CLIENTS; i++) {
		CU_ASSERT_EQUAL(read(fds[i], line, 1), 0);
		close(fds[i]);
	}
}

static void test_open(void)
{
	char longer[200];
	struct served s;
	struct stats_server *again;

	serve(&s);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	CU_ASSERT_PTR_NULL(stats_server_open(s.loop, longer, &s.source));
	CU_ASSERT_EQUAL(errno, ENAMETOOLONG);
	CU_ASSERT_PTR_NULL(
		stats_server_open(s.loop, "/nonexistent/stat.sock", &s.source));
	CU_ASSERT_EQUAL(errno, ENOENT);
	/* a socket that a dead daemon left is replaced; a file is not */
	again = stats_server_open(s.loop, s.path, &s.source);
	CU_ASSERT_PTR_NOT_NULL(again);
	stats_server_close(s.server);
	s.server = again;
	stats_server_close(s.server);
	fclose(fopen(s.path, "w"));
	CU_ASSERT_PTR_NULL(stats_server_open(s.loop, s.path, &s.source));
	CU_ASSERT_EQUAL(errno, EADDRINUSE);
	unlink(s.path);
	s.server = NULL;
	stop_serving(&s);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"JSON", test_json},
		{"hostile names", test_hostile_names},
		{"hostile state", test_hostile_state},
		{"OpenMetrics", test_openmetrics},
		{"the socket", test_socket},
		{"rude clients", test_rude_clients},
		{"opening", test_open},
		CU_TEST_INFO_NULL,
	};

	return suite_main("stats", tests);
}
