// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens and measures disk images. A path is resolved once, with O_PATH; the type
 * is checked on that descriptor, and the real open goes through it, so that a path
 * that changes under way cannot lead anywhere else, and nothing but files and
 * disks (no watchdog, tape or fifo) is ever opened for I/O.
 */
#include "backends/blkback/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define DIRECT_ALIGN_MAX 4096u

static int fail(struct image *img, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Note why @img cannot be used; returns -@err. */
static int fail(struct image *img, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(img->error, sizeof(img->error), fmt, ap);
	va_end(ap);
	return -err;
}

static bool power_of_two(uint64_t v)
{
	return v && !(v & (v - 1));
}

/* ---- sysfs ---- */

static bool read_number(const char *dir, const char *name, uint64_t *out)
{
	char path[PATH_MAX], text[32], *end;
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	errno = 0;
	*out = strtoull(text, &end, 10);
	return !errno && end != text && (*end == '\n' || *end == '\0');
}

/* A partition has no queue directory: its disk's, one up, counts. */
static uint64_t queue_number(const char *dir, const char *name)
{
	char path[PATH_MAX];
	uint64_t v;

	snprintf(path, sizeof(path), "queue/%s", name);
	if (read_number(dir, path, &v))
		return v;
	snprintf(path, sizeof(path), "../queue/%s", name);
	return read_number(dir, path, &v) ? v : 0;
}

static uint32_t clip32(uint64_t v)
{
	return v > UINT32_MAX ? 0 : (uint32_t)v;
}

void image_limits_read(const char *dir, struct image_limits *out)
{
	uint64_t alignment = 0;

	memset(out, 0, sizeof(*out));
	out->physical = clip32(queue_number(dir, "physical_block_size"));
	out->discard_max = queue_number(dir, "discard_max_bytes");
	out->polled = queue_number(dir, "io_poll");
	out->discard_granularity = clip32(queue_number(dir, "discard_granularity"));
	if (read_number(dir, "discard_alignment", &alignment))
		out->discard_alignment = clip32(alignment);
}

static void limits_of(dev_t dev, struct image_limits *out)
{
	char dir[64], real[PATH_MAX];

	/* resolved first: "../queue" must mean the disk, not /sys/dev/block */
	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	if (realpath(dir, real))
		image_limits_read(real, out);
	else
		memset(out, 0, sizeof(*out));
}

int image_device_path(dev_t dev, char *out, size_t size)
{
	char link[64], target[PATH_MAX], *name, *c;
	ssize_t n;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	for (c = name; *c; c++) /* sysfs writes cciss/c0d0 as cciss!c0d0 */
		if (*c == '!')
			*c = '/';
	if (snprintf(out, size, "/dev/%s", name) >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}

/* ---- measuring ---- */

static int raw_size(struct image *img, uint64_t *size)
{
	struct stat st;

	if (img->block_device)
		return ioctl(img->fd, BLKGETSIZE64, size) ? -errno : 0;
	if (fstat(img->fd, &st))
		return -errno;
	*size = (uint64_t)st.st_size;
	return 0;
}

static uint64_t usable(const struct image *img, uint64_t size)
{
	uint64_t unit = img->direct && img->offset_align > 512 ? img->offset_align : 512;

	return size - size % unit;
}

/* What O_DIRECT wants, by asking (Linux 6.1 and later). */
static bool direct_align_statx(struct image *img)
{
#ifdef STATX_DIOALIGN
	struct statx sx;

	if (statx(img->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) ||
	    !(sx.stx_mask & STATX_DIOALIGN) || !power_of_two(sx.stx_dio_offset_align) ||
	    !power_of_two(sx.stx_dio_mem_align))
		return false;
	img->offset_align = sx.stx_dio_offset_align;
	img->memory_align = sx.stx_dio_mem_align;
	return true;
#else
	(void)img;
	return false;
#endif
}

/* The same by trying: the smallest aligned read that the file system takes. */
static bool direct_align_probe(struct image *img)
{
	uint32_t align;
	char *buf;

	if (posix_memalign((void **)&buf, DIRECT_ALIGN_MAX, 2 * DIRECT_ALIGN_MAX))
		return false;
	for (align = 512; align <= DIRECT_ALIGN_MAX; align *= 2)
		if (pread(img->fd, buf, align, align) >= 0)
			break;
	if (align <= DIRECT_ALIGN_MAX) {
		img->offset_align = align;
		img->memory_align = align;
		if (align > 512 && pread(img->fd, buf + 512, align, 0) >= 0)
			img->memory_align = 512;
	}
	free(buf);
	return align <= DIRECT_ALIGN_MAX;
}

static int measure_device(struct image *img)
{
	struct image_limits limits;
	unsigned int physical = 0;
	int logical = 0;

	if (ioctl(img->fd, BLKSSZGET, &logical))
		return fail(img, errno, "BLKSSZGET: %s", strerror(errno));
	if (logical < 512 || logical > (int)DIRECT_ALIGN_MAX || !power_of_two(logical))
		return fail(img, EINVAL, "logical block size %d is not supported",
			    logical);
	img->logical = logical;
	if (ioctl(img->fd, BLKPBSZGET, &physical))
		physical = logical;
	img->physical = physical;
	if (!img->direct)
		img->offset_align = img->memory_align = 1;
	else if (!direct_align_statx(img))
		img->offset_align = img->memory_align = logical;
	limits_of(img->dev, &limits);
	img->polled = img->direct && limits.polled;
	if (!img->readonly && limits.discard_max) {
		/* misaligned on purpose: support is checked before the range, nothing is
		 * erased */
		uint64_t range[2] = {1, 0};

		img->discard = true;
		img->discard_granularity = limits.discard_granularity;
		img->discard_alignment = limits.discard_alignment;
		img->discard_secure =
			ioctl(img->fd, BLKSECDISCARD, range) && errno == EINVAL;
	}
	return 0;
}

/* Whether the file system can punch holes: tried behind the end, where nothing is. */
static bool can_punch(int fd, uint64_t size)
{
	uint64_t end = (size + 65535) & ~(uint64_t)65535;

	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)end,
			 65536) == 0;
}

static int measure_file(struct image *img, const struct stat *st)
{
	struct image_limits limits;

	img->logical = 512;
	if (!img->direct)
		img->offset_align = img->memory_align = 1;
	else if (!direct_align_statx(img) && !direct_align_probe(img))
		return -EAGAIN;
	if (img->direct && (img->offset_align > DIRECT_ALIGN_MAX ||
			    img->memory_align > DIRECT_ALIGN_MAX))
		return -EAGAIN;
	/* a tail shorter than the alignment could be neither read nor written */
	if (img->direct && ((uint64_t)st->st_size & ~511ull) % img->offset_align)
		return -EAGAIN;
	limits_of(st->st_dev, &limits);
	img->physical =
		limits.physical > img->offset_align ? limits.physical : img->offset_align;
	if (!img->readonly && can_punch(img->fd, (uint64_t)st->st_size)) {
		img->discard = true;
		img->discard_granularity =
			st->st_blksize > 0 ? (uint32_t)st->st_blksize : 4096;
	}
	return 0;
}

static int measure(struct image *img, const struct stat *st)
{
	uint64_t size;
	int err = img->block_device ? measure_device(img) : measure_file(img, st);

	if (err)
		return err;
	if (!power_of_two(img->physical) || img->physical < img->logical)
		img->physical = img->logical;
	if (img->physical > IMAGE_PHYSICAL_MAX)
		img->physical = IMAGE_PHYSICAL_MAX;
	err = raw_size(img, &size);
	if (err)
		return fail(img, -err, "cannot read the size: %s", strerror(-err));
	img->size = usable(img, size);
	return 0;
}

/* ---- opening ---- */

void image_init(struct image *img)
{
	memset(img, 0, sizeof(*img));
	img->fd = -1;
}

void image_close(struct image *img)
{
	if (img->fd >= 0)
		close(img->fd);
	img->fd = -1;
	img->size = 0;
}

/* Open for I/O what @pinned (O_PATH) stands for. */
static int reopen(struct image *img, int pinned, const struct stat *pin, const char *path,
		  bool direct)
{
	int flags = (img->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY;
	char self[64];
	struct stat st;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", pinned);
	img->direct = direct;
	/* Each read would look at the clock for the access time; root may leave that out.
	 */
	img->fd = open(self, flags | O_NOATIME | (direct ? O_DIRECT : 0));
	if (img->fd < 0 && errno == EPERM)
		img->fd = open(self, flags | (direct ? O_DIRECT : 0));
	if (img->fd < 0)
		return fail(img, errno, "cannot open %s%s: %s", path,
			    img->readonly ? "" : " for writing", strerror(errno));
	if (fstat(img->fd, &st) || st.st_dev != pin->st_dev || st.st_ino != pin->st_ino ||
	    st.st_mode != pin->st_mode || st.st_rdev != pin->st_rdev)
		return fail(img, ESTALE, "%s changed while it was opened", path);
	return measure(img, &st);
}

static int open_pinned(struct image *img, int pinned, const char *path, bool direct)
{
	struct stat st;
	int err;

	if (fstat(pinned, &st))
		return fail(img, errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return fail(img, EINVAL, "%s is neither a file nor a block device", path);
	img->block_device = S_ISBLK(st.st_mode);
	img->dev = img->block_device ? st.st_rdev : st.st_dev;
	img->ino = st.st_ino;
	err = reopen(img, pinned, &st, path, direct);
	if (!direct || (err != -EINVAL && err != -EAGAIN && err != -EOPNOTSUPP))
		return err;
	image_close(img);
	return reopen(img, pinned, &st, path, false);
}

int image_open(struct image *img, const char *path, unsigned int how)
{
	int pinned, err;

	image_init(img);
	img->readonly = how & IMAGE_READONLY;
	if (path[0] != '/')
		return fail(img, EINVAL, "'%s' is not an absolute path", path);
	pinned = open(path, O_PATH | O_CLOEXEC);
	if (pinned < 0)
		return fail(img, errno, "%s: %s", path, strerror(errno));
	err = open_pinned(img, pinned, path, !(how & IMAGE_BUFFERED));
	close(pinned);
	if (err)
		image_close(img);
	return err;
}

bool image_resized(struct image *img)
{
	uint64_t size;

	if (img->fd < 0 || raw_size(img, &size))
		return false;
	size = usable(img, size);
	if (size == img->size)
		return false;
	img->size = size;
	return true;
}

int image_backs_loop(struct image *file, dev_t dev)
{
	struct loop_info64 info;
	char path[PATH_MAX];
	struct stat st;
	int fd, err;

	err = image_device_path(dev, path, sizeof(path));
	if (err)
		return fail(file, -err, "no loop device %u:%u: %s", major(dev),
			    minor(dev), strerror(-err));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(file, errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != dev)
		err = fail(file, ENODEV, "%s is not device %u:%u", path, major(dev),
			   minor(dev));
	else if (ioctl(fd, LOOP_GET_STATUS64, &info))
		err = fail(file, errno, "%s: %s", path,
			   errno == ENXIO ? "no file is attached" : strerror(errno));
	else if (info.lo_device != file->dev || info.lo_inode != file->ino)
		err = fail(file, ESTALE, "%s is attached to another file", path);
	else
		err = info.lo_offset || info.lo_sizelimit ? 0 : 1;
	close(fd);
	return err;
}
