// SPDX-License-Identifier: GPL-2.0-only
/*
 * Extended state of vcpus, saved and restored whole at each switch: what one vcpu leaves in
 * registers that the next has not enabled would be there when it enables them. So both
 * happen with the machine's XCR0; the vcpu's own is loaded afterwards if it is another.
 */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/fpu_insn.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/debugreg.h"

/* What is passed on to guests: PKRU is not PV's, the tiles (AMX) are nobody's yet. */
#define XSTATE_KNOWN (XSTATE_FP | XSTATE_SSE | XSTATE_YMM | XSTATE_AVX512)

#define LEGACY_SIZE  512u
#define XSAVE_MIN    (LEGACY_SIZE + 64u)
#define FCW_DEFAULT  0x37f
#define MXCSR_DEFAULT 0x1f80

static uint64_t host_xcr0;
static uint32_t area_size = LEGACY_SIZE, mxcsr_mask = 0xffbf;
static struct {
	uint32_t offset, size;
} component[64];
static DEFINE_PER_CPU(uint64_t, loaded_xcr0);

uint64_t fpu_host_xcr0(void)
{
	return host_xcr0;
}

uint32_t fpu_area_size(uint64_t xcr0)
{
	uint32_t size = XSAVE_MIN;

	for (unsigned int i = 2; i < 63; i++)
		if (xcr0 >> i & 1 && component[i].offset + component[i].size > size)
			size = component[i].offset + component[i].size;
	return size;
}

static void load_xcr0(uint64_t xcr0)
{
	if (this_cpu_var(loaded_xcr0) == xcr0)
		return;
	this_cpu_var(loaded_xcr0) = xcr0;
	xsetbv(0, xcr0);
}

static void detect_xsave(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	if (!(r[2] >> 26 & 1))
		return;
	cpuid(0xd, 0, r);
	host_xcr0 = ((uint64_t)r[3] << 32 | r[0]) & XSTATE_KNOWN;
	for (unsigned int i = 2; i < 63; i++) {
		if (!(host_xcr0 >> i & 1))
			continue;
		cpuid(0xd, i, r);
		component[i].size = r[0];
		component[i].offset = r[1];
	}
	area_size = fpu_area_size(host_xcr0);
}

static void detect_mxcsr_mask(void)
{
	static struct xsave_area probe;

	fxsave(&probe);
	if (probe.legacy.mxcsr_mask)
		mxcsr_mask = probe.legacy.mxcsr_mask;
}

void fpu_init_cpu(void)
{
	clts();
	fninit();
	if (!host_xcr0)
		detect_xsave();
	if (host_xcr0) {
		this_cpu_var(loaded_xcr0) = 0;
		load_xcr0(host_xcr0);
	}
	detect_mxcsr_mask();
}

int fpu_vcpu_init(struct vcpu *v)
{
	v->fpu.area = xzalloc_bytes(area_size, 64);
	if (!v->fpu.area)
		return -ENOMEM;
	fpu_reset(v);
	return 0;
}

void fpu_vcpu_destroy(struct vcpu *v)
{
	xfree(v->fpu.area);
	v->fpu.area = NULL;
}

static void reset_area(struct xsave_area *a)
{
	memset(a, 0, area_size);
	a->legacy.fcw = FCW_DEFAULT;
	a->legacy.mxcsr = MXCSR_DEFAULT;
}

void fpu_reset(struct vcpu *v)
{
	reset_area(v->fpu.area);
	v->fpu.xcr0 = host_xcr0 ? XSTATE_FP : 0;
	v->fpu.xcr0_accum = v->fpu.xcr0;
}

void fpu_set_ts(bool on)
{
	if (on)
		write_cr0(read_cr0() | X86_CR0_TS);
	else
		clts();
}

void fpu_save(struct vcpu *v)
{
	if (v->pv.ctrlreg[0] & X86_CR0_TS)
		clts();
	if (!host_xcr0) {
		fxsave(v->fpu.area);
		return;
	}
	load_xcr0(host_xcr0);
	xsave(v->fpu.area);
}

void fpu_restore(struct vcpu *v)
{
	/* Before XRSTOR: AMD's leaves FIP, FDP and FOP alone unless an exception is pending, and
	 * they are another vcpu's. A load of our own overwrites them. */
	clear_fpu_pointers();
	if (host_xcr0)
		load_xcr0(host_xcr0);
	/* An image that was set by tools and that the CPU refuses is as good as none. */
	if (unlikely(!(host_xcr0 ? xrstor(v->fpu.area) : fxrstor(v->fpu.area)))) {
		reset_area(v->fpu.area);
		if (!(host_xcr0 ? xrstor(v->fpu.area) : fxrstor(v->fpu.area)))
			BUG();
	}
	if (host_xcr0)
		load_xcr0(v->fpu.xcr0);
	if (v->pv.ctrlreg[0] & X86_CR0_TS)
		fpu_set_ts(true);
}

/* SDM vol. 1, 13.3: what must go together. */
static bool xcr0_consistent(uint64_t x)
{
	if (!(x & XSTATE_FP) || x & ~host_xcr0)
		return false;
	if (x & XSTATE_YMM && !(x & XSTATE_SSE))
		return false;
	if (x & XSTATE_AVX512 && ((x & XSTATE_AVX512) != XSTATE_AVX512 || !(x & XSTATE_YMM)))
		return false;
	return true;
}

bool fpu_valid_xcr0(const struct domain *d, uint64_t xcr0)
{
	const struct cpuid_leaf *x = &d->policy->xstate[0];

	return xcr0_consistent(xcr0) && !(xcr0 & ~((uint64_t)x->d << 32 | x->a));
}

int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0)
{
	if (!host_xcr0 || !fpu_valid_xcr0(v->domain, xcr0))
		return -EINVAL;
	v->fpu.xcr0 = xcr0;
	v->fpu.xcr0_accum |= xcr0;
	if (v == current)
		load_xcr0(xcr0);
	return 0;
}

void fpu_set_legacy(struct vcpu *v, const void *fxsave_image)
{
	struct xsave_area *a = v->fpu.area;

	reset_area(a);
	memcpy(&a->legacy, fxsave_image, LEGACY_SIZE);
	a->legacy.mxcsr &= mxcsr_mask;
	if (host_xcr0)
		a->header.xstate_bv = XSTATE_FP | XSTATE_SSE;
}

void fpu_get_legacy(const struct vcpu *v, void *fxsave_image)
{
	const struct xsave_area *a = v->fpu.area;
	struct fxsave_image out = a->legacy;

	/* What is in its initial state was not written by XSAVE. */
	if (host_xcr0 && !(a->header.xstate_bv & XSTATE_FP)) {
		memset(&out, 0, offsetof(struct fxsave_image, mxcsr));
		out.fcw = FCW_DEFAULT;
		memset(out.st, 0, sizeof(out.st));
	}
	if (host_xcr0 && !(a->header.xstate_bv & XSTATE_SSE))
		memset(out.xmm, 0, sizeof(out.xmm));
	memcpy(fxsave_image, &out, LEGACY_SIZE);
}

int fpu_set_xsave(struct vcpu *v, uint64_t xcr0, uint64_t xcr0_accum, const void *image, size_t n)
{
	struct xsave_area *a = v->fpu.area;
	struct xsave_header h;

	if (!host_xcr0 || n < XSAVE_MIN || n > area_size || !fpu_valid_xcr0(v->domain, xcr0) ||
	    !xcr0_consistent(xcr0_accum) || xcr0 & ~xcr0_accum)
		return -EINVAL;
	memcpy(&h, (const char *)image + LEGACY_SIZE, sizeof(h));
	if (h.xstate_bv & ~xcr0_accum || h.xcomp_bv)
		return -EINVAL;
	for (unsigned int i = 0; i < ARRAY_SIZE(h.reserved); i++)
		if (h.reserved[i])
			return -EINVAL;
	if (n < fpu_area_size(h.xstate_bv))
		return -EINVAL;
	reset_area(a);
	memcpy(a, image, n);
	a->legacy.mxcsr &= mxcsr_mask;
	v->fpu.xcr0 = xcr0;
	v->fpu.xcr0_accum = xcr0_accum;
	return 0;
}
