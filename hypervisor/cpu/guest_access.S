/* SPDX-License-Identifier: GPL-2.0-only */
/* Copies that survive faults. Each returns the number of bytes not done. */
#include "hypervisor/cpu/asm_macros.h"

	.text

/* size_t copy_survive(void *to, const void *from, size_t n): words, then bytes. After a
 * fault the rest goes byte by byte, so that the count is exact. */
ENTRY(copy_survive)
	ASM_STAC
	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
3:	ASM_CLAC
	movq %rcx, %rax
	jmp __x86_return_thunk
4:	leaq (%rdx, %rcx, 8), %rcx
	jmp 2b
	EXTABLE 1b, 4b
	EXTABLE 2b, 3b
END(copy_survive)

/* size_t clear_survive(void *to, size_t n) */
ENTRY(clear_survive)
	ASM_STAC
	movq %rsi, %rcx
	xorl %eax, %eax
1:	rep stosb
2:	ASM_CLAC
	movq %rcx, %rax
	jmp __x86_return_thunk
	EXTABLE 1b, 2b
END(clear_survive)

	.section .note.GNU-stack, "", @progbits
