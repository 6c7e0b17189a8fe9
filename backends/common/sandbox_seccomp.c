/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The system calls a worker may make. Three answers:
 * - allowed: what the data path, threads and the control socket need;
 * - kill: what no library calls by accident and what an attacker needs to get
 *   further (execve, ptrace, io_uring_setup, mount, setuid, ...);
 * - EPERM: everything else, so that a C library which tries something new
 *   degrades instead of taking a guest's disks away.
 *
 * Cost: Linux caches per filter which calls are allowed whatever their arguments
 * (5.11 and later) and then runs no BPF. So the data path's calls have no
 * argument checks, but for ioctl, which comes first in the program.
 */
#include "backends/common/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xen/xen.h>
#include <xen/sys/evtchn.h>
#include <xen/sys/gntalloc.h>
#include <xen/sys/gntdev.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const int allowed[] = {
	/* data path */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(preadv),
	SCMP_SYS(pwritev),
	SCMP_SYS(preadv2),
	SCMP_SYS(pwritev2),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fallocate),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(lseek),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_setup),
	SCMP_SYS(io_destroy),
	SCMP_SYS(io_submit),
	SCMP_SYS(io_getevents),
	SCMP_SYS(io_pgetevents),
	SCMP_SYS(io_cancel),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	/* sockets it was handed */
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	/* memory */
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(brk),
	SCMP_SYS(madvise),
	/* threads, time, signals of its own */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(sched_setaffinity),
	SCMP_SYS(nanosleep),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getcpu),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(getrandom),
	SCMP_SYS(membarrier),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* descriptors it has */
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(dup3), /* a CD-ROM's disc is changed */
	SCMP_SYS(fstat),
};

/* Never called by accident: end the process. */
static const int deadly[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(ptrace),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsmount),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(setuid),
	SCMP_SYS(setgid),
	SCMP_SYS(setreuid),
	SCMP_SYS(setregid),
	SCMP_SYS(setresuid),
	SCMP_SYS(setresgid),
	SCMP_SYS(setgroups),
	SCMP_SYS(capset),
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal),
	SCMP_SYS(kcmp),
	SCMP_SYS(swapon),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
};

static const unsigned long ioctls[] = {
	IOCTL_GNTDEV_GRANT_COPY,
	IOCTL_GNTDEV_MAP_GRANT_REF,
	IOCTL_GNTDEV_UNMAP_GRANT_REF,
	IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR,
	IOCTL_GNTDEV_SET_MAX_GRANTS,
	IOCTL_GNTALLOC_ALLOC_GREF, /* pools of grants_pool() */
	IOCTL_GNTALLOC_DEALLOC_GREF,
	IOCTL_EVTCHN_NOTIFY,
	IOCTL_EVTCHN_BIND_INTERDOMAIN,
	IOCTL_EVTCHN_UNBIND,
	TUNSETOFFLOAD,
	BLKGETSIZE64,
	BLKSECTGET,
	BLKDISCARD,
	BLKSECDISCARD,
	BLKZEROOUT,
};

static const unsigned int uring_registers[] = {
	IORING_REGISTER_BUFFERS,      IORING_UNREGISTER_BUFFERS,
	IORING_REGISTER_FILES,        IORING_UNREGISTER_FILES,
	IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_ENABLE_RINGS,
	IORING_REGISTER_RING_FDS,     IORING_UNREGISTER_RING_FDS,
};

static const unsigned int fcntls[] = {
	F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GET_SEALS,
};

/* Namespaces of one's own would be new kernel surface; a fork would be a new process. */
#define CLONE_NAMESPACES                                                                 \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |   \
	 CLONE_NEWPID | CLONE_NEWNET)

static struct scmp_arg_cmp is(unsigned int argument, scmp_datum_t value)
{
	return (struct scmp_arg_cmp){argument, SCMP_CMP_EQ, value, 0};
}

static int allow_lists(scmp_filter_ctx c)
{
	unsigned int i;
	int rc = 0;

	for (i = 0; i < COUNT(ioctls) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      is(1, (unsigned int)ioctls[i]));
	for (i = 0; i < COUNT(uring_registers) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(io_uring_register), 1,
				      is(1, uring_registers[i]));
	for (i = 0; i < COUNT(fcntls) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				      is(1, fcntls[i]));
	for (i = 0; i < COUNT(allowed) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
	for (i = 0; i < COUNT(deadly) && !rc; i++)
		rc = seccomp_rule_add(c, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	return rc;
}

static int allow_with_arguments(scmp_filter_ctx c)
{
	int rc;

	/*
	 * Memory, but never executable; nor shared without a file, nor growing like a
	 * stack, since RLIMIT_DATA leaves out both.
	 */
	rc = seccomp_rule_add(
		c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
		SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_TYPE | MAP_GROWSDOWN, MAP_PRIVATE));
	if (!rc)
		rc = seccomp_rule_add(
			c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 2,
			SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
			SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS | MAP_GROWSDOWN, 0));
	if (!rc)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	/* Threads, but no processes. glibc falls back to clone() when clone3() is not
	 * there; clone3()'s flags lie in memory, where a filter cannot look. */
	if (!rc)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				      SCMP_A0(SCMP_CMP_MASKED_EQ,
					      CLONE_THREAD | CLONE_NAMESPACES,
					      CLONE_THREAD));
	if (!rc)
		rc = seccomp_rule_add(c, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	/* abort() and pthread_kill() */
	if (!rc)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				      is(0, (scmp_datum_t)getpid()));
	/* Who has connected to the control socket. */
	if (!rc)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(getsockopt), 2,
				      is(1, SOL_SOCKET), is(2, SO_PEERCRED));
	if (!rc)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				      is(0, PR_SET_NAME));
	/* fstat() of glibc 2.33 and later; the path is not seen here, but the root is
	 * empty. */
	if (!rc)
		rc = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				      is(3, AT_EMPTY_PATH));
	return rc;
}

int sandbox_seccomp(void)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int rc;

	if (!c)
		return -ENOMEM;
	rc = seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!rc)
		rc = seccomp_attr_set(c, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!rc)
		rc = seccomp_syscall_priority(c, SCMP_SYS(ioctl), 255);
	if (!rc)
		rc = seccomp_syscall_priority(c, SCMP_SYS(io_uring_enter), 254);
	if (!rc)
		rc = seccomp_syscall_priority(c, SCMP_SYS(read), 253);
	if (!rc)
		rc = seccomp_syscall_priority(c, SCMP_SYS(write), 253);
	if (!rc)
		rc = allow_lists(c);
	if (!rc)
		rc = allow_with_arguments(c);
	if (!rc)
		rc = seccomp_load(c);
	seccomp_release(c);
	return rc;
}
