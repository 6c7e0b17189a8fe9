// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSI and MSI-X: messages that are writes to a local APIC (PCI local bus specification
 * 3.0, 6.8; message format: Intel SDM volume 3, 10.11). Several vectors of one MSI share
 * the message's address, hence their CPU.
 */
#include "hypervisor/cpu/irq_desc.h"

#include "hypervisor/cpu/pci.h"
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/mm/mm.h"

#define CAP_MSI  0x05
#define CAP_MSIX 0x11

#define MSI_CONTROL      2
#define MSI_ADDRESS      4
#define MSI_ENABLE       1u
#define MSI_ENABLED_LOG2 4 /* shift: vectors in use */
#define MSI_64BIT        (1u << 7)
#define MSI_MASKABLE     (1u << 8)

#define MSIX_TABLE      4 /* offset, and in the low 3 bits which BAR */
#define MSIX_ENTRY_SIZE 16
#define PCI_COMMAND     4
#define PCI_COMMAND_MEM 2u
#define PCI_BAR0        0x10

static struct list all_msis = {&all_msis, &all_msis};
static struct spinlock msi_lock = SPINLOCK(LOCK_PHYSDEV); /* the list */

static uint32_t cap_read(const struct msi_desc *m, unsigned int offset, unsigned int bytes)
{
	return pci_read(m->seg, m->bus, m->devfn, m->pos + offset, bytes);
}

static void cap_write(const struct msi_desc *m, unsigned int offset, unsigned int bytes,
		      uint32_t v)
{
	pci_write(m->seg, m->bus, m->devfn, m->pos + offset, bytes, v);
}

static unsigned int msi_data_offset(const struct msi_desc *m)
{
	return MSI_ADDRESS + (m->address64 ? 8 : 4);
}

/* ---- chip: under the vector's lock ---- */

/* The vectors of a group share their mask register. */
static struct spinlock mask_lock = SPINLOCK(LOCK_MSI_MASK);

static void msi_set_mask(struct irq_desc *desc, bool mask)
{
	struct msi_desc *m = desc->msi;
	uint32_t bit;

	if (m->msix) {
		m->slot[3] = mask;
		(void)m->slot[3]; /* the write has arrived when the read comes back */
		return;
	}
	if (!m->maskable)
		return; /* then what comes unwanted is dropped: cpu/irq.c */
	bit = 1u << (desc - m->irq);
	spin_guard_irqsave(&mask_lock);
	m->mask_bits = mask ? m->mask_bits | bit : m->mask_bits & ~bit;
	cap_write(m, msi_data_offset(m) + 4, 4, m->mask_bits);
}

static void msi_route(struct irq_desc *desc)
{
	struct msi_desc *m = desc->msi;
	uint32_t address = 0xfee00000u | cpu_to_apicid[desc->cpu] << 12;

	if (desc != m->irq)
		return; /* goes where the first goes */
	if (m->msix) {
		m->slot[3] = 1;
		m->slot[0] = address;
		m->slot[1] = 0;
		m->slot[2] = desc->vector;
		m->slot[3] = desc->masked;
		(void)m->slot[3];
		return;
	}
	cap_write(m, MSI_ADDRESS, 4, address);
	if (m->address64)
		cap_write(m, MSI_ADDRESS + 4, 4, 0);
	cap_write(m, msi_data_offset(m), 2, desc->vector);
	cap_write(m, MSI_CONTROL, 2,
		  (cap_read(m, MSI_CONTROL, 2) & ~(7u << MSI_ENABLED_LOG2)) | MSI_ENABLE |
			  (uint32_t)__builtin_ctz(m->n) << MSI_ENABLED_LOG2);
}

static const struct irq_chip msi_chip = {msi_set_mask, msi_route};

void msi_name(const struct irq_desc *desc, char *buf, size_t n)
{
	const struct msi_desc *m = desc->msi;

	snprintf(buf, n, "%s %04x:%02x:%02x.%u %u", m->msix ? "MSI-X" : "MSI", m->seg, m->bus,
		 m->devfn >> 3, m->devfn & 7, m->msix ? m->entry : (unsigned int)(desc - m->irq));
}

/* ---- making one ---- */

static bool msi_exists(const struct msi_desc *new)
{
	struct list *l;

	list_for_each(l, &all_msis) {
		const struct msi_desc *m = list_entry(l, struct msi_desc, all);

		if (m->seg == new->seg && m->bus == new->bus && m->devfn == new->devfn &&
		    (m->msix != new->msix || m->entry == new->entry))
			return true;
	}
	return false;
}

static int msi_probe(struct msi_desc *m)
{
	uint32_t control;

	m->pos = pci_find_capability(m->seg, m->bus, m->devfn, CAP_MSI);
	if (!m->pos)
		return -ENODEV;
	control = cap_read(m, MSI_CONTROL, 2);
	if (m->n > 1u << (control >> 1 & 7))
		return -EINVAL;
	m->address64 = control & MSI_64BIT;
	m->maskable = control & MSI_MASKABLE;
	if (m->maskable) {
		m->mask_bits = ~0u;
		cap_write(m, msi_data_offset(m) + 4, 4, ~0u);
	}
	return 0;
}

/* Machine address of the table: the BAR is read here, whatever the caller says it is. */
static uint64_t msix_table(const struct msi_desc *m)
{
	uint32_t where = cap_read(m, MSIX_TABLE, 4);
	unsigned int bar = PCI_BAR0 + (where & 7) * 4;
	uint64_t address;

	if ((where & 7) > 5)
		return 0;
	address = pci_read(m->seg, m->bus, m->devfn, bar, 4);
	if (address & 1)
		return 0; /* ports */
	if ((address & 6) == 4) {
		if ((where & 7) == 5)
			return 0;
		address |= (uint64_t)pci_read(m->seg, m->bus, m->devfn, bar + 4, 4) << 32;
	}
	address &= ~15ull;
	return address ? address + (where & ~7u) : 0;
}

static int msix_probe(struct msi_desc *m, uint64_t table_base)
{
	uint64_t table;
	char *page;

	m->pos = pci_find_capability(m->seg, m->bus, m->devfn, CAP_MSIX);
	if (!m->pos)
		return -ENODEV;
	if (m->entry > (cap_read(m, MSI_CONTROL, 2) & 0x7ff))
		return -EINVAL;
	if (!(pci_read(m->seg, m->bus, m->devfn, PCI_COMMAND, 2) & PCI_COMMAND_MEM))
		return -ENXIO;
	table = msix_table(m);
	if (!table && table_base) /* a virtual function's BARs are in its physical one */
		table = table_base + (cap_read(m, MSIX_TABLE, 4) & ~7u);
	if (!table)
		return -ENXIO;
	table += (uint64_t)m->entry * MSIX_ENTRY_SIZE;
	page = map_device(table & PAGE_MASK, PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	m->slot = (volatile uint32_t *)(page + (table & ~PAGE_MASK));
	m->slot[3] = 1;
	return 0;
}

static void msi_unprobe(struct msi_desc *m)
{
	if (m->slot)
		vunmap((void *)((uint64_t)m->slot & PAGE_MASK), 1);
}

int msi_create(const struct msi_request *r, unsigned int n, struct msi_desc **out)
{
	struct irq_desc *irq[MSI_MAX_VECTORS];
	struct msi_desc *m;
	unsigned int i;
	int err;

	m = xzalloc_bytes(sizeof(*m) + n * sizeof(m->irq[0]), _Alignof(struct msi_desc));
	if (!m)
		return -ENOMEM;
	m->seg = r->seg;
	m->bus = r->bus;
	m->devfn = r->devfn;
	m->msix = r->table_base != 0;
	m->entry = m->msix ? (uint16_t)r->entry : 0;
	m->n = n;
	for (i = 0; i < n; i++) {
		irq[i] = &m->irq[i];
		spin_lock_init(&irq[i]->lock, LOCK_IRQ_DESC);
		irq[i]->chip = &msi_chip;
		irq[i]->msi = m;
		irq[i]->masked = true;
	}
	spin_lock(&msi_lock);
	err = msi_exists(m) ? -EEXIST : m->msix ? msix_probe(m, r->table_base) : msi_probe(m);
	if (!err)
		err = vectors_alloc(irq, n);
	if (!err) {
		list_add(&m->all, &all_msis);
		m->irq[0].chip->route(&m->irq[0]);
		*out = m;
	}
	spin_unlock(&msi_lock);
	if (err) {
		msi_unprobe(m);
		xfree(m);
	}
	return err;
}

void msi_destroy(struct msi_desc *m)
{
	unsigned int i;

	spin_lock(&msi_lock);
	list_del(&m->all);
	for (i = 0; i < m->n; i++) {
		msi_set_mask(&m->irq[i], true);
		vector_free(&m->irq[i]);
	}
	if (!m->msix)
		cap_write(m, MSI_CONTROL, 2, cap_read(m, MSI_CONTROL, 2) & ~MSI_ENABLE);
	spin_unlock(&msi_lock);
	msi_unprobe(m);
	xfree(m);
}

void msi_restore(uint16_t seg, uint8_t bus, uint8_t devfn)
{
	struct list *l;

	spin_guard(&msi_lock);
	list_for_each(l, &all_msis) {
		struct msi_desc *m = list_entry(l, struct msi_desc, all);

		if (m->seg != seg || m->bus != bus || m->devfn != devfn)
			continue;
		spin_guard_irqsave(&m->irq[0].lock);
		msi_route(&m->irq[0]);
		if (m->maskable)
			msi_set_mask(&m->irq[0], m->irq[0].masked);
	}
}
