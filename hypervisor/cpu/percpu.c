// SPDX-License-Identifier: GPL-2.0-only
/* Per-CPU variables and stacks. The boot CPU's are in the image, others' are allocated. */
#include "hypervisor/cpu/setup.h"
#include "hypervisor/mm/mm.h"

extern char percpu_start[], percpu_end[], percpu_boot[];

uint64_t percpu_offset[NR_CPUS];
struct cpumask cpu_online_map, cpu_present_map;
unsigned int nr_cpus = 1;
static uint64_t boot_gdt_page[512] __attribute__((aligned(4096)));

/* The template in the image stays as it is; nothing per-CPU may be used before this. */
void percpu_init_boot(void)
{
	struct cpu_info *info = cpu_info();

	memcpy(percpu_boot, percpu_start, (size_t)(percpu_end - percpu_start));
	percpu_offset[0] = (uint64_t)(percpu_boot - percpu_start);
	info->percpu_offset = percpu_offset[0];
	info->cpu = 0;
	/* Through the direct map, as everyone's: its frame is found from the address. */
	per_cpu(gdt_page, 0) = maddr_to_virt(image_to_maddr(boot_gdt_page));
}

int percpu_alloc(unsigned int cpu)
{
	size_t size = (size_t)(percpu_end - percpu_start);
	char *area;
	uint64_t *gdt;

	if (percpu_offset[cpu])
		return 0; /* from an earlier time online */
	area = heap_pages(order_of(size));
	gdt = heap_pages(0);
	if (!area || !gdt) {
		if (area)
			heap_free(area, order_of(size));
		if (gdt)
			heap_free(gdt, 0);
		return -ENOMEM;
	}
	memcpy(area, percpu_start, size);
	percpu_offset[cpu] = (uint64_t)(area - percpu_start);
	per_cpu(gdt_page, cpu) = gdt;
	return 0;
}

/* Overflowing the stack proper is a fault (#DF, on its own page), not other memory's loss. */
void stack_guard(void *stack)
{
	hv_unmap((uint64_t)stack + STACK_GUARD_PAGE * PAGE_SIZE, 1);
}

/* The direct map aligns an allocation to its size, as cpu_info() needs. Not given back:
 * its guard page has no mapping. */
void *stack_alloc(unsigned int cpu)
{
	char *stack = heap_pages(STACK_ORDER);
	struct cpu_info *info;

	if (!stack)
		return NULL;
	info = (struct cpu_info *)(stack + STACK_SIZE) - 1;
	info->cpu = cpu;
	info->percpu_offset = percpu_offset[cpu];
	stack_guard(stack);
	return stack;
}
