/* SPDX-License-Identifier: GPL-2.0-only */
/* Copying data; see copy.h. */
#include "backends/blkback/copy.h"

#include <string.h>

#ifdef __x86_64__
#include <immintrin.h>

#define VECTORS 16 /* registers there are: all are loaded, then all are stored */
#define BLOCK   (VECTORS * sizeof(__m256i))

/* Inlined whatever the compiler thinks of its size: a third of what it is for. */
__attribute__((target("avx2"), always_inline)) static inline void
block_avx2(__m256i *to, const __m256i *from)
{
	__m256i v[VECTORS];

#pragma GCC unroll 16
	for (int i = 0; i < VECTORS; i++)
		v[i] = _mm256_loadu_si256(from + i);
#pragma GCC unroll 16
	for (int i = 0; i < VECTORS; i++)
		_mm256_storeu_si256(to + i, v[i]);
}

__attribute__((target("avx2"))) static void copy_avx2(char *to, const char *from,
						      size_t n)
{
	const char *end = to + (n & ~(2 * BLOCK - 1));

	for (; to != end; to += 2 * BLOCK, from += 2 * BLOCK) {
		block_avx2((__m256i *)to, (const __m256i *)from);
		block_avx2((__m256i *)(to + BLOCK), (const __m256i *)(from + BLOCK));
	}
	n %= 2 * BLOCK;
	if (n)
		memcpy(to, from, n);
}

/* Few turns of a loop: each is three instructions that move nothing. */
__attribute__((target("avx2"))) static void copy_page_avx2(char *to, const char *from)
{
	for (const char *end = to + 4096; to != end; to += 4 * BLOCK, from += 4 * BLOCK) {
		block_avx2((__m256i *)to, (const __m256i *)from);
		block_avx2((__m256i *)(to + BLOCK), (const __m256i *)(from + BLOCK));
		block_avx2((__m256i *)(to + 2 * BLOCK),
			   (const __m256i *)(from + 2 * BLOCK));
		block_avx2((__m256i *)(to + 3 * BLOCK),
			   (const __m256i *)(from + 3 * BLOCK));
	}
}

void copy_page(void *to, const void *from)
{
	if (__builtin_cpu_supports("avx2"))
		copy_page_avx2(to, from);
	else
		memcpy(to, from, 4096);
}

void copy_data(void *to, const void *from, size_t n)
{
	if (n >= 2 * BLOCK && __builtin_cpu_supports("avx2"))
		copy_avx2(to, from, n);
	else
		memcpy(to, from, n);
}
#else
void copy_page(void *to, const void *from)
{
	memcpy(to, from, 4096);
}

void copy_data(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
}
#endif
