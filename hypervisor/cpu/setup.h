/* SPDX-License-Identifier: GPL-2.0-only */
/* Bringing one CPU up: control registers, descriptor tables, stack, per-CPU data; and the
 * ways out of an exception. cpu/setup.c, descriptors.c, percpu.c, exceptions.c. */
#ifndef HV_SETUP_H
#define HV_SETUP_H

#include "hypervisor/cpu/gdt.h"
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/mm/layout.h"

/* ---- image (hypervisor.lds); IMAGE_START is machine address 0 ---- */
extern char image_start[], image_end[];
extern char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], bss_end[];
static inline uint64_t image_to_maddr(const void *p)
{
	return (uint64_t)p - IMAGE_START;
}

/* ---- control registers, PAT, EFER: each CPU, first thing (cpu/setup.c) ---- */
void cpu_setup(void);
extern uint64_t cr4_features; /* what CR4 has on every CPU */
extern bool cpu_has_fsgsbase;
#define PAT_VALUE 0x050100070406ull

/* ---- GDT and TSS (cpu/descriptors.c) ---- */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7]; /* IST n is ist[n - 1] */
	uint64_t reserved2;
	uint16_t reserved3, iomap_base;
} __attribute__((packed, aligned(8)));
DECLARE_PER_CPU(struct tss, tss);
void gdt_init_cpu(unsigned int cpu, void *stack); /* fills page and TSS; any CPU may call */
void gdt_load(void);                             /* this CPU: idle's GDTR, segments, TR */
void gdt_load_at(uint64_t base);                 /* GDTR only: GDT_VADDR(vcpu) or idle's */
uint64_t gdt_idle_base(void);

enum ist { IST_DF = 1, IST_NMI, IST_MC, IST_DB }; /* stack pages 0 to 3 */

/* ---- IDT (cpu/descriptors.c): one for all CPUs ---- */
void idt_init(void);
void idt_load(void);

/* ---- per-CPU data and stacks (cpu/percpu.c) ---- */
void percpu_init_boot(void); /* first of all */
int percpu_alloc(unsigned int cpu);  /* variables and GDT page; 0/-ENOMEM */
void *stack_alloc(unsigned int cpu); /* lowest address; cpu_info on top filled; NULL */
void stack_guard(void *stack); /* unmap the page between the interrupt stacks and the stack */
#define STACK_GUARD_PAGE 4
extern char boot_stack[];

/* ---- CPUs that go offline and come back (cpu/hotplug.c) ---- */
/* Not for CPU 0; present ones. 0; -EBUSY: another goes or comes; -EINVAL, -EBUSY: it is
 * so already; -ERESTART: under way, to be asked again. */
int cpu_down(unsigned int cpu);
int cpu_up(unsigned int cpu);
bool cpu_is_moving(unsigned int cpu); /* the one that -ERESTART was said of */

/* ---- exceptions ---- */
void do_exception(struct cpu_user_regs *regs);
/* pv/traps.c: any exception of the guest's own (CPL 3), interrupts off, CR2 as it came. */
void handle_guest_exception(struct cpu_user_regs *regs);
/* If @regs->rip may fault: continue at its fix-up. */
bool extable_fixup(struct cpu_user_regs *regs);
/* In C: a fault at label 1 continues at label 2. */
#define EXTABLE(from, to)                                                                \
	".pushsection .extable, \"a\"\n.balign 4\n.long " #from " - ., " #to " - .\n.popsection\n"
bool panic_stops_cpu(void); /* another CPU panicked: this one has to halt */
void backtrace(const struct cpu_user_regs *regs);
void show_registers(const struct cpu_user_regs *regs);
/* Name and offset of a code address; NULL. cpu/symbols.c */
const char *symbol_lookup(uint64_t address, uint64_t *offset);
const char *symbol_get(uint32_t n, uint64_t *address); /* by number; NULL: past the last */

#endif
