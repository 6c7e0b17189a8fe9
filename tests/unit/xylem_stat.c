/* SPDX-License-Identifier: GPL-2.0-only */
/* xylem-stat's reading end: snapshots from JSON, rates, and the exporter's HTTP. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/common/stat_exporter.h"
#include "backends/common/stat_snapshot.h"
#include "tests/unit/suite.h"

#define QUEUES 2

struct one_disk {
	struct stats_device d;
	bool absent;
};

static bool next_disk(void *arg, unsigned int index, struct stats_device *out)
{
	struct one_disk *disk = arg;

	*out = disk->d;
	return !index && !disk->absent;
}

static void make_disk(struct one_disk *disk, const char *guest)
{
	size_t size = sizeof(struct state_head) + QUEUES * sizeof(struct state_queue);
	struct state_head *h = aligned_alloc(64, size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(h);
	memset(h, 0, size);
	memset(disk, 0, sizeof(*disk));
	disk->d = (struct stats_device){
		.guest = guest,
		.device = "xvda",
		.type = "vbd",
		.engine = "null",
		.domid = 3,
		.devid = 51712,
		.state = h,
		.nr_queues = QUEUES,
		.queue_size = sizeof(struct state_queue),
	};
}

static struct metrics_queue *queue(struct one_disk *disk, unsigned int i)
{
	return &state_queue(disk->d.state, i, disk->d.queue_size)->metrics;
}

static bool add(struct stat_snapshot *s, const char *daemon, struct one_disk *disk)
{
	struct stats_source src = {daemon, next_disk, disk};
	size_t size;
	char *text = stats_json(&src, 1, &size);
	bool ok = stat_snapshot_add(s, text);

	free(text);
	return ok;
}

/* What the daemon says directly and what goes through JSON and back are the same text. */
static void test_round_trip(void)
{
	struct stat_snapshot s = {0};
	struct one_disk a, b;
	struct stats_source src[2] = {{"blkback", next_disk, &a},
				      {"netback", next_disk, &b}};
	char *direct, *through;
	unsigned int i;
	size_t size;

	make_disk(&a, "web \"1\" \xc3\xa4");
	make_disk(&b, "db");
	for (i = 0; i < METRIC_COUNT; i++)
		metric_add(queue(&a, i & 1), (enum metric)i, 1000 + i);
	for (i = 0; i < 64; i++)
		metrics_latency(queue(&b, i & 1), 1ull << (i / 2));
	limit_set(&a.d.state->limit[0],
		  &(struct limit_rate){.bytes_per_s = 5, .ops_per_s = 6});
	CU_ASSERT_TRUE(add(&s, "blkback", &a));
	CU_ASSERT_TRUE(add(&s, "netback", &b));
	CU_ASSERT_EQUAL(s.nr_devices, 2);
	direct = stats_openmetrics(src, 2, &size);
	through = stat_snapshot_openmetrics(&s, &size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(direct);
	CU_ASSERT_PTR_NOT_NULL_FATAL(through);
	CU_ASSERT_STRING_EQUAL(direct, through);
	free(direct);
	free(through);
	stat_snapshot_free(&s);
	free(a.d.state);
	free(b.d.state);
}

static void test_rates(void)
{
	struct stat_snapshot before = {0}, now = {0};
	const struct stat_device *old;
	struct stat_rates r;
	struct one_disk d;
	unsigned int i;

	make_disk(&d, "web1");
	metric_add(queue(&d, 0), METRIC_RX_OPS, 5000);
	for (i = 0; i < 1000; i++)
		metrics_latency(queue(&d, 0), 1000000); /* slow, before */
	add(&before, "blkback", &d);
	metric_add(queue(&d, 0), METRIC_RX_OPS, 100);
	metric_add(queue(&d, 1), METRIC_RX_OPS, 300);
	metric_set(queue(&d, 0), METRIC_INFLIGHT, 7);
	metric_set(queue(&d, 1), METRIC_INFLIGHT, 8);
	for (i = 0; i < 99; i++)
		metrics_latency(queue(&d, 1), 5000); /* fast, since */
	metrics_latency(queue(&d, 1), 900000);
	add(&now, "blkback", &d);
	old = stat_find(&before, &now, &now.devices[0]);
	CU_ASSERT_PTR_EQUAL(old, &before.devices[0]);
	stat_rates(&now.devices[0], old, 2.0, &r);
	CU_ASSERT_EQUAL(r.per_s[METRIC_RX_OPS], 200);
	CU_ASSERT_EQUAL(r.per_s[METRIC_TX_OPS], 0);
	CU_ASSERT_EQUAL(r.per_s[METRIC_INFLIGHT], 15);
	CU_ASSERT_TRUE(r.p50_ns >= 4608 && r.p50_ns <= 5120);
	CU_ASSERT_TRUE(r.p999_ns > 800000);
	/* a device that is new, one that began again, and no time at all */
	stat_rates(&now.devices[0], NULL, 1.0, &r);
	CU_ASSERT_EQUAL(r.per_s[METRIC_RX_OPS], 5400);
	stat_rates(&before.devices[0], &now.devices[0], 1.0, &r);
	CU_ASSERT_EQUAL(r.per_s[METRIC_RX_OPS], 5000);
	stat_rates(&now.devices[0], old, 0, &r);
	CU_ASSERT_EQUAL(r.per_s[METRIC_RX_OPS], 0);
	/* another daemon's device of the same number is another */
	free(before.daemons[0]);
	before.daemons[0] = strdup("netback");
	CU_ASSERT_PTR_NULL(stat_find(&before, &now, &now.devices[0]));
	stat_snapshot_free(&before);
	stat_snapshot_free(&now);
	free(d.d.state);
}

#define DEVICE                                                                           \
	"{\"guest\":\"g\",\"domid\":1,\"type\":\"vbd\",\"devid\":1,\"device\":\"xvda\"," \
	"\"engine\":\"null\",\"queues\":"

static void test_bad_json(void)
{
	static const char *const bad[] = {
		"",
		"{",
		"null",
		"[]",
		"error: unknown request\n",
		"{\"daemon\":\"blkback\"}",
		"{\"daemon\":\"blkback\",\"devices\":{}}",
		"{\"daemon\":1,\"devices\":[]}",
		"{\"daemon\":\"blkback\",\"devices\":[1]}",
		"{\"daemon\":\"blkback\",\"devices\":[" DEVICE "[]},{\"guest\":\"g\"}]}",
	};
	struct stat_snapshot s = {0};
	char *many;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CU_ASSERT_FALSE(stat_snapshot_add(&s, bad[i]));
		CU_ASSERT_EQUAL(s.nr_devices, 0);
		CU_ASSERT_EQUAL(s.nr_daemons, 0);
	}
	/* numbers out of any range, buckets out of the table */
	CU_ASSERT_TRUE(stat_snapshot_add(
		&s, "{\"daemon\":\"blkback\",\"devices\":[" DEVICE
		    "[{\"rx_ops\":1e300,\"tx_ops\":-5,\"flushes\":\"x\",\"latency\":{"
		    "\"count\":-1,"
		    "\"buckets\":[[256,1],[-1,1],[1e9,1],[3],[],7,[2,-1],[4,9]]}}]}]}"));
	CU_ASSERT_EQUAL(s.nr_devices, 1);
	CU_ASSERT_EQUAL(s.devices[0].nr_queues, 1);
	CU_ASSERT_EQUAL(state_queue(s.devices[0].state, 0, sizeof(struct state_queue))
				->metrics.value[METRIC_RX_OPS],
			UINT64_MAX);
	CU_ASSERT_EQUAL(state_queue(s.devices[0].state, 0, sizeof(struct state_queue))
				->metrics.latency[4],
			9);
	stat_snapshot_free(&s);
	/* more queues than there can be */
	many = malloc(STAT_QUEUES_MAX * 3 + 1024);
	strcpy(many, "{\"daemon\":\"blkback\",\"devices\":[" DEVICE "[{}");
	for (i = 0; i < STAT_QUEUES_MAX; i++)
		strcpy(many + strlen(many), ",{}");
	strcat(many, "]}]}");
	CU_ASSERT_FALSE(stat_snapshot_add(&s, many));
	free(many);
	stat_snapshot_free(&s);
}

static void test_keep(void)
{
	static char *const by_name[] = {"web1"}, *const by_domid[] = {"nobody", "3"};
	struct stat_snapshot s = {0};
	struct one_disk a, b;

	make_disk(&a, "web1");
	make_disk(&b, "db");
	b.d.domid = 4;
	add(&s, "blkback", &a);
	add(&s, "netback", &b);
	add(&s, "blkback", &a);
	stat_snapshot_keep(&s, NULL, 0);
	CU_ASSERT_EQUAL(s.nr_devices, 3);
	stat_snapshot_keep(&s, by_name, 1);
	CU_ASSERT_EQUAL(s.nr_devices, 2);
	stat_snapshot_keep(&s, by_domid, 2);
	CU_ASSERT_EQUAL(s.nr_devices, 2);
	stat_snapshot_keep(&s, by_domid, 1);
	CU_ASSERT_EQUAL(s.nr_devices, 0);
	stat_snapshot_free(&s);
	free(a.d.state);
	free(b.d.state);
}

/* ---- fetching ---- */

static void *answer_once(void *arg)
{
	static char text[300000];
	int listener = *(int *)arg, fd = accept(listener, NULL, NULL);
	char request[64] = "";
	size_t sent = 0;
	ssize_t n;

	memset(text, 'x', sizeof(text));
	if (recv(fd, request, sizeof(request) - 1, 0) == 5 && !strcmp(request, "json\n"))
		while (sent < sizeof(text) &&
		       (n = write(fd, text + sent, sizeof(text) - sent)) > 0)
			sent += (size_t)n;
	close(fd);
	return NULL;
}

static void test_fetch(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char dir[] = "/tmp/xylem-stat-XXXXXX", *text;
	pthread_t server;
	int fd;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/sock", dir);
	CU_ASSERT_PTR_NULL(stat_fetch(addr.sun_path, "json"));
	CU_ASSERT_EQUAL(errno, ENOENT);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	CU_ASSERT_PTR_NULL(stat_fetch(addr.sun_path, "json"));
	CU_ASSERT_EQUAL(errno, ECONNREFUSED);
	CU_ASSERT_EQUAL(listen(fd, 1), 0);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&server, NULL, answer_once, &fd), 0);
	text = stat_fetch(addr.sun_path, "json");
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_EQUAL(strlen(text), 300000);
	free(text);
	pthread_join(server, NULL);
	close(fd);
	unlink(addr.sun_path);
	rmdir(dir);
}

/* ---- the exporter ---- */

static char *exported(void *arg, size_t *size)
{
	const char *text = arg;

	*size = text ? strlen(text) : 0;
	return text ? strdup(text) : NULL;
}

/* The whole answer to @request from 127.0.0.1:@port. */
static const char *http(unsigned int port, const char *request)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_port = htons((uint16_t)port),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct timeval limit = {.tv_sec = 20};
	static char buf[8192];
	size_t got = 0;
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	CU_ASSERT_EQUAL(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	CU_ASSERT_EQUAL(send(fd, request, strlen(request), MSG_NOSIGNAL),
			(ssize_t)strlen(request));
	while ((n = recv(fd, buf + got, sizeof(buf) - 1 - got, 0)) > 0)
		got += (size_t)n;
	buf[got] = 0;
	close(fd);
	return buf;
}

#define END " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void test_exporter(void)
{
	const char *why = NULL, *r;
	struct stat_exporter *e = stat_exporter_start(
		"127.0.0.1:0", exported, (void *)(uintptr_t) "# EOF\n", &why);
	unsigned int port;

	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	port = stat_exporter_port(e);
	r = http(port, "GET /metrics" END);
	CU_ASSERT_EQUAL(strncmp(r, "HTTP/1.1 200 ", 13), 0);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(r, "Content-Type: application/openmetrics-text; version=1.0.0; "
			  "charset=utf-8\r\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(r, "\r\n\r\n# EOF\n"));
	r = http(port, "HEAD /metrics" END);
	CU_ASSERT_EQUAL(strncmp(r, "HTTP/1.1 200 ", 13), 0);
	CU_ASSERT_PTR_NULL(strstr(r, "# EOF"));
	CU_ASSERT_EQUAL(strncmp(http(port, "GET /etc/passwd" END), "HTTP/1.1 404 ", 13),
			0);
	CU_ASSERT_EQUAL(strncmp(http(port, "DELETE /metrics" END), "HTTP/1.1 405 ", 13),
			0);
	CU_ASSERT_EQUAL(
		strncmp(http(port,
			     "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			     "Content-Length: 5\r\n\r\nhello"),
			"HTTP/1.1 405 ", 13),
		0);
	stat_exporter_stop(e);
	/* no daemon */
	e = stat_exporter_start("127.0.0.1:0", exported, NULL, &why);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(strncmp(http(stat_exporter_port(e), "GET /metrics" END),
				"HTTP/1.1 503 ", 13),
			0);
	stat_exporter_stop(e);
}

static void test_exporter_address(void)
{
	static const char *const bad[] = {
		"",      "9777",        "localhost:9777", "127.0.0.1:",
		":http", "1.2.3.4.5:1", "192.0.2.1:9777"};
	struct stat_exporter *e;
	const char *why;
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		e = stat_exporter_start(bad[i], exported, NULL, &why);
		CU_ASSERT_PTR_NULL(e);
		CU_ASSERT_PTR_NOT_NULL(why);
	}
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"JSON and back", test_round_trip},
		{"rates", test_rates},
		{"bad JSON", test_bad_json},
		{"only some guests", test_keep},
		{"asking a daemon", test_fetch},
		{"exporter", test_exporter},
		{"exporter's address", test_exporter_address},
		CU_TEST_INFO_NULL,
	};

	return suite_main("xylem_stat", tests);
}
