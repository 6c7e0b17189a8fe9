// SPDX-License-Identifier: GPL-2.0-only
/* hypervisor/boot: the command line's options, the memory map against a model, what
 * multiboot loaders hand over. */
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/mm/mm.h"

#define MEMORY (1u << 20)

const struct boot_option *boot_options_start, *boot_options_end;
char image_start[PAGE_SIZE * 4] __attribute__((aligned(4096)));
char image_end[1];
static char complaints[2048];

void printk(enum log_level level, const char *fmt, ...)
{
	size_t n = strlen(complaints);
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vsnprintf(complaints + n, sizeof(complaints) - n, fmt, ap);
	va_end(ap);
}

static struct {
	uint64_t start, end;
} given[64];
static unsigned int nr_given;

void boot_alloc_add(uint64_t start, uint64_t end)
{
	given[nr_given].start = start;
	given[nr_given++].end = end;
}

/* ---- command line ---- */
static bool flag;
static uint8_t small;
static uint64_t size;
static char text[6];
static char last_value[16];

static int parse(const char *value)
{
	strcopy(last_value, value, sizeof(last_value));
	return strcmp(value, "bad") ? 0 : -EINVAL;
}
static int (*const parse_pointer)(const char *) = parse;

static void line(const char *s)
{
	static const struct boot_option options[] = {
		{"flag", &flag, sizeof(flag), OPT_BOOL},
		{"small", &small, sizeof(small), OPT_INT},
		{"size", &size, sizeof(size), OPT_SIZE},
		{"text", text, sizeof(text), OPT_STR},
		{"fn", (void *)&parse_pointer, 0, OPT_FN},
	};

	boot_options_start = options;
	boot_options_end = options + ARRAY_SIZE(options);
	complaints[0] = 0;
	cmdline_parse(s);
}

static void test_kinds(void)
{
	line("  flag small=0x1f size=2M text=abcde  fn=x,y:z ");
	CU_ASSERT_STRING_EQUAL(complaints, "");
	CU_ASSERT(flag);
	CU_ASSERT_EQUAL(small, 31);
	CU_ASSERT_EQUAL(size, 2u << 20);
	CU_ASSERT_STRING_EQUAL(text, "abcde");
	CU_ASSERT_STRING_EQUAL(last_value, "x,y:z");
	line("no-flag size=16 no-fn");
	CU_ASSERT_FALSE(flag);
	CU_ASSERT_EQUAL(size, 16 << 10);
	CU_ASSERT_STRING_EQUAL(last_value, "no");
	line("flag=off flag=yes size=3b");
	CU_ASSERT(flag);
	CU_ASSERT_EQUAL(size, 3);
	line("flag=on no-flag=no size=1T size=5g");
	CU_ASSERT(flag);
	CU_ASSERT_EQUAL(size, 5ull << 30);
	CU_ASSERT_STRING_EQUAL(complaints, "");
	line("");
	line("flag=0 -- unknown flag=1");
	CU_ASSERT_FALSE(flag);
	CU_ASSERT_STRING_EQUAL(complaints, "");
}

static void test_refused(void)
{
	static const char *const bad[] = {
		"flag=maybe", "small=256", "small=",   "small=1x", "size=M", "size=1MB",
		"size=16777216T", "text=abcdef", "fn=bad", "no-small", "unknown", "no-unknown=1"};

	small = 7;
	size = 9;
	strcpy(text, "keep");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		line(bad[i]);
		CU_ASSERT_NOT_EQUAL(strlen(complaints), 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(complaints, "command line"));
	}
	CU_ASSERT_EQUAL(small, 7);
	CU_ASSERT_EQUAL(size, 9);
	CU_ASSERT_STRING_EQUAL(text, "keep");
}

static void test_long_word(void)
{
	char s[700];

	memset(s, 'x', sizeof(s));
	strcpy(s + sizeof(s) - 6, " flag");
	flag = false;
	line(s);
	CU_ASSERT(flag);
}

/* ---- memory map ---- */
#define CELLS 64
#define CELL  0x400000ull

static void test_map_random(void)
{
	for (int round = 0; round < 3000; round++) {
		uint32_t model[CELLS] = {0};
		unsigned int n = rnd() % 20;
		uint64_t end = 0;

		boot_info.nr_e820 = 0;
		while (n--) {
			uint32_t type = 1 + rnd() % 5;
			uint64_t first = rnd() % CELLS, count = rnd() % (CELLS - first + 1);

			e820_add(first * CELL, count * CELL, type);
			for (uint64_t i = first; i < first + count; i++)
				model[i] = MAX(model[i], type);
		}
		e820_sanitise();
		for (unsigned int i = 0; i < boot_info.nr_e820; i++) {
			const struct e820_entry *e = &boot_info.e820[i];

			CU_ASSERT_FATAL(e->start >= end && e->size);
			/* What touches is of another type. */
			CU_ASSERT(e->start > end || !i || e[-1].type != e->type);
			for (; end < e->start; end += CELL)
				CU_ASSERT_EQUAL(model[end / CELL], 0);
			for (; end < e->start + e->size; end += CELL)
				CU_ASSERT_EQUAL(model[end / CELL], e->type);
		}
		for (; end < CELLS * CELL; end += CELL)
			CU_ASSERT_EQUAL(model[end / CELL], 0);
	}
}

static void test_map_edges(void)
{
	boot_info.nr_e820 = 0;
	e820_add(0xfffffffffffff000, 0x5000, 2); /* past the end of all */
	e820_add(0x1000, 0, 1);
	CU_ASSERT_EQUAL(boot_info.nr_e820, 1);
	CU_ASSERT_EQUAL(boot_info.e820[0].size, 0x1000);
	for (int i = 0; i < 2 * E820_MAX; i++)
		e820_add((uint64_t)i << 20, 4096, 1);
	CU_ASSERT_EQUAL(boot_info.nr_e820, E820_MAX);
	e820_sanitise();
}

/* Whatever is given is whole pages of RAM, without modules, and all such pages. */
static void test_give(void)
{
	for (int round = 0; round < 2000; round++) {
		static uint8_t page[2048]; /* from 1 MiB on */
		unsigned int i;
		uint64_t p, first = 256;

		memset(page, 0, sizeof(page));
		boot_info.nr_e820 = nr_given = 0;
		e820_add(0x1000, 0x9f000, 1);
		e820_add((first << 12) + 0x800, 1000 << 12, 1);
		for (p = 1; p < 1000; p++)
			page[p] = 1;
		boot_info.nr_modules = (unsigned int)(rnd() % 5);
		for (i = 0; i < boot_info.nr_modules; i++) {
			struct boot_module *m = &boot_info.module[i];

			m->start = (first << 12) + rnd() % (900 << 12);
			m->size = rnd() % (200 << 12);
			for (p = m->start >> 12; p < (m->start + m->size + 4095) >> 12; p++)
				page[p - first] = 0;
		}
		e820_sanitise();
		e820_give_memory();
		for (i = 0; i < nr_given; i++) {
			CU_ASSERT_EQUAL_FATAL((given[i].start | given[i].end) & 4095, 0);
			for (p = given[i].start >> 12; p < given[i].end >> 12; p++) {
				CU_ASSERT_FATAL(p >= first && page[p - first] == 1);
				page[p - first] = 2;
			}
		}
		for (p = 0; p < sizeof(page); p++)
			CU_ASSERT_NOT_EQUAL_FATAL(page[p], 1);
	}
}

/* ---- multiboot ---- */
static uint32_t put_text(uint32_t at, const char *s)
{
	strcpy(host_memory + at, s);
	return at;
}

static void put32(uint32_t at, uint32_t v)
{
	memcpy(host_memory + at, &v, 4);
}

static void fresh(void)
{
	memset(&boot_info, 0, sizeof(boot_info));
	memset(host_memory, 0, MEMORY);
	complaints[0] = 0;
}

static void test_multiboot1(void)
{
	fresh();
	put32(0x1000, 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	put32(0x1010, put_text(0x2000, "xylem.elf  console=com1 x"));
	put32(0x1014, 2);
	put32(0x1018, 0x3000);
	put32(0x3000, 0x100000);
	put32(0x3004, 0x180010);
	put32(0x3008, put_text(0x2100, "vmlinuz console=hvc0"));
	put32(0x3010, 0x200000);
	put32(0x3014, 0x200001);
	put32(0x102c, 24 + 28); /* map: entries may be longer than they need */
	put32(0x1030, 0x4000);
	put32(0x4000, 20);
	put32(0x4004, 0x1000);
	put32(0x400c, 0x9f000);
	put32(0x4014, 1);
	put32(0x4018, 24);
	put32(0x4020, 1); /* at 4 GiB */
	put32(0x4024, 0x1000);
	put32(0x402c, 2);
	put32(0x1040, put_text(0x2200, "qemu"));
	CU_ASSERT(multiboot_parse(0x2badb002, 0x1000));
	CU_ASSERT_STRING_EQUAL(boot_info.cmdline, "console=com1 x");
	CU_ASSERT_EQUAL(boot_info.nr_modules, 2);
	CU_ASSERT_STRING_EQUAL(boot_info.module[0].cmdline, "console=hvc0");
	CU_ASSERT_EQUAL(boot_info.module[0].size, 0x80010);
	CU_ASSERT_STRING_EQUAL(boot_info.module[1].cmdline, "");
	CU_ASSERT_EQUAL(boot_info.nr_e820, 2);
	CU_ASSERT_EQUAL(boot_info.e820[1].start, 1ull << 32);
	CU_ASSERT_EQUAL(boot_info.e820[1].type, 2);
	CU_ASSERT_FALSE(multiboot_parse(0x12345678, 0x1000));
}

/* A tag: returns where the next goes. */
static uint32_t tag(uint32_t at, uint32_t type, const void *data, uint32_t n)
{
	put32(at, type);
	put32(at + 4, 8 + n);
	memcpy(host_memory + at + 8, data, n);
	return (uint32_t)ROUND_UP(at + 8 + n, 8);
}

static void test_multiboot2(void)
{
	struct {
		uint32_t start, end;
		char text[20];
	} module = {0x300000, 0x300fff, "root=/dev/sda1"};
	struct {
		uint32_t entry_size, version;
		uint64_t start, length;
		uint32_t type, reserved;
	} map = {24, 0, 0x100000, 0x700000, 1, 0};
	char rsdp[36] = "RSD PTR ";
	uint64_t system_table = 0x6000;
	uint32_t at = 0x1008;

	fresh();
	/* The loader's name may come after what depends on it. */
	at = tag(at, 1, "placeholder console=com1 y", 27);
	at = tag(at, 3, &module, sizeof(module));
	at = tag(at, 6, &map, sizeof(map));
	put_text(0x6000, "IBI SYST");
	put32(0x6008, 0x20046);
	put32(0x6018, 0x7000);
	put32(0x6020, 7);
	put32(0x6068, 9);
	put32(0x6070, 0x8000);
	put32(0x7000, 'E' | 'D' << 16);
	put32(0x7004, 'K');
	at = tag(at, 12, &system_table, 8);
	at = tag(at, 15, rsdp, sizeof(rsdp));
	at = tag(at, 14, "RSD PTR old", 12);
	at = tag(at, 2, "GRUB 2.06-13", 13);
	at = tag(at, 0, "", 0);
	put32(0x1000, at - 0x1000);
	CU_ASSERT(multiboot_parse(0x36d76289, 0x1000));
	CU_ASSERT_STRING_EQUAL(boot_info.cmdline, "console=com1 y");
	CU_ASSERT_STRING_EQUAL(boot_info.loader, "GRUB 2.06-13");
	CU_ASSERT_EQUAL(boot_info.nr_modules, 1);
	CU_ASSERT_EQUAL(boot_info.module[0].size, 0xfff);
	CU_ASSERT_STRING_EQUAL(boot_info.module[0].cmdline, "root=/dev/sda1");
	CU_ASSERT_EQUAL(boot_info.nr_e820, 1);
	CU_ASSERT(boot_info.efi);
	CU_ASSERT_EQUAL(boot_info.efi_table.revision, 0x20046);
	CU_ASSERT_EQUAL(boot_info.efi_table.fw_revision, 7);
	CU_ASSERT_EQUAL(boot_info.efi_table.nr_tables, 9);
	CU_ASSERT_EQUAL(boot_info.efi_table.tables, 0x8000);
	CU_ASSERT_EQUAL(memcmp(boot_info.efi_table.vendor, u"EDK", 8), 0);
	/* Copied: the loader's memory is anybody's. */
	memset(host_memory, 0xff, MEMORY);
	CU_ASSERT_EQUAL(memcmp((char *)(boot_info.rsdp + IMAGE_START), rsdp, 8), 0);
}

static void test_multiboot2_limits(void)
{
	char text[1500];
	uint32_t at = 0x1008;

	fresh();
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = 0;
	at = tag(at, 2, "GRUB 2.12", 10);
	at = tag(at, 1, text, sizeof(text));
	for (int i = 0; i < 12; i++)
		at = tag(at, 3, "\0\0\1\0\0\0\2\0x", 10);
	put32(at, 1); /* a tag of no size ends it */
	put32(0x1000, 0x8000);
	CU_ASSERT(multiboot_parse(0x36d76289, 0x1000));
	CU_ASSERT_EQUAL(strlen(boot_info.cmdline), sizeof(boot_info.cmdline) - 1);
	CU_ASSERT_EQUAL(boot_info.nr_modules, ARRAY_SIZE(boot_info.module));
	CU_ASSERT_PTR_NOT_NULL(strstr(complaints, "longer than"));
	CU_ASSERT_PTR_NOT_NULL(strstr(complaints, "more than 8 modules"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"options of every kind", test_kinds},
		{"what is refused", test_refused},
		{"a word too long", test_long_word},
		{"memory map against a model", test_map_random},
		{"memory map at the edges", test_map_edges},
		{"memory given to the allocator", test_give},
		{"multiboot 1", test_multiboot1},
		{"multiboot 2", test_multiboot2},
		{"multiboot 2: limits", test_multiboot2_limits},
		CU_TEST_INFO_NULL,
	};
	int failed;

	host_memory = malloc(MEMORY);
	failed = suite_main("hv_boot", tests);
	free(host_memory);
	return failed;
}
