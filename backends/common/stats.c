/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The statistics socket. A few clients at a time, each with a time limit, a buffer
 * for its one line and the text it is being sent; nothing blocks the supervisor.
 */
#include "backends/common/stats.h"

#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backends/common/log.h"

struct client {
	ev_io io;
	ev_timer timer;
	struct stats_server *server;
	int fd; /* -1: the slot is free */
	char request[STATS_REQUEST_MAX];
	size_t got;
	char *text; /* the answer; NULL: still reading */
	size_t size, sent;
};

struct stats_server {
	struct ev_loop *loop;
	const struct stats_source *source;
	ev_io listener;
	ev_timer resume; /* after descriptors ran out */
	int fd;
	struct sockaddr_un addr;
	struct client clients[STATS_CLIENTS];
};

static void client_end(struct client *c)
{
	ev_io_stop(c->server->loop, &c->io);
	ev_timer_stop(c->server->loop, &c->timer);
	close(c->fd);
	c->fd = -1;
	free(c->text);
	c->text = NULL;
}

static void client_send(struct client *c)
{
	ssize_t n = send(c->fd, c->text + c->sent, c->size - c->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n <= 0 || c->sent == c->size)
		client_end(c);
}

/* The whole line is there: make its answer and wait for room to send it. */
static void client_answer(struct client *c, size_t len)
{
	struct stats_server *s = c->server;

	if (len && c->request[len - 1] == '\r')
		len--;
	if (len == 4 && !memcmp(c->request, "json", 4)) {
		c->text = stats_json(s->source, 1, &c->size);
	} else if (len == 11 && !memcmp(c->request, "openmetrics", 11)) {
		c->text = stats_openmetrics(s->source, 1, &c->size);
	} else {
		c->text = strdup("error: unknown request\n");
		c->size = c->text ? strlen(c->text) : 0;
	}
	if (!c->text) {
		log_error("statistics: out of memory");
		return client_end(c);
	}
	c->sent = 0;
	ev_io_stop(s->loop, &c->io);
	ev_io_set(&c->io, c->fd, EV_WRITE);
	ev_io_start(s->loop, &c->io);
}

static void client_read(struct client *c)
{
	ssize_t n = recv(c->fd, c->request + c->got, sizeof(c->request) - c->got, 0);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		return client_end(c);
	c->got += (size_t)n;
	end = memchr(c->request, '\n', c->got);
	if (end)
		client_answer(c, (size_t)(end - c->request));
	else if (!n || c->got == sizeof(c->request))
		client_end(c);
}

static void on_client(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *c = w->data;

	(void)loop;
	(void)revents;
	if (c->text)
		client_send(c);
	else
		client_read(c);
}

static void on_timeout(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	client_end(w->data);
}

static void on_resume(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct stats_server *s = w->data;

	(void)revents;
	ev_io_start(loop, &s->listener);
}

static void on_listener(struct ev_loop *loop, ev_io *w, int revents)
{
	struct stats_server *s = w->data;
	int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	(void)revents;
	if (fd < 0) {
		/* Out of descriptors the socket stays readable: do not spin on it. */
		if (errno == EMFILE || errno == ENFILE) {
			ev_io_stop(loop, w);
			ev_timer_set(&s->resume, 1.0, 0);
			ev_timer_start(loop, &s->resume);
		}
		return;
	}
	for (c = s->clients; c < s->clients + STATS_CLIENTS && c->fd >= 0; c++)
		;
	if (c == s->clients + STATS_CLIENTS) {
		close(fd);
		return;
	}
	c->fd = fd;
	c->server = s;
	c->got = 0;
	ev_io_init(&c->io, on_client, fd, EV_READ);
	ev_timer_init(&c->timer, on_timeout, STATS_TIMEOUT, 0);
	c->io.data = c->timer.data = c;
	ev_io_start(loop, &c->io);
	ev_timer_start(loop, &c->timer);
}

/* A bound and listening socket that group and owner may use; -1 with errno. */
static int open_socket(const struct sockaddr_un *addr)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;
	struct stat st;
	mode_t mask;

	if (fd < 0)
		return -1;
	if (!lstat(addr->sun_path, &st) && S_ISSOCK(st.st_mode))
		unlink(addr->sun_path);
	mask = umask(0117);
	err = bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	umask(mask);
	if (!err && listen(fd, STATS_CLIENTS))
		err = errno;
	if (!err)
		return fd;
	close(fd);
	errno = err;
	return -1;
}

struct stats_server *stats_server_open(struct ev_loop *loop, const char *path,
				       const struct stats_source *source)
{
	struct stats_server *s;
	unsigned int i;
	int err;

	if (strlen(path) >= sizeof(s->addr.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return NULL;
	s->addr.sun_family = AF_UNIX;
	strcpy(s->addr.sun_path, path);
	s->fd = open_socket(&s->addr);
	if (s->fd < 0) {
		err = errno;
		free(s);
		errno = err;
		return NULL;
	}
	s->loop = loop;
	s->source = source;
	for (i = 0; i < STATS_CLIENTS; i++)
		s->clients[i].fd = -1;
	ev_io_init(&s->listener, on_listener, s->fd, EV_READ);
	ev_init(&s->resume, on_resume);
	s->listener.data = s->resume.data = s;
	ev_io_start(loop, &s->listener);
	return s;
}

void stats_server_close(struct stats_server *s)
{
	unsigned int i;

	if (!s)
		return;
	for (i = 0; i < STATS_CLIENTS; i++)
		if (s->clients[i].fd >= 0)
			client_end(&s->clients[i]);
	ev_io_stop(s->loop, &s->listener);
	ev_timer_stop(s->loop, &s->resume);
	close(s->fd);
	unlink(s->addr.sun_path);
	free(s);
}
