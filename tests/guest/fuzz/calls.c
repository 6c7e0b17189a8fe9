// SPDX-License-Identifier: GPL-2.0-only
/* Grants, events, memory, vcpus and the rest of the calls. */
#include "tests/guest/fuzz/fuzz.h"
#include <xen/nmi.h>
#include <xen/version.h>

/* ---- grants ---- */
#define TABLE_FRAMES 4
static unsigned int version = 1;
static uint32_t handles[64];

/* A handle that was spoiled, for what the hypervisor writes: not over the kernel. */
static void *harmless(void *p)
{
	unsigned long va = (unsigned long)p;

	if (deadly || (va < IMAGE && (va < PHYSMAP || va >= (unsigned long)arena_at(0))))
		return p;
	return arena_at(any_page());
}

static void *grant_window(unsigned int frame)
{
	return (void *)(WINDOW + (WINDOW_PAGES + frame) * PAGE_SIZE);
}

static void grant_setup(void)
{
	xen_pfn_t *list = (xen_pfn_t *)scratch();
	struct gnttab_setup_table setup = {.dom = any_domain(), .nr_frames = TABLE_FRAMES};
	struct gnttab_set_version set = {.version = 1 + (unsigned int)rnd(2)};

	set_xen_guest_handle(setup.frame_list, list);
	mutate(&setup, sizeof(setup), 16);
	if (setup.frame_list.p != list)
		set_xen_guest_handle(setup.frame_list, harmless(setup.frame_list.p));
	if (one_in(8) && try_call(grant_table_op, GNTTABOP_set_version, &set, 1) == 0)
		version = set.version;
	setup.status = -1;
	try_call(grant_table_op, GNTTABOP_setup_table, &setup, 1);
	if (setup.status != GNTST_okay || setup.frame_list.p != list)
		return;
	tables_for((unsigned long)grant_window(0), TABLE_FRAMES);
	for (unsigned int i = 0; i < TABLE_FRAMES && i < setup.nr_frames; i++)
		map_at((unsigned long)grant_window(i), list[i] << 12 | PTE_DATA);
}

static void grant_entry(void)
{
	unsigned int ref = 8 + (unsigned int)rnd(250);
	union grant_entry_v2 v2 = {.full_page = {.hdr = {(uint16_t)rnd(8) * 4 | (uint16_t)rnd(4), own_domid},
						 .frame = any_mfn()}};
	struct grant_entry_v1 v1 = {(uint16_t)(one_in(4) ? rnd64() : 1 | rnd(3) << 2), own_domid,
				    (uint32_t)any_mfn()};

	if (one_in(8))
		v2.sub_page.page_off = (uint16_t)rnd64();
	mutate(&v1, sizeof(v1), 16);
	mutate(&v2, sizeof(v2), 16);
	if (version == 1)
		((struct grant_entry_v1 *)grant_window(0))[ref] = v1;
	else
		((union grant_entry_v2 *)grant_window(0))[ref] = v2;
}

static uint64_t grant_place(uint32_t *flags)
{
	if (one_in(4)) {
		*flags |= GNTMAP_contains_pte;
		if (one_in(2))
			return entry_address(entry_of(WINDOW, 1)) + rnd(WINDOW_PAGES) * 8;
		return arena_mfn(page_of_level(1)) << 12 | rnd(512) * 8;
	}
	return one_in(16) ? any_address() : WINDOW + rnd(WINDOW_PAGES) * PAGE_SIZE;
}

static void grant_map(void)
{
	struct gnttab_map_grant_ref m[4];
	unsigned long n = 1 + rnd(4);

	memset(m, 0, sizeof(m));
	for (unsigned long i = 0; i < n; i++) {
		m[i].flags = GNTMAP_host_map | (one_in(3) ? GNTMAP_readonly : 0);
		m[i].host_addr = grant_place(&m[i].flags);
		m[i].ref = 8 + (uint32_t)rnd(250);
		m[i].dom = one_in(16) ? any_domain() : own_domid;
		mutate(&m[i], sizeof(m[i]), 16);
	}
	try_call(grant_table_op, GNTTABOP_map_grant_ref, m, n);
	for (unsigned long i = 0; i < n; i++)
		if (m[i].status == GNTST_okay)
			handles[rnd(64)] = m[i].handle;
}

static void grant_unmap(void)
{
	struct gnttab_unmap_grant_ref u[4];
	struct gnttab_unmap_and_replace r;
	unsigned long n = 1 + rnd(4);
	uint32_t flags = 0;

	memset(u, 0, sizeof(u));
	for (unsigned long i = 0; i < n; i++) {
		u[i].host_addr = one_in(3) ? 0 : grant_place(&flags);
		u[i].handle = one_in(8) ? (uint32_t)rnd(64) : handles[rnd(64)];
		mutate(&u[i], sizeof(u[i]), 16);
	}
	if (!one_in(4)) {
		try_call(grant_table_op, GNTTABOP_unmap_grant_ref, u, n);
		return;
	}
	r = (struct gnttab_unmap_and_replace){.host_addr = u[0].host_addr, .handle = u[0].handle,
					      .new_addr = WINDOW + rnd(WINDOW_PAGES) * PAGE_SIZE};
	try_call(grant_table_op, GNTTABOP_unmap_and_replace, &r, 1);
}

static void grant_end(unsigned int side, uint16_t *flags, struct gnttab_copy *c)
{
	struct {
		union {
			grant_ref_t ref;
			xen_pfn_t gmfn;
		} u;
		domid_t domid;
		uint16_t offset;
	} *end = side ? (void *)&c->dest : (void *)&c->source;

	end->offset = (uint16_t)rnd(4096);
	if (one_in(2)) {
		*flags |= side ? GNTCOPY_dest_gref : GNTCOPY_source_gref;
		end->u.ref = 8 + (uint32_t)rnd(250);
		end->domid = one_in(2) ? own_domid : any_domain();
	} else {
		end->u.gmfn = any_mfn();
		end->domid = any_domain();
	}
}

static void grant_copy(void)
{
	struct gnttab_copy c[4];
	unsigned long n = 1 + rnd(4);

	memset(c, 0, sizeof(c));
	for (unsigned long i = 0; i < n; i++) {
		grant_end(0, &c[i].flags, &c[i]);
		grant_end(1, &c[i].flags, &c[i]);
		c[i].len = (uint16_t)rnd(4096);
		mutate(&c[i], sizeof(c[i]), 16);
	}
	if (one_in(32)) /* with a count like this each status is written, up the stack */
		try_call(grant_table_op, GNTTABOP_copy, any_address(), rnd64());
	else
		try_call(grant_table_op, GNTTABOP_copy, c, n);
}

static void grant_other(void)
{
	static const unsigned char ops[] = {3, 4, 6, 9, 10, 11, 12, 13};
	unsigned char *arg = scratch();

	for (unsigned int i = 0; i < 64; i++)
		arg[i] = one_in(2) ? 0 : (unsigned char)rnd(one_in(4) ? 256 : 16);
	*(domid_t *)arg = any_domain();
	if (one_in(2))
		*(uint64_t *)(arg + 8) = any_address();
	if (one_in(16))
		try_call(grant_table_op, ops[rnd(sizeof(ops))], any_address(), rnd64());
	else
		try_call(grant_table_op, ops[rnd(sizeof(ops))], arg, 1);
}

/* ---- events ---- */
static void event_bind(void)
{
	struct evtchn_alloc_unbound unbound = {.dom = any_domain(), .remote_dom = any_domain()};
	struct evtchn_bind_interdomain inter = {.remote_dom = any_domain(), .remote_port = any_port()};
	struct evtchn_bind_ipi ipi = {.vcpu = (uint32_t)rnd(5)};
	struct evtchn_bind_virq virq = {.virq = (uint32_t)rnd(26), .vcpu = (uint32_t)rnd(5)};
	struct evtchn_bind_pirq pirq = {.pirq = (uint32_t)rnd(64), .flags = (uint32_t)rnd(3)};

	switch (rnd(5)) {
	case 0:
		try_call(event_channel_op, EVTCHNOP_alloc_unbound, &unbound);
		break;
	case 1:
		try_call(event_channel_op, EVTCHNOP_bind_interdomain, &inter);
		break;
	case 2:
		try_call(event_channel_op, EVTCHNOP_bind_ipi, &ipi);
		break;
	case 3:
		try_call(event_channel_op, EVTCHNOP_bind_virq, &virq);
		break;
	default:
		try_call(event_channel_op, EVTCHNOP_bind_pirq, &pirq);
	}
}

static void event_use(void)
{
	static const unsigned char ops[] = {EVTCHNOP_send, EVTCHNOP_send, EVTCHNOP_unmask,
					    EVTCHNOP_status, EVTCHNOP_close, EVTCHNOP_bind_vcpu,
					    EVTCHNOP_set_priority};
	uint32_t arg[8] = {any_port(), (uint32_t)rnd(20)};
	unsigned int op = ops[rnd(sizeof(ops))];

	if (op == EVTCHNOP_status) {
		arg[0] = any_domain();
		arg[1] = any_port();
	}
	try_call(event_channel_op, op, one_in(32) ? (void *)any_address() : arg);
}

static void event_fifo(void)
{
	struct evtchn_init_control init = {.control_gfn = any_mfn(),
					   .offset = (uint32_t)rnd(512) * 8,
					   .vcpu = (uint32_t)rnd(4)};
	struct evtchn_expand_array expand = {.array_gfn = any_mfn()};
	struct evtchn_reset reset = {.dom = DOMID_SELF};

	mutate(&init, sizeof(init), 8);
	/* It takes events from the console: the kernel's own words are on another page. */
	if (deadly)
		try_call(event_channel_op, EVTCHNOP_init_control, &init);
	try_call(event_channel_op, EVTCHNOP_expand_array, &expand);
	if (deadly && one_in(4))
		try_call(event_channel_op, EVTCHNOP_reset, &reset);
}

/* ---- memory ---- */
static void memory_reservation(void)
{
	static const unsigned char ops[] = {XENMEM_increase_reservation, XENMEM_decrease_reservation,
					    XENMEM_populate_physmap};
	unsigned int i = any_page(), op = ops[rnd(3)];
	xen_pfn_t *list = (xen_pfn_t *)arena_at(any_page());
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = any_domain()};

	for (unsigned int n = 0; n < 8; n++)
		list[n] = any_mfn();
	list[0] = op == XENMEM_decrease_reservation ? arena_mfn(i) : arena[i];
	if (one_in(4))
		r.nr_extents = rnd(8);
	if (one_in(8))
		r.extent_order = (unsigned int)rnd(20);
	r.mem_flags = (unsigned int)(one_in(4) ? rnd64() : 0);
	set_xen_guest_handle(r.extent_start, one_in(32) ? (void *)any_address() : list);
	mutate(&r, sizeof(r), 16);
	set_xen_guest_handle(r.extent_start, harmless(r.extent_start.p));
	try_call(memory_op, op, &r);
	/* Whatever happened: the arena page gets a frame again if it has none. */
	if (op == XENMEM_decrease_reservation && pfn_of_mfn(arena_mfn(i)) != arena[i]) {
		list[0] = arena[i];
		r = (struct xen_memory_reservation){.nr_extents = 1, .domid = DOMID_SELF};
		set_xen_guest_handle(r.extent_start, list);
		if (hcall(memory_op, XENMEM_populate_physmap, &r) == 1)
			mfn_list[arena[i]] = list[0];
	}
}

static void memory_exchange(void)
{
	unsigned int i = any_page();
	xen_pfn_t in[2] = {arena_mfn(i), any_mfn()}, out[2] = {arena[i], arena[any_page()]};
	struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = DOMID_SELF},
					.out = {.nr_extents = 1, .domid = DOMID_SELF}};

	set_xen_guest_handle(x.in.extent_start, in);
	set_xen_guest_handle(x.out.extent_start, out);
	map_at((unsigned long)arena_at(i), 0);
	mutate(&x, sizeof(x), 4);
	if (x.in.extent_start.p != in)
		set_xen_guest_handle(x.in.extent_start, harmless(x.in.extent_start.p));
	if (x.out.extent_start.p != out)
		set_xen_guest_handle(x.out.extent_start, harmless(x.out.extent_start.p));
	if (try_call(memory_op, XENMEM_exchange, &x) == 0 && x.nr_exchanged)
		mfn_list[arena[i]] = out[0];
	map_at((unsigned long)arena_at(i), arena_mfn(i) << 12 | PTE_DATA);
}

static void memory_other(void)
{
	unsigned char *arg = scratch();

	for (unsigned int i = 0; i < 64; i++)
		arg[i] = one_in(2) ? 0 : (unsigned char)rnd(one_in(4) ? 256 : 8);
	*(domid_t *)arg = any_domain();
	for (unsigned int i = 8; i < 64; i += 8)
		if (one_in(4))
			*(uint64_t *)(arg + i) = one_in(2) ? any_address() : any_mfn();
	try_call(memory_op, 2 + rnd(28) + (one_in(8) ? rnd(1024) << 6 : 0), arg);
}

/* ---- vcpus, time, the rest ---- */
static void vcpu_areas(void)
{
	uint64_t arg[2] = {any_address(), 0};
	struct vcpu_register_vcpu_info info = {any_mfn(), (uint32_t)rnd(70) * 64, 0};

	mutate(&info, sizeof(info), 8);
	try_call(vcpu_op, VCPUOP_register_runstate_memory_area, rnd(4), arg);
	try_call(vcpu_op, VCPUOP_register_vcpu_time_memory_area, rnd(4), arg);
	if (one_in(4) || deadly) /* for vcpus that do not run: cpu_id() is told by the stack */
		try_call(vcpu_op, VCPUOP_register_vcpu_info, deadly ? rnd(4) : 3, &info);
	if (one_in(4)) { /* take them away again: a page that they are in cannot be exchanged */
		arg[0] = 0;
		try_call(vcpu_op, VCPUOP_register_runstate_memory_area, rnd(4), arg);
	}
}

static void vcpu_timers(void)
{
	uint64_t arg[2] = {one_in(2) ? time_now() + rnd(10000000) : rnd64(), rnd(3)};

	if (one_in(2))
		arg[0] = rnd(1ul << rnd(64));
	switch (rnd(4)) {
	case 0:
		try_call(set_timer_op, arg[0]);
		break;
	case 1:
		try_call(vcpu_op, VCPUOP_set_periodic_timer, rnd(4), arg);
		break;
	case 2:
		try_call(vcpu_op, VCPUOP_set_singleshot_timer, rnd(4), arg);
		break;
	default:
		try_call(vcpu_op, one_in(2) ? VCPUOP_stop_periodic_timer : VCPUOP_stop_singleshot_timer,
			 rnd(4), NULL);
	}
}

/* Not SCHEDOP_block, which lets events in: its vcpu_info may be anywhere. */
static void idle(void *unused)
{
	struct sched_poll nothing = {.nr_ports = 0};

	(void)unused;
	for (;;)
		hcall(sched_op, SCHEDOP_poll, &nothing);
}

static void idle_forever(void)
{
	for (;;)
		guarded(idle, NULL);
}

/* Vcpu 3 is started with a context that is nearly right. What it needs to stay in
 * idle_forever() lies before ldt_base and behind ctrlreg. */
static void vcpu_context(void)
{
	struct vcpu_guest_context *c = scratch();
	unsigned int cpu = 3;

	cpu_context(c, cpu, idle_forever);
	c->ctrlreg[3] = mfn_of(one_in(8) ? arena[page_of_level(4)] : pt_first) << 12;
	c->ctrlreg[1] = one_in(4) ? arena_mfn(page_of_level(4)) << 12 : 0;
	c->ldt_base = one_in(4) ? (unsigned long)arena_at(any_page()) : 0;
	c->ldt_ents = c->ldt_base ? rnd(1024) : 0;
	c->gdt_ents = one_in(4) ? rnd(2048) : 0;
	for (unsigned int i = 0; i < 16; i++)
		c->gdt_frames[i] = any_mfn();
	if (deadly && one_in(4))
		mutate(c, sizeof(*c), 1);
	else if (one_in(4))
		mutate(&c->ldt_base, offsetof(struct vcpu_guest_context, debugreg) -
			       offsetof(struct vcpu_guest_context, ldt_base), 1);
	try_call(vcpu_op, VCPUOP_initialise, one_in(16) ? rnd(64) : cpu, c);
	if (deadly || one_in(8))
		try_call(vcpu_op, one_in(2) ? VCPUOP_up : VCPUOP_down, cpu);
	try_call(vcpu_op, rnd(4) + 3, one_in(8) ? rnd64() : cpu, scratch());
}

static void sched(void)
{
	static evtchn_port_t ports[4];
	struct sched_poll poll = {.nr_ports = (unsigned int)rnd(5), .timeout = 1};
	struct sched_watchdog dog = {(uint32_t)rnd(4), 0};

	for (unsigned int i = 0; i < 4; i++)
		ports[i] = any_port();
	set_xen_guest_handle(poll.ports, one_in(8) ? (void *)any_address() : ports);
	if (one_in(8))
		poll.nr_ports = (unsigned int)rnd64();
	try_call(sched_op, SCHEDOP_poll, &poll);
	try_call(sched_op, SCHEDOP_watchdog, &dog);
	try_call(sched_op, SCHEDOP_yield);
	try_call(sched_op, 7 + rnd(8), scratch());
}

/* A call with random arguments; not those that end the guest or wait. */
static void any_call(void)
{
	unsigned long nr = rnd(64), args[5];

	if (is_dom0() && (nr == __HYPERVISOR_domctl || nr == __HYPERVISOR_sysctl ||
			  nr == __HYPERVISOR_platform_op || nr == __HYPERVISOR_physdev_op ||
			  nr == __HYPERVISOR_physdev_op_compat))
		return; /* it may turn the machine off */

	for (unsigned int i = 0; i < 5; i++)
		args[i] = one_in(3) ? rnd(40) : one_in(3) ? rnd64() : any_address();
	if (!deadly && (nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_sched_op_compat ||
			nr == __HYPERVISOR_iret || nr == __HYPERVISOR_mmuext_op ||
			nr == __HYPERVISOR_event_channel_op || nr == __HYPERVISOR_vcpu_op ||
			nr == __HYPERVISOR_event_channel_op_compat))
		return;
	counted(hypercall((unsigned int)nr, (long)args[0], (long)args[1], (long)args[2],
			  (long)args[3], (long)args[4]));
	trap_state_restore();
}

static void multicall(void)
{
	struct multicall_entry *m = scratch();
	struct mmu_update *u = (void *)&m[8];
	unsigned int n = 1 + (unsigned int)rnd(8);

	memset(m, 0, 8 * sizeof(*m));
	for (unsigned int i = 0; i < n; i++) {
		u[i] = (struct mmu_update){any_entry_address(page_of_level(1)),
					   any_entry(1)};
		switch (rnd(4)) {
		case 0:
			m[i].op = __HYPERVISOR_update_va_mapping;
			m[i].args[0] = WINDOW + rnd(WINDOW_PAGES) * PAGE_SIZE;
			m[i].args[1] = any_entry(1);
			break;
		case 1:
			m[i].op = __HYPERVISOR_xen_version;
			break;
		default:
			m[i].op = __HYPERVISOR_mmu_update;
			m[i].args[0] = (unsigned long)&u[i];
			m[i].args[1] = 1;
			m[i].args[3] = DOMID_SELF;
		}
	}
	if (one_in(8))
		m[rnd(n)].op = deadly ? rnd64() : 43 + rnd(100);
	/* Results are written to however many there are: not behind our own. */
	if (one_in(32))
		try_call(multicall, any_address(), one_in(2) ? rnd64() : n);
	else
		try_call(multicall, m, n);
	trap_state_restore(); /* an entry of zeros is set_trap_table without a table */
}

static void rest(void)
{
	uint64_t *arg = scratch();

	for (unsigned int i = 0; i < 16; i++)
		arg[i] = one_in(2) ? rnd(64) : any_address();
	switch (rnd(9)) {
	case 0:
		try_call(xen_version, rnd(13), one_in(2) ? (void *)any_address() : arg);
		break;
	case 1:
		try_call(vm_assist, rnd(3), rnd(8));
		break;
	case 2:
		if (!is_dom0())
			try_call(physdev_op, rnd(34), arg);
		break;
	case 3:
		try_call(nmi_op, rnd(3), arg);
		try_call(nmi_op, XENNMI_unregister_callback, NULL);
		break;
	case 4:
		try_call(hvm_op, rnd(26), arg);
		break;
	case 5:
		try_call(console_io, rnd(3), rnd(64), any_address());
		break;
	case 6:
		try_call(xenpmu_op, rnd(8), arg);
		break;
	case 7:
		*(uint32_t *)arg = (uint32_t)rnd(90);
		if (!is_dom0())
			try_call(domctl, arg);
		break;
	default:
		try_call(arch_0, arg);
	}
}

const struct action call_actions[] = {
	{"grant_setup", 4, grant_setup},   {"grant_entry", 20, grant_entry},
	{"grant_map", 25, grant_map},	   {"grant_unmap", 20, grant_unmap},
	{"grant_copy", 15, grant_copy},	   {"grant_other", 8, grant_other},
	{"event_bind", 10, event_bind},	   {"event_use", 20, event_use},
	{"event_fifo", 3, event_fifo},	   {"reservation", 12, memory_reservation},
	{"exchange", 8, memory_exchange},  {"memory_other", 8, memory_other},
	{"vcpu_areas", 5, vcpu_areas},	   {"vcpu_timers", 6, vcpu_timers},
	{"vcpu_context", 2, vcpu_context}, {"sched", 4, sched},
	{"any_call", 8, any_call},	   {"multicall", 10, multicall},
	{"rest", 12, rest},		   {NULL, 0, NULL},
};
