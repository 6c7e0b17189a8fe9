// SPDX-License-Identifier: GPL-2.0-only
/* The hypervisor's page of every GDT, and the TSS: one each a CPU (cpu/gdt.h). */
#include "hypervisor/cpu/setup.h"
#include "hypervisor/mm/mm.h"

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
