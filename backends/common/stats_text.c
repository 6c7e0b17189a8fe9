/* SPDX-License-Identifier: GPL-2.0-only */
/* Statistics as text: JSON, and OpenMetrics 1.0 (openmetrics.io). See stats.h. */
#include "backends/common/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The exported histogram has a bucket an octave, 256 ns to 69 s. */
#define OCTAVES        29
#define BUCKETS_OCTAVE 8

static const double quantiles[] = {0.5, 0.99, 0.999};
static const char *const quantile_names[] = {"p50_ns", "p99_ns", "p999_ns"};

static uint64_t load(const _Atomic(uint64_t) *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

static const struct metrics_queue *queue_metrics(const struct stats_device *d,
						 unsigned int i)
{
	return &state_queue(d->state, i, d->queue_size)->metrics;
}

/* ---- strings ---- */

/* Length of the UTF-8 sequence at @s (RFC 3629), or 0 when it is none. */
static unsigned int utf8_length(const unsigned char *s)
{
	unsigned int n = s[0] < 0x80   ? 1
			 : s[0] < 0xc2 ? 0
			 : s[0] < 0xe0 ? 2
			 : s[0] < 0xf0 ? 3
			 : s[0] < 0xf5 ? 4
				       : 0,
		     i;

	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

void stats_put_string(FILE *f, const char *text)
{
	const unsigned char *s = (const unsigned char *)(text ? text : "");
	unsigned int n;

	putc('"', f);
	for (; *s; s += n ? n : 1) {
		n = utf8_length(s);
		/* U+0080 to U+009F are controls too: a terminal obeys them */
		if (!n || *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0))
			putc('?', f);
		else if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else
			fwrite(s, 1, n, f);
	}
	putc('"', f);
}

/* ---- JSON ---- */

static void json_metrics(FILE *f, const struct metrics_queue *m)
{
	unsigned int k;

	for (k = 0; k < METRIC_COUNT; k++)
		fprintf(f, "\"%s\":%" PRIu64 ",", metric_name((enum metric)k),
			load(&m->value[k]));
}

static void json_quantiles(FILE *f, const struct metrics_queue *const *m, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < 3; i++)
		fprintf(f, "%s\"%s\":%" PRIu64, i ? "," : "", quantile_names[i],
			metrics_quantile(m, n, quantiles[i]));
}

/* The buckets that hold something, as [index, count]. */
static void json_latency(FILE *f, const struct metrics_queue *m)
{
	const char *comma = "";
	unsigned int b;
	uint64_t count;

	fprintf(f, "\"latency\":{");
	json_quantiles(f, &m, 1);
	fprintf(f, ",\"count\":%" PRIu64 ",\"sum_ns\":%" PRIu64 ",\"buckets\":[",
		load(&m->latency_count), load(&m->latency_sum_ns));
	for (b = 0; b < METRIC_BUCKETS; b++) {
		count = load(&m->latency[b]);
		if (count) {
			fprintf(f, "%s[%u,%" PRIu64 "]", comma, b, count);
			comma = ",";
		}
	}
	fprintf(f, "]}");
}

static void json_limits(FILE *f, const struct state_head *h)
{
	static const char *const way[] = {"to_guest", "from_guest"};
	unsigned int i;

	fprintf(f, "\"limits\":{");
	for (i = 0; i < 2; i++)
		fprintf(f,
			"%s\"%s\":{\"bytes_per_s\":%" PRIu64 ",\"ops_per_s\":%" PRIu64
			"}",
			i ? "," : "", way[i], load(&h->limit[i].bytes_rate),
			load(&h->limit[i].ops_rate));
	fprintf(f, "}");
}

static void json_device(FILE *f, const struct stats_device *d)
{
	unsigned int i;

	fprintf(f, "{\"guest\":");
	stats_put_string(f, d->guest);
	fprintf(f, ",\"domid\":%" PRIu32 ",\"type\":", d->domid);
	stats_put_string(f, d->type);
	fprintf(f, ",\"devid\":%" PRIu32 ",\"device\":", d->devid);
	stats_put_string(f, d->device);
	fprintf(f, ",\"engine\":");
	stats_put_string(f, d->engine);
	putc(',', f);
	json_limits(f, d->state);
	fprintf(f, ",\"queues\":[");
	for (i = 0; i < d->nr_queues; i++) {
		fprintf(f, "%s{", i ? "," : "");
		json_metrics(f, queue_metrics(d, i));
		json_latency(f, queue_metrics(d, i));
		putc('}', f);
	}
	fprintf(f, "]}");
}

static void json_source(FILE *f, const struct stats_source *s)
{
	struct stats_device d;
	unsigned int i;

	fprintf(f, "{\"daemon\":");
	stats_put_string(f, s->daemon);
	fprintf(f, ",\"devices\":[");
	for (i = 0; s->device(s->arg, i, &d); i++) {
		if (i)
			putc(',', f);
		json_device(f, &d);
	}
	fprintf(f, "]}\n");
}

/* ---- OpenMetrics ---- */

static void om_labels(FILE *f, const struct stats_source *s, const struct stats_device *d)
{
	fprintf(f, "{daemon=");
	stats_put_string(f, s->daemon);
	fprintf(f, ",guest=");
	stats_put_string(f, d->guest);
	fprintf(f, ",domid=\"%" PRIu32 "\",type=", d->domid);
	stats_put_string(f, d->type);
	fprintf(f, ",devid=\"%" PRIu32 "\",device=", d->devid);
	stats_put_string(f, d->device);
}

static void om_family(FILE *f, const char *name, const char *type, const char *unit,
		      const char *help)
{
	fprintf(f, "# TYPE xylem_%s %s\n", name, type);
	if (unit)
		fprintf(f, "# UNIT xylem_%s %s\n", name, unit);
	fprintf(f, "# HELP xylem_%s %s\n", name, help);
}

static void om_info(FILE *f, const struct stats_source *s, const struct stats_device *d)
{
	fprintf(f, "xylem_device_info");
	om_labels(f, s, d);
	fprintf(f, ",engine=");
	stats_put_string(f, d->engine);
	fprintf(f, "} 1\n");
}

static void om_limits(FILE *f, const struct stats_source *s, const struct stats_device *d,
		      const char *name, bool bytes)
{
	static const char *const way[] = {"to_guest", "from_guest"};
	unsigned int i;

	for (i = 0; i < 2; i++) {
		const struct limit_bucket *b = &d->state->limit[i];

		fprintf(f, "xylem_%s", name);
		om_labels(f, s, d);
		fprintf(f, ",direction=\"%s\"} %" PRIu64 "\n", way[i],
			load(bytes ? &b->bytes_rate : &b->ops_rate));
	}
}

static void om_metric(FILE *f, const struct stats_source *s, const struct stats_device *d,
		      enum metric k)
{
	unsigned int i;

	for (i = 0; i < d->nr_queues; i++) {
		fprintf(f, "xylem_%s%s", metric_name(k),
			metric_is_gauge(k) ? "" : "_total");
		om_labels(f, s, d);
		fprintf(f, ",queue=\"%u\"} %" PRIu64 "\n", i,
			load(&queue_metrics(d, i)->value[k]));
	}
}

/* Summed over the queues; the count is that of the buckets, so that they agree. */
static void om_latency(FILE *f, const struct stats_source *s,
		       const struct stats_device *d)
{
	unsigned int i, b, octave;
	uint64_t total = 0, sum = 0;

	for (octave = 0, b = 0; octave <= OCTAVES; octave++) {
		unsigned int end =
			octave < OCTAVES ? 1 + octave * BUCKETS_OCTAVE : METRIC_BUCKETS;

		for (; b < end; b++)
			for (i = 0; i < d->nr_queues; i++)
				total += load(&queue_metrics(d, i)->latency[b]);
		fprintf(f, "xylem_latency_seconds_bucket");
		om_labels(f, s, d);
		if (octave < OCTAVES)
			fprintf(f, ",le=\"%.9g\"} %" PRIu64 "\n",
				(double)metrics_bucket_start(end) / 1e9, total);
		else
			fprintf(f, ",le=\"+Inf\"} %" PRIu64 "\n", total);
	}
	for (i = 0; i < d->nr_queues; i++)
		sum += load(&queue_metrics(d, i)->latency_sum_ns);
	fprintf(f, "xylem_latency_seconds_sum");
	om_labels(f, s, d);
	fprintf(f, "} %.9f\n", (double)sum / 1e9);
	fprintf(f, "xylem_latency_seconds_count");
	om_labels(f, s, d);
	fprintf(f, "} %" PRIu64 "\n", total);
}

/* What a family's lines of one device are. */
enum om_kind { OM_INFO, OM_LIMIT_BYTES, OM_LIMIT_OPS, OM_LATENCY, OM_METRIC };

static void om_device(FILE *f, const struct stats_source *s, const struct stats_device *d,
		      unsigned int kind)
{
	switch (kind) {
	case OM_INFO:
		return om_info(f, s, d);
	case OM_LIMIT_BYTES:
		return om_limits(f, s, d, "limit_bytes_per_second", true);
	case OM_LIMIT_OPS:
		return om_limits(f, s, d, "limit_ops_per_second", false);
	case OM_LATENCY:
		return om_latency(f, s, d);
	default:
		return om_metric(f, s, d, (enum metric)(kind - OM_METRIC));
	}
}

static void om_header(FILE *f, unsigned int kind)
{
	enum metric k = (enum metric)(kind - OM_METRIC);

	switch (kind) {
	case OM_INFO:
		return om_family(f, "device", "info", NULL, "Connected devices.");
	case OM_LIMIT_BYTES:
		return om_family(f, "limit_bytes_per_second", "gauge", NULL,
				 "Limit on bytes a second; 0: none.");
	case OM_LIMIT_OPS:
		return om_family(f, "limit_ops_per_second", "gauge", NULL,
				 "Limit on operations a second; 0: none.");
	case OM_LATENCY:
		return om_family(f, "latency_seconds", "histogram", "seconds",
				 "From request to response.");
	default:
		return om_family(f, metric_name(k),
				 metric_is_gauge(k) ? "gauge" : "counter",
				 strstr(metric_name(k), "_bytes") ? "bytes" : NULL,
				 metric_help(k));
	}
}

/* A family is one run of lines, so the devices are gone through once a family. */
static void om_text(FILE *f, const struct stats_source *sources, unsigned int n)
{
	struct stats_device d;
	unsigned int kind, i, j;

	for (kind = 0; kind < OM_METRIC + METRIC_COUNT; kind++) {
		om_header(f, kind);
		for (i = 0; i < n; i++)
			for (j = 0; sources[i].device(sources[i].arg, j, &d); j++)
				om_device(f, &sources[i], &d, kind);
	}
	fprintf(f, "# EOF\n");
}

/* ---- both ---- */

static char *make_text(const struct stats_source *sources, unsigned int n, size_t *size,
		       bool json)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);
	unsigned int i;
	bool failed;

	if (!f)
		return NULL;
	if (json)
		for (i = 0; i < n; i++)
			json_source(f, &sources[i]);
	else
		om_text(f, sources, n);
	failed = ferror(f);
	if (!fclose(f) && !failed)
		return text;
	free(text);
	return NULL;
}

char *stats_json(const struct stats_source *sources, unsigned int n, size_t *size)
{
	return make_text(sources, n, size, true);
}

char *stats_openmetrics(const struct stats_source *sources, unsigned int n, size_t *size)
{
	return make_text(sources, n, size, false);
}
