/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of the dom0 builder. Addresses called pseudo-physical are the guest's
 * idea: byte offsets in its frames, counted by pfn. */
#ifndef HV_BOOT_DOM0_H
#define HV_BOOT_DOM0_H

#include "hypervisor/boot/boot.h"

/* ---- elf.c ---- */
struct elf_kernel {
	const uint8_t *image;
	size_t size;
	uint64_t first, last; /* physical addresses of its segments: [first, last) */
	uint64_t entry, hypercall_page, virt_base, paddr_offset, p2m_base, mod_start_pfn;
	bool has_hypercall_page, has_p2m_base;
	uint32_t supported_features; /* ~0: it does not say */
	char guest_os[16], guest_version[16];
};
/* NULL, or why it is no kernel that can be started. */
const char *elf_parse(const void *image, size_t size, struct elf_kernel *k);
/* Segment @n: false past the end. */
struct elf_segment {
	uint64_t paddr, file_size, mem_size;
	const uint8_t *data;
};
bool elf_segment(const struct elf_kernel *k, unsigned int n, struct elf_segment *s);

/* ---- decompress.c ---- */
/* The compressed kernel inside; false: not a bzImage (of boot protocol 2.08 at least). */
bool bzimage_payload(const void *image, size_t size, const void **payload, size_t *n);
/* What it says of its size when decompressed: a bzImage's payload ends with that. */
enum decompress_format { FORMAT_PLAIN, FORMAT_GZIP, FORMAT_XZ, FORMAT_ZSTD, FORMAT_UNKNOWN };
enum decompress_format decompress_format(const void *data, size_t n);
/* Decompress into @out of @size bytes; *done: how much it was. NULL, or what is wrong. */
const char *decompress(const void *data, size_t n, void *out, size_t size, size_t *done);
/* decompress_shim.c: run it where the libraries find what they expect. */
const char *decompress_call(const void *data, size_t n, void *out, size_t size, size_t *done);

/* ---- dom0_memory.c ---- */
uint64_t dom0_size_pages(uint64_t *max_pages); /* by dom0_mem= and what is free */
uint64_t *dom0_alloc_frames(struct domain *d, uint64_t pages); /* mfn by pfn; M2P is set */

/* ---- dom0_load.c ---- */
struct dom0_build {
	struct domain *d;
	struct elf_kernel kernel;
	const struct boot_module *initrd; /* NULL: none */
	const char *cmdline;
	uint64_t nr_pages;
	uint64_t *mfn; /* by pfn */
	/* Guest addresses: the region starts with pfn 0. */
	uint64_t v_start, v_initrd, v_p2m, v_start_info, v_tables, v_stack, v_end;
	uint64_t nr_tables;
	uint64_t initrd_pfn, initrd_pages, p2m_pfn, nr_p2m;
	uint64_t next_table, tables_end; /* pfns for page tables yet to be used */
};
const char *dom0_layout(struct dom0_build *b); /* NULL, or what does not fit */
void dom0_load(struct dom0_build *b);
uint64_t dom0_va_to_pfn(const struct dom0_build *b, uint64_t va);

#endif
