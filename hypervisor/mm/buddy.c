// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buddy allocator of machine frames. A node's free blocks are in lists by order and by
 * zone: zone z has the frames [2^(z-1), 2^z), so that "below 2^bits" is a range of zones.
 * (Frame 0 is never free, so a block lies in one zone.)
 *
 * A free block's head has order, node, free_state FREE_HEAD, and in the low half of `type`
 * how many of its frames, from the first on, are known to be zero; the rest is scrubbed by
 * idle CPUs or when it is given out. The high half of each free frame's `type` is the
 * tlb_clock of its release.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm_internal.h"

#define ZONES       34
#define ORDERS      (MAX_ORDER + 1)
#define SCRUB_ORDER 6 /* at a time, by an idle CPU */
#define FREE_INNER  0
#define FREE_HEAD   1
/* A stamp that every CPU's last flush is later than. */
#define LONG_AGO    (tlb_clock - (1u << 16))

struct node_heap {
	uint32_t head[ZONES][ORDERS], tail[ZONES][ORDERS];
	uint32_t orders[ZONES]; /* bit: that list is not empty */
	uint64_t free, dirty;   /* frames */
};

static struct node_heap node0;
static struct node_heap *heap[MAX_NODES];
static struct spinlock heap_lock = SPINLOCK(LOCK_HEAP);
static uint64_t free_total, claimed_total;

static uint64_t frame_nr(const struct frame *f)
{
	return frame_to_mfn(f).n;
}

static unsigned int zone_of(uint64_t n)
{
	return 64 - (unsigned int)__builtin_clzll(n);
}

static uint64_t clean_of(const struct frame *f)
{
	return (uint32_t)f->type;
}

static void set_clean(struct frame *f, uint64_t clean)
{
	f->type = (f->type & ~0xffffffffull) | clean;
}

/* ---- lists: clean blocks in front, those to be scrubbed behind ---- */

static void link_block(struct frame *f, unsigned int order, uint64_t clean)
{
	struct node_heap *h = heap[f->node];
	uint64_t n = frame_nr(f);
	unsigned int z = zone_of(n);
	uint32_t *head = &h->head[z][order], *tail = &h->tail[z][order];

	f->order = (uint8_t)order;
	f->free_state = FREE_HEAD;
	set_clean(f, clean);
	h->dirty += (1ull << order) - clean;
	if (clean == 1ull << order) {
		f->prev = 0;
		f->next = *head;
		*(*head ? &frame_table[*head].prev : tail) = (uint32_t)n;
		*head = (uint32_t)n;
	} else {
		f->next = 0;
		f->prev = *tail;
		*(*tail ? &frame_table[*tail].next : head) = (uint32_t)n;
		*tail = (uint32_t)n;
	}
	h->orders[z] |= 1u << order;
}

static void unlink_block(struct frame *f)
{
	struct node_heap *h = heap[f->node];
	unsigned int z = zone_of(frame_nr(f)), order = f->order;

	*(f->prev ? &frame_table[f->prev].next : &h->head[z][order]) = f->next;
	*(f->next ? &frame_table[f->next].prev : &h->tail[z][order]) = f->prev;
	if (!h->head[z][order])
		h->orders[z] &= ~(1u << order);
	f->free_state = FREE_INNER;
	h->dirty -= (1ull << order) - clean_of(f);
}

/* Halve an unlinked block of *@clean zero frames until it has @order, keeping the lower
 * half, or (@dirty_half) the one with the first frame to be scrubbed. */
static struct frame *split(struct frame *f, unsigned int from, unsigned int order,
			   uint64_t *clean, bool dirty_half)
{
	while (from > order) {
		uint64_t half = 1ull << --from;
		uint64_t low = MIN(*clean, half), high = *clean - low;
		struct frame *upper = f + half;

		upper->node = f->node;
		if (dirty_half && low == half) {
			link_block(f, from, low);
			f = upper;
			*clean = high;
		} else {
			link_block(upper, from, high);
			*clean = low;
		}
	}
	return f;
}

/* Put back a block that is in no list, joined with its free neighbours. */
static void merge(struct frame *f, unsigned int order, uint64_t clean)
{
	while (order < MAX_ORDER) {
		uint64_t n = frame_nr(f), bn = n ^ 1ull << order;
		struct frame *b = &frame_table[bn];

		if (!bn || !mfn_valid(MFN(bn)) || b->count != FRAME_FREE ||
		    b->free_state != FREE_HEAD || b->order != order || b->node != f->node)
			break;
		unlink_block(b);
		if (bn < n) {
			clean = clean_of(b) == 1ull << order ? clean_of(b) + clean : clean_of(b);
			f = b;
		} else if (clean == 1ull << order) {
			clean += clean_of(b);
		}
		order++;
	}
	link_block(f, order, clean);
}

/* ---- scrubbing ---- */

void scrub_frames(mfn_t mfn, uint64_t n)
{
	for (; n; n--, mfn.n++) {
		void *p = map_frame(mfn);

		memset(p, 0, PAGE_SIZE);
		unmap_frame(p);
	}
}

static struct frame *find_dirty(struct node_heap *h)
{
	for (unsigned int z = 0; z < ZONES; z++)
		for (uint32_t orders = h->orders[z]; orders; orders &= orders - 1) {
			unsigned int o = (unsigned int)__builtin_ctz(orders);
			struct frame *f = &frame_table[h->tail[z][o]];

			if (clean_of(f) != 1ull << o)
				return f;
		}
	BUG();
}

/* One piece of one block. While it is worked on nobody can merge or take it. */
static void scrub_one(struct node_heap *h)
{
	struct frame *f = find_dirty(h);
	unsigned int order = f->order;
	uint64_t clean = clean_of(f);

	unlink_block(f);
	f = split(f, order, MIN(order, SCRUB_ORDER), &clean, true);
	order = MIN(order, SCRUB_ORDER);
	spin_unlock(&heap_lock);

	scrub_frames(mfn_add(frame_to_mfn(f), clean), (1ull << order) - clean);

	spin_lock(&heap_lock);
	merge(f, order, 1ull << order);
}

bool buddy_scrub_some(void)
{
	bool more = false;
	unsigned int i;

	/* Not worth the lock when there is nothing to do. */
	for (i = 0; i < MAX_NODES; i++)
		if (heap[i] && READ_ONCE(heap[i]->dirty))
			break;
	if (i == MAX_NODES)
		return false;
	/* One idle CPU does it, or those that want memory wait for all of them in turn. */
	if (!spin_trylock(&heap_lock))
		return false;
	if (heap[i]->dirty)
		scrub_one(heap[i]);
	for (; i < MAX_NODES; i++)
		more |= heap[i] && heap[i]->dirty;
	spin_unlock(&heap_lock);
	return more;
}

/* ---- allocation ---- */

/* From the highest zone that will do: low memory is for those who need it. */
static struct frame *take(struct node_heap *h, unsigned int order, unsigned int zones,
			  uint64_t *clean)
{
	for (unsigned int z = zones; z-- > 0;) {
		uint32_t orders = h->orders[z] & ~((1u << order) - 1);
		unsigned int o;
		struct frame *f;

		if (!orders)
			continue;
		o = (unsigned int)__builtin_ctz(orders);
		f = &frame_table[h->head[z][o]];
		unlink_block(f);
		*clean = clean_of(f);
		return split(f, o, order, clean, false);
	}
	return NULL;
}

static struct frame *take_anywhere(unsigned int order, unsigned int node, unsigned int zones,
				   unsigned int flags, uint64_t *clean)
{
	struct frame *f = NULL;

	if (node < MAX_NODES && heap[node])
		f = take(heap[node], order, zones, clean);
	for (unsigned int i = 0; !f && !(flags & ALLOC_EXACT_NODE) && i < MAX_NODES; i++)
		if (heap[i] && i != node)
			f = take(heap[i], order, zones, clean);
	if (f) {
		heap[f->node]->free -= 1ull << order;
		free_total -= 1ull << order;
	}
	return f;
}

/* Frames become the hypervisor's. Returns the latest of their stamps. */
static uint32_t claim_frames(struct frame *f, uint64_t n)
{
	uint32_t clock = READ_ONCE(tlb_clock), youngest = ~0u;

	for (uint64_t i = 0; i < n; i++) {
		ASSERT(f[i].count == FRAME_FREE);
		youngest = MIN(youngest, clock - (uint32_t)(f[i].type >> 32));
		f[i].next = f[i].prev = 0;
		f[i].linear_uses = 0;
		f[i].type = 0;
		f[i].count = FRAME_HEAP;
	}
	return clock - youngest;
}

static void check_clean(const struct frame *f, uint64_t clean)
{
#ifdef DEBUG
	for (uint64_t i = 0; i < clean; i++) {
		const uint64_t *p = map_frame(mfn_add(frame_to_mfn(f), i));

		if (p[0] || p[511])
			panic("free frame %lx was written to", (unsigned long)frame_nr(f + i));
		unmap_frame(p);
	}
#else
	(void)f, (void)clean;
#endif
}

/* Address bits that the direct map covers all memory of; 0: all there is. */
static unsigned int direct_map_bits(void)
{
	if (max_frame << PAGE_SHIFT <= direct_map_limit)
		return 0;
	return 63 - (unsigned int)__builtin_clzll(direct_map_limit);
}

struct frame *buddy_alloc_for(struct domain *d, unsigned int order, unsigned int node,
			      unsigned int bits, unsigned int flags)
{
	uint64_t n = 1ull << order, clean = 0, own = 0;
	unsigned int zones = ZONES;
	struct frame *f = NULL;
	uint32_t stamp;

	if (flags & ALLOC_32BIT)
		bits = bits ? MIN(bits, 32) : 32;
	if (flags & ALLOC_MAPPED && direct_map_bits())
		bits = bits ? MIN(bits, direct_map_bits()) : direct_map_bits();
	if (order > MAX_ORDER || (bits && bits <= PAGE_SHIFT))
		return NULL;
	if (bits)
		zones = MIN(bits - PAGE_SHIFT + 1, (unsigned int)ZONES);

	spin_lock(&heap_lock);
	if (d)
		own = MIN(d->outstanding_pages, n);
	if (free_total >= n + claimed_total - own)
		f = take_anywhere(order, node, zones, flags, &clean);
	if (f && own) {
		d->outstanding_pages -= (uint32_t)own;
		claimed_total -= own;
	}
	if (f)
		stamp = claim_frames(f, n);
	spin_unlock(&heap_lock);
	if (!f)
		return NULL;

	tlb_flush_stale(NULL, stamp);
	check_clean(f, clean);
	if (!(flags & ALLOC_NO_SCRUB) && clean < n)
		scrub_frames(mfn_add(frame_to_mfn(f), clean), n - clean);
	return f;
}

struct frame *buddy_alloc(unsigned int order, unsigned int node, unsigned int bits,
			  unsigned int flags)
{
	return buddy_alloc_for(NULL, order, node, bits, flags);
}

/* Frames that nobody refers to any more, into the lists; @stamp: see above. */
static void release(struct frame *f, unsigned int order, unsigned int node, uint32_t stamp)
{
	uint64_t n = 1ull << order;

	for (uint64_t i = 0; i < n; i++) {
		if (f[i].count != FRAME_HEAP)
			panic("freeing frame %lx: count %lx type %lx",
			      (unsigned long)frame_nr(f + i), (unsigned long)f[i].count,
			      (unsigned long)f[i].type);
		f[i].owner = 0;
		f[i].type = (uint64_t)stamp << 32;
		f[i].order = 0;
		f[i].free_state = FREE_INNER;
		f[i].node = (uint16_t)node;
		f[i].count = FRAME_FREE;
	}
	heap[node]->free += n;
	free_total += n;
	merge(f, order, 0);
}

void buddy_free(struct frame *f, unsigned int order)
{
	ASSERT(!(frame_nr(f) & ((1ull << order) - 1)));
	spin_guard(&heap_lock);
	release(f, order, node_of(frame_to_mfn(f)), READ_ONCE(tlb_clock));
}

void buddy_init(void)
{
	heap[0] = &node0;
}

/* A block that is in no list, into its nodes' lists, halved where nodes meet. */
static void place(struct frame *f, unsigned int order, uint64_t clean)
{
	mfn_t first = frame_to_mfn(f);

	while (order && node_of(first) != node_of(mfn_add(first, (1ull << order) - 1))) {
		uint64_t half = 1ull << --order;

		place(f + half, order, clean > half ? clean - half : 0);
		clean = MIN(clean, half);
	}
	f->node = (uint16_t)node_of(first);
	heap[f->node]->free += 1ull << order;
	link_block(f, order, clean);
}

static void sort_list(struct node_heap *h, unsigned int zone, unsigned int order)
{
	uint32_t n = h->head[zone][order];

	h->head[zone][order] = h->tail[zone][order] = 0;
	h->orders[zone] &= ~(1u << order);
	while (n) {
		struct frame *f = &frame_table[n];

		n = f->next;
		h->dirty -= (1ull << order) - clean_of(f);
		h->free -= 1ull << order;
		place(f, order, clean_of(f));
	}
}

/* Memory's nodes are known now: what is free goes to where it belongs. */
void buddy_sort_nodes(unsigned int n)
{
	for (unsigned int i = 1; i < n; i++) {
		heap[i] = xzalloc(struct node_heap);
		if (!heap[i])
			panic("no memory for NUMA node %u", i);
	}
	spin_lock(&heap_lock);
	for (unsigned int z = 0; z < ZONES; z++)
		for (unsigned int o = 0; o < ORDERS; o++)
			sort_list(heap[0], z, o);
	spin_unlock(&heap_lock);
}

void buddy_add(uint64_t start, uint64_t end)
{
	while (start < end) {
		unsigned int order = MAX_ORDER;

		while ((start & ((1ull << order) - 1)) || start + (1ull << order) > end)
			order--;
		spin_lock(&heap_lock);
		release(&frame_table[start], order, node_of(MFN(start)), LONG_AGO);
		spin_unlock(&heap_lock);
		start += 1ull << order;
	}
}

uint64_t buddy_free_frames(unsigned int node)
{
	if (node == ANY_NODE)
		return READ_ONCE(free_total);
	return node < MAX_NODES && heap[node] ? READ_ONCE(heap[node]->free) : 0;
}

uint64_t buddy_dirty_frames(unsigned int node)
{
	return node < MAX_NODES && heap[node] ? READ_ONCE(heap[node]->dirty) : 0;
}

/* ---- claims ---- */

int buddy_claim(struct domain *d, uint64_t n)
{
	spin_guard(&heap_lock);
	if (n && d->outstanding_pages)
		return -EINVAL;
	if (n && free_total < claimed_total + n)
		return -ENOMEM;
	claimed_total += n - d->outstanding_pages;
	d->outstanding_pages = (uint32_t)n;
	return 0;
}

uint64_t outstanding_claims(void)
{
	return READ_ONCE(claimed_total);
}

void *heap_pages(unsigned int order)
{
	struct frame *f = buddy_alloc(order, ANY_NODE, 0, ALLOC_MAPPED);

	return f ? mfn_to_virt(frame_to_mfn(f)) : NULL;
}

/* A frame that guests may map is freed by the last of them. */
static void free_shared(struct frame *f)
{
	struct domain *d = frame_owner(f);

	if (d && d != dom_xen)
		atomic_sub(&d->xenheap_pages, 1);
	frame_set_owner(f, dom_xen);
	frame_put_allocated(f);
}

void heap_free(void *p, unsigned int order)
{
	struct frame *f = virt_to_frame(p);
	uint64_t i, n = 1ull << order;

	for (i = 0; i < n && !(f[i].count & FRAME_SHARED_HV); i++)
		;
	if (i == n) {
		buddy_free(f, order);
		return;
	}
	for (i = 0; i < n; i++)
		if (f[i].count & FRAME_SHARED_HV)
			free_shared(f + i);
		else
			buddy_free(f + i, 0);
}
