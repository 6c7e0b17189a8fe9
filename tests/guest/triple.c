// SPDX-License-Identifier: GPL-2.0-only
/* Faults where no frame for a handler can be put: by how=N on a stack that is not there,
 * on one in the hypervisor's memory, at an address that is none, or with tables gone. */
#include "tests/guest/guest.h"

#define STACK 0xffff900000001000ul

asm("again: ud2");
extern const char again[];
static struct trap_info faults_again[2] = {{.vector = 6, .cs = FLAT_KERNEL_CS}};

static void fault_on(unsigned long stack)
{
	asm volatile("mov %0, %%rsp; ud2" : : "r"(stack));
}

void guest_main(void)
{
	unsigned long how = argument("how", 0);

	faults_again[0].address = (unsigned long)again;
	print("triple: how %lu\n", how);
	console_flush();
	switch (how) {
	case 0:
		fault_on(0x1234000);
		break;
	case 1:
		fault_on(HYPERVISOR_VIRT_START + 0x1000);
		break;
	case 2:
		fault_on(0x8000000000000000);
		break;
	case 3: /* a loop of faults on a stack of one page, none below it */
		tables_for(STACK, 1);
		must(map_at(STACK, mfn_of(page_alloc()) << 12 | PTE_DATA) == 0);
		must(hcall(set_trap_table, faults_again) == 0);
		fault_on(STACK + PAGE_SIZE);
		break;
	case 4: { /* its own code's mapping goes */
		struct mmu_update u = {entry_address(entry_of(IMAGE, 4)), 0};

		hcall(mmu_update, &u, 1, NULL, DOMID_SELF);
		break;
	}
	}
	print("FAIL still there\n");
}
