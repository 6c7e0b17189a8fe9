// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handles of a domain's mappings of others' frames. Free ones are chained by number; an
 * entry in use belongs to who claims its flags by compare-and-exchange.
 */
#include "hypervisor/grant/internal.h"

static struct maptrack *entry_at(const struct grant_table *t, uint32_t handle)
{
	return &t->maptrack[handle / HANDLES_PER_PAGE][handle % HANDLES_PER_PAGE];
}

/* A page of free handles; maptrack_lock held. */
static bool grow(struct grant_table *t)
{
	uint32_t first = t->nr_maptrack * (uint32_t)HANDLES_PER_PAGE;
	struct maptrack *m;

	if (t->nr_maptrack == t->max_maptrack)
		return false;
	m = heap_pages(0);
	if (!m)
		return false;
	for (uint32_t i = 0; i < HANDLES_PER_PAGE; i++)
		m[i].ref = i + 1 < HANDLES_PER_PAGE ? first + i + 2 : 0;
	t->maptrack[t->nr_maptrack] = m;
	/* Readers look at the number first. */
	atomic_store(&t->nr_maptrack, t->nr_maptrack + 1);
	t->free_handle = first + 1;
	return true;
}

int64_t maptrack_get(struct grant_table *t)
{
	int64_t handle = -1;

	spin_lock(&t->maptrack_lock);
	if (t->free_handle || grow(t)) {
		handle = t->free_handle - 1;
		t->free_handle = entry_at(t, (uint32_t)handle)->ref;
	}
	spin_unlock(&t->maptrack_lock);
	return handle;
}

void maptrack_put(struct grant_table *t, grant_handle_t handle)
{
	struct maptrack *m = entry_at(t, handle);

	spin_lock(&t->maptrack_lock);
	atomic_store(&m->flags, 0);
	m->ref = t->free_handle;
	t->free_handle = handle + 1;
	spin_unlock(&t->maptrack_lock);
}

struct maptrack *maptrack_entry(struct grant_table *t, grant_handle_t handle)
{
	uint64_t limit = (uint64_t)atomic_load(&t->nr_maptrack) * HANDLES_PER_PAGE;

	return handle < limit ? entry_at(t, (uint32_t)index_nospec(handle, limit)) : NULL;
}

uint64_t grant_maps(const struct domain *d)
{
	struct grant_table *t = d->grant_table;
	uint64_t n = 0;

	for (uint32_t h = 0; h < atomic_load(&t->nr_maptrack) * HANDLES_PER_PAGE; h++)
		n += READ_ONCE(entry_at(t, h)->flags) != 0;
	return n;
}
