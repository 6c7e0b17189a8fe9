/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Do a process's vector registers survive what else runs on the machine? Fills
 * them, computes for a while so that others get their turn, and compares.
 *
 *     registers SECONDS
 *
 * Prints one line; exit status 0 when nothing was lost. The code between filling
 * and reading is one block of assembler, so that nobody but kernels and hypervisors
 * is in question.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define REGISTERS 16
#define SPIN      20000 /* turns of the loop in between: some hundred to a time slice */

static uint8_t before[REGISTERS * 32] __attribute__((aligned(32)));
static uint8_t after[REGISTERS * 32] __attribute__((aligned(32)));

#define EACH(x)                                                                          \
	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14)  \
		x(15)
#define CLOBBERED                                                                        \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",  \
		"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc"

#define XMM_FILL(i) "movdqa " #i "*16(%1), %%xmm" #i "\n"
#define XMM_READ(i) "movdqa %%xmm" #i ", " #i "*16(%2)\n"
#define YMM_FILL(i) "vmovdqa " #i "*32(%1), %%ymm" #i "\n"
#define YMM_READ(i) "vmovdqa %%ymm" #i ", " #i "*32(%2)\n"

static void hold_xmm(void)
{
	uint64_t n = SPIN;

	__asm__ volatile(EACH(XMM_FILL) "1: dec %0\n jnz 1b\n" EACH(XMM_READ)
			 : "+&r"(n)
			 : "r"(before), "r"(after)
			 : CLOBBERED);
}

__attribute__((target("avx"))) static void hold_ymm(void)
{
	uint64_t n = SPIN;

	__asm__ volatile(
		EACH(YMM_FILL) "1: dec %0\n jnz 1b\n" EACH(YMM_READ) "vzeroupper\n"
		: "+&r"(n)
		: "r"(before), "r"(after)
		: CLOBBERED);
}

/* One turn; whether the registers came back. */
static bool turn(bool wide)
{
	size_t n = REGISTERS * (wide ? 32 : 16);

	for (size_t i = 0; i < n; i++)
		before[i] = (uint8_t)rand();
	memset(after, 0, n);
	if (wide)
		hold_ymm();
	else
		hold_xmm();
	return !memcmp(before, after, n);
}

static time_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

int main(int argc, char **argv)
{
	bool avx = __builtin_cpu_supports("avx");
	unsigned long turns[2] = {0, 0}, lost[2] = {0, 0};
	time_t end;

	if (argc != 2) {
		fprintf(stderr, "usage: registers SECONDS\n");
		return 2;
	}
	srand((unsigned int)now());
	end = now() + atoi(argv[1]);
	do {
		for (int i = 0; i < 100; i++) {
			bool wide = avx && i % 2;

			turns[wide]++;
			lost[wide] += !turn(wide);
		}
	} while (now() < end);
	printf("lost xmm %lu of %lu times, ymm %lu of %lu\n", lost[0], turns[0], lost[1],
	       turns[1]);
	return lost[0] || lost[1];
}
