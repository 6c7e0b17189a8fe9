// SPDX-License-Identifier: GPL-2.0-only
/*
 * In every test of the hypervisor: the processor, the console and the guest's memory as
 * most tests want them. All weak: the source under test, or the test itself, may have its
 * own.
 */
#include <sched.h>

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

#define WEAK __attribute__((weak))

WEAK __thread struct cpu_info host_cpu_info;
WEAK char *host_memory;
WEAK struct frame *frame_table;
WEAK DEFINE_PER_CPU(uint64_t, softirq_pending);

/* ---- the processor ---- */

WEAK unsigned long irq_save(void)
{
	return 0;
}

WEAK void irq_restore(unsigned long flags)
{
	(void)flags;
}

WEAK void irq_disable(void)
{
}

WEAK void irq_enable(void)
{
}

WEAK bool irqs_enabled(void)
{
	return true;
}

WEAK void smp_wait_others(void)
{
}

WEAK void cpu_relax(void)
{
	sched_yield(); /* more threads than processors wait for tickets */
}

/* ---- the console ---- */

WEAK void printk(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	(void)level;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}

WEAK void gprintk(enum log_level level, const char *fmt, ...)
{
	(void)level, (void)fmt;
}

WEAK void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("panic: ", stderr);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}

/* ---- memory: a guest's addresses are the test's own, but for 0 ---- */

WEAK size_t copy_from_guest(void *to, uint64_t gva, size_t n)
{
	if (!gva)
		return n;
	memcpy(to, (const void *)gva, n);
	return 0;
}

WEAK size_t copy_to_guest(uint64_t gva, const void *from, size_t n)
{
	if (!gva)
		return n;
	memcpy((void *)gva, from, n);
	return 0;
}

WEAK void *xzalloc_bytes(size_t size, size_t align)
{
	void *p = NULL;

	return posix_memalign(&p, MAX(align, sizeof(void *)), size) ? NULL
								    : memset(p, 0, size);
}

WEAK void xfree(void *p)
{
	free(p);
}
