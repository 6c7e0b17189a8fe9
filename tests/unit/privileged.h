/* SPDX-License-Identifier: GPL-2.0-only */
/* May this process become a worker: root, with the right to make namespaces? */
#ifndef XYLEM_TEST_PRIVILEGED_H
#define XYLEM_TEST_PRIVILEGED_H

#include <sched.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

/* NULL: yes. Else why not, for a "skip" line. */
static inline const char *not_privileged(void)
{
	int pid, status = 1;

	if (geteuid())
		return "needs root";
	pid = fork();
	if (!pid)
		_exit(unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET)
			      ? 1
			      : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return "needs the right to make namespaces (CAP_SYS_ADMIN)";
	return NULL;
}

#endif
