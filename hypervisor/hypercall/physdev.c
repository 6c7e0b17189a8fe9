// SPDX-License-Identifier: GPL-2.0-only
/* HYPERVISOR_physdev_op: interrupts, MSIs, ports and PCI devices of the hardware domain. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/msi.h"
#include "hypervisor/cpu/pci.h"
#include "hypervisor/cpu/pirq.h"
#include "hypervisor/hypercall/hypercall.h"

#define IO_PORTS 65536

static int op_eoi(struct domain *d, uint64_t arg)
{
	struct physdev_eoi op;

	return get_guest(&op, arg) ? pirq_eoi(d, op.irq) : -EFAULT;
}

static int op_eoi_map(struct domain *d, uint64_t arg)
{
	struct physdev_pirq_eoi_gmfn op;

	return get_guest(&op, arg) ? pirq_set_eoi_map(d, GFN(op.gmfn)) : -EFAULT;
}

static int op_irq_status(struct domain *d, uint64_t arg)
{
	struct physdev_irq_status_query op;
	int err;

	if (!get_guest(&op, arg))
		return -EFAULT;
	err = pirq_status(d, op.irq, &op.flags);
	if (!err && !put_guest(arg, &op))
		err = -EFAULT;
	return err;
}

static int op_map_pirq(uint64_t arg)
{
	struct physdev_map_pirq op;
	struct msi_request msi;
	struct domain *d;
	int err;

	if (!get_guest(&op, arg))
		return -EFAULT;
	d = domain_get(op.domid);
	if (!d)
		return -ESRCH;
	msi = (struct msi_request){
		.seg = op.type == MAP_PIRQ_TYPE_MSI ? 0 : (uint16_t)(op.bus >> 16),
		.bus = (uint8_t)op.bus,
		.devfn = (uint8_t)op.devfn,
		.entry = op.entry_nr,
		.table_base = op.table_base,
	};
	err = access_check(ACCESS_PHYSDEV, d);
	if (!err) {
		switch (op.type) {
		case MAP_PIRQ_TYPE_GSI:
			err = op.index < 0 ? -EINVAL
					   : pirq_map_gsi(d, &op.pirq, (unsigned int)op.index);
			break;
		case MAP_PIRQ_TYPE_MULTI_MSI:
			if (op.table_base)
				err = -EINVAL;
			else if (op.entry_nr < 1)
				err = -EDOM;
			else
				err = pirq_map_msi(d, &op.pirq, &msi);
			break;
		case MAP_PIRQ_TYPE_MSI:
		case MAP_PIRQ_TYPE_MSI_SEG:
			if (!op.table_base)
				msi.entry = 1;
			err = pirq_map_msi(d, &op.pirq, &msi);
			break;
		default:
			err = -EINVAL;
		}
	}
	domain_put(d);
	if (!err && !put_guest(arg, &op))
		err = -EFAULT;
	return err;
}

static int op_unmap_pirq(uint64_t arg)
{
	struct physdev_unmap_pirq op;
	struct domain *d;
	int err;

	if (!get_guest(&op, arg))
		return -EFAULT;
	d = domain_get(op.domid);
	if (!d)
		return -ESRCH;
	err = access_check(ACCESS_PHYSDEV, d);
	if (!err)
		err = pirq_unmap(d, (unsigned int)op.pirq);
	domain_put(d);
	return err;
}

static int op_apic(uint64_t arg, bool write)
{
	struct physdev_apic op;
	int err;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (write)
		return ioapic_guest_write(op.apic_physbase, op.reg, op.value);
	err = ioapic_guest_read(op.apic_physbase, op.reg, &op.value);
	if (!err && !put_guest(arg, &op))
		err = -EFAULT;
	return err;
}

/* Vectors are the hypervisor's: the kernel is told its own number, and may keep it. */
static int op_alloc_vector(uint64_t arg)
{
	struct physdev_irq op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	op.vector = op.irq;
	return put_guest(arg, &op) ? 0 : -EFAULT;
}

static int op_setup_gsi(uint64_t arg)
{
	struct physdev_setup_gsi op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	return op.gsi < 0 ? -EINVAL : gsi_setup((unsigned int)op.gsi, op.triggering, op.polarity);
}

static int op_get_free_pirq(struct domain *d, uint64_t arg)
{
	struct physdev_get_free_pirq op;
	int pirq;

	if (!get_guest(&op, arg))
		return -EFAULT;
	pirq = pirq_get_free(d, op.type != MAP_PIRQ_TYPE_GSI);
	if (pirq < 0)
		return pirq;
	op.pirq = (uint32_t)pirq;
	return put_guest(arg, &op) ? 0 : -EFAULT;
}

static int op_set_iopl(struct vcpu *v, uint64_t arg)
{
	struct physdev_set_iopl op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (op.iopl > 3)
		return -EINVAL;
	v->pv.iopl = op.iopl;
	return 0;
}

static int op_set_iobitmap(struct vcpu *v, uint64_t arg)
{
	struct physdev_set_iobitmap op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (op.nr_ports > IO_PORTS || !guest_range_ok(handle_gva(op.bitmap), (op.nr_ports + 7) / 8))
		return -EINVAL;
	v->pv.iobmp = (uint8_t *)handle_gva(op.bitmap); /* the guest's: read with copy_from_guest */
	v->pv.iobmp_limit = op.nr_ports;
	return 0;
}

/* ---- PCI devices: dom0 finds them; without an IOMMU there is nothing to set up ---- */

static bool device_exists(uint16_t seg, uint8_t bus, uint8_t devfn)
{
	uint32_t id = pci_read(seg, bus, devfn, 0, 2);

	return id != 0xffff;
}

static int op_device_add(uint64_t arg)
{
	struct physdev_pci_device_add op;

	/* The optional array behind it is not looked at. */
	if (copy_from_guest(&op, arg, offsetof(struct physdev_pci_device_add, optarr)))
		return -EFAULT;
	return 0;
}

static int op_device(uint64_t arg, unsigned int cmd)
{
	struct physdev_pci_device op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (!device_exists(op.seg, op.bus, op.devfn))
		return -ENODEV;
	if (cmd == PHYSDEVOP_restore_msi_ext)
		msi_restore(op.seg, op.bus, op.devfn);
	return 0;
}

/* The calls of before segments: bus and devfn come first in each of them. */
static int op_manage_pci(uint64_t arg, unsigned int cmd)
{
	struct physdev_manage_pci op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (cmd == PHYSDEVOP_restore_msi) {
		if (!device_exists(0, op.bus, op.devfn))
			return -ENODEV;
		msi_restore(0, op.bus, op.devfn);
	}
	return 0;
}

static int op_mmcfg_reserved(uint64_t arg)
{
	struct physdev_pci_mmcfg_reserved op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (op.segment || !acpi.mmconfig_base || op.address != acpi.mmconfig_base ||
	    op.start_bus != acpi.mmconfig_first_bus)
		return -ENODEV;
	return 0;
}

/* No debug port is used, so its controller may be reset at will. */
static int op_dbgp(uint64_t arg)
{
	struct physdev_dbgp_op op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	return 0;
}

/* What only the hardware domain may ask. */
#define HARDWARE_OPS                                                                     \
	(1u << PHYSDEVOP_apic_read | 1u << PHYSDEVOP_apic_write |                        \
	 1u << PHYSDEVOP_alloc_irq_vector | 1u << PHYSDEVOP_setup_gsi |                  \
	 1u << PHYSDEVOP_manage_pci_add | 1u << PHYSDEVOP_manage_pci_remove |            \
	 1u << PHYSDEVOP_manage_pci_add_ext | 1u << PHYSDEVOP_restore_msi |              \
	 1u << PHYSDEVOP_pci_device_add | 1u << PHYSDEVOP_pci_device_remove |            \
	 1u << PHYSDEVOP_restore_msi_ext | 1u << PHYSDEVOP_prepare_msix |                \
	 1u << PHYSDEVOP_release_msix | 1u << PHYSDEVOP_pci_mmcfg_reserved |             \
	 1u << PHYSDEVOP_dbgp_op)

static int hardware_op(struct domain *d, unsigned int cmd, uint64_t arg)
{
	int err;

	/* A call that there is not is that to everybody. */
	if (cmd >= 32 || !(HARDWARE_OPS >> cmd & 1))
		return -ENOSYS;
	err = access_check(ACCESS_PHYSDEV, d);
	if (err)
		return err;
	switch (cmd) {
	case PHYSDEVOP_apic_read:
		return op_apic(arg, false);
	case PHYSDEVOP_apic_write:
		return op_apic(arg, true);
	case PHYSDEVOP_alloc_irq_vector:
		return op_alloc_vector(arg);
	case PHYSDEVOP_setup_gsi:
		return op_setup_gsi(arg);
	case PHYSDEVOP_manage_pci_add:
	case PHYSDEVOP_manage_pci_remove:
	case PHYSDEVOP_manage_pci_add_ext:
	case PHYSDEVOP_restore_msi:
		return op_manage_pci(arg, cmd);
	case PHYSDEVOP_pci_device_add:
		return op_device_add(arg);
	case PHYSDEVOP_pci_device_remove:
	case PHYSDEVOP_restore_msi_ext:
	case PHYSDEVOP_prepare_msix:
	case PHYSDEVOP_release_msix:
		return op_device(arg, cmd);
	case PHYSDEVOP_pci_mmcfg_reserved:
		return op_mmcfg_reserved(arg);
	case PHYSDEVOP_dbgp_op:
		return op_dbgp(arg);
	}
	return -ENOSYS;
}

long do_physdev_op(int cmd, uint64_t arg)
{
	struct vcpu *v = current;
	struct domain *d = v->domain;

	switch (cmd) {
	case PHYSDEVOP_eoi:
		return op_eoi(d, arg);
	case PHYSDEVOP_pirq_eoi_gmfn_v2:
		return op_eoi_map(d, arg);
	case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
		return pirq_eoi_all(d);
	case PHYSDEVOP_irq_status_query:
		return op_irq_status(d, arg);
	case PHYSDEVOP_map_pirq:
		return op_map_pirq(arg);
	case PHYSDEVOP_unmap_pirq:
		return op_unmap_pirq(arg);
	case PHYSDEVOP_get_free_pirq:
		return op_get_free_pirq(d, arg);
	case PHYSDEVOP_set_iopl:
		return op_set_iopl(v, arg);
	case PHYSDEVOP_set_iobitmap:
		return op_set_iobitmap(v, arg);
	case PHYSDEVOP_pirq_eoi_gmfn_v1:
		/* Its EOI unmasks the event channel too; no client since Linux 3.3 uses it. */
		return -ENOSYS;
	}
	return hardware_op(d, (unsigned int)cmd, arg);
}

/* Hypercall 19: the command is in front of the argument. */
long do_physdev_op_compat(uint64_t uop)
{
	uint32_t cmd;

	if (copy_from_guest(&cmd, uop, sizeof(cmd)))
		return -EFAULT;
	switch (cmd) {
	case PHYSDEVOP_IRQ_UNMASK_NOTIFY:
	case PHYSDEVOP_irq_status_query:
	case PHYSDEVOP_set_iopl:
	case PHYSDEVOP_set_iobitmap:
	case PHYSDEVOP_apic_read:
	case PHYSDEVOP_apic_write:
	case PHYSDEVOP_alloc_irq_vector:
		return do_physdev_op((int)cmd, uop + offsetof(struct physdev_op, u));
	}
	return -ENOSYS;
}
