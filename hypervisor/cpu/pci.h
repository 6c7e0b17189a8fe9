/* SPDX-License-Identifier: GPL-2.0-only */
/* PCI configuration space, and a guest kernel's way to it through ports 0xcf8-0xcff. */
#ifndef HV_PCI_H
#define HV_PCI_H

#include "hypervisor/lib/lib.h"

struct domain;

/* Registers above 255 and segments other than 0 need MMCONFIG: without it all ones. */
uint32_t pci_read(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int bytes);
void pci_write(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int bytes,
	       uint32_t value);
/* 0: none. */
unsigned int pci_find_capability(uint16_t seg, uint8_t bus, uint8_t devfn, uint8_t id);

/*
 * The hardware domain's access to 0xcf8 (four bytes) or 0xcfc-0xcff: its address register
 * is d->pci_cf8, for that of the machine is shared with us. False: not such an access (0xcf9
 * is something else), to be made as any other. Others read ones and write nothing.
 */
bool pci_guest_port(struct domain *d, uint16_t port, unsigned int bytes, uint32_t *value,
		    bool write);

#endif
