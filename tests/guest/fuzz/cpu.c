// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors, segments, traps, frames for iret, privileged instructions. */
#include "tests/guest/fuzz/fuzz.h"

extern const char event_callback[], failsafe_callback[], syscall_callback[];

/* Without one the way to user mode is the guest's end. */
static void user_root(void)
{
	struct mmuext_op user = {.cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = mfn_of(pt_first)};

	hcall(mmuext_op, &user, 1, NULL, DOMID_SELF);
}

void trap_state_restore(void)
{
	unsigned int cpu = cpu_id();

	traps_init();
	user_root();
	hcall(stack_switch, FLAT_KERNEL_SS, (unsigned long)stacks[cpu] + STACK_SIZE / 2);
	upcalls_disable();
}

static void descriptor_update(void)
{
	unsigned long where = any_mfn() << 12 | (rnd(PAGE_SIZE) & ~7ul);

	try_call(update_descriptor, one_in(16) ? rnd64() : where, any_descriptor());
}

static void fill_descriptors(void)
{
	unsigned int i = any_page();
	uint64_t *table = (uint64_t *)arena_at(i);

	if (level[i] == 4 && !is_mine(i))
		return;
	if (map_at((unsigned long)table, arena_mfn(i) << 12 | PTE_DATA))
		return;
	level[i] = 0;
	for (unsigned int n = 0; n < 512; n++)
		table[n] = n % 3 ? (any_descriptor() & ~(0xffull << 40)) | 0xf3ull << 40 : 0;
	for (unsigned long n = rnd(3); n; n--)
		table[rnd(512)] = any_descriptor();
	map_at((unsigned long)table, arena_mfn(i) << 12 | PTE_RO);
}

static void gdt(void)
{
	unsigned long frames[14];
	unsigned long n = one_in(3) ? 0 : rnd(one_in(8) ? 8192 : 2048);

	for (unsigned int i = 0; i < 14; i++)
		frames[i] = any_mfn();
	try_call(set_gdt, one_in(24) ? (void *)any_address() : frames, n);
}

static void load_segments(void)
{
	unsigned int selector = one_in(2) ? (unsigned int)(rnd(1024) << 3 | rnd(8)) :
					    (unsigned int)rnd64() & 0xffff;
	unsigned long limit = 0;

	switch (rnd(6)) {
	case 0:
		asm volatile("mov %0, %%ds" : : "r"(selector));
		break;
	case 1:
		asm volatile("mov %0, %%es" : : "r"(selector));
		break;
	case 2:
		asm volatile("mov %0, %%fs" : : "r"(selector));
		break;
	case 3:
		asm volatile("mov %0, %%gs" : : "r"(selector));
		break;
	case 4:
		asm volatile("lsl %1, %0; lar %1, %0" : "+r"(limit) : "r"((unsigned long)selector));
		break;
	case 5: /* a switch to someone else and back loads what is there now */
		hcall(sched_op, SCHEDOP_yield);
	}
	try_call(set_segment_base, rnd(5), one_in(2) ? any_address() : selector);
}

static void traps(void)
{
	struct trap_info *t = scratch();
	unsigned long n = rnd(8);

	for (unsigned long i = 0; i < n; i++)
		t[i] = (struct trap_info){(uint8_t)rnd64(), (uint8_t)rnd(8),
					  (uint16_t)(one_in(2) ? FLAT_KERNEL_CS : rnd64()),
					  one_in(2) ? IMAGE + 0x2000 : rnd64()};
	memset(&t[n], 0, sizeof(*t));
	try_call(set_trap_table, one_in(16) ? (void *)any_address() : t);
	if (!deadly || one_in(2))
		trap_state_restore();
}

static void callbacks(void)
{
	struct callback_register r = {.type = (uint16_t)rnd(9), .flags = (uint16_t)rnd(3),
				      .address = one_in(2) ? IMAGE + 0x2000 : rnd64()};

	mutate(&r, sizeof(r), 8);
	try_call(callback_op, one_in(8) ? rnd(4) : CALLBACKOP_register,
		 one_in(16) ? (void *)any_address() : &r);
	if (one_in(4))
		try_call(set_callbacks, rnd64(), rnd64(), rnd64());
	if (one_in(4))
		try_call(stack_switch, rnd64() & 0xffff, any_address());
	trap_state_restore();
}

asm("landing: ud2");
extern const char landing[];

/* To a ud2, with one thing of the frame wrong: it traps at once, or is not taken. */
static void iret(void)
{
	unsigned long frame[6], sp;
	static const unsigned short selectors[] = {FLAT_KERNEL_CS, FLAT_KERNEL_SS,
						   FLAT_USER_CS32 & 0xffff, 0x33, 0x2b, 0x10, 0x8, 0};

	asm volatile("mov %%rsp, %0" : "=r"(sp));
	frame[0] = one_in(4) ? rnd64() & 0x1ff : 0; /* VGCF_in_syscall is 1 << 8 */
	frame[1] = (unsigned long)landing;
	frame[2] = FLAT_KERNEL_CS & ~3;
	frame[3] = 0x202;
	frame[4] = sp - 256;
	frame[5] = FLAT_KERNEL_SS;
	switch (rnd(8)) {
	case 0:
		frame[2] = selectors[rnd(ARRAY_SIZE(selectors))];
		break;
	case 1:
		frame[5] = selectors[rnd(ARRAY_SIZE(selectors))];
		break;
	case 2:
		frame[3] = rnd64();
		break;
	case 3:
		frame[1] = one_in(2) ? rnd64() : any_address();
		break;
	case 4: /* to user mode */
		frame[2] = FLAT_USER_CS64;
		frame[5] = FLAT_USER_SS64;
		break;
	case 5:
		frame[2] = rnd64();
		break;
	case 6:
		if (deadly)
			frame[4] = rnd64();
		break;
	}
	if (!deadly)
		user_root();
	asm volatile("mov %0, %%rsp\n\tjmp *%1"
		     :
		     : "r"(frame), "r"(hypercall_page + 32 * __HYPERVISOR_iret)
		     : "memory");
	__builtin_unreachable();
}

/* Code of one instruction, privileged ones mostly, then ud2s. Registers point to the arena.
 * What is left of its bytes is run too: none of them touches the stack pointer. */
#define MODRM 0x100
static void instruction(void)
{
	static const uint16_t two[] = {
		0x00 | MODRM, 0x01 | MODRM, 0x20 | MODRM, 0x21 | MODRM, 0x22 | MODRM, 0x23 | MODRM,
		0xc7 | MODRM, 0xae | MODRM, 0xb0 | MODRM, 0xb1 | MODRM, 0xc0 | MODRM, 0xc1 | MODRM,
		0xab | MODRM, 0xb3 | MODRM, 0xbb | MODRM, 0x06, 0x08, 0x09, 0x30, 0x31, 0x32, 0x33,
		0xa2, 0x05, 0x34, 0x35, 0x0b};
	static const uint16_t one[] = {
		0x8c | MODRM, 0x8e | MODRM, 0x88 | MODRM, 0x89 | MODRM, 0x86 | MODRM, 0x87 | MODRM,
		0xc6 | MODRM, 0xc7 | MODRM, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0x6c,
		0x6d, 0x6e, 0x6f, 0xfa, 0xfb, 0xf4, 0xcd, 0xcc, 0xf1, 0x9b, 0xa4, 0xa5, 0xaa, 0xab,
		0x9d};
	static const unsigned char prefix[] = {0x66, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x64, 0x65, 0x67};
	static const unsigned char rest[] = {0x90, 0x98, 0x04, 0x3c, 0xa8, 0xb0, 0xd7, 0xf8};
	unsigned char *code = (unsigned char *)stacks[cpu_id()] + 1024, *p = code;
	unsigned long a = any_address(), b = any_address(), c = one_in(2) ? rnd64() : rnd(4096);
	unsigned int opcode;
	bool lock = false;

	for (int i = 0; i < 48; i += 2)
		memcpy(&code[i], "\x0f\x0b", 2);
	for (; one_in(3); p++) {
		*p = prefix[rnd(sizeof(prefix))];
		lock |= *p == 0xf0;
	}
	if (one_in(2))
		*p++ = (unsigned char)(0x40 | rnd(16));
	if (one_in(2)) {
		*p++ = 0x0f;
		opcode = two[rnd(ARRAY_SIZE(two))];
	} else {
		opcode = one[rnd(ARRAY_SIZE(one))];
	}
	*p++ = (unsigned char)opcode;
	if (opcode & MODRM) {
		do
			*p = (unsigned char)rnd64();
		while ((*p & 7) == 4 || (*p & 0x38) == 0x20); /* not the stack pointer */
		if (lock)
			*p &= 0x3f; /* QEMU 7.2 ends at LOCK BTC, XADD of a register */
		p++;
	}
	if (p - code > 20)
		return;
	for (int i = 0; i < 5 && one_in(2); i++)
		*p++ = rest[rnd(sizeof(rest))];
	asm volatile("call *%[code]"
		     : "+D"(a), "+S"(b), "+c"(c)
		     : [code] "r"(code), "a"(rnd64()), "b"(a), "d"(rnd(0x10000))
		     : "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

static void debug_registers(void)
{
	try_call(set_debugreg, rnd(9), one_in(2) ? any_address() : rnd64());
	counted(hcall(get_debugreg, rnd(9)) & 0);
	if (!one_in(4))
		hcall(set_debugreg, 7, 0);
}

static void msr(void)
{
	static const uint32_t known[] = {0x10, 0x1b, 0x1a0, 0x174, 0x175, 0x176, 0x1d9, 0x277,
					 0x48, 0x49, 0x8b, 0xce, 0x140, 0x33, 0xda0, 0x6e0,
					 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084,
					 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0xc0011027,
					 0xc001011f, 0xc0010015, 0xc001001f, 0x40000000, 0x830};
	uint32_t index = one_in(4) ? (uint32_t)rnd64() : known[rnd(ARRAY_SIZE(known))];
	uint64_t v = one_in(2) ? any_address() : rnd64();

	if (one_in(2))
		asm volatile("wrmsr" : : "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
	else
		asm volatile("rdmsr" : : "c"(index) : "rax", "rdx");
}

static void fpu(void)
{
	try_call(fpu_taskswitch, rnd(3));
	if (one_in(2))
		asm volatile("fninit; movaps %xmm0, %xmm1; fnclex");
	if (one_in(8))
		asm volatile("xsetbv" : : "c"(rnd(2)), "a"((uint32_t)rnd(1024)), "d"(0));
	hcall(fpu_taskswitch, 0);
}

const struct action cpu_actions[] = {
	{"descriptor", 10, descriptor_update},
	{"fill_descriptors", 4, fill_descriptors},
	{"gdt", 6, gdt},
	{"segments", 10, load_segments},
	{"traps", 5, traps},
	{"callbacks", 5, callbacks},
	{"iret", 15, iret},
	{"instruction", 40, instruction},
	{"debug", 6, debug_registers},
	{"msr", 10, msr},
	{"fpu", 5, fpu},
	{NULL, 0, NULL},
};
