// SPDX-License-Identifier: GPL-2.0-only
/* XENMEM_* of reservations and exchanges, as a PV guest calls them. */
#include "hypervisor/hypercall/memory.h"
#include "tests/unit/hv_machine.h"

static struct domain *self, *other;
static struct vcpu vcpu;
static int preempt_every, preempt_left; /* 0: never */
static uint64_t denied;                 /* accesses that are refused, a bit each */
static uint64_t continued;              /* cmd of the last continuation; 0: none */
static uint64_t bad_address;            /* copies that touch it fail */
const struct guest_ops pv_guest_ops;

/* ---- what the calls want of other folders: a guest address is a pointer here ---- */

static bool touches(uint64_t gva, size_t n)
{
	return gva < PAGE_SIZE || (bad_address >= gva && bad_address < gva + n);
}

/* One softirq comes up for each preempt_every copies. */
static void tick(void)
{
	if (preempt_every && !--preempt_left) {
		preempt_left = preempt_every;
		this_cpu_var(softirq_pending) = 1;
	}
}

size_t copy_from_guest(void *to, uint64_t gva, size_t n)
{
	tick();
	if (touches(gva, n))
		return n;
	memcpy(to, (void *)gva, n);
	return 0;
}

size_t copy_to_guest(uint64_t gva, const void *from, size_t n)
{
	if (touches(gva, n))
		return n;
	memcpy((void *)gva, from, n);
	return 0;
}

long hypercall_continue(unsigned int nr, unsigned int n, ...)
{
	va_list ap;

	CU_ASSERT_EQUAL(nr, __HYPERVISOR_memory_op);
	CU_ASSERT_EQUAL(n, 2);
	va_start(ap, n);
	continued = va_arg(ap, uint64_t);
	va_end(ap);
	this_cpu_var(softirq_pending) = 0;
	return -ERESTART;
}

int access_check(enum access what, const struct domain *target)
{
	return denied >> what & 1 && target != self ? -EPERM : 0;
}

struct domain *domain_get_any(domid_t domid)
{
	return domain_get(domid);
}

struct domain *domain_get(domid_t domid)
{
	struct domain *d = domid == DOMID_SELF ? self : domid == 7 ? other : NULL;

	if (d)
		domain_ref(d);
	return d;
}

/* In files that are not part of this test. */
#define ELSEWHERE(name)                                                                  \
	long name(struct op_call *c)                                                     \
	{                                                                                \
		(void)c;                                                                 \
		return -ENOSYS;                                                          \
	}
ELSEWHERE(memory_map)
ELSEWHERE(memory_machine_map)
ELSEWHERE(memory_set_map)
ELSEWHERE(memory_machphys_mapping)
ELSEWHERE(memory_machphys_list)

/* As a domain with four frames of a grant table has it. */
unsigned int grant_table_resource_frames(struct domain *d, uint32_t id)
{
	(void)d;
	return id == XENMEM_resource_grant_table_id_shared ? 4 : 0;
}

int grant_table_acquire(struct domain *d, uint32_t id, uint32_t frame, uint32_t n, mfn_t *mfn)
{
	(void)d, (void)id;
	for (uint32_t i = 0; i < n; i++)
		mfn[i] = MFN(1000 + frame + i);
	return frame + n > 200 ? -EINVAL : 0;
}

static long call(uint64_t cmd, void *arg)
{
	long rc;

	for (;;) {
		continued = 0;
		rc = do_memory_op(cmd, (uint64_t)arg);
		if (!continued)
			return rc;
		CU_ASSERT_EQUAL(rc, -ERESTART);
		cmd = continued;
	}
}

static struct xen_memory_reservation reservation(xen_pfn_t *list, uint64_t n, unsigned int order)
{
	struct xen_memory_reservation r = {
		.nr_extents = n, .extent_order = order, .domid = DOMID_SELF};

	r.extent_start.p = list;
	return r;
}

static void drop_all(struct domain *d)
{
	while (d->first_page)
		frame_put_allocated(&frame_table[d->first_page]);
	CU_ASSERT_EQUAL(d->tot_pages, 0);
}

static uint64_t mfn_pages[400];

/* ---- reservations ---- */

static void test_populate(void)
{
	struct xen_memory_reservation r = reservation(mfn_pages, 100, 1);
	uint64_t i;

	for (i = 0; i < 100; i++)
		mfn_pages[i] = 1000 + i * 2;
	CU_ASSERT_EQUAL(call(XENMEM_populate_physmap, &r), 100);
	CU_ASSERT_EQUAL(self->tot_pages, 200);
	for (i = 0; i < 100; i++) {
		CU_ASSERT_PTR_EQUAL(frame_owner(&frame_table[mfn_pages[i] + 1]), self);
		CU_ASSERT_EQUAL(m2p[mfn_pages[i]], 1000 + i * 2);
		CU_ASSERT_EQUAL(m2p[mfn_pages[i] + 1], 1001 + i * 2);
	}
	/* Give back half; a frame of nobody ends it. */
	r.nr_extents = 60;
	mfn_pages[50] = HOLE_START;
	CU_ASSERT_EQUAL(call(XENMEM_decrease_reservation, &r), 50);
	CU_ASSERT_EQUAL(self->tot_pages, 100);
	CU_ASSERT_EQUAL(m2p[mfn_pages[0]], M2P_INVALID);
	CU_ASSERT_EQUAL(call(XENMEM_decrease_reservation, &r), 0); /* they are gone */
	drop_all(self);

	/* Without a list, increase tells no numbers; populate has nothing to go by. */
	r = reservation(NULL, 3, 0);
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 3);
	CU_ASSERT_EQUAL(call(XENMEM_populate_physmap, &r), 0);
	CU_ASSERT_EQUAL(self->tot_pages, 3);
	drop_all(self);
}

static void test_limits(void)
{
	struct xen_memory_reservation r = reservation(mfn_pages, 400, 0);

	self->max_pages = 300;
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 300);
	drop_all(self);
	self->max_pages = 100000;
	r.extent_order = 10;
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 0);
	r.extent_order = 64;
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 0);
	r.extent_order = 0;
	r.nr_extents = ~0ull >> 5;
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 0);
	r.nr_extents = 4;
	CU_ASSERT_EQUAL(do_memory_op(XENMEM_increase_reservation | 4 << 6, (uint64_t)&r), 4);
	CU_ASSERT_EQUAL(do_memory_op(XENMEM_increase_reservation | 3 << 6, (uint64_t)&r), 4);
	CU_ASSERT_EQUAL(self->tot_pages, 1);
	drop_all(self);
	r.domid = 99;
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 0);
	denied = 1ull << ACCESS_MEMORY;
	r.domid = 7;
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 0);
	denied = 0;
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 4);
	CU_ASSERT_EQUAL(other->tot_pages, 4);
	drop_all(other);
	r.domid = DOMID_SELF;
	r.mem_flags = XENMEMF_address_bits(24);
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 4);
	for (unsigned int i = 0; i < 4; i++)
		CU_ASSERT(mfn_pages[i] < 1u << 12);
	drop_all(self);
	r.mem_flags = XENMEMF_address_bits(12);
	CU_ASSERT_EQUAL(call(XENMEM_increase_reservation, &r), 0);
	r.mem_flags = XENMEMF_populate_on_demand;
	CU_ASSERT_EQUAL(call(XENMEM_populate_physmap, &r), 0);
	CU_ASSERT_EQUAL(do_memory_op(XENMEM_increase_reservation, 0), 0);
	CU_ASSERT_EQUAL(do_memory_op(XENMEM_maximum_ram_page | 1 << 6, 0), -EINVAL);
	CU_ASSERT_EQUAL(do_memory_op(63, 0), -ENOSYS);
}

/* Every interruption goes on where it was, nothing is done twice. */
static void test_preempted(void)
{
	struct xen_memory_reservation r = reservation(mfn_pages, 300, 0);

	preempt_every = preempt_left = 7;
	for (unsigned int i = 0; i < 300; i++)
		mfn_pages[i] = i;
	CU_ASSERT_EQUAL(call(XENMEM_populate_physmap, &r), 300);
	CU_ASSERT_EQUAL(self->tot_pages, 300);
	for (unsigned int i = 0; i < 300; i++)
		CU_ASSERT_EQUAL(m2p[mfn_pages[i]], i);
	CU_ASSERT_EQUAL(call(XENMEM_decrease_reservation, &r), 300);
	CU_ASSERT_EQUAL(self->tot_pages, 0);
	preempt_every = 0;
}

/* Who still has a reference keeps the frame from being anybody else's. */
static void test_decrease_referenced(void)
{
	struct xen_memory_reservation r = reservation(mfn_pages, 1, 0);
	struct frame *f;

	mfn_pages[0] = 5;
	CU_ASSERT_EQUAL(call(XENMEM_populate_physmap, &r), 1);
	f = &frame_table[mfn_pages[0]];
	CU_ASSERT(frame_get_and_type(f, self, FRAME_WRITABLE));
	CU_ASSERT_EQUAL(call(XENMEM_decrease_reservation, &r), 1);
	CU_ASSERT_EQUAL(self->tot_pages, 1);
	CU_ASSERT_EQUAL(call(XENMEM_decrease_reservation, &r), 1); /* changes nothing */
	CU_ASSERT_EQUAL(f->count, 1);
	frame_put_and_type(f);
	CU_ASSERT_EQUAL(self->tot_pages, 0);
}

/* ---- exchange ---- */

static uint64_t out_pages[400];

static struct xen_memory_exchange exchange(uint64_t n_in, unsigned int in_order, uint64_t n_out,
					   unsigned int out_order, unsigned int bits)
{
	struct xen_memory_exchange x = {
		.in = reservation(mfn_pages, n_in, in_order),
		.out = reservation(out_pages, n_out, out_order),
	};

	x.out.mem_flags = XENMEMF_address_bits(bits);
	return x;
}

static void populate(uint64_t n, unsigned int order)
{
	struct xen_memory_reservation r = reservation(mfn_pages, n, order);

	for (uint64_t i = 0; i < n; i++)
		mfn_pages[i] = 0x500 + (i << order);
	CU_ASSERT_EQUAL(call(XENMEM_populate_physmap, &r), (long)n);
	for (uint64_t i = 0; i < n; i++)
		out_pages[i] = 0x900 + i;
}

/* What swiotlb does: single frames for a contiguous run below a limit. */
static void test_exchange(void)
{
	uint64_t free = buddy_free_frames(ANY_NODE);
	struct xen_memory_exchange x = exchange(64, 0, 1, 6, 24);

	populate(64, 0);
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), 0);
	CU_ASSERT_EQUAL(x.nr_exchanged, 64);
	CU_ASSERT_EQUAL(self->tot_pages, 64);
	CU_ASSERT(out_pages[0] + 64 <= 1u << 12 && !(out_pages[0] & 63));
	for (unsigned int i = 0; i < 64; i++) {
		CU_ASSERT_PTR_EQUAL(frame_owner(&frame_table[out_pages[0] + i]), self);
		CU_ASSERT_EQUAL(frame_table[out_pages[0] + i].count, FRAME_ALLOCATED | 1);
		CU_ASSERT_EQUAL(m2p[out_pages[0] + i], 0x900 + i);
		CU_ASSERT(mfn_pages[i] >= out_pages[0] && mfn_pages[i] < out_pages[0] + 64
				  ? true
				  : m2p[mfn_pages[i]] == M2P_INVALID);
	}
	/* And back: one run for single frames, with interruptions. */
	mfn_pages[0] = out_pages[0];
	for (unsigned int i = 0; i < 64; i++)
		out_pages[i] = 0x800 + i;
	x = exchange(1, 6, 64, 0, 0);
	preempt_every = preempt_left = 3;
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), 0);
	preempt_every = 0;
	CU_ASSERT_EQUAL(x.nr_exchanged, 1);
	for (unsigned int i = 0; i < 64; i++)
		CU_ASSERT_EQUAL(m2p[out_pages[i]], 0x800 + i);
	drop_all(self);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
}

static void test_exchange_preempted(void)
{
	struct xen_memory_exchange x = exchange(256, 0, 32, 3, 0);

	populate(256, 0);
	preempt_every = preempt_left = 5;
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), 0);
	preempt_every = 0;
	CU_ASSERT_EQUAL(x.nr_exchanged, 256);
	CU_ASSERT_EQUAL(self->tot_pages, 256);
	for (unsigned int i = 0; i < 32; i++)
		CU_ASSERT_EQUAL(m2p[out_pages[i]], 0x900 + i);
	drop_all(self);
}

/* A chunk that cannot be exchanged is left as it was. */
static void test_exchange_fails(void)
{
	uint64_t free = buddy_free_frames(ANY_NODE), held;
	struct xen_memory_exchange x = exchange(32, 0, 2, 4, 0);
	struct frame *f;

	populate(32, 0);
	held = mfn_pages[20];
	f = &frame_table[held];
	CU_ASSERT(frame_get(f, self));
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);
	CU_ASSERT_EQUAL(x.nr_exchanged, 16); /* the first chunk was done */
	CU_ASSERT_EQUAL(self->tot_pages, 32);
	for (unsigned int i = 16; i < 32; i++) {
		CU_ASSERT_PTR_EQUAL(frame_owner(&frame_table[mfn_pages[i]]), self);
		CU_ASSERT_EQUAL(m2p[mfn_pages[i]], 0x500 + i);
	}
	CU_ASSERT_EQUAL(out_pages[1], 0x901);
	frame_put(f);
	/* The same frame twice. */
	held = mfn_pages[17];
	mfn_pages[17] = mfn_pages[16];
	x.nr_exchanged = 16;
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);
	mfn_pages[17] = held;
	/* One with a use as a page table. */
	CU_ASSERT_EQUAL(frame_get_type(f, FRAME_L1), 0);
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);
	frame_put_type(f);
	x.nr_exchanged = 16;
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), 0);
	drop_all(self);

	/* No memory that low. */
	populate(16, 0);
	x = exchange(16, 0, 1, 4, 15);
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -ENOMEM);
	CU_ASSERT_EQUAL(self->tot_pages, 16);
	CU_ASSERT_EQUAL(m2p[mfn_pages[3]], 0x503);

	/* Numbers that do not fit. */
	x = exchange(16, 0, 1, 3, 0);
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);
	x = exchange(1ull << 60, 4, 1ull << 60, 4, 0);
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);
	x = exchange(16, 0, 1, 4, 0);
	x.nr_exchanged = 17;
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);
	x.nr_exchanged = 3;
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);
	x = exchange(1, 10, 1, 10, 0);
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EPERM);
	x = exchange(1, 70, 1, 70, 0);
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EPERM);
	x = exchange(16, 0, 1, 4, 0);
	x.out.domid = 7;
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EINVAL);

	/* Its lists cannot be read or written: nothing is lost. */
	x = exchange(16, 0, 1, 4, 0);
	bad_address = (uint64_t)&mfn_pages[9];
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EFAULT);
	CU_ASSERT_EQUAL(self->tot_pages, 16);
	bad_address = (uint64_t)&out_pages[0];
	CU_ASSERT_EQUAL(call(XENMEM_exchange, &x), -EFAULT);
	bad_address = 0;
	CU_ASSERT_EQUAL(self->tot_pages, 16);
	drop_all(self);
	CU_ASSERT_EQUAL(buddy_free_frames(ANY_NODE), free);
	CU_ASSERT_EQUAL(machine_domain_refs, 0);
}

/* Those that ask, and those that a PV guest has no use for. */
static void test_small(void)
{
	struct xen_memory_domain q = {.domid = DOMID_SELF};
	struct xen_pod_target pod = {.domid = 7, .target_pages = 1};
	struct xen_vnuma_topology_info vnuma = {.domid = DOMID_SELF};
	struct xen_add_to_physmap add = {.domid = DOMID_SELF};
	struct xen_remove_from_physmap remove = {.domid = 9};
	struct xen_mem_access_op access = {.domid = DOMID_SELF};
	struct xen_reserved_device_memory_map rdm = {.nr_entries = 5};

	CU_ASSERT_EQUAL(call(XENMEM_current_reservation, &q), self->tot_pages);
	CU_ASSERT_EQUAL(call(XENMEM_maximum_reservation, &q), self->max_pages);
	CU_ASSERT_EQUAL(call(XENMEM_maximum_ram_page, NULL), (long)max_frame);
	q.domid = 9;
	CU_ASSERT_EQUAL(call(XENMEM_maximum_reservation, &q), -ESRCH);
	q.domid = 7;
	denied = 1u << ACCESS_MEMORY;
	CU_ASSERT_EQUAL(call(XENMEM_maximum_reservation, &q), -EPERM);
	CU_ASSERT_EQUAL(call(XENMEM_get_pod_target, &pod), -EPERM);
	CU_ASSERT_EQUAL(call(XENMEM_set_pod_target, &pod), 0);
	denied = 1u << ACCESS_DOMCTL;
	CU_ASSERT_EQUAL(call(XENMEM_set_pod_target, &pod), -EPERM);
	CU_ASSERT_EQUAL(call(XENMEM_get_pod_target, &pod), 0);
	CU_ASSERT_EQUAL(pod.tot_pages, other->tot_pages);
	denied = 0;
	pod.target_pages = other->max_pages + 1ull;
	CU_ASSERT_EQUAL(call(XENMEM_set_pod_target, &pod), -EINVAL);
	CU_ASSERT_EQUAL(call(XENMEM_reserved_device_memory_map, &rdm), 0);
	CU_ASSERT_EQUAL(rdm.nr_entries, 0);
	CU_ASSERT_EQUAL(call(XENMEM_machphys_compat_mfn_list, NULL), -EOPNOTSUPP);
	rdm.flags = 2;
	CU_ASSERT_EQUAL(call(XENMEM_reserved_device_memory_map, &rdm), -EINVAL);
	CU_ASSERT_EQUAL(call(XENMEM_get_vnumainfo, &vnuma), -EOPNOTSUPP);
	vnuma.pad = 1;
	CU_ASSERT_EQUAL(call(XENMEM_get_vnumainfo, &vnuma), -EINVAL);
	CU_ASSERT_EQUAL(call(XENMEM_add_to_physmap, &add), -EACCES);
	add.space = XENMAPSPACE_gmfn_foreign;
	CU_ASSERT_EQUAL(call(XENMEM_add_to_physmap, &add), -ENOSYS);
	CU_ASSERT_EQUAL(call(XENMEM_remove_from_physmap, &remove), -ESRCH);
	remove.domid = DOMID_SELF;
	CU_ASSERT_EQUAL(call(XENMEM_remove_from_physmap, &remove), -EACCES);
	CU_ASSERT_EQUAL(call(XENMEM_access_op, &access), -EOPNOTSUPP);
	CU_ASSERT_EQUAL(call(XENMEM_get_sharing_freed_pages, NULL), 0);
	/* Not there; and none of these goes on from anywhere. */
	CU_ASSERT_EQUAL(call(XENMEM_paging_op, NULL), -ENOSYS);
	CU_ASSERT_EQUAL(call(MEMOP_CMD_MASK, NULL), -ENOSYS);
	CU_ASSERT_EQUAL(call(XENMEM_maximum_ram_page | 1 << MEMOP_EXTENT_SHIFT, NULL), -EINVAL);
}

static void test_acquire(void)
{
	xen_pfn_t list[100] = {0};
	struct xen_mem_acquire_resource r = {.domid = 7,
					     .type = XENMEM_resource_grant_table};

	CU_ASSERT_EQUAL(call(XENMEM_acquire_resource, &r), 0);
	CU_ASSERT_EQUAL(r.nr_frames, 4);
	set_xen_guest_handle(r.frame_list, list);
	r.nr_frames = 100;
	r.frame = 3;
	this_cpu_var(softirq_pending) = 1;
	CU_ASSERT_EQUAL(call(XENMEM_acquire_resource, &r), 0);
	this_cpu_var(softirq_pending) = 0;
	for (unsigned int i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(list[i], 1003 + i);
	r.frame = 150;
	CU_ASSERT_EQUAL(call(XENMEM_acquire_resource, &r), -EINVAL);
	r.frame = 1ull << 32;
	CU_ASSERT_EQUAL(call(XENMEM_acquire_resource, &r), -EINVAL);
	r.frame = 0;
	r.type = XENMEM_resource_ioreq_server;
	CU_ASSERT_EQUAL(call(XENMEM_acquire_resource, &r), -EINVAL);
	r.domid = DOMID_SELF;
	CU_ASSERT_EQUAL(call(XENMEM_acquire_resource, &r), -EPERM);
	r.domid = 9;
	CU_ASSERT_EQUAL(call(XENMEM_acquire_resource, &r), -ESRCH);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"populate and decrease", test_populate},
		{"limits of a reservation", test_limits},
		{"interrupted", test_preempted},
		{"frames that are in use", test_decrease_referenced},
		{"exchange", test_exchange},
		{"exchange, interrupted", test_exchange_preempted},
		{"exchange that fails", test_exchange_fails},
		{"small operations", test_small},
		{"frames of a domain's state", test_acquire},
		CU_TEST_INFO_NULL,
	};

	machine_init();
	self = machine_domain(100000);
	other = machine_domain(100000);
	self->domid = 3;
	vcpu.domain = self;
	current = &vcpu;
	return suite_main("memory", tests);
}
