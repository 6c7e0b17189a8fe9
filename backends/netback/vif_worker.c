/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vif as a device of a worker process: from the supervisor's message and
 * descriptors to a vif. The payload comes from the supervisor, which is trusted;
 * it is checked all the same.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/netback/vif.h"

struct worker_device {
	struct worker *worker;
	uint32_t devid;
	struct vif *vif;
};

static void device_broken(void *ctx, const char *text)
{
	struct worker_device *dev = ctx;

	worker_broken(dev->worker, dev->devid, "%s", text);
}

static struct io_uring *device_get_ring(void *ctx)
{
	return worker_get_uring(((struct worker_device *)ctx)->worker);
}

static void device_put_ring(void *ctx, struct io_uring *ring)
{
	worker_put_uring(((struct worker_device *)ctx)->worker, ring);
}

static void close_fds(const int *fds, unsigned int n)
{
	while (n--)
		close(fds[n]);
}

/* The event sets and ports of @setup, from descriptors that belong to it from here on. */
static int open_descriptors(struct vif_setup *setup, const int *fds)
{
	uint32_t nr = setup->attach.nr_queues, i;
	int err;

	for (i = 0; i < nr; i++) {
		setup->events[i] = events_fdopen_xen(fds[i], setup->attach.domid);
		if (!setup->events[i])
			goto fail;
		setup->port[i] = setup->attach.port_kind == VIF_PORT_TAP
					 ? port_tap_open(fds[nr + i])
					 : port_packet_open(fds[nr + i]);
		if (!setup->port[i]) {
			err = errno;
			events_close(setup->events[i]);
			/* fds[nr + i] went with the failed open */
			close_fds(fds + i + 1, nr - i - 1);
			close_fds(fds + nr + i + 1, nr - i - 1);
			goto release;
		}
	}
	return 0;
fail:
	err = errno;
	close_fds(fds + i + 1, nr - i - 1);
	close_fds(fds + nr + i, nr - i);
release:
	while (i--) {
		events_close(setup->events[i]);
		port_close(setup->port[i]);
	}
	return -err;
}

static int vif_attach(struct worker *w, uint32_t devid, const void *payload, size_t size,
		      const int *fds, unsigned int nfds, void *state, size_t state_size,
		      struct worker_device **out)
{
	struct vif_setup setup = {.grants = worker_grants(w),
				  .state = state,
				  .state_size = state_size,
				  .broken = device_broken,
				  .get_ring = device_get_ring,
				  .put_ring = device_put_ring,
				  .threads = true};
	struct worker_device *dev = NULL;
	int err = -EINVAL;

	if (size != sizeof(setup.attach))
		goto fail;
	memcpy(&setup.attach, payload, size);
	if (!vif_attach_valid(&setup.attach) || nfds != 2 * setup.attach.nr_queues)
		goto fail;
	err = -ENOMEM;
	dev = calloc(1, sizeof(*dev));
	if (!dev)
		goto fail;
	dev->worker = w;
	dev->devid = devid;
	setup.ctx = dev;
	err = open_descriptors(&setup, fds);
	if (!err)
		err = vif_open(&setup, &dev->vif);
	if (err) {
		free(dev);
		return err;
	}
	*out = dev;
	return 0;
fail:
	close_fds(fds, nfds);
	return err;
}

static int vif_worker_update(struct worker_device *dev, const void *payload, size_t size,
			     const int *fds, unsigned int nfds)
{
	struct vif_update u;

	close_fds(fds, nfds); /* none belong here */
	if (size != sizeof(u))
		return -EINVAL;
	memcpy(&u, payload, size);
	return vif_update(dev->vif, &u);
}

static void vif_detach(struct worker_device *dev)
{
	vif_close(dev->vif);
	free(dev);
}

const struct worker_class vif_class = {
	.type = "vif",
	.open_grants = grants_open_xen_pools,
	/* else the receiver that a packet wakes runs before the next packet is sent */
	.nice = -10,
	.uring_pool = VIF_QUEUES_MAX,
	.uring_entries = 16, /* to sleep in: few requests are under way */
	.attach = vif_attach,
	.update = vif_worker_update,
	.detach = vif_detach,
};
