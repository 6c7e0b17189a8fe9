// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory before the frame table exists: a list of free ranges, taken from the top down so
 * that low memory remains for those who need it.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/mm/mm_internal.h"

#define MAX_RANGES (4 * E820_MAX)

static struct mem_range range[MAX_RANGES];
static unsigned int nr_ranges;
static bool finished;

uint64_t boot_alloc_limit = 4ull << 30;

void boot_alloc_add(uint64_t start, uint64_t end)
{
	/* Frame 0 ends lists of frames, so it is never free. */
	start = MAX(start, PAGE_SIZE);
	if (start >= end)
		return;
	if (nr_ranges == MAX_RANGES)
		panic("more than %d ranges of memory", MAX_RANGES);
	range[nr_ranges++] = (struct mem_range){start, end};
}

uint64_t boot_alloc(uint64_t bytes, uint64_t align)
{
	struct mem_range *best = NULL;
	uint64_t found = 0;

	BUG_ON(finished);
	bytes = ROUND_UP(bytes, PAGE_SIZE);
	align = MAX(align, PAGE_SIZE);
	for (unsigned int i = 0; i < nr_ranges; i++) {
		uint64_t end = MIN(range[i].end, boot_alloc_limit), at;

		if (end < bytes)
			continue;
		at = (end - bytes) & ~(align - 1);
		if (at >= range[i].start && at >= found) {
			found = at;
			best = &range[i];
		}
	}
	if (!best)
		panic("out of memory at start-up: %lu KiB wanted", (unsigned long)(bytes >> 10));

	uint64_t end = best->end;

	best->end = found;
	if (best->start == best->end)
		*best = range[--nr_ranges];
	boot_alloc_add(found + bytes, end);
	return found;
}

unsigned int boot_alloc_finish(struct mem_range **ranges)
{
	finished = true;
	*ranges = range;
	return nr_ranges;
}
