// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest kernel's write to a page that it may only read because the page is an L1 table:
 * the instruction is decoded and carried out as a checked update. fork, exec and munmap
 * live on this path. dom0's writes to PCI's MMCONFIG come here too. The faulting address is the operand's, so none is computed.
 */
#include "hypervisor/pv/page_tables.h"
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/pci.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/pv/trap.h"

#define INSN_MAX 15
#define FLAG_CF  0x1ul
#define FLAG_PF  0x4ul
#define FLAG_AF  0x10ul
#define FLAG_ZF  0x40ul
#define FLAG_SF  0x80ul
#define FLAG_OF  0x800ul
#define FLAGS_ARITHMETIC (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

enum write_op {
	OP_MOV, OP_XCHG, OP_CMPXCHG, OP_XADD, OP_AND, OP_OR, OP_XOR, OP_BTS, OP_BTR, OP_BTC
};

struct write_insn {
	enum write_op op;
	unsigned int size; /* bytes written */
	unsigned int reg;  /* the other operand, unless it is immediate */
	unsigned int imm_bytes;
	bool rex;
	uint64_t imm;
	unsigned int len;
};

/* ---- decoding ---- */

/* Group 1 (80, 81, 83) and group 8 (0F BA) by ModRM.reg; false: not one of ours. */
static bool decode_group(struct write_insn *i, bool group8, unsigned int ext)
{
	static const struct {
		bool group8;
		uint8_t ext, op;
	} group[] = {
		{false, 1, OP_OR}, {false, 4, OP_AND}, {false, 6, OP_XOR},
		{true, 5, OP_BTS}, {true, 6, OP_BTR}, {true, 7, OP_BTC},
	};

	for (unsigned int k = 0; k < ARRAY_SIZE(group); k++)
		if (group[k].group8 == group8 && group[k].ext == ext) {
			i->op = group[k].op;
			return true;
		}
	return false;
}

/* One-byte opcodes. *group: the operation is in ModRM.reg. */
static bool decode_opcode(struct write_insn *i, uint8_t op, unsigned int wide, bool *group)
{
	i->size = op & 1 ? wide : 1;
	switch (op) {
	case 0x88: case 0x89:
		i->op = OP_MOV;
		return true;
	case 0x86: case 0x87:
		i->op = OP_XCHG;
		return true;
	case 0x08: case 0x09:
		i->op = OP_OR;
		return true;
	case 0x20: case 0x21:
		i->op = OP_AND;
		return true;
	case 0x30: case 0x31:
		i->op = OP_XOR;
		return true;
	case 0xc6: case 0xc7:
		i->op = OP_MOV;
		i->imm_bytes = MIN(i->size, 4u);
		return true;
	case 0x80: case 0x81:
		i->imm_bytes = MIN(i->size, 4u);
		*group = true;
		return true;
	case 0x83:
		i->imm_bytes = 1;
		*group = true;
		return true;
	default:
		return false;
	}
}

/* After 0F. */
static bool decode_opcode_0f(struct write_insn *i, uint8_t op, unsigned int wide, bool *group)
{
	i->size = wide;
	switch (op) {
	case 0xb0: case 0xb1:
		i->size = op & 1 ? wide : 1;
		i->op = OP_CMPXCHG;
		return true;
	case 0xc0: case 0xc1:
		i->size = op & 1 ? wide : 1;
		i->op = OP_XADD;
		return true;
	case 0xab:
		i->op = OP_BTS;
		return true;
	case 0xb3:
		i->op = OP_BTR;
		return true;
	case 0xbb:
		i->op = OP_BTC;
		return true;
	case 0xba:
		i->imm_bytes = 1;
		*group = true;
		return true;
	default:
		return false;
	}
}

/* Bytes of SIB and displacement after @modrm; -1: no memory operand. @sib: the next byte. */
static int modrm_tail(uint8_t modrm, uint8_t sib)
{
	unsigned int mod = modrm >> 6, rm = modrm & 7;
	int n = rm == 4;

	if (mod == 3)
		return -1;
	if (mod == 1)
		return n + 1;
	if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
		return n + 4;
	return n;
}

static bool decode(const uint8_t *b, unsigned int n, struct write_insn *i)
{
	unsigned int p = 0, wide = 4;
	bool group = false, two_byte = false;
	uint8_t rex = 0, modrm;
	int tail;

	*i = (struct write_insn){0};
	for (; p < n; p++) { /* prefixes; addresses are of no interest */
		if (b[p] == 0x66)
			wide = 2;
		else if (b[p] != 0xf0 && b[p] != 0x64 && b[p] != 0x65 && b[p] != 0x67 &&
			 b[p] != 0x2e && b[p] != 0x3e && b[p] != 0x26 && b[p] != 0x36)
			break;
	}
	if (p < n && (b[p] & 0xf0) == 0x40)
		rex = b[p++];
	if (rex & 8)
		wide = 8;
	if (p < n && b[p] == 0x0f) {
		two_byte = true;
		p++;
	}
	if (p + 2 > n)
		return false;
	if (!(two_byte ? decode_opcode_0f(i, b[p], wide, &group) :
			 decode_opcode(i, b[p], wide, &group)))
		return false;
	modrm = b[++p];
	i->reg = (modrm >> 3 & 7) | (rex & 4 ? 8 : 0);
	i->rex = rex != 0;
	if (group ? !decode_group(i, two_byte, modrm >> 3 & 7) :
		    i->imm_bytes && (modrm >> 3 & 7))
		return false;
	tail = modrm_tail(modrm, p + 1 < n ? b[p + 1] : 0);
	p += 1 + (unsigned int)tail;
	if (tail < 0 || p + i->imm_bytes > n)
		return false;
	if (i->imm_bytes) {
		unsigned int up = 64 - 8 * i->imm_bytes;

		memcpy(&i->imm, &b[p], i->imm_bytes);
		i->imm = (uint64_t)((int64_t)(i->imm << up) >> up);
	}
	i->len = p + i->imm_bytes;
	return true;
}

/* ---- registers and flags ---- */

static void *reg_of(struct cpu_user_regs *r, unsigned int n)
{
	void *const reg[16] = {&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
			       &r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
			       &r->r12, &r->r13, &r->r14, &r->r15};

	return reg[n & 15];
}

/* Of one byte, without REX, 4 to 7 are AH to BH. */
static void *operand_reg(struct cpu_user_regs *r, const struct write_insn *i, unsigned int n)
{
	if (i->size == 1 && !i->rex && n >= 4 && n < 8)
		return (uint8_t *)reg_of(r, n - 4) + 1;
	return reg_of(r, n);
}

static void write_reg(void *reg, uint64_t v, unsigned int size)
{
	if (size == 4) /* clears the upper half */
		*(uint64_t *)reg = (uint32_t)v;
	else
		memcpy(reg, &v, size);
}

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
	void *reg; /* NULL: none */
	uint64_t value;
};

static uint64_t size_mask(unsigned int size)
{
	return size == 8 ? ~0ull : (1ull << 8 * size) - 1;
}

/* The new operand for @old, both of i->size bytes. */
static uint64_t execute(const struct write_insn *i, struct cpu_user_regs *regs, uint64_t old,
			struct write_effect *e)
{
	uint64_t mask = size_mask(i->size), src = i->imm, new, bit;
	void *reg = operand_reg(regs, i, i->reg);

	if (!i->imm_bytes) {
		src = 0;
		memcpy(&src, reg, i->size);
	}
	src &= mask;
	*e = (struct write_effect){0};
	switch (i->op) {
	case OP_MOV:
		return src;
	case OP_XCHG:
		e->reg = reg;
		e->value = old;
		return src;
	case OP_CMPXCHG:
		new = regs->rax & mask;
		e->flags = sum_flags(new, old, (new - old) & mask, i->size, true);
		e->flags_mask = FLAGS_ARITHMETIC;
		if (new == old)
			return src;
		e->reg = &regs->rax;
		e->value = old;
		return old;
	case OP_XADD:
		new = (old + src) & mask;
		e->flags = sum_flags(old, src, new, i->size, false);
		e->flags_mask = FLAGS_ARITHMETIC;
		e->reg = reg;
		e->value = old;
		return new;
	case OP_AND:
	case OP_OR:
	case OP_XOR:
		new = i->op == OP_AND ? old & src : i->op == OP_OR ? old | src : old ^ src;
		e->flags = result_flags(new, i->size);
		e->flags_mask = FLAGS_ARITHMETIC;
		return new;
	default: /* the faulting address is that of the word that has the bit */
		bit = 1ull << (src & (8 * i->size - 1));
		e->flags = old & bit ? FLAG_CF : 0;
		e->flags_mask = FLAG_CF;
		return i->op == OP_BTS ? old | bit : i->op == OP_BTR ? old & ~bit : old ^ bit;
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
	if (effect.reg)
		write_reg(effect.reg, effect.value, i->size);
	regs->rflags = (regs->rflags & ~effect.flags_mask) | effect.flags;
	regs->rip += i->len;
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
	regs->rip += i->len;
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
		return pv_write_mmconfig(mfn_to_maddr(pte_mfn(e)) | (address & ~PAGE_MASK), i,
					 regs);
	f = l1_table_get(pte_mfn(e), d);
	if (!f)
		return false;
	done = write_l1e(d, pte_mfn(e), address, i, regs);
	frame_put_and_type(f);
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
	uint8_t bytes[INSN_MAX];
	struct write_insn insn;
	unsigned int n;

	if (!emulated_page(e))
		return false;
	n = INSN_MAX - (unsigned int)copy_from_guest(bytes, regs->rip, INSN_MAX);
	if (!decode(bytes, n, &insn) || (address & (insn.size - 1)) ||
	    !emulate_write(e, address, &insn, regs))
		return false;
	regs->rflags &= ~(uint64_t)X86_FLAGS_RF;
	if (unlikely(regs->rflags & X86_FLAGS_TF)) {
		v->pv.debugreg[6] |= 1 << 14; /* single step */
		pv_inject(TRAP_DB, 0);
	}
	return true;
}
