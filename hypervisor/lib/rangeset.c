// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ranges in an array, sorted. An addition or removal makes at most one range more, so room
 * for one more is made sure of first, with the lock dropped while memory is asked for.
 */
#include "hypervisor/lib/lib.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/mm/mm.h"

struct range {
	uint64_t first, last;
};

struct rangeset {
	struct spinlock lock;
	unsigned int n, room;
	struct range *range;
};

struct rangeset *rangeset_create(void)
{
	struct rangeset *r = xzalloc(struct rangeset);

	if (r)
		spin_lock_init(&r->lock, LOCK_LEAF);
	return r;
}

void rangeset_destroy(struct rangeset *r)
{
	if (!r)
		return;
	xfree(r->range);
	xfree(r);
}

/* Lock held on return, even of an error. */
static int lock_with_room(struct rangeset *r)
{
	spin_lock(&r->lock);
	while (r->n == r->room) {
		unsigned int room = MAX(r->room * 2, 8u);
		struct range *more, *old = NULL;

		spin_unlock(&r->lock);
		more = xzalloc_array(struct range, room);
		spin_lock(&r->lock);
		if (!more)
			return -ENOMEM;
		if (room > r->room) {
			if (r->n)
				memcpy(more, r->range, r->n * sizeof(*more));
			old = r->range;
			r->range = more;
			r->room = room;
			more = NULL;
		}
		spin_unlock(&r->lock);
		xfree(more ? more : old);
		spin_lock(&r->lock);
	}
	return 0;
}

/* The first range that ends at or after @x; n if none. */
static unsigned int find(const struct rangeset *r, uint64_t x)
{
	unsigned int low = 0, high = r->n;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (r->range[middle].last < x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Ranges @i to @j - 1 give way to the @count of @with. */
static void replace(struct rangeset *r, unsigned int i, unsigned int j,
		    const struct range *with, unsigned int count)
{
	memmove(&r->range[i + count], &r->range[j], (r->n - j) * sizeof(*r->range));
	for (unsigned int k = 0; k < count; k++)
		r->range[i + k] = with[k];
	r->n = r->n - (j - i) + count;
}

int rangeset_add(struct rangeset *r, uint64_t first, uint64_t last)
{
	struct range new = {first, last};
	unsigned int i, j;
	int err;

	if (first > last)
		return -EINVAL;
	err = lock_with_room(r);
	if (!err) {
		i = find(r, first ? first - 1 : 0); /* one that touches it joins */
		for (j = i; j < r->n && (last == ~0ull || r->range[j].first <= last + 1); j++) {
			new.first = MIN(new.first, r->range[j].first);
			new.last = MAX(new.last, r->range[j].last);
		}
		replace(r, i, j, &new, 1);
	}
	spin_unlock(&r->lock);
	return err;
}

int rangeset_remove(struct rangeset *r, uint64_t first, uint64_t last)
{
	struct range rest[2];
	unsigned int i, j, count = 0;
	int err;

	if (first > last)
		return -EINVAL;
	err = lock_with_room(r);
	if (!err) {
		i = find(r, first);
		for (j = i; j < r->n && r->range[j].first <= last; j++) {
			struct range old = r->range[j];

			if (old.first < first)
				rest[count++] = (struct range){old.first, first - 1};
			if (old.last > last)
				rest[count++] = (struct range){last + 1, old.last};
		}
		replace(r, i, j, rest, count);
	}
	spin_unlock(&r->lock);
	return err;
}

bool rangeset_contains(struct rangeset *r, uint64_t first, uint64_t last)
{
	unsigned int i;

	if (first > last)
		return false;
	spin_guard(&r->lock);
	i = find(r, first);
	return i < r->n && r->range[i].first <= first && r->range[i].last >= last;
}

bool rangeset_empty(struct rangeset *r)
{
	return READ_ONCE(r->n) == 0;
}
