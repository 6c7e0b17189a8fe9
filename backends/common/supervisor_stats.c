/* SPDX-License-Identifier: GPL-2.0-only */
/* The supervisor's connected devices as the statistics socket sees them. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/supervisor_internal.h"

/*
 * The lay-out as the head says it, read once and believed only as far as it fits
 * the mapping: a worker that lies spoils its own figures and nothing else.
 */
static void fill_layout(const struct backend *be, struct stats_device *out)
{
	struct state_head *h = be->state;
	uint32_t nr = *(volatile uint32_t *)&h->nr_queues;
	uint32_t size = *(volatile uint32_t *)&h->queue_size;

	out->state = h;
	if (size < sizeof(struct state_queue) || size % 64 ||
	    nr > (be->state_size - sizeof(*h)) / size)
		return;
	out->nr_queues = nr;
	out->queue_size = size;
}

static bool connected_device(void *arg, unsigned int index, struct stats_device *out)
{
	struct supervisor *s = arg;
	struct device *d;

	for (d = s->devices; d; d = d->next)
		if (d->be.state && !index--)
			break;
	if (!d)
		return false;
	memset(out, 0, sizeof(*out));
	snprintf(d->name, sizeof(d->name), "%u", d->be.devid);
	out->guest = d->be.guest;
	out->device = d->name;
	out->type = s->class->type;
	out->engine = "";
	out->domid = d->be.domid;
	out->devid = d->be.devid;
	if (s->class->describe)
		s->class->describe(&d->be, &out->device, &out->engine);
	fill_layout(&d->be, out);
	return true;
}

void stats_start(struct supervisor *s)
{
	char path[256];

	s->source.daemon = s->class->name;
	s->source.device = connected_device;
	s->source.arg = s;
	snprintf(path, sizeof(path), "%s/stat.sock", s->runtime_dir);
	s->stats = stats_server_open(s->loop, path, &s->source);
	if (!s->stats)
		log_warn("no statistics at %s: %s", path, strerror(errno));
}

void stats_stop(struct supervisor *s)
{
	stats_server_close(s->stats);
	s->stats = NULL;
}
