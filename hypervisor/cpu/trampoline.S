/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a CPU starts after SIPI: real mode, CS = page << 8, IP 0. Copied to a page below
 * 1 MiB; goes straight to long mode (CR0.PE and PG at once) and to struct
 * trampoline_data's entry. %ebx: the page's address.
 */
#define DATA(offset) (trampoline_data - trampoline_start + (offset))

	.section .rodata.trampoline, "a"
	.balign 16
	.globl trampoline_start, trampoline_64, trampoline_data, trampoline_end
	.code16
trampoline_start:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	movzwl %ax, %ebx
	shll $4, %ebx
	lgdtl DATA(2)
	movl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl DATA(44), %eax
	movl %eax, %cr3
	movl DATA(48), %eax
	movl DATA(52), %edx
	movl $0xc0000080, %ecx /* EFER */
	wrmsr
	movl DATA(40), %eax
	movl %eax, %cr0
	ljmpl *DATA(8)

	.code64
trampoline_64:
	movl %ebx, %ebx
	movq DATA(56)(%rbx), %rsp
	movq DATA(64)(%rbx), %rax
	xorl %ebp, %ebp
	jmp *%rax

	.balign 16
trampoline_data:
	.skip 72
trampoline_end:

	.section .note.GNU-stack, "", @progbits
