// SPDX-License-Identifier: GPL-2.0-only
/* PCI configuration space: by ports 0xcf8 and 0xcfc, or by MMCONFIG where that is needed. */
#include "hypervisor/cpu/pci.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc
#define CF8_ENABLE   (1u << 31)
#define PCI_STATUS   0x06
#define PCI_STATUS_CAPABILITIES 0x10
#define PCI_CAPABILITIES 0x34

static struct spinlock config_lock = SPINLOCK(LOCK_LEAF); /* address and data go together */
static char *mmconfig_bus[256];                           /* mapped when first used */

static uint32_t config_read(uint32_t cf8, unsigned int offset, unsigned int bytes)
{
	spin_guard_irqsave(&config_lock);
	outl(PORT_ADDRESS, cf8);
	return port_in((uint16_t)(PORT_DATA + offset), bytes);
}

static void config_write(uint32_t cf8, unsigned int offset, unsigned int bytes, uint32_t v)
{
	spin_guard_irqsave(&config_lock);
	outl(PORT_ADDRESS, cf8);
	port_out((uint16_t)(PORT_DATA + offset), bytes, v);
}

static char *mmconfig(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg)
{
	if (!acpi.mmconfig_base || seg || bus < acpi.mmconfig_first_bus ||
	    bus > acpi.mmconfig_last_bus || reg >= 4096)
		return NULL;
	if (!mmconfig_bus[bus])
		mmconfig_bus[bus] = map_device(acpi.mmconfig_base + ((uint64_t)bus << 20), 1 << 20);
	return mmconfig_bus[bus] ? mmconfig_bus[bus] + (devfn << 12) + reg : NULL;
}

static uint32_t cf8_of(uint8_t bus, uint8_t devfn, unsigned int reg)
{
	return CF8_ENABLE | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (reg & 0xfc);
}

uint32_t pci_read(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int bytes)
{
	const volatile void *p;

	if (!seg && reg < 256)
		return config_read(cf8_of(bus, devfn, reg), reg & 3, bytes);
	p = mmconfig(seg, bus, devfn, reg);
	if (!p)
		return ~0u;
	return bytes == 1   ? *(const volatile uint8_t *)p
	       : bytes == 2 ? *(const volatile uint16_t *)p
			    : *(const volatile uint32_t *)p;
}

void pci_write(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int bytes,
	       uint32_t value)
{
	volatile void *p;

	if (!seg && reg < 256) {
		config_write(cf8_of(bus, devfn, reg), reg & 3, bytes, value);
		return;
	}
	p = mmconfig(seg, bus, devfn, reg);
	if (!p)
		return;
	if (bytes == 1)
		*(volatile uint8_t *)p = (uint8_t)value;
	else if (bytes == 2)
		*(volatile uint16_t *)p = (uint16_t)value;
	else
		*(volatile uint32_t *)p = value;
}

unsigned int pci_find_capability(uint16_t seg, uint8_t bus, uint8_t devfn, uint8_t id)
{
	unsigned int pos, n;

	if (!(pci_read(seg, bus, devfn, PCI_STATUS, 2) & PCI_STATUS_CAPABILITIES) ||
	    pci_read(seg, bus, devfn, 0, 2) == 0xffff)
		return 0;
	pos = pci_read(seg, bus, devfn, PCI_CAPABILITIES, 1) & 0xfc;
	/* Each has four bytes at least: a list longer than that goes round. */
	for (n = 0; n < 48 && pos >= 0x40; n++) {
		if (pci_read(seg, bus, devfn, pos, 1) == id)
			return pos;
		pos = pci_read(seg, bus, devfn, pos + 1, 1) & 0xfc;
	}
	return 0;
}

bool pci_guest_port(struct domain *d, uint16_t port, unsigned int bytes, uint32_t *value,
		    bool write)
{
	bool data = port >= PORT_DATA && port + bytes <= PORT_DATA + 4;

	if (port == PORT_ADDRESS && bytes == 4) {
		if (write)
			d->pci_cf8 = *value;
		else
			*value = d->pci_cf8;
		return true;
	}
	if (!data)
		return false;
	if (!d->hardware || !(d->pci_cf8 & CF8_ENABLE)) {
		if (!write)
			*value = ~0u;
	} else if (write) {
		config_write(d->pci_cf8, port - PORT_DATA, bytes, *value);
	} else {
		*value = config_read(d->pci_cf8, port - PORT_DATA, bytes);
	}
	return true;
}
