// SPDX-License-Identifier: GPL-2.0-only
/* Control registers of PV guests. Of CR0 a guest has TS, of CR4 a few bits; the rest reads
 * as the machine's and cannot be changed (OSXSAVE too: Linux looks whether it is on). */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/emulate.h"
#include "hypervisor/pv/segment.h"

#define CR4_TSD      (1ull << 2)
#define CR4_DE       (1ull << 3)
#define CR4_PGE      (1ull << 7)
#define CR4_FSGSBASE (1ull << 16)
#define CR4_PCIDE    (1ull << 17)
#define CR4_SMEP     (1ull << 20)
#define CR4_SMAP     (1ull << 21)

#define CR4_GUEST  (CR4_TSD | CR4_DE | CR4_FSGSBASE)
#define CR4_HIDDEN (CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP)

uint64_t pv_guest_cr0(const struct vcpu *v)
{
	return (read_cr0() & ~(uint64_t)X86_CR0_TS) | (v->pv.ctrlreg[0] & X86_CR0_TS);
}

uint64_t pv_guest_cr4(uint64_t cr4)
{
	uint64_t guest = cr4 & CR4_GUEST;

	/* What the machine has not cannot be switched on. */
	guest &= cr4_features | CR4_TSD | CR4_DE;
	return (cr4_features & ~(CR4_GUEST | CR4_HIDDEN)) | guest;
}

void pv_load_cr4(const struct vcpu *v)
{
	uint64_t cr4 = cr4_features | (v->pv.ctrlreg[4] & (CR4_TSD | CR4_DE));

	/* FSGSBASE and OSXSAVE stay on: the switch uses them. */
	if (v->domain->tsc.vtsc)
		cr4 |= CR4_TSD;
	if (cpu_info()->cr4 != cr4) {
		cpu_info()->cr4 = cr4;
		write_cr4(cr4);
	}
}

bool pv_read_cr(struct vcpu *v, unsigned int n, uint64_t *value)
{
	switch (n) {
	case 0:
		*value = pv_guest_cr0(v);
		return true;
	case 2:
		*value = v->info ? v->info->arch.cr2 : v->pv.ctrlreg[2];
		return true;
	case 3:
		*value = mfn_to_maddr(v->pv.kernel_root);
		return true;
	case 4:
		*value = v->pv.ctrlreg[4];
		return true;
	default:
		return false;
	}
}

enum emulation pv_write_cr(struct vcpu *v, unsigned int n, uint64_t value)
{
	int rc;

	switch (n) {
	case 0:
		if ((value ^ pv_guest_cr0(v)) & ~(uint64_t)X86_CR0_TS)
			return EMULATE_REFUSED;
		v->pv.ctrlreg[0] = value & X86_CR0_TS;
		fpu_set_ts(value & X86_CR0_TS);
		return EMULATE_DONE;
	case 2:
		v->pv.ctrlreg[2] = value;
		if (v->info)
			v->info->arch.cr2 = value;
		return EMULATE_DONE;
	case 3:
		rc = pv_new_root(v, maddr_to_mfn(value & PTE_ADDR), false);
		return !rc ? EMULATE_DONE : rc == -ERESTART ? EMULATE_AGAIN : EMULATE_REFUSED;
	case 4:
		v->pv.ctrlreg[4] = pv_guest_cr4(value);
		pv_load_cr4(v);
		return EMULATE_DONE;
	default:
		return EMULATE_REFUSED;
	}
}
