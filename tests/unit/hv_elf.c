// SPDX-License-Identifier: GPL-2.0-only
/* What the dom0 builder reads from files: bzImage, the three compressed formats, ELF and
 * its notes; each of them cut short and damaged at random. */
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "hypervisor/boot/dom0.h"
#include "hypervisor/lib/abi.h"
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#include <xen/elfnote.h>

size_t strcopy(char *to, const char *from, size_t n)
{
	return (size_t)snprintf(to, n, "%s", from);
}

/* ---- a kernel file ---- */

static uint8_t file[0x3000];
static size_t file_size;

struct header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct program {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

#define NOTES 0x2000u

static struct header *header(void)
{
	return (struct header *)file;
}

static struct program *program(unsigned int n)
{
	return (struct program *)(file + sizeof(struct header)) + n;
}

static uint32_t note_end;

static void note(uint32_t type, const void *desc, uint32_t n)
{
	uint32_t head[3] = {4, n, type};

	memcpy(file + note_end, head, sizeof(head));
	memcpy(file + note_end + 12, "Xen", 4);
	memcpy(file + note_end + 16, desc, n);
	note_end += 16 + (uint32_t)ROUND_UP(n, 4);
}

static void note_number(uint32_t type, uint64_t v, uint32_t n)
{
	note(type, &v, n);
}

static void make(void)
{
	memset(file, 0, 0x3000);
	memcpy(header()->ident, "\177ELF\2\1\1", 7);
	header()->machine = 62;
	header()->entry = 0x1234;
	header()->phoff = sizeof(struct header);
	header()->phentsize = sizeof(struct program);
	header()->phnum = 3;
	*program(0) = (struct program){1, 5, 0x1000, 0, 0x1000000, 0x800, 0x3000, 0x1000};
	*program(1) = (struct program){1, 6, 0x1800, 0, 0x1200000, 0x100, 0x100, 0x1000};
	note_end = NOTES;
	note(XEN_ELFNOTE_GUEST_OS, "linux", 6);
	note(XEN_ELFNOTE_XEN_VERSION, "xen-3.0", 8);
	note_number(XEN_ELFNOTE_ENTRY, 0xffffffff81000010, 8);
	note_number(XEN_ELFNOTE_VIRT_BASE, 0xffffffff80000000, 8);
	note_number(XEN_ELFNOTE_HYPERCALL_PAGE, 0xffffffff81001000, 8);
	note_number(XEN_ELFNOTE_INIT_P2M, 0x8000000000, 8);
	note_number(XEN_ELFNOTE_MOD_START_PFN, 1, 4);
	note_number(XEN_ELFNOTE_SUPPORTED_FEATURES, 0x801, 4);
	*program(2) = (struct program){4, 4, NOTES, 0, 0, note_end - NOTES, note_end - NOTES, 4};
	file_size = 0x3000;
}

static void test_elf(void)
{
	struct elf_segment s;
	struct elf_kernel k;

	make();
	CU_ASSERT_PTR_NULL_FATAL(elf_parse(file, file_size, &k));
	CU_ASSERT_EQUAL(k.first, 0x1000000);
	CU_ASSERT_EQUAL(k.last, 0x1200100);
	CU_ASSERT_EQUAL(k.entry, 0xffffffff81000010);
	CU_ASSERT_EQUAL(k.virt_base, 0xffffffff80000000);
	CU_ASSERT_EQUAL(k.hypercall_page, 0xffffffff81001000);
	CU_ASSERT_TRUE(k.has_hypercall_page && k.has_p2m_base && k.mod_start_pfn);
	CU_ASSERT_EQUAL(k.p2m_base, 0x8000000000);
	CU_ASSERT_EQUAL(k.supported_features, 0x801);
	CU_ASSERT_STRING_EQUAL(k.guest_os, "linux");
	CU_ASSERT_TRUE(elf_segment(&k, 1, &s));
	CU_ASSERT_PTR_EQUAL(s.data, file + 0x1800);
	CU_ASSERT_EQUAL(s.paddr, 0x1200000);
	CU_ASSERT_FALSE(elf_segment(&k, 2, &s));
}

static const char *parse(void)
{
	struct elf_kernel k;

	return elf_parse(file, file_size, &k);
}

static void test_elf_refused(void)
{
	make();
	file_size = 20;
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	file[4] = 1;
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	header()->machine = 3;
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	program(0)->offset = file_size - 0x7ff;
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	program(0)->filesz = ~0ull;
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	program(1)->memsz = 0x80;
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	program(1)->paddr = ~0ull - 8;
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	program(2)->type = 0; /* no notes */
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	*(uint32_t *)(file + NOTES + 4) = ~0u; /* a long one */
	CU_ASSERT_PTR_NOT_NULL(parse());
	make();
	memcpy(strstr((char *)file + NOTES + 40, "xen-3.0"), "xen-9.0", 7);
	CU_ASSERT_PTR_NOT_NULL(parse());
}

/* Whatever is in it, nothing outside the file is read (AddressSanitizer sees it). */
static void test_elf_damaged(void)
{
	unsigned int round, i, n;

	for (round = 0; round < 5000; round++) {
		struct elf_kernel k;
		struct elf_segment s;
		uint8_t *copy;
		size_t size;

		make();
		size = rnd() % 4 ? file_size : rnd() % file_size;
		for (i = 0; i < 1 + rnd() % 4; i++) {
			n = rnd() % 2 ? rnd() % 300 : NOTES + rnd() % 200;
			file[n] = (uint8_t)rnd();
		}
		copy = malloc(size ? size : 1);
		memcpy(copy, file, size);
		if (!elf_parse(copy, size, &k)) {
			volatile uint8_t sum = 0;

			for (i = 0; elf_segment(&k, i, &s); i++)
				if (s.file_size)
					sum += s.data[0] + s.data[s.file_size - 1];
			(void)sum;
		}
		free(copy);
	}
}

/* ---- bzImage ---- */

static void test_bzimage(void)
{
	static uint8_t image[8192];
	const void *payload;
	size_t n;

	memset(image, 0, sizeof(image));
	CU_ASSERT_FALSE(bzimage_payload(image, sizeof(image), &payload, &n));
	memcpy(image + 0x202, "HdrS", 4);
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	*(uint16_t *)(image + 0x206) = 0x20f;
	image[0x1f1] = 3;
	*(uint32_t *)(image + 0x248) = 100;
	*(uint32_t *)(image + 0x24c) = 1000;
	CU_ASSERT_TRUE(bzimage_payload(image, sizeof(image), &payload, &n));
	CU_ASSERT_PTR_EQUAL(payload, image + 4 * 512 + 100);
	CU_ASSERT_EQUAL(n, 1000);
	image[0x1f1] = 0; /* means 4 */
	CU_ASSERT_TRUE(bzimage_payload(image, sizeof(image), &payload, &n));
	CU_ASSERT_PTR_EQUAL(payload, image + 5 * 512 + 100);
	CU_ASSERT_FALSE(bzimage_payload(image, 0x24f, &payload, &n));
	CU_ASSERT_FALSE(bzimage_payload(image, 3000, &payload, &n));
	*(uint32_t *)(image + 0x24c) = ~0u;
	CU_ASSERT_FALSE(bzimage_payload(image, sizeof(image), &payload, &n));
	*(uint32_t *)(image + 0x24c) = 1000;
	*(uint32_t *)(image + 0x248) = ~0u - 100;
	CU_ASSERT_FALSE(bzimage_payload(image, sizeof(image), &payload, &n));
	*(uint32_t *)(image + 0x248) = 100;
	*(uint16_t *)(image + 0x206) = 0x207;
	CU_ASSERT_FALSE(bzimage_payload(image, sizeof(image), &payload, &n));
}

/* ---- decompression ---- */

static uint8_t plain[200000], packed[300000], out[sizeof(plain) + 100];

static size_t pack(enum decompress_format f, lzma_check check)
{
	size_t n = 0;
	z_stream z;

	switch (f) {
	case FORMAT_GZIP:
		memset(&z, 0, sizeof(z));
		deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
		z.next_in = plain;
		z.avail_in = sizeof(plain);
		z.next_out = packed;
		z.avail_out = sizeof(packed);
		deflate(&z, Z_FINISH);
		n = z.total_out;
		deflateEnd(&z);
		return n;
	case FORMAT_XZ:
		lzma_easy_buffer_encode(1, check, NULL, plain, sizeof(plain), packed, &n,
					sizeof(packed));
		return n;
	default:
		return ZSTD_compress(packed, sizeof(packed), plain, sizeof(plain), 3);
	}
}

static void test_decompress(void)
{
	static const enum decompress_format format[] = {FORMAT_GZIP, FORMAT_XZ, FORMAT_XZ, FORMAT_ZSTD};
	static const lzma_check check[] = {LZMA_CHECK_NONE, LZMA_CHECK_CRC32, LZMA_CHECK_CRC64,
					   LZMA_CHECK_NONE};
	unsigned int i, round;
	size_t n, done;

	for (i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i / 100 % 7 ? i % 251 : rnd());
	CU_ASSERT_EQUAL(decompress_format(plain, 2), FORMAT_UNKNOWN);
	for (i = 0; i < ARRAY_SIZE(format); i++) {
		n = pack(format[i], check[i]);
		CU_ASSERT_EQUAL(decompress_format(packed, n), format[i]);
		memset(out, 0, sizeof(out));
		CU_ASSERT_PTR_NULL(decompress(packed, n, out, sizeof(out), &done));
		CU_ASSERT_EQUAL(done, sizeof(plain));
		CU_ASSERT_EQUAL(memcmp(out, plain, sizeof(plain)), 0);
		/* Linux's build puts the size behind it. */
		memcpy(packed + n, "\x40\x0d\x03", 4);
		CU_ASSERT_PTR_NULL(decompress(packed, n + 4, out, sizeof(out), &done));
		CU_ASSERT_EQUAL(done, sizeof(plain));
		/* Too little room; too little data; damage. */
		CU_ASSERT_PTR_NOT_NULL(decompress(packed, n, out, sizeof(plain) - 1, &done));
		CU_ASSERT_PTR_NOT_NULL(decompress(packed, n / 2, out, sizeof(out), &done));
		for (round = 0; round < 100; round++) {
			size_t at = rnd() % n;
			uint8_t change = (uint8_t)(1 + rnd() % 255);

			packed[at] ^= change;
			if (!decompress(packed, n, out, sizeof(out), &done))
				CU_ASSERT(done <= sizeof(out));
			packed[at] ^= change;
		}
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"ELF and its notes", test_elf},
		{"ELF refused", test_elf_refused},
		{"ELF damaged", test_elf_damaged},
		{"bzImage", test_bzimage},
		{"gzip, xz, zstd", test_decompress},
		CU_TEST_INFO_NULL,
	};

	return suite_main("elf", tests);
}
