// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's clocks of known frequency: HPET, ACPI PM timer, PIT channel 2; and the
 * CMOS clock. They serve to measure the TSC at boot; dom0 has none of them but CMOS.
 */
#include "hypervisor/cpu/clocksource.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"

#define MEASURE_MS 50

/* Does it count? In many reads of some 100 ns each it must have done so. */
static bool counts(uint64_t (*read)(void))
{
	uint64_t first = read();
	unsigned int i;

	for (i = 0; i < 10000; i++)
		if (read() != first)
			return true;
	return false;
}

/* ---- HPET: IA-PC HPET specification 1.0a, 2.3 ---- */
#define HPET_PERIOD  0x004 /* femtoseconds a tick */
#define HPET_CONFIG  0x010
#define HPET_COUNTER 0x0f0
#define HPET_ENABLE  1u
#define HPET_LEGACY  2u

static volatile uint32_t *hpet_mmio;

static uint64_t hpet_read(void)
{
	return hpet_mmio[HPET_COUNTER / 4];
}

static struct clocksource hpet = {.name = "HPET", .mask = UINT32_MAX, .read = hpet_read};

static bool hpet_init(void)
{
	uint32_t period;

	if (!acpi.hpet_address)
		return false;
	hpet_mmio = map_device(acpi.hpet_address, PAGE_SIZE);
	if (!hpet_mmio)
		return false;
	period = hpet_mmio[HPET_PERIOD / 4];
	if (period < 100000 || period > 100000000) /* 10 GHz to 10 MHz */
		return false;
	hpet_mmio[HPET_CONFIG / 4] = (hpet_mmio[HPET_CONFIG / 4] | HPET_ENABLE) & ~HPET_LEGACY;
	hpet.hz = (1000000000000000ull + period / 2) / period;
	return counts(hpet_read);
}

/* ---- ACPI PM timer ---- */
static uint64_t pm_timer_read(void)
{
	return inl((uint16_t)acpi.pm_timer_port) & 0xffffff;
}

static const struct clocksource pm_timer = {"ACPI PM timer", 3579545, 0xffffff, pm_timer_read};

static bool pm_timer_init(void)
{
	return acpi.pm_timer_port && counts(pm_timer_read);
}

/* ---- PIT channel 2, through the gate in port 0x61, mode 2 from 0xffff down ---- */
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_GATE     0x61

static uint64_t pit_read(void)
{
	uint8_t lo, hi;

	outb(PIT_COMMAND, 0x80); /* latch channel 2 */
	lo = inb(PIT_CHANNEL2);
	hi = inb(PIT_CHANNEL2);
	return 0xffff - (uint64_t)(hi << 8 | lo);
}

static const struct clocksource pit = {"PIT", 1193182, 0xffff, pit_read};

static void pit_init(void)
{
	outb(PIT_GATE, (inb(PIT_GATE) & ~2u) | 1); /* gate open, speaker off */
	outb(PIT_COMMAND, 0xb4);                   /* channel 2, both bytes, mode 2 */
	outb(PIT_CHANNEL2, 0);
	outb(PIT_CHANNEL2, 0);
}

const struct clocksource *clocksource_init(void)
{
	if (hpet_init())
		return &hpet;
	if (pm_timer_init())
		return &pm_timer;
	pit_init();
	return &pit;
}

/* The clock and the TSC at one moment: of five tries, that in which the read took least. */
static uint64_t read_pair(const struct clocksource *c, uint64_t *tsc)
{
	uint64_t best = UINT64_MAX, count = 0;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		uint64_t before = rdtsc(), n = c->read(), after = rdtsc();

		if (after - before < best) {
			best = after - before;
			count = n;
			*tsc = before + best / 2;
		}
	}
	return count;
}

uint64_t clocksource_measure_tsc(const struct clocksource *c)
{
	const uint64_t period = c->hz * MEASURE_MS / 1000;
	uint64_t tsc0 = 0, tsc1 = 0, last, ticks = 0;
	unsigned long flags = irq_save();

	last = read_pair(c, &tsc0);
	do {
		uint64_t n = read_pair(c, &tsc1);

		ticks += (n - last) & c->mask; /* the PIT goes round every 55 ms */
		last = n;
	} while (ticks < period);
	irq_restore(flags);
	return mul_div(tsc1 - tsc0, c->hz, ticks);
}

/* ---- CMOS clock: MC146818 ---- */
#define CMOS_INDEX      0x70
#define CMOS_DATA       0x71
#define CMOS_STATUS_A   0x0a
#define CMOS_STATUS_B   0x0b
#define UPDATING        0x80 /* status A */
#define BINARY          0x04 /* status B */
#define HOURS_24        0x02
#define CMOS_CENTURY    0x32

static uint8_t cmos_read(uint8_t reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static unsigned int cmos_number(uint8_t v, uint8_t status_b)
{
	return status_b & BINARY ? v : (v & 15u) + (v >> 4) * 10u;
}

/* Days from 1970 to a date of the Gregorian calendar, with the year beginning in March. */
static uint64_t days_since_1970(unsigned int year, unsigned int month, unsigned int day)
{
	unsigned int y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;

	return 365ull * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

uint64_t cmos_read_time(void)
{
	static const uint8_t regs[7] = {0, 2, 4, 7, 8, 9, CMOS_CENTURY};
	uint8_t a[7], b[7], status_b;
	unsigned int i, tries, hour, year, century;

	/* Two readings alike, neither during an update (which takes 2 ms of a second). Not
	 * for ever: where there is none, all bits read as ones. */
	for (tries = 0; tries < 5; tries++) {
		for (i = 0; i < 100000 && cmos_read(CMOS_STATUS_A) & UPDATING; i++)
			cpu_relax();
		for (i = 0; i < 7; i++)
			a[i] = cmos_read(regs[i]);
		for (i = 0; i < 7; i++)
			b[i] = cmos_read(regs[i]);
		if (!(cmos_read(CMOS_STATUS_A) & UPDATING) && !memcmp(a, b, sizeof(a)))
			break;
	}
	status_b = cmos_read(CMOS_STATUS_B);
	hour = cmos_number(a[2] & 0x7f, status_b);
	if (!(status_b & HOURS_24))
		hour = hour % 12 + (a[2] & 0x80 ? 12 : 0);
	year = cmos_number(a[5], status_b);
	century = cmos_number(a[6], status_b);
	if (century < 19 || century > 29)
		century = year < 70 ? 20 : 19;
	return days_since_1970(century * 100 + year, cmos_number(a[4], status_b),
			       cmos_number(a[3], status_b)) * 86400 +
	       hour * 3600 + cmos_number(a[1], status_b) * 60 + cmos_number(a[0], status_b);
}
