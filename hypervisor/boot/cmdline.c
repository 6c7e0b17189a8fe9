// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line: words NAME, NAME=VALUE or no-NAME, between spaces; options are in the
 * section .boot_options (boot/boot.h). Where a name occurs twice the last one holds.
 */
#include "hypervisor/boot/boot.h"

#ifdef HOST_TEST
extern const struct boot_option *boot_options_start, *boot_options_end;
#else
extern const struct boot_option boot_options_start[], boot_options_end[];
#endif

static int store(const struct boot_option *o, uint64_t value)
{
	if (o->size < 8 && value >> (8 * o->size))
		return -EINVAL;
	memcpy(o->var, &value, o->size); /* little-endian */
	return 0;
}

static int set_option(const struct boot_option *o, const char *value, bool negated)
{
	const char *end;
	uint64_t n;
	int on;

	if (o->kind == OPT_BOOL) {
		on = parse_bool(value, strlen(value));
		if (on >= 0)
			*(bool *)o->var = on != negated;
		return on < 0 ? on : 0;
	}
	if (negated && o->kind != OPT_FN)
		return -EINVAL;
	switch ((enum boot_option_kind)o->kind) {
	case OPT_INT:
		n = parse_number(value, &end);
		return end == value || *end ? -EINVAL : store(o, n);
	case OPT_SIZE:
		end = parse_size(value, &n);
		return !end || *end ? -EINVAL : store(o, n);
	case OPT_STR:
		if (strlen(value) >= o->size)
			return -EINVAL;
		strcopy(o->var, value, o->size);
		return 0;
	default:
		return (*(int (*const *)(const char *))o->var)(negated ? "no" : value);
	}
}

static const struct boot_option *find_option(const char *name)
{
	for (const struct boot_option *o = boot_options_start; o < boot_options_end; o++)
		if (!strcmp(o->name, name))
			return o;
	return NULL;
}

static void parse_word(char *word)
{
	const struct boot_option *o;
	char *value = strchr(word, '=');
	bool negated = false;

	if (value)
		*value++ = 0;
	o = find_option(word);
	if (!o && !strncmp(word, "no-", 3)) {
		negated = true;
		o = find_option(word + 3);
	}
	if (!o)
		printk(LOG_WARN, "command line: no option is called \"%s\"\n", word);
	else if (set_option(o, value ? value : "", negated))
		printk(LOG_WARN, "command line: \"%s\" is not a value of %s\n", value ? value : "", o->name);
}

void cmdline_parse(const char *line)
{
	char word[256];

	while (*line) {
		size_t n = 0;

		for (; *line == ' '; line++)
			;
		for (; *line && *line != ' '; line++)
			if (n < sizeof(word) - 1)
				word[n++] = *line;
		word[n] = 0;
		if (!strcmp(word, "--"))
			return; /* the rest is for others */
		if (n)
			parse_word(word);
	}
}
