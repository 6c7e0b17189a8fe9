/* SPDX-License-Identifier: GPL-2.0-only */
/* A frontend's directory filled by a fuzzer: which node, how long, what bytes. */
#ifndef XYLEM_FUZZ_NODES_H
#define XYLEM_FUZZ_NODES_H

#include <stdio.h>

#include "backends/common/store_mem.h"
#include "tests/fuzz/fuzz.h"

#define FRONT "/local/domain/3/device/d/0"

/*
 * An honest frontend's @nodes (name, value pairs up to NULL) first; then the input
 * overwrites some. A value is raw bytes, or one that is likely to matter.
 */
static inline struct store *fuzz_frontend(struct fuzz_input *in, const char *const (*nodes)[2],
					  unsigned int count)
{
	static const char *const likely[] = {"0", "1", "2", "16", "17", "-1", "131071", "131072",
					     "4294967295", "4294967296", "18446744073709551616",
					     "x86_32-abi", "x86_64-abi", "01", "1 ", "0x1"};
	struct store *s = store_open_mem();
	char path[128], value[32];
	unsigned int i, turns = 0;

	FUZZ_ASSERT(s);
	for (i = 0; i < count; i++)
		if (nodes[i][1])
			store_write(s, 0, nodes[i][1], FRONT "/%s", nodes[i][0]);
	while (in->left && turns++ < 64) {
		const char *node = nodes[fuzz_u8(in) % count][0];
		uint8_t how = fuzz_u8(in);

		snprintf(path, sizeof(path), FRONT "/%s", node);
		if (how < 64) {
			store_write(s, 0, likely[how % 16], "%s", path);
		} else if (how < 96) {
			s->ops->rm(s, 0, path);
		} else {
			fuzz_bytes(in, value, how % 32);
			store_mem_write_raw(s, path, value, how % 32);
		}
	}
	return s;
}

#endif
