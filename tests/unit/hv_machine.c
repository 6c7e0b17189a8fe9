// SPDX-License-Identifier: GPL-2.0-only
/* See hv_machine.h. */
#include "tests/unit/hv_machine.h"
#include "tests/unit/xorshift.h"

#include <sys/mman.h>

#include "hypervisor/cpu/privileged.h"

uint64_t *m2p;
uint64_t max_frame = MACHINE_FRAMES;
__attribute__((weak)) uint64_t direct_map_limit = (uint64_t)MACHINE_FRAMES << PAGE_SHIFT;
struct domain *dom_xen;
unsigned int nr_cpus = HOST_CPUS;
struct cpumask cpu_online_map = {{(1 << HOST_CPUS) - 1}};

int (*machine_validate)(struct frame *f, uint64_t type, bool preemptible);
int (*machine_devalidate)(struct frame *f, uint64_t type, bool preemptible);
unsigned long machine_flushes;
int machine_domain_refs;
uint64_t machine_node1;
static __thread uint64_t random_state = 1;

void machine_seed(uint64_t seed)
{
	random_state = seed * 2 + 1;
}

uint64_t machine_random(void)
{
	return xorshift(&random_state) * 0x2545f4914f6cdd1d >> 8;
}

static void *zero_pages(size_t n)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

void machine_init(void)
{
	if (host_memory)
		return;
	host_memory = zero_pages((size_t)MACHINE_FRAMES * PAGE_SIZE);
	frame_table = zero_pages(MACHINE_FRAMES * sizeof(struct frame));
	m2p = zero_pages(MACHINE_FRAMES * sizeof(uint64_t));
	for (unsigned int i = 0; i < MACHINE_FRAMES; i++)
		frame_table[i].count = FRAME_HEAP;
	/* As on a machine that was not just switched on. */
	memset(host_memory, 0x77, (size_t)MACHINE_FRAMES * PAGE_SIZE);
	buddy_init();
	buddy_add(1, HOLE_START);
	buddy_add(HOLE_END, MACHINE_FRAMES);
	dom_xen = machine_domain(0);
}

void machine_cpu(unsigned int cpu)
{
	host_cpu_info.cpu = cpu;
}

struct domain *machine_domain(uint32_t max_pages)
{
	struct domain *d = heap_pages(2);

	_Static_assert(sizeof(struct domain) <= 4 * PAGE_SIZE, "two orders are enough");
	spin_lock_init(&d->page_lock, LOCK_DOMAIN_PAGES);
	d->max_pages = max_pages;
	return d;
}

void machine_domain_free(struct domain *d)
{
	heap_free(d, 2);
}

/* ---- what other folders have ---- */

bool mfn_valid(mfn_t mfn)
{
	return mfn.n < MACHINE_FRAMES && (mfn.n < HOLE_START || mfn.n >= HOLE_END);
}

unsigned int node_of(mfn_t mfn)
{
	return machine_node1 && mfn.n >= machine_node1;
}

/* Weak: pv/page_types.c has the real ones. */
__attribute__((weak)) int frame_validate(struct frame *f, uint64_t type, bool preemptible)
{
	return machine_validate ? machine_validate(f, type, preemptible) : 0;
}

__attribute__((weak)) int frame_devalidate(struct frame *f, uint64_t type, bool preemptible)
{
	return machine_devalidate ? machine_devalidate(f, type, preemptible) : 0;
}

bool domain_ref(struct domain *d)
{
	(void)d;
	atomic_add(&machine_domain_refs, 1);
	return true;
}

void domain_put(struct domain *d)
{
	(void)d;
	atomic_sub(&machine_domain_refs, 1);
}

void *map_frame(mfn_t mfn)
{
	return mfn_to_virt(mfn);
}

void unmap_frame(const void *p)
{
	(void)p;
}

void tlb_flush_mask(const struct cpumask *mask, bool global)
{
	(void)mask, (void)global;
	atomic_add(&machine_flushes, 1);
}

void tlb_flush_local(void)
{
	atomic_add(&machine_flushes, 1);
}

struct frame *frame_lookup(mfn_t mfn)
{
	return mfn_valid(mfn) ? &frame_table[mfn.n] : NULL;
}
