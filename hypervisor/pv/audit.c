// SPDX-License-Identifier: GPL-2.0-only
/*
 * Debug key 'y': are the references there that page tables need? All other vcpus stand
 * still; every entry of every table in use is read, and what the frames' words must hold
 * at least is counted. Others hold references too (grants, vcpu_info, event queues): more
 * than was counted is no error here, less is one. A domain owns as many frames as it is
 * said to have, and maps others' by grants alone.
 */
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/boot/boot.h"
#include "hypervisor/grant/grant.h"

#define REPORT_MAX 20

/* Of a frame that a struct domain is in, nobody's to map: frames that this domain owns, and
 * L1 entries that it has for others' frames. */
struct tally {
	uint32_t refs, uses;
};

static struct {
	struct tally *tally; /* by frame number */
	uint64_t tables[5], entries, wrong;
} audit;

static void complain(const struct frame *f, const char *what)
{
	if (audit.wrong++ < REPORT_MAX)
		printk(LOG_ERR, "audit: frame %lx, count %lx, type %lx: %s\n",
		       frame_to_mfn(f).n, f->count, f->type, what);
}

static void count_use(struct frame *f, uint64_t type)
{
	struct tally *t = &audit.tally[frame_to_mfn(f).n];

	t->refs++;
	t->uses++;
	if ((f->type & FRAME_TYPE_MASK) != type)
		complain(f, "used as another type");
	else if (!(f->type & (FRAME_VALIDATED | FRAME_PARTIAL)))
		complain(f, "used unchecked");
}

static void count_entry(struct frame *table, unsigned int level, uint64_t e)
{
	struct frame *f;

	audit.entries++;
	if (!(e & PTE_US) || (e & PTE_G))
		complain(table, "an entry in a form that is not ours");
	if (level > 1 && is_linear(e, table))
		return;
	if (mfn_is_io(pte_mfn(e))) {
		if (level > 1)
			complain(table, "a table that is not memory");
		return;
	}
	f = mfn_to_frame(pte_mfn(e));
	if (f->count & FRAME_FREE ||
	    (f->count & (FRAME_HEAP | FRAME_SHARED_HV)) == FRAME_HEAP)
		complain(f, "mapped, and nobody's to map");
	else if (frame_owner(f) != frame_owner(table) && !(f->count & FRAME_SHARED_HV))
		audit.tally[table->owner].uses++;
	if (level > 1) {
		count_use(f, level_type(level - 1));
		if (frame_owner(f) != frame_owner(table))
			complain(f, "another's table");
	} else if (e & PTE_RW) {
		count_use(f, FRAME_WRITABLE);
	} else {
		audit.tally[pte_mfn(e).n].refs++;
	}
}

static void count_table(struct frame *f)
{
	uint64_t type = READ_ONCE(f->type);
	unsigned int level = type_level(type), n = PTES_PER_TABLE;
	const uint64_t *t;

	if (!level || !(type & FRAME_TYPE_COUNT_MASK) ||
	    (f->count & (FRAME_FREE | FRAME_HEAP)) || !frame_owner(f))
		return;
	if (type & FRAME_PARTIAL) {
		n = f->nr_validated;
		count_use(f, type & FRAME_TYPE_MASK);
	}
	if (type & FRAME_PINNED)
		count_use(f, type & FRAME_TYPE_MASK);
	audit.tables[level]++;
	t = map_frame(frame_to_mfn(f));
	for (unsigned int i = 0; i < n; i++)
		if ((t[i] & PTE_P) && !is_hv_slot(level, i))
			count_entry(f, level, t[i]);
	unmap_frame(t);
}

static void count_roots(const struct vcpu *v)
{
	if (v->pv.kernel_root.n)
		count_use(mfn_to_frame(v->pv.kernel_root), FRAME_L4);
	if (v->pv.user_root.n)
		count_use(mfn_to_frame(v->pv.user_root), FRAME_L4);
}

static void for_each_other_vcpu(void (*fn)(struct vcpu *v))
{
	struct domain *d = NULL;
	struct vcpu *v;
	unsigned int i;

	while ((d = domain_next(d)))
		for_each_vcpu(d, v, i) if (v != current) fn(v);
}

static void compare(void)
{
	for (uint64_t n = 0; n < max_frame; n++) {
		const struct tally *t = &audit.tally[n];
		const struct frame *f = mfn_to_frame(MFN(n));

		/* Of the hypervisor's own, the tally is something else: see there. */
		if (!t->refs || (f->count & (FRAME_HEAP | FRAME_SHARED_HV)) == FRAME_HEAP)
			continue;
		if ((f->count & FRAME_COUNT_MASK) < t->refs)
			complain(f, "too few references");
		if ((f->type & FRAME_TYPE_COUNT_MASK) < t->uses)
			complain(f, "too few uses");
	}
}

/* Others' frames are mapped by grants alone, unless by who may map anything. */
static void compare_domain(const struct domain *d)
{
	struct tally *t = &audit.tally[virt_to_mfn(d).n];
	uint64_t maps = grant_maps(d);

	if (t->refs != d->tot_pages || (t->uses > maps && !d->control && !d->target)) {
		audit.wrong++;
		printk(LOG_ERR, "audit: d%u has %u pages, says %u; %u entries for %lu grants\n",
		       d->domid, t->refs, d->tot_pages, t->uses, maps);
	}
	*t = (struct tally){0};
}

static void count_owned(const struct frame *f)
{
	if (f->owner && !(f->count & (FRAME_HEAP | FRAME_FREE)))
		audit.tally[f->owner].refs++;
}

static void run_audit(void)
{
	unsigned int order = order_of(max_frame * sizeof(struct tally));
	struct domain *d = NULL;
	struct vcpu *v;
	unsigned int i;

	memset(&audit, 0, sizeof(audit));
	audit.tally = order <= MAX_ORDER ? heap_pages(order) : NULL;
	if (!audit.tally) {
		printk(LOG_ERR, "audit: no memory\n");
		return;
	}
	for_each_other_vcpu(vcpu_pause);
	for (uint64_t n = 0; n < max_frame; n++)
		if (mfn_valid(MFN(n))) {
			count_owned(mfn_to_frame(MFN(n)));
			count_table(mfn_to_frame(MFN(n)));
		}
	while ((d = domain_next(d))) {
		for_each_vcpu(d, v, i) count_roots(v);
		compare_domain(d);
	}
	compare();
	for_each_other_vcpu(vcpu_unpause);
	heap_free(audit.tally, order);
	printk(LOG_ERR, "audit: %lu L1, %lu L2, %lu L3, %lu L4, %lu entries: %lu wrong\n",
	       audit.tables[1], audit.tables[2], audit.tables[3], audit.tables[4],
	       audit.entries, audit.wrong);
}

void pv_audit_init(void)
{
	debug_key_add('y', "audit page tables and references", run_audit);
}
