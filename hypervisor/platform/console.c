// SPDX-License-Identifier: GPL-2.0-only
/*
 * The hypervisor's console: printk() to the ring and to the devices that console= names;
 * a guest's output; input, which goes to dom0 or, after three Ctrl-A, to debug keys.
 */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/platform/console.h"

#define PREFIX      "(XEN) "
#define SWITCH_KEY  1 /* Ctrl-A */
#define SWITCH_COUNT 3
#define INPUT_SIZE  256u

/* A message is one piece. Taken under any lock, so of no class. A CPU that has it already
 * (an exception within printk) goes on without. */
static struct spinlock console_lock = SPINLOCK(LOCK_NONE);
static uint32_t console_owner = ~0u;
static bool line_begun;
static bool want_vga, to_vga, to_serial;
static char opt_console[64] = "vga";
static bool opt_sync_console;
BOOT_OPTION_BOOL("sync_console", opt_sync_console);

static int parse_console(const char *s)
{
	return strcopy(opt_console, s, sizeof(opt_console)) < sizeof(opt_console) ? 0 : -EINVAL;
}
BOOT_OPTION_FN("console", parse_console);

/* ---- levels: loglvl=LEVEL[/LEVEL], all up to the first, none above the second ---- */
#ifdef DEBUG
static int level_limit = LOG_DEBUG;
#else
static int level_limit = LOG_INFO;
#endif
static int guest_level_limit = LOG_WARN;

static int parse_level(const char *s, int *limit)
{
	static const struct {
		const char *name;
		int limit;
	} names[] = {{"none", -1},      {"error", LOG_ERR},   {"warning", LOG_WARN},
		     {"info", LOG_INFO}, {"debug", LOG_DEBUG}, {"all", LOG_DEBUG}};
	const char *slash = strchr(s, '/');

	if (slash) /* what comes after it would be rate-limited: allowed as far as that */
		s = slash + 1;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(s, names[i].name)) {
			*limit = names[i].limit;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_loglvl(const char *s)
{
	return parse_level(s, &level_limit);
}
BOOT_OPTION_FN("loglvl", parse_loglvl);

static int parse_guest_loglvl(const char *s)
{
	return parse_level(s, &guest_level_limit);
}
BOOT_OPTION_FN("guest_loglvl", parse_guest_loglvl);

/* ---- the ring: the last 128 KiB of what was said, for xl dmesg. Indices count bytes since boot
 * and wrap at 32 bits; the buffer's size divides that. ---- */
#define RING_SIZE (128u * 1024)

static char ring[RING_SIZE];
static uint32_t ring_prod; /* written under the console's lock, read without */
static uint32_t ring_cons; /* everything before it was cleared or overwritten */

static void ring_write(const char *s, size_t n)
{
	uint32_t prod = ring_prod;

	for (; n; n--)
		ring[prod++ % RING_SIZE] = *s++;
	atomic_store(&ring_prod, prod);
	if (prod - ring_cons > RING_SIZE)
		WRITE_ONCE(ring_cons, prod - RING_SIZE);
}

/* Bytes overwritten while they are copied come out torn, as in any such log. */
static size_t ring_copy(char *buf, size_t n, uint32_t *index)
{
	uint32_t end = atomic_load(&ring_prod), at = *index;
	size_t done = 0;

	if (end - at > end - READ_ONCE(ring_cons))
		at = READ_ONCE(ring_cons);
	for (; done < n && at != end; at++)
		buf[done++] = ring[at % RING_SIZE];
	*index = at;
	return done;
}

size_t console_ring_read(char *buf, size_t n, uint32_t *index, bool clear, bool incremental)
{
	uint32_t at = incremental ? *index : READ_ONCE(ring_cons);
	size_t done = ring_copy(buf, n, &at);

	if (clear)
		WRITE_ONCE(ring_cons, at);
	*index = at;
	return done;
}

/* ---- output ---- */

static bool lock_console(unsigned long *flags)
{
	*flags = irq_save();
	if (READ_ONCE(console_owner) == this_cpu)
		return false;
	spin_lock(&console_lock);
	WRITE_ONCE(console_owner, this_cpu);
	return true;
}

static void unlock_console(bool locked, unsigned long flags)
{
	if (locked) {
		WRITE_ONCE(console_owner, ~0u);
		spin_unlock(&console_lock);
	}
	irq_restore(flags);
}

static void to_devices(const char *s, size_t n)
{
	if (to_serial)
		serial_write(s, n);
	if (to_vga)
		vga_write(s, n);
}

static void write_locked(const char *s, size_t n)
{
	ring_write(s, n);
	to_devices(s, n);
}

/* With the prefix at the beginning of every line. */
static void write_lines(const char *s, size_t n, const char *prefix)
{
	while (n) {
		const char *end = memchr(s, '\n', n);
		size_t part = end ? (size_t)(end - s) + 1 : n;

		if (!line_begun) {
			write_locked(PREFIX, sizeof(PREFIX) - 1);
			write_locked(prefix, strlen(prefix));
		}
		write_locked(s, part);
		line_begun = !end;
		s += part;
		n -= part;
	}
}

static void vprint(const char *prefix, const char *fmt, va_list ap)
{
	char text[512];
	size_t n = (size_t)vsnprintf(text, sizeof(text), fmt, ap);
	unsigned long flags;
	bool locked;

	if (n >= sizeof(text)) { /* cut short; its line ends all the same */
		n = sizeof(text) - 1;
		text[n - 1] = '\n';
	}
	locked = lock_console(&flags);
	write_lines(text, n, prefix);
	unlock_console(locked, flags);
}

void printk(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if ((int)level > level_limit)
		return;
	va_start(ap, fmt);
	vprint("", fmt, ap);
	va_end(ap);
}

/* A bucket of tokens, one back a second: what guests can provoke does not flood. */
static bool guest_may_print(void)
{
	static int32_t tokens = 20;
	static stime_t last;
	stime_t t = now(), old = READ_ONCE(last);

	if (t - old >= SECONDS(1) && atomic_cmpxchg(&last, &old, t))
		atomic_store(&tokens, (int32_t)MIN(tokens + (t - old) / SECONDS(1), 20));
	if (READ_ONCE(tokens) <= 0)
		return false;
	atomic_sub(&tokens, 1);
	return true;
}

void gprintk(enum log_level level, const char *fmt, ...)
{
	char who[24] = "";
	va_list ap;

	if ((int)level > guest_level_limit || !guest_may_print())
		return;
	if (current)
		snprintf(who, sizeof(who), "d%uv%u ", current->domain->domid, current->id);
	va_start(ap, fmt);
	vprint(who, fmt, ap);
	va_end(ap);
}

/* dom0's goes to the devices as it is; another's is marked, limited, and in the ring. */
void console_write_guest(struct domain *d, const char *s, size_t n)
{
	unsigned long flags;
	char who[12];
	bool locked;

	if (!d->hardware) {
		if (!guest_may_print())
			return;
		snprintf(who, sizeof(who), "(d%u) ", d->domid);
		locked = lock_console(&flags);
		write_lines(s, n, who);
		if (line_begun)
			write_lines("\n", 1, "");
		unlock_console(locked, flags);
		return;
	}
	locked = lock_console(&flags);
	to_devices(s, n);
	unlock_console(locked, flags);
}

void console_force_sync(void)
{
	WRITE_ONCE(console_owner, this_cpu); /* whoever had the lock has stopped */
	serial_set_sync();
}

/* ---- input ---- */
static struct spinlock input_lock = SPINLOCK(LOCK_SERIAL);
static char input[INPUT_SIZE];
static uint32_t input_prod, input_cons;
static bool input_to_hypervisor;

static void announce_input(void)
{
	printk(LOG_ERR, "*** Serial input to %s (type 'CTRL-a' three times to switch input)\n",
	       input_to_hypervisor ? "Xen" : "DOM0");
}

static void input_to_dom0(char c)
{
	unsigned long flags = spin_lock_irqsave(&input_lock);

	if (input_prod - input_cons < INPUT_SIZE)
		input[input_prod++ % INPUT_SIZE] = c;
	spin_unlock_irqrestore(&input_lock, flags);
	send_global_virq(VIRQ_CONSOLE);
}

/* By the serial line's interrupt or timer, one CPU at a time. */
static void console_receive(char c)
{
	static int presses;

	if (c == SWITCH_KEY) {
		if (++presses == SWITCH_COUNT) {
			presses = 0;
			input_to_hypervisor = !input_to_hypervisor;
			announce_input();
		}
		return;
	}
	/* Fewer than it takes were meant for the receiver. */
	for (; presses; presses--)
		if (!input_to_hypervisor)
			input_to_dom0(SWITCH_KEY);
	if (input_to_hypervisor)
		key_pressed(c);
	else
		input_to_dom0(c);
}

size_t console_read_input(char *buf, size_t n)
{
	size_t done = 0;

	spin_guard_irqsave(&input_lock);
	while (done < n && input_cons != input_prod)
		buf[done++] = input[input_cons++ % INPUT_SIZE];
	return done;
}

/* ---- start ---- */

/* Each name of console=, between commas. */
static void open_devices(void)
{
	for (const char *s = opt_console; *s;) {
		const char *end = strchr(s, ',');
		size_t n = end ? (size_t)(end - s) : strlen(s);

		if (n >= 4 && !strncmp(s, "com1", 4) && serial_init(1))
			to_serial = true;
		else if (n >= 4 && !strncmp(s, "com2", 4) && serial_init(2))
			to_serial = true;
		else if (n == 3 && !strncmp(s, "vga", 3))
			want_vga = true;
		else if (!(n == 4 && !strncmp(s, "none", 4)))
			printk(LOG_WARN, "console=%s: no such device: %.*s\n", opt_console, (int)n, s);
		s += n + (end != NULL);
	}
	if (want_vga)
		to_vga = vga_init();
}

/* What was said before there was a device. */
static void repeat(void (*write)(const char *s, size_t n))
{
	char text[128];
	uint32_t index = 0;
	size_t n;

	while ((n = ring_copy(text, sizeof(text), &index)))
		write(text, n);
}

void console_init(void)
{
	open_devices();
	repeat(to_devices);
}

void console_init_screen(void)
{
	if (want_vga && !to_vga && vga_init_framebuffer()) {
		repeat(vga_write);
		to_vga = true;
		printk(LOG_INFO, "Screen: %ux%u, %u bits a pixel, at %#lx\n", boot_info.framebuffer.width,
		       boot_info.framebuffer.height, boot_info.framebuffer.bpp,
		       boot_info.framebuffer.addr);
	} else if (want_vga && !to_vga) {
		printk(LOG_WARN, "console=vga: no screen that can be used (type %u)\n",
		       boot_info.framebuffer.type);
	}
}

void console_init_late(void)
{
	keys_init();
	serial_start(console_receive);
	if (opt_sync_console)
		serial_set_sync();
}

void console_give_back(void)
{
	if (to_vga)
		to_vga = !vga_give_back();
	announce_input();
}
