// SPDX-License-Identifier: GPL-2.0-only
/*
 * The last 128 KiB of what the hypervisor said: xl dmesg reads it. Indices count bytes
 * since boot and wrap at 32 bits; the buffer's size divides that.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/platform/console.h"

#define RING_SIZE (128u * 1024)

static char ring[RING_SIZE];
static uint32_t ring_prod; /* written under the console's lock, read without */
static uint32_t ring_cons; /* everything before it was cleared or overwritten */

void ring_write(const char *s, size_t n)
{
	uint32_t prod = ring_prod;

	for (; n; n--)
		ring[prod++ % RING_SIZE] = *s++;
	atomic_store(&ring_prod, prod);
	if (prod - ring_cons > RING_SIZE)
		WRITE_ONCE(ring_cons, prod - RING_SIZE);
}

/* Bytes overwritten while they are copied come out torn, as in any such log. */
size_t ring_copy(char *buf, size_t n, uint32_t *index)
{
	uint32_t end = atomic_load(&ring_prod), at = *index;
	size_t done = 0;

	if (end - at > end - READ_ONCE(ring_cons))
		at = READ_ONCE(ring_cons);
	for (; done < n && at != end; at++)
		buf[done++] = ring[at % RING_SIZE];
	*index = at;
	return done;
}

size_t console_ring_read(char *buf, size_t n, uint32_t *index, bool clear, bool incremental)
{
	uint32_t at = incremental ? *index : READ_ONCE(ring_cons);
	size_t done = ring_copy(buf, n, &at);

	if (clear)
		WRITE_ONCE(ring_cons, at);
	*index = at;
	return done;
}
