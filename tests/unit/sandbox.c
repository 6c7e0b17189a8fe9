/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker that its guest has taken over: every attempt of
 * tests/system-helpers/probe.c fails inside the sandbox, works outside where it
 * should (so that the attempt is a real one), and what a worker needs works.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/common/sandbox.h"
#include "tests/system-helpers/probe.h"
#include "tests/unit/privileged.h"
#include "tests/unit/suite.h"

#define UID 760000u

static struct probe_env env = {.uid = UID, .domid = 1, .evtchn = -1};

static bool skipped(const char *name)
{
	const char *why = not_privileged();

	if (why)
		printf("\nskip %s: %s\n", name, why);
	return why != NULL;
}

static bool start_victim(void)
{
	env.victim = probe_bystander(UID + 1);
	CU_ASSERT_TRUE(env.victim > 0);
	return env.victim > 0;
}

static void end_victim(void)
{
	kill(env.victim, SIGKILL);
	waitpid(env.victim, NULL, 0);
}

static void check(const struct probe *p)
{
	enum probe_result r;
	int err;

	if (p->needs_evtchn)
		return; /* tried by probe-sandbox under Xen */
	r = probe_run(p, &env, true, &err);
	if (r == PROBE_FAILED || (r == PROBE_WORKED) != p->must_work)
		printf("\n    %s: %d, %d ", p->name, (int)r, err);
	CU_ASSERT_NOT_EQUAL(r, PROBE_FAILED);
	CU_ASSERT_EQUAL(r == PROBE_WORKED, p->must_work);
	if (!p->works_outside)
		return;
	r = probe_run(p, &env, false, &err);
	if (r != PROBE_WORKED)
		printf("\n    outside, %s: %d, %d ", p->name, (int)r, err);
	CU_ASSERT_EQUAL(r, PROBE_WORKED);
}

static void test_attempts(void)
{
	unsigned int i;

	if (skipped("test_attempts"))
		return;
	if (!start_victim())
		return;
	for (i = 0; i < nr_probes; i++)
		check(&probes[i]);
	end_victim();
}

/* The number after @key in /proc/PID/status; -1: not there. */
static long long status_of(int pid, const char *key, int base)
{
	char path[64], line[256];
	long long v = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, key, strlen(key)))
			v = strtoll(line + strlen(key), NULL, base);
	if (f)
		fclose(f);
	return v;
}

static void test_what_it_has_become(void)
{
	static const char *const namespaces[] = {"mnt", "net", "ipc", "uts"};
	char path[64], mine[64], its[64];
	unsigned int i, entries = 0;
	struct dirent *e;
	DIR *root;

	if (skipped("test_what_it_has_become"))
		return;
	if (!start_victim())
		return;
	CU_ASSERT_EQUAL(status_of(env.victim, "Uid:", 10), UID + 1);
	CU_ASSERT_EQUAL(status_of(env.victim, "Gid:", 10), UID + 1);
	CU_ASSERT_EQUAL(status_of(env.victim, "Groups:", 10), 0);
	CU_ASSERT_EQUAL(status_of(env.victim, "CapPrm:", 16), 0);
	CU_ASSERT_EQUAL(status_of(env.victim, "CapEff:", 16), 0);
	CU_ASSERT_EQUAL(status_of(env.victim, "CapAmb:", 16), 0);
	CU_ASSERT_EQUAL(status_of(env.victim, "NoNewPrivs:", 10), 1);
	CU_ASSERT_EQUAL(status_of(env.victim, "Seccomp:", 10), 2);
	for (i = 0; i < 4; i++) {
		memset(mine, 0, sizeof(mine));
		memset(its, 0, sizeof(its));
		snprintf(path, sizeof(path), "/proc/self/ns/%s", namespaces[i]);
		CU_ASSERT_TRUE(readlink(path, mine, sizeof(mine) - 1) > 0);
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", env.victim, namespaces[i]);
		CU_ASSERT_TRUE(readlink(path, its, sizeof(its) - 1) > 0);
		CU_ASSERT_STRING_NOT_EQUAL(mine, its);
	}
	snprintf(path, sizeof(path), "/proc/%d/root/", env.victim);
	root = opendir(path);
	CU_ASSERT_PTR_NOT_NULL(root);
	while (root && (e = readdir(root)))
		entries += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	if (root)
		closedir(root);
	CU_ASSERT_EQUAL(entries, 0);
	end_victim();
}

/* Were there no seccomp, the kernel would still keep one uid from another's worker. */
static int attack_as(uint32_t uid)
{
	int pid = fork(), status;
	char c;
	struct iovec mine = {&c, 1}, its = {(void *)(uintptr_t)&probe_run, 1};

	if (!pid) {
		if (setgid(uid) || setuid(uid))
			_exit(9);
		if (process_vm_readv(env.victim, &mine, 1, &its, 1, 0) == 1)
			_exit(1);
		if (!ptrace(PTRACE_SEIZE, env.victim, NULL, NULL))
			_exit(2);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
								    : 10;
}

static void test_uid_alone(void)
{
	if (skipped("test_uid_alone"))
		return;
	if (!start_victim())
		return;
	CU_ASSERT_EQUAL(attack_as(UID), 0);     /* another worker */
	CU_ASSERT_EQUAL(attack_as(UID + 1), 0); /* even its own uid: not dumpable */
	CU_ASSERT_EQUAL(attack_as(0), 1);       /* root can: the attack is a real one */
	end_victim();
}

/* Every descriptor that is not handed over is gone. */
static void test_close_others(void)
{
	int pid = fork(), status, i, n = 0;

	if (!pid) {
		dup2(0, 40);
		if (sandbox_close_others(3))
			_exit(99);
		for (i = 3; i < 1024; i++)
			n += fcntl(i, F_GETFD) >= 0;
		_exit(n);
	}
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	static const CU_TestInfo tests[] = {
		{"attempts", test_attempts},
		{"what it has become", test_what_it_has_become},
		{"uid alone", test_uid_alone},
		{"close others", test_close_others},
		CU_TEST_INFO_NULL,
	};

	return suite_main("sandbox", tests);
}
