// SPDX-License-Identifier: GPL-2.0-only
/*
 * What bench/hypervisor runs in dom0 and in a guest: operations that cost the hypervisor
 * something, each many times. A static program, so that fork and exec cost the same
 * wherever it was linked.
 *
 * usage: hvops NAME...            operations by name, `dom0`, `guest`: those of a list
 *        hvops run NAME COMMAND...   one run of a command
 *        hvops boot COMMAND...       marks the end of the start, then becomes the command
 *        hvops answer             waits for events of domain 0, answers each
 *        hvops ask DOMID PORT     round trips with a guest's `answer`
 *
 * A line an operation: its name, how many a lot, nanoseconds of each lot. The lot after
 * the first is a window of bench/tbcount.c; the first warms up and is not printed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntalloc.h>
#include <xen/grant_table.h>
#include <xen/sys/gntdev.h>
#include <xen/sys/privcmd.h>
#include <xen/version.h>

#include "bench/probe_mark.h"

#define PAGE 4096ul
#define LOTS 3 /* printed; odd */

static const char *self = "/proc/self/exe";

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "hvops: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void need(bool good, const char *what)
{
	if (!good)
		die(what);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static inline __attribute__((always_inline)) void mark(uint64_t value)
{
	__asm__ volatile("movabs %0, %%rax" : : "i"(value) : "rax");
}

static int open_xen(const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/xen/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	need(fd >= 0, path);
	return fd;
}

/* --- what any kernel does --- */

static void run_getppid(unsigned int n)
{
	while (n--)
		syscall(SYS_getppid);
}

static char *map_pages(unsigned long pages, int flags)
{
	char *p = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	need(p != MAP_FAILED, "mmap");
	return p;
}

static char *area;

static void before_fault(unsigned int n)
{
	area = map_pages(n, 0);
	need(!madvise(area, n * PAGE, MADV_NOHUGEPAGE), "madvise");
}

static void run_fault(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		*(volatile char *)(area + i * PAGE) = 1;
}

static void run_munmap(unsigned int n)
{
	munmap(area, n * PAGE);
}

static void before_munmap(unsigned int n)
{
	before_fault(n);
	run_fault(n);
}

/* Half of the lot takes the right to write away, half gives it back. */
static void run_mprotect(unsigned int n)
{
	mprotect(area, n / 2 * PAGE, PROT_READ);
	mprotect(area, n / 2 * PAGE, PROT_READ | PROT_WRITE);
}

static void before_mprotect(unsigned int n)
{
	before_munmap(n / 2);
}

static void after_mprotect(unsigned int n)
{
	run_munmap(n / 2);
}

/* A page at a time: no batches. */
static void run_mprotect_one(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		mprotect(area, PAGE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
}

static void before_one(unsigned int n)
{
	(void)n;
	before_munmap(1);
}

static void after_one(unsigned int n)
{
	(void)n;
	run_munmap(1);
}

static void wait_child(pid_t pid)
{
	int status;

	need(waitpid(pid, &status, 0) == pid && !status, "child");
}

static void run_fork(unsigned int n)
{
	while (n--) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		wait_child(pid);
	}
}

static void run_exec(unsigned int n)
{
	while (n--) {
		pid_t pid = vfork();

		if (!pid) {
			execl(self, "hvops", "true", NULL);
			_exit(1);
		}
		wait_child(pid);
	}
}

/* Fork of a process with 4 MiB: page tables to copy and to write-protect. */
static void run_fork_4m(unsigned int n)
{
	run_fork(n);
}

static void before_fork_4m(unsigned int n)
{
	(void)n;
	before_munmap(1024);
}

static void after_fork_4m(unsigned int n)
{
	(void)n;
	run_munmap(1024);
}

static int to[2], from[2];
static pid_t other;

static void pipe_answer(void)
{
	char c;

	while (read(to[0], &c, 1) == 1)
		if (write(from[1], &c, 1) != 1)
			break;
	_exit(0);
}

static void before_pipe(unsigned int n)
{
	(void)n;
	need(!pipe(to) && !pipe(from), "pipe");
	other = fork();
	if (!other) {
		close(to[1]);
		pipe_answer();
	}
}

static void run_pipe(unsigned int n)
{
	char c = 0;

	while (n--)
		need(write(to[1], &c, 1) == 1 && read(from[0], &c, 1) == 1, "pipe");
}

static void after_pipe(unsigned int n)
{
	(void)n;
	close(to[1]);
	wait_child(other);
	close(to[0]);
	close(from[0]);
	close(from[1]);
}

/* --- hypercalls, through privcmd --- */

static int privcmd = -1;

static void before_privcmd(unsigned int n)
{
	(void)n;
	if (privcmd < 0)
		privcmd = open_xen("privcmd");
}

/* The way to privcmd and back alone. */
static void run_ioctl(unsigned int n)
{
	while (n--)
		need(ioctl(privcmd, _IO('P', 0xff), NULL) < 0, "ioctl");
}

static void run_hypercall(unsigned int n)
{
	struct privcmd_hypercall call = {
		.op = __HYPERVISOR_xen_version,
		.arg = { XENVER_version },
	};

	while (n--)
		need(ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call) > 0, "xen_version");
}

static void run_multicall(unsigned int n)
{
	static struct multicall_entry calls[64];
	struct privcmd_hypercall call = {
		.op = __HYPERVISOR_multicall,
		.arg = { (uintptr_t)calls, 64 },
	};

	for (unsigned int i = 0; i < 64; i++)
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
	for (; n >= 64; n -= 64)
		need(!ioctl(privcmd, IOCTL_PRIVCMD_HYPERCALL, &call), "multicall");
}

/* --- event channels --- */

static int evtchn = -1;
static uint32_t port_a;

static int bind_to(uint32_t domain, uint32_t port)
{
	struct ioctl_evtchn_bind_interdomain bind = { domain, port };

	return ioctl(evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
}

static int offer_to(uint32_t domain)
{
	struct ioctl_evtchn_bind_unbound_port bind = { domain };
	int port = ioctl(evtchn, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);

	need(port > 0, "bind unbound port");
	return port;
}

static void notify(uint32_t port)
{
	struct ioctl_evtchn_notify arg = { port };

	need(!ioctl(evtchn, IOCTL_EVTCHN_NOTIFY, &arg), "notify");
}

/* Waits for an event, allows the next. */
static uint32_t take_event(void)
{
	uint32_t port;

	need(read(evtchn, &port, sizeof(port)) == sizeof(port), "event");
	need(write(evtchn, &port, sizeof(port)) == sizeof(port), "unmask");
	return port;
}

/* Binding may have made the port pending. */
static void take_first(void)
{
	struct pollfd p = { .fd = evtchn, .events = POLLIN };

	if (poll(&p, 1, 100) > 0)
		take_event();
}

static void before_event(unsigned int n)
{
	int bound;

	(void)n;
	evtchn = open_xen("evtchn");
	port_a = (uint32_t)offer_to(0);
	bound = bind_to(0, port_a);
	need(bound > 0, "bind interdomain");
	take_first();
}

static void after_event(unsigned int n)
{
	(void)n;
	close(evtchn);
}

static void run_event(unsigned int n)
{
	while (n--) {
		notify(port_a);
		take_event();
	}
}

/* A port that is pending already: what sending alone takes. */
static void run_send(unsigned int n)
{
	while (n--)
		notify(port_a);
}

static void run_ask(unsigned int n)
{
	run_event(n);
}

static _Noreturn void answer(void)
{
	evtchn = open_xen("evtchn");
	printf("port %d\n", offer_to(0));
	fflush(stdout);
	for (;;)
		notify(take_event());
}

/* --- grants of dom0 to itself --- */

#define GRANTS 16

static int gntdev = -1, gntalloc = -1;
static uint32_t refs[GRANTS];

static void before_grants(unsigned int n)
{
	union {
		struct ioctl_gntalloc_alloc_gref a;
		char space[sizeof(struct ioctl_gntalloc_alloc_gref) + GRANTS * 4];
	} arg = { .a = { .domid = 0, .flags = GNTALLOC_FLAG_WRITABLE, .count = GRANTS } };
	char *p;

	(void)n;
	if (gntdev >= 0)
		return;
	gntdev = open_xen("gntdev");
	gntalloc = open_xen("gntalloc");
	need(!ioctl(gntalloc, IOCTL_GNTALLOC_ALLOC_GREF, &arg), "gntalloc");
	memcpy(refs, arg.a.gref_ids, sizeof(refs));
	p = mmap(NULL, GRANTS * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntalloc,
		 (off_t)arg.a.index);
	need(p != MAP_FAILED, "mmap gntalloc");
	memset(p, 1, GRANTS * PAGE);
	area = map_pages(GRANTS, MAP_POPULATE);
	memset(area, 1, GRANTS * PAGE);
}

static void map_grants(uint32_t count)
{
	union {
		struct ioctl_gntdev_map_grant_ref m;
		char space[sizeof(struct ioctl_gntdev_map_grant_ref) +
			   GRANTS * sizeof(struct ioctl_gntdev_grant_ref)];
	} arg = { .m = { .count = count } };
	struct ioctl_gntdev_unmap_grant_ref unmap = { .count = count };
	char *p;

	for (uint32_t i = 0; i < count; i++)
		arg.m.refs[i].ref = refs[i];
	need(!ioctl(gntdev, IOCTL_GNTDEV_MAP_GRANT_REF, &arg), "map grants");
	p = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, gntdev,
		 (off_t)arg.m.index);
	need(p != MAP_FAILED, "mmap gntdev");
	munmap(p, count * PAGE);
	unmap.index = arg.m.index;
	need(!ioctl(gntdev, IOCTL_GNTDEV_UNMAP_GRANT_REF, &unmap), "unmap grants");
}

static void run_map_1(unsigned int n)
{
	while (n--)
		map_grants(1);
}

static void run_map_16(unsigned int n)
{
	for (; n >= GRANTS; n -= GRANTS)
		map_grants(GRANTS);
}

static void copy_grants(unsigned int count, uint16_t bytes)
{
	struct ioctl_gntdev_grant_copy_segment segments[GRANTS];
	struct ioctl_gntdev_grant_copy copy = { .count = count, .segments = segments };

	for (unsigned int i = 0; i < count; i++)
		segments[i] = (struct ioctl_gntdev_grant_copy_segment){
			.source.foreign = { .ref = refs[i] },
			.dest.virt = area + i * PAGE,
			.len = bytes,
			.flags = GNTCOPY_source_gref,
		};
	need(!ioctl(gntdev, IOCTL_GNTDEV_GRANT_COPY, &copy), "grant copy");
	need(!segments[0].status, "grant copy's status");
}

static void run_copy_64(unsigned int n)
{
	while (n--)
		copy_grants(1, 64);
}

static void run_copy_4k(unsigned int n)
{
	while (n--)
		copy_grants(1, PAGE);
}

static void run_copy_batch(unsigned int n)
{
	for (; n >= GRANTS; n -= GRANTS)
		copy_grants(GRANTS, PAGE);
}

/* --- timers --- */

static void run_sleep(unsigned int n)
{
	struct timespec ts = { 0, 1000 };

	while (n--)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void before_sleep(unsigned int n)
{
	(void)n;
	need(!prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0), "timer slack");
}

/* --- the lists --- */

struct operation {
	const char *name;
	unsigned int n; /* of a lot */
	void (*run)(unsigned int n);
	void (*before)(unsigned int n), (*after)(unsigned int n);
	enum { BOTH, DOM0, GUEST } where;
};

static const struct operation operations[] = {
	{ "getppid", 10000, run_getppid, NULL, NULL, BOTH },
	{ "page-fault", 1024, run_fault, before_fault, run_munmap, BOTH },
	{ "munmap", 1024, run_munmap, before_munmap, NULL, BOTH },
	{ "mprotect", 1024, run_mprotect, before_mprotect, after_mprotect, BOTH },
	{ "mprotect-1", 1024, run_mprotect_one, before_one, after_one, BOTH },
	{ "pipe", 500, run_pipe, before_pipe, after_pipe, BOTH },
	{ "fork-exit", 20, run_fork, NULL, NULL, BOTH },
	{ "fork-exit-4m", 10, run_fork_4m, before_fork_4m, after_fork_4m, BOTH },
	{ "fork-exec", 20, run_exec, NULL, NULL, BOTH },
	/* While dom0 sleeps, idle CPUs still scrub what was free at the start. */
	{ "timer", 500, run_sleep, before_sleep, NULL, GUEST },
	{ "ioctl", 10000, run_ioctl, before_privcmd, NULL, DOM0 },
	{ "hypercall", 10000, run_hypercall, before_privcmd, NULL, DOM0 },
	{ "multicall", 6400, run_multicall, before_privcmd, NULL, DOM0 },
	{ "event-send", 5000, run_send, before_event, after_event, DOM0 },
	{ "event-trip", 2000, run_event, before_event, after_event, DOM0 },
	{ "grant-map-1", 200, run_map_1, before_grants, NULL, DOM0 },
	{ "grant-map-16", 640, run_map_16, before_grants, NULL, DOM0 },
	{ "grant-copy-64", 1000, run_copy_64, before_grants, NULL, DOM0 },
	{ "grant-copy-4k", 500, run_copy_4k, before_grants, NULL, DOM0 },
	{ "grant-copy-16", 1600, run_copy_batch, before_grants, NULL, DOM0 },
};

static void lot(const struct operation *o, uint64_t *ns, bool window)
{
	uint64_t begin;

	if (o->before)
		o->before(o->n);
	if (window)
		mark(PROBE_MARK_BEGIN);
	begin = now();
	o->run(o->n);
	*ns = now() - begin;
	if (window)
		mark(PROBE_MARK_END);
	if (o->after)
		o->after(o->n);
}

static void measure(const struct operation *o)
{
	uint64_t ns[LOTS + 1];

	for (unsigned int i = 0; i <= LOTS; i++)
		lot(o, &ns[i], i == 1);
	printf("%s %u", o->name, o->n);
	for (unsigned int i = 1; i <= LOTS; i++)
		printf(" %" PRIu64, ns[i]);
	putchar('\n');
	fflush(stdout);
}

static bool wanted(const struct operation *o, const char *word)
{
	return !strcmp(word, o->name) || (!strcmp(word, "dom0") && o->where != GUEST) ||
	       (!strcmp(word, "guest") && o->where != DOM0);
}

/* A command in a window of its own: no lots, no warming up. */
static int run_command(const char *name, char **argv)
{
	uint64_t begin;
	int status;
	pid_t pid;

	mark(PROBE_MARK_BEGIN);
	begin = now();
	pid = fork();
	if (!pid) {
		dup2(2, 1);
		execvp(argv[0], argv);
		_exit(127);
	}
	need(waitpid(pid, &status, 0) == pid, "wait");
	begin = now() - begin;
	mark(PROBE_MARK_END);
	printf("%s 1 %" PRIu64 "\n", name, begin);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void ask(const char *domain, const char *port)
{
	static const struct operation o = { "guest-trip", 500, run_ask, NULL, NULL, DOM0 };
	int bound;

	evtchn = open_xen("evtchn");
	bound = bind_to((uint32_t)atoi(domain), (uint32_t)atoi(port));
	need(bound > 0, "bind to the guest's port");
	port_a = (uint32_t)bound;
	take_first();
	measure(&o);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "true"))
		return 0;
	if (argc > 2 && !strcmp(argv[1], "boot")) {
		mark(PROBE_MARK_END);
		execv(argv[2], argv + 2);
		die(argv[2]);
	}
	if (argc > 3 && !strcmp(argv[1], "run"))
		return run_command(argv[2], argv + 3);
	if (argc == 2 && !strcmp(argv[1], "answer"))
		answer();
	if (argc == 4 && !strcmp(argv[1], "ask")) {
		ask(argv[2], argv[3]);
		return 0;
	}
	for (int i = 1; i < argc; i++)
		for (size_t j = 0; j < sizeof(operations) / sizeof(*operations); j++)
			if (wanted(&operations[j], argv[i]))
				measure(&operations[j]);
	return 0;
}
