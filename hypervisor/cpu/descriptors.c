// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's page of every GDT, and the TSS: one each a CPU (cpu/gdt.h); and the IDT: one
 * for all CPUs, every vector an interrupt gate to its stub (exceptions.S). */
#include "hypervisor/cpu/setup.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/trap.h"

DEFINE_PER_CPU(struct tss, tss);
DEFINE_PER_CPU(uint64_t *, gdt_page);

#define DESC(sel) HV_GDT_INDEX(sel)

void gdt_init_cpu(unsigned int cpu, void *stack)
{
	struct tss *t = &per_cpu(tss, cpu);
	uint64_t *gdt = per_cpu(gdt_page, cpu);
	uint64_t base = (uint64_t)t, top = (uint64_t)stack + STACK_SIZE - sizeof(struct cpu_info);

	*t = (struct tss){.iomap_base = sizeof(*t)};
	t->rsp[0] = top + offsetof(struct cpu_info, regs.es);
	for (unsigned int i = 0; i < 4; i++) /* IST_DF to IST_DB */
		t->ist[i] = (uint64_t)stack + (i + 1) * PAGE_SIZE;

	gdt[DESC(HV_CS)] = 0x00af9b000000ffff;
	gdt[DESC(HV_DS)] = 0x00cf93000000ffff;
	gdt[DESC(HV_CS32)] = 0x00cf9b000000ffff;
	gdt[DESC(FLAT_RING3_CS32)] = 0x00cffb000000ffff;
	gdt[DESC(FLAT_RING3_SS64)] = 0x00cff3000000ffff;
	gdt[DESC(FLAT_RING3_CS64)] = 0x00affb000000ffff;
	/* Available 64-bit TSS: base in three pieces, limit below 64 KiB. */
	gdt[DESC(HV_TSS)] = 0x0000890000000000 | (sizeof(*t) - 1) | (base & 0xffffff) << 16 |
			    (base >> 24 & 0xff) << 56;
	gdt[DESC(HV_TSS) + 1] = base >> 32;
}

void gdt_load_at(uint64_t base)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) d = {HV_GDT_LIMIT, base};

	__asm__ volatile("lgdt %0" ::"m"(d));
}

uint64_t gdt_idle_base(void)
{
	return (uint64_t)this_cpu_var(gdt_page) - FIRST_RESERVED_GDT_BYTE;
}

void gdt_load(void)
{
	/* LTR wants it available, and marks it busy. */
	this_cpu_var(gdt_page)[DESC(HV_TSS)] &= ~(2ull << 40);
	gdt_load_at(gdt_idle_base());
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:" ::"i"(HV_CS)
			 : "rax", "memory");
	__asm__ volatile("mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs" ::"r"(
				 HV_DS),
			 "r"(0));
	__asm__ volatile("ltr %w0; lldt %w1" ::"r"(HV_TSS), "r"(0));
}

/* ---- IDT ---- */
#define STUB_SIZE 16
extern const char vector_stubs[];

static struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
} idt[256] __attribute__((aligned(4096)));

static void gate_set(unsigned int vector, unsigned int ist, unsigned int dpl)
{
	uint64_t to = (uint64_t)vector_stubs + vector * STUB_SIZE;

	idt[vector] = (struct gate){(uint16_t)to, HV_CS, (uint8_t)ist, (uint8_t)(0x8e | dpl << 5),
				    (uint16_t)(to >> 16), (uint32_t)(to >> 32), 0};
}

/* INT n of a guest: but for INT3 and INTO it is #GP, which pv/ delivers as the trap. */
void idt_init(void)
{
	for (unsigned int v = 0; v < 256; v++)
		gate_set(v, 0, v == TRAP_BP || v == TRAP_OF ? 3 : 0);
	gate_set(TRAP_DF, IST_DF, 0);
	gate_set(TRAP_NMI, IST_NMI, 0);
	gate_set(TRAP_MC, IST_MC, 0);
	gate_set(TRAP_DB, IST_DB, 0);
}

void idt_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) d = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" ::"m"(d));
}
