// SPDX-License-Identifier: GPL-2.0-only
/* The instruction decoder against instructions assembled by hand, and every truncation. */
#include "tests/unit/suite.h"

#include <string.h>

#include "hypervisor/lib/lib.h"
#include "hypervisor/pv/decode.h"

static struct insn in;

static int decode(const char *bytes, size_t n, bool mode64)
{
	/* In memory of its exact size, for the address sanitizer. */
	uint8_t *copy = malloc(n);
	int rc;

	memcpy(copy, bytes, n);
	rc = insn_decode(copy, n, mode64, &in);
	free(copy);
	return rc;
}

#define DECODE(s) CU_ASSERT_EQUAL_FATAL(decode(s, sizeof(s) - 1, true), 0)

static void test_lengths(void)
{
	static const struct {
		const char *bytes;
		uint8_t n;
	} insn[] = {
		{"\x90", 1},                                     /* nop */
		{"\xf4", 1},                                     /* hlt */
		{"\xe6\x80", 2},                                 /* out %al, $0x80 */
		{"\x66\xef", 2},                                 /* out %ax, %dx */
		{"\xf3\x6c", 2},                                 /* rep insb */
		{"\x0f\x30", 2},                                 /* wrmsr */
		{"\x0f\x22\xd8", 3},                             /* mov %rax, %cr3 */
		{"\x44\x0f\x20\xc0", 4},                         /* mov %cr8, %rax */
		{"\x48\x89\x07", 3},                             /* mov %rax, (%rdi) */
		{"\x48\x89\x44\x24\x08", 5},                     /* mov %rax, 8(%rsp) */
		{"\x48\x89\x84\x24\x00\x01\x00\x00", 8},         /* mov %rax, 0x100(%rsp) */
		{"\x48\x89\x05\x00\x10\x00\x00", 7},             /* mov %rax, 0x1000(%rip) */
		{"\x48\x89\x04\x25\x00\x10\x00\x00", 8},         /* mov %rax, 0x1000 */
		{"\x48\xb8\x08\x07\x06\x05\x04\x03\x02\x01", 10}, /* movabs */
		{"\x66\xb8\x34\x12", 4},                         /* mov $0x1234, %ax */
		{"\xc7\x07\x01\x00\x00\x00", 6},                 /* movl $1, (%rdi) */
		{"\x66\xc7\x07\x01\x00", 5},                     /* movw $1, (%rdi) */
		{"\x48\xc7\x07\x01\x00\x00\x00", 7},             /* movq $1, (%rdi) */
		{"\xf0\x48\x0f\xb1\x17", 5},                     /* lock cmpxchg %rdx, (%rdi) */
		{"\xf0\x48\x0f\xba\x2f\x05", 6},                 /* lock btsq $5, (%rdi) */
		{"\xf6\x07\x01", 3},                             /* testb $1, (%rdi) */
		{"\xf6\x1f", 2},                                 /* negb (%rdi) */
		{"\xf7\x07\x01\x00\x00\x00", 6},                 /* testl $1, (%rdi) */
		{"\x48\xa3\x08\x07\x06\x05\x04\x03\x02\x01", 10}, /* movabs %rax, moffs */
		{"\xc8\x10\x00\x00", 4},                         /* enter */
		{"\xe8\x00\x00\x00\x00", 5},                     /* call */
		{"\x66\x0f\x84\x00\x00\x00\x00", 7},             /* je, 64-bit: 4 bytes all the same */
		{"\x0f\x01\xd1", 3},                             /* xsetbv */
		{"\x0f\x01\xf9", 3},                             /* rdtscp */
		{"\x0f\x01\xf0", 3},                             /* lmsw %ax */
		{"\x0f\x38\xf0\x07", 4},                         /* movbe (%rdi), %eax */
		{"\x66\x0f\x3a\x0f\xc1\x04", 6},                 /* palignr $4 */
		{"\x4b\x89\x44\xe5\x10", 5},                     /* mov %rax, 0x10(%r13,%r12,8) */
		{"\x67\x48\x89\x07", 4},                         /* mov %rax, (%edi) */
		{"\x65\x48\x8b\x04\x25\x28\x00\x00\x00", 9},     /* mov %gs:0x28, %rax */
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(insn); i++) {
		CU_ASSERT_EQUAL(decode(insn[i].bytes, insn[i].n, true), 0);
		CU_ASSERT_EQUAL(in.length, insn[i].n);
		/* One byte less is not enough, whichever byte it is. */
		for (unsigned int n = 0; n < insn[i].n; n++)
			CU_ASSERT_EQUAL(decode(insn[i].bytes, n, true), -ENODATA);
	}
}

static void test_operands(void)
{
	struct cpu_user_regs r = {.rax = 1, .rsp = 0x7000, .rdi = 0x1000, .r12 = 3, .r13 = 0x5000,
				  .rip = 0x400000};

	DECODE("\x4b\x89\x44\xe5\x10");
	CU_ASSERT_EQUAL(in.opcode, 0x89);
	CU_ASSERT_TRUE(in.memory);
	CU_ASSERT_EQUAL(in.operand_size, 8);
	CU_ASSERT_EQUAL(in.reg, 0);
	CU_ASSERT_EQUAL(insn_address(&in, &r), 0x5000 + 3 * 8 + 0x10);

	DECODE("\x48\x89\x44\x24\xf8"); /* rsp has no index, and SIB 0x24 is no r12 */
	CU_ASSERT_EQUAL(in.index, REG_NONE);
	CU_ASSERT_EQUAL(insn_address(&in, &r), 0x7000 - 8);

	DECODE("\x48\x89\x05\x00\x10\x00\x00");
	CU_ASSERT_EQUAL(insn_address(&in, &r), 0x400000 + 7 + 0x1000);

	DECODE("\x48\x89\x04\x25\x00\x00\x00\x80"); /* disp32 is sign-extended */
	CU_ASSERT_EQUAL(insn_address(&in, &r), 0xffffffff80000000);

	DECODE("\x67\x48\x89\x47\xff");
	r.rdi = 0x100000000;
	CU_ASSERT_EQUAL(insn_address(&in, &r), 0xffffffff);

	DECODE("\x49\x8b\x45\x00"); /* (%r13) needs a displacement */
	CU_ASSERT_EQUAL(in.base, 13);
	CU_ASSERT_EQUAL(insn_address(&in, &r), 0x5000);

	DECODE("\x48\xc7\x07\xff\xff\xff\xff");
	CU_ASSERT_EQUAL(in.immediate, ~0ull);
	CU_ASSERT_EQUAL(in.immediate_size, 4);

	DECODE("\x65\x8b\x07");
	CU_ASSERT_EQUAL(in.segment, SEG_GS);
	DECODE("\x3e\x8b\x07"); /* ignored in 64-bit mode */
	CU_ASSERT_EQUAL(in.segment, SEG_NONE);
	CU_ASSERT_EQUAL(decode("\x26\x8b\x07", 3, false), 0);
	CU_ASSERT_EQUAL(in.segment, SEG_ES);

	DECODE("\x41\x0f\x22\xd8"); /* mov %r8, %cr3 */
	CU_ASSERT_EQUAL(in.reg, 3);
	CU_ASSERT_EQUAL(in.rm, 8);
	CU_ASSERT_FALSE(in.memory);
	DECODE("\x0f\x22\x18"); /* mod is ignored there */
	CU_ASSERT_FALSE(in.memory);
	CU_ASSERT_EQUAL(in.length, 3);
}

static void test_prefixes(void)
{
	DECODE("\x48\x66\x89\x07"); /* REX before another prefix does not count */
	CU_ASSERT_EQUAL(in.rex, 0);
	CU_ASSERT_EQUAL(in.operand_size, 2);
	DECODE("\x66\x48\x89\x07"); /* REX.W wins over 0x66 */
	CU_ASSERT_EQUAL(in.operand_size, 8);
	DECODE("\xf0\xf3\x90");
	CU_ASSERT_TRUE(in.lock && in.rep);
	DECODE("\xf3\xf2\xa4"); /* the last of the two counts */
	CU_ASSERT_TRUE(in.repne && !in.rep);

	CU_ASSERT_EQUAL(decode("\x48\x89\xd8", 3, false), 0); /* dec %eax in 32-bit code */
	CU_ASSERT_EQUAL(in.length, 1);
	CU_ASSERT_EQUAL(in.address_size, 4);

	/* Sixteen bytes are none: #GP on the CPU. */
	CU_ASSERT_EQUAL(decode("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 16,
			       true), -EINVAL);
	/* Fifteen are. */
	DECODE("\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90");
	CU_ASSERT_EQUAL(in.length, 15);
}

static void test_refused(void)
{
	CU_ASSERT_EQUAL(decode("\x06", 1, true), -EINVAL);                 /* push %es */
	CU_ASSERT_EQUAL(decode("\xc5\xf8\x77", 3, true), -EINVAL);         /* vzeroupper */
	CU_ASSERT_EQUAL(decode("\x62\xf1\x7c\x48\x28\x00", 6, true), -EINVAL); /* EVEX */
	CU_ASSERT_EQUAL(decode("\x9a\x00\x00\x00\x00\x00\x00", 7, true), -EINVAL); /* far call */
	CU_ASSERT_EQUAL(decode("\x0f\x04", 2, true), -EINVAL);
	CU_ASSERT_EQUAL(decode("\x67\x8b\x07", 3, false), -EINVAL); /* 16-bit addressing */
}

static void test_registers(void)
{
	struct cpu_user_regs r = {.rax = 0x1122334455667788, .rsp = 0x99, .rsi = 0xaabb};

	memset(&in, 0, sizeof(in));
	CU_ASSERT_EQUAL(insn_read_register(&in, &r, 4, 1), 0x77); /* ah */
	insn_write_register(&in, &r, 4, 1, 0xffee);
	CU_ASSERT_EQUAL(r.rax, 0x112233445566ee88);
	CU_ASSERT_EQUAL(r.rsp, 0x99);
	in.rex = 0x40;
	CU_ASSERT_EQUAL(insn_read_register(&in, &r, 6, 1), 0xbb); /* sil */
	insn_write_register(&in, &r, 0, 2, 0x12345);
	CU_ASSERT_EQUAL(r.rax, 0x1122334455662345);
	insn_write_register(&in, &r, 0, 4, 0xffffffff87654321);
	CU_ASSERT_EQUAL(r.rax, 0x87654321);
	insn_write_register(&in, &r, 0, 8, ~0ull);
	CU_ASSERT_EQUAL(r.rax, ~0ull);
	CU_ASSERT_PTR_EQUAL(insn_register(&r, 4), &r.rsp);
	CU_ASSERT_PTR_EQUAL(insn_register(&r, 15), &r.r15);
}

/* Whatever the bytes are: a length of at most what is there, or an error. */
static void test_any_bytes(void)
{
	uint64_t seed = 1;

	for (unsigned int round = 0; round < 400000; round++) {
		uint8_t b[16];
		size_t n;
		int rc;

		for (unsigned int i = 0; i < sizeof(b); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			b[i] = (uint8_t)(seed >> 56);
		}
		n = seed >> 32 & 15;
		rc = decode((const char *)b, n, seed & 1);
		CU_ASSERT_FATAL(rc ? rc == -EINVAL || rc == -ENODATA : in.length && in.length <= n);
	}
}

int main(void)
{
	static CU_TestInfo tests[] = {
		{"lengths", test_lengths},     {"operands", test_operands},
		{"prefixes", test_prefixes},   {"refused", test_refused},
		{"registers", test_registers}, {"any bytes", test_any_bytes},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_decode", tests);
}
