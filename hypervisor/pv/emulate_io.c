// SPDX-License-Identifier: GPL-2.0-only
/*
 * IN, OUT, INS and OUTS of PV guests. Twice asked: may this mode of the guest (IOPL and its
 * bitmap: else #GP), and may the domain (d->ioports: else reads give ones and writes are lost).
 */
#include "hypervisor/cpu/pci.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/pv/emulate.h"
#include "hypervisor/pv/trap.h"
#include "hypervisor/sched/softirq.h"

bool pv_iopl_permits(const struct vcpu *v)
{
	return v->pv.iopl >= (v->pv.kernel_mode ? 1u : 3u);
}

bool pv_io_permitted(struct vcpu *v, unsigned int port, unsigned int bytes)
{
	bool user = !v->pv.kernel_mode;
	uint8_t map[2] = {0xff, 0xff};
	uint64_t gva;

	if (pv_iopl_permits(v))
		return true;
	if (!v->pv.iobmp_limit || port + bytes > v->pv.iobmp_limit)
		return false;
	/* The bitmap is the guest kernel's: its page tables map it. */
	gva = (uint64_t)v->pv.iobmp + (port >> 3);
	if (user)
		pv_toggle_mode(v);
	if (copy_from_guest(map, gva, 2))
		copy_from_guest(map, gva, 1); /* the second byte may be beyond its end */
	if (user)
		pv_toggle_mode(v);
	return !(((map[0] | map[1] << 8) >> (port & 7)) & ((1u << bytes) - 1));
}

static void domain_port(struct domain *d, unsigned int port, unsigned int bytes, uint32_t *value,
			bool write)
{
	if (pci_guest_port(d, (uint16_t)port, bytes, value, write))
		return;
	if (port + bytes > 0x10000 || !rangeset_contains(d->ioports, port, port + bytes - 1)) {
		/* NMI status and the refresh toggle, which the hardware domain may look at. */
		if (!write)
			*value = d->hardware && port == 0x61 && bytes == 1 ? inb(0x61) : ~0u;
		return;
	}
	if (write)
		port_out((uint16_t)port, bytes, *value);
	else
		*value = port_in((uint16_t)port, bytes);
}

static void memory_fault(uint64_t address, bool write)
{
	uint32_t ec = write ? PF_WRITE : 0;

	if (pv_read_l1e(address) & PTE_P)
		ec |= PF_PRESENT;
	pv_inject_page_fault(ec, address);
}

/* One step of INS (@in) or OUTS. False: its memory was not to be had. */
static bool string_step(struct domain *d, unsigned int port, unsigned int bytes, uint64_t gva, bool in)
{
	uint32_t value = 0;
	size_t left;

	left = copy_from_guest(&value, gva, bytes);
	/* Whether it can be stored is to be known before the device gives it up. */
	if (in && !left && copy_to_guest(gva, &value, bytes))
		left = bytes;
	if (left) {
		memory_fault(gva + bytes - left, in);
		return false;
	}
	domain_port(d, port, bytes, &value, !in);
	if (in)
		copy_to_guest(gva, &value, bytes);
	return true;
}

static enum emulation emulate_string(struct vcpu *v, struct cpu_user_regs *regs,
				     const struct insn *i, unsigned int bytes)
{
	bool in = i->opcode < 0x6e, rep = i->rep || i->repne;
	uint64_t *pointer = in ? &regs->rdi : &regs->rsi;
	uint64_t mask = i->address_size == 4 ? 0xffffffff : ~0ull, base;
	uint64_t step = regs->rflags & X86_FLAGS_DF ? -(uint64_t)bytes : bytes;
	unsigned int port = regs->dx;

	if (i->address_size == 2)
		return EMULATE_REFUSED;
	/* INS stores to ES always; OUTS reads from DS or what a prefix says. */
	base = pv_segment_base(v, i, in ? SEG_ES : i->segment == SEG_NONE ? SEG_DS : i->segment);
	while (!rep || regs->rcx & mask) {
		uint64_t gva = base + (*pointer & mask);

		if (!string_step(v->domain, port, bytes, i->mode64 ? gva : (uint32_t)gva, in))
			return EMULATE_INJECTED;
		*pointer = (*pointer + step) & mask;
		if (!rep)
			break;
		regs->rcx = (regs->rcx - 1) & mask;
		if (preempt_check() && regs->rcx)
			return EMULATE_AGAIN;
	}
	return EMULATE_DONE;
}

enum emulation pv_emulate_io(struct vcpu *v, struct cpu_user_regs *regs, const struct insn *in)
{
	unsigned int bytes = !(in->opcode & 1) ? 1 : in->operand_size == 2 ? 2 : 4;
	bool string = in->opcode < 0x70;
	unsigned int port = string || in->opcode >= 0xec ? regs->dx : in->immediate & 0xff;
	uint32_t value;

	if (!pv_io_permitted(v, port, bytes))
		return EMULATE_REFUSED;
	if (string)
		return emulate_string(v, regs, in, bytes);
	if (in->opcode & 2) {
		value = (uint32_t)regs->rax;
		domain_port(v->domain, port, bytes, &value, true);
	} else {
		domain_port(v->domain, port, bytes, &value, false);
		insn_write_register(in, regs, 0, bytes, value);
	}
	return EMULATE_DONE;
}
