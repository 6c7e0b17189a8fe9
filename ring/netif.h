/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network packets on their two rings (xen/io/netif.h). A packet is a chain of
 * slots: a first fragment, extra-info slots if it says so, further fragments if
 * it says so. A chain is read into private memory slot by slot, each slot once,
 * and every way in which it can contradict itself has a name.
 *
 * On the transmit ring the first slot's size is that of the whole packet; on the
 * receive ring each slot's size is its own, and the response to a request must
 * be in the request's slot.
 */
#ifndef XYLEM_RING_NETIF_H
#define XYLEM_RING_NETIF_H

#include <stddef.h>
#include <stdint.h>
#include <xen/io/netif.h>

#include "ring/ring.h"

#define NETIF_TX_SLOT_SIZE sizeof(union netif_tx_sring_entry)
#define NETIF_RX_SLOT_SIZE sizeof(union netif_rx_sring_entry)

#define NETIF_AT(type, field, offset)                                                    \
	_Static_assert(offsetof(struct type, field) == (offset), #type "." #field)
_Static_assert(sizeof(union netif_tx_sring_entry) == 12, "tx slot");
_Static_assert(sizeof(union netif_rx_sring_entry) == 8, "rx slot");
_Static_assert(sizeof(struct netif_extra_info) == 8, "extra info fits both");
NETIF_AT(netif_tx_request, gref, 0);
NETIF_AT(netif_tx_request, offset, 4);
NETIF_AT(netif_tx_request, flags, 6);
NETIF_AT(netif_tx_request, id, 8);
NETIF_AT(netif_tx_request, size, 10);
NETIF_AT(netif_tx_response, status, 2);
NETIF_AT(netif_rx_request, gref, 4);
NETIF_AT(netif_rx_response, offset, 2);
NETIF_AT(netif_rx_response, flags, 4);
NETIF_AT(netif_rx_response, status, 6);
NETIF_AT(netif_extra_info, u, 2);
NETIF_AT(netif_tx_sring, ring, RING_HEAD_SIZE);
NETIF_AT(netif_rx_sring, ring, RING_HEAD_SIZE);
NETIF_AT(netif_tx_sring, req_prod, offsetof(struct ring_shared, req_prod));
NETIF_AT(netif_tx_sring, req_event, offsetof(struct ring_shared, req_event));
NETIF_AT(netif_tx_sring, rsp_prod, offsetof(struct ring_shared, rsp_prod));
NETIF_AT(netif_tx_sring, rsp_event, offsetof(struct ring_shared, rsp_event));
#undef NETIF_AT

/*
 * Most fragments of one packet. The protocol asks for at least
 * XEN_NETIF_NR_SLOTS_MIN; old frontends go a little over it.
 */
#define NETIF_FRAGS_MAX  20u
#define NETIF_EXTRAS_MAX (XEN_NETIF_EXTRA_TYPE_MAX - 1) /* one of each type */
#define NETIF_SLOTS_MAX  (NETIF_FRAGS_MAX + NETIF_EXTRAS_MAX)
#define NETIF_ETH_HLEN   14u

_Static_assert(NETIF_FRAGS_MAX >= XEN_NETIF_NR_SLOTS_MIN, "the protocol's minimum");

enum netif_error {
	NETIF_OK,
	/* The chain can be followed, the packet is refused: answer NETIF_RSP_ERROR. */
	NETIF_SHORT,          /* less than an Ethernet header */
	NETIF_SIZE_LIE,       /* the fragments are larger than the packet */
	NETIF_EMPTY_FRAGMENT, /* a fragment of no bytes */
	NETIF_BAD_FLAGS,  /* extra info announced by a fragment that is not the first */
	NETIF_BAD_HASH,   /* unknown hash type or algorithm */
	NETIF_MCAST_DATA, /* a multicast request that goes on with fragments */
	NETIF_BAD_STATUS, /* rx: the other end reports an error for a fragment */
	NETIF_FATAL,      /* not an error: those below end the connection */
	NETIF_TRUNCATED = NETIF_FATAL, /* the producer stops in the middle of a chain */
	NETIF_MANY_FRAGMENTS,          /* more than NETIF_FRAGS_MAX */
	NETIF_CROSSES_PAGE,            /* offset + size is beyond the page */
	NETIF_BAD_EXTRA,               /* unknown extra-info type */
	NETIF_REPEATED_EXTRA,          /* the same type twice */
	NETIF_BAD_GSO,                 /* unknown GSO type, or segments of no bytes */
	NETIF_ERRORS
};

/* Whether the guest must not be served any longer. */
static inline bool netif_error_fatal(enum netif_error e)
{
	return e >= NETIF_FATAL;
}

/* What the error is, for a log line. */
static inline const char *netif_error_text(enum netif_error e)
{
	static const char *const text[NETIF_ERRORS] = {
		[NETIF_OK] = "no error",
		[NETIF_SHORT] = "packet shorter than an Ethernet header",
		[NETIF_SIZE_LIE] = "fragments larger than the packet",
		[NETIF_EMPTY_FRAGMENT] = "empty fragment",
		[NETIF_BAD_FLAGS] = "extra info announced after the first fragment",
		[NETIF_BAD_HASH] = "unknown hash type or algorithm",
		[NETIF_MCAST_DATA] = "multicast request with data",
		[NETIF_BAD_STATUS] = "fragment with error status",
		[NETIF_TRUNCATED] = "packet cut off by the producer index",
		[NETIF_MANY_FRAGMENTS] = "too many fragments",
		[NETIF_CROSSES_PAGE] = "fragment crosses the end of its page",
		[NETIF_BAD_EXTRA] = "unknown extra info",
		[NETIF_REPEATED_EXTRA] = "extra info of one type twice",
		[NETIF_BAD_GSO] = "bad GSO type or size",
	};

	return (unsigned int)e < NETIF_ERRORS ? text[e] : "unknown error";
}

/* What extra-info slots said; the same in both directions. A type of 0: not there. */
struct netif_extras {
	uint8_t count;     /* slots */
	uint8_t gso_type;  /* XEN_NETIF_GSO_TYPE_TCPV4 or _TCPV6 */
	uint16_t gso_size; /* payload of a segment; not 0 with a type */
	bool has_hash;
	uint8_t hash_type;      /* _XEN_NETIF_CTRL_HASH_TYPE_* */
	uint8_t hash_algorithm; /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
	uint32_t hash;
	bool mcast_add, mcast_del;
	uint8_t mcast_add_addr[6], mcast_del_addr[6];
};

/* Read one extra-info slot (private copy) into @x. *@more: another one follows. */
static inline enum netif_error netif_extra_parse(const struct netif_extra_info *e,
						 struct netif_extras *x, bool *more)
{
	*more = e->flags & XEN_NETIF_EXTRA_FLAG_MORE;
	x->count++;
	switch (e->type) {
	case XEN_NETIF_EXTRA_TYPE_GSO:
		if (x->gso_type)
			return NETIF_REPEATED_EXTRA;
		if (e->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV4 &&
		    e->u.gso.type != XEN_NETIF_GSO_TYPE_TCPV6)
			return NETIF_BAD_GSO;
		if (e->u.gso.size == 0)
			return NETIF_BAD_GSO;
		x->gso_type = e->u.gso.type;
		x->gso_size = e->u.gso.size;
		return NETIF_OK;
	case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
		if (x->mcast_add)
			return NETIF_REPEATED_EXTRA;
		x->mcast_add = true;
		__builtin_memcpy(x->mcast_add_addr, e->u.mcast.addr, 6);
		return NETIF_OK;
	case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
		if (x->mcast_del)
			return NETIF_REPEATED_EXTRA;
		x->mcast_del = true;
		__builtin_memcpy(x->mcast_del_addr, e->u.mcast.addr, 6);
		return NETIF_OK;
	case XEN_NETIF_EXTRA_TYPE_HASH:
		if (x->has_hash)
			return NETIF_REPEATED_EXTRA;
		x->has_hash = true;
		x->hash_type = e->u.hash.type;
		x->hash_algorithm = e->u.hash.algorithm;
		__builtin_memcpy(&x->hash, e->u.hash.value, 4); /* x86: LSB first */
		if (e->u.hash.type > _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP ||
		    e->u.hash.algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
			return NETIF_BAD_HASH;
		return NETIF_OK;
	default:
		return NETIF_BAD_EXTRA;
	}
}

/* How many slots say @x: what netif_extra_build() will fill. */
static inline uint32_t netif_extra_slots(const struct netif_extras *x)
{
	return (uint32_t)(x->gso_type != 0) + x->mcast_add + x->mcast_del + x->has_hash;
}

/*
 * The extra-info slots that say @x, in the order of their types, into @out with
 * MORE flags set. Returns how many; @x->count is not looked at.
 */
static inline uint32_t netif_extra_build(const struct netif_extras *x,
					 struct netif_extra_info out[NETIF_EXTRAS_MAX])
{
	uint32_t n = 0;

	__builtin_memset(out, 0, NETIF_EXTRAS_MAX * sizeof(*out));
	if (x->gso_type) {
		out[n].type = XEN_NETIF_EXTRA_TYPE_GSO;
		out[n].u.gso.size = x->gso_size;
		out[n++].u.gso.type = x->gso_type;
	}
	if (x->mcast_add) {
		out[n].type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD;
		__builtin_memcpy(out[n++].u.mcast.addr, x->mcast_add_addr, 6);
	}
	if (x->mcast_del) {
		out[n].type = XEN_NETIF_EXTRA_TYPE_MCAST_DEL;
		__builtin_memcpy(out[n++].u.mcast.addr, x->mcast_del_addr, 6);
	}
	if (x->has_hash) {
		out[n].type = XEN_NETIF_EXTRA_TYPE_HASH;
		out[n].u.hash.type = x->hash_type;
		out[n].u.hash.algorithm = x->hash_algorithm;
		__builtin_memcpy(out[n++].u.hash.value, &x->hash, 4);
	}
	for (uint32_t i = 0; i + 1 < n; i++)
		out[i].flags = XEN_NETIF_EXTRA_FLAG_MORE;
	return n;
}

/* ---- transmit: guest to backend ---- */

struct netif_frag {
	uint32_t gref;
	uint16_t offset, size; /* within one page */
	uint16_t id;
};

/* A packet that a guest sends, private memory. */
struct netif_tx_packet {
	uint16_t flags;   /* NETTXF_csum_blank and _data_validated of the first slot */
	uint16_t size;    /* of the whole packet */
	uint8_t nr_frags; /* slots with an id; frag[0] has what the others leave of size
			   */
	uint8_t nr_slots; /* with extra info: so many requests, and so many responses */
	struct netif_frag frag[NETIF_FRAGS_MAX];
	struct netif_extras extra;
};

/* A multicast list change instead of a packet: no data to send, one answer due. */
static inline bool netif_tx_is_mcast(const struct netif_tx_packet *p)
{
	return p->extra.mcast_add || p->extra.mcast_del;
}

static inline void netif_tx_first_error(enum netif_error *e, enum netif_error new)
{
	if (*e == NETIF_OK || (netif_error_fatal(new) && !netif_error_fatal(*e)))
		*e = new;
}

/* The extra-info slots from index @idx on, @avail of them at most. */
static inline enum netif_error netif_tx_extras(const struct ring_back *r, uint32_t idx,
					       uint32_t avail, struct netif_tx_packet *p)
{
	enum netif_error error = NETIF_OK;
	bool more = true;

	while (more) {
		struct netif_extra_info info;
		enum netif_error e;

		if (p->nr_slots == avail)
			return NETIF_TRUNCATED;
		ring_copy_in(&info, ring_back_slot(r, idx++), sizeof(info));
		p->nr_slots++;
		e = netif_extra_parse(&info, &p->extra, &more);
		netif_tx_first_error(&error, e);
		if (netif_error_fatal(error))
			return error;
	}
	return error;
}

/* Sizes, once all fragments are known: the first has what the others leave. */
static inline enum netif_error netif_tx_sizes(struct netif_tx_packet *p)
{
	uint32_t rest = 0;

	for (uint32_t i = 1; i < p->nr_frags; i++) {
		rest += p->frag[i].size;
		if (p->frag[i].size == 0)
			return NETIF_EMPTY_FRAGMENT;
	}
	if (p->size < NETIF_ETH_HLEN)
		return NETIF_SHORT;
	if (rest > p->size)
		return NETIF_SIZE_LIE;
	if (rest == p->size)
		return NETIF_EMPTY_FRAGMENT;
	p->frag[0].size = (uint16_t)(p->size - rest);
	if (p->frag[0].offset + (uint32_t)p->frag[0].size > RING_PAGE_SIZE)
		return NETIF_CROSSES_PAGE;
	return NETIF_OK;
}

/*
 * Read one packet from @idx on, of which @avail (1 or more) slots are there, into
 * @p. The ring's indices do not move: consume p->nr_slots afterwards. On an error
 * that is not fatal p->nr_slots, p->frag[].id and p->extra.count are right, so
 * that the packet can be answered; of a fatal one nothing in @p is to be used.
 */
static inline enum netif_error netif_tx_parse(const struct ring_back *r, uint32_t idx,
					      uint32_t avail, struct netif_tx_packet *p)
{
	enum netif_error error = NETIF_OK;
	bool more = true;

	p->nr_frags = 0;
	p->nr_slots = 0;
	p->extra = (struct netif_extras){0};
	while (more) {
		struct netif_tx_request req;

		if (p->nr_slots == avail)
			return NETIF_TRUNCATED;
		if (p->nr_frags == NETIF_FRAGS_MAX)
			return NETIF_MANY_FRAGMENTS;
		ring_copy_in(&req, ring_back_slot(r, idx + p->nr_slots), sizeof(req));
		p->nr_slots++;
		p->frag[p->nr_frags++] =
			(struct netif_frag){req.gref, req.offset, req.size, req.id};
		more = req.flags & NETTXF_more_data;
		if (p->nr_frags == 1) {
			p->flags =
				req.flags & (NETTXF_csum_blank | NETTXF_data_validated);
			p->size = req.size;
			if (req.flags & NETTXF_extra_info)
				netif_tx_first_error(
					&error, netif_tx_extras(r, idx + 1, avail, p));
			if (netif_error_fatal(error))
				return error;
			continue;
		}
		if (req.flags & NETTXF_extra_info)
			netif_tx_first_error(&error, NETIF_BAD_FLAGS);
		if (req.offset + (uint32_t)req.size > RING_PAGE_SIZE)
			return NETIF_CROSSES_PAGE;
	}
	if (!netif_tx_is_mcast(p))
		netif_tx_first_error(&error, netif_tx_sizes(p));
	else if (p->nr_frags > 1)
		netif_tx_first_error(&error, NETIF_MCAST_DATA);
	return error;
}

/* Produce one transmit response. */
static inline void netif_tx_respond(struct ring_back *r, uint16_t id, int16_t status)
{
	struct netif_tx_response rsp = {.id = id, .status = status};

	ring_copy_out(ring_back_produce(r), &rsp, sizeof(rsp));
}

/*
 * Answer all slots of a packet: @status for each fragment's id, NETIF_RSP_NULL
 * for the extra-info slots. Only the ids and counts of @p are used.
 */
static inline void netif_tx_respond_packet(struct ring_back *r,
					   const struct netif_tx_packet *p,
					   int16_t status)
{
	for (uint32_t i = 0; i < p->nr_frags; i++) {
		netif_tx_respond(r, p->frag[i].id, status);
		for (uint32_t k = 0; i == 0 && k < p->extra.count; k++)
			netif_tx_respond(r, 0, NETIF_RSP_NULL);
	}
}

/* Slots a packet takes on the transmit ring. */
static inline uint32_t netif_tx_slots(uint32_t nr_frags, const struct netif_extras *x)
{
	return nr_frags + netif_extra_slots(x);
}

/*
 * Front end: produce the requests of a packet of p->nr_frags fragments with their
 * own sizes in frag[]. netif_tx_slots() of them must be free. p->size and nr_slots
 * are filled in. The index of the first slot is returned.
 */
static inline uint32_t netif_tx_produce(struct ring_front *r, struct netif_tx_packet *p)
{
	struct netif_extra_info info[NETIF_EXTRAS_MAX];
	uint32_t n = netif_extra_build(&p->extra, info), first = r->req_prod_pvt,
		 size = 0;

	for (uint32_t i = 0; i < p->nr_frags; i++)
		size += p->frag[i].size;
	RING_ASSERT(p->nr_frags > 0 && size <= XEN_NETIF_MAX_TX_SIZE);
	p->size = (uint16_t)size;
	p->nr_slots = (uint8_t)(p->nr_frags + n);
	p->extra.count = (uint8_t)n;
	for (uint32_t i = 0; i < p->nr_frags; i++) {
		struct netif_tx_request req = {
			.gref = p->frag[i].gref,
			.offset = p->frag[i].offset,
			.flags = i + 1 < p->nr_frags ? NETTXF_more_data : 0,
			.id = p->frag[i].id,
			.size = i ? p->frag[i].size : p->size,
		};

		if (i == 0)
			req.flags |= (uint16_t)(p->flags | (n ? NETTXF_extra_info : 0));
		ring_copy_out(ring_front_produce(r), &req, sizeof(req));
		for (uint32_t k = 0; i == 0 && k < n; k++)
			ring_copy_out(ring_front_produce(r), &info[k], sizeof(info[k]));
	}
	return first;
}

/* Front end: copy transmit response @idx into @out. */
static inline void netif_tx_fetch_response(const struct ring_front *r, uint32_t idx,
					   struct netif_tx_response *out)
{
	ring_copy_in(out, ring_front_slot(r, idx), sizeof(*out));
}

/* ---- receive: backend to guest ---- */

/* Copy receive request @idx (a buffer of one page) into @out. */
static inline void netif_rx_fetch(const struct ring_back *r, uint32_t idx,
				  struct netif_rx_request *out)
{
	ring_copy_in(out, ring_back_slot(r, idx), sizeof(*out));
}

/*
 * Slots (requests) that a packet of @nr_frags fragments takes on the receive ring.
 * Fragment 0 goes to the first request's buffer, then each extra info uses up one
 * request without its buffer, then come fragments 1 and up.
 */
static inline uint32_t netif_rx_slots(uint32_t nr_frags, const struct netif_extras *x)
{
	return nr_frags + netif_extra_slots(x);
}

/* Which of a packet's slots, counted from its first, has the buffer of @frag. */
static inline uint32_t netif_rx_slot_of(uint32_t frag, uint32_t nr_extras)
{
	return frag ? frag + nr_extras : 0;
}

struct netif_rx_frag {
	uint16_t id; /* of the request whose buffer this is */
	uint16_t offset;
	int16_t status; /* bytes, or NETIF_RSP_* */
};

/*
 * A packet for the guest. On the front end's side id is taken from the response
 * and not to be trusted: the slot says which request it answers.
 */
struct netif_rx_packet {
	uint16_t flags; /* NETRXF_data_validated, _csum_blank; the others are added */
	uint8_t nr_frags;
	uint8_t nr_slots;
	struct netif_rx_frag frag[NETIF_FRAGS_MAX];
	struct netif_extras extra; /* gso and hash */
};

/*
 * Produce the responses of one packet, each in the slot of its request: the
 * requests must have been consumed in order and rsp_prod_pvt be at the first.
 */
static inline void netif_rx_produce(struct ring_back *r, const struct netif_rx_packet *p)
{
	struct netif_extra_info info[NETIF_EXTRAS_MAX];
	uint32_t n = netif_extra_build(&p->extra, info);

	for (uint32_t i = 0; i < p->nr_frags; i++) {
		struct netif_rx_response rsp = {
			.id = p->frag[i].id,
			.offset = p->frag[i].offset,
			.flags = i + 1u < p->nr_frags ? NETRXF_more_data : 0,
			.status = p->frag[i].status,
		};

		if (i == 0)
			rsp.flags |= (uint16_t)(p->flags | (n ? NETRXF_extra_info : 0));
		ring_copy_out(ring_back_produce(r), &rsp, sizeof(rsp));
		for (uint32_t k = 0; i == 0 && k < n; k++)
			ring_copy_out(ring_back_produce(r), &info[k], sizeof(info[k]));
	}
}

/* Front end: produce a request to receive into the page granted as @gref. */
static inline void netif_rx_post(struct ring_front *r, uint16_t id, uint32_t gref)
{
	struct netif_rx_request req = {.id = id, .gref = gref};

	ring_copy_out(ring_front_produce(r), &req, sizeof(req));
}

/* Front end: the extra-info responses from @idx on. */
static inline enum netif_error netif_rx_extras(const struct ring_front *r, uint32_t idx,
					       uint32_t avail, struct netif_rx_packet *p)
{
	bool more = true;

	while (more) {
		struct netif_extra_info info;
		enum netif_error e;

		if (p->nr_slots == avail)
			return NETIF_TRUNCATED;
		ring_copy_in(&info, ring_front_slot(r, idx++), sizeof(info));
		p->nr_slots++;
		if (info.type != XEN_NETIF_EXTRA_TYPE_GSO &&
		    info.type != XEN_NETIF_EXTRA_TYPE_HASH)
			return NETIF_BAD_EXTRA;
		e = netif_extra_parse(&info, &p->extra, &more);
		if (netif_error_fatal(e))
			return e;
		if (e == NETIF_BAD_HASH)
			p->extra.has_hash = false; /* advice only: go without */
	}
	return NETIF_OK;
}

/*
 * Front end: read the chain of responses of one packet from @idx on, of which
 * @avail (1 or more) are there. NETIF_TRUNCATED: the rest has not been pushed
 * yet. Fragment k is in the buffer of request idx + netif_rx_slot_of(k, extra.count).
 */
static inline enum netif_error netif_rx_parse(const struct ring_front *r, uint32_t idx,
					      uint32_t avail, struct netif_rx_packet *p)
{
	enum netif_error error = NETIF_OK;
	bool more = true;

	p->nr_frags = 0;
	p->nr_slots = 0;
	p->extra = (struct netif_extras){0};
	while (more) {
		struct netif_rx_response rsp;

		if (p->nr_slots == avail)
			return NETIF_TRUNCATED;
		if (p->nr_frags == NETIF_FRAGS_MAX)
			return NETIF_MANY_FRAGMENTS;
		ring_copy_in(&rsp, ring_front_slot(r, idx + p->nr_slots), sizeof(rsp));
		p->nr_slots++;
		p->frag[p->nr_frags++] =
			(struct netif_rx_frag){rsp.id, rsp.offset, rsp.status};
		more = rsp.flags & NETRXF_more_data;
		if (rsp.status < 0)
			netif_tx_first_error(&error, NETIF_BAD_STATUS);
		else if (rsp.offset + (uint32_t)rsp.status > RING_PAGE_SIZE)
			return NETIF_CROSSES_PAGE;
		if (p->nr_frags == 1) {
			enum netif_error e = NETIF_OK;

			p->flags =
				rsp.flags & (NETRXF_data_validated | NETRXF_csum_blank);
			if (rsp.flags & NETRXF_extra_info)
				e = netif_rx_extras(r, idx + 1, avail, p);
			if (netif_error_fatal(e))
				return e;
		}
	}
	return error;
}

#endif
