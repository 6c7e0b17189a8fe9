// SPDX-License-Identifier: GPL-2.0-only
/* Control registers, EFER and PAT of a CPU; what the boot CPU found holds for all. */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"

#define MSR_PAT  0x277
#define MSR_EFER 0xc0000080

#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)

#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

uint64_t cr4_features;
bool cpu_has_smap, cpu_has_smep, cpu_has_fsgsbase, cpu_has_xsave, cpu_has_nx;

struct smap_site {
	int32_t offset;
	uint32_t insn; /* three bytes */
};
extern struct smap_site smap_sites_start[], smap_sites_end[];

/* STAC and CLAC where head's tables still let the code be written. */
static void patch_smap_sites(void)
{
	for (struct smap_site *s = smap_sites_start; s < smap_sites_end; s++)
		memcpy((char *)&s->offset + s->offset, &s->insn, 3);
}

static void detect(void)
{
	uint32_t max[4], r[4], f[4] = {0};

	cpuid(0, 0, max);
	cpuid(1, 0, r);
	if (max[0] >= 7)
		cpuid(7, 0, f);
	cpu_has_fsgsbase = f[1] & 1;
	cpu_has_smep = f[1] >> 7 & 1;
	cpu_has_smap = f[1] >> 20 & 1;
	cpu_has_xsave = r[2] >> 26 & 1;
	cpuid(0x80000001, 0, f);
	cpu_has_nx = f[3] >> 20 & 1;
	cr4_features = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	if (r[3] >> 7 & 1)
		cr4_features |= CR4_MCE;
	if (cpu_has_fsgsbase)
		cr4_features |= CR4_FSGSBASE;
	if (cpu_has_xsave)
		cr4_features |= CR4_OSXSAVE;
	if (cpu_has_smep)
		cr4_features |= CR4_SMEP;
	if (cpu_has_smap)
		cr4_features |= CR4_SMAP;
	if (cpu_has_smap)
		patch_smap_sites();
}

void cpu_setup(void)
{
	uint64_t efer;

	if (!cr4_features)
		detect();
	efer = rdmsr(MSR_EFER) | 1; /* SCE */
	if (cpu_has_nx)
		efer |= 1 << 11;
	wrmsr(MSR_EFER, efer);
	write_cr0((read_cr0() | CR0_MP | CR0_NE | CR0_WP) & ~(CR0_EM | CR0_TS | CR0_NW | CR0_CD));
	write_cr4(cr4_features);
	cpu_info()->cr4 = cr4_features;
	/* As PV guests are told: WB WT UC- UC WC WP UC UC. No mapping uses 4 or 5 yet. */
	wrmsr(MSR_PAT, PAT_VALUE);
}
