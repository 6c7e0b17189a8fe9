/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From what the toolstack and its hotplug script wrote into the backend directory
 * to an open image: phy: devices, file: images behind a loop device, scripts of
 * other kinds, CD-ROMs with and without a disc.
 */
#ifndef XYLEM_VBD_MEDIUM_H
#define XYLEM_VBD_MEDIUM_H

#include <stdbool.h>
#include <sys/types.h>

#include "backends/blkback/image.h"
#include "backends/common/store.h"

struct medium {
	char *params;      /* as read; what it takes to notice another disc */
	char *device;      /* physical-device */
	char *device_path; /* physical-device-path */
	struct image image;
};

void medium_init(struct medium *m);

/*
 * Read the nodes below @path and open what they name. 0; -ENOMEDIUM from a CD-ROM
 * without a disc; or -errno with m->image.error set. @how: enum image_how.
 */
int medium_open(struct medium *m, struct store *s, const char *path, unsigned int how);

/* Whether the nodes say something else than when the medium was opened. */
bool medium_changed(const struct medium *m, struct store *s, const char *path);

/* Close it and forget the nodes. Idempotent. */
void medium_close(struct medium *m);

/* "MAJOR:MINOR" in hexadecimal, as `stat -c %t:%T` prints it. 0 or -EINVAL. */
int medium_parse_device(const char *text, dev_t *dev);

#endif
