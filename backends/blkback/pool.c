/* SPDX-License-Identifier: GPL-2.0-only */
/* Bounce buffers; see pool.h. */
#include "backends/blkback/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int pool_init(struct pool *p, uint32_t pages)
{
	p->pages = (pages + 63) & ~63u;
	p->used = 0;
	p->busy = calloc(p->pages / 64, sizeof(*p->busy));
	p->base = mmap(NULL, (size_t)p->pages * POOL_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->busy && p->base != MAP_FAILED)
		return 0;
	free(p->busy);
	if (p->base != MAP_FAILED)
		munmap(p->base, (size_t)p->pages * POOL_PAGE);
	memset(p, 0, sizeof(*p));
	return -ENOMEM;
}

void pool_end(struct pool *p)
{
	assert(!p->used);
	if (p->base)
		munmap(p->base, (size_t)p->pages * POOL_PAGE);
	free(p->busy);
	memset(p, 0, sizeof(*p));
}

/* The first page from @from on that is busy (@busy) or free; p->pages when none is. */
static uint32_t find(const struct pool *p, uint32_t from, bool busy)
{
	while (from < p->pages) {
		uint64_t w = busy ? p->busy[from / 64] : ~p->busy[from / 64];

		w &= ~0ull << (from % 64);
		if (w)
			return (from & ~63u) + (uint32_t)__builtin_ctzll(w);
		from = (from & ~63u) + 64;
	}
	return p->pages;
}

static void mark(struct pool *p, uint32_t first, uint32_t n, bool busy)
{
	while (n) {
		uint32_t bit = first % 64, now = n < 64 - bit ? n : 64 - bit;
		uint64_t mask = (now == 64 ? ~0ull : (1ull << now) - 1) << bit;

		if (busy) {
			assert(!(p->busy[first / 64] & mask));
			p->busy[first / 64] |= mask;
		} else {
			assert((p->busy[first / 64] & mask) == mask);
			p->busy[first / 64] &= ~mask;
		}
		first += now;
		n -= now;
	}
}

uint32_t pool_get_run(struct pool *p, uint32_t n)
{
	uint32_t first = find(p, 0, false), end;

	assert(n && n <= p->pages);
	while (n > 1 && first + n <= p->pages) {
		end = find(p, first, true);
		if (end - first >= n)
			break;
		first = find(p, end, false);
	}
	if (first + n > p->pages)
		return POOL_NONE;
	mark(p, first, n, true);
	p->used += n;
	return first;
}

void pool_put_run(struct pool *p, uint32_t first, uint32_t n)
{
	mark(p, first, n, false);
	p->used -= n;
}
