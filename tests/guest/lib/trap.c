// SPDX-License-Identifier: GPL-2.0-only
/* Traps and callbacks: handed to whoever guards against them, or the guest's end. */
#include "tests/guest/guest.h"

extern const char trap_stubs[], event_callback[], failsafe_callback[], syscall_callback[];
struct last_trap last_trap[MAX_CPUS];
void (*event_handler)(void);
static struct guard *guards[MAX_CPUS];
#define STUB_SIZE 16

int guarded(void (*fn)(void *arg), void *arg)
{
	unsigned int cpu = cpu_id();
	struct guard g, *outer = guards[cpu];
	int vector = -1;

	guards[cpu] = &g;
	if (guard_enter(&g))
		vector = (int)last_trap[cpu].vector;
	else
		fn(arg);
	guards[cpu] = outer;
	return vector;
}

void trap_entry(struct trap_frame *f);
void trap_entry(struct trap_frame *f)
{
	unsigned int cpu = cpu_id();
	struct vcpu_info *v = &shared_info->vcpu_info[cpu];

	if (f->vector == TRAP_EVENT) {
		WRITE_ONCE(v->evtchn_upcall_pending, 0);
		if (event_handler)
			event_handler();
		return;
	}
	last_trap[cpu] = (struct last_trap){f->vector, f->error, f->rip, v->arch.cr2,
					    last_trap[cpu].count + 1};
	if (guards[cpu])
		guard_leave(guards[cpu]);
	print("FAIL trap %lu error %lx rip %lx cr2 %lx rsp %lx\n", f->vector, f->error, f->rip,
	      v->arch.cr2, f->rsp);
	shutdown(SHUTDOWN_crash);
}

void upcalls_enable(void)
{
	struct vcpu_info *v = &shared_info->vcpu_info[cpu_id()];

	WRITE_ONCE(v->evtchn_upcall_mask, 0);
	barrier();
	if (READ_ONCE(v->evtchn_upcall_pending))
		hcall(xen_version, XENVER_version); /* any hypercall delivers */
}

void upcalls_disable(void)
{
	WRITE_ONCE(shared_info->vcpu_info[cpu_id()].evtchn_upcall_mask, 1);
	barrier();
}

static void callback(uint16_t type, const char *address)
{
	struct callback_register r = {.type = type, .address = (unsigned long)address};

	must(hcall(callback_op, CALLBACKOP_register, &r) == 0);
}

void traps_init(void)
{
	static struct trap_info table[33];

	for (unsigned int i = 0; i < 32; i++) {
		table[i].vector = (uint8_t)i;
		table[i].flags = i == 3 || i == 4 ? 3 : 0; /* user mode may INT3, INTO */
		table[i].cs = FLAT_KERNEL_CS;
		table[i].address = (unsigned long)trap_stubs + i * STUB_SIZE;
	}
	must(hcall(set_trap_table, table) == 0);
	callback(CALLBACKTYPE_event, event_callback);
	callback(CALLBACKTYPE_failsafe, failsafe_callback);
	callback(CALLBACKTYPE_syscall, syscall_callback);
}
