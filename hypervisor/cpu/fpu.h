/* SPDX-License-Identifier: GPL-2.0-only */
/* FPU and extended state: XSAVE (or FXSAVE), switched eagerly. */
#ifndef HV_FPU_H
#define HV_FPU_H

#include "hypervisor/domain/domain.h"

#define XSTATE_FP     1ull
#define XSTATE_SSE    2ull
#define XSTATE_YMM    4ull
#define XSTATE_AVX512 0xe0ull

/* The standard format: legacy region, header, components at CPUID's offsets. */
struct xsave_area {
	struct fxsave_image {
		uint16_t fcw, fsw;
		uint8_t ftw, reserved;
		uint16_t fop;
		uint64_t fip, fdp;
		uint32_t mxcsr, mxcsr_mask;
		uint8_t st[128], xmm[256], rest[96];
	} legacy;
	struct xsave_header {
		uint64_t xstate_bv, xcomp_bv, reserved[6];
	} header;
	uint8_t extended[];
} __attribute__((aligned(64)));

void fpu_init_cpu(void); /* CR0, CR4.OSXSAVE, XCR0; first on the boot CPU */
uint64_t fpu_host_xcr0(void);     /* what guests may have; 0: no XSAVE */
uint32_t fpu_area_size(uint64_t xcr0); /* uncompressed, as CPUID 0xd.0 EBX says */
int fpu_vcpu_init(struct vcpu *v); /* -ENOMEM */
void fpu_vcpu_destroy(struct vcpu *v);
void fpu_reset(struct vcpu *v);   /* as after power-on, in memory */
void fpu_save(struct vcpu *v);    /* from the CPU */
void fpu_restore(struct vcpu *v); /* onto it; CR0.TS as the guest has it */
bool fpu_valid_xcr0(const struct domain *d, uint64_t xcr0);
int fpu_set_xcr0(struct vcpu *v, uint64_t xcr0); /* XSETBV by current; -EINVAL */
void fpu_set_ts(bool on);
/* Legacy FXSAVE image in and out (vcpu_guest_context). */
void fpu_set_legacy(struct vcpu *v, const void *fxsave);
void fpu_get_legacy(const struct vcpu *v, void *fxsave);
/* XEN_DOMCTL_get/setvcpuextstate: whole area. 0/-EINVAL. */
int fpu_set_xsave(struct vcpu *v, uint64_t xcr0, uint64_t xcr0_accum, const void *area, size_t n);

#endif
