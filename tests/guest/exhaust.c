// SPDX-License-Identifier: GPL-2.0-only
/*
 * Takes all the memory that it has, gives it back, takes it again and asks for more than
 * it may have, in all sizes, and for what costs the hypervisor memory of its own.
 */
#include "tests/guest/guest.h"

#define BATCH 256
static xen_pfn_t list[BATCH];
static unsigned long taken[1 << 16], nr_taken;

static void touch_all(void)
{
	while (nr_taken < ARRAY_SIZE(taken) && (taken[nr_taken] = page_alloc())) {
		memset(page(taken[nr_taken]), (int)nr_taken, PAGE_SIZE);
		nr_taken++;
	}
	print("took %lu pages\n", nr_taken);
	must(!page_alloc());
}

static long reserve(unsigned int op, unsigned int order, unsigned long n)
{
	struct xen_memory_reservation r = {
		.nr_extents = n, .extent_order = order, .domid = DOMID_SELF};

	set_xen_guest_handle(r.extent_start, list);
	return hcall(memory_op, op, &r);
}

/* The first @n pages that we took go back to the hypervisor. */
static void balloon_out(unsigned long n)
{
	unsigned long done = 0;

	for (unsigned long i = 0; i < n; i += BATCH) {
		unsigned long m = n - i < BATCH ? n - i : BATCH;

		for (unsigned long j = 0; j < m; j++) {
			must(map_at((unsigned long)page(taken[i + j]), 0) == 0);
			list[j] = mfn_of(taken[i + j]);
		}
		done += (unsigned long)reserve(XENMEM_decrease_reservation, 0, m);
	}
	must(done == n);
}

/* scrubbed: whoever had a page before, nothing of his is in it (stock Xen leaves it there
 * as long as he lives). */
static void balloon_in(unsigned long n)
{
	bool scrubbed = argument("scrubbed", 0);

	for (unsigned long i = 0; i < n; i++) {
		list[0] = taken[i];
		must(reserve(XENMEM_populate_physmap, 0, 1) == 1);
		mfn_list[taken[i]] = list[0];
		must(pfn_of_mfn(list[0]) == taken[i]);
		must(map_at((unsigned long)page(taken[i]), list[0] << 12 | PTE_DATA) == 0);
		for (unsigned int w = 0; scrubbed && w < 512; w++)
			must(!((uint64_t *)page(taken[i]))[w]);
	}
}

/* Beyond the limit: nothing is given. */
static void too_much(void)
{
	static const unsigned int orders[] = {0, 1, 4, 9, 10, 18, 20, 63, 64, 255};

	for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
		for (unsigned int j = 0; j < BATCH; j++)
			list[j] = nr_pages + 4096 + j;
		print("populate order %u: %ld\n", orders[i],
		      reserve(XENMEM_populate_physmap, orders[i], BATCH));
		print("increase order %u: %ld\n", orders[i],
		      reserve(XENMEM_increase_reservation, orders[i], BATCH));
	}
}

static void use_up_events(void)
{
	struct evtchn_bind_ipi ipi = {0};
	unsigned int n = 0;
	long ret;

	while ((ret = hcall(event_channel_op, EVTCHNOP_bind_ipi, &ipi)) == 0)
		n++;
	print("%u event channels, then %s\n", n, errno_name(ret));
}

static void use_up_grants(void)
{
	static xen_pfn_t frames[1024];
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 1024};

	set_xen_guest_handle(setup.frame_list, frames);
	hcall(grant_table_op, GNTTABOP_setup_table, &setup, 1);
	print("1024 grant frames: %d\n", setup.status);
	for (setup.nr_frames = 1; setup.nr_frames < 1024; setup.nr_frames++) {
		hcall(grant_table_op, GNTTABOP_setup_table, &setup, 1);
		if (setup.status != GNTST_okay)
			break;
	}
	print("%u grant frames, then %d\n", setup.nr_frames - 1, setup.status);
}

void guest_main(void)
{
	domid_t self = DOMID_SELF;
	unsigned long most;

	touch_all();
	for (unsigned int round = 0; round < 3; round++) {
		balloon_out(nr_taken - 16);
		must(hcall(memory_op, XENMEM_current_reservation, &self) ==
		     (long)(nr_pages - nr_taken + 16));
		balloon_in(nr_taken - 16);
	}
	must(hcall(memory_op, XENMEM_current_reservation, &self) == (long)nr_pages);
	most = (unsigned long)hcall(memory_op, XENMEM_maximum_reservation, &self) - nr_pages;
	print("%lu pages more than it has are allowed\n", most);
	while (most--) { /* the slack that libxl gives */
		list[0] = nr_pages + 9000 + most;
		if (reserve(XENMEM_populate_physmap, 0, 1) != 1)
			break;
	}
	too_much();
	use_up_events();
	use_up_grants();
	must(nr_taken > 16);
}
