// SPDX-License-Identifier: GPL-2.0-only
/*
 * XPTI: against Meltdown a PV guest runs under a root that maps of the hypervisor only what
 * an entry needs: its code, IDT, TSS, GDT and LDTs, the CPU's stack, the M2P. A root a CPU:
 * its guest half is a copy of the vcpu's. A copy may be older than the vcpu's root: what is
 * taken away there is followed by a TLB flush (every flush makes a new copy), what is added
 * is found by a page fault.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/cpu/spec.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/mode.h"

#define CR4_PGE       (1ull << 7)
#define L4_INDEX(va)  ((va) >> 39 & 511)
#define TABLE         (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_US)
#define ACCESSED      (PTE_A | PTE_D)

bool xpti_enabled;
static int opt_xpti = -1;

extern char entry_text_start[], entry_text_end[];
DECLARE_PER_CPU(struct tss, tss);
static DEFINE_PER_CPU(uint64_t *, xpti_l4);
static DEFINE_PER_CPU(uint64_t *, xpti_perdomain_l3);
static DEFINE_PER_CPU(uint32_t, xpti_copied_at); /* in tlb_emptied_at's time */

static int parse_xpti(const char *s)
{
	opt_xpti = strcmp(s, "dom0,domu") ? parse_bool(s, strlen(s)) : 1;
	return MIN(opt_xpti, 0);
}
BOOT_OPTION_FN("xpti", parse_xpti);

void xpti_init(void)
{
	xpti_enabled = opt_xpti < 0 ? spec_reads_l1() : opt_xpti;
	/* Global entries would stay in the TLB while the guest runs. */
	if (xpti_enabled)
		cr4_features &= ~CR4_PGE;
	printk(LOG_INFO, "XPTI: %s, CR4 %#lx\n", xpti_enabled ? "on" : "off", cr4_features);
}

/* One page of the hypervisor's, under the CPU's root. Tables are made as needed. */
static int map_page(uint64_t *l4, uint64_t va, uint64_t maddr, uint64_t flags)
{
	uint64_t *l4e = &l4[L4_INDEX(va)], *l1e;
	void *l3;

	if (!(*l4e & PTE_P)) {
		l3 = heap_pages(0);
		if (!l3)
			return -ENOMEM;
		*l4e = virt_to_maddr(l3) | TABLE;
	}
	l1e = paging_l1e(maddr_to_virt(*l4e & PTE_ADDR), va, true);
	if (!l1e)
		return -ENOMEM;
	*l1e = maddr | (flags & ~PTE_G);
	return 0;
}

/* Everything [@p, @p + n) of ours is in the image or in the direct map. */
static int map_range(uint64_t *l4, const void *p, size_t n, uint64_t flags)
{
	uint64_t va = (uint64_t)p & PAGE_MASK, end = (uint64_t)p + n;
	int rc = 0;

	for (; !rc && va < end; va += PAGE_SIZE)
		rc = map_page(l4, va,
			      va < FRAME_TABLE_START ? image_to_maddr((void *)va) :
						       virt_to_maddr((void *)va), flags);
	return rc;
}

static int map_stack(uint64_t *l4)
{
	char *stack = (char *)((uint64_t)cpu_info() & ~(STACK_SIZE - 1));
	int rc = 0;

	for (unsigned int i = 0; !rc && i < STACK_SIZE / PAGE_SIZE; i++)
		if (i != STACK_GUARD_PAGE)
			rc = map_range(l4, stack + i * PAGE_SIZE, 1, PTE_HV);
	return rc;
}

/* On the CPU itself; once. @stub: where SYSCALL enters. */
int xpti_init_cpu(uint64_t stub, uint64_t stub_maddr)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) idt;
	uint64_t *l4, *l3;
	int rc;

	if (!xpti_enabled || this_cpu_var(xpti_l4))
		return 0;
	if (cpu_info()->cr4 & CR4_PGE) {
		cpu_info()->cr4 &= ~CR4_PGE;
		write_cr4(cpu_info()->cr4);
	}
	l4 = heap_pages(0);
	l3 = heap_pages(0);
	if (!l4 || !l3)
		return -ENOMEM;
	__asm__ volatile("sidt %0" : "=m"(idt));
	rc = map_stack(l4);
	if (!rc)
		rc = map_range(l4, &this_cpu_var(tss), sizeof(struct tss), PTE_HV);
	if (!rc)
		rc = map_range(l4, (void *)idt.base, PAGE_SIZE, PTE_HV_RO);
	if (!rc)
		rc = map_range(l4, entry_text_start, (size_t)(entry_text_end - entry_text_start),
			       PTE_HV_CODE);
	if (!rc)
		rc = map_page(l4, stub, stub_maddr, PTE_HV_CODE);
	l4[L4_INDEX(M2P_RO_START)] = idle_l4[L4_INDEX(M2P_RO_START)];
	l4[L4_INDEX(PERDOMAIN_START)] = virt_to_maddr(l3) | TABLE;
	this_cpu_var(xpti_l4) = l4;
	this_cpu_var(xpti_perdomain_l3) = l3;
	return rc;
}

void xpti_load(const struct vcpu *v)
{
	struct cpu_info *info = cpu_info();

	if (v && xpti_enabled) {
		info->hypervisor_cr3 = v->pv.cr3;
		info->guest_cr3 = virt_to_maddr(this_cpu_var(xpti_l4));
	} else {
		info->hypervisor_cr3 = info->guest_cr3 = 0;
	}
}

void xpti_refresh(const struct vcpu *v)
{
	uint32_t emptied = READ_ONCE(this_cpu_var(tlb_emptied_at));
	uint64_t *l4 = this_cpu_var(xpti_l4);
	const uint64_t *root;

	if (this_cpu_var(xpti_copied_at) == emptied)
		return;
	this_cpu_var(xpti_copied_at) = emptied;
	root = map_frame(maddr_to_mfn(v->pv.cr3));
	memcpy(l4, root, HV_FIRST_SLOT * 8);
	memcpy(&l4[HV_LAST_SLOT + 1], &root[HV_LAST_SLOT + 1], (511 - HV_LAST_SLOT) * 8);
	unmap_frame(root);
	/* GDTs and LDTs are below the windows, which are nobody's business. */
	_Static_assert((MAX_VCPUS << GDT_LDT_VCPU_SHIFT) <= 1ul << 30, "one entry of an L3");
	this_cpu_var(xpti_perdomain_l3)[0] = v->domain->perdomain_l3[0];
}

bool xpti_fault(const struct vcpu *v, uint64_t address)
{
	unsigned int i = L4_INDEX(address);
	const uint64_t *root;
	bool changed;

	if (i >= HV_FIRST_SLOT && i <= HV_LAST_SLOT)
		return false;
	root = map_frame(maddr_to_mfn(v->pv.cr3));
	changed = (READ_ONCE(root[i]) ^ this_cpu_var(xpti_l4)[i]) & ~ACCESSED;
	unmap_frame(root);
	if (changed)
		this_cpu_var(xpti_copied_at) = this_cpu_var(tlb_emptied_at) - 1;
	return changed;
}
