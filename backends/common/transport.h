/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a backend's data path needs of the other domain: its granted memory and
 * its event channels. Two implementations: transport_xen.c (libxengnttab,
 * libxenevtchn) and loopback.c (memfd and eventfd, any Linux). Nothing above
 * this header knows which one it runs on.
 *
 * Kept narrow on purpose: gntdev cannot be restricted to one domain, so that a
 * broker process may stand behind these calls one day.
 */
#ifndef XYLEM_TRANSPORT_H
#define XYLEM_TRANSPORT_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <xengnttab.h>

#define XEN_PAGE_SIZE 4096u

/*
 * The granted memory of one frontend domain. Shared by all threads of a worker;
 * every call is thread-safe.
 */
struct grants {
	const struct grants_ops *ops;
	uint32_t domid; /* of the frontend */
};

/*
 * Pages of our own for one side of copies, see grants_pool(). Page i may be named
 * in a segment by address, or, when refs is set, by foreign.ref refs[i] with
 * foreign.domid GRANTS_POOL_DOMID and the flag of its side: that is quicker, since
 * the kernel then need not look up and pin the page.
 */
struct grants_pool {
	void *addr;
	uint32_t *refs; /* or NULL */
	unsigned int pages;
	uint64_t index; /* the implementation's */
};

#define GRANTS_POOL_DOMID 0x7ff0u /* DOMID_SELF */

struct grants_ops {
	void *(*map)(struct grants *g, const uint32_t *refs, unsigned int n, int prot);
	int (*unmap)(struct grants *g, void *addr, unsigned int n);
	int (*copy)(struct grants *g, xengnttab_grant_copy_segment_t *segs,
		    unsigned int n);
	void (*close)(struct grants *g);
	/* NULL: none to be had */
	int (*pool)(struct grants *g, struct grants_pool *p, unsigned int pages);
	void (*pool_free)(struct grants *g, struct grants_pool *p);
};

/*
 * Map @n grant references of the domain side by side.
 * @prot: PROT_READ, or PROT_READ|PROT_WRITE.
 * Returns the first page's address, or NULL with errno set; never a part.
 */
static inline void *grants_map(struct grants *g, const uint32_t *refs, unsigned int n,
			       int prot)
{
	return g->ops->map(g, refs, n, prot);
}

/* Unmap what one grants_map() of the same @n returned. 0, or -1 with errno. */
static inline int grants_unmap(struct grants *g, void *addr, unsigned int n)
{
	return g->ops->unmap(g, addr, n);
}

/*
 * Copy @n segments in one call (one ioctl). Exactly one side of each segment is
 * a grant of this domain: its foreign.domid is g->domid, its flag
 * GNTCOPY_source_gref or GNTCOPY_dest_gref. The other side is an address, or a page
 * of a pool. No segment may cross a page, on either side. Returns 0 when the call was made: then each segment's status is
 * GNTST_okay or the error of that segment alone. -1 with errno: nothing is known
 * to have been copied.
 */
static inline int grants_copy(struct grants *g, xengnttab_grant_copy_segment_t *segs,
			      unsigned int n)
{
	return g->ops->copy(g, segs, n);
}

static inline void grants_close(struct grants *g)
{
	g->ops->close(g);
}

/*
 * @pages pages for copies, readable and writable, not zero, with refs. 0, or -errno
 * when there are none of that kind: then use any memory of one's own.
 */
static inline int grants_pool(struct grants *g, struct grants_pool *p, unsigned int pages)
{
	return g->ops->pool ? g->ops->pool(g, p, pages) : -EOPNOTSUPP;
}

static inline void grants_pool_free(struct grants *g, struct grants_pool *p)
{
	g->ops->pool_free(g, p);
}

/* The real one; opens /dev/xen/gntdev, so call it before privileges are dropped. */
struct grants *grants_open_xen(uint32_t domid);
/*
 * The same with pools, where /dev/xen/gntalloc is there. Only for those who use them:
 * whoever holds that device may fill this domain's grant table.
 */
struct grants *grants_open_xen_pools(uint32_t domid);

/*
 * A set of event-channel ports behind one pollable descriptor, owned by one
 * thread (a queue has its own).
 */
struct events {
	const struct events_ops *ops;
	/*
	 * Readable when a port has fired; non-blocking. A read armed in an io_uring waits
	 * all the same, and needs no thread of the kernel because of O_NONBLOCK.
	 */
	int fd;
};

#define EVENTS_READ_SIZE 64

struct events_ops {
	int (*bind)(struct events *e, uint32_t remote_port);
	int (*unbind)(struct events *e, int port);
	int (*notify)(struct events *e, int port);
	unsigned int (*parse)(struct events *e, const void *buf, unsigned int len,
			      int *ports, unsigned int max);
	int (*unmask)(struct events *e, int port);
	void (*close)(struct events *e);
	/*
	 * Non-zero (4): a write() of the local port as a uint32_t to ->fd does what
	 * unmask() does, so that it can travel in an io_uring batch. 0: there is no such
	 * write; call unmask(), which then costs no system call.
	 */
	unsigned int unmask_size;
};

/* Bind to the frontend's unbound @remote_port. Local port (> 0), or -1 with errno. */
static inline int events_bind(struct events *e, uint32_t remote_port)
{
	return e->ops->bind(e, remote_port);
}

static inline int events_unbind(struct events *e, int port)
{
	return e->ops->unbind(e, port);
}

/* Send an event to the other end. 0, or -1 with errno. */
static inline int events_notify(struct events *e, int port)
{
	return e->ops->notify(e, port);
}

/*
 * What a read() of up to EVENTS_READ_SIZE bytes from ->fd means: fills @ports
 * with the local ports that fired and returns how many. Such a port stays masked
 * until events_unmask(): unmask, then look at the ring once more, then sleep. So a
 * read never has more ports than the set has bound; @max must be as many (more than
 * EVENTS_READ_SIZE / 4 come in several reads).
 */
static inline unsigned int events_parse(struct events *e, const void *buf,
					unsigned int len, int *ports, unsigned int max)
{
	return e->ops->parse(e, buf, len, ports, max);
}

static inline int events_unmask(struct events *e, int port)
{
	return e->ops->unmask(e, port);
}

static inline void events_close(struct events *e)
{
	e->ops->close(e);
}

/*
 * Take over an event-channel descriptor that was restricted to one domain by
 * whoever opened it (events_open_restricted_fd); @domid says which, since a bind
 * names it. Owns @fd from here on, also on failure. NULL with errno.
 */
struct events *events_fdopen_xen(int fd, uint32_t domid);

/*
 * A new event-channel descriptor that can only bind to @domid, non-blocking and
 * close-on-exec; -1 with errno.
 */
int events_open_restricted_fd(uint32_t domid);

#endif
