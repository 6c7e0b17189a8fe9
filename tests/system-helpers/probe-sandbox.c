/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe-sandbox [DOMID]: try, from within a worker's sandbox, everything in
 * probe.c, and print what came of it. In dom0 under Xen the event-channel
 * attempts are made too. Exit status 0 when a worker can do nothing it should not.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/common/transport.h"
#include "tests/system-helpers/probe.h"

static const char *const results[] = {"WORKED", "refused", "killed", "FAILED"};

static bool show(const struct probe *p, const struct probe_env *env)
{
	enum probe_result r;
	int err;

	if (p->needs_evtchn && env->evtchn < 0) {
		printf("skip %s: no event channel device\n", p->name);
		return true;
	}
	r = probe_run(p, env, true, &err);
	printf("%s %s: %s%s%s\n",
	       (r == PROBE_WORKED) == p->must_work && r != PROBE_FAILED ? "ok" : "FAIL",
	       p->name, results[r], err ? ", " : "",
	       !err                 ? ""
	       : r == PROBE_REFUSED ? strerror(err)
	       : r == PROBE_KILLED  ? strsignal(err)
				    : "");
	return (r == PROBE_WORKED) == p->must_work && r != PROBE_FAILED;
}

int main(int argc, char **argv)
{
	struct probe_env env = {.uid = 760000, .evtchn = -1};
	bool fine = true;
	unsigned int i;

	if (geteuid()) {
		printf("skip sandbox: needs root\n");
		return 0;
	}
	env.domid = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!access("/dev/xen/evtchn", F_OK))
		env.evtchn = events_open_restricted_fd(env.domid);
	env.victim = probe_bystander(env.uid + 1);
	if (env.victim < 0) {
		printf("FAIL cannot enter the sandbox\n");
		return 1;
	}
	for (i = 0; i < nr_probes; i++)
		fine &= show(&probes[i], &env);
	kill(env.victim, SIGKILL);
	waitpid(env.victim, NULL, 0);
	return fine ? 0 : 1;
}
