// SPDX-License-Identifier: GPL-2.0-only
/* The end of a guest, and the names of errors. */
#include "tests/guest/guest.h"

static const char *const names[] = {
#define XEN_ERRNO(name, value) [value] = #name,
#include <xen/errno.h>
};

const char *errno_name(long ret)
{
	if (ret >= 0)
		return "0";
	if (ret <= -(long)ARRAY_SIZE(names) || !names[-ret])
		return "?";
	return names[-ret];
}

void shutdown(unsigned int reason)
{
	struct sched_shutdown s = {.reason = reason};

	console_flush();
	for (;;)
		hcall(sched_op, SCHEDOP_shutdown, &s);
}

void give_up(const char *file, int line, const char *what)
{
	print("FAIL %s:%d: %s\n", file, line, what);
	shutdown(SHUTDOWN_crash);
}
