// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slot 258: what of the hypervisor's is different in each domain. Tables are made as vcpus
 * need them and live as long as the domain.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm_internal.h"

int perdomain_create(struct domain *d)
{
	d->perdomain_l3 = heap_pages(0);
	if (!d->perdomain_l3)
		return -ENOMEM;
	/* Idle vcpus use idle_l4 itself. */
	if (d->domid == DOMID_IDLE)
		hv_fill_root(idle_l4, d);
	return 0;
}

/* @levels of tables are below this one. */
static void free_tables(uint64_t *t, unsigned int levels)
{
	for (unsigned int i = 0; levels && i < 512; i++)
		if (t[i] & PTE_P)
			free_tables(maddr_to_virt(t[i] & PTE_ADDR), levels - 1);
	heap_free(t, 0);
}

void perdomain_destroy(struct domain *d)
{
	if (d->perdomain_l3)
		free_tables(d->perdomain_l3, 2);
	d->perdomain_l3 = NULL;
}

uint64_t *perdomain_l1(struct domain *d, uint64_t va)
{
	uint64_t *l1e = paging_l1e(d->perdomain_l3, va, true);

	return (uint64_t *)((uint64_t)l1e & PAGE_MASK);
}

int perdomain_vcpu_init(struct vcpu *v)
{
	/* A window's entries are in one table: it divides the 512. */
	v->window = paging_l1e(v->domain->perdomain_l3, WINDOW_VADDR(v->id), true);
	return v->window ? 0 : -ENOMEM;
}
