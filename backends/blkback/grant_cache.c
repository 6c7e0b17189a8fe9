/* SPDX-License-Identifier: GPL-2.0-only */
/* Persistent grants; see grant_cache.h. */
#include "backends/blkback/grant_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/common/log.h"

int grant_cache_init(struct grant_cache *c, struct grants *grants, uint32_t max,
		     struct metrics_queue *metrics)
{
	uint32_t bits = 1; /* a shift by 64 is not defined */

	memset(c, 0, sizeof(*c));
	c->grants = grants;
	c->metrics = metrics;
	c->max = max;
	c->free = GRANT_CACHE_NONE;
	while ((1u << bits) < 2 * max)
		bits++;
	c->hash_shift = 64 - bits;
	c->hash = malloc(sizeof(*c->hash) << bits);
	c->entry = calloc(max, sizeof(*c->entry));
	if (!c->hash || !c->entry) {
		free(c->hash);
		free(c->entry);
		memset(c, 0, sizeof(*c));
		return -ENOMEM;
	}
	memset(c->hash, 0xff, sizeof(*c->hash) << bits);
	return 0;
}

static void hash_remove(struct grant_cache *c, uint32_t index)
{
	uint32_t *p = grant_cache_bucket(c, c->entry[index].gref);

	while (*p != index)
		p = &c->entry[*p].hash_next;
	*p = c->entry[index].hash_next;
}

/* Unmap, trying twice: a page that stays mapped keeps the guest's memory. */
static void unmap(struct grant_cache *c, struct grant_cache_entry *e)
{
	if (grants_unmap(c->grants, e->page, 1) && grants_unmap(c->grants, e->page, 1))
		log_error("persistent grant %u: unmap: %s", e->gref, strerror(errno));
	e->page = NULL;
	c->mapped--;
	metric_add(c->metrics, METRIC_GRANT_UNMAPS, 1);
	metric_set(c->metrics, METRIC_PERSISTENT, c->mapped);
}

/* The entry that nobody holds and that was put back longest ago. */
static uint32_t oldest(const struct grant_cache *c)
{
	uint32_t found = GRANT_CACHE_NONE;
	uint64_t when = UINT64_MAX;

	for (uint32_t i = 0; i < c->used; i++)
		if (!c->entry[i].holders && c->entry[i].last_use < when) {
			when = c->entry[i].last_use;
			found = i;
		}
	return found;
}

/* An entry without a mapping, outside hash and list. */
static uint32_t take_entry(struct grant_cache *c)
{
	uint32_t index = c->free;

	if (index != GRANT_CACHE_NONE) {
		c->free = c->entry[index].hash_next;
		return index;
	}
	if (c->used < c->max)
		return c->used++;
	index = oldest(c);
	if (index == GRANT_CACHE_NONE)
		return GRANT_CACHE_NONE;
	hash_remove(c, index);
	unmap(c, &c->entry[index]);
	return index;
}

uint32_t grant_cache_add(struct grant_cache *c, uint32_t gref)
{
	uint32_t index = take_entry(c), *p;
	struct grant_cache_entry *e;

	if (index == GRANT_CACHE_NONE)
		return index;
	e = &c->entry[index];
	e->page = grants_map(c->grants, &gref, 1, PROT_READ | PROT_WRITE);
	if (!e->page) {
		e->hash_next = c->free;
		c->free = index;
		return GRANT_CACHE_NONE;
	}
	e->gref = gref;
	e->holders = 1;
	p = grant_cache_bucket(c, gref);
	e->hash_next = *p;
	*p = index;
	c->mapped++;
	metric_add(c->metrics, METRIC_GRANT_MAPS, 1);
	metric_set(c->metrics, METRIC_PERSISTENT, c->mapped);
	return index;
}

void grant_cache_end(struct grant_cache *c)
{
	uint32_t i;

	for (i = 0; i < c->used; i++) {
		assert(!c->entry[i].page || !c->entry[i].holders);
		if (c->entry[i].page)
			unmap(c, &c->entry[i]);
	}
	free(c->hash);
	free(c->entry);
	memset(c, 0, sizeof(*c));
}
