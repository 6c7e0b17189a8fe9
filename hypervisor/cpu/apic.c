// SPDX-License-Identifier: GPL-2.0-only
/*
 * The local APIC: xAPIC by its registers in memory, x2APIC by MSRs where the CPU has it.
 * Destinations are physical. Intel SDM volume 3 chapter 10, AMD APM volume 2 chapter 16.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/clocksource.h"
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"
#include "hypervisor/sched/timer.h"

#define MSR_APIC_BASE    0x1b
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define MSR_X2APIC       0x800
#define MSR_X2APIC_ICR   0x830
#define MSR_TSC_DEADLINE 0x6e0

enum apic_register {
	APIC_ID = 0x20,
	APIC_VERSION = 0x30,
	APIC_TPR = 0x80,
	APIC_EOI = 0xb0,
	APIC_SPURIOUS = 0xf0,
	APIC_ISR = 0x100,
	APIC_ESR = 0x280,
	APIC_LVT_CMCI = 0x2f0,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_PERF = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
};

#define SPURIOUS_ENABLE     (1u << 8)
#define LVT_MASKED          (1u << 16)
#define LVT_TIMER_DEADLINE  (2u << 17)
#define DELIVERY_NMI        (4u << 8)
#define DELIVERY_INIT       (5u << 8)
#define DELIVERY_STARTUP    (6u << 8)
#define DELIVERY_EXTINT     (7u << 8)
#define ICR_PENDING         (1u << 12)
#define ICR_ASSERT          (1u << 14)
#define TIMER_DIVIDE_BY_1   0xb
#define TIMER_MAX_NS        ((uint64_t)1 << 34)

uint32_t cpu_to_apicid[NR_CPUS];
static volatile uint32_t *apic_mmio;
static bool x2apic, tsc_deadline;
/* Timer ticks (of the bus clock, or the TSC) in a nanosecond, times 2^32. */
static uint64_t timer_ticks_per_ns;

static uint32_t apic_read(enum apic_register reg)
{
	return x2apic ? (uint32_t)rdmsr(MSR_X2APIC + reg / 16) : apic_mmio[reg / 4];
}

static void apic_write(enum apic_register reg, uint32_t v)
{
	if (x2apic)
		wrmsr(MSR_X2APIC + reg / 16, v);
	else
		apic_mmio[reg / 4] = v;
}

uint32_t apic_id(void)
{
	return x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24;
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

/* ---- interrupts to other CPUs ---- */

bool apic_reaches(uint32_t id)
{
	return x2apic || id < 255;
}

static void icr_write(uint32_t dest, uint32_t low)
{
	unsigned long flags;

	if (x2apic) {
		/* The MSR write is not serialising: what was stored before must be seen by
		 * the CPU that takes the interrupt (SDM 10.12.3). */
		__asm__ volatile("mfence; lfence" ::: "memory");
		wrmsr(MSR_X2APIC_ICR, (uint64_t)dest << 32 | low);
		return;
	}
	/* Two writes, between which an interrupt handler must not send one of its own. */
	flags = irq_save();
	while (apic_read(APIC_ICR) & ICR_PENDING)
		cpu_relax();
	apic_write(APIC_ICR_HIGH, dest << 24);
	apic_write(APIC_ICR, low);
	irq_restore(flags);
}

void apic_send_ipi(unsigned int cpu, uint8_t vector)
{
	perfc_incr(ipis);
	icr_write(cpu_to_apicid[cpu], ICR_ASSERT | vector);
}

void apic_send_ipi_mask(const struct cpumask *mask, uint8_t vector)
{
	unsigned int cpu;

	for_each_cpu(cpu, mask)
		if (cpu != this_cpu && cpu_answers(cpu))
			apic_send_ipi(cpu, vector);
}

void apic_send_nmi(unsigned int cpu)
{
	icr_write(cpu_to_apicid[cpu], ICR_ASSERT | DELIVERY_NMI);
}

void apic_send_init(uint32_t id)
{
	icr_write(id, ICR_ASSERT | DELIVERY_INIT);
}

void apic_send_startup(uint32_t id, uint8_t page)
{
	icr_write(id, ICR_ASSERT | DELIVERY_STARTUP | page);
}

/* ---- timer ---- */

/* 0 stops it. Too long a time fires early: whoever set it looks at the clock then. */
void apic_timer_arm(uint64_t ns)
{
	uint64_t ticks = (uint64_t)((unsigned __int128)MIN(ns, TIMER_MAX_NS) *
				    timer_ticks_per_ns >> 32);

	if (tsc_deadline)
		wrmsr(MSR_TSC_DEADLINE, ns ? rdtsc() + ticks : 0);
	else
		apic_write(APIC_TIMER_INITIAL,
			   ns ? (uint32_t)MIN(MAX(ticks, 1), UINT32_MAX) : 0);
}

static void timer_setup(void)
{
	apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (tsc_deadline ? LVT_TIMER_DEADLINE : 0));
	/* The mode must be in force before the first deadline is written (SDM 10.5.4.1). */
	if (tsc_deadline)
		__asm__ volatile("mfence" ::: "memory");
}

void apic_calibrate(void)
{
	const stime_t period = MILLISECS(20);
	unsigned long flags;
	uint32_t first, last;
	stime_t start, end;

	if (tsc_deadline) {
		timer_ticks_per_ns = ((uint64_t)cpu_khz << 32) / 1000000;
		printk(LOG_INFO, "APIC timer: TSC deadline\n");
		return;
	}
	flags = irq_save();
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER | LVT_MASKED);
	apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
	start = now();
	first = apic_read(APIC_TIMER_CURRENT);
	do {
		end = now();
		last = apic_read(APIC_TIMER_CURRENT);
	} while (end - start < period);
	apic_write(APIC_TIMER_INITIAL, 0);
	timer_setup();
	irq_restore(flags);
	timer_ticks_per_ns = mul_div(first - last, 1ull << 32, (uint64_t)(end - start));
	printk(LOG_INFO, "APIC timer: %lu kHz\n",
	       (unsigned long)((first - last) * 1000000ull / (uint64_t)(end - start)));
}

/* ---- set-up ---- */

static void error_interrupt(void)
{
	apic_write(APIC_ESR, 0); /* makes the errors since the last write readable */
	printk(LOG_WARN, "CPU %u: APIC error %#x\n", this_cpu, apic_read(APIC_ESR));
}

/* Registers of this CPU's APIC, whatever the firmware left in them. */
void apic_init_cpu(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;
	unsigned int max_lvt, i;

	/* x2APIC is entered from enabled xAPIC only. */
	wrmsr(MSR_APIC_BASE, base);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
	cpu_to_apicid[this_cpu] = apic_id();

	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	apic_write(APIC_TPR, 0);
	max_lvt = apic_read(APIC_VERSION) >> 16 & 0xff;
	/* PIC interrupts (LINT0) are not used; NMI (LINT1) is for one CPU to take. */
	apic_write(APIC_LVT_LINT0, DELIVERY_EXTINT | LVT_MASKED);
	apic_write(APIC_LVT_LINT1, DELIVERY_NMI | (this_cpu ? LVT_MASKED : 0));
	if (max_lvt >= 4)
		apic_write(APIC_LVT_PERF, LVT_MASKED);
	if (max_lvt >= 6)
		apic_write(APIC_LVT_CMCI, LVT_MASKED);
	apic_write(APIC_ESR, 0);
	apic_write(APIC_LVT_ERROR, VECTOR_ERROR);
	timer_setup();
	/* A loader may have left interrupts in service, which would block all of their
	 * class and below for ever. At most one a vector. */
	for (i = 0; i < 256; i++) {
		unsigned int n, busy = 0;

		for (n = 0; n < 8; n++)
			busy |= apic_read((enum apic_register)(APIC_ISR + n * 16));
		if (!busy)
			break;
		apic_eoi();
	}
}

void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);
	uint32_t r[4];

	cpuid(1, 0, r);
	if (!(r[3] & 1u << 9))
		panic("no local APIC");
	x2apic = r[2] & 1u << 21;
	tsc_deadline = r[2] & 1u << 24;
	if (!x2apic)
		apic_mmio = map_device(base & PTE_ADDR, PAGE_SIZE);
	vector_set_handler(VECTOR_ERROR, error_interrupt);
	pic_disable();
	set_bit(0, cpu_present_map.bits);
	set_bit(0, cpu_online_map.bits);
	set_bit(0, cpu_ipi_map.bits);
	apic_init_cpu();
	smp_prepare();
	printk(LOG_INFO, "APIC: %s, id %u\n", x2apic ? "x2APIC" : "xAPIC", apic_id());
}
