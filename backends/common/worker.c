/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The worker process: start-up down into the sandbox, then control messages until
 * the supervisor says EXIT, or is gone while no device is left to serve.
 */
#include "backends/common/worker.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/common/log.h"
#include "backends/common/sandbox.h"
#include "backends/common/worker_internal.h"

#define CONTROL_FD 3 /* from the supervisor that started us */
#define LISTEN_FD  4 /* where a new supervisor finds us */

#define WORKER_FILES   2048
#define WORKER_THREADS 1024
#define WORKER_DATA    (1ull << 30)
#define DEVICES_MAX    256

/* An answer waits so often for so many ms for a supervisor that does not read. */
#define REPLY_WAITS 60
#define REPLY_WAIT  1000

#define STACK_SIZE ((SANDBOX_SANITIZED ? 1024 : 192) * 1024)

struct slot {
	struct slot *next;
	uint32_t devid;
	uint64_t cookie; /* of its ATTACH */
	struct worker_device *dev;
	int state_fd;
	void *state;
	size_t state_size;
};

/* ---- what classes call ---- */

struct grants *worker_grants(struct worker *w)
{
	return w->grants;
}

uint32_t worker_domid(const struct worker *w)
{
	return w->domid;
}

/* Send to the supervisor, whichever there is just now; lost when there is none. */
static int reply(struct worker *w, struct control_msg *m, const void *payload,
		 size_t size, int fd)
{
	int rc = -EPIPE;

	pthread_mutex_lock(&w->control_lock);
	if (w->control >= 0)
		rc = control_send(w->control, m, payload, size, &fd, fd >= 0);
	pthread_mutex_unlock(&w->control_lock);
	return rc;
}

/*
 * The same for what the supervisor waits for: a socket that is full is waited for,
 * until another supervisor knocks. The descriptor may be another by the time it is
 * polled: then the wait is a short one, and the next try goes to the right one.
 */
static int reply_surely(struct worker *w, struct control_msg *m, const void *payload,
			size_t size, int fd)
{
	struct pollfd fds[2] = {{.events = POLLOUT}, {.fd = LISTEN_FD, .events = POLLIN}};
	int rc = -EAGAIN, i;

	for (i = 0; i < REPLY_WAITS; i++) {
		rc = reply(w, m, payload, size, fd);
		if (rc != -EAGAIN)
			break;
		pthread_mutex_lock(&w->control_lock);
		fds[0].fd = w->control;
		pthread_mutex_unlock(&w->control_lock);
		if (poll(fds, 2, REPLY_WAIT) <= 0 || !fds[1].revents)
			continue;
		if (fds[1].revents & POLLIN)
			break;
		fds[1].fd = -1; /* no such socket */
	}
	return rc;
}

/* Kept until the device is detached: a supervisor to come shall know, too. */
static void remember_broken(struct worker *w, uint32_t devid, const char *text)
{
	struct broken *b;

	pthread_mutex_lock(&w->control_lock);
	for (b = w->broken; b && b->devid != devid;)
		b = b->next;
	if (!b && (b = calloc(1, sizeof(*b)))) {
		b->devid = devid;
		snprintf(b->text, sizeof(b->text), "%s", text);
		b->next = w->broken;
		w->broken = b;
	}
	pthread_mutex_unlock(&w->control_lock);
}

static void forget_broken(struct worker *w, uint32_t devid)
{
	struct broken **p, *b;

	pthread_mutex_lock(&w->control_lock);
	for (p = &w->broken; *p && (*p)->devid != devid;)
		p = &(*p)->next;
	b = *p;
	if (b)
		*p = b->next;
	pthread_mutex_unlock(&w->control_lock);
	free(b);
}

/* Empty: it is not broken. */
static void recall_broken(struct worker *w, uint32_t devid, char text[BROKEN_MAX])
{
	const struct broken *b;

	pthread_mutex_lock(&w->control_lock);
	for (b = w->broken; b && b->devid != devid;)
		b = b->next;
	snprintf(text, BROKEN_MAX, "%s", b ? b->text : "");
	pthread_mutex_unlock(&w->control_lock);
}

void worker_broken(struct worker *w, uint32_t devid, const char *fmt, ...)
{
	struct control_msg m = {.type = CONTROL_BROKEN, .devid = devid};
	char text[BROKEN_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	remember_broken(w, devid, text);
	reply_surely(w, &m, text, strlen(text), -1);
}

static void log_to_supervisor(enum log_level level, const char *text, void *arg)
{
	struct control_msg m = {.type = CONTROL_LOG, .status = (int32_t)level};
	size_t n = strlen(text);

	reply(arg, &m, text, n < CONTROL_MAX ? n : CONTROL_MAX, -1);
}

/* ---- devices ---- */

static struct slot **find_slot(struct worker *w, uint32_t devid)
{
	struct slot **p = &w->slots;

	while (*p && (*p)->devid != devid)
		p = &(*p)->next;
	return p;
}

static void free_slot(struct slot *s)
{
	if (s->state)
		munmap(s->state, s->state_size);
	if (s->state_fd >= 0)
		close(s->state_fd);
	free(s);
}

static struct slot *map_state(uint32_t devid, int fd)
{
	struct slot *s = calloc(1, sizeof(*s));
	off_t size = lseek(fd, 0, SEEK_END);

	if (!s || size <= 0) {
		close(fd);
		free(s);
		return NULL;
	}
	s->devid = devid;
	s->state_fd = fd;
	s->state_size = (size_t)size;
	s->state = mmap(NULL, s->state_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (s->state == MAP_FAILED) {
		s->state = NULL;
		free_slot(s);
		return NULL;
	}
	return s;
}

/* Takes the packet's descriptors, whatever comes out. */
static int attach(struct worker *w, struct control_packet *p)
{
	struct slot *s;
	unsigned int n;
	int rc;

	if (!p->nfds)
		return -EINVAL;
	if (*find_slot(w, p->head.devid) || w->nr_slots >= DEVICES_MAX) {
		control_close_fds(p);
		return *find_slot(w, p->head.devid) ? -EEXIST : -ENOSPC;
	}
	s = map_state(p->head.devid, p->fds[p->nfds - 1]);
	p->nfds--;
	if (!s) {
		control_close_fds(p);
		return -ENOMEM;
	}
	n = p->nfds;
	p->nfds = 0; /* the class's from here on */
	s->cookie = p->head.cookie;
	rc = w->class->attach(w, s->devid, p->payload, p->head.size, p->fds, n, s->state,
			      s->state_size, &s->dev);
	if (rc) {
		forget_broken(w, s->devid);
		free_slot(s);
		return rc;
	}
	s->next = w->slots;
	w->slots = s;
	w->nr_slots++;
	return 0;
}

static void detach(struct worker *w, struct slot **p)
{
	struct slot *s = *p;

	w->class->detach(s->dev);
	forget_broken(w, s->devid);
	*p = s->next;
	w->nr_slots--;
	free_slot(s);
}

static int update(struct worker *w, struct control_packet *p)
{
	struct slot *s = *find_slot(w, p->head.devid);
	unsigned int n = p->nfds;

	if (!s) {
		control_close_fds(p);
		return -ENOENT;
	}
	p->nfds = 0; /* the class's */
	return w->class->update(s->dev, p->payload, p->head.size, p->fds, n);
}

/*
 * A new supervisor asks what there is: every device with its memfd, then READY, then
 * which of them are broken.
 */
static void hello(struct worker *w, const struct control_msg *ask)
{
	struct control_msg m = {.type = CONTROL_ATTACHED};
	char text[BROKEN_MAX];
	struct slot *s;

	for (s = w->slots; s; s = s->next) {
		m.devid = s->devid;
		m.cookie = s->cookie;
		reply_surely(w, &m, NULL, 0, s->state_fd);
	}
	m = (struct control_msg){.type = CONTROL_READY, .cookie = ask->cookie};
	reply_surely(w, &m, NULL, 0, -1);
	for (s = w->slots; s; s = s->next) {
		recall_broken(w, s->devid, text);
		if (!*text)
			continue;
		m = (struct control_msg){.type = CONTROL_BROKEN, .devid = s->devid};
		reply_surely(w, &m, text, strlen(text), -1);
	}
}

/* False: the process ends. */
static bool handle(struct worker *w, struct control_packet *p)
{
	struct control_msg m = {.devid = p->head.devid, .cookie = p->head.cookie};
	struct slot **s;

	switch (p->head.type) {
	case CONTROL_ATTACH:
		m.type = CONTROL_ATTACHED;
		m.status = attach(w, p);
		reply_surely(w, &m, NULL, 0, -1);
		break;
	case CONTROL_UPDATE:
		m.status = update(w, p);
		if (m.status)
			log_warn("device %u: update refused: %s", m.devid,
				 strerror(-m.status));
		break;
	case CONTROL_DETACH:
		s = find_slot(w, p->head.devid);
		if (*s)
			detach(w, s);
		else
			m.status = -ENOENT;
		m.type = CONTROL_DETACHED;
		reply_surely(w, &m, NULL, 0, -1);
		break;
	case CONTROL_HELLO:
		hello(w, &p->head);
		break;
	case CONTROL_EXIT:
		return false;
	}
	control_close_fds(p);
	return true;
}

/* ---- the main thread ---- */

static void set_control(struct worker *w, int fd)
{
	pthread_mutex_lock(&w->control_lock);
	if (w->control >= 0)
		close(w->control);
	w->control = fd;
	pthread_mutex_unlock(&w->control_lock);
}

/* Only root may take over; a newer supervisor wins over an older one. */
static void accept_supervisor(struct worker *w)
{
	int fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred cred;
	socklen_t n = sizeof(cred);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) || cred.uid != w->owner)
		close(fd);
	else
		set_control(w, fd);
}

static void serve(struct worker *w)
{
	struct control_packet *p = w->packet;
	struct pollfd fds[2] = {{.events = POLLIN}, {.fd = LISTEN_FD, .events = POLLIN}};
	int rc;

	for (;;) {
		fds[0].fd = w->control;
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents) {
			rc = control_recv(w->control, p);
			if (!rc && !handle(w, p))
				return;
			if (rc && rc != -EAGAIN)
				set_control(w, -1);
		}
		if (fds[1].revents & (POLLERR | POLLNVAL))
			fds[1].fd = -1; /* no such socket: nobody can come back */
		else if (fds[1].revents)
			accept_supervisor(w);
		if (w->control < 0 && (!w->slots || fds[1].fd < 0))
			return;
	}
}

static void detach_all(struct worker *w)
{
	while (w->slots)
		detach(w, &w->slots);
}

/* ---- start-up ---- */

/* The first message says whose worker this is; waited for as long as the supervisor
 * lives. */
static int receive_start(struct worker *w, struct control_start *start)
{
	struct pollfd pfd = {.fd = CONTROL_FD, .events = POLLIN};
	struct control_packet *p = w->packet;
	int rc;

	do {
		poll(&pfd, 1, -1);
		rc = control_recv(CONTROL_FD, p);
	} while (rc == -EAGAIN);
	if (rc)
		return rc;
	if (p->head.type != CONTROL_START || p->head.size != sizeof(*start) || p->nfds) {
		control_close_fds(p);
		return -EPROTO;
	}
	memcpy(start, p->payload, sizeof(*start));
	return 0;
}

/*
 * Memory is counted in pages: small stacks, one heap, and nothing kept on top of
 * it. A queue's buffers are the class's own mappings.
 */
static int lean_memory(void)
{
	pthread_attr_t attr;
	int rc;

	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 64 * 1024);
	mallopt(M_TOP_PAD, 16 * 1024);
	rc = pthread_attr_init(&attr);
	if (rc)
		return -rc;
	rc = pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (!rc)
		rc = pthread_setattr_default_np(&attr);
	pthread_attr_destroy(&attr);
	return -rc;
}

static void own_signals(void)
{
	/* The terminal's ^C and the service manager's HUP are the supervisor's business.
	 * A write beyond RLIMIT_FSIZE gives EFBIG. */
	static const int ignored[] = {SIGPIPE, SIGINT,  SIGHUP,
				      SIGUSR1, SIGUSR2, SIGXFSZ};
	sigset_t none;
	unsigned int i;

	for (i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What it has to say goes through the control socket, where it is counted and limited. */
static void drop_stderr(void)
{
	if (!SANDBOX_SANITIZED && dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
		log_warn("stderr stays open: %s", strerror(errno));
}

static int enter(struct worker *w, const struct control_start *start)
{
	struct sandbox s = {start->uid, start->gid, WORKER_FILES, WORKER_THREADS,
			    WORKER_DATA};
	int rc;

	w->domid = start->domid;
	w->grants = w->class->open_grants ? w->class->open_grants(w->domid)
					  : grants_open_xen(w->domid);
	if (!w->grants) {
		rc = -errno;
		log_error("cannot open the grant device: %s", strerror(-rc));
		return rc;
	}
	worker_uring_make(w);
	/* threads inherit it; without the right to, it is served less well */
	if (w->class->nice && setpriority(PRIO_PROCESS, 0, w->class->nice))
		log_info("nice value %d: %s", w->class->nice, strerror(errno));
	drop_stderr();
	rc = sandbox_enter(&s);
	if (rc)
		log_error("cannot enter the sandbox: %s", strerror(-rc));
	malloc_trim(0);
	return rc;
}

int worker_main(const struct worker_class *class)
{
	static struct worker w = {.control = CONTROL_FD,
				  .control_lock = PTHREAD_MUTEX_INITIALIZER,
				  .uring_lock = PTHREAD_MUTEX_INITIALIZER};
	struct control_msg ready = {.type = CONTROL_READY};
	struct control_start start;
	int rc;

	w.class = class;
	w.owner = geteuid();
	own_signals();
	rc = sandbox_close_others(LISTEN_FD + 1);
	if (!rc)
		rc = lean_memory();
	w.packet = malloc(sizeof(*w.packet));
	if (!w.packet)
		rc = -ENOMEM;
	if (!rc)
		rc = receive_start(&w, &start);
	if (rc)
		_exit(1);
	log_init(class->type, (enum log_level)start.log_level);
	log_set_sink(log_to_supervisor, &w);
	rc = enter(&w, &start);
	if (rc)
		_exit(1);
	reply_surely(&w, &ready, NULL, 0, -1);
	serve(&w);
	detach_all(&w);
	/* _exit(): what atexit handlers want to do is not allowed in here. */
	_exit(0);
}
