/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Log lines: formatting, the journal's priority prefix, the limit on lines that
 * a guest provokes. One write() a line, so that lines of several threads and
 * processes stay whole.
 */
#include "backends/common/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_TOKEN (60ull * 1000000000ull / LOG_GUEST_PER_MINUTE)

static const char *log_name = "xylem";
static enum log_level log_most = LOG_LEVEL_INFO;
static bool log_journal;
static log_sink *log_to;
static void *log_to_arg;
static pthread_mutex_t limit_lock =
	PTHREAD_MUTEX_INITIALIZER; /* every struct log_limit */

/* sd-daemon(3): JOURNAL_STREAM holds the device and inode of a stderr that journald
 * reads. */
static bool stderr_is_journal(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!env || sscanf(env, "%llu:%llu", &dev, &ino) != 2 ||
	    fstat(STDERR_FILENO, &st))
		return false;
	return st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *name, enum log_level most)
{
	log_name = name;
	log_most = most;
	log_journal = stderr_is_journal();
}

void log_set_sink(log_sink *sink, void *arg)
{
	log_to = sink;
	log_to_arg = arg;
}

/* No control characters: neither ASCII's nor, in UTF-8, U+0080 to U+009F. */
static void make_printable(char *text)
{
	unsigned char *s = (unsigned char *)text;

	for (; *s; s++)
		if (*s < 0x20 || *s == 0x7f)
			*s = '?';
		else if (*s == 0xc2 && s[1] >= 0x80 && s[1] < 0xa0)
			s[0] = s[1] = '?';
}

static void write_line(enum log_level level, const char *text)
{
	char line[LOG_LINE_MAX + 128];
	int n;

	if (log_journal)
		n = snprintf(line, sizeof(line), "<%d>%s: %s\n", (int)level, log_name,
			     text);
	else
		n = snprintf(line, sizeof(line), "%s: %s\n", log_name, text);
	if (n >= (int)sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	/* Nothing can be done about a log that cannot be written. */
	if (n > 0 && write(STDERR_FILENO, line, (size_t)n) < 0)
		return;
}

static void __attribute__((format(printf, 2, 0)))
log_va(enum log_level level, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX];

	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		return;
	make_printable(text);
	if (log_to)
		log_to(level, text, log_to_arg);
	else
		write_line(level, text);
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_most)
		return;
	va_start(ap, fmt);
	log_va(level, fmt, ap);
	va_end(ap);
}

bool log_limit_take(struct log_limit *l, unsigned long long now, unsigned int *dropped)
{
	unsigned long long refill;

	*dropped = 0;
	if (!l->tokens_used)
		l->last_ns = now;
	refill = now > l->last_ns ? (now - l->last_ns) / NS_PER_TOKEN : 0;
	l->last_ns += refill * NS_PER_TOKEN;
	l->tokens_used -= refill < l->tokens_used ? (unsigned int)refill : l->tokens_used;
	if (l->tokens_used >= LOG_GUEST_BURST) {
		l->dropped++;
		return false;
	}
	if (!l->tokens_used)
		l->last_ns = now;
	l->tokens_used++;
	*dropped = l->dropped;
	l->dropped = 0;
	return true;
}

/* A line that also says how many were left out before it. */
static void __attribute__((format(printf, 3, 0)))
log_after_silence(enum log_level level, unsigned int dropped, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX - 64];

	if (vsnprintf(text, sizeof(text), fmt, ap) >= 0)
		log_line(level, "%s (%u lines like this were left out before)", text,
			 dropped);
}

void log_guest(struct log_limit *l, enum log_level level, const char *fmt, ...)
{
	struct timespec ts;
	unsigned int dropped;
	va_list ap;
	bool go;

	if (level > log_most)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	pthread_mutex_lock(&limit_lock);
	go = log_limit_take(l,
			    (unsigned long long)ts.tv_sec * 1000000000ull +
				    (unsigned long long)ts.tv_nsec,
			    &dropped);
	pthread_mutex_unlock(&limit_lock);
	if (!go)
		return;
	va_start(ap, fmt);
	if (dropped)
		log_after_silence(level, dropped, fmt, ap);
	else
		log_va(level, fmt, ap);
	va_end(ap);
}
