/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SYSCALL's entry, and short ways for the two halves of a system call of a guest's user:
 * SYSCALL in user mode (to the kernel's callback) and HYPERVISOR_iret. Interrupts stay off.
 * Whatever is out of the ordinary (events or softirqs pending, XPTI, an NMI, a bad address)
 * goes to syscall_slow with all as SYSCALL left it. What is done here is what
 * pv_syscall_user(), pv_iret() and pv_exit_to_guest() would do: change them together.
 *
 * From the CPU's stub: RAX is in regs.rax, %rax is the guest's RSP, %rsp the end of the
 * frame. It goes down to cpu_info, lest a fault here overwrite what is kept in regs.
 */
#include "hypervisor/cpu/asm_macros.h"

#define R(reg)   UREGS_##reg(%rsp)
#define C(field) CPUINFO_##field(%rsp)

#define CS64 0xe033
#define SS64 0xe02b

#define FLAG_TF   0x100
#define FLAG_IF   0x200
#define FLAG_IOPL 0x3000
#define FLAG_NT   0x4000
#define FLAG_RF   0x10000
#define FLAG_VM   0x20000
#define FLAG_AC   0x40000
#define FLAG_VIF_VIP 0x180000
#define VGCF_IN_SYSCALL 0x100

/* To @slow unless nothing needs the long way. %rbx: current. @t1 is vcpu_info then, @t2 lost. */
.macro NOTHING_PENDING t1, t2, slow
	cmpl $0, C(spec_flags)
	jne \slow
	movq C(percpu_offset), \t1
	leaq percpu_softirq_pending(%rip), \t2
	cmpq $0, (\t2, \t1)
	jne \slow
	cmpw $0, VCPU_nmi(%rbx) /* pending, masked */
	jne \slow
	movq VCPU_domain(%rbx), \t1
	testb $(1 << 4), DOMAIN_vm_assist(\t1) /* VMASST_TYPE_architectural_iopl */
	jnz \slow
	movq VCPU_info(%rbx), \t1
	testq \t1, \t1
	jz \slow
	cmpb $0, (\t1) /* evtchn_upcall_pending */
	jne \slow
.endm

/* GS and CR3 of the other mode. @root is a frame's number, then lost, as @t1 and @t2 are. */
.macro OTHER_MODE root, t1, t2, t2d
	swapgs
	shlq $12, \root
	movq \root, VCPU_pv_cr3(%rbx)
	leaq percpu_tlb_emptied_at(%rip), \t1 /* tlb_note_flush() */
	addq C(percpu_offset), \t1
	movl $1, \t2d
	lock xaddl \t2d, tlb_clock(%rip)
	incl \t2d
	movl \t2d, (\t1)
	movq \root, %cr3
.endm

/* An access to the guest's memory; a fault goes on at @fault. */
.macro GUEST fault, insn:vararg
.Lguest\@:
	\insn
	EXTABLE .Lguest\@, \fault
.endm

/* What syscall_entry stored before it looked; and what the short iret needs besides. */
.macro LOAD_FIRST
	movq R(r8), %r8
	movq R(rdi), %rdi
	movq R(rsi), %rsi
	movq R(rdx), %rdx
	movq R(rbx), %rbx
.endm
.macro LOAD_MORE
	movq R(r12), %r12
	movq R(r10), %r10
	movq R(r9), %r9
.endm

/* The frame's RFLAGS, in %r11: IF masks events, the rest as a guest may have it. %r12 is lost. */
.macro IRET_FLAGS
	movq VCPU_info(%rbx), %r12
	testl $FLAG_IF, %r11d
	setz 1(%r12) /* evtchn_upcall_mask */
	andl $~(FLAG_IOPL | FLAG_VM | FLAG_NT | FLAG_VIF_VIP), %r11d
	orl $(FLAG_IF | 2), %r11d
.endm

	.section .text.entry, "ax"

ENTRY(syscall_entry)
	subq $UREGS_es, %rsp
	cmpq $0, C(guest_cr3) /* XPTI: of ours only this stack is mapped */
	jne with_xpti
	movq %rbx, R(rbx)
	movq %rdx, R(rdx)
	movq %rsi, R(rsi)
	movq %rdi, R(rdi)
	movq %r8, R(r8)
	movq C(current), %rbx
	cmpb $0, VCPU_pv_kernel_mode(%rbx)
	jne from_kernel

	NOTHING_PENDING %rdx, %rdi, to_slow
	movzbl 1(%rdx), %esi /* evtchn_upcall_mask */
	cmpb $0, VCPU_time_area_stale(%rbx)
	jne to_slow
	cmpq $0, VCPU_pv_syscall_callback(%rbx)
	je to_slow
	cmpq $0, VCPU_pv_frame_sp(%rbx)
	je to_slow

	movb $1, VCPU_pv_kernel_mode(%rbx)
	movq VCPU_pv_kernel_root(%rbx), %rdx
	OTHER_MODE %rdx, %rdi, %r8, %r8d

	/* Bit 0 of the mask, at saved_upcall_mask's place beside CS; IF is its opposite. */
	andl $1, %esi
	shlq $32, %rsi
	leaq CS64(%rsi), %rdi
	movq %r11, %r8
	andq $~(FLAG_IF | FLAG_IOPL), %r8
	testq %rsi, %rsi
	jnz 1f
	orl $FLAG_IF, %r8d
1:	movq VCPU_pv_frame_sp(%rbx), %rdx
	ASM_STAC
	GUEST refused, movq %rcx, -56(%rdx)
	GUEST refused, movq %r11, -48(%rdx)
	GUEST refused, movq %rcx, -40(%rdx)
	GUEST refused, movq %rdi, -32(%rdx)
	GUEST refused, movq %r8, -24(%rdx)
	GUEST refused, movq %rax, -16(%rdx)
	GUEST refused, movq $SS64, -8(%rdx)
	ASM_CLAC
	cmpb $0, VCPU_pv_syscall_masks_events(%rbx)
	je 2f
	movq VCPU_info(%rbx), %rdi
	movb $1, 1(%rdi)
2:	movq VCPU_pv_syscall_callback(%rbx), %rcx
	andl $~(FLAG_TF | FLAG_RF | FLAG_NT | FLAG_AC | FLAG_VM | FLAG_IOPL), %r11d
	subq $56, %rdx
	movq %rdx, R(rsp)
	movq R(rax), %rax
	LOAD_FIRST
	movq R(rsp), %rsp
	sysretq

	/* The kernel's stack is not to be written, and its root is loaded already. */
refused:
	ASM_CLAC
	LOAD_FIRST
	addq $UREGS_es, %rsp
	jmp syscall_refused

to_slow:
	LOAD_FIRST
with_xpti:
	addq $UREGS_es, %rsp
	jmp syscall_slow

/* A hypercall: by the short way if it is iret. */
from_kernel:
	cmpl $23, R(rax)
	jne to_slow
	NOTHING_PENDING %rdx, %rdi, to_slow
	movabsq $ASM_GUEST_SMALL_START, %rdi /* guest_small() */
	movabsq $ASM_GUEST_SMALL_SIZE, %rsi
	negq %rdi
	addq %rax, %rdi
	cmpq %rsi, %rdi
	jb to_slow

	/* The frame, read once. Nothing is changed before all of it is here. */
	movq %rax, R(rsp)
	movq %rcx, R(rcx)
	movq %r11, R(r11)
	movq %r9, R(r9)
	movq %r10, R(r10)
	movq %r12, R(r12)
	ASM_STAC
	GUEST iret_fault, movq 24(%rax), %rdx /* VGCF_* */
	GUEST iret_fault, movq 32(%rax), %rcx /* rip */
	GUEST iret_fault, movq 40(%rax), %rsi /* cs */
	GUEST iret_fault, movq 48(%rax), %r11 /* rflags */
	GUEST iret_fault, movq 56(%rax), %rdi /* rsp */
	GUEST iret_fault, movq 64(%rax), %r8 /* ss */
	GUEST iret_fault, movq (%rax), %r9 /* rax */
	GUEST iret_fault, movq 16(%rax), %r10 /* rcx */
	GUEST iret_fault, movq 8(%rax), %rax /* r11 */
	ASM_CLAC
	notl %esi
	testb $3, %sil
	jnz iret_to_kernel
	cmpq $0, VCPU_pv_user_root(%rbx)
	je iret_slow
	testl $VGCF_IN_SYSCALL, %edx
	jz iret_to_user
	/* SYSRET: a RIP that is not canonical would fault here, TF and RF are not for it. */
	testl $(FLAG_TF | FLAG_RF), %r11d
	jnz iret_slow
	movq %rcx, %r12
	shlq $16, %r12
	sarq $16, %r12
	cmpq %rcx, %r12
	jne iret_slow

	IRET_FLAGS
	movb $0, VCPU_pv_kernel_mode(%rbx)
	movq VCPU_pv_user_root(%rbx), %rdx
	OTHER_MODE %rdx, %rsi, %r8, %r8d
	movq %r9, %rax
	movq %rdi, R(rsp)
	LOAD_MORE
	LOAD_FIRST
	movq R(rsp), %rsp
	sysretq

iret_to_user:
	movb $0, VCPU_pv_kernel_mode(%rbx)
	movq VCPU_pv_user_root(%rbx), %rdx
	movq %rsi, R(cs)
	OTHER_MODE %rdx, %rsi, %r12, %r12d
	movq R(cs), %rsi
	jmp iret_common
iret_to_kernel:
	testl $VGCF_IN_SYSCALL, %edx
	jnz iret_slow
iret_common:
	notl %esi
	orl $3, %esi
	movzwl %si, %esi
	orl $3, %r8d
	movzwl %r8w, %r8d
	IRET_FLAGS
	movq %rcx, R(rip)
	movq %rsi, R(cs)
	movq %r11, R(eflags)
	movq %rdi, R(rsp)
	movq %r8, R(ss)
	movq %rax, %r11
	movq %r10, %rcx
	movq %r9, %rax
	LOAD_MORE
	LOAD_FIRST
	addq $UREGS_rip, %rsp
	GUEST iret_refused, iretq

	/* As it came: the frame is looked at again, by C. */
iret_fault:
	ASM_CLAC
iret_slow:
	movq R(rsp), %rax
	movq R(rcx), %rcx
	movq R(r11), %r11
	LOAD_MORE
	jmp to_slow
END(syscall_entry)

	.section .note.GNU-stack, "", @progbits
