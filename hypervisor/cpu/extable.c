// SPDX-License-Identifier: GPL-2.0-only
/* Instructions that may fault, and where to go on then (cpu/setup.h: EXTABLE). */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"

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
