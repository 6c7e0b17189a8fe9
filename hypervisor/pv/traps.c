// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions that a PV guest made: those that the hypervisor serves itself (emulation,
 * page tables, LDT, FPU), and the rest, which go to the guest's own handlers.
 */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/trap.h"
#include "hypervisor/pv/mode.h"

/* An address in the vcpu's LDT area; the page is mapped when it is first used. */
static bool ldt_fault(struct vcpu *v, uint64_t address, uint32_t error_code)
{
	uint64_t offset = address - LDT_VADDR(v->id);

	if (offset >= 1ul << (GDT_LDT_VCPU_SHIFT - 1))
		return false;
	if (error_code & PF_PRESENT || !pv_map_ldt_page(offset))
		pv_inject_page_fault(error_code, v->pv.ldt_base + offset);
	return true;
}

/* A selector beyond the guest's own GDT pages: for the guest its GDT ends there. */
static bool gdt_fault(struct vcpu *v, uint64_t address)
{
	uint64_t offset = address - GDT_VADDR(v->id);

	if (offset >= FIRST_RESERVED_GDT_BYTE)
		return false;
	pv_inject(TRAP_GP, offset & 0xfff8);
	return true;
}

static void page_fault(struct cpu_user_regs *regs, uint64_t address)
{
	struct vcpu *v = current;
	uint32_t ec = regs->error_code;

	if (unlikely(cpu_info()->guest_cr3) && xpti_fault(v, address))
		return;
	if (unlikely(address >= HV_VIRT_START && address < HV_VIRT_END)) {
		if (!(ec & PF_USER) && (ldt_fault(v, address, ec) || gdt_fault(v, address)))
			return;
	} else if ((ec & (PF_PRESENT | PF_WRITE | PF_RSVD | PF_INSN)) == (PF_PRESENT | PF_WRITE) &&
		   v->pv.kernel_mode && pv_emulate_pte_write(address, regs)) {
		return;
	}
	pv_inject_page_fault(ec, address);
}

/*
 * INT n: our gates are of DPL 0, so it arrives as #GP with the vector in its error code.
 * The guest's own trap table says who may.
 */
static bool software_interrupt(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	const struct pv_trap *t;
	unsigned int vector;

	if ((regs->error_code & 3) != 2)
		return false;
	vector = regs->error_code >> 3 & 0xff;
	t = &v->pv.trap[vector];
	if (!t->address || TI_GET_DPL(t) < (v->pv.kernel_mode ? 1 : 3))
		return false;
	regs->rip += 2;
	pv_inject(vector, 0);
	v->pv.bounce.flags &= ~TBF_ERROR_CODE;
	return true;
}

static void general_protection(struct cpu_user_regs *regs)
{
	if (software_interrupt(regs))
		return;
	if (!regs->error_code && pv_emulate_privileged(regs))
		return;
	pv_inject(TRAP_GP, regs->error_code);
}

/* With eager switching this comes only when the guest set TS; delivery clears it. */
static void device_not_available(void)
{
	struct vcpu *v = current;

	fpu_set_ts(false);
	if (v->pv.ctrlreg[0] & X86_CR0_TS) {
		v->pv.ctrlreg[0] &= ~(uint64_t)X86_CR0_TS;
		pv_inject(TRAP_NM, 0);
	}
}

/* gdbsx is attached: the domain stops at its kernel's breakpoints and steps, and the debugger
 * is told. Its own unpause continues it. */
static bool stop_for_debugger(struct vcpu *v, unsigned int vector)
{
	struct domain *d = v->domain;

	if (likely(!d->debugger) || !v->pv.kernel_mode)
		return false;
	v->pv.debugger_event = vector;
	atomic_add(&d->tools_pause_count, 1);
	domain_pause_nosync(d);
	send_global_virq(VIRQ_DEBUGGER);
	return true;
}

/*
 * The machine's DR6 gathers causes until it is cleared; the guest's is kept in memory.
 * Interrupts are off: #DB's stack is the CPU's own.
 */
static void debug_exception(void)
{
	struct vcpu *v = current;

	v->pv.debugreg[6] &= ~0xfull;
	v->pv.debugreg[6] |= (read_dr6() & DR6_CAUSES) | DR6_RESERVED_ONE;
	write_dr6(DR6_RESERVED_ONE);
}

void handle_guest_exception(struct cpu_user_regs *regs)
{
	unsigned int vector = regs->entry_vector & 31;
	uint64_t address = vector == TRAP_PF ? read_cr2() : 0;

	perfc_incr_at(exceptions, vector);
	/* What is the CPU's own, before it may serve another vcpu. */
	if (vector == TRAP_DB)
		debug_exception();
	else if (vector == TRAP_NM)
		device_not_available();
	irq_enable();
	switch (vector) {
	case TRAP_PF:
		page_fault(regs, address);
		return;
	case TRAP_NM:
		return;
	case TRAP_DB:
	case TRAP_BP:
		if (!stop_for_debugger(current, vector))
			pv_inject(vector, 0);
		return;
	case TRAP_GP:
		general_protection(regs);
		return;
	case TRAP_UD:
		if (!pv_invalid_op(regs))
			pv_inject(TRAP_UD, 0);
		return;
	default:
		pv_inject(vector, regs->error_code);
		return;
	}
}
