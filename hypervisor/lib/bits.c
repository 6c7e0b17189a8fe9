// SPDX-License-Identifier: GPL-2.0-only
/* Searching bitmaps, a word at a time. */
#include "hypervisor/lib/lib.h"

/* @flip: all ones to look for a clear bit. */
static unsigned long find(const void *p, unsigned long size, unsigned long from, uint64_t flip)
{
	const uint64_t *word = p;

	while (from < size) {
		uint64_t w = (READ_ONCE(word[from / 64]) ^ flip) >> (from % 64);

		if (w)
			return MIN(from + (unsigned long)__builtin_ctzll(w), size);
		from = (from / 64 + 1) * 64;
	}
	return size;
}

unsigned long find_next_bit(const void *p, unsigned long size, unsigned long from)
{
	return find(p, size, from, 0);
}

unsigned long find_next_zero_bit(const void *p, unsigned long size, unsigned long from)
{
	return find(p, size, from, ~0ull);
}

#ifndef HOST_TEST
/* gcc's for __builtin_popcount() without the instruction. */
int __popcountdi2(int64_t a)
{
	uint64_t x = (uint64_t)a;

	x -= x >> 1 & 0x5555555555555555;
	x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (int)((x * 0x0101010101010101) >> 56);
}
#endif
