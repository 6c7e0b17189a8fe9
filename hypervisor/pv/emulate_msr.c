// SPDX-License-Identifier: GPL-2.0-only
/* RDMSR and WRMSR of PV guests. What is not here is #GP to the guest: kernels probe. */
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/spec.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/emulate.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/trap.h"

#define MSR_PLATFORM_ID      0x17
#define MSR_TSC              0x10
#define MSR_APIC_BASE        0x1b
#define MSR_FEATURE_CONTROL  0x3a
#define MSR_BIOS_SIGN_ID     0x8b
#define MSR_PLATFORM_INFO    0xce
#define MSR_ARCH_CAPS        0x10a
#define MSR_MISC_FEATURES    0x140
#define MSR_MCG_CAP          0x179
#define MSR_MCG_STATUS       0x17a
#define MSR_MISC_ENABLE      0x1a0
#define MSR_DEBUGCTL         0x1d9
#define MSR_PAT              0x277
#define MSR_HYPERCALL_PAGE   0x40000000
#define MSR_EFER             0xc0000080
#define MSR_TSC_AUX          0xc0000103
#define MSR_K7_EVNTSEL0      0xc0010000
#define MSR_K7_PERFCTR3      0xc0010007
#define MSR_SYSCFG           0xc0010010
#define MSR_HWCR             0xc0010015
#define MSR_K8_TOP_MEM1      0xc001001a
#define MSR_K8_TOP_MEM2      0xc001001d
#define MSR_INT_PENDING      0xc0010055
#define MSR_MMIO_CONF_BASE   0xc0010058
#define MSR_F15_PERF_CTL0    0xc0010200
#define MSR_F15_PERF_CTR5    0xc001020b
#define MSR_DE_CFG           0xc0011029

#define EFER_GUEST        0xd01ull /* SCE, LME, LMA, NX */
#define HWCR_TSC_FREQ_SEL (1ull << 24)
#define DE_CFG_LFENCE     2ull
#define F_IBRSB           (9 * 32 + 26)
#define F_STIBP           (9 * 32 + 27)
#define F_SSBD            (9 * 32 + 31)
#define F_IBPB            (8 * 32 + 12)

uint64_t pv_rdtsc(const struct vcpu *v)
{
	return v->domain->tsc.vtsc ? emulated_tsc(v->domain, now()) : rdtsc();
}

static bool host_msr(uint32_t msr, uint64_t *value)
{
	return rdmsr_safe(msr, value);
}

static bool is_amd(void)
{
	return host_policy.vendor == VENDOR_AMD || host_policy.vendor == VENDOR_HYGON;
}

/* MSRs that describe the machine, as its own vendor's guests look for them. */
static bool read_vendor_msr(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
	const struct domain *d = v->domain;

	switch (msr) {
	case MSR_BIOS_SIGN_ID: /* AMD's patch level too */
		return host_msr(msr, value);
	case MSR_PLATFORM_ID:
		return !is_amd() && d->hardware && host_msr(msr, value);
	case MSR_K7_EVNTSEL0 ... MSR_K7_PERFCTR3: /* no counters: zeros */
	case MSR_F15_PERF_CTL0 ... MSR_F15_PERF_CTR5:
		*value = 0;
		return is_amd();
	case MSR_MISC_ENABLE:
		if (is_amd() || !host_msr(msr, value))
			return false;
		/* No performance counters, BTS or PEBS for a PV guest. */
		*value = (*value & ~(1ull << 7)) | 1ull << 11 | 1ull << 12;
		return true;
	case MSR_FEATURE_CONTROL:
		*value = 1; /* locked, with VMX off */
		return !is_amd();
	case MSR_HWCR:
		*value = HWCR_TSC_FREQ_SEL;
		return is_amd();
	case MSR_DE_CFG:
		*value = DE_CFG_LFENCE; /* LFENCE serialises: nothing to set */
		return is_amd();
	case MSR_SYSCFG:
	case MSR_K8_TOP_MEM1:
	case MSR_K8_TOP_MEM2:
	case MSR_MMIO_CONF_BASE:
		return is_amd() && d->hardware && host_msr(msr, value);
	case MSR_INT_PENDING:
		*value = 0;
		return is_amd();
	default:
		return false;
	}
}

static bool read_known_msr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	const struct cpu_policy *p = v->domain->policy;

	switch (msr) {
	case MSR_FS_BASE:
		*value = read_fs_base();
		return true;
	case MSR_GS_BASE:
		*value = read_gs_base();
		return true;
	case MSR_KERNEL_GS_BASE:
		*value = rdmsr(MSR_KERNEL_GS_BASE);
		return true;
	case MSR_EFER:
		*value = rdmsr(MSR_EFER) & EFER_GUEST;
		return true;
	case MSR_TSC:
		*value = pv_rdtsc(v);
		return true;
	case MSR_TSC_AUX:
		*value = 0;
		return policy_has(p, 2 * 32 + 27);
	case MSR_APIC_BASE:
		if (!v->domain->hardware || !host_msr(msr, value))
			return false;
		*value &= ~(1ull << 8); /* which CPU is the boot CPU: vcpu 0's */
		*value |= (uint64_t)!v->id << 8;
		return true;
	case MSR_PAT:
		*value = PAT_VALUE;
		return true;
	case MSR_PLATFORM_INFO:
		*value = p->platform_info;
		return p->platform_info != 0;
	case MSR_ARCH_CAPS:
		*value = p->arch_caps;
		return p->feat[0].d >> 29 & 1;
	case MSR_SPEC_CTRL:
		*value = 0; /* the guest's own choice is not kept: see write */
		return policy_has(p, F_IBRSB) || policy_has(p, F_STIBP) || policy_has(p, F_SSBD);
	case MSR_MISC_FEATURES:
		*value = 0;
		return p->platform_info != 0;
	case MSR_MCG_CAP:
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL:
		*value = 0; /* machine checks without banks; no branch records */
		return true;
	default:
		return read_vendor_msr(v, msr, value);
	}
}

bool pv_read_msr(struct vcpu *v, uint32_t msr, uint64_t *value)
{
	if (read_known_msr(v, msr, value))
		return true;
#ifdef DEBUG
	gprintk(LOG_DEBUG, "RDMSR %#x\n", msr);
#endif
	/* The ABI's promise (arch-x86/xen.h, trap_info): no #GP while there is no handler. */
	if (!v->pv.trap[TRAP_GP].address) {
		*value = 0;
		return true;
	}
	return false;
}

/* A page of the guest's own, to be filled with the stubs. */
static bool write_hypercall_page(struct domain *d, uint64_t value)
{
	mfn_t mfn = maddr_to_mfn(value);
	struct frame *f = mfn_get_and_type(mfn, d, FRAME_WRITABLE);
	void *p;

	if (!f)
		return false;
	p = map_frame(mfn);
	hypercall_page_fill(p);
	unmap_frame(p);
	frame_put_and_type(f);
	return true;
}

bool pv_write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	const struct cpu_policy *p = v->domain->policy;
	uint64_t now_value;

	switch (msr) {
	case MSR_FS_BASE:
		if (is_canonical(value))
			write_fs_base(value);
		return is_canonical(value);
	case MSR_GS_BASE:
		if (is_canonical(value))
			write_gs_base(value);
		return is_canonical(value);
	case MSR_KERNEL_GS_BASE:
		if (is_canonical(value))
			wrmsr(MSR_KERNEL_GS_BASE, value);
		return is_canonical(value);
	case MSR_HYPERCALL_PAGE:
		return write_hypercall_page(v->domain, value);
	case MSR_PRED_CMD:
		if (!policy_has(p, F_IBPB) && !policy_has(p, F_IBRSB))
			return false;
		if (value & 1)
			branch_predictor_barrier();
		return !(value & ~1ull);
	case MSR_SPEC_CTRL: /* accepted, and without effect yet: STIBP and SSBD are hints */
		return (policy_has(p, F_IBRSB) || policy_has(p, F_STIBP) || policy_has(p, F_SSBD)) &&
		       !(value & ~7ull);
	case MSR_MCG_STATUS:
	case MSR_DEBUGCTL:
		return !value;
	case MSR_BIOS_SIGN_ID: /* written before a read of the microcode's revision */
		return !is_amd() && !value;
	case MSR_TSC:
	case MSR_EFER:
	case MSR_PAT:
	case MSR_APIC_BASE:
	case MSR_MISC_ENABLE:
	case MSR_MISC_FEATURES:
	case MSR_HWCR:
	case MSR_DE_CFG:
	case MSR_SYSCFG:
	case MSR_MMIO_CONF_BASE:
		/* What it is may be written: kernels do so to change nothing. */
		return read_known_msr(v, msr, &now_value) && (msr == MSR_TSC || now_value == value);
	default:
#ifdef DEBUG
		gprintk(LOG_DEBUG, "WRMSR %#x <- %#lx\n", msr, (unsigned long)value);
#endif
		return false;
	}
}
