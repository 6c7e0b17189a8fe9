/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A disk in memory with a volatile write cache, for tests. Everything it does,
 * the order in which I/O completes and what a power cut leaves, follows from the
 * seed, so that a failure can be run again.
 *
 * A write lands in the cache when it completes. A flush makes durable what had
 * completed before the flush was submitted; a write with fua, itself. When the
 * power goes, every I/O from then on fails, and each sector's unflushed versions,
 * also those of writes that were in flight, survive or not independently.
 */
#ifndef XYLEM_ENGINE_VOLATILE_H
#define XYLEM_ENGINE_VOLATILE_H

#include "backends/blkback/engine.h"

#define VOLATILE_SECTOR 512u

struct volatile_disk;

/* @size bytes of zeroes. NULL: no memory. One engine at a time may be open on it. */
struct volatile_disk *volatile_disk_new(uint64_t size, uint64_t seed);
void volatile_disk_free(struct volatile_disk *d);

/* Cut the power when @ios more I/Os have completed; 0: now. */
void volatile_disk_cut_after(struct volatile_disk *d, uint64_t ios);
bool volatile_disk_is_cut(const struct volatile_disk *d);

/* After the cut: power on again, with what survived. */
void volatile_disk_restore(struct volatile_disk *d);

/* What a read would give now; for checking. */
const char *volatile_disk_data(const struct volatile_disk *d);

/* For tests of the tests: a disk that lies, acknowledging flushes without doing them. */
void volatile_disk_lie(struct volatile_disk *d);

#endif
