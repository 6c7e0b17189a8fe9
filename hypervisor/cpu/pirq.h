/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain's physical interrupts: numbers of its own for GSIs and MSI vectors. The
 * hardware domain's GSIs have their own number as PIRQ unless it asks otherwise.
 */
#ifndef HV_PIRQ_H
#define HV_PIRQ_H

#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/mm/frame.h"

struct pirq {
	struct irq_desc *irq; /* NULL: not mapped */
	bool bound;           /* to an event channel */
	bool reserved;        /* PHYSDEVOP_get_free_pirq gave it */
};

struct pirq_table {
	struct spinlock lock; /* LOCK_DOMAIN_IRQ: all of it */
	unsigned int n;
	struct pirq *pirq;
	/* PHYSDEVOP_pirq_eoi_gmfn_v2: the guest's page with a bit for each that needs EOI. */
	struct guest_page eoi_map;
};

int pirq_get_free(struct domain *d, bool msi); /* a number, or -ENOSPC */
int pirq_eoi_all(struct domain *d); /* every line that is bound */
int pirq_set_eoi_map(struct domain *d, gfn_t gfn);
unsigned int nr_pirqs(const struct domain *d);

#endif
