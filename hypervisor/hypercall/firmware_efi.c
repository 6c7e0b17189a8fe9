// SPDX-License-Identifier: GPL-2.0-only
/*
 * XENPF_firmware_info of EFI: what dom0 needs to find ACPI's and SMBIOS's tables. Runtime
 * services are not offered: XENPF_efi_runtime_call says so, and dom0 does without.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/hypercall/hypercall.h"

static long efi_vendor(union xenpf_efi_info *info)
{
	const uint16_t *name = boot_info.efi_table.vendor;
	uint32_t n = 1;

	while (name[n - 1])
		n++;
	n = MIN(info->vendor.bufsz / 2, n);
	info->vendor.revision = boot_info.efi_table.fw_revision;
	info->vendor.bufsz = n * 2;
	return copy_to_guest(handle_gva(info->vendor.name), name, n * 2) ? -EFAULT : 0;
}

long efi_firmware_info(struct xenpf_firmware_info *f)
{
	union xenpf_efi_info *info = &f->u.efi_info;

	if (!boot_info.efi_table.tables)
		return -ENOSYS;
	switch (f->index) {
	case XEN_FW_EFI_VERSION:
	case XEN_FW_EFI_RT_VERSION:
		info->version = boot_info.efi_table.revision;
		return 0;
	case XEN_FW_EFI_CONFIG_TABLE:
		info->cfg.addr = boot_info.efi_table.tables;
		info->cfg.nent = boot_info.efi_table.nr_tables;
		return 0;
	case XEN_FW_EFI_VENDOR:
		return efi_vendor(info);
	case XEN_FW_EFI_MEM_INFO:    /* attributes of a range: the map is not kept */
	case XEN_FW_EFI_PCI_ROM:     /* none was saved before boot services ended */
	case XEN_FW_EFI_APPLE_PROPERTIES:
		return -ENOENT;
	}
	return -EINVAL;
}
