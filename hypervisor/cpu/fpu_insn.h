/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions of the FPU and of XSAVE. Loads return false when the CPU refused them. */
#ifndef HV_FPU_INSN_H
#define HV_FPU_INSN_H

#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"

PRIVILEGED(void, xsetbv, (uint32_t n, uint64_t v),
	   __asm__ volatile("xsetbv" ::"c"(n), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory"))
PRIVILEGED(void, clts, (void), __asm__ volatile("clts" ::: "memory"))
PRIVILEGED(void, fninit, (void), __asm__ volatile("fninit"))
/* FNCLEX, lest the load raise what is pending; FFREE, lest the stack be full. */
PRIVILEGED(void, clear_fpu_pointers, (void), static const uint32_t any;
	   __asm__ volatile("fnclex; ffree %%st(7); fildl %0" ::"m"(any)))
PRIVILEGED(void, fxsave, (struct xsave_area *a), __asm__ volatile("fxsaveq %0" : "=m"(*a)::"memory"))
PRIVILEGED(void, xsave, (struct xsave_area *a),
	   __asm__ volatile("xsaveq %0" : "+m"(*a) : "a"(~0u), "d"(~0u) : "memory"))
#define FPU_LOAD(insn)                                                                   \
	bool done = false;                                                               \
	__asm__ volatile("1: " insn " %1; movb $1, %0; 2:\n" EXTABLE(1b, 2b)             \
			 : "+q"(done)                                                    \
			 : "m"(*a), "a"(~0u), "d"(~0u)                                   \
			 : "memory");                                                    \
	return done
PRIVILEGED(bool, fxrstor, (const struct xsave_area *a), FPU_LOAD("fxrstorq"))
PRIVILEGED(bool, xrstor, (const struct xsave_area *a), FPU_LOAD("xrstorq"))
#undef FPU_LOAD

#endif
