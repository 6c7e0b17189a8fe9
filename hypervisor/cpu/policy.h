/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID and MSR policies: what a domain sees of the CPU. A policy is an array of leaves
 * (as XEN_DOMCTL_get_cpu_policy serialises them) and the MSRs that are part of it.
 * host: the CPU; pv_max: the most a PV domain may be given; pv_default: what it is given.
 */
#ifndef HV_POLICY_H
#define HV_POLICY_H

#include "hypervisor/domain/domain.h"

#define POLICY_BASIC_LEAVES 0x20
#define POLICY_CACHE_SUBLEAVES 6
#define POLICY_FEAT_SUBLEAVES 3
#define POLICY_TOPO_SUBLEAVES 2
#define POLICY_XSTATE_SUBLEAVES 63
#define POLICY_EXT_LEAVES 0x22

struct cpuid_leaf {
	uint32_t a, b, c, d;
};

struct cpu_policy {
	/* Leaves 4, 7, 0xb and 0xd are not here but below, with their sub-leaves. */
	struct cpuid_leaf basic[POLICY_BASIC_LEAVES];
	struct cpuid_leaf cache[POLICY_CACHE_SUBLEAVES];
	struct cpuid_leaf feat[POLICY_FEAT_SUBLEAVES];
	struct cpuid_leaf topo[POLICY_TOPO_SUBLEAVES];
	struct cpuid_leaf xstate[POLICY_XSTATE_SUBLEAVES];
	struct cpuid_leaf ext[POLICY_EXT_LEAVES]; /* 0x80000000 on */
	uint64_t platform_info, arch_caps;        /* MSRs 0xce, 0x10a */
	uint32_t hv_limit;
	uint32_t vendor;                          /* enum cpu_vendor */
};
enum cpu_vendor { VENDOR_UNKNOWN, VENDOR_INTEL, VENDOR_AMD, VENDOR_HYGON };

/* Order of the words of a featureset, as xen/arch-x86/cpufeatureset.h numbers them. */
enum feature_word {
	FEAT_1D, FEAT_1C, FEAT_E1D, FEAT_E1C, FEAT_DA1, FEAT_7B0, FEAT_7C0, FEAT_E7D,
	FEAT_E8B, FEAT_7D0, FEAT_7A1, FEAT_E21A, FEAT_7B1, FEAT_7D2, FEAT_7C1, FEAT_7D1,
	FEAT_10AL, FEAT_10AH, FEAT_E21C, FEAT_WORDS
};

extern struct cpu_policy host_policy, pv_max_policy, pv_default_policy;

void policy_init(void);           /* boot CPU, after fpu_init_cpu() */
int policy_domain_init(struct domain *d); /* d->policy, the default one; -ENOMEM */
void policy_domain_destroy(struct domain *d);
/* What @v sees: leaf and subleaf as in EAX and ECX. */
void policy_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf, struct cpuid_leaf *out);
bool policy_has(const struct cpu_policy *p, unsigned int feature); /* X86_FEATURE_: word*32+bit */

/* ---- serialised form (XEN_DOMCTL_get/set_cpu_policy, XEN_SYSCTL_get_cpu_policy) ---- */
#define POLICY_MAX_LEAVES                                                                \
	(POLICY_BASIC_LEAVES + POLICY_CACHE_SUBLEAVES + POLICY_FEAT_SUBLEAVES +          \
	 POLICY_TOPO_SUBLEAVES + POLICY_XSTATE_SUBLEAVES + POLICY_EXT_LEAVES + 2)
#define POLICY_MAX_MSRS 2
/* Leaf @n of the serialised form. False: there is none (@n counts from 0). */
bool policy_leaf(const struct cpu_policy *p, unsigned int n, xen_cpuid_leaf_t *out);
bool policy_msr(const struct cpu_policy *p, unsigned int n, xen_msr_entry_t *out);
/* Put one into @p. 0, -ERANGE: no such leaf, -EINVAL. */
int policy_set_leaf(struct cpu_policy *p, const xen_cpuid_leaf_t *leaf);
int policy_set_msr(struct cpu_policy *p, const xen_msr_entry_t *msr);
/* Whether a domain may have it: not more than @max. Else -EINVAL and which leaf/msr. */
struct policy_error {
	uint32_t leaf, subleaf, msr; /* ~0: not that */
};
int policy_check(const struct cpu_policy *max, const struct cpu_policy *p, struct policy_error *err);
/* Derived leaves (XSAVE, limits, vendor) made consistent after changes. */
void policy_recalculate(struct cpu_policy *p, const struct cpu_policy *max);
/* As XEN_SYSCTL_get_cpu_featureset: FEAT_WORDS words. */
void policy_featureset(const struct cpu_policy *p, uint32_t words[FEAT_WORDS]);

#endif
