// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the decompression libraries expect of a C library: an allocator (an arena that is
 * thrown away whole), a stack with a red zone and room for 16 KiB frames, and a stack
 * guard at %fs:0x28. All of it for the time of one call at start-up, interrupts off.
 */
#ifndef HOST_TEST
#include "hypervisor/boot/dom0.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/mm/mm.h"

#define ARENA_ORDER  14 /* 64 MiB: xz keeps a window of 32 */
#define LIB_STACK    (256ul << 10)
#define MSR_FS_BASE  0xc0000100u
#define GUARD_OFFSET 0x28 /* System V ABI's thread control block */

static char *arena;
static size_t arena_used, arena_size;

void *malloc(size_t n)
{
	void *p = arena + arena_used;

	n = ROUND_UP(n, 64);
	if (n > arena_size - arena_used)
		return NULL;
	arena_used += n;
	return p;
}

void *calloc(size_t n, size_t size)
{
	void *p;

	if (size && n > arena_size / size)
		return NULL;
	p = malloc(n * size);
	if (p)
		memset(p, 0, n * size);
	return p;
}

void free(void *p)
{
	(void)p;
}

_Noreturn void __stack_chk_fail(void)
{
	panic("decompression overran its stack");
}

/* libzstd's hooks for tracing: 0 is off. */
unsigned long long ZSTD_trace_decompress_begin(const void *dctx)
{
	(void)dctx;
	return 0;
}

void ZSTD_trace_decompress_end(unsigned long long ctx, const void *trace)
{
	(void)ctx;
	(void)trace;
}

struct job {
	const void *data;
	void *out;
	size_t n, size, *done;
	const char *error;
};

static void run(struct job *j)
{
	j->error = decompress(j->data, j->n, j->out, j->size, j->done);
}

/* Nothing that looks for cpu_info() may be called on that stack; the libraries call only
 * what is above, and memcpy() and its like. */
static void run_on(void *stack_top, struct job *j)
{
	__asm__ volatile("mov %%rsp, %%rbx\n\t"
			 "mov %[top], %%rsp\n\t"
			 "call *%[fn]\n\t"
			 "mov %%rbx, %%rsp"
			 : "+D"(j)
			 : [top] "r"(stack_top), [fn] "r"(run)
			 : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory",
			   "cc");
}

const char *decompress_call(const void *data, size_t n, void *out, size_t size, size_t *done)
{
	struct job j = {data, out, n, size, done, NULL};
	unsigned long flags;
	uint64_t fs;
	char *memory = heap_pages(ARENA_ORDER);

	if (!memory)
		return "no memory to decompress with";
	/* First page: the guard's place. Then the stack. The rest is the arena. */
	arena = memory + PAGE_SIZE + LIB_STACK;
	arena_size = (PAGE_SIZE << ARENA_ORDER) - PAGE_SIZE - LIB_STACK;
	arena_used = 0;
	*(uint64_t *)(memory + GUARD_OFFSET) = rdtsc();

	flags = irq_save();
	fs = rdmsr(MSR_FS_BASE);
	wrmsr(MSR_FS_BASE, (uint64_t)memory);
	run_on(memory + PAGE_SIZE + LIB_STACK, &j);
	wrmsr(MSR_FS_BASE, fs);
	irq_restore(flags);
	heap_free(memory, ARENA_ORDER);
	return j.error;
}
#endif
