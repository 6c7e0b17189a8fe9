/* SPDX-License-Identifier: GPL-2.0-only */
/* The supervisor's connected devices as the statistics socket sees them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backends/common/supervisor_internal.h"

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
	out->state = d->be.state;
	out->nr_queues = d->nr_queues;
	out->queue_size = d->queue_size;
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
