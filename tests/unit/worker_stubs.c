/* SPDX-License-Identifier: GPL-2.0-only */
/* A worker without io_urings, and whose event channels need no Xen: for tests of what runs
 * in one. */
#include <CUnit/Basic.h>
#include <fcntl.h>

#include "backends/common/transport.h"
#include "backends/common/worker.h"

int events_open_restricted_fd(uint32_t domid)
{
	(void)domid;
	return open("/dev/null", O_RDWR | O_CLOEXEC);
}

struct io_uring *worker_get_uring(struct worker *w)
{
	(void)w;
	return NULL;
}

struct io_uring *worker_get_polled_uring(struct worker *w)
{
	(void)w;
	return NULL;
}

void worker_put_uring(struct worker *w, struct io_uring *ring)
{
	(void)w;
	CU_ASSERT_PTR_NULL(ring);
}
