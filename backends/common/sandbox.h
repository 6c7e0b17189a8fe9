/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a worker gives up before it touches anything a guest wrote. Steps in
 * order, each by its own call because the worker opens what it needs between
 * them: sandbox_close_others(), sandbox_uring() for each ring, sandbox_enter().
 */
#ifndef XYLEM_SANDBOX_H
#define XYLEM_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>

struct io_uring_params;

/* AddressSanitizer reserves terabytes and reports on stderr. */
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

/* Close every descriptor from @first up. 0 or -errno. */
int sandbox_close_others(unsigned int first);

/*
 * An io_uring that starts disabled, with these restrictions registered for good:
 * requests NOP, READ(V), WRITE(V), READ_FIXED, WRITE_FIXED, FSYNC, FALLOCATE,
 * POLL_ADD, POLL_REMOVE, TIMEOUT, ASYNC_CANCEL, each with IOSQE_FIXED_FILE;
 * registering of files, buffers and the ring's own descriptor. @p as for
 * io_uring_setup(2), filled in on return. Descriptor, or -errno.
 */
int sandbox_uring(unsigned int entries, struct io_uring_params *p);

struct sandbox {
	uint32_t uid, gid;    /* 0: keep (tests without root) */
	unsigned int files;   /* RLIMIT_NOFILE */
	unsigned int threads; /* RLIMIT_NPROC */
	uint64_t data;        /* RLIMIT_DATA, bytes; 0: leave */
};

/*
 * Limits, an empty root and empty namespaces, uid and gid, no_new_privs, not
 * dumpable, seccomp. Needs root unless s->uid is 0, in which case root directory,
 * namespaces and ids stay. 0, or -errno: then the process must end, for it may be
 * half-way in.
 */
int sandbox_enter(const struct sandbox *s);

/* The seccomp filter alone (sandbox_seccomp.c). 0 or -errno. */
int sandbox_seccomp(void);

#endif
