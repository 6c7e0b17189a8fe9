// SPDX-License-Identifier: GPL-2.0-only
/* Names of functions for back-traces: the table that hypervisor/symbols.sh makes. */
#include "hypervisor/cpu/setup.h"

extern const uint64_t symbol_count;
extern const uint32_t symbol_offsets[]; /* low half of the address; ascending */
extern const char symbol_names[];       /* one after another, terminated */

static const char *name_of(uint64_t n)
{
	const char *name = symbol_names;

	while (n--)
		name += strlen(name) + 1;
	return name;
}

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
	uint64_t low = 0, high = symbol_count;

	if (address < (uint64_t)text_start || address >= (uint64_t)text_end || !high)
		return NULL;
	while (high - low > 1) {
		uint64_t middle = (low + high) / 2;

		if (symbol_offsets[middle] <= (uint32_t)address)
			low = middle;
		else
			high = middle;
	}
	*offset = (uint32_t)address - symbol_offsets[low];
	return name_of(low);
}

const char *symbol_get(uint32_t n, uint64_t *address)
{
	if (n >= symbol_count)
		return NULL;
	n = (uint32_t)index_nospec(n, symbol_count);
	*address = ((uint64_t)text_start & ~(uint64_t)UINT32_MAX) | symbol_offsets[n];
	return name_of(n);
}
