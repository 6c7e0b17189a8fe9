// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit process without a libc: its system calls by INT 0x80 and, through the kernel's
 * page of code, by SYSENTER, which a PV kernel gets from the hypervisor. Exits with 0 when
 * both give the same and no register is lost; 3 when the kernel's page has no SYSENTER.
 */
#include <stdbool.h>
#include <stdint.h>

#define NR_EXIT   1
#define NR_WRITE  4
#define NR_GETPID 20
#define NR_MMAP2  192
#define AT_SYSINFO 32
#define TURNS     2000

void start(const uint32_t *stack) __attribute__((noreturn));

/* argc is where the stack begins; it is not aligned as a called function's. */
__asm__(".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n sub $12, %esp\n"
	" push %eax\n call start\n");

static long int80(long nr, long a, long b, long c)
{
	long rc;

	__asm__ volatile("int $0x80" : "=a"(rc) : "0"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return rc;
}

static uint32_t page;

/* The kernel's page at @entry with six arguments, the last in EBP, as Linux has them; what
 * comes back, or LOST when a register is not what it was. */
#define LOST (-0x10000)
long call_page(uint32_t entry, long nr, long a, long b, long c, long d, long e, long f);
__asm__("call_page: push %ebp\n push %ebx\n push %esi\n push %edi\n"
	" mov 24(%esp), %eax\n mov 28(%esp), %ebx\n mov 32(%esp), %ecx\n mov 36(%esp), %edx\n"
	" mov 40(%esp), %esi\n mov 44(%esp), %edi\n mov 48(%esp), %ebp\n"
	" call *20(%esp)\n"
	" cmp 28(%esp), %ebx\n jne 1f\n cmp 32(%esp), %ecx\n jne 1f\n"
	" cmp 36(%esp), %edx\n jne 1f\n cmp 40(%esp), %esi\n jne 1f\n"
	" cmp 44(%esp), %edi\n jne 1f\n cmp 48(%esp), %ebp\n je 2f\n"
	"1: mov $-0x10000, %eax\n"
	"2: pop %edi\n pop %esi\n pop %ebx\n pop %ebp\n ret\n");

static uint32_t page;

static void say(const char *s)
{
	long n = 0;

	while (s[n])
		n++;
	int80(NR_WRITE, 1, (long)s, n);
}

static void __attribute__((noreturn)) leave(int status, const char *why)
{
	say(why);
	for (;;)
		int80(NR_EXIT, status, 0, 0);
}

static bool has_sysenter(void)
{
	const uint8_t *code = (const uint8_t *)(uintptr_t)page;

	for (int i = 0; i < 16; i++)
		if (code[i] == 0x0f && code[i + 1] == 0x34)
			return true;
	return false;
}

void start(const uint32_t *stack)
{
	static const char text[] = "said by sysenter\n";
	const uint32_t *p = stack + 1 + stack[0] + 1;
	long pid = int80(NR_GETPID, 0, 0, 0), at;

	while (*p++) /* the environment */
		;
	for (; p[0]; p += 2)
		if (p[0] == AT_SYSINFO)
			page = p[1];
	if (!page || !has_sysenter())
		leave(3, "the kernel's page has no sysenter\n");
	for (int i = 0; i < TURNS; i++) {
		if (call_page(page, NR_GETPID, i, 2, 3, 4, 5, 6) != pid)
			leave(1, "getpid differs, or a register was lost\n");
		if (int80(NR_GETPID, 0, 0, 0) != pid)
			leave(1, "getpid by int80 differs\n");
	}
	/* 3: readable and writable; 0x22: private, of no file; the sixth: the offset. */
	at = call_page(page, NR_MMAP2, 0, 8192, 3, 0x22, -1, 0);
	if (at == LOST || (at > -4096 && at < 0))
		leave(1, "mmap2 failed\n");
	*(volatile uint32_t *)(at + 4096) = 1;
	if (call_page(page, NR_WRITE, 1, (long)text, sizeof(text) - 1, 0, 0, 0) != sizeof(text) - 1)
		leave(1, "write differs\n");
	leave(0, "ok\n");
}
