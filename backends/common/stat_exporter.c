/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The exporter, on libmicrohttpd: one thread, a bound on connections and on how
 * long one may idle. It knows one path and answers from fresh statistics.
 */
#include "backends/common/stat_exporter.h"

#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "backends/common/stats.h"

#define CONNECTIONS  32u
#define IDLE_SECONDS 10u
#define MEMORY       (32u << 10) /* bytes a connection, for its headers */

struct stat_exporter {
	struct MHD_Daemon *daemon;
	char *(*text)(void *arg, size_t *size);
	void *arg;
};

static enum MHD_Result reply_text(struct MHD_Connection *c, unsigned int status,
				  const char *text)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(
		strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				"text/plain; charset=utf-8");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result reply_metrics(struct stat_exporter *e, struct MHD_Connection *c)
{
	struct MHD_Response *r;
	enum MHD_Result result;
	size_t size;
	char *text = e->text(e->arg, &size);

	if (!text)
		return reply_text(c, MHD_HTTP_SERVICE_UNAVAILABLE, "no daemon answers\n");
	r = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, OPENMETRICS_TYPE);
	result = MHD_queue_response(c, MHD_HTTP_OK, r);
	MHD_destroy_response(r);
	return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version,
				  const char *upload, size_t *upload_size, void **state)
{
	static int seen;

	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD)) {
		*upload_size = 0;
		return reply_text(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
	}
	if (!*state) { /* first call: the headers; the answer is due at the second */
		*state = &seen;
		return MHD_YES;
	}
	if (strcmp(url, "/metrics"))
		return reply_text(c, MHD_HTTP_NOT_FOUND, "see /metrics\n");
	return reply_metrics(arg, c);
}

/* "HOST:PORT" into a numeric address; NULL with *@why. */
static struct addrinfo *parse_address(const char *address, const char **why)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
				 .ai_socktype = SOCK_STREAM},
			*info;
	const char *colon = strrchr(address, ':');
	char host[128];
	size_t len;
	int err;

	*why = "want ADDRESS:PORT";
	if (!colon || !colon[1])
		return NULL;
	len = (size_t)(colon - address);
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return NULL;
	memcpy(host, address, len);
	host[len] = 0;
	err = getaddrinfo(len ? host : NULL, colon + 1, &hints, &info);
	if (!err)
		return info;
	*why = gai_strerror(err);
	return NULL;
}

struct stat_exporter *stat_exporter_start(const char *address,
					  char *(*text)(void *arg, size_t *size),
					  void *arg, const char **why)
{
	struct addrinfo *info = parse_address(address, why);
	unsigned int flags = MHD_USE_INTERNAL_POLLING_THREAD;
	struct stat_exporter *e;

	if (!info)
		return NULL;
	e = calloc(1, sizeof(*e));
	if (e) {
		e->text = text;
		e->arg = arg;
		if (info->ai_family == AF_INET6)
			flags |= MHD_USE_IPv6;
		e->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, e,
					     MHD_OPTION_SOCK_ADDR, info->ai_addr,
					     MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS,
					     MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
					     MHD_OPTION_CONNECTION_MEMORY_LIMIT,
					     (size_t)MEMORY, MHD_OPTION_END);
	}
	freeaddrinfo(info);
	if (e && e->daemon)
		return e;
	*why = e ? "cannot listen there" : "out of memory";
	free(e);
	return NULL;
}

unsigned int stat_exporter_port(const struct stat_exporter *e)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(e->daemon, MHD_DAEMON_INFO_BIND_PORT);

	return info ? info->port : 0;
}

void stat_exporter_stop(struct stat_exporter *e)
{
	MHD_stop_daemon(e->daemon);
	free(e);
}
