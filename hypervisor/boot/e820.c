// SPDX-License-Identifier: GPL-2.0-only
/* The machine's memory map: as the firmware tells it, put in order; and what of it is free. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/mm/mm.h"

#define LOW_MEMORY 0x100000ull /* left alone: firmware's data, the start of other CPUs */

void e820_add(uint64_t start, uint64_t size, uint32_t type)
{
	struct boot_info *b = &boot_info;

	if (!size)
		return;
	if (start + size < start)
		size = 0 - start;
	if (b->nr_e820 == E820_MAX) {
		printk(LOG_WARN, "memory map: more than %d entries\n", E820_MAX);
		return;
	}
	b->e820[b->nr_e820++] = (struct e820_entry){start, size, type};
}

/* The type at @at, and where the next change can be. Types: a larger number is a stronger
 * claim; 0 is a hole. */
static uint32_t type_at(const struct e820_entry *e, unsigned int n, uint64_t at, uint64_t *next)
{
	uint32_t type = 0;

	*next = ~0ull;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t end = e[i].start + e[i].size;

		if (e[i].start > at) {
			*next = MIN(*next, e[i].start);
		} else if (end > at) {
			*next = MIN(*next, end);
			type = MAX(type, e[i].type);
		}
	}
	return type;
}

void e820_sanitise(void)
{
	static struct e820_entry old[E820_MAX];
	unsigned int n = boot_info.nr_e820;
	uint64_t at = 0, next;

	memcpy(old, boot_info.e820, n * sizeof(old[0]));
	boot_info.nr_e820 = 0;
	for (; at != ~0ull; at = next) {
		uint32_t type = type_at(old, n, at, &next);
		struct e820_entry *last = boot_info.e820 + boot_info.nr_e820;

		if (!type)
			continue;
		if (boot_info.nr_e820 && last[-1].type == type && last[-1].start + last[-1].size == at)
			last[-1].size += next - at;
		else
			e820_add(at, next - at, type);
	}
}

void e820_print(void)
{
	static const char *const names[] = {"?", "usable", "reserved", "ACPI data", "ACPI NVS",
					    "unusable"};

	printk(LOG_INFO, "Memory map:\n");
	for (unsigned int i = 0; i < boot_info.nr_e820; i++) {
		const struct e820_entry *e = &boot_info.e820[i];

		printk(LOG_INFO, " %016lx - %016lx (%s)\n", e->start, e->start + e->size,
		       names[e->type < ARRAY_SIZE(names) ? e->type : 2]);
	}
}

struct taken {
	uint64_t start, end;
};

/* [start, end) without what is taken, from the @i-th on. */
static void give(uint64_t start, uint64_t end, const struct taken *t, unsigned int n)
{
	for (; n; t++, n--) {
		if (t->end <= start || t->start >= end)
			continue;
		if (t->start > start)
			give(start, t->start, t + 1, n - 1);
		start = t->end;
		if (start >= end)
			return;
	}
	start = ROUND_UP(start, PAGE_SIZE);
	end &= PAGE_MASK;
	if (start < end)
		boot_alloc_add(start, end);
}

void e820_give_memory(void)
{
	struct taken taken[2 + ARRAY_SIZE(boot_info.module)];
	unsigned int n = 0;

	taken[n++] = (struct taken){0, LOW_MEMORY};
	taken[n++] = (struct taken){image_to_maddr(image_start) & PAGE_MASK,
				    ROUND_UP(image_to_maddr(image_end), PAGE_SIZE)};
	for (unsigned int i = 0; i < boot_info.nr_modules; i++) {
		const struct boot_module *m = &boot_info.module[i];

		taken[n++] = (struct taken){m->start & PAGE_MASK,
					    ROUND_UP(m->start + m->size, PAGE_SIZE)};
	}
	for (unsigned int i = 0; i < boot_info.nr_e820; i++)
		if (boot_info.e820[i].type == 1)
			give(boot_info.e820[i].start,
			     boot_info.e820[i].start + boot_info.e820[i].size, taken, n);
}
