/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loopback transport: see loopback.h. What front and back share lies in one
 * anonymous shared mapping (struct shared) and changes by atomics alone, since
 * either end may be another process that dies at any moment.
 */
#include "backends/common/loopback.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define FIRST_REF  8 /* Xen reserves the references below */
#define PORTS_MAX  256
#define SETS_MIN   8
#define LOCAL_BASE 1000 /* a local port never equals its remote one */
#define HASH_SIZE  1024

/* A grant entry: bit 63 valid, 62 read-only, 61-32 uses by the backend, 31-0 frame. */
#define GRANT_VALID    (1ull << 63)
#define GRANT_RO       (1ull << 62)
#define GRANT_USE      (1ull << 32)
#define GRANT_USES(e)  (((e) >> 32) & 0x3fffffffu)
#define GRANT_FRAME(e) ((uint32_t)(e))

/* Who holds a port. The record is free when nobody does. */
#define PORT_FRONT   (1u << 0)
#define PORT_BACK    (1u << 1)
#define PORT_BINDING (1u << 2) /* becoming PORT_BACK */

/* What the back end sees of a port (struct port.event). */
#define EVENT_MASKED  (1u << 0)
#define EVENT_PENDING (1u << 1)

struct port {
	_Atomic(uint32_t) holders;
	_Atomic(uint32_t) event;
	_Atomic(uint32_t) set; /* that fires; valid while PORT_BACK is set */
};

struct event_set {
	_Atomic(uint32_t) open;
	_Atomic(uint64_t) fired[PORTS_MAX / 64]; /* ports to be reported by parse() */
};

struct fault {
	_Atomic(uint64_t) calls, fail_at;
	_Atomic(int) err;
};

struct shared {
	struct fault faults[LOOPBACK_FAULTS];
	_Atomic(uint32_t) mapped_pages, next_grant;
	_Atomic(uint64_t) notify_front, notify_back;
	struct port ports[PORTS_MAX];
	struct event_set sets[PORTS_MAX];
	_Atomic(uint64_t) grants[];
};

/* What one grants_map() made; known to the process that made it. */
struct mapping {
	struct mapping *next;
	char *addr;
	unsigned int n;
	uint32_t refs[];
};

struct loopback {
	struct grants grants;
	struct shared *sh;
	size_t sh_size;
	char *memory;
	int memfd;
	unsigned int frames, nr_grants, nr_ports, nr_sets;
	int front_fd[PORTS_MAX], set_fd[PORTS_MAX];
	pthread_mutex_t lock; /* mappings */
	struct mapping *mappings[HASH_SIZE];
};

struct loopback_events {
	struct events events;
	struct loopback *lb;
	unsigned int index;
};

/* ---- faults ---- */

/*
 * Count @n calls; the errno (or status) that the @hit'th of them is to fail with, or 0.
 */
static int fault_check(struct loopback *lb, enum loopback_fault what, uint64_t n,
		       uint64_t *hit)
{
	struct fault *f = &lb->sh->faults[what];
	uint64_t before = atomic_fetch_add_explicit(&f->calls, n, memory_order_relaxed);
	uint64_t at = atomic_load_explicit(&f->fail_at, memory_order_acquire);

	if (!at || at <= before || at > before + n)
		return 0;
	if (hit)
		*hit = at - before - 1;
	return atomic_load(&f->err);
}

static int fault_errno(struct loopback *lb, enum loopback_fault what)
{
	int err = fault_check(lb, what, 1, NULL);

	if (err)
		errno = err;
	return err;
}

void loopback_fail(struct loopback *lb, enum loopback_fault what, uint64_t nth, int err)
{
	struct fault *f = &lb->sh->faults[what];

	atomic_store(&f->fail_at, 0);
	atomic_store(&f->err, err);
	if (nth && err)
		atomic_store(&f->fail_at, atomic_load(&f->calls) + nth);
}

uint64_t loopback_calls(const struct loopback *lb, enum loopback_fault what)
{
	return atomic_load(&lb->sh->faults[what].calls);
}

/* ---- grants: front side ---- */

uint32_t loopback_grant(struct loopback *lb, unsigned int frame, bool readonly)
{
	uint64_t entry = GRANT_VALID | (readonly ? GRANT_RO : 0) | frame;
	unsigned int i, slot;

	assert(frame < lb->frames);
	for (i = 0; i < lb->nr_grants; i++) {
		uint64_t none = 0;

		slot = atomic_fetch_add_explicit(&lb->sh->next_grant, 1,
						 memory_order_relaxed) %
		       lb->nr_grants;
		if (!atomic_load_explicit(&lb->sh->grants[slot], memory_order_relaxed) &&
		    atomic_compare_exchange_strong(&lb->sh->grants[slot], &none, entry))
			return FIRST_REF + slot;
	}
	return 0;
}

int loopback_end_access(struct loopback *lb, uint32_t ref)
{
	uint64_t e;

	if (ref < FIRST_REF || ref - FIRST_REF >= lb->nr_grants)
		return -EINVAL;
	e = atomic_load(&lb->sh->grants[ref - FIRST_REF]);
	do {
		if (!(e & GRANT_VALID))
			return -EINVAL;
		if (GRANT_USES(e))
			return -EBUSY;
	} while (!atomic_compare_exchange_weak(&lb->sh->grants[ref - FIRST_REF], &e, 0));
	return 0;
}

void *loopback_frame(struct loopback *lb, unsigned int frame)
{
	assert(frame < lb->frames);
	return lb->memory + (size_t)frame * XEN_PAGE_SIZE;
}

/* ---- grants: back side ---- */

/* Hold @ref for use. GNTST_okay with its frame, or the status that Xen would give. */
static int pin(struct loopback *lb, uint32_t ref, bool write, uint32_t *frame)
{
	_Atomic(uint64_t) *slot;
	uint64_t e;

	if (ref < FIRST_REF || ref - FIRST_REF >= lb->nr_grants)
		return GNTST_bad_gntref;
	slot = &lb->sh->grants[ref - FIRST_REF];
	e = atomic_load(slot);
	do {
		if (!(e & GRANT_VALID))
			return GNTST_bad_gntref;
		if (write && (e & GRANT_RO))
			return GNTST_general_error;
	} while (!atomic_compare_exchange_weak(slot, &e, e + GRANT_USE));
	*frame = GRANT_FRAME(e);
	return GNTST_okay;
}

static void unpin(struct loopback *lb, uint32_t ref)
{
	uint64_t e = atomic_fetch_sub(&lb->sh->grants[ref - FIRST_REF], GRANT_USE);

	assert(GRANT_USES(e));
	(void)e;
}

static void unpin_all(struct loopback *lb, const uint32_t *refs, unsigned int n)
{
	while (n--)
		unpin(lb, refs[n]);
}

static struct mapping **hash_slot(struct loopback *lb, const void *addr)
{
	uint64_t page = (uint64_t)(uintptr_t)addr / XEN_PAGE_SIZE;

	return &lb->mappings[(page * 0x9e3779b97f4a7c15ull) >> 54];
}

/* Pin all of @refs and lay their frames at @addr. 0 or an errno; then nothing is held. */
static int map_frames(struct loopback *lb, char *addr, const uint32_t *refs,
		      unsigned int n, int prot)
{
	unsigned int i;
	uint32_t frame;

	for (i = 0; i < n; i++) {
		if (pin(lb, refs[i], prot & PROT_WRITE, &frame)) {
			unpin_all(lb, refs, i);
			return EINVAL;
		}
		if (mmap(addr + (size_t)i * XEN_PAGE_SIZE, XEN_PAGE_SIZE, prot,
			 MAP_SHARED | MAP_FIXED, lb->memfd,
			 (off_t)frame * XEN_PAGE_SIZE) == MAP_FAILED) {
			unpin_all(lb, refs, i + 1);
			return ENOMEM;
		}
	}
	return 0;
}

/* The inaccessible pages before and behind a mapping belong to it. */
static size_t span(unsigned int n)
{
	return ((size_t)n + 2) * XEN_PAGE_SIZE;
}

static void *lb_map(struct grants *g, const uint32_t *refs, unsigned int n, int prot)
{
	struct loopback *lb = (struct loopback *)g;
	struct mapping *m, **slot;
	int err = EINVAL;
	char *base;

	if (fault_errno(lb, LOOPBACK_MAP))
		return NULL;
	if (!n || n > lb->nr_grants || !(prot & PROT_READ) ||
	    (prot & ~(PROT_READ | PROT_WRITE))) {
		errno = EINVAL;
		return NULL;
	}
	m = malloc(sizeof(*m) + n * sizeof(m->refs[0]));
	if (!m)
		return NULL;
	base = mmap(NULL, span(n), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		    -1, 0);
	if (base == MAP_FAILED) {
		err = errno;
		goto out_free;
	}
	memcpy(m->refs, refs, n * sizeof(m->refs[0]));
	m->n = n;
	m->addr = base + XEN_PAGE_SIZE;
	err = map_frames(lb, m->addr, m->refs, n, prot);
	if (err)
		goto out_unmap;
	slot = hash_slot(lb, m->addr);
	pthread_mutex_lock(&lb->lock);
	m->next = *slot;
	*slot = m;
	pthread_mutex_unlock(&lb->lock);
	atomic_fetch_add(&lb->sh->mapped_pages, n);
	return m->addr;

out_unmap:
	munmap(base, span(n));
out_free:
	free(m);
	errno = err;
	return NULL;
}

static void mapping_release(struct mapping *m)
{
	munmap(m->addr - XEN_PAGE_SIZE, span(m->n));
	free(m);
}

static int lb_unmap(struct grants *g, void *addr, unsigned int n)
{
	struct loopback *lb = (struct loopback *)g;
	struct mapping *m, **p;

	if (fault_errno(lb, LOOPBACK_UNMAP))
		return -1;
	pthread_mutex_lock(&lb->lock);
	for (p = hash_slot(lb, addr); *p && (*p)->addr != addr; p = &(*p)->next)
		;
	m = *p;
	if (!m || m->n != n) {
		pthread_mutex_unlock(&lb->lock);
		errno = EINVAL;
		return -1;
	}
	*p = m->next;
	pthread_mutex_unlock(&lb->lock);
	unpin_all(lb, m->refs, n);
	atomic_fetch_sub(&lb->sh->mapped_pages, n);
	mapping_release(m);
	return 0;
}

/* The rules that fail a whole call. */
static bool segment_sane(const xengnttab_grant_copy_segment_t *s)
{
	bool from = s->flags & GNTCOPY_source_gref, to = s->flags & GNTCOPY_dest_gref;
	const void *virt = from ? s->dest.virt : s->source.virt;
	unsigned int offset = from ? s->source.foreign.offset : s->dest.foreign.offset;

	return from != to && offset + s->len <= XEN_PAGE_SIZE &&
	       (uintptr_t)virt % XEN_PAGE_SIZE + s->len <= XEN_PAGE_SIZE;
}

static int copy_segment(struct loopback *lb, xengnttab_grant_copy_segment_t *s)
{
	bool from = s->flags & GNTCOPY_source_gref;
	uint32_t ref = from ? s->source.foreign.ref : s->dest.foreign.ref;
	unsigned int offset = from ? s->source.foreign.offset : s->dest.foreign.offset;
	uint32_t frame;
	char *guest;
	int status;

	if ((from ? s->source.foreign.domid : s->dest.foreign.domid) != lb->grants.domid)
		return GNTST_bad_domain;
	status = pin(lb, ref, !from, &frame);
	if (status)
		return status;
	guest = lb->memory + (size_t)frame * XEN_PAGE_SIZE + offset;
	if (from)
		memcpy(s->dest.virt, guest, s->len);
	else
		memcpy(guest, s->source.virt, s->len);
	unpin(lb, ref);
	return GNTST_okay;
}

static int lb_copy(struct grants *g, xengnttab_grant_copy_segment_t *segs, unsigned int n)
{
	struct loopback *lb = (struct loopback *)g;
	uint64_t hit = 0;
	unsigned int i;
	int status;

	if (fault_errno(lb, LOOPBACK_COPY))
		return -1;
	for (i = 0; i < n; i++) {
		if (!segment_sane(&segs[i])) {
			errno = EINVAL;
			return -1;
		}
	}
	status = fault_check(lb, LOOPBACK_COPY_SEGMENT, n, &hit);
	for (i = 0; i < n; i++)
		segs[i].status = status && i == hit ? (int16_t)status
						    : (int16_t)copy_segment(lb, &segs[i]);
	return 0;
}

static void lb_grants_close(struct grants *g)
{
	(void)g; /* what is still mapped stays in the audit; loopback_free() ends it */
}

static const struct grants_ops loopback_grants_ops = {
	.map = lb_map,
	.unmap = lb_unmap,
	.copy = lb_copy,
	.close = lb_grants_close,
};

struct grants *loopback_grants(struct loopback *lb)
{
	return &lb->grants;
}

/* ---- ports: the record that both ends hold ---- */

static struct port *port_of(struct loopback *lb, uint32_t port, uint32_t holder)
{
	struct port *p;

	if (!port || port > lb->nr_ports)
		return NULL;
	p = &lb->sh->ports[port - 1];
	return atomic_load(&p->holders) & holder ? p : NULL;
}

static void wake(int fd)
{
	uint64_t one = 1;

	/* Only fails when the counter is full: then the reader is awake anyway. */
	if (write(fd, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN);
}

static void drain_fd(int fd)
{
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN);
}

/* The port has fired and is masked: tell its set. The bit comes before the wake-up,
 * so that whoever reads the eventfd finds it. */
static void deliver(struct loopback *lb, struct port *p)
{
	unsigned int i = (unsigned int)(p - lb->sh->ports);
	uint32_t set = atomic_load(&p->set);

	atomic_fetch_or(&lb->sh->sets[set].fired[i / 64], 1ull << (i % 64));
	wake(lb->set_fd[set]);
}

static void raise_event(struct loopback *lb, struct port *p)
{
	uint32_t e = atomic_load(&p->event), new;

	do {
		new = EVENT_MASKED | (e & EVENT_MASKED ? EVENT_PENDING : 0);
	} while (!atomic_compare_exchange_weak(&p->event, &e, new));
	if (!(e & EVENT_MASKED))
		deliver(lb, p);
}

/* ---- ports: front side ---- */

uint32_t loopback_port_alloc(struct loopback *lb)
{
	unsigned int i;

	for (i = 0; i < lb->nr_ports; i++) {
		uint32_t none = 0;

		if (atomic_compare_exchange_strong(&lb->sh->ports[i].holders, &none,
						   PORT_FRONT)) {
			drain_fd(lb->front_fd[i]);
			return i + 1;
		}
	}
	return 0;
}

void loopback_port_close(struct loopback *lb, uint32_t port)
{
	struct port *p = port_of(lb, port, PORT_FRONT);

	if (p)
		atomic_fetch_and(&p->holders, ~PORT_FRONT);
}

int loopback_port_fd(struct loopback *lb, uint32_t port)
{
	return port_of(lb, port, PORT_FRONT) ? lb->front_fd[port - 1] : -1;
}

int loopback_port_notify(struct loopback *lb, uint32_t port)
{
	struct port *p = port_of(lb, port, PORT_FRONT);

	if (!p)
		return -EINVAL;
	atomic_fetch_add_explicit(&lb->sh->notify_back, 1, memory_order_relaxed);
	if (atomic_load(&p->holders) & PORT_BACK)
		raise_event(lb, p);
	return 0;
}

/* ---- ports: back side ---- */

static struct port *local_port(struct loopback_events *le, int port)
{
	struct port *p;

	if (port <= LOCAL_BASE)
		return NULL;
	p = port_of(le->lb, (uint32_t)(port - LOCAL_BASE), PORT_BACK);
	return p && atomic_load(&p->set) == le->index ? p : NULL;
}

static int lb_bind(struct events *e, uint32_t remote_port)
{
	struct loopback_events *le = (struct loopback_events *)e;
	struct port *p = port_of(le->lb, remote_port, PORT_FRONT);
	uint32_t front = PORT_FRONT;

	if (fault_errno(le->lb, LOOPBACK_BIND))
		return -1;
	if (!p) {
		errno = EINVAL;
		return -1;
	}
	if (!atomic_compare_exchange_strong(&p->holders, &front,
					    PORT_FRONT | PORT_BINDING)) {
		errno = EINVAL;
		return -1;
	}
	/* From the moment it is held an event finds the port masked and stays pending. */
	atomic_store(&p->event, EVENT_MASKED | EVENT_PENDING);
	atomic_store(&p->set, le->index);
	atomic_fetch_xor(&p->holders, PORT_BINDING | PORT_BACK);
	/* Bound: fire once, since an event may have been sent before we were here. */
	return e->ops->unmask(e, LOCAL_BASE + (int)remote_port)
		       ? -1
		       : LOCAL_BASE + (int)remote_port;
}

static void release_port(struct loopback *lb, struct port *p)
{
	unsigned int i = (unsigned int)(p - lb->sh->ports);
	struct event_set *set = &lb->sh->sets[atomic_load(&p->set)];

	atomic_store(&p->event, EVENT_MASKED);
	atomic_fetch_and(&set->fired[i / 64], ~(1ull << (i % 64)));
	atomic_fetch_and(&p->holders, ~PORT_BACK);
}

static int lb_unbind(struct events *e, int port)
{
	struct loopback_events *le = (struct loopback_events *)e;
	struct port *p = local_port(le, port);

	if (!p) {
		errno = EINVAL;
		return -1;
	}
	release_port(le->lb, p);
	return 0;
}

static int lb_notify(struct events *e, int port)
{
	struct loopback_events *le = (struct loopback_events *)e;
	struct port *p = local_port(le, port);

	if (fault_errno(le->lb, LOOPBACK_NOTIFY))
		return -1;
	if (!p) {
		errno = EINVAL;
		return -1;
	}
	atomic_fetch_add_explicit(&le->lb->sh->notify_front, 1, memory_order_relaxed);
	if (atomic_load(&p->holders) & PORT_FRONT)
		wake(le->lb->front_fd[p - le->lb->sh->ports]);
	return 0;
}

static unsigned int lb_parse(struct events *e, const void *buf, unsigned int len,
			     int *ports, unsigned int max)
{
	struct loopback_events *le = (struct loopback_events *)e;
	struct event_set *set = &le->lb->sh->sets[le->index];
	unsigned int word, bit, n = 0;
	int port;

	(void)buf;
	if (len < sizeof(uint64_t))
		return 0;
	for (word = 0; word < PORTS_MAX / 64; word++) {
		uint64_t left = atomic_load(&set->fired[word])
					? atomic_exchange(&set->fired[word], 0)
					: 0;

		for (; left && n < max; left &= left - 1) {
			bit = (unsigned int)__builtin_ctzll(left);
			port = LOCAL_BASE + 1 + (int)(word * 64 + bit);
			if (local_port(le, port)) /* may have been unbound meanwhile */
				ports[n++] = port;
		}
		if (left) { /* no room: they are read next time */
			atomic_fetch_or(&set->fired[word], left);
			wake(e->fd);
		}
	}
	return n;
}

static int lb_unmask(struct events *e, int port)
{
	struct loopback_events *le = (struct loopback_events *)e;
	struct port *p = local_port(le, port);
	uint32_t ev, new;

	if (!p) {
		errno = EINVAL;
		return -1;
	}
	ev = atomic_load(&p->event);
	do {
		new = ev &EVENT_PENDING ? EVENT_MASKED : 0;
	} while (!atomic_compare_exchange_weak(&p->event, &ev, new));
	if (ev & EVENT_PENDING)
		deliver(le->lb, p);
	return 0;
}

static void release_set(struct loopback *lb, unsigned int index)
{
	unsigned int i;

	for (i = 0; i < lb->nr_ports; i++) {
		struct port *p = &lb->sh->ports[i];

		if ((atomic_load(&p->holders) & PORT_BACK) &&
		    atomic_load(&p->set) == index)
			release_port(lb, p);
	}
	drain_fd(lb->set_fd[index]);
	atomic_store(&lb->sh->sets[index].open, 0);
}

static void lb_events_close(struct events *e)
{
	struct loopback_events *le = (struct loopback_events *)e;

	release_set(le->lb, le->index);
	free(le);
}

static const struct events_ops loopback_events_ops = {
	.bind = lb_bind,
	.unbind = lb_unbind,
	.notify = lb_notify,
	.parse = lb_parse,
	.unmask = lb_unmask,
	.close = lb_events_close,
	.unmask_size = 0, /* unmask() is no system call unless an event is pending */
};

struct events *loopback_events(struct loopback *lb)
{
	struct loopback_events *le = malloc(sizeof(*le));
	unsigned int i;

	if (!le)
		return NULL;
	for (i = 0; i < lb->nr_sets; i++) {
		uint32_t none = 0;

		if (atomic_compare_exchange_strong(&lb->sh->sets[i].open, &none, 1))
			break;
	}
	if (i == lb->nr_sets) {
		free(le);
		errno = EMFILE;
		return NULL;
	}
	le->events.ops = &loopback_events_ops;
	le->events.fd = lb->set_fd[i];
	le->lb = lb;
	le->index = i;
	return &le->events;
}

/* ---- the whole ---- */

void loopback_back_died(struct loopback *lb)
{
	unsigned int i;

	for (i = 0; i < lb->nr_grants; i++)
		atomic_fetch_and(&lb->sh->grants[i], ~((uint64_t)0x3fffffff << 32));
	atomic_store(&lb->sh->mapped_pages, 0);
	for (i = 0; i < lb->nr_sets; i++)
		if (atomic_load(&lb->sh->sets[i].open))
			release_set(lb, i);
}

void loopback_audit(const struct loopback *lb, struct loopback_audit *out)
{
	unsigned int i;

	memset(out, 0, sizeof(*out));
	out->mapped_pages = atomic_load(&lb->sh->mapped_pages);
	for (i = 0; i < lb->nr_ports; i++)
		out->bound_ports +=
			!!(atomic_load(&lb->sh->ports[i].holders) & PORT_BACK);
	for (i = 0; i < lb->nr_sets; i++)
		out->open_sets += !!atomic_load(&lb->sh->sets[i].open);
	out->notify_front = atomic_load(&lb->sh->notify_front);
	out->notify_back = atomic_load(&lb->sh->notify_back);
}

/* Guest memory and what the two ends share. 0 or -1 with errno. */
static int make_memory(struct loopback *lb)
{
	size_t size = (size_t)lb->frames * XEN_PAGE_SIZE;

	lb->memfd = memfd_create("xylem-loopback", MFD_CLOEXEC);
	if (lb->memfd < 0 || ftruncate(lb->memfd, (off_t)size))
		return -1;
	lb->memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, lb->memfd, 0);
	if (lb->memory == MAP_FAILED) {
		lb->memory = NULL;
		return -1;
	}
	lb->sh_size = sizeof(*lb->sh) + lb->nr_grants * sizeof(lb->sh->grants[0]);
	lb->sh = mmap(NULL, lb->sh_size, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (lb->sh == MAP_FAILED) {
		lb->sh = NULL;
		return -1;
	}
	return 0;
}

static int make_eventfds(int *fds, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fds[i] < 0)
			return -1;
	}
	return 0;
}

struct loopback *loopback_new(unsigned int frames, unsigned int grants,
			      unsigned int ports)
{
	struct loopback *lb;
	int err;

	if (!frames || !grants || ports > PORTS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	lb = calloc(1, sizeof(*lb));
	if (!lb)
		return NULL;
	lb->grants.ops = &loopback_grants_ops;
	lb->grants.domid = LOOPBACK_DOMID;
	lb->frames = frames;
	lb->nr_grants = grants;
	lb->nr_ports = ports;
	lb->nr_sets = ports > SETS_MIN ? ports : SETS_MIN;
	lb->memfd = -1;
	memset(lb->front_fd, -1, sizeof(lb->front_fd));
	memset(lb->set_fd, -1, sizeof(lb->set_fd));
	pthread_mutex_init(&lb->lock, NULL);
	if (make_memory(lb) || make_eventfds(lb->front_fd, lb->nr_ports) ||
	    make_eventfds(lb->set_fd, lb->nr_sets)) {
		err = errno;
		loopback_free(lb);
		errno = err;
		return NULL;
	}
	return lb;
}

static void close_fds(const int *fds)
{
	unsigned int i;

	for (i = 0; i < PORTS_MAX && fds[i] >= 0; i++)
		close(fds[i]);
}

void loopback_free(struct loopback *lb)
{
	unsigned int i;

	if (!lb)
		return;
	for (i = 0; i < HASH_SIZE; i++) {
		while (lb->mappings[i]) {
			struct mapping *m = lb->mappings[i];

			lb->mappings[i] = m->next;
			mapping_release(m);
		}
	}
	close_fds(lb->front_fd);
	close_fds(lb->set_fd);
	if (lb->sh)
		munmap(lb->sh, lb->sh_size);
	if (lb->memory)
		munmap(lb->memory, (size_t)lb->frames * XEN_PAGE_SIZE);
	if (lb->memfd >= 0)
		close(lb->memfd);
	pthread_mutex_destroy(&lb->lock);
	free(lb);
}
