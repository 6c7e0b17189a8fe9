// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_iret: back to what an event or exception interrupted; its frame is on the
 * guest kernel's stack (arch-x86/xen-x86_64.h: struct iret_context). */
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/pv/mode.h"
#include "hypervisor/pv/trap.h"

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
