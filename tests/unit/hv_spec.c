// SPDX-License-Identifier: GPL-2.0-only
/* Which mitigations a CPU gets, and what they write: IBPB, VERW, IBRS with made-up CPUs,
 * since the emulators have none of them. */
#include "tests/unit/suite.h"

#include <string.h>

#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/spec.h"

struct cpu_policy host_policy;
static uint64_t spec_ctrl, pred_cmd, efer;

void wrmsr(uint32_t msr, uint64_t v)
{
	if (msr == MSR_SPEC_CTRL)
		spec_ctrl = v;
	else if (msr == MSR_PRED_CMD)
		pred_cmd += v;
	else if (msr == 0xc0000080)
		efer = v;
	else
		CU_FAIL("another MSR");
}

uint64_t rdmsr(uint32_t msr)
{
	return msr == 0xc0000080 ? 0xd01 : 0;
}

/* Words used here, at places of their own. */
bool policy_has(const struct cpu_policy *p, unsigned int f)
{
	switch (f / 32) {
	case FEAT_7B0:
		return p->feat[0].b >> (f % 32) & 1;
	case FEAT_7D0:
		return p->feat[0].d >> (f % 32) & 1;
	case FEAT_E8B:
		return p->ext[8].b >> (f % 32) & 1;
	case FEAT_E21A:
		return p->ext[0x21].a >> (f % 32) & 1;
	case FEAT_E21C:
		return p->ext[0x21].c >> (f % 32) & 1;
	case FEAT_10AL:
		return p->arch_caps >> (f % 32) & 1;
	}
	return false;
}

static void cpu(uint32_t f7d, uint32_t e8b, uint32_t e21a, uint32_t e21c, uint64_t caps)
{
	memset(&host_policy, 0, sizeof(host_policy));
	host_policy.feat[0].d = f7d;
	host_policy.ext[8].b = e8b;
	host_policy.ext[0x21].a = e21a;
	host_policy.ext[0x21].c = e21c;
	host_policy.arch_caps = caps;
	spec_ctrl = pred_cmd = efer = 0;
	host_cpu_info.spec_flags = 0;
	spec_init();
	spec_init_cpu();
	branch_predictor_barrier();
}

static void test_none(void)
{
	cpu(0, 0, 0, 0, 0);
	CU_ASSERT_EQUAL(spec_ctrl | pred_cmd | efer, 0);
	CU_ASSERT_EQUAL(host_cpu_info.spec_flags, 0);
}

static void test_intel(void)
{
	cpu(1u << 26 | 1u << 10, 0, 0, 0, 0); /* IBRSB, MD_CLEAR: an old one */
	CU_ASSERT_EQUAL(pred_cmd, 1);
	CU_ASSERT_EQUAL(spec_ctrl, 0);
	CU_ASSERT_EQUAL(host_cpu_info.spec_flags, SPEC_VERW);
	cpu(1u << 26 | 1u << 10, 0, 0, 0, 1u << 1 | 1u << 5); /* enhanced IBRS, MDS_NO */
	CU_ASSERT_EQUAL(spec_ctrl, 1);
	CU_ASSERT_EQUAL(host_cpu_info.spec_flags, 0);
	cpu(1u << 26 | 1u << 10, 0, 0, 0, 1u << 5 | 1u << 17); /* MMIO stale data */
	CU_ASSERT_EQUAL(host_cpu_info.spec_flags, SPEC_VERW);
	cpu(1u << 26 | 1u << 10, 0, 0, 0, 1u << 5 | 1u << 28); /* registers' */
	CU_ASSERT_EQUAL(host_cpu_info.spec_flags, SPEC_VERW);
	cpu(1u << 26 | 1u << 10, 0, 0, 0, 1u << 5);
	host_policy.feat[0].b = 1u << 11; /* RTM, and no TAA_NO */
	spec_init();
	CU_ASSERT_TRUE(spec_verw);
	host_policy.arch_caps |= 1u << 8;
	spec_init();
	CU_ASSERT_FALSE(spec_verw);
}

static void test_amd(void)
{
	cpu(0, 1u << 12, 0, 0, 0);
	CU_ASSERT_EQUAL(pred_cmd, 1);
	CU_ASSERT_EQUAL(spec_ctrl, 0);
	cpu(0, 1u << 12, 1u << 8, 0, 0); /* automatic IBRS */
	CU_ASSERT_EQUAL(efer, 0xd01 | 1u << 21);
	CU_ASSERT_EQUAL(spec_ctrl, 0);
	cpu(0, 0, 1u << 5, 1u << 1, 0); /* VERW_CLEAR, one of two kinds of TSA */
	CU_ASSERT_EQUAL(host_cpu_info.spec_flags, SPEC_VERW);
	cpu(0, 0, 1u << 5, 3u << 1, 0);
	CU_ASSERT_EQUAL(host_cpu_info.spec_flags, 0);
	CU_ASSERT_EQUAL(pred_cmd, 0);
}

/* L1TF: of Intel's without RDCL_NO, and not for dom0. */
static void test_l1tf(void)
{
	cpu(0, 0, 0, 0, 0);
	host_policy.vendor = VENDOR_INTEL;
	CU_ASSERT_TRUE(spec_l1tf_checked(false));
	CU_ASSERT_FALSE(spec_l1tf_checked(true));
	host_policy.arch_caps = 1;
	CU_ASSERT_FALSE(spec_l1tf_checked(false));
	host_policy.arch_caps = 0;
	host_policy.vendor = VENDOR_AMD;
	CU_ASSERT_FALSE(spec_l1tf_checked(false));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"nothing there", test_none}, {"Intel", test_intel}, {"AMD", test_amd},
		{"L1TF", test_l1tf},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_spec", tests);
}
