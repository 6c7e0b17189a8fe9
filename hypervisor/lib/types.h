/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Basic types. Machine frames, guest frames and guest addresses are types of their
 * own, so that mixing them does not compile; a hypervisor address is a pointer.
 */
#ifndef HV_TYPES_H
#define HV_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096ul
#define PAGE_MASK  (~(PAGE_SIZE - 1))

/* A machine frame; a guest (pseudo-physical) frame. */
typedef struct {
	uint64_t n;
} mfn_t;
typedef struct {
	uint64_t n;
} gfn_t;

#define MFN(x)      ((mfn_t){(x)})
#define GFN(x)      ((gfn_t){(x)})
#define MFN_INVALID MFN(~0ull)

static inline bool mfn_eq(mfn_t a, mfn_t b)
{
	return a.n == b.n;
}

static inline mfn_t mfn_add(mfn_t a, uint64_t n)
{
	return MFN(a.n + n);
}

static inline uint64_t mfn_to_maddr(mfn_t m)
{
	return m.n << PAGE_SHIFT;
}

static inline mfn_t maddr_to_mfn(uint64_t maddr)
{
	return MFN(maddr >> PAGE_SHIFT);
}

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)         ((a) < (b) ? (a) : (b))
#define MAX(a, b)         ((a) > (b) ? (a) : (b))
#define ROUND_UP(x, n)    (((x) + (n) - 1) / (n) * (n))
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define likely(x)         __builtin_expect(!!(x), 1)
#define unlikely(x)       __builtin_expect(!!(x), 0)
#define READ_ONCE(x)      (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)  (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()         __asm__ volatile("" ::: "memory")

/* @index if it is below @size, else 0, without a branch that could be mispredicted:
 * after every bound check on a guest's value (Spectre v1). */
static inline uint64_t index_nospec(uint64_t index, uint64_t size)
{
	uint64_t mask;

	__asm__ volatile("cmp %2, %1; sbb %0, %0" : "=r"(mask) : "r"(index), "r"(size) : "cc");
	return index & mask;
}

#endif
