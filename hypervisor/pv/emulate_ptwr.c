// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest kernel's write to a page that it may only read because the page is an L1 table:
 * the instruction is decoded and carried out as a checked update. fork, exec and munmap
 * live on this path. dom0's writes to PCI's MMCONFIG come here too. The faulting address
 * is the operand's, so none is computed.
 */
#include "hypervisor/lib/perfc.h"
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/pci.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/pv/decode.h"
#include "hypervisor/pv/trap.h"

#define FLAG_CF          0x1ul
#define FLAG_PF          0x4ul
#define FLAG_AF          0x10ul
#define FLAG_ZF          0x40ul
#define FLAG_SF          0x80ul
#define FLAG_OF          0x800ul
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum write_op {
	OP_MOV,
	OP_XCHG,
	OP_CMPXCHG,
	OP_XADD,
	OP_AND,
	OP_OR,
	OP_XOR,
	OP_BTS,
	OP_BTR,
	OP_BTC
};

struct write_insn {
	struct insn in;
	enum write_op op;
	unsigned int size; /* bytes written */
};

/* ---- decoding ---- */

#define ANY 8

/* Sized: the opcode is of a byte, and the one after it of a word. Else of a word. */
static const struct {
	uint8_t map, opcode;
	uint8_t extension; /* ModRM.reg, or ANY */
	uint8_t op;
	bool sized;
} ops[] = {
	{MAP_ONE, 0x88, ANY, OP_MOV, true},    {MAP_ONE, 0xc6, ANY, OP_MOV, true},
	{MAP_ONE, 0x86, ANY, OP_XCHG, true},   {MAP_0F, 0xb0, ANY, OP_CMPXCHG, true},
	{MAP_0F, 0xc0, ANY, OP_XADD, true},    {MAP_ONE, 0x08, ANY, OP_OR, true},
	{MAP_ONE, 0x20, ANY, OP_AND, true},    {MAP_ONE, 0x30, ANY, OP_XOR, true},
	{MAP_ONE, 0x80, 1, OP_OR, true},       {MAP_ONE, 0x83, 1, OP_OR, false},
	{MAP_ONE, 0x80, 4, OP_AND, true},      {MAP_ONE, 0x83, 4, OP_AND, false},
	{MAP_ONE, 0x80, 6, OP_XOR, true},      {MAP_ONE, 0x83, 6, OP_XOR, false},
	{MAP_0F, 0xab, ANY, OP_BTS, false},    {MAP_0F, 0xba, 5, OP_BTS, false},
	{MAP_0F, 0xb3, ANY, OP_BTR, false},    {MAP_0F, 0xba, 6, OP_BTR, false},
	{MAP_0F, 0xbb, ANY, OP_BTC, false},    {MAP_0F, 0xba, 7, OP_BTC, false},
};

static bool decode_op(struct write_insn *i)
{
	uint8_t opcode = i->in.opcode;

	for (unsigned int k = 0; k < ARRAY_SIZE(ops); k++) {
		if (ops[k].map != i->in.map || ops[k].opcode != (ops[k].sized ? opcode & 0xfe : opcode) ||
		    (ops[k].extension != ANY && ops[k].extension != (i->in.reg & 7)))
			continue;
		i->op = ops[k].op;
		i->size = ops[k].sized && !(opcode & 1) ? 1 : i->in.operand_size;
		return true;
	}
	return false;
}

/* A kernel writes its tables in few places, and in runs: the last instruction that was
 * decoded is kept. What it does depends on its bytes alone. */
struct decoded {
	uint64_t bytes[2];
	struct write_insn insn;
};
static DEFINE_PER_CPU(struct decoded, last_decoded);

/* The instruction at @rip, until the next call; NULL: none of ours. */
static const struct write_insn *decode(uint64_t rip)
{
	struct decoded *last = &this_cpu_var(last_decoded);
	uint64_t bytes[2] = {0};
	size_t n = INSN_MAX - copy_from_guest(bytes, rip, INSN_MAX);
	struct write_insn *i = &last->insn;

	if (likely(n == INSN_MAX && i->in.length && bytes[0] == last->bytes[0] &&
		   bytes[1] == last->bytes[1]))
		return i;
	if (insn_decode((const uint8_t *)bytes, n, true, &i->in) || !i->in.memory || !decode_op(i)) {
		i->in.length = 0; /* nothing is kept */
		return NULL;
	}
	last->bytes[0] = bytes[0];
	last->bytes[1] = bytes[1];
	return i;
}

/* ---- flags ---- */

static uint64_t result_flags(uint64_t v, unsigned int size)
{
	uint64_t f = __builtin_parity(v & 0xff) ? 0 : FLAG_PF;

	if (!v)
		f |= FLAG_ZF;
	if (v >> (8 * size - 1) & 1)
		f |= FLAG_SF;
	return f;
}

/* Of a + b = v; of a - b = v with @sub. */
static uint64_t sum_flags(uint64_t a, uint64_t b, uint64_t v, unsigned int size, bool sub)
{
	uint64_t sign = 1ull << (8 * size - 1), f = result_flags(v, size);

	if (sub ? a < b : v < a)
		f |= FLAG_CF;
	if ((sub ? (a ^ b) & (a ^ v) : (a ^ v) & (b ^ v)) & sign)
		f |= FLAG_OF;
	return f | ((a ^ b ^ v) & FLAG_AF);
}

/* ---- carrying out ---- */

/* What a write changes besides memory, once it has happened. */
struct write_effect {
	uint64_t flags, flags_mask;
	unsigned int reg; /* REG_NONE: none */
	uint64_t value;
};

static uint64_t size_mask(unsigned int size)
{
	return size == 8 ? ~0ull : (1ull << 8 * size) - 1;
}

/* The new operand for @old, both of i->size bytes. */
static uint64_t execute(const struct write_insn *i, struct cpu_user_regs *regs,
			uint64_t old, struct write_effect *e)
{
	uint64_t mask = size_mask(i->size), src, new, bit;

	src = mask & (i->in.immediate_size
			      ? i->in.immediate
			      : insn_read_register(&i->in, regs, i->in.reg, i->size));
	*e = (struct write_effect){.reg = REG_NONE};
	switch (i->op) {
	case OP_MOV:
		return src;
	case OP_XCHG:
		e->reg = i->in.reg;
		e->value = old;
		return src;
	case OP_CMPXCHG:
		new = regs->rax &mask;
		e->flags = sum_flags(new, old, (new - old) & mask, i->size, true);
		e->flags_mask = FLAGS_ARITHMETIC;
		if (new == old)
			return src;
		e->reg = 0; /* the accumulator */
		e->value = old;
		return old;
	case OP_XADD:
		new = (old + src) & mask;
		e->flags = sum_flags(old, src, new, i->size, false);
		e->flags_mask = FLAGS_ARITHMETIC;
		e->reg = i->in.reg;
		e->value = old;
		return new;
	case OP_AND:
	case OP_OR:
	case OP_XOR:
		new = i->op == OP_AND ? old &src : i->op == OP_OR ? old | src : old ^ src;
		e->flags = result_flags(new, i->size);
		e->flags_mask = FLAGS_ARITHMETIC;
		return new;
	default: /* the faulting address is that of the word that has the bit */
		bit = 1ull << (src & (8 * i->size - 1));
		e->flags = old & bit ? FLAG_CF : 0;
		e->flags_mask = FLAG_CF;
		return i->op == OP_BTS   ? old | bit
		       : i->op == OP_BTR ? old & ~bit
					 : old ^ bit;
	}
}

static bool write_l1e(struct domain *d, mfn_t table, uint64_t address,
		      const struct write_insn *i, struct cpu_user_regs *regs)
{
	unsigned int shift = 8 * (address & 7);
	uint64_t mask = size_mask(i->size) << shift;
	struct write_effect effect;
	unsigned int tries = 0;
	uint64_t *l1, *l1e;
	int rc;

	l1 = map_frame(table);
	l1e = &l1[(address & ~PAGE_MASK) / sizeof(uint64_t)];
	do {
		uint64_t old = READ_ONCE(*l1e);
		uint64_t new = execute(i, regs, (old & mask) >> shift, &effect);

		rc = l1e_cmpxchg(l1e, old, (old & ~mask) | new << shift, d);
	} while (rc == -EAGAIN && ++tries < 100);
	unmap_frame(l1);
	if (rc)
		return rc == -EAGAIN; /* others write it all the time: fault again */
	if (effect.reg != REG_NONE)
		insn_write_register(&i->in, regs, effect.reg, i->size, effect.value);
	regs->rflags = (regs->rflags & ~effect.flags_mask) | effect.flags;
	regs->rip += i->in.length;
	return true;
}

static bool pv_write_mmconfig(uint64_t maddr, const struct write_insn *i,
			      struct cpu_user_regs *regs)
{
	uint64_t offset = maddr - acpi.mmconfig_base;
	struct write_effect effect;
	uint64_t value;

	if (!current->domain->hardware || i->op != OP_MOV || i->size > 4)
		return false;
	value = execute(i, regs, 0, &effect);
	pci_write(0, (uint8_t)(offset >> 20), (uint8_t)(offset >> 12),
		  (unsigned int)offset & 0xfff, i->size, (uint32_t)value);
	regs->rip += i->in.length;
	return true;
}

/* @e: what maps the address. */
static bool emulate_write(uint64_t e, uint64_t address, const struct write_insn *i,
			  struct cpu_user_regs *regs)
{
	struct domain *d = current->domain;
	struct frame *f;
	bool done;

	if (unlikely(mfn_is_io(pte_mfn(e))))
		return pv_write_mmconfig(
			mfn_to_maddr(pte_mfn(e)) | (address & ~PAGE_MASK), i, regs);
	f = l1_table_get(pte_mfn(e), d);
	if (!f)
		return false;
	done = write_l1e(d, pte_mfn(e), address, i, regs);
	l1_table_put(f);
	return done;
}

/* Whether it may be ours, before anything costs much. */
static bool emulated_page(uint64_t e)
{
	mfn_t mfn = pte_mfn(e);

	if ((e & (PTE_P | PTE_RW)) != PTE_P)
		return false;
	if (unlikely(mfn_is_io(mfn)))
		return mfn_is_read_only(mfn);
	return (READ_ONCE(mfn_to_frame(mfn)->type) & FRAME_TYPE_MASK) == FRAME_L1 &&
	       test_bit(VMASST_TYPE_writable_pagetables, &current->domain->vm_assist);
}

bool pv_emulate_pte_write(uint64_t address, struct cpu_user_regs *regs)
{
	struct vcpu *v = current;
	uint64_t e = pv_read_l1e(address);
	const struct write_insn *insn;

	if (!emulated_page(e))
		return false;
	perfc_incr(pte_writes);
	insn = decode(regs->rip);
	if (!insn || (address & (insn->size - 1)) || !emulate_write(e, address, insn, regs))
		return false;
	regs->rflags &= ~(uint64_t)X86_FLAGS_RF;
	if (unlikely(regs->rflags & X86_FLAGS_TF)) {
		v->pv.debugreg[6] |= 1 << 14; /* single step */
		pv_inject(TRAP_DB, 0);
	}
	return true;
}
