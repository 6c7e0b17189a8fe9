// SPDX-License-Identifier: GPL-2.0-only
/* dom0: its kernel is unpacked, its domain made, its memory filled, its rights given, and
 * its first vcpu started. Whatever goes wrong here ends the boot. */
#include "hypervisor/boot/dom0.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/platform/console.h"
#include "hypervisor/pv/pv.h"

#include <xen/domctl.h>

/* dom0_max_vcpus=N or MIN-MAX. */
static uint64_t vcpus_min = 1, vcpus_max = ~0ull;

static int parse_dom0_max_vcpus(const char *s)
{
	const char *end = s;

	vcpus_min = 1;
	vcpus_max = ~0ull;
	if (*s != '-') {
		vcpus_min = parse_number(s, &end);
		if (end == s || !vcpus_min)
			return -EINVAL;
	}
	if (!*end) {
		vcpus_max = vcpus_min;
		return 0;
	}
	if (*end != '-')
		return -EINVAL;
	s = end + 1;
	if (*s) {
		vcpus_max = parse_number(s, &end);
		if (end == s || *end || !vcpus_max)
			return -EINVAL;
	}
	return vcpus_min > vcpus_max ? -EINVAL : 0;
}
BOOT_OPTION_FN("dom0_max_vcpus", parse_dom0_max_vcpus);

static unsigned int nr_vcpus(void)
{
	unsigned int cpu, n = 0;

	for_each_online_cpu(cpu)
		n++;
	return (unsigned int)MIN(MAX(MIN((uint64_t)n, vcpus_max), vcpus_min), (uint64_t)MAX_VCPUS);
}

/* ---- the kernel ---- */

/* The ELF file that a module is or holds; *order: of the pages it was unpacked to, or -1
 * when it is the module itself. */
static const void *unpack(const struct boot_module *m, size_t *size, int *order)
{
	const void *image = m->start + m->size <= direct_map_limit
				    ? maddr_to_virt(m->start)
				    : map_device_cached(m->start, m->size);
	const void *payload;
	const char *error;
	uint32_t says;
	size_t n;
	char *out;

	*order = -1;
	*size = m->size;
	if (!image)
		panic("dom0: its kernel cannot be mapped");
	if (!bzimage_payload(image, m->size, &payload, &n)) {
		payload = image;
		n = m->size;
	}
	if (decompress_format(payload, n) == FORMAT_PLAIN) {
		*size = n;
		return payload;
	}
	if (n < 4)
		panic("dom0: its kernel is no ELF file and no bzImage");
	/* gzip's last four bytes, and what Linux's build appends to the other formats. */
	memcpy(&says, (const char *)payload + n - 4, sizeof(says));
	*order = (int)order_of(says);
	out = *order <= MAX_ORDER ? heap_pages((unsigned int)*order) : NULL;
	if (!out)
		panic("dom0: no memory for a kernel of %u bytes", says);
	error = decompress_call(payload, n, out, PAGE_SIZE << *order, size);
	if (error)
		panic("dom0: its kernel: %s", error);
	return out;
}

/* ---- rights ---- */

static void deny(struct rangeset *r, uint64_t first, uint64_t last)
{
	if (rangeset_remove(r, first, last))
		panic("dom0: no memory for its rights");
}

static void deny_iomem(struct domain *d, uint64_t start, uint64_t size)
{
	deny(d->iomem, start >> PAGE_SHIFT, (start + size - 1) >> PAGE_SHIFT);
}

/* All ports, device memory and interrupts, except what is the hypervisor's. */
static void give_rights(struct domain *d)
{
	unsigned int i;
	uint32_t port;

	if (rangeset_add(d->ioports, 0, 0xffff) ||
	    rangeset_add(d->iomem, 0, (1ull << (52 - PAGE_SHIFT)) - 1) ||
	    (nr_gsis() > 1 && rangeset_add(d->irqs, 1, nr_gsis() - 1)))
		panic("dom0: no memory for its rights");

	deny(d->ioports, 0x20, 0x21); /* interrupt controllers */
	deny(d->ioports, 0xa0, 0xa1);
	deny(d->ioports, 0x40, 0x43); /* timer, and its gate */
	deny(d->ioports, 0x61, 0x61);
	deny(d->ioports, 0xcf8, 0xcff); /* PCI configuration: filtered */
	if (acpi.pm_timer_port)
		deny(d->ioports, acpi.pm_timer_port, acpi.pm_timer_port + 3);
	for (port = 0; port <= 0xffff; port++)
		if (serial_owns_port((uint16_t)port))
			deny(d->ioports, port, port);

	deny_iomem(d, acpi.lapic_address ? acpi.lapic_address : 0xfee00000, PAGE_SIZE);
	for (i = 0; i < acpi.nr_ioapics; i++)
		deny_iomem(d, acpi.ioapic[i].address, PAGE_SIZE);
	deny_iomem(d, 0xfee00000, 1 << 20); /* MSI window */
	if (host_policy.vendor == VENDOR_AMD || host_policy.vendor == VENDOR_HYGON)
		deny_iomem(d, 0xfd00000000, 0x300000000); /* HyperTransport */
}

/* ---- the domain ---- */

static struct domain *make_domain(void)
{
	struct xen_domctl_createdomain config = {
		.max_vcpus = nr_vcpus(),
		.max_evtchn_port = ~0u,
		.max_grant_frames = -1,
		.max_maptrack_frames = -1,
		.grant_opts = XEN_DOMCTL_GRANT_version(2),
	};
	struct domain *d;
	int err;

	d = domain_create(0, &config, true, &err);
	if (!d)
		panic("dom0: cannot be made: error %d", err);
	return d;
}

static void make_vcpus(struct domain *d)
{
	unsigned int i, cpu = 0;

	for (i = 0; i < d->max_vcpus; i++) {
		if (!vcpu_create(d, i, cpu))
			panic("dom0: no memory for vcpu %u", i);
		do {
			cpu = (cpu + 1) % nr_cpus;
		} while (!cpu_online(cpu));
	}
}

/* The tables become an L4 that is pinned, as the toolstack leaves one for other guests. */
static void pin_tables(const struct dom0_build *b)
{
	struct frame *f = mfn_to_frame(MFN(b->mfn[dom0_va_to_pfn(b, b->v_tables)]));
	int rc;

	if (!frame_get(f, b->d))
		panic("dom0: its L4 is not its own");
	rc = frame_get_type(f, FRAME_L4);
	if (rc)
		panic("dom0: its page tables are refused: error %d", rc);
	__atomic_fetch_or(&f->type, FRAME_PINNED, __ATOMIC_SEQ_CST);
}

static void start_vcpu(const struct dom0_build *b)
{
	struct vcpu_guest_context *c = xzalloc(struct vcpu_guest_context);
	int rc;

	if (!c)
		panic("dom0: no memory");
	c->flags = VGCF_in_kernel | VGCF_online;
	c->user_regs.rip = b->kernel.entry;
	c->user_regs.rsp = b->v_stack + PAGE_SIZE;
	c->user_regs.rsi = b->v_start_info;
	c->user_regs.rflags = 0x202; /* interrupts on; events are masked in vcpu_info */
	c->user_regs.cs = FLAT_KERNEL_CS;
	c->user_regs.ss = FLAT_KERNEL_SS;
	c->user_regs.ds = c->user_regs.es = FLAT_KERNEL_DS;
	c->user_regs.fs = c->user_regs.gs = FLAT_KERNEL_DS;
	c->kernel_ss = FLAT_KERNEL_SS;
	c->kernel_sp = b->v_stack + PAGE_SIZE;
	c->ctrlreg[3] = b->mfn[dom0_va_to_pfn(b, b->v_tables)] << PAGE_SHIFT;
	rc = pv_guest_ops.set_context(b->d->vcpu[0], c);
	if (rc)
		panic("dom0: its first vcpu cannot start: error %d", rc);
	xfree(c);
}

static void report(const struct dom0_build *b)
{
	const struct elf_kernel *k = &b->kernel;

	printk(LOG_INFO, "dom0: %s %s, %lu MiB, %u vcpus\n", k->guest_os, k->guest_version,
	       b->nr_pages >> (20 - PAGE_SHIFT), b->d->max_vcpus);
	printk(LOG_DEBUG, " kernel at %lx-%lx, entry %lx\n", k->first, k->last, k->entry);
	printk(LOG_DEBUG, " region %lx-%lx, start info %lx, tables %lx, stack %lx\n", b->v_start,
	       b->v_end, b->v_start_info, b->v_tables, b->v_stack);
	printk(LOG_DEBUG, " initrd pfn %lx, %lu pages; p2m %lx pfn %lx\n", b->initrd_pfn,
	       b->initrd_pages, b->v_p2m, b->p2m_pfn);
}

void pv_build_dom0(const struct boot_module *kernel, const struct boot_module *initrd)
{
	struct dom0_build b = {.initrd = initrd, .cmdline = kernel->cmdline};
	uint64_t max_pages;
	const char *error;
	const void *image;
	size_t size;
	int order;

	image = unpack(kernel, &size, &order);
	error = elf_parse(image, size, &b.kernel);
	if (error)
		panic("dom0: its kernel: %s", error);
	if (!(b.kernel.supported_features & 1u << XENFEAT_dom0))
		panic("dom0: its kernel does not support being dom0");

	b.d = dom0 = make_domain();
	make_vcpus(dom0);
	b.nr_pages = dom0_size_pages(&max_pages);
	dom0->max_pages = (uint32_t)max_pages;
	error = dom0_layout(&b);
	if (error)
		panic("dom0: %s", error);
	b.mfn = dom0_alloc_frames(dom0, b.nr_pages);
	report(&b);
	dom0_load(&b);
	pin_tables(&b);
	give_rights(dom0);
	start_vcpu(&b);

	xfree(b.mfn);
	if (order >= 0)
		heap_free((void *)(uintptr_t)image, (unsigned int)order);
	mm_give_back(kernel->start, kernel->start + kernel->size);
	if (initrd)
		mm_give_back(initrd->start, initrd->start + initrd->size);
	update_domain_wallclock(dom0);
	domain_unpause_by_tools(dom0);
}
