/* SPDX-License-Identifier: GPL-2.0-only */
/* MSI and MSI-X: descriptors for a device's vectors, its capability programmed for them. */
#ifndef HV_MSI_H
#define HV_MSI_H

#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/lib/lib.h"

#define MSI_MAX_VECTORS 32

struct msi_desc {
	struct list all;
	uint16_t seg;
	uint8_t bus, devfn;
	bool msix, address64, maskable;
	uint16_t entry;          /* MSI-X: of its table */
	unsigned int pos;        /* of the capability */
	volatile uint32_t *slot; /* MSI-X: the table's entry */
	uint32_t mask_bits;      /* MSI's, as last written */
	unsigned int n;          /* vectors: a power of two; MSI-X: 1 */
	struct irq_desc irq[];
};

/* Vectors for @m, masked. 0 or -errno: -ENODEV no capability, -EINVAL no such entry,
 * -EEXIST in use, -ENOSPC no vectors, -ENOMEM. */
int msi_create(const struct msi_request *m, unsigned int n, struct msi_desc **out);
void msi_destroy(struct msi_desc *msi); /* none of its vectors is bound any more */
void msi_name(const struct irq_desc *desc, char *buf, size_t n); /* for a dump */
/* The device has lost its state (reset, D3): write all of it again. */
void msi_restore(uint16_t seg, uint8_t bus, uint8_t devfn);

#endif
