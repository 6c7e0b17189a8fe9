/* SPDX-License-Identifier: GPL-2.0-only */
/* A vif's life and what its queues share, see vif.h. */
#include "backends/netback/vif.h"

#include <errno.h>
#include <stdlib.h>

#include "backends/netback/queue.h"

static bool live_valid(const struct vif_live *l)
{
	return !(l->flags & ~(uint32_t)VIF_LIVE_ALL) &&
	       l->rx_headroom <= VIF_HEADROOM_MAX;
}

bool vif_attach_valid(const struct vif_attach *a)
{
	uint32_t i;

	if (a->version != VIF_PROTO_VERSION || a->nr_queues < 1 ||
	    a->nr_queues > VIF_QUEUES_MAX || a->features & ~(uint32_t)VIF_FEATURES_ALL ||
	    a->reserved || !live_valid(&a->live))
		return false;
	if (a->port_kind != VIF_PORT_TAP && a->port_kind != VIF_PORT_PACKET)
		return false;
	if (a->features & VIF_CTRL_RING && !a->ctrl_port)
		return false;
	for (i = 0; i < a->nr_queues; i++)
		if (!a->queue[i].tx_port || !a->queue[i].rx_port)
			return false;
	return true;
}

struct vif_config *vif_config_begin(struct vif *v)
{
	pthread_mutex_lock(&v->lock);
	return &v->config;
}

void vif_config_end(struct vif *v)
{
	/* release: a queue that sees the new generation takes the lock and sees the rest
	 */
	atomic_fetch_add_explicit(&v->config_gen, 1, memory_order_release);
	pthread_mutex_unlock(&v->lock);
}

void vif_broken(struct vif *v, const char *text)
{
	if (!atomic_flag_test_and_set(&v->broken_said) && v->broken)
		v->broken(v->ctx, text);
}

/* What vif_open() was given and no queue has taken yet. */
static void setup_release(const struct vif_setup *s, uint32_t from)
{
	uint32_t i;

	for (i = from; i < s->attach.nr_queues && i < VIF_QUEUES_MAX; i++) {
		events_close(s->events[i]);
		port_close(s->port[i]);
	}
}

static int vif_open_queues(struct vif *v, const struct vif_setup *s)
{
	const struct vif_attach *a = &s->attach;
	struct queue_setup qs = {.vif = v, .grants = s->grants};
	uint32_t i;
	int err;

	for (i = 0; i < a->nr_queues; i++) {
		qs.index = i;
		qs.attach = a->queue[i];
		qs.events = s->events[i];
		qs.port = s->port[i];
		qs.ctrl = i == 0 && a->features & VIF_CTRL_RING;
		qs.ctrl_ref = a->ctrl_ref;
		qs.ctrl_port = a->ctrl_port;
		qs.ring = v->ring[i] = s->get_ring ? s->get_ring(s->ctx) : NULL;
		err = queue_open(&qs, &v->queue[i]);
		if (err) {
			setup_release(s, i + 1);
			return err;
		}
	}
	for (i = 0; s->threads && i < a->nr_queues; i++) {
		err = queue_start(v->queue[i]);
		if (err)
			return err;
	}
	return 0;
}

int vif_open(const struct vif_setup *s, struct vif **out)
{
	struct vif *v;
	int err;

	if (!vif_attach_valid(&s->attach) || s->attach.domid != s->grants->domid ||
	    s->state_size < vif_state_size(s->attach.nr_queues)) {
		setup_release(s, 0);
		return -EINVAL;
	}
	v = calloc(1, sizeof(*v));
	if (!v) {
		setup_release(s, 0);
		return -ENOMEM;
	}
	v->features = s->attach.features;
	v->nr_queues = s->attach.nr_queues;
	v->state = s->state;
	v->threads = s->threads;
	v->broken = s->broken;
	v->put_ring = s->put_ring;
	v->ctx = s->ctx;
	v->config.live = s->attach.live;
	pthread_mutex_init(&v->lock, NULL);
	err = vif_open_queues(v, s);
	if (err) {
		vif_close(v);
		return err;
	}
	*out = v;
	return 0;
}

static void vif_kick(struct vif *v)
{
	uint32_t i;

	for (i = 0; i < v->nr_queues; i++)
		queue_kick(v->queue[i]);
}

int vif_update(struct vif *v, const struct vif_update *u)
{
	struct vif_config *c;

	if (u->version != VIF_PROTO_VERSION || u->reserved || !live_valid(&u->live))
		return -EINVAL;
	c = vif_config_begin(v);
	c->live = u->live;
	vif_config_end(v);
	vif_kick(v);
	return 0;
}

void vif_close(struct vif *v)
{
	uint32_t i;

	/* all are told before one is waited for */
	for (i = 0; i < v->nr_queues; i++)
		if (v->queue[i])
			queue_stop(v->queue[i]);
	for (i = 0; i < v->nr_queues; i++)
		if (v->queue[i])
			queue_join(v->queue[i]);
	for (i = 0; i < v->nr_queues; i++)
		if (v->queue[i])
			queue_close(v->queue[i]);
	for (i = 0; i < v->nr_queues; i++)
		if (v->ring[i])
			v->put_ring(v->ctx, v->ring[i]);
	pthread_mutex_destroy(&v->lock);
	free(v);
}
