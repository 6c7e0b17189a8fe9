// SPDX-License-Identifier: GPL-2.0-only
/* Several calls in one: results, continuations, and a list that leaves the guest's kernel. */
#include "tests/unit/suite.h"

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/hypercall.h"

static struct vcpu vcpu;
static struct multicall_entry list[4];
static unsigned int calls;

bool guest_range_ok(uint64_t gva, size_t n)
{
	(void)gva, (void)n;
	return true;
}

static long add(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	(void)c, (void)d, (void)e, (void)f;
	calls++;
	return (long)(a + b);
}

/* Takes two steps. */
static long slow(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	(void)b, (void)c, (void)d, (void)e, (void)f;
	calls++;
	return a ? hypercall_continue(2, 1, a - 1) : 77;
}

/* As HYPERVISOR_iret to the guest's user. */
static long leave(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	(void)b, (void)c, (void)d, (void)e, (void)f;
	calls++;
	vcpu.pv.kernel_mode = false;
	return (long)a;
}

const hypercall_fn hypercall_table[64] = {[1] = add, [2] = slow, [3] = leave};

static void setup(unsigned int i, unsigned int op, uint64_t a, uint64_t b)
{
	list[i] = (struct multicall_entry){.op = op, .result = 0xdead, .args = {a, b}};
}

static long multicall(unsigned int n)
{
	set_current(&vcpu);
	vcpu.pv.kernel_mode = true;
	calls = 0;
	*guest_regs() = (struct cpu_user_regs){.rip = 0x1000, .rax = 0x55};
	return do_multicall((uint64_t)list, n);
}

static void test_results(void)
{
	setup(0, 1, 2, 3);
	setup(1, 63, 0, 0);
	setup(2, 64, 0, 0);
	setup(3, 1, 5, 6);
	CU_ASSERT_EQUAL(multicall(4), 0);
	CU_ASSERT_EQUAL(list[0].result, 5);
	CU_ASSERT_EQUAL((long)list[1].result, -ENOSYS);
	CU_ASSERT_EQUAL((long)list[2].result, -ENOSYS);
	CU_ASSERT_EQUAL(list[3].result, 11);
	CU_ASSERT_EQUAL(calls, 2);
	CU_ASSERT_EQUAL(guest_regs()->rip, 0x1000);
}

static void test_continued(void)
{
	setup(0, 1, 2, 3);
	setup(1, 2, 1, 0);
	setup(2, 1, 5, 6);
	CU_ASSERT_EQUAL(multicall(3), __HYPERVISOR_multicall);
	CU_ASSERT_EQUAL(guest_regs()->rip, 0x1000 - 2);
	CU_ASSERT_EQUAL(guest_regs()->rdi, (uint64_t)&list[1]);
	CU_ASSERT_EQUAL(guest_regs()->rsi, 2);
	CU_ASSERT_EQUAL(list[1].args[0], 0);
	CU_ASSERT_EQUAL(do_multicall(guest_regs()->rdi, guest_regs()->rsi), 0);
	CU_ASSERT_EQUAL(list[1].result, 77);
	CU_ASSERT_EQUAL(list[2].result, 11);
}

/* What follows an iret would be done in the user's address space, with the kernel's rights. */
static void test_left(void)
{
	for (uint64_t rax = 0; rax < 2; rax++) {
		setup(0, 1, 2, 3);
		setup(1, 3, rax, 0);
		setup(2, 1, 5, 6);
		CU_ASSERT_EQUAL((uint64_t)multicall(3), rax);
		CU_ASSERT_EQUAL(calls, 2);
		CU_ASSERT_EQUAL(list[0].result, 5);
		CU_ASSERT_EQUAL(list[1].result, 0xdead); /* nor is anything written there */
		CU_ASSERT_EQUAL(list[2].result, 0xdead);
		CU_ASSERT_EQUAL(guest_regs()->rip, 0x1000);
		CU_ASSERT_FALSE(vcpu.multicall.active);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"results", test_results},
		{"a call that goes on later", test_continued},
		{"a list that leaves the kernel", test_left},
		CU_TEST_INFO_NULL,
	};

	return suite_main("multicall", tests);
}
