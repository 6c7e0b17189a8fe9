// SPDX-License-Identifier: GPL-2.0-only
/*
 * 100,000 grants of version 1, then as many of version 2 as the table holds: laid out,
 * copied through, mapped by the domain itself, unmapped, taken back. The configuration
 * has max_grant_frames = 256.
 */
#include "tests/guest/guest.h"

#define FRAMES   256
#define TABLE_VA 0xffff900000000000ul
#define STATUS_VA (TABLE_VA + 0x40000000)
#define MAP_VA   (TABLE_VA + 0x80000000)
#define PAGES    1000 /* granted ones; entry i grants page i % PAGES */
#define BATCH    64
#define MAPS     512

static unsigned long pages[PAGES], target;
static domid_t self;
static unsigned int version, count;
static uint32_t handles[MAPS];

static long grant_op(unsigned int op, void *arg, unsigned int n)
{
	return hcall(grant_table_op, op, arg, n);
}

static void map_frames(unsigned long va, const uint64_t *mfns, unsigned int n, uint64_t flags)
{
	for (unsigned long i = 0; i < n; i++)
		must(map_at(va + i * PAGE_SIZE, mfns[i] << 12 | flags) == 0);
}

static void table_init(void)
{
	static xen_pfn_t list[FRAMES];
	struct gnttab_query_size size = {.dom = DOMID_SELF};
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = FRAMES};

	set_xen_guest_handle(setup.frame_list, list);
	must(grant_op(GNTTABOP_setup_table, &setup, 1) == 0);
	must(setup.status == GNTST_okay);
	map_frames(TABLE_VA, list, FRAMES, PTE_DATA);
	must(grant_op(GNTTABOP_query_size, &size, 1) == 0);
	print("version %u: %u of %u frames\n", version, size.nr_frames, size.max_nr_frames);
	must(size.status == GNTST_okay && size.nr_frames == FRAMES);
}

static void status_init(void)
{
	static uint64_t list[FRAMES];
	unsigned int n = FRAMES * PAGE_SIZE / sizeof(union grant_entry_v2) * 2 / PAGE_SIZE;
	struct gnttab_get_status_frames get = {.nr_frames = n, .dom = DOMID_SELF};

	set_xen_guest_handle(get.frame_list, list);
	must(grant_op(GNTTABOP_get_status_frames, &get, 1) == 0);
	must(get.status == GNTST_okay);
	map_frames(STATUS_VA, list, n, PTE_RO);
}

static void grant(unsigned int ref, bool readonly)
{
	uint16_t flags = (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0));
	unsigned long frame = mfn_of(pages[ref % PAGES]);

	if (version == 1) {
		struct grant_entry_v1 *e = (struct grant_entry_v1 *)TABLE_VA + ref;

		e->domid = self;
		e->frame = (uint32_t)frame;
		barrier();
		WRITE_ONCE(e->flags, flags);
	} else {
		union grant_entry_v2 *e = (union grant_entry_v2 *)TABLE_VA + ref;

		e->full_page.frame = frame;
		e->hdr.domid = self;
		barrier();
		WRITE_ONCE(e->hdr.flags, flags);
	}
}

static uint16_t flags_of(unsigned int ref)
{
	if (version == 1)
		return READ_ONCE(((struct grant_entry_v1 *)TABLE_VA)[ref].flags);
	return (uint16_t)(READ_ONCE(((union grant_entry_v2 *)TABLE_VA)[ref].hdr.flags) |
			  READ_ONCE(((uint16_t *)STATUS_VA)[ref]));
}

/* Copies 8 bytes through each grant from @first on; all must give what their page has. */
static void copy_batch(unsigned int first, unsigned int n)
{
	static struct gnttab_copy copies[BATCH];
	uint64_t *got = page(target);

	for (unsigned int i = 0; i < n; i++) {
		copies[i] = (struct gnttab_copy){.len = 8, .flags = GNTCOPY_source_gref};
		copies[i].source.u.ref = first + i;
		copies[i].source.domid = DOMID_SELF;
		copies[i].dest.u.gmfn = mfn_of(target);
		copies[i].dest.domid = DOMID_SELF;
		copies[i].dest.offset = (uint16_t)(i * 8);
	}
	must(grant_op(GNTTABOP_copy, copies, n) == 0);
	for (unsigned int i = 0; i < n; i++) {
		must(copies[i].status == GNTST_okay);
		must(got[i] == pages[(first + i) % PAGES]);
	}
}

static int16_t copy_to(unsigned int ref)
{
	struct gnttab_copy c = {.len = 8, .flags = GNTCOPY_dest_gref};

	c.source.u.gmfn = mfn_of(target);
	c.source.domid = c.dest.domid = DOMID_SELF;
	c.dest.u.ref = ref;
	c.dest.offset = 2048;
	must(grant_op(GNTTABOP_copy, &c, 1) == 0);
	return c.status;
}

static void map_some(void)
{
	for (unsigned int i = 0; i < MAPS; i++) {
		struct gnttab_map_grant_ref map = {.dom = self, .ref = 1000 + i * 7};
		uint64_t *at = (void *)(MAP_VA + i * PAGE_SIZE);
		bool readonly = i & 1 || map.ref % 5 == 0;

		map.host_addr = (unsigned long)at;
		map.flags = GNTMAP_host_map | (readonly ? GNTMAP_readonly : 0);
		must(grant_op(GNTTABOP_map_grant_ref, &map, 1) == 0);
		must(map.status == GNTST_okay);
		handles[i] = map.handle;
		must(at[0] == pages[map.ref % PAGES]);
		must(flags_of(map.ref) & GTF_reading);
		if (readonly)
			continue;
		at[1] = map.ref;
		must(((uint64_t *)page(pages[map.ref % PAGES]))[1] == map.ref);
	}
}

static void unmap_all(void)
{
	static struct gnttab_unmap_grant_ref unmaps[MAPS];

	for (unsigned int i = 0; i < MAPS; i++)
		unmaps[i] = (struct gnttab_unmap_grant_ref){
			.host_addr = MAP_VA + i * PAGE_SIZE, .handle = handles[i]};
	must(grant_op(GNTTABOP_unmap_grant_ref, unmaps, MAPS) == 0);
	for (unsigned int i = 0; i < MAPS; i++) {
		must(unmaps[i].status == GNTST_okay);
		must(!(flags_of(1000 + i * 7) & (GTF_reading | GTF_writing)));
	}
	must(grant_op(GNTTABOP_unmap_grant_ref, unmaps, 1) == 0);
	print("unmapped twice: %d\n", unmaps[0].status);
	must(unmaps[0].status != GNTST_okay);
}

static void take_back(void)
{
	for (unsigned int ref = 8; ref < count; ref++) {
		if (version == 1)
			((struct grant_entry_v1 *)TABLE_VA)[ref].flags = 0;
		else
			((union grant_entry_v2 *)TABLE_VA)[ref].hdr.flags = 0;
	}
}

static void one_version(void)
{
	for (unsigned int ref = 8; ref < count; ref++)
		grant(ref, ref % 5 == 0);
	for (unsigned int ref = 8; ref < count; ref += BATCH)
		copy_batch(ref, count - ref < BATCH ? count - ref : BATCH);
	print("copied through %u grants\n", count - 8);
	must(copy_to(11) == GNTST_okay);
	print("to a read-only one: %d; beyond the table: %d\n", copy_to(10), copy_to(~0u));
	map_some();
	unmap_all();
	take_back();
	print("to one taken back: %d\n", copy_to(11));
}

void guest_main(void)
{
	struct gnttab_set_version set = {.version = 2};
	struct gnttab_get_version get = {.dom = DOMID_SELF};

	self = find_own_domid();
	target = page_alloc();
	for (unsigned int i = 0; i < PAGES; i++) {
		pages[i] = page_alloc();
		must(pages[i]);
		*(uint64_t *)page(pages[i]) = pages[i];
	}
	tables_for(TABLE_VA, FRAMES);
	tables_for(STATUS_VA, FRAMES);
	tables_for(MAP_VA, MAPS);
	version = 1;
	count = 8 + 100000;
	table_init();
	one_version();
	must(grant_op(GNTTABOP_set_version, &set, 1) == 0 && set.version == 2);
	must(grant_op(GNTTABOP_get_version, &get, 1) == 0 && get.version == 2);
	version = 2;
	count = FRAMES * (unsigned int)(PAGE_SIZE / sizeof(union grant_entry_v2));
	table_init();
	status_init();
	one_version();
}
