// SPDX-License-Identifier: GPL-2.0-only
/* A long call stops, and the guest makes it again with what is left to do. */
#include "hypervisor/hypercall/hypercall.h"

#define SYSCALL_LENGTH 2

long hypercall_continue(unsigned int nr, unsigned int n, ...)
{
	struct vcpu *v = current;
	struct cpu_user_regs *regs = guest_regs();
	uint64_t *const arg[] = {&regs->rdi, &regs->rsi, &regs->rdx,
				 &regs->r10, &regs->r8,  &regs->r9};
	unsigned int i;
	va_list ap;

	va_start(ap, n);
	if (v->multicall.active) {
		v->multicall.preempted = true;
		v->multicall.call.op = nr;
		for (i = 0; i < n; i++)
			v->multicall.call.args[i] = va_arg(ap, uint64_t);
	} else {
		/* SYSCALL and INT are both two bytes; what is returned is the call's number. */
		regs->rip -= SYSCALL_LENGTH;
		for (i = 0; i < n; i++)
			*arg[i] = va_arg(ap, uint64_t);
	}
	va_end(ap);
	return nr;
}
