/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame table: 32 bytes for each frame of machine memory.
 *
 * Owner, general references and type references are the whole of memory safety:
 * a frame is given back when its last general reference goes, and it changes its type
 * only while nobody uses it as another. A type reference holds a general one.
 *
 *   count:  references of any kind, and flags. FRAME_ALLOCATED holds one of them until
 *           the owner gives the frame up.
 *   type:   what the frame is used as now, how often, and whether its contents have been
 *           checked for that (page tables, descriptor pages).
 *
 * Both words are changed by compare-and-exchange alone. type and count change without a
 * lock; the order "type before count" on release keeps a frame alive while it has a type.
 */
#ifndef HV_FRAME_H
#define HV_FRAME_H

#include "hypervisor/lib/lib.h"
#include "hypervisor/mm/layout.h"

struct domain;

struct frame {
	uint64_t count;
	uint64_t type;
	uint32_t owner;      /* frame number of its struct domain; 0: none */
	uint32_t next, prev; /* in the list it is in, by frame number; 0 ends it */
	union {
		struct { /* allocated, a page table being built or torn down */
			uint16_t nr_validated; /* entries done, when FRAME_PARTIAL */
			uint16_t partial;      /* the entry half done: a reference kept */
		};
		struct { /* free */
			uint8_t order;
			uint8_t free_state; /* scrubbed or not */
			uint16_t node;
		};
		uint32_t linear_uses; /* of an L2-L4: as recursive (linear) tables */
	};
};
_Static_assert(sizeof(struct frame) == 32, "at most 32 bytes a page");

/* count */
#define FRAME_COUNT_MASK ((1ull << 48) - 1)
#define FRAME_ALLOCATED  (1ull << 63) /* the owner's own reference stands */
#define FRAME_HEAP       (1ull << 62) /* the hypervisor's, not any domain's to map */
#define FRAME_FREE       (1ull << 61)
#define FRAME_SHARED_HV  (1ull << 60) /* the hypervisor's, and its owner may map it */
#define FRAME_FOREIGN_IO (1ull << 59) /* not memory, or not ours: device registers */
#define FRAME_CACHE_SHIFT 56          /* 3 bits: PAT of guest mappings, for the cache rules */
#define FRAME_CACHE_MASK (7ull << FRAME_CACHE_SHIFT)
#define FRAME_BROKEN     (1ull << 55)

/* type */
#define FRAME_TYPE_MASK  (7ull << 61)
#define FRAME_NONE       (0ull << 61) /* no special use: read-only mappings at most */
#define FRAME_L1         (1ull << 61)
#define FRAME_L2         (2ull << 61)
#define FRAME_L3         (3ull << 61)
#define FRAME_L4         (4ull << 61)
#define FRAME_SEGDESC    (5ull << 61) /* in a GDT or LDT */
#define FRAME_WRITABLE   (7ull << 61) /* mapped writable */
#define FRAME_PINNED     (1ull << 60) /* the guest asked to keep it typed */
#define FRAME_VALIDATED  (1ull << 59)
#define FRAME_PARTIAL    (1ull << 58) /* building or tearing down was interrupted */
#define FRAME_TYPE_COUNT_MASK ((1ull << 48) - 1)

extern uint64_t max_frame; /* frames are below it (end of memory) */

#ifdef HOST_TEST
extern struct frame *frame_table;
#else
#define frame_table ((struct frame *)FRAME_TABLE_START)
#endif

/* Whether @mfn is memory with an entry in the table: check guests' numbers with this. And its
 * entry, bounded for speculation too; NULL: none. */
#ifdef HOST_TEST
bool mfn_valid(mfn_t mfn);
struct frame *frame_lookup(mfn_t mfn);
#else
/* The table is in pages of 2 MiB; a bit each: it exists. */
#define CHUNK_FRAMES ((2ul << 20) / sizeof(struct frame))
extern uint64_t chunk_valid[];

static inline struct frame *frame_lookup(mfn_t mfn)
{
	uint64_t n = index_nospec(mfn.n, max_frame);

	if (mfn.n >= max_frame || !test_bit(n / CHUNK_FRAMES, chunk_valid))
		return NULL;
	return &frame_table[n];
}

static inline bool mfn_valid(mfn_t mfn)
{
	return frame_lookup(mfn);
}
#endif

static inline struct frame *mfn_to_frame(mfn_t mfn)
{
	return &frame_table[mfn.n];
}

static inline mfn_t frame_to_mfn(const struct frame *f)
{
	return MFN((uint64_t)(f - frame_table));
}

/* ---- direct map ---- */
#ifdef HOST_TEST
extern char *host_memory; /* tests' machine memory */
#define direct_map_base ((uint64_t)host_memory)
#else
#define direct_map_base DIRECT_MAP_START
#endif

/* Of memory that the hypervisor allocated for itself: always in the direct map. */
static inline void *maddr_to_virt(uint64_t maddr)
{
	return (void *)(direct_map_base + maddr);
}

static inline void *mfn_to_virt(mfn_t mfn)
{
	return maddr_to_virt(mfn_to_maddr(mfn));
}

static inline uint64_t virt_to_maddr(const void *p)
{
	return (uint64_t)p - direct_map_base;
}

static inline mfn_t virt_to_mfn(const void *p)
{
	return maddr_to_mfn(virt_to_maddr(p));
}

static inline struct frame *virt_to_frame(const void *p)
{
	return mfn_to_frame(virt_to_mfn(p));
}

static inline struct domain *frame_owner(const struct frame *f)
{
	uint32_t n = READ_ONCE(f->owner);

	return n ? mfn_to_virt(MFN(n)) : NULL;
}

static inline void frame_set_owner(struct frame *f, const struct domain *d)
{
	WRITE_ONCE(f->owner, d ? (uint32_t)virt_to_mfn(d).n : 0);
}

/* ---- references (mm/frame.c) ---- */

/* A general reference if @f belongs to @d. False: it does not, or is going away. */
bool frame_get(struct frame *f, const struct domain *d);
/* One for a frame that somebody holds already. */
bool frame_get_again(struct frame *f);
void frame_put(struct frame *f); /* the last one frees it (frames_free_domain()) */
/* Drop the owner's own reference, once. */
void frame_put_allocated(struct frame *f);

/*
 * A type reference to a frame of which the caller holds a general one. @type is one of
 * FRAME_L1..FRAME_WRITABLE. Checks the contents where the type asks (pv/page_types.c, by
 * frame_validate/frame_devalidate). 0; -EINVAL: used as another type, or contents
 * refused; -EINTR: preempted, nothing taken; -ERESTART: partly done, kept for the caller
 * to go on with.
 *
 * Interrupted work (pv/ relies on this). FRAME_PARTIAL: the type count is 1, and this one
 * and one general reference belong to the state itself, to nobody else; nr_validated says
 * how far. frame_get_type*() of the same type claims such a frame (clears FRAME_PARTIAL,
 * count stays 1: being validated) and calls frame_validate(), which goes on from
 * nr_validated; when it is done the state's general reference is dropped and the type
 * reference is the caller's. An error of frame_validate() other than -ERESTART: it has
 * undone all; the type stays, without a use. -ERESTART from a get: the caller has no type
 * reference, only the general one that he brought. -ERESTART from a put: the caller's type
 * reference is gone; he keeps his general one and calls frame_finish_put() until it is 0.
 * Another type of a partial frame is -EINVAL. frame.c sets nr_validated and partial to 0
 * before it calls frame_validate() afresh, and to 512 and 0 before frame_devalidate().
 *
 * A type changes only after the TLBs of the owner's dirty_cpus were flushed when the old
 * one was FRAME_WRITABLE or a page table: frame.c does this before frame_validate().
 */
int frame_get_type(struct frame *f, uint64_t type);
int frame_get_type_preemptible(struct frame *f, uint64_t type);
void frame_put_type(struct frame *f);
int frame_put_type_preemptible(struct frame *f);
/* Go on tearing down if @f is partial; 0: nothing left to do, or -ERESTART. */
int frame_finish_put(struct frame *f);

bool frame_get_and_type(struct frame *f, const struct domain *d, uint64_t type);
/* Of a frame that a guest named by its number; NULL: not to be had. */
static inline struct frame *mfn_get_and_type(mfn_t mfn, const struct domain *d, uint64_t type)
{
	struct frame *f = frame_lookup(mfn);

	return f && frame_get_and_type(f, d, type) ? f : NULL;
}
void frame_put_and_type(struct frame *f);

/* Filled by pv/page_types.c: make and undo a checked page table or descriptor page. */
int frame_validate(struct frame *f, uint64_t type, bool preemptible);
int frame_devalidate(struct frame *f, uint64_t type, bool preemptible);

/* ---- machine to pseudo-physical ---- */
#define M2P_INVALID   (~0ull)
#ifdef HOST_TEST
extern uint64_t *m2p;
#else
#define m2p ((uint64_t *)M2P_START)
#endif

static inline void m2p_set(mfn_t mfn, gfn_t gfn)
{
	m2p[mfn.n] = gfn.n;
}

static inline gfn_t m2p_get(mfn_t mfn)
{
	return GFN(m2p[mfn.n]);
}

/* A guest's page in our address space, with a writable reference: mm/guest_page.c. */
struct guest_page {
	void *map; /* NULL: none */
	struct frame *frame;
};

#endif
