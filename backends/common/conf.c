/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Configuration files. libinih splits lines into keys and values; the lines are
 * read here, since it neither tells a handler the line number nor keeps section
 * names longer than 49 bytes (a guest's name may be), nor reports more than the
 * first bad line.
 */
#include "backends/common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/log.h"

struct conf_entry {
	struct conf_entry *next;
	char *guest, *device; /* NULL: any */
	char *text;
	uint64_t number;
	const struct conf_key *key;
};

struct conf {
	struct conf_entry *entries;
};

/* One run of the parser. */
struct parse {
	const char *path;
	const struct conf_key *keys;
	struct conf *conf;
	FILE *file;
	unsigned int line, errors;
	bool in_section;
	char *guest, *device; /* of the section */
};

static void __attribute__((format(printf, 2, 3)))
bad_line(struct parse *p, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s:%u: %s", p->path, p->line, text);
	p->errors++;
}

/* ---- values ---- */

static bool parse_number(const char *text, bool suffix, uint64_t *out)
{
	static const char letters[] = "KMGT";
	const char *letter;
	uint64_t v = 0;

	if (!isdigit((unsigned char)*text))
		return false;
	for (; isdigit((unsigned char)*text); text++)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (unsigned int)(*text - '0'), &v))
			return false;
	letter = suffix && *text ? strchr(letters, toupper((unsigned char)*text)) : NULL;
	if (letter) {
		unsigned int shift = 10 * (unsigned int)(letter - letters + 1);

		if (v > UINT64_MAX >> shift)
			return false;
		v <<= shift;
		text++;
	}
	*out = v;
	return !*text;
}

static bool parse_bool(const char *text, uint64_t *out)
{
	static const char *const words[] = {"no",    "yes",  "off", "on",
					    "false", "true", "0",   "1"};
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(text, words[i])) {
			*out = i & 1;
			return true;
		}
	}
	return false;
}

/* Whether @text is one of the space-separated @choices. */
static bool is_choice(const char *text, const char *choices)
{
	size_t len = strlen(text), word;

	while (*choices) {
		word = strcspn(choices, " ");
		if (word == len && !strncmp(choices, text, len))
			return true;
		choices += word + strspn(choices + word, " ");
	}
	return false;
}

static bool parse_value(struct parse *p, const struct conf_key *key, const char *text,
			uint64_t *number)
{
	switch (key->kind) {
	case CONF_STRING:
		if (*text)
			return true;
		bad_line(p, "'%s' has no value", key->name);
		return false;
	case CONF_NUMBER:
	case CONF_SIZE:
		if (!parse_number(text, key->kind == CONF_SIZE, number)) {
			bad_line(p, "'%s' is not a %s: '%s'", key->name,
				 key->kind == CONF_SIZE ? "size (like 4096, 64K, 50M, 2G)"
							: "whole number",
				 text);
			return false;
		}
		if (*number >= key->min && *number <= key->max)
			return true;
		bad_line(p, "'%s' must be between %llu and %llu", key->name,
			 (unsigned long long)key->min, (unsigned long long)key->max);
		return false;
	case CONF_BOOL:
		if (parse_bool(text, number))
			return true;
		bad_line(p, "'%s' is neither yes nor no: '%s'", key->name, text);
		return false;
	case CONF_CHOICE:
		if (is_choice(text, key->choices))
			return true;
		bad_line(p, "'%s' is not one of: %s", key->name, key->choices);
		return false;
	}
	return false;
}

/* ---- entries ---- */

static bool same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void entry_free(struct conf_entry *e)
{
	free(e->guest);
	free(e->device);
	free(e->text);
	free(e);
}

static char *dup_or_null(const char *s, bool *failed)
{
	char *copy = s ? strdup(s) : NULL;

	*failed |= s && !copy;
	return copy;
}

static void add_entry(struct parse *p, const struct conf_key *key, const char *text,
		      uint64_t number)
{
	struct conf_entry *e = calloc(1, sizeof(*e));
	bool failed = !e;

	if (e) {
		e->guest = dup_or_null(p->guest, &failed);
		e->device = dup_or_null(p->device, &failed);
		e->text = dup_or_null(text, &failed);
	}
	if (failed) {
		if (e)
			entry_free(e);
		bad_line(p, "out of memory");
		return;
	}
	e->key = key;
	e->number = number;
	e->next = p->conf->entries;
	p->conf->entries = e;
}

static const struct conf_entry *find_entry(const struct conf *c, const char *key,
					   const char *guest, const char *device)
{
	const struct conf_entry *e;

	for (e = c->entries; e; e = e->next)
		if (!strcmp(e->key->name, key) && same(e->guest, guest) &&
		    same(e->device, device))
			return e;
	return NULL;
}

/* libinih's handler: a key and its value. Errors are counted here, not by libinih. */
static int on_key(void *arg, const char *section, const char *name, const char *value)
{
	const struct conf_key *key;
	struct parse *p = arg;
	uint64_t number = 0;

	(void)section; /* cut to 49 bytes; parse_section() has the whole */
	if (!p->in_section) {
		bad_line(p, "'%s' stands in no valid section", name);
		return 1;
	}
	for (key = p->keys; key->name && strcmp(key->name, name); key++)
		;
	if (!key->name)
		bad_line(p, "unknown key '%s'", name);
	else if (find_entry(p->conf, name, p->guest, p->device))
		bad_line(p, "'%s' is given twice", name);
	else if (parse_value(p, key, value, &number))
		add_entry(p, key, value, number);
	return 1;
}

/* ---- sections ---- */

/* @s without blanks around it; changes the text. */
static char *trim(char *s)
{
	char *end = s + strlen(s);

	while (end > s && isspace((unsigned char)end[-1]))
		*--end = 0;
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static char *find_last(char *text, const char *what)
{
	char *found = NULL, *at;

	for (at = strstr(text, what); at; at = strstr(at + 1, what))
		found = at;
	return found;
}

/* Whether @name has the word "device" where only quotes tell what is meant. */
static bool is_ambiguous(const char *name)
{
	size_t len = strlen(name);

	return strstr(name, " device ") ||
	       (len > 7 && !strcmp(name + len - 7, " device"));
}

/*
 * "NAME" or "NAME device DEV" into the parts. The name may have blanks; in double
 * quotes it may have anything, "device" too. A device's name is one word.
 */
static bool split_guest(char *text, char **guest, char **device)
{
	char *tail;

	*device = NULL;
	if (*text == '"') {
		*guest = ++text;
		tail = strchr(text, '"');
		if (!tail)
			return false;
		*tail++ = 0;
		if (*tail && strncmp(tail, " device ", 8))
			return false;
		if (*tail)
			*device = trim(tail + 8);
	} else {
		*guest = text;
		tail = find_last(text, " device ");
		if (tail) {
			*tail = 0;
			*device = trim(tail + 8);
		}
		*guest = trim(text);
		if (is_ambiguous(*guest))
			return false;
	}
	return **guest && (!*device || (**device && !strpbrk(*device, " \t\"")));
}

/* The text between the brackets. */
static void parse_section(struct parse *p, char *text)
{
	char *guest = NULL, *device = NULL;
	bool failed = false;

	free(p->guest);
	free(p->device);
	p->guest = p->device = NULL;
	text = trim(text);
	p->in_section = !strcmp(text, "default") ||
			(!strncmp(text, "guest ", 6) &&
			 split_guest(trim(text + 6), &guest, &device));
	if (!p->in_section) {
		bad_line(p, "unknown section: want [default], [guest NAME] or "
			    "[guest NAME device DEVICE]");
		return;
	}
	p->guest = dup_or_null(guest, &failed);
	p->device = dup_or_null(device, &failed);
	if (failed) {
		p->in_section = false;
		bad_line(p, "out of memory");
	}
}

/* ---- lines ---- */

/* What libinih would skip or read wrongly without a word. */
static void check_line(struct parse *p, const char *line)
{
	char copy[256], *text, *end;

	if (p->line == 1 && !strncmp(line, "\xef\xbb\xbf", 3))
		line += 3;
	snprintf(copy, sizeof(copy), "%s", line);
	text = trim(copy);
	if (!*text || *text == '#' || *text == ';')
		return;
	if (*text != '[') {
		if (!strpbrk(text, "=:"))
			bad_line(p, "neither a section nor 'key = value'");
		return;
	}
	end = find_last(text, "]");
	if (!end || (end[1] && !strchr(";#", *trim(end + 1)))) {
		p->in_section = false;
		bad_line(p, "a section is not closed by ']'");
		return;
	}
	*end = 0;
	parse_section(p, text + 1);
}

/* libinih's reader, like fgets(): called once a line. */
static char *next_line(char *buf, int size, void *arg)
{
	struct parse *p = arg;
	int c;

	if (!fgets(buf, size, p->file))
		return NULL;
	p->line++;
	if (!strchr(buf, '\n') && !feof(p->file)) {
		bad_line(p, "longer than %d bytes", size - 2);
		do {
			c = getc(p->file);
		} while (c != '\n' && c != EOF);
		strcpy(buf, "#\n");
	}
	check_line(p, buf);
	return buf;
}

static void run_parser(struct parse *p)
{
	int err;

	ini_allow_multiline =
		false; /* an indented key is a key, not more of the last value */
	err = ini_parse_stream(next_line, p, on_key, p);
	if (err < 0 || ferror(p->file)) {
		p->errors++;
		log_error("%s: cannot be read", p->path);
	} else if (err > 0 && !p->errors) {
		p->errors++;
		log_error("%s:%d: syntax error", p->path, err);
	}
	free(p->guest);
	free(p->device);
}

struct conf *conf_load(const char *path, const struct conf_key *keys)
{
	struct parse p = {.path = path, .keys = keys};

	p.conf = calloc(1, sizeof(*p.conf));
	if (!p.conf) {
		log_error("%s: out of memory", path);
		return NULL;
	}
	p.file = fopen(path, "re");
	if (!p.file && errno == ENOENT)
		return p.conf;
	if (p.file) {
		run_parser(&p);
		fclose(p.file);
	} else {
		log_error("%s: %s", path, strerror(errno));
		p.errors++;
	}
	if (!p.errors)
		return p.conf;
	conf_free(p.conf);
	return NULL;
}

void conf_free(struct conf *c)
{
	struct conf_entry *e;

	if (!c)
		return;
	while ((e = c->entries)) {
		c->entries = e->next;
		entry_free(e);
	}
	free(c);
}

/* ---- look-up ---- */

static const struct conf_entry *most_specific(const struct conf *c, const char *guest,
					      const char *const *device, const char *key)
{
	const struct conf_entry *e = NULL;

	if (!c)
		return NULL;
	for (; guest && device && *device && !e; device++)
		e = find_entry(c, key, guest, *device);
	if (!e && guest)
		e = find_entry(c, key, guest, NULL);
	return e ? e : find_entry(c, key, NULL, NULL);
}

const char *conf_string(const struct conf *c, const char *guest,
			const char *const *device, const char *key, const char *fallback)
{
	const struct conf_entry *e = most_specific(c, guest, device, key);

	return e ? e->text : fallback;
}

uint64_t conf_number(const struct conf *c, const char *guest, const char *const *device,
		     const char *key, uint64_t fallback)
{
	const struct conf_entry *e = most_specific(c, guest, device, key);

	return e ? e->number : fallback;
}

bool conf_bool(const struct conf *c, const char *guest, const char *const *device,
	       const char *key, bool fallback)
{
	return conf_number(c, guest, device, key, fallback);
}
