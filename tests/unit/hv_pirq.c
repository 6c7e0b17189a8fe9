// SPDX-License-Identifier: GPL-2.0-only
/* Domains' interrupts: numbers, binding, sharing, EOI of level lines, MSI and MSI-X. */
#include "tests/unit/suite.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq_desc.h"
#include "hypervisor/cpu/pci.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

#define GSIS  40u
#define PIRQS 120u

/* ---- the machine ---- */

unsigned int nr_cpus = 4;
struct cpumask cpu_online_map = {{15}};
uint32_t cpu_to_apicid[NR_CPUS] = {0, 2, 4, 300};
struct acpi_info acpi;
static struct irq_desc gsi[GSIS];
static bool gsi_masked[GSIS];
static unsigned long eois, routed, sent;
static int refuse_send = -1; /* this domain has no port for it */
static unsigned int allocated;
static struct domain *dom[3];

static void chip_set_mask(struct irq_desc *d, bool mask)
{
	gsi_masked[d->gsi] = mask;
}

static void chip_route(struct irq_desc *d)
{
	routed++;
	CU_ASSERT(d->vector && d->cpu < 3); /* CPU 3's APIC id does not fit */
}

static const struct irq_chip chip = {chip_set_mask, chip_route};

struct irq_desc *gsi_desc(unsigned int n)
{
	return n < GSIS && n != 17 ? &gsi[n] : NULL;
}

void apic_eoi(void)
{
	eois++;
}

bool send_pirq(struct domain *d, unsigned int pirq)
{
	(void)pirq;
	sent++;
	return refuse_send != d->domid;
}

static void (*softirq_fn)(void);
static bool softirq_wanted;

void softirq_open(enum softirq nr, void (*fn)(void))
{
	CU_ASSERT_EQUAL(nr, SOFTIRQ_PIRQ);
	softirq_fn = fn;
}

void softirq_raise(enum softirq nr)
{
	(void)nr;
	softirq_wanted = true;
}

/* GSI 30 is not this domain's to have. */
bool rangeset_contains(struct rangeset *r, uint64_t first, uint64_t last)
{
	(void)r;
	return first == last && first != 30;
}

void *xzalloc_bytes(size_t size, size_t align)
{
	(void)align;
	allocated++;
	return calloc(1, size);
}

void xfree(void *p)
{
	allocated -= p != NULL;
	free(p);
}

static uint32_t msix_table[64 * 4] __attribute__((aligned(4096)));

void *map_device(uint64_t maddr, size_t bytes)
{
	CU_ASSERT_EQUAL(maddr, 0xfeb01000);
	CU_ASSERT_EQUAL(bytes, PAGE_SIZE);
	return msix_table;
}

void vunmap(const void *p, unsigned int n)
{
	(void)p, (void)n;
}

void *vmap(const mfn_t *mfn, unsigned int n)
{
	(void)mfn, (void)n;
	return NULL;
}

struct frame *frame_lookup(mfn_t mfn)
{
	(void)mfn;
	return NULL;
}

bool frame_get_and_type(struct frame *f, const struct domain *d, uint64_t type)
{
	(void)f, (void)d, (void)type;
	return false;
}

void frame_put_and_type(struct frame *f)
{
	(void)f;
}

/* Device 1 has MSI at 0x50 (8 vectors, 64 bits, maskable), device 2 MSI-X at 0x60. */
static uint8_t config[4][256];

uint32_t pci_read(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int bytes)
{
	uint32_t v = 0;

	CU_ASSERT_FATAL(!seg && !bus && devfn < 4 && reg + bytes <= 256);
	memcpy(&v, &config[devfn][reg], bytes);
	return v;
}

void pci_write(uint16_t seg, uint8_t bus, uint8_t devfn, unsigned int reg, unsigned int bytes,
	       uint32_t value)
{
	CU_ASSERT_FATAL(!seg && !bus && devfn < 4 && reg + bytes <= 256);
	memcpy(&config[devfn][reg], &value, bytes);
}

unsigned int pci_find_capability(uint16_t seg, uint8_t bus, uint8_t devfn, uint8_t id)
{
	(void)seg, (void)bus;
	return devfn == 1 && id == 5 ? 0x50 : devfn == 2 && id == 0x11 ? 0x60 : 0;
}

static void put32(unsigned int dev, unsigned int reg, uint32_t v)
{
	memcpy(&config[dev][reg], &v, 4);
}

static uint32_t get32(unsigned int dev, unsigned int reg)
{
	return pci_read(0, 0, (uint8_t)dev, reg, 4);
}

static void start(void)
{
	memset(config, 0, sizeof(config));
	memset(msix_table, 0, sizeof(msix_table));
	put32(1, 0x50, (3u << 1 | 1u << 7 | 1u << 8) << 16 | 5);
	put32(2, 0x04, 2);
	put32(2, 0x60, 31u << 16 | 0x11);
	put32(2, 0x64, 0x1001);      /* the table: 0x1000 in BAR 1 */
	put32(2, 0x14, 0xfeb00000);
	for (unsigned int i = 0; i < GSIS; i++) {
		gsi[i] = (struct irq_desc){.chip = &chip, .gsi = i, .masked = true,
					   .level = i >= 16, .vector = gsi[i].vector};
		spin_lock_init(&gsi[i].lock, LOCK_IRQ_DESC);
		if (gsi[i].vector)
			vector_free(&gsi[i]);
		gsi_masked[i] = true;
	}
	allocated = 0;
	for (unsigned int i = 0; i < 3; i++) {
		dom[i] = calloc(1, sizeof(*dom[i]));
		dom[i]->domid = (domid_t)i;
		dom[i]->irqs = (struct rangeset *)dom[i];
		dom[i]->vcpu = NULL;
		CU_ASSERT_EQUAL_FATAL(pirq_domain_init(dom[i], PIRQS), 0);
	}
	irqs_init();
}

static void end(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		pirq_domain_destroy(dom[i]);
		free(dom[i]);
	}
	CU_ASSERT_EQUAL(allocated, 0);
}

static int map(unsigned int d, int pirq, unsigned int g)
{
	int err = pirq_map_gsi(dom[d], &pirq, g);

	return err ? err : pirq;
}

static struct vcpu *vcpu_on(unsigned int d, unsigned int cpu)
{
	static struct vcpu *vcpu[3][4];
	struct vcpu **v = &vcpu[d][cpu];

	if (!*v)
		*v = calloc(1, sizeof(**v));
	(*v)->domain = dom[d];
	(*v)->cpu = cpu;
	return *v;
}

static int bind(unsigned int d, unsigned int pirq, bool share)
{
	return pirq_bind(vcpu_on(d, pirq % 4), pirq, share);
}

static void interrupt(const struct irq_desc *desc)
{
	struct cpu_user_regs regs = {.entry_vector = desc->vector};

	CU_ASSERT(desc->vector >= 0x20 && desc->vector <= 0xef && desc->vector != 0x80 &&
		  desc->vector != 0x82);
	do_irq(&regs);
	if (softirq_wanted)
		softirq_fn();
	softirq_wanted = false;
}

/* ---- tests ---- */

static void test_numbers(void)
{
	int free_one;

	start();
	CU_ASSERT_EQUAL(map(0, -1, 5), 5);
	CU_ASSERT_EQUAL(map(0, -1, 5), 5); /* again: as it is */
	CU_ASSERT_EQUAL(map(0, 5, 5), 5);
	CU_ASSERT_EQUAL(map(0, 6, 5), -EEXIST);
	CU_ASSERT_EQUAL(map(0, 5, 6), -EEXIST);
	CU_ASSERT_EQUAL(map(0, PIRQS, 6), -EINVAL);
	CU_ASSERT_EQUAL(map(0, INT32_MAX, 6), -EINVAL);
	CU_ASSERT_EQUAL(map(0, -1, GSIS), -EINVAL);
	CU_ASSERT_EQUAL(map(0, -1, 17), -EINVAL);
	CU_ASSERT_EQUAL(map(0, -1, 30), -EPERM);
	CU_ASSERT_EQUAL(map(0, 50, 7), 50);
	CU_ASSERT_EQUAL(map(1, -1, 5), 5); /* another domain's is its own */
	free_one = pirq_get_free(dom[0], false);
	CU_ASSERT_EQUAL(free_one, 16);
	CU_ASSERT_EQUAL(pirq_get_free(dom[0], false), 18 - 1);
	CU_ASSERT_EQUAL(map(0, -1, 16), 18); /* its own number is given away */
	CU_ASSERT_EQUAL(map(0, 17, 20), 17);
	CU_ASSERT_EQUAL(pirq_get_free(dom[0], true), PIRQS - 1);
	CU_ASSERT_EQUAL(pirq_unmap(dom[0], 5), 0);
	CU_ASSERT_EQUAL(pirq_unmap(dom[0], 5), -EINVAL);
	CU_ASSERT_EQUAL(pirq_unmap(dom[0], PIRQS), -EINVAL);
	CU_ASSERT_EQUAL(pirq_unmap(dom[0], UINT32_MAX), -EINVAL);
	CU_ASSERT_EQUAL(map(0, 5, 6), 5);
	end();
}

static void own_handler(void *arg)
{
	++*(unsigned long *)arg;
}

static void test_bind(void)
{
	unsigned long own = 0;
	uint32_t flags;

	start();
	CU_ASSERT_EQUAL(bind(0, 5, false), -EPERM);
	CU_ASSERT_EQUAL(bind(0, PIRQS, false), -EINVAL);
	map(0, -1, 5);
	map(0, -1, 4);
	CU_ASSERT_EQUAL(irq_request(4, own_handler, &own, "test"), 0);
	CU_ASSERT_EQUAL(irq_request(4, own_handler, &own, "test"), -EBUSY);
	CU_ASSERT_EQUAL(irq_request(17, own_handler, &own, "test"), -ENODEV);
	CU_ASSERT_EQUAL(bind(0, 4, true), -EBUSY);
	CU_ASSERT_FALSE(gsi_masked[4]);
	interrupt(&gsi[4]);
	CU_ASSERT_EQUAL(own, 1);
	map(0, -1, 6);
	CU_ASSERT_EQUAL(bind(0, 6, true), 0);

	CU_ASSERT_EQUAL(bind(0, 5, false), 0);
	CU_ASSERT_EQUAL(bind(0, 5, false), -EEXIST);
	CU_ASSERT_EQUAL(irq_request(5, own_handler, &own, "test"), -EBUSY);
	CU_ASSERT_EQUAL(pirq_status(dom[0], 5, &flags), 0);
	CU_ASSERT_EQUAL(flags, 0); /* an edge needs no EOI */
	sent = eois = 0;
	interrupt(&gsi[5]);
	CU_ASSERT(sent == 1 && eois == 1);
	CU_ASSERT_FALSE(gsi_masked[5]);
	pirq_unbind(dom[0], 5);
	CU_ASSERT(gsi_masked[5]);
	interrupt(&gsi[5]); /* late: nobody's, and stays masked */
	CU_ASSERT(sent == 1 && eois == 2 && gsi_masked[5]);
	pirq_unbind(dom[0], 5);
	CU_ASSERT_EQUAL(bind(0, 5, false), 0);
	pirq_set_vcpu(vcpu_on(0, 2), 5);
	CU_ASSERT_EQUAL(gsi[5].cpu, 2);
	pirq_set_vcpu(vcpu_on(0, 3), 5); /* its APIC id is too large */
	CU_ASSERT_EQUAL(gsi[5].cpu, 2);
	vcpu_on(0, 3)->cpu = 1; /* the scheduler moves it: seen with the next interrupt */
	CU_ASSERT_EQUAL(gsi[5].cpu, 2);
	interrupt(&gsi[5]);
	CU_ASSERT_EQUAL(gsi[5].cpu, 1);
	CU_ASSERT_EQUAL(pirq_unmap(dom[0], 5), 0); /* bound or not */
	CU_ASSERT(gsi_masked[5]);
	end();
	CU_ASSERT(gsi_masked[6]);
}

static void test_level(void)
{
	uint32_t flags;

	start();
	for (unsigned int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(map(i, -1, 20), 20);
	CU_ASSERT_EQUAL(bind(0, 20, true), 0);
	CU_ASSERT_EQUAL(bind(1, 20, false), -EBUSY);
	CU_ASSERT_EQUAL(bind(1, 20, true), 0);
	CU_ASSERT_EQUAL(bind(2, 20, true), 0);
	pirq_status(dom[1], 20, &flags);
	CU_ASSERT_EQUAL(flags, XENIRQSTAT_needs_eoi | XENIRQSTAT_shared);

	/* Masked until the last of them has said so; saying so twice does not count twice. */
	sent = 0;
	interrupt(&gsi[20]);
	CU_ASSERT(sent == 3 && gsi_masked[20]);
	pirq_eoi(dom[0], 20);
	pirq_eoi(dom[0], 20);
	pirq_eoi(dom[1], 20);
	CU_ASSERT(gsi_masked[20]);
	pirq_eoi(dom[2], 20);
	CU_ASSERT_FALSE(gsi_masked[20]);
	pirq_eoi(dom[2], 20);
	CU_ASSERT_FALSE(gsi_masked[20]);

	/* One goes without. */
	interrupt(&gsi[20]);
	pirq_eoi(dom[0], 20);
	pirq_eoi(dom[2], 20);
	CU_ASSERT(gsi_masked[20]);
	pirq_unbind(dom[1], 20);
	CU_ASSERT_FALSE(gsi_masked[20]);

	/* One has no port: it need not answer. */
	refuse_send = 2;
	interrupt(&gsi[20]);
	CU_ASSERT(gsi_masked[20]);
	pirq_eoi(dom[0], 20);
	CU_ASSERT_FALSE(gsi_masked[20]);
	refuse_send = -1;

	/* The last one goes in the midst of it. */
	pirq_unbind(dom[2], 20);
	interrupt(&gsi[20]);
	pirq_unbind(dom[0], 20);
	CU_ASSERT(gsi_masked[20]);
	CU_ASSERT_EQUAL(gsi[20].in_flight, 0);
	CU_ASSERT_EQUAL(pirq_eoi(dom[0], 20), 0);
	CU_ASSERT(gsi_masked[20]);
	CU_ASSERT_EQUAL(bind(0, 20, false), 0);
	CU_ASSERT_FALSE(gsi_masked[20]);
	interrupt(&gsi[20]);
	CU_ASSERT_EQUAL(pirq_eoi_all(dom[0]), 0);
	CU_ASSERT_FALSE(gsi_masked[20]);
	end();
}

static void test_msi(void)
{
	struct msi_request r = {.devfn = 1, .entry = 4};
	struct irq_desc *first;
	int pirq = -1, other = -1;
	uint32_t control;

	start();
	CU_ASSERT_EQUAL(pirq_map_msi(dom[0], &pirq, &r), 0);
	CU_ASSERT_EQUAL_FATAL(pirq, PIRQS - 4);
	first = dom[0]->pirqs->pirq[pirq].irq;
	CU_ASSERT_EQUAL(first->vector % 4, 0);
	control = get32(1, 0x50) >> 16;
	CU_ASSERT_EQUAL(control & 1, 1);
	CU_ASSERT_EQUAL(control >> 4 & 7, 2);
	CU_ASSERT_EQUAL(get32(1, 0x54), 0xfee00000);
	CU_ASSERT_EQUAL(pci_read(0, 0, 1, 0x5c, 2), first->vector);
	CU_ASSERT_EQUAL(get32(1, 0x60) & 15, 15);
	CU_ASSERT_EQUAL(pirq_map_msi(dom[0], &other, &r), -EEXIST);

	CU_ASSERT_EQUAL(bind(0, (unsigned int)pirq + 2, false), 0);
	CU_ASSERT_EQUAL(get32(1, 0x60) & 15, 11);
	sent = eois = 0;
	interrupt(&first[2]);
	CU_ASSERT(sent == 1 && eois == 1);
	pirq_set_vcpu(vcpu_on(0, 1), (unsigned int)pirq); /* not bound: nothing */
	CU_ASSERT_EQUAL(get32(1, 0x54), 0xfee00000);
	CU_ASSERT_EQUAL(bind(0, (unsigned int)pirq, false), 0);
	pirq_set_vcpu(vcpu_on(0, 1), (unsigned int)pirq);
	CU_ASSERT_EQUAL(get32(1, 0x54), 0xfee02000);
	put32(1, 0x54, 0); /* a reset */
	msi_restore(0, 0, 1);
	CU_ASSERT_EQUAL(get32(1, 0x54), 0xfee02000);

	CU_ASSERT_EQUAL(pirq_unmap(dom[0], (unsigned int)pirq + 1), -EINVAL);
	CU_ASSERT_EQUAL(pirq_unmap(dom[0], (unsigned int)pirq), 0);
	CU_ASSERT_EQUAL(get32(1, 0x50) >> 16 & 1, 0);
	CU_ASSERT_EQUAL(bind(0, (unsigned int)pirq + 2, false), -EPERM);

	r.entry = 16; /* it has 8 */
	CU_ASSERT_EQUAL(pirq_map_msi(dom[0], &other, &r), -EINVAL);
	r.entry = 33;
	CU_ASSERT_EQUAL(pirq_map_msi(dom[0], &other, &r), -EDOM);
	r = (struct msi_request){.devfn = 3, .entry = 1};
	CU_ASSERT_EQUAL(pirq_map_msi(dom[0], &other, &r), -ENODEV);
	end();
}

static void test_msix(void)
{
	struct msi_request r = {.devfn = 2, .table_base = 0xfeb00000};
	int pirq[33];

	start();
	for (int i = 0; i < 32; i++) {
		r.entry = i;
		pirq[i] = -1;
		CU_ASSERT_EQUAL(pirq_map_msi(dom[1], &pirq[i], &r), 0);
		CU_ASSERT_EQUAL(pirq[i], (int)PIRQS - 1 - i);
		CU_ASSERT_EQUAL(msix_table[i * 4 + 3], 1);
	}
	r.entry = 32;
	pirq[32] = -1;
	CU_ASSERT_EQUAL(pirq_map_msi(dom[1], &pirq[32], &r), -EINVAL);
	r.entry = -1;
	CU_ASSERT_EQUAL(pirq_map_msi(dom[1], &pirq[32], &r), -EINVAL);
	r.entry = 7;
	CU_ASSERT_EQUAL(pirq_map_msi(dom[1], &pirq[32], &r), -EEXIST);
	CU_ASSERT_EQUAL(bind(1, (unsigned int)pirq[9], false), 0);
	CU_ASSERT_EQUAL(msix_table[9 * 4 + 3], 0);
	CU_ASSERT_EQUAL(msix_table[9 * 4 + 2], dom[1]->pirqs->pirq[pirq[9]].irq->vector);
	pirq_unbind(dom[1], (unsigned int)pirq[9]);
	CU_ASSERT_EQUAL(msix_table[9 * 4 + 3], 1);
	put32(2, 0x04, 0); /* no memory decoding */
	pirq_unmap(dom[1], (unsigned int)pirq[9]);
	r.entry = 9;
	CU_ASSERT_EQUAL(pirq_map_msi(dom[1], &pirq[9], &r), -ENXIO);
	end();
}

/* All vectors, and no more; each once. */
static void test_vectors(void)
{
	static struct irq_desc desc[256];
	struct irq_desc *d, *four[4] = {&desc[210], &desc[211], &desc[212], &desc[213]};
	unsigned int n = 0;

	start();
	for (unsigned int i = 0; i < 256; i++)
		spin_lock_init(&desc[i].lock, LOCK_IRQ_DESC);
	for (;; n++) {
		d = &desc[n];
		if (vectors_alloc(&d, 1))
			break;
		for (unsigned int i = 0; i < n; i++)
			CU_ASSERT_NOT_EQUAL(desc[i].vector, d->vector);
	}
	CU_ASSERT_EQUAL(n, 0xef - 0x20 + 1 - 2);
	vector_free(&desc[8]);
	vector_free(&desc[9]);
	vector_free(&desc[10]);
	CU_ASSERT_EQUAL(vectors_alloc(four, 4), -ENOSPC);
	vector_free(&desc[11]);
	CU_ASSERT_EQUAL(vectors_alloc(four, 4), 0);
	CU_ASSERT_EQUAL(four[0]->vector, 0x28);
	for (unsigned int i = 0; i < 256; i++)
		if (desc[i].vector)
			vector_free(&desc[i]);
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"numbers", test_numbers}, {"binding", test_bind},	 {"level lines", test_level},
		{"MSI", test_msi},	   {"MSI-X", test_msix},	 {"vectors", test_vectors},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_pirq", tests);
}
