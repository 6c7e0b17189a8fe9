// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the machine's memory map to a working allocator: direct map, frame table, M2P.
 * Both tables are in 2 MiB pages and exist only where there is memory: a page of the
 * frame table covers 256 MiB, one of the M2P 1 GiB.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/mm/mm_internal.h"

#define LARGE            (2ul << 20)
#define M2P_CHUNK_FRAMES (LARGE / sizeof(uint64_t))
#define MAX_FRAMES       (1ull << 32) /* 16 TiB: what struct frame's 32-bit links name */
#define E820_RAM         1

uint64_t max_frame;
bool buddy_ready;
static uint64_t machine_frames;
uint64_t chunk_valid[MAX_FRAMES / CHUNK_FRAMES / 64];
static uint32_t m2p_chunk[MAX_FRAMES / M2P_CHUNK_FRAMES]; /* first frame; 0: none */

/* Frames of the @i-th entry of the memory map that are memory. */
static bool ram_range(unsigned int i, uint64_t *start, uint64_t *end)
{
	const struct e820_entry *e = &boot_info.e820[i];

	*start = ROUND_UP(e->start, PAGE_SIZE) >> PAGE_SHIFT;
	*end = MIN((e->start + e->size) >> PAGE_SHIFT, MAX_FRAMES);
	return e->type == E820_RAM && *start < *end;
}

static mfn_t map_new(uint64_t va)
{
	mfn_t mfn = maddr_to_mfn(boot_alloc(LARGE, LARGE));

	if (hv_map(va, mfn, LARGE >> PAGE_SHIFT, PTE_HV))
		panic("no memory for the frame table");
	return mfn;
}

static void make_frame_chunk(uint64_t chunk)
{
	struct frame *f = (struct frame *)(FRAME_TABLE_START + chunk * LARGE);

	map_new((uint64_t)f);
	memset(f, 0, LARGE);
	/* Device memory, until the memory map says otherwise. */
	for (uint64_t i = 0; i < CHUNK_FRAMES; i++)
		f[i].count = FRAME_FOREIGN_IO | FRAME_ALLOCATED | 1;
	set_bit(chunk, chunk_valid);
}

static void make_m2p_chunk(uint64_t chunk)
{
	mfn_t mfn = map_new(M2P_START + chunk * LARGE);

	memset((char *)M2P_START + chunk * LARGE, 0xff, LARGE); /* M2P_INVALID */
	if (hv_map(M2P_RO_START + chunk * LARGE, mfn, LARGE >> PAGE_SHIFT, PTE_HV_RO | PTE_US))
		panic("no memory for the M2P");
	m2p_chunk[chunk] = (uint32_t)mfn.n;
}

static void make_tables(uint64_t start, uint64_t end)
{
	uint64_t c;

	for (c = start / CHUNK_FRAMES; c <= (end - 1) / CHUNK_FRAMES; c++)
		if (!test_bit(c, chunk_valid))
			make_frame_chunk(c);
	for (c = start / M2P_CHUNK_FRAMES; c <= (end - 1) / M2P_CHUNK_FRAMES; c++)
		if (!m2p_chunk[c])
			make_m2p_chunk(c);
	/* Memory, and the hypervisor's until the buddy allocator gets it. */
	for (uint64_t n = start; n < end; n++)
		frame_table[n].count = FRAME_HEAP;
}

void mm_init(void)
{
	uint64_t start, end, frames = 0;
	struct mem_range *left;
	unsigned int i, n;

	paging_init();
	for (i = 0; i < boot_info.nr_e820; i++)
		if (ram_range(i, &start, &end)) {
			make_tables(start, end);
			max_frame = MAX(max_frame, end);
			frames += end - start;
		}
	paging_protect_image();

	buddy_init();
	n = boot_alloc_finish(&left);
	for (i = 0; i < n; i++)
		buddy_add(left[i].start >> PAGE_SHIFT, MIN(left[i].end >> PAGE_SHIFT, max_frame));
	buddy_ready = true;
	machine_frames = frames;
	dump_init();
	printk(LOG_INFO, "memory: %lu MiB, %lu MiB free, ends at %lx; direct map to %lx\n",
	       frames >> 8, buddy_free_frames(ANY_NODE) >> 8, max_frame << PAGE_SHIFT,
	       direct_map_limit);
}

/* First frame of the @n-th 2 MiB of the M2P; 0: a hole. */
mfn_t m2p_chunk_mfn(uint64_t n)
{
	return n < ARRAY_SIZE(m2p_chunk) ? MFN(m2p_chunk[index_nospec(n, ARRAY_SIZE(m2p_chunk))])
					 : MFN(0);
}

uint64_t total_frames(void)
{
	return machine_frames;
}

/* For what was kept at start-up and is not needed any more: modules, start-up code. */
void mm_give_back(uint64_t start, uint64_t end)
{
	start = ROUND_UP(MAX(start, PAGE_SIZE), PAGE_SIZE);
	end &= PAGE_MASK;
	if (start < end)
		buddy_add(start >> PAGE_SHIFT, end >> PAGE_SHIFT);
}

/* Frames of the table that are not memory belong to dom_io. The M2P is for all to read,
 * also as mapped from dom_xen by tools. */
void mm_set_io_owner(const struct domain *owner)
{
	for (uint64_t c = 0; c < ARRAY_SIZE(m2p_chunk); c++)
		for (uint64_t n = 0; m2p_chunk[c] && n < LARGE >> PAGE_SHIFT; n++)
			share_frame_with(&frame_table[m2p_chunk[c] + n], NULL, false);
	for (uint64_t n = 0; n < ROUND_UP(max_frame, CHUNK_FRAMES); n++) {
		if (!test_bit(n / CHUNK_FRAMES, chunk_valid)) {
			n += CHUNK_FRAMES - 1;
			continue;
		}
		if (frame_table[n].count & FRAME_FOREIGN_IO)
			frame_set_owner(&frame_table[n], owner);
	}
}
