// SPDX-License-Identifier: GPL-2.0-only
/* The end: what happened, from where, on which CPU; then a restart, or not (noreboot). */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"

#define RESTART_DELAY_MS 5000
#define TRACE_DEPTH      24

static uint32_t panicking; /* CPU + 1 */

bool panic_stops_cpu(void)
{
	uint32_t cpu = READ_ONCE(panicking);

	return cpu && cpu != this_cpu + 1;
}

static bool on_this_stack(uint64_t address)
{
	uint64_t top = (uint64_t)(cpu_info() + 1);

	return address % 8 == 0 && address >= top - STACK_SIZE && address < top - 16;
}

/* Along the frame pointers. An odd one is the address of a saved frame, less one. */
static void trace(uint64_t frame)
{
	for (int depth = 0; depth < TRACE_DEPTH && on_this_stack(frame & ~1ul); depth++) {
		const uint64_t *p = (const uint64_t *)(frame & ~1ul);

		if (frame & 1) {
			const struct cpu_user_regs *regs = (const void *)p;

			if (!on_this_stack((uint64_t)&regs->ss))
				return;
			printk(LOG_ERR, "  [vector %u]\n  %016lx %pS\n", regs->entry_vector, regs->rip,
			       (void *)regs->rip);
			frame = regs->cs & 3 ? 0 : regs->rbp;
		} else {
			printk(LOG_ERR, "  %016lx %pS\n", p[1], (void *)p[1]);
			frame = p[0];
		}
	}
}

void backtrace(const struct cpu_user_regs *regs)
{
	printk(LOG_ERR, "Back-trace:\n");
	if (regs)
		printk(LOG_ERR, "  %016lx %pS\n", regs->rip, (void *)regs->rip);
	trace(regs ? regs->rbp : (uint64_t)__builtin_frame_address(0));
}

static void stop_others(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		if (cpu != this_cpu)
			apic_send_nmi(cpu);
}

void panic(const char *fmt, ...)
{
	char text[256];
	uint32_t none = 0;
	va_list ap;

	irq_disable();
	if (!atomic_cmpxchg(&panicking, &none, this_cpu + 1)) {
		if (none == this_cpu + 1)
			machine_restart(0); /* a panic within the panic */
		machine_halt();
	}
	stop_others(); /* before the console's lock is broken */
	console_force_sync();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	printk(LOG_ERR, "\n");
	printk(LOG_ERR, "****************************************\n");
	printk(LOG_ERR, "Panic on CPU %u:\n", this_cpu);
	printk(LOG_ERR, "%s\n", text);
	printk(LOG_ERR, "****************************************\n");
	backtrace(NULL);
	if (opt_noreboot) {
		printk(LOG_ERR, "Manual reset required (noreboot)\n");
		machine_halt();
	}
	printk(LOG_ERR, "Reboot in %d seconds...\n", RESTART_DELAY_MS / 1000);
	machine_restart(RESTART_DELAY_MS);
}
