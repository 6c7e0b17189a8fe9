/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The supervisor's side of the workers: starting, messages, time limits, death,
 * and finding those that a supervisor before us has started. A worker counts as
 * taken over: only answers that are due are believed, and one that says anything
 * else is killed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backends/common/supervisor_internal.h"

#define READY_LIMIT  30.  /* s: from its start until READY */
#define EXIT_LIMIT   10.  /* s: from EXIT until it has ended */
#define ADOPT_LIMIT  5000 /* ms: for the answers to HELLO */
#define MESSAGES_MAX 32   /* taken from one worker in one turn */

extern char **environ;

static void worker_free(struct guest_worker *w)
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

static void set_limit(struct guest_worker *w, ev_tstamp s)
{
	ev_timer_stop(w->s->loop, &w->limit);
	if (s <= 0.)
		return;
	ev_now_update(w->s->loop);
	ev_timer_set(&w->limit, s, 0.);
	ev_timer_start(w->s->loop, &w->limit);
}

static void file_name(const struct supervisor *s, uint32_t domid, const char *suffix,
		      char *out, size_t size)
{
	snprintf(out, size, "%s/worker-%u.%s", s->runtime_dir, domid, suffix);
}

/* Nobody shall find it there any more. */
static void remove_files(const struct supervisor *s, uint32_t domid)
{
	char path[256];

	file_name(s, domid, "sock", path, sizeof(path));
	unlink(path);
	file_name(s, domid, "pid", path, sizeof(path));
	unlink(path);
}

/* ---- ends ---- */

/* From here on it takes no device, and its name is free for a successor. */
static void retire(struct guest_worker *w)
{
	if (w->exiting)
		return;
	w->exiting = true;
	remove_files(w->s, w->domid);
}

static void hang_up(struct guest_worker *w)
{
	ev_io_stop(w->s->loop, &w->control_io);
	if (w->control >= 0)
		close(w->control);
	w->control = -1;
}

static void end_process(struct guest_worker *w)
{
	retire(w);
	hang_up(w);
	set_limit(w, 0.);
	if (syscall(SYS_pidfd_send_signal, w->pidfd, SIGKILL, NULL, 0) && errno != ESRCH)
		log_error("guest %u: cannot kill its worker: %s", w->domid,
			  strerror(errno));
}

void worker_kill(struct guest_worker *w)
{
	w->expected = true;
	end_process(w);
}

void worker_unused(struct guest_worker *w)
{
	struct device *d;

	for (d = w->s->devices; d; d = d->next)
		if (d->w == w)
			return;
	if (w->exiting || w->strays)
		return;
	retire(w);
	w->expected = true;
	if (worker_send(w, CONTROL_EXIT, NULL, NULL, 0, NULL, 0))
		worker_kill(w);
	else
		set_limit(w, EXIT_LIMIT);
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

/* It is dead: the kernel has released its grants and ports. */
static void on_death(struct ev_loop *loop, struct ev_io *io, int events)
{
	struct guest_worker *w = io->data;
	struct supervisor *s = w->s;
	siginfo_t si = {0};
	struct device *d;

	(void)loop;
	(void)events;
	if (w->child && waitid(P_PIDFD, (id_t)w->pidfd, &si, WEXITED | WNOHANG))
		log_warn("guest %u: waitid: %s", w->domid, strerror(errno));
	log_end(w, &si);
	retire(w);
	ev_io_stop(s->loop, &w->pid_io);
	for (d = s->devices; d; d = d->next)
		if (d->w == w)
			xenbus_lost(&d->x);
	worker_free(w);
	devices_settle(s);
}

static void on_limit(struct ev_loop *loop, struct ev_timer *t, int events)
{
	struct guest_worker *w = t->data;

	(void)loop;
	(void)events;
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
	w->strays--;
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
	if (p->nfds)
		return false;
	switch (p->head.type) {
	case CONTROL_READY:
		if (w->ready)
			return false;
		w->ready = true;
		if (!w->exiting)
			set_limit(w, 0.);
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
	} else if (rc && rc != -EAGAIN) {
		/* It is ending, and its pidfd will say so; or it has gone deaf. What it
		 * was killed by before stays its status. */
		end_process(w);
	}
	devices_settle(w->s);
}

/* ---- starting ---- */

static struct guest_worker *worker_new(struct supervisor *s, uint32_t domid)
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

static void start_watching(struct guest_worker *w)
{
	ev_io_set(&w->control_io, w->control, EV_READ);
	ev_io_set(&w->pid_io, w->pidfd, EV_READ);
	ev_io_start(w->s->loop, &w->control_io);
	ev_io_start(w->s->loop, &w->pid_io);
}

/* Where a later supervisor finds it. Descriptor or -errno. */
static int listen_socket(const struct supervisor *s, uint32_t domid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(s->runtime_dir) > sizeof(a.sun_path) - 32)
		return -ENAMETOOLONG;
	remove_files(s, domid);
	file_name(s, domid, "sock", a.sun_path, sizeof(a.sun_path));
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

	file_name(s, domid, "pid", path, sizeof(path));
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

	while (w && (w->domid != domid || w->exiting))
		w = w->next;
	return w;
}

struct guest_worker *worker_get(struct supervisor *s, uint32_t domid)
{
	struct guest_worker *w = worker_find(s, domid);
	int rc;

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
		remove_files(s, domid);
		worker_free(w);
		errno = -rc;
		return NULL;
	}
	start_watching(w);
	set_limit(w, READY_LIMIT);
	if (send_start(w)) {
		worker_kill(w); /* freed when it is dead */
		errno = EPIPE;
		return NULL;
	}
	return w;
}

/* ---- finding those of a supervisor before us ---- */

static int connect_to(const struct supervisor *s, uint32_t domid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(s->runtime_dir) > sizeof(a.sun_path) - 32)
		return -ENAMETOOLONG;
	file_name(s, domid, "sock", a.sun_path, sizeof(a.sun_path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/*
 * The process of our note, if it is still a worker of this guest: the number may
 * have gone to another process since, but the uid is no other's.
 */
static int find_process(const struct supervisor *s, uint32_t domid, int *pid)
{
	char path[256];
	struct stat st;
	FILE *f;
	int fd;

	file_name(s, domid, "pid", path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return -errno;
	if (fscanf(f, "%d", pid) != 1 || *pid <= 1)
		*pid = 0;
	fclose(f);
	if (!*pid)
		return -EINVAL;
	fd = (int)syscall(SYS_pidfd_open, *pid, 0);
	if (fd < 0)
		return -errno;
	/* /proc/PID/ns and such belong to root for an undumpable process; status tells.
	 */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/status", *pid, *pid);
	f = fopen(path, "re");
	st.st_uid = UINT32_MAX;
	while (f && fgets(path, sizeof(path), f))
		if (sscanf(path, "Uid: %u", &st.st_uid) == 1)
			break;
	if (f)
		fclose(f);
	if (st.st_uid == (s->o.keep_ids ? geteuid() : s->o.uid_base + domid))
		return fd;
	close(fd);
	return -ESRCH;
}

static int keep_found(struct guest_worker *w, struct control_packet *p)
{
	struct found *f;
	unsigned int i;

	if (p->nfds != 1 || w->nr_found >= FOUND_MAX)
		return -EPROTO;
	for (i = 0; i < w->nr_found; i++)
		if (w->found[i].devid == p->head.devid)
			return -EPROTO;
	f = realloc(w->found, (w->nr_found + 1) * sizeof(*f));
	if (!f)
		return -ENOMEM;
	w->found = f;
	f[w->nr_found++] = (struct found){p->head.devid, p->head.cookie, p->fds[0]};
	p->fds[0] = -1;
	return 0;
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * Its answer to HELLO: a device a message, then READY. Other messages may be older.
 * There is time until @end for all of it: nobody else is served meanwhile.
 */
static int hear_hello(struct guest_worker *w, long end)
{
	long wait;
	struct pollfd pfd = {.fd = w->control, .events = POLLIN};
	struct control_packet *p = w->s->packet;
	unsigned int left = FOUND_MAX + 64;
	int rc;

	while (left--) {
		rc = control_recv(w->control, p);
		if (rc == -EAGAIN) {
			wait = end - now_ms();
			if (wait <= 0 || poll(&pfd, 1, (int)wait) <= 0)
				return -ETIMEDOUT;
			left++; /* that was no message */
			continue;
		}
		if (rc)
			return rc;
		if (p->head.type == CONTROL_ATTACHED)
			rc = keep_found(w, p);
		control_close_fds(p);
		if (rc || p->head.type == CONTROL_READY)
			return rc;
	}
	return -EPROTO;
}

static void kill_silent(struct guest_worker *w, int err)
{
	log_error("guest %u: worker %d does not answer (%s); killed", w->domid, w->pid,
		  strerror(-err));
	worker_kill(w);
}

/* Say HELLO to it; its answer is heard when all have been greeted. */
static void greet(struct supervisor *s, uint32_t domid)
{
	struct guest_worker *w = worker_new(s, domid);
	struct control_msg hello = {.type = CONTROL_HELLO};
	int rc;

	if (!w)
		return;
	w->control = rc = connect_to(s, domid);
	if (rc < 0) { /* nobody listens: it has ended */
		remove_files(s, domid);
		worker_free(w);
		return;
	}
	w->pidfd = find_process(s, domid, &w->pid);
	if (w->pidfd < 0) {
		log_error("guest %u: a worker listens, but which process it is cannot be "
			  "told",
			  domid);
		worker_free(w);
		return;
	}
	w->ready = true;
	start_watching(w);
	rc = control_send(w->control, &hello, NULL, 0, NULL, 0);
	if (rc)
		kill_silent(w, rc);
}

/* One time limit for all: who answers has done so while another was waited for. */
static void hear_all(struct supervisor *s)
{
	long end = now_ms() + ADOPT_LIMIT;
	struct guest_worker *w;
	int rc;

	for (w = s->workers; w; w = w->next) {
		if (w->exiting)
			continue;
		rc = hear_hello(w, end);
		if (rc)
			kill_silent(w, rc);
		else
			log_info("guest %u: found worker %d with %u devices", w->domid,
				 w->pid, w->nr_found);
	}
}

void workers_adopt(struct supervisor *s)
{
	DIR *dir = opendir(s->runtime_dir);
	struct dirent *e;
	unsigned int domid;
	int end;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		end = 0;
		if (sscanf(e->d_name, "worker-%u.sock%n", &domid, &end) == 1 && end &&
		    !e->d_name[end] && !worker_find(s, domid))
			greet(s, domid);
	}
	closedir(dir);
	hear_all(s);
}

void workers_drop_strays(struct supervisor *s)
{
	struct guest_worker *w;
	struct control_msg m;
	unsigned int i;

	for (w = s->workers; w; w = w->next) {
		for (i = 0; i < w->nr_found; i++) {
			if (w->found[i].state_fd < 0)
				continue;
			log_info("guest %u %s %u: its directory is gone; detached",
				 w->domid, s->class->type, w->found[i].devid);
			close(w->found[i].state_fd);
			w->found[i].state_fd = -1;
			m = (struct control_msg){.type = CONTROL_DETACH,
						 .devid = w->found[i].devid,
						 .cookie = w->found[i].cookie};
			if (w->control >= 0 &&
			    !control_send(w->control, &m, NULL, 0, NULL, 0))
				w->strays++;
		}
		free(w->found);
		w->found = NULL;
		w->nr_found = 0;
		worker_unused(w);
	}
}

void workers_free(struct supervisor *s)
{
	while (s->workers)
		worker_free(s->workers);
}
