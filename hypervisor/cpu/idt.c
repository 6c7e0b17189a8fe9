// SPDX-License-Identifier: GPL-2.0-only
/* The IDT: one for all CPUs, every vector an interrupt gate to its stub (exceptions.S). */
#include "hypervisor/cpu/setup.h"
#include "hypervisor/pv/trap.h"

#define STUB_SIZE 16
extern const char vector_stubs[];

static struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
} idt[256] __attribute__((aligned(4096)));

static void gate_set(unsigned int vector, unsigned int ist, unsigned int dpl)
{
	uint64_t to = (uint64_t)vector_stubs + vector * STUB_SIZE;

	idt[vector] = (struct gate){(uint16_t)to, HV_CS, (uint8_t)ist, (uint8_t)(0x8e | dpl << 5),
				    (uint16_t)(to >> 16), (uint32_t)(to >> 32), 0};
}

/* INT n of a guest: but for INT3 and INTO it is #GP, which pv/ delivers as the trap. */
void idt_init(void)
{
	for (unsigned int v = 0; v < 256; v++)
		gate_set(v, 0, v == TRAP_BP || v == TRAP_OF ? 3 : 0);
	gate_set(TRAP_DF, IST_DF, 0);
	gate_set(TRAP_NMI, IST_NMI, 0);
	gate_set(TRAP_MC, IST_MC, 0);
	gate_set(TRAP_DB, IST_DB, 0);
}

void idt_load(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) d = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" ::"m"(d));
}
