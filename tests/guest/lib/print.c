// SPDX-License-Identifier: GPL-2.0-only
/* Printing on the PV console's ring (xen/io/console.h), or as dom0 on the hypervisor's
 * console, and the command line. */
#include "tests/guest/guest.h"
#include <xen/io/console.h>

static int print_lock;
static uint64_t notified; /* when */

static struct xencons_interface *ring(void)
{
	return (void *)(IMAGE + pfn_of_mfn(start_info->console.domU.mfn) * PAGE_SIZE);
}

static void console_notify(void)
{
	struct evtchn_send send = {.port = start_info->console.domU.evtchn};

	hcall(event_channel_op, EVTCHNOP_send, &send);
}

/* Waits for the reader to have come to @cons; it may be gone, so not for ever. */
static bool wait_reader(uint32_t used)
{
	struct xencons_interface *r = ring();

	for (int tries = 0; r->out_prod - READ_ONCE(r->out_cons) > used; tries++) {
		if (tries == 3000)
			return false;
		console_notify();
		sleep_ms(10);
	}
	return true;
}

void console_flush(void)
{
	if (!is_dom0())
		wait_reader(0);
}

static void put(const char *s, size_t n)
{
	struct xencons_interface *r;

	if (is_dom0()) {
		hcall(console_io, CONSOLEIO_write, n, s);
		return;
	}
	r = ring();
	for (; n; n--, s++) {
		if (!wait_reader(sizeof(r->out) - 1))
			return;
		r->out[MASK_XENCONS_IDX(r->out_prod, r->out)] = *s;
		barrier(); /* x86 keeps the order of stores */
		WRITE_ONCE(r->out_prod, r->out_prod + 1);
	}
	/* xenconsoled leaves whoever sends it many events alone for a while. */
	if (time_now() - notified > 50000000) {
		notified = time_now();
		console_notify();
	}
}

static char *number(char *end, unsigned long n, unsigned int base)
{
	do
		*--end = "0123456789abcdef"[n % base];
	while (n /= base);
	return end;
}

struct field {
	bool zero, wide;
	int width;
};

static char *emit(char *out, const char *end, const char *s, const struct field *f)
{
	for (int pad = f->width - (int)strlen(s); pad > 0 && out < end; pad--)
		*out++ = f->zero ? '0' : ' ';
	while (*s && out < end)
		*out++ = *s++;
	return out;
}

static char *conversion(char *out, const char *end, char c, struct field *f, va_list args)
{
	char digits[24] = "", *s = digits + sizeof(digits) - 1;
	long n;

	switch (c) {
	case 's':
		return emit(out, end, va_arg(args, const char *), f);
	case 'c':
		*--s = (char)va_arg(args, int);
		break;
	case 'd':
		n = f->wide ? va_arg(args, long) : va_arg(args, int);
		s = number(s, n < 0 ? -(unsigned long)n : (unsigned long)n, 10);
		if (n < 0)
			*--s = '-';
		break;
	default:
		s = number(s, f->wide ? va_arg(args, unsigned long) : va_arg(args, unsigned int),
			   c == 'u' ? 10 : 16);
	}
	return emit(out, end, s, f);
}

void print(const char *format, ...)
{
	char line[256], *out = line, *end = line + sizeof(line);
	va_list args;

	va_start(args, format);
	for (const char *p = format; *p && out < end; p++) {
		struct field f = {0};

		if (*p != '%') {
			*out++ = *p;
			continue;
		}
		f.zero = *++p == '0';
		for (; *p >= '0' && *p <= '9'; p++)
			f.width = f.width * 10 + *p - '0';
		if (*p == 'l') {
			f.wide = true;
			p++;
		}
		out = conversion(out, end, *p, &f, args);
	}
	va_end(args);
	while (__atomic_test_and_set(&print_lock, __ATOMIC_ACQUIRE))
		hcall(sched_op, SCHEDOP_yield);
	put(line, (size_t)(out - line));
	__atomic_clear(&print_lock, __ATOMIC_RELEASE);
}

unsigned long argument(const char *name, unsigned long otherwise)
{
	const char *p = (const char *)start_info->cmd_line;
	size_t n = strlen(name);
	unsigned long value = 0;

	for (; *p; p++) {
		if ((p != (const char *)start_info->cmd_line && p[-1] != ' ') ||
		    strncmp(p, name, n))
			continue;
		if (p[n] != '=')
			return 1;
		for (p += n + 1; *p >= '0' && *p <= '9'; p++)
			value = value * 10 + (unsigned long)(*p - '0');
		return value;
	}
	return otherwise;
}
