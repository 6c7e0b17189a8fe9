/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loopback transport: a make-believe guest beside a backend on any Linux.
 * Guest memory is a memfd, the grant table and event channels are arrays, an
 * event is an eventfd. Front and back may be threads or (after fork) processes.
 * Used by unit tests, fuzzers, fault sweeps and native-speed benchmarks.
 */
#ifndef XYLEM_LOOPBACK_H
#define XYLEM_LOOPBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/common/transport.h"

struct loopback;

/* A guest of @frames pages with room for @grants references and @ports ports. */
struct loopback *loopback_new(unsigned int frames, unsigned int grants, unsigned int ports);
void loopback_free(struct loopback *lb);

/* ---- back side: what a worker is given ---- */
struct grants *loopback_grants(struct loopback *lb);
struct events *loopback_events(struct loopback *lb); /* a new set each call */

/* ---- front side: what a guest kernel does ---- */
void *loopback_frame(struct loopback *lb, unsigned int frame);
/* A grant of @frame to the backend; ref > 0 (never below 8, as on Xen). */
uint32_t loopback_grant(struct loopback *lb, unsigned int frame, bool readonly);
/* End a grant: 0, or -EBUSY while the backend has it mapped. */
int loopback_end_access(struct loopback *lb, uint32_t ref);
/* An unbound port for the backend to bind to. */
uint32_t loopback_port_alloc(struct loopback *lb);
void loopback_port_close(struct loopback *lb, uint32_t port);
/* The descriptor that becomes readable (eventfd) when the backend notifies @port. */
int loopback_port_fd(struct loopback *lb, uint32_t port);
int loopback_port_notify(struct loopback *lb, uint32_t port);

/* ---- faults: the @nth call from now fails with @err (0: none) ---- */
enum loopback_fault { LOOPBACK_MAP, LOOPBACK_UNMAP, LOOPBACK_COPY, LOOPBACK_COPY_SEGMENT,
		      LOOPBACK_BIND, LOOPBACK_NOTIFY, LOOPBACK_FAULTS };
void loopback_fail(struct loopback *lb, enum loopback_fault what, uint64_t nth, int err);
/* How many such calls have been made: the length of a sweep. */
uint64_t loopback_calls(const struct loopback *lb, enum loopback_fault what);

/* What is still held by the backend; 0 everywhere after an orderly close. */
struct loopback_audit {
	unsigned int mapped_pages, bound_ports, open_sets;
	uint64_t notify_front, notify_back;
};
void loopback_audit(const struct loopback *lb, struct loopback_audit *out);

#endif
