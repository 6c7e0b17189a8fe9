// SPDX-License-Identifier: GPL-2.0-only
/* hypervisor/platform/acpi.c: tables as a machine has them, cut short, damaged at random.
 * Each mapping is of its exact size, so that reading past a table is seen. */
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/mm/mm.h"

#define MEMORY    (2u << 20)
#define RSDP      0xf1230u
#define ROOT      0x110000u
#define MADT      0x111000u
#define FADT      0x112000u
#define HPET      0x113000u
#define MCFG      0x114000u
#define SRAT      0x115000u
#define MAPPINGS  600

struct boot_info boot_info;
static void *mapping[MAPPINGS];
static unsigned int nr_mappings;

/* Damaged tables give rise to megabytes. */
void printk(enum log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

void *map_device_cached(uint64_t maddr, size_t bytes)
{
	void *p;

	if (maddr >= MEMORY || bytes > MEMORY - maddr || nr_mappings == MAPPINGS)
		return NULL;
	p = malloc(bytes);
	memcpy(p, host_memory + maddr, bytes);
	mapping[nr_mappings++] = p;
	return p;
}

void *xzalloc_bytes(size_t size, size_t align)
{
	void *p = calloc(1, size);

	(void)align;
	mapping[nr_mappings++] = p;
	return p;
}

static void unmap_all(void)
{
	while (nr_mappings)
		free(mapping[--nr_mappings]);
}

/* ---- building tables ---- */
static void checksum(uint32_t at, uint32_t n, uint32_t field)
{
	uint8_t sum = 0;

	host_memory[at + field] = 0;
	for (uint32_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + host_memory[at + i]);
	host_memory[at + field] = (char)(0 - sum);
}

static void put(uint32_t at, uint64_t value, size_t n)
{
	memcpy(host_memory + at, &value, n);
}

static void table(uint32_t at, const char *signature, const void *body, uint32_t n)
{
	memset(host_memory + at, 0, 36);
	memcpy(host_memory + at, signature, 4);
	put(at + 4, 36 + n, 4);
	memcpy(host_memory + at + 36, body, n);
	checksum(at, 36 + n, 9);
}

static const uint8_t madt[] = {
	0x00, 0x00, 0xe0, 0xfe, 1, 0, 0, 0,	       /* local APICs at 0xfee00000 */
	0, 8, 0, 0, 1, 0, 0, 0,			       /* CPU 0 */
	0, 8, 1, 2, 1, 0, 0, 0,			       /* APIC ID 2 */
	0, 8, 2, 4, 0, 0, 0, 0,			       /* not enabled */
	0, 8, 3, 0xff, 1, 0, 0, 0,		       /* none */
	9, 16, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, /* ID 2 again, as x2APIC */
	9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, /* ID 256 */
	1, 12, 5, 0, 0, 0, 0xc0, 0xfe, 24, 0, 0, 0,    /* IO-APIC from GSI 24 */
	2, 10, 0, 0, 2, 0, 0, 0, 0, 0,		       /* IRQ 0 is GSI 2 */
	2, 10, 0, 9, 9, 0, 0, 0, 0xf, 0,	       /* 9: level, low */
	2, 10, 1, 3, 3, 0, 0, 0, 0, 0,		       /* another bus: not ours */
	5, 12, 0, 0, 0, 0, 0xd0, 0xfe, 0, 0, 0, 0,     /* no: at 0xfed00000 */
};

static void build(void)
{
	uint8_t fadt[208] = {0}, hpet[20] = {0}, mcfg[24] = {0}, srat[12 + 16 + 24] = {0};
	uint32_t roots[] = {MADT, FADT, HPET, MCFG, SRAT};

	memset(&boot_info, 0, sizeof(boot_info));
	memset(&acpi, 0, sizeof(acpi));
	memset(host_memory, 0, MEMORY);
	memcpy(host_memory + RSDP, "RSD PTR ", 8);
	put(RSDP + 16, ROOT, 4);
	checksum(RSDP, 20, 8);
	table(MADT, "APIC", madt, sizeof(madt));
	fadt[46 - 36] = 9;				/* SCI */
	memcpy(&fadt[64 - 36], "\x04\x06\0\0", 4);	/* PM1a control */
	memcpy(&fadt[76 - 36], "\x08\x06\0\0", 4);	/* timer */
	fadt[113 - 36] = 1 << 2;			/* flags: reset register (bit 10) */
	fadt[116 - 36] = 1;				/* in I/O space */
	memcpy(&fadt[120 - 36], "\xf9\x0c", 2);
	fadt[128 - 36] = 6;
	fadt[208 - 36] = 1;				/* extended timer: I/O */
	memcpy(&fadt[212 - 36], "\x10\x40", 2);
	table(FADT, "FACP", fadt, sizeof(fadt));
	memcpy(&hpet[8], "\0\0\xd0\xfe", 4);
	table(HPET, "HPET", hpet, sizeof(hpet));
	memcpy(&mcfg[8], "\0\0\0\xb0", 4);
	mcfg[19] = 0xff;
	table(MCFG, "MCFG", mcfg, sizeof(mcfg));
	srat[12] = 0, srat[13] = 16, srat[14] = 3, srat[15] = 2, srat[16] = 1;
	srat[28] = 2, srat[29] = 24, srat[32] = 5, srat[37] = 1, srat[40] = 1;
	table(SRAT, "SRAT", srat, sizeof(srat));
	table(ROOT, "RSDT", roots, sizeof(roots));
}

/* ---- tests ---- */
static void start(void)
{
	memset(&acpi, 0, sizeof(acpi));
	acpi_init();
}

static void test_machine(void)
{
	build();
	start();
	CU_ASSERT_EQUAL(acpi.rsdp, RSDP);
	CU_ASSERT_EQUAL_FATAL(acpi.nr_cpus, 4);
	CU_ASSERT_EQUAL(acpi.cpu[1].apic_id, 2);
	CU_ASSERT_EQUAL(acpi.cpu[1].node, 3);
	CU_ASSERT(acpi.cpu[1].enabled);
	CU_ASSERT_FALSE(acpi.cpu[2].enabled);
	CU_ASSERT_EQUAL(acpi.cpu[3].apic_id, 256);
	CU_ASSERT_EQUAL(acpi.cpu[3].node, 5);
	CU_ASSERT_EQUAL(acpi.lapic_address, 0xfed00000);
	CU_ASSERT_EQUAL_FATAL(acpi.nr_ioapics, 1);
	CU_ASSERT_EQUAL(acpi.ioapic[0].gsi_base, 24);
	CU_ASSERT_EQUAL(acpi.ioapic[0].address, 0xfec00000);
	CU_ASSERT_EQUAL_FATAL(acpi.nr_overrides, 2);
	CU_ASSERT_EQUAL(acpi.override[0].gsi, 2);
	CU_ASSERT_FALSE(acpi.override[0].level);
	CU_ASSERT(acpi.override[1].level && acpi.override[1].low);
	CU_ASSERT_EQUAL(acpi.pm1a_cnt, 0x604);
	CU_ASSERT_EQUAL(acpi.pm_timer_port, 0x4010);
	CU_ASSERT_EQUAL(acpi.reset_port, 0xcf9);
	CU_ASSERT_EQUAL(acpi.reset_value, 6);
	CU_ASSERT_EQUAL(acpi.hpet_address, 0xfed00000);
	CU_ASSERT_EQUAL(acpi.mmconfig_base, 0xb0000000);
	CU_ASSERT_EQUAL(acpi.mmconfig_last_bus, 0xff);
	CU_ASSERT_PTR_NOT_NULL(acpi_table("SRAT", 0));
	CU_ASSERT_PTR_NULL(acpi_table("SRAT", 1));
	unmap_all();
}

/* By XSDT, the pointer from the loader; a table with a wrong sum is not there. */
static void test_xsdt(void)
{
	uint64_t roots[] = {MADT, FADT, HPET};

	build();
	memset(host_memory + RSDP, 0, 36);
	memcpy(host_memory + 0x5000, "RSD PTR ", 8);
	host_memory[0x500f] = 2;
	put(0x5014, 36, 4);
	put(0x5018, ROOT, 8);
	checksum(0x5000, 20, 8);
	table(ROOT, "XSDT", roots, sizeof(roots));
	host_memory[HPET + 40] ^= 1;
	boot_info.rsdp = 0x5000;
	start();
	CU_ASSERT_EQUAL(acpi.nr_cpus, 4);
	CU_ASSERT_EQUAL(acpi.pm1a_cnt, 0x604);
	CU_ASSERT_EQUAL(acpi.hpet_address, 0);
	unmap_all();
}

static void test_none(void)
{
	build();
	host_memory[RSDP] = 'X';
	start();
	CU_ASSERT_EQUAL(acpi.nr_cpus, 0);
	CU_ASSERT_EQUAL(acpi.lapic_address, 0xfee00000);
	unmap_all();
}

/* In the extended BIOS data area. */
static void test_ebda(void)
{
	build();
	memcpy(host_memory + 0x9fc30, host_memory + RSDP, 20);
	memset(host_memory + RSDP, 0, 20);
	put(0x40e, 0x9fc0, 2);
	start();
	CU_ASSERT_EQUAL(acpi.rsdp, 0x9fc30);
	CU_ASSERT_EQUAL(acpi.nr_cpus, 4);
	unmap_all();
}

/* Bytes changed at random, sums made right again: nothing is read or written outside. */
static void test_damaged(void)
{
	static const uint32_t tables[] = {ROOT, MADT, FADT, HPET, MCFG, SRAT};

	for (int round = 0; round < 20000; round++) {
		if (round % 8 == 0)
			build();
		for (uint64_t n = rnd() % 6; n; n--) {
			uint32_t at = tables[rnd() % ARRAY_SIZE(tables)], length;

			if (rnd() % 3)
				host_memory[at + 36 + rnd() % 120] = (char)(rnd() % 3 ? rnd() % 24 : rnd());
			else
				put(at + 4, rnd() % 4 ? rnd() % 260 : rnd(), rnd() % 2 ? 2 : 4);
			memcpy(&length, host_memory + at + 4, 4);
			if (length < MEMORY - at)
				checksum(at, length, 9);
		}
		start();
		CU_ASSERT(acpi.nr_ioapics <= ARRAY_SIZE(acpi.ioapic));
		CU_ASSERT(acpi.nr_overrides <= ARRAY_SIZE(acpi.override));
		unmap_all();
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a machine's tables", test_machine},
		{"XSDT, and a wrong checksum", test_xsdt},
		{"no tables", test_none},
		{"pointer in the EBDA", test_ebda},
		{"damaged tables", test_damaged},
		CU_TEST_INFO_NULL,
	};
	int failed;

	host_memory = malloc(MEMORY);
	failed = suite_main("hv_acpi", tests);
	free(host_memory);
	return failed;
}
