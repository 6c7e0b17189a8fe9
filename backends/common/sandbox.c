/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A worker's way down: restricted io_urings, limits, an empty root directory,
 * an unprivileged uid. seccomp is in sandbox_seccomp.c.
 *
 * What remains to a worker that its guest has taken over: the descriptors it was
 * handed, its control socket, and gntdev, which Linux cannot restrict to one
 * domain: it may map and copy what ANY guest has granted to this domain. With an
 * AF_PACKET port it may also send on other interfaces, since sendmsg() takes an
 * address. Both are stated in the manual pages.
 */
#include "backends/common/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <linux/io_uring.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

int sandbox_close_others(unsigned int first)
{
	return syscall(SYS_close_range, first, ~0u, 0) ? -errno : 0;
}

static const unsigned char uring_ops[] = {
	IORING_OP_NOP,          IORING_OP_READ,        IORING_OP_READV,
	IORING_OP_WRITE,        IORING_OP_WRITEV,      IORING_OP_READ_FIXED,
	IORING_OP_WRITE_FIXED,  IORING_OP_FSYNC,       IORING_OP_FALLOCATE,
	IORING_OP_POLL_ADD,     IORING_OP_POLL_REMOVE, IORING_OP_TIMEOUT,
	IORING_OP_ASYNC_CANCEL,
};

static const unsigned char uring_register_ops[] = {
	IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_FILES,
	IORING_UNREGISTER_FILES,      IORING_REGISTER_FILES_UPDATE,
	IORING_REGISTER_BUFFERS,      IORING_UNREGISTER_BUFFERS,
	IORING_REGISTER_RING_FDS,     IORING_UNREGISTER_RING_FDS,
};

static int uring_restrict(int fd)
{
	struct io_uring_restriction r[COUNT(uring_ops) + COUNT(uring_register_ops) + 2];
	unsigned int n = 0, i;

	memset(r, 0, sizeof(r));
	for (i = 0; i < COUNT(uring_ops); i++, n++) {
		r[n].opcode = IORING_RESTRICTION_SQE_OP;
		r[n].sqe_op = uring_ops[i];
	}
	for (i = 0; i < COUNT(uring_register_ops); i++, n++) {
		r[n].opcode = IORING_RESTRICTION_REGISTER_OP;
		r[n].register_op = uring_register_ops[i];
	}
	/*
	 * Linux checks the flag before it looks at the operation, and ignores it where
	 * there is no file: so it can be asked of timeouts and cancels too.
	 */
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_REQUIRED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE;
	r[n].opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
	r[n++].sqe_flags = IOSQE_FIXED_FILE | IOSQE_IO_LINK | IOSQE_IO_HARDLINK |
			   IOSQE_IO_DRAIN | IOSQE_ASYNC | IOSQE_CQE_SKIP_SUCCESS;
	return syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, r, n)
		       ? -errno
		       : 0;
}

int sandbox_uring(unsigned int entries, struct io_uring_params *p)
{
	int fd, rc;

	p->flags |= IORING_SETUP_R_DISABLED;
	fd = (int)syscall(SYS_io_uring_setup, entries, p);
	if (fd < 0)
		return -errno;
	rc = uring_restrict(fd);
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

static int limit(__rlimit_resource_t what, rlim_t value)
{
	struct rlimit r;

	/* At most @value: who started us may have set less. */
	if (getrlimit(what, &r))
		return -errno;
	if (value < r.rlim_max)
		r.rlim_max = value;
	r.rlim_cur = r.rlim_max;
	return setrlimit(what, &r) ? -errno : 0;
}

static int set_limits(const struct sandbox *s)
{
	int rc = limit(RLIMIT_CORE, 0);

	if (!rc)
		rc = limit(RLIMIT_NOFILE, s->files);
	if (!rc)
		rc = limit(RLIMIT_NPROC, s->threads);
	if (!rc)
		rc = limit(RLIMIT_MSGQUEUE, 0);
	if (!rc && s->data && !SANDBOX_SANITIZED)
		rc = limit(RLIMIT_DATA, s->data);
	return rc;
}

/*
 * An empty, read-only root. In a mount namespace of its own, so that any directory
 * will do to mount it on; /run is where our runtime directory is. pivot_root()
 * lets go of the old tree, but does not work where the root is an initramfs: there
 * chroot() has to do, which holds because nobody here can open a directory.
 */
static int empty_root(void)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=2,mode=755") ||
	    mount(NULL, "/run", NULL,
		  MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) ||
	    chdir("/run"))
		return -errno;
	if (!syscall(SYS_pivot_root, ".", ".")) {
		if (umount2(".", MNT_DETACH))
			return -errno;
	} else if (chroot(".")) {
		return -errno;
	}
	return chdir("/") ? -errno : 0;
}

static int drop_ids(const struct sandbox *s)
{
	if (setgroups(0, NULL) || setresgid(s->gid, s->gid, s->gid) ||
	    setresuid(s->uid, s->uid, s->uid))
		return -errno;
	/* Trust nothing: there must be no way back. */
	return setuid(0) == 0 || getuid() != s->uid || geteuid() != s->uid ? -EPERM : 0;
}

int sandbox_enter(const struct sandbox *s)
{
	int rc = set_limits(s);

	if (rc)
		return rc;
	if (s->uid) {
		if (unshare(CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET))
			return -errno;
		rc = empty_root();
		if (!rc)
			rc = drop_ids(s);
		if (rc)
			return rc;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return sandbox_seccomp();
}
