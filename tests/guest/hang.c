// SPDX-License-Identifier: GPL-2.0-only
/* Spins with upcalls masked, on every vcpu that it is given (cpus=N); call=1: in hypercalls. */
#include "tests/guest/guest.h"

static void spin(void)
{
	bool call = argument("call", 0);

	upcalls_disable();
	for (;;)
		if (call)
			hcall(xen_version, XENVER_version);
}

void guest_main(void)
{
	for (unsigned int cpu = 1; cpu < argument("cpus", 1); cpu++)
		must(cpu_start(cpu, spin) == 0);
	print("hangs\n");
	console_flush();
	spin();
}
