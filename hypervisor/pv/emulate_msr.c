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

static bool is_amd(void)
{
	return host_policy.vendor == VENDOR_AMD || host_policy.vendor == VENDOR_HYGON;
}

/* MSRs that read as a constant or as the machine's. SAME: what it is may be written: kernels do
 * so to change nothing. */
static const struct msr_rule {
	uint32_t first, last;
	enum { ANY, AMD, INTEL } vendor;
	enum { CONSTANT, MACHINE, MACHINE_DOM0 } read;
	enum { NO, SAME } write;
	uint64_t constant;
} rules[] = {
	{MSR_BIOS_SIGN_ID, MSR_BIOS_SIGN_ID, ANY, MACHINE, NO, 0}, /* AMD's patch level too */
	{MSR_PLATFORM_ID, MSR_PLATFORM_ID, INTEL, MACHINE_DOM0, NO, 0},
	{MSR_FEATURE_CONTROL, MSR_FEATURE_CONTROL, INTEL, CONSTANT, NO, 1}, /* locked, no VMX */
	{MSR_K7_EVNTSEL0, MSR_K7_PERFCTR3, AMD, CONSTANT, NO, 0}, /* no counters */
	{MSR_F15_PERF_CTL0, MSR_F15_PERF_CTR5, AMD, CONSTANT, NO, 0},
	{MSR_INT_PENDING, MSR_INT_PENDING, AMD, CONSTANT, NO, 0},
	{MSR_HWCR, MSR_HWCR, AMD, CONSTANT, SAME, HWCR_TSC_FREQ_SEL},
	{MSR_DE_CFG, MSR_DE_CFG, AMD, CONSTANT, SAME, DE_CFG_LFENCE}, /* LFENCE serialises */
	{MSR_SYSCFG, MSR_SYSCFG, AMD, MACHINE_DOM0, SAME, 0},
	{MSR_MMIO_CONF_BASE, MSR_MMIO_CONF_BASE, AMD, MACHINE_DOM0, SAME, 0},
	{MSR_K8_TOP_MEM1, MSR_K8_TOP_MEM1, AMD, MACHINE_DOM0, NO, 0},
	{MSR_K8_TOP_MEM2, MSR_K8_TOP_MEM2, AMD, MACHINE_DOM0, NO, 0},
	{MSR_PAT, MSR_PAT, ANY, CONSTANT, SAME, PAT_VALUE},
	/* Machine checks without banks; no branch records. */
	{MSR_MCG_CAP, MSR_MCG_CAP, ANY, CONSTANT, NO, 0},
	{MSR_MCG_STATUS, MSR_MCG_STATUS, ANY, CONSTANT, SAME, 0},
	{MSR_DEBUGCTL, MSR_DEBUGCTL, ANY, CONSTANT, SAME, 0},
};

static const struct msr_rule *find_rule(uint32_t msr)
{
	for (const struct msr_rule *r = rules; r < rules + ARRAY_SIZE(rules); r++)
		if (msr >= r->first && msr <= r->last &&
		    (r->vendor == ANY || (r->vendor == AMD) == is_amd()))
			return r;
	return NULL;
}

static bool read_by_rule(const struct vcpu *v, uint32_t msr, uint64_t *value)
{
	const struct msr_rule *r = find_rule(msr);

	if (!r)
		return false;
	*value = r->constant;
	return r->read == CONSTANT ||
	       ((r->read == MACHINE || v->domain->hardware) && rdmsr_safe(msr, value));
}

static bool has_spec_ctrl(const struct cpu_policy *p)
{
	return policy_has(p, F_IBRSB) || policy_has(p, F_STIBP) || policy_has(p, F_SSBD);
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
		if (!rdmsr_safe(msr, value))
			return false;
		*value &= ~(1ull << 8); /* which CPU is the boot CPU: vcpu 0's */
		*value |= (uint64_t)!v->id << 8;
		return true;
	case MSR_MISC_ENABLE:
		if (is_amd() || !rdmsr_safe(msr, value))
			return false;
		/* No performance counters, BTS or PEBS for a PV guest. */
		*value = (*value & ~(1ull << 7)) | 1ull << 11 | 1ull << 12;
		return true;
	case MSR_PLATFORM_INFO:
		*value = p->platform_info;
		return p->platform_info != 0;
	case MSR_ARCH_CAPS:
		*value = p->arch_caps;
		return p->feat[0].d >> 29 & 1;
	case MSR_SPEC_CTRL:
		*value = 0; /* the guest's own choice is not kept: see write */
		return has_spec_ctrl(p);
	case MSR_MISC_FEATURES:
		*value = 0;
		return p->platform_info != 0;
	default:
		return read_by_rule(v, msr, value);
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

static void write_base(uint32_t msr, uint64_t value)
{
	if (msr == MSR_FS_BASE)
		write_fs_base(value);
	else if (msr == MSR_GS_BASE)
		write_gs_base(value);
	else
		wrmsr(msr, value);
}

bool pv_write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	const struct cpu_policy *p = v->domain->policy;
	const struct msr_rule *r = find_rule(msr);
	uint64_t now_value;

	switch (msr) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
		if (is_canonical(value))
			write_base(msr, value);
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
		return has_spec_ctrl(p) && !(value & ~7ull);
	case MSR_BIOS_SIGN_ID: /* written before a read of the microcode's revision */
		return !is_amd() && !value;
	case MSR_TSC: /* its value is lost */
		return true;
	case MSR_EFER:
	case MSR_APIC_BASE:
	case MSR_MISC_ENABLE:
	case MSR_MISC_FEATURES:
		return read_known_msr(v, msr, &now_value) && now_value == value;
	default:
		if (r && r->write == SAME)
			return read_by_rule(v, msr, &now_value) && now_value == value;
#ifdef DEBUG
		gprintk(LOG_DEBUG, "WRMSR %#x <- %#lx\n", msr, (unsigned long)value);
#endif
		return false;
	}
}
