// SPDX-License-Identifier: GPL-2.0-only
/*
 * physdev_op and platform_op from dom0, with arguments right and wrong: an answer a line,
 * for comparison between hypervisors. What would end the machine is not asked.
 */
#define __XEN_TOOLS__ 1
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xencall.h>

static xencall_handle *call;
static void *buffer;

static int hypercall(unsigned int nr, unsigned int cmd)
{
	int rc = nr == __HYPERVISOR_platform_op ? xencall1(call, nr, (uint64_t)buffer)
						: xencall2(call, nr, cmd, (uint64_t)buffer);

	return rc < 0 ? -errno : rc;
}

/* @size bytes of argument; afterwards the first @words words of the result. */
static void physdev(const char *name, unsigned int cmd, const void *arg, size_t size,
		    unsigned int words)
{
	int rc;

	memset(buffer, 0, 4096);
	memcpy(buffer, arg, size);
	rc = hypercall(__HYPERVISOR_physdev_op, cmd);
	printf("physdev %s: %d", name, rc);
	for (unsigned int i = 0; rc >= 0 && i < words; i++)
		printf(" %x", ((uint32_t *)buffer)[i]);
	printf("\n");
}
#define P(name, cmd, words, type, ...)                                                   \
	physdev(name, PHYSDEVOP_##cmd, &(struct physdev_##type){__VA_ARGS__},            \
		sizeof(struct physdev_##type), words)

static void physdevs(void)
{
	char name[16];

	for (unsigned int cmd = 0; cmd < 40; cmd++) {
		if (cmd == PHYSDEVOP_pirq_eoi_gmfn_v1 || cmd == PHYSDEVOP_pirq_eoi_gmfn_v2 ||
		    cmd == PHYSDEVOP_setup_gsi || cmd == PHYSDEVOP_set_iopl ||
		    cmd == PHYSDEVOP_unmap_pirq ||
		    cmd == PHYSDEVOP_get_free_pirq || cmd == PHYSDEVOP_map_pirq ||
		    cmd == PHYSDEVOP_apic_write || cmd == PHYSDEVOP_pci_device_remove ||
		    cmd == PHYSDEVOP_manage_pci_remove || cmd == PHYSDEVOP_release_msix ||
		    cmd == PHYSDEVOP_prepare_msix) /* without MSI-X it ends stock Xen */
			continue;
		snprintf(name, sizeof(name), "zeros %u", cmd);
		physdev(name, cmd, "", 0, 0);
	}
	P("eoi", eoi, 0, eoi, .irq = 9);
	P("eoi high", eoi, 0, eoi, .irq = 99999);
	P("eoi -1", eoi, 0, eoi, .irq = ~0u);
	P("status 1", irq_status_query, 2, irq_status_query, .irq = 1);
	P("status 9", irq_status_query, 2, irq_status_query, .irq = 9);
	P("status high", irq_status_query, 0, irq_status_query, .irq = 99999);
	P("iopl 4", set_iopl, 0, set_iopl, .iopl = 4);
	P("iopl 1", set_iopl, 0, set_iopl, .iopl = 1);
	P("iobitmap", set_iobitmap, 0, set_iobitmap, .nr_ports = 65537);
	P("apic id", apic_read, 4, apic, .apic_physbase = 0xfec00000, .reg = 0);
	P("apic version", apic_read, 4, apic, .apic_physbase = 0xfec00000, .reg = 1);
	P("apic none", apic_read, 0, apic, .apic_physbase = 0xfed00000, .reg = 1);
	P("apic write none", apic_write, 0, apic, .apic_physbase = 0xfed00000, .reg = 16);
	P("apic write id", apic_write, 0, apic, .apic_physbase = 0xfec00000, .reg = 0);
	P("vector", alloc_irq_vector, 2, irq, .irq = 5);
	P("map gsi", map_pirq, 0, map_pirq, .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI,
	  .index = 5, .pirq = 5);
	P("map gsi again", map_pirq, 0, map_pirq, .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI,
	  .index = 5, .pirq = 5);
	P("map gsi otherwise", map_pirq, 0, map_pirq, .domid = DOMID_SELF,
	  .type = MAP_PIRQ_TYPE_GSI, .index = 5, .pirq = 50);
	P("map gsi high", map_pirq, 0, map_pirq, .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI,
	  .index = 5000, .pirq = -1);
	P("map gsi -1", map_pirq, 0, map_pirq, .domid = DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI,
	  .index = -1, .pirq = -1);
	P("map pirq high", map_pirq, 0, map_pirq, .domid = DOMID_SELF,
	  .type = MAP_PIRQ_TYPE_GSI, .index = 7, .pirq = 70000);
	P("map unknown", map_pirq, 0, map_pirq, .domid = DOMID_SELF,
	  .type = MAP_PIRQ_TYPE_UNKNOWN, .index = 7, .pirq = -1);
	P("map type 9", map_pirq, 0, map_pirq, .domid = DOMID_SELF, .type = 9, .pirq = -1);
	P("map nobody", map_pirq, 0, map_pirq, .domid = 77, .type = MAP_PIRQ_TYPE_GSI,
	  .index = 7, .pirq = -1);
	P("map msi no device", map_pirq, 0, map_pirq, .domid = DOMID_SELF,
	  .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1, .pirq = -1, .bus = 5, .devfn = 0xf8);
	P("map msi host bridge", map_pirq, 0, map_pirq, .domid = DOMID_SELF,
	  .type = MAP_PIRQ_TYPE_MSI_SEG, .index = -1, .pirq = -1, .bus = 0, .devfn = 0);
	P("map 0 msis", map_pirq, 0, map_pirq, .domid = DOMID_SELF,
	  .type = MAP_PIRQ_TYPE_MULTI_MSI, .index = -1, .pirq = -1, .entry_nr = 0);
	P("map 33 msis", map_pirq, 0, map_pirq, .domid = DOMID_SELF,
	  .type = MAP_PIRQ_TYPE_MULTI_MSI, .index = -1, .pirq = -1, .entry_nr = 33);
	P("unmap", unmap_pirq, 0, unmap_pirq, .domid = DOMID_SELF, .pirq = 5);
	P("unmap again", unmap_pirq, 0, unmap_pirq, .domid = DOMID_SELF, .pirq = 5);
	P("unmap high", unmap_pirq, 0, unmap_pirq, .domid = DOMID_SELF, .pirq = 70000);
	P("unmap -1", unmap_pirq, 0, unmap_pirq, .domid = DOMID_SELF, .pirq = -1);
	P("unmap nobody", unmap_pirq, 0, unmap_pirq, .domid = 77, .pirq = 5);
	P("free pirq type", get_free_pirq, 0, get_free_pirq, .type = 3);
	P("free pirq", get_free_pirq, 0, get_free_pirq, .type = MAP_PIRQ_TYPE_MSI);
	P("setup gsi -1", setup_gsi, 0, setup_gsi, .gsi = -1);
	P("setup gsi high", setup_gsi, 0, setup_gsi, .gsi = 5000);
	P("setup gsi 9", setup_gsi, 0, setup_gsi, .gsi = 9, .triggering = 1);
	P("setup gsi 7", setup_gsi, 0, setup_gsi, .gsi = 7);
	P("mmcfg order", pci_mmcfg_reserved, 0, pci_mmcfg_reserved, .start_bus = 9);
	P("mmcfg none", pci_mmcfg_reserved, 0, pci_mmcfg_reserved, .address = 0xe0000000,
	  .end_bus = 255, .flags = 1);
	P("prepare", prepare_msix, 0, pci_device, .bus = 9);
	P("release", release_msix, 0, pci_device, .bus = 9);
	P("restore", restore_msi_ext, 0, pci_device, .bus = 9);
	P("remove", pci_device_remove, 0, pci_device, .bus = 9);
	P("dbgp", dbgp_op, 0, dbgp_op, .op = PHYSDEVOP_DBGP_RESET_DONE);
	P("dbgp 9", dbgp_op, 0, dbgp_op, .op = 9);
}

static struct xen_platform_op *op(unsigned int cmd)
{
	struct xen_platform_op *o = buffer;

	memset(buffer, 0, 4096);
	o->cmd = cmd;
	o->interface_version = XENPF_INTERFACE_VERSION;
	return o;
}

static int platform(const char *name)
{
	int rc = hypercall(__HYPERVISOR_platform_op, 0);

	printf("platform %s: %d\n", name, rc);
	return rc;
}

static void platforms(void)
{
	struct xen_platform_op *o = buffer;
	char name[24];

	for (unsigned int cmd = 0; cmd < 70; cmd++) {
		if (cmd == XENPF_settime32 || cmd == XENPF_settime64)
			continue;
		op(cmd);
		snprintf(name, sizeof(name), "zeros %u", cmd);
		platform(name);
	}
	op(XENPF_get_cpuinfo)->interface_version++;
	platform("version");
	op(XENPF_settime64)->u.settime64.mbz = 1;
	platform("settime mbz");
	for (unsigned int i = 0; i < 8; i++) {
		op(XENPF_firmware_info)->u.firmware_info.type = i;
		snprintf(name, sizeof(name), "firmware %u", i);
		platform(name);
		op(XENPF_firmware_info)->u.firmware_info.type = i;
		o->u.firmware_info.index = 1;
		snprintf(name, sizeof(name), "firmware %u.1", i);
		platform(name);
	}
	for (unsigned int i = 0; i < 4; i++) {
		op(XENPF_get_cpuinfo)->u.pcpu_info.xen_cpuid = i == 3 ? 9999 : i;
		platform("cpuinfo");
		printf("  max %u flags %u apic %u acpi %u\n", o->u.pcpu_info.max_present,
		       o->u.pcpu_info.flags, o->u.pcpu_info.apic_id, o->u.pcpu_info.acpi_id);
		op(XENPF_get_cpu_version)->u.pcpu_version.xen_cpuid = i == 3 ? 9999 : i;
		platform("cpuversion");
		printf("  max %u %.12s %u %u %u\n", o->u.pcpu_version.max_present,
		       o->u.pcpu_version.vendor_id, o->u.pcpu_version.family,
		       o->u.pcpu_version.model, o->u.pcpu_version.stepping);
	}
	op(XENPF_cpu_online)->u.cpu_ol.cpuid = 1;
	platform("online 1");
	op(XENPF_cpu_online)->u.cpu_ol.cpuid = 99;
	platform("online 99");
	op(XENPF_cpu_offline)->u.cpu_ol.cpuid = 99;
	platform("offline 99");
	op(XENPF_core_parking)->u.core_parking.type = XEN_CORE_PARKING_GET;
	platform("parking");
	op(XENPF_platform_quirk)->u.platform_quirk.quirk_id = 4;
	platform("quirk 4");
	op(XENPF_enter_acpi_sleep)->u.enter_acpi_sleep.flags = 2;
	platform("sleep flags");
	op(XENPF_enter_acpi_sleep)->u.enter_acpi_sleep.sleep_state = 6;
	platform("sleep 6");
	op(XENPF_resource_op)->u.resource_op.nr_entries = 99;
	platform("resource 99");
	op(XENPF_resource_op)->u.resource_op.nr_entries = 1;
	o->u.resource_op.cpu = 99;
	platform("resource CPU");
	op(XENPF_get_symbol)->u.symdata.symnum = 1 << 20;
	platform("symbol high");
	op(XENPF_read_memtype)->u.read_memtype.reg = 99;
	platform("memtype 99");
	op(XENPF_set_processor_pminfo)->u.set_pminfo.type = XEN_PM_CX;
	platform("pminfo");
}

int main(void)
{
	call = xencall_open(NULL, 0);
	buffer = call ? xencall_alloc_buffer(call, 4096) : NULL;
	if (!buffer)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	physdevs();
	platforms();
	return 0;
}
