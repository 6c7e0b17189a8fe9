/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading the statistics sockets: see stat_snapshot.h. */
#include "backends/common/stat_snapshot.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX (64u << 20)

/* ---- the socket ---- */

static int dial(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 3};
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) &&
	    !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) &&
	    !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* Everything up to end of file, with a NUL; NULL with errno. */
static char *read_all(int fd)
{
	size_t room = 1 << 16, got = 0;
	char *text = malloc(room), *bigger;
	ssize_t n = 1;

	while (text && n) {
		if (got + 1 == room) {
			room *= 2;
			errno = EMSGSIZE;
			bigger = room <= ANSWER_MAX ? realloc(text, room) : NULL;
			if (!bigger)
				break;
			text = bigger;
		}
		n = recv(fd, text + got, room - 1 - got, 0);
		if (n < 0 && errno != EINTR)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	if (text && !n) {
		text[got] = 0;
		return text;
	}
	free(text);
	return NULL;
}

char *stat_fetch(const char *path, const char *request)
{
	char line[STATS_REQUEST_MAX], *text = NULL;
	int fd = dial(path), err;
	size_t len;

	if (fd < 0)
		return NULL;
	len = (size_t)snprintf(line, sizeof(line), "%s\n", request);
	if (send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len)
		text = read_all(fd);
	err = errno;
	close(fd);
	errno = err;
	return text;
}

/* ---- reading JSON ---- */

static uint64_t get_number(const cJSON *object, const char *name)
{
	const cJSON *n = cJSON_GetObjectItemCaseSensitive(object, name);
	double v = cJSON_IsNumber(n) ? n->valuedouble : 0;

	return v < 0 ? 0 : v >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)v;
}

static char *get_string(const cJSON *object, const char *name)
{
	const char *s =
		cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

	return s ? strdup(s) : NULL;
}

static void read_queue(const cJSON *json, struct metrics_queue *m)
{
	const cJSON *latency = cJSON_GetObjectItemCaseSensitive(json, "latency"), *pair;
	unsigned int k;

	for (k = 0; k < METRIC_COUNT; k++)
		atomic_init(&m->value[k], get_number(json, metric_name((enum metric)k)));
	atomic_init(&m->latency_count, get_number(latency, "count"));
	atomic_init(&m->latency_sum_ns, get_number(latency, "sum_ns"));
	cJSON_ArrayForEach(pair, cJSON_GetObjectItemCaseSensitive(latency, "buckets"))
	{
		const cJSON *index = cJSON_GetArrayItem(pair, 0);
		const cJSON *count = cJSON_GetArrayItem(pair, 1);

		if (cJSON_IsNumber(index) && cJSON_IsNumber(count) &&
		    index->valuedouble >= 0 && index->valuedouble < METRIC_BUCKETS &&
		    count->valuedouble >= 0 &&
		    count->valuedouble < 18446744073709551615.0)
			atomic_init(&m->latency[(unsigned int)index->valuedouble],
				    (uint64_t)count->valuedouble);
	}
}

static void read_limits(const cJSON *json, struct limit_bucket *b)
{
	struct limit_rate r = {.bytes_per_s = get_number(json, "bytes_per_s"),
			       .ops_per_s = get_number(json, "ops_per_s")};

	limit_set(b, &r);
}

static bool read_state(const cJSON *json, struct stat_device *d)
{
	const cJSON *queues = cJSON_GetObjectItemCaseSensitive(json, "queues"), *queue;
	const cJSON *limits = cJSON_GetObjectItemCaseSensitive(json, "limits");
	int n = cJSON_GetArraySize(queues);
	unsigned int i = 0;
	size_t size;

	if (n < 0 || n > STAT_QUEUES_MAX)
		return false;
	size = sizeof(struct state_head) + (size_t)n * sizeof(struct state_queue);
	d->state = aligned_alloc(64, size); /* both are multiples of 64 */
	if (!d->state)
		return false;
	memset(d->state, 0, size);
	d->nr_queues = (unsigned int)n;
	cJSON_ArrayForEach(queue, queues) read_queue(
		queue, &state_queue(d->state, i++, sizeof(struct state_queue))->metrics);
	read_limits(cJSON_GetObjectItemCaseSensitive(limits, "to_guest"),
		    &d->state->limit[0]);
	read_limits(cJSON_GetObjectItemCaseSensitive(limits, "from_guest"),
		    &d->state->limit[1]);
	return true;
}

static void device_free(struct stat_device *d)
{
	free(d->guest);
	free(d->device);
	free(d->type);
	free(d->engine);
	free(d->state);
}

static bool read_device(const cJSON *json, unsigned int daemon, struct stat_device *d)
{
	memset(d, 0, sizeof(*d));
	d->daemon = daemon;
	d->guest = get_string(json, "guest");
	d->device = get_string(json, "device");
	d->type = get_string(json, "type");
	d->engine = get_string(json, "engine");
	d->domid = (uint32_t)get_number(json, "domid");
	d->devid = (uint32_t)get_number(json, "devid");
	if (d->guest && d->device && d->type && d->engine && read_state(json, d))
		return true;
	device_free(d);
	return false;
}

/* All devices of @list, or none. */
static bool read_devices(struct stat_snapshot *s, const cJSON *list)
{
	unsigned int before = s->nr_devices;
	struct stat_device *devices;
	const cJSON *json;

	if (!cJSON_IsArray(list))
		return false;
	devices = realloc(s->devices, (before + (unsigned int)cJSON_GetArraySize(list) +
				       1) * sizeof(*devices));
	if (!devices)
		return false;
	s->devices = devices;
	cJSON_ArrayForEach(json, list)
	{
		if (!read_device(json, s->nr_daemons, &devices[s->nr_devices])) {
			while (s->nr_devices > before)
				device_free(&devices[--s->nr_devices]);
			return false;
		}
		s->nr_devices++;
	}
	return true;
}

bool stat_snapshot_add(struct stat_snapshot *s, const char *json)
{
	cJSON *root = cJSON_Parse(json);
	char *daemon = get_string(root, "daemon");
	bool ok = daemon && s->nr_daemons < STAT_DAEMONS_MAX &&
		  read_devices(s, cJSON_GetObjectItemCaseSensitive(root, "devices"));

	cJSON_Delete(root);
	if (ok)
		s->daemons[s->nr_daemons++] = daemon;
	else
		free(daemon);
	return ok;
}

void stat_snapshot_free(struct stat_snapshot *s)
{
	while (s->nr_devices)
		device_free(&s->devices[--s->nr_devices]);
	while (s->nr_daemons)
		free(s->daemons[--s->nr_daemons]);
	free(s->devices);
	memset(s, 0, sizeof(*s));
}

void stat_snapshot_keep(struct stat_snapshot *s, char *const *names, unsigned int n)
{
	unsigned int i, j, to = 0;
	char domid[16];

	for (i = 0; n && i < s->nr_devices; i++) {
		struct stat_device *d = &s->devices[i];

		snprintf(domid, sizeof(domid), "%u", d->domid);
		for (j = 0;
		     j < n && strcmp(names[j], d->guest) && strcmp(names[j], domid); j++)
			;
		if (j < n)
			s->devices[to++] = *d;
		else
			device_free(d);
	}
	if (n)
		s->nr_devices = to;
}

/* ---- OpenMetrics ---- */

struct daemon_source {
	const struct stat_snapshot *snapshot;
	unsigned int daemon;
};

static bool next_device(void *arg, unsigned int index, struct stats_device *out)
{
	const struct daemon_source *src = arg;
	const struct stat_device *d;
	unsigned int i;

	for (i = 0; i < src->snapshot->nr_devices; i++) {
		d = &src->snapshot->devices[i];
		if (d->daemon != src->daemon || index--)
			continue;
		*out = (struct stats_device){
			.guest = d->guest,
			.device = d->device,
			.type = d->type,
			.engine = d->engine,
			.domid = d->domid,
			.devid = d->devid,
			.state = d->state,
			.nr_queues = d->nr_queues,
			.queue_size = sizeof(struct state_queue),
		};
		return true;
	}
	return false;
}

char *stat_snapshot_openmetrics(const struct stat_snapshot *s, size_t *size)
{
	struct daemon_source args[STAT_DAEMONS_MAX];
	struct stats_source sources[STAT_DAEMONS_MAX];
	unsigned int i;

	for (i = 0; i < s->nr_daemons; i++) {
		args[i] = (struct daemon_source){s, i};
		sources[i] = (struct stats_source){s->daemons[i], next_device, &args[i]};
	}
	return stats_openmetrics(sources, s->nr_daemons, size);
}

/* ---- rates ---- */

const struct stat_device *stat_find(const struct stat_snapshot *old,
				    const struct stat_snapshot *s,
				    const struct stat_device *d)
{
	const struct stat_device *o;

	for (o = old->devices; o < old->devices + old->nr_devices; o++)
		if (o->domid == d->domid && o->devid == d->devid &&
		    !strcmp(o->type, d->type) &&
		    !strcmp(old->daemons[o->daemon], s->daemons[d->daemon]))
			return o;
	return NULL;
}

static uint64_t total(const struct stat_device *d, unsigned int k)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; d && i < d->nr_queues; i++)
		sum += atomic_load(&state_queue(d->state, i, sizeof(struct state_queue))
					    ->metrics.value[k]);
	return sum;
}

static uint64_t total_bucket(const struct stat_device *d, unsigned int b)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; d && i < d->nr_queues; i++)
		sum += atomic_load(&state_queue(d->state, i, sizeof(struct state_queue))
					    ->metrics.latency[b]);
	return sum;
}

/* A counter that went back began again when the device did. */
static uint64_t since(uint64_t now, uint64_t before)
{
	return now >= before ? now - before : now;
}

void stat_rates(const struct stat_device *now, const struct stat_device *before,
		double seconds, struct stat_rates *out)
{
	struct metrics_queue m = {0};
	const struct metrics_queue *p = &m;
	unsigned int k;
	uint64_t v;

	for (k = 0; k < METRIC_COUNT; k++) {
		v = total(now, k);
		out->per_s[k] = metric_is_gauge((enum metric)k) ? (double)v
				: seconds > 0
					? (double)since(v, total(before, k)) / seconds
					: 0;
	}
	for (k = 0; k < METRIC_BUCKETS; k++)
		atomic_init(&m.latency[k],
			    since(total_bucket(now, k), total_bucket(before, k)));
	out->p50_ns = metrics_quantile(&p, 1, 0.5);
	out->p99_ns = metrics_quantile(&p, 1, 0.99);
	out->p999_ns = metrics_quantile(&p, 1, 0.999);
}
