// SPDX-License-Identifier: GPL-2.0-only
/* A 64-bit ELF kernel and its notes for Xen (public/elfnote.h). Nothing in the file is
 * believed: each table, segment and note is checked to lie inside it. */
#include "hypervisor/boot/dom0.h"
#include "hypervisor/lib/abi.h"

#include <xen/elfnote.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_program {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct elf_note {
	uint32_t namesz, descsz, type;
};

#define PT_LOAD    1
#define PT_NOTE    4
#define EM_X86_64  62
#define PHYS_LIMIT (1ull << 40) /* no kernel is loaded higher */

static bool program(const struct elf_kernel *k, unsigned int n, struct elf_program *p)
{
	struct elf_header h;

	memcpy(&h, k->image, sizeof(h));
	if (n >= h.phnum || h.phoff > k->size ||
	    (uint64_t)(n + 1) * h.phentsize > k->size - h.phoff)
		return false;
	memcpy(p, k->image + h.phoff + (uint64_t)n * h.phentsize, sizeof(*p));
	return true;
}

bool elf_segment(const struct elf_kernel *k, unsigned int n, struct elf_segment *s)
{
	struct elf_program p;
	unsigned int i;

	for (i = 0; program(k, i, &p); i++) {
		if (p.type != PT_LOAD || !p.memsz || n--)
			continue;
		*s = (struct elf_segment){p.paddr, p.filesz, p.memsz, k->image + p.offset};
		return true;
	}
	return false;
}

/* ---- notes ---- */

/* Where a note's value goes: numbers, and text that is cut to leave a zero behind it. */
static const struct note_field {
	uint8_t type, size;
	uint16_t at, has; /* has: the flag that says it was there; 0: none */
	bool text;
} note_fields[] = {
#define FIELD(note, member, ...)                                                         \
	{note, sizeof(((struct elf_kernel *)0)->member), offsetof(struct elf_kernel, member), __VA_ARGS__}
	FIELD(XEN_ELFNOTE_ENTRY, entry, 0, false),
	FIELD(XEN_ELFNOTE_HYPERCALL_PAGE, hypercall_page,
	      offsetof(struct elf_kernel, has_hypercall_page), false),
	FIELD(XEN_ELFNOTE_VIRT_BASE, virt_base, 0, false),
	FIELD(XEN_ELFNOTE_PADDR_OFFSET, paddr_offset, 0, false),
	FIELD(XEN_ELFNOTE_INIT_P2M, p2m_base, offsetof(struct elf_kernel, has_p2m_base), false),
	FIELD(XEN_ELFNOTE_MOD_START_PFN, mod_start_pfn, 0, false),
	FIELD(XEN_ELFNOTE_SUPPORTED_FEATURES, supported_features, 0, false),
	FIELD(XEN_ELFNOTE_GUEST_OS, guest_os, 0, true),
	FIELD(XEN_ELFNOTE_GUEST_VERSION, guest_version, 0, true),
};

static const char *take_note(struct elf_kernel *k, uint32_t type, const uint8_t *desc, uint32_t n)
{
	if (type == XEN_ELFNOTE_XEN_VERSION && (n < 7 || memcmp(desc, "xen-3.0", 7)))
		return "its Xen version is not xen-3.0";
	for (unsigned int i = 0; i < ARRAY_SIZE(note_fields); i++) {
		const struct note_field *f = &note_fields[i];

		if (f->type != type)
			continue;
		memset((char *)k + f->at, 0, f->size);
		memcpy((char *)k + f->at, desc, MIN(n, f->size - (uint32_t)f->text));
		if (f->has)
			*((bool *)k + f->has) = true;
	}
	return NULL;
}

static const char *take_notes(struct elf_kernel *k, uint64_t offset, uint64_t size, bool *found)
{
	while (size >= sizeof(struct elf_note)) {
		const uint8_t *at = k->image + offset;
		struct elf_note note;
		uint64_t name, whole;
		const char *error;

		memcpy(&note, at, sizeof(note));
		name = sizeof(note) + ROUND_UP((uint64_t)note.namesz, 4);
		whole = name + ROUND_UP((uint64_t)note.descsz, 4);
		if (whole > size)
			return "a note reaches past its segment";
		if (note.namesz == 4 && !memcmp(at + sizeof(note), "Xen", 4)) {
			*found = true;
			error = take_note(k, note.type, at + name, note.descsz);
			if (error)
				return error;
		}
		offset += whole;
		size -= whole;
	}
	return NULL;
}

/* ---- the whole ---- */

static const char *take_program(struct elf_kernel *k, const struct elf_program *p, bool *notes)
{
	if (p->type != PT_LOAD && p->type != PT_NOTE)
		return NULL;
	if (p->offset > k->size || p->filesz > k->size - p->offset)
		return "a segment reaches past the file";
	if (p->type == PT_NOTE)
		return take_notes(k, p->offset, p->filesz, notes);
	if (!p->memsz)
		return NULL;
	if (p->filesz > p->memsz || p->paddr >= PHYS_LIMIT || p->memsz >= PHYS_LIMIT)
		return "a segment of bad size";
	k->first = MIN(k->first, p->paddr);
	k->last = MAX(k->last, p->paddr + p->memsz);
	return NULL;
}

const char *elf_parse(const void *image, size_t size, struct elf_kernel *k)
{
	struct elf_header h;
	struct elf_program p;
	bool notes = false;
	const char *error;
	unsigned int i;

	memset(k, 0, sizeof(*k));
	k->image = image;
	k->size = size;
	k->first = ~0ull;
	k->supported_features = ~0u;
	if (size < sizeof(h))
		return "too short";
	memcpy(&h, image, sizeof(h));
	if (memcmp(h.ident, "\177ELF\2\1", 6))
		return "not a 64-bit little-endian ELF file";
	if (h.machine != EM_X86_64)
		return "not for x86-64";
	if (h.phentsize < sizeof(p))
		return "no program headers";
	k->entry = h.entry;
	for (i = 0; program(k, i, &p); i++) {
		error = take_program(k, &p, &notes);
		if (error)
			return error;
	}
	if (k->first >= k->last)
		return "nothing to load";
	return notes ? NULL : "no notes for Xen: not a PV kernel";
}
