/* SPDX-License-Identifier: GPL-2.0-only */
/* One queue over the loopback; see vbd_rig.h. */
#include "tests/unit/vbd_rig.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "backends/blkback/fast_clock.h"

static void note_broken(void *arg, const char *text)
{
	struct rig *r = arg;

	r->nr_broken++;
	snprintf(r->broken, sizeof(r->broken), "%s", text);
}

static uint32_t or_else(uint32_t v, uint32_t other)
{
	return v ? v : other;
}

static void make_disk(struct rig *r)
{
	const struct rig_options *o = &r->o;
	struct vbd_disk *d = &r->disk;

	d->abi = o->abi;
	d->flags = o->flags | (o->persistent ? VBD_PERSISTENT : 0);
	d->sector_size = or_else(o->sector_size, 512);
	d->sector_unit = or_else(o->sector_unit, 512);
	vbd_disk_set_align(d, or_else(o->offset_align, 512),
			   or_else(o->memory_align, 512));
	d->max_segments = o->max_segments;
	d->direct_min_persistent = or_else(o->direct_min, DIRECT_MIN_PERSISTENT);
	d->direct_min_mapped = or_else(o->direct_min, DIRECT_MIN_MAPPED);
	d->size = o->size ? o->size : 64 << 20;
	d->limit = r->limit;
	ranges_init(&r->ranges);
	r->ranges.wake_fd[0] = r->wake_fd;
	d->ranges = d->offset_align > d->sector_size ? &r->ranges : NULL;
}

static void make_guest(struct rig *r)
{
	r->ring_pages = 1u << r->o.ring_order;
	r->lb = loopback_new(r->ring_pages + RIG_DATA_FRAMES,
			     r->ring_pages + RIG_DATA_FRAMES + 64, 8);
	assert(r->lb);
	r->events = loopback_events(r->lb);
	assert(r->events);
	for (uint32_t i = 0; i < r->ring_pages; i++)
		r->ring_ref[i] = loopback_grant(r->lb, i, false);
	for (uint32_t i = 0; i < RIG_DATA_FRAMES; i++)
		r->ref[i] =
			loopback_grant(r->lb, r->ring_pages + i, r->o.readonly_grants);
	r->port = loopback_port_alloc(r->lb);
	ring_front_init(&r->ring, loopback_frame(r->lb, 0), r->ring_pages,
			blkif_slot_size(r->o.abi));
	if (r->o.first_index) {
		r->ring.shared->req_prod = r->ring.shared->rsp_prod = r->o.first_index;
		r->ring.shared->rsp_event = r->o.first_index + 1;
		assert(ring_front_resume(&r->ring, loopback_frame(r->lb, 0),
					 r->ring_pages, blkif_slot_size(r->o.abi),
					 r->o.first_index, r->o.first_index));
	}
}

void rig_prepare(struct rig *r, const struct rig_options *o)
{
	uint32_t size = vbd_state_queue_size(o->ring_order);

	memset(r, 0, sizeof(*r));
	r->o = *o;
	r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	make_guest(r);
	make_disk(r);
	r->state = aligned_alloc(64, size);
	assert(r->state && r->wake_fd >= 0);
	memset(r->state, 0, size);
}

/* ---- what O_DIRECT would say; one rig at a time ---- */

static struct rig *checked;
static const struct engine_ops *checked_inner;
static struct engine_ops checked_ops;

static int checked_submit(struct engine *e, struct engine_io *io)
{
	uint64_t block = checked->disk.offset_align - 1, bytes = 0;
	bool ok = !(io->offset & block);

	for (unsigned int i = 0; i < io->nr_iov; i++) {
		ok &= !((uintptr_t)io->iov[i].iov_base &
			(checked->disk.memory_align - 1)) &&
		      !(io->iov[i].iov_len & block);
		bytes += io->iov[i].iov_len;
	}
	if (io->op == ENGINE_READ || io->op == ENGINE_WRITE)
		checked->misaligned += !ok || bytes != io->length ||
				       io->offset + io->length > checked->disk.size;
	return checked_inner->submit(e, io);
}

static struct engine *checked_open(const struct engine_setup *s)
{
	struct engine *e = checked->o.engine_open(s);

	if (e) {
		checked_inner = e->ops;
		checked_ops = *e->ops;
		checked_ops.submit = checked_submit;
		e->ops = &checked_ops;
	}
	return e;
}

bool rig_open_queue(struct rig *r)
{
	const struct rig_options *o = &r->o;
	struct vbd_queue_setup s = {
		.disk = &r->disk,
		.name = "test",
		.grants = loopback_grants(r->lb),
		.events = r->events,
		.event_channel = r->port,
		.ring_ref = r->ring_ref,
		.ring_order = o->ring_order,
		.max_persistent = or_else(o->max_persistent, VBD_DEFAULT_PERSISTENT),
		.state = r->state,
		.engine_open = o->engine_open ? o->engine_open : engine_null_open,
		.engine = {.fd = o->fd,
			   .wake_fd = r->wake_fd,
			   .disk = o->disk,
			   .null_skips_data = o->null_skips_data},
		.stop = &r->stop,
		.broken = note_broken,
		.arg = r,
	};

	if (o->check_io) {
		checked = r;
		s.engine_open = checked_open;
	}
	r->queue = vbd_queue_open(&s);
	return r->queue != NULL;
}

bool rig_open(struct rig *r, const struct rig_options *o)
{
	rig_prepare(r, o);
	return rig_open_queue(r);
}

bool rig_close_queue(struct rig *r)
{
	struct loopback_audit a;

	if (r->queue)
		vbd_queue_close(r->queue);
	r->queue = NULL;
	loopback_audit(r->lb, &a);
	return !a.mapped_pages && !a.bound_ports;
}

bool rig_close(struct rig *r)
{
	struct loopback_audit a;
	bool clean = rig_close_queue(r);

	events_close(r->events);
	loopback_audit(r->lb, &a);
	clean &= !a.open_sets;
	for (uint32_t i = 0; i < RIG_DATA_FRAMES; i++)
		clean &= !loopback_end_access(r->lb, r->ref[i]);
	loopback_free(r->lb);
	ranges_end(&r->ranges);
	close(r->wake_fd);
	free(r->state);
	return clean;
}

char *rig_page(struct rig *r, uint32_t i)
{
	assert(i < RIG_DATA_FRAMES);
	return loopback_frame(r->lb, r->ring_pages + i);
}

void rig_put(struct rig *r, const struct blkif_req *req)
{
	blkif_encode(r->o.abi, ring_front_produce(&r->ring), req);
}

void rig_push(struct rig *r)
{
	if (ring_front_push(&r->ring))
		loopback_port_notify(r->lb, r->port);
}

void rig_request(struct rig *r, struct blkif_req *req, uint8_t op, uint64_t id,
		 uint64_t sector, uint32_t frame, uint32_t nr_frames)
{
	uint32_t unit = or_else(r->o.sector_unit, 512);

	memset(req, 0, sizeof(*req));
	req->op = op;
	req->id = id;
	req->sector = sector;
	req->nr_segments = (uint16_t)nr_frames;
	assert(nr_frames <= BLKIF_MAX_SEGMENTS_PER_REQUEST);
	for (uint32_t i = 0; i < nr_frames; i++) {
		req->seg[i].gref = r->ref[frame + i];
		req->seg[i].first_sect = 0;
		req->seg[i].last_sect = (uint8_t)(XEN_PAGE_SIZE / unit - 1);
	}
}

void rig_poll(struct rig *r)
{
	int32_t n = ring_front_responses(&r->ring);

	assert(n >= 0);
	for (int32_t i = 0; i < n; i++) {
		assert(r->nr_rsp < 512);
		blkif_fetch_response(&r->ring, r->ring.rsp_cons + (uint32_t)i,
				     &r->rsp[r->nr_rsp++]);
	}
	ring_front_consume(&r->ring, (uint32_t)n);
	(void)ring_front_final_check(&r->ring, 1);
}

int16_t rig_wait(struct rig *r, uint64_t id)
{
	uint64_t end = clock_monotonic_ns() + 10000000000ull;

	do {
		bool any = vbd_queue_step(r->queue, false);

		rig_poll(r);
		for (uint32_t i = 0; i < r->nr_rsp; i++) {
			int16_t status = r->rsp[i].status;

			if (r->rsp[i].id != id)
				continue;
			r->rsp[i] = r->rsp[--r->nr_rsp];
			return status;
		}
		if (!any)
			usleep(50);
	} while (clock_monotonic_ns() < end && !r->nr_broken);
	return INT16_MIN;
}

int16_t rig_do(struct rig *r, const struct blkif_req *req)
{
	rig_put(r, req);
	rig_push(r);
	return rig_wait(r, req->id);
}

void rig_settle(struct rig *r)
{
	while (vbd_queue_step(r->queue, false))
		;
}

uint64_t rig_metric(struct rig *r, enum metric k)
{
	return atomic_load(&((struct state_queue *)r->state)->metrics.value[k]);
}
