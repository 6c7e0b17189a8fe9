/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entry of a PV guest (arch-x86/xen-x86_64.h, elfnote.h), its traps and its callbacks.
 */
#include <xen/xen.h>
#include <xen/elfnote.h>
#include "tests/guest/guest.h"

#define BASE 0xffffffff80000000

.macro note type, value:vararg
	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 2f - 1f, \type
	.asciz "Xen"
1:	\value
2:	.balign 4
	.previous
.endm
	note XEN_ELFNOTE_XEN_VERSION, .asciz "xen-3.0"
	note XEN_ELFNOTE_GUEST_OS, .asciz "xylem-test"
	note XEN_ELFNOTE_LOADER, .asciz "generic"
	note XEN_ELFNOTE_PAE_MODE, .asciz "yes"
	note XEN_ELFNOTE_VIRT_BASE, .quad BASE
	note XEN_ELFNOTE_PADDR_OFFSET, .quad 0
	note XEN_ELFNOTE_ENTRY, .quad start
	note XEN_ELFNOTE_HYPERCALL_PAGE, .quad hypercall_page

	.section .text.start, "ax"
	.balign 4096
	.globl hypercall_page
hypercall_page:
	.fill 4096, 1, 0x90

	.globl start, secondary_start
start:	/* %rsi: start_info */
	cld
	lea	stacks + STACK_SIZE(%rip), %rsp
	mov	%rsi, %rdi
	xor	%ebp, %ebp
	call	guest_start
	ud2
secondary_start: /* registers as in the context given to VCPUOP_initialise */
	xor	%ebp, %ebp
	call	*%rbx
	ud2

/*
 * Traps. Xen pushes ss, rsp, rflags, cs, rip, an error code if there is one, r11, rcx.
 * What we make of it is struct trap_frame; the end is the hypercall iret, which wants
 * flags, rip, cs, rflags, rsp, ss at the top of the stack.
 */
	.balign 16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept 32
	.balign 16
	pop	%rcx
	pop	%r11
	.if !((0x60227d00 >> vector) & 1)
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	vector = vector + 1
	.endr

	.globl event_callback, failsafe_callback, syscall_callback
event_callback:
	pop	%rcx
	pop	%r11
	push	$0
	push	$TRAP_EVENT
	jmp	trap_common
failsafe_callback: /* as event_callback, with ds, es, fs, gs after r11 */
	pop	%rcx
	pop	%r11
	add	$32, %rsp
	push	$0
	push	$TRAP_FAILSAFE
	jmp	trap_common
syscall_callback:
	pop	%rcx
	pop	%r11
	push	$0
	push	$TRAP_SYSCALL
trap_common:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rbx
	push	%rbp
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, %rdi
	cld
	call	trap_entry
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rbp
	pop	%rbx
	pop	%rdx
	pop	%rcx
	pop	%rax
	add	$8, %rsp
	movq	$0, (%rsp)
	jmp	hypercall_page + 32 * __HYPERVISOR_iret

/* bool guard_enter(struct guard *): false now, true when a trap has come back here. */
	.globl guard_enter, guard_leave
guard_enter:
	mov	(%rsp), %rax
	mov	%rax, 0(%rdi)
	lea	8(%rsp), %rax
	mov	%rax, 8(%rdi)
	mov	%rbx, 16(%rdi)
	mov	%rbp, 24(%rdi)
	mov	%r12, 32(%rdi)
	mov	%r13, 40(%rdi)
	mov	%r14, 48(%rdi)
	mov	%r15, 56(%rdi)
	xor	%eax, %eax
	ret
guard_leave: /* (struct guard *) */
	mov	8(%rdi), %rsp
	push	$0 /* flags that trap: AC, TF */
	popf
	mov	16(%rdi), %rbx
	mov	24(%rdi), %rbp
	mov	32(%rdi), %r12
	mov	40(%rdi), %r13
	mov	48(%rdi), %r14
	mov	56(%rdi), %r15
	mov	$1, %eax
	jmp	*0(%rdi)

	.section .note.GNU-stack, "", @progbits
