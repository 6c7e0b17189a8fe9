// SPDX-License-Identifier: GPL-2.0-only
/*
 * PV page tables: trees that may be and may not be, updates, interruptions; random calls
 * of a guest, after each of which all references are counted again from the tables; and
 * emulated writes against the processor's own.
 */
#include <pthread.h>
#include <sys/mman.h>

#include "tests/unit/hv_guest.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/pv/page_tables.h"

#define RW    (PTE_P | PTE_RW | PTE_A | PTE_D)
#define RO    (PTE_P | PTE_A)
#define PAGES 48u

static struct domain *d, *other;
static struct vcpu *v;
static struct frame *page[PAGES];
static unsigned int cr3_writes;

/* ---- what other folders have ---- */

struct acpi_info acpi;
uint64_t idle_l4[512];

void hv_fill_root(uint64_t *l4, const struct domain *dom)
{
	(void)dom;
	for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		l4[i] = 0x8000000000000000 | i << PAGE_SHIFT | PTE_P;
}

bool pv_check_descriptor(const struct domain *dom, uint64_t *desc)
{
	(void)dom;
	return *desc != 0xbad;
}

void pv_write_cr3(struct vcpu *w)
{
	(void)w;
	cr3_writes++;
}

void pv_load_ldt(struct vcpu *w)
{
	(void)w;
}

void pv_invalidate_ldt(struct vcpu *w)
{
	(void)w;
}

void tlb_flush_va_local(uint64_t va)
{
	(void)va;
}

void tlb_flush_va_mask(const struct cpumask *mask, uint64_t va)
{
	(void)mask, (void)va;
}

void wbinvd(void)
{
}

void on_cpus(const struct cpumask *mask, void (*fn)(void *), void *arg)
{
	(void)mask, (void)fn, (void)arg;
}

void sync_vcpu_state(struct vcpu *w)
{
	(void)w;
}

void pv_inject(unsigned int vector, uint32_t error_code)
{
	(void)vector, (void)error_code;
}

static struct {
	unsigned int bus, devfn, reg, bytes;
	uint32_t value;
} pci_written;

void pci_write(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg,
	       unsigned int bytes, uint32_t value)
{
	(void)seg;
	pci_written.bus = bus;
	pci_written.devfn = devfn;
	pci_written.reg = reg;
	pci_written.bytes = bytes;
	pci_written.value = value;
}

/* ---- helpers ---- */

static uint64_t *table_of(struct frame *f)
{
	return mfn_to_virt(frame_to_mfn(f));
}

static uint64_t maddr(struct frame *f)
{
	return mfn_to_maddr(frame_to_mfn(f));
}

static uint64_t refs_of(const struct frame *f)
{
	return f->count & FRAME_COUNT_MASK;
}

static uint64_t uses_of(const struct frame *f)
{
	return f->type & FRAME_TYPE_COUNT_MASK;
}

static uint64_t type_of(const struct frame *f)
{
	return f->type & FRAME_TYPE_MASK;
}

/* A call as a guest makes it: again as long as it is to be continued. */
static long mmuext_times(unsigned int cmd, uint64_t arg1, uint64_t arg2,
			 unsigned int preempted)
{
	struct mmuext_op op = {.cmd = cmd, .arg1.mfn = arg1, .arg2.src_mfn = arg2};
	uint64_t uops = (uint64_t)&op, count = 1;
	long rc;

	for (;;) {
		guest_continued.made = false;
		guest_preempt(preempted != 0);
		rc = do_mmuext_op(uops, (unsigned int)count, 0, DOMID_SELF);
		guest_preempt(false);
		if (!guest_continued.made)
			return rc;
		uops = guest_continued.arg[0];
		count = guest_continued.arg[1];
		if (preempted)
			preempted--;
	}
}

static long mmuext(unsigned int cmd, uint64_t arg1)
{
	return mmuext_times(cmd, arg1, 0, 0);
}

static long pin(struct frame *f, unsigned int level)
{
	return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, frame_to_mfn(f).n);
}

static long unpin(struct frame *f)
{
	return mmuext(MMUEXT_UNPIN_TABLE, frame_to_mfn(f).n);
}

static long update_times(uint64_t ptr, uint64_t val, unsigned int foreigndom,
			 unsigned int preempted)
{
	struct mmu_update req = {.ptr = ptr, .val = val};
	uint64_t ureqs = (uint64_t)&req, count = 1;
	long rc;

	for (;;) {
		guest_continued.made = false;
		guest_preempt(preempted != 0);
		rc = do_mmu_update(ureqs, (unsigned int)count, 0, foreigndom);
		guest_preempt(false);
		if (!guest_continued.made)
			return rc;
		ureqs = guest_continued.arg[0];
		count = guest_continued.arg[1];
		if (preempted)
			preempted--;
	}
}

static long update(struct frame *table, unsigned int i, uint64_t val)
{
	return update_times(maddr(table) + i * 8, val, DOMID_SELF, 0);
}

/* ---- the audit: every reference, counted from what is there ---- */

struct count {
	uint64_t refs, uses;
	bool writable;
	unsigned int level; /* as which table it is pointed at; 0 */
};
static struct count *expected; /* by frame number */

static struct count *expect(mfn_t mfn)
{
	return &expected[mfn.n];
}

static void expect_table(struct frame *f, unsigned int level)
{
	struct count *c = expect(frame_to_mfn(f));

	c->refs++;
	c->uses++;
	CU_ASSERT(!c->level || c->level == level);
	c->level = level;
}

static void audit_entries(struct frame *f)
{
	unsigned int level = type_level(f->type), n = PTES_PER_TABLE;
	const uint64_t *t = table_of(f);

	if (!level || !(f->type & (FRAME_VALIDATED | FRAME_PARTIAL)) || !uses_of(f))
		return;
	if (f->type & FRAME_PARTIAL) {
		n = f->nr_validated;
		if (f->partial)
			expect(pte_mfn(t[n]))->refs++;
		expect_table(f, level);
	}
	for (unsigned int i = 0; i < n; i++) {
		if (!(t[i] & PTE_P) || is_hv_slot(level, i))
			continue;
		CU_ASSERT(t[i] & PTE_US);
		CU_ASSERT_FALSE(t[i] & PTE_G);
		if (level == 1) {
			if (mfn_is_io(pte_mfn(t[i])))
				continue;
			expect(pte_mfn(t[i]))->refs++;
			if (t[i] & PTE_RW) {
				expect(pte_mfn(t[i]))->uses++;
				expect(pte_mfn(t[i]))->writable = true;
			}
		} else if (!is_linear(t[i], f)) {
			expect_table(mfn_to_frame(pte_mfn(t[i])), level - 1);
		}
	}
}

static void audit(void)
{
	struct frame *f;
	unsigned int i;

	memset(expected, 0, MACHINE_FRAMES * sizeof(*expected));
	for (i = 0; i < PAGES; i++) {
		f = page[i];
		expect(frame_to_mfn(f))->refs++; /* the owner's */
		if (f->type & FRAME_PINNED)
			expect_table(f, type_level(f->type));
		audit_entries(f);
	}
	for (i = 0; i < d->max_vcpus; i++) {
		const struct pv_vcpu *pv = &d->vcpu[i]->pv;

		if (pv->kernel_root.n)
			expect_table(mfn_to_frame(pv->kernel_root), 4);
		if (pv->user_root.n)
			expect_table(mfn_to_frame(pv->user_root), 4);
		for (unsigned int k = 0; k < ARRAY_SIZE(pv->old_table); k++)
			if (pv->old_table[k])
				expect(frame_to_mfn(pv->old_table[k]))->refs++;
	}

	for (i = 0; i < PAGES; i++) {
		const struct count *c = expect(frame_to_mfn(page[i]));

		f = page[i];
		CU_ASSERT_EQUAL(refs_of(f), c->refs);
		CU_ASSERT_EQUAL(uses_of(f), c->uses);
		CU_ASSERT_FALSE(c->writable && c->level);
		if (c->writable)
			CU_ASSERT_EQUAL(type_of(f), FRAME_WRITABLE);
		if (c->level)
			CU_ASSERT_EQUAL(type_of(f), level_type(c->level));
		if (c->refs != refs_of(f) || c->uses != uses_of(f))
			fprintf(stderr,
				"page %u: type %lx, %lu references (%lu), %lu uses "
				"(%lu)\n",
				i, f->type >> 56, refs_of(f), c->refs, uses_of(f),
				c->uses);
	}
}

/* ---- a tree: page 0 L4, 1 L3, 2 L2, 3 L1, which maps pages 0-3 and 4 read-only, 5 to 7
 * writable ---- */
#define VA(i4, i3, i2, i1)                                                               \
	((uint64_t)(i4) << 39 | (uint64_t)(i3) << 30 | (i2) << 21 | (i1) << 12)

static void clear_pages(void)
{
	for (unsigned int i = 0; i < PAGES; i++)
		memset(table_of(page[i]), 0, PAGE_SIZE);
}

static void make_tree(void)
{
	clear_pages();
	table_of(page[0])[3] = maddr(page[1]) | RW;
	table_of(page[1])[5] = maddr(page[2]) | RW;
	table_of(page[2])[7] = maddr(page[3]) | RW;
	for (unsigned int i = 0; i < 5; i++)
		table_of(page[3])[i] = maddr(page[i]) | RO;
	for (unsigned int i = 5; i < 8; i++)
		table_of(page[3])[i] = maddr(page[i]) | RW;
}

static void all_free(void)
{
	audit();
	for (unsigned int i = 0; i < PAGES; i++) {
		CU_ASSERT_EQUAL(refs_of(page[i]), 1);
		CU_ASSERT_EQUAL(uses_of(page[i]), 0);
		CU_ASSERT_EQUAL(page[i]->type & (FRAME_PINNED | FRAME_PARTIAL), 0);
	}
}

static void test_tree(void)
{
	make_tree();
	CU_ASSERT_EQUAL(pin(page[0], 4), 0);
	audit();
	CU_ASSERT_EQUAL(type_of(page[0]), FRAME_L4);
	CU_ASSERT_EQUAL(type_of(page[3]), FRAME_L1);
	CU_ASSERT_EQUAL(type_of(page[5]), FRAME_WRITABLE);
	CU_ASSERT_EQUAL(refs_of(page[0]), 3); /* owner, pin, a mapping */
	CU_ASSERT_EQUAL(uses_of(page[0]), 1);
	CU_ASSERT_NOT_EQUAL(table_of(page[0])[HV_FIRST_SLOT + 1], 0);
	CU_ASSERT_EQUAL(pin(page[0], 4), -EINVAL);
	CU_ASSERT_EQUAL(pin(page[0], 3), -EINVAL);
	CU_ASSERT_EQUAL(pin(page[5], 1), -EINVAL); /* mapped writable */
	audit();

	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, frame_to_mfn(page[0]).n), 0);
	CU_ASSERT_EQUAL(uses_of(page[0]), 2);
	CU_ASSERT_EQUAL(unpin(page[0]), 0);
	CU_ASSERT_EQUAL(unpin(page[0]), -EINVAL);
	CU_ASSERT_EQUAL(type_of(page[2]), FRAME_L2);
	CU_ASSERT_EQUAL(uses_of(page[2]), 1);
	audit();
	CU_ASSERT_EQUAL(pv_relinquish_page_tables(d), 0);
	CU_ASSERT_EQUAL(table_of(page[0])[HV_FIRST_SLOT + 1], 0);
	all_free();
}

static void refused_as(long rc, struct frame *table, unsigned int i, uint64_t entry)
{
	make_tree();
	table_of(table)[i] = entry;
	CU_ASSERT_EQUAL(pin(page[0], 4), rc);
	all_free();
}

static void refused(struct frame *table, unsigned int i, uint64_t entry)
{
	refused_as(-EINVAL, table, i, entry);
}

static void test_refused(void)
{
	struct frame *foreign = guest_page(other);
	uint64_t hole = (uint64_t)HOLE_START << PAGE_SHIFT;

	refused_as(-EBUSY, page[3], 8, maddr(page[3]) | RW); /* itself */
	refused_as(-EBUSY, page[3], 8, maddr(page[0]) | RW); /* a table above */
	refused_as(-EBUSY, page[3], 511, maddr(page[2]) | RW);
	refused_as(-EBUSY, page[3], 8, maddr(foreign) | RO); /* another's */
	refused_as(-EBUSY, page[3], 8, maddr(foreign) | RW);
	refused_as(-EPERM, page[3], 8, hole | RO); /* device memory without the right */
	refused_as(-EPERM, page[3], 8, 0x000ffffffffff000 | RO);
	refused_as(-EBUSY, page[3], 8, mfn_to_maddr(virt_to_mfn(d)) | RO); /* the hypervisor's */
	refused(page[2], 8, maddr(page[3]) | RW | PTE_PS);
	refused(page[2], 8, maddr(page[3]) | RW | PTE_G);
	refused(page[2], 8, maddr(page[3]) | RW | PTE_PCD);
	refused(page[2], 8, maddr(page[1]) | RW); /* wrong level */
	refused(page[2], 8, maddr(page[2]) | RW); /* linear, but writable */
	refused(page[2], 8, maddr(foreign) | RW);
	refused(page[2], 8, hole | RW);
	refused(page[1], 8, maddr(page[3]) | RW);
	refused(page[1], 511, maddr(page[5]) | RW); /* used as L2 and mapped writable */
	refused(page[0], 511, maddr(page[0]) | RW);
	refused(page[0], 511, maddr(page[0]) | RO); /* a way to the hypervisor's tables */
	refused(page[0], 511, maddr(page[2]) | RO); /* linear is the same table only */
	CU_ASSERT_EQUAL(refs_of(foreign), 1);

	d->pv_state.check_absent = true;
	refused(page[3], 100, maddr(page[4]));
	d->pv_state.check_absent = false;
	frame_put_allocated(foreign);
}

static void test_accepted(void)
{
	make_tree();
	table_of(page[1])[9] = maddr(page[1]) | RO; /* linear */
	table_of(page[2])[500] = maddr(page[2]) | RO;
	table_of(page[0])[HV_FIRST_SLOT] = maddr(page[0]) | RW; /* not looked at */
	table_of(page[2])[9] = maddr(page[3]) | RW;             /* an L1 twice */
	table_of(page[3])[9] = maddr(page[4]) | RO | PTE_NX | PTE_G | PTE_PCD |
			       7ull << 9 | 0x7full << 52;
	table_of(page[3])[10] = 0xdead000 | PTE_D;
	CU_ASSERT_EQUAL(pin(page[0], 4), 0);
	audit();
	CU_ASSERT_EQUAL(uses_of(page[0]), 1);
	CU_ASSERT_EQUAL(uses_of(page[3]), 2);
	/* In the form that is kept: user, not global, write-back. */
	CU_ASSERT_EQUAL(table_of(page[3])[9], maddr(page[4]) | RO | PTE_US | PTE_NX |
						      7ull << 9 | 0x7full << 52);
	CU_ASSERT_EQUAL(table_of(page[3])[10], 0xdead000 | PTE_D);
	CU_ASSERT_EQUAL(unpin(page[0]), 0);
	all_free();
}

static void test_descriptors(void)
{
	clear_pages();
	CU_ASSERT(frame_get_and_type(page[0], d, FRAME_SEGDESC));
	CU_ASSERT_FALSE(frame_get_and_type(page[0], d, FRAME_WRITABLE));
	CU_ASSERT_EQUAL(pin(page[0], 1), -EINVAL);
	frame_put_and_type(page[0]);
	table_of(page[0])[511] = 0xbad;
	CU_ASSERT_FALSE(frame_get_and_type(page[0], d, FRAME_SEGDESC));
	all_free();
}

static void test_updates(void)
{
	struct frame *foreign = guest_page(other);
	const uint64_t ad = PTE_A | PTE_D;
	uint64_t *l1;

	make_tree();
	CU_ASSERT_EQUAL(pin(page[0], 4), 0);
	l1 = table_of(page[3]);

	CU_ASSERT_EQUAL(update(page[3], 20, maddr(page[8]) | RW), 0);
	CU_ASSERT_EQUAL(type_of(page[8]), FRAME_WRITABLE);
	audit();
	CU_ASSERT_EQUAL(update(page[3], 20, maddr(page[8]) | RO | PTE_NX),
			0); /* drops writing */
	CU_ASSERT_EQUAL(uses_of(page[8]), 0);
	CU_ASSERT_EQUAL(l1[20], maddr(page[8]) | RO | PTE_NX | PTE_US);
	CU_ASSERT_EQUAL(update(page[3], 20, maddr(page[8]) | RO), 0); /* flags alone */
	audit();
	CU_ASSERT_EQUAL(update(page[3], 20, maddr(page[1]) | RW), -EBUSY);
	CU_ASSERT_EQUAL(l1[20], maddr(page[8]) | RO | PTE_US);
	CU_ASSERT_EQUAL(update(page[3], 3, maddr(page[3]) | RW),
			-EBUSY); /* from RO to RW */
	CU_ASSERT_EQUAL(update(page[3], 20, maddr(foreign) | RO), -EBUSY);
	audit();
	CU_ASSERT_EQUAL(update(page[3], 20, 0), 0);
	CU_ASSERT_EQUAL(refs_of(page[8]), 1);

	/* A and D of the present entry. */
	l1[5] |= ad;
	CU_ASSERT_EQUAL(update_times(maddr(page[3]) + 5 * 8 + MMU_PT_UPDATE_PRESERVE_AD,
				     maddr(page[5]) | PTE_P | PTE_RW, DOMID_SELF, 0),
			0);
	CU_ASSERT_EQUAL(l1[5] & ad, ad);
	CU_ASSERT_EQUAL(update(page[3], 5, maddr(page[5]) | PTE_P | PTE_RW), 0);
	CU_ASSERT_EQUAL(l1[5] & ad, 0);
	CU_ASSERT_EQUAL(update_times(maddr(page[3]) + 6 * 8 + MMU_PT_UPDATE_PRESERVE_AD,
				     maddr(page[9]) | PTE_P, DOMID_SELF, 0),
			0);
	CU_ASSERT_EQUAL(l1[6], maddr(page[9]) | PTE_P | PTE_US | ad);
	audit();

	/* Upper levels. */
	CU_ASSERT_EQUAL(update(page[2], 8, maddr(page[10]) | RW), 0);
	CU_ASSERT_EQUAL(type_of(page[10]), FRAME_L1);
	audit();
	CU_ASSERT_EQUAL(update(page[2], 8, maddr(page[10]) | RO), 0);
	CU_ASSERT_EQUAL(update(page[2], 8, maddr(page[5]) | RW), -EINVAL);
	CU_ASSERT_EQUAL(update(page[0], HV_FIRST_SLOT, maddr(page[1]) | RW), -EINVAL);
	CU_ASSERT_EQUAL(update(page[0], HV_LAST_SLOT, 0), -EINVAL);
	CU_ASSERT_EQUAL(update(page[0], HV_LAST_SLOT + 1, maddr(page[1]) | RW), 0);
	CU_ASSERT_EQUAL(update(page[1], 9, maddr(page[1]) | RO), 0);
	CU_ASSERT_EQUAL(update(page[1], 9, maddr(page[1]) | RW), -EINVAL);
	CU_ASSERT_EQUAL(update(page[1], 9, 0), 0);
	CU_ASSERT_EQUAL(update(page[0], 9, maddr(page[0]) | RO), -EINVAL);
	audit();
	CU_ASSERT_EQUAL(update(page[0], 3, 0), 0);
	CU_ASSERT_EQUAL(update(page[0], HV_LAST_SLOT + 1, 0), 0);
	CU_ASSERT_EQUAL(uses_of(page[1]), 0);
	CU_ASSERT_EQUAL(uses_of(page[3]), 0);
	audit();

	/* What is no table is written as it is; what is another's is not. */
	CU_ASSERT_EQUAL(update(page[20], 5, maddr(foreign) | RW), 0);
	CU_ASSERT_EQUAL(table_of(page[20])[5], maddr(foreign) | RW);
	CU_ASSERT_EQUAL(update(foreign, 5, 0), -EINVAL);
	CU_ASSERT_EQUAL(update_times(maddr(page[20]) + 4, 0, DOMID_SELF, 0), -EINVAL);
	CU_ASSERT_EQUAL(update_times(~7ull, 0, DOMID_SELF, 0), -EINVAL);
	CU_ASSERT_EQUAL(unpin(page[0]), 0);
	all_free();

	CU_ASSERT_EQUAL(
		update_times(maddr(page[20]) | MMU_MACHPHYS_UPDATE, 1234, DOMID_SELF, 0),
		0);
	CU_ASSERT_EQUAL(m2p[frame_to_mfn(page[20]).n], 1234);
	CU_ASSERT_EQUAL(
		update_times(maddr(foreign) | MMU_MACHPHYS_UPDATE, 1, DOMID_SELF, 0),
		-EINVAL);
	frame_put_allocated(foreign);
}

static void test_foreign(void)
{
	struct frame *foreign = guest_page(other), *table = guest_page(other);
	unsigned int theirs = other->domid, pfd = (other->domid + 1u) << 16;

	make_tree();
	CU_ASSERT_EQUAL(pin(page[3], 1), 0);
	CU_ASSERT_EQUAL(
		update_times(maddr(page[3]) + 160, maddr(foreign) | RW, theirs, 0),
		-EPERM);
	CU_ASSERT_EQUAL(update_times(maddr(page[3]) + 160, maddr(foreign) | RW, 7, 0),
			-ESRCH);
	d->control = 1;
	CU_ASSERT_EQUAL(
		update_times(maddr(page[3]) + 160, maddr(foreign) | RW, theirs, 0), 0);
	CU_ASSERT_EQUAL(refs_of(foreign), 2);
	CU_ASSERT_EQUAL(type_of(foreign), FRAME_WRITABLE);
	CU_ASSERT_EQUAL(
		update_times(maddr(page[3]) + 168, maddr(page[9]) | RW, theirs, 0),
		-EBUSY);
	CU_ASSERT_EQUAL(update_times(maddr(page[3]) + 160, 0, DOMID_SELF, 0), 0);
	CU_ASSERT_EQUAL(refs_of(foreign), 1);

	/* Another's tables. */
	memset(table_of(table), 0, PAGE_SIZE);
	CU_ASSERT(frame_get_and_type(table, other, FRAME_L1));
	CU_ASSERT_EQUAL(update_times(maddr(table), maddr(foreign) | RW, theirs | pfd, 0),
			0);
	CU_ASSERT_EQUAL(
		update_times(maddr(table) + 8, maddr(page[9]) | RW, DOMID_SELF | pfd, 0),
		0);
	CU_ASSERT_EQUAL(refs_of(page[9]), 2);
	CU_ASSERT_EQUAL(update_times(maddr(table), 0, DOMID_SELF, 0), -EINVAL);
	frame_put_and_type(table);
	CU_ASSERT_EQUAL(refs_of(page[9]), 1);
	CU_ASSERT_EQUAL(refs_of(foreign), 1);
	d->control = 0;
	CU_ASSERT_EQUAL(update_times(maddr(table), 0, DOMID_SELF | pfd, 0), -EPERM);
	CU_ASSERT_EQUAL(unpin(page[3]), 0);
	CU_ASSERT_EQUAL(machine_domain_refs, 2); /* by two domains that have pages */
	frame_put_allocated(foreign);
	frame_put_allocated(table);
	all_free();
}

static void test_devices(void)
{
	uint64_t io = (uint64_t)MACHINE_FRAMES << PAGE_SHIFT, ro = (uint64_t)HOLE_START << PAGE_SHIFT;
	struct frame *foreign = guest_page(other);

	make_tree();
	frame_set_owner(foreign, dom_io); /* as device memory among RAM's */
	CU_ASSERT_EQUAL(update_times(maddr(foreign) | MMU_MACHPHYS_UPDATE, 1, DOMID_IO, 0),
			-EINVAL);
	frame_set_owner(foreign, other);
	frame_put_allocated(foreign);
	CU_ASSERT_EQUAL(pin(page[3], 1), 0);
	CU_ASSERT_EQUAL(update(page[3], 30, io | RW), -EPERM);
	d->iomem = rangeset_create();
	rangeset_add(d->iomem, MACHINE_FRAMES, MACHINE_FRAMES + 9);
	rangeset_add(d->iomem, HOLE_START, HOLE_START);
	acpi.mmconfig_base = ro;

	CU_ASSERT_EQUAL(update(page[3], 30, io | RW | PTE_PCD | PTE_PWT), 0);
	CU_ASSERT_EQUAL(table_of(page[3])[30], io | RW | PTE_PCD | PTE_PWT | PTE_US);
	CU_ASSERT_EQUAL(update(page[3], 31, ro | RW), 0);
	CU_ASSERT_EQUAL(table_of(page[3])[31], (ro | RW | PTE_US) & ~PTE_RW);
	CU_ASSERT_EQUAL(update(page[3], 32, (io + 10 * PAGE_SIZE) | RO), -EPERM);
	CU_ASSERT_EQUAL(update_times(maddr(page[3]) + 33 * 8, io | RO, DOMID_IO, 0), 0);
	CU_ASSERT_EQUAL(
		update_times(maddr(page[3]) + 34 * 8, maddr(page[9]) | RO, DOMID_IO, 0),
		-EBUSY);
	/* With devices the guest chooses how memory is cached. */
	CU_ASSERT_EQUAL(update(page[3], 35, maddr(page[9]) | RO | PTE_PAT), 0);
	CU_ASSERT_EQUAL(table_of(page[3])[35], maddr(page[9]) | RO | PTE_PAT | PTE_US);
	audit();
	CU_ASSERT_EQUAL(unpin(page[3]), 0);
	all_free();
	rangeset_destroy(d->iomem);
	d->iomem = NULL;
	acpi.mmconfig_base = 0;
}

/* ---- interrupted ---- */

static void test_preempted(void)
{
	struct frame *l2 = page[2];
	unsigned int times;

	for (times = 1; times < 40; times++) {
		make_tree();
		for (unsigned int i = 10; i < 20; i++)
			table_of(l2)[i * 3] = maddr(page[i]) | RW;
		CU_ASSERT_EQUAL(mmuext_times(MMUEXT_PIN_L4_TABLE, frame_to_mfn(page[0]).n,
					     0, times),
				0);
		audit();
		CU_ASSERT_EQUAL(mmuext_times(MMUEXT_UNPIN_TABLE, frame_to_mfn(page[0]).n,
					     0, times),
				0);
		all_free();
	}
}

/* A guest that does not go on; and one whose tables turn out wrong late. */
static void test_abandoned(void)
{
	struct mmuext_op op = {.cmd = MMUEXT_PIN_L4_TABLE,
			       .arg1.mfn = frame_to_mfn(page[0]).n};

	make_tree();
	table_of(page[2])[8] = maddr(page[10]) | RW;
	guest_preempt(true);
	do_mmuext_op((uint64_t)&op, 1, 0, DOMID_SELF);
	do_mmuext_op((uint64_t)&op, 1, 0, DOMID_SELF);
	guest_preempt(false);
	audit();
	CU_ASSERT((page[0]->type & FRAME_PARTIAL) != 0);
	CU_ASSERT_EQUAL(update(page[0], 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(update(page[3], 4, maddr(page[0]) | RW), -EBUSY);
	CU_ASSERT_EQUAL(pin(page[0], 3), -EINVAL);
	audit();
	while (pv_relinquish_page_tables(d))
		;
	all_free();

	make_tree();
	table_of(page[0])[500] = maddr(page[5]) | RW; /* a page mapped writable */
	CU_ASSERT_EQUAL(mmuext_times(MMUEXT_PIN_L4_TABLE, frame_to_mfn(page[0]).n, 0, 30),
			-EINVAL);
	audit();
	while (pv_relinquish_page_tables(d))
		;
	all_free();
}

/* A teardown is interrupted, and another vcpu wants the table again meanwhile. */
static void test_wanted_again(void)
{
	struct mmuext_op op = {.cmd = MMUEXT_UNPIN_TABLE,
			       .arg1.mfn = frame_to_mfn(page[0]).n};
	unsigned int halves = 0;
	int rc;

	for (unsigned int steps = 1; steps < 12; steps++) {
		make_tree();
		for (unsigned int i = 10; i < 20; i++)
			table_of(page[2])[i * 3] = maddr(page[i]) | RW;
		table_of(page[1])[400] = maddr(page[21]) | RW;
		CU_ASSERT_EQUAL(pin(page[0], 4), 0);
		guest_preempt(true);
		do_mmuext_op((uint64_t)&op, 1, 0, DOMID_SELF);
		for (unsigned int i = 1; i < steps; i++)
			pv_finish_tables(v);
		guest_preempt(false);
		halves += page[0]->partial;
		audit();
		CU_ASSERT(frame_get(page[0], d));
		guest_preempt(true);
		while (rc = frame_get_type_preemptible(page[0], FRAME_L4),
		       rc == -ERESTART)
			;
		guest_preempt(false);
		CU_ASSERT_EQUAL(rc, 0);
		CU_ASSERT_EQUAL(pv_finish_tables(v), 0);
		CU_ASSERT_EQUAL(uses_of(page[0]), 1);
		CU_ASSERT_EQUAL(uses_of(page[10]), 1);
		frame_put_and_type(page[0]);
		all_free();
	}
	CU_ASSERT(halves > 5);
}

static void test_roots(void)
{
	make_tree();
	cr3_writes = 0;
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, frame_to_mfn(page[0]).n), 0);
	CU_ASSERT_EQUAL(cr3_writes, 1);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, 0), -EINVAL);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, frame_to_mfn(page[1]).n), -EINVAL);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, ~0ull), -EINVAL);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_USER_BASEPTR, frame_to_mfn(page[11]).n), 0);
	CU_ASSERT_EQUAL(type_of(page[11]), FRAME_L4);
	CU_ASSERT_EQUAL(table_of(page[11])[HV_FIRST_SLOT], 0); /* users see no M2P */
	CU_ASSERT_EQUAL(cr3_writes, 1);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_USER_BASEPTR, frame_to_mfn(page[0]).n), 0);
	CU_ASSERT_EQUAL(uses_of(page[0]), 2);
	CU_ASSERT_EQUAL(uses_of(page[11]), 0);
	audit();
	v->pv.kernel_mode = false; /* the root that is loaded cannot go */
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_USER_BASEPTR, 0), -EINVAL);
	v->pv.kernel_mode = true;
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_USER_BASEPTR, 0), 0);
	CU_ASSERT_EQUAL(mmuext_times(MMUEXT_NEW_BASEPTR, frame_to_mfn(page[12]).n, 0, 9),
			0);
	CU_ASSERT_EQUAL(uses_of(page[3]), 0);
	audit();
	CU_ASSERT_EQUAL(pv_drop_roots(v), 0);
	all_free();
}

static void test_va(void)
{
	uint64_t va = VA(3, 5, 7, 4);

	make_tree();
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, frame_to_mfn(page[0]).n), 0);
	CU_ASSERT_EQUAL(pv_read_l1e(va), maddr(page[4]) | RO | PTE_US);
	CU_ASSERT_EQUAL(do_update_va_mapping(va, maddr(page[9]) | RW, UVMF_NONE), 0);
	CU_ASSERT_EQUAL(pv_read_l1e(va), maddr(page[9]) | RW | PTE_US);
	CU_ASSERT_EQUAL(do_update_va_mapping(VA(3, 5, 8, 4), 0, UVMF_NONE), -EINVAL);
	CU_ASSERT_EQUAL(do_update_va_mapping(HV_VIRT_START, 0, UVMF_NONE), -EINVAL);
	CU_ASSERT_EQUAL(do_update_va_mapping(1ull << 60, 0, UVMF_NONE), -EINVAL);
	CU_ASSERT_EQUAL(do_update_va_mapping(va, maddr(page[0]) | RW, UVMF_NONE),
			-EBUSY);
	CU_ASSERT_EQUAL(do_update_va_mapping(va, 0, UVMF_INVLPG | UVMF_ALL), 0);
	CU_ASSERT_EQUAL(pv_read_l1e(va), 0);
	audit();
	CU_ASSERT_EQUAL(pv_drop_roots(v), 0);
	all_free();
}

static void test_pages(void)
{
	clear_pages();
	memset(table_of(page[1]), 0x55, PAGE_SIZE);
	CU_ASSERT_EQUAL(mmuext_times(MMUEXT_COPY_PAGE, frame_to_mfn(page[2]).n,
				     frame_to_mfn(page[1]).n, 0),
			0);
	CU_ASSERT_EQUAL(memcmp(table_of(page[1]), table_of(page[2]), PAGE_SIZE), 0);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_CLEAR_PAGE, frame_to_mfn(page[1]).n), 0);
	CU_ASSERT_EQUAL(table_of(page[1])[511], 0);
	CU_ASSERT_EQUAL(pin(page[1], 2), 0);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_CLEAR_PAGE, frame_to_mfn(page[1]).n), -EINVAL);
	CU_ASSERT_EQUAL(unpin(page[1]), 0);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_MARK_SUPER, 0), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(mmuext(99, 0), -ENOSYS);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_SET_LDT, 123), 0); /* no entries: no address */
	CU_ASSERT_EQUAL(mmuext_times(MMUEXT_SET_LDT, 123, 5, 0), -EINVAL);
	CU_ASSERT_EQUAL(mmuext_times(MMUEXT_SET_LDT, HV_VIRT_START, 5, 0), -EINVAL);
	CU_ASSERT_EQUAL(mmuext_times(MMUEXT_SET_LDT, 0x1000, 8193, 0), -EINVAL);
	CU_ASSERT_EQUAL(mmuext(MMUEXT_FLUSH_CACHE, 0), -EACCES);
	all_free();
}

/* ---- grants in page tables ---- */

static void test_grant_entries(void)
{
	struct frame *foreign = guest_page(other);
	mfn_t mfn = frame_to_mfn(foreign);
	uint64_t va = VA(3, 5, 7, 40), pte = maddr(page[3]) + 41 * 8;

	make_tree();
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, frame_to_mfn(page[0]).n), 0);
	CU_ASSERT_EQUAL(pv_grant_map(va, mfn, GNTMAP_host_map, 0), GNTST_okay);
	CU_ASSERT_EQUAL(refs_of(foreign), 2);
	CU_ASSERT_EQUAL(type_of(foreign), FRAME_WRITABLE);
	CU_ASSERT_EQUAL(pv_grant_map(pte, mfn,
				     GNTMAP_host_map | GNTMAP_contains_pte |
					     GNTMAP_readonly | 1 << _GNTMAP_guest_avail0,
				     0),
			GNTST_okay);
	CU_ASSERT_EQUAL(table_of(page[3])[41],
			mfn_to_maddr(mfn) | PTE_P | PTE_US | PTE_A | 1 << 9);
	CU_ASSERT_EQUAL(refs_of(foreign), 3);
	/* More rights than were given are not to be had by an update. */
	CU_ASSERT_EQUAL(update(page[3], 41, mfn_to_maddr(mfn) | RW), -EBUSY);
	CU_ASSERT_EQUAL(update(page[3], 42, mfn_to_maddr(mfn) | RO), -EBUSY);

	CU_ASSERT_EQUAL(pv_grant_unmap(va, mfn, 0, GNTMAP_host_map | GNTMAP_readonly),
			GNTST_general_error);
	CU_ASSERT_EQUAL(
		pv_grant_unmap(pte, mfn, va, GNTMAP_contains_pte | GNTMAP_readonly),
		GNTST_general_error);
	CU_ASSERT_EQUAL(
		pv_grant_unmap(pte, mfn, 0, GNTMAP_contains_pte | GNTMAP_readonly),
		GNTST_okay);
	CU_ASSERT_EQUAL(table_of(page[3])[41], 0);
	/* Replaced by what another address maps. */
	CU_ASSERT_EQUAL(pv_grant_unmap(va, mfn, VA(3, 5, 7, 200), GNTMAP_host_map),
			GNTST_general_error);
	CU_ASSERT_EQUAL(pv_grant_unmap(va, mfn, VA(3, 5, 7, 5), GNTMAP_host_map),
			GNTST_okay);
	CU_ASSERT_EQUAL(table_of(page[3])[40], maddr(page[5]) | RW | PTE_US);
	CU_ASSERT_EQUAL(table_of(page[3])[5], 0);
	CU_ASSERT_EQUAL(refs_of(foreign), 1);
	audit();
	/* By itself: the mapping goes, and the call says that it was not in order. */
	CU_ASSERT_EQUAL(pv_grant_map(va, mfn, GNTMAP_host_map, 0), GNTST_okay);
	CU_ASSERT_EQUAL(pv_grant_unmap(va, mfn, va, GNTMAP_host_map),
			GNTST_general_error);
	CU_ASSERT_EQUAL(refs_of(foreign), 1);
	CU_ASSERT_EQUAL(pv_grant_map(VA(9, 9, 9, 9), mfn, GNTMAP_host_map, 0),
			GNTST_bad_virt_addr);
	CU_ASSERT_EQUAL(pv_grant_map(maddr(page[2]), mfn, GNTMAP_contains_pte, 0),
			GNTST_general_error);
	CU_ASSERT_EQUAL(pv_drop_roots(v), 0);
	frame_put_allocated(foreign);
	all_free();
}

/* ---- random calls ---- */

#define ROUNDS 60000

static uint64_t random_entry(void)
{
	static const uint64_t odd[] = {PTE_G,  PTE_PS, PTE_PCD,
				       PTE_NX, PTE_US, 1ull << 55};
	uint64_t r = machine_random(), e = maddr(page[machine_random() % PAGES]);

	e |= r & 1 ? PTE_P : 0;
	e |= r & 6 ? PTE_P : 0;
	e |= (r >> 3) % 3 ? 0 : PTE_RW;
	if ((r >> 8) % 16 == 0)
		e |= odd[(r >> 12) % ARRAY_SIZE(odd)];
	if ((r >> 16) % 32 == 0)
		e = (uint64_t)HOLE_START << PAGE_SHIFT | RO;
	return (r >> 24) % 4 ? e : 0;
}

static unsigned int random_index(void)
{
	static const unsigned int some[] = {0, 1, 2, 255, 256, 271, 272, 510, 511};

	return some[machine_random() % ARRAY_SIZE(some)];
}

static void random_write(void)
{
	struct frame *f = page[machine_random() % PAGES];

	/* As a guest with a writable mapping would. */
	if (!frame_get_and_type(f, d, FRAME_WRITABLE))
		return;
	if (machine_random() % 8)
		table_of(f)[random_index()] = random_entry();
	else
		memset(table_of(f), 0, PAGE_SIZE);
	frame_put_and_type(f);
}

static void random_call(void)
{
	struct frame *f = page[machine_random() % PAGES];
	uint64_t mfn = frame_to_mfn(f).n;
	unsigned int often =
		machine_random() % 3 ? 0 : (unsigned int)(machine_random() % 6);
	unsigned int cmd = (unsigned int)(machine_random() % 12);

	switch (cmd) {
	case 0:
	case 1:
	case 2:
	case 3:
		mmuext_times(MMUEXT_PIN_L1_TABLE + cmd, mfn, 0, often);
		break;
	case 4:
	case 5:
		mmuext_times(MMUEXT_UNPIN_TABLE, mfn, 0, often);
		break;
	case 6:
		mmuext_times(machine_random() & 1 ? MMUEXT_NEW_BASEPTR
						  : MMUEXT_NEW_USER_BASEPTR,
			     machine_random() % 4 ? mfn : 0, 0, often);
		break;
	default:
		update_times(maddr(f) + random_index() * 8 +
				     (machine_random() % 4 == 0 ? 2 : 0),
			     random_entry(), DOMID_SELF, often);
		break;
	}
}

static void test_random(void)
{
	unsigned int tables[5] = {0};

	clear_pages();
	machine_seed(4711);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (machine_random() % 2)
			random_write();
		else
			random_call();
		if (i % 16 == 0)
			audit();
		for (unsigned int k = 0; i % 64 == 0 && k < PAGES; k++)
			if (uses_of(page[k]))
				tables[type_level(page[k]->type)]++;
		if (i % 10000 == 9999) {
			while (pv_relinquish_page_tables(d))
				;
			all_free();
			clear_pages();
		}
	}
	/* The calls must have led somewhere. */
	for (unsigned int level = 1; level <= 4; level++)
		CU_ASSERT(tables[level] > 100);
	while (pv_relinquish_page_tables(d))
		;
	all_free();
}

/* ---- vcpus against each other ---- */

#define RACERS      4
#define RACE_ROUNDS 15000

static void *race(void *arg)
{
	struct vcpu *w = arg;

	machine_cpu(w->id);
	machine_seed(w->id + 99);
	current = w;
	for (unsigned int i = 0; i < RACE_ROUNDS; i++)
		if (machine_random() % 2)
			random_write();
		else
			random_call();
	return NULL;
}

static void test_race(void)
{
	pthread_t thread[RACERS];

	clear_pages();
	while (d->max_vcpus < RACERS)
		guest_vcpu(d);
	for (unsigned int times = 0; times < 4; times++) {
		for (unsigned int i = 0; i < RACERS; i++)
			pthread_create(&thread[i], NULL, race, d->vcpu[i]);
		for (unsigned int i = 0; i < RACERS; i++)
			pthread_join(thread[i], NULL);
		audit();
	}
	while (pv_relinquish_page_tables(d))
		;
	all_free();
	d->max_vcpus = 1;
}

/* ---- emulated writes ---- */

struct after {
	uint64_t src, acc, flags;
};

struct form {
	const char *name;
	uint8_t code[8]; /* memory operand (%rdi), the other %rsi, %rax for cmpxchg */
	unsigned int length, size;
	uint64_t flags; /* defined by the instruction */
};

#define LOGIC (0x1 | 0x4 | 0x40 | 0x80 | 0x800)
#define ARITH (LOGIC | 0x10)

static const struct form form[] = {
	{"mov8", {0x48, 0x89, 0x37}, 3, 8, 0},
	{"mov4", {0x89, 0x37}, 2, 4, 0},
	{"mov2", {0x66, 0x89, 0x37}, 3, 2, 0},
	{"mov1", {0x40, 0x88, 0x37}, 3, 1, 0},
	{"mov1 dh", {0x88, 0x37}, 2, 1, 0},
	{"mov imm8", {0x48, 0xc7, 0x07, 0xf0, 0xff, 0xff, 0x8e}, 7, 8, 0},
	{"mov imm4", {0xc7, 0x07, 0x10, 0x32, 0x54, 0x76}, 6, 4, 0},
	{"mov imm1", {0xc6, 0x47, 0x00, 0x2a}, 4, 1, 0},
	{"xchg8", {0x48, 0x87, 0x37}, 3, 8, 0},
	{"xchg4", {0x87, 0x37}, 2, 4, 0},
	{"cmpxchg8", {0xf0, 0x48, 0x0f, 0xb1, 0x37}, 5, 8, ARITH},
	{"cmpxchg4", {0xf0, 0x0f, 0xb1, 0x37}, 4, 4, ARITH},
	{"cmpxchg1", {0x40, 0x0f, 0xb0, 0x37}, 4, 1, ARITH},
	{"xadd8", {0xf0, 0x48, 0x0f, 0xc1, 0x37}, 5, 8, ARITH},
	{"xadd4", {0x0f, 0xc1, 0x37}, 3, 4, ARITH},
	{"lock and1", {0xf0, 0x80, 0x27, 0xfc}, 4, 1, LOGIC},
	{"lock and8 imm", {0xf0, 0x48, 0x83, 0x27, 0xde}, 5, 8, LOGIC},
	{"lock or4 imm", {0xf0, 0x81, 0x0f, 0x20, 0x10, 0x00, 0x40}, 7, 4, LOGIC},
	{"and8", {0x48, 0x21, 0x37}, 3, 8, LOGIC},
	{"or8", {0xf0, 0x48, 0x09, 0x37}, 4, 8, LOGIC},
	{"xor2", {0x66, 0x31, 0x37}, 3, 2, LOGIC},
	{"lock btr imm", {0xf0, 0x48, 0x0f, 0xba, 0x37, 0x06}, 6, 8, 1},
	{"lock bts imm", {0xf0, 0x48, 0x0f, 0xba, 0x2f, 0x3f}, 6, 8, 1},
	{"btc imm", {0x0f, 0xba, 0x3f, 0x09}, 4, 4, 1},
};

/* The instruction by the processor: its memory operand at @at. */
static struct after run(const struct form *f, uint64_t *at, uint64_t src, uint64_t acc)
{
	static uint8_t *code;
	static const uint8_t before[] = {0x53, 0x48, 0x89, 0xc8, 0x48, 0x89, 0xd3, 0x48,
					 0x89, 0xf2, 0x68, 0x02, 0x00, 0x00, 0x00, 0x9d};
	static const uint8_t behind[] = {0x9c, 0x59, 0x48, 0x89, 0x33, 0x48, 0x89, 0x43,
					 0x08, 0x48, 0x89, 0x4b, 0x10, 0x5b, 0xc3};
	struct after after;
	void (*fn)(uint64_t *, uint64_t, struct after *, uint64_t);

	if (!code)
		code = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(code, before, sizeof(before));
	memcpy(code + sizeof(before), f->code, f->length);
	memcpy(code + sizeof(before) + f->length, behind, sizeof(behind));
	memcpy(&fn, &code, sizeof(fn));
	fn(at, src, &after, acc);
	return after;
}

static void compare(const struct form *f, unsigned int index)
{
	uint64_t *l1e = &table_of(page[3])[index];
	/* Not present, so that every value may be. */
	uint64_t old = machine_random() << 9 & ~0x101ull,
		 src = machine_random() << 7 & ~0x101ull;
	uint64_t acc = machine_random() % 2 ? old : machine_random(), copy = old;
	unsigned int offset = (unsigned int)(machine_random() % (8 / f->size)) * f->size;
	struct cpu_user_regs regs = {0};
	struct after after;

	if (acc == old)
		acc >>= 8 * offset;
	*l1e = old;
	after = run(f, (uint64_t *)((char *)&copy + offset), src, acc);

	regs.rip = (uint64_t)f->code;
	regs.rflags = 2;
	regs.rsi = regs.rdx = src;
	regs.rax = acc;
	if (copy & PTE_P) {
		*l1e = 0;
		return;
	}
	CU_ASSERT(pv_emulate_pte_write(VA(3, 5, 7, 3) + index * 8 + offset, &regs));
	if (*l1e != copy || (f->size != 1 && regs.rsi != after.src) ||
	    regs.rax != after.acc || ((regs.rflags ^ after.flags) & f->flags) ||
	    regs.rip != (uint64_t)f->code + f->length) {
		CU_FAIL("an emulated write differs");
		fprintf(stderr,
			"%s: %lx, is %lx not %lx; src %lx is %lx not %lx; rax %lx is %lx "
			"not %lx; flags %lx not %lx\n",
			f->name, old, *l1e, copy, src, regs.rsi, after.src, acc, regs.rax,
			after.acc, regs.rflags, after.flags);
	}
	*l1e = 0;
}

static void test_emulation(void)
{
	set_bit(VMASST_TYPE_writable_pagetables, &d->vm_assist);
	make_tree();
	CU_ASSERT_EQUAL(mmuext(MMUEXT_NEW_BASEPTR, frame_to_mfn(page[0]).n), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(form); i++)
		for (unsigned int times = 0; times < 300; times++)
			compare(&form[i], 100 + times % 50);
	audit();
}

static bool emulate(const uint8_t *code, uint64_t va, uint64_t rsi)
{
	struct cpu_user_regs regs = {.rip = (uint64_t)code, .rsi = rsi, .rflags = 2};

	return pv_emulate_pte_write(va, &regs);
}

static void test_emulation_checked(void)
{
	static const uint8_t mov[16] = {0x48, 0x89, 0x37}, push[16] = {0xff, 0x37},
			     movs[16] = {0x48, 0xa5}, and1[16] = {0xf0, 0x80, 0x27, 0xfd};
	uint64_t at = VA(3, 5, 7, 3), *l1 = table_of(page[3]);

	/* As an mmu_update would be. */
	CU_ASSERT(emulate(mov, at + 60 * 8, maddr(page[9]) | RW));
	CU_ASSERT_EQUAL(l1[60], maddr(page[9]) | RW | PTE_US);
	audit();
	CU_ASSERT(emulate(and1, at + 60 * 8, 0)); /* ptep_set_wrprotect() */
	CU_ASSERT_EQUAL(l1[60], (maddr(page[9]) | RW | PTE_US) & ~PTE_RW);
	CU_ASSERT_EQUAL(uses_of(page[9]), 0);
	CU_ASSERT_FALSE(emulate(mov, at + 60 * 8, maddr(page[3]) | RW));
	CU_ASSERT_FALSE(emulate(mov, at + 60 * 8 + 4, 0)); /* not aligned */
	CU_ASSERT_FALSE(emulate(push, at + 60 * 8, 0));
	CU_ASSERT_FALSE(emulate(movs, at + 60 * 8, 0));
	CU_ASSERT_FALSE(emulate(mov, VA(3, 5, 7, 4), 0)); /* read-only, but no table */
	CU_ASSERT_FALSE(emulate(mov, VA(3, 5, 7, 2), 0)); /* an L2: only by hypercall */
	CU_ASSERT_FALSE(emulate(mov, VA(3, 5, 7, 5), 0)); /* writable */
	CU_ASSERT_FALSE(emulate(mov, VA(3, 5, 7, 99), 0));
	guest_fault_at = 1;
	CU_ASSERT_FALSE(emulate(mov, at + 60 * 8, 0));
	guest_fault_at = 0;
	clear_bit(VMASST_TYPE_writable_pagetables, &d->vm_assist);
	CU_ASSERT_FALSE(emulate(mov, at + 60 * 8, 0));
	set_bit(VMASST_TYPE_writable_pagetables, &d->vm_assist);
	CU_ASSERT(emulate(mov, at + 60 * 8, 0));
	audit();
}

static void test_mmconfig(void)
{
	static const uint8_t mov4[16] = {0x89, 0x37};

	acpi.mmconfig_base = (uint64_t)HOLE_START << PAGE_SHIFT;
	acpi.mmconfig_last_bus = 0;
	d->iomem = rangeset_create();
	rangeset_add(d->iomem, HOLE_START, HOLE_END - 1);
	CU_ASSERT_EQUAL(update(page[3], 70, (acpi.mmconfig_base + 0x9000) | RW), 0);
	CU_ASSERT_FALSE(table_of(page[3])[70] & PTE_RW);
	CU_ASSERT_FALSE(emulate(mov4, VA(3, 5, 7, 70) + 0x44, 0x1234));
	d->hardware = 1;
	CU_ASSERT(emulate(mov4, VA(3, 5, 7, 70) + 0x44, 0x1234));
	CU_ASSERT_EQUAL(pci_written.devfn, 9);
	CU_ASSERT_EQUAL(pci_written.reg, 0x44);
	CU_ASSERT_EQUAL(pci_written.bytes, 4);
	CU_ASSERT_EQUAL(pci_written.value, 0x1234);
	d->hardware = 0;
	CU_ASSERT_EQUAL(update(page[3], 70, 0), 0);
	rangeset_destroy(d->iomem);
	d->iomem = NULL;
	acpi.mmconfig_base = 0;
	CU_ASSERT_EQUAL(pv_drop_roots(v), 0);
	all_free();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a tree is pinned and unpinned", test_tree},
		{"trees that may not be", test_refused},
		{"unusual trees that may be", test_accepted},
		{"descriptor pages", test_descriptors},
		{"updates", test_updates},
		{"pages and tables of others", test_foreign},
		{"device memory", test_devices},
		{"interrupted pinning", test_preempted},
		{"given up half-way", test_abandoned},
		{"wanted again half-way", test_wanted_again},
		{"roots", test_roots},
		{"by linear address", test_va},
		{"pages cleared and copied, small calls", test_pages},
		{"granted frames", test_grant_entries},
		{"random calls, all references counted", test_random},
		{"vcpus against each other", test_race},
		{"emulated writes against the processor", test_emulation},
		{"emulated writes are checked", test_emulation_checked},
		{"MMCONFIG", test_mmconfig},
		CU_TEST_INFO_NULL,
	};

	guest_init();
	d = guest_create(1, 2 * PAGES);
	other = guest_create(2, 100);
	v = d->vcpu[0];
	guest_run(d);
	guest_page(other);
	for (unsigned int i = 0; i < PAGES; i++)
		page[i] = guest_page(d);
	expected = calloc(MACHINE_FRAMES, sizeof(*expected));
	return suite_main("page_types", tests);
}
