/* SPDX-License-Identifier: GPL-2.0-only */
/* For assembly: saving and restoring struct cpu_user_regs, and what entry code shares. */
#ifndef HV_ASM_MACROS_H
#define HV_ASM_MACROS_H

#include "asm_offsets.h"

#define ENTRY(name) .globl name; .type name, @function; .balign 16; name:
#define END(name)   .size name, . - name

/* A fault at @from continues at @to. */
.macro EXTABLE from, to
	.pushsection .extable, "a"
	.balign 4
	.long \from - ., \to - .
	.popsection
.endm

/* Three bytes of nothing that cpu/setup.c makes STAC or CLAC on a CPU with SMAP. */
.macro ASM_CLAC
.Lclac\@:
	nopl (%rax)
	.pushsection .smap_sites, "a"
	.balign 4
	.long .Lclac\@ - ., 0xca010f
	.popsection
.endm
.macro ASM_STAC
.Lstac\@:
	nopl (%rax)
	.pushsection .smap_sites, "a"
	.balign 4
	.long .Lstac\@ - ., 0xcb010f
	.popsection
.endm

/* With error_code and entry_vector pushed. Afterwards %rsp is the frame (8 modulo 16).
 * Registers that a guest chose are cleared, lest speculation use them. */
.macro SAVE_REGS
	pushq %rdi
	xorl %edi, %edi
	pushq %rsi
	xorl %esi, %esi
	pushq %rdx
	xorl %edx, %edx
	pushq %rcx
	xorl %ecx, %ecx
	pushq %rax
	xorl %eax, %eax
	pushq %r8
	xorl %r8d, %r8d
	pushq %r9
	xorl %r9d, %r9d
	pushq %r10
	xorl %r10d, %r10d
	pushq %r11
	xorl %r11d, %r11d
	pushq %rbx
	xorl %ebx, %ebx
	pushq %rbp
	xorl %ebp, %ebp
	pushq %r12
	xorl %r12d, %r12d
	pushq %r13
	xorl %r13d, %r13d
	pushq %r14
	xorl %r14d, %r14d
	pushq %r15
	xorl %r15d, %r15d
.endm

/* Leaves %rsp at rip: error_code and entry_vector are dropped. */
.macro RESTORE_REGS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
	addq $8, %rsp
.endm

/* Address of struct cpu_info, from the stack pointer. */
.macro GET_CPU_INFO reg
	movq $(ASM_STACK_SIZE - 1), \reg
	orq %rsp, \reg
	subq $(CPUINFO_sizeof - 1), \reg
.endm

#endif
