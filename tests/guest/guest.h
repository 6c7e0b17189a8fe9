/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the small PV guest kernels share: hypercalls, the console, memory, traps, events.
 * A kernel is a file with guest_main(); when that returns, the guest powers off.
 */
#ifndef GUEST_H
#define GUEST_H

#define STACK_SHIFT   14
#define STACK_SIZE    (1 << STACK_SHIFT)
#define MAX_CPUS      4
#define TRAP_EVENT    32
#define TRAP_FAILSAFE 33
#define TRAP_SYSCALL  34

#ifndef __ASSEMBLY__
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/callback.h>
#include <xen/version.h>
#include <xen/errno.h>

#define PAGE_SIZE     4096ul
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define READ_ONCE(x)  (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
#define barrier()     asm volatile("" ::: "memory")

/* page-table entries */
#define PTE_P    1ul
#define PTE_RW   2ul
#define PTE_US   4ul
#define PTE_A    0x20ul
#define PTE_D    0x40ul
#define PTE_PSE  0x80ul
#define PTE_NX   (1ul << 63)
#define PTE_DATA (PTE_NX | PTE_D | PTE_A | PTE_US | PTE_RW | PTE_P)
#define PTE_RO   (PTE_DATA & ~(PTE_RW | PTE_D))
#define PTE_MFN(e) (((e) >> 12) & 0xfffffffffful)

/* ---- lib/string.c, lib/print.c ---- */
void *memset(void *p, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strncmp(const char *a, const char *b, size_t n);
/* %d %u %x %c %s with 0, width and l; a line reaches the console ring as a whole */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void console_flush(void); /* until xenconsoled has read it all, or does not come to it */
/* The value of NAME=VALUE on the command line; a flag's is 1. */
unsigned long argument(const char *name, unsigned long otherwise);

/* ---- lib/hypercall.c ---- */
extern char hypercall_page[PAGE_SIZE];
static inline long hypercall(unsigned int nr, long a, long b, long c, long d, long e)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	long ret;

	asm volatile("call *%[entry]"
		     : "=a"(ret), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8)
		     : [entry] "0"(hypercall_page + nr * 32)
		     : "rcx", "r11", "memory");
	return ret;
}
#define HCALL(nr, a, b, c, d, e, ...)                                                   \
	hypercall(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))
/* hcall(sched_op, SCHEDOP_yield): missing arguments are 0 */
#define hcall(name, ...) HCALL(__HYPERVISOR_##name, __VA_ARGS__, 0, 0, 0, 0, 0)
void shutdown(unsigned int reason) __attribute__((noreturn)); /* SHUTDOWN_* */
/* Prints where and what, and ends the guest by SHUTDOWN_crash. */
void give_up(const char *file, int line, const char *what) __attribute__((noreturn));
#define must(condition) ((condition) ? (void)0 : give_up(__FILE__, __LINE__, #condition))
const char *errno_name(long ret); /* EPERM for -EPERM; 0; ? */
domid_t find_own_domid(void);     /* takes two ports */

/* ---- lib/memory.c ---- */
#define PHYSMAP 0xffff880000000000ul /* all memory of the guest, its frames in order */
#define IMAGE   0xffffffff80000000ul
extern struct start_info *start_info;
extern struct shared_info *shared_info;
extern unsigned long nr_pages, pt_first, pt_count; /* bootstrap tables: frame numbers */
extern xen_pfn_t *mfn_list; /* by frame number; XENMEM operations may change it */
static inline bool is_dom0(void) /* started by the hypervisor itself: see README.md */
{
	return start_info->flags & SIF_INITDOMAIN;
}
void memory_init(void);
unsigned long page_alloc(void); /* a frame number; 0: none left */
void page_free(unsigned long pfn);
unsigned long pages_left(void);
static inline void *page(unsigned long pfn)
{
	return (void *)(PHYSMAP + pfn * PAGE_SIZE);
}
static inline unsigned long mfn_of(unsigned long pfn)
{
	return mfn_list[pfn];
}
static inline unsigned long pfn_of_mfn(unsigned long mfn)
{
	return ((unsigned long *)MACH2PHYS_VIRT_START)[mfn];
}
/* The entry that maps VA at LEVEL, to read; NULL: there is no such table. */
const uint64_t *entry_of(unsigned long va, int level);
/* Its machine address, for mmu_update. */
uint64_t entry_address(const uint64_t *entry);
int map_at(unsigned long va, uint64_t pte); /* update_va_mapping; tables must be there */
/* Makes what tables are missing, so that map_at() works from VA on, N pages. */
void tables_for(unsigned long va, unsigned long n);

/* ---- lib/trap.c ---- */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
struct guard {
	uint64_t rip, rsp, rbx, rbp, r12, r13, r14, r15;
};
bool guard_enter(struct guard *g) __attribute__((returns_twice));
void guard_leave(struct guard *g) __attribute__((noreturn));
void traps_init(void);
/* Runs fn(arg); -1, or the vector of the trap that ended it. Errors and %cr2: last_trap. */
int guarded(void (*fn)(void *arg), void *arg);
struct last_trap {
	uint64_t vector, error, rip, cr2, count;
};
extern struct last_trap last_trap[MAX_CPUS];
/* What a kernel does about events; called with upcalls masked. */
extern void (*event_handler)(void);
void upcalls_enable(void);
void upcalls_disable(void);

/* ---- lib/cpu.c ---- */
extern char stacks[MAX_CPUS][STACK_SIZE];
unsigned int cpu_id(void); /* which stack are we on */
/* What VCPUOP_initialise wants for @cpu to run @fn on its stack, its traps as ours. */
void cpu_context(struct vcpu_guest_context *c, unsigned int cpu, void (*fn)(void));
int cpu_start(unsigned int cpu, void (*fn)(void)); /* another vcpu, its stack, its fn */
uint64_t time_now(void); /* ns of system time: vcpu_time_info */
void sleep_ms(unsigned int ms);

void guest_main(void);
#endif
#endif
