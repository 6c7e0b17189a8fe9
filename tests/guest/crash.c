// SPDX-License-Identifier: GPL-2.0-only
/* Ends as a kernel with a bug does, by how=N: see below. Never returns. */
#include "tests/guest/guest.h"

static void page_fault(void)
{
	*(volatile int *)0x1234000 = 1;
}

static void bad_callback(void)
{
	struct callback_register r = {.type = CALLBACKTYPE_event, .address = 0x1234000};
	struct evtchn_bind_ipi ipi = {0};
	struct evtchn_send send;

	hcall(set_trap_table, NULL);
	hcall(callback_op, CALLBACKOP_register, &r);
	hcall(event_channel_op, EVTCHNOP_bind_ipi, &ipi);
	send.port = ipi.port;
	shared_info->evtchn_mask[ipi.port / 64] &= ~(1ul << ipi.port % 64);
	upcalls_enable();
	hcall(event_channel_op, EVTCHNOP_send, &send);
}

void guest_main(void)
{
	unsigned long how = argument("how", 0);

	print("crash: how %lu\n", how);
	console_flush();
	switch (how) {
	case 0: /* by itself */
		shutdown(SHUTDOWN_crash);
	case 1: /* a fault that it has no handler for */
		hcall(set_trap_table, NULL);
		page_fault();
		break;
	case 2: /* an undefined instruction without handler */
		hcall(set_trap_table, NULL);
		asm volatile("ud2");
		break;
	case 3: /* an event, and no code there */
		bad_callback();
		break;
	case 4: /* privileged instruction */
		hcall(set_trap_table, NULL);
		asm volatile("hlt; invd");
		break;
	}
	print("FAIL still there\n");
	shutdown(SHUTDOWN_poweroff);
}
