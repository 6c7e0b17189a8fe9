/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where compiled code goes for an indirect call or jump (a retpoline: what the CPU
 * predicts ends in the loop), and for a return.
 */
#include "hypervisor/cpu/asm_macros.h"

	.section .text.entry, "ax"

.macro THUNK reg
ENTRY(__x86_indirect_thunk_\reg)
	call 2f
1:	pause
	lfence
	jmp 1b
	.balign 16
2:	movq %\reg, (%rsp)
	ret
END(__x86_indirect_thunk_\reg)
.endm

	.irp reg, rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15
	THUNK \reg
	.endr

/* clang's, always by r11. */
ENTRY(__llvm_retpoline_r11)
	jmp __x86_indirect_thunk_r11
END(__llvm_retpoline_r11)

ENTRY(__x86_return_thunk)
	ret
	int3
END(__x86_return_thunk)

	.section .note.GNU-stack, "", @progbits
