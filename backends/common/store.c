/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formatted paths and numbers over any store. Numbers are parsed here and nowhere
 * else: what stands in xenstore may be a guest's.
 */
#include "backends/common/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sets errno when the path does not fit: a cut path would be another node. */
static bool __attribute__((format(printf, 2, 0)))
format_path(char *path, const char *fmt, va_list ap)
{
	int n = vsnprintf(path, STORE_PATH_MAX, fmt, ap);

	if (n >= 0 && n < STORE_PATH_MAX)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

static bool __attribute__((format(printf, 2, 3)))
make_path(char *path, const char *fmt, ...)
{
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = format_path(path, fmt, ap);
	va_end(ap);
	return ok;
}

char *store_read(struct store *s, store_txn t, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];
	unsigned int len;
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = format_path(path, fmt, ap);
	va_end(ap);
	return ok ? s->ops->read(s, t, path, &len) : NULL;
}

bool store_write(struct store *s, store_txn t, const char *value, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	ok = format_path(path, fmt, ap);
	va_end(ap);
	return ok && s->ops->write(s, t, path, value);
}

/* @len digits and nothing else. */
static int parse_u64(const char *text, unsigned int len, uint64_t *out)
{
	uint64_t v = 0;
	unsigned int i;

	if (!len || len > 20)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (unsigned int)(text[i] - '0'), &v))
			return -EINVAL;
	}
	*out = v;
	return 0;
}

int store_get_u64(struct store *s, store_txn t, const char *dir, const char *node,
		  uint64_t min, uint64_t max, uint64_t *out)
{
	char path[STORE_PATH_MAX], *text;
	unsigned int len = 0;
	uint64_t v;
	int err;

	if (!make_path(path, "%s/%s", dir, node))
		return -ENAMETOOLONG;
	text = s->ops->read(s, t, path, &len);
	if (!text)
		return errno ? -errno : -EIO;
	err = parse_u64(text, len, &v);
	free(text);
	if (err)
		return err;
	if (v < min || v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

bool store_put_u64(struct store *s, store_txn t, const char *dir, const char *node,
		   uint64_t value)
{
	char path[STORE_PATH_MAX], text[24];

	if (!make_path(path, "%s/%s", dir, node))
		return false;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return s->ops->write(s, t, path, text);
}
