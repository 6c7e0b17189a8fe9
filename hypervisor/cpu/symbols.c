// SPDX-License-Identifier: GPL-2.0-only
/* Names of functions for back-traces: the table that hypervisor/symbols.sh makes. */
#include "hypervisor/cpu/setup.h"

extern const uint64_t symbol_count;
extern const uint32_t symbol_offsets[]; /* low half of the address; ascending */
extern const char symbol_names[];       /* one after another, terminated */

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
	const char *name = symbol_names;
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
	while (low--)
		name += strlen(name) + 1;
	return name;
}
