/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the supervisor (vbd_backend.c) tells a worker (vbd.c) about a disk: the
 * payloads of CONTROL_ATTACH and CONTROL_UPDATE. The supervisor has read the
 * frontend's nodes, clipped them to what it offers and opened the image; the
 * worker checks every field again before it uses it.
 */
#ifndef XYLEM_VBD_PROTO_H
#define XYLEM_VBD_PROTO_H

#include <stdint.h>

#include "backends/blkback/vbd_state.h" /* vbd_state_size() for connect() */

#define VBD_MAX_QUEUES         16 /* multi-queue-max-queues at most */
#define VBD_MAX_RING_ORDER     4  /* max-ring-page-order at most: 16 pages */
#define VBD_MAX_RING_PAGES     (1u << VBD_MAX_RING_ORDER)
#define VBD_MAX_SEGMENTS       256  /* feature-max-indirect-segments at most */
#define VBD_DEFAULT_PERSISTENT 1056 /* persistent grants a queue by default: 32 * 33 */
#define VBD_MAX_PERSISTENT     16384

enum vbd_engine { VBD_ENGINE_URING, VBD_ENGINE_AIO, VBD_ENGINE_NULL };

enum vbd_flags {
	VBD_READONLY =
		1 << 0, /* mode "r", or a CD-ROM: writes and discards are refused */
	VBD_BLOCK_DEVICE = 1 << 1, /* the image is a block device */
	VBD_PERSISTENT = 1 << 2,   /* both ends have feature-persistent */
	VBD_BARRIER = 1 << 3,      /* feature-barrier was offered */
	VBD_FLUSH = 1 << 4,        /* feature-flush-cache was offered */
	VBD_DISCARD = 1 << 5,      /* feature-discard was offered */
	VBD_SECURE = 1 << 6,       /* discard-secure was offered */
	VBD_POLLED = 1 << 7,       /* the device has queues whose I/O is polled for */
};

/* One ring. */
struct vbd_queue_attach {
	uint32_t event_channel;                /* the frontend's port */
	uint32_t ring_ref[VBD_MAX_RING_PAGES]; /* 1 << ring_order are used */
};

/*
 * CONTROL_ATTACH. Descriptors, in this order: the image; then one event-channel
 * descriptor a queue, restricted to the guest (events_open_restricted_fd()).
 * The payload is vbd_attach_size(nr_queues) bytes: unused queues are not sent.
 */
struct vbd_attach {
	uint32_t flags;      /* enum vbd_flags */
	uint32_t abi;        /* enum blkif_abi (ring/blkif.h) */
	uint32_t engine;     /* enum vbd_engine */
	uint32_t nr_queues;  /* 1 to VBD_MAX_QUEUES */
	uint32_t ring_order; /* 0 to VBD_MAX_RING_ORDER */
	/*
	 * sector_size is what "sector-size" says: every request is a multiple of it. The
	 * sector fields of requests count in units of sector_unit: equal to sector_size
	 * when the frontend has feature-large-sector-size, else 512 (io/blkif.h).
	 */
	uint32_t sector_size; /* 512 or 4096 */
	uint32_t sector_unit; /* 512 or 4096, at most sector_size */
	/*
	 * What the image's descriptor asks of offsets and lengths (offset_align) and of
	 * buffer addresses (memory_align): 1 without O_DIRECT; else powers of two, at
	 * most 4096. Requests that do not meet them are bounced, with read-modify-write.
	 */
	uint32_t offset_align;
	uint32_t memory_align;
	uint32_t max_segments; /* feature-max-indirect-segments as offered; 0: no indirect
				*/
	uint32_t max_persistent; /* persistent grants a queue may keep mapped */
	/*
	 * Requests of at least so many bytes are read and written straight into the
	 * guest's pages, smaller ones go through the queue's pool. 0: what was measured
	 * to be best (queue.h).
	 */
	uint32_t direct_min;
	uint64_t size; /* of the disk in bytes; a multiple of sector_size */
	struct vbd_queue_attach queue[VBD_MAX_QUEUES];
};

static inline uint32_t vbd_attach_size(uint32_t nr_queues)
{
	return sizeof(struct vbd_attach) -
	       (VBD_MAX_QUEUES - nr_queues) * sizeof(struct vbd_queue_attach);
}

/*
 * CONTROL_UPDATE. Limits are changed in the state's head instead. With a descriptor
 * it is another image, which takes the place of the one before (a CD-ROM's disc):
 * only with VBD_ENGINE_AIO and the same alignment.
 */
struct vbd_update {
	uint64_t size; /* the disk's new size in bytes; requests beyond it fail from now
			  on */
};

_Static_assert(sizeof(struct vbd_queue_attach) == 68, "packed without holes");
_Static_assert(sizeof(struct vbd_attach) == 56 + 16 * 68, "packed without holes");
_Static_assert(sizeof(struct vbd_update) == 8, "packed without holes");

#endif
