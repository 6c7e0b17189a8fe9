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
bool cpu_has_fsgsbase;
static bool cpu_has_nx;

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
	enum { EDX1, ECX1, EBX7, REGISTERS };
	static const struct {
		uint8_t reg, bit;
		uint64_t cr4;
	} features[] = {
		{EDX1, 7, CR4_MCE},   {EBX7, 0, CR4_FSGSBASE}, {ECX1, 26, CR4_OSXSAVE},
		{EBX7, 7, CR4_SMEP},  {EBX7, 20, CR4_SMAP},
	};
	uint32_t found[REGISTERS] = {0}, r[4];

	cpuid(1, 0, r);
	found[EDX1] = r[3];
	found[ECX1] = r[2];
	cpuid(0, 0, r);
	if (r[0] >= 7) {
		cpuid(7, 0, r);
		found[EBX7] = r[1];
	}
	cr4_features = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++)
		if (found[features[i].reg] >> features[i].bit & 1)
			cr4_features |= features[i].cr4;
	cpu_has_fsgsbase = cr4_features & CR4_FSGSBASE;
	if (cr4_features & CR4_SMAP)
		patch_smap_sites();
	cpuid(0x80000001, 0, r);
	cpu_has_nx = r[3] >> 20 & 1;
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
