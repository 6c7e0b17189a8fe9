// SPDX-License-Identifier: GPL-2.0-only
/*
 * HYPERVISOR_platform_op: the machine as its control domain manages it. Frequency and
 * idle states, firmware calls and microcode are off, and answered as stock Xen answers
 * with them off.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/hotplug.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/hypercall/hypercall.h"

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

static long op_settime64(const struct xenpf_settime64 *t)
{
	if (t->mbz)
		return -EINVAL;
	set_wallclock(t->secs, t->nsecs, t->system_time);
	return 0;
}

/* ---- memory types ---- */

static long op_read_memtype(struct xenpf_read_memtype *t)
{
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

/* ---- firmware ---- */

static long op_firmware_info(struct xenpf_firmware_info *f)
{
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

static long op_enter_sleep(const struct xenpf_enter_acpi_sleep *s)
{
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

static long op_get_cpuinfo(struct xenpf_pcpuinfo *c)
{
	unsigned int i;

	c->max_present = max_present_cpu();
	if (!cpu_present(c->xen_cpuid)) {
		c->flags = XEN_PCPU_FLAGS_INVALID;
		return 0;
	}
	c->flags = cpu_online(c->xen_cpuid) ? XEN_PCPU_FLAGS_ONLINE : 0;
	c->apic_id = cpu_to_apicid[c->xen_cpuid];
	c->acpi_id = ~0u;
	for (i = 0; i < acpi.nr_cpus; i++)
		if (acpi.cpu[i].apic_id == c->apic_id)
			c->acpi_id = acpi.cpu[i].acpi_id;
	return 0;
}

static long op_get_cpu_version(struct xenpf_pcpu_version *c)
{
	uint32_t leaf0[4], leaf1[4], family, model;

	c->max_present = max_present_cpu();
	memset(c->vendor_id, 0, sizeof(c->vendor_id));
	c->family = c->model = c->stepping = 0;
	if (!cpu_present(c->xen_cpuid) || !cpu_online(c->xen_cpuid))
		return 0;
	/* All CPUs of a machine are of one kind. */
	cpuid(0, 0, leaf0);
	cpuid(1, 0, leaf1);
	memcpy(c->vendor_id, &leaf0[1], 4);
	memcpy(c->vendor_id + 4, &leaf0[3], 4);
	memcpy(c->vendor_id + 8, &leaf0[2], 4);
	family = leaf1[0] >> 8 & 15;
	model = leaf1[0] >> 4 & 15;
	if (family == 15)
		family += leaf1[0] >> 20 & 0xff;
	if (family >= 6)
		model |= (leaf1[0] >> 16 & 15) << 4;
	c->family = family;
	c->model = model;
	c->stepping = leaf1[0] & 15;
	return 0;
}

static bool apic_id_known(uint32_t id)
{
	unsigned int i;

	for (i = 0; i < acpi.nr_cpus; i++)
		if (acpi.cpu[i].enabled && acpi.cpu[i].apic_id == id)
			return true;
	return false;
}

/* Takes the guest's maps a word of 64 CPUs at a time. */
static long op_idle_time(struct xenpf_getidletime *t)
{
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

static long op_cpu_hotplug(uint32_t cpu, bool online)
{
	long err;

	if (!cpu_present(cpu))
		return -EINVAL;
	cpu = (uint32_t)index_nospec(cpu, nr_cpus);
	if (!online)
		return cpu_down(cpu);
	err = cpu ? cpu_up(cpu) : 0;
	return err == -EBUSY && cpu_online(cpu) ? 0 : err;
}

static long op_core_parking(struct xenpf_core_parking *c)
{
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

/* -EPERM: the CPU does not have it. */
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
	set_bit(cpu, one.bits);
	on_cpus(&one, msr_read_here, &r);
	*value = r.value;
	return r.ok ? 0 : -EPERM;
}

static long op_resource(struct xenpf_resource_op *r)
{
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
static long op_get_symbol(struct xenpf_symdata *s)
{
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

/* ---- the call ---- */

/* *copy: the operation's fields are results. */
static long platform_op(struct xen_platform_op *op, bool *copy)
{
	*copy = true;
	switch (op->cmd) {
	case XENPF_getidletime:
		return op_idle_time(&op->u.getidletime);
	case XENPF_read_memtype:
		return op_read_memtype(&op->u.read_memtype);
	case XENPF_firmware_info:
		return op_firmware_info(&op->u.firmware_info);
	case XENPF_get_cpuinfo:
		return op_get_cpuinfo(&op->u.pcpu_info);
	case XENPF_get_cpu_version:
		return op_get_cpu_version(&op->u.pcpu_version);
	case XENPF_core_parking:
		return op_core_parking(&op->u.core_parking);
	case XENPF_get_symbol:
		return op_get_symbol(&op->u.symdata);
	}
	*copy = false;
	switch (op->cmd) {
	case XENPF_settime32:
		set_wallclock(op->u.settime32.secs, op->u.settime32.nsecs,
			      op->u.settime32.system_time);
		return 0;
	case XENPF_settime64:
		return op_settime64(&op->u.settime64);
	case XENPF_set_processor_pminfo:
		/* Welcome, and not used: a CPU without work halts, at the firmware's speed. */
		return op->u.set_pminfo.type <= XEN_PM_PDC ? 0 : -EINVAL;
	case XENPF_cpu_hotadd:
		return apic_id_known(op->u.cpu_add.apic_id) ? -EEXIST : -EOPNOTSUPP;
	case XENPF_mem_hotadd:
		return op->u.mem_add.spfn >= op->u.mem_add.epfn ? -EINVAL : -EOPNOTSUPP;
	case XENPF_add_memtype:
	case XENPF_del_memtype:
		return -EOPNOTSUPP; /* guests' memory types are set by PAT, MTRRs stay as they are */
	case XENPF_platform_quirk:
		return op->u.platform_quirk.quirk_id >= QUIRK_NOIRQBALANCING &&
				       op->u.platform_quirk.quirk_id <= QUIRK_IOAPIC_GOOD_REGSEL
			       ? 0
			       : -EINVAL;
	case XENPF_microcode_update:
		return -EINVAL; /* is the boot loader's and the firmware's matter */
	case XENPF_enter_acpi_sleep:
		return op_enter_sleep(&op->u.enter_acpi_sleep);
	case XENPF_cpu_online:
		return op_cpu_hotplug(op->u.cpu_ol.cpuid, true);
	case XENPF_cpu_offline:
		return op->u.cpu_ol.cpuid ? op_cpu_hotplug(op->u.cpu_ol.cpuid, false)
					  : -EOPNOTSUPP;
	case XENPF_resource_op:
		return op_resource(&op->u.resource_op);
	case XENPF_efi_runtime_call:
	case XENPF_change_freq:
		return -ENOSYS; /* run-time services, frequencies and idle states: not used */
	}
	return -ENOSYS;
}

long do_platform_op(uint64_t uop)
{
	struct xen_platform_op op;
	bool copy;
	long ret;

	if (!get_guest(&op, uop))
		return -EFAULT;
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return -EACCES;
	ret = access_check(ACCESS_PLATFORM, NULL);
	if (ret)
		return ret;
	ret = platform_op(&op, &copy);
	if (ret == -ERESTART)
		return hypercall_continue(__HYPERVISOR_platform_op, 1, uop);
	if (copy && !ret && !put_guest(uop, &op))
		ret = -EFAULT;
	return ret;
}
