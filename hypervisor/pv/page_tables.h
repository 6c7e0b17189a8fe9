/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the files that keep PV guests' page tables safe. What a present entry holds:
 * in an L1, a general reference to the frame, and a FRAME_WRITABLE type reference if it
 * is writable; nothing for device memory. In an L2-L4, a type reference (and the general
 * one under it) to the table one level below; nothing when one of an L2 or L3 points at its
 * own table, read-only: a linear mapping, which lives and dies with the table.
 */
#ifndef HV_PV_PAGE_TABLES_H
#define HV_PV_PAGE_TABLES_H

#include "hypervisor/pv/pv.h"

#define PTES_PER_TABLE 512

static inline mfn_t pte_mfn(uint64_t e)
{
	return maddr_to_mfn(e & PTE_ADDR);
}

/* 1 to 4 for a page table, 0 for anything else. */
static inline unsigned int type_level(uint64_t type)
{
	unsigned int t = type >> 61;

	return t <= 4 ? t : 0;
}

static inline uint64_t level_type(unsigned int level)
{
	return (uint64_t)level << 61;
}

static inline bool is_hv_slot(unsigned int level, unsigned int index)
{
	return level == 4 && index >= HV_FIRST_SLOT && index <= HV_LAST_SLOT;
}

/* A guest's linear address: canonical and not in the hypervisor's slots. */
static inline bool guest_va_ok(uint64_t va)
{
	return (uint64_t)((int64_t)(va << 16) >> 16) == va &&
	       (va < HV_VIRT_START || va >= HV_VIRT_END);
}

/* Device memory: entries hold no references to it. */
static inline bool mfn_is_io(mfn_t mfn)
{
	const struct frame *f = frame_lookup(mfn);

	return !f || (READ_ONCE(f->count) & FRAME_FOREIGN_IO);
}

/* An L2 or L3 entry of @table that is a linear mapping. */
static inline bool is_linear(uint64_t e, const struct frame *table)
{
	return mfn_eq(pte_mfn(e), frame_to_mfn(table)) && !(e & PTE_RW);
}

/* ---- short ways of mm/frame.c's references, in its terms ---- */

/* frame_get() and frame_get_type() of a frame that is in this use already, or may be written
 * at once. False: nothing taken, ask those. */
static inline bool frame_hold(struct frame *f, const struct domain *d, uint64_t type)
{
	uint64_t x = READ_ONCE(f->count), t, next;

	if (frame_owner(f) != d || !(x & FRAME_COUNT_MASK) || (x & FRAME_FREE) ||
	    !atomic_cmpxchg(&f->count, &x, x + 1))
		return false;
	t = READ_ONCE(f->type);
	next = t + 1;
	if (type == FRAME_WRITABLE && (t == FRAME_WRITABLE || t == FRAME_NONE))
		next = FRAME_WRITABLE | FRAME_VALIDATED | 1;
	if ((next & (FRAME_TYPE_MASK | FRAME_VALIDATED)) == (type | FRAME_VALIDATED) &&
	    likely(frame_owner(f) == d) && atomic_cmpxchg(&f->type, &t, next))
		return true;
	frame_put(f);
	return false;
}

/* frame_put_type() when it is not the last use. False: nothing done. */
static inline bool frame_drop_use(struct frame *f)
{
	uint64_t t = READ_ONCE(f->type);

	return (t & FRAME_TYPE_COUNT_MASK) > 1 && (t & FRAME_VALIDATED) &&
	       atomic_cmpxchg(&f->type, &t, t - 1);
}

/* ---- page_types.c ---- */
/*
 * Take what the L1 entry @e, not yet in a table of @pt_owner, has to hold; @e is put into
 * the form it gets in the table. 0; -EBUSY: memory of another, or in another use; -EPERM:
 * device memory that is not for them.
 */
int l1e_get(uint64_t *e, struct domain *pt_owner, struct domain *page_owner);
void l1e_put(uint64_t e);
/* The same in an L2-L4 table. -ERESTART: nothing taken, ask again. */
int table_entry_get(uint64_t *e, struct frame *table, unsigned int level,
		    bool preemptible);
/* Forces and checks bits alone: for an entry that keeps pointing at the same table. */
int table_entry_flags(uint64_t *e);
/* Device memory whose writable mappings are made read-only and writes emulated. */
bool mfn_is_read_only(mfn_t mfn);
/* L1TF: a CPU may speculate through an entry that is not present and read what the L1 cache
 * has of the address in it. 0, or -EINVAL when @d may not have such a one. */
int absent_entry_check(const struct domain *d, uint64_t e);

/* ---- mmu_ops.c: a guest's list of requests ---- */
/* In the count argument: a continuation made this call; *pdone counts what was done before. */
#define MMU_UPDATE_PREEMPTED 0x80000000u
#define REQUEST_BATCH        16 /* copied at a time */
struct request_list {
	uint64_t at, pdone; /* the guest's addresses */
	size_t size;
	unsigned int count, before, done;
};
int request_list_begin(struct request_list *l); /* 0, -EFAULT */
int request_list_fetch(const struct request_list *l, void *to); /* the next batch; 0, -EFAULT */
/* Say how much was done; for -ERESTART the call is continued. */
long request_list_end(struct request_list *l, unsigned int call, unsigned int foreigndom, long rc);
/* @carry_out for each request, which is a copy of the guest's, until one gives not 0. In line:
 * what it calls is known. */
#define REQUEST_LIST(rc, l, type, carry_out)                                             \
	do {                                                                             \
		type batch_[REQUEST_BATCH];                                              \
		rc = finish_tables(current);                                             \
		while (!rc && (l)->done < (l)->count) {                                  \
			const type *req = &batch_[(l)->done % REQUEST_BATCH];            \
			rc = (l)->done && preempt_check() ? -ERESTART : 0;               \
			if (!rc && req == batch_)                                        \
				rc = request_list_fetch(l, batch_);                      \
			if (!rc)                                                         \
				rc = carry_out;                                          \
			if (rc)                                                          \
				break;                                                   \
			(l)->done++;                                                     \
			rc = finish_tables(current);                                     \
		}                                                                        \
	} while (0)

/* ---- page_tables.c ---- */
/* pv_finish_tables(), which rarely has anything to do. */
static inline int finish_tables(struct vcpu *v)
{
	_Static_assert(ARRAY_SIZE(v->pv.old_table) == 2, "both are looked at");
	if (likely(!v->pv.old_table[0] && !v->pv.old_table[1]))
		return 0;
	return pv_finish_tables(v);
}

/*
 * A table held by its present type, and its mapping: from table_open() to table_close().
 * What is dropped may have to be torn down later: see pv_vcpu.old_table.
 */
struct table {
	struct frame *frame; /* NULL: closed */
	uint64_t type;       /* FRAME_WRITABLE: a page without checks */
	uint64_t *entry;
};
/* 0; -EINVAL; -ERESTART: not to be had yet. */
int table_open(struct table *t, mfn_t mfn, struct domain *pt_owner);
void table_close(struct table *t);
/* Checked update of an entry in it. */
int table_update(struct table *t, unsigned int index, uint64_t new,
		 struct domain *page_owner, bool preserve_ad);
/* Checked update of an L1 entry of @d's, mapping @d's frames, if it still is @old: 0,
 * -EAGAIN if it is not, -EINVAL, -EBUSY, -EPERM. */
int l1e_cmpxchg(uint64_t *l1e, uint64_t old, uint64_t new, struct domain *d);
/* A frame held as an L1 table of @d's, if it is one now; NULL. */
struct frame *l1_table_get(mfn_t mfn, const struct domain *d);
static inline void l1_table_put(struct frame *f)
{
	if (!frame_drop_use(f))
		frame_put_type(f);
	frame_put(f);
}
/* Drop a table's type and general reference, the rest of the work being current's. */
void table_put(struct frame *f);

/* ---- mmuext_foreign.c ---- */
/* The domain that a call's domid names, for access to its pages (as FD) or its page
 * tables. With a reference; NULL and *err. */
struct domain *page_owner_get(domid_t domid, int *err);
struct domain *table_owner_get(domid_t domid, int *err);
void page_owner_put(struct domain *d);
/* CPUs that hold TLB entries of vcpus in the guest's bitmap at @gva. */
int vcpus_to_cpumask(const struct domain *d, uint64_t gva, struct cpumask *mask);

#endif
