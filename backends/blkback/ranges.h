/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Keeps a read-modify-write apart from every other write to the same blocks, of
 * whatever queue: it writes sectors that the guest did not ask to change, and
 * must not undo another request's change of them. Only for disks whose image
 * wants larger blocks than the guest's sectors.
 */
#ifndef XYLEM_RANGES_H
#define XYLEM_RANGES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define RANGES_QUEUES 32

/* Embedded in the request; in the list from ranges_take() to ranges_put(). */
struct vbd_range {
	uint64_t start, end; /* bytes, in whole blocks */
	bool exclusive;      /* a read-modify-write */
	struct vbd_range *next, *prev;
};

/* One a disk; shared by its queues. */
struct vbd_ranges {
	pthread_mutex_t lock;
	struct vbd_range list;      /* head */
	uint32_t waiting;           /* a bit a queue that was refused */
	int wake_fd[RANGES_QUEUES]; /* set before the queues start */
};

void ranges_init(struct vbd_ranges *rs);
void ranges_end(struct vbd_ranges *rs);

/*
 * Enter @r for queue @queue. False: it overlaps an entry, and one of the two is
 * exclusive; then the queue's wake_fd is written when an entry leaves. Any thread.
 */
bool ranges_take(struct vbd_ranges *rs, struct vbd_range *r, unsigned int queue);

/* Any thread; queue @queue is the caller's own and is not woken. */
void ranges_put(struct vbd_ranges *rs, struct vbd_range *r, unsigned int queue);

#endif
