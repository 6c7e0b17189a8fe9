// SPDX-License-Identifier: GPL-2.0-only
/*
 * HYPERVISOR_platform_op: the machine as its control domain manages it. Frequency and
 * idle states, firmware calls and microcode are off, and answered as stock Xen answers
 * with them off.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/hypercall/control.h"

#include <xen/platform.h>

#define MSR_MTRR_CAP      0xfe
#define MSR_MTRR_BASE(n)  (0x200 + 2 * (n))
#define MSR_MTRR_MASK(n)  (0x201 + 2 * (n))
#define MTRR_VALID        (1ull << 11)
#define MSR_TSC           0x10
#define MSR_TSX_FORCE_ABORT 0x10f
#define MSR_TSX_CTRL      0x122
#define MSR_MCU_OPT_CTRL  0x123
#define RESOURCE_ENTRIES_MAX 3

#define PM1_SLEEP_ENABLE (1u << 13)

static long op_settime32(struct op_call *c)
{
	const struct xenpf_settime32 *t = c->arg;

	set_wallclock(t->secs, t->nsecs, t->system_time);
	return 0;
}

static long op_settime64(struct op_call *c)
{
	const struct xenpf_settime64 *t = c->arg;

	if (t->mbz)
		return -EINVAL;
	set_wallclock(t->secs, t->nsecs, t->system_time);
	return 0;
}

/* ---- memory types ---- */

static long op_read_memtype(struct op_call *c)
{
	struct xenpf_read_memtype *t = c->arg;
	uint64_t cap, base, mask;
	uint32_t r[4];

	cpuid(0x80000000, 0, r);
	if (r[0] < 0x80000008)
		return -EOPNOTSUPP;
	cpuid(0x80000008, 0, r);
	if (!rdmsr_safe(MSR_MTRR_CAP, &cap))
		return -EOPNOTSUPP;
	if (t->reg >= (cap & 0xff))
		return -EINVAL;
	base = rdmsr(MSR_MTRR_BASE(t->reg));
	mask = rdmsr(MSR_MTRR_MASK(t->reg));
	t->mfn = t->nr_mfns = t->type = 0;
	if (mask & MTRR_VALID) {
		uint64_t all = (1ull << (r[0] & 0xff)) - 1;

		t->mfn = (base & all) >> PAGE_SHIFT;
		t->type = base & 0xff;
		/* The lowest bit of the mask is the range's size. */
		mask &= all & PAGE_MASK;
		t->nr_mfns = (mask & -mask) >> PAGE_SHIFT;
	}
	return 0;
}

/* ---- firmware: of EFI, what dom0 needs to find ACPI's and SMBIOS's tables ---- */

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

static long efi_firmware_info(struct xenpf_firmware_info *f)
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

static long op_firmware_info(struct op_call *c)
{
	struct xenpf_firmware_info *f = c->arg;

	switch (f->type) {
	case XEN_FW_DISK_INFO:
	case XEN_FW_DISK_MBR_SIGNATURE:
	case XEN_FW_VBEDDC_INFO:
		return -ESRCH; /* nobody asks the BIOS: no disk, no monitor is known */
	case XEN_FW_EFI_INFO:
		return efi_firmware_info(f);
	case XEN_FW_KBD_SHIFT_FLAGS:
		if (f->index)
			return -ESRCH;
		f->u.kbd_shift_flags = 0;
		return 0;
	}
	return -EINVAL;
}

/* ---- sleep ---- */

static void pm1_write(uint32_t a, uint32_t b)
{
	outw((uint16_t)acpi.pm1a_cnt, (uint16_t)a);
	if (acpi.pm1b_cnt)
		outw((uint16_t)acpi.pm1b_cnt, (uint16_t)b);
}

static long op_enter_sleep(struct op_call *c)
{
	const struct xenpf_enter_acpi_sleep *s = c->arg;

	if (s->flags & ~XENPF_ACPI_SLEEP_EXTENDED)
		return -EINVAL;
	/* Hardware-reduced ACPI's sleep registers are not known here. */
	if ((s->flags & XENPF_ACPI_SLEEP_EXTENDED) || !acpi.pm1a_cnt)
		return -EPERM;
	if (acpi.pm1b_cnt && ((s->val_a ^ s->val_b) & PM1_SLEEP_ENABLE))
		return -EINVAL;
	if (!s->sleep_state || s->sleep_state > 5)
		return -EINVAL;
	if (s->sleep_state != 5)
		return -EOPNOTSUPP; /* to sleep and wake again needs all devices' state saved */
	printk(LOG_INFO, "Entering ACPI S5 state.\n");
	stop_other_cpus();
	irq_disable();
	console_force_sync();
	pm1_write(s->val_a & ~PM1_SLEEP_ENABLE, s->val_b & ~PM1_SLEEP_ENABLE);
	pm1_write(s->val_a | PM1_SLEEP_ENABLE, s->val_b | PM1_SLEEP_ENABLE);
	machine_halt(); /* the machine goes off within moments */
}

/* ---- CPUs ---- */

static uint32_t max_present_cpu(void)
{
	unsigned int cpu, max = 0;

	for_each_cpu(cpu, &cpu_present_map)
		max = cpu;
	return max;
}

static bool cpu_present(uint32_t cpu)
{
	return cpu < nr_cpus && test_bit(index_nospec(cpu, nr_cpus), cpu_present_map.bits);
}

static long op_get_cpuinfo(struct op_call *call)
{
	struct xenpf_pcpuinfo *c = call->arg;
	const struct acpi_cpu *cpu;

	c->max_present = max_present_cpu();
	if (!cpu_present(c->xen_cpuid)) {
		c->flags = XEN_PCPU_FLAGS_INVALID;
		return 0;
	}
	c->flags = cpu_online(c->xen_cpuid) ? XEN_PCPU_FLAGS_ONLINE : 0;
	c->apic_id = cpu_to_apicid[c->xen_cpuid];
	cpu = acpi_cpu_of_apic(c->apic_id);
	c->acpi_id = cpu ? cpu->acpi_id : ~0u;
	return 0;
}

/* SDM, CPUID leaf 1: the family's extension counts for 15, the model's from 6 on. */
void cpu_names(struct cpu_names *n)
{
	uint32_t r[4];

	cpuid(0, 0, r);
	n->max_leaf = r[0];
	memcpy(n->vendor, &r[1], 4);
	memcpy(n->vendor + 4, &r[3], 4);
	memcpy(n->vendor + 8, &r[2], 4);
	cpuid(1, 0, r);
	n->family = r[0] >> 8 & 15;
	if (n->family == 15)
		n->family += r[0] >> 20 & 0xff;
	n->model = r[0] >> 4 & 15;
	if (n->family >= 6)
		n->model |= r[0] >> 12 & 0xf0;
	n->stepping = r[0] & 15;
	n->ecx = r[2];
	n->edx = r[3];
}

static long op_get_cpu_version(struct op_call *call)
{
	struct xenpf_pcpu_version *c = call->arg;
	struct cpu_names n = {0};

	c->max_present = max_present_cpu();
	if (cpu_present(c->xen_cpuid) && cpu_online(c->xen_cpuid))
		cpu_names(&n);
	memcpy(c->vendor_id, n.vendor, sizeof(n.vendor));
	c->family = n.family;
	c->model = n.model;
	c->stepping = n.stepping;
	return 0;
}

static long op_cpu_hotadd(struct op_call *c)
{
	const struct xenpf_cpu_hotadd *h = c->arg;
	const struct acpi_cpu *cpu = acpi_cpu_of_apic(h->apic_id);

	return cpu && cpu->enabled ? -EEXIST : -EOPNOTSUPP;
}

/* Takes the guest's maps a word of 64 CPUs at a time. */
static long op_idle_time(struct op_call *c)
{
	struct xenpf_getidletime *t = c->arg;
	uint32_t n = MIN(t->cpumap_nr_cpus, nr_cpus), cpu, i;

	t->now = (uint64_t)now();
	for (cpu = 0; cpu < n; cpu += 64) {
		size_t bytes = (MIN(n - cpu, 64) + 7) / 8;
		uint64_t gva = handle_gva(t->cpumap_bitmap) + cpu / 8, want = 0;

		if (copy_from_guest(&want, gva, bytes))
			return -EFAULT;
		if (n - cpu < 64)
			want &= (1ull << (n - cpu)) - 1;
		for (i = 0; i < 64; i++) {
			uint64_t idle;

			if (!(want >> i & 1))
				continue;
			if (!cpu_online(cpu + i)) {
				want &= ~(1ull << i);
				continue;
			}
			idle = cpu_idle_time(cpu + i);
			if (!put_guest(handle_gva(t->idletime) + (cpu + i) * sizeof(idle), &idle))
				return -EFAULT;
		}
		if (copy_to_guest(gva, &want, bytes))
			return -EFAULT;
	}
	return 0;
}

static long op_cpu_hotplug(struct op_call *c)
{
	uint32_t cpu = ((struct xenpf_cpu_ol *)c->arg)->cpuid;
	long err;

	if (!cpu && c->cmd == XENPF_cpu_offline)
		return -EOPNOTSUPP;
	if (!cpu_present(cpu))
		return -EINVAL;
	cpu = (uint32_t)index_nospec(cpu, nr_cpus);
	if (c->cmd == XENPF_cpu_offline)
		return cpu_down(cpu);
	err = cpu ? cpu_up(cpu) : 0;
	return err == -EBUSY && cpu_online(cpu) ? 0 : err;
}

static long op_core_parking(struct op_call *call)
{
	struct xenpf_core_parking *c = call->arg;

	switch (c->type) {
	case XEN_CORE_PARKING_SET:
		return c->idle_nums ? -EOPNOTSUPP : 0;
	case XEN_CORE_PARKING_GET:
		c->idle_nums = 0;
		return 0;
	}
	return -EINVAL;
}

/* ---- MSRs for the tools: of those that stock Xen lets through, the TSC and what says how
 * TSX is kept; the others are cache monitoring's, which is off ---- */

struct msr_read {
	uint32_t msr;
	bool ok;
	uint64_t value;
};

static void msr_read_here(void *arg)
{
	struct msr_read *r = arg;

	r->ok = rdmsr_safe(r->msr, &r->value);
}

/* By its CPUID bit: a virtual CPU may answer to any number. */
static bool resource_present(uint64_t msr)
{
	switch (msr) {
	case MSR_TSX_FORCE_ABORT:
		return policy_has(&host_policy, FEAT_7D0 * 32 + 13);
	case MSR_TSX_CTRL:
		return policy_has(&host_policy, FEAT_10AL * 32 + 7);
	case MSR_MCU_OPT_CTRL: /* SRBDS_CTRL */
		return policy_has(&host_policy, FEAT_7D0 * 32 + 9);
	}
	return true;
}

/* -EACCES: not for tools. -EPERM: the CPU does not have it. */
static int64_t resource_read(uint32_t cpu, uint64_t msr, uint64_t *value)
{
	struct msr_read r = {.msr = (uint32_t)msr};
	struct cpumask one = {0};

	switch (msr) {
	case MSR_TSC:
	case MSR_TSX_FORCE_ABORT:
	case MSR_TSX_CTRL:
	case MSR_MCU_OPT_CTRL:
		break;
	default:
		return msr >> 32 ? -EINVAL : -EACCES;
	}
	if (!resource_present(msr))
		return -EPERM;
	set_bit(cpu, one.bits);
	on_cpus(&one, msr_read_here, &r);
	*value = r.value;
	return r.ok ? 0 : -EPERM;
}

static long op_resource(struct op_call *c)
{
	struct xenpf_resource_op *r = c->arg;
	struct xenpf_resource_entry e[RESOURCE_ENTRIES_MAX];
	uint32_t i;

	if (!r->nr_entries)
		return 0;
	if (r->nr_entries > RESOURCE_ENTRIES_MAX)
		return -EINVAL;
	if (copy_from_guest(e, handle_gva(r->entries), r->nr_entries * sizeof(e[0])))
		return -EFAULT;
	if (r->cpu >= nr_cpus || !cpu_online(r->cpu))
		return -EINVAL;
	r->cpu = (uint32_t)index_nospec(r->cpu, nr_cpus);
	for (i = 0; i < r->nr_entries; i++) {
		if (e[i].rsvd)
			e[i].u.ret = -EINVAL;
		else if (e[i].u.cmd > XEN_RESOURCE_OP_MSR_WRITE)
			e[i].u.ret = -EOPNOTSUPP;
		else if (e[i].u.cmd == XEN_RESOURCE_OP_MSR_WRITE)
			e[i].u.ret = e[i].idx >> 32 ? -EINVAL : -EACCES;
		else
			e[i].u.ret = resource_read(r->cpu, e[i].idx, &e[i].val);
		if (!e[i].u.ret)
			continue;
		break;
	}
	/* The one that failed too: it says why. The result is how many were done. */
	if (copy_to_guest(handle_gva(r->entries), e, MIN(i + 1, r->nr_entries) * sizeof(e[0])))
		return -EFAULT;
	return (long)i;
}

/* Linux's /proc/xen/xensyms. The end: the number is not advanced. */
static long op_get_symbol(struct op_call *c)
{
	struct xenpf_symdata *s = c->arg;
	uint64_t address;
	const char *name = symbol_get(s->symnum, &address);
	size_t len;

	if (!name)
		return !s->symnum || symbol_get(s->symnum - 1, &address) ? 0 : -ERANGE;
	len = strlen(name);
	if (s->namelen &&
	    copy_to_guest(handle_gva(s->name), name, MIN(len + 1, (size_t)s->namelen)))
		return -EFAULT;
	s->namelen = (uint32_t)len;
	s->address = address;
	s->type = 't';
	s->symnum++;
	return 0;
}

/* Welcome, and not used: a CPU without work halts, at the firmware's speed. */
static long op_set_pminfo(struct op_call *c)
{
	return ((struct xenpf_set_processor_pminfo *)c->arg)->type <= XEN_PM_PDC ? 0 : -EINVAL;
}

static long op_mem_hotadd(struct op_call *c)
{
	const struct xenpf_mem_hotadd *m = c->arg;

	return m->spfn >= m->epfn ? -EINVAL : -EOPNOTSUPP;
}

static long op_quirk(struct op_call *c)
{
	uint32_t id = ((struct xenpf_platform_quirk *)c->arg)->quirk_id;

	return id >= QUIRK_NOIRQBALANCING && id <= QUIRK_IOAPIC_GOOD_REGSEL ? 0 : -EINVAL;
}

/* ---- the call ---- */

/* Not there: run-time services of the firmware, frequencies and idle states. */
static const struct control_op ops[] = {
	[XENPF_getidletime] = {op_idle_time, .flags = CTL_RESULTS},
	[XENPF_read_memtype] = {op_read_memtype, .flags = CTL_RESULTS},
	[XENPF_firmware_info] = {op_firmware_info, .flags = CTL_RESULTS},
	[XENPF_get_cpuinfo] = {op_get_cpuinfo, .flags = CTL_RESULTS},
	[XENPF_get_cpu_version] = {op_get_cpu_version, .flags = CTL_RESULTS},
	[XENPF_core_parking] = {op_core_parking, .flags = CTL_RESULTS},
	[XENPF_get_symbol] = {op_get_symbol, .flags = CTL_RESULTS},
	[XENPF_settime32] = {.fn = op_settime32},
	[XENPF_settime64] = {.fn = op_settime64},
	[XENPF_set_processor_pminfo] = {.fn = op_set_pminfo},
	[XENPF_cpu_hotadd] = {.fn = op_cpu_hotadd},
	[XENPF_mem_hotadd] = {.fn = op_mem_hotadd},
	/* Guests' memory types are set by PAT, MTRRs stay as they are. */
	[XENPF_add_memtype] = {.answer = -EOPNOTSUPP},
	[XENPF_del_memtype] = {.answer = -EOPNOTSUPP},
	[XENPF_platform_quirk] = {.fn = op_quirk},
	[XENPF_microcode_update] = {.answer = -EINVAL}, /* the boot loader's and the firmware's */
	[XENPF_enter_acpi_sleep] = {.fn = op_enter_sleep},
	[XENPF_cpu_online] = {.fn = op_cpu_hotplug},
	[XENPF_cpu_offline] = {.fn = op_cpu_hotplug},
	[XENPF_resource_op] = {.fn = op_resource},
};

long do_platform_op(uint64_t uop)
{
	static const struct control_family family = {
		.ops = ops, .nr_ops = ARRAY_SIZE(ops), .version = XENPF_INTERFACE_VERSION,
		.hypercall = __HYPERVISOR_platform_op, .access = ACCESS_PLATFORM,
		.union_at = offsetof(struct xen_platform_op, u),
		.size = sizeof(struct xen_platform_op),
	};

	return control_call(&family, uop);
}
