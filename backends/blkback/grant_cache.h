/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Persistent grants: the frontend uses the same pages again and again, so each is
 * mapped once and kept. Bounded; the least recently used go when new ones come. One
 * cache a queue, used by that queue's thread alone.
 *
 * Grants are mapped in runs, one call for all that are wanted and missing, and a run
 * is unmapped as a whole, since each call costs a system call or three and makes
 * every CPU forget what it knew of the mappings. So what counts against the bound is
 * what is mapped, and what goes is the run whose last use is longest ago; one with a
 * page that is held stays.
 *
 * Finding a grant again is what happens all the time, once a page of data; making
 * room costs a hypercall anyway. So a use only stamps the entry, and whoever needs
 * room looks through all of them for the oldest stamps.
 *
 * Invariant: an entry is in the hash and in a run exactly while it is mapped.
 */
#ifndef XYLEM_GRANT_CACHE_H
#define XYLEM_GRANT_CACHE_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/common/metrics.h"
#include "backends/common/transport.h"

#define GRANT_CACHE_NONE UINT32_MAX
#define GRANT_HASH       0x9e3779b97f4a7c15ull /* Fibonacci hashing: grefs are mostly runs */
#define GRANT_RUN_MAX    256                   /* grants mapped in one call at most */

struct grant_cache_entry {
	char *page; /* NULL: not mapped */
	uint32_t gref;
	uint32_t holders;
	uint32_t hash_next;
	uint32_t run_next; /* behind it in its run, by page; GRANT_CACHE_NONE: the last */
	uint64_t last_use; /* when it was last put back */
};
_Static_assert(sizeof(struct grant_cache_entry) == 32, "found by a shift");

/* What one grants_map() made. */
struct grant_run {
	uint32_t first; /* entry */
	uint32_t pages;
	uint64_t last_use; /* of any entry; set when room is needed */
};

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
	struct grant_run *run;           /* max of them, nr_runs in use, in no order */
	uint32_t nr_runs;
};

/* At most @max grants. 0 or -ENOMEM. */
int grant_cache_init(struct grant_cache *c, struct grants *grants, uint32_t max,
		     struct metrics_queue *metrics);

/* Unmap everything. Nothing may be held. */
void grant_cache_end(struct grant_cache *c);

/*
 * Map those of @n grants (at most GRANT_RUN_MAX) that are not mapped yet: by one call,
 * or, when that fails, one by one up to the first that cannot be mapped. Others are
 * unmapped to make room for the first @need; the rest get what room there is. None of
 * them is held: whether it worked, grant_cache_get() tells.
 */
void grant_cache_map(struct grant_cache *c, const uint32_t *gref, uint32_t need,
		     uint32_t n);

static inline uint32_t *grant_cache_bucket(const struct grant_cache *c, uint32_t gref)
{
	return &c->hash[gref * GRANT_HASH >> c->hash_shift];
}

/* What finding one takes, for loops over many: their stores do not change it. */
struct grant_finder {
	const uint32_t *hash;
	struct grant_cache_entry *entry;
	uint32_t shift;
};

static inline struct grant_finder grant_cache_finder(const struct grant_cache *c)
{
	return (struct grant_finder){c->hash, c->entry, c->hash_shift};
}

static inline uint32_t grant_finder_find(const struct grant_finder *f, uint32_t gref)
{
	uint32_t index = f->hash[gref * GRANT_HASH >> f->shift];

	while (index != GRANT_CACHE_NONE && f->entry[index].gref != gref)
		index = f->entry[index].hash_next;
	return index;
}

static inline uint32_t grant_cache_find(const struct grant_cache *c, uint32_t gref)
{
	struct grant_finder f = grant_cache_finder(c);

	return grant_finder_find(&f, gref);
}

/* Whether @gref is mapped; not held. */
static inline bool grant_cache_has(const struct grant_cache *c, uint32_t gref)
{
	return grant_cache_find(c, gref) != GRANT_CACHE_NONE;
}

/*
 * The entry of @gref, mapped for reading and writing, held until grant_cache_put().
 * GRANT_CACHE_NONE: it is not mapped.
 */
static inline uint32_t grant_cache_get(struct grant_cache *c, uint32_t gref)
{
	uint32_t index = grant_cache_find(c, gref);

	if (index != GRANT_CACHE_NONE)
		c->entry[index].holders++;
	return index;
}

/* Put back @n entries that grant_cache_get() gave, all used at the same time. */
static inline void grant_cache_put(struct grant_cache *c, const uint32_t *index,
				   uint32_t n)
{
	struct grant_cache_entry *entry = c->entry;
	uint64_t now = ++c->uses;

	for (const uint32_t *end = index + n; index != end; index++) {
		struct grant_cache_entry *e = &entry[*index];

		assert(e->holders);
		e->holders--;
		e->last_use = now;
	}
}

static inline char *grant_cache_page(const struct grant_cache *c, uint32_t index)
{
	return c->entry[index].page;
}

#endif
