/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A queue's bounce buffers: runs of pages out of one contiguous area, which the
 * engine may register. First fit from the bottom, so that a queue that needs
 * little stays in few, warm pages. One thread.
 */
#ifndef XYLEM_POOL_H
#define XYLEM_POOL_H

#include <stdint.h>

#define POOL_PAGE 4096u
#define POOL_NONE UINT32_MAX

struct pool {
	char *base;
	uint32_t pages; /* a multiple of 64 */
	uint32_t used;
	uint64_t *busy; /* a bit a page */
};

/* Room for at least @pages pages; memory is taken as it is touched. 0 or -ENOMEM. */
int pool_init(struct pool *p, uint32_t pages);
void pool_end(struct pool *p);

/* The first page of a run of @n, or POOL_NONE when there is no such run now. */
uint32_t pool_get_run(struct pool *p, uint32_t n);
void pool_put_run(struct pool *p, uint32_t first, uint32_t n);

/* The same; most runs are one page out of the first 64. */
static inline uint32_t pool_get(struct pool *p, uint32_t n)
{
	uint64_t left = ~p->busy[0];
	uint32_t first;

	if (n != 1 || !left)
		return pool_get_run(p, n);
	first = (uint32_t)__builtin_ctzll(left);
	p->busy[0] |= 1ull << first;
	p->used++;
	return first;
}

static inline void pool_put(struct pool *p, uint32_t first, uint32_t n)
{
	if (n != 1 || first >= 64 || !(p->busy[0] >> first & 1)) {
		pool_put_run(p, first, n);
		return;
	}
	p->busy[0] &= ~(1ull << first);
	p->used--;
}

static inline char *pool_at(const struct pool *p, uint32_t page)
{
	return p->base + (uint64_t)page * POOL_PAGE;
}

#endif
