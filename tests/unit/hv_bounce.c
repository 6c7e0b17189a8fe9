// SPDX-License-Identifier: GPL-2.0-only
/* Exceptions, events and NMIs as a PV guest's kernel finds them on its stack, and the way
 * back by HYPERVISOR_iret. Guest memory is one stack; elsewhere copies fault. */
#include "tests/unit/suite.h"

#include <string.h>

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/trap.h"

#define STACK     0xffffc90000000000ull
#define STACK_END (STACK + sizeof(stack))
#define KERNEL_IP 0xffffffff81000000ull

DEFINE_PER_CPU(uint32_t, tlb_emptied_at);
uint32_t tlb_clock;
bool xpti_enabled;
static struct domain dom;
static struct vcpu vcpu;
static struct vcpu_info info;
static uint64_t stack[64], frame_at;
static unsigned int crashes, toggles, softirqs;
static bool irqs;

static void *guest(uint64_t gva, size_t n)
{
	return gva >= STACK && gva + n <= STACK_END ? (char *)stack + (gva - STACK) : NULL;
}

size_t copy_survive(void *to, const void *from, size_t n)
{
	void *p = guest((uint64_t)to, n);

	if (p) {
		memcpy(p, from, n);
		frame_at = (uint64_t)to;
		return 0;
	}
	p = guest((uint64_t)from, n);
	if (!p)
		return n;
	memcpy(to, p, n);
	return 0;
}

size_t copy_from_guest(void *to, uint64_t gva, size_t n)
{
	return copy_survive(to, (const void *)gva, n);
}

void domain_crash(struct domain *d, const char *why)
{
	(void)d, (void)why;
	crashes++;
	this_cpu_var(softirq_pending) = 1; /* as the scheduler would be asked */
}

void softirq_run(void)
{
	softirqs++;
	this_cpu_var(softirq_pending) = 0;
	info.evtchn_upcall_mask = 1; /* else a crashed one would take its event again */
}

void swapgs(void)
{
	toggles++;
}

void write_cr3(uint64_t v)
{
	CU_ASSERT_EQUAL(v, vcpu.pv.kernel_mode ? 0x4000 : 0x5000);
}

void update_vcpu_time_area(struct vcpu *v)
{
	CU_ASSERT_TRUE(v->pv.kernel_mode);
}

void xpti_load(const struct vcpu *v)
{
	(void)v;
}

void xpti_refresh(const struct vcpu *v)
{
	(void)v;
}

static bool ldt_page_missing;
static unsigned int loads;

bool pv_map_wanted_ldt(void)
{
	bool missing = ldt_page_missing;

	CU_ASSERT_TRUE(irqs); /* its type may have to be waited for */
	ldt_page_missing = false;
	return missing;
}

void pv_load_segments(struct vcpu *v)
{
	/* A selector that is wrong besides. */
	if (++loads == 2)
		pv_bounce_to(v, v->pv.failsafe_callback, TBF_FAILSAFE);
}

void pv_save_segments(struct vcpu *v)
{
	(void)v;
}

void irq_disable(void)
{
	irqs = false;
}

void irq_enable(void)
{
	irqs = true;
}

static void setup(bool kernel_mode)
{
	struct cpu_user_regs *r = guest_regs();

	memset(&vcpu, 0, sizeof(vcpu));
	memset(&info, 0, sizeof(info));
	memset(stack, 0xaa, sizeof(stack));
	crashes = toggles = softirqs = 0;
	this_cpu_var(softirq_pending) = 0;
	dom.vm_assist = 0;
	dom.hardware = 1;
	vcpu.domain = &dom;
	vcpu.info = &info;
	vcpu.pv.kernel_mode = kernel_mode;
	vcpu.pv.kernel_root = MFN(4);
	vcpu.pv.user_root = MFN(5);
	vcpu.pv.kernel_sp = STACK + 256;
	vcpu.pv.event_callback = KERNEL_IP + 0x100;
	vcpu.pv.failsafe_callback = KERNEL_IP + 0x200;
	vcpu.pv.syscall_callback = KERNEL_IP + 0x300;
	set_current(&vcpu);
	*r = (struct cpu_user_regs){.rip = 0x401000, .cs = FLAT_USER_CS64, .ss = FLAT_USER_SS64,
				    .rsp = 0x7ffffff0, .rflags = 0x10346, .rcx = 11, .r11 = 22};
	if (kernel_mode) {
		r->rip = KERNEL_IP + 0x55;
		r->rsp = STACK + 264;
	}
}

static void test_user_exception(void)
{
	struct cpu_user_regs *r = guest_regs();
	uint64_t *f;

	setup(false);
	vcpu.pv.trap[TRAP_PF] = (struct pv_trap){.cs = 0x13, .flags = 4, .address = KERNEL_IP};
	pv_inject_page_fault(PF_WRITE, 0x1234);
	CU_ASSERT_FALSE(pv_exit_to_guest()); /* the guest's own CS: by IRETQ */
	CU_ASSERT_FALSE(irqs);
	CU_ASSERT_TRUE(vcpu.pv.kernel_mode);
	CU_ASSERT_EQUAL(toggles, 1);
	CU_ASSERT_EQUAL(info.arch.cr2, 0x1234);
	CU_ASSERT_EQUAL(info.evtchn_upcall_mask, 1);

	CU_ASSERT_EQUAL(frame_at, STACK + 256 - 64);
	f = guest(frame_at, 64);
	CU_ASSERT_EQUAL(f[0], 11);
	CU_ASSERT_EQUAL(f[1], 22);
	CU_ASSERT_EQUAL(f[2], PF_WRITE | PF_USER);
	CU_ASSERT_EQUAL(f[3], 0x401000);
	CU_ASSERT_EQUAL(f[4], FLAT_USER_CS64); /* events were on: saved_upcall_mask 0 */
	CU_ASSERT_EQUAL(f[5], 0x10346);
	CU_ASSERT_EQUAL(f[6], 0x7ffffff0);
	CU_ASSERT_EQUAL(f[7], FLAT_USER_SS64);

	CU_ASSERT_EQUAL(r->rip, KERNEL_IP);
	CU_ASSERT_EQUAL(r->cs, 0x13);
	CU_ASSERT_EQUAL(r->rsp, frame_at);
	CU_ASSERT_EQUAL(r->rflags & (X86_FLAGS_TF | X86_FLAGS_RF), 0);
	CU_ASSERT_EQUAL(r->rflags & X86_FLAGS_IF, X86_FLAGS_IF);
}

static void test_kernel_event(void)
{
	uint64_t *f;

	setup(true);
	info.evtchn_upcall_pending = 1;
	CU_ASSERT_TRUE(pv_exit_to_guest());
	CU_ASSERT_EQUAL(toggles, 0);
	CU_ASSERT_EQUAL(info.evtchn_upcall_mask, 1);
	CU_ASSERT_EQUAL(frame_at, STACK + 256 - 56); /* aligned to 16, then 7 words */
	f = guest(frame_at, 56);
	CU_ASSERT_EQUAL(f[2], KERNEL_IP + 0x55);
	CU_ASSERT_EQUAL(f[3], FLAT_KERNEL_CS & ~3u); /* RPL 0 says: it was the kernel */
	CU_ASSERT_EQUAL(f[4] & X86_FLAGS_IF, X86_FLAGS_IF);
	CU_ASSERT_EQUAL(guest_regs()->rip, vcpu.pv.event_callback);
	CU_ASSERT_EQUAL(guest_regs()->cs, FLAT_KERNEL_CS);

	/* Masked now: nothing more comes. */
	frame_at = 0;
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(frame_at, 0);
}

/* An exception and an event at once: the event's frame is on top, its handler runs first. */
static void test_both(void)
{
	setup(true);
	vcpu.pv.trap[TRAP_BP] = (struct pv_trap){.cs = 0x13, .address = KERNEL_IP};
	pv_inject(TRAP_BP, 0);
	info.evtchn_upcall_pending = 1;
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(frame_at, STACK + 256 - 56 - 8 - 56);
	CU_ASSERT_EQUAL(((uint64_t *)guest(frame_at, 56))[2], KERNEL_IP);
	CU_ASSERT_EQUAL(guest_regs()->rip, vcpu.pv.event_callback);

	/* A handler with an interrupt gate's flag comes with events masked: no event on top. */
	setup(true);
	vcpu.pv.trap[TRAP_BP] = (struct pv_trap){.cs = 0x13, .flags = 4, .address = KERNEL_IP};
	pv_inject(TRAP_BP, 0);
	info.evtchn_upcall_pending = 1;
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(guest_regs()->rip, KERNEL_IP);
}

static void test_masked_flags(void)
{
	uint64_t *f;

	setup(true);
	dom.vm_assist = 1ul << VMASST_TYPE_architectural_iopl;
	vcpu.pv.iopl = 3;
	info.evtchn_upcall_mask = 1;
	vcpu.pv.trap[TRAP_UD] = (struct pv_trap){.cs = 0x13, .address = KERNEL_IP};
	pv_inject(TRAP_UD, 0);
	pv_exit_to_guest();
	f = guest(frame_at, 56);
	CU_ASSERT_EQUAL(f[3], (FLAT_KERNEL_CS & ~3ull) | 1ull << 32);
	CU_ASSERT_EQUAL(f[4] & (X86_FLAGS_IF | X86_FLAGS_IOPL), X86_FLAGS_IOPL);
}

static void test_nmi(void)
{
	setup(true);
	vcpu.nmi.pending = true;
	pv_exit_to_guest(); /* no callback: dropped */
	CU_ASSERT_FALSE(vcpu.nmi.pending);
	vcpu.pv.trap[TRAP_NMI] = (struct pv_trap){
		.cs = FLAT_KERNEL_CS, .flags = 1 << 2, .address = KERNEL_IP + 0x400};
	vcpu.nmi.pending = true;
	info.evtchn_upcall_pending = 1;
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(guest_regs()->rip, KERNEL_IP + 0x400);
	CU_ASSERT_TRUE(vcpu.nmi.masked);
	CU_ASSERT_EQUAL(info.evtchn_upcall_mask, 1);
	vcpu.nmi.pending = true;
	frame_at = 0;
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(frame_at, 0); /* one at a time, until its iret */
}

static void test_bad_stack(void)
{
	setup(true);
	guest_regs()->rsp = 0x1000;
	info.evtchn_upcall_pending = 1;
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(crashes, 1);
	CU_ASSERT_EQUAL(softirqs, 1); /* not back to it: through the scheduler */

	/* Not over what is ours, nor a word of it. */
	for (uint64_t sp = HV_VIRT_START - 64; sp < HV_VIRT_START + 128; sp += 16) {
		setup(true);
		guest_regs()->rsp = sp;
		info.evtchn_upcall_pending = 1;
		pv_exit_to_guest();
		CU_ASSERT_EQUAL(crashes, 1);
	}

	setup(true);
	pv_inject(TRAP_DE, 0); /* no handler */
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(crashes, 1);
}

static void test_failsafe(void)
{
	uint64_t *f;

	setup(true);
	vcpu.pv.ds = 0x11;
	vcpu.pv.es = 0x12;
	vcpu.pv.fs = 0x13;
	vcpu.pv.gs = 0x14;
	guest_regs()->ds = guest_regs()->gs = 0x77; /* where nobody keeps them */
	pv_iret_failed();
	pv_exit_to_guest();
	f = guest(frame_at, 88);
	CU_ASSERT_EQUAL(f[0], 11);
	CU_ASSERT_EQUAL(f[2], 0x11);
	CU_ASSERT_EQUAL(f[3], 0x12);
	CU_ASSERT_EQUAL(f[4], 0x13);
	CU_ASSERT_EQUAL(f[5], 0x14);
	CU_ASSERT_EQUAL(f[6], KERNEL_IP + 0x55);
	CU_ASSERT_EQUAL(guest_regs()->rip, vcpu.pv.failsafe_callback);

	/* The first time it was just a page of the LDT: the guest does not see it. */
	for (loads = 0; loads < 2;) {
		setup(true);
		ldt_page_missing = true;
		frame_at = 0;
		pv_iret_failed();
		pv_exit_to_guest();
		CU_ASSERT_EQUAL(frame_at != 0, loads == 2);
		CU_ASSERT_EQUAL(guest_regs()->rip,
				loads == 2 ? vcpu.pv.failsafe_callback : KERNEL_IP + 0x55);
	}
}

static void test_iret(void)
{
	struct cpu_user_regs *r = guest_regs();
	struct iret_context c = {.rax = 1, .r11 = 2, .rcx = 3, .rip = 0x402000, .cs = 0x33,
				 .rflags = 0x3202, .rsp = 0x7000, .ss = 0x2b};

	setup(true);
	r->rsp = STACK + 64;
	memcpy(guest(r->rsp, sizeof(c)), &c, sizeof(c));
	info.evtchn_upcall_mask = 1;
	vcpu.nmi.masked = true;
	CU_ASSERT_EQUAL(pv_iret(), 1);
	CU_ASSERT_FALSE(vcpu.pv.kernel_mode);
	CU_ASSERT_FALSE(vcpu.nmi.masked);
	CU_ASSERT_EQUAL(info.evtchn_upcall_mask, 0);
	CU_ASSERT_EQUAL(r->rip, 0x402000);
	CU_ASSERT_EQUAL(r->cs, 0x33);
	CU_ASSERT_EQUAL(r->rcx, 3);
	CU_ASSERT_EQUAL(r->r11, 2);
	CU_ASSERT_EQUAL(r->rflags, 0x202); /* IOPL is not given away */
	CU_ASSERT_FALSE(pv_exit_to_guest());

	/* To the kernel, with events masked; RPL is forced. */
	setup(true);
	c.cs = FLAT_KERNEL_CS & ~3;
	c.ss = 0xe028;
	c.rflags = 0x2;
	r->rsp = STACK + 64;
	memcpy(guest(r->rsp, sizeof(c)), &c, sizeof(c));
	pv_iret();
	CU_ASSERT_TRUE(vcpu.pv.kernel_mode);
	CU_ASSERT_EQUAL(r->cs, FLAT_KERNEL_CS);
	CU_ASSERT_EQUAL(r->ss, FLAT_KERNEL_SS);
	CU_ASSERT_EQUAL(r->rflags, 0x202);
	CU_ASSERT_EQUAL(info.evtchn_upcall_mask, 1);

	/* From a system call: by SYSRET, whatever CS says. */
	setup(true);
	c.cs = 0x33;
	c.flags = VGCF_IN_SYSCALL;
	r->rsp = STACK + 64;
	memcpy(guest(r->rsp, sizeof(c)), &c, sizeof(c));
	pv_iret();
	CU_ASSERT_TRUE(pv_exit_to_guest());
	setup(true);
	c.rip = 0x0000800000000000; /* SYSRET would fault in ring 0 */
	r->rsp = STACK + 64;
	memcpy(guest(r->rsp, sizeof(c)), &c, sizeof(c));
	pv_iret();
	CU_ASSERT_FALSE(pv_exit_to_guest());

	setup(true);
	r->rsp = 0x1000;
	pv_iret();
	CU_ASSERT_EQUAL(crashes, 1);
	setup(true);
	vcpu.pv.user_root = MFN(0);
	r->rsp = STACK + 64;
	memcpy(guest(r->rsp, sizeof(c)), &c, sizeof(c));
	pv_iret();
	CU_ASSERT_EQUAL(crashes, 1);
	CU_ASSERT_TRUE(vcpu.pv.kernel_mode);
}

static void test_trap_table(void)
{
	struct trap_info t[3] = {{.vector = 3, .flags = 3, .cs = 0x10, .address = KERNEL_IP},
				 {.vector = 0x80, .flags = 7, .cs = 0x10, .address = KERNEL_IP + 1}};

	setup(true);
	memcpy(guest(STACK, sizeof(t)), t, sizeof(t));
	CU_ASSERT_EQUAL(do_set_trap_table(STACK), 0);
	CU_ASSERT_EQUAL(vcpu.pv.trap[0x80].address, KERNEL_IP + 1);
	CU_ASSERT_EQUAL(vcpu.pv.trap[0x80].cs, 0x13);
	CU_ASSERT_EQUAL(do_set_trap_table(STACK_END - 8), -EFAULT);
	t[0].address = 0x0001000000000000;
	memcpy(guest(STACK, sizeof(t)), t, sizeof(t));
	CU_ASSERT_EQUAL(do_set_trap_table(STACK), -EINVAL);
	CU_ASSERT_EQUAL(do_set_trap_table(0), 0);
	CU_ASSERT_EQUAL(vcpu.pv.trap[0x80].address, 0);
}

static void test_callbacks(void)
{
	struct callback_register r = {.type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events,
				      .address = KERNEL_IP};
	struct callback_unregister u = {.type = CALLBACKTYPE_event};

	setup(true);
	memcpy(guest(STACK, sizeof(r)), &r, sizeof(r));
	CU_ASSERT_EQUAL(do_callback_op(CALLBACKOP_register, STACK), 0);
	CU_ASSERT_EQUAL(vcpu.pv.syscall_callback, KERNEL_IP);
	vcpu.pv.kernel_mode = false;
	pv_syscall_user();
	pv_exit_to_guest();
	CU_ASSERT_EQUAL(info.evtchn_upcall_mask, 1);
	CU_ASSERT_EQUAL(guest_regs()->rip, KERNEL_IP);

	r.type = 99;
	memcpy(guest(STACK, sizeof(r)), &r, sizeof(r));
	CU_ASSERT_EQUAL(do_callback_op(CALLBACKOP_register, STACK), -ENOSYS);
	r.type = CALLBACKTYPE_nmi;
	memcpy(guest(STACK, sizeof(r)), &r, sizeof(r));
	CU_ASSERT_EQUAL(do_callback_op(CALLBACKOP_register, STACK), 0);
	CU_ASSERT_EQUAL(vcpu.pv.trap[TRAP_NMI].address, r.address);
	dom.hardware = 0;
	CU_ASSERT_EQUAL(do_callback_op(CALLBACKOP_register, STACK), -EINVAL);
	memcpy(guest(STACK, sizeof(u)), &u, sizeof(u));
	CU_ASSERT_EQUAL(do_callback_op(CALLBACKOP_unregister, STACK), -EINVAL);
	CU_ASSERT_EQUAL(do_callback_op(7, STACK), -ENOSYS);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"user's page fault", test_user_exception}, {"event in the kernel", test_kernel_event},
		{"exception and event", test_both},         {"flags", test_masked_flags},
		{"NMI", test_nmi},                          {"bad stack", test_bad_stack},
		{"failsafe", test_failsafe},                {"iret", test_iret},
		{"trap table", test_trap_table},            {"callbacks", test_callbacks},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_bounce", tests);
}
