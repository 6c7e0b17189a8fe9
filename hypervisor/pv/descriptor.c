// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guests' descriptor tables. Frames of a GDT or LDT have the type FRAME_SEGDESC, so that no
 * descriptor gets into them unchecked. GDT frames are mapped when they are set, LDT pages
 * when the CPU first looks at them.
 */
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"

#define DESC_P       (1ull << 47)
#define DESC_DPL     (3ull << 45)
#define DESC_S       (1ull << 44) /* code or data */
#define LDT_PAGES    16
#define LDT_L1_INDEX 16 /* after the GDT's, in v->pv.gdt_l1 */

bool pv_check_descriptor(const struct domain *d, uint64_t *desc)
{
	(void)d;
	/* Using one that is not present faults: it may say anything. */
	if (!(*desc & DESC_P))
		return true;
	/* Gates would lead into ring 0; TSS and LDT descriptors are 16 bytes and ours alone. */
	if (!(*desc & DESC_S))
		return false;
	/* All of a guest runs in ring 3. Bases and limits protect nothing: paging does. */
	*desc |= DESC_DPL;
	return true;
}

/* ---- GDT ---- */

void pv_destroy_gdt(struct vcpu *v)
{
	unsigned int i, n = ROUND_UP(v->pv.gdt_entries, 512) / 512;

	for (i = 0; i < n; i++) {
		WRITE_ONCE(v->pv.gdt_l1[i], 0);
		frame_put_and_type(mfn_to_frame(v->pv.gdt_frame[i]));
	}
	v->pv.gdt_entries = 0;
}

/* @v is current, or does not run. Old frames are given back; the caller flushes the TLB. */
int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned int entries)
{
	unsigned int i, n = ROUND_UP(entries, 512) / 512;

	if (entries > FIRST_RESERVED_GDT_ENTRY)
		return -EINVAL;
	for (i = 0; i < n; i++)
		if (!mfn_get_and_type(MFN(frames[i]), v->domain, FRAME_SEGDESC))
			goto fail;
	pv_destroy_gdt(v);
	for (i = 0; i < n; i++) {
		v->pv.gdt_frame[i] = MFN(frames[i]);
		WRITE_ONCE(v->pv.gdt_l1[i], mfn_to_maddr(MFN(frames[i])) | PTE_PERDOMAIN);
	}
	v->pv.gdt_entries = entries;
	return 0;
fail:
	while (i--)
		frame_put_and_type(mfn_to_frame(MFN(frames[i])));
	return -EINVAL;
}

long do_set_gdt(uint64_t frame_list, unsigned int entries)
{
	uint64_t frames[FIRST_RESERVED_GDT_PAGE];
	struct vcpu *v = current;
	int rc;

	if (entries > FIRST_RESERVED_GDT_ENTRY)
		return -EINVAL;
	if (copy_from_guest(frames, frame_list, ROUND_UP(entries, 512) / 512 * 8))
		return -EFAULT;
	spin_lock(&v->domain->lock);
	rc = pv_set_gdt(v, frames, entries);
	spin_unlock(&v->domain->lock);
	if (!rc)
		tlb_flush_local();
	return rc;
}

long do_update_descriptor(uint64_t gaddr, uint64_t desc)
{
	struct domain *d = current->domain;
	mfn_t mfn = maddr_to_mfn(gaddr);
	uint64_t type = FRAME_WRITABLE;
	struct frame *f;
	uint64_t *p;

	f = frame_lookup(mfn);
	if (gaddr & 7 || !f || !pv_check_descriptor(d, &desc) || !frame_get(f, d))
		return -EINVAL;
	if ((READ_ONCE(f->type) & FRAME_TYPE_MASK) == FRAME_SEGDESC &&
	    READ_ONCE(f->type) & FRAME_TYPE_COUNT_MASK)
		type = FRAME_SEGDESC;
	if (frame_get_type(f, type)) {
		frame_put(f);
		return -EINVAL;
	}
	p = map_frame(mfn);
	WRITE_ONCE(p[(gaddr & ~PAGE_MASK) / 8], desc);
	unmap_frame(p);
	frame_put_and_type(f);
	return 0;
}

/* ---- LDT ---- */

/* The guest's kernel maps it: look through its root, whichever is loaded. */
static uint64_t kernel_l1e(struct vcpu *v, uint64_t va)
{
	bool mode = v->pv.kernel_mode;
	uint64_t e;

	v->pv.kernel_mode = true;
	e = pv_read_l1e(va);
	v->pv.kernel_mode = mode;
	return e;
}

bool pv_map_ldt_page(uint64_t offset)
{
	struct vcpu *v = current;
	uint64_t e, none = 0, *slot;
	struct frame *f;
	mfn_t mfn;

	v->pv.ldt_wanted = 0;
	if (offset >> 3 >= v->pv.ldt_entries)
		return false;
	slot = &v->pv.gdt_l1[LDT_L1_INDEX + index_nospec(offset >> PAGE_SHIFT, LDT_PAGES)];
	e = kernel_l1e(v, v->pv.ldt_base + (offset & PAGE_MASK));
	mfn = maddr_to_mfn(e & PTE_ADDR);
	f = e & PTE_P ? mfn_get_and_type(mfn, v->domain, FRAME_SEGDESC) : NULL;
	if (!f)
		return false;
	/* Only this vcpu fills it; others may empty it at any time. */
	if (!atomic_cmpxchg(slot, &none, mfn_to_maddr(mfn) | PTE_PERDOMAIN))
		frame_put_and_type(f);
	return true;
}

bool pv_map_wanted_ldt(void)
{
	uint32_t wanted = current->pv.ldt_wanted;

	return wanted && pv_map_ldt_page(wanted - 1);
}

/* Any CPU: the pages are mapped again when they are needed. */
void pv_invalidate_ldt(struct vcpu *v)
{
	uint64_t *slot = &v->pv.gdt_l1[LDT_L1_INDEX], old[LDT_PAGES];
	unsigned int i, found = 0;

	for (i = 0; i < LDT_PAGES; i++) {
		old[i] = READ_ONCE(slot[i]) ? atomic_xchg(&slot[i], 0) : 0;
		found += old[i] != 0;
	}
	if (!found)
		return;
	if (v == current)
		tlb_flush_local();
	else
		tlb_flush_mask(&v->dirty, false);
	for (i = 0; i < LDT_PAGES; i++)
		if (old[i])
			frame_put_and_type(mfn_to_frame(maddr_to_mfn(old[i] & PTE_ADDR)));
}
