/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of all 256 vectors. Each saves every register in a struct cpu_user_regs: at the
 * top of the stack when the guest was interrupted, below what is there otherwise. Then
 * do_exception() or do_irq(); then back, for a guest through pv/entry.S:ret_from_guest_exit.
 * #DF, NMI, #MC and #DB come in on stacks of their own (cpu/setup.h: enum ist); from a
 * guest their frame is moved to the top of the stack, so that all else is the same.
 */
#include "hypervisor/cpu/asm_macros.h"

	.section .text.entry, "ax"

/* %rsp: error code and vector. Which stack: the top, or below it. */
ENTRY(common_entry)
	ASM_CLAC
	cld
	SAVE_REGS
	testb $3, UREGS_cs(%rsp)
	jz nested_entry
guest_entry:
	HYPERVISOR_ROOT %rsp /* cpu_info begins with the frame */
	movq %rsp, %rdi
	cmpl $0x20, UREGS_entry_vector(%rdi)
	jae 2f
	SERVE do_exception
2:	SERVE do_irq

nested_entry:
	movq %rsp, %rdi
	leaq 1(%rsp), %rbp /* to the back-trace: a saved frame, not a return address */
	subq $8, %rsp
	cmpl $0x20, UREGS_entry_vector(%rdi)
	jae 3f
	/* A fault on the way to the guest (IRET) comes with the guest's tables. */
	GET_CPU_INFO %rax
	HYPERVISOR_ROOT %rax
	call do_exception
	jmp nested_exit
3:	call do_irq
nested_exit:
	addq $8, %rsp
	RESTORE_REGS
	iretq
END(common_entry)

ENTRY(ist_entry)
	ASM_CLAC
	cld
	SAVE_REGS
	testb $3, UREGS_cs(%rsp)
	jz ist_nested
	/* The frame goes where the other entries would have put it. */
	movq %rsp, %rsi
	GET_CPU_INFO %rdi
	movq %rdi, %rax
	movl $(UREGS_frame_size / 8), %ecx
	rep movsq
	movq %rax, %rsp
	jmp guest_entry
ist_nested:
	movq %rsp, %rdi
	leaq 1(%rsp), %rbp
	subq $8, %rsp
	/* With whichever tables: those of the interrupted code are put back. */
	xorl %ebx, %ebx
	GET_CPU_INFO %rax
	movq CPUINFO_hypervisor_cr3(%rax), %rax
	testq %rax, %rax
	jz 1f
	movq %cr3, %rbx
	movq %rax, %cr3
1:	call do_exception
	testq %rbx, %rbx
	jz nested_exit
	movq %rbx, %cr3
	jmp nested_exit
END(ist_entry)

/* The stubs, 16 bytes apart. With an error code: 8, 10-14, 17, 21, 29, 30. */
	.balign 16
	.globl vector_stubs
vector_stubs:
	vector = 0
	.rept 256
	.balign 16
	.if vector >= 32
	pushq $0
	.elseif !((0x60227d00 >> vector) & 1)
	pushq $0
	.endif
	movl $vector, 4(%rsp)
	.if (vector == 1) || (vector == 2) || (vector == 8) || (vector == 18)
	jmp ist_entry
	.else
	jmp common_entry
	.endif
	vector = vector + 1
	.endr

	.section .note.GNU-stack, "", @progbits
