// SPDX-License-Identifier: GPL-2.0-only
/* hypervisor/lib: strings and printf against the C library's, bits and ranges against a
 * model, locks between threads. */
#include <pthread.h>
#include <setjmp.h>

#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#include "hypervisor/cpu/percpu.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/mm/mm.h"

static jmp_buf on_panic;
static bool panic_expected;

void *hv_memcpy(void *to, const void *from, size_t n);
void *hv_memmove(void *to, const void *from, size_t n);
void *hv_memset(void *p, int c, size_t n);
int hv_memcmp(const void *a, const void *b, size_t n);
void *hv_memchr(const void *p, int c, size_t n);
size_t hv_strlen(const char *s);
size_t hv_strnlen(const char *s, size_t n);
int hv_strcmp(const char *a, const char *b);
int hv_strncmp(const char *a, const char *b, size_t n);
char *hv_strchr(const char *s, int c);
int hv_vsnprintf(char *buf, size_t n, const char *fmt, va_list ap);

/* ---- what lib/ wants of others ---- */
void panic(const char *fmt, ...)
{
	if (panic_expected)
		longjmp(on_panic, 1);
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	abort();
}

const char *symbol_lookup(uint64_t address, uint64_t *offset)
{
	*offset = address - 0x1000;
	return address >= 0x1000 && address < 0x2000 ? "function" : NULL;
}

static int allocations_left = -1; /* until one fails; -1: none does */

void *xzalloc_bytes(size_t size, size_t align)
{
	(void)align;
	if (!allocations_left)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return calloc(1, size);
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

/* ---- strings ---- */
static void test_memory(void)
{
	char a[64], b[64], c[64];

	for (int round = 0; round < 20000; round++) {
		size_t n = rnd() % 24, from = rnd() % 40, to = rnd() % 40;

		for (size_t i = 0; i < sizeof(a); i++)
			a[i] = b[i] = (char)(rnd() % 3);
		memmove(a + to, a + from, n);
		hv_memmove(b + to, b + from, n);
		CU_ASSERT_EQUAL_FATAL(memcmp(a, b, sizeof(a)), 0);
		memset(a + to, (int)round, n);
		CU_ASSERT_PTR_EQUAL(hv_memset(b + to, (int)round, n), b + to);
		CU_ASSERT_EQUAL_FATAL(memcmp(a, b, sizeof(a)), 0);
		hv_memcpy(c, a, sizeof(c));
		CU_ASSERT_EQUAL_FATAL(memcmp(a, c, sizeof(a)), 0);
		CU_ASSERT_EQUAL(sign(hv_memcmp(a, a + from, n)), sign(memcmp(a, a + from, n)));
		CU_ASSERT_PTR_EQUAL(hv_memchr(a + from, 2, n), memchr(a + from, 2, n));
	}
}

static void test_strings(void)
{
	for (int round = 0; round < 20000; round++) {
		char a[10] = "", b[10] = "";
		size_t na = rnd() % 9, nb = rnd() % 4, n = rnd() % 10;

		for (size_t i = 0; i < na; i++)
			a[i] = (char)(rnd() % 8 ? 'a' + rnd() % 2 : 0xe4);
		for (size_t i = 0; i < nb; i++)
			b[i] = (char)('a' + rnd() % 2);
		CU_ASSERT_EQUAL_FATAL(hv_strlen(a), strlen(a));
		CU_ASSERT_EQUAL(hv_strnlen(a, n), strnlen(a, n));
		CU_ASSERT_EQUAL(sign(hv_strcmp(a, b)), sign(strcmp(a, b)));
		CU_ASSERT_EQUAL(sign(hv_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		CU_ASSERT_PTR_EQUAL(hv_strchr(a, 'b'), strchr(a, 'b'));
		CU_ASSERT_PTR_EQUAL(hv_strchr(a, 0), strchr(a, 0));
	}
}

static void test_strcopy(void)
{
	char to[4] = "xyz";

	CU_ASSERT_EQUAL(strcopy(to, "ab", 4), 2);
	CU_ASSERT_STRING_EQUAL(to, "ab");
	CU_ASSERT_EQUAL(strcopy(to, "abcdef", 4), 6);
	CU_ASSERT_STRING_EQUAL(to, "abc");
	CU_ASSERT_EQUAL(strcopy(to, "q", 0), 1);
	CU_ASSERT_STRING_EQUAL(to, "abc");
}

static void test_numbers(void)
{
	static const struct {
		const char *text;
		uint64_t value;
		size_t length;
	} t[] = {{"0", 0, 1},	   {"42M", 42, 2},   {"0x1Fz", 0x1f, 4},
		 {"0x", 0, 1},	   {"", 0, 0},	     {"-1", 0, 0},
		 {"010", 10, 3},   {"0XabG", 0xab, 4},
		 {"18446744073709551615", ~0ull, 20}};
	const char *end;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		CU_ASSERT_EQUAL(parse_number(t[i].text, &end), t[i].value);
		CU_ASSERT_EQUAL(end - t[i].text, (long)t[i].length);
	}
}

/* ---- printf ---- */
static int hv_print(char *buf, size_t n, const char *fmt, ...)
{
	va_list ap;
	int length;

	va_start(ap, fmt);
	length = hv_vsnprintf(buf, n, fmt, ap);
	va_end(ap);
	return length;
}

/* A format of one directive, and what the C library makes of it. */
static void random_directive(char *fmt)
{
	static const char *const lengths[] = {"", "l", "ll", "z"};
	static const char conversions[] = "duxsc";
	char *p = fmt;

	*p++ = '<';
	*p++ = '%';
	for (const char *f = "-0#"; *f; f++)
		if (rnd() % 3 == 0)
			*p++ = *f;
	if (rnd() % 2)
		p += sprintf(p, "%u", (unsigned int)(rnd() % 24));
	if (rnd() % 2)
		p += sprintf(p, ".%u", (unsigned int)(rnd() % 22));
	char conversion = conversions[rnd() % 5];

	if (conversion != 's' && conversion != 'c')
		p += sprintf(p, "%s", lengths[rnd() % ARRAY_SIZE(lengths)]);
	*p++ = conversion;
	*p++ = '>';
	*p = 0;
}

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
static void test_printf_random(void)
{
	char fmt[32], ours[80], theirs[80];

	for (int round = 0; round < 200000; round++) {
		size_t room = rnd() % 8 ? sizeof(ours) : rnd() % 12;
		uint64_t value = rnd() >> (rnd() % 64);
		int a, b;

		random_directive(fmt);
		memset(ours, '#', sizeof(ours));
		memset(theirs, '#', sizeof(theirs));
		if (strchr(fmt, 's')) {
			char text[12];

			sprintf(text, "%u", (unsigned int)value);
			a = hv_print(ours, room, fmt, text);
			b = snprintf(theirs, room, fmt, text);
		} else if (strchr(fmt, 'c')) {
			a = hv_print(ours, room, fmt, (int)('a' + value % 26));
			b = snprintf(theirs, room, fmt, (int)('a' + value % 26));
		} else {
			value = rnd() % 2 ? 0 - value : value;
			a = hv_print(ours, room, fmt, value);
			b = snprintf(theirs, room, fmt, value);
		}
		if (a != b || memcmp(ours, theirs, sizeof(ours))) {
			printf("format %s value %#lx: ours %.40s theirs %.40s\n", fmt,
			       (unsigned long)value, ours, theirs);
			CU_FAIL_FATAL("differs from the C library");
		}
	}
}

static void test_printf_own(void)
{
	char buf[80];

	hv_print(buf, sizeof(buf), "%pS %p", (void *)0x1042, (void *)0xabcd);
	CU_ASSERT_STRING_EQUAL(buf, "function+0x42 000000000000abcd");
	hv_print(buf, sizeof(buf), "%pS", (void *)0x3000);
	CU_ASSERT_STRING_EQUAL(buf, "0000000000003000");
	hv_print(buf, sizeof(buf), "%*d|%-*d|%.*s", 5, 1, 4, 2, 2, "abc");
	CU_ASSERT_STRING_EQUAL(buf, "    1|2   |ab");
	hv_print(buf, sizeof(buf), "100%% %s", (char *)NULL);
	CU_ASSERT_STRING_EQUAL(buf, "100% (null)");
	hv_print(buf, sizeof(buf), "%k", 1);
	CU_ASSERT_STRING_EQUAL(buf, "%k");
	hv_print(buf, sizeof(buf), "%");
	CU_ASSERT_STRING_EQUAL(buf, "%");
	CU_ASSERT_EQUAL(hv_print(buf, 0, "abc"), 3);
}

/* ---- bits ---- */
static void test_bits(void)
{
	for (int round = 0; round < 3000; round++) {
		uint64_t map[4];
		unsigned long size = rnd() % 257, from = rnd() % 260, set, clear;

		for (int i = 0; i < 4; i++)
			map[i] = rnd() % 3 ? rnd() & rnd() & rnd() & rnd() : rnd() % 2 ? 0 : ~0ull;
		for (set = from; set < size && !test_bit(set, map); set++)
			;
		for (clear = from; clear < size && test_bit(clear, map); clear++)
			;
		CU_ASSERT_EQUAL_FATAL(find_next_bit(map, size, from), MIN(MAX(set, 0), MAX(size, 0)));
		CU_ASSERT_EQUAL_FATAL(find_next_zero_bit(map, size, from), MIN(clear, size));
	}
}

/* ---- ranges ---- */
#define MODEL 64

static void check_ranges(struct rangeset *r, const bool *model)
{
	bool none = true;

	for (uint64_t first = 0, next; first < MODEL; first = next) {
		for (next = first; next < MODEL && model[next] == model[first]; next++)
			;
		/* What touches is one range: it contains the whole run. */
		CU_ASSERT_EQUAL(rangeset_contains(r, first, next - 1), model[first]);
		for (uint64_t i = first; i < next; i++)
			CU_ASSERT_EQUAL(rangeset_contains(r, i, i), model[first]);
		none &= !model[first];
	}
	CU_ASSERT_EQUAL(rangeset_empty(r), none);
}

static void test_ranges(void)
{
	struct rangeset *r = rangeset_create();
	bool model[MODEL] = {0};

	for (int round = 0; round < 20000; round++) {
		uint64_t a = rnd() % MODEL, b = a + rnd() % (MIN(MODEL - a, 8));
		bool add = rnd() % 2, all = true;
		int err;

		for (uint64_t i = a; i <= b; i++)
			all &= model[i];
		CU_ASSERT_EQUAL(rangeset_contains(r, a, b), all);
		allocations_left = rnd() % 8 ? -1 : 0;
		err = add ? rangeset_add(r, a, b) : rangeset_remove(r, a, b);
		allocations_left = -1;
		CU_ASSERT(err == 0 || err == -ENOMEM);
		for (uint64_t i = a; !err && i <= b; i++)
			model[i] = add;
		if (round % 16 == 0)
			check_ranges(r, model);
	}
	rangeset_destroy(r);
	rangeset_destroy(NULL);
}

static void test_ranges_edges(void)
{
	struct rangeset *r = rangeset_create();

	CU_ASSERT_EQUAL(rangeset_add(r, 5, 4), -EINVAL);
	CU_ASSERT_FALSE(rangeset_contains(r, 5, 4));
	CU_ASSERT_EQUAL(rangeset_add(r, 0, ~0ull), 0);
	CU_ASSERT_EQUAL(rangeset_remove(r, 10, ~0ull - 10), 0);
	CU_ASSERT(rangeset_contains(r, 0, 9) && rangeset_contains(r, ~0ull - 9, ~0ull));
	CU_ASSERT_FALSE(rangeset_contains(r, 10, 10) || rangeset_contains(r, ~0ull - 10, ~0ull));
	CU_ASSERT_EQUAL(rangeset_add(r, ~0ull - 20, ~0ull - 10), 0);
	CU_ASSERT(rangeset_contains(r, ~0ull - 20, ~0ull));
	CU_ASSERT_EQUAL(rangeset_remove(r, 0, ~0ull), 0);
	CU_ASSERT(rangeset_empty(r));
	rangeset_destroy(r);
	allocations_left = 0;
	CU_ASSERT_PTR_NULL(rangeset_create());
	allocations_left = -1;
}

/* ---- locks ---- */
#define THREADS 4
#define ROUNDS  20000

static struct spinlock lock = SPINLOCK(LOCK_HEAP);
static struct rwlock rwlock = RWLOCK(LOCK_VMAP);
static unsigned long counter, shared[2];

static void *contend(void *arg)
{
	host_cpu_info.cpu = (uint32_t)(uintptr_t)arg;
	for (int i = 0; i < ROUNDS; i++) {
		spin_lock(&lock);
		counter++;
		spin_unlock(&lock);
		if (i % 8) {
			read_lock(&rwlock);
			CU_ASSERT_EQUAL(shared[0], shared[1]);
			read_unlock(&rwlock);
		} else {
			write_lock(&rwlock);
			shared[0]++;
			shared[1]++;
			write_unlock(&rwlock);
		}
		if (spin_trylock(&lock)) {
			counter++;
			spin_unlock(&lock);
		} else {
			spin_lock(&lock);
			counter++;
			spin_unlock(&lock);
		}
	}
	return NULL;
}

static void test_locks(void)
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, contend, (void *)(i + 1));
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CU_ASSERT_EQUAL(counter, 2ul * THREADS * ROUNDS);
	CU_ASSERT_EQUAL(shared[0], THREADS * ROUNDS / 8ul);
	CU_ASSERT(spin_trylock(&lock));
	spin_unlock(&lock);
}

/* True if it panics. The CPU's list of locks is left as it is: use one CPU a case. */
static bool panics(void (*fn)(void))
{
	bool hit = setjmp(on_panic);

	panic_expected = true;
	if (!hit)
		fn();
	panic_expected = false;
	return hit;
}

static struct spinlock outer = SPINLOCK(LOCK_DOMAIN), inner = SPINLOCK(LOCK_SCHED),
		       same[2] = {SPINLOCK(LOCK_EVENT_CHANNEL), SPINLOCK(LOCK_EVENT_CHANNEL)};

static void in_order(void)
{
	spin_lock(&outer);
	spin_lock(&same[0]);
	spin_lock(&same[1]);
	spin_lock(&inner);
	spin_unlock(&same[0]); /* in any order */
	spin_unlock(&inner);
	spin_unlock(&same[1]);
	spin_unlock(&outer);
}

static void out_of_order(void)
{
	spin_lock(&inner);
	spin_lock(&outer);
}

static void twice(void)
{
	spin_lock(&outer);
	spin_lock(&outer);
}

static void same_class_descending(void)
{
	spin_lock(&same[1]);
	spin_lock(&same[0]);
}

static void not_held(void)
{
	spin_unlock(&inner);
}

static void reader_then_outer(void)
{
	read_lock(&rwlock);
	spin_lock(&outer);
}

static void test_lock_order(void)
{
	static const struct {
		void (*fn)(void);
		bool panics;
	} t[] = {{in_order, false},	       {out_of_order, true}, {twice, true},
		 {same_class_descending, true}, {not_held, true},     {reader_then_outer, true}};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		host_cpu_info.cpu = (uint32_t)i;
		spin_lock_init(&outer, LOCK_DOMAIN);
		spin_lock_init(&inner, LOCK_SCHED);
		spin_lock_init(&same[0], LOCK_EVENT_CHANNEL);
		spin_lock_init(&same[1], LOCK_EVENT_CHANNEL);
		CU_ASSERT_EQUAL(panics(t[i].fn), t[i].panics);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"memory", test_memory},
		{"strings", test_strings},
		{"strcopy", test_strcopy},
		{"numbers", test_numbers},
		{"printf against the C library", test_printf_random},
		{"printf's own", test_printf_own},
		{"bits", test_bits},
		{"ranges against a model", test_ranges},
		{"ranges at the edges", test_ranges_edges},
		{"locks between threads", test_locks},
		{"lock order", test_lock_order},
		CU_TEST_INFO_NULL,
	};

	return suite_main("hv_lib", tests);
}
