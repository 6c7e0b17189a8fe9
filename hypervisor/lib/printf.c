// SPDX-License-Identifier: GPL-2.0-only
/*
 * vsnprintf(): d u x c s p %, with flags "-0#", width, precision and l ll z: what our own
 * formats use; no floating point. %pS prints a code address with its function's name.
 */
#include "hypervisor/cpu/setup.h"
#include "hypervisor/lib/lib.h"

int hv_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap);

struct out {
	char *buf;
	size_t size, at; /* at counts on beyond size */
};

struct spec {
	bool left, zero, alt;
	int width, precision; /* precision -1: not given */
};

static void put(struct out *o, char c)
{
	if (o->at < o->size)
		o->buf[o->at] = c;
	o->at++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_string(struct out *o, const char *s, const struct spec *f)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = f->precision >= 0 ? strnlen(s, (size_t)f->precision) : strlen(s);
	if (!f->left)
		pad(o, ' ', f->width - (int)n);
	for (size_t i = 0; i < n; i++)
		put(o, s[i]);
	if (f->left)
		pad(o, ' ', f->width - (int)n);
}

static void put_number(struct out *o, uint64_t value, bool negative, unsigned int base,
		       const struct spec *f)
{
	char text[24];
	const char *prefix = negative ? "-" : f->alt && base == 16 && value ? "0x" : "";
	int n = 0, np = (int)strlen(prefix), zeros;

	for (; value; value /= base)
		text[n++] = "0123456789abcdef"[value % base];
	if (!n && f->precision)
		text[n++] = '0';
	zeros = f->precision - n;
	if (f->precision < 0 && f->zero && !f->left)
		zeros = f->width - n - np;
	zeros = MAX(zeros, 0);
	if (!f->left)
		pad(o, ' ', f->width - n - np - zeros);
	while (*prefix)
		put(o, *prefix++);
	pad(o, '0', zeros);
	for (int i = n; i--;)
		put(o, text[i]);
	if (f->left)
		pad(o, ' ', f->width - n - np - zeros);
}

static void put_pointer(struct out *o, uint64_t value, bool symbol, struct spec *f)
{
	const char *name = NULL;
	uint64_t offset = 0;

	if (symbol)
		name = symbol_lookup(value, &offset);
	if (name) {
		struct spec plain = {.precision = -1, .alt = true};

		put_string(o, name, &plain);
		put(o, '+');
		put_number(o, offset, false, 16, &plain);
		return;
	}
	f->precision = 16;
	put_number(o, value, false, 16, f);
}

/* A number in digits, or '*'. */
static const char *parse_count(const char *s, int *value, va_list *ap)
{
	*value = 0;
	if (*s == '*') {
		*value = va_arg(*ap, int);
		return s + 1;
	}
	for (; *s >= '0' && *s <= '9'; s++)
		*value = MIN(*value * 10 + (*s - '0'), 10000);
	return s;
}

static const char *parse_flags(const char *s, struct spec *f)
{
	for (; *s == '-' || *s == '0' || *s == '#'; s++) {
		f->left |= *s == '-';
		f->zero |= *s == '0';
		f->alt |= *s == '#';
	}
	return s;
}

static void put_integer(struct out *o, char kind, bool is_long, const struct spec *f, va_list *ap)
{
	int64_t value = is_long ? va_arg(*ap, int64_t) : va_arg(*ap, int32_t);
	bool negative = kind == 'd' && value < 0;

	if (negative)
		value = (int64_t)(0 - (uint64_t)value);
	else if (!is_long)
		value = (uint32_t)value;
	put_number(o, (uint64_t)value, negative, kind == 'x' ? 16 : 10, f);
}

/* One directive, after its '%'. What is not known is printed as it stands. */
static const char *directive(struct out *o, const char *s, va_list *ap)
{
	struct spec f = {.precision = -1};
	const char *start = s;
	bool is_long;
	char c[2] = "";

	s = parse_flags(s, &f);
	s = parse_count(s, &f.width, ap);
	if (f.width < 0) {
		f.left = true;
		f.width = f.width < -10000 ? 10000 : -f.width;
	}
	if (*s == '.')
		s = parse_count(s + 1, &f.precision, ap);
	for (is_long = false; *s == 'l' || *s == 'z'; s++)
		is_long = true;
	switch (*s) {
	case 'd':
	case 'u':
	case 'x':
		put_integer(o, *s, is_long, &f, ap);
		break;
	case 'c':
		c[0] = (char)va_arg(*ap, int);
		f.precision = -1;
		if (c[0])
			put_string(o, c, &f);
		else
			put(o, 0);
		break;
	case 's':
		put_string(o, va_arg(*ap, const char *), &f);
		break;
	case 'p':
		put_pointer(o, va_arg(*ap, uint64_t), s[1] == 'S', &f);
		if (s[1] == 'S')
			s++;
		break;
	case '%':
		put(o, '%');
		break;
	default:
		put(o, '%');
		return start;
	}
	return s + 1;
}

int hv_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap)
{
	struct out o = {buf, n, 0};
	va_list args;

	va_copy(args, ap);
	while (*fmt) {
		if (*fmt == '%')
			fmt = directive(&o, fmt + 1, &args);
		else
			put(&o, *fmt++);
	}
	va_end(args);
	if (n)
		buf[MIN(o.at, n - 1)] = 0;
	return (int)o.at;
}

#ifndef HOST_TEST
int vsnprintf(char *buf, size_t n, const char *fmt, va_list ap)
{
	return hv_vsnprintf(buf, n, fmt, ap);
}

int snprintf(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = hv_vsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return length;
}
#endif
