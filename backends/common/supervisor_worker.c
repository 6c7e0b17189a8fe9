/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The supervisor's side of the workers: starting, messages, time limits, death.
 * A worker counts as taken over: only answers that are due are believed, and one
 * that says anything else is killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backends/common/supervisor_internal.h"

#define READY_LIMIT  30. /* s: from its start until READY */
#define EXIT_LIMIT   10. /* s: from EXIT until it has ended */
#define LINGER       2.5 /* s: without a device, while its guest lives */
#define HOLD_LIMIT   10. /* s: after its death, until its I/O has ended */
#define HOLD_FORCED  1.  /* the same when libxl waits: 4 s and 4.5 s, or 8.5 s, and this */
#define HOLD_LOOK    .02 /* s: between looks */
#define MESSAGES_MAX 32  /* taken from one worker in one turn */

extern char **environ;

void worker_free(struct guest_worker *w)
{
	struct ev_loop *loop = w->s->loop;
	struct guest_worker **p = &w->s->workers;
	unsigned int i;

	while (*p && *p != w)
		p = &(*p)->next;
	if (*p)
		*p = w->next;
	ev_io_stop(loop, &w->control_io);
	ev_io_stop(loop, &w->pid_io);
	ev_timer_stop(loop, &w->limit);
	for (i = 0; i < w->nr_found; i++)
		if (w->found[i].state_fd >= 0)
			close(w->found[i].state_fd);
	free(w->found);
	if (w->control >= 0)
		close(w->control);
	if (w->pidfd >= 0)
		close(w->pidfd);
	free(w);
}

void worker_limit(struct guest_worker *w, ev_tstamp s)
{
	ev_timer_stop(w->s->loop, &w->limit);
	if (s <= 0.)
		return;
	ev_now_update(w->s->loop);
	ev_timer_set(&w->limit, s, 0.);
	ev_timer_start(w->s->loop, &w->limit);
}

void worker_file(const struct supervisor *s, uint32_t domid, const char *suffix,
		 char *out, size_t size)
{
	snprintf(out, size, "%s/worker-%u.%s", s->runtime_dir, domid, suffix);
}

/* Nobody shall find it there any more. */
void worker_remove_files(const struct supervisor *s, uint32_t domid)
{
	char path[256];

	worker_file(s, domid, "sock", path, sizeof(path));
	unlink(path);
	worker_file(s, domid, "pid", path, sizeof(path));
	unlink(path);
}

/* ---- ends ---- */

/* From here on it takes no device, and its name is free for a successor. */
static void retire(struct guest_worker *w)
{
	if (w->exiting)
		return;
	w->exiting = true;
	worker_remove_files(w->s, w->domid);
}

void worker_hang_up(struct guest_worker *w)
{
	ev_io_stop(w->s->loop, &w->control_io);
	if (w->control >= 0)
		close(w->control);
	w->control = -1;
}

static void end_process(struct guest_worker *w)
{
	retire(w);
	worker_hang_up(w);
	worker_limit(w, 0.);
	if (w->pidfd < 0)
		return;
	if (syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0) && errno != ESRCH)
		log_error("guest %u: cannot kill its worker: %s", w->domid,
			  strerror(errno));
}

void worker_kill(struct guest_worker *w)
{
	if (w->died > 0.)
		return; /* its devices learn of it in time */
	w->expected = true;
	end_process(w);
}

static void dismiss(struct guest_worker *w)
{
	retire(w);
	w->expected = true;
	if (worker_send(w, CONTROL_EXIT, NULL, NULL, 0, NULL, 0))
		worker_kill(w);
	else
		worker_limit(w, EXIT_LIMIT);
}

void worker_unused(struct guest_worker *w)
{
	struct device *d;

	for (d = w->s->devices; d; d = d->next)
		if (d->w == w)
			return;
	if (w->exiting || (w->strays && !w->strays_late))
		return;
	if (w->strays) {
		worker_kill(w);
		return;
	}
	/* A frontend that comes again soon finds it; starting one costs a lot. */
	if (w->ready && w->control >= 0 &&
	    w->s->store->ops->domain_alive(w->s->store, w->domid)) {
		w->idle = true;
		worker_limit(w, w->s->o.linger_ms ? w->s->o.linger_ms / 1000. : LINGER);
		return;
	}
	dismiss(w);
}

static void log_end(const struct guest_worker *w, const siginfo_t *si)
{
	if (w->child && si->si_code == CLD_EXITED && !si->si_status && w->expected)
		log_debug("guest %u: worker %d ended", w->domid, w->pid);
	else if (w->child && si->si_code == CLD_EXITED)
		log_error("guest %u: worker %d ended with status %d", w->domid, w->pid,
			  si->si_status);
	else if (w->child && !(w->expected && si->si_status == SIGKILL))
		log_error("guest %u: worker %d killed by signal %d (%s)%s", w->domid,
			  w->pid, si->si_status, strsignal(si->si_status),
			  si->si_status == SIGSYS ? ": it made a forbidden system call"
						  : "");
	else if (!w->child && !w->expected)
		log_error("guest %u: worker %d has ended", w->domid, w->pid);
}

/* Nothing that it has begun may be on its way any more: its devices learn of its end. */
static void bury(struct guest_worker *w)
{
	struct supervisor *s = w->s;
	bool unheard = w->unheard;
	uint32_t domid = w->domid;
	struct device *d;

	for (d = s->devices; d; d = d->next)
		if (d->w == w)
			xenbus_lost(&d->x);
	worker_free(w);
	if (unheard)
		devices_rescan(s, domid);
	devices_settle(s);
}

/* The first of its devices whose image may still be written to, or NULL. */
static struct device *still_busy(const struct guest_worker *w)
{
	struct device *d;

	for (d = w->s->devices; d; d = d->next)
		if (d->w == w && d->be.class->busy && d->x.probed &&
		    d->be.class->busy(&d->be))
			return d;
	return NULL;
}

/* libxl waits for those that are detaching; a guest that lives had better wait. */
static ev_tstamp hold_limit(const struct guest_worker *w)
{
	const struct device *d;

	for (d = w->s->devices; d; d = d->next)
		if (d->w == w && d->x.phase == XENBUS_DETACHING)
			return HOLD_FORCED;
	return HOLD_LIMIT;
}

/*
 * The end of a process does not wait for its io_uring's I/O, and Closed says that
 * the image is at rest.
 */
static void hold_or_bury(struct guest_worker *w)
{
	struct device *d = still_busy(w);

	if (d && ev_time() - w->died < hold_limit(w)) {
		worker_limit(w, HOLD_LOOK);
		return;
	}
	if (d)
		log_warn("guest %u %s %u: I/O of its ended worker may still be under way",
			 w->domid, w->s->class->type, d->be.devid);
	bury(w);
}

/* It is dead: the kernel has released its grants and ports. */
static void on_death(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct guest_worker *w = io->data;
	struct supervisor *s = w->s;
	siginfo_t si = {0};

	(void)loop;
	(void)events;
	if (w->child && waitid(P_PIDFD, (id_t)w->pidfd, &si, WEXITED | WNOHANG))
		log_warn("guest %u: waitid: %s", w->domid, strerror(errno));
	log_end(w, &si);
	retire(w);
	worker_hang_up(w);
	ev_io_stop(s->loop, &w->pid_io);
	w->died = ev_time();
	hold_or_bury(w);
}

/* It never let go of what nobody claimed: that ends with it, but not other devices. */
static void strays_late(struct guest_worker *w)
{
	log_error("guest %u: worker %d does not let go of %u devices", w->domid, w->pid,
		  w->strays);
	w->strays_late = true;
	worker_unused(w);
}

static void on_limit(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct guest_worker *w = t->data;
	struct supervisor *s = w->s;

	(void)loop;
	(void)events;
	if (w->died > 0.) {
		hold_or_bury(w);
		return;
	}
	if (w->unheard) {
		worker_still_unheard(w);
		devices_settle(s);
		return;
	}
	if (w->strays && !w->exiting) {
		strays_late(w);
		return;
	}
	if (w->idle && !w->exiting) {
		dismiss(w);
		return;
	}
	log_error("guest %u: worker %d did not %s in time; killed", w->domid, w->pid,
		  w->exiting ? "end" : "start");
	worker_kill(w);
}

/* ---- messages ---- */

int worker_send(struct guest_worker *w, enum control_type type, struct device *d,
		const void *payload, size_t size, const int *fds, unsigned int nfds)
{
	struct control_msg m = {.type = (uint16_t)type};

	if (w->control < 0)
		return -EPIPE;
	if (d) {
		m.devid = d->be.devid;
		m.cookie = d->cookie;
	}
	return control_send(w->control, &m, payload, size, fds, nfds);
}

int worker_limit_files(const struct guest_worker *w, uint64_t bytes)
{
	struct rlimit r;

	/* Its filter does not let it change the soft limit. */
	if (prlimit(w->pid, RLIMIT_FSIZE, NULL, &r))
		return -1;
	r.rlim_cur = bytes < r.rlim_max ? bytes : r.rlim_max;
	return prlimit(w->pid, RLIMIT_FSIZE, &r, NULL);
}

/* The device that @m is about, if it is this worker's and of this attachment. */
static struct device *device_of(struct guest_worker *w, const struct control_msg *m)
{
	struct device *d = device_find(w->s, w->domid, m->devid);

	return d && d->w == w && d->cookie == m->cookie ? d : NULL;
}

static bool take_broken(struct guest_worker *w, struct control_packet *p)
{
	struct device *d = device_find(w->s, w->domid, p->head.devid);

	if (!d || d->w != w)
		return w->strays; /* of one that it was told to let go of */
	if (d->told_broken)
		return true; /* a second queue noticed it too */
	d->told_broken = true;
	log_guest(&d->be.log_limit, LOG_LEVEL_ERROR, "guest %u %s %u: %.200s",
		  d->be.domid, d->be.class->type, d->be.devid, (const char *)p->payload);
	xenbus_broken(&d->x);
	return true;
}

static bool take_detached(struct guest_worker *w, const struct control_msg *m)
{
	struct device *d = device_of(w, m);

	if (d && d->expect_detached && !d->expect_attached) {
		d->expect_detached = false;
		xenbus_detached(&d->x);
		return true;
	}
	if (d || !w->strays)
		return false;
	if (!--w->strays)
		worker_limit(w, 0.);
	worker_unused(w);
	return true;
}

static bool take_attached(struct guest_worker *w, const struct control_msg *m)
{
	struct device *d = device_of(w, m);

	if (!d || !d->expect_attached)
		return false;
	d->expect_attached = false;
	xenbus_attached(&d->x, m->status > 0 || m->status < -4095 ? -EIO : m->status);
	return true;
}

/* False: it said what nobody asked. */
static bool take(struct guest_worker *w, struct control_packet *p)
{
	if (w->unheard)
		return worker_hear(w, p);
	if (p->nfds)
		return false;
	switch (p->head.type) {
	case CONTROL_READY:
		if (w->ready)
			return false;
		w->ready = true;
		if (!w->exiting)
			worker_limit(w, 0.);
		log_debug("guest %u: worker %d is ready", w->domid, w->pid);
		return true;
	case CONTROL_ATTACHED:
		return take_attached(w, &p->head);
	case CONTROL_DETACHED:
		return take_detached(w, &p->head);
	case CONTROL_BROKEN:
		return take_broken(w, p);
	case CONTROL_LOG:
		log_guest(&w->log_limit,
			  p->head.status <= LOG_LEVEL_ERROR  ? LOG_LEVEL_ERROR
			  : p->head.status <= LOG_LEVEL_WARN ? LOG_LEVEL_WARN
			  : p->head.status <= LOG_LEVEL_INFO ? LOG_LEVEL_INFO
							     : LOG_LEVEL_DEBUG,
			  "guest %u: %.400s", w->domid, (const char *)p->payload);
		return true;
	}
	return false;
}

static void on_message(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct guest_worker *w = io->data;
	struct control_packet *p = w->s->packet;
	bool fine = true;
	int i, rc = 0;

	(void)loop;
	(void)events;
	for (i = 0; i < MESSAGES_MAX && fine && w->control >= 0; i++) {
		rc = control_recv(w->control, p);
		if (rc)
			break;
		fine = take(w, p);
		control_close_fds(p);
	}
	if (!fine || rc == -EPROTO) {
		log_error("guest %u: worker %d sent nonsense (message %u); killed",
			  w->domid, w->pid, p->head.type);
		worker_kill(w);
	} else if (rc && rc != -EAGAIN && w->unheard) {
		worker_hang_up(w); /* looked for again */
	} else if (rc && rc != -EAGAIN) {
		/* It is ending, and its pidfd will say so; or it has gone deaf. What it
		 * was killed by before stays its status. */
		end_process(w);
	}
	devices_settle(w->s);
}

/* ---- starting ---- */

struct guest_worker *worker_new(struct supervisor *s, uint32_t domid)
{
	struct guest_worker *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->s = s;
	w->domid = domid;
	w->control = w->pidfd = -1;
	ev_io_init(&w->control_io, on_message, -1, EV_READ);
	ev_io_init(&w->pid_io, on_death, -1, EV_READ);
	ev_timer_init(&w->limit, on_limit, 0., 0.);
	w->control_io.data = w->pid_io.data = w->limit.data = w;
	w->next = s->workers;
	s->workers = w;
	return w;
}

static void watch_fd(struct supervisor *s, struct ev_io *io, int fd)
{
	if (fd < 0 || ev_is_active(io))
		return;
	ev_io_set(io, fd, EV_READ);
	ev_io_start(s->loop, io);
}

void worker_watch(struct guest_worker *w)
{
	watch_fd(w->s, &w->control_io, w->control);
	watch_fd(w->s, &w->pid_io, w->pidfd);
}

/* Where a later supervisor finds it. Descriptor or -errno. */
static int listen_socket(const struct supervisor *s, uint32_t domid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(s->runtime_dir) > sizeof(a.sun_path) - 32)
		return -ENAMETOOLONG;
	worker_remove_files(s, domid);
	worker_file(s, domid, "sock", a.sun_path, sizeof(a.sun_path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!bind(fd, (struct sockaddr *)&a, sizeof(a)) && !chmod(a.sun_path, 0600) &&
	    !listen(fd, 4))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static void write_pid(const struct supervisor *s, uint32_t domid, int pid)
{
	char path[256], text[32];
	int fd, n = snprintf(text, sizeof(text), "%d\n", pid);

	worker_file(s, domid, "pid", path, sizeof(path));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, (size_t)n) != n)
		log_warn("%s: %s: a new supervisor will not find this worker", path,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
}

/*
 * fork() would copy a process with threads (libxenstore has one); posix_spawn()
 * runs only safe calls in between. Every descriptor of ours is close-on-exec.
 */
static int spawn(struct supervisor *s, uint32_t domid, int control, int listener,
		 int *pid)
{
	char name[64];
	char *argv[] = {name, (char[]){"--worker"}, NULL};
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int rc;

	/* for ps(1) */
	snprintf(name, sizeof(name), "%s: guest %u", s->class->name, domid);
	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawn_file_actions_init(&fa);
	if (rc)
		return -rc;
	rc = posix_spawnattr_init(&attr);
	if (rc)
		goto out_actions;
	if ((rc = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDWR, 0)) ||
	    (rc = posix_spawn_file_actions_adddup2(&fa, 0, 1)) ||
	    (rc = posix_spawn_file_actions_adddup2(&fa, control, 3)) ||
	    (rc = posix_spawn_file_actions_adddup2(&fa, listener, 4)) ||
	    (rc = posix_spawnattr_setsigmask(&attr, &none)) ||
	    (rc = posix_spawnattr_setsigdefault(&attr, &all)) ||
	    (rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID |
							  POSIX_SPAWN_SETSIGMASK |
							  POSIX_SPAWN_SETSIGDEF)))
		goto out;
	rc = posix_spawn(pid, s->o.worker_exe ? s->o.worker_exe : "/proc/self/exe", &fa,
			 &attr, argv, environ);
out:
	posix_spawnattr_destroy(&attr);
out_actions:
	posix_spawn_file_actions_destroy(&fa);
	return -rc;
}

/* Out of the way of 3 and 4, which the child gets. Takes @fd; descriptor or -errno. */
static int move_up(int fd)
{
	int up;

	if (fd < 0)
		return fd;
	up = fcntl(fd, F_DUPFD_CLOEXEC, 10);
	if (up < 0)
		up = -errno;
	close(fd);
	return up;
}

static int start_process(struct guest_worker *w)
{
	struct supervisor *s = w->s;
	int pair[2], listener, child, rc;

	listener = move_up(listen_socket(s, w->domid));
	if (listener < 0)
		return listener;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair)) {
		rc = -errno;
		goto out_listener;
	}
	w->control = pair[0];
	child = move_up(pair[1]);
	if (child < 0) {
		rc = child;
		goto out_listener;
	}
	rc = spawn(s, w->domid, child, listener, &w->pid);
	close(child);
	if (rc)
		goto out_listener;
	w->child = true;
	w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
	if (w->pidfd < 0) {
		rc = -errno;
		kill(w->pid, SIGKILL); /* not reaped yet, so the number is still its */
		waitpid(w->pid, NULL, 0);
		goto out_listener;
	}
	write_pid(s, w->domid, w->pid);
out_listener:
	close(listener);
	return rc;
}

static int send_start(struct guest_worker *w)
{
	const struct supervisor *s = w->s;
	struct control_start start = {.domid = w->domid, .log_level = s->o.log_level};

	if (!s->o.keep_ids)
		start.uid = start.gid = s->o.uid_base + w->domid;
	return worker_send(w, CONTROL_START, NULL, &start, sizeof(start), NULL, 0);
}

struct guest_worker *worker_find(struct supervisor *s, uint32_t domid)
{
	struct guest_worker *w = s->workers;

	while (w && (w->domid != domid || w->exiting || w->unheard))
		w = w->next;
	return w;
}

struct guest_worker *worker_get(struct supervisor *s, uint32_t domid)
{
	struct guest_worker *w = worker_find(s, domid);
	int rc;

	if (w && w->idle) {
		w->idle = false;
		worker_limit(w, 0.);
	}
	if (w)
		return w;
	w = worker_new(s, domid);
	if (!w) {
		errno = ENOMEM;
		return NULL;
	}
	rc = start_process(w);
	if (rc) {
		log_error("guest %u: cannot start a worker: %s", domid, strerror(-rc));
		worker_remove_files(s, domid);
		worker_free(w);
		errno = -rc;
		return NULL;
	}
	worker_watch(w);
	worker_limit(w, READY_LIMIT);
	if (send_start(w)) {
		worker_kill(w); /* freed when it is dead */
		errno = EPIPE;
		return NULL;
	}
	return w;
}

void workers_free(struct supervisor *s)
{
	while (s->workers)
		worker_free(s->workers);
}
