// SPDX-License-Identifier: GPL-2.0-only
/* CPUID and MSR policies: of the machine, the most and the usual for PV domains; and what
 * a vcpu's CPUID answers. Tools have policies as lists of CPUID leaves and MSRs. */
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"

#define MSR_PLATFORM_INFO 0xce
#define MSR_ARCH_CAPS     0x10a
#define CR4_OSXSAVE       (1u << 18)
#define PLATFORM_INFO_CPUID_FAULTING (1ull << 31)
#define PRESERVE_AD       XEN_CPUID_FEAT1_MMU_PT_UPDATE_PRESERVE_AD

struct cpu_policy host_policy, pv_max_policy, pv_default_policy;

/* What PV guests may see, from the ABI's list of features (cpufeatureset.h: marked 'A'; 'a' is
 * for those that ask). x2APIC, paging features and virtualisation are not PV's. */
static const uint32_t pv_default_features[FEAT_WORDS] = {
	0x1fc9cbf5, 0xf6d83203, 0xea500800, 0x042109e3, 0x00000007, 0xfdaf0b29, 0x02405f43,
	0x00000000, 0x64001005, 0xac00441c, 0x00001c30, 0x78000064, 0x00000000, 0x00000021,
	0x00000000, 0x00000000, 0x1d12e173, 0x40000000, 0x00000006,
};
static const uint32_t pv_opt_in[FEAT_WORDS] = {
	[FEAT_7B0] = 0x00000010, [FEAT_7C0] = 0x18000000, [FEAT_E7D] = 0x00000100,
	[FEAT_7D0] = 0x00011100,
};

static uint32_t *policy_word(struct cpu_policy *p, enum feature_word w)
{
	uint32_t *const words[FEAT_WORDS] = {
		[FEAT_1D] = &p->basic[1].d, [FEAT_1C] = &p->basic[1].c,
		[FEAT_E1D] = &p->ext[1].d, [FEAT_E1C] = &p->ext[1].c,
		[FEAT_DA1] = &p->xstate[1].a, [FEAT_7B0] = &p->feat[0].b,
		[FEAT_7C0] = &p->feat[0].c, [FEAT_E7D] = &p->ext[7].d,
		[FEAT_E8B] = &p->ext[8].b, [FEAT_7D0] = &p->feat[0].d,
		[FEAT_7A1] = &p->feat[1].a, [FEAT_E21A] = &p->ext[0x21].a,
		[FEAT_7B1] = &p->feat[1].b, [FEAT_7D2] = &p->feat[2].d,
		[FEAT_7C1] = &p->feat[1].c, [FEAT_7D1] = &p->feat[1].d,
		[FEAT_10AL] = (uint32_t *)&p->arch_caps,
		[FEAT_10AH] = (uint32_t *)&p->arch_caps + 1, [FEAT_E21C] = &p->ext[0x21].c,
	};

	return words[w];
}

/* AMD's copies of leaf 1 EDX in 0x80000001 EDX are no features of their own. */
#define E1D_COMMON 0x0183f3ffu

void policy_featureset(const struct cpu_policy *p, uint32_t words[FEAT_WORDS])
{
	for (unsigned int w = 0; w < FEAT_WORDS; w++)
		words[w] = *policy_word((struct cpu_policy *)p, w);
	words[FEAT_E1D] &= ~E1D_COMMON;
}

bool policy_has(const struct cpu_policy *p, unsigned int feature)
{
	return *policy_word((struct cpu_policy *)p, feature / 32) >> (feature % 32) & 1;
}

/* ---- leaves ---- */

/* The runs of leaves that a policy is made of, in the order of the serialised form. */
static const struct run {
	uint32_t leaf, count;
	bool subleaves; /* of one leaf */
	size_t offset;
} runs[] = {
	{0, 4, false, offsetof(struct cpu_policy, basic)},
	{4, POLICY_CACHE_SUBLEAVES, true, offsetof(struct cpu_policy, cache)},
	{5, 2, false, offsetof(struct cpu_policy, basic[5])},
	{7, POLICY_FEAT_SUBLEAVES, true, offsetof(struct cpu_policy, feat)},
	{8, 3, false, offsetof(struct cpu_policy, basic[8])},
	{0xb, POLICY_TOPO_SUBLEAVES, true, offsetof(struct cpu_policy, topo)},
	{0xc, 1, false, offsetof(struct cpu_policy, basic[0xc])},
	{0xd, POLICY_XSTATE_SUBLEAVES, true, offsetof(struct cpu_policy, xstate)},
	{0x80000000, POLICY_EXT_LEAVES, false, offsetof(struct cpu_policy, ext)},
};

static struct cpuid_leaf *run_leaf(const struct cpu_policy *p, const struct run *r, uint32_t i)
{
	return (struct cpuid_leaf *)((char *)p + r->offset) + index_nospec(i, r->count);
}

/* Which leaf it is; NULL: none that a policy has. */
static struct cpuid_leaf *find_leaf(const struct cpu_policy *p, uint32_t leaf, uint32_t subleaf,
				    const struct run **run)
{
	for (const struct run *r = runs; r < runs + ARRAY_SIZE(runs); r++) {
		uint32_t n = r->subleaves ? subleaf : leaf - r->leaf;

		if ((r->subleaves ? leaf == r->leaf : leaf >= r->leaf) && n < r->count) {
			*run = r;
			return run_leaf(p, r, n);
		}
	}
	return NULL;
}

/* How many of a run the policy uses: limits are in its first leaves. */
static uint32_t run_used(const struct cpu_policy *p, const struct run *r)
{
	uint32_t max = r->leaf >= 0x80000000 ? p->ext[0].a : p->basic[0].a;

	if (r->leaf > max && r->leaf != 0 && r->leaf != 0x80000000)
		return 0;
	if (!r->subleaves)
		return MIN(r->count, max - r->leaf + 1);
	if (r->leaf == 7)
		return MIN(r->count, p->feat[0].a + 1);
	return r->count;
}

/* ---- the machine's ---- */

static void read_leaf(struct cpuid_leaf *l, uint32_t leaf, uint32_t subleaf)
{
	uint32_t r[4];

	cpuid(leaf, subleaf, r);
	*l = (struct cpuid_leaf){r[0], r[1], r[2], r[3]};
}

static uint32_t vendor_of(const struct cpuid_leaf *l)
{
	if (l->b == 0x756e6547) /* Genu ineI ntel */
		return VENDOR_INTEL;
	if (l->b == 0x68747541) /* Auth enti cAMD */
		return VENDOR_AMD;
	if (l->b == 0x6f677948) /* Hygo nGen uine */
		return VENDOR_HYGON;
	return VENDOR_UNKNOWN;
}

static void read_host(struct cpu_policy *p)
{
	/* What is used of a run is known when its first leaf has been read. */
	for (const struct run *r = runs; r < runs + ARRAY_SIZE(runs); r++)
		for (uint32_t i = 0; i < run_used(p, r); i++)
			if (r->leaf != 0xd || i < 2 || fpu_host_xcr0() >> i & 1)
				read_leaf(run_leaf(p, r, i), r->leaf + (r->subleaves ? 0 : i),
					  r->subleaves ? i : 0);
	p->vendor = vendor_of(&p->basic[0]);
	rdmsr_safe(MSR_PLATFORM_INFO, &p->platform_info);
	if (p->feat[0].d >> 29 & 1)
		rdmsr_safe(MSR_ARCH_CAPS, &p->arch_caps);
}

/* ---- PV's ---- */

#define BIT(f) (1u << ((f) % 32))
#define F_XSAVE   (1 * 32 + 26)
#define F_OSXSAVE (1 * 32 + 27)
#define F_AVX     (1 * 32 + 28)
#define F_AVX512F (5 * 32 + 16)

/* What the features say the extended states are. */
static uint64_t policy_xcr0(const struct cpu_policy *p)
{
	uint64_t x = 0;

	if (!policy_has(p, F_XSAVE))
		return 0;
	x = XSTATE_FP | XSTATE_SSE;
	if (policy_has(p, F_AVX))
		x |= XSTATE_YMM;
	if (policy_has(p, F_AVX512F))
		x |= XSTATE_AVX512;
	return x & fpu_host_xcr0();
}

/* Features that are of no use, or wrong, without another. */
static void drop_dependent(struct cpu_policy *p)
{
	static const struct {
		uint16_t needs;
		uint8_t word;
		uint32_t bits;
	} rule[] = {
		{F_XSAVE, FEAT_1C, BIT(F_AVX)},
		{F_XSAVE, FEAT_DA1, ~0u},
		{F_AVX, FEAT_1C, 1u << 12 | 1u << 29},             /* FMA, F16C */
		{F_AVX, FEAT_E1C, 1u << 11 | 1u << 16},            /* XOP, FMA4 */
		{F_AVX, FEAT_7B0, 1u << 5 | 0xdc230000u},          /* AVX2, AVX-512 */
		{F_AVX, FEAT_7C0, 1u << 9 | 1u << 10},             /* VAES, VPCLMULQDQ */
		{F_AVX, FEAT_7A1, 1u << 4},                        /* AVX-VNNI */
		{F_AVX512F, FEAT_7B0, 0xdc220000u},
		{F_AVX512F, FEAT_7C0, 1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14},
		{F_AVX512F, FEAT_7D0, 1u << 2 | 1u << 3 | 1u << 8},
		{F_AVX512F, FEAT_7A1, 1u << 5},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rule); i++)
		if (!policy_has(p, rule[i].needs))
			*policy_word(p, rule[i].word) &= ~rule[i].bits;
}

static void recalculate_xstate(struct cpu_policy *p, const struct cpu_policy *max)
{
	uint64_t x = policy_xcr0(p);
	uint32_t features = p->xstate[1].a;
	unsigned int i;

	memset(p->xstate, 0, sizeof(p->xstate));
	if (!x)
		return;
	p->xstate[0].a = (uint32_t)x;
	p->xstate[0].d = (uint32_t)(x >> 32);
	p->xstate[0].c = fpu_area_size(x);
	p->xstate[1].a = features;
	for (i = 2; i < POLICY_XSTATE_SUBLEAVES; i++)
		if (x >> i & 1) {
			p->xstate[i] = max->xstate[i];
			p->xstate[i].c = p->xstate[i].d = 0;
		}
}

void policy_recalculate(struct cpu_policy *p, const struct cpu_policy *max)
{
	unsigned int i;

	p->basic[0].a = MIN(p->basic[0].a, 0xdu);
	p->basic[0].b = max->basic[0].b;
	p->basic[0].c = max->basic[0].c;
	p->basic[0].d = max->basic[0].d;
	p->basic[1].b &= 0x00ffffff;      /* APIC ID 0: a PV guest has no topology */
	p->basic[1].c &= ~BIT(F_OSXSAVE); /* CR4's */
	p->feat[0].a = MIN(p->feat[0].a, POLICY_FEAT_SUBLEAVES - 1u);
	for (i = 0; i < FEAT_WORDS; i++)
		*policy_word(p, i) &= *policy_word((struct cpu_policy *)max, i);
	p->basic[1].c |= 1u << 31; /* HYPERVISOR */
	drop_dependent(p);
	recalculate_xstate(p, max);

	/* MONITOR, power, performance counters, cache allocation, trace...: not for PV. */
	for (i = 3; i < POLICY_BASIC_LEAVES; i++)
		memset(&p->basic[i], 0, sizeof(p->basic[i]));
	p->ext[0].a = MIN(p->ext[0].a, 0x80000000u + POLICY_EXT_LEAVES - 1);
	p->ext[0].b = max->ext[0].b;
	p->ext[0].c = max->ext[0].c;
	p->ext[0].d = max->ext[0].d;
	p->ext[1].d &= ~E1D_COMMON;
	if (max->vendor != VENDOR_INTEL)
		p->ext[1].d |= p->basic[1].d & E1D_COMMON;
	p->ext[7].a = p->ext[7].b = p->ext[7].c = 0;
	for (i = 9; i < POLICY_EXT_LEAVES; i++)
		if (i != 0x19 && i != 0x1a && i != 0x21) /* 1 GiB TLB, performance hints */
			memset(&p->ext[i], 0, sizeof(p->ext[i]));
	p->vendor = max->vendor;
}

static void restrict_to(struct cpu_policy *p, const uint32_t *words, const uint32_t *more)
{
	for (unsigned int w = 0; w < FEAT_WORDS; w++)
		*policy_word(p, w) &= words[w] | (more ? more[w] : 0);
}

static void make_pv(struct cpu_policy *p, bool max)
{
	*p = host_policy;
	restrict_to(p, pv_default_features, max ? pv_opt_in : NULL);
	memset(p->topo, 0, sizeof(p->topo));
	/* In long mode SYSENTER is #UD to all but Intel's (APM vol. 3, SYSENTER). */
	if (p->vendor != VENDOR_INTEL)
		p->basic[1].d &= ~(1u << 11);
	p->platform_info &= PLATFORM_INFO_CPUID_FAULTING; /* where there is */
	p->hv_limit = XEN_CPUID_LEAF(XEN_CPUID_MAX_NUM_LEAVES);
	policy_recalculate(p, &host_policy);
}

void policy_init(void)
{
	read_host(&host_policy);
	make_pv(&pv_max_policy, true);
	make_pv(&pv_default_policy, false);
	printk(LOG_INFO, "CPU: features %08x %08x %08x %08x, XCR0 %#lx\n", host_policy.basic[1].d,
	       host_policy.basic[1].c, host_policy.ext[1].d, host_policy.feat[0].b,
	       (unsigned long)fpu_host_xcr0());
}

int policy_domain_init(struct domain *d)
{
	d->policy = xzalloc(struct cpu_policy);
	if (!d->policy)
		return -ENOMEM;
	*d->policy = pv_default_policy;
	/* The hardware domain does not migrate: its clock is the machine's. */
	if (d->hardware)
		d->policy->ext[7].d |= pv_max_policy.ext[7].d & 1u << 8;
	return 0;
}

void policy_domain_destroy(struct domain *d)
{
	xfree(d->policy);
	d->policy = NULL;
}

/* ---- a vcpu's answers ---- */

static void hypervisor_tsc_leaf(const struct vcpu *v, uint32_t subleaf, struct cpuid_leaf *out)
{
	const struct domain *d = v->domain;

	switch (subleaf) {
	case 0:
		out->a = d->tsc.vtsc | (uint32_t)(policy_has(&host_policy, 2 * 32 + 27)) << 2;
		out->b = d->tsc.mode;
		out->c = d->tsc.khz ? d->tsc.khz : cpu_khz;
		out->d = d->tsc.incarnation;
		return;
	case 1:
		out->a = (uint32_t)d->tsc.offset;
		out->b = (uint32_t)((uint64_t)d->tsc.offset >> 32);
		if (v->info) {
			out->c = v->info->time.tsc_to_system_mul;
			out->d = (uint32_t)v->info->time.tsc_shift;
		}
		return;
	case 2:
		out->a = cpu_khz;
		return;
	}
}

static void hypervisor_leaf(const struct vcpu *v, uint32_t leaf, uint32_t subleaf,
			    struct cpuid_leaf *out)
{
	switch (leaf - XEN_CPUID_FIRST_LEAF) {
	case 0:
		out->a = v->domain->policy->hv_limit;
		out->b = XEN_CPUID_SIGNATURE_EBX;
		out->c = XEN_CPUID_SIGNATURE_ECX;
		out->d = XEN_CPUID_SIGNATURE_EDX;
		return;
	case 1:
		out->a = 4 << 16 | 17;
		return;
	case 2:
		out->a = 1; /* hypercall pages */
		out->b = 0x40000000;
		out->c = PRESERVE_AD;
		return;
	case 3:
		hypervisor_tsc_leaf(v, subleaf, out);
		return;
	case 5:
		if (!subleaf)
			out->b = host_policy.ext[8].a & XEN_CPUID_MACHINE_ADDRESS_WIDTH_MASK;
		return;
	}
}

#define XSAVE_COMPACTS 0xa /* XSAVEC or XSAVES, in leaf 0xd, subleaf 1 */

/* What XSAVEC writes with @xcr0: SDM volume 1, 13.4.3. */
static uint32_t compact_size(const struct cpu_policy *p, uint64_t xcr0)
{
	uint32_t size = 512 + 64;

	for (unsigned int i = 2; i < MIN(POLICY_XSTATE_SUBLEAVES, 63); i++) {
		if (!(xcr0 >> i & 1))
			continue;
		if (p->xstate[i].c & 2)
			size = ROUND_UP(size, 64);
		size += p->xstate[i].a;
	}
	return size;
}

void policy_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out)
{
	const struct cpu_policy *p = v->domain->policy;
	const struct cpuid_leaf *l;
	const struct run *r;

	memset(out, 0, sizeof(*out));
	if (leaf >= XEN_CPUID_FIRST_LEAF && leaf < XEN_CPUID_FIRST_LEAF + 0x100) {
		if (leaf <= p->hv_limit)
			hypervisor_leaf(v, leaf, subleaf, out);
		return;
	}
	l = find_leaf(p, leaf, subleaf, &r);
	if (!l || l >= run_leaf(p, r, 0) + run_used(p, r))
		return;
	*out = *l;
	switch (leaf) {
	case 1:
		if (out->c & BIT(F_XSAVE) && v->pv.ctrlreg[4] & CR4_OSXSAVE)
			out->c |= BIT(F_OSXSAVE);
		return;
	case 0xd:
		if (subleaf == 0 && out->a)
			out->b = fpu_area_size(v->fpu.xcr0);
		if (subleaf == 1)
			out->b = out->a & XSAVE_COMPACTS ? compact_size(p, v->fpu.xcr0) : 0;
		return;
	}
}

/* ---- serialised ---- */

bool policy_leaf(const struct cpu_policy *p, unsigned int n, xen_cpuid_leaf_t *out)
{
	const struct cpuid_leaf *l;

	for (unsigned int i = 0; i < ARRAY_SIZE(runs); i++) {
		const struct run *r = &runs[i];
		uint32_t used = run_used(p, r);

		if (n < used) {
			l = run_leaf(p, r, n);
			out->leaf = r->subleaves ? r->leaf : r->leaf + n;
			out->subleaf = r->subleaves ? n : XEN_CPUID_NO_SUBLEAF;
			out->a = l->a;
			out->b = l->b;
			out->c = l->c;
			out->d = l->d;
			return true;
		}
		n -= used;
	}
	if (n > 0)
		return false;
	/* The hypervisor's leaves: their limit alone can be chosen. */
	memset(out, 0, sizeof(*out));
	out->leaf = XEN_CPUID_FIRST_LEAF;
	out->subleaf = XEN_CPUID_NO_SUBLEAF;
	out->a = p->hv_limit & 0xff;
	return true;
}

int policy_set_leaf(struct cpu_policy *p, const xen_cpuid_leaf_t *in)
{
	struct cpuid_leaf *l;
	const struct run *r;

	if (in->leaf == XEN_CPUID_FIRST_LEAF) {
		/* Tools keep its low byte alone: how many there are. Fewer than make sense: all. */
		if (in->a > 0xff)
			return -EINVAL;
		p->hv_limit = XEN_CPUID_LEAF(in->a < 2 ? XEN_CPUID_MAX_NUM_LEAVES :
						 MIN(in->a, XEN_CPUID_MAX_NUM_LEAVES));
		return 0;
	}
	if (in->leaf == XEN_CPUID_FIRST_LEAF + 0x100)
		return 0; /* limit of a second range, which PV has not */
	l = find_leaf(p, in->leaf, in->subleaf, &r);
	if (!l)
		return -ERANGE;
	if (!r->subleaves && in->subleaf != XEN_CPUID_NO_SUBLEAF)
		return -EINVAL;
	*l = (struct cpuid_leaf){in->a, in->b, in->c, in->d};
	return 0;
}

bool policy_msr(const struct cpu_policy *p, unsigned int n, xen_msr_entry_t *out)
{
	memset(out, 0, sizeof(*out));
	switch (n) {
	case 0:
		out->idx = MSR_PLATFORM_INFO;
		out->val = p->platform_info;
		return true;
	case 1:
		out->idx = MSR_ARCH_CAPS;
		out->val = p->arch_caps;
		return true;
	default:
		return false;
	}
}

int policy_set_msr(struct cpu_policy *p, const xen_msr_entry_t *msr)
{
	if (msr->flags)
		return -EINVAL;
	switch (msr->idx) {
	case MSR_PLATFORM_INFO:
		if (msr->val & ~PLATFORM_INFO_CPUID_FAULTING)
			return -EOVERFLOW;
		p->platform_info = msr->val;
		return 0;
	case MSR_ARCH_CAPS:
		p->arch_caps = msr->val;
		return 0;
	default:
		return -ERANGE;
	}
}

int policy_check(const struct cpu_policy *max, const struct cpu_policy *p, struct policy_error *err)
{
	const struct cpuid_leaf *limit[] = {&p->basic[0], &p->feat[0], &p->ext[0]};
	const struct cpuid_leaf *most[] = {&max->basic[0], &max->feat[0], &max->ext[0]};
	static const uint32_t leaf[] = {0, 7, 0x80000000};

	*err = (struct policy_error){~0u, ~0u, ~0u};
	for (unsigned int i = 0; i < ARRAY_SIZE(limit); i++)
		if (limit[i]->a > most[i]->a) {
			err->leaf = leaf[i];
			err->subleaf = leaf[i] == 7 ? 0 : ~0u;
			return -EINVAL;
		}
	if (p->platform_info & ~max->platform_info) {
		err->msr = MSR_PLATFORM_INFO;
		return -EINVAL;
	}
	return 0;
}
