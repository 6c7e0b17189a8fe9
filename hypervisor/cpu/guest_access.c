// SPDX-License-Identifier: GPL-2.0-only
/* Guest memory by linear address: the range check in front of the copies that survive
 * faults (cpu/guest_access.S). */
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/mm/layout.h"

/* A non-canonical address is not refused here: the access faults and that is survived. */
bool guest_range_ok(uint64_t gva, size_t n)
{
	uint64_t last = gva + n - 1;

	if (!n)
		return true;
	return last >= gva && (last < HV_VIRT_START || gva >= HV_VIRT_END);
}

/* What was found outside our range stays outside it in speculation too. */
static void *gva_nospec(uint64_t gva)
{
	uint64_t inside, offset = gva - HV_VIRT_START;

	__asm__("cmp %2, %1; sbb %0, %0"
		: "=r"(inside)
		: "r"(offset), "r"(HV_VIRT_END - HV_VIRT_START)
		: "cc");
	return (void *)(gva & ~inside);
}

size_t copy_from_guest(void *to, uint64_t gva, size_t n)
{
	if (!guest_range_ok(gva, n))
		return n;
	return copy_survive(to, gva_nospec(gva), n);
}

size_t copy_to_guest(uint64_t gva, const void *from, size_t n)
{
	if (!guest_range_ok(gva, n))
		return n;
	return copy_survive(gva_nospec(gva), from, n);
}

size_t clear_guest(uint64_t gva, size_t n)
{
	if (!guest_range_ok(gva, n))
		return n;
	return clear_survive(gva_nospec(gva), n);
}
