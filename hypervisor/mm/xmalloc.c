// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small objects in pages of one size class, powers of two from 16 to 2048, aligned to their
 * size; larger ones in whole pages. What would be a page's header is in its frame:
 *
 *	type		SLAB | class << 32 | objects in use, or LARGE | pages
 *	next, prev	list of the class's pages that have a free object
 *	linear_uses	offset of the first free object + 1, 0: none; an object's first
 *			word is the offset + 1 of the next
 */
#include "hypervisor/mm/mm_internal.h"

#define MIN_SHIFT 4
#define MAX_SHIFT 11
#define CLASSES   (MAX_SHIFT - MIN_SHIFT + 1)
#define SLAB      (1ull << 62)
#define LARGE     (1ull << 61)
#define POISON    0x5a

static struct size_class {
	struct spinlock lock;
	uint32_t partial; /* first page with a free object */
} size_class[CLASSES] = {[0 ... CLASSES - 1] = {.lock = SPINLOCK(LOCK_XMALLOC)}};

static void slab_link(struct size_class *c, struct frame *f)
{
	uint32_t n = (uint32_t)frame_to_mfn(f).n;

	f->prev = 0;
	f->next = c->partial;
	if (c->partial)
		frame_table[c->partial].prev = n;
	c->partial = n;
}

static void slab_unlink(struct size_class *c, struct frame *f)
{
	*(f->prev ? &frame_table[f->prev].next : &c->partial) = f->next;
	if (f->next)
		frame_table[f->next].prev = f->prev;
	f->next = f->prev = 0;
}

static uint32_t *object(struct frame *f, uint32_t offset)
{
	return (uint32_t *)((char *)mfn_to_virt(frame_to_mfn(f)) + offset);
}

/* A new page, all objects free. */
static struct frame *slab_make(unsigned int class)
{
	uint32_t size = 1u << (class + MIN_SHIFT);
	void *p = heap_pages(0);
	struct frame *f;

	if (!p)
		return NULL;
	f = virt_to_frame(p);
	for (uint32_t o = 0; o < PAGE_SIZE; o += size)
		*object(f, o) = o + size < PAGE_SIZE ? o + size + 1 : 0;
	f->linear_uses = 1;
	f->type = SLAB | (uint64_t)class << 32;
	return f;
}

static void *alloc_small(unsigned int class)
{
	struct size_class *c = &size_class[class];
	struct frame *f, *new = NULL;
	uint32_t *p;

	spin_lock(&c->lock);
	if (!c->partial) {
		spin_unlock(&c->lock);
		new = slab_make(class);
		if (!new)
			return NULL;
		spin_lock(&c->lock);
		slab_link(c, new);
	}
	f = &frame_table[c->partial];
	p = object(f, f->linear_uses - 1);
	f->linear_uses = *p;
	f->type++;
	if (!f->linear_uses)
		slab_unlink(c, f);
	spin_unlock(&c->lock);
	memset(p, 0, 1ul << (class + MIN_SHIFT));
	return p;
}

static void free_small(struct frame *f, void *p)
{
	unsigned int class = (unsigned int)(f->type >> 32) & 0xff;
	struct size_class *c = &size_class[class];
	uint32_t offset = (uint32_t)((uint64_t)p & (PAGE_SIZE - 1));
	bool empty;

	ASSERT(!(offset & ((1u << (class + MIN_SHIFT)) - 1)));
#ifdef DEBUG
	memset(p, POISON, 1ul << (class + MIN_SHIFT));
#endif
	spin_lock(&c->lock);
	BUG_ON(!(uint32_t)f->type);
	if (!f->linear_uses)
		slab_link(c, f);
	*(uint32_t *)p = f->linear_uses;
	f->linear_uses = offset + 1;
	empty = !(uint32_t)--f->type;
	if (empty)
		slab_unlink(c, f);
	spin_unlock(&c->lock);
	if (empty) {
		f->type = 0;
		f->linear_uses = 0;
		heap_free(mfn_to_virt(frame_to_mfn(f)), 0);
	}
}

/* Give back frames [from, to) of a block, in pieces that the buddy allocator can join. */
static void free_frames(struct frame *f, uint64_t from, uint64_t to)
{
	while (from < to) {
		unsigned int order = from ? (unsigned int)__builtin_ctzll(from) : MAX_ORDER;

		while (from + (1ull << order) > to)
			order--;
		buddy_free(f + from, order);
		from += 1ull << order;
	}
}

static void *alloc_large(size_t size)
{
	uint64_t pages = ROUND_UP(size, PAGE_SIZE) >> PAGE_SHIFT;
	unsigned int order = order_of(size);
	void *p = order <= MAX_ORDER ? heap_pages(order) : NULL;

	if (p) {
		free_frames(virt_to_frame(p), pages, 1ull << order);
		virt_to_frame(p)->type = LARGE | pages;
	}
	return p;
}

void *xzalloc_bytes(size_t size, size_t align)
{
	unsigned int class = 0;

	size = MAX(size, align);
	ASSERT(align <= PAGE_SIZE);
	if (size > 1ul << MAX_SHIFT)
		return alloc_large(size);
	while (1ul << (class + MIN_SHIFT) < size)
		class++;
	return alloc_small(class);
}

void xfree(void *p)
{
	struct frame *f;
	uint64_t pages;

	if (!p)
		return;
	f = virt_to_frame(p);
	if (f->type & SLAB) {
		free_small(f, p);
		return;
	}
	BUG_ON(!(f->type & LARGE) || ((uint64_t)p & (PAGE_SIZE - 1)));
	pages = f->type & ~LARGE;
	f->type = 0;
	free_frames(f, 0, pages);
}
