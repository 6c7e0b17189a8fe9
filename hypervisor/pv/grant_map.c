// SPDX-License-Identifier: GPL-2.0-only
/*
 * Granted frames in a PV guest's page tables. The L1 entry holds references as any other
 * does, apart from those that the grant's own accounting has: so it does no harm when the
 * guest changes the entry by other means.
 */
#include "hypervisor/pv/page_tables.h"

/* An L1 entry held for a change. */
struct l1_slot {
	mfn_t table;
	uint64_t *entry;
};

/* By machine address of the entry, or by the linear address that it maps. */
static bool slot_open(struct l1_slot *s, uint64_t host_addr, uint32_t flags)
{
	uint64_t *l1;

	if (!(flags & GNTMAP_contains_pte)) {
		s->entry = pv_map_l1e(host_addr, &s->table);
		return s->entry != NULL;
	}
	s->table = maddr_to_mfn(host_addr);
	if ((host_addr & 7) || !l1_table_get(s->table, current->domain))
		return false;
	l1 = map_frame(s->table);
	s->entry = &l1[(host_addr & ~PAGE_MASK) / sizeof(uint64_t)];
	return true;
}

static void slot_close(struct l1_slot *s)
{
	pv_unmap_l1e(s->entry, s->table);
}

/* Bits 9-11 and 52-62 of an entry are software's: the guest chooses them in flags' 16 up.
 */
static uint64_t grant_entry(mfn_t mfn, uint32_t flags)
{
	uint64_t avail = flags >> _GNTMAP_guest_avail0;
	uint64_t e = mfn_to_maddr(mfn) | PTE_P | PTE_US | PTE_A;

	if (!(flags & GNTMAP_readonly))
		e |= PTE_RW | PTE_D;
	return e | (avail & 7) << 9 | (avail >> 3 & 0x7ff) << 52;
}

/* @cache: the granter's wish; always write-back, as the memory is. */
int16_t pv_grant_map(uint64_t host_addr, mfn_t mfn, uint32_t flags, unsigned int cache)
{
	struct frame *f = mfn_to_frame(mfn);
	uint64_t e = grant_entry(mfn, flags);
	struct l1_slot s;

	(void)cache;
	if (!slot_open(&s, host_addr, flags))
		return flags & GNTMAP_contains_pte ? GNTST_general_error
						   : GNTST_bad_virt_addr;
	if (!frame_get_again(f))
		goto refused;
	if ((e & PTE_RW) && frame_get_type(f, FRAME_WRITABLE)) {
		frame_put(f);
		goto refused;
	}
	l1e_put(atomic_xchg(s.entry, e));
	slot_close(&s);
	return GNTST_okay;

refused:
	slot_close(&s);
	return GNTST_general_error;
}

/* The entry that maps @new_addr leaves its place, with all that it holds. 0: none. */
static uint64_t take_entry(uint64_t new_addr)
{
	struct l1_slot s;
	uint64_t e;

	if (!slot_open(&s, new_addr, 0))
		return 0;
	e = atomic_xchg(s.entry, 0);
	slot_close(&s);
	return e;
}

static bool maps(uint64_t e, mfn_t mfn, uint32_t flags)
{
	return (e & PTE_P) && mfn_eq(pte_mfn(e), mfn) &&
	       !(e & PTE_RW) == !!(flags & GNTMAP_readonly);
}

int16_t pv_grant_unmap(uint64_t host_addr, mfn_t mfn, uint64_t new_addr, uint32_t flags)
{
	uint64_t old, new = 0;
	struct l1_slot s;
	bool done = false;

	if (new_addr && (flags & GNTMAP_contains_pte))
		return GNTST_general_error;
	if (!slot_open(&s, host_addr, flags))
		return flags & GNTMAP_contains_pte ? GNTST_general_error
						   : GNTST_bad_virt_addr;
	if (new_addr && maps(READ_ONCE(*s.entry), mfn, flags))
		new = take_entry(new_addr); /* not necessarily another entry */
	if (!new_addr || (new &PTE_P)) {
		old = READ_ONCE(*s.entry);
		/* The processor may set A and D, and others of the guest's vcpus
		 * anything. */
		while (maps(old, mfn, flags) && !done)
			done = atomic_cmpxchg(s.entry, &old, new);
	}
	l1e_put(done ? old : new);
	slot_close(&s);
	return done ? GNTST_okay : GNTST_general_error;
}
