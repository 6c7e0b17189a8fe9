/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Privileged instructions, one inline function each and nothing else, so that all other
 * code compiles for the host, where tests give functions of these names.
 */
#ifndef HV_PRIVILEGED_H
#define HV_PRIVILEGED_H

#include "hypervisor/lib/types.h"

#ifdef HOST_TEST
#define PRIVILEGED(type, name, parameters, ...) type name parameters;
#else
#define PRIVILEGED(type, name, parameters, ...)                                          \
	static inline type name parameters                                               \
	{                                                                                \
		__VA_ARGS__;                                                             \
	}
#endif
#define PRIVILEGED_READ(type, name, insn)                                                \
	PRIVILEGED(type, name, (void), type v; __asm__ volatile(insn : "=r"(v)::"memory"); return v)
#define PRIVILEGED_WRITE(type, name, insn)                                               \
	PRIVILEGED(void, name, (type v), __asm__ volatile(insn ::"r"(v) : "memory"))

/* ---- MSRs, CPUID, TSC ---- */
PRIVILEGED(uint64_t, rdmsr, (uint32_t msr), uint32_t lo, hi;
	   __asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	   return (uint64_t)hi << 32 | lo)
PRIVILEGED(void, wrmsr, (uint32_t msr, uint64_t v),
	   __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory"))
bool rdmsr_safe(uint32_t msr, uint64_t *value); /* false: #GP; cpu/exceptions.c */
PRIVILEGED(void, cpuid, (uint32_t leaf, uint32_t subleaf, uint32_t out[4]), /* eax ebx ecx edx */
	   __asm__ volatile("cpuid"
			    : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			    : "a"(leaf), "c"(subleaf)))
PRIVILEGED(uint64_t, rdtsc, (void), uint32_t lo, hi;
	   __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	   return (uint64_t)hi << 32 | lo)

/* ---- interrupts ---- */
PRIVILEGED(unsigned long, irq_save, (void), unsigned long f;
	   __asm__ volatile("pushfq; popq %0; cli" : "=r"(f)::"memory");
	   return f)
PRIVILEGED(void, irq_restore, (unsigned long f),
	   if (f & 0x200) __asm__ volatile("sti" ::: "memory"))
PRIVILEGED(void, irq_disable, (void), __asm__ volatile("cli" ::: "memory"))
PRIVILEGED(void, irq_enable, (void), __asm__ volatile("sti" ::: "memory"))
PRIVILEGED(bool, irqs_enabled, (void), unsigned long f;
	   __asm__ volatile("pushfq; popq %0" : "=r"(f));
	   return f & 0x200)
PRIVILEGED(void, cpu_relax, (void), __asm__ volatile("pause" ::: "memory"))

/* ---- TLB, caches, control registers ---- */
PRIVILEGED(void, invlpg, (const void *va), __asm__ volatile("invlpg (%0)" ::"r"(va) : "memory"))
PRIVILEGED(void, wbinvd, (void), __asm__ volatile("wbinvd" ::: "memory"))
PRIVILEGED(void, clflush, (const void *line),
	   __asm__ volatile("clflush (%0)" ::"r"(line) : "memory"))
PRIVILEGED_READ(uint64_t, read_cr0, "mov %%cr0, %0")
PRIVILEGED_READ(uint64_t, read_cr2, "mov %%cr2, %0")
PRIVILEGED_READ(uint64_t, read_cr3, "mov %%cr3, %0")
PRIVILEGED_READ(uint64_t, read_cr4, "mov %%cr4, %0")
PRIVILEGED_WRITE(uint64_t, write_cr0, "mov %0, %%cr0")
PRIVILEGED_WRITE(uint64_t, write_cr3, "mov %0, %%cr3")
PRIVILEGED_WRITE(uint64_t, write_cr4, "mov %0, %%cr4")

/* ---- ports ---- */
#define PORT(s, type)                                                                    \
	PRIVILEGED(type, in##s, (uint16_t port), type v;                                 \
		   __asm__ volatile("in" #s " %1, %0" : "=a"(v) : "Nd"(port)); return v) \
	PRIVILEGED(void, out##s, (uint16_t port, type v),                                \
		   __asm__ volatile("out" #s " %0, %1" ::"a"(v), "Nd"(port)))
PORT(b, uint8_t)
PORT(w, uint16_t)
PORT(l, uint32_t)
#undef PORT

/* 1, 2 or 4 bytes. */
static inline uint32_t port_in(uint16_t port, unsigned int bytes)
{
	return bytes == 1 ? inb(port) : bytes == 2 ? inw(port) : inl(port);
}

static inline void port_out(uint16_t port, unsigned int bytes, uint32_t v)
{
	if (bytes == 1)
		outb(port, (uint8_t)v);
	else if (bytes == 2)
		outw(port, (uint16_t)v);
	else
		outl(port, v);
}

#endif
