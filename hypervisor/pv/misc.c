// SPDX-License-Identifier: GPL-2.0-only
/* Small calls of PV guests about their vcpu: stack, FPU, segment bases, debug registers. */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"

#define CR4_DE (1u << 3)

void pv_set_kernel_stack(struct vcpu *v, uint64_t ss, uint64_t sp)
{
	v->pv.kernel_ss = (uint16_t)ss | 3;
	v->pv.kernel_sp = sp;
	sp &= ~15ull;
	v->pv.frame_sp = guest_small(sp - GUEST_SMALL) ? sp : 0;
}

long do_stack_switch(uint64_t ss, uint64_t sp)
{
	pv_set_kernel_stack(current, ss, sp);
	return 0;
}

long do_fpu_taskswitch(int set)
{
	struct vcpu *v = current;

	if (set)
		v->pv.ctrlreg[0] |= X86_CR0_TS;
	else
		v->pv.ctrlreg[0] &= ~(uint64_t)X86_CR0_TS;
	fpu_set_ts(set != 0);
	return 0;
}

long do_set_segment_base(unsigned int which, uint64_t base)
{
	if (which != SEGBASE_GS_USER_SEL && !is_canonical(base))
		return -EINVAL;
	switch (which) {
	case SEGBASE_FS:
		write_fs_base(base);
		return 0;
	case SEGBASE_GS_USER: /* we are in kernel mode: user's waits in the other MSR */
		wrmsr(MSR_KERNEL_GS_BASE, base);
		return 0;
	case SEGBASE_GS_KERNEL:
		write_gs_base(base);
		return 0;
	case SEGBASE_GS_USER_SEL: {
		uint64_t kernel_base = read_gs_base(), user_base;
		bool good = load_gs((uint16_t)base) ||
			    (pv_map_wanted_ldt() && load_gs((uint16_t)base));

		/* The selector's own base becomes user's; the kernel keeps its. */
		user_base = read_gs_base();
		wrmsr(MSR_KERNEL_GS_BASE, user_base);
		write_gs_base(kernel_base);
		return good ? 0 : -EINVAL;
	}
	default:
		return -EINVAL;
	}
}

/* ---- debug registers ---- */

/* DR7: each breakpoint that is on: no I/O breakpoints without CR4.DE. Those that are on are
 * kept apart: the machine never gets them, since ports are emulated. */
static int check_dr7(struct vcpu *v, uint64_t *value, uint64_t *emulated)
{
	unsigned int i;

	*value &= 0xffff2bffull; /* reserved zeros; bit 13 (GD) is looked at below */
	*value |= DR7_RESERVED_ONE;
	*emulated = 0;
	if (*value & 1u << 13)
		return -EPERM; /* GD would trap our own accesses */
	for (i = 0; i < 4; i++) {
		unsigned int control = *value >> (16 + i * 4) & 15;

		if (!(*value >> (i * 2) & 3))
			continue;
		if ((control & 3) != 2)
			continue;
		if (!(v->pv.ctrlreg[4] & CR4_DE))
			return -EPERM;
		*emulated |= *value & 3ull << (i * 2);
		*value &= ~(3ull << (i * 2));
	}
	return 0;
}

int pv_set_debugreg(struct vcpu *v, unsigned int reg, uint64_t value)
{
	bool loaded = v == current;
	uint64_t emulated;
	int rc;

	if (reg == 4 || reg == 5) {
		if (v->pv.ctrlreg[4] & CR4_DE)
			return -EINVAL;
		reg += 2;
	}
	if (reg >= 6 && reg <= 7 && value >> 32) /* as MOV to DR: SDM vol. 3, 18.2.6 */
		return -EINVAL;
	switch (reg) {
	case 0 ... 3:
		reg = (unsigned int)index_nospec(reg, 4);
		if (!guest_range_ok(value, 8) || !is_canonical(value))
			return -EPERM;
		v->pv.debugreg[reg] = value;
		if (loaded && v->pv.debugreg[7] & DR7_ACTIVE)
			write_dr_addresses(v->pv.debugreg);
		return 0;
	case 6:
		v->pv.debugreg[6] = (value & (DR6_CAUSES | 0xfffull)) | DR6_RESERVED_ONE;
		v->pv.debugreg[6] &= ~(1ull << 12); /* always zero */
		return 0;
	case 7:
		rc = check_dr7(v, &value, &emulated);
		if (rc)
			return rc;
		/* The other registers are only on the CPU while one of them is in use. */
		if (loaded && value & DR7_ACTIVE && !(v->pv.debugreg[7] & DR7_ACTIVE))
			write_dr_addresses(v->pv.debugreg);
		if (loaded && (value | v->pv.debugreg[7]) & DR7_ACTIVE)
			write_dr7(value);
		v->pv.debugreg[7] = value;
		v->pv.dr7_emul = emulated;
		return 0;
	default:
		return -ENODEV;
	}
}

long do_set_debugreg(int reg, uint64_t value)
{
	return pv_set_debugreg(current, (unsigned int)reg, value);
}

long do_get_debugreg(int reg)
{
	struct vcpu *v = current;

	switch (reg) {
	case 4:
	case 5:
		if (v->pv.ctrlreg[4] & CR4_DE)
			return -EINVAL;
		reg += 2;
		return (long)v->pv.debugreg[reg];
	case 7:
		return (long)(v->pv.debugreg[7] | v->pv.dr7_emul);
	case 0 ... 3:
	case 6:
		return (long)v->pv.debugreg[index_nospec((unsigned int)reg, 8)];
	default:
		return -EINVAL;
	}
}
