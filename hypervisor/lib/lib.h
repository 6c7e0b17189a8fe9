/* SPDX-License-Identifier: GPL-2.0-only */
/* What a C library would give: memory, strings, printing, bits, lists. */
#ifndef HV_LIB_H
#define HV_LIB_H

#include <stdarg.h>

#include "hypervisor/lib/errno.h"
#include "hypervisor/lib/types.h"

#ifdef HOST_TEST
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#else
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *p, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t n);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
int snprintf(char *buf, size_t n, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *buf, size_t n, const char *fmt, va_list ap) __attribute__((format(printf, 3, 0)));
#endif

/* Copy at most n - 1 bytes and terminate. Returns strlen(from). */
size_t strcopy(char *to, const char *from, size_t n);
/* Number with base 10 or 0x prefix; *end is the first character that is not part of it. */
uint64_t parse_number(const char *s, const char **end);
/* A number with B, K, M, G or T: what comes behind it; NULL: none, or too large. */
const char *parse_size(const char *s, uint64_t *bytes);
/* Is a word of @n characters a yes ("", "on", "1"...) or a no? 1, 0, -EINVAL. */
int parse_bool(const char *s, size_t n);

/*
 * Hypervisor's console and ring (xl dmesg). Levels as loglvl= takes them. The guest
 * kind is rate-limited and obeys guest_loglvl=. Any context, any lock held.
 */
enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };
void printk(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void gprintk(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Says where, back-trace, stops the machine (or reboots it, unless noreboot). */
void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

#define BUG() panic("BUG at %s:%d", __FILE__, __LINE__)
#define BUG_ON(x)                                                                        \
	do {                                                                             \
		if (unlikely(x))                                                         \
			panic("BUG at %s:%d: %s", __FILE__, __LINE__, #x);               \
	} while (0)
#ifdef DEBUG
#define ASSERT(x)                                                                        \
	do {                                                                             \
		if (unlikely(!(x)))                                                      \
			panic("assertion at %s:%d: %s", __FILE__, __LINE__, #x);         \
	} while (0)
#else
#define ASSERT(x) ((void)sizeof(!(x)))
#endif

/* ---- doubly linked lists ---- */
struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add_between(struct list *n, struct list *prev, struct list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}

static inline void list_add(struct list *n, struct list *head)
{
	list_add_between(n, head, head->next);
}

static inline void list_add_tail(struct list *n, struct list *head)
{
	list_add_between(n, head->prev, head);
}

/* Leaves @n pointing at itself: removing it again does no harm. */
static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)

/* ---- bits and atomics (x86 orders them; all are full barriers) ---- */
static inline bool test_bit(unsigned long nr, const volatile void *p)
{
	return ((const volatile uint64_t *)p)[nr / 64] >> (nr % 64) & 1;
}

static inline void set_bit(unsigned long nr, volatile void *p)
{
	__atomic_fetch_or((volatile uint64_t *)p + nr / 64, 1ull << (nr % 64), __ATOMIC_SEQ_CST);
}

static inline void clear_bit(unsigned long nr, volatile void *p)
{
	__atomic_fetch_and((volatile uint64_t *)p + nr / 64, ~(1ull << (nr % 64)), __ATOMIC_SEQ_CST);
}

static inline bool test_and_set_bit(unsigned long nr, volatile void *p)
{
	uint64_t bit = 1ull << (nr % 64);

	return __atomic_fetch_or((volatile uint64_t *)p + nr / 64, bit, __ATOMIC_SEQ_CST) & bit;
}

static inline bool test_and_clear_bit(unsigned long nr, volatile void *p)
{
	uint64_t bit = 1ull << (nr % 64);

	return __atomic_fetch_and((volatile uint64_t *)p + nr / 64, ~bit, __ATOMIC_SEQ_CST) & bit;
}

/* First set bit at or after @from, or @size. */
unsigned long find_next_bit(const void *p, unsigned long size, unsigned long from);
unsigned long find_next_zero_bit(const void *p, unsigned long size, unsigned long from);

#define atomic_load(p)         __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_store(p, v)     __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define atomic_add(p, v)       __atomic_add_fetch(p, v, __ATOMIC_SEQ_CST)
#define atomic_sub(p, v)       __atomic_sub_fetch(p, v, __ATOMIC_SEQ_CST)
#define atomic_xchg(p, v)      __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define atomic_cmpxchg(p, old, new)                                                      \
	__atomic_compare_exchange_n(p, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
#define smp_mb()  __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_wmb() barrier()

#endif
