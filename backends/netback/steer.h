/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets on their way from the queue whose port received them to the queue that
 * the frontend's hash mapping names. Each queue has an inbox of bounded size that
 * the others put copies into; what does not fit is lost, as on a full wire.
 */
#ifndef XYLEM_NETBACK_STEER_H
#define XYLEM_NETBACK_STEER_H

#include <linux/virtio_net.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define STEER_PAGES 64u /* of an inbox: 256 KiB, a power of two */

struct steer {
	pthread_mutex_t lock;
	uint8_t *buf;           /* NULL: no inbox */
	uint32_t head, tail;    /* bytes taken and put, under the lock; they wrap */
	_Atomic(uint32_t) used; /* tail - head, for a look without the lock */
};

/* 0 or -errno. */
int steer_open(struct steer *s);
void steer_close(struct steer *s);

enum steer_result { STEER_FULL, STEER_PUT, STEER_FIRST };
/*
 * Copy a packet in. STEER_FIRST: the inbox was empty, its owner may be asleep.
 * STEER_FULL: nothing was put. Any thread.
 */
enum steer_result steer_put(struct steer *s, const struct virtio_net_hdr_v1 *hdr,
			    const struct iovec *iov, unsigned int nr_iov, uint32_t len);

static inline bool steer_waiting(const struct steer *s)
{
	return atomic_load_explicit(&s->used, memory_order_relaxed) != 0;
}

/* The oldest packet into @hdr and @iov, which hold any packet. Its length, or -EAGAIN. */
int steer_take(struct steer *s, struct virtio_net_hdr_v1 *hdr, const struct iovec *iov,
	       unsigned int nr_iov);

#endif
