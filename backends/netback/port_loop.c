/* SPDX-License-Identifier: GPL-2.0-only */
/* A port that ends in memory, see port_loop.h. */
#include "backends/netback/port_loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct packet {
	struct virtio_net_hdr_v1 hdr;
	uint32_t len;
	uint8_t frame[];
};

struct fifo {
	struct packet *slot[PORT_LOOP_PACKETS];
	unsigned int head, nr;
};

struct fault {
	uint64_t calls, first, times; /* fails when first <= calls < first + times */
	int err;
};

struct port_loop {
	struct port port;
	pthread_mutex_t lock;
	enum port_loop_mode mode;
	struct fifo in, out; /* in: for the backend to receive */
	struct packet *generated;
	uint64_t generate; /* copies of it still to be received */
	bool readable;     /* the eventfd's counter is 1 */
	unsigned int offload;
	uint64_t sent_packets, sent_bytes;
	struct fault fault[PORT_LOOP_FAULTS];
};

static struct port_loop *loop_of(struct port *p)
{
	return (struct port_loop *)p;
}

static bool fifo_push(struct fifo *f, struct packet *pk)
{
	if (f->nr == PORT_LOOP_PACKETS)
		return false;
	f->slot[(f->head + f->nr++) % PORT_LOOP_PACKETS] = pk;
	return true;
}

static struct packet *fifo_pop(struct fifo *f)
{
	struct packet *pk;

	if (!f->nr)
		return NULL;
	pk = f->slot[f->head];
	f->head = (f->head + 1) % PORT_LOOP_PACKETS;
	f->nr--;
	return pk;
}

/* Keep the descriptor readable exactly while there is something to receive. */
static void update_readable(struct port_loop *l)
{
	bool want = l->in.nr || l->generate;
	uint64_t v = 1;

	if (want && !l->readable && write(l->port.fd, &v, sizeof(v)) == sizeof(v))
		l->readable = true;
	else if (!want && l->readable && read(l->port.fd, &v, sizeof(v)) == sizeof(v))
		l->readable = false;
}

static int fault_check(struct port_loop *l, enum port_loop_fault what)
{
	struct fault *f = &l->fault[what];
	uint64_t n = ++f->calls;

	return f->err && n >= f->first && n < f->first + f->times ? -f->err : 0;
}

static struct packet *packet_gather(const struct iovec *iov, unsigned int nr_iov)
{
	struct packet *pk;
	size_t len = 0, at = 0;
	unsigned int i;

	for (i = 1; i < nr_iov; i++)
		len += iov[i].iov_len;
	pk = malloc(sizeof(*pk) + len);
	if (!pk)
		return NULL;
	memcpy(&pk->hdr, iov[0].iov_base, sizeof(pk->hdr));
	pk->len = (uint32_t)len;
	for (i = 1; i < nr_iov; i++) {
		memcpy(pk->frame + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return pk;
}

static struct packet *packet_copy(const struct virtio_net_hdr_v1 *hdr, const void *frame,
				  uint32_t len)
{
	struct packet *pk = malloc(sizeof(*pk) + len);

	if (!pk)
		return NULL;
	pk->hdr = *hdr;
	pk->len = len;
	memcpy(pk->frame, frame, len);
	return pk;
}

static int loop_send(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	struct port_loop *l = loop_of(p);
	struct packet *pk = NULL;
	size_t len = 0;
	unsigned int i;
	int ret;

	pthread_mutex_lock(&l->lock);
	ret = fault_check(l, PORT_LOOP_SEND);
	if (ret)
		goto out;
	for (i = 1; i < nr_iov; i++)
		len += iov[i].iov_len;
	l->sent_packets++;
	l->sent_bytes += len;
	if (l->mode == PORT_LOOP_COUNT)
		goto out;
	ret = -ENOBUFS;
	pk = packet_gather(iov, nr_iov);
	if (!pk || !fifo_push(l->mode == PORT_LOOP_REFLECT ? &l->in : &l->out, pk))
		goto out;
	pk = NULL;
	ret = 0;
	update_readable(l);
out:
	pthread_mutex_unlock(&l->lock);
	free(pk);
	return ret;
}

static int packet_scatter(const struct packet *pk, const struct iovec *iov,
			  unsigned int nr_iov)
{
	size_t at = 0, n;
	unsigned int i;

	memcpy(iov[0].iov_base, &pk->hdr, sizeof(pk->hdr));
	for (i = 1; i < nr_iov && at < pk->len; i++) {
		n = pk->len - at < iov[i].iov_len ? pk->len - at : iov[i].iov_len;
		memcpy(iov[i].iov_base, pk->frame + at, n);
		at += n;
	}
	return (int)(sizeof(pk->hdr) + pk->len);
}

static int loop_receive(struct port *p, const struct iovec *iov, unsigned int nr_iov)
{
	struct port_loop *l = loop_of(p);
	struct packet *pk;
	int ret;

	pthread_mutex_lock(&l->lock);
	ret = fault_check(l, PORT_LOOP_RECEIVE);
	if (ret)
		goto out;
	ret = -EAGAIN;
	if (l->generate) {
		l->generate--;
		ret = packet_scatter(l->generated, iov, nr_iov);
	} else {
		pk = fifo_pop(&l->in);
		if (pk)
			ret = packet_scatter(pk, iov, nr_iov);
		free(pk);
	}
	update_readable(l);
out:
	pthread_mutex_unlock(&l->lock);
	return ret;
}

static int loop_set_offload(struct port *p, unsigned int offload)
{
	struct port_loop *l = loop_of(p);
	int ret;

	pthread_mutex_lock(&l->lock);
	ret = fault_check(l, PORT_LOOP_OFFLOAD);
	if (!ret)
		l->offload = offload;
	pthread_mutex_unlock(&l->lock);
	return ret;
}

static void loop_close(struct port *p)
{
	struct port_loop *l = loop_of(p);
	struct packet *pk;

	while ((pk = fifo_pop(&l->in)))
		free(pk);
	while ((pk = fifo_pop(&l->out)))
		free(pk);
	free(l->generated);
	close(p->fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static const struct port_ops loop_ops = {
	.name = "loop",
	.send = loop_send,
	.receive = loop_receive,
	.set_offload = loop_set_offload,
	.close = loop_close,
};

struct port *port_loop_open(void)
{
	struct port_loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->port.ops = &loop_ops;
	l->port.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->port.fd < 0) {
		free(l);
		return NULL;
	}
	pthread_mutex_init(&l->lock, NULL);
	return &l->port;
}

void port_loop_mode(struct port *p, enum port_loop_mode mode)
{
	struct port_loop *l = loop_of(p);

	pthread_mutex_lock(&l->lock);
	l->mode = mode;
	pthread_mutex_unlock(&l->lock);
}

int port_loop_inject(struct port *p, const struct virtio_net_hdr_v1 *hdr,
		     const void *frame, uint32_t len)
{
	struct port_loop *l = loop_of(p);
	struct packet *pk = packet_copy(hdr, frame, len);
	int ret = 0;

	if (!pk)
		return -ENOMEM;
	pthread_mutex_lock(&l->lock);
	if (!fifo_push(&l->in, pk)) {
		free(pk);
		ret = -ENOSPC;
	}
	update_readable(l);
	pthread_mutex_unlock(&l->lock);
	return ret;
}

int port_loop_generate(struct port *p, const struct virtio_net_hdr_v1 *hdr,
		       const void *frame, uint32_t len, uint64_t count)
{
	struct port_loop *l = loop_of(p);
	struct packet *pk = packet_copy(hdr, frame, len);

	if (!pk)
		return -ENOMEM;
	pthread_mutex_lock(&l->lock);
	free(l->generated);
	l->generated = pk;
	l->generate = count;
	update_readable(l);
	pthread_mutex_unlock(&l->lock);
	return 0;
}

ssize_t port_loop_take(struct port *p, struct virtio_net_hdr_v1 *hdr, void *frame,
		       uint32_t max)
{
	struct port_loop *l = loop_of(p);
	struct packet *pk;
	ssize_t len;

	pthread_mutex_lock(&l->lock);
	pk = fifo_pop(&l->out);
	pthread_mutex_unlock(&l->lock);
	if (!pk)
		return -EAGAIN;
	*hdr = pk->hdr;
	len = pk->len;
	memcpy(frame, pk->frame, pk->len < max ? pk->len : max);
	free(pk);
	return len;
}

void port_loop_sent(struct port *p, uint64_t *packets, uint64_t *bytes)
{
	struct port_loop *l = loop_of(p);

	pthread_mutex_lock(&l->lock);
	*packets = l->sent_packets;
	*bytes = l->sent_bytes;
	pthread_mutex_unlock(&l->lock);
}

uint64_t port_loop_waiting(struct port *p)
{
	struct port_loop *l = loop_of(p);
	uint64_t n;

	pthread_mutex_lock(&l->lock);
	n = l->in.nr + l->generate;
	pthread_mutex_unlock(&l->lock);
	return n;
}

unsigned int port_loop_offload(struct port *p)
{
	struct port_loop *l = loop_of(p);
	unsigned int offload;

	pthread_mutex_lock(&l->lock);
	offload = l->offload;
	pthread_mutex_unlock(&l->lock);
	return offload;
}

void port_loop_fail(struct port *p, enum port_loop_fault what, uint64_t nth,
		    uint64_t times, int err)
{
	struct port_loop *l = loop_of(p);
	struct fault *f = &l->fault[what];

	pthread_mutex_lock(&l->lock);
	f->first = f->calls + nth;
	f->times = times;
	f->err = err;
	pthread_mutex_unlock(&l->lock);
}

uint64_t port_loop_calls(struct port *p, enum port_loop_fault what)
{
	struct port_loop *l = loop_of(p);
	uint64_t n;

	pthread_mutex_lock(&l->lock);
	n = l->fault[what].calls;
	pthread_mutex_unlock(&l->lock);
	return n;
}
