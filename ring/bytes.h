/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Byte-stream rings: a power-of-two buffer with one writer and one reader, each
 * with a free-running 32-bit index that only it moves. The console page
 * (xen/io/console.h), the xenstore page (xen/io/xs_wire.h), and anything laid out
 * by DEFINE_XEN_FLEX_RING or by vchan are made of them.
 *
 * Invariant: prod - cons <= size. Each end keeps its own index in private memory
 * and checks the other's on every read: BYTES_OVERRUN means it broke the invariant.
 */
#ifndef XYLEM_RING_BYTES_H
#define XYLEM_RING_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

#include "ring/ring.h"

#define BYTES_OVERRUN (-1)

/* Largest ring: a count must fit an int32_t. */
#define BYTES_SIZE_MAX (1u << 30)

_Static_assert(sizeof(((struct xencons_interface *)0)->in) == 1024, "console in");
_Static_assert(sizeof(((struct xencons_interface *)0)->out) == 2048, "console out");
_Static_assert(offsetof(struct xencons_interface, in_cons) == 3072, "console indices");
_Static_assert(offsetof(struct xenstore_domain_interface, req_cons) ==
		       2 * XENSTORE_RING_SIZE,
	       "xenstore indices");

struct bytes_reader {
	const char *buf;
	uint32_t size;        /* power of two */
	const uint32_t *prod; /* shared, the writer's */
	uint32_t *cons;       /* shared, ours: written only */
	uint32_t cons_pvt;
};

struct bytes_writer {
	char *buf;
	uint32_t size;
	uint32_t *prod;       /* shared, ours: written only */
	const uint32_t *cons; /* shared, the reader's */
	uint32_t prod_pvt;
};

/*
 * Take up the reading end where the shared index stands. False: @size is not a
 * power of two or too large, or the indices break the invariant.
 */
static inline bool bytes_reader_init(struct bytes_reader *r, const void *buf,
				     uint32_t size, const uint32_t *prod, uint32_t *cons)
{
	uint32_t at = __atomic_load_n(cons, __ATOMIC_RELAXED);

	if (size == 0 || (size & (size - 1)) || size > BYTES_SIZE_MAX)
		return false;
	if (__atomic_load_n(prod, __ATOMIC_RELAXED) - at > size)
		return false;
	*r = (struct bytes_reader){buf, size, prod, cons, at};
	return true;
}

/* Take up the writing end; as above. */
static inline bool bytes_writer_init(struct bytes_writer *w, void *buf, uint32_t size,
				     uint32_t *prod, const uint32_t *cons)
{
	uint32_t at = __atomic_load_n(prod, __ATOMIC_RELAXED);

	if (size == 0 || (size & (size - 1)) || size > BYTES_SIZE_MAX)
		return false;
	if (at - __atomic_load_n(cons, __ATOMIC_RELAXED) > size)
		return false;
	*w = (struct bytes_writer){buf, size, prod, cons, at};
	return true;
}

/* Bytes that wait to be read, or BYTES_OVERRUN. */
static inline int32_t bytes_readable(const struct bytes_reader *r)
{
	/* Acquire: the bytes are read after prod; the writer's release put them there. */
	uint32_t n = __atomic_load_n(r->prod, __ATOMIC_ACQUIRE) - r->cons_pvt;

	return n > r->size ? BYTES_OVERRUN : (int32_t)n;
}

/* Bytes that can be written now, or BYTES_OVERRUN. */
static inline int32_t bytes_writable(const struct bytes_writer *w)
{
	/*
	 * Acquire: the bytes are overwritten after cons was read, so after the reader
	 * was done with them (its release).
	 */
	uint32_t n = w->prod_pvt - __atomic_load_n(w->cons, __ATOMIC_ACQUIRE);

	return n > w->size ? BYTES_OVERRUN : (int32_t)(w->size - n);
}

/*
 * Copy up to @n bytes out, without taking them: @skip bytes are passed over.
 * Returns how many were copied, or BYTES_OVERRUN.
 */
static inline int32_t bytes_peek(const struct bytes_reader *r, uint32_t skip, void *out,
				 uint32_t n)
{
	int32_t have = bytes_readable(r);
	uint32_t at, run;

	if (have < 0)
		return have;
	if (skip >= (uint32_t)have)
		return 0;
	if (n > (uint32_t)have - skip)
		n = (uint32_t)have - skip;
	at = (r->cons_pvt + skip) & (r->size - 1);
	run = r->size - at < n ? r->size - at : n;
	ring_copy_in(out, r->buf + at, run);
	ring_copy_in((char *)out + run, r->buf, n - run);
	return (int32_t)n;
}

/* Take @n bytes, of those bytes_readable() counted, off the ring. */
static inline void bytes_take(struct bytes_reader *r, uint32_t n)
{
	RING_ASSERT(n <= r->size);
	r->cons_pvt += n;
	/* Release: our reads of the bytes come before the index that lets them be
	 * overwritten. */
	__atomic_store_n(r->cons, r->cons_pvt, __ATOMIC_RELEASE);
	/*
	 * Full: cons is visible before a following bytes_readable() or a notification, so
	 * that a writer that found the ring full and we cannot both go to sleep.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * Read up to @n bytes. Returns how many (then the writer is to be notified: it may
 * wait for room), or BYTES_OVERRUN.
 */
static inline int32_t bytes_read(struct bytes_reader *r, void *out, uint32_t n)
{
	int32_t got = bytes_peek(r, 0, out, n);

	if (got > 0)
		bytes_take(r, (uint32_t)got);
	return got;
}

/*
 * Write up to @n bytes and publish them. Returns how many fitted (then the reader
 * is to be notified), or BYTES_OVERRUN.
 */
static inline int32_t bytes_write(struct bytes_writer *w, const void *in, uint32_t n)
{
	int32_t room = bytes_writable(w);
	uint32_t at, run;

	if (room < 0)
		return room;
	if (n > (uint32_t)room)
		n = (uint32_t)room;
	if (n == 0)
		return 0;
	at = w->prod_pvt & (w->size - 1);
	run = w->size - at < n ? w->size - at : n;
	ring_copy_out(w->buf + at, in, run);
	ring_copy_out(w->buf, (const char *)in + run, n - run);
	w->prod_pvt += n;
	/* Release: the bytes come before the index that publishes them. */
	__atomic_store_n(w->prod, w->prod_pvt, __ATOMIC_RELEASE);
	/* Full: prod is visible before a following read of cons or a notification. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (int32_t)n;
}

/* ---- the console page ---- */

/* The daemon's ends: it reads "out", writes "in". False: the indices are impossible. */
static inline bool console_back_init(struct xencons_interface *c,
				     struct bytes_reader *out, struct bytes_writer *in)
{
	return bytes_reader_init(out, c->out, sizeof(c->out), &c->out_prod,
				 &c->out_cons) &&
	       bytes_writer_init(in, c->in, sizeof(c->in), &c->in_prod, &c->in_cons);
}

/* The guest's ends: it reads "in", writes "out". */
static inline bool console_front_init(struct xencons_interface *c,
				      struct bytes_reader *in, struct bytes_writer *out)
{
	return bytes_reader_init(in, c->in, sizeof(c->in), &c->in_prod, &c->in_cons) &&
	       bytes_writer_init(out, c->out, sizeof(c->out), &c->out_prod, &c->out_cons);
}

/* ---- the xenstore page ---- */

/* The guest's ends: it writes requests, reads replies. */
static inline bool xenstore_front_init(struct xenstore_domain_interface *x,
				       struct bytes_writer *req, struct bytes_reader *rsp)
{
	return bytes_writer_init(req, x->req, sizeof(x->req), &x->req_prod,
				 &x->req_cons) &&
	       bytes_reader_init(rsp, x->rsp, sizeof(x->rsp), &x->rsp_prod, &x->rsp_cons);
}

/* The daemon's ends: it reads requests, writes replies. */
static inline bool xenstore_back_init(struct xenstore_domain_interface *x,
				      struct bytes_reader *req, struct bytes_writer *rsp)
{
	return bytes_reader_init(req, x->req, sizeof(x->req), &x->req_prod,
				 &x->req_cons) &&
	       bytes_writer_init(rsp, x->rsp, sizeof(x->rsp), &x->rsp_prod, &x->rsp_cons);
}

/*
 * Look at the head of the next message: true when all of it is there, in @head
 * (left on the ring: take sizeof(*head) to get at the body, which may be longer
 * than the ring and arrive in parts). *@error is set when the indices broke or the
 * head announces more than XENSTORE_PAYLOAD_MAX: then the ring must be given up.
 */
static inline bool xenstore_head(const struct bytes_reader *r, struct xsd_sockmsg *head,
				 bool *error)
{
	int32_t n = bytes_peek(r, 0, head, sizeof(*head));

	*error = n < 0 ||
		 (n == (int32_t)sizeof(*head) && head->len > XENSTORE_PAYLOAD_MAX);
	return !*error && n == (int32_t)sizeof(*head);
}

#endif
