// SPDX-License-Identifier: GPL-2.0-only
/* How much memory dom0 gets (dom0_mem=), and which frames. */
#include "hypervisor/boot/dom0.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"

/* dom0_mem=[min:SIZE,][max:SIZE,][SIZE]. A negative size: all but that much. */
struct size {
	bool given, negative;
	uint64_t pages;
};
static struct size want, least, most;

#define MiB_PAGES       (1ull << (20 - PAGE_SHIFT))
#define RESERVE_MAX     (128 * MiB_PAGES)
#define RESERVE_PART    16
#define ALLOC_ORDER_MAX ORDER_1G

static int parse_dom0_mem(const char *s)
{
	while (*s) {
		struct size *size = &want;
		uint64_t bytes;

		if (!strncmp(s, "min:", 4) || !strncmp(s, "max:", 4)) {
			size = s[1] == 'i' ? &least : &most;
			s += 4;
		}
		size->negative = *s == '-';
		s = parse_size(s + size->negative, &bytes);
		if (!s || (*s && *s != ','))
			return -EINVAL;
		size->given = true;
		size->pages = bytes >> PAGE_SHIFT;
		s += *s == ',';
	}
	return 0;
}
BOOT_OPTION_FN("dom0_mem", parse_dom0_mem);

static uint64_t pages_of(const struct size *s, uint64_t avail)
{
	if (!s->negative)
		return s->pages;
	return s->pages < avail ? avail - s->pages : 0;
}

uint64_t dom0_size_pages(uint64_t *max_pages)
{
	uint64_t avail = buddy_free_frames(ANY_NODE), pages;
	uint64_t reserve = MIN(avail / RESERVE_PART, RESERVE_MAX);

	pages = want.given ? pages_of(&want, avail) : avail - reserve;
	if (least.given)
		pages = MAX(pages, pages_of(&least, avail));
	if (most.given)
		pages = MIN(pages, pages_of(&most, avail));
	/* Room for the hypervisor's own structures for it. */
	pages = MIN(pages, avail - MIN(reserve / 2, avail));
	*max_pages = most.given ? MAX(pages_of(&most, avail), pages) : UINT32_MAX;
	return pages;
}

uint64_t *dom0_alloc_frames(struct domain *d, uint64_t pages)
{
	uint64_t *mfn = xzalloc_array(uint64_t, pages);
	unsigned int order = ALLOC_ORDER_MAX;
	uint64_t pfn = 0, i;

	if (!mfn)
		panic("dom0: no memory for a list of %lu frames", pages);
	while (pfn < pages) {
		struct frame *f;

		while (1ull << order > pages - pfn)
			order--;
		f = frames_alloc(d, order, ANY_NODE, 0, ALLOC_NO_SCRUB);
		if (!f) {
			if (!order--)
				panic("dom0: no memory after %lu of %lu pages", pfn, pages);
			continue;
		}
		for (i = 0; i < 1ull << order; i++, pfn++) {
			mfn[pfn] = frame_to_mfn(f + i).n;
			m2p_set(MFN(mfn[pfn]), GFN(pfn));
		}
	}
	return mfn;
}
