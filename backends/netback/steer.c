/* SPDX-License-Identifier: GPL-2.0-only */
/* Inboxes of steered packets, see steer.h. */
#include "backends/netback/steer.h"

#include <errno.h>
#include <string.h>

#include "backends/netback/queue.h"

#define STEER_BYTES (STEER_PAGES * XEN_PAGE_SIZE)

_Static_assert((STEER_BYTES & (STEER_BYTES - 1)) == 0, "offsets wrap");

struct record {
	struct virtio_net_hdr_v1 hdr;
	uint32_t len;
};

int steer_open(struct steer *s)
{
	s->buf = queue_pages(STEER_PAGES);
	if (!s->buf)
		return -ENOMEM;
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void steer_close(struct steer *s)
{
	if (!s->buf)
		return;
	pthread_mutex_destroy(&s->lock);
	queue_pages_free(s->buf, STEER_PAGES);
	s->buf = NULL;
}

static void put_bytes(struct steer *s, const void *p, uint32_t n)
{
	uint32_t at = s->tail % STEER_BYTES, part = STEER_BYTES - at;

	if (part > n)
		part = n;
	memcpy(s->buf + at, p, part);
	memcpy(s->buf, (const uint8_t *)p + part, n - part);
	s->tail += n;
}

static void take_bytes(struct steer *s, void *p, uint32_t n)
{
	uint32_t at = s->head % STEER_BYTES, part = STEER_BYTES - at;

	if (part > n)
		part = n;
	memcpy(p, s->buf + at, part);
	memcpy((uint8_t *)p + part, s->buf, n - part);
	s->head += n;
}

enum steer_result steer_put(struct steer *s, const struct virtio_net_hdr_v1 *hdr,
			    const struct iovec *iov, unsigned int nr_iov, uint32_t len)
{
	struct record r = {.hdr = *hdr, .len = len};
	enum steer_result result = STEER_FULL;
	uint32_t used;
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	used = s->tail - s->head;
	if (sizeof(r) + len <= STEER_BYTES - used) {
		put_bytes(s, &r, sizeof(r));
		for (i = 0; i < nr_iov; i++)
			put_bytes(s, iov[i].iov_base, (uint32_t)iov[i].iov_len);
		result = used ? STEER_PUT : STEER_FIRST;
		atomic_store_explicit(&s->used, s->tail - s->head, memory_order_relaxed);
	}
	pthread_mutex_unlock(&s->lock);
	return result;
}

int steer_take(struct steer *s, struct virtio_net_hdr_v1 *hdr, const struct iovec *iov,
	       unsigned int nr_iov)
{
	struct record r;
	uint32_t left, part;
	unsigned int i;

	pthread_mutex_lock(&s->lock);
	if (s->head == s->tail) {
		pthread_mutex_unlock(&s->lock);
		return -EAGAIN;
	}
	take_bytes(s, &r, sizeof(r));
	*hdr = r.hdr;
	for (i = 0, left = r.len; i < nr_iov && left; i++, left -= part) {
		part = left < iov[i].iov_len ? left : (uint32_t)iov[i].iov_len;
		take_bytes(s, iov[i].iov_base, part);
	}
	RING_ASSERT(!left);
	atomic_store_explicit(&s->used, s->tail - s->head, memory_order_relaxed);
	pthread_mutex_unlock(&s->lock);
	return (int)r.len;
}
