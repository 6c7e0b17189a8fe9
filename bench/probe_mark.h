/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The constants by which bench/tbcount.c, in QEMU, knows where in bench/probe.c,
 * in dom0, a window begins and ends: an instruction loads them into %rax.
 */
#ifndef XYLEM_BENCH_PROBE_MARK_H
#define XYLEM_BENCH_PROBE_MARK_H

#define PROBE_MARK_BEGIN 0x58796c656d626567
#define PROBE_MARK_END 0x58796c656d656e64

#endif
