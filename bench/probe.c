// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in dom0 beside a job: waits, reads the machine's counters, lets a window
 * of time pass, reads them again and prints both. One process that forks
 * nothing, so that looking costs the job little.
 *
 * usage: probe DELAY_MS WINDOW_MS [FILE...]      FILEs may be glob patterns
 *
 * Output, twice (before, after): `@ NANOSECONDS`, then `domain ID CPU_NS`,
 * `task PID TID CPU_NS VOLUNTARY INVOLUNTARY COMM|CMDLINE`, `file PATH LINES` and
 * that many lines.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <xenctrl.h>

#include "bench/probe_mark.h"

#define DOMAINS 16

static xc_interface *xc;
static char file[65536];

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static ssize_t slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -1;
	while (n < sizeof(file) - 1 && (got = read(fd, file + n, sizeof(file) - 1 - n)) > 0)
		n += (size_t)got;
	file[n] = '\0';
	close(fd);
	return (ssize_t)n;
}

static void print_file(FILE *out, const char *path)
{
	unsigned int lines = 0;
	ssize_t n = slurp(path);

	if (n <= 0)
		return;
	if (file[n - 1] != '\n' && n < (ssize_t)sizeof(file) - 1) {
		file[n++] = '\n';
		file[n] = '\0';
	}
	for (char *p = file; (p = strchr(p, '\n')); p++)
		lines++;
	fprintf(out, "file %s %u\n%s", path, lines, file);
}

static unsigned long status_field(const char *name)
{
	const char *p = strstr(file, name);

	return p ? strtoul(p + strlen(name), NULL, 10) : 0;
}

static void print_task(FILE *out, const char *pid, const char *tid)
{
	char path[600], comm[160] = "";
	unsigned long voluntary, involuntary;
	uint64_t cpu_ns;

	snprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, tid);
	if (slurp(path) <= 0)
		return;
	cpu_ns = strtoull(file, NULL, 10);
	snprintf(path, sizeof(path), "/proc/%s/task/%s/status", pid, tid);
	if (slurp(path) <= 0)
		return;
	voluntary = status_field("\nvoluntary_ctxt_switches:");
	involuntary = status_field("\nnonvoluntary_ctxt_switches:");
	if (sscanf(file, "Name: %63[^\n]", comm) != 1)
		return;
	snprintf(path, sizeof(path), "/proc/%s/cmdline", pid);
	for (ssize_t n = slurp(path), i = 0; i + 1 < n; i++)
		if (!file[i])
			file[i] = ' ';
	fprintf(out, "task %s %s %" PRIu64 " %lu %lu %s|%s\n", pid, tid, cpu_ns, voluntary,
		involuntary, comm, file);
}

static void print_tasks(FILE *out)
{
	char path[300];
	struct dirent *p, *t;
	DIR *proc = opendir("/proc"), *tasks;

	while (proc && (p = readdir(proc))) {
		if (!isdigit((unsigned char)p->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task", p->d_name);
		tasks = opendir(path);
		while (tasks && (t = readdir(tasks)))
			if (isdigit((unsigned char)t->d_name[0]))
				print_task(out, p->d_name, t->d_name);
		if (tasks)
			closedir(tasks);
	}
	if (proc)
		closedir(proc);
}

static void print_domains(FILE *out)
{
	xc_domaininfo_t info[DOMAINS];
	int n = xc ? xc_domain_getinfolist(xc, 0, DOMAINS, info) : 0;

	for (int i = 0; i < n; i++)
		fprintf(out, "domain %u %" PRIu64 "\n", info[i].domain, info[i].cpu_time);
}

static void print_counters(FILE *out, int argc, char **argv)
{
	glob_t found;

	print_tasks(out);
	print_file(out, "/proc/stat");
	print_file(out, "/proc/interrupts");
	for (int i = 0; i < argc; i++) {
		if (glob(argv[i], 0, NULL, &found))
			continue;
		for (size_t j = 0; j < found.gl_pathc; j++)
			print_file(out, found.gl_pathv[j]);
		globfree(&found);
	}
}

static void pass_ms(unsigned long ms)
{
	struct timespec ts = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };

	while (nanosleep(&ts, &ts))
		;
}

static inline __attribute__((always_inline)) void mark(uint64_t value)
{
	__asm__ volatile("movabs %0, %%rax" : : "i"(value) : "rax");
}

int main(int argc, char **argv)
{
	char *before = NULL, *after = NULL;
	size_t before_size = 0, after_size = 0;
	FILE *first, *second;

	if (argc < 3) {
		fprintf(stderr, "usage: probe DELAY_MS WINDOW_MS [FILE...]\n");
		return 2;
	}
	xc = xc_interface_open(NULL, NULL, 0);
	first = open_memstream(&before, &before_size);
	second = open_memstream(&after, &after_size);
	if (!first || !second)
		return 1;
	pass_ms(strtoul(argv[1], NULL, 10));

	print_counters(first, argc - 3, argv + 3);
	print_domains(first);
	fprintf(first, "@ %" PRIu64 "\n", now());
	mark(PROBE_MARK_BEGIN);
	pass_ms(strtoul(argv[2], NULL, 10));
	mark(PROBE_MARK_END);
	fprintf(second, "@ %" PRIu64 "\n", now());
	print_domains(second);
	print_counters(second, argc - 3, argv + 3);

	fclose(first);
	fclose(second);
	printf("before\n%safter\n%s", before, after);
	return 0;
}
