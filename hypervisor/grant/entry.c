// SPDX-License-Identifier: GPL-2.0-only
/*
 * One entry of a grant table, from the guest's claim to a pinned frame. The guest's words
 * are read once, and marked as being read or written by compare-and-exchange (version 1)
 * or in a status word beside (version 2), so that the guest cannot take the grant back
 * without seeing that it is in use.
 */
#include "hypervisor/grant/internal.h"

#define PINS_MAX (UINT32_MAX / 2)

static uint16_t marks(bool readonly)
{
	return readonly ? GTF_reading : GTF_reading | GTF_writing;
}

static int16_t mark_v1(const struct grant_table *t, grant_ref_t ref, domid_t ldom,
		       bool readonly, struct grant_what *w)
{
	struct grant_entry_v1 *e = entry_v1(t, ref);
	uint32_t *word = (uint32_t *)e, old = READ_ONCE(*word);

	_Static_assert(offsetof(struct grant_entry_v1, domid) == 2,
		       "flags and domid: a word");
	for (unsigned int tries = 0; tries < 5; tries++) {
		uint16_t flags = (uint16_t)old;

		if ((flags & GTF_type_mask) != GTF_permit_access || old >> 16 != ldom ||
		    (!readonly && (flags & GTF_readonly)))
			return GNTST_general_error;
		if (atomic_cmpxchg(word, &old, old | marks(readonly))) {
			*w = (struct grant_what){.frame = READ_ONCE(e->frame),
						 .length = PAGE_SIZE};
			return GNTST_okay;
		}
	}
	return GNTST_general_error; /* the guest never leaves it alone */
}

static bool allowed_v2(uint32_t header, domid_t ldom, enum grant_use use, bool readonly)
{
	uint16_t flags = (uint16_t)header, type = flags & GTF_type_mask;

	if (header >> 16 != ldom || (!readonly && (flags & GTF_readonly)))
		return false;
	if (type == GTF_transitive)
		return use == GRANT_COPY;
	return type == GTF_permit_access &&
	       (use == GRANT_COPY || !(flags & GTF_sub_page));
}

static int16_t mark_v2(const struct grant_table *t, grant_ref_t ref, domid_t ldom,
		       enum grant_use use, bool readonly, struct grant_what *w)
{
	union grant_entry_v2 *e = entry_v2(t, ref);
	grant_status_t *status = entry_status(t, ref);
	const uint32_t *word = (const uint32_t *)e;
	uint32_t header = READ_ONCE(*word);

	if (!allowed_v2(header, ldom, use, readonly))
		return GNTST_general_error;
	/* Marked before it is looked at again: a guest that takes it back clears the
	 * flags, then looks at the status. */
	__atomic_fetch_or(status, marks(readonly), __ATOMIC_SEQ_CST);
	header = READ_ONCE(*word);
	if (!allowed_v2(header, ldom, use, readonly))
		return GNTST_general_error; /* the caller takes the marks off */
	*w = (struct grant_what){.length = PAGE_SIZE};
	if ((header & GTF_type_mask) == GTF_transitive) {
		w->transitive = true;
		w->trans_domid = READ_ONCE(e->transitive.trans_domid);
		w->trans_ref = READ_ONCE(e->transitive.gref);
		return GNTST_okay;
	}
	w->frame = READ_ONCE(e->full_page.frame);
	if (header & GTF_sub_page) {
		w->partial_page = true;
		w->start = READ_ONCE(e->sub_page.page_off);
		w->length = READ_ONCE(e->sub_page.length);
	}
	return GNTST_okay;
}

/* Take marks off that no pin stands for. Entry's lock held. */
static void unmark(const struct grant_table *t, grant_ref_t ref,
		   const struct active_entry *a)
{
	uint16_t off = 0;
	uint16_t *word =
		t->version == 2 ? entry_status(t, ref) : &entry_v1(t, ref)->flags;

	if (!a->writers)
		off |= GTF_writing;
	if (!a->writers && !a->readers)
		off |= GTF_reading;
	if (READ_ONCE(*word) & off)
		__atomic_fetch_and(word, (uint16_t)~off, __ATOMIC_SEQ_CST);
}

/* The frame with the references of a pin. */
static int16_t frame_pin(struct domain *rd, mfn_t mfn, bool readonly,
			 struct frame **frame)
{
	struct frame *f = frame_lookup(mfn);

	if (!f || !frame_get(f, rd))
		return GNTST_bad_page;
	if (!readonly && frame_get_type(f, FRAME_WRITABLE)) {
		frame_put(f);
		return GNTST_general_error;
	}
	*frame = f;
	return GNTST_okay;
}

static void frame_unpin(struct frame *f, bool readonly)
{
	if (readonly)
		frame_put(f);
	else
		frame_put_and_type(f);
}

/* The first pin, or the first that writes: the guest's entry decides. */
static int16_t claim_entry(struct domain *rd, grant_ref_t ref, domid_t ldom,
			   enum grant_use use, bool readonly, struct active_entry *a)
{
	const struct grant_table *t = rd->grant_table;
	bool first = !grant_pinned(a); /* which fixes what it is */
	struct grant_what again, *w = first ? &a->what : &again;
	int16_t rc = t->version == 2 ? mark_v2(t, ref, ldom, use, readonly, w)
				     : mark_v1(t, ref, ldom, readonly, w);

	if (rc)
		unmark(t, ref, a);
	if (rc || !first)
		return rc;
	if (!w->transitive) {
		mfn_t mfn = rd->ops->translate(rd, GFN(w->frame));

		if (!mfn_valid(mfn)) {
			unmark(t, ref, a);
			return GNTST_bad_page;
		}
		w->frame = mfn.n;
	}
	a->domid = ldom;
	return GNTST_okay;
}

static int16_t pin_locked(struct grant_table *t, struct active_entry *a, domid_t ldom,
			  enum grant_use use, struct grant_pin *pin)
{
	struct domain *rd = pin->rd;
	int16_t rc;

	if (grant_pinned(a) && a->domid != ldom)
		return GNTST_general_error;
	if (a->readers + a->writers >= PINS_MAX)
		return GNTST_general_error;
	if (!grant_pinned(a) || (!pin->readonly && !a->writers)) {
		rc = claim_entry(rd, pin->ref, ldom, use, pin->readonly, a);
		if (rc)
			return rc;
	}
	rc = GNTST_okay;
	if (use == GRANT_MAP && (a->what.partial_page || a->what.transitive))
		rc = GNTST_general_error;
	else if (!a->what.transitive)
		rc = frame_pin(rd, MFN(a->what.frame), pin->readonly, &pin->frame);
	if (rc) {
		unmark(t, pin->ref, a);
		return rc;
	}
	++*(pin->readonly ? &a->readers : &a->writers);
	pin->start = a->what.start;
	pin->length = a->what.length;
	return GNTST_okay;
}

/* The references go before the marks: who sees no mark may use the frame as he likes. */
void grant_unpin_ref(struct domain *rd, grant_ref_t ref, bool readonly)
{
	struct grant_table *t = rd->grant_table;
	struct active_entry *a;

	read_lock(&t->lock);
	a = active_entry(t, ref);
	spin_lock(&a->lock);
	--*(readonly ? &a->readers : &a->writers);
	if (!a->what.transitive)
		frame_unpin(mfn_to_frame(MFN(a->what.frame)), readonly);
	unmark(t, ref, a);
	spin_unlock(&a->lock);
	read_unlock(&t->lock);
}

mfn_t grant_pinned_mfn(struct domain *rd, grant_ref_t ref)
{
	struct grant_table *t = rd->grant_table;
	mfn_t mfn;

	read_lock(&t->lock);
	mfn = MFN(active_entry(t, ref)->what.frame); /* does not change while it is pinned */
	read_unlock(&t->lock);
	return mfn;
}

/* Pin without following a transitive entry; *trans is one, or says that it is not. */
static int16_t pin_direct(struct domain *rd, grant_ref_t ref, domid_t ldom,
			  enum grant_use use, bool readonly, struct grant_pin *pin,
			  struct grant_what *trans)
{
	struct grant_table *t = rd->grant_table;
	struct active_entry *a;
	int16_t rc = GNTST_bad_gntref;

	pin->rd = rd;
	pin->ref = ref;
	pin->readonly = readonly;
	pin->trans_rd = NULL;
	if (unlikely(!t))
		return GNTST_bad_domain;
	read_lock(&t->lock);
	if (ref < nr_entries(t)) {
		pin->ref = (grant_ref_t)index_nospec(ref, nr_entries(t));
		a = active_entry(t, pin->ref);
		spin_lock(&a->lock);
		rc = pin_locked(t, a, ldom, use, pin);
		trans->transitive = a->what.transitive;
		if (unlikely(trans->transitive))
			*trans = a->what;
		spin_unlock(&a->lock);
	}
	read_unlock(&t->lock);
	return rc;
}

/* @pin is of a transitive entry: pin what it leads to, as @pin->rd may use it. */
static int16_t pin_through(struct grant_pin *pin, const struct grant_what *trans)
{
	struct domain *td = trans->trans_domid == pin->rd->domid
				    ? NULL
				    : domain_get(trans->trans_domid);
	struct grant_what next;
	struct grant_pin through;
	int16_t rc = td ? GNTST_okay : GNTST_general_error;

	if (td == pin->rd || (td && td->domid != trans->trans_domid))
		rc = GNTST_general_error; /* neither itself nor DOMID_SELF, which is the
					     caller */
	if (!rc)
		rc = pin_direct(td, trans->trans_ref, pin->rd->domid, GRANT_COPY,
				pin->readonly, &through, &next);
	if (!rc && next.transitive) { /* one step only */
		grant_unpin_ref(td, through.ref, pin->readonly);
		rc = GNTST_general_error;
	}
	if (rc) {
		grant_unpin_ref(pin->rd, pin->ref, pin->readonly);
		if (td)
			domain_put(td);
		return rc;
	}
	pin->frame = through.frame;
	pin->start = through.start;
	pin->length = through.length;
	pin->trans_rd = td;
	pin->trans_ref = through.ref;
	return GNTST_okay;
}

int16_t grant_pin(struct domain *rd, grant_ref_t ref, domid_t ldom, enum grant_use use,
		  bool readonly, struct grant_pin *pin)
{
	struct grant_what what;
	int16_t rc = pin_direct(rd, ref, ldom, use, readonly, pin, &what);

	if (rc || likely(!what.transitive))
		return rc;
	return pin_through(pin, &what);
}

void grant_unpin(const struct grant_pin *pin)
{
	grant_unpin_ref(pin->rd, pin->ref, pin->readonly);
	if (pin->trans_rd) {
		grant_unpin_ref(pin->trans_rd, pin->trans_ref, pin->readonly);
		domain_put(pin->trans_rd);
	}
}
