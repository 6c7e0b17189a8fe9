// SPDX-License-Identifier: GPL-2.0-only
/* CPU policies as the toolstack has them: lists of CPUID leaves and MSRs. */
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/policy_internal.h"

#define MSR_PLATFORM_INFO 0xce
#define MSR_ARCH_CAPS     0x10a
#define PLATFORM_INFO_CPUID_FAULTING (1ull << 31)

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
	for (unsigned int i = 0; i < ARRAY_SIZE(runs); i++) {
		const struct run *r = &runs[i];
		uint32_t n = r->subleaves ? in->subleaf : in->leaf - r->leaf;

		if (r->subleaves ? in->leaf != r->leaf || n >= r->count :
				   in->leaf < r->leaf || n >= r->count)
			continue;
		if (!r->subleaves && in->subleaf != XEN_CPUID_NO_SUBLEAF)
			return -EINVAL;
		l = run_leaf(p, r, n);
		*l = (struct cpuid_leaf){in->a, in->b, in->c, in->d};
		return 0;
	}
	return -ERANGE;
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
	*err = (struct policy_error){~0u, ~0u, ~0u};
	if (p->basic[0].a > max->basic[0].a) {
		err->leaf = 0;
		return -EINVAL;
	}
	if (p->feat[0].a > max->feat[0].a) {
		err->leaf = 7;
		err->subleaf = 0;
		return -EINVAL;
	}
	if (p->ext[0].a > max->ext[0].a) {
		err->leaf = 0x80000000;
		return -EINVAL;
	}
	if (p->platform_info & ~max->platform_info) {
		err->msr = MSR_PLATFORM_INFO;
		return -EINVAL;
	}
	return 0;
}
