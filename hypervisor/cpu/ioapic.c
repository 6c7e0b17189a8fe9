// SPDX-License-Identifier: GPL-2.0-only
/*
 * IO-APICs: each pin is a GSI. Masked until somebody wants the line; then fixed delivery
 * to one CPU. The 8259s are masked for good. (82093AA datasheet; MADT.)
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"

#define IOAPIC_INDEX   0x00
#define IOAPIC_DATA    0x10
#define REG_VERSION    1
#define REG_RTE(pin)   (0x10 + 2 * (pin))
#define RTE_LOW        (1u << 13)
#define RTE_LEVEL      (1u << 15)
#define RTE_MASKED     (1u << 16)
#define RTE_DEST_SHIFT 24 /* in the high word */

static struct ioapic {
	volatile uint32_t *mmio;
	uint64_t address;
	uint32_t gsi_base, nr_pins;
} ioapics[ARRAY_SIZE(((struct acpi_info *)0)->ioapic)];
static unsigned int nr_ioapics;
static struct spinlock ioapic_lock = SPINLOCK(LOCK_LEAF); /* index and data go together */
static struct irq_desc *gsi_descs;
static unsigned int gsi_count;

static uint32_t ioapic_read(const struct ioapic *a, uint32_t reg)
{
	spin_guard_irqsave(&ioapic_lock);
	a->mmio[IOAPIC_INDEX / 4] = reg;
	return a->mmio[IOAPIC_DATA / 4];
}

static void ioapic_write(const struct ioapic *a, uint32_t reg, uint32_t v)
{
	spin_guard_irqsave(&ioapic_lock);
	a->mmio[IOAPIC_INDEX / 4] = reg;
	a->mmio[IOAPIC_DATA / 4] = v;
}

static const struct ioapic *gsi_ioapic(unsigned int gsi)
{
	for (unsigned int i = 0; i < nr_ioapics; i++)
		if (gsi - ioapics[i].gsi_base < ioapics[i].nr_pins)
			return &ioapics[i];
	return NULL;
}

/* ---- chip ---- */

static void pin_write(struct irq_desc *desc, bool masked)
{
	const struct ioapic *a = gsi_ioapic(desc->gsi);

	ioapic_write(a, REG_RTE(desc->gsi - a->gsi_base),
		     desc->vector | (desc->low ? RTE_LOW : 0) | (desc->level ? RTE_LEVEL : 0) |
			     (masked ? RTE_MASKED : 0));
}

static void pin_route(struct irq_desc *desc)
{
	const struct ioapic *a = gsi_ioapic(desc->gsi);

	ioapic_write(a, REG_RTE(desc->gsi - a->gsi_base) + 1,
		     cpu_to_apicid[desc->cpu] << RTE_DEST_SHIFT);
	/* The vector changes only while masked. A line in use is not: an edge that comes while
	 * it is masked is lost. */
	if (desc->masked)
		pin_write(desc, true);
}

static const struct irq_chip ioapic_chip = {pin_write, pin_route};

/* ---- lines ---- */

unsigned int nr_gsis(void)
{
	return gsi_count;
}

struct irq_desc *gsi_desc(unsigned int gsi)
{
	if (gsi >= gsi_count)
		return NULL;
	gsi = (unsigned int)index_nospec(gsi, gsi_count);
	return gsi_descs[gsi].chip ? &gsi_descs[gsi] : NULL;
}

int gsi_setup(unsigned int gsi, bool level, bool low)
{
	struct irq_desc *desc = gsi_desc(gsi);
	bool again;

	if (!desc)
		return -EINVAL;
	spin_guard_irqsave(&desc->lock);
	/* A line in use stays as it is: so many devices as share it agree. */
	if (irq_is_free(desc)) {
		desc->level = level;
		desc->low = low;
		pin_write(desc, true);
		desc->masked = true;
	}
	again = desc->set_up;
	desc->set_up = true;
	return again ? -EEXIST : 0; /* which kernels take for success */
}

static const struct ioapic *ioapic_at(uint64_t address)
{
	for (unsigned int i = 0; i < nr_ioapics; i++)
		if (ioapics[i].address == address)
			return &ioapics[i];
	return NULL;
}

int ioapic_guest_read(uint64_t base, uint32_t reg, uint32_t *value)
{
	const struct ioapic *a = ioapic_at(base);

	if (!a)
		return -EINVAL;
	/* The index register has 8 bits. */
	*value = ioapic_read(a, reg & 0xff);
	return 0;
}

/* What a kernel writes there of its own is which way a line is triggered. */
int ioapic_guest_write(uint64_t base, uint32_t reg, uint32_t value)
{
	const struct ioapic *a = ioapic_at(base);
	uint32_t pin = (reg - REG_RTE(0)) / 2;

	if (!a)
		return -EINVAL;
	if (reg < REG_RTE(0) || (reg & 1) || pin >= a->nr_pins)
		return 0;
	gsi_setup(a->gsi_base + pin, value & RTE_LEVEL, value & RTE_LOW);
	return 0;
}

/* ---- start ---- */

void pic_disable(void)
{
	/* Away from the exceptions' vectors, should one come all the same. */
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, VECTOR_FIRST_DYNAMIC);
	outb(0xa1, VECTOR_FIRST_DYNAMIC + 8);
	outb(0x21, 4);
	outb(0xa1, 2);
	outb(0x21, 1);
	outb(0xa1, 1);
	outb(0xa1, 0xff);
	outb(0x21, 0xff);
}

static void ioapic_add(const struct acpi_ioapic *info)
{
	struct ioapic *a = &ioapics[nr_ioapics];

	a->mmio = map_device(info->address, PAGE_SIZE);
	if (!a->mmio)
		return;
	a->address = info->address;
	a->gsi_base = info->gsi_base;
	a->nr_pins = (ioapic_read(a, REG_VERSION) >> 16 & 0xff) + 1;
	if (info->gsi_base > 4096) {
		printk(LOG_WARN, "IO-APIC %u: GSI %u is too high\n", info->id, info->gsi_base);
		return;
	}
	gsi_count = MAX(gsi_count, a->gsi_base + a->nr_pins);
	nr_ioapics++;
	printk(LOG_INFO, "IO-APIC %u: GSIs %u-%u\n", info->id, a->gsi_base,
	       a->gsi_base + a->nr_pins - 1);
}

void ioapic_init(void)
{
	unsigned int i;

	irqs_init();
	for (i = 0; i < acpi.nr_ioapics; i++)
		ioapic_add(&acpi.ioapic[i]);
	gsi_descs = xzalloc_array(struct irq_desc, MAX(gsi_count, 1));
	if (!gsi_descs)
		panic("no memory for %u interrupt lines", gsi_count);
	for (i = 0; i < gsi_count; i++) {
		struct irq_desc *desc = &gsi_descs[i];

		spin_lock_init(&desc->lock, LOCK_IRQ_DESC);
		desc->gsi = i;
		desc->level = desc->low = i >= 16; /* ISA's are edges, PCI's levels */
		desc->set_up = i < 16;
		desc->masked = true;
		if (gsi_ioapic(i))
			desc->chip = &ioapic_chip;
	}
	for (i = 0; i < acpi.nr_overrides; i++)
		if (acpi.override[i].gsi < gsi_count) {
			gsi_descs[acpi.override[i].gsi].level = acpi.override[i].level;
			gsi_descs[acpi.override[i].gsi].low = acpi.override[i].low;
		}
	for (i = 0; i < gsi_count; i++)
		if (gsi_descs[i].chip)
			pin_write(&gsi_descs[i], true);
}
