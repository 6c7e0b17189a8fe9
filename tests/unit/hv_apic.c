// SPDX-License-Identifier: GPL-2.0-only
/* The local APIC by its registers' mocks: xAPIC, x2APIC, and the TSC deadline, which no
 * machine of the tests has. */
#include "tests/unit/suite.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"
#include "hypervisor/sched/timer.h"

unsigned int nr_cpus = 4;
struct cpumask cpu_online_map, cpu_present_map, cpu_ipi_map;
uint32_t cpu_khz = 2000000;

static uint32_t registers[1024] __attribute__((aligned(4096)));
static uint64_t msr[0x1000], apic_base = 0xfee00000 | 1 << 8;
static uint32_t features; /* CPUID 1 ECX */
static bool bad_order;    /* x2APIC without xAPIC before it, a deadline without its mode */
static uint64_t tsc;
static stime_t time_now;
static struct {
	uint64_t icr[16];
	unsigned int n;
} sent;

uint64_t rdmsr(uint32_t n)
{
	if (n == 0x1b)
		return apic_base;
	CU_ASSERT_FATAL(n < ARRAY_SIZE(msr));
	/* The current count of the timer: 1 GHz. */
	return n == 0x839 ? UINT32_MAX - (uint64_t)time_now : msr[n];
}

void wrmsr(uint32_t n, uint64_t v)
{
	if (n == 0x1b) {
		bad_order |= (v & 1 << 10) && !(apic_base & 1 << 11);
		apic_base = v;
		return;
	}
	CU_ASSERT_FATAL(n < ARRAY_SIZE(msr));
	CU_ASSERT(n == 0x6e0 || (apic_base & 1 << 10));
	if (n == 0x6e0)
		bad_order |= !(msr[0x832] & 2 << 17) && !(registers[0x320 / 4] & 2 << 17);
	if (n == 0x830)
		sent.icr[sent.n++ % 16] = v;
	msr[n] = v;
}

void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	(void)subleaf;
	memset(out, 0, 4 * sizeof(out[0]));
	if (leaf == 1) {
		out[2] = features;
		out[3] = 1u << 9;
	}
}

uint64_t rdtsc(void)
{
	return tsc;
}

stime_t now(void)
{
	time_now += 1000;
	registers[0x390 / 4] = UINT32_MAX - (uint32_t)time_now;
	return time_now;
}

void *map_device(uint64_t maddr, size_t bytes)
{
	CU_ASSERT_EQUAL(maddr, 0xfee00000);
	CU_ASSERT_EQUAL(bytes, PAGE_SIZE);
	return registers;
}

void vector_set_handler(uint8_t vector, void (*fn)(void))
{
	(void)vector, (void)fn;
}

void pic_disable(void)
{
}

void smp_prepare(void)
{
}

static void start(uint32_t ecx)
{
	features = ecx;
	apic_base = 0xfee00000 | 1 << 8;
	bad_order = false;
	memset(registers, 0, sizeof(registers));
	memset(msr, 0, sizeof(msr));
	memset(&sent, 0, sizeof(sent));
	registers[0x30 / 4] = 5 << 16;
	msr[0x803] = 6 << 16;
	registers[0x20 / 4] = 7u << 24;
	msr[0x802] = 0x12345;
	cpu_online_map = cpu_ipi_map = (struct cpumask){{0}};
	apic_init();
	apic_calibrate();
}

static void test_xapic(void)
{
	start(0);
	CU_ASSERT_EQUAL(apic_id(), 7);
	CU_ASSERT_EQUAL(cpu_to_apicid[0], 7);
	CU_ASSERT_EQUAL(registers[0xf0 / 4], 0x100 | VECTOR_SPURIOUS);
	CU_ASSERT_EQUAL(registers[0x350 / 4], 0x10700);
	CU_ASSERT_EQUAL(registers[0x360 / 4], 0x400); /* NMI: the boot CPU's */
	CU_ASSERT_EQUAL(registers[0x320 / 4], VECTOR_TIMER);
	CU_ASSERT_EQUAL(apic_base >> 10 & 3, 2);
	CU_ASSERT(cpu_online(0));
	cpu_to_apicid[2] = 9;
	apic_send_ipi(2, VECTOR_EVENT_CHECK);
	CU_ASSERT_EQUAL(registers[0x310 / 4], 9u << 24);
	CU_ASSERT_EQUAL(registers[0x300 / 4], 0x4000 | VECTOR_EVENT_CHECK);
	apic_send_startup(9, 0x9e);
	CU_ASSERT_EQUAL(registers[0x300 / 4], 0x469e);

	/* 1 GHz was measured; what is too long is cut short, and nothing is never armed. */
	apic_timer_arm(5000);
	CU_ASSERT(registers[0x380 / 4] >= 4990 && registers[0x380 / 4] <= 5010);
	apic_timer_arm(UINT64_MAX);
	CU_ASSERT_EQUAL(registers[0x380 / 4], UINT32_MAX);
	apic_timer_arm(0);
	CU_ASSERT_EQUAL(registers[0x380 / 4], 0);
	apic_timer_arm(1);
	CU_ASSERT(registers[0x380 / 4] >= 1);
}

static void test_x2apic(void)
{
	struct cpumask all = {{15}};

	start(1u << 21);
	CU_ASSERT_FALSE(bad_order);
	CU_ASSERT_EQUAL(apic_base >> 10 & 3, 3);
	CU_ASSERT_EQUAL(apic_id(), 0x12345);
	CU_ASSERT_EQUAL(msr[0x80f], 0x100 | VECTOR_SPURIOUS);
	CU_ASSERT_EQUAL(msr[0x832], VECTOR_TIMER);
	CU_ASSERT_EQUAL(registers[0xf0 / 4], 0);
	for (unsigned int cpu = 1; cpu < 4; cpu++) {
		cpu_to_apicid[cpu] = 0x1000 + cpu;
		if (cpu != 2)
			set_bit(cpu, cpu_ipi_map.bits);
	}
	sent.n = 0;
	apic_send_ipi_mask(&all, 0xf9); /* not itself, not CPU 2, which does not answer */
	CU_ASSERT_EQUAL(sent.n, 2);
	CU_ASSERT_EQUAL(sent.icr[0], 0x1001ull << 32 | 0x40f9);
	CU_ASSERT_EQUAL(sent.icr[1], 0x1003ull << 32 | 0x40f9);
	apic_timer_arm(1000000);
	CU_ASSERT(msr[0x838] > 990000 && msr[0x838] < 1010000);
}

static void test_deadline(void)
{
	for (unsigned int x2 = 0; x2 < 2; x2++) {
		start(1u << 24 | x2 << 21);
		CU_ASSERT_FALSE(bad_order);
		CU_ASSERT_EQUAL(x2 ? msr[0x832] : registers[0x320 / 4], 2 << 17 | VECTOR_TIMER);
		tsc = 1000000000;
		apic_timer_arm(5000);
		CU_ASSERT_EQUAL(msr[0x6e0], 1000000000 + 10000);
		apic_timer_arm(0);
		CU_ASSERT_EQUAL(msr[0x6e0], 0);
		apic_timer_arm(UINT64_MAX);
		CU_ASSERT(msr[0x6e0] > tsc && msr[0x6e0] < tsc + (1ull << 40));
		CU_ASSERT_FALSE(bad_order);
		CU_ASSERT_EQUAL(registers[0x380 / 4], 0);
	}
}

/* What a loader left in service is ended, and an APIC that never ends is given up. */
static void test_stale_isr(void)
{
	start(0);
	registers[0x100 / 4] = 1;
	apic_init_cpu();
	CU_ASSERT_EQUAL(registers[0xb0 / 4], 0);
	host_cpu_info.cpu = 1;
	apic_init_cpu();
	CU_ASSERT_EQUAL(registers[0x360 / 4], 0x10400);
	host_cpu_info.cpu = 0;
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"xAPIC", test_xapic},
		{"x2APIC", test_x2apic},
		{"TSC deadline", test_deadline},
		{"stale interrupts", test_stale_isr},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_apic", tests);
}
