// SPDX-License-Identifier: GPL-2.0-only
/* Ends of the machine: halt, restart, and what dom0's end brings. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/abi.h"
#include "hypervisor/sched/timer.h"

bool opt_noreboot;
BOOT_OPTION_BOOL("noreboot", opt_noreboot);

#define KBD_STATUS 0x64
#define KBD_INPUT_FULL 2
#define KBD_PULSE_RESET 0xfe
#define RESET_CONTROL 0xcf9
#define PIT_CHANNEL2 0x42
#define PIT_HZ 1193182u

/* By PIT channel 2 alone: it needs no calibration and no interrupt. */
static void delay_ms(unsigned int ms)
{
	uint8_t gate = inb(0x61);

	for (; ms; ms--) {
		outb(0x61, (uint8_t)((gate & ~3) | 1));
		outb(0x43, 0xb0); /* channel 2, both bytes, mode 0 */
		outb(PIT_CHANNEL2, (PIT_HZ / 1000) & 0xff);
		outb(PIT_CHANNEL2, (PIT_HZ / 1000) >> 8);
		for (int i = 0; i < 100000 && !(inb(0x61) & 0x20); i++)
			cpu_relax();
	}
	outb(0x61, gate);
}

void machine_halt(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" ::: "memory");
}

static void triple_fault(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = {0, 0};

	__asm__ volatile("lidt %0; ud2" ::"m"(none));
}

/* From the most proper way to the one that never fails. */
void machine_restart(unsigned int delay)
{
	irq_disable();
	console_force_sync();
	delay_ms(delay);
	if (acpi.reset_port) {
		outb((uint16_t)acpi.reset_port, acpi.reset_value);
		delay_ms(10);
	}
	outb(RESET_CONTROL, 0x02);
	outb(RESET_CONTROL, 0x06);
	delay_ms(10);
	for (int i = 0; i < 10000 && (inb(KBD_STATUS) & KBD_INPUT_FULL); i++)
		cpu_relax();
	outb(KBD_STATUS, KBD_PULSE_RESET);
	delay_ms(10);
	triple_fault();
	machine_halt();
}

void hardware_domain_shutdown(uint8_t reason)
{
	static const char *const names[] = {
		[SHUTDOWN_poweroff] = "halted: halting machine",
		[SHUTDOWN_reboot] = "shutdown: rebooting machine",
		[SHUTDOWN_suspend] = "suspended: rebooting machine",
		[SHUTDOWN_crash] = "crashed: rebooting machine",
		[SHUTDOWN_watchdog] = "watchdog rebooting machine",
		[SHUTDOWN_soft_reset] = "did an unsupported soft reset: rebooting machine",
	};

	irq_disable();
	console_force_sync();
	printk(LOG_ERR, "Hardware Dom0 %s\n",
	       reason < ARRAY_SIZE(names) ? names[reason] : "shut down: rebooting machine");
	/* Power is switched off by dom0 itself, through ACPI (XENPF_enter_acpi_sleep). */
	if (reason == SHUTDOWN_poweroff || opt_noreboot)
		machine_halt();
	machine_restart(reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog ? 5000 : 0);
}
