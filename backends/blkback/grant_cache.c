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
	c->run = calloc(max, sizeof(*c->run));
	if (!c->hash || !c->entry || !c->run) {
		free(c->hash);
		free(c->entry);
		free(c->run);
		memset(c, 0, sizeof(*c));
		return -ENOMEM;
	}
	memset(c->hash, 0xff, sizeof(*c->hash) << bits);
	return 0;
}

/* ---- entries ---- */

static void hash_add(struct grant_cache *c, uint32_t index)
{
	uint32_t *p = grant_cache_bucket(c, c->entry[index].gref);

	c->entry[index].hash_next = *p;
	*p = index;
}

static void hash_remove(struct grant_cache *c, uint32_t index)
{
	uint32_t *p = grant_cache_bucket(c, c->entry[index].gref);

	while (*p != index)
		p = &c->entry[*p].hash_next;
	*p = c->entry[index].hash_next;
}

/* There is one: fewer than max pages are mapped. */
static uint32_t take_entry(struct grant_cache *c)
{
	uint32_t index = c->free;

	if (index == GRANT_CACHE_NONE) {
		assert(c->used < c->max);
		return c->used++;
	}
	c->free = c->entry[index].hash_next;
	return index;
}

/* ---- runs ---- */

static void count(struct grant_cache *c, enum metric what, uint32_t pages)
{
	metric_add(c->metrics, what, pages);
	metric_set(c->metrics, METRIC_PERSISTENT, c->mapped);
}

static bool map_run(struct grant_cache *c, const uint32_t *gref, uint32_t n)
{
	char *page = grants_map(c->grants, gref, n, PROT_READ | PROT_WRITE);
	uint32_t next = GRANT_CACHE_NONE;

	if (!page)
		return false;
	c->uses++;
	for (uint32_t i = n; i--;) {
		uint32_t index = take_entry(c);

		c->entry[index] = (struct grant_cache_entry){
			.page = page + (size_t)i * XEN_PAGE_SIZE,
			.gref = gref[i],
			.run_next = next,
			.last_use = c->uses,
		};
		hash_add(c, index);
		next = index;
	}
	c->run[c->nr_runs++] = (struct grant_run){.first = next, .pages = n};
	c->mapped += n;
	count(c, METRIC_GRANT_MAPS, n);
	return true;
}

/* Unmap, trying twice: a page that stays mapped keeps the guest's memory. */
static void unmap_run(struct grant_cache *c, uint32_t i)
{
	struct grant_run run = c->run[i];
	char *page = c->entry[run.first].page;
	uint32_t index, next;

	for (index = run.first; index != GRANT_CACHE_NONE; index = next) {
		struct grant_cache_entry *e = &c->entry[index];

		assert(!e->holders);
		next = e->run_next;
		hash_remove(c, index);
		e->page = NULL;
		e->hash_next = c->free;
		c->free = index;
	}
	c->run[i] = c->run[--c->nr_runs];
	if (grants_unmap(c->grants, page, run.pages) &&
	    grants_unmap(c->grants, page, run.pages))
		log_error("%u persistent grants: unmap: %s", run.pages, strerror(errno));
	c->mapped -= run.pages;
	count(c, METRIC_GRANT_UNMAPS, run.pages);
}

/* ---- making room ---- */

/* When any of the run was last put back; UINT64_MAX: one is held. */
static uint64_t run_last_use(const struct grant_cache *c, const struct grant_run *run)
{
	uint64_t last = 0;

	for (uint32_t i = run->first; i != GRANT_CACHE_NONE; i = c->entry[i].run_next) {
		if (c->entry[i].holders)
			return UINT64_MAX;
		if (c->entry[i].last_use > last)
			last = c->entry[i].last_use;
	}
	return last;
}

static uint32_t oldest(const struct grant_cache *c)
{
	uint32_t found = 0;

	for (uint32_t i = 1; i < c->nr_runs; i++)
		if (c->run[i].last_use < c->run[found].last_use)
			found = i;
	return found;
}

/* Room for @need more pages. False, and nothing is unmapped: too many are held. */
static bool make_room(struct grant_cache *c, uint32_t need)
{
	uint32_t room = c->max - c->mapped;

	if (room >= need)
		return true;
	for (uint32_t i = 0; i < c->nr_runs; i++) {
		struct grant_run *run = &c->run[i];

		run->last_use = run_last_use(c, run);
		if (run->last_use != UINT64_MAX)
			room += run->pages;
	}
	if (room < need)
		return false;
	while (c->max - c->mapped < need)
		unmap_run(c, oldest(c));
	return true;
}

/* ---- for the queue ---- */

static bool among(const uint32_t *gref, uint32_t n, uint32_t wanted)
{
	for (uint32_t i = 0; i < n; i++)
		if (gref[i] == wanted)
			return true;
	return false;
}

void grant_cache_map(struct grant_cache *c, const uint32_t *gref, uint32_t need,
		     uint32_t n)
{
	uint32_t list[GRANT_RUN_MAX], must = 0, nr = 0;

	assert(n <= GRANT_RUN_MAX && need <= n);
	for (uint32_t i = 0; i < n; i++) {
		if (grant_cache_has(c, gref[i]) || among(list, nr, gref[i]))
			continue;
		list[nr++] = gref[i];
		must += i < need;
	}
	if (!make_room(c, must))
		return;
	if (nr > c->max - c->mapped)
		nr = c->max - c->mapped;
	if (!nr || map_run(c, list, nr) || nr == 1)
		return;
	/* One that is bad must not keep the others away. */
	for (uint32_t i = 0; i < nr && map_run(c, &list[i], 1); i++)
		;
}

void grant_cache_end(struct grant_cache *c)
{
	while (c->nr_runs)
		unmap_run(c, c->nr_runs - 1);
	assert(!c->mapped);
	free(c->hash);
	free(c->entry);
	free(c->run);
	memset(c, 0, sizeof(*c));
}
