// SPDX-License-Identifier: GPL-2.0-only
/* CPU policies: what a PV domain sees of two made-up CPUs, a vcpu's own answers, the
 * serialised form there and back, and what tools may not give. */
#include "tests/unit/suite.h"

#include <string.h>

#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"

#define F_AVX 60

uint32_t cpu_khz = 2000000;
static bool intel;
static struct domain dom;
static struct vcpu vcpu;

/* ---- the machine ---- */

/* Every feature there is, plus leaves of power, counters and trace. */
void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 16);
	switch (leaf) {
	case 0:
		out[0] = 0x16;
		memcpy(&out[1], intel ? "Genu" : "Auth", 4);
		memcpy(&out[3], intel ? "ineI" : "enti", 4);
		memcpy(&out[2], intel ? "ntel" : "cAMD", 4);
		return;
	case 1:
		out[0] = 0x50654;
		out[1] = 0x07100800;
		out[2] = out[3] = ~0u;
		return;
	case 4:
		out[0] = intel && subleaf < 3 ? 0x121 + (subleaf << 5) : 0;
		return;
	case 7:
		out[0] = subleaf ? ~0u : 2;
		out[1] = out[2] = out[3] = ~0u;
		return;
	case 0xb:
		out[1] = subleaf < 2;
		out[3] = 7;
		return;
	case 0xd:
		if (subleaf == 0) {
			out[0] = 0x2e7;
			out[1] = out[2] = 2696;
		} else if (subleaf == 1) {
			out[0] = 0xf;
		} else if (subleaf == 2) {
			out[0] = 256;
			out[1] = 576;
		} else {
			out[0] = 64;
			out[1] = 1024 + subleaf * 64;
		}
		return;
	case 0x80000000:
		out[0] = intel ? 0x80000008 : 0x80000021;
		return;
	case 0x80000001:
	case 0x80000021:
		out[0] = out[1] = out[2] = out[3] = ~0u;
		return;
	case 0x80000007:
		out[3] = ~0u;
		return;
	case 0x80000008:
		out[0] = 0x302e;
		out[1] = ~0u;
		return;
	default:
		out[0] = out[1] = out[2] = out[3] = 0x55555555;
		return;
	}
}

bool rdmsr_safe(uint32_t msr, uint64_t *value)
{
	*value = ~0ull;
	return msr == 0x10a || msr == 0xce;
}

uint64_t fpu_host_xcr0(void)
{
	return 0xe7;
}

uint32_t fpu_area_size(uint64_t xcr0)
{
	return xcr0 & 0xe0 ? 2000 : xcr0 & 4 ? 832 : 576;
}

static void setup(bool is_intel)
{
	intel = is_intel;
	memset(&host_policy, 0, sizeof(host_policy));
	policy_init();
	policy_domain_destroy(&dom);
	dom.hardware = 0;
	CU_ASSERT_EQUAL_FATAL(policy_domain_init(&dom), 0);
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.domain = &dom;
	vcpu.id = 3;
	vcpu.fpu.xcr0 = 7;
}

static struct cpuid_leaf ask(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_leaf l;

	policy_cpuid(&vcpu, leaf, subleaf, &l);
	return l;
}

static bool feature(unsigned int f)
{
	return policy_has(dom.policy, f);
}

static void test_hidden(void)
{
	static const uint16_t hidden[] = {
		32 + 3 /* MONITOR */, 32 + 5 /* VMX */, 32 + 17 /* PCID */, 32 + 24 /* deadline */,
		3, 12, 13, 17 /* PSE, MTRR, PGE, PSE36 */, 96 + 2 /* SVM */, 64 + 26 /* 1 GiB */,
		160 + 7, 160 + 20 /* SMEP, SMAP */, 160 + 10 /* INVPCID */, 192 + 3 /* PKU */,
		192 + 2 /* UMIP */, 160 + 25 /* trace */, 128 + 3 /* XSAVES */, 224 + 8 /* ITSC */,
	};
	static const uint16_t shown[] = {
		0, 4, 9, 15, 24, 25, 26, 32 + 26, 32 + 28, 32 + 30, 32 + 31, 64 + 11, 64 + 20,
		64 + 29, 160 + 0, 160 + 5, 160 + 16, 288 + 29,
	};

	for (int i = 0; i < 2; i++) {
		setup(i);
		for (unsigned int n = 0; n < ARRAY_SIZE(hidden); n++)
			CU_ASSERT_FALSE(feature(hidden[n]));
		for (unsigned int n = 0; n < ARRAY_SIZE(shown); n++)
			CU_ASSERT_TRUE(feature(shown[n]));
		CU_ASSERT_EQUAL(ask(0, 0).a, 0xd);
		for (uint32_t leaf = 5; leaf < 0x20; leaf++) /* what is nobody's business */
			if (leaf != 7 && leaf != 0xd) {
				struct cpuid_leaf l = ask(leaf, 0);

				CU_ASSERT_EQUAL(l.a | l.b | l.c | l.d, 0);
			}
	}
	dom.hardware = 1;
	policy_domain_destroy(&dom);
	policy_domain_init(&dom);
	CU_ASSERT_TRUE(feature(224 + 8)); /* dom0 stays where it is */
}

static void test_vcpu_leaves(void)
{
	struct cpuid_leaf l;

	setup(true);
	CU_ASSERT_EQUAL(ask(1, 0).b >> 24, 0);
	CU_ASSERT_EQUAL(ask(1, 0).c >> 27 & 1, 0);
	vcpu.pv.ctrlreg[4] = 1 << 18;
	CU_ASSERT_EQUAL(ask(1, 0).c >> 27 & 1, 1);
	l = ask(0xd, 0);
	CU_ASSERT_EQUAL(l.a, 0xe7);
	CU_ASSERT_EQUAL(l.b, 832);
	CU_ASSERT_EQUAL(l.c, 2000);
	CU_ASSERT_EQUAL(ask(0xd, 2).a, 256);
	CU_ASSERT_EQUAL(ask(0xd, 9).a, 0); /* PKRU */
	CU_ASSERT_EQUAL(ask(0xd, 1).a, 7);
	CU_ASSERT_EQUAL(ask(4, 0).a & 31, 1);
	l = ask(4, 77);
	CU_ASSERT_EQUAL(l.a | l.b | l.c | l.d, 0);
	l = ask(7, 3);
	CU_ASSERT_EQUAL(l.a | l.b | l.c | l.d, 0);
	l = ask(0xdeadbeef, ~0u);
	CU_ASSERT_EQUAL(l.a | l.b | l.c | l.d, 0);
}

static void test_hypervisor_leaves(void)
{
	struct cpuid_leaf l;

	setup(false);
	l = ask(0x40000000, 0);
	CU_ASSERT_EQUAL(l.a, 0x40000005);
	CU_ASSERT_EQUAL(memcmp(&l.b, "XenVMMXenVMM", 12), 0);
	CU_ASSERT_EQUAL(ask(0x40000001, 0).a, 0x40011);
	CU_ASSERT_EQUAL(ask(0x40000002, 0).a, 1);
	CU_ASSERT_EQUAL(ask(0x40000002, 0).b, 0x40000000);
	CU_ASSERT_EQUAL(ask(0x40000003, 0).c, 2000000);
	CU_ASSERT_EQUAL(ask(0x40000005, 0).b, 0x2e);
	CU_ASSERT_EQUAL(ask(0x40000006, 0).a, 0);
	dom.policy->hv_limit = 0x40000002;
	CU_ASSERT_EQUAL(ask(0x40000000, 0).a, 0x40000002);
	CU_ASSERT_EQUAL(ask(0x40000003, 0).c, 0);
}

static void test_serial(void)
{
	struct cpu_policy copy;
	xen_cpuid_leaf_t l, before = {.leaf = 0};
	xen_msr_entry_t m;
	unsigned int n;

	for (int i = 0; i < 2; i++) {
		setup(i);
		memset(&copy, 0, sizeof(copy));
		for (n = 0; policy_leaf(dom.policy, n, &l); n++) {
			/* Each once. */
			CU_ASSERT_TRUE(!n || l.leaf != before.leaf || l.subleaf != before.subleaf);
			CU_ASSERT_EQUAL(policy_set_leaf(&copy, &l), 0);
			before = l;
		}
		CU_ASSERT_TRUE(n <= POLICY_MAX_LEAVES);
		for (n = 0; policy_msr(dom.policy, n, &m); n++)
			CU_ASSERT_EQUAL(policy_set_msr(&copy, &m), 0);
		CU_ASSERT_EQUAL(n, POLICY_MAX_MSRS);
		copy.vendor = dom.policy->vendor;
		CU_ASSERT_EQUAL(memcmp(&copy, dom.policy, sizeof(copy)), 0);
	}
	l = (xen_cpuid_leaf_t){.leaf = 0x1000};
	CU_ASSERT_EQUAL(policy_set_leaf(&copy, &l), -ERANGE);
	l = (xen_cpuid_leaf_t){.leaf = 7, .subleaf = POLICY_FEAT_SUBLEAVES};
	CU_ASSERT_EQUAL(policy_set_leaf(&copy, &l), -ERANGE);
	l = (xen_cpuid_leaf_t){.leaf = 7, .subleaf = XEN_CPUID_NO_SUBLEAF};
	CU_ASSERT_EQUAL(policy_set_leaf(&copy, &l), -ERANGE);
	l = (xen_cpuid_leaf_t){.leaf = 1, .subleaf = 0};
	CU_ASSERT_EQUAL(policy_set_leaf(&copy, &l), -EINVAL);
	l = (xen_cpuid_leaf_t){.leaf = 0x40000000, .subleaf = ~0u, .a = 0x40000077};
	CU_ASSERT_EQUAL(policy_set_leaf(&copy, &l), -EINVAL);
	m = (xen_msr_entry_t){.idx = 0xce, .val = 1};
	CU_ASSERT_EQUAL(policy_set_msr(&copy, &m), -EOVERFLOW);
	m = (xen_msr_entry_t){.idx = 0x10a, .flags = 1};
	CU_ASSERT_EQUAL(policy_set_msr(&copy, &m), -EINVAL);
	m = (xen_msr_entry_t){.idx = 0x1b};
	CU_ASSERT_EQUAL(policy_set_msr(&copy, &m), -ERANGE);
}

/* Tools ask for everything: the domain gets what a PV domain may have. */
static void test_clipped(void)
{
	struct cpu_policy p;
	struct policy_error err;
	uint32_t words[FEAT_WORDS];

	setup(true);
	memset(&p, 0xff, sizeof(p));
	CU_ASSERT_EQUAL(policy_check(&pv_max_policy, &p, &err), -EINVAL);
	CU_ASSERT_EQUAL(err.leaf, 0);
	p.basic[0].a = 0xd;
	CU_ASSERT_EQUAL(policy_check(&pv_max_policy, &p, &err), -EINVAL);
	CU_ASSERT_TRUE(err.leaf == 7 && err.subleaf == 0);
	p.feat[0].a = 0;
	p.ext[0].a = 0x80000001;
	CU_ASSERT_EQUAL(policy_check(&pv_max_policy, &p, &err), -EINVAL);
	CU_ASSERT_EQUAL(err.msr, 0xce);
	p.platform_info = 0;
	CU_ASSERT_EQUAL(policy_check(&pv_max_policy, &p, &err), 0);
	policy_recalculate(&p, &pv_max_policy);
	policy_featureset(&p, words);
	for (unsigned int w = 0; w < FEAT_WORDS; w++) {
		uint32_t max[FEAT_WORDS];

		policy_featureset(&pv_max_policy, max);
		CU_ASSERT_EQUAL(words[w] & ~max[w], 0);
	}

	/* Without XSAVE no AVX, without that no AVX2 nor AVX-512; and no state. */
	setup(false);
	dom.policy->basic[1].c &= ~(1u << 26);
	policy_recalculate(dom.policy, &pv_max_policy);
	CU_ASSERT_FALSE(feature(F_AVX));
	CU_ASSERT_FALSE(feature(160 + 5));
	CU_ASSERT_FALSE(feature(160 + 16));
	CU_ASSERT_EQUAL(ask(0xd, 0).a, 0);
	CU_ASSERT_EQUAL(dom.policy->xstate[0].a, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"hidden and shown", test_hidden}, {"a vcpu's leaves", test_vcpu_leaves},
		{"hypervisor's leaves", test_hypervisor_leaves}, {"serialised", test_serial},
		{"clipped", test_clipped},
		CU_TEST_INFO_NULL,
	};
	int rc = suite_main("hv_policy", tests);

	policy_domain_destroy(&dom);
	return rc;
}
