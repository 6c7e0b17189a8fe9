// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a multiboot 1 or 2 loader hands over, into boot_info: once, before its memory is
 * used for anything else. Everything is in the low 4 GiB, which the direct map covers.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/mm/frame.h"

#define MB1_LOADER_MAGIC 0x2badb002
#define MB2_LOADER_MAGIC 0x36d76289
#define CMDLINE_MAX      1024

struct boot_info boot_info;
static char module_cmdline[ARRAY_SIZE(boot_info.module)][CMDLINE_MAX];

/* GRUB 2 leaves the image's name away; others (QEMU) put it first. */
static bool name_comes_first(void)
{
	return strncmp(boot_info.loader, "GRUB ", 5) || boot_info.loader[5] < '1';
}

static void set_cmdline(char *to, size_t room, const char *from)
{
	if (name_comes_first()) {
		while (*from && *from != ' ')
			from++;
	}
	while (*from == ' ')
		from++;
	if (!strncmp(from, "placeholder ", 12)) /* grub-mkconfig's, for the name */
		from += 12;
	if (strcopy(to, from, room) >= room)
		printk(LOG_WARN, "a command line is longer than %zu bytes: cut\n", room - 1);
}

static void add_module(uint64_t start, uint64_t end, const char *cmdline)
{
	unsigned int n = boot_info.nr_modules;

	if (n == ARRAY_SIZE(boot_info.module)) {
		printk(LOG_WARN, "more than %u modules: the rest is not used\n", n);
		return;
	}
	set_cmdline(module_cmdline[n], CMDLINE_MAX, cmdline);
	boot_info.module[n] = (struct boot_module){start, end - start, module_cmdline[n]};
	boot_info.nr_modules++;
}

/* ---- multiboot 1 ---- */
struct mb1_info {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr, drives_length, drives_addr, config_table;
	uint32_t boot_loader_name, apm_table;
	uint32_t vbe[4];
	struct boot_framebuffer framebuffer;
} __attribute__((packed));
#define MB1_MEMORY      (1u << 0)
#define MB1_CMDLINE     (1u << 2)
#define MB1_MODULES     (1u << 3)
#define MB1_MMAP        (1u << 6)
#define MB1_LOADER      (1u << 9)
#define MB1_FRAMEBUFFER (1u << 12)

struct mb1_module {
	uint32_t start, end, cmdline, reserved;
};

struct mb1_mmap {
	uint32_t size; /* of what follows */
	uint64_t start, length;
	uint32_t type;
} __attribute__((packed));

static const char *text_at(uint32_t address)
{
	return address ? maddr_to_virt(address) : "";
}

static void mb1_memory(const struct mb1_info *m)
{
	uint32_t at = m->mmap_addr, end = at + m->mmap_length;

	if (!(m->flags & MB1_MMAP)) {
		e820_add(0, (uint64_t)m->mem_lower << 10, 1);
		e820_add(1 << 20, (uint64_t)m->mem_upper << 10, 1);
		return;
	}
	while (at < end) {
		const struct mb1_mmap *e = maddr_to_virt(at);

		e820_add(e->start, e->length, e->type);
		at += e->size + 4;
	}
}

static void mb1_parse(const struct mb1_info *m)
{
	if (m->flags & MB1_LOADER)
		strcopy(boot_info.loader, text_at(m->boot_loader_name), sizeof(boot_info.loader));
	if (m->flags & MB1_CMDLINE)
		set_cmdline(boot_info.cmdline, sizeof(boot_info.cmdline), text_at(m->cmdline));
	if (m->flags & MB1_MODULES) {
		const struct mb1_module *mod = maddr_to_virt(m->mods_addr);

		for (uint32_t i = 0; i < m->mods_count; i++)
			add_module(mod[i].start, mod[i].end, text_at(mod[i].cmdline));
	}
	if (m->flags & (MB1_MMAP | MB1_MEMORY))
		mb1_memory(m);
	if (m->flags & MB1_FRAMEBUFFER)
		boot_info.framebuffer = m->framebuffer;
}

/* ---- multiboot 2 ---- */
enum mb2_type {
	MB2_END,
	MB2_CMDLINE,
	MB2_LOADER,
	MB2_MODULE,
	MB2_MMAP = 6,
	MB2_FRAMEBUFFER = 8,
	MB2_EFI64 = 12,
	MB2_RSDP1 = 14,
	MB2_RSDP2 = 15,
};

struct mb2_tag {
	uint32_t type, size;
	union {
		char text[0];
		uint64_t address;
		struct {
			uint32_t start, end;
			char cmdline[];
		} module;
		struct {
			uint32_t entry_size, version;
			struct {
				uint64_t start, length;
				uint32_t type, reserved;
			} entry[];
		} mmap;
	};
};

static void mb2_memory(const struct mb2_tag *t)
{
	const char *e = (const char *)t->mmap.entry;

	if (t->mmap.entry_size < sizeof(t->mmap.entry[0]))
		return;
	for (; e + t->mmap.entry_size <= (const char *)t + t->size; e += t->mmap.entry_size) {
		const __typeof__(t->mmap.entry[0]) *m = (const void *)e;

		e820_add(m->start, m->length, m->type);
	}
}

/* The colours stand two bytes further on than in multiboot 1. */
static void mb2_framebuffer(const struct mb2_tag *t)
{
	const size_t n = offsetof(struct boot_framebuffer, red_pos);

	memcpy(&boot_info.framebuffer, t->text, n);
	memcpy(&boot_info.framebuffer.red_pos, t->text + n + 2, sizeof(boot_info.framebuffer) - n);
}

/* EFI's system table (UEFI specification 2.10, 4.3), as far as it matters here. */
struct efi_system_table {
	uint64_t signature;
	uint32_t revision, header_size, crc, reserved;
	uint64_t vendor; /* UCS-2 */
	uint32_t fw_revision, reserved2;
	uint64_t consoles[6], runtime, boot;
	uint64_t nr_tables, tables;
};
#define EFI_SIGNATURE  0x5453595320494249ull /* "IBI SYST" */
#define MAPPED_BY_HEAD (4ull << 30)

/* Boot services are over; what dom0 is told of are the tables, ACPI's and SMBIOS's. */
static void read_efi_table(uint64_t address)
{
	const struct efi_system_table *t = maddr_to_virt(address);
	const uint16_t *vendor;

	boot_info.efi = true;
	if (address > MAPPED_BY_HEAD - sizeof(*t) || t->signature != EFI_SIGNATURE)
		return;
	boot_info.efi_table.revision = t->revision;
	boot_info.efi_table.fw_revision = t->fw_revision;
	boot_info.efi_table.tables = t->tables;
	boot_info.efi_table.nr_tables = (uint32_t)t->nr_tables;
	if (t->vendor > MAPPED_BY_HEAD - sizeof(boot_info.efi_table.vendor))
		return;
	vendor = maddr_to_virt(t->vendor);
	for (size_t i = 0; i < ARRAY_SIZE(boot_info.efi_table.vendor) - 1 && vendor[i]; i++)
		boot_info.efi_table.vendor[i] = vendor[i];
}

/* The tag holds a copy, in memory that will be used again. */
static void copy_rsdp(const struct mb2_tag *t)
{
	static char rsdp[64] __attribute__((aligned(16)));

	memcpy(rsdp, t->text, MIN(t->size - 8, sizeof(rsdp)));
	boot_info.rsdp = image_to_maddr(rsdp);
}

static void mb2_tag(const struct mb2_tag *t)
{
	switch (t->type) {
	case MB2_CMDLINE:
		set_cmdline(boot_info.cmdline, sizeof(boot_info.cmdline), t->text);
		break;
	case MB2_LOADER:
		strcopy(boot_info.loader, t->text, sizeof(boot_info.loader));
		break;
	case MB2_MODULE:
		add_module(t->module.start, t->module.end, t->module.cmdline);
		break;
	case MB2_MMAP:
		mb2_memory(t);
		break;
	case MB2_FRAMEBUFFER:
		mb2_framebuffer(t);
		break;
	case MB2_EFI64:
		read_efi_table(t->address);
		break;
	case MB2_RSDP1: /* of both kinds the newer one wins */
		if (!boot_info.rsdp)
			copy_rsdp(t);
		break;
	case MB2_RSDP2:
		copy_rsdp(t);
		break;
	}
}

static void mb2_parse(const char *info)
{
	const char *end = info + *(const uint32_t *)info;

	/* The loader's name first: what its command lines begin with depends on it. */
	for (int pass = 0; pass < 2; pass++) {
		for (const char *p = info + 8; p + 8 <= end;) {
			const struct mb2_tag *t = (const void *)p;

			if (t->type == MB2_END || t->size < 8)
				break;
			if ((t->type == MB2_LOADER) == (pass == 0))
				mb2_tag(t);
			p += ROUND_UP(t->size, 8);
		}
	}
}

bool multiboot_parse(uint32_t magic, uint64_t info)
{
	if (magic == MB1_LOADER_MAGIC)
		mb1_parse(maddr_to_virt(info));
	else if (magic == MB2_LOADER_MAGIC)
		mb2_parse(maddr_to_virt(info));
	else
		return false;
	return true;
}
