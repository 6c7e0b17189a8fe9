/* SPDX-License-Identifier: GPL-2.0-only */
/* Read-modify-write against other writes; see ranges.h. */
#include "backends/blkback/ranges.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

void ranges_init(struct vbd_ranges *rs)
{
	pthread_mutex_init(&rs->lock, NULL);
	rs->list.next = rs->list.prev = &rs->list;
	rs->waiting = 0;
	for (unsigned int i = 0; i < RANGES_QUEUES; i++)
		rs->wake_fd[i] = -1;
}

void ranges_end(struct vbd_ranges *rs)
{
	assert(rs->list.next == &rs->list);
	pthread_mutex_destroy(&rs->lock);
}

bool ranges_take(struct vbd_ranges *rs, struct vbd_range *r, unsigned int queue)
{
	struct vbd_range *o;

	pthread_mutex_lock(&rs->lock);
	for (o = rs->list.next; o != &rs->list; o = o->next)
		if (r->start < o->end && o->start < r->end &&
		    (r->exclusive || o->exclusive))
			break;
	if (o != &rs->list) {
		rs->waiting |= 1u << queue;
	} else {
		r->next = &rs->list;
		r->prev = rs->list.prev;
		r->prev->next = r;
		rs->list.prev = r;
	}
	pthread_mutex_unlock(&rs->lock);
	return o == &rs->list;
}

void ranges_put(struct vbd_ranges *rs, struct vbd_range *r, unsigned int queue)
{
	uint64_t one = 1;
	uint32_t wake;

	pthread_mutex_lock(&rs->lock);
	r->prev->next = r->next;
	r->next->prev = r->prev;
	wake = rs->waiting & ~(1u << queue);
	rs->waiting = 0;
	pthread_mutex_unlock(&rs->lock);
	for (; wake; wake &= wake - 1) {
		int fd = rs->wake_fd[__builtin_ctz(wake)];

		/* Only fails when the counter is full: then that queue is awake anyway.
		 */
		if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
			assert(errno == EAGAIN);
	}
}
