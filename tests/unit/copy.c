/* SPDX-License-Identifier: GPL-2.0-only */
/* copy_data() and copy_page(): every length and place arrives whole, and nothing around
 * it changes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backends/blkback/copy.h"
#include "tests/unit/vbd_main.h"

#define MOST  (2 * 4096 + 700)
#define GUARD 64

static unsigned char from[MOST + GUARD], to[MOST + 2 * GUARD];

/* @n bytes from place @a to place @b. */
static void check(size_t n, size_t a, size_t b, bool page)
{
	bool whole, around = true;

	memset(to, 0xee, sizeof(to));
	if (page)
		copy_page(to + GUARD / 2 + b, from + a);
	else
		copy_data(to + GUARD / 2 + b, from + a, n);
	whole = !memcmp(to + GUARD / 2 + b, from + a, n);
	for (size_t i = 0; i < sizeof(to); i++)
		if ((i < GUARD / 2 + b || i >= GUARD / 2 + b + n) && to[i] != 0xee)
			around = false;
	if (!whole || !around)
		printf("%zu bytes from %zu to %zu\n", n, a, b);
	CU_ASSERT(whole);
	CU_ASSERT(around);
}

static void test_lengths(void)
{
	for (size_t n = 0; n <= MOST; n += n < 1100 ? 1 : 61)
		check(n, n % 33, n % 31, false);
	for (size_t n = 512; n <= 8192; n += 512)
		check(n, 0, 0, false);
}

static void test_places(void)
{
	for (size_t a = 0; a < 33; a++)
		for (size_t b = 0; b < 32; b += 3) {
			check(4096, a, b, false);
			check(4096, a, b, true);
		}
}

static void test_places_and_lengths(void)
{
	for (size_t i = 0; i < sizeof(from); i++)
		from[i] = (unsigned char)(i * 167 + i / 251);
	test_lengths();
	test_places();
}

static const CU_TestInfo tests[] = {
	{"every length, every alignment", test_places_and_lengths},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("copy", tests)
