// SPDX-License-Identifier: GPL-2.0-only
/*
 * Updates of live page tables. No lock: the table is held by a type reference, so that it
 * stays what it is; what the new entry needs is taken first; then one
 * compare-and-exchange puts it in place, and exactly what stood there is dropped.
 */
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/sched/softirq.h"

#define PTE_AD (PTE_A | PTE_D)

/* ---- what was given up and takes long ---- */

int pv_finish_tables(struct vcpu *v)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(v->pv.old_table); i++) {
		struct frame *f = v->pv.old_table[i];

		if (likely(!f))
			continue;
		if (frame_finish_put(f))
			return -ERESTART;
		v->pv.old_table[i] = NULL;
		frame_put(f);
	}
	return 0;
}

/* @f's references go, or most of them: -ERESTART. */
static int give_up_table(struct vcpu *v, struct frame *f)
{
	int rc = frame_put_type_preemptible(f);

	for (unsigned int i = 0; rc == -ERESTART && i < ARRAY_SIZE(v->pv.old_table); i++)
		if (!v->pv.old_table[i]) {
			v->pv.old_table[i] = f;
			return rc;
		}
	/* No place is left only when other vcpus drop the same tables at this moment. */
	while (rc == -ERESTART)
		rc = frame_finish_put(f);
	frame_put(f);
	return 0;
}

void table_put(struct frame *f)
{
	if (likely(frame_drop_use(f)))
		frame_put(f);
	else
		give_up_table(current, f);
}

/* ---- an open table ---- */

static int table_open_slow(struct table *t, struct frame *f, struct domain *pt_owner)
{
	int rc;

	if (!frame_get(f, pt_owner))
		return -EINVAL;
	/* Another vcpu may drop the table at this moment: then this validates it again. */
	rc = frame_get_type_preemptible(f, t->type);
	if (rc)
		frame_put(f);
	return rc == -EINTR ? -ERESTART : rc;
}

int table_open(struct table *t, mfn_t mfn, struct domain *pt_owner)
{
	struct frame *f = frame_lookup(mfn);
	uint64_t type;
	int rc;

	t->frame = NULL;
	if (!f)
		return -EINVAL;
	type = READ_ONCE(f->type);
	/* What is no table can still be written, if it could be mapped writable. */
	t->type = type_level(type) && (type & FRAME_VALIDATED) ? type & FRAME_TYPE_MASK :
								 FRAME_WRITABLE;
	if (unlikely(!frame_hold(f, pt_owner, t->type))) {
		rc = table_open_slow(t, f, pt_owner);
		if (rc)
			return rc;
	}
	t->frame = f;
	t->entry = map_frame(mfn);
	return 0;
}

void table_close(struct table *t)
{
	if (!t->frame)
		return;
	unmap_frame(t->entry);
	table_put(t->frame);
	t->frame = NULL;
}

/* ---- entries ---- */

/* Put @new into *@p, A and D of the present one kept if asked. Returns what it replaced.
 */
static uint64_t entry_exchange(uint64_t *p, uint64_t new, bool preserve_ad)
{
	uint64_t old = READ_ONCE(*p);

	if (!preserve_ad)
		return atomic_xchg(p, new);
	while (!atomic_cmpxchg(p, &old, new | (old & PTE_AD)))
		;
	return old;
}

/* The same frame with the same rights: nothing to take or drop. The processor may set A
 * and D meanwhile; anybody else's change sends us the long way. */
static bool entry_change_flags(uint64_t *p, uint64_t old, uint64_t new, bool preserve_ad)
{
	for (unsigned int tries = 0; tries < 4; tries++) {
		uint64_t was = old;

		if (atomic_cmpxchg(p, &old, new | (preserve_ad ? old & PTE_AD : 0)))
			return true;
		if ((was ^ old) & ~PTE_AD)
			break;
	}
	return false;
}

/* @new differs from @old only in bits that no one but guest and processor care about: the
 * everyday case of mprotect and ageing. @new gets the form that we keep. */
static bool same_rights(uint64_t old, uint64_t *new)
{
	const uint64_t keep = PTE_P | PTE_RW | PTE_PWT | PTE_PCD | PTE_PAT | PTE_ADDR;

	if ((old ^ *new) & keep)
		return false;
	*new = (*new | PTE_US) & ~PTE_G;
	return true;
}

int pv_mod_l1(uint64_t *l1e, uint64_t new, mfn_t l1mfn, struct domain *page_owner,
	      bool preserve_ad)
{
	uint64_t old = READ_ONCE(*l1e);
	int rc;

	if (!(new &PTE_P)) {
		rc = new ? absent_entry_check(frame_owner(mfn_to_frame(l1mfn)), new) : 0;
	} else {
		if (same_rights(old, &new) &&
		    entry_change_flags(l1e, old, new, preserve_ad))
			return 0;
		rc = l1e_get(&new, frame_owner(mfn_to_frame(l1mfn)), page_owner);
	}
	if (!rc)
		l1e_put(entry_exchange(l1e, new, preserve_ad));
	return rc;
}

int l1e_cmpxchg(uint64_t *l1e, uint64_t old, uint64_t new, struct domain *d)
{
	int rc;

	if (!(new &PTE_P)) {
		rc = absent_entry_check(d, new);
	} else {
		if (same_rights(old, &new))
			return atomic_cmpxchg(l1e, &old, new) ? 0 : -EAGAIN;
		rc = l1e_get(&new, d, d);
	}
	if (rc)
		return rc;
	if (atomic_cmpxchg(l1e, &old, new)) {
		l1e_put(old);
		return 0;
	}
	l1e_put(new);
	return -EAGAIN;
}

/* An L2-L4 entry of an open table. */
static int mod_table_entry(struct table *t, unsigned int level, unsigned int index,
			   uint64_t new, bool preserve_ad)
{
	uint64_t *p = &t->entry[index], old = READ_ONCE(*p);
	int rc;

	if (is_hv_slot(level, index))
		return -EINVAL;
	if (!(new &PTE_P)) {
		rc = absent_entry_check(frame_owner(t->frame), new);
	} else {
		if ((old & PTE_P) && mfn_eq(pte_mfn(old), pte_mfn(new)) &&
		    is_linear(old, t->frame) == is_linear(new, t->frame)) {
			rc = table_entry_flags(&new);
			if (rc || entry_change_flags(p, old, new, preserve_ad))
				return rc;
		}
		rc = table_entry_get(&new, t->frame, level, true);
	}
	if (rc)
		return rc;
	old = entry_exchange(p, new, preserve_ad);
	if ((old & PTE_P) && !is_linear(old, t->frame))
		table_put(mfn_to_frame(pte_mfn(old)));
	return 0;
}

int table_update(struct table *t, unsigned int index, uint64_t new,
		 struct domain *page_owner, bool preserve_ad)
{
	unsigned int level = type_level(t->type);

	if (level == 1)
		return pv_mod_l1(&t->entry[index], new, frame_to_mfn(t->frame),
				 page_owner, preserve_ad);
	if (level)
		return mod_table_entry(t, level, index, new, preserve_ad);
	entry_exchange(&t->entry[index], new, preserve_ad);
	return 0;
}

/* ---- walking the current tables ---- */

/* The L1 table for @va: its frame number, or invalid. Tables may change meanwhile: what
 * is found may be wrong, but all that was read is this domain's. */
static mfn_t walk_to_l1(const struct vcpu *v, uint64_t va)
{
	mfn_t mfn = v->pv.kernel_mode ? v->pv.kernel_root : v->pv.user_root;

	if (!guest_va_ok(va))
		return MFN_INVALID;
	for (unsigned int level = 4; level > 1; level--) {
		unsigned int shift = PAGE_SHIFT + 9 * (level - 1);
		const struct frame *f = frame_lookup(mfn);
		const uint64_t *t;
		uint64_t e;

		if (!f || frame_owner(f) != v->domain)
			return MFN_INVALID;
		t = map_frame(mfn);
		e = READ_ONCE(t[(va >> shift) % PTES_PER_TABLE]);
		unmap_frame(t);
		if (!(e & PTE_P))
			return MFN_INVALID;
		mfn = pte_mfn(e);
	}
	return mfn;
}

struct frame *l1_table_get(mfn_t mfn, const struct domain *d)
{
	const uint64_t mask = FRAME_TYPE_MASK | FRAME_VALIDATED;
	struct frame *f = frame_lookup(mfn);

	if (!f)
		return NULL;
	if (likely(frame_hold(f, d, FRAME_L1)))
		return f;
	/* Only one that is checked already: what a race lost. */
	if ((READ_ONCE(f->type) & mask) != (FRAME_L1 | FRAME_VALIDATED) ||
	    !frame_get_and_type(f, d, FRAME_L1))
		return NULL;
	return f;
}

uint64_t *pv_map_l1e(uint64_t va, mfn_t *l1mfn)
{
	uint64_t *l1;

	*l1mfn = walk_to_l1(current, va);
	if (!l1_table_get(*l1mfn, current->domain))
		return NULL;
	l1 = map_frame(*l1mfn);
	return &l1[(va >> PAGE_SHIFT) % PTES_PER_TABLE];
}

void pv_unmap_l1e(uint64_t *l1e, mfn_t l1mfn)
{
	unmap_frame(l1e);
	l1_table_put(mfn_to_frame(l1mfn));
}

uint64_t pv_read_l1e(uint64_t va)
{
	mfn_t mfn = walk_to_l1(current, va);
	const struct frame *f = frame_lookup(mfn);
	const uint64_t *l1;
	uint64_t e;

	if (!f || frame_owner(f) != current->domain)
		return 0;
	l1 = map_frame(mfn);
	e = READ_ONCE(l1[(va >> PAGE_SHIFT) % PTES_PER_TABLE]);
	unmap_frame(l1);
	return e;
}

/* ---- roots ---- */

/* The M2P, for reading, is in the guest kernel's address space and not in its users'. */
static void show_m2p(mfn_t root, bool show)
{
	const unsigned int slot = (M2P_RO_START >> 39) % PTES_PER_TABLE;
	uint64_t *l4 = map_frame(root);
	uint64_t e = show ? idle_l4[slot] : 0;

	if (l4[slot] != e)
		WRITE_ONCE(l4[slot], e);
	unmap_frame(l4);
}

int pv_new_root(struct vcpu *v, mfn_t root, bool user)
{
	mfn_t *now = user ? &v->pv.user_root : &v->pv.kernel_root;
	mfn_t old = *now;
	struct frame *f;
	int rc = pv_finish_tables(v);

	if (rc)
		return rc;
	if (root.n && !mfn_eq(root, old)) {
		f = frame_lookup(root);
		if (!f || !frame_get(f, v->domain))
			return -EINVAL;
		rc = frame_get_type_preemptible(f, FRAME_L4);
		if (rc) {
			frame_put(f);
			return rc == -EINTR ? -ERESTART : rc;
		}
	} else if (!root.n && (!user || !v->pv.kernel_mode)) {
		return -EINVAL; /* what is loaded, or always has to be there */
	}
	if (root.n)
		show_m2p(root, !user || mfn_eq(root, v->pv.kernel_root));
	*now = root;
	/* In kernel mode the other root is loaded on the way to the user: a full flush.
	 */
	if (v == current && user != v->pv.kernel_mode)
		pv_write_cr3(v);
	if (old.n && !mfn_eq(root, old))
		return give_up_table(v, mfn_to_frame(old));
	return 0;
}

int pv_drop_roots(struct vcpu *v)
{
	mfn_t *root[] = {&v->pv.kernel_root, &v->pv.user_root};
	int rc = pv_finish_tables(v);

	for (unsigned int i = 0; i < ARRAY_SIZE(root) && !rc; i++) {
		mfn_t old = *root[i];

		*root[i] = MFN(0);
		if (old.n)
			rc = give_up_table(v, mfn_to_frame(old));
	}
	return rc;
}
