// SPDX-License-Identifier: GPL-2.0-only
/*
 * Delivering to a PV guest: exceptions, events, NMIs. A bounce writes a frame as hardware
 * would, plus RCX and R11, on the guest kernel's stack, and goes on at the handler.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/pv/mode.h"
#include "hypervisor/pv/trap.h"
#include "hypervisor/sched/softirq.h"

/* Exceptions that push an error code. */
#define HAS_ERROR_CODE                                                                   \
	(1u << TRAP_DF | 1u << TRAP_TS | 1u << TRAP_NP | 1u << TRAP_SS | 1u << TRAP_GP | \
	 1u << TRAP_PF | 1u << TRAP_AC)

void pv_inject(unsigned int vector, uint32_t error_code)
{
	struct vcpu *v = current;
	const struct pv_trap *t = &v->pv.trap[vector & 0xff];
	struct pv_bounce *b = &v->pv.bounce;

	b->error_code = error_code;
	b->cs = t->cs;
	b->address = t->address;
	b->flags = TBF_PENDING;
	if (vector < 32 && HAS_ERROR_CODE >> vector & 1)
		b->flags |= TBF_ERROR_CODE;
	if (TI_GET_IF(t))
		b->flags |= TBF_INTERRUPT;
	if (!b->address)
		gprintk(LOG_INFO, "no handler for exception %u (%#x) at %#lx\n", vector, error_code,
			(unsigned long)guest_regs()->rip);
}

void pv_inject_page_fault(uint32_t error_code, uint64_t address)
{
	struct vcpu *v = current;

	/* A guest's kernel is in ring 3 as its users are: only we know which it was. */
	error_code &= ~PF_USER;
	if (!v->pv.kernel_mode)
		error_code |= PF_USER;
	v->pv.ctrlreg[2] = address;
	if (v->info)
		v->info->arch.cr2 = address;
	pv_inject(TRAP_PF, error_code);
}

void pv_bounce_to(struct vcpu *v, uint64_t address, uint8_t flags)
{
	v->pv.bounce.address = address;
	v->pv.bounce.cs = FLAT_KERNEL_CS;
	v->pv.bounce.flags = TBF_PENDING | flags;
}

void pv_sanitise_regs(struct cpu_user_regs *regs)
{
	regs->rflags &= ~(uint64_t)(X86_FLAGS_IOPL | X86_FLAGS_VM | X86_FLAGS_NT | X86_FLAGS_VIF |
				    X86_FLAGS_VIP);
	regs->rflags |= X86_FLAGS_IF | X86_FLAGS_MBS;
	regs->cs |= 3;
	regs->ss |= 3;
}

/* RFLAGS as the guest's kernel sees them: IF is "events on", IOPL what it asked for. */
static uint64_t guest_flags(const struct vcpu *v, const struct cpu_user_regs *regs, bool masked)
{
	uint64_t f = regs->rflags & ~(uint64_t)(X86_FLAGS_IF | X86_FLAGS_IOPL);

	if (!masked)
		f |= X86_FLAGS_IF;
	if (v->domain->vm_assist & 1ul << VMASST_TYPE_architectural_iopl)
		f |= (v->pv.iopl & 3) << 12;
	return f;
}

static inline bool push_frame(uint64_t sp, const uint64_t *frame, unsigned int n)
{
	void *to = guest_small(sp);

	return to && !copy_survive(to, frame, n * 8);
}

static void refused(struct vcpu *v, uint64_t address)
{
	irq_enable();
	if (!address) {
		domain_crash(v->domain, "no handler for an exception or callback");
		return;
	}
	gprintk(LOG_INFO, "guest's stack (%#lx): not writable\n", (unsigned long)guest_regs()->rsp);
	domain_crash(v->domain, "exception frame on the guest's stack");
}

/* In line, for its cases differ in what they have to store. Interrupts on or off. */
static inline __attribute__((always_inline)) void deliver(struct vcpu *v, struct cpu_user_regs *regs,
							  const struct pv_bounce *b)
{
	struct vcpu_info *info = v->info;
	bool masked = !info || READ_ONCE(info->evtchn_upcall_mask) & 1;
	uint64_t frame[12], sp = regs->rsp, cs = regs->cs;
	unsigned int n = 0;

	if (unlikely(!b->address))
		return refused(v, 0);
	if (v->pv.kernel_mode) {
		cs &= ~3ull;
	} else {
		sp = v->pv.kernel_sp;
		toggle_mode(v);
	}

	frame[n++] = regs->rcx;
	frame[n++] = regs->r11;
	if (b->flags & TBF_FAILSAFE) {
		frame[n++] = v->pv.ds;
		frame[n++] = v->pv.es;
		frame[n++] = v->pv.fs;
		frame[n++] = v->pv.gs;
	}
	if (b->flags & TBF_ERROR_CODE)
		frame[n++] = b->error_code;
	frame[n++] = regs->rip;
	frame[n++] = cs | (uint64_t)masked << 32; /* saved_upcall_mask's place */
	frame[n++] = guest_flags(v, regs, masked);
	frame[n++] = regs->rsp;
	frame[n++] = regs->ss;

	sp = (sp & ~15ull) - n * 8;
	if (unlikely(!push_frame(sp, frame, n)))
		return refused(v, b->address);
	if (b->flags & TBF_INTERRUPT && info)
		WRITE_ONCE(info->evtchn_upcall_mask, 1);

	regs->rip = b->address;
	regs->cs = b->cs | 3;
	regs->ss = FLAT_KERNEL_SS;
	regs->rsp = sp;
	regs->rflags &= ~(uint64_t)(X86_FLAGS_TF | X86_FLAGS_RF | X86_FLAGS_NT | X86_FLAGS_AC |
				    X86_FLAGS_VM | X86_FLAGS_IOPL);
	regs->entry_vector = ENTRY_SYSCALL;
}

void pv_deliver_bounce(struct vcpu *v, struct cpu_user_regs *regs)
{
	struct pv_bounce b = v->pv.bounce;

	v->pv.bounce.flags = 0;
	/* Refused for want of a page of its LDT: nothing that the guest should know. */
	if (unlikely(b.flags & TBF_FAILSAFE) && pv_map_wanted_ldt())
		pv_load_segments(v);
	else
		deliver(v, regs, &b);
}

/* An event or an NMI that the guest should see now. */
static inline bool bounce_pending(struct vcpu *v)
{
	if (unlikely(v->nmi.pending) && !v->nmi.masked) {
		v->nmi.pending = false;
		if (v->pv.trap[TRAP_NMI].address) {
			v->nmi.masked = true;
			pv_inject(TRAP_NMI, 0);
			return true;
		}
	}
	if (likely(v->info) && unlikely(READ_ONCE(v->info->evtchn_upcall_pending)) &&
	    !READ_ONCE(v->info->evtchn_upcall_mask)) {
		pv_bounce_to(v, v->pv.event_callback, TBF_INTERRUPT);
		return true;
	}
	return false;
}

/*
 * SYSRET loads flat selectors and takes RIP and RFLAGS from RCX and R11. With a
 * non-canonical RIP it would fault in ring 0 on Intel's, so such go by IRETQ.
 */
static bool may_sysret(const struct cpu_user_regs *regs)
{
	return regs->entry_vector == ENTRY_SYSCALL && regs->cs == FLAT_RING3_CS64 &&
	       regs->ss == FLAT_RING3_SS64 && !(regs->rflags & (X86_FLAGS_TF | X86_FLAGS_RF)) &&
	       is_canonical(regs->rip);
}

bool pv_exit_to_guest(void)
{
	struct cpu_user_regs *regs = guest_regs();
	struct vcpu *v = current;

	for (;;) {
		while (v->pv.bounce.flags)
			pv_deliver_bounce(v, regs);
		irq_disable();
		if (softirq_is_pending()) {
			irq_enable();
			softirq_run(); /* may go on as another vcpu and not come back */
			continue;
		}
		if (likely(!bounce_pending(v)))
			break;
		irq_enable();
	}
	if (unlikely(cpu_info()->guest_cr3))
		xpti_refresh(v);
	return may_sysret(regs);
}

/* IRETQ refused what the guest asked for: its failsafe callback learns of it. */
void pv_iret_failed(void)
{
	struct vcpu *v = current;

	irq_enable();
	pv_save_segments(v); /* the frame has the selectors */
	pv_bounce_to(v, v->pv.failsafe_callback,
		     TBF_FAILSAFE | (v->pv.failsafe_masks_events ? TBF_INTERRUPT : 0));
}

/* The most frequent of all: interrupts are off, and nothing is pending before it. */
void pv_syscall_user(void)
{
	struct vcpu *v = current;
	const struct pv_bounce b = {
		.flags = v->pv.syscall_masks_events ? TBF_INTERRUPT : 0,
		.cs = FLAT_KERNEL_CS,
		.address = v->pv.syscall_callback,
	};

	deliver(v, guest_regs(), &b);
}

void pv_syscall_refused(void)
{
	refused(current, current->pv.syscall_callback);
}

/* In kernel mode a 32-bit SYSCALL means nothing: the guest's fault. */
void pv_syscall32_user(void)
{
	struct vcpu *v = current;

	if (v->pv.kernel_mode || !v->pv.syscall32_callback) {
		guest_regs()->rip -= 2;
		pv_inject(TRAP_UD, 0);
		return;
	}
	pv_bounce_to(v, v->pv.syscall32_callback,
		     v->pv.syscall32_masks_events ? TBF_INTERRUPT : 0);
}

void pv_sysenter(void)
{
	struct vcpu *v = current;

	if (v->pv.kernel_mode || !v->pv.sysenter_callback) {
		pv_inject(TRAP_GP, 0);
		return;
	}
	pv_bounce_to(v, v->pv.sysenter_callback,
		     v->pv.sysenter_masks_events ? TBF_INTERRUPT : 0);
}

/* HYPERVISOR_iret: back to what an event or exception interrupted; its frame is on the guest
 * kernel's stack (arch-x86/xen-x86_64.h: struct iret_context). */
long pv_iret(void)
{
	struct vcpu *v = current;
	struct cpu_user_regs *regs = guest_regs();
	const void *from = guest_small(regs->rsp);
	struct iret_context frame;

	_Static_assert(sizeof(frame) <= GUEST_SMALL, "one comparison");
	if (!from || copy_survive(&frame, from, sizeof(frame))) {
		domain_crash(v->domain, "iret: frame not readable");
		return 0;
	}

	if ((frame.cs & 3) == 3) {
		if (!v->pv.user_root.n) {
			domain_crash(v->domain, "iret: to user mode without a user root");
			return 0;
		}
		toggle_mode(v);
	}
	if (v->domain->vm_assist & 1ul << VMASST_TYPE_architectural_iopl)
		v->pv.iopl = frame.rflags >> 12 & 3;

	regs->rip = frame.rip;
	regs->cs = (uint16_t)frame.cs;
	regs->rflags = frame.rflags;
	regs->rsp = frame.rsp;
	regs->ss = (uint16_t)frame.ss;
	pv_sanitise_regs(regs);
	if (frame.flags & VGCF_IN_SYSCALL) {
		/* CS and SS are what SYSRET makes of them. */
		regs->cs = FLAT_USER_CS64;
		regs->ss = FLAT_USER_SS64;
		regs->entry_vector = ENTRY_SYSCALL;
	} else {
		regs->entry_vector = 0;
		regs->rcx = frame.rcx;
		regs->r11 = frame.r11;
	}

	if (v->info)
		WRITE_ONCE(v->info->evtchn_upcall_mask, !(frame.rflags & X86_FLAGS_IF));
	v->nmi.masked = false;
	return (long)frame.rax;
}
