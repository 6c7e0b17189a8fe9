/* SPDX-License-Identifier: GPL-2.0-only */
/* Trace records for xentrace (public/trace.h): a buffer a CPU, shared with dom0. */
#ifndef HV_TRACE_H
#define HV_TRACE_H

#include "hypervisor/cpu/percpu.h"

#include <xen/trace.h>

#define TRACE_EXTRA_MAX 7

extern uint32_t trace_mask; /* events that are wanted; 0: tracing is off */

/* Any context, any lock. trace() costs a load and a branch while it is off. */
void trace_write(uint32_t event, unsigned int n, const uint32_t *extra);
#ifdef HOST_TEST
#define trace(event, ...) ((void)0)
#else
#define trace(event, ...)                                                                \
	do {                                                                             \
		if (unlikely(READ_ONCE(trace_mask))) {                                   \
			const uint32_t extra_[] = {__VA_ARGS__};                         \
			_Static_assert(ARRAY_SIZE(extra_) <= TRACE_EXTRA_MAX, "");       \
			trace_write(event, ARRAY_SIZE(extra_), extra_);                  \
		}                                                                        \
	} while (0)
#endif

/* ---- XEN_SYSCTL_tbuf_op ---- */
int trace_set_size(uint32_t pages);  /* of each CPU's buffer, once. 0, -EINVAL, -ENOMEM */
int trace_enable(bool on);           /* -EINVAL: no buffers */
void trace_set_mask(uint32_t mask);
void trace_set_cpus(const struct cpumask *cpus);
void trace_get(uint32_t *mask, uint64_t *info_mfn, uint32_t *info_bytes);

#endif
