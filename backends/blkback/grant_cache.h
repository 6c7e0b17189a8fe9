/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistent grants: the frontend uses the same pages again and again, so each is
 * mapped once and kept. Bounded; the least recently used goes when a new one
 * comes. One cache a queue, used by that queue's thread alone.
 *
 * Invariant: an entry is in the hash exactly while it is mapped, and in the LRU
 * list exactly while it is mapped and nobody holds it.
 */
#ifndef XYLEM_GRANT_CACHE_H
#define XYLEM_GRANT_CACHE_H

#include <stdint.h>

#include "backends/common/metrics.h"
#include "backends/common/transport.h"

#define GRANT_CACHE_NONE UINT32_MAX

struct grant_cache_entry {
	char *page; /* NULL: not mapped */
	uint32_t gref;
	uint32_t holders;
	uint32_t hash_next;
	uint32_t newer, older; /* in the LRU list; the head is entry `max` */
};

struct grant_cache {
	struct grants *grants;
	struct metrics_queue *metrics;
	uint32_t max, used; /* entries at most, and ever taken into use */
	uint32_t mapped;
	uint32_t free; /* list of unmapped entries, by hash_next */
	uint32_t hash_bits;
	uint32_t *hash;
	struct grant_cache_entry *entry; /* max, and the list's head */
};

/* At most @max grants. 0 or -ENOMEM. */
int grant_cache_init(struct grant_cache *c, struct grants *grants, uint32_t max,
		     struct metrics_queue *metrics);

/* Unmap everything. Nothing may be held. */
void grant_cache_end(struct grant_cache *c);

/*
 * The entry of @gref, mapped for reading and writing, held until
 * grant_cache_put(). GRANT_CACHE_NONE: it cannot be mapped so, or every entry is
 * held; the caller copies instead.
 */
uint32_t grant_cache_get(struct grant_cache *c, uint32_t gref);
void grant_cache_put(struct grant_cache *c, uint32_t index);

static inline char *grant_cache_page(const struct grant_cache *c, uint32_t index)
{
	return c->entry[index].page;
}

#endif
