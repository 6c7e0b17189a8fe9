/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loopback transport: a make-believe guest beside a backend on any Linux.
 * Guest memory is a memfd, the grant table and event channels are arrays, an
 * event is an eventfd. Front and back may be threads or (after fork) processes.
 * Used by unit tests, fuzzers, fault sweeps and native-speed benchmarks.
 *
 * Everything the two ends share is made in loopback_new(), so fork() afterwards.
 * It behaves as Xen and Linux do in what a backend can notice:
 * - one bad reference fails a whole map call with EINVAL (gntdev); in a copy it
 *   fails its segment alone, with GNTST_bad_gntref; writing to a read-only grant
 *   is EINVAL and GNTST_general_error;
 * - a segment that crosses a page on either side, or that does not have exactly
 *   one grant side, fails the whole copy with EINVAL;
 * - a port fires once when it is bound (a notification might have been lost
 *   before), stays masked once it has fired, and remembers an event meanwhile;
 * - notifying a port whose other end is closed does nothing and succeeds.
 * A mapping has an inaccessible page before and behind it, so that a backend
 * which steps outside what was granted is caught.
 */
#ifndef XYLEM_LOOPBACK_H
#define XYLEM_LOOPBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "backends/common/transport.h"

#define LOOPBACK_DOMID 7 /* the guest's */

struct loopback;

/*
 * A guest of @frames pages with room for @grants references and @ports ports (at
 * most 256; also the number of event sets, but at least 8). NULL with errno.
 */
struct loopback *loopback_new(unsigned int frames, unsigned int grants,
			      unsigned int ports);
/* Also unmaps what the backend still has mapped; look at the audit before. */
void loopback_free(struct loopback *lb);

/* ---- back side: what a worker is given ---- */
/* The one of this guest: grants_close() on it does nothing. */
struct grants *loopback_grants(struct loopback *lb);
/* A new set each call; NULL with errno. */
struct events *loopback_events(struct loopback *lb);
/* What the kernel does when a worker dies: everything it held is released. Call it
 * in a process that has no live mapping or set of its own. */
void loopback_back_died(struct loopback *lb);

/* ---- front side: what a guest kernel does ---- */
void *loopback_frame(struct loopback *lb, unsigned int frame);
/* A grant of @frame to the backend; ref > 0 (never below 8, as on Xen). 0: table full. */
uint32_t loopback_grant(struct loopback *lb, unsigned int frame, bool readonly);
/* End a grant: 0; -EBUSY while the backend has it mapped; -EINVAL: no such grant. */
int loopback_end_access(struct loopback *lb, uint32_t ref);
/* An unbound port for the backend to bind to. 0: none left. */
uint32_t loopback_port_alloc(struct loopback *lb);
void loopback_port_close(struct loopback *lb, uint32_t port);
/* The descriptor (eventfd, non-blocking) that becomes readable when the backend
 * notifies @port. It stays open until loopback_free(). */
int loopback_port_fd(struct loopback *lb, uint32_t port);
/* 0, also when nobody has bound it (as on Xen); -EINVAL: no such port. */
int loopback_port_notify(struct loopback *lb, uint32_t port);

/*
 * ---- faults: the @nth call from now (1: the next) fails with errno @err, once.
 * @nth or @err 0: none. For LOOPBACK_COPY_SEGMENT a call is a segment and @err the
 * GNTST_* status it gets (negative).
 */
enum loopback_fault {
	LOOPBACK_MAP,
	LOOPBACK_UNMAP,
	LOOPBACK_COPY,
	LOOPBACK_COPY_SEGMENT,
	LOOPBACK_BIND,
	LOOPBACK_NOTIFY,
	LOOPBACK_FAULTS
};
void loopback_fail(struct loopback *lb, enum loopback_fault what, uint64_t nth, int err);
/* How many such calls have been made: the length of a sweep. */
uint64_t loopback_calls(const struct loopback *lb, enum loopback_fault what);

/* What is still held by the backend; 0 everywhere after an orderly close. */
struct loopback_audit {
	unsigned int mapped_pages, bound_ports, open_sets;
	/*
	 * notifications sent to the frontend and to the backend so far: not held, counted
	 */
	uint64_t notify_front, notify_back;
};
void loopback_audit(const struct loopback *lb, struct loopback_audit *out);

#endif
