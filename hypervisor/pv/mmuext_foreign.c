// SPDX-License-Identifier: GPL-2.0-only
/* Whose pages and whose page tables a call may touch; which CPUs a bitmap of vcpus means.
 */
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/hypercall/hypercall.h"

static struct domain *foreign_get(domid_t domid, enum access what, int *err)
{
	struct domain *d = domid == DOMID_XEN ? dom_xen : domain_get(domid);

	*err = d ? access_check(what, d) : -ESRCH;
	if (!*err)
		return d;
	if (d)
		page_owner_put(d);
	return NULL;
}

struct domain *page_owner_get(domid_t domid, int *err)
{
	*err = -ESRCH;
	if (likely(domid == DOMID_SELF))
		return current->domain;
	if (domid == DOMID_IO) /* only device memory that the caller may map anyway */
		return dom_io;
	if (domid == current->domain->domid) /* not the way to name oneself here */
		return NULL;
	return foreign_get(domid, ACCESS_MAP_FOREIGN, err);
}

struct domain *table_owner_get(domid_t domid, int *err)
{
	if (likely(domid == DOMID_SELF || domid == current->domain->domid))
		return current->domain;
	return foreign_get(domid, ACCESS_MMU_FOREIGN, err);
}

void page_owner_put(struct domain *d)
{
	if (d != current->domain && d != dom_io && d != dom_xen)
		domain_put(d);
}

int vcpus_to_cpumask(const struct domain *d, uint64_t gva, struct cpumask *mask)
{
	memset(mask, 0, sizeof(*mask));
	for (unsigned int base = 0; base < d->max_vcpus; base += 8) {
		uint8_t byte;

		if (copy_from_guest(&byte, gva + base / 8, 1))
			return -EFAULT;
		for (unsigned int i = base; byte; byte >>= 1, i++) {
			const struct vcpu *v;
			uint32_t cpu;

			if (!(byte & 1) || i >= d->max_vcpus)
				continue;
			v = d->vcpu[index_nospec(i, d->max_vcpus)];
			cpu = v ? READ_ONCE(v->dirty_cpu) : VCPU_CLEAN;
			if (cpu < nr_cpus)
				set_bit(cpu, mask->bits);
		}
	}
	return 0;
}
