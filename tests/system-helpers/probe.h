/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker that its guest has taken over might try. Each attempt runs in a
 * process of its own that has gone through a worker's start-up: used natively by
 * tests/unit/sandbox.c, and in dom0 under Xen as the program probe-sandbox.
 */
#ifndef XYLEM_PROBE_H
#define XYLEM_PROBE_H

#include <stdbool.h>
#include <stdint.h>

struct probe_env {
	uint32_t uid;   /* the worker becomes this */
	uint32_t domid; /* the guest it serves */
	int victim;     /* pid of another worker, uid + 1 */
	/* set up before the sandbox, as a worker has them */
	int ring;     /* restricted io_uring, registered file 0 is `readable` */
	int readable; /* a pipe's end with bytes in it */
	int evtchn;   /* restricted to domid, or -1 without Xen */
};

struct probe {
	const char *name;
	/* Do it: 0 when it worked, -errno when it was refused; may not return at all. */
	int (*attempt)(struct probe_env *env);
	bool must_work;     /* what a worker needs: refused is the failure */
	bool works_outside; /* without the sandbox it works for root: the attempt is a
			       real one */
	bool needs_evtchn;
};

extern const struct probe probes[];
extern const unsigned int nr_probes;

enum probe_result { PROBE_WORKED, PROBE_REFUSED, PROBE_KILLED, PROBE_FAILED };

/*
 * Run one attempt, inside the sandbox or outside. *@err: the errno, or the signal
 * that killed it; PROBE_FAILED: the sandbox itself could not be entered.
 */
enum probe_result probe_run(const struct probe *p, const struct probe_env *env,
			    bool inside, int *err);

/* A process in the sandbox that does nothing, as @uid; pid or -1. End it with SIGKILL. */
int probe_bystander(uint32_t uid);

#endif
