// SPDX-License-Identifier: GPL-2.0-only
/* Extended state: XCR0s that a guest may load, images that tools set, switches between
 * vcpus that have enabled different states. The CPU's registers are one area here. */
#include "tests/unit/suite.h"

#include <string.h>

#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/fpu_insn.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/pv/debugreg.h"

#define AREA 2688

static struct domain dom;
static struct cpu_policy policy;
static struct vcpu a, b;
static uint64_t xcr0, cr0 = 0x80050033;
static _Alignas(64) char registers[AREA];
static unsigned int xsetbvs, cleared;

void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t r[4])
{
	static const uint32_t sizes[8] = {0, 0, 256, 64, 64, 64, 512, 1024};
	static const uint32_t offsets[8] = {0, 0, 576, 960, 1024, 1088, 1152, 1664};

	memset(r, 0, 16);
	if (leaf == 1)
		r[2] = 1 << 26;
	else if (leaf == 0xd && !subleaf)
		r[0] = 0x2ff; /* MPX and PKRU too, which PV guests do not get */
	else if (leaf == 0xd && subleaf < 8) {
		r[0] = sizes[subleaf];
		r[1] = offsets[subleaf];
	}
}

void xsetbv(uint32_t n, uint64_t v)
{
	CU_ASSERT_EQUAL(n, 0);
	xcr0 = v;
	xsetbvs++;
}

void clts(void) { cr0 &= ~(uint64_t)X86_CR0_TS; }
void fninit(void) {}
void clear_fpu_pointers(void) { cleared++; }
uint64_t read_cr0(void) { return cr0; }
void write_cr0(uint64_t v) { cr0 = v; }

void fxsave(struct xsave_area *area)
{
	memset(area, 0, sizeof(*area));
	area->legacy.mxcsr_mask = 0xffff;
}

void xsave(struct xsave_area *area)
{
	CU_ASSERT_FALSE(cr0 & X86_CR0_TS); /* it would be #NM, here */
	CU_ASSERT_EQUAL(xcr0, 0xe7);
	memcpy(area, registers, AREA);
}

bool xrstor(const struct xsave_area *area)
{
	CU_ASSERT_EQUAL(xcr0, 0xe7);
	if (area->header.xstate_bv & ~0xe7ull || area->header.xcomp_bv || area->legacy.mxcsr >> 16)
		return false;
	memcpy(registers, area, AREA);
	return true;
}

bool fxrstor(const struct xsave_area *area)
{
	(void)area;
	CU_FAIL("XSAVE is there");
	return true;
}

static void setup(void)
{
	fpu_vcpu_destroy(&a);
	fpu_vcpu_destroy(&b);
	fpu_init_cpu();
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	dom.policy = &policy;
	policy.xstate[0].a = 0xe7;
	a.domain = b.domain = &dom;
	CU_ASSERT_EQUAL_FATAL(fpu_vcpu_init(&a) | fpu_vcpu_init(&b), 0);
	set_current(&a);
}

static void test_xcr0(void)
{
	static const uint64_t good[] = {1, 3, 7, 0xe7}, bad[] = {0, 2, 4, 5, 6, 0x23, 0x27, 0xe3, 0x67,
								 0x207, 0x1f, 1ull << 63 | 7, ~0ull};

	setup();
	CU_ASSERT_EQUAL(fpu_host_xcr0(), 0xe7);
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++)
		CU_ASSERT_EQUAL(fpu_set_xcr0(&a, good[i]), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		CU_ASSERT_EQUAL(fpu_set_xcr0(&a, bad[i]), -EINVAL);
	CU_ASSERT_EQUAL(a.fpu.xcr0, 0xe7);
	policy.xstate[0].a = 3; /* the domain has no AVX */
	CU_ASSERT_EQUAL(fpu_set_xcr0(&a, 7), -EINVAL);
	CU_ASSERT_EQUAL(fpu_area_size(1), 576);
	CU_ASSERT_EQUAL(fpu_area_size(7), 832);
	CU_ASSERT_EQUAL(fpu_area_size(0xe7), 2688);
}

static void test_switch(void)
{
	setup();
	fpu_restore(&a);
	CU_ASSERT_EQUAL(xcr0, 1); /* as after power-on */
	CU_ASSERT_EQUAL(fpu_set_xcr0(&a, 7), 0);
	CU_ASSERT_EQUAL(xcr0, 7);
	memset(registers, 0x77, 512);
	memset(registers + 576, 0x99, 256); /* ymm */
	memset(registers + 512, 0, 64);
	registers[512] = 7;
	((struct xsave_area *)registers)->legacy.mxcsr = 0x1f80;
	a.pv.ctrlreg[0] = X86_CR0_TS;
	fpu_set_ts(true);
	fpu_save(&a);
	fpu_restore(&b);
	/* b has not AVX on, and would find a's if it were in the registers still. */
	CU_ASSERT_EQUAL(registers[600], 0);
	CU_ASSERT_FALSE(cr0 & X86_CR0_TS);
	CU_ASSERT_EQUAL(xcr0, 1);
	fpu_save(&b);
	fpu_restore(&a);
	CU_ASSERT_EQUAL((uint8_t)registers[600], 0x99);
	CU_ASSERT_EQUAL(xcr0, 7);
	CU_ASSERT_TRUE(cr0 & X86_CR0_TS);
	CU_ASSERT_EQUAL(cleared, 3);
	/* Two that have the machine's XCR0: it is not written again. */
	a.fpu.xcr0 = b.fpu.xcr0 = 0xe7;
	fpu_save(&a);
	xsetbvs = 0;
	fpu_restore(&b);
	fpu_save(&b);
	fpu_restore(&a);
	CU_ASSERT_EQUAL(xsetbvs, 0);
}

static void test_images(void)
{
	static _Alignas(64) union {
		struct xsave_area area;
		char bytes[AREA + 64];
	} in;
	char legacy[512];

	setup();
	memset(&in, 0, sizeof(in));
	in.area.legacy.mxcsr = ~0u;
	in.area.header.xstate_bv = 7;
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 7, 7, &in, 832), 0);
	CU_ASSERT_EQUAL(a.fpu.area->legacy.mxcsr, 0xffff);
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 7, 7, &in, 831), -EINVAL); /* ymm is cut off */
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 7, 7, &in, 100), -EINVAL);
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 7, 7, &in, AREA + 8), -EINVAL); /* more than there is */
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 7, 3, &in, 832), -EINVAL);
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 3, 3, &in, 832), -EINVAL);
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 0x207, 0x207, &in, 832), -EINVAL);
	in.area.header.xcomp_bv = 1ull << 63;
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 7, 7, &in, 832), -EINVAL);
	in.area.header.xcomp_bv = 0;
	in.area.header.reserved[5] = 1;
	CU_ASSERT_EQUAL(fpu_set_xsave(&a, 7, 7, &in, 832), -EINVAL);

	memset(legacy, 0x55, sizeof(legacy));
	fpu_set_legacy(&a, legacy);
	CU_ASSERT_EQUAL(a.fpu.area->header.xstate_bv, 3);
	CU_ASSERT_EQUAL(a.fpu.area->legacy.mxcsr, 0x5555);
	memset(legacy, 0, sizeof(legacy));
	fpu_get_legacy(&a, legacy);
	CU_ASSERT_EQUAL(legacy[200], 0x55);
	a.fpu.area->header.xstate_bv = 0; /* as XSAVE leaves it: nothing was written */
	fpu_get_legacy(&a, legacy);
	CU_ASSERT_EQUAL(legacy[200], 0);
	CU_ASSERT_EQUAL(*(uint16_t *)legacy, 0x37f);

	/* What the CPU refuses all the same is replaced, not the end of us. */
	a.fpu.area->header.xcomp_bv = 1;
	fpu_restore(&a);
	CU_ASSERT_EQUAL(((struct xsave_area *)registers)->legacy.fcw, 0x37f);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"XCR0", test_xcr0}, {"switch", test_switch}, {"images", test_images},
		CU_TEST_INFO_NULL,
	};
	int rc = suite_main("hv_fpu", tests);

	fpu_vcpu_destroy(&a);
	fpu_vcpu_destroy(&b);
	return rc;
}
