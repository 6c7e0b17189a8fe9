/* SPDX-License-Identifier: GPL-2.0-only */
/* Instructions of the FPU and of XSAVE. Loads return false when the CPU refused them. */
#ifndef HV_FPU_INSN_H
#define HV_FPU_INSN_H

#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/setup.h"

#ifdef HOST_TEST
void xsetbv(uint32_t n, uint64_t v);
void clts(void);
void fninit(void);
void clear_fpu_pointers(void);
void fxsave(struct xsave_area *a);
void xsave(struct xsave_area *a);
bool fxrstor(const struct xsave_area *a);
bool xrstor(const struct xsave_area *a);
#else
static inline void xsetbv(uint32_t n, uint64_t v)
{
	__asm__ volatile("xsetbv" ::"c"(n), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void clts(void)
{
	__asm__ volatile("clts" ::: "memory");
}

static inline void fninit(void)
{
	__asm__ volatile("fninit");
}

/* FNCLEX, lest the load raise what is pending; FFREE, lest the stack be full. */
static inline void clear_fpu_pointers(void)
{
	static const uint32_t any = 0;

	__asm__ volatile("fnclex; ffree %%st(7); fildl %0" ::"m"(any));
}

static inline void fxsave(struct xsave_area *a)
{
	__asm__ volatile("fxsaveq %0" : "=m"(*a)::"memory");
}

static inline void xsave(struct xsave_area *a)
{
	__asm__ volatile("xsaveq %0" : "+m"(*a) : "a"(~0u), "d"(~0u) : "memory");
}

#define HV_FPU_LOAD(name, insn)                                                          \
	static inline bool name(const struct xsave_area *a)                              \
	{                                                                                \
		bool done = true;                                                        \
		__asm__ volatile("1: " insn " %1\n"                                      \
				 "2:\n"                                                  \
				 ".pushsection .text.fixup, \"ax\"\n"                    \
				 "3: movb $0, %0\n"                                      \
				 "jmp 2b\n"                                              \
				 ".popsection\n" EXTABLE(1b, 3b)                         \
				 : "+r"(done)                                            \
				 : "m"(*a), "a"(~0u), "d"(~0u)                           \
				 : "memory");                                            \
		return done;                                                             \
	}
HV_FPU_LOAD(fxrstor, "fxrstorq")
HV_FPU_LOAD(xrstor, "xrstorq")
#undef HV_FPU_LOAD
#endif

#endif
