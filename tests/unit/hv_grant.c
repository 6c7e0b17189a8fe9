// SPDX-License-Identifier: GPL-2.0-only
/*
 * Grant tables of two domains and a third between them: entries of both versions, mapped
 * and copied; what a hostile granter or grantee may try; random calls, after each of
 * which pins, marks and references are counted again.
 */
#include <pthread.h>

#include "tests/unit/hv_guest.h"

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/grant/internal.h"

#define PAGES 12u

static struct domain *granter, *user, *third;
static struct frame *page[PAGES]; /* the granter's */
static struct frame *own[PAGES];  /* the user's */

/* ---- page tables: an address is an index of a slot ---- */

#define SLOTS 64u
static struct slot {
	bool used, readonly;
	mfn_t mfn;
} slots[SLOTS];
static unsigned int lines_flushed;

int16_t pv_grant_map(uint64_t host_addr, mfn_t mfn, uint32_t flags, unsigned int cache)
{
	struct slot *s;

	(void)cache;
	if (host_addr < 1 || host_addr >= SLOTS)
		return GNTST_bad_virt_addr;
	s = &slots[host_addr];
	*s = (struct slot){true, flags & GNTMAP_readonly, mfn};
	return GNTST_okay;
}

int16_t pv_grant_unmap(uint64_t host_addr, mfn_t mfn, uint64_t new_addr, uint32_t flags)
{
	struct slot *s = &slots[host_addr % SLOTS];

	if (host_addr >= SLOTS || !s->used || !mfn_eq(s->mfn, mfn) ||
	    s->readonly != !!(flags & GNTMAP_readonly))
		return GNTST_general_error;
	*s = new_addr ? slots[new_addr] : (struct slot){0};
	return GNTST_okay;
}

void clflush(const void *line)
{
	(void)line;
	lines_flushed++;
}

/* ---- helpers ---- */

static uint64_t refs_of(const struct frame *f)
{
	return f->count & FRAME_COUNT_MASK;
}

static uint64_t uses_of(const struct frame *f)
{
	return f->type & FRAME_TYPE_COUNT_MASK;
}

static uint8_t *bytes_of(struct frame *f)
{
	return mfn_to_virt(frame_to_mfn(f));
}

static long list_op(unsigned int cmd, void *ops, unsigned int n)
{
	return do_grant_table_op(cmd, (uint64_t)ops, n);
}

static struct grant_table *table(void)
{
	return granter->grant_table;
}

static void grant_v1(grant_ref_t ref, uint16_t flags, domid_t to, struct frame *f)
{
	*entry_v1(table(), ref) = (struct grant_entry_v1){
		.flags = flags, .domid = to, .frame = (uint32_t)frame_to_mfn(f).n};
}

static void grant_v2(struct domain *d, grant_ref_t ref, uint16_t flags, domid_t to,
		     struct frame *f)
{
	union grant_entry_v2 *e = entry_v2(d->grant_table, ref);

	memset(e, 0, sizeof(*e));
	e->full_page.frame = frame_to_mfn(f).n;
	e->hdr.domid = to;
	e->hdr.flags = flags;
}

static struct gnttab_map_grant_ref map(grant_ref_t ref, uint32_t flags, uint64_t at)
{
	struct gnttab_map_grant_ref op = {.host_addr = at,
					  .flags = flags,
					  .ref = ref,
					  .dom = granter->domid,
					  .status = 99};

	CU_ASSERT_EQUAL(list_op(GNTTABOP_map_grant_ref, &op, 1), 0);
	return op;
}

static int16_t unmap(grant_handle_t handle, uint64_t at)
{
	struct gnttab_unmap_grant_ref op = {
		.host_addr = at, .handle = handle, .status = 99};

	CU_ASSERT_EQUAL(list_op(GNTTABOP_unmap_grant_ref, &op, 1), 0);
	return op.status;
}

static int16_t copy(grant_ref_t ref, domid_t from, unsigned int off, struct frame *to,
		    unsigned int to_off, unsigned int len)
{
	struct gnttab_copy op = {
		.source = {.u.ref = ref, .domid = from, .offset = (uint16_t)off},
		.dest = {.u.gmfn = frame_to_mfn(to).n,
			 .domid = DOMID_SELF,
			 .offset = (uint16_t)to_off},
		.len = (uint16_t)len,
		.flags = GNTCOPY_source_gref,
		.status = 99,
	};

	CU_ASSERT_EQUAL(list_op(GNTTABOP_copy, &op, 1), 0);
	return op.status;
}

static int16_t copy_out(struct frame *from, grant_ref_t ref, unsigned int off,
			unsigned int len)
{
	struct gnttab_copy op = {
		.source = {.u.gmfn = frame_to_mfn(from).n, .domid = DOMID_SELF},
		.dest = {.u.ref = ref, .domid = granter->domid, .offset = (uint16_t)off},
		.len = (uint16_t)len,
		.flags = GNTCOPY_dest_gref,
		.status = 99,
	};

	CU_ASSERT_EQUAL(list_op(GNTTABOP_copy, &op, 1), 0);
	return op.status;
}

static long set_version(struct domain *d, uint32_t version)
{
	struct gnttab_set_version op = {.version = version};
	struct domain *was = current->domain;
	long rc;

	guest_run(d);
	rc = list_op(GNTTABOP_set_version, &op, 1);
	guest_run(was);
	return rc;
}

/* Nothing in use any more, the marks are off. */
static void all_free(void)
{
	for (unsigned int i = 0; i < PAGES; i++) {
		CU_ASSERT_EQUAL(refs_of(page[i]), 1);
		CU_ASSERT_EQUAL(uses_of(page[i]), 0);
		CU_ASSERT_EQUAL(refs_of(own[i]), 1);
		CU_ASSERT_EQUAL(uses_of(own[i]), 0);
	}
	for (grant_ref_t r = 0; r < nr_entries(table()); r++) {
		CU_ASSERT_EQUAL(active_entry(table(), r)->readers, 0);
		CU_ASSERT_EQUAL(active_entry(table(), r)->writers, 0);
	}
	CU_ASSERT_EQUAL(machine_domain_refs, 3); /* three domains with pages */
}

/* ---- one thing at a time ---- */

static void test_map(void)
{
	struct gnttab_map_grant_ref rw, ro;

	grant_v1(9, GTF_permit_access, user->domid, page[0]);
	rw = map(9, GNTMAP_host_map, 1);
	CU_ASSERT_EQUAL(rw.status, GNTST_okay);
	CU_ASSERT_EQUAL(rw.dev_bus_addr, mfn_to_maddr(frame_to_mfn(page[0])));
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags,
			GTF_permit_access | GTF_reading | GTF_writing);
	CU_ASSERT_EQUAL(refs_of(page[0]), 2);
	CU_ASSERT_EQUAL(page[0]->type & FRAME_TYPE_MASK, FRAME_WRITABLE);
	ro = map(9, GNTMAP_host_map | GNTMAP_readonly, 2);
	CU_ASSERT_EQUAL(ro.status, GNTST_okay);
	CU_ASSERT_EQUAL(slots[2].readonly, true);

	CU_ASSERT_EQUAL(unmap(rw.handle, 2), GNTST_general_error); /* not what is there */
	CU_ASSERT_EQUAL(unmap(rw.handle, 1), GNTST_okay);
	CU_ASSERT_EQUAL(unmap(rw.handle, 1), GNTST_bad_handle);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access | GTF_reading);
	CU_ASSERT_EQUAL(uses_of(page[0]), 0);
	CU_ASSERT_EQUAL(unmap(ro.handle, 2), GNTST_okay);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access);
	CU_ASSERT_EQUAL(unmap(1000000, 2), GNTST_bad_handle);
	CU_ASSERT_EQUAL(unmap(~0u, 2), GNTST_bad_handle);
	all_free();
}

static void test_map_refused(void)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = 1, .flags = GNTMAP_host_map, .ref = 9};

	grant_v1(9, GTF_permit_access | GTF_readonly, user->domid, page[0]);
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_general_error);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access | GTF_readonly);
	grant_v1(9, GTF_permit_access, third->domid, page[0]); /* for another */
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_general_error);
	grant_v1(9, GTF_accept_transfer, user->domid, page[0]);
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_general_error);
	grant_v1(9, GTF_invalid, user->domid, page[0]);
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_general_error);
	grant_v1(9, GTF_permit_access, user->domid, own[0]); /* not the granter's */
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_bad_page);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access);
	entry_v1(table(), 9)->frame = ~0u;
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_bad_page);
	entry_v1(table(), 9)->frame = HOLE_START;
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_bad_page);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access);
	CU_ASSERT_EQUAL(map(nr_entries(table()), GNTMAP_host_map, 1).status,
			GNTST_bad_gntref);
	CU_ASSERT_EQUAL(map(~0u, GNTMAP_host_map, 1).status, GNTST_bad_gntref);
	grant_v1(9, GTF_permit_access, user->domid, page[0]);
	CU_ASSERT_EQUAL(map(9, GNTMAP_readonly, 1).status,
			GNTST_bad_gntref); /* no kind */
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 999).status, GNTST_bad_virt_addr);
	op.dom = 7;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_map_grant_ref, &op, 1), 0);
	CU_ASSERT_EQUAL(op.status, GNTST_bad_domain);
	op.dom = DOMID_SELF;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_map_grant_ref, &op, 1), 0);
	CU_ASSERT_EQUAL(op.status, GNTST_bad_domain);

	/* A page that may not be written: a page table of the granter's. */
	CU_ASSERT(frame_get_and_type(page[0], granter, FRAME_SEGDESC));
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 1).status, GNTST_general_error);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access);
	frame_put_and_type(page[0]);
	all_free();
}

/* What the guest writes into an entry in use changes nothing of the use. */
static void test_revoked(void)
{
	struct gnttab_map_grant_ref a, b;

	grant_v1(9, GTF_permit_access, user->domid, page[0]);
	a = map(9, GNTMAP_host_map | GNTMAP_readonly, 1);
	grant_v1(9, GTF_permit_access, user->domid,
		 page[1]); /* takes the marks off as well */
	b = map(9, GNTMAP_host_map, 2);
	CU_ASSERT_EQUAL(b.status, GNTST_okay);
	CU_ASSERT(mfn_eq(slots[2].mfn, frame_to_mfn(page[0])));
	CU_ASSERT_EQUAL(refs_of(page[0]), 3);
	CU_ASSERT_EQUAL(refs_of(page[1]), 1);
	grant_v1(9, GTF_permit_access | GTF_readonly, third->domid, page[1]);
	CU_ASSERT_EQUAL(unmap(b.handle, 2), GNTST_okay);
	/* To write again the entry is asked again. */
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map, 2).status, GNTST_general_error);
	guest_run(third);
	CU_ASSERT_EQUAL(map(9, GNTMAP_host_map | GNTMAP_readonly, 3).status,
			GNTST_general_error);
	guest_run(user);
	*entry_v1(table(), 9) = (struct grant_entry_v1){0};
	CU_ASSERT_EQUAL(unmap(a.handle, 1), GNTST_okay);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, 0);
	all_free();
}

#define MAP_BATCH (GRANT_BATCH_BYTES / sizeof(struct gnttab_map_grant_ref))

static void test_device_and_batches(void)
{
	struct gnttab_map_grant_ref op[40] = {0};
	struct gnttab_unmap_grant_ref un[40] = {0};
	unsigned long flushes;
	unsigned int i;

	for (i = 0; i < 40; i++) {
		grant_v1(100 + i, GTF_permit_access, user->domid, page[i % PAGES]);
		op[i] = (struct gnttab_map_grant_ref){.host_addr = i + 1,
						      .flags = GNTMAP_host_map |
							       GNTMAP_device_map,
						      .ref = i == 33 ? 5000 : 100 + i,
						      .dom = granter->domid};
	}
	CU_ASSERT_EQUAL(list_op(GNTTABOP_map_grant_ref, op, 40), 0);
	for (i = 0; i < 40; i++)
		CU_ASSERT_EQUAL(op[i].status, i == 33 ? GNTST_bad_gntref : GNTST_okay);
	for (i = 0; i < 40; i++)
		un[i] = (struct gnttab_unmap_grant_ref){.host_addr = i + 1,
							.handle = op[i].handle};
	un[33].handle = 12345;
	flushes = machine_flushes;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_unmap_grant_ref, un, 40), 0);
	CU_ASSERT_EQUAL(machine_flushes, flushes + 2); /* one a batch of 32 */
	for (i = 0; i < 40; i++)
		CU_ASSERT_EQUAL(un[i].status, i == 33 ? GNTST_bad_handle : GNTST_okay);
	CU_ASSERT_EQUAL(refs_of(page[0]), 5); /* for devices they are still there */
	for (i = 0; i < 40; i++) {
		un[i].host_addr = 0;
		un[i].dev_bus_addr = op[i].dev_bus_addr + (i == 5);
	}
	CU_ASSERT_EQUAL(list_op(GNTTABOP_unmap_grant_ref, un, 40), 0);
	CU_ASSERT_EQUAL(un[5].status, GNTST_bad_dev_addr);
	un[5].dev_bus_addr--;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_unmap_grant_ref, un + 5, 1), 0);
	CU_ASSERT_EQUAL(un[5].status, GNTST_okay);
	all_free();

	/* Interrupted after a batch; faults. */
	guest_continued.made = false;
	guest_preempt(true);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_map_grant_ref, op, 40),
			__HYPERVISOR_grant_table_op);
	guest_preempt(false);
	CU_ASSERT(guest_continued.made);
	CU_ASSERT_EQUAL(guest_continued.arg[1], (uint64_t)(op + MAP_BATCH));
	CU_ASSERT_EQUAL(guest_continued.arg[2], 40 - MAP_BATCH);
	for (i = 0; i < MAP_BATCH; i++)
		un[i] = (struct gnttab_unmap_grant_ref){.host_addr = i + 1,
							.dev_bus_addr =
								op[i].dev_bus_addr,
							.handle = op[i].handle};
	CU_ASSERT_EQUAL(list_op(GNTTABOP_unmap_grant_ref, un, MAP_BATCH), 0);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_map_grant_ref, NULL, 1), -EFAULT);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_map_grant_ref, op, ~0u), -EINVAL);
	CU_ASSERT_EQUAL(list_op(99, op, 1), -ENOSYS);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_dump_table, op, 1), -ENOSYS);
	all_free();
}

static void test_replace(void)
{
	struct gnttab_map_grant_ref a;
	struct gnttab_unmap_and_replace op;

	grant_v1(9, GTF_permit_access, user->domid, page[0]);
	a = map(9, GNTMAP_host_map, 1);
	slots[7] = (struct slot){true, false, frame_to_mfn(own[0])};
	op = (struct gnttab_unmap_and_replace){
		.host_addr = 1, .new_addr = 7, .handle = a.handle};
	CU_ASSERT_EQUAL(list_op(GNTTABOP_unmap_and_replace, &op, 1), 0);
	CU_ASSERT_EQUAL(op.status, GNTST_okay);
	CU_ASSERT(mfn_eq(slots[1].mfn, frame_to_mfn(own[0])));
	all_free();
}

static void test_copy(void)
{
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		bytes_of(page[0])[i] = (uint8_t)(i * 7);
	memset(bytes_of(own[0]), 0, PAGE_SIZE);
	grant_v1(9, GTF_permit_access | GTF_readonly, user->domid, page[0]);
	CU_ASSERT_EQUAL(copy(9, granter->domid, 100, own[0], 50, 1000), GNTST_okay);
	CU_ASSERT_EQUAL(memcmp(bytes_of(own[0]) + 50, bytes_of(page[0]) + 100, 1000), 0);
	CU_ASSERT_EQUAL(bytes_of(own[0])[49] | bytes_of(own[0])[1050], 0);
	CU_ASSERT_EQUAL(copy(9, granter->domid, 0, own[0], 0, PAGE_SIZE), GNTST_okay);
	CU_ASSERT_EQUAL(copy(9, granter->domid, 1, own[0], 0, PAGE_SIZE),
			GNTST_bad_copy_arg);
	CU_ASSERT_EQUAL(copy(9, granter->domid, 0, own[0], 4000, 97), GNTST_bad_copy_arg);
	CU_ASSERT_EQUAL(copy(9, granter->domid, 0xffff, own[0], 0, 0xffff),
			GNTST_bad_copy_arg);
	CU_ASSERT_EQUAL(copy(9, granter->domid, 0, page[1], 0, 10), GNTST_bad_page);
	CU_ASSERT_EQUAL(copy(~0u, granter->domid, 0, own[0], 0, 10), GNTST_bad_gntref);
	CU_ASSERT_EQUAL(copy(9, 6, 0, own[0], 0, 10), GNTST_bad_domain);
	CU_ASSERT_EQUAL(copy_out(own[0], 9, 0, 10), GNTST_general_error); /* read-only */
	grant_v1(9, GTF_permit_access, user->domid, page[1]);
	CU_ASSERT_EQUAL(copy_out(own[0], 9, 7, 10), GNTST_okay);
	CU_ASSERT_EQUAL(memcmp(bytes_of(page[1]) + 7, bytes_of(own[0]), 10), 0);
	/* Into a page of one's own that may not be written. */
	CU_ASSERT(frame_get_and_type(own[2], user, FRAME_SEGDESC));
	CU_ASSERT_EQUAL(copy(9, granter->domid, 0, own[2], 0, 10),
			GNTST_permission_denied);
	frame_put_and_type(own[2]);
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access);
	all_free();
}

/* A frame number names a page of the caller's alone. */
static void test_copy_foreign_frame(void)
{
	struct gnttab_copy op = {
		.source = {.u.gmfn = frame_to_mfn(page[0]).n, .domid = granter->domid},
		.dest = {.u.gmfn = frame_to_mfn(own[0]).n, .domid = DOMID_SELF},
		.len = 10,
	};

	CU_ASSERT_EQUAL(list_op(GNTTABOP_copy, &op, 1), 0);
	CU_ASSERT_EQUAL(op.status, GNTST_permission_denied);
	op.source.domid = DOMID_SELF;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_copy, &op, 1), 0);
	CU_ASSERT_EQUAL(op.status, GNTST_bad_page);
	op.source.u.gmfn = ~0ull;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_copy, &op, 1), 0);
	CU_ASSERT_EQUAL(op.status, GNTST_bad_page);
	all_free();
}

static void test_v2(void)
{
	struct grant_table *t = table();
	struct gnttab_map_grant_ref a;
	struct domain *ld = user;

	/* The reserved entries outlive the change. */
	grant_v1(1, GTF_permit_access, user->domid, page[5]);
	CU_ASSERT_EQUAL(set_version(granter, 3), -EINVAL);
	a = map(1, GNTMAP_host_map, 1);
	CU_ASSERT_EQUAL(set_version(granter, 2), 0);
	CU_ASSERT_EQUAL(entry_v2(t, 1)->full_page.frame, frame_to_mfn(page[5]).n);
	CU_ASSERT_EQUAL(*entry_status(t, 1), GTF_reading | GTF_writing);
	CU_ASSERT_EQUAL(unmap(a.handle, 1), GNTST_okay);
	CU_ASSERT_EQUAL(*entry_status(t, 1), 0);

	grant_v2(granter, 20, GTF_permit_access, ld->domid, page[0]);
	a = map(20, GNTMAP_host_map | GNTMAP_readonly, 1);
	CU_ASSERT_EQUAL(a.status, GNTST_okay);
	CU_ASSERT_EQUAL(*entry_status(t, 20), GTF_reading);
	CU_ASSERT_EQUAL(set_version(granter, 1), -EBUSY);
	/* Read-only now: the second map fails and leaves the first one's mark. */
	entry_v2(t, 20)->hdr.flags |= GTF_readonly;
	CU_ASSERT_EQUAL(map(20, GNTMAP_host_map, 2).status, GNTST_general_error);
	CU_ASSERT_EQUAL(*entry_status(t, 20), GTF_reading);
	CU_ASSERT_EQUAL(unmap(a.handle, 1), GNTST_okay);
	CU_ASSERT_EQUAL(*entry_status(t, 20), 0);

	/* Part of a page: copied within it, never mapped. */
	grant_v2(granter, 21, GTF_permit_access | GTF_sub_page, ld->domid, page[0]);
	entry_v2(t, 21)->sub_page.page_off = 100;
	entry_v2(t, 21)->sub_page.length = 50;
	CU_ASSERT_EQUAL(map(21, GNTMAP_host_map, 1).status, GNTST_general_error);
	CU_ASSERT_EQUAL(copy(21, granter->domid, 100, own[0], 0, 50), GNTST_okay);
	CU_ASSERT_EQUAL(copy(21, granter->domid, 99, own[0], 0, 50), GNTST_general_error);
	CU_ASSERT_EQUAL(copy(21, granter->domid, 101, own[0], 0, 50),
			GNTST_general_error);
	entry_v2(t, 21)->sub_page.length = 0xffff;
	entry_v2(t, 21)->sub_page.page_off = 0xffff;
	CU_ASSERT_EQUAL(copy(21, granter->domid, 0, own[0], 0, 50), GNTST_general_error);
	grant_v2(granter, 22, GTF_permit_access, ld->domid, page[0]);
	entry_v2(t, 22)->full_page.frame = 1ull << 40;
	CU_ASSERT_EQUAL(map(22, GNTMAP_host_map, 1).status, GNTST_bad_page);
	CU_ASSERT_EQUAL(*entry_status(t, 22), 0);
	CU_ASSERT_EQUAL(map(256, GNTMAP_host_map, 1).status, GNTST_bad_gntref);
	all_free();
}

/* The granter passes on what a third domain granted to it. */
static void test_transitive(void)
{
	struct grant_table *t = table(), *t3 = third->grant_table;
	struct frame *f = guest_page(third);
	union grant_entry_v2 *e = entry_v2(t, 30);

	memset(bytes_of(f), 0xa5, PAGE_SIZE);
	*entry_v1(t3, 10) =
		(struct grant_entry_v1){.flags = GTF_permit_access | GTF_readonly,
					.domid = granter->domid,
					.frame = (uint32_t)frame_to_mfn(f).n};
	memset(e, 0, sizeof(*e));
	e->transitive.trans_domid = third->domid;
	e->transitive.gref = 10;
	e->hdr.domid = user->domid;
	e->hdr.flags = GTF_transitive;
	CU_ASSERT_EQUAL(copy(30, granter->domid, 5, own[0], 0, 50), GNTST_okay);
	CU_ASSERT_EQUAL(bytes_of(own[0])[49], 0xa5);
	CU_ASSERT_EQUAL(copy_out(own[0], 30, 0, 10), GNTST_general_error);
	CU_ASSERT_EQUAL(map(30, GNTMAP_host_map, 1).status, GNTST_general_error);
	CU_ASSERT_EQUAL(entry_v1(t3, 10)->flags, GTF_permit_access | GTF_readonly);
	e->transitive.gref = 100000;
	CU_ASSERT_EQUAL(copy(30, granter->domid, 5, own[0], 0, 50), GNTST_bad_gntref);
	e->transitive.gref = 30;
	e->transitive.trans_domid = granter->domid; /* in a circle */
	CU_ASSERT_EQUAL(copy(30, granter->domid, 5, own[0], 0, 50), GNTST_general_error);
	e->transitive.trans_domid = DOMID_SELF;
	CU_ASSERT_EQUAL(copy(30, granter->domid, 5, own[0], 0, 50), GNTST_general_error);
	e->transitive.trans_domid = 6;
	CU_ASSERT_EQUAL(copy(30, granter->domid, 5, own[0], 0, 50), GNTST_general_error);
	/* Not for the user's eyes. */
	entry_v1(t3, 10)->domid = user->domid;
	e->transitive.trans_domid = third->domid;
	e->transitive.gref = 10;
	CU_ASSERT_EQUAL(copy(30, granter->domid, 5, own[0], 0, 50), GNTST_general_error);
	/* One step only. */
	CU_ASSERT_EQUAL(set_version(third, 2), 0);
	grant_v2(third, 10, GTF_transitive, granter->domid, f);
	entry_v2(t3, 10)->transitive.trans_domid = user->domid;
	CU_ASSERT_EQUAL(copy(30, granter->domid, 5, own[0], 0, 50), GNTST_general_error);
	CU_ASSERT_EQUAL(*entry_status(t3, 10), 0);
	CU_ASSERT_EQUAL(*entry_status(t, 30), 0);
	CU_ASSERT_EQUAL(refs_of(f), 1);
	CU_ASSERT_EQUAL(set_version(third, 1), 0);
	CU_ASSERT_EQUAL(set_version(granter, 1), 0);
	frame_put_allocated(f);
	all_free();
}

/* ---- sizes and frames ---- */

#define STATUS XENMEM_resource_grant_table_id_status

static void test_sizes(void)
{
	xen_pfn_t list[16] = {0};
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 3};
	struct gnttab_query_size query = {.dom = DOMID_SELF};
	struct gnttab_get_status_frames status = {.dom = DOMID_SELF, .nr_frames = 1};
	struct gnttab_get_version version = {.dom = DOMID_SELF};
	struct gnttab_swap_grant_ref swap = {.ref_a = 600, .ref_b = 700};
	mfn_t mfn[2];

	guest_run(granter);
	set_xen_guest_handle(setup.frame_list, list);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_setup_table, &setup, 1), 0);
	CU_ASSERT_EQUAL(setup.status, GNTST_okay);
	for (unsigned int i = 0; i < 3; i++) {
		CU_ASSERT_PTR_EQUAL(mfn_to_virt(MFN(list[i])), table()->shared[i]);
		CU_ASSERT_PTR_EQUAL(frame_owner(mfn_to_frame(MFN(list[i]))), granter);
	}
	CU_ASSERT_EQUAL(list_op(GNTTABOP_query_size, &query, 1), 0);
	CU_ASSERT_EQUAL(query.nr_frames, 3);
	CU_ASSERT_EQUAL(query.max_nr_frames, 8);
	setup.nr_frames = 9;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_setup_table, &setup, 1), 0);
	CU_ASSERT_EQUAL(setup.status, GNTST_general_error);
	setup.nr_frames = ~0u;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_setup_table, &setup, 1), 0);
	CU_ASSERT_EQUAL(setup.status, GNTST_general_error);
	setup.dom = user->domid;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_setup_table, &setup, 1), 0);
	CU_ASSERT_EQUAL(setup.status, GNTST_permission_denied);
	setup.dom = 6;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_setup_table, &setup, 1), 0);
	CU_ASSERT_EQUAL(setup.status, GNTST_bad_domain);

	set_xen_guest_handle(status.frame_list, (uint64_t *)list);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_get_status_frames, &status, 1), 0);
	CU_ASSERT_EQUAL(status.status, GNTST_general_error); /* version 1 has none */
	CU_ASSERT_EQUAL(list_op(GNTTABOP_get_version, &version, 1), 0);
	CU_ASSERT_EQUAL(version.version, 1);
	version.dom = user->domid;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_get_version, &version, 1), -EPERM);

	grant_v1(600, 1, 2, page[0]);
	grant_v1(700, 0, 3, page[1]);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_swap_grant_ref, &swap, 1), 0);
	CU_ASSERT_EQUAL(swap.status, GNTST_okay);
	CU_ASSERT_EQUAL(entry_v1(table(), 700)->domid, 2);
	swap.ref_b = 100000;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_swap_grant_ref, &swap, 1), 0);
	CU_ASSERT_EQUAL(swap.status, GNTST_bad_gntref);

	/* As the toolstack maps them. */
	CU_ASSERT_EQUAL(grant_table_acquire(granter,
					    XENMEM_resource_grant_table_id_shared, 3, 2,
					    mfn),
			0);
	CU_ASSERT_EQUAL(table()->nr_frames, 5);
	CU_ASSERT_EQUAL(grant_table_acquire(granter,
					    XENMEM_resource_grant_table_id_shared, 7, 2,
					    mfn),
			-EINVAL);
	CU_ASSERT_EQUAL(grant_table_acquire(granter, 2, 0, 1, mfn), -EINVAL);
	CU_ASSERT_EQUAL(grant_table_acquire(granter, STATUS, 0, 1, mfn), -EINVAL);
	CU_ASSERT_EQUAL(set_version(granter, 2), 0);
	CU_ASSERT_EQUAL(grant_table_acquire(granter, STATUS, 0, 1, mfn), 0);
	CU_ASSERT_PTR_EQUAL(mfn_to_virt(mfn[0]), table()->status[0]);
	CU_ASSERT_EQUAL(grant_table_acquire(granter, STATUS, 1, 1, mfn), -EINVAL);
	CU_ASSERT_EQUAL(set_version(granter, 1), 0);
	guest_run(user);
}

static void test_limits(void)
{
	struct gnttab_map_grant_ref op;
	unsigned int n = 0;

	/* Two pages of handles. */
	grant_v1(9, GTF_permit_access, user->domid, page[0]);
	while (op = map(9, GNTMAP_device_map, 0), op.status == GNTST_okay)
		n++;
	CU_ASSERT_EQUAL(n, 2 * HANDLES_PER_PAGE);
	CU_ASSERT_EQUAL(op.status, GNTST_no_space);
	CU_ASSERT_EQUAL(refs_of(page[0]), 1 + n);
	/* The user dies: all of it comes back, in steps. */
	guest_preempt(true);
	CU_ASSERT_EQUAL(grant_table_relinquish(user), -ERESTART);
	guest_preempt(false);
	CU_ASSERT_EQUAL(grant_table_relinquish(user), 0);
	user->grant_table->relinquish_at = 0;
	CU_ASSERT_EQUAL(entry_v1(table(), 9)->flags, GTF_permit_access);
	all_free();
}

static void test_small(void)
{
	struct gnttab_transfer transfer = {.mfn = 1, .status = 99};
	struct gnttab_cache_flush flush = {.a.dev_bus_addr =
						   mfn_to_maddr(frame_to_mfn(page[0])),
					   .offset = 0,
					   .length = 256,
					   .op = GNTTAB_CACHE_CLEAN};
	struct gnttab_map_grant_ref m;

	CU_ASSERT_EQUAL(list_op(GNTTABOP_transfer, &transfer, 1), 0);
	CU_ASSERT_EQUAL(transfer.status, GNTST_general_error);
	CU_ASSERT_EQUAL(list_op(GNTTABOP_cache_flush, &flush, 1),
			-EINVAL); /* not granted */
	grant_v1(9, GTF_permit_access, user->domid, page[0]);
	m = map(9, GNTMAP_host_map, 1);
	lines_flushed = 0;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_cache_flush, &flush, 1), 0);
	CU_ASSERT_EQUAL(lines_flushed, 4);
	flush.offset = 4000;
	CU_ASSERT_EQUAL(list_op(GNTTABOP_cache_flush, &flush, 1), -EINVAL);
	CU_ASSERT_EQUAL(unmap(m.handle, 1), GNTST_okay);
	all_free();
}

/* ---- random calls ---- */

#define REFS   32u
#define ROUNDS 40000

static struct held {
	bool used;
	grant_handle_t handle;
	uint64_t at;
	grant_ref_t ref;
	bool readonly;
	mfn_t mfn;
} held[SLOTS];

static void audit(void)
{
	uint64_t refs[PAGES], uses[PAGES] = {0};
	unsigned int readers[REFS] = {0}, writers[REFS] = {0};

	for (unsigned int i = 0; i < PAGES; i++)
		refs[i] = 1;
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!held[i].used)
			continue;
		held[i].readonly ? readers[held[i].ref]++ : writers[held[i].ref]++;
		for (unsigned int p = 0; p < PAGES; p++)
			if (mfn_eq(held[i].mfn, frame_to_mfn(page[p]))) {
				refs[p]++;
				uses[p] += !held[i].readonly;
			}
	}
	for (unsigned int i = 0; i < PAGES; i++) {
		CU_ASSERT_EQUAL(refs_of(page[i]), refs[i]);
		CU_ASSERT_EQUAL(uses_of(page[i]), uses[i]);
	}
	for (grant_ref_t r = 0; r < REFS; r++) {
		CU_ASSERT_EQUAL(active_entry(table(), r)->readers, readers[r]);
		CU_ASSERT_EQUAL(active_entry(table(), r)->writers, writers[r]);
	}
}

static void random_entry(grant_ref_t ref)
{
	static const uint16_t flags[] = {0, 1, 1, 1, 2, 3, 5, 5, 0xffff, 0x19};

	grant_v1(ref, flags[machine_random() % ARRAY_SIZE(flags)],
		 machine_random() % 8 ? user->domid : (domid_t)machine_random(),
		 machine_random() % 8 ? page[machine_random() % PAGES] : own[0]);
}

static void random_map(unsigned int at, grant_ref_t ref)
{
	bool readonly = machine_random() & 1;
	struct gnttab_map_grant_ref op;

	if (held[at].used)
		return;
	op = map(ref, GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0), at);
	if (op.status == GNTST_okay)
		held[at] =
			(struct held){true, op.handle, at, ref, readonly, slots[at].mfn};
}

static void test_random(void)
{
	unsigned int mapped = 0;

	machine_seed(815);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		grant_ref_t ref = (grant_ref_t)(machine_random() % REFS);
		unsigned int at = 1 + (unsigned int)(machine_random() % (SLOTS - 1));

		switch (machine_random() % 5) {
		case 0:
			random_entry(ref);
			break;
		case 1:
		case 2:
			random_map(at, ref);
			break;
		case 3:
			mapped += held[at].used;
			if (held[at].used)
				CU_ASSERT_EQUAL(unmap(held[at].handle, at), GNTST_okay);
			held[at].used = false;
			break;
		default:
			if (machine_random() & 1)
				copy(ref, granter->domid, 0, own[1], 0, 64);
			else
				copy_out(own[1], ref, 0, 64);
			break;
		}
		if (i % 8 == 0)
			audit();
	}
	CU_ASSERT(mapped > 1000);
	for (unsigned int at = 1; at < SLOTS; at++)
		if (held[at].used)
			CU_ASSERT_EQUAL(unmap(held[at].handle, at), GNTST_okay);
	all_free();
}

/* ---- CPUs against each other ---- */

#define RACERS      3
#define RACE_ROUNDS 20000

/* Maps and unmaps of the user's vcpus, by handles that may be another's; one thread is
 * the granter, who writes entries and changes the version. */
static void *race(void *arg)
{
	unsigned int id = (unsigned int)(uintptr_t)arg;

	machine_cpu(id);
	machine_seed(id + 77);
	guest_run(id ? user : granter);
	for (unsigned int i = 0; i < RACE_ROUNDS; i++) {
		grant_ref_t ref = (grant_ref_t)(machine_random() % REFS);
		uint64_t at = 1 + id * 16 + machine_random() % 16;

		if (!id) {
			struct gnttab_set_version op = {
				.version = 1 + (machine_random() % 64 == 0)};

			if (machine_random() % 32)
				random_entry(ref);
			else
				list_op(GNTTABOP_set_version, &op, 1);
			continue;
		}
		switch (machine_random() % 4) {
		case 0: {
			struct gnttab_map_grant_ref op = {
				.host_addr = at,
				.flags = GNTMAP_host_map |
					 (machine_random() & 1 ? GNTMAP_readonly : 0),
				.ref = ref,
				.dom = granter->domid};

			list_op(GNTTABOP_map_grant_ref, &op, 1);
			break;
		}
		case 1:
		case 2: {
			struct gnttab_unmap_grant_ref op = {
				.host_addr = at,
				.handle = (grant_handle_t)(machine_random() % 64)};

			list_op(GNTTABOP_unmap_grant_ref, &op, 1);
			break;
		}
		default: {
			struct gnttab_copy op = {
				.source = {.u.ref = ref, .domid = granter->domid},
				.dest = {.u.gmfn = frame_to_mfn(own[id]).n,
					 .domid = DOMID_SELF},
				.len = 64,
				.flags = GNTCOPY_source_gref};

			list_op(GNTTABOP_copy, &op, 1);
			break;
		}
		}
	}
	return NULL;
}

static void test_race(void)
{
	pthread_t thread[RACERS];

	for (uintptr_t i = 0; i < RACERS; i++)
		pthread_create(&thread[i], NULL, race, (void *)i);
	for (unsigned int i = 0; i < RACERS; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT_EQUAL(grant_table_relinquish(user), 0);
	user->grant_table->relinquish_at = 0;
	CU_ASSERT_EQUAL(set_version(granter, 1), 0);
	memset(slots, 0, sizeof(slots));
	all_free();
}

static struct domain *make_domain(domid_t domid, struct frame **f)
{
	struct domain *d = guest_create(domid, 100);

	if (grant_table_create(d, 8, 2, 0))
		abort();
	for (unsigned int i = 0; i < PAGES; i++)
		f[i] = guest_page(d);
	return d;
}

static void test_end(void)
{
	struct domain *all[] = {granter, user, third};
	uint64_t free;

	for (unsigned int i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(grant_table_relinquish(all[i]), 0);
		grant_table_destroy(all[i]);
		CU_ASSERT_EQUAL(all[i]->xenheap_pages, 0);
	}
	free = buddy_free_frames(ANY_NODE);
	CU_ASSERT_EQUAL(grant_table_create(user, 0, 1, 0), -EINVAL);
	CU_ASSERT_EQUAL(grant_table_create(user, 1, 1, 3), -EINVAL);
	CU_ASSERT_EQUAL(grant_table_create(user, 1, 1, 1), 0);
	CU_ASSERT_EQUAL(set_version(user, 2), -ENOSYS);
	CU_ASSERT_EQUAL(
		grant_table_resource_frames(user, XENMEM_resource_grant_table_id_shared), 1);
	grant_table_destroy(user);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
}

int main(void)
{
	static struct frame *rest[PAGES];
	CU_TestInfo tests[] = {
		{"map and unmap", test_map},
		{"maps that may not be", test_map_refused},
		{"entries changed while in use", test_revoked},
		{"devices, batches, faults", test_device_and_batches},
		{"unmap and replace", test_replace},
		{"copy", test_copy},
		{"copy from a frame of another's", test_copy_foreign_frame},
		{"version 2", test_v2},
		{"transitive grants", test_transitive},
		{"sizes and frames", test_sizes},
		{"limits, and the end of a domain", test_limits},
		{"transfer, cache flush", test_small},
		{"random calls, all pins counted", test_random},
		{"CPUs against each other", test_race},
		{"all is given back", test_end},
		CU_TEST_INFO_NULL,
	};

	guest_init();
	granter = make_domain(1, page);
	user = make_domain(2, own);
	third = make_domain(3, rest);
	guest_run(user);
	return suite_main("grant", tests);
}
