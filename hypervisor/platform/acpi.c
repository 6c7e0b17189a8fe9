// SPDX-License-Identifier: GPL-2.0-only
/*
 * ACPI's static tables (ACPI specification 6.4, chapter 5): found, checked, and what the
 * hypervisor needs of MADT, FADT, HPET, MCFG and SRAT noted. No table is trusted: lengths are
 * checked against what is mapped, checksums must be right.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/mm/mm.h"

#define MAX_TABLES 128
#define MAX_TABLE_SIZE (16u << 20)

struct acpi_info acpi;

struct sdt {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	uint32_t length;
	uint64_t xsdt;
	uint8_t extended_checksum, reserved[3];
} __attribute__((packed));
#define RSDP1_SIZE 20

static const struct sdt *table[MAX_TABLES];
static unsigned int nr_tables;

static bool sum_is_zero(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n--)
		sum = (uint8_t)(sum + *b++);
	return !sum;
}

/* ---- finding them ---- */

static bool is_rsdp(const struct rsdp *r)
{
	return !memcmp(r->signature, "RSD PTR ", 8) && sum_is_zero(r, RSDP1_SIZE);
}

/* On a 16-byte boundary in the first KiB of the extended BIOS data area, or in the BIOS. */
static uint64_t find_rsdp(void)
{
	uint64_t ebda = (uint64_t)*(uint16_t *)maddr_to_virt(0x40e) << 4;

	if (ebda >= 0x80000 && ebda <= 0x9fc00)
		for (uint64_t a = ebda; a < ebda + 1024; a += 16)
			if (is_rsdp(maddr_to_virt(a)))
				return a;
	for (uint64_t a = 0xe0000; a < 0x100000; a += 16)
		if (is_rsdp(maddr_to_virt(a)))
			return a;
	return 0;
}

/* The whole table, mapped; NULL if it is not sound. */
static const struct sdt *map_table(uint64_t address)
{
	const struct sdt *t;
	uint32_t length;

	if (!address)
		return NULL;
	t = map_device_cached(address, sizeof(*t));
	if (!t)
		return NULL;
	length = t->length;
	if (length < sizeof(*t) || length > MAX_TABLE_SIZE) {
		printk(LOG_WARN, "ACPI: %.4s: length %u\n", t->signature, length);
		return NULL;
	}
	t = map_device_cached(address, length);
	if (t && !sum_is_zero(t, length)) {
		printk(LOG_WARN, "ACPI: %.4s: wrong checksum\n", t->signature);
		return NULL;
	}
	return t;
}

/* The entries of RSDT (4 bytes each) or XSDT (8). */
static void read_root(const struct sdt *root, unsigned int width)
{
	unsigned int n = (root->length - (uint32_t)sizeof(*root)) / width;

	for (unsigned int i = 0; i < n && nr_tables < MAX_TABLES; i++) {
		uint64_t address = 0;
		const struct sdt *t;

		memcpy(&address, (const char *)(root + 1) + i * width, width);
		t = map_table(address);
		if (!t)
			continue;
		printk(LOG_DEBUG, "ACPI: %.4s %016lx %u bytes\n", t->signature, address, t->length);
		table[nr_tables++] = t;
	}
}

void *acpi_table(const char signature[4], unsigned int nth)
{
	for (unsigned int i = 0; i < nr_tables; i++)
		if (!memcmp(table[i]->signature, signature, 4) && !nth--)
			return (void *)table[i];
	return NULL;
}

/* ---- MADT: CPUs and interrupt controllers ---- */
struct madt {
	struct sdt sdt;
	uint32_t lapic, flags;
} __attribute__((packed));

enum madt_type {
	MADT_LAPIC,
	MADT_IOAPIC,
	MADT_OVERRIDE,
	MADT_LAPIC_ADDRESS = 5,
	MADT_X2APIC = 9,
};

struct madt_entry {
	uint8_t type, length;
	union {
		struct {
			uint8_t acpi_id, apic_id;
			uint32_t flags;
		} __attribute__((packed)) lapic;
		struct {
			uint8_t id, reserved;
			uint32_t address, gsi_base;
		} __attribute__((packed)) ioapic;
		struct {
			uint8_t bus, irq;
			uint32_t gsi;
			uint16_t flags;
		} __attribute__((packed)) override;
		struct {
			uint16_t reserved;
			uint64_t address;
		} __attribute__((packed)) lapic_address;
		struct {
			uint16_t reserved;
			uint32_t apic_id, flags, acpi_id;
		} __attribute__((packed)) x2apic;
	};
} __attribute__((packed));

#define MADT_SIZE(member) (2 + sizeof(((struct madt_entry *)0)->member))
#define CPU_ENABLED 1u

struct acpi_cpu *acpi_cpu_of_apic(uint32_t apic_id)
{
	for (unsigned int i = 0; i < acpi.nr_cpus; i++)
		if (acpi.cpu[i].apic_id == apic_id)
			return &acpi.cpu[i];
	return NULL;
}

/* Some firmware lists a CPU both as local APIC and as x2APIC. */
static void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
	if (acpi_cpu_of_apic(apic_id))
		return;
	acpi.cpu[acpi.nr_cpus++] = (struct acpi_cpu){
		.apic_id = apic_id, .acpi_id = acpi_id, .enabled = flags & CPU_ENABLED};
}

static void add_override(const struct madt_entry *e)
{
	unsigned int polarity = e->override.flags & 3, trigger = e->override.flags >> 2 & 3;

	if (e->override.bus || acpi.nr_overrides == ARRAY_SIZE(acpi.override))
		return;
	/* "As the bus has it" is edge, high: the bus is ISA. */
	acpi.override[acpi.nr_overrides++] = (struct acpi_override){
		e->override.irq, e->override.gsi, trigger == 3, polarity == 3};
}

static void add_ioapic(const struct madt_entry *e)
{
	if (acpi.nr_ioapics == ARRAY_SIZE(acpi.ioapic))
		return;
	acpi.ioapic[acpi.nr_ioapics++] = (struct acpi_ioapic){
		e->ioapic.id, e->ioapic.gsi_base, e->ioapic.address};
}

static void madt_entry(const struct madt_entry *e)
{
	switch (e->type) {
	case MADT_LAPIC:
		if (e->length >= MADT_SIZE(lapic) && e->lapic.apic_id != 0xff)
			add_cpu(e->lapic.apic_id, e->lapic.acpi_id, e->lapic.flags);
		break;
	case MADT_X2APIC:
		if (e->length >= MADT_SIZE(x2apic) && e->x2apic.apic_id != ~0u)
			add_cpu(e->x2apic.apic_id, e->x2apic.acpi_id, e->x2apic.flags);
		break;
	case MADT_IOAPIC:
		if (e->length >= MADT_SIZE(ioapic))
			add_ioapic(e);
		break;
	case MADT_OVERRIDE:
		if (e->length >= MADT_SIZE(override))
			add_override(e);
		break;
	case MADT_LAPIC_ADDRESS:
		if (e->length >= MADT_SIZE(lapic_address))
			acpi.lapic_address = e->lapic_address.address;
		break;
	}
}

static void read_madt(const struct madt *m)
{
	const char *p = (const char *)(m + 1), *end = (const char *)m + m->sdt.length;

	if (m->sdt.length < sizeof(*m))
		return;
	/* No more CPUs than entries, and an entry has at least 8 bytes. */
	acpi.cpu = xzalloc_array(struct acpi_cpu, (size_t)(end - p) / 8 + 1);
	if (!acpi.cpu)
		panic("no memory for the list of CPUs");
	acpi.lapic_address = m->lapic;
	while (end - p >= 2) {
		const struct madt_entry *e = (const void *)p;

		if (e->length < 2 || e->length > end - p)
			break;
		madt_entry(e);
		p += e->length;
	}
}

/* ---- FADT: fixed hardware ---- */
struct gas {
	uint8_t space, width, offset, access;
	uint64_t address;
} __attribute__((packed));
#define GAS_IO 1

struct fadt {
	struct sdt sdt;
	uint32_t facs, dsdt;
	uint8_t model, profile;
	uint16_t sci;
	uint32_t smi_command;
	uint8_t acpi_enable, acpi_disable, s4bios, pstate;
	uint32_t pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_timer, gpe0, gpe1;
	uint8_t pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_timer_len, gpe0_len, gpe1_len,
		gpe1_base, cst;
	uint16_t c2_latency, c3_latency, flush_size, flush_stride;
	uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
	uint16_t boot_flags;
	uint8_t reserved;
	uint32_t flags;
	struct gas reset;
	uint8_t reset_value;
	uint16_t arm_flags;
	uint8_t minor;
	uint64_t x_facs, x_dsdt;
	struct gas x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_timer;
} __attribute__((packed));
#define FADT_RESET       (1u << 10)

/* A port: from the extended field if it is there, else from the old one. */
static uint32_t port(uint32_t old, const struct gas *g)
{
	return g->space == GAS_IO && g->address && g->address <= 0xffff ? (uint32_t)g->address : old;
}

static void read_fadt(const struct sdt *t)
{
	struct fadt f = {0}; /* an older one is shorter */

	memcpy(&f, t, MIN(t->length, sizeof(f)));
	acpi.pm1a_cnt = port(f.pm1a_cnt, &f.x_pm1a_cnt);
	acpi.pm1b_cnt = port(f.pm1b_cnt, &f.x_pm1b_cnt);
	acpi.pm_timer_port = port(f.pm_timer, &f.x_pm_timer);
	if (f.flags & FADT_RESET && f.reset.space == GAS_IO) {
		acpi.reset_port = (uint32_t)f.reset.address;
		acpi.reset_value = f.reset_value;
	}
}

/* ---- HPET, MCFG, SRAT ---- */
struct hpet {
	struct sdt sdt;
	uint32_t id;
	struct gas address;
} __attribute__((packed));

struct mcfg {
	struct sdt sdt;
	uint64_t reserved, base;
	uint16_t segment;
	uint8_t first_bus, last_bus;
	uint32_t reserved2;
} __attribute__((packed));

static void read_others(void)
{
	const struct hpet *h = acpi_table("HPET", 0);
	const struct mcfg *m = acpi_table("MCFG", 0);

	if (h && h->sdt.length >= sizeof(*h) && !h->address.space)
		acpi.hpet_address = h->address.address;
	if (m && m->sdt.length >= sizeof(*m) && !m->segment) {
		acpi.mmconfig_base = m->base;
		acpi.mmconfig_first_bus = m->first_bus;
		acpi.mmconfig_last_bus = m->last_bus;
	}
}

struct srat_cpu {
	uint8_t type, length, domain_low, apic_id;
	uint32_t flags;
	uint8_t sapic, domain_high[3];
	uint32_t clock_domain;
} __attribute__((packed));

struct srat_x2apic {
	uint8_t type, length;
	uint16_t reserved;
	uint32_t domain, apic_id, flags, clock_domain, reserved2;
} __attribute__((packed));

static void set_node(uint32_t apic_id, uint32_t node)
{
	struct acpi_cpu *cpu = acpi_cpu_of_apic(apic_id);

	if (cpu)
		cpu->node = node;
}

/* Which node a CPU is in (memory's nodes are read by mm/ itself). */
static void read_srat(const struct sdt *t)
{
	const char *p = (const char *)t + sizeof(*t) + 12, *end = (const char *)t + t->length;

	while (end - p >= 2) {
		const struct srat_cpu *c = (const void *)p;
		const struct srat_x2apic *x = (const void *)p;

		if (c->length < 2 || c->length > end - p)
			break;
		if (c->type == 0 && c->length >= sizeof(*c) && c->flags & 1)
			set_node(c->apic_id, c->domain_low);
		if (x->type == 2 && x->length >= sizeof(*x) && x->flags & 1)
			set_node(x->apic_id, x->domain);
		p += c->length;
	}
}

static void read_tables(void)
{
	const struct rsdp *r = map_device_cached(acpi.rsdp, sizeof(*r));
	const struct sdt *root = NULL;
	unsigned int width = 8;

	if (!r || !is_rsdp(r))
		return;
	if (r->revision >= 2)
		root = map_table(r->xsdt);
	if (!root || memcmp(root->signature, "XSDT", 4)) {
		root = map_table(r->rsdt);
		width = 4;
	}
	if (root && !memcmp(root->signature, width == 8 ? "XSDT" : "RSDT", 4))
		read_root(root, width);
}

void acpi_init(void)
{
	const void *t;

	nr_tables = 0;
	acpi.lapic_address = 0xfee00000;
	acpi.rsdp = boot_info.rsdp ? boot_info.rsdp : find_rsdp();
	if (acpi.rsdp)
		read_tables();
	if (!nr_tables)
		printk(LOG_WARN, "ACPI: no tables: one CPU, no IO-APIC\n");
	t = acpi_table("APIC", 0);
	if (t)
		read_madt(t);
	t = acpi_table("FACP", 0);
	if (t)
		read_fadt(t);
	read_others();
	t = acpi_table("SRAT", 0);
	if (t)
		read_srat(t);
	printk(LOG_INFO, "ACPI: %u tables, %u CPUs, %u IO-APICs, PM timer at %#x, HPET at %#lx\n",
	       nr_tables, acpi.nr_cpus, acpi.nr_ioapics, acpi.pm_timer_port, acpi.hpet_address);
	if (acpi_table("DMAR", 0) || acpi_table("IVRS", 0))
		printk(LOG_INFO, "IOMMU: left off: devices are dom0's, and see all memory\n");
}
