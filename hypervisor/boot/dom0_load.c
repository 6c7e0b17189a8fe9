// SPDX-License-Identifier: GPL-2.0-only
/*
 * dom0's memory as it finds it: public/xen.h, "start-of-day memory layout". One region of
 * addresses that maps pfn 0 on; behind it, without an address, the initrd (if the kernel
 * takes a pfn for it), and the p2m list with page tables of its own (if the kernel names
 * an address for it).
 */
#include "hypervisor/boot/dom0.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/platform/console.h"
#include "hypervisor/pv/trap.h"

#define ALIGN_4M    (4ull << 20)
#define PADDING     (512ull << 10)
#define PTES        512
#define TABLE_FLAGS (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)
#define PAGE_FLAGS  (PTE_P | PTE_RW | PTE_US | PTE_A | PTE_D)

static uint64_t page_up(uint64_t x)
{
	return ROUND_UP(x, PAGE_SIZE);
}

uint64_t dom0_va_to_pfn(const struct dom0_build *b, uint64_t va)
{
	return (va - b->v_start) >> PAGE_SHIFT;
}

/* ---- layout ---- */

/* Tables of one level that cover [start, end), a table @shift bits. */
static uint64_t tables_over(uint64_t start, uint64_t end, unsigned int shift)
{
	return (((end - 1) & ~(1ull << 63)) >> shift) - ((start & ~(1ull << 63)) >> shift) + 1;
}

static uint64_t tables_for(uint64_t start, uint64_t end)
{
	return tables_over(start, end, 21) + tables_over(start, end, 30) + tables_over(start, end, 39);
}

const char *dom0_layout(struct dom0_build *b)
{
	const struct elf_kernel *k = &b->kernel;
	uint64_t p2m_bytes = page_up(b->nr_pages * sizeof(uint64_t)), va, pfn, tables;

	b->initrd_pages = b->initrd ? page_up(b->initrd->size) >> PAGE_SHIFT : 0;
	b->v_start = k->virt_base & ~(ALIGN_4M - 1);
	va = page_up(k->last - k->paddr_offset + k->virt_base);
	if (k->first < k->paddr_offset || va < b->v_start)
		return "its segments and its virtual base do not fit together";
	if (b->initrd && !k->mod_start_pfn) {
		b->v_initrd = va;
		va += b->initrd_pages << PAGE_SHIFT;
	}
	b->v_p2m = k->has_p2m_base ? k->p2m_base : va;
	if (!k->has_p2m_base)
		va += p2m_bytes;
	b->v_start_info = va;
	va += PAGE_SIZE;
	b->v_tables = va;
	/* The tables map themselves too. */
	for (tables = 1;; tables++) {
		b->v_stack = b->v_tables + (tables << PAGE_SHIFT);
		b->v_end = ROUND_UP(b->v_stack + PAGE_SIZE + PADDING, ALIGN_4M);
		if (tables_for(b->v_start, b->v_end) + 1 <= tables)
			break;
	}
	b->nr_tables = tables;

	pfn = dom0_va_to_pfn(b, b->v_end);
	b->initrd_pfn = b->v_initrd ? dom0_va_to_pfn(b, b->v_initrd) : pfn;
	if (b->initrd && !b->v_initrd)
		pfn += b->initrd_pages;
	b->p2m_pfn = k->has_p2m_base ? pfn : dom0_va_to_pfn(b, b->v_p2m);
	b->nr_p2m = p2m_bytes >> PAGE_SHIFT;
	if (k->has_p2m_base) {
		b->nr_p2m += tables_for(b->v_p2m, b->v_p2m + p2m_bytes);
		pfn += b->nr_p2m;
	}
	if (pfn > b->nr_pages)
		return "dom0_mem= is too small for kernel and initrd";
	return NULL;
}

/* ---- contents ---- */

/* @n bytes at byte @at of the pseudo-physical memory; zeros when @from is NULL. */
static void put(const struct dom0_build *b, uint64_t at, const void *from, uint64_t n)
{
	while (n) {
		uint64_t offset = at % PAGE_SIZE, chunk = MIN(n, PAGE_SIZE - offset);
		char *page = map_frame(MFN(b->mfn[at >> PAGE_SHIFT]));

		if (from) {
			memcpy(page + offset, from, chunk);
			from = (const char *)from + chunk;
		} else {
			memset(page + offset, 0, chunk);
		}
		unmap_frame(page);
		at += chunk;
		n -= chunk;
	}
}

static void load_kernel(const struct dom0_build *b)
{
	const struct elf_kernel *k = &b->kernel;
	struct elf_segment s;
	unsigned int i;
	void *page;

	for (i = 0; elf_segment(k, i, &s); i++) {
		uint64_t at = s.paddr - k->paddr_offset + k->virt_base - b->v_start;

		put(b, at, s.data, s.file_size);
		put(b, at + s.file_size, NULL, s.mem_size - s.file_size);
	}
	if (!k->has_hypercall_page || k->hypercall_page < b->v_start ||
	    k->hypercall_page >= b->v_end || k->hypercall_page % PAGE_SIZE)
		return;
	page = map_frame(MFN(b->mfn[dom0_va_to_pfn(b, k->hypercall_page)]));
	hypercall_page_fill(page);
	unmap_frame(page);
}

/* Loaders align modules to pages. */
static void load_initrd(const struct dom0_build *b)
{
	uint64_t at = b->initrd_pfn << PAGE_SHIFT, offset = 0, n;

	while (b->initrd && offset < b->initrd->size) {
		uint64_t in_page = (b->initrd->start + offset) % PAGE_SIZE;
		const char *page = map_frame(maddr_to_mfn(b->initrd->start + offset));

		n = MIN(PAGE_SIZE - in_page, b->initrd->size - offset);
		put(b, at + offset, page + in_page, n);
		unmap_frame(page);
		offset += n;
	}
}

/* ---- page tables ---- */

static uint64_t new_table(struct dom0_build *b)
{
	uint64_t pfn = b->next_table++;

	if (pfn >= b->tables_end)
		panic("dom0: page tables do not fit");
	put(b, pfn << PAGE_SHIFT, NULL, PAGE_SIZE);
	return b->mfn[pfn];
}

static void map_page(struct dom0_build *b, uint64_t va, uint64_t pfn, uint64_t flags)
{
	uint64_t mfn = b->mfn[dom0_va_to_pfn(b, b->v_tables)], *table, *e;
	unsigned int shift;

	for (shift = 39; shift > PAGE_SHIFT; shift -= 9) {
		table = map_frame(MFN(mfn));
		e = &table[va >> shift & (PTES - 1)];
		if (!*e)
			*e = new_table(b) << PAGE_SHIFT | TABLE_FLAGS;
		mfn = (*e & PTE_ADDR) >> PAGE_SHIFT;
		unmap_frame(table);
	}
	table = map_frame(MFN(mfn));
	table[va >> PAGE_SHIFT & (PTES - 1)] = b->mfn[pfn] << PAGE_SHIFT | flags;
	unmap_frame(table);
}

static void make_tables(struct dom0_build *b)
{
	uint64_t va, first = dom0_va_to_pfn(b, b->v_tables), i;

	b->next_table = first;
	b->tables_end = first + b->nr_tables;
	new_table(b); /* L4 */
	for (va = b->v_start; va < b->v_end; va += PAGE_SIZE) {
		bool table = va >= b->v_tables && va < b->v_stack;

		map_page(b, va, dom0_va_to_pfn(b, va), table ? PAGE_FLAGS & ~PTE_RW : PAGE_FLAGS);
	}
	if (!b->kernel.has_p2m_base)
		return;
	b->next_table = b->p2m_pfn + (page_up(b->nr_pages * sizeof(uint64_t)) >> PAGE_SHIFT);
	b->tables_end = b->p2m_pfn + b->nr_p2m;
	for (i = 0; i < page_up(b->nr_pages * sizeof(uint64_t)) >> PAGE_SHIFT; i++)
		map_page(b, b->v_p2m + (i << PAGE_SHIFT), b->p2m_pfn + i, PAGE_FLAGS);
}

/* ---- start_info ---- */

/* What dom0's console driver needs to take the screen over. */
static size_t fill_vga(struct dom0_vga_console_info *v)
{
	const struct boot_framebuffer *f = &boot_info.framebuffer;
	unsigned int x, y;

	memset(v, 0, sizeof(*v));
	if (f->addr && f->type == 1) {
		v->video_type = boot_info.efi ? XEN_VGATYPE_EFI_LFB : XEN_VGATYPE_VESA_LFB;
		v->u.vesa_lfb.width = (uint16_t)f->width;
		v->u.vesa_lfb.height = (uint16_t)f->height;
		v->u.vesa_lfb.bytes_per_line = (uint16_t)f->pitch;
		v->u.vesa_lfb.bits_per_pixel = f->bpp;
		v->u.vesa_lfb.lfb_base = (uint32_t)f->addr;
		v->u.vesa_lfb.ext_lfb_base = (uint32_t)(f->addr >> 32);
		v->u.vesa_lfb.lfb_size = (uint32_t)(((uint64_t)f->pitch * f->height + 65535) >> 16);
		v->u.vesa_lfb.red_pos = f->red_pos;
		v->u.vesa_lfb.red_size = f->red_size;
		v->u.vesa_lfb.green_pos = f->green_pos;
		v->u.vesa_lfb.green_size = f->green_size;
		v->u.vesa_lfb.blue_pos = f->blue_pos;
		v->u.vesa_lfb.blue_size = f->blue_size;
		return sizeof(*v);
	}
	if (boot_info.efi)
		return 0;
	vga_cursor(&x, &y);
	v->video_type = XEN_VGATYPE_TEXT_MODE_3;
	v->u.text_mode_3.cursor_x = (uint16_t)x;
	v->u.text_mode_3.cursor_y = (uint16_t)y;
	v->u.text_mode_3.font_height = 16;
	v->u.text_mode_3.rows = 25;
	v->u.text_mode_3.columns = 80;
	return sizeof(*v);
}

static void write_start_info(const struct dom0_build *b)
{
	char *page = map_frame(MFN(b->mfn[dom0_va_to_pfn(b, b->v_start_info)]));
	struct start_info *si = (struct start_info *)page;

	memset(page, 0, PAGE_SIZE);
	strcopy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
	si->nr_pages = b->nr_pages;
	si->shared_info = virt_to_maddr(b->d->shared_info);
	si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
	si->pt_base = b->v_tables;
	si->nr_pt_frames = b->nr_tables;
	si->mfn_list = b->v_p2m;
	if (b->kernel.has_p2m_base) {
		si->first_p2m_pfn = b->p2m_pfn;
		si->nr_p2m_frames = b->nr_p2m;
	}
	if (b->initrd) {
		si->mod_start = b->v_initrd ? b->v_initrd : b->initrd_pfn;
		si->mod_len = b->initrd->size;
		if (!b->v_initrd)
			si->flags |= SIF_MOD_START_PFN;
	}
	strcopy((char *)si->cmd_line, b->cmdline, sizeof(si->cmd_line));
	si->console.dom0.info_size =
		(uint32_t)fill_vga((struct dom0_vga_console_info *)(page + sizeof(*si)));
	si->console.dom0.info_off = si->console.dom0.info_size ? sizeof(*si) : 0;
	unmap_frame(page);
}

void dom0_load(struct dom0_build *b)
{
	load_kernel(b);
	load_initrd(b);
	put(b, b->p2m_pfn << PAGE_SHIFT, b->mfn, b->nr_pages * sizeof(uint64_t));
	put(b, dom0_va_to_pfn(b, b->v_stack) << PAGE_SHIFT, NULL, PAGE_SIZE);
	make_tables(b);
	write_start_info(b);
}
