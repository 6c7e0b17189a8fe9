// SPDX-License-Identifier: GPL-2.0-only
/*
 * Says that it is there, and powers off. `stay`: counts its seconds instead, so that a
 * test sees that it is well.
 */
#include "tests/guest/guest.h"

void guest_main(void)
{
	print("hello: %lu pages, %lu left\n", nr_pages, pages_left());
	if (!argument("stay", 0))
		return;
	for (unsigned int second = 1;; second++) {
		sleep_ms(1000);
		print("alive %u\n", second);
	}
}
