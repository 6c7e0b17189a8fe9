/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Workers that a supervisor before us has started: found through their sockets,
 * known by their notes and uids, asked what they serve. One that does not answer
 * yet, or cannot be reached, is left in peace for a while, and so are the devices
 * of its guest: a second worker must never serve what the first may still write to.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "backends/common/supervisor_internal.h"

#define ADOPT_LIMIT 5000  /* ms: for the answers to HELLO before anything is served */
#define PATIENCE    60000 /* ms: for answers that come later */
#define RETRY       1.    /* s: between looks at one that is not heard yet */

static ev_tstamp patience(const struct supervisor *s)
{
	return (s->o.patience_ms ? s->o.patience_ms : PATIENCE) / 1000.;
}

static int connect_to(const struct supervisor *s, uint32_t domid)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd, rc;

	if (strlen(s->runtime_dir) > sizeof(a.sun_path) - 32)
		return -ENAMETOOLONG;
	worker_file(s, domid, "sock", a.sun_path, sizeof(a.sun_path));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

/* ---- which process ---- */

/* The uid of a process that is no zombie, or -errno. */
static int64_t process_uid(int pid)
{
	char line[256], state = 'Z';
	unsigned int uid = 0;
	bool found = false;
	FILE *f;

	/* /proc/PID/ns and such belong to root for an undumpable process; status tells.
	 */
	snprintf(line, sizeof(line), "/proc/%d/task/%d/status", pid, pid);
	f = fopen(line, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!found && fgets(line, sizeof(line), f)) {
		sscanf(line, "State: %c", &state);
		found = sscanf(line, "Uid: %u", &uid) == 1;
	}
	fclose(f);
	return found && state != 'Z' && state != 'X' ? (int64_t)uid : -ESRCH;
}

/* As spawn() has named it. */
static bool is_named(const struct supervisor *s, uint32_t domid, int pid)
{
	char path[64], have[128], want[128];
	ssize_t n = -1;
	int fd, len;

	len = snprintf(want, sizeof(want), "%s: guest %u%c--worker", s->class->name,
		       domid, 0) +
	      1;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, have, sizeof(have));
		close(fd);
	}
	return n == len && !memcmp(have, want, (size_t)n);
}

/*
 * Its uid is no other's, whatever it calls itself; but for one that has not come so
 * far yet, and where none changes its uid (tests): these go by name, or by the note.
 */
static bool is_worker(const struct supervisor *s, uint32_t domid, int pid, bool noted)
{
	int64_t uid = process_uid(pid);

	if (uid < 0)
		return false;
	if (!s->o.keep_ids && uid == (int64_t)s->o.uid_base + domid)
		return true;
	if (uid != geteuid())
		return false;
	return (noted && s->o.keep_ids) || is_named(s, domid, pid);
}

/* Its pidfd; -ESRCH: it is not, or is no worker of this guest; or another -errno. */
static int open_worker(const struct supervisor *s, uint32_t domid, int pid, bool noted)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd < 0)
		return errno == EINVAL ? -ESRCH : -errno;
	if (is_worker(s, domid, pid, noted))
		return fd; /* checked while the number could not go to another */
	close(fd);
	return -ESRCH;
}

static int noted_pid(const struct supervisor *s, uint32_t domid)
{
	char path[256];
	int pid = 0;
	FILE *f;

	worker_file(s, domid, "pid", path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%d", &pid) != 1 || pid <= 1)
		pid = 0;
	fclose(f);
	return pid;
}

static int search_worker(const struct supervisor *s, uint32_t domid, int *pid)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	int fd = -ESRCH;

	if (!dir)
		return -errno;
	while (fd == -ESRCH && (e = readdir(dir))) {
		*pid = isdigit(e->d_name[0]) ? atoi(e->d_name) : 0;
		if (*pid > 1 && *pid != getpid() && is_worker(s, domid, *pid, false))
			fd = open_worker(s, domid, *pid, false);
	}
	closedir(dir);
	return fd;
}

/* Descriptor; -ESRCH when there is no such process; or another -errno. */
static int find_process(const struct supervisor *s, uint32_t domid, int *pid)
{
	int fd = -ESRCH;

	*pid = noted_pid(s, domid);
	if (*pid)
		fd = open_worker(s, domid, *pid, true);
	return fd == -ESRCH ? search_worker(s, domid, pid) : fd;
}

/* ---- what it says ---- */

static void forget_found(struct guest_worker *w)
{
	unsigned int i;

	for (i = 0; i < w->nr_found; i++)
		if (w->found[i].state_fd >= 0)
			close(w->found[i].state_fd);
	free(w->found);
	w->found = NULL;
	w->nr_found = 0;
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

static void heard(struct guest_worker *w)
{
	w->unheard = false;
	w->ready = true;
	worker_limit(w, 0.);
	log_info("guest %u: found worker %d with %u devices", w->domid, w->pid,
		 w->nr_found);
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

bool worker_hear(struct guest_worker *w, struct control_packet *p)
{
	if (p->head.type == CONTROL_ATTACHED)
		return !keep_found(w, p);
	if (p->nfds)
		return false;
	if (p->head.type == CONTROL_READY) {
		heard(w);
		devices_rescan(w->s, w->domid);
		worker_drop_strays(w);
	}
	return true;
}

/* ---- finding ---- */

/* Connect and say HELLO. -ECONNREFUSED and -ENOENT: nobody listens. */
static int greet(struct guest_worker *w)
{
	struct control_msg hello = {.type = CONTROL_HELLO};
	int fd = connect_to(w->s, w->domid), rc;

	if (fd < 0)
		return fd;
	rc = control_send(fd, &hello, NULL, 0, NULL, 0);
	if (rc) {
		close(fd);
		return rc;
	}
	forget_found(w);
	w->control = fd;
	worker_watch(w);
	return 0;
}

/* It has ended, or never was: its guest's devices may be looked at again. */
static void forget(struct guest_worker *w)
{
	struct supervisor *s = w->s;
	uint32_t domid = w->domid;

	worker_remove_files(s, domid);
	worker_free(w);
	devices_rescan(s, domid);
}

/* False: there is none; @w is gone. */
static bool look_for(struct guest_worker *w)
{
	int rc;

	if (w->pidfd < 0) {
		rc = find_process(w->s, w->domid, &w->pid);
		if (rc == -ESRCH) {
			forget(w);
			return false;
		}
		if (rc < 0) {
			log_error(
				"guest %u: cannot look for its worker (%s); its devices "
				"are left alone",
				w->domid, strerror(-rc));
			return true;
		}
		w->pidfd = rc;
		worker_watch(w);
	}
	rc = w->control < 0 ? greet(w) : 0;
	if (rc == -ECONNREFUSED || rc == -ENOENT) {
		log_error("guest %u: worker %d does not listen; killed", w->domid,
			  w->pid);
		worker_kill(w);
	}
	return true;
}

/* A process of this guest's uid, or a socket of its name, that we know nothing of. */
static struct guest_worker *expect_worker(struct supervisor *s, uint32_t domid)
{
	struct guest_worker *w = worker_new(s, domid);

	if (!w)
		return NULL;
	w->unheard = true;
	w->patience = ev_time() + patience(s);
	worker_limit(w, RETRY);
	return w;
}

void worker_still_unheard(struct guest_worker *w)
{
	if (!look_for(w) || w->exiting)
		return;
	if (ev_time() < w->patience &&
	    w->s->store->ops->domain_alive(w->s->store, w->domid)) {
		worker_limit(w, RETRY);
		return;
	}
	w->patience = ev_time() + patience(w->s); /* of those that cannot be killed */
	worker_limit(w, RETRY);
	if (w->pidfd < 0)
		return;
	log_error("guest %u: worker %d does not answer; killed", w->domid, w->pid);
	worker_kill(w);
}

/* One time limit for all: who answers has done so while another was waited for. */
static void hear_all(struct supervisor *s)
{
	long end = now_ms() + (s->o.adopt_ms ? s->o.adopt_ms : ADOPT_LIMIT);
	struct guest_worker *w;
	int rc;

	for (w = s->workers; w; w = w->next) {
		if (w->exiting)
			continue;
		if (w->control < 0) {
			log_warn("guest %u: worker %d cannot be reached yet; its guest's "
				 "devices are left alone",
				 w->domid, w->pid);
			continue;
		}
		rc = hear_hello(w, end);
		if (!rc) {
			heard(w);
		} else if (rc == -ETIMEDOUT) {
			log_warn("guest %u: worker %d does not answer yet; its devices "
				 "are left alone",
				 w->domid, w->pid);
		} else if (rc == -EPIPE) {
			worker_hang_up(w); /* looked for again */
		} else {
			log_error("guest %u: worker %d does not answer as it should "
				  "(%s); killed",
				  w->domid, w->pid, strerror(-rc));
			worker_kill(w);
		}
	}
}

static bool is_known(const struct supervisor *s, uint32_t domid)
{
	const struct guest_worker *w = s->workers;

	while (w && w->domid != domid)
		w = w->next;
	return w;
}

void workers_adopt(struct supervisor *s)
{
	DIR *dir = opendir(s->runtime_dir);
	struct guest_worker *w;
	struct dirent *e;
	unsigned int domid;
	int end;

	if (!dir)
		return;
	while ((e = readdir(dir))) {
		end = 0;
		if (sscanf(e->d_name, "worker-%u.sock%n", &domid, &end) != 1 || !end ||
		    e->d_name[end] || is_known(s, domid))
			continue;
		w = expect_worker(s, domid);
		if (w)
			look_for(w);
	}
	closedir(dir);
	hear_all(s);
}

/* Linux keeps count of a user's processes. */
static bool uid_in_use(uint32_t uid)
{
	errno = 0;
	return getpriority(PRIO_USER, uid) != -1 || errno != ESRCH;
}

bool worker_awaited(struct supervisor *s, uint32_t domid)
{
	struct guest_worker *w;
	bool known = false;

	for (w = s->workers; w; w = w->next) {
		if (w->domid != domid)
			continue;
		known = true;
		if (w->unheard)
			return true;
	}
	if (known || s->o.keep_ids || !uid_in_use(s->o.uid_base + domid))
		return false;
	/* One that was on its way out when the supervisor before us ended. */
	w = expect_worker(s, domid);
	if (!w)
		return true;
	w->pidfd = find_process(s, domid, &w->pid);
	if (w->pidfd == -ESRCH) {
		worker_free(w);
		return false;
	}
	if (w->pidfd >= 0) {
		log_warn("guest %u: worker %d is left over; killed", domid, w->pid);
		worker_watch(w);
		worker_kill(w);
	}
	return true;
}

void worker_drop_strays(struct guest_worker *w)
{
	struct control_msg m;
	unsigned int i;

	for (i = 0; i < w->nr_found; i++) {
		if (w->found[i].state_fd < 0)
			continue;
		log_info("guest %u %s %u: its directory is gone; detached", w->domid,
			 w->s->class->type, w->found[i].devid);
		m = (struct control_msg){.type = CONTROL_DETACH,
					 .devid = w->found[i].devid,
					 .cookie = w->found[i].cookie};
		if (w->control >= 0 && !control_send(w->control, &m, NULL, 0, NULL, 0))
			w->strays++;
	}
	forget_found(w);
	if (w->strays)
		worker_limit(w, patience(w->s));
	worker_unused(w);
}

void workers_drop_strays(struct supervisor *s)
{
	struct guest_worker *w;

	for (w = s->workers; w; w = w->next)
		if (!w->unheard)
			worker_drop_strays(w);
}
