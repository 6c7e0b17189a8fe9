/* SPDX-License-Identifier: GPL-2.0-only */
/* The linker's --wrap stands between the code and its allocator: see alloc_fault.h. */
#include "tests/unit/alloc_fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stddef.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *s);
FILE *__real_open_memstream(char **text, size_t *size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *s);
FILE *__wrap_open_memstream(char **text, size_t *size);

static _Atomic(unsigned long) left;
static _Atomic(bool) hit;

void alloc_fault(unsigned long nth)
{
	atomic_store(&hit, false);
	atomic_store(&left, nth);
}

bool alloc_fault_hit(void)
{
	atomic_store(&left, 0);
	return atomic_exchange(&hit, false);
}

static bool fails(void)
{
	unsigned long n = atomic_load(&left);

	while (n && !atomic_compare_exchange_weak(&left, &n, n - 1))
		;
	if (n != 1)
		return false;
	atomic_store(&hit, true);
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(align, size);
}

char *__wrap_strdup(const char *s)
{
	return fails() ? NULL : __real_strdup(s);
}

FILE *__wrap_open_memstream(char **text, size_t *size)
{
	return fails() ? NULL : __real_open_memstream(text, size);
}
