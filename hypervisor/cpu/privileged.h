/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Privileged instructions, one inline function each and nothing else, so that all other
 * code compiles for the host, where tests give functions of these names.
 */
#ifndef HV_PRIVILEGED_H
#define HV_PRIVILEGED_H

#include "hypervisor/lib/types.h"

#ifdef HOST_TEST
uint64_t rdmsr(uint32_t msr);
void wrmsr(uint32_t msr, uint64_t value);
bool rdmsr_safe(uint32_t msr, uint64_t *value); /* false: #GP */
void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]); /* eax ebx ecx edx */
uint64_t rdtsc(void);
unsigned long irq_save(void);
void irq_restore(unsigned long flags);
void irq_disable(void);
void irq_enable(void);
bool irqs_enabled(void);
void cpu_relax(void);
void invlpg(const void *va);
void wbinvd(void);
void clflush(const void *line);
uint64_t read_cr2(void);
uint64_t read_cr3(void);
void write_cr3(uint64_t v);
uint64_t read_cr4(void);
void write_cr4(uint64_t v);
uint64_t read_cr0(void);
void write_cr0(uint64_t v);
uint8_t inb(uint16_t port);
uint16_t inw(uint16_t port);
uint32_t inl(uint16_t port);
void outb(uint16_t port, uint8_t v);
void outw(uint16_t port, uint16_t v);
void outl(uint16_t port, uint32_t v);
#else
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

bool rdmsr_safe(uint32_t msr, uint64_t *value); /* cpu/extable.c */

static inline void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(subleaf));
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline unsigned long irq_save(void)
{
	unsigned long f;

	__asm__ volatile("pushfq; popq %0; cli" : "=r"(f)::"memory");
	return f;
}

static inline void irq_restore(unsigned long f)
{
	if (f & 0x200)
		__asm__ volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

static inline bool irqs_enabled(void)
{
	unsigned long f;

	__asm__ volatile("pushfq; popq %0" : "=r"(f));
	return f & 0x200;
}

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline void invlpg(const void *va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

static inline void wbinvd(void)
{
	__asm__ volatile("wbinvd" ::: "memory");
}

static inline void clflush(const void *line)
{
	__asm__ volatile("clflush (%0)" ::"r"(line) : "memory");
}

#define HV_CR(n)                                                                         \
	static inline uint64_t read_cr##n(void)                                          \
	{                                                                                \
		uint64_t v;                                                              \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(v)::"memory");              \
		return v;                                                                \
	}                                                                                \
	static inline void write_cr##n(uint64_t v)                                       \
	{                                                                                \
		__asm__ volatile("mov %0, %%cr" #n ::"r"(v) : "memory");                 \
	}
HV_CR(0)
HV_CR(2)
HV_CR(3)
HV_CR(4)
#undef HV_CR

#define HV_PORT(s, type)                                                                 \
	static inline type in##s(uint16_t port)                                          \
	{                                                                                \
		type v;                                                                  \
		__asm__ volatile("in" #s " %1, %0" : "=a"(v) : "Nd"(port));              \
		return v;                                                                \
	}                                                                                \
	static inline void out##s(uint16_t port, type v)                                 \
	{                                                                                \
		__asm__ volatile("out" #s " %0, %1" ::"a"(v), "Nd"(port));               \
	}
HV_PORT(b, uint8_t)
HV_PORT(w, uint16_t)
HV_PORT(l, uint32_t)
#undef HV_PORT
#endif

#endif
