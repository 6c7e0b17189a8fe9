/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entered by a boot loader in 32-bit protected mode without paging. The image is at its
 * linked place, 2 MiB; virtual IMAGE_START is machine address 0. Here: page tables for
 * the image, the identity of the low 4 GiB and the direct map of them, long mode, then
 * boot_main(magic, info) on boot_stack.
 */
#include "hypervisor/cpu/asm_macros.h"

#define PHYS(symbol)   ((symbol) - ASM_IMAGE_START)
#define MB1_MAGIC      0x1badb002
#define MB1_FLAGS      0x00010003 /* page-aligned modules, memory map, address fields */
#define MB2_MAGIC      0xe85250d6
#define L4_SLOT(va)    (((va) >> 39) & 511)
#define L3_SLOT(va)    (((va) >> 30) & 511)
#define PDE_2M         0xe3  /* present, writable, accessed, dirty, 2 MiB */
#define PTR            0x23  /* present, writable, accessed */

	.section .multiboot, "a"
	.balign 8
multiboot1:
	.long MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	.long PHYS(multiboot1), PHYS(image_start), PHYS(load_end), PHYS(bss_end), PHYS(boot_start)

	.balign 8
multiboot2:
	.long MB2_MAGIC, 0, multiboot2_end - multiboot2
	.long -(MB2_MAGIC + 0 + (multiboot2_end - multiboot2))
	.balign 8
	.short 1, 0 /* we must have: command line, modules, memory map */
	.long 20, 1, 3, 6
	.balign 8
	.short 2, 0 /* addresses */
	.long 24, PHYS(multiboot2), PHYS(image_start), PHYS(load_end), PHYS(bss_end)
	.balign 8
	.short 3, 0 /* entry */
	.long 12, PHYS(boot_start)
	.balign 8
	.short 6, 0 /* modules on pages */
	.long 8
	.balign 8
	.short 5, 1 /* a frame buffer of any size, 32 bits, or text */
	.long 20, 0, 0, 32
	.balign 8
	.short 4, 1 /* text is welcome too */
	.long 12, 2
	.balign 8
	.short 0, 0
	.long 8
multiboot2_end:

	.section .text.boot, "ax"
	.code32
ENTRY(boot_start)
	cli
	cld
	movl %eax, %esi /* magic */
	movl %ebx, %ebp /* information */

	/* Clear .bss: a loader should have, not all do. */
	movl $PHYS(bss_start), %edi
	movl $PHYS(bss_end), %ecx
	subl %edi, %ecx
	shrl $2, %ecx
	xorl %eax, %eax
	rep stosl
	movl $PHYS(boot_stack) + ASM_STACK_SIZE - CPUINFO_sizeof, %esp

	movl $0x80000000, %eax
	cpuid
	cmpl $0x80000001, %eax
	jb no_long_mode
	movl $0x80000001, %eax
	cpuid
	testl $(1 << 29), %edx
	jz no_long_mode
	movl %edx, %edi

	/* 4 GiB in 2 MiB pages: 4 tables of the direct map, the identity's as well. */
	movl $PHYS(boot_l2), %edx
	movl $PDE_2M, %eax
	xorl %ecx, %ecx
1:	movl %eax, (%edx, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jne 1b
	/* The image: from machine address 2 MiB on at most 14 MiB. */
	movl $PHYS(boot_image_l2), %edx
	movl $PDE_2M + 0x200000, %eax
	movl $1, %ecx
2:	movl %eax, (%edx, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $8, %ecx
	jne 2b

	movl $PHYS(boot_l2) + PTR, %eax
	movl $PHYS(boot_l3), %edx
	xorl %ecx, %ecx
3:	movl %eax, (%edx, %ecx, 8)
	addl $0x1000, %eax
	incl %ecx
	cmpl $4, %ecx
	jne 3b
	movl $PHYS(boot_image_l2) + PTR, PHYS(boot_image_l3)
	movl $PHYS(boot_l3) + PTR, PHYS(idle_l4)
	movl $PHYS(boot_l3) + PTR, PHYS(idle_l4) + L4_SLOT(ASM_DIRECT_MAP_START) * 8
	movl $PHYS(boot_image_l3) + PTR, PHYS(idle_l4) + L4_SLOT(ASM_IMAGE_START) * 8

	movl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl $PHYS(idle_l4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx
	rdmsr
	xorl %edx, %edx
	orl $0x101, %eax /* LME, SCE */
	testl $(1 << 20), %edi
	jz 4f
	orl $0x800, %eax /* NXE */
4:	wrmsr
	movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
	movl %eax, %cr0
	lgdt PHYS(boot_gdt_descriptor)
	ljmp $8, $PHYS(start64)

no_long_mode:
	movl $PHYS(no_long_mode_text), %esi
	movw $0x3f8, %dx
5:	lodsb
	testb %al, %al
	jz 6f
	outb %al, %dx
	jmp 5b
6:	hlt
	jmp 6b

	.code64
start64:
	movabsq $high, %rax
	jmp *%rax
high:
	movl $16, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %fs
	movl %eax, %gs
	leaq boot_stack + ASM_STACK_SIZE - CPUINFO_sizeof - 8(%rip), %rsp
	movl %esi, %edi
	movl %ebp, %esi
	xorl %ebp, %ebp
	call boot_main
	ud2
END(boot_start)

	.section .rodata, "a"
	.balign 8
boot_gdt:
	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_descriptor:
	.word boot_gdt_descriptor - boot_gdt - 1
	.long PHYS(boot_gdt)
no_long_mode_text:
	.asciz "Xylem needs a 64-bit CPU\r\n"

	.section .bss.stack, "aw", @nobits
	.balign ASM_STACK_SIZE
	.globl boot_stack
boot_stack:
	.skip ASM_STACK_SIZE

	.section .bss.boot, "aw", @nobits
	.balign 4096
boot_l2:
	.skip 4 * 4096
boot_l3:
	.skip 4096
boot_image_l2:
	.skip 4096
boot_image_l3:
	.skip 4096

	.section .note.GNU-stack, "", @progbits
