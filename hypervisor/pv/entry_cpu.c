// SPDX-License-Identifier: GPL-2.0-only
/*
 * What SYSCALL and SYSENTER of one CPU need: MSRs, and stubs that find its stack. Segment
 * bases are the guest's, so the stack's address is a constant in code of the CPU's own.
 * Also the contents of hypercall pages.
 */
#include "hypervisor/cpu/gdt.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/spec.h"
#include "hypervisor/lib/lib.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/trap.h"
#include "hypervisor/pv/mode.h"

#define MSR_SYSENTER_CS  0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_STAR         0xc0000081
#define MSR_LSTAR        0xc0000082
#define MSR_CSTAR        0xc0000083
#define MSR_SYSCALL_MASK 0xc0000084

/* A page a CPU, near enough to the image for a relative jump. */
#define STUBS_START (IMAGE_START + (1ul << 30))
#define STUB_SIZE   32

void syscall_entry(void);
void syscall32_entry(void);
void sysenter_entry(void);

static uint8_t *emit(uint8_t *p, const void *bytes, size_t n)
{
	memcpy(p, bytes, n);
	return p + n;
}

/*
 * movabs %rax, (regs.rax); movabs $end of frame, %rax; xchg %rsp, %rax; jmp @target.
 * @code is where it is written, @va where it will run.
 */
static void write_stub(uint8_t *code, uint64_t va, struct cpu_info *info, uint64_t target)
{
	uint64_t rax = (uint64_t)&info->regs.rax, frame = (uint64_t)&info->regs.es;
	uint8_t *p = code;
	int32_t rel;

	p = emit(p, "\x48\xa3", 2);
	p = emit(p, &rax, 8);
	p = emit(p, "\x48\xb8", 2);
	p = emit(p, &frame, 8);
	p = emit(p, "\x48\x94\xe9", 3);
	rel = (int32_t)(target - (va + (uint64_t)(p - code) + 4));
	emit(p, &rel, 4);
}

int pv_entry_init_cpu(void)
{
	uint64_t va = STUBS_START + (uint64_t)this_cpu * PAGE_SIZE;
	uint8_t *page = heap_pages(0);
	int err;

	if (!page)
		return -ENOMEM;
	memset(page, 0xcc, PAGE_SIZE);
	write_stub(page, va, cpu_info(), (uint64_t)syscall_entry);
	write_stub(page + STUB_SIZE, va + STUB_SIZE, cpu_info(), (uint64_t)syscall32_entry);
	err = hv_map(va, virt_to_mfn(page), 1, PTE_HV_CODE);
	if (err) {
		heap_free(page, 0);
		return err;
	}
	if (!this_cpu) {
		xpti_init();
		spec_init();
	}
	spec_init_cpu();
	err = xpti_init_cpu(va, virt_to_maddr(page));
	if (err)
		return err;

	wrmsr(MSR_STAR, (uint64_t)FLAT_RING3_CS32 << 48 | (uint64_t)HV_CS << 32);
	wrmsr(MSR_LSTAR, va);
	wrmsr(MSR_CSTAR, va + STUB_SIZE);
	wrmsr(MSR_SYSCALL_MASK, X86_FLAGS_TF | X86_FLAGS_IF | X86_FLAGS_DF | X86_FLAGS_IOPL |
					X86_FLAGS_NT | X86_FLAGS_RF | X86_FLAGS_VM | X86_FLAGS_AC);
	/* AMD's has no SYSENTER in long mode, but the MSRs. */
	wrmsr(MSR_SYSENTER_CS, HV_CS);
	wrmsr(MSR_SYSENTER_ESP, (uint64_t)&cpu_info()->regs.es);
	wrmsr(MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
	return 0;
}

/* Number @i at 32 * @i: push %rcx; push %r11; mov $i, %eax; syscall; pop; pop; ret. */
void hypercall_page_fill(void *page)
{
	uint32_t i;

	memset(page, 0xcc, PAGE_SIZE);
	for (i = 0; i < PAGE_SIZE / 32; i++) {
		uint8_t *p = (uint8_t *)page + i * 32;

		p = emit(p, "\x51\x41\x53", 3);
		if (i == __HYPERVISOR_iret) /* rax, r11, rcx top struct iret_context */
			p = emit(p, "\x50", 1);
		p = emit(p, "\xb8", 1);
		p = emit(p, &i, 4);
		p = emit(p, "\x0f\x05", 2);
		if (i != __HYPERVISOR_iret)
			emit(p, "\x41\x5b\x59\xc3", 4);
	}
}
