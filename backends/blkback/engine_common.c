/* SPDX-License-Identifier: GPL-2.0-only */
/* What engines share; see engine_common.h. */
#include "backends/blkback/engine_common.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define RETRIES_MAX 64 /* of one I/O that makes no progress */

const struct iovec *engine_rest(const struct engine_io *io, struct iovec *one,
				unsigned int *n)
{
	uint64_t done = io->private[ENGINE_DONE_BYTES];
	unsigned int i = 0;

	while (i < io->nr_iov && done >= io->iov[i].iov_len)
		done -= io->iov[i++].iov_len;
	if (!done) {
		*n = io->nr_iov - i;
		return &io->iov[i];
	}
	/* In the middle of an element: finish that one alone, the others next time. */
	one->iov_base = (char *)io->iov[i].iov_base + done;
	one->iov_len = io->iov[i].iov_len - done;
	*n = 1;
	return one;
}

bool engine_progress(struct engine_io *io, int64_t res, int64_t *result)
{
	*result = 0;
	if (res > 0) {
		io->private[ENGINE_DONE_BYTES] += (uint64_t)res;
		io->private[ENGINE_RETRIES] = 0;
		return io->private[ENGINE_DONE_BYTES] >= io->length;
	}
	/* Nothing at all is the end of the file: the image is shorter than it was. */
	*result = res ? res : -EIO;
	if (res != -EINTR && res != -EAGAIN)
		return true;
	return ++io->private[ENGINE_RETRIES] > RETRIES_MAX;
}

int engine_discard_mode(bool block_device, bool plain)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	/*
	 * A block device takes the hint as BLKDEV_ZERO-free discard (fallocate(2) on
	 * block devices, up to Linux 6.8); without it the range is zeroed, by discard if
	 * the device promises zeroes.
	 */
	return block_device && !plain ? mode | FALLOC_FL_NO_HIDE_STALE : mode;
}

int engine_discard_sync(const struct engine_setup *s, const struct engine_io *io)
{
	uint64_t range[2] = {io->offset, io->length};

	if (io->op == ENGINE_SECURE_DISCARD)
		return s->block_device && !ioctl(s->fd, BLKSECDISCARD, range) ? 0
		       : s->block_device                                      ? -errno
					 : -EOPNOTSUPP;
	if (!fallocate(s->fd, engine_discard_mode(s->block_device, false),
		       (off_t)io->offset, (off_t)io->length))
		return 0;
	if (s->block_device && (errno == EOPNOTSUPP || errno == EINVAL) &&
	    !fallocate(s->fd, engine_discard_mode(true, true), (off_t)io->offset,
		       (off_t)io->length))
		return 0;
	return -errno;
}

unsigned int engine_poll(const struct engine_setup *s, int io_fd, const int *unmask,
			 unsigned int nr_unmask, int *ports, unsigned int max,
			 uint64_t timeout_ns)
{
	struct pollfd p[] = {
		{.fd = s->events ? s->events->fd : -1, .events = POLLIN},
		{.fd = s->wake_fd, .events = POLLIN},
		{.fd = io_fd, .events = POLLIN},
	};
	struct timespec ts = {(time_t)(timeout_ns / 1000000000),
			      (long)(timeout_ns % 1000000000)};
	unsigned char buf[EVENTS_READ_SIZE];
	uint64_t count;
	ssize_t len;

	while (nr_unmask--)
		events_unmask(s->events, *unmask++);
	metric_add(s->metrics, METRIC_SYSCALLS, 1);
	if (ppoll(p, 3, timeout_ns == ENGINE_SLEEP ? NULL : &ts, NULL) <= 0)
		return 0;
	if (p[1].revents & POLLIN)
		while (read(s->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
			;
	if (!(p[0].revents & POLLIN))
		return 0;
	metric_add(s->metrics, METRIC_SYSCALLS, 1);
	len = read(s->events->fd, buf, sizeof(buf));
	return len > 0 ? events_parse(s->events, buf, (unsigned int)len, ports, max) : 0;
}
