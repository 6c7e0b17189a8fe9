/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Log lines to stderr, with systemd's <N> priority prefix when journald reads
 * them. A line names the daemon, the guest and the device it is about:
 * "blkback: guest 3 vbd 51712: ...". A guest that provokes messages is limited
 * to a burst of LOG_GUEST_BURST lines and then LOG_GUEST_PER_MINUTE a minute a
 * device; what was left out is counted and said. Text may quote a guest: control
 * characters in it are shown as '?', so that no guest forges a line.
 */
#ifndef XYLEM_LOG_H
#define XYLEM_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

#define LOG_GUEST_BURST      20
#define LOG_GUEST_PER_MINUTE 10
#define LOG_LINE_MAX         1024 /* bytes; a longer line is cut */

/* @name must outlive the process. Thread-safe after this. */
void log_init(const char *name, enum log_level most);
void log_line(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/*
 * Send lines to @sink instead of stderr (NULL: back to stderr): a worker's lines
 * travel over its control socket, a test keeps them. @text has neither prefix nor
 * newline. Called with no lock held, from any thread that logs; set it before
 * there are threads.
 */
typedef void log_sink(enum log_level level, const char *text, void *arg);
void log_set_sink(log_sink *sink, void *arg);

/* Per-device limiter for lines that a guest can provoke; zero-initialised. */
struct log_limit {
	unsigned long long last_ns;
	unsigned int tokens_used, dropped;
};
void log_guest(struct log_limit *l, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The limiter itself: may a line be written at @now (ns)? Sets *@dropped to how many
 * were left out since the last one. The caller serialises calls for one limiter;
 * log_guest() does.
 */
bool log_limit_take(struct log_limit *l, unsigned long long now, unsigned int *dropped);

#endif
