/* SPDX-License-Identifier: GPL-2.0-only */
/* Attempts of a taken-over worker, and the process each runs in. See probe.h. */
#include "tests/system-helpers/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sys/evtchn.h>

#include "backends/common/sandbox.h"

#define RESULT(call) ((call) < 0 ? -errno : 0)

/* ---- files, xenstore, processes ---- */

static int open_file(struct probe_env *env)
{
	(void)env;
	return RESULT(open("/etc/passwd", O_RDONLY));
}

static int open_by_syscall(struct probe_env *env)
{
	(void)env;
	return RESULT((int)syscall(SYS_openat2, AT_FDCWD, "/etc/passwd",
				   &(uint64_t[3]){0}, 24));
}

static int stat_file(struct probe_env *env)
{
	struct stat st;

	(void)env;
	return RESULT(fstatat(AT_FDCWD, "/etc/passwd", &st, AT_EMPTY_PATH));
}

static int open_proc(struct probe_env *env)
{
	(void)env;
	return RESULT(open("/proc/self/mem", O_RDWR));
}

static int make_file(struct probe_env *env)
{
	int fd = open("/tmp/xylem-probe", O_RDWR | O_CREAT, 0600);

	(void)env;
	unlink("/tmp/xylem-probe");
	return RESULT(fd);
}

static int xenstore_socket(struct probe_env *env)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX,
				.sun_path = "/run/xenstored/socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)env;
	if (fd < 0)
		return -errno;
	return RESULT(connect(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int xenstore_device(struct probe_env *env)
{
	(void)env;
	return RESULT(open("/dev/xen/xenbus", O_RDWR));
}

static int make_socket(struct probe_env *env)
{
	(void)env;
	return RESULT(socket(AF_INET, SOCK_DGRAM, 0));
}

static int run_program(struct probe_env *env)
{
	char *argv[] = {(char[]){"/bin/true"}, NULL};

	(void)env;
	return RESULT(execve(argv[0], argv, NULL)); /* works: ends with status 0 */
}

static int make_process(struct probe_env *env)
{
	int pid = (int)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

	(void)env;
	if (!pid)
		_exit(0);
	return RESULT(pid);
}

static int trace_worker(struct probe_env *env)
{
	return RESULT(ptrace(PTRACE_SEIZE, env->victim, NULL, NULL));
}

static int read_worker(struct probe_env *env)
{
	char c;
	struct iovec mine = {&c, 1}, its = {(void *)(uintptr_t)&probe_run, 1};

	return RESULT((int)process_vm_readv(env->victim, &mine, 1, &its, 1, 0));
}

static int kill_worker(struct probe_env *env)
{
	return RESULT(kill(env->victim, 0));
}

static int steal_descriptor(struct probe_env *env)
{
	int fd = (int)syscall(SYS_pidfd_open, env->victim, 0);

	return fd < 0 ? -errno : RESULT((int)syscall(SYS_pidfd_getfd, fd, 0, 0));
}

/* ---- privileges ---- */

static int become_root(struct probe_env *env)
{
	(void)env;
	return RESULT((int)syscall(SYS_setuid, 0));
}

static int be_dumpable(struct probe_env *env)
{
	(void)env;
	return RESULT(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int new_namespace(struct probe_env *env)
{
	(void)env;
	return RESULT((int)syscall(SYS_unshare, CLONE_NEWUSER));
}

static int mount_something(struct probe_env *env)
{
	(void)env;
	return RESULT((int)syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, NULL));
}

static int load_bpf(struct probe_env *env)
{
	union bpf_attr attr;

	(void)env;
	memset(&attr, 0, sizeof(attr));
	attr.map_type = BPF_MAP_TYPE_ARRAY;
	attr.key_size = attr.value_size = 4;
	attr.max_entries = 1;
	return RESULT((int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)));
}

static int executable_memory(struct probe_env *env)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);

	(void)env;
	return p == MAP_FAILED ? -errno : 0;
}

static int make_executable(struct probe_env *env)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	(void)env;
	if (p == MAP_FAILED)
		return -errno;
	return RESULT(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

/* RLIMIT_DATA counts neither of these. */
static int shared_memory(struct probe_env *env)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		       0);

	(void)env;
	return p == MAP_FAILED ? -errno : 0;
}

static int stack_memory(struct probe_env *env)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);

	(void)env;
	return p == MAP_FAILED ? -errno : 0;
}

/* The 32-bit entry has other numbers: 20 is getpid there, writev here. */
static int other_abi(struct probe_env *env)
{
	long ret = 20;

	(void)env;
	__asm__ volatile("int $0x80" : "+a"(ret) : : "memory", "r8", "r9", "r10", "r11");
	return ret < 0 ? (int)ret : 0;
}

static int more_files(struct probe_env *env)
{
	struct rlimit r = {1 << 16, 1 << 16};

	(void)env;
	return RESULT(setrlimit(RLIMIT_NOFILE, &r));
}

/* ---- io_uring ---- */

static int raw_ring(struct probe_env *env)
{
	struct io_uring_params p;

	(void)env;
	memset(&p, 0, sizeof(p));
	return RESULT((int)syscall(SYS_io_uring_setup, 8, &p));
}

static struct io_uring_params ring_params; /* of env->ring */

/* One request on the worker's own ring: its result. */
static int submit(struct probe_env *env, struct io_uring_sqe *what)
{
	struct io_uring_params p;
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;

	p = ring_params;
	if (io_uring_queue_mmap(env->ring, &p, &ring))
		return -ENOMEM;
	sqe = io_uring_get_sqe(&ring);
	*sqe = *what;
	if (io_uring_submit_and_wait(&ring, 1) < 0)
		return -errno;
	if (io_uring_peek_cqe(&ring, &cqe))
		return -EIO;
	return cqe->res < 0 ? cqe->res : 0;
}

static int ring_open(struct probe_env *env, unsigned char flags)
{
	struct io_uring_sqe sqe;

	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_openat(&sqe, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
	sqe.flags = flags;
	return submit(env, &sqe);
}

static int ring_open_file(struct probe_env *env)
{
	return ring_open(env, 0);
}

static int ring_open_flagged(struct probe_env *env)
{
	return ring_open(env, IOSQE_FIXED_FILE) == -EACCES ? -EACCES : 0;
}

static int ring_socket(struct probe_env *env)
{
	struct io_uring_sqe sqe;

	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_rw(45 /* IORING_OP_SOCKET */, &sqe, AF_UNIX, NULL, 0, SOCK_STREAM);
	sqe.flags = IOSQE_FIXED_FILE;
	return submit(env, &sqe) == -EACCES ? -EACCES : 0;
}

static int ring_connect(struct probe_env *env)
{
	static struct sockaddr_un a = {.sun_family = AF_UNIX,
				       .sun_path = "/run/xenstored/socket"};
	struct io_uring_sqe sqe;

	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_connect(&sqe, 0, (struct sockaddr *)&a, sizeof(a));
	sqe.flags = IOSQE_FIXED_FILE;
	return submit(env, &sqe) == -EACCES ? -EACCES : 0;
}

static int ring_other_file(struct probe_env *env)
{
	struct io_uring_sqe sqe;
	char c;

	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_read(&sqe, env->readable, &c, 1, 0); /* not through the table */
	return submit(env, &sqe);
}

static int ring_own_file(struct probe_env *env)
{
	struct io_uring_sqe sqe;
	char c = 0;
	int rc;

	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_read(&sqe, 0, &c, 1, 0);
	sqe.flags = IOSQE_FIXED_FILE;
	rc = submit(env, &sqe);
	return rc ? rc : c == 'x' ? 0 : -EBADMSG;
}

static int ring_own_timeout(struct probe_env *env)
{
	struct __kernel_timespec ts = {0, 1000};
	struct io_uring_sqe sqe;
	int rc;

	memset(&sqe, 0, sizeof(sqe));
	io_uring_prep_timeout(&sqe, &ts, 0, 0);
	sqe.flags = IOSQE_FIXED_FILE;
	rc = submit(env, &sqe);
	return rc == -ETIME ? 0 : rc;
}

static int ring_register(struct probe_env *env, unsigned int op, void *arg,
			 unsigned int n)
{
	return RESULT((int)syscall(SYS_io_uring_register, env->ring, op, arg, n));
}

static int ring_unrestrict(struct probe_env *env)
{
	struct io_uring_restriction r;

	memset(&r, 0, sizeof(r));
	return ring_register(env, IORING_REGISTER_RESTRICTIONS, &r, 1);
}

static int ring_personality(struct probe_env *env)
{
	return ring_register(env, IORING_REGISTER_PERSONALITY, NULL, 0);
}

/* ---- event channels ---- */

/* Every port of domain 0 and of the next guest: none may be bound. */
static int bind_other_domain(struct probe_env *env)
{
	uint32_t others[] = {0, env->domid + 1}, port, i;

	for (i = 0; i < 2; i++)
		for (port = 1; port < 64; port++) {
			struct ioctl_evtchn_bind_interdomain bind = {others[i], port};

			if (ioctl(env->evtchn, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind) >= 0)
				return 0;
		}
	return -errno;
}

static int bind_virq(struct probe_env *env)
{
	struct ioctl_evtchn_bind_virq bind = {VIRQ_DEBUG};

	return RESULT(ioctl(env->evtchn, IOCTL_EVTCHN_BIND_VIRQ, &bind));
}

static int open_evtchn(struct probe_env *env)
{
	(void)env;
	return RESULT(open("/dev/xen/evtchn", O_RDWR));
}

static int any_ioctl(struct probe_env *env)
{
	int n;

	return RESULT(ioctl(env->readable, FIONREAD, &n));
}

/* ---- what a worker needs ---- */

static void *write_byte(void *arg)
{
	*(int *)arg = 1;
	return NULL;
}

static int make_thread(struct probe_env *env)
{
	pthread_t t;
	int done = 0, rc;

	(void)env;
	rc = pthread_create(&t, NULL, write_byte, &done);
	if (rc)
		return -rc;
	pthread_join(t, NULL);
	return done ? 0 : -EIO;
}

static int use_memory(struct probe_env *env)
{
	char *p = malloc(8 << 20);

	(void)env;
	if (!p)
		return -ENOMEM;
	memset(p, 1, 8 << 20);
	p = realloc(p, 16 << 20);
	free(p);
	return p ? 0 : -ENOMEM;
}

static int use_eventfd(struct probe_env *env)
{
	int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	uint64_t v;

	(void)env;
	if (fd < 0)
		return -errno;
	return read(fd, &v, sizeof(v)) == sizeof(v) && v == 1 ? RESULT(close(fd)) : -EIO;
}

static int use_stat(struct probe_env *env)
{
	struct stat st;

	return RESULT(fstat(env->readable, &st));
}

static int use_name(struct probe_env *env)
{
	(void)env;
	return RESULT(prctl(PR_SET_NAME, "probe", 0, 0, 0));
}

const struct probe probes[] = {
	{"open a file", open_file, false, true, false},
	{"open a file with openat2", open_by_syscall, false, true, false},
	{"stat a file", stat_file, false, true, false},
	{"open /proc/self/mem", open_proc, false, true, false},
	{"create a file", make_file, false, true, false},
	{"connect to xenstored", xenstore_socket, false, false, false},
	{"open xenstore's device", xenstore_device, false, false, false},
	{"make a socket", make_socket, false, true, false},
	{"run a program", run_program, false, true, false},
	{"make a process", make_process, false, true, false},
	{"trace another worker", trace_worker, false, true, false},
	{"read another worker's memory", read_worker, false, true, false},
	{"signal another worker", kill_worker, false, true, false},
	{"take another worker's descriptor", steal_descriptor, false, true, false},
	{"become root", become_root, false, true, false},
	{"become dumpable", be_dumpable, false, true, false},
	{"make a namespace", new_namespace, false, false, false},
	{"mount something", mount_something, false, false, false},
	{"use bpf", load_bpf, false, false, false},
	{"map executable memory", executable_memory, false, true, false},
	{"make memory executable", make_executable, false, true, false},
	{"use shared memory, without limit", shared_memory, false, true, false},
	{"use memory as a stack, without limit", stack_memory, false, true, false},
	{"use the 32-bit system calls", other_abi, false, false, false},
	{"raise a limit", more_files, false, false, false},
	{"make a raw io_uring", raw_ring, false, true, false},
	{"open a file through its io_uring", ring_open_file, false, false, false},
	{"the same, flagged as a fixed file", ring_open_flagged, false, false, false},
	{"make a socket through its io_uring", ring_socket, false, false, false},
	{"connect through its io_uring", ring_connect, false, false, false},
	{"read an unregistered file through its io_uring", ring_other_file, false, false,
	 false},
	{"lift its io_uring's restrictions", ring_unrestrict, false, false, false},
	{"register a personality", ring_personality, false, false, false},
	{"use an ioctl not on the list", any_ioctl, false, true, false},
	{"open the event channel device", open_evtchn, false, false, false},
	{"bind another domain's event channel", bind_other_domain, false, false, true},
	{"bind a virtual interrupt", bind_virq, false, false, true},
	{"make a thread", make_thread, true, true, false},
	{"use memory", use_memory, true, true, false},
	{"use an eventfd", use_eventfd, true, true, false},
	{"fstat a descriptor", use_stat, true, true, false},
	{"name a thread", use_name, true, true, false},
	{"read a registered file through its io_uring", ring_own_file, true, true, false},
	{"time out through its io_uring", ring_own_timeout, true, true, false},
};
const unsigned int nr_probes = sizeof(probes) / sizeof(probes[0]);

/* ---- the process ---- */

static int prepare(struct probe_env *env)
{
	int p[2];

	memset(&ring_params, 0, sizeof(ring_params));
	env->ring = sandbox_uring(8, &ring_params);
	if (env->ring < 0)
		return env->ring;
	if (pipe(p) || write(p[1], "xx", 2) != 2)
		return -errno;
	env->readable = p[0];
	if (syscall(SYS_io_uring_register, env->ring, IORING_REGISTER_FILES, p, 1) ||
	    syscall(SYS_io_uring_register, env->ring, IORING_REGISTER_ENABLE_RINGS, NULL,
		    0))
		return -errno;
	return 0;
}

static int enter(uint32_t uid)
{
	struct sandbox s = {uid, uid, 64, 32, 1ull << 30};

	return sandbox_enter(&s);
}

#define STATUS_FAILED 200

static void child(const struct probe *p, const struct probe_env *env, bool inside)
{
	struct probe_env e = *env;
	int rc;

	if (prepare(&e) || (inside && enter(env->uid)))
		_exit(STATUS_FAILED);
	rc = p->attempt(&e);
	_exit(rc < 0 ? (-rc < STATUS_FAILED ? -rc : 199) : 0);
}

enum probe_result probe_run(const struct probe *p, const struct probe_env *env,
			    bool inside, int *err)
{
	int pid = fork(), status;

	*err = 0;
	if (!pid)
		child(p, env, inside);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return PROBE_FAILED;
	if (WIFSIGNALED(status)) {
		*err = WTERMSIG(status);
		return PROBE_KILLED;
	}
	*err = WEXITSTATUS(status);
	return !*err                   ? PROBE_WORKED
	       : *err == STATUS_FAILED ? PROBE_FAILED
				       : PROBE_REFUSED;
}

int probe_bystander(uint32_t uid)
{
	int p[2], pid;
	char c;

	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		if (enter(uid) || write(p[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(p[1]);
	if (pid > 0 && read(p[0], &c, 1) != 1) {
		waitpid(pid, NULL, 0);
		pid = -1;
	}
	close(p[0]);
	return pid;
}
