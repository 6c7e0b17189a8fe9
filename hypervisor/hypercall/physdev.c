// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_physdev_op: interrupts, MSIs, ports and PCI devices of the hardware domain. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/pci.h"
#include "hypervisor/hypercall/op.h"

#define IO_PORTS 65536

/* ---- interrupts ---- */

static long op_eoi(struct op_call *c)
{
	return pirq_eoi(c->d, ((struct physdev_eoi *)c->arg)->irq);
}

static long op_eoi_map(struct op_call *c)
{
	return pirq_set_eoi_map(c->d, GFN(((struct physdev_pirq_eoi_gmfn *)c->arg)->gmfn));
}

static long op_eoi_all(struct op_call *c)
{
	return pirq_eoi_all(c->d);
}

static long op_irq_status(struct op_call *c)
{
	struct physdev_irq_status_query *op = c->arg;

	return pirq_status(c->d, op->irq, &op->flags);
}

static long op_map_pirq(struct op_call *c)
{
	struct physdev_map_pirq *op = c->arg;
	struct msi_request msi = {
		.seg = op->type == MAP_PIRQ_TYPE_MSI ? 0 : (uint16_t)(op->bus >> 16),
		.bus = (uint8_t)op->bus,
		.devfn = (uint8_t)op->devfn,
		.entry = op->entry_nr,
		.table_base = op->table_base,
	};

	switch (op->type) {
	case MAP_PIRQ_TYPE_GSI:
		return op->index < 0 ? -EINVAL
				     : pirq_map_gsi(c->d, &op->pirq, (unsigned int)op->index);
	case MAP_PIRQ_TYPE_MULTI_MSI:
		if (op->table_base)
			return -EINVAL;
		if (op->entry_nr < 1)
			return -EDOM;
		return pirq_map_msi(c->d, &op->pirq, &msi);
	case MAP_PIRQ_TYPE_MSI:
	case MAP_PIRQ_TYPE_MSI_SEG:
		if (!op->table_base)
			msi.entry = 1;
		return pirq_map_msi(c->d, &op->pirq, &msi);
	}
	return -EINVAL;
}

static long op_unmap_pirq(struct op_call *c)
{
	return pirq_unmap(c->d, (unsigned int)((struct physdev_unmap_pirq *)c->arg)->pirq);
}

static long op_get_free_pirq(struct op_call *c)
{
	struct physdev_get_free_pirq *op = c->arg;
	int pirq = pirq_get_free(c->d, op->type != MAP_PIRQ_TYPE_GSI);

	op->pirq = (uint32_t)pirq;
	return MIN(pirq, 0);
}

static long op_apic_read(struct op_call *c)
{
	struct physdev_apic *op = c->arg;

	return ioapic_guest_read(op->apic_physbase, op->reg, &op->value);
}

static long op_apic_write(struct op_call *c)
{
	const struct physdev_apic *op = c->arg;

	return ioapic_guest_write(op->apic_physbase, op->reg, op->value);
}

/* Vectors are the hypervisor's: the kernel is told its own number, and may keep it. */
static long op_alloc_vector(struct op_call *c)
{
	struct physdev_irq *op = c->arg;

	op->vector = op->irq;
	return 0;
}

static long op_setup_gsi(struct op_call *c)
{
	const struct physdev_setup_gsi *op = c->arg;

	return op->gsi < 0 ? -EINVAL
			   : gsi_setup((unsigned int)op->gsi, op->triggering, op->polarity);
}

/* ---- ports ---- */

static long op_set_iopl(struct op_call *c)
{
	const struct physdev_set_iopl *op = c->arg;

	if (op->iopl > 3)
		return -EINVAL;
	current->pv.iopl = op->iopl;
	return 0;
}

static long op_set_iobitmap(struct op_call *c)
{
	const struct physdev_set_iobitmap *op = c->arg;
	uint64_t gva = handle_gva(op->bitmap);

	if (op->nr_ports > IO_PORTS || !guest_range_ok(gva, (op->nr_ports + 7) / 8))
		return -EINVAL;
	current->pv.iobmp = (uint8_t *)gva; /* the guest's: read with copy_from_guest */
	current->pv.iobmp_limit = op->nr_ports;
	return 0;
}

/* ---- PCI devices: dom0 finds them; without an IOMMU there is nothing to set up ---- */

static long device(uint16_t seg, uint8_t bus, uint8_t devfn, bool restore)
{
	if (pci_read(seg, bus, devfn, 0, 2) == 0xffff)
		return -ENODEV;
	if (restore)
		msi_restore(seg, bus, devfn);
	return 0;
}

static long op_device(struct op_call *c)
{
	const struct physdev_pci_device *op = c->arg;

	return device(op->seg, op->bus, op->devfn, c->cmd == PHYSDEVOP_restore_msi_ext);
}

/* The call of before segments. */
static long op_restore_msi(struct op_call *c)
{
	const struct physdev_restore_msi *op = c->arg;

	return device(0, op->bus, op->devfn, true);
}

static long op_mmcfg_reserved(struct op_call *c)
{
	const struct physdev_pci_mmcfg_reserved *op = c->arg;

	if (op->segment || !acpi.mmconfig_base || op->address != acpi.mmconfig_base ||
	    op->start_bus != acpi.mmconfig_first_bus)
		return -ENODEV;
	return 0;
}

/* ---- the call ---- */

/* Not there: pirq_eoi_gmfn_v1, whose EOI unmasks the event channel too: no client since
 * Linux 3.3 uses it. */
static const struct op_def ops[] = {
	[PHYSDEVOP_IRQ_UNMASK_NOTIFY] = {.fn = op_eoi_all},
	[PHYSDEVOP_irq_status_query] = {op_irq_status, OP_INOUT(struct physdev_irq_status_query)},
	[PHYSDEVOP_set_iopl] = {op_set_iopl, OP_IN(struct physdev_set_iopl)},
	[PHYSDEVOP_set_iobitmap] = {op_set_iobitmap, OP_IN(struct physdev_set_iobitmap)},
	[PHYSDEVOP_eoi] = {op_eoi, OP_IN(struct physdev_eoi)},
	[PHYSDEVOP_pirq_eoi_gmfn_v2] = {op_eoi_map, OP_IN(struct physdev_pirq_eoi_gmfn)},
	[PHYSDEVOP_map_pirq] = {op_map_pirq, OP_INOUT(struct physdev_map_pirq),
		OP_DOMAIN(struct physdev_map_pirq, domid, ACCESS_PHYSDEV)},
	[PHYSDEVOP_unmap_pirq] = {op_unmap_pirq, OP_IN(struct physdev_unmap_pirq),
		OP_DOMAIN(struct physdev_unmap_pirq, domid, ACCESS_PHYSDEV)},
	[PHYSDEVOP_get_free_pirq] = {op_get_free_pirq, OP_INOUT(struct physdev_get_free_pirq)},

	/* What only the hardware domain may ask. */
#define HARDWARE_OP(name, fn, type) [PHYSDEVOP_##name] = {fn, type, .access = ACCESS_PHYSDEV}
	HARDWARE_OP(apic_read, op_apic_read, OP_INOUT(struct physdev_apic)),
	HARDWARE_OP(apic_write, op_apic_write, OP_IN(struct physdev_apic)),
	HARDWARE_OP(alloc_irq_vector, op_alloc_vector, OP_INOUT(struct physdev_irq)),
	HARDWARE_OP(setup_gsi, op_setup_gsi, OP_IN(struct physdev_setup_gsi)),
	HARDWARE_OP(manage_pci_add, op_nothing, OP_IN(struct physdev_manage_pci)),
	HARDWARE_OP(manage_pci_remove, op_nothing, OP_IN(struct physdev_manage_pci)),
	HARDWARE_OP(manage_pci_add_ext, op_nothing, OP_IN(struct physdev_manage_pci)),
	HARDWARE_OP(restore_msi, op_restore_msi, OP_IN(struct physdev_restore_msi)),
	/* The optional array behind it is not looked at. */
	HARDWARE_OP(pci_device_add, op_nothing,
		    .in = offsetof(struct physdev_pci_device_add, optarr)),
	HARDWARE_OP(pci_device_remove, op_device, OP_IN(struct physdev_pci_device)),
	HARDWARE_OP(restore_msi_ext, op_device, OP_IN(struct physdev_pci_device)),
	HARDWARE_OP(prepare_msix, op_device, OP_IN(struct physdev_pci_device)),
	HARDWARE_OP(release_msix, op_device, OP_IN(struct physdev_pci_device)),
	HARDWARE_OP(pci_mmcfg_reserved, op_mmcfg_reserved,
		    OP_IN(struct physdev_pci_mmcfg_reserved)),
	/* No debug port is used, so its controller may be reset at will. */
	HARDWARE_OP(dbgp_op, op_nothing, OP_IN(struct physdev_dbgp_op)),
};

long do_physdev_op(int cmd, uint64_t arg)
{
	struct op_call call = {.cmd = (unsigned int)cmd, .gva = arg};

	return op_run(ops, ARRAY_SIZE(ops), &call);
}

/* Hypercall 19: the command is in front of the argument. There were as many as this. */
long do_physdev_op_compat(uint64_t uop)
{
	uint32_t cmd;

	if (copy_from_guest(&cmd, uop, sizeof(cmd)))
		return -EFAULT;
	if (cmd < PHYSDEVOP_IRQ_UNMASK_NOTIFY || cmd > PHYSDEVOP_alloc_irq_vector)
		return -ENOSYS;
	return do_physdev_op((int)cmd, uop + offsetof(struct physdev_op, u));
}
