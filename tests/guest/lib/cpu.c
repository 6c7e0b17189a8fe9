// SPDX-License-Identifier: GPL-2.0-only
/* Entry in C, vcpus, time. */
#include "tests/guest/guest.h"

char stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(STACK_SIZE)));

unsigned int cpu_id(void)
{
	unsigned long sp = (unsigned long)__builtin_frame_address(0);

	return (unsigned int)((sp - (unsigned long)stacks) >> STACK_SHIFT) % MAX_CPUS;
}

void cpu_context(struct vcpu_guest_context *c, unsigned int cpu, void (*fn)(void))
{
	extern const char secondary_start[], event_callback[], failsafe_callback[],
		syscall_callback[], trap_stubs[];
	unsigned long top = (unsigned long)stacks[cpu] + STACK_SIZE;

	memset(c, 0, sizeof(*c));
	c->flags = VGCF_in_kernel;
	c->user_regs.rip = (unsigned long)secondary_start;
	c->user_regs.rbx = (unsigned long)fn;
	c->user_regs.rsp = top;
	c->user_regs.cs = FLAT_KERNEL_CS;
	c->user_regs.ss = FLAT_KERNEL_SS;
	c->user_regs.rflags = 0x200;
	c->kernel_ss = FLAT_KERNEL_SS;
	c->kernel_sp = top;
	for (unsigned int i = 0; i < 32; i++)
		c->trap_ctxt[i] = (struct trap_info){(uint8_t)i, i == 3 || i == 4 ? 3 : 0,
						     FLAT_KERNEL_CS,
						     (unsigned long)trap_stubs + i * 16};
	c->event_callback_eip = (unsigned long)event_callback;
	c->failsafe_callback_eip = (unsigned long)failsafe_callback;
	c->syscall_callback_eip = (unsigned long)syscall_callback;
	c->ctrlreg[0] = 0x80050033;
	c->ctrlreg[3] = mfn_of(pt_first) << 12;
}

int cpu_start(unsigned int cpu, void (*fn)(void))
{
	static struct vcpu_guest_context c;
	int ret;

	cpu_context(&c, cpu, fn);
	ret = (int)hcall(vcpu_op, VCPUOP_initialise, cpu, &c);
	return ret ? ret : (int)hcall(vcpu_op, VCPUOP_up, cpu);
}

/* xen.h, struct vcpu_time_info: how to read it. */
uint64_t time_now(void)
{
	const struct vcpu_time_info *t = &shared_info->vcpu_info[cpu_id()].time;
	uint32_t version, low, high;
	uint64_t delta, now;

	do {
		version = READ_ONCE(t->version);
		barrier();
		asm volatile("rdtsc" : "=a"(low), "=d"(high));
		delta = ((uint64_t)high << 32 | low) - t->tsc_timestamp;
		delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
		now = t->system_time +
		      (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
		barrier();
	} while (version & 1 || version != READ_ONCE(t->version));
	return now;
}

void sleep_ms(unsigned int ms)
{
	struct sched_poll poll = {.timeout = time_now() + ms * 1000000ull};

	hcall(sched_op, SCHEDOP_poll, &poll);
}

void guest_start(struct start_info *si);
void guest_start(struct start_info *si)
{
	start_info = si;
	memory_init();
	traps_init();
	guest_main();
	print("done\n");
	shutdown(SHUTDOWN_poweroff);
}
