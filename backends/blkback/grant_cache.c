/* SPDX-License-Identifier: GPL-2.0-only */
/* Persistent grants; see grant_cache.h. */
#include "backends/blkback/grant_cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/common/log.h"

int grant_cache_init(struct grant_cache *c, struct grants *grants, uint32_t max,
		     struct metrics_queue *metrics)
{
	memset(c, 0, sizeof(*c));
	c->grants = grants;
	c->metrics = metrics;
	c->max = max;
	c->free = GRANT_CACHE_NONE;
	while ((1u << c->hash_bits) < 2 * max)
		c->hash_bits++;
	c->hash = malloc(sizeof(*c->hash) << c->hash_bits);
	c->entry = calloc((size_t)max + 1, sizeof(*c->entry));
	if (!c->hash || !c->entry) {
		free(c->hash);
		free(c->entry);
		memset(c, 0, sizeof(*c));
		return -ENOMEM;
	}
	memset(c->hash, 0xff, sizeof(*c->hash) << c->hash_bits);
	c->entry[max].newer = c->entry[max].older = max;
	return 0;
}

static uint32_t *bucket(struct grant_cache *c, uint32_t gref)
{
	/* Fibonacci hashing: grefs are mostly runs. A shift by 32 is not defined. */
	uint64_t h = gref * 0x9e3779b97f4a7c15ull;

	return &c->hash[c->hash_bits ? h >> (64 - c->hash_bits) : 0];
}

static void lru_remove(struct grant_cache *c, struct grant_cache_entry *e)
{
	c->entry[e->newer].older = e->older;
	c->entry[e->older].newer = e->newer;
}

static void lru_add_newest(struct grant_cache *c, uint32_t index)
{
	struct grant_cache_entry *e = &c->entry[index], *head = &c->entry[c->max];

	e->newer = c->max;
	e->older = head->older;
	c->entry[head->older].newer = index;
	head->older = index;
}

static void hash_remove(struct grant_cache *c, uint32_t index)
{
	uint32_t *p = bucket(c, c->entry[index].gref);

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

/* An entry without a mapping, outside every list. */
static uint32_t take_entry(struct grant_cache *c)
{
	uint32_t index = c->free;

	if (index != GRANT_CACHE_NONE) {
		c->free = c->entry[index].hash_next;
		return index;
	}
	if (c->used < c->max)
		return c->used++;
	index = c->entry[c->max]
			.newer; /* the oldest: the list is a ring through its head */
	if (index == c->max)
		return GRANT_CACHE_NONE;
	lru_remove(c, &c->entry[index]);
	hash_remove(c, index);
	unmap(c, &c->entry[index]);
	return index;
}

static uint32_t add(struct grant_cache *c, uint32_t gref)
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
	p = bucket(c, gref);
	e->hash_next = *p;
	*p = index;
	c->mapped++;
	metric_add(c->metrics, METRIC_GRANT_MAPS, 1);
	metric_set(c->metrics, METRIC_PERSISTENT, c->mapped);
	return index;
}

uint32_t grant_cache_get(struct grant_cache *c, uint32_t gref)
{
	uint32_t index = *bucket(c, gref);

	while (index != GRANT_CACHE_NONE && c->entry[index].gref != gref)
		index = c->entry[index].hash_next;
	if (index == GRANT_CACHE_NONE)
		return add(c, gref);
	if (!c->entry[index].holders++)
		lru_remove(c, &c->entry[index]);
	return index;
}

void grant_cache_put(struct grant_cache *c, uint32_t index)
{
	assert(index < c->max && c->entry[index].holders);
	if (!--c->entry[index].holders)
		lru_add_newest(c, index);
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
