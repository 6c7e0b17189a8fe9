// SPDX-License-Identifier: GPL-2.0-only
/* Start-up on the boot CPU: what comes after what, and why so. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/trap.h"

static char opt_sched[16] = "credit2";
BOOT_OPTION_STR("sched", opt_sched, sizeof(opt_sched));

static void banner(void)
{
	printk(LOG_ERR, "Xen version 4.17.0-xylem (Xylem %s) (%s) %s\n", xylem_version,
	       xylem_compile_info[0], xylem_compile_info[3]);
	printk(LOG_INFO, "Bootloader: %s\n", boot_info.loader);
	printk(LOG_INFO, "Command line: %s\n", boot_info.cmdline);
}

static void print_modules(void)
{
	for (unsigned int i = 0; i < boot_info.nr_modules; i++) {
		const struct boot_module *m = &boot_info.module[i];

		printk(LOG_INFO, "Module %u: %016lx - %016lx %s\n", i, m->start, m->start + m->size,
		       m->cmdline);
	}
}

/* Descriptor tables first, so that a fault in what follows is seen. */
static void start_cpu(void)
{
	percpu_init_boot();
	gdt_init_cpu(0, boot_stack);
	gdt_load();
	idt_init();
	idt_load();
	cpu_setup();
}

/* Memory; the image's parts get their rights, the low identity mapping goes. */
static void start_memory(void)
{
	e820_sanitise();
	e820_print();
	e820_give_memory();
	mm_init();
	stack_guard(boot_stack);
}

/* On the reset stack, with dom0 to be scheduled. */
static void start_idle(void)
{
	idle_loop();
}

void boot_main(uint32_t magic, uint64_t info)
{
	bool known;

	start_cpu();
	known = multiboot_parse(magic, info);
	cmdline_parse(boot_info.cmdline);
	console_init();
	banner();
	if (!known)
		panic("no multiboot loader: magic %#x", magic);
	print_modules();
	start_memory();
	console_init_screen();
	acpi_init();
	numa_init();
	fpu_init_cpu();
	policy_init();
	pv_entry_init_cpu();
	apic_init();
	ioapic_init();
	timers_init();
	time_init();
	sched_init(opt_sched);
	domains_init();
	pv_audit_init();
	perfc_init();
	irq_enable();
	console_init_late();
	smp_boot_cpus();
	if (!boot_info.nr_modules)
		panic("no module: there is no dom0 kernel");
	pv_build_dom0(&boot_info.module[0],
		      boot_info.nr_modules > 1 ? &boot_info.module[1] : NULL);
	console_give_back();
	spin_check_irqs();
	reset_stack_and_jump(start_idle);
}
