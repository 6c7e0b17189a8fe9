// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions 0 to 31. A guest's own go to pv/traps.c. Those of the hypervisor are fixed
 * up where one was foreseen (extable), and the end otherwise.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/trap.h"

/* ---- instructions that may fault, and where to go on then (cpu/setup.h: EXTABLE) ---- */
struct extable {
	int32_t from, to; /* each relative to itself */
};
extern const struct extable extable_start[], extable_end[];

static uint64_t address(const int32_t *field)
{
	return (uint64_t)field + (uint64_t)(int64_t)*field;
}

/* In link order, thus not sorted: some tens of entries, and faults are rare. */
bool extable_fixup(struct cpu_user_regs *regs)
{
	for (const struct extable *e = extable_start; e < extable_end; e++) {
		if (address(&e->from) == regs->rip) {
			regs->rip = address(&e->to);
			return true;
		}
	}
	return false;
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	uint32_t lo = 0, hi = 0;
	bool ok = false;

	__asm__ volatile("1: rdmsr; movb $1, %0; 2:\n" EXTABLE(1b, 2b)
			 : "+q"(ok), "+a"(lo), "+d"(hi)
			 : "c"(msr));
	*value = (uint64_t)hi << 32 | lo;
	return ok;
}

/* ---- what came ---- */
static const char *const names[32] = {
	"divide error", "debug", "NMI", "breakpoint", "overflow", "bound range",
	"invalid opcode", "device not available", "double fault", "coprocessor overrun",
	"invalid TSS", "segment not present", "stack fault", "general protection",
	"page fault", "reserved", "x87 error", "alignment check", "machine check",
	"SIMD error", "virtualization", "control protection",
};

void show_registers(const struct cpu_user_regs *r)
{
	printk(LOG_ERR, "rip %04x:%016lx %pS  rflags %08lx  vector %u error %04x\n", r->cs, r->rip,
	       (void *)r->rip, r->rflags, r->entry_vector, r->error_code);
	printk(LOG_ERR, "rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", r->rax, r->rbx, r->rcx,
	       r->rdx);
	printk(LOG_ERR, "rsi %016lx  rdi %016lx  rbp %016lx  rsp %04x:%016lx\n", r->rsi, r->rdi,
	       r->rbp, r->ss, r->rsp);
	printk(LOG_ERR, "r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx\n", r->r8, r->r9, r->r10,
	       r->r11);
	printk(LOG_ERR, "r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", r->r12, r->r13, r->r14,
	       r->r15);
	printk(LOG_ERR, "cr0 %lx  cr2 %016lx  cr3 %lx  cr4 %lx  CPU %u\n", read_cr0(), read_cr2(),
	       read_cr3(), read_cr4(), this_cpu);
}

static void fatal(const struct cpu_user_regs *regs)
{
	console_force_sync();
	show_registers(regs);
	panic("%s in the hypervisor", regs->entry_vector < 22 ? names[regs->entry_vector]
							      : "exception");
}

/*
 * The LDT of current is mapped a page at a time, when a descriptor in it is first used;
 * here, by ourselves as its selectors are loaded. Not now: that takes a type of the page,
 * for which one waits with interrupts on. Who gets the fault's fixup has it mapped.
 */
static void note_ldt_fault(uint64_t address)
{
	uint64_t offset;

	if (!current || is_idle_vcpu(current) || !current->domain->pv)
		return;
	offset = address - LDT_VADDR(current->id);
	if (offset < 1ul << (GDT_LDT_VCPU_SHIFT - 1))
		current->pv.ldt_wanted = (uint32_t)offset + 1;
}

static void hypervisor_exception(struct cpu_user_regs *regs)
{
	switch (regs->entry_vector) {
	case TRAP_PF:
		note_ldt_fault(read_cr2());
		break;
	case TRAP_DB: /* a watchpoint of the guest, on data that we touched for it */
		write_dr6(DR6_RESERVED_ONE);
		return;
	case TRAP_DF:
	case TRAP_MC:
	case TRAP_BP:
	case TRAP_UD:
		fatal(regs);
	}
	if (!extable_fixup(regs))
		fatal(regs);
}

static void nmi(const struct cpu_user_regs *regs)
{
	if (panic_stops_cpu())
		machine_halt();
	printk(LOG_WARN, "NMI on CPU %u at %pS\n", this_cpu, (void *)regs->rip);
}

void do_exception(struct cpu_user_regs *regs)
{
	if (regs->entry_vector == TRAP_NMI)
		nmi(regs);
	else if (regs->entry_vector == TRAP_MC || regs->entry_vector == TRAP_DF)
		fatal(regs);
	else if (!(regs->cs & 3))
		hypervisor_exception(regs);
	else
		handle_guest_exception(regs);
}
