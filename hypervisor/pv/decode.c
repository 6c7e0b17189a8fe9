// SPDX-License-Identifier: GPL-2.0-only
/* The instruction decoder (SDM vol. 2, chapter 2 and appendix A). */
#include "hypervisor/pv/decode.h"
#include "hypervisor/lib/lib.h"

/* What follows an opcode. */
enum {
	N,         /* nothing */
	M,         /* ModRM */
	IB, IW, IZ, IV,  /* immediate: 1, 2, operand size up to 4 or 8 */
	MB, MZ,    /* ModRM and immediate */
	MT,        /* ModRM, and for TEST (reg 0, 1) an immediate: 0xf6, 0xf7 */
	IE,        /* ENTER: word and byte */
	OF,        /* moffs */
	J,         /* relative, 4 bytes */
	X,         /* none of ours, or no instruction */
	R,         /* ModRM whose rm is always a register (MOV to and from CR, DR) */
};

static const uint8_t one_byte[256] = {
	M, M, M, M, IB, IZ, X, X, M, M, M, M, IB, IZ, X, X, /* 0x00 */
	M, M, M, M, IB, IZ, X, X, M, M, M, M, IB, IZ, X, X,
	M, M, M, M, IB, IZ, X, X, M, M, M, M, IB, IZ, X, X, /* 0x20 */
	M, M, M, M, IB, IZ, X, X, M, M, M, M, IB, IZ, X, X,
	N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,     /* 0x40: INC, DEC of 32-bit */
	N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N,
	X, X, X, M, X, X, X, X, IZ, MZ, IB, MB, N, N, N, N, /* 0x60 */
	IB, IB, IB, IB, IB, IB, IB, IB, IB, IB, IB, IB, IB, IB, IB, IB,
	MB, MZ, X, MB, M, M, M, M, M, M, M, M, M, M, M, M,  /* 0x80 */
	N, N, N, N, N, N, N, N, N, N, X, N, N, N, N, N,
	OF, OF, OF, OF, N, N, N, N, IB, IZ, N, N, N, N, N, N, /* 0xa0 */
	IB, IB, IB, IB, IB, IB, IB, IB, IV, IV, IV, IV, IV, IV, IV, IV,
	MB, MB, IW, N, X, X, MB, MZ, IE, N, IW, N, N, IB, X, N, /* 0xc0 */
	M, M, M, M, X, X, X, N, M, M, M, M, M, M, M, M,
	IB, IB, IB, IB, IB, IB, IB, IB, J, J, X, IB, N, N, N, N, /* 0xe0 */
	X, N, X, X, N, N, MT, MT, N, N, N, N, N, N, M, M,
};

static const uint8_t two_byte[256] = {
	M, M, M, M, X, N, N, N, N, N, X, N, X, M, N, MB,    /* 0x00 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	R, R, R, R, X, X, X, X, M, M, M, M, M, M, M, M,     /* 0x20 */
	N, N, N, N, N, N, X, N, X, X, X, X, X, X, X, X,
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,     /* 0x40 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,     /* 0x60 */
	MB, MB, MB, MB, M, M, M, N, M, M, X, X, M, M, M, M,
	J, J, J, J, J, J, J, J, J, J, J, J, J, J, J, J,     /* 0x80 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	N, N, N, M, MB, M, X, X, N, N, N, M, MB, M, M, M,   /* 0xa0 */
	M, M, M, M, M, M, M, M, M, M, MB, M, M, M, M, M,
	M, M, MB, M, MB, MB, MB, M, N, N, N, N, N, N, N, N, /* 0xc0 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,     /* 0xe0 */
	M, M, M, M, M, M, M, M, M, M, M, M, M, M, M, M,
};

struct cursor {
	const uint8_t *bytes;
	size_t n, at;
	bool end; /* read past what is there */
};

static uint64_t fetch(struct cursor *c, unsigned int size)
{
	uint64_t v = 0;

	if (c->at + size > c->n) {
		c->end = true;
		return 0;
	}
	memcpy(&v, c->bytes + c->at, size);
	c->at += size;
	return v;
}

static int64_t fetch_signed(struct cursor *c, unsigned int size)
{
	unsigned int shift = 64 - size * 8;

	return (int64_t)(fetch(c, size) << shift) >> shift;
}

/* Legacy prefixes and REX, which counts only directly before the opcode. The opcode. */
static uint8_t prefixes(struct cursor *c, struct insn *in)
{
	bool address_prefix = false;
	uint8_t b;

	for (;;) {
		b = (uint8_t)fetch(c, 1);
		if (c->end)
			return 0;
		switch (b) {
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			if (!in->mode64) /* in 64-bit mode they are ignored */
				in->segment = (b >> 3) & 3;
			break;
		case 0x64:
		case 0x65:
			in->segment = b - 0x64 + SEG_FS;
			break;
		case 0x66:
			in->opsize_prefix = true;
			break;
		case 0x67:
			address_prefix = true;
			break;
		case 0xf0:
			in->lock = true;
			break;
		case 0xf2:
			in->repne = true;
			in->rep = false;
			break;
		case 0xf3:
			in->rep = true;
			in->repne = false;
			break;
		case 0x40 ... 0x4f:
			if (in->mode64) {
				in->rex = b;
				continue;
			}
			__attribute__((fallthrough));
		default:
			in->operand_size = in->rex & 8 ? 8 : in->opsize_prefix ? 2 : 4;
			in->address_size = in->mode64 ? (address_prefix ? 4 : 8) :
							(address_prefix ? 2 : 4);
			return b;
		}
		in->rex = 0;
	}
}

static void sib(struct cursor *c, struct insn *in, uint8_t mod)
{
	uint8_t b = (uint8_t)fetch(c, 1);

	in->scale = b >> 6;
	in->index = (b >> 3 & 7) | (in->rex & 2) << 2;
	if (in->index == 4)
		in->index = REG_NONE;
	in->base = (b & 7) | (in->rex & 1) << 3;
	if ((b & 7) == 5 && !mod) {
		in->base = REG_NONE;
		in->displacement = fetch_signed(c, 4);
	}
}

static int modrm(struct cursor *c, struct insn *in, bool always_register)
{
	uint8_t b = (uint8_t)fetch(c, 1), mod = b >> 6;

	in->has_modrm = true;
	in->reg = (b >> 3 & 7) | (in->rex & 4) << 1;
	in->rm = (b & 7) | (in->rex & 1) << 3;
	if (mod == 3 || always_register)
		return 0;
	if (in->address_size == 2)
		return -EINVAL;
	in->memory = true;
	if ((b & 7) == 4) {
		sib(c, in, mod);
	} else if ((b & 7) == 5 && !mod) {
		in->base = in->mode64 ? REG_RIP : REG_NONE;
		in->displacement = fetch_signed(c, 4);
	} else {
		in->base = in->rm;
	}
	if (mod == 1)
		in->displacement = fetch_signed(c, 1);
	else if (mod == 2)
		in->displacement = fetch_signed(c, 4);
	return 0;
}

static void immediate(struct cursor *c, struct insn *in, unsigned int size)
{
	in->immediate_size = (uint8_t)size;
	in->immediate = size ? (uint64_t)fetch_signed(c, size) : 0;
}

static int operands(struct cursor *c, struct insn *in, uint8_t kind)
{
	unsigned int z = in->operand_size == 2 ? 2 : 4;
	int rc = 0;

	switch (kind) {
	case M:
	case MB:
	case MZ:
	case MT:
	case R:
		rc = modrm(c, in, kind == R);
		break;
	case X:
		return -EINVAL;
	}
	switch (kind) {
	case IB:
	case MB:
		immediate(c, in, 1);
		break;
	case IW:
		immediate(c, in, 2);
		break;
	case IE:
		immediate(c, in, 2);
		fetch(c, 1);
		break;
	case IZ:
	case MZ:
		immediate(c, in, z);
		break;
	case IV:
		immediate(c, in, in->operand_size);
		break;
	case J:
		immediate(c, in, in->mode64 ? 4 : z);
		break;
	case OF:
		immediate(c, in, in->address_size);
		break;
	case MT:
		if (!(in->reg & 6))
			immediate(c, in, in->opcode & 1 ? z : 1);
		break;
	}
	return rc;
}

static uint8_t opcode(struct cursor *c, struct insn *in, uint8_t b)
{
	in->opcode = b;
	if (b != 0x0f)
		return one_byte[b];
	in->map = MAP_0F;
	b = in->opcode = (uint8_t)fetch(c, 1);
	if (b != 0x38 && b != 0x3a)
		return two_byte[b];
	in->map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
	in->opcode = (uint8_t)fetch(c, 1);
	return b == 0x38 ? M : MB;
}

int insn_decode(const uint8_t *bytes, size_t n, bool mode64, struct insn *in)
{
	struct cursor c = {bytes, MIN(n, (size_t)INSN_MAX), 0, false};
	uint8_t b;
	int rc;

	memset(in, 0, sizeof(*in));
	in->mode64 = mode64;
	in->segment = SEG_NONE;
	in->base = in->index = REG_NONE;
	b = prefixes(&c, in);
	rc = operands(&c, in, opcode(&c, in, b));
	if (c.end)
		return n < INSN_MAX ? -ENODATA : -EINVAL;
	in->length = (uint8_t)c.at;
	return rc;
}

uint64_t *insn_register(struct cpu_user_regs *r, unsigned int n)
{
	static const uint8_t place[16] = {
#define AT(reg) offsetof(struct cpu_user_regs, reg)
		AT(rax), AT(rcx), AT(rdx), AT(rbx), AT(rsp), AT(rbp), AT(rsi), AT(rdi),
		AT(r8),	 AT(r9),  AT(r10), AT(r11), AT(r12), AT(r13), AT(r14), AT(r15),
#undef AT
	};

	return (uint64_t *)((char *)r + place[n & 15]);
}

uint64_t insn_address(const struct insn *in, const struct cpu_user_regs *regs)
{
	struct cpu_user_regs *r = (struct cpu_user_regs *)regs;
	uint64_t a = (uint64_t)in->displacement;

	if (in->base == REG_RIP)
		a += regs->rip + in->length;
	else if (in->base != REG_NONE)
		a += *insn_register(r, in->base);
	if (in->index != REG_NONE)
		a += *insn_register(r, in->index) << in->scale;
	return in->address_size == 4 ? (uint32_t)a : a;
}

/* The second byte of rax to rbx, as byte registers 4 to 7 of an instruction without REX. */
static bool is_high_byte(const struct insn *in, unsigned int n, unsigned int size)
{
	return size == 1 && !in->rex && n >= 4 && n < 8;
}

uint64_t insn_read_register(const struct insn *in, struct cpu_user_regs *regs, unsigned int n,
			    unsigned int size)
{
	if (is_high_byte(in, n, size))
		return *insn_register(regs, n - 4) >> 8 & 0xff;
	return *insn_register(regs, n) & (~0ull >> (64 - size * 8));
}

void insn_write_register(const struct insn *in, struct cpu_user_regs *regs, unsigned int n,
			 unsigned int size, uint64_t value)
{
	uint64_t *r, mask;

	if (is_high_byte(in, n, size)) {
		r = insn_register(regs, n - 4);
		*r = (*r & ~0xff00ull) | (value & 0xff) << 8;
		return;
	}
	r = insn_register(regs, n);
	if (size == 4) { /* clears the upper half */
		*r = (uint32_t)value;
		return;
	}
	mask = ~0ull >> (64 - size * 8);
	*r = (*r & ~mask) | (value & mask);
}
