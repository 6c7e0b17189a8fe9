// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an ordinary guest may not do: each call of the control plane, by the numbers of its
 * header, and each operation on another domain (victim=N: its number). A line "NAME error"
 * each; refused.expected has what stock Xen gives.
 */
#define __XEN_TOOLS__ 1 /* before any header of theirs */
#include "tests/guest/guest.h"

#include <xen/domctl.h>
#include <xen/arch-x86/xen-mca.h>
#include <xen/sysctl.h>
#include <xen/platform.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/dm_op.h>
#include <xen/kexec.h>
#include <xen/pmu.h>
#include <xen/nmi.h>

static domid_t victim;
static uint64_t blank[512];
static unsigned long own_mfn, foreign_mfn;
static xen_pfn_t frame_list[4];

/* Numbers that follow each other and end the same way share a line: NAME-3-17 EPERM. */
static struct {
	const char *name, *on, *error;
	unsigned int first, last;
} run;

static void end_run(void)
{
	if (run.name && run.first == run.last)
		print("%s-%u%s %s\n", run.name, run.first, run.on, run.error);
	else if (run.name)
		print("%s-%u-%u%s %s\n", run.name, run.first, run.last, run.on, run.error);
	run.name = NULL;
}

static void result(const char *name, unsigned int nr, const char *on, long ret)
{
	const char *error = errno_name(ret);

	if (run.name == name && run.on == on && run.error == error && run.last + 1 == nr) {
		run.last = nr;
		return;
	}
	end_run();
	run.name = name;
	run.on = on;
	run.error = error;
	run.first = run.last = nr;
}

/* A grant status, or an exception's vector (-1: none). */
#define line(...) (end_run(), print(__VA_ARGS__))

static void *cleared(void)
{
	return memset(blank, 0, sizeof(blank));
}

static void domctls(const char *on, domid_t domain)
{
	static const unsigned int gdbsx = XEN_DOMCTL_gdbsx_guestmemio;

	for (unsigned int cmd = 0; cmd <= gdbsx + 4; cmd = cmd == 100 ? gdbsx : cmd + 1) {
		struct xen_domctl *op = cleared();

		op->cmd = cmd;
		op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
		op->domain = domain;
		result("domctl", cmd, on, hcall(domctl, op));
	}
}

static void control_calls(void)
{
	for (unsigned int cmd = 0; cmd <= 35; cmd++) {
		struct xen_sysctl *op = cleared();

		op->cmd = cmd;
		op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
		result("sysctl", cmd, "", hcall(sysctl, op));
	}
	for (unsigned int cmd = 0; cmd <= 70; cmd++) {
		struct xen_platform_op *op = cleared();

		op->cmd = cmd;
		op->interface_version = XENPF_INTERFACE_VERSION;
		result("platform_op", cmd, "", hcall(platform_op, op));
	}
	for (unsigned int cmd = 0; cmd <= 40; cmd++)
		result("physdev_op", cmd, "", hcall(physdev_op, cmd, cleared()));
	for (unsigned int cmd = 0; cmd <= 7; cmd++) {
		struct xen_mc *op = cleared();

		op->cmd = cmd;
		op->interface_version = XEN_MCA_INTERFACE_VERSION;
		result("mca", cmd, "", hcall(mca, op));
	}
}

static void absent_calls(void)
{
	static const struct {
		const char *name;
		unsigned int nr;
	} calls[] = {{"kexec_op", __HYPERVISOR_kexec_op},   {"xsm_op", __HYPERVISOR_xsm_op},
		     {"argo_op", __HYPERVISOR_argo_op},	    {"hypfs_op", __HYPERVISOR_hypfs_op},
		     {"tmem_op", __HYPERVISOR_tmem_op},	    {"xenpmu_op", __HYPERVISOR_xenpmu_op},
		     {"xenoprof_op", __HYPERVISOR_xenoprof_op}};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		for (unsigned int cmd = 0; cmd <= 8; cmd++)
			result(calls[i].name, cmd, "",
			       hypercall(calls[i].nr, cmd, (long)cleared(), 0, (long)blank, 0));
	for (unsigned int cmd = 2; cmd <= 8; cmd++)
		result("nmi_op", cmd, "", hcall(nmi_op, cmd, cleared()));
	for (unsigned int nr = 43; nr < 64; nr++)
		if (nr != __HYPERVISOR_mca)
			result("hypercall", nr, "", hypercall(nr, 0, 0, 0, 0, 0));
}

static void device_model(const char *on, domid_t domain)
{
	static struct xen_dm_op dm;
	static struct xen_dm_op_buf buf = {.size = sizeof(dm)};

	for (unsigned int cmd = 0; cmd <= 26; cmd++) {
		struct xen_hvm_param *p = cleared();

		p->domid = domain;
		if (cmd != HVMOP_flush_tlbs && cmd != HVMOP_get_time)
			result("hvm_op", cmd, on, hcall(hvm_op, cmd, p));
	}
	set_xen_guest_handle(buf.h, &dm);
	for (unsigned int cmd = 0; cmd <= 21; cmd++) {
		memset(&dm, 0, sizeof(dm));
		dm.op = cmd;
		result("dm_op", cmd, on, hcall(dm_op, domain, 1, &buf));
	}
}

static void tables(const char *on, domid_t domain)
{
	const uint64_t *e = entry_of((unsigned long)page(pfn_of_mfn(own_mfn)), 1);
	struct mmu_update u = {entry_address(e), *e};

	for (unsigned int cmd = 0; cmd <= 22; cmd++) {
		struct mmuext_op op = {.cmd = cmd, .arg1.mfn = own_mfn};

		result("mmuext_op", cmd, on, hcall(mmuext_op, &op, 1, NULL, domain));
	}
	for (unsigned int type = 0; type < 4; type++) {
		u.ptr = entry_address(e) | type;
		result("mmu_update", type, on, hcall(mmu_update, &u, 1, NULL, domain));
	}
	for (unsigned int type = 0; type < 4; type++) {
		u.ptr = entry_address(e) | type;
		result("mmu_update_table", type, on,
		       hcall(mmu_update, &u, 1, NULL, DOMID_SELF | (domain + 1) << 16));
	}
	result("update_va_mapping_otherdomain", 0, on,
	       hcall(update_va_mapping_otherdomain, page(pfn_of_mfn(own_mfn)), *e, 0, domain));
}

/* Frames that are not ours, in our own tables, as our own tables, and by every other way. */
static void frames(const char *what, unsigned long mfn)
{
	static const unsigned int ops[] = {0, 1, 2, 3, 4, 5, MMUEXT_NEW_USER_BASEPTR,
					   MMUEXT_CLEAR_PAGE, MMUEXT_COPY_PAGE};
	unsigned long va = (unsigned long)page(pfn_of_mfn(own_mfn));
	struct mmu_update m2p = {mfn << 12 | MMU_MACHPHYS_UPDATE, 1};
	struct mmu_update l1 = {mfn << 12, 0};
	struct gnttab_copy c = {.len = 8};
	unsigned long gdt = mfn;

	line("map-read%s %s\n", what, errno_name(map_at(va, mfn << 12 | PTE_RO)));
	line("map-write%s %s\n", what, errno_name(map_at(va, mfn << 12 | PTE_DATA)));
	map_at(va, own_mfn << 12 | PTE_DATA);
	for (unsigned int i = 0; i < ARRAY_SIZE(ops); i++) {
		struct mmuext_op op = {.cmd = ops[i], .arg1.mfn = mfn, .arg2.src_mfn = mfn};

		result("frame-mmuext", ops[i], what, hcall(mmuext_op, &op, 1, NULL, DOMID_SELF));
	}
	result("machphys", 0, what, hcall(mmu_update, &m2p, 1, NULL, DOMID_SELF));
	result("entry", 0, what, hcall(mmu_update, &l1, 1, NULL, DOMID_SELF));
	result("gdt", 0, what, hcall(set_gdt, &gdt, 512));
	result("descriptor", 0, what, hcall(update_descriptor, mfn << 12, 0));
	c.source.domid = c.dest.domid = DOMID_SELF;
	c.source.u.gmfn = mfn;
	c.dest.u.gmfn = own_mfn;
	hcall(grant_table_op, GNTTABOP_copy, &c, 1);
	line("copy-from%s %d\n", what, c.status);
	c.source.u.gmfn = own_mfn;
	c.dest.u.gmfn = mfn;
	hcall(grant_table_op, GNTTABOP_copy, &c, 1);
	line("copy-to%s %d\n", what, c.status);
}

static void memory(const char *on, domid_t domain)
{
	static const unsigned int reservations[] = {0, 1, 6}, domids[] = {3, 4, 14};
	struct xen_memory_reservation r = {.nr_extents = 1, .domid = domain};
	struct xen_memory_exchange x = {.in = {.nr_extents = 1, .domid = domain},
					.out = {.nr_extents = 1, .domid = domain}};
	struct xen_pod_target pod = {.domid = domain};
	struct xen_mem_acquire_resource res = {.domid = domain, .type = 1, .nr_frames = 1};

	set_xen_guest_handle(r.extent_start, frame_list);
	set_xen_guest_handle(x.in.extent_start, frame_list);
	set_xen_guest_handle(x.out.extent_start, frame_list);
	set_xen_guest_handle(res.frame_list, frame_list);
	for (unsigned int i = 0; i < 3; i++) {
		result("memory_op", reservations[i], on, hcall(memory_op, reservations[i], &r));
		result("memory_op", domids[i], on, hcall(memory_op, domids[i], &domain));
	}
	result("memory_op", XENMEM_exchange, on, hcall(memory_op, XENMEM_exchange, &x));
	result("memory_op", 16, on, hcall(memory_op, XENMEM_set_pod_target, &pod));
	result("memory_op", 17, on, hcall(memory_op, XENMEM_get_pod_target, &pod));
	result("memory_op", 28, on, hcall(memory_op, XENMEM_acquire_resource, &res));
	/* The others start with the domain's number, or have none. */
	for (unsigned int op = 7; op <= 32; op++) {
		domid_t *first = cleared();

		*first = domain;
		if (op != 11 && op != 14 && op != 16 && op != 17 && op != 28)
			result("memory_op", op, on, hcall(memory_op, op, first));
	}
}

static void events(const char *on, domid_t domain)
{
	for (unsigned int port = 0; port < 8; port++) {
		struct evtchn_bind_interdomain bind = {domain, port, 0};

		result("bind_interdomain", port, on,
		       hcall(event_channel_op, EVTCHNOP_bind_interdomain, &bind));
	}
	for (unsigned int port = 0; port < 8; port++) {
		struct evtchn_status status = {.dom = domain, .port = port};

		result("event_status", port, on,
		       hcall(event_channel_op, EVTCHNOP_status, &status));
	}
	struct evtchn_alloc_unbound unbound = {.dom = domain};
	struct evtchn_reset reset = {.dom = domain};

	result("alloc_unbound", 0, on, hcall(event_channel_op, EVTCHNOP_alloc_unbound, &unbound));
	result("event_reset", 0, on, hcall(event_channel_op, EVTCHNOP_reset, &reset));
	result("event_op", 14, on, hcall(event_channel_op, 14, &reset));
	result("event_op", 15, on, hcall(event_channel_op, 15, &reset));
}

static void own_events(void)
{
	for (unsigned int virq = 0; virq < 25; virq++) {
		struct evtchn_bind_virq bind = {virq, 0, 0};

		result("bind_virq", virq, "", hcall(event_channel_op, EVTCHNOP_bind_virq, &bind));
	}
	for (unsigned int virq = 0; virq < 25; virq++) {
		struct evtchn_bind_pirq pirq = {.pirq = virq};

		result("bind_pirq", virq, "", hcall(event_channel_op, EVTCHNOP_bind_pirq, &pirq));
	}
}

static void grants(const char *on, domid_t domain)
{
	struct gnttab_setup_table setup = {.dom = domain, .nr_frames = 1};
	struct gnttab_query_size size = {.dom = domain};
	struct gnttab_get_version version = {.dom = domain};
	struct gnttab_get_status_frames status = {.nr_frames = 1, .dom = domain};
	struct gnttab_dump_table dump = {.dom = domain};

	for (unsigned int ref = 0; ref < 12; ref++) {
		struct gnttab_map_grant_ref map = {.host_addr = (unsigned long)page(pfn_of_mfn(own_mfn)),
						   .flags = GNTMAP_host_map,
						   .ref = ref,
						   .dom = domain};
		struct gnttab_copy c = {.len = 8, .flags = GNTCOPY_source_gref};

		hcall(grant_table_op, GNTTABOP_map_grant_ref, &map, 1);
		line("grant_map-%u%s %d\n", ref, on, map.status);
		c.source.u.ref = ref;
		c.source.domid = domain;
		c.dest.domid = DOMID_SELF;
		c.dest.u.gmfn = own_mfn;
		hcall(grant_table_op, GNTTABOP_copy, &c, 1);
		line("grant_copy-%u%s %d\n", ref, on, c.status);
	}
	set_xen_guest_handle(setup.frame_list, frame_list);
	hcall(grant_table_op, GNTTABOP_setup_table, &setup, 1);
	hcall(grant_table_op, GNTTABOP_query_size, &size, 1);
	hcall(grant_table_op, GNTTABOP_dump_table, &dump, 1);
	line("grant_setup%s %d\n", on, setup.status);
	line("grant_query%s %d\n", on, size.status);
	line("grant_dump%s %d\n", on, dump.status);
	result("grant_version", 0, on, hcall(grant_table_op, GNTTABOP_get_version, &version, 1));
	hcall(grant_table_op, GNTTABOP_get_status_frames, &status, 1);
	line("grant_status%s %d\n", on, status.status);
}

static void others(const char *on, domid_t domain)
{
	struct sched_remote_shutdown remote = {domain, SHUTDOWN_crash};

	result("sched_op", SCHEDOP_remote_shutdown, on,
	       hcall(sched_op, SCHEDOP_remote_shutdown, &remote));
}

static void own_calls(void)
{
	static char buffer[1024];
	struct sched_pin_override pin = {0};

	result("sched_op", SCHEDOP_pin_override, "", hcall(sched_op, SCHEDOP_pin_override, &pin));
	for (unsigned int op = 8; op < 12; op++)
		result("sched_op", op, "", hcall(sched_op, op, cleared()));
	result("console_io", 1, "", hcall(console_io, 1, 16, buffer));
	result("console_io", 2, "", hcall(console_io, 2, 16, buffer));
	for (unsigned int cmd = 0; cmd < 15; cmd++)
		result("vcpu_op-other", cmd, "", hcall(vcpu_op, cmd, 31, cleared()));
	for (unsigned int type = 0; type < 10; type++) {
		struct callback_register r = {.type = (uint16_t)(type + 8), .address = IMAGE};

		result("callback_op", type + 8, "", hcall(callback_op, CALLBACKOP_register, &r));
		result("vm_assist", type, "", hcall(vm_assist, VMASST_CMD_enable, type + 6));
	}
	for (unsigned int reg = 0; reg < 9; reg++)
		result("set_debugreg", reg, "",
		       hcall(set_debugreg, reg, HYPERVISOR_VIRT_START + 8));
	result("version", XENVER_commandline, "", hcall(xen_version, XENVER_commandline, buffer));
}

/* ---- instructions: the vector of the exception, or that there was none ---- */
static uint32_t msr_index;
static uint16_t port;

static void do_rdmsr(void *unused)
{
	uint32_t low, high;

	(void)unused;
	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr_index));
}

static void do_wrmsr(void *unused)
{
	(void)unused;
	asm volatile("wrmsr" : : "a"(0), "d"(0x5a5a0000), "c"(msr_index));
}

static void do_in(void *unused)
{
	uint8_t value;

	(void)unused;
	asm volatile("inb %1, %0" : "=a"(value) : "d"(port));
}

static void do_out(void *unused)
{
	(void)unused;
	asm volatile("outb %0, %1" : : "a"((uint8_t)0), "d"(port));
}

#define INSTRUCTION(name, text)                                                         \
	static void name(void *unused)                                                  \
	{                                                                               \
		uint64_t mem[2] = {0};                                                  \
		(void)unused;                                                           \
		asm volatile(text : "+m"(mem) : "r"(0ul) : "rax", "memory");            \
	}
INSTRUCTION(i_hlt, "hlt")
INSTRUCTION(i_cli, "cli; sti")
INSTRUCTION(i_invd, "invd")
INSTRUCTION(i_lgdt, "lgdt %0")
INSTRUCTION(i_lidt, "lidt %0")
INSTRUCTION(i_ltr, "ltr %w1")
INSTRUCTION(i_lldt, "lldt %w1")
INSTRUCTION(i_cr0, "mov %1, %%cr0")
INSTRUCTION(i_cr4, "mov %1, %%cr4")
INSTRUCTION(i_cr8, "mov %1, %%cr8")
INSTRUCTION(i_lmsw, "lmsw %w1")
INSTRUCTION(i_vmcall, "vmcall")
INSTRUCTION(i_vmrun, "mov %1, %%rax; vmrun")
INSTRUCTION(i_stgi, "stgi")
INSTRUCTION(i_int80, "int $0x80")
INSTRUCTION(i_int82, "int $0x82")
INSTRUCTION(i_sysenter, "sysenter")

static void instructions(void)
{
	static const uint32_t msrs[] = {0x1b, 0x8b, 0x79, 0x2ff, 0x277, 0x1d9, 0xc0000080,
					0xc0000081, 0xc0000082, 0xc0000084, 0xc0000102,
					0xc0010117, 0xc0010114, 0x48, 0x49, 0x830, 0x12345};
	static const uint16_t ports[] = {0x20, 0x40, 0x61, 0x64, 0x70, 0x80, 0x3f8, 0xcf8, 0xcfc,
					 0xcf9, 0x600};
	static const struct {
		const char *name;
		void (*fn)(void *);
	} list[] = {{"hlt", i_hlt}, {"cli", i_cli}, {"invd", i_invd}, {"lgdt", i_lgdt},
		    {"lidt", i_lidt}, {"ltr", i_ltr}, {"lldt", i_lldt}, {"cr0", i_cr0},
		    {"cr4", i_cr4}, {"cr8", i_cr8}, {"lmsw", i_lmsw}, {"vmcall", i_vmcall},
		    {"vmrun", i_vmrun}, {"stgi", i_stgi}, {"int80", i_int80},
		    {"int82", i_int82}, {"sysenter", i_sysenter}};

	for (unsigned int i = 0; i < ARRAY_SIZE(msrs); i++) {
		msr_index = msrs[i];
		line("rdmsr-%x %d\n", msr_index, guarded(do_rdmsr, NULL));
		line("wrmsr-%x %d\n", msr_index, guarded(do_wrmsr, NULL));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++) {
		port = ports[i];
		line("in-%x %d\n", port, guarded(do_in, NULL));
		line("out-%x %d\n", port, guarded(do_out, NULL));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(list); i++)
		line("%s %d\n", list[i].name, guarded(list[i].fn, NULL));
}

static void find_frames(void)
{
	own_mfn = mfn_of(page_alloc());
	for (foreign_mfn = 0x10000; foreign_mfn < 0x100000; foreign_mfn++) {
		unsigned long pfn = pfn_of_mfn(foreign_mfn);

		if (pfn < 0x100000 && (pfn >= nr_pages || mfn_of(pfn) != foreign_mfn))
			return;
	}
	must(!"a frame of another domain");
}

void guest_main(void)
{
	victim = (domid_t)argument("victim", 0);
	find_frames();
	domctls(" victim", victim);
	domctls(" dom0", 0);
	domctls(" nobody", 0x7000);
	control_calls();
	absent_calls();
	device_model(" victim", victim);
	device_model(" self", DOMID_SELF);
	for (unsigned int i = 0; i < 5; i++) {
		static const char *const names[] = {" victim", " dom0", " nobody", " io", " xen"};
		const domid_t domains[] = {victim, 0, 0x7000, DOMID_IO, DOMID_XEN};

		tables(names[i], domains[i]);
		memory(names[i], domains[i]);
		events(names[i], domains[i]);
		grants(names[i], domains[i]);
		others(names[i], domains[i]);
	}
	frames(" foreign", foreign_mfn);
	frames(" lapic", 0xfee00);
	frames(" vga", 0xb8);
	frames(" low", 0);
	frames(" beyond", 0xffffffff);
	own_events();
	own_calls();
	instructions();
	end_run();
}
