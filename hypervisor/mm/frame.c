// SPDX-License-Identifier: GPL-2.0-only
/*
 * References and types of frames. frame.h says what they mean. The type word:
 *
 *	count 0		free to become any type; the type field is the last one
 *	VALIDATED	in use; count may go up and down
 *	PARTIAL		count 1: interrupted; whoever claims it goes on
 *	none of both	count 1: one CPU checks, tears down or flushes; the others wait
 *
 * While a frame has count 0 after a use, linear_uses is the tlb_clock of its end.
 */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm_internal.h"

#define ENTRIES 512

/* ---- general references ---- */

static bool inc_count(struct frame *f)
{
	uint64_t x = READ_ONCE(f->count);

	do {
		if (!(x & FRAME_COUNT_MASK) || (x & FRAME_COUNT_MASK) == FRAME_COUNT_MASK ||
		    (x & FRAME_FREE))
			return false;
	} while (!atomic_cmpxchg(&f->count, &x, x + 1));
	return true;
}

bool frame_get(struct frame *f, const struct domain *d)
{
	if (frame_owner(f) != d || !inc_count(f))
		return false;
	/* It may have been freed and given to another in between. */
	if (likely(frame_owner(f) == d))
		return true;
	frame_put(f);
	return false;
}

bool frame_get_again(struct frame *f)
{
	return inc_count(f);
}

static void free_frame(struct frame *f, uint64_t count)
{
	BUG_ON(count & (FRAME_FREE | FRAME_ALLOCATED | FRAME_FOREIGN_IO));
	if (!(count & FRAME_HEAP)) {
		frame_free_domain(f);
		return;
	}
	/* A shared page of ours: heap_free() left it to the last guest that mapped it. */
	frame_set_owner(f, NULL);
	f->type = 0;
	atomic_store(&f->count, FRAME_HEAP);
	buddy_free(f, 0);
}

void frame_put(struct frame *f)
{
	uint64_t x = atomic_sub(&f->count, 1);

	BUG_ON((x & FRAME_COUNT_MASK) == FRAME_COUNT_MASK);
	if (!(x & FRAME_COUNT_MASK))
		free_frame(f, x);
}

void frame_put_allocated(struct frame *f)
{
	if (test_and_clear_bit(63, &f->count))
		frame_put(f);
}
_Static_assert(FRAME_ALLOCATED == 1ull << 63, "bit number above");

/* ---- types ---- */

static bool needs_check(uint64_t type)
{
	return type != FRAME_WRITABLE;
}

/* From the state in which only we may change the word. */
static void set_type(struct frame *f, uint64_t type)
{
	atomic_store(&f->type, type);
}

/*
 * No CPU may keep what it cached of the frame's last use: a writable mapping of what is
 * now a page table, or a way through a page table that is now the guest's to write.
 */
static void flush_last_use(struct frame *f)
{
	const struct domain *d = frame_owner(f);

	tlb_flush_stale(d ? &d->dirty_cpus : NULL, f->linear_uses);
}

/* Interrupted: the state gets a general reference of its own, if it has none yet. */
static void set_partial(struct frame *f, uint64_t type, bool has_ref)
{
	if (!has_ref && !frame_get_again(f))
		BUG(); /* the caller has one, so it cannot be going away */
	set_type(f, type | FRAME_PARTIAL | 1);
}

static int validate(struct frame *f, uint64_t type, bool resumed, bool preemptible)
{
	int err = 0;

	if (needs_check(type))
		err = frame_validate(f, type, preemptible);
	if (err == -ERESTART || (err == -EINTR && resumed)) {
		set_partial(f, type, resumed);
		return err;
	}
	if (err)
		f->linear_uses = READ_ONCE(tlb_clock);
	/* Not FRAME_NONE: it may have been in use before a teardown that was interrupted. */
	set_type(f, err ? type : type | FRAME_VALIDATED | 1);
	if (resumed)
		frame_put(f);
	return err;
}

/* Until another CPU has validated what it found as @x. Not a moment longer: the frame may
 * by then be validated as another type, as which it may be waiting for one that we hold. */
static uint64_t wait_for_other(struct frame *f, uint64_t x)
{
	uint64_t now;

	while ((now = READ_ONCE(f->type)) == x)
		cpu_relax();
	return now;
}

static int get_type(struct frame *f, uint64_t type, bool preemptible)
{
	uint64_t x = READ_ONCE(f->type), nx, old = FRAME_NONE;

	for (;;) {
		if (!(x & FRAME_TYPE_COUNT_MASK)) {
			old = x & FRAME_TYPE_MASK;
			nx = type | 1;
			if (type == FRAME_WRITABLE && (old == type || old == FRAME_NONE))
				nx |= FRAME_VALIDATED;
		} else if ((x & FRAME_TYPE_MASK) != type) {
			return -EINVAL;
		} else if (x & FRAME_PARTIAL) {
			nx = x & ~FRAME_PARTIAL;
		} else if (!(x & FRAME_VALIDATED)) {
			x = wait_for_other(f, x);
			continue;
		} else if ((x & FRAME_TYPE_COUNT_MASK) == FRAME_TYPE_COUNT_MASK) {
			return -EINVAL;
		} else {
			nx = x + 1;
		}
		if (atomic_cmpxchg(&f->type, &x, nx))
			break;
	}
	if (nx & FRAME_VALIDATED)
		return 0;
	if (x & FRAME_PARTIAL)
		return validate(f, type, true, preemptible);
	/* Afresh: x is as the last use left it. */
	if (old != FRAME_NONE && old != type)
		flush_last_use(f);
	f->nr_validated = f->partial = 0;
	return validate(f, type, false, preemptible);
}

/* The last type reference is gone and the frame ours alone. */
static int devalidate(struct frame *f, uint64_t type, bool resumed, bool preemptible)
{
	if (needs_check(type) && frame_devalidate(f, type, preemptible)) {
		set_partial(f, type, resumed);
		return -ERESTART;
	}
	f->linear_uses = READ_ONCE(tlb_clock);
	set_type(f, type);
	if (resumed)
		frame_put(f);
	return 0;
}

static int put_type(struct frame *f, bool preemptible)
{
	uint64_t x = READ_ONCE(f->type), nx;

	do {
		BUG_ON(!(x & FRAME_TYPE_COUNT_MASK) || !(x & FRAME_VALIDATED));
		nx = x - 1;
		if (!(nx & FRAME_TYPE_COUNT_MASK))
			nx = (x & FRAME_TYPE_MASK) | 1;
	} while (!atomic_cmpxchg(&f->type, &x, nx));
	if (nx & FRAME_VALIDATED)
		return 0;
	if (needs_check(nx & FRAME_TYPE_MASK)) {
		f->nr_validated = ENTRIES;
		f->partial = 0;
	}
	return devalidate(f, nx & FRAME_TYPE_MASK, false, preemptible);
}

int frame_get_type(struct frame *f, uint64_t type)
{
	return get_type(f, type, false);
}

int frame_get_type_preemptible(struct frame *f, uint64_t type)
{
	return get_type(f, type, true);
}

void frame_put_type(struct frame *f)
{
	if (put_type(f, false))
		BUG();
}

int frame_put_type_preemptible(struct frame *f)
{
	return put_type(f, true);
}

int frame_finish_put(struct frame *f)
{
	uint64_t x = READ_ONCE(f->type);

	do {
		if (!(x & FRAME_PARTIAL))
			return 0;
	} while (!atomic_cmpxchg(&f->type, &x, x & ~FRAME_PARTIAL));
	return devalidate(f, x & FRAME_TYPE_MASK, true, true);
}

bool frame_get_and_type(struct frame *f, const struct domain *d, uint64_t type)
{
	if (!frame_get(f, d))
		return false;
	if (!frame_get_type(f, type))
		return true;
	frame_put(f);
	return false;
}

void frame_put_and_type(struct frame *f)
{
	frame_put_type(f);
	frame_put(f);
}
