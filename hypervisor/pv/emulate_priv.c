// SPDX-License-Identifier: GPL-2.0-only
/*
 * Privileged instructions that a PV kernel executes in ring 3, and that arrive here as #GP;
 * and CPUID behind the forced-emulation prefix, which arrives as #UD.
 */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/emulate.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/trap.h"

#define CR4_TSD (1u << 2)
#define DR6_BS  (1ull << 14)

/* Descriptor of @selector in the current vcpu's tables. False: outside them. */
static bool read_descriptor(struct vcpu *v, uint16_t selector, uint64_t *desc)
{
	uint64_t offset = selector & ~7ull;

	if (!(selector & 4)) {
		if (offset + 7 > HV_GDT_LIMIT)
			return false;
		return !copy_survive(desc, (void *)(GDT_VADDR(v->id) + offset), 8);
	}
	if (offset >> 3 >= v->pv.ldt_entries)
		return false;
	if (!copy_survive(desc, (void *)(LDT_VADDR(v->id) + offset), 8))
		return true;
	return pv_map_ldt_page(offset) && !copy_survive(desc, (void *)(LDT_VADDR(v->id) + offset), 8);
}

static uint64_t descriptor_base(uint64_t d)
{
	return (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24;
}

uint64_t pv_segment_base(struct vcpu *v, const struct insn *in, enum insn_segment seg)
{
	uint64_t d;
	uint16_t sel;

	if (seg == SEG_FS)
		return read_fs_base();
	if (seg == SEG_GS)
		return read_gs_base();
	if (in->mode64)
		return 0;
	sel = seg == SEG_ES ? read_es() : seg == SEG_DS ? read_ds() :
	      seg == SEG_CS ? guest_regs()->cs : guest_regs()->ss;
	return read_descriptor(v, sel, &d) ? descriptor_base(d) : 0;
}

/* Bytes at the guest's RIP; *mode64 and *base are its code segment's. */
static size_t fetch_code(struct vcpu *v, const struct cpu_user_regs *regs, uint8_t *bytes, bool *mode64)
{
	uint64_t d, a = regs->rip;

	*mode64 = true;
	if (regs->cs != FLAT_RING3_CS64) {
		if (!read_descriptor(v, regs->cs, &d))
			return 0;
		*mode64 = d >> 53 & 1; /* L */
		if (!*mode64)
			a = (uint32_t)(descriptor_base(d) + regs->rip);
		if (!*mode64 && !(d >> 54 & 1)) /* D: 16-bit code is not emulated */
			return 0;
	}
	return INSN_MAX - copy_from_guest(bytes, a, INSN_MAX);
}

static void cpuid_emulate(struct vcpu *v, struct cpu_user_regs *regs)
{
	struct cpuid_leaf l;

	policy_cpuid(v, regs->eax, regs->ecx, &l);
	regs->rax = l.a;
	regs->rbx = l.b;
	regs->rcx = l.c;
	regs->rdx = l.d;
}

static enum emulation checked(bool done)
{
	return done ? EMULATE_DONE : EMULATE_REFUSED;
}

static enum emulation emulate_rdtsc(struct vcpu *v, struct cpu_user_regs *regs)
{
	uint64_t t = pv_rdtsc(v);

	if (!v->pv.kernel_mode && v->pv.ctrlreg[4] & CR4_TSD)
		return EMULATE_REFUSED;
	regs->rax = (uint32_t)t;
	regs->rdx = t >> 32;
	return EMULATE_DONE;
}

/* 0f 20 to 0f 23. Always the full register. */
static enum emulation move_special(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in)
{
	uint64_t *r = insn_register(regs, in->rm), value;

	switch (in->opcode) {
	case 0x20:
		if (!pv_read_cr(v, in->reg, &value))
			return EMULATE_REFUSED;
		*r = value;
		return EMULATE_DONE;
	case 0x21:
		if (in->reg > 7)
			return EMULATE_REFUSED;
		*r = (uint64_t)do_get_debugreg(in->reg);
		return EMULATE_DONE;
	case 0x22:
		return pv_write_cr(v, in->reg, *r);
	default:
		return checked(in->reg <= 7 && !pv_set_debugreg(v, in->reg, *r));
	}
}

/* LMSW cannot clear PE; of the rest a guest has TS alone, and pv_write_cr() says so. */
static enum emulation emulate_lmsw(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in)
{
	uint64_t cr0, value = 0;

	if (in->memory) {
		uint64_t base = pv_segment_base(v, in, in->segment == SEG_NONE ? SEG_DS : in->segment);
		uint64_t a = base + insn_address(in, regs);

		if (copy_from_guest(&value, a, 2)) {
			pv_inject_page_fault(0, a);
			return EMULATE_INJECTED;
		}
	} else {
		value = insn_read_register(in, regs, in->rm, 2);
	}
	pv_read_cr(v, 0, &cr0);
	return pv_write_cr(v, 0, (cr0 & ~0xeull) | (value & 0xf));
}

static enum emulation emulate_group7(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in)
{
	enum emulation e;

	if (in->memory || (in->reg & 7) == 6)
		return (in->reg & 7) == 6 && v->pv.kernel_mode ? emulate_lmsw(v, regs, in) :
								 EMULATE_REFUSED;
	if ((in->reg & 7) == 7 && (in->rm & 7) == 1) { /* f9: RDTSCP */
		e = emulate_rdtsc(v, regs);
		if (e == EMULATE_DONE)
			regs->rcx = 0;
		return e;
	}
	if ((in->reg & 7) == 2 && (in->rm & 7) == 1 && v->pv.kernel_mode) /* d1: XSETBV */
		return checked(!regs->ecx &&
			       !fpu_set_xcr0(v, (uint64_t)regs->edx << 32 | regs->eax));
	return EMULATE_REFUSED;
}

static enum emulation emulate_0f(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in)
{
	uint64_t value;

	switch (in->opcode) { /* what user mode may reach */
	case 0x01:
		return emulate_group7(v, regs, in);
	case 0x31:
		return emulate_rdtsc(v, regs);
	case 0xa2:
		cpuid_emulate(v, regs);
		return EMULATE_DONE;
	}
	if (!v->pv.kernel_mode)
		return EMULATE_REFUSED;
	switch (in->opcode) {
	case 0x06:
		v->pv.ctrlreg[0] &= ~(uint64_t)X86_CR0_TS;
		fpu_set_ts(false);
		return EMULATE_DONE;
	case 0x09: /* INVD, which loses what others wrote, is nobody's */
		if (v->domain->hardware) /* only of use, and only allowed, where devices are */
			wbinvd();
		return EMULATE_DONE;
	case 0x20 ... 0x23:
		return move_special(v, regs, in);
	case 0x30:
		return checked(pv_write_msr(v, regs->ecx, (uint64_t)regs->edx << 32 | regs->eax));
	case 0x32:
		if (!pv_read_msr(v, regs->ecx, &value))
			return EMULATE_REFUSED;
		regs->rax = (uint32_t)value;
		regs->rdx = value >> 32;
		return EMULATE_DONE;
	default:
		return EMULATE_REFUSED;
	}
}

static enum emulation emulate(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in)
{
	if (in->lock)
		return EMULATE_REFUSED;
	if (in->map == MAP_0F)
		return emulate_0f(v, regs, in);
	if (in->map != MAP_ONE)
		return EMULATE_REFUSED;
	switch (in->opcode) {
	case 0x6c ... 0x6f:
	case 0xe4 ... 0xe7:
	case 0xec ... 0xef:
		return pv_emulate_io(v, regs, in);
	case 0xfa: /* CLI, STI: with IOPL they do nothing; events have a mask of their own */
	case 0xfb:
		return checked(pv_iopl_permits(v));
	default:
		return EMULATE_REFUSED;
	}
}

static void advance(struct vcpu *v, struct cpu_user_regs *regs, unsigned int length)
{
	regs->rip += length;
	regs->rflags &= ~(uint64_t)X86_FLAGS_RF;
	if (regs->rflags & X86_FLAGS_TF) {
		v->pv.debugreg[6] |= DR6_BS;
		pv_inject(TRAP_DB, 0);
	}
}

bool pv_emulate_privileged(struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	uint8_t bytes[INSN_MAX];
	struct insn in;
	bool mode64;
	size_t n;

	perfc_incr(privileged);
	n = fetch_code(v, regs, bytes, &mode64);
	if (!n || insn_decode(bytes, n, mode64, &in))
		return false;
	switch (emulate(v, regs, &in)) {
	case EMULATE_DONE:
		advance(v, regs, in.length);
		return true;
	case EMULATE_AGAIN:
	case EMULATE_INJECTED:
		return true;
	default:
		return false;
	}
}

/* UD2, "xen", CPUID: asks for the CPUID that the domain shall see. */
bool pv_invalid_op(struct cpu_user_regs *regs)
{
	static const uint8_t prefixed[7] = {0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2};
	struct vcpu *v = current;
	uint8_t bytes[INSN_MAX];
	bool mode64;

	if (fetch_code(v, regs, bytes, &mode64) < sizeof(prefixed) ||
	    memcmp(bytes, prefixed, sizeof(prefixed)))
		return false;
	cpuid_emulate(v, regs);
	advance(v, regs, sizeof(prefixed));
	return true;
}
