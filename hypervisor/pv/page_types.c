// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a frame becomes a page table or a descriptor page of a PV guest, its contents are
 * checked here, and every present entry takes the references that keep what it points at
 * in the use the guest was allowed. When the last type reference goes, they go.
 */
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/boot/boot.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/sched/softirq.h"

/* Caching of page-table walks is not the guest's; superpages are not offered; bit 8 must
 * be 0 in the upper levels on AMD (APM vol. 2, 5.3.3). */
#define TABLE_BITS_REFUSED (PTE_PWT | PTE_PCD | PTE_PS | PTE_G)
#define CACHE_BITS         (PTE_PWT | PTE_PCD | PTE_PAT)

int absent_entry_check(const struct domain *d, uint64_t e)
{
	if (likely(!d->pv_state.check_absent) || !(e & ~(uint64_t)PTE_P))
		return 0;
	return pte_mfn(e).n < max_frame ? -EINVAL : 0;
}

/* ---- L1 entries ---- */

bool mfn_is_read_only(mfn_t mfn)
{
	uint64_t base = acpi.mmconfig_base >> PAGE_SHIFT;
	uint64_t pages_per_bus = 1 << (20 - PAGE_SHIFT);

	return base && mfn.n >= base + acpi.mmconfig_first_bus * pages_per_bus &&
	       mfn.n < base + (acpi.mmconfig_last_bus + 1ul) * pages_per_bus;
}

static int mmio_or_ram_ok(struct domain *d, mfn_t mfn, bool write)
{
	if (!mfn_is_io(mfn))
		return 0;
	if (!d->iomem || !rangeset_contains(d->iomem, mfn.n, mfn.n))
		return -EPERM;
	if (write && mfn_is_read_only(mfn))
		return -EPERM;
	return 0;
}

/* Device memory, by the rights of the domain named, or the caller's for DOMID_IO. Where
 * writing is emulated (MMCONFIG) a writable mapping becomes a read-only one. */
static int l1e_get_io(uint64_t *e, struct domain *pt_owner, struct domain *page_owner)
{
	struct domain *d = page_owner == dom_io ? pt_owner : page_owner;
	mfn_t mfn = pte_mfn(*e);

	if (mmio_or_ram_ok(d, mfn, false) || mmio_or_ram_ok(pt_owner, mfn, false))
		return -EPERM;
	if ((*e & PTE_RW) && mmio_or_ram_ok(d, mfn, true))
		*e &= ~PTE_RW;
	return 0;
}

int l1e_get(uint64_t *e, struct domain *pt_owner, struct domain *page_owner)
{
	mfn_t mfn = pte_mfn(*e);
	struct frame *f;

	/* The guest's kernel runs in ring 3. Global entries would outlive the switch from
	 * kernel to user tables. */
	*e = (*e | PTE_US) & ~PTE_G;

	f = frame_lookup(mfn);
	if (unlikely(!f || (READ_ONCE(f->count) & FRAME_FOREIGN_IO)))
		return l1e_get_io(e, pt_owner, page_owner);

	/* Without devices there is no reason for anything but write-back. */
	if (unlikely(*e & CACHE_BITS) &&
	    (!pt_owner->iomem || rangeset_empty(pt_owner->iomem)))
		*e &= ~CACHE_BITS;

	if (!(*e & PTE_RW))
		return frame_get(f, page_owner) ? 0 : -EBUSY;
	if (frame_hold(f, page_owner, FRAME_WRITABLE) ||
	    frame_get_and_type(f, page_owner, FRAME_WRITABLE))
		return 0;
	return -EBUSY;
}

void l1e_put(uint64_t e)
{
	struct frame *f;

	if (!(e & PTE_P))
		return;
	f = frame_lookup(pte_mfn(e));
	if (unlikely(!f || (READ_ONCE(f->count) & FRAME_FOREIGN_IO)))
		return;
	if ((e & PTE_RW) && !frame_drop_use(f))
		frame_put_type(f);
	frame_put(f);
}

static void devalidate_l1(struct frame *f, unsigned int n)
{
	const uint64_t *l1 = map_frame(frame_to_mfn(f));

	while (n--)
		l1e_put(l1[n]);
	unmap_frame(l1);
}

static int validate_l1(struct frame *f, struct domain *d)
{
	uint64_t *l1 = map_frame(frame_to_mfn(f));
	unsigned int i;
	int rc = 0;

	for (i = 0; i < PTES_PER_TABLE; i++) {
		uint64_t e = l1[i];

		rc = e & PTE_P ? l1e_get(&e, d, d) : absent_entry_check(d, e);
		if (rc)
			break;
		if (e != l1[i])
			l1[i] = e;
	}
	if (rc) {
		gprintk(LOG_DEBUG, "d%u: L1 table %lx refused: entry %u is %lx\n",
			d->domid, frame_to_mfn(f).n, i, l1[i]);
		while (i--)
			l1e_put(l1[i]);
	}
	unmap_frame(l1);
	return rc;
}

/* ---- L2 to L4 entries ---- */

int table_entry_flags(uint64_t *e)
{
	if (*e & TABLE_BITS_REFUSED)
		return -EINVAL;
	*e |= PTE_US;
	return 0;
}

int table_entry_get(uint64_t *e, struct frame *table, unsigned int level,
		    bool preemptible)
{
	mfn_t mfn = pte_mfn(*e);
	struct frame *f;
	int rc;

	if (table_entry_flags(e))
		return -EINVAL;
	/* Not of an L4: through it our copies from guest memory, which are in ring 0, would read
	 * the hypervisor's slots as tables, and what those map as the guest's. */
	if (level < 4 && is_linear(*e, table))
		return 0;
	if (mfn_is_io(mfn))
		return -EINVAL;
	f = frame_lookup(mfn);
	if (!frame_get(f, frame_owner(table)))
		return -EINVAL;
	rc = preemptible ? frame_get_type_preemptible(f, level_type(level - 1))
			 : frame_get_type(f, level_type(level - 1));
	if (rc)
		frame_put(f);
	return rc == -EINTR ? -ERESTART : rc;
}

/*
 * Drop entries below the first @f->nr_validated, last first. f->partial: of the entry
 * above them the type is dropped, its teardown is not finished, and its general reference
 * is kept.
 */
static int devalidate_table(struct frame *f, unsigned int level, bool preemptible)
{
	uint64_t *t = map_frame(frame_to_mfn(f));
	unsigned int i = f->nr_validated;
	int rc = 0;

	if (f->partial) {
		struct frame *child = mfn_to_frame(pte_mfn(t[i]));

		while ((rc = frame_finish_put(child)) == -ERESTART && !preemptible)
			;
		if (rc)
			goto out;
		frame_put(child);
		f->partial = 0;
	}
	while (i) {
		struct frame *child;
		uint64_t e = t[--i];

		if (!(e & PTE_P) || is_hv_slot(level, i) || is_linear(e, f))
			continue;
		child = mfn_to_frame(pte_mfn(e));
		if (!preemptible) {
			frame_put_and_type(child);
			continue;
		}
		rc = frame_put_type_preemptible(child);
		if (rc == -ERESTART) {
			f->partial = 1;
			break;
		}
		frame_put(child);
		if (i && preempt_check()) {
			rc = -ERESTART;
			break;
		}
	}
	f->nr_validated = i;
out:
	if (!rc && level == 4)
		memset(&t[HV_FIRST_SLOT], 0,
		       (HV_LAST_SLOT - HV_FIRST_SLOT + 1) * sizeof(*t));
	unmap_frame(t);
	return rc;
}

/*
 * Undo a validation that met a wrong entry, all of it at once. Tables below that take
 * longer stay partial: the guest has made an error, and its end clears them up.
 */
static void abandon_table(struct frame *f, unsigned int level)
{
	const uint64_t *t = map_frame(frame_to_mfn(f));

	for (unsigned int i = f->nr_validated; i--;) {
		struct frame *child = mfn_to_frame(pte_mfn(t[i]));

		if (!(t[i] & PTE_P) || is_hv_slot(level, i) || is_linear(t[i], f))
			continue;
		frame_put_type_preemptible(child);
		frame_put(child);
	}
	unmap_frame(t);
}

static int validate_table(struct frame *f, struct domain *d, unsigned int level,
			  bool preemptible)
{
	uint64_t *t = map_frame(frame_to_mfn(f));
	unsigned int i = f->nr_validated;
	int rc = 0;

	if (f->partial) { /* a teardown was interrupted; what it kept is taken afresh */
		f->partial = 0;
		frame_put(mfn_to_frame(pte_mfn(t[i])));
	}
	for (; i < PTES_PER_TABLE; i++) {
		uint64_t e = t[i];

		if (is_hv_slot(level, i))
			continue;
		if (!(e & PTE_P)) {
			rc = absent_entry_check(d, e);
			if (rc)
				break;
			continue;
		}
		rc = table_entry_get(&e, f, level, preemptible);
		if (rc)
			break;
		if (e != t[i])
			t[i] = e;
		if (preemptible && preempt_check()) {
			rc = -ERESTART;
			i++;
			break;
		}
	}
	if (rc && rc != -ERESTART)
		gprintk(LOG_DEBUG, "d%u: L%u table %lx refused: entry %u is %lx\n",
			d->domid, level, frame_to_mfn(f).n, i, t[i]);
	if (!rc && level == 4)
		hv_fill_root(t, d);
	unmap_frame(t);
	f->nr_validated = i;
	if (rc && rc != -ERESTART)
		abandon_table(f, level);
	return rc;
}

/* ---- descriptor pages ---- */

static int validate_segdesc(struct frame *f, const struct domain *d)
{
	uint64_t *desc = map_frame(frame_to_mfn(f));
	int rc = 0;

	for (unsigned int i = 0; i < PTES_PER_TABLE && !rc; i++)
		if (!pv_check_descriptor(d, &desc[i]))
			rc = -EINVAL;
	unmap_frame(desc);
	return rc;
}

/* ---- for mm/frame.c ---- */

int frame_validate(struct frame *f, uint64_t type, bool preemptible)
{
	struct domain *d = frame_owner(f);
	unsigned int level = type_level(type);

	/* Only a PV guest's own memory; never the hypervisor's pages that it may map. */
	if (!d || !d->pv || d == dom_xen || d == dom_io ||
	    (READ_ONCE(f->count) & (FRAME_HEAP | FRAME_SHARED_HV | FRAME_FOREIGN_IO)))
		return -EINVAL;
	if (type == FRAME_SEGDESC)
		return validate_segdesc(f, d);
	if (!level)
		return -EINVAL;
	return level == 1 ? validate_l1(f, d) : validate_table(f, d, level, preemptible);
}

int frame_devalidate(struct frame *f, uint64_t type, bool preemptible)
{
	unsigned int level = type_level(type);

	if (!level)
		return 0;
	if (level > 1)
		return devalidate_table(f, level, preemptible);
	devalidate_l1(f, PTES_PER_TABLE);
	return 0;
}
