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
.macro SMAP_SITE insn
.Lsmap\@:
	nopl (%rax)
	.pushsection .smap_sites, "a"
	.balign 4
	.long .Lsmap\@ - ., \insn
	.popsection
.endm
#define ASM_CLAC SMAP_SITE 0xca010f
#define ASM_STAC SMAP_SITE 0xcb010f

/* With error_code and entry_vector pushed. Afterwards %rsp is the frame (8 modulo 16).
 * Registers that a guest chose are cleared, lest speculation use them. */
.macro SAVE_REGS
	.irp reg, rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15
	pushq %\reg
	xorq %\reg, %\reg
	.endr
.endm

/* Leaves %rsp at rip: error_code and entry_vector are dropped. */
.macro RESTORE_REGS
	.irp reg, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi
	popq %\reg
	.endr
	addq $8, %rsp
.endm

/* Address of struct cpu_info, from the stack pointer. */
.macro GET_CPU_INFO reg
	movq $(ASM_STACK_SIZE - 1), \reg
	orq %rsp, \reg
	subq $(CPUINFO_sizeof - 1), \reg
.endm

/* Away from a guest's root, with XPTI. @info: struct cpu_info. %rax is lost. */
.macro HYPERVISOR_ROOT info
	movq CPUINFO_hypervisor_cr3(\info), %rax
	testq %rax, %rax
	jz .Lroot\@
	movq %rax, %cr3
.Lroot\@:
.endm

/* With the guest's registers saved at the top of the stack: C, and back to a guest. */
.macro SERVE function
	subq $8, %rsp
	call \function
	addq $8, %rsp
	jmp ret_from_guest_exit
.endm

#endif
