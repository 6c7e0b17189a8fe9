// SPDX-License-Identifier: GPL-2.0-only
/* Debug keys 'H' and 'm': the heap, and the frames that dead domains cannot give back. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/mm/mm_internal.h"

#define SHOWN 8

/* Who maps it: every checked L1 table is looked through, of whatever domain. */
static void show_mappings(uint64_t mfn)
{
	for (uint64_t n = 1; n < max_frame; n++) {
		const struct frame *t = mfn_valid(MFN(n)) ? &frame_table[n] : NULL;
		const uint64_t *l1;

		if (!t || (t->type & FRAME_TYPE_MASK) != FRAME_L1 || !(t->type & FRAME_VALIDATED) ||
		    !frame_owner(t))
			continue;
		l1 = map_frame(MFN(n));
		for (unsigned int i = 0; i < 512; i++)
			if (l1[i] & PTE_P && maddr_to_mfn(l1[i] & PTE_ADDR).n == mfn)
				printk(LOG_INFO, "      by d%u, table %lx[%u]: %lx\n",
				       frame_owner(t)->domid, (unsigned long)n, i,
				       (unsigned long)l1[i]);
		unmap_frame(l1);
	}
}

static void show_frame(uint32_t n)
{
	const struct frame *f = &frame_table[n];

	printk(LOG_INFO, "    frame %x: pfn %lx count %016lx type %016lx\n", n, m2p_get(MFN(n)).n,
	       f->count, f->type);
	show_mappings(n);
}

static void show_domain(struct domain *d)
{
	unsigned int shown = 0;

	printk(LOG_INFO, "d%u: %u pages of %u, %u of ours, claims %u\n", d->domid, d->tot_pages,
	       d->max_pages, d->xenheap_pages, d->outstanding_pages);
	if (d->dying == ALIVE)
		return;
	/* Without the lock: it may be what hangs. A list that changes ends early. */
	for (uint32_t n = READ_ONCE(d->first_page); n && n < max_frame && shown < SHOWN;
	     n = READ_ONCE(frame_table[n].next), shown++)
		show_frame(n);
}

static void show(void)
{
	struct domain *d = NULL;

	for (unsigned int i = 0; i < numa_nodes(); i++)
		printk(LOG_INFO, "node %u: %lu frames free of %lu, %lu to be scrubbed\n", i,
		       buddy_free_frames(i), numa_node_frames(i), buddy_dirty_frames(i));
	printk(LOG_INFO, "claimed: %lu\n", outstanding_claims());
	while ((d = domain_next(d)))
		show_domain(d);
}

void dump_init(void)
{
	debug_key_add('H', "dump heap info", show);
	debug_key_add('m', "memory info", show);
}
