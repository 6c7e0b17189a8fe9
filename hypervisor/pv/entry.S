/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYSCALL and SYSENTER from PV guests, and the one way back to a guest. RSP is cpu_info()
 * wherever C is called (less the 8 bytes that align it): the guest's registers are there.
 */
#include "hypervisor/cpu/asm_macros.h"
#include "hypervisor/cpu/gdt.h"
#include "hypervisor/cpu/spec.h"

#define CS64 0xe033 /* FLAT_RING3_CS64 */
#define CS32 0xe023
#define SS   0xe02b

	.section .text.entry, "ax"

/* The guest's registers, of which %rax is the guest's RSP and RAX is stored already; %rsp
 * is the end of the frame. */
.macro SAVE_SYSCALL cs
	pushq $SS
	pushq %rax
	pushq %r11
	pushq $\cs
	pushq %rcx
	pushq $0
	movl $0x100, 4(%rsp) /* ENTRY_SYSCALL */
	movq (UREGS_rax - UREGS_error_code)(%rsp), %rax
	SAVE_REGS
.endm

/* From entry_fast.S, as SYSCALL left it; interrupts off. */
ENTRY(syscall_slow)
	SAVE_SYSCALL CS64
	HYPERVISOR_ROOT %rsp
	movq CPUINFO_current(%rsp), %rbx
	cmpb $0, VCPU_pv_kernel_mode(%rbx)
	je 2f
	sti
	movq UREGS_rax(%rsp), %rax
	cmpl $64, %eax
	jae 1f
	/* The compare again, as a mask: a mispredicted branch shall not index past the table. */
	movl %eax, %eax
	cmpq $64, %rax
	sbbq %rcx, %rcx
	andq %rcx, %rax
#ifdef DEBUG /* PERFC_hypercalls */
	movq CPUINFO_percpu_offset(%rsp), %rdx
	leaq percpu_perfc(%rip), %rsi
	addq %rsi, %rdx
	incl (%rdx, %rax, 4)
#endif
	leaq hypercall_table(%rip), %rcx
	movq (%rcx, %rax, 8), %rax
	testq %rax, %rax
	jz 1f
	movq UREGS_rdi(%rsp), %rdi
	movq UREGS_rsi(%rsp), %rsi
	movq UREGS_rdx(%rsp), %rdx
	movq UREGS_r10(%rsp), %rcx
	movq UREGS_r8(%rsp), %r8
	movq UREGS_r9(%rsp), %r9
	subq $8, %rsp
	call __x86_indirect_thunk_rax
	addq $8, %rsp
	movq %rax, UREGS_rax(%rsp)
	jmp ret_from_guest_exit
1:	movq $-38, UREGS_rax(%rsp) /* -ENOSYS */
	jmp ret_from_guest_exit
2:	SERVE pv_syscall_user
END(syscall_slow)

/* From entry_fast.S, in kernel mode already: there is no room on its stack. */
ENTRY(syscall_refused)
	SAVE_SYSCALL CS64
	HYPERVISOR_ROOT %rsp
	SERVE pv_syscall_refused
END(syscall_refused)

/* SYSCALL of a 32-bit segment (AMD). */
ENTRY(syscall32_entry)
	SAVE_SYSCALL CS32
	HYPERVISOR_ROOT %rsp
	sti
	SERVE pv_syscall32_user
END(syscall32_entry)

/* SYSENTER (Intel) keeps neither RIP nor RSP; IF was on. %rsp is the end of the frame. */
ENTRY(sysenter_entry)
	ASM_CLAC
	pushq $SS
	pushq $0
	pushfq
	orl $0x200, (%rsp)
	andl $~0x7400, (%rsp) /* NT, IOPL and DF are not the guest's to keep */
	pushq $CS32
	pushq $0
	pushq $0
	SAVE_REGS
	pushq $2 /* TF, DF, NT and AC are still as the guest had them */
	popfq
	HYPERVISOR_ROOT %rsp
	sti
	SERVE pv_sysenter
END(sysenter_entry)

ENTRY(ret_from_guest_exit)
	subq $8, %rsp
	call pv_exit_to_guest
	addq $8, %rsp
	movq CPUINFO_guest_cr3(%rsp), %rcx
	testq %rcx, %rcx
	jz 1f
	movq %rcx, %cr3
1:	testl $SPEC_VERW, CPUINFO_spec_flags(%rsp)
	jz 5f
	verw verw_selector(%rip) /* clears buffers; what follows are the guest's own values */
5:	testb %al, %al
	jz 2f
	RESTORE_REGS
	movq (%rsp), %rcx
	movq 16(%rsp), %r11
	movq 24(%rsp), %rsp
	sysretq
2:	RESTORE_REGS
3:	iretq
	/* Refused: selectors or RIP. Every register is the guest's again, %rsp at its frame. */
	.globl iret_refused
iret_refused:
4:	pushq $0
	SAVE_REGS
	HYPERVISOR_ROOT %rsp
	SERVE pv_iret_failed
	EXTABLE 3b, 4b
END(ret_from_guest_exit)

	.balign 2
verw_selector:
	.word HV_DS

/* void reset_stack_and_jump(void (*fn)(void)) */
ENTRY(reset_stack_and_jump)
	GET_CPU_INFO %rax
	movq %rax, %rsp
	movq %rdi, %rax
	leaq ret_from_guest_exit(%rip), %rcx
	cmpq %rax, %rcx
	je ret_from_guest_exit
	xorl %ebp, %ebp
	subq $8, %rsp /* as C expects it at a function's entry: 8 modulo 16 */
	pushq $0
	jmp __x86_indirect_thunk_rax
END(reset_stack_and_jump)

/*
 * A hypercall page's entries are written by pv/entry_cpu.c.
 *
 * bool load_fs(uint16_t), load_gs, load_ds, load_es: false when the selector is refused;
 * then the register is null. GS changes the active base alone.
 */
.macro LOAD_SEGMENT seg
ENTRY(load_\seg)
	movl $1, %eax
1:	movw %di, %\seg
	jmp __x86_return_thunk
2:	xorl %eax, %eax
	movw %ax, %\seg
	jmp __x86_return_thunk
	EXTABLE 1b, 2b
END(load_\seg)
.endm
LOAD_SEGMENT fs
LOAD_SEGMENT gs
LOAD_SEGMENT ds
LOAD_SEGMENT es

	.section .note.GNU-stack, "", @progbits
