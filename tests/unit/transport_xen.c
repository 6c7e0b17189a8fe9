/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The real transport over libraries that only pretend: what reaches them, what
 * comes back, and that every descriptor and handle is given up on failure. What
 * Xen itself does is asked by tests/system/transport_probe.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenevtchn.h>

#include "backends/common/transport.h"
#include "tests/unit/alloc_fault.h"
#include "tests/unit/suite.h"

/* ---- the libraries ---- */

struct xengntdev_handle {
	int unused;
};

struct xenevtchn_handle {
	int fd;
};

static struct {
	int fail; /* errno of the next call that can fail */
	unsigned int open_gnttab, open_evtchn;
	uint32_t domid, refs[4], count, port;
	int prot;
	void *addr;
} lib;

static int fails(void)
{
	int err = lib.fail;

	lib.fail = 0;
	errno = err ? err : errno;
	return err;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	CU_ASSERT_PTR_NOT_NULL(logger); /* else the library writes a line a failed map */
	CU_ASSERT_EQUAL(flags, 0);
	if (fails())
		return NULL;
	lib.open_gnttab++;
	return calloc(1, sizeof(xengnttab_handle));
}

int xengnttab_close(xengnttab_handle *h)
{
	lib.open_gnttab--;
	free(h);
	return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t domid,
				      uint32_t *refs, int prot)
{
	CU_ASSERT_PTR_NOT_NULL(h);
	lib.count = count;
	lib.domid = domid;
	lib.prot = prot;
	memcpy(lib.refs, refs, count * sizeof(*refs));
	return fails() ? NULL : &lib;
}

int xengnttab_unmap(xengnttab_handle *h, void *addr, uint32_t count)
{
	CU_ASSERT_PTR_NOT_NULL(h);
	lib.addr = addr;
	lib.count = count;
	return fails() ? -1 : 0;
}

int xengnttab_grant_copy(xengnttab_handle *h, uint32_t count,
			 xengnttab_grant_copy_segment_t *segs)
{
	CU_ASSERT_PTR_NOT_NULL(h);
	lib.addr = segs;
	lib.count = count;
	return fails() ? -1 : 0;
}

static xenevtchn_handle *new_evtchn(int fd)
{
	xenevtchn_handle *h = calloc(1, sizeof(*h));

	h->fd = fd;
	lib.open_evtchn++;
	return h;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger;
	CU_ASSERT_EQUAL(flags, 0);
	return fails() ? NULL : new_evtchn(open("/dev/null", O_RDWR));
}

xenevtchn_handle *xenevtchn_fdopen(struct xentoollog_logger *logger, int fd,
				   unsigned int flags)
{
	(void)logger;
	CU_ASSERT_EQUAL(flags, 0);
	return fails() ? NULL : new_evtchn(fd);
}

int xenevtchn_close(xenevtchn_handle *h)
{
	lib.open_evtchn--;
	close(h->fd);
	free(h);
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *h)
{
	return h->fd;
}

int xenevtchn_restrict(xenevtchn_handle *h, domid_t domid)
{
	CU_ASSERT_PTR_NOT_NULL(h);
	lib.domid = domid;
	return fails() ? -1 : 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *h, uint32_t domid,
						     evtchn_port_t port)
{
	CU_ASSERT_PTR_NOT_NULL(h);
	lib.domid = domid;
	lib.port = port;
	return fails() ? -1 : 77;
}

static int port_call(xenevtchn_handle *h, evtchn_port_t port)
{
	CU_ASSERT_PTR_NOT_NULL(h);
	lib.port = port;
	return fails() ? -1 : 0;
}

int xenevtchn_unbind(xenevtchn_handle *h, evtchn_port_t port)
{
	return port_call(h, port);
}

int xenevtchn_notify(xenevtchn_handle *h, evtchn_port_t port)
{
	return port_call(h, port);
}

int xenevtchn_unmask(xenevtchn_handle *h, evtchn_port_t port)
{
	return port_call(h, port);
}

/* ---- tests ---- */

static int next_fd(void)
{
	int fd = open("/dev/null", O_RDONLY);

	close(fd);
	return fd;
}

static void test_grants(void)
{
	xengnttab_grant_copy_segment_t s[2];
	uint32_t refs[] = {9, 8, 700};
	struct grants_pool pool;
	struct grants *g;

	lib.fail = EACCES;
	CU_ASSERT_PTR_NULL(grants_open_xen(5));
	CU_ASSERT_EQUAL(errno, EACCES);
	alloc_fault(1);
	CU_ASSERT_PTR_NULL(grants_open_xen(5));
	CU_ASSERT_TRUE(alloc_fault_hit());
	CU_ASSERT_EQUAL(lib.open_gnttab, 0);
	g = grants_open_xen(5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(g);
	CU_ASSERT_EQUAL(g->domid, 5);
	CU_ASSERT_EQUAL(grants_pool(g, &pool, 1), -EOPNOTSUPP); /* not asked for */
	CU_ASSERT_PTR_EQUAL(grants_map(g, refs, 3, PROT_READ), &lib);
	CU_ASSERT_EQUAL(lib.domid, 5);
	CU_ASSERT_EQUAL(lib.count, 3);
	CU_ASSERT_EQUAL(lib.prot, PROT_READ);
	CU_ASSERT_EQUAL(memcmp(lib.refs, refs, sizeof(refs)), 0);
	lib.fail = EINVAL;
	CU_ASSERT_PTR_NULL(grants_map(g, refs, 3, PROT_READ));
	CU_ASSERT_EQUAL(errno, EINVAL);
	errno = 0;
	CU_ASSERT_PTR_NULL(grants_map(g, refs, 0, PROT_READ));
	CU_ASSERT_EQUAL(errno, EINVAL);
	CU_ASSERT_EQUAL(grants_unmap(g, refs, 2), 0);
	CU_ASSERT_PTR_EQUAL(lib.addr, refs);
	CU_ASSERT_EQUAL(lib.count, 2);
	lib.fail = ENOENT;
	CU_ASSERT_EQUAL(grants_unmap(g, refs, 2), -1);
	CU_ASSERT_EQUAL(errno, ENOENT);
	CU_ASSERT_EQUAL(grants_copy(g, s, 2), 0);
	CU_ASSERT_PTR_EQUAL(lib.addr, s);
	CU_ASSERT_EQUAL(lib.count, 2);
	lib.fail = EFAULT;
	CU_ASSERT_EQUAL(grants_copy(g, s, 2), -1);
	CU_ASSERT_EQUAL(errno, EFAULT);
	grants_close(g);
	CU_ASSERT_EQUAL(lib.open_gnttab, 0);
}

static void test_restricted_fd(void)
{
	int free_fd = next_fd(), fd;

	lib.fail = EACCES;
	CU_ASSERT_EQUAL(events_open_restricted_fd(5), -1);
	CU_ASSERT_EQUAL(errno, EACCES);
	fd = events_open_restricted_fd(5);
	CU_ASSERT_TRUE_FATAL(fd >= 3);
	CU_ASSERT_EQUAL(lib.domid, 5);
	CU_ASSERT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
	CU_ASSERT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	CU_ASSERT_EQUAL(lib.open_evtchn, 0); /* only the descriptor is left */
	close(fd);
	CU_ASSERT_EQUAL(next_fd(), free_fd);
}

static bool fd_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_events(void)
{
	int fd = open("/dev/null", O_RDWR);
	struct events *e;

	/* the descriptor is taken over, also on failure */
	lib.fail = ENOMEM;
	CU_ASSERT_PTR_NULL(events_fdopen_xen(fd, 5));
	CU_ASSERT_EQUAL(errno, ENOMEM);
	CU_ASSERT_FALSE(fd_open(fd));
	fd = open("/dev/null", O_RDWR);
	alloc_fault(1);
	CU_ASSERT_PTR_NULL(events_fdopen_xen(fd, 5));
	CU_ASSERT_TRUE(alloc_fault_hit());
	CU_ASSERT_FALSE(fd_open(fd));
	fd = open("/dev/null", O_RDWR);
	e = events_fdopen_xen(fd, 5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(e);
	CU_ASSERT_EQUAL(e->fd, fd);
	CU_ASSERT_EQUAL(events_bind(e, 12), 77);
	CU_ASSERT_EQUAL(lib.domid, 5);
	CU_ASSERT_EQUAL(lib.port, 12);
	lib.fail = EINVAL;
	CU_ASSERT_EQUAL(events_bind(e, 12), -1);
	CU_ASSERT_EQUAL(events_notify(e, 77), 0);
	CU_ASSERT_EQUAL(lib.port, 77);
	CU_ASSERT_EQUAL(events_unmask(e, 78), 0);
	CU_ASSERT_EQUAL(lib.port, 78);
	CU_ASSERT_EQUAL(events_unbind(e, 79), 0);
	CU_ASSERT_EQUAL(lib.port, 79);
	lib.fail = ENOTCONN;
	CU_ASSERT_EQUAL(events_notify(e, 77), -1);
	CU_ASSERT_EQUAL(errno, ENOTCONN);
	CU_ASSERT_EQUAL(e->ops->unmask_size, 4);
	events_close(e);
	CU_ASSERT_EQUAL(lib.open_evtchn, 0);
	CU_ASSERT_FALSE(fd_open(fd));
}

static void test_parse(void)
{
	struct events *e = events_fdopen_xen(open("/dev/null", O_RDWR), 5);
	uint32_t in[3] = {77, 78, 79};
	unsigned char odd[13];
	int ports[4] = {0, 0, 0, -5};

	memcpy(odd + 1, in, sizeof(in)); /* wherever the buffer lies */
	CU_ASSERT_EQUAL(events_parse(e, odd + 1, 12, ports, 4), 3);
	CU_ASSERT_EQUAL(ports[0], 77);
	CU_ASSERT_EQUAL(ports[2], 79);
	CU_ASSERT_EQUAL(ports[3], -5);
	CU_ASSERT_EQUAL(events_parse(e, in, 11, ports, 4), 2); /* no part of a port */
	CU_ASSERT_EQUAL(events_parse(e, in, 3, ports, 4), 0);
	CU_ASSERT_EQUAL(events_parse(e, in, 0, ports, 4), 0);
	ports[1] = -5;
	CU_ASSERT_EQUAL(events_parse(e, in, 12, ports, 1), 1);
	CU_ASSERT_EQUAL(ports[1], -5);
	events_close(e);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"grants", test_grants},
		{"a restricted descriptor", test_restricted_fd},
		{"event channels", test_events},
		{"what a read means", test_parse},
		CU_TEST_INFO_NULL,
	};

	return suite_main("transport_xen", tests);
}
