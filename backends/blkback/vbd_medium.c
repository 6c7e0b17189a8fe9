// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens a disk's medium. The backend directory is the toolstack's: its text is
 * trusted to mean well, but it is checked against what is really there, since a
 * wrong device under a guest is data lost.
 *
 * What the stock `block` script leaves behind (Xen 4.17): for a device its number
 * in physical-device and its path, links resolved, in physical-device-path; for a
 * file the same of the loop device it attached, while `params` names the file;
 * for an empty params nothing but hotplug-status.
 */
#include "backends/blkback/vbd_medium.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "backends/common/log.h"

#define LOOP_MAJOR 7 /* Linux, admin-guide/devices.txt */

static int fail(struct medium *m, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int fail(struct medium *m, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(m->image.error, sizeof(m->image.error), fmt, ap);
	va_end(ap);
	return -err;
}

int medium_parse_device(const char *text, dev_t *dev)
{
	unsigned int part[2];
	const char *p = text;
	int i;

	for (i = 0; i < 2; i++) {
		size_t n = strspn(p, "0123456789abcdefABCDEF"); /* no sign, no 0x */

		if (n < 1 || n > 5 || p[n] != (i ? '\0' : ':'))
			return -EINVAL;
		part[i] = (unsigned int)strtoul(p, NULL, 16);
		p += n + 1;
	}
	*dev = makedev(part[0], part[1]);
	return 0;
}

/*
 * `xl cd-insert` writes the image's format before its path ("aio:/x.iso"), and runs
 * no script: then physical-device is about the disc before.
 */
static const char *inserted_path(const char *params)
{
	static const char *const formats[] = {"aio:", "raw:", "phy:", "file:"};
	unsigned int i;

	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		size_t n = strlen(formats[i]);

		if (!strncmp(params, formats[i], n) && params[n] == '/')
			return params + n;
	}
	return NULL;
}

static bool is_file(const char *path)
{
	struct stat st;

	return path[0] == '/' && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A loop device behind `params`: 1 and the file itself is open, 0: use the loop device.
 */
static int open_behind_loop(struct medium *m, dev_t dev, unsigned int how)
{
	int err = image_open(&m->image, m->params, how);

	if (err)
		return err;
	if (m->image.block_device)
		err = fail(m, ESTALE, "%s is no longer a file", m->params);
	else
		err = image_backs_loop(&m->image, dev);
	if (err <= 0)
		image_close(&m->image);
	if (err == 0)
		log_info("loop device %u:%u shows a part of %s: using the loop device",
			 major(dev), minor(dev), m->params);
	return err;
}

static int open_device(struct medium *m, dev_t dev, unsigned int how)
{
	char path[STORE_PATH_MAX];
	int err;

	if (m->device_path[0]) {
		if (snprintf(path, sizeof(path), "%s", m->device_path) >=
		    (int)sizeof(path))
			return fail(m, ENAMETOOLONG, "physical-device-path is too long");
	} else {
		err = image_device_path(dev, path, sizeof(path));
		if (err)
			return fail(m, -err, "no block device %u:%u: %s", major(dev),
				    minor(dev), strerror(-err));
	}
	err = image_open(&m->image, path, how);
	if (err)
		return err;
	if (!m->image.block_device)
		err = fail(m, ENOTBLK, "%s is not a block device", path);
	else if (m->image.dev != dev)
		err = fail(m, ESTALE,
			   "%s is device %u:%u, but physical-device says %u:%u", path,
			   major(m->image.dev), minor(m->image.dev), major(dev),
			   minor(dev));
	if (err)
		image_close(&m->image);
	return err;
}

/* A missing node is an empty one; NULL when it cannot be read. */
static char *read_node(struct store *s, const char *path, const char *node)
{
	char *text = store_read(s, 0, "%s/%s", path, node);

	return text || errno != ENOENT ? text : strdup("");
}

static int read_nodes(struct medium *m, struct store *s, const char *path)
{
	m->params = read_node(s, path, "params");
	m->device = m->params ? read_node(s, path, "physical-device") : NULL;
	m->device_path = m->device ? read_node(s, path, "physical-device-path") : NULL;
	return m->device_path ? 0 : fail(m, errno ? errno : EIO, "cannot read %s", path);
}

void medium_init(struct medium *m)
{
	memset(m, 0, sizeof(*m));
	image_init(&m->image);
}

int medium_open(struct medium *m, struct store *s, const char *path, unsigned int how)
{
	dev_t dev;
	int err;

	medium_close(m);
	err = read_nodes(m, s, path);
	if (err)
		return err;
	if (!m->params[0] && !m->device[0])
		return fail(m, ENOMEDIUM, "no disc");
	if (inserted_path(m->params))
		return image_open(&m->image, inserted_path(m->params), how);
	if (!m->device[0]) /* a script that has nothing to attach */
		return image_open(&m->image, m->params, how);
	if (medium_parse_device(m->device, &dev))
		return fail(m, EINVAL,
			    "physical-device '%.40s' is not MAJOR:MINOR in hexadecimal",
			    m->device);
	if (major(dev) == LOOP_MAJOR && is_file(m->params)) {
		err = open_behind_loop(m, dev, how);
		if (err)
			return err < 0 ? err : 0;
	}
	return open_device(m, dev, how);
}

bool medium_changed(const struct medium *m, struct store *s, const char *path)
{
	char *params, *device;
	bool changed = false;

	if (!m->params || !m->device)
		return false;
	params = read_node(s, path, "params");
	device = read_node(s, path, "physical-device");
	if (params && device)
		changed = strcmp(params, m->params) || strcmp(device, m->device);
	free(params);
	free(device);
	return changed;
}

void medium_close(struct medium *m)
{
	image_close(&m->image);
	free(m->params);
	free(m->device);
	free(m->device_path);
	m->params = m->device = m->device_path = NULL;
}
