/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Instruction decoder: length, prefixes, opcode, operands' places, immediate; of integer
 * instructions in 64- and 32-bit segments. VEX, EVEX and XOP are refused.
 */
#ifndef HV_DECODE_H
#define HV_DECODE_H

#include "hypervisor/lib/abi.h"
#include "hypervisor/lib/types.h"

#define INSN_MAX 15

enum insn_map { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };
enum insn_segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_NONE };

/* Numbers as instructions have them: rax rcx rdx rbx rsp rbp rsi rdi r8... */
#define REG_NONE 0xff
#define REG_RIP  0xfe

struct insn {
	uint8_t length;
	uint8_t map, opcode;
	uint8_t operand_size; /* 2, 4, 8; an opcode for bytes has 1 in it, see insn_is_byte() */
	uint8_t address_size; /* 2 (refused with memory), 4, 8 */
	uint8_t segment;      /* the prefix: enum insn_segment */
	uint8_t rex;          /* 0: none */
	bool lock, rep, repne, opsize_prefix, mode64;
	bool has_modrm, memory; /* memory: rm is not a register */
	uint8_t reg, rm;        /* with REX's bits; reg as an opcode's extension: & 7 */
	uint8_t base, index, scale;
	int64_t displacement;
	uint8_t immediate_size;
	uint64_t immediate; /* sign-extended; the offset of moffs */
};

/* @n bytes are there. 0; -EINVAL: not an instruction of ours; -ENODATA: more bytes needed. */
int insn_decode(const uint8_t *bytes, size_t n, bool mode64, struct insn *in);
/* Offset of the memory operand, without its segment's base. */
uint64_t insn_address(const struct insn *in, const struct cpu_user_regs *regs);
/* A general register by number. */
uint64_t *insn_register(struct cpu_user_regs *regs, unsigned int n);
/* Register @n as an operand of @size bytes; 1 without REX: 4-7 are ah ch dh bh. */
uint64_t insn_read_register(const struct insn *in, struct cpu_user_regs *regs, unsigned int n,
			    unsigned int size);
void insn_write_register(const struct insn *in, struct cpu_user_regs *regs, unsigned int n,
			 unsigned int size, uint64_t value);

#endif
