/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xylem-stat(1): what blkback and netback do, as a live table, as JSON, as
 * OpenMetrics text, or served to a scraper.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backends/common/stat_exporter.h"
#include "backends/common/stat_snapshot.h"
#include "build/config.h"

#define NS_PER_S 1000000000ull

struct options {
	const char *sockets[STAT_DAEMONS_MAX];
	unsigned int nr_sockets;
	bool sockets_given;
	char **guests;
	unsigned int nr_guests;
	double interval;
	unsigned long count; /* 0: without end */
	bool json, openmetrics;
	const char *listen;
};

static const char usage_text[] =
	"usage: xylem-stat [-1j] [-i seconds] [-n count] [-s socket] [guest ...]\n"
	"       xylem-stat --openmetrics [-s socket] [guest ...]\n"
	"       xylem-stat --listen address:port [-s socket] [guest ...]\n";

/* ---- taking snapshots ---- */

/*
 * Ask every daemon. One that does not run is left out; false when none answers, or
 * when one that was named does not. @quiet: do not say why.
 */
static bool take_snapshot(const struct options *o, struct stat_snapshot *s, bool quiet)
{
	struct timespec ts;
	unsigned int i;
	bool bad = false;
	char *json;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < o->nr_sockets; i++) {
		json = stat_fetch(o->sockets[i], "json");
		if (json ? stat_snapshot_add(s, json)
			 : !o->sockets_given &&
				    (errno == ENOENT || errno == ECONNREFUSED)) {
			free(json);
			continue;
		}
		bad = true;
		if (!quiet)
			fprintf(stderr, "xylem-stat: %s: %s\n", o->sockets[i],
				json ? "unexpected answer" : strerror(errno));
		free(json);
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	s->time_ns = (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	stat_snapshot_keep(s, o->guests, o->nr_guests);
	if (s->nr_daemons && !(bad && o->sockets_given))
		return true;
	if (!quiet && !bad)
		fprintf(stderr, "xylem-stat: neither blkback nor netback is running\n");
	stat_snapshot_free(s);
	return false;
}

static char *openmetrics(void *arg, size_t *size)
{
	struct stat_snapshot s;
	char *text;

	if (!take_snapshot(arg, &s, true))
		return NULL;
	text = stat_snapshot_openmetrics(&s, size);
	stat_snapshot_free(&s);
	return text;
}

/* ---- the table ---- */

/* The guest column is as wide as the longest name, within bounds. */
static int guest_width(const struct stat_snapshot *s)
{
	size_t width = 12, len;
	unsigned int i;

	for (i = 0; i < s->nr_devices; i++) {
		len = strlen(s->devices[i].guest);
		width = len > width ? len : width;
	}
	return width < 40 ? (int)width : 40;
}

static void print_header(int width)
{
	printf("%-*s %-10s %9s %9s %8s %8s %8s %8s %8s %5s %8s %7s %6s %6s\n", width,
	       "guest", "device", "rd/s", "wr/s", "rdMB/s", "wrMB/s", "p50us", "p99us",
	       "p99.9us", "infl", "ev/s", "sys/op", "thr/s", "err/s");
}

/* A name as the terminal may see it: a guest's may hold anything. */
static void printable(char *out, size_t size, const char *name)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++)
		out[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
	out[i] = 0;
}

static void print_row(const struct stat_device *d, const struct stat_rates *r, int width)
{
	double ops = r->per_s[METRIC_RX_OPS] + r->per_s[METRIC_TX_OPS] +
		     r->per_s[METRIC_FLUSHES] + r->per_s[METRIC_DISCARDS];
	char guest[64], device[32];

	printable(guest, sizeof(guest), d->guest);
	printable(device, sizeof(device), d->device);
	printf("%-*.*s %-10s %9.0f %9.0f %8.2f %8.2f %8.1f %8.1f %8.1f %5.0f %8.0f ",
	       width, width, guest, device, r->per_s[METRIC_RX_OPS],
	       r->per_s[METRIC_TX_OPS], r->per_s[METRIC_RX_BYTES] / 1e6,
	       r->per_s[METRIC_TX_BYTES] / 1e6, (double)r->p50_ns / 1e3,
	       (double)r->p99_ns / 1e3, (double)r->p999_ns / 1e3,
	       r->per_s[METRIC_INFLIGHT],
	       r->per_s[METRIC_EVENTS_IN] + r->per_s[METRIC_EVENTS_OUT]);
	if (ops > 0)
		printf("%7.2f", r->per_s[METRIC_SYSCALLS] / ops);
	else
		printf("%7s", "-");
	printf(" %6.0f %6.0f\n", r->per_s[METRIC_THROTTLED], r->per_s[METRIC_ERRORS]);
}

static void print_table(const struct stat_snapshot *s, const struct stat_snapshot *before)
{
	double seconds = (double)(s->time_ns - before->time_ns) / NS_PER_S;
	int width = guest_width(s);
	struct stat_rates r;
	unsigned int i;

	/* On a terminal the table stays in place; elsewhere one follows the other. */
	if (isatty(STDOUT_FILENO))
		printf("\033[H\033[J");
	print_header(width);
	for (i = 0; i < s->nr_devices; i++) {
		stat_rates(&s->devices[i], stat_find(before, s, &s->devices[i]), seconds,
			   &r);
		print_row(&s->devices[i], &r, width);
	}
	if (!isatty(STDOUT_FILENO))
		putchar('\n');
}

/* ---- JSON ---- */

static void json_device(const struct stat_snapshot *s, const struct stat_device *d,
			const struct stat_rates *r)
{
	const char *comma = "";
	unsigned int k;

	printf("{\"daemon\":");
	stats_put_string(stdout, s->daemons[d->daemon]);
	printf(",\"guest\":");
	stats_put_string(stdout, d->guest);
	printf(",\"domid\":%u,\"type\":", d->domid);
	stats_put_string(stdout, d->type);
	printf(",\"devid\":%u,\"device\":", d->devid);
	stats_put_string(stdout, d->device);
	printf(",\"engine\":");
	stats_put_string(stdout, d->engine);
	printf(",\"queues\":%u,\"%s\":%.0f,\"%s\":%.0f,\"per_second\":{", d->nr_queues,
	       metric_name(METRIC_INFLIGHT), r->per_s[METRIC_INFLIGHT],
	       metric_name(METRIC_PERSISTENT), r->per_s[METRIC_PERSISTENT]);
	for (k = 0; k < METRIC_COUNT; k++) {
		if (metric_is_gauge((enum metric)k))
			continue;
		printf("%s\"%s\":%.3f", comma, metric_name((enum metric)k), r->per_s[k]);
		comma = ",";
	}
	printf("},\"latency_ns\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64
	       ",\"p999\":%" PRIu64 "}}",
	       r->p50_ns, r->p99_ns, r->p999_ns);
}

/* One line an interval. */
static void print_json(const struct stat_snapshot *s, const struct stat_snapshot *before)
{
	double seconds = (double)(s->time_ns - before->time_ns) / NS_PER_S;
	struct stat_rates r;
	unsigned int i;

	printf("{\"interval_s\":%.6f,\"devices\":[", seconds);
	for (i = 0; i < s->nr_devices; i++) {
		stat_rates(&s->devices[i], stat_find(before, s, &s->devices[i]), seconds,
			   &r);
		if (i)
			putchar(',');
		json_device(s, &s->devices[i], &r);
	}
	puts("]}");
}

/* ---- what was asked for ---- */

static void sleep_until(uint64_t ns)
{
	struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_S),
			      .tv_nsec = (long)(ns % NS_PER_S)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) == EINTR)
		;
}

/* After the first answer a daemon that restarts is waited for. */
static int run_live(const struct options *o)
{
	struct stat_snapshot before, now;
	unsigned long done = 0;
	uint64_t next;

	if (!take_snapshot(o, &before, false))
		return 1;
	next = before.time_ns;
	while (!o->count || done < o->count) {
		next += (uint64_t)(o->interval * NS_PER_S);
		sleep_until(next);
		done++;
		if (!take_snapshot(o, &now, false))
			continue;
		if (o->json)
			print_json(&now, &before);
		else
			print_table(&now, &before);
		stat_snapshot_free(&before);
		before = now;
		if (fflush(stdout))
			break;
	}
	stat_snapshot_free(&before);
	return ferror(stdout) ? 1 : 0;
}

static int run_openmetrics(struct options *o)
{
	struct stat_snapshot s;
	size_t size;
	char *text;
	bool ok;

	if (!take_snapshot(o, &s, false))
		return 1;
	text = stat_snapshot_openmetrics(&s, &size);
	stat_snapshot_free(&s);
	ok = text && fwrite(text, 1, size, stdout) == size && !fflush(stdout);
	free(text);
	return ok ? 0 : 1;
}

static int run_exporter(struct options *o)
{
	struct stat_exporter *e;
	const char *why;
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL); /* the exporter's thread inherits it */
	e = stat_exporter_start(o->listen, openmetrics, o, &why);
	if (!e) {
		fprintf(stderr, "xylem-stat: %s: %s\n", o->listen, why);
		return 1;
	}
	printf("listening on port %u\n", stat_exporter_port(e));
	fflush(stdout);
	sigwait(&set, &sig);
	stat_exporter_stop(e);
	return 0;
}

/* ---- options ---- */

static int usage_error(const char *what)
{
	if (what)
		fprintf(stderr, "xylem-stat: %s\n", what);
	fputs(usage_text, stderr);
	return 2;
}

static bool parse_interval(const char *text, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && !*end && isfinite(*out) && *out >= 0.01 && *out <= 86400;
}

static bool parse_count(const char *text, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && !*end && !errno && *out;
}

enum { OPT_OPENMETRICS = 256, OPT_LISTEN };

static const struct option long_options[] = {
	{"once", no_argument, NULL, '1'},
	{"json", no_argument, NULL, 'j'},
	{"interval", required_argument, NULL, 'i'},
	{"count", required_argument, NULL, 'n'},
	{"socket", required_argument, NULL, 's'},
	{"openmetrics", no_argument, NULL, OPT_OPENMETRICS},
	{"listen", required_argument, NULL, OPT_LISTEN},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

static bool add_socket(struct options *o, const char *path)
{
	if (!o->sockets_given)
		o->nr_sockets = 0; /* the defaults */
	o->sockets_given = true;
	if (o->nr_sockets == STAT_DAEMONS_MAX)
		return false;
	o->sockets[o->nr_sockets++] = path;
	return true;
}

/* -1: go on; otherwise the exit status. */
static int parse_option(struct options *o, int c)
{
	switch (c) {
	case '1':
		o->count = 1;
		return -1;
	case 'j':
		o->json = true;
		return -1;
	case 'i':
		return parse_interval(optarg, &o->interval) ? -1
							    : usage_error("bad interval");
	case 'n':
		return parse_count(optarg, &o->count) ? -1 : usage_error("bad count");
	case 's':
		return add_socket(o, optarg) ? -1 : usage_error("too many sockets");
	case OPT_OPENMETRICS:
		o->openmetrics = true;
		return -1;
	case OPT_LISTEN:
		o->listen = optarg;
		return -1;
	case 'h':
		fputs(usage_text, stdout);
		return 0;
	case 'V':
		puts("xylem-stat " XYLEM_VERSION);
		return 0;
	default:
		return usage_error(NULL);
	}
}

int main(int argc, char **argv)
{
	struct options o = {.sockets = {"/run/xylem/blkback/stat.sock",
					"/run/xylem/netback/stat.sock"},
			    .nr_sockets = 2,
			    .interval = 1};
	int c, status;

	while ((c = getopt_long(argc, argv, "1ji:n:s:hV", long_options, NULL)) != -1) {
		status = parse_option(&o, c);
		if (status >= 0)
			return status;
	}
	o.guests = argv + optind;
	o.nr_guests = (unsigned int)(argc - optind);
	if (o.json + o.openmetrics + !!o.listen > 1)
		return usage_error(
			"--json, --openmetrics and --listen exclude each other");
	if (o.listen)
		return run_exporter(&o);
	return o.openmetrics ? run_openmetrics(&o) : run_live(&o);
}
