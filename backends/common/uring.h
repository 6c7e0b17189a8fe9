/* SPDX-License-Identifier: GPL-2.0-only */
/* What liburing 2.3 has no function for. */
#ifndef XYLEM_URING_H
#define XYLEM_URING_H

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

/* liburing 2.3 declares io_uring_enable_rings() and does not export it. 0, also when it
 * is enabled already, or -errno. */
static inline int uring_enable(struct io_uring *ring)
{
	if (!syscall(SYS_io_uring_register, ring->ring_fd, IORING_REGISTER_ENABLE_RINGS,
		     NULL, 0))
		return 0;
	return errno == EBADFD ? 0 : -errno; /* EBADFD: by an earlier queue */
}

/* io_uring reads and polls such a descriptor again by itself instead of blocking a
 * thread. 0 or -errno. */
static inline int uring_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	return flags & O_NONBLOCK || !fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? 0 : -errno;
}

#endif
