/* SPDX-License-Identifier: GPL-2.0-only */
/* Between entry code (pv/entry.S, cpu/exceptions.S) and the C that serves it. */
#ifndef HV_TRAP_H
#define HV_TRAP_H

/* regs.entry_vector: an exception's number, or this: RCX and R11 may be lost on return. */
#define ENTRY_SYSCALL 0x100

/* struct pv_bounce.flags */
#define TBF_PENDING    1 /* there is one */
#define TBF_ERROR_CODE 2 /* it has an error code */
#define TBF_INTERRUPT  4 /* it masks events */
#define TBF_FAILSAFE   8 /* failsafe: DS, ES, FS, GS on the stack too */

#define X86_FLAGS_MBS 0x2u
#define X86_FLAGS_TF 0x100u
#define X86_FLAGS_IF 0x200u
#define X86_FLAGS_DF 0x400u
#define X86_FLAGS_IOPL 0x3000u
#define X86_FLAGS_NT 0x4000u
#define X86_FLAGS_RF 0x10000u
#define X86_FLAGS_VM 0x20000u
#define X86_FLAGS_AC 0x40000u
#define X86_FLAGS_VIF 0x80000u
#define X86_FLAGS_VIP 0x100000u

enum x86_vector {
	TRAP_DE, TRAP_DB, TRAP_NMI, TRAP_BP, TRAP_OF, TRAP_BR, TRAP_UD, TRAP_NM, TRAP_DF,
	TRAP_CSO, TRAP_TS, TRAP_NP, TRAP_SS, TRAP_GP, TRAP_PF, TRAP_SPURIOUS, TRAP_MF,
	TRAP_AC, TRAP_MC, TRAP_XM
};

#define PF_PRESENT 1u
#define PF_WRITE   2u
#define PF_USER    4u
#define PF_RSVD    8u
#define PF_INSN    16u

#include "hypervisor/lib/abi.h"

struct vcpu;

/* pv/entry.S. Jump targets with RSP = cpu_info(): every way back to the guest. */
void ret_from_guest_exit(void);
/* From there, before registers are loaded. Interrupts off on return; true: by SYSRET. */
bool pv_exit_to_guest(void);
void pv_syscall_user(void);     /* SYSCALL in user mode */
void pv_syscall_refused(void);  /* ... when its frame could not be stored */
void pv_syscall32_user(void);   /* SYSCALL in a 32-bit segment */
void pv_sysenter(void);
void pv_iret_failed(void); /* the IRETQ faulted: failsafe */
/* Drop this CPU's stack and go on at @fn with RSP = cpu_info(). */
_Noreturn void reset_stack_and_jump(void (*fn)(void));

/* pv/entry_cpu.c: MSRs of SYSCALL and SYSENTER of this CPU: once in its start-up, when it
 * is on its own stack. 0 or -ENOMEM. */
int pv_entry_init_cpu(void);
/* Fill a hypercall page of a PV guest: stubs of 32 bytes. */
void hypercall_page_fill(void *page);

/* pv/trap_guest.c */
/* Write what is pending in v->pv.bounce to the guest's stack; go on at its handler. */
void pv_deliver_bounce(struct vcpu *v, struct cpu_user_regs *regs);
/* Deliver to a callback. @flags: TBF_*. */
void pv_bounce_to(struct vcpu *v, uint64_t address, uint8_t flags);
/* Flags and selectors a guest may not choose are put right; for iret and set_context. */
void pv_sanitise_regs(struct cpu_user_regs *regs);

#endif
