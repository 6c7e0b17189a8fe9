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

/* Nobody tells a domain its number, but the other end of its own event channel does. */
domid_t find_own_domid(void)
{
	struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
	struct evtchn_bind_interdomain bind = {.remote_dom = DOMID_SELF};
	struct evtchn_status status = {.dom = DOMID_SELF};

	must(hcall(event_channel_op, EVTCHNOP_alloc_unbound, &unbound) == 0);
	bind.remote_port = unbound.port;
	must(hcall(event_channel_op, EVTCHNOP_bind_interdomain, &bind) == 0);
	status.port = bind.local_port;
	must(hcall(event_channel_op, EVTCHNOP_status, &status) == 0);
	must(status.status == EVTCHNSTAT_interdomain);
	return status.u.interdomain.dom;
}
