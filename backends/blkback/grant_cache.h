/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistent grants: the frontend uses the same pages again and again, so each is
 * mapped once and kept. Bounded; the least recently used goes when a new one
 * comes. One cache a queue, used by that queue's thread alone.
 *
 * Finding a grant again is what happens all the time, once a page of data; making
 * room costs a hypercall anyway. So a use only stamps the entry, and whoever needs
 * room looks through all of them for the oldest stamp.
 *
 * Invariant: an entry is in the hash exactly while it is mapped.
 */
#ifndef XYLEM_GRANT_CACHE_H
#define XYLEM_GRANT_CACHE_H

#include <assert.h>
#include <stdint.h>

#include "backends/common/metrics.h"
#include "backends/common/transport.h"

#define GRANT_CACHE_NONE UINT32_MAX

struct grant_cache_entry {
	char *page; /* NULL: not mapped */
	uint32_t gref;
	uint32_t holders;
	uint32_t hash_next;
	uint32_t unused;
	uint64_t last_use; /* when it was last put back */
};
_Static_assert(sizeof(struct grant_cache_entry) == 32, "found by a shift");

struct grant_cache {
	struct grants *grants;
	struct metrics_queue *metrics;
	uint32_t max, used; /* entries at most, and ever taken into use */
	uint32_t mapped;
	uint32_t free;       /* list of unmapped entries, by hash_next */
	uint32_t hash_shift; /* 64 less the bits of an index into it */
	uint64_t uses;
	uint32_t *hash;
	struct grant_cache_entry *entry; /* max of them */
};

/* At most @max grants. 0 or -ENOMEM. */
int grant_cache_init(struct grant_cache *c, struct grants *grants, uint32_t max,
		     struct metrics_queue *metrics);

/* Unmap everything. Nothing may be held. */
void grant_cache_end(struct grant_cache *c);

/* For grant_cache_get(): a grant that is not mapped yet. */
uint32_t grant_cache_add(struct grant_cache *c, uint32_t gref);

static inline uint32_t *grant_cache_bucket(const struct grant_cache *c, uint32_t gref)
{
	/* Fibonacci hashing: grefs are mostly runs. */
	return &c->hash[gref * 0x9e3779b97f4a7c15ull >> c->hash_shift];
}

/*
 * The entry of @gref, mapped for reading and writing, held until
 * grant_cache_put(). GRANT_CACHE_NONE: it cannot be mapped so, or every entry is
 * held; the caller copies instead.
 */
static inline uint32_t grant_cache_get(struct grant_cache *c, uint32_t gref)
{
	uint32_t index = *grant_cache_bucket(c, gref);

	while (index != GRANT_CACHE_NONE && c->entry[index].gref != gref)
		index = c->entry[index].hash_next;
	if (index == GRANT_CACHE_NONE)
		return grant_cache_add(c, gref);
	c->entry[index].holders++;
	return index;
}

/* Put back @n entries that grant_cache_get() gave, all used at the same time. */
static inline void grant_cache_put(struct grant_cache *c, const uint32_t *index,
				   uint32_t n)
{
	struct grant_cache_entry *entry = c->entry;
	uint64_t now = ++c->uses;

	for (uint32_t i = 0; i < n; i++) {
		assert(index[i] < c->max && entry[index[i]].holders);
		entry[index[i]].holders--;
		entry[index[i]].last_use = now;
	}
}

static inline char *grant_cache_page(const struct grant_cache *c, uint32_t index)
{
	return c->entry[index].page;
}

#endif
