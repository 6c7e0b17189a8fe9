/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Token buckets by virtual scheduling (GCRA, ITU-T I.371): a bucket is one number,
 * the theoretical arrival time. A grant moves it on by what the request costs at
 * the rate; a request is granted while it is no further ahead of now than the burst
 * allows. Queues share it with compare-and-swap.
 */
#include "backends/common/limit.h"

#define NS_PER_S     1000000000ull
#define FOREVER      (1ull << 60) /* ns; 36 years: keeps sums from overflowing */
#define LONGEST_WAIT NS_PER_S     /* ask again, the rate may have changed */

/*
 * How long @amount takes at @rate, rounded up so that no more than the rate is granted.
 */
static uint64_t cost_ns(uint64_t amount, uint64_t rate)
{
	unsigned __int128 ns = ((unsigned __int128)amount * NS_PER_S + rate - 1) / rate;

	return ns < FOREVER ? (uint64_t)ns : FOREVER;
}

static uint64_t burst_ns(uint64_t burst, uint64_t rate)
{
	return burst ? cost_ns(burst, rate) : NS_PER_S / 10;
}

struct one_bucket {
	_Atomic(uint64_t) *tat;
	_Atomic(uint64_t) *rate_at;
	uint64_t rate, burst, cost; /* burst and cost in ns */
};

static struct one_bucket one_bucket(_Atomic(uint64_t) *tat, _Atomic(uint64_t) *rate,
				    _Atomic(uint64_t) *burst, uint64_t amount)
{
	struct one_bucket o = {.tat = tat, .rate_at = rate};

	o.rate = atomic_load_explicit(rate, memory_order_acquire);
	if (o.rate && amount) {
		o.cost = cost_ns(amount, o.rate);
		o.burst = burst_ns(atomic_load_explicit(burst, memory_order_relaxed),
				   o.rate);
	}
	return o;
}

/* 0: would be granted. Otherwise ns until then. */
static uint64_t wait_ns(const struct one_bucket *o, uint64_t tat, uint64_t now)
{
	uint64_t ahead = tat > now ? tat - now : 0;
	uint64_t room = o->burst > o->cost ? o->burst - o->cost : 0;
	uint64_t wait = ahead > room ? ahead - room : 0;

	return wait < LONGEST_WAIT ? wait : LONGEST_WAIT;
}

/* Take, or return how long to wait. *@before and *@after: for give_back(). */
static uint64_t take(const struct one_bucket *o, uint64_t now, uint64_t *before,
		     uint64_t *after)
{
	uint64_t tat, wait;

	*before = *after = tat = atomic_load_explicit(o->tat, memory_order_relaxed);
	if (!o->cost)
		return 0;
	do {
		wait = wait_ns(o, tat, now);
		if (wait)
			return wait;
		*before = tat;
		*after = (tat > now ? tat : now) + o->cost;
	} while (!atomic_compare_exchange_weak(o->tat, &tat, *after));
	/*
	 * limit_set() stores the rate, then clears the time. Charged by a rate that was
	 * replaced meanwhile, the new one would begin with the old one's debt.
	 */
	if (atomic_load(o->rate_at) != o->rate)
		atomic_store(o->tat, 0);
	return 0;
}

/* Only when nobody took since: else the tokens are lost rather than granted twice. */
static void give_back(const struct one_bucket *o, uint64_t before, uint64_t after)
{
	if (before != after)
		atomic_compare_exchange_strong(o->tat, &after, before);
}

uint64_t limit_take(struct limit_bucket *b, uint64_t bytes, uint64_t ops, uint64_t now)
{
	struct one_bucket by =
		one_bucket(&b->bytes_tat, &b->bytes_rate, &b->bytes_burst, bytes);
	struct one_bucket op = one_bucket(&b->ops_tat, &b->ops_rate, &b->ops_burst, ops);
	uint64_t wait, before, after, unused;

	wait = op.cost ? wait_ns(&op, atomic_load_explicit(op.tat, memory_order_relaxed),
				 now)
		       : 0;
	if (wait)
		return wait;
	wait = take(&by, now, &before, &after);
	if (wait)
		return wait;
	wait = take(&op, now, &unused, &unused);
	if (wait)
		give_back(&by, before, after);
	return wait;
}

static void set_one(_Atomic(uint64_t) *rate, _Atomic(uint64_t) *burst,
		    _Atomic(uint64_t) *tat, uint64_t new_rate, uint64_t new_burst)
{
	atomic_store(burst, new_burst);
	if (atomic_exchange(rate, new_rate) != new_rate)
		atomic_store(tat, 0);
}

void limit_set(struct limit_bucket *b, const struct limit_rate *r)
{
	set_one(&b->bytes_rate, &b->bytes_burst, &b->bytes_tat, r->bytes_per_s,
		r->bytes_burst);
	set_one(&b->ops_rate, &b->ops_burst, &b->ops_tat, r->ops_per_s, r->ops_burst);
}
