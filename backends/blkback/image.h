/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opens what a disk is made of, a regular file or a block device, and finds out
 * what the data path and the guest must know of it: size, block sizes, alignment
 * that O_DIRECT asks for, discard. Used by the supervisor, which has the right to
 * open paths; a worker gets the descriptor only.
 */
#ifndef XYLEM_IMAGE_H
#define XYLEM_IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define IMAGE_ERROR_MAX 256

struct image {
	int fd; /* -1: none is open */
	bool block_device;
	bool readonly;
	bool direct;   /* fd is O_DIRECT */
	dev_t dev;     /* st_dev of a file, st_rdev of a block device */
	ino_t ino;     /* of a file */
	uint64_t size; /* usable bytes: multiple of 512 and, if direct, of offset_align */
	uint32_t logical;  /* bytes; powers of two from 512 to 4096 */
	uint32_t physical; /* >= logical; up to IMAGE_PHYSICAL_MAX */
	uint32_t offset_align,
		memory_align; /* of I/O on fd: 1 unless direct, at most 4096 */
	bool polled; /* the device has queues for polled I/O */
	bool discard, discard_secure;
	uint32_t discard_granularity, discard_alignment; /* bytes */
	char error[IMAGE_ERROR_MAX]; /* why the last call failed, for log and error node
				      */
};

enum image_how {
	IMAGE_READONLY = 1 << 0,
	IMAGE_BUFFERED =
		1 << 1, /* through the page cache, although O_DIRECT may be possible */
};

#define IMAGE_PHYSICAL_MAX 65536u

/* An image that is not open; image_close() of it is allowed. */
void image_init(struct image *img);

/*
 * Open @path, which must be absolute and lead to a regular file or block device:
 * O_DIRECT if the file system can, otherwise through the page cache (img->direct
 * tells). @how: enum image_how. What is checked is what is opened, whatever happens to
 * the path meanwhile. 0, or -errno with img->error set; -ENOMEDIUM from an empty drive.
 */
int image_open(struct image *img, const char *path, unsigned int how);

/* Idempotent. */
void image_close(struct image *img);

/* Read the size again. True when it is another than before; false also on failure. */
bool image_resized(struct image *img);

/*
 * What backs the loop device @dev, which the toolstack's script attached? 1: @file from
 * its first byte to its end; 0: @file, but only a part of it; -errno with file->error
 * set: something else, or it cannot be found out.
 */
int image_backs_loop(struct image *file, dev_t dev);

/*
 * The path of a block device's node in /dev from its number, by way of sysfs.
 * 0 or -errno.
 */
int image_device_path(dev_t dev, char *out, size_t size);

/* Limits of a block device's queue as sysfs tells them; 0 where it says nothing. */
struct image_limits {
	uint32_t physical;
	uint64_t discard_max;
	uint32_t discard_granularity, discard_alignment;
	bool polled;
};
/* @dir: the device's directory, /sys/dev/block/MAJOR:MINOR; may be a partition's. */
void image_limits_read(const char *dir, struct image_limits *out);

#endif
