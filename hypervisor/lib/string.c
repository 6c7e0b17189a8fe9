// SPDX-License-Identifier: GPL-2.0-only
/* Memory and strings. The compiler may call the first four on its own. */
#include "hypervisor/lib/lib.h"

#ifdef HOST_TEST
#define NAME(f) hv_##f /* tests compare them with the host's */
#else
#define NAME(f) f
#endif

void *NAME(memcpy)(void *to, const void *from, size_t n)
{
	void *d = to;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words)::"memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(n)::"memory");
	return to;
}

void *NAME(memmove)(void *to, const void *from, size_t n)
{
	char *d = to;
	const char *s = from;

	if (d <= s || d >= s + n)
		return NAME(memcpy)(to, from, n);
	while (n--) {
		d[n] = s[n];
		barrier(); /* the compiler must not make this a call of memmove */
	}
	return to;
}

void *NAME(memset)(void *p, int c, size_t n)
{
	void *d = p;
	uint64_t word = 0x0101010101010101ull * (uint8_t)c;
	size_t words = n / 8;

	n %= 8;
	__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(word) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(word) : "memory");
	return p;
}

int NAME(memcmp)(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

void *NAME(memchr)(const void *p, int c, size_t n)
{
	const uint8_t *s = p;

	for (; n; n--, s++)
		if (*s == (uint8_t)c)
			return (void *)s;
	return NULL;
}

size_t NAME(strlen)(const char *s)
{
	const char *p = s;

	while (*p)
		p++;
	return (size_t)(p - s);
}

size_t NAME(strnlen)(const char *s, size_t n)
{
	const char *end = NAME(memchr)(s, 0, n);

	return end ? (size_t)(end - s) : n;
}

int NAME(strcmp)(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uint8_t)*a - (uint8_t)*b;
}

int NAME(strncmp)(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a - (uint8_t)*b;
		if (!*a)
			break;
	}
	return 0;
}

char *NAME(strchr)(const char *s, int c)
{
	for (; *s != (char)c; s++)
		if (!*s)
			return NULL;
	return (char *)s;
}

size_t strcopy(char *to, const char *from, size_t n)
{
	size_t length = strlen(from);

	if (n) {
		size_t part = MIN(length, n - 1);

		memcpy(to, from, part);
		to[part] = 0;
	}
	return length;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return 16;
}

uint64_t parse_number(const char *s, const char **end)
{
	uint64_t value = 0;
	int base = 10;

	if (s[0] == '0' && (s[1] | 0x20) == 'x' && digit(s[2]) < 16) {
		base = 16;
		s += 2;
	}
	for (; digit(*s) < base; s++)
		value = value * (unsigned int)base + (unsigned int)digit(*s);
	if (end)
		*end = s;
	return value;
}

/* As Xen's options have it: KiB when there is no letter. */
const char *parse_size(const char *s, uint64_t *bytes)
{
	static const char letters[] = "bkmgt";
	const char *end, *letter;
	uint64_t n = parse_number(s, &end);
	unsigned int shift = 10;

	if (end == s)
		return NULL;
	letter = *end ? strchr(letters, *end | 0x20) : NULL;
	if (letter) {
		shift = 10 * (unsigned int)(letter - letters);
		end++;
	}
	*bytes = n << shift;
	return *bytes >> shift == n ? end : NULL;
}

int parse_bool(const char *s, size_t n)
{
	static const char *const words[2][6] = {{"0", "no", "off", "false", "disable", "disable"},
						{"", "1", "yes", "on", "true", "enable"}};

	for (int yes = 0; yes < 2; yes++)
		for (size_t i = 0; i < ARRAY_SIZE(words[yes]); i++)
			if (strlen(words[yes][i]) == n && !memcmp(words[yes][i], s, n))
				return yes;
	return -EINVAL;
}
