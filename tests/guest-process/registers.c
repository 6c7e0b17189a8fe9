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

#define SPIN 20000 /* turns of the loop in between: some hundred to a time slice */

static uint8_t before[32 * 64 + 8 * 2] __attribute__((aligned(64)));
static uint8_t after[sizeof(before)] __attribute__((aligned(64)));

#define EACH(x)                                                                          \
	x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14)  \
		x(15)
#define CLOBBERED                                                                        \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",  \
		"xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc"

#define EACH_HIGH(x)                                                                     \
	x(16) x(17) x(18) x(19) x(20) x(21) x(22) x(23) x(24) x(25) x(26) x(27) x(28)    \
		x(29) x(30) x(31)
#define EACH_MASK(x) x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7)
#define CLOBBERED_HIGH                                                                   \
	"xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", \
		"xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1",     \
		"k2", "k3", "k4", "k5", "k6", "k7"

#define XMM_FILL(i) "movdqa " #i "*16(%1), %%xmm" #i "\n"
#define XMM_READ(i) "movdqa %%xmm" #i ", " #i "*16(%2)\n"
#define YMM_FILL(i) "vmovdqa " #i "*32(%1), %%ymm" #i "\n"
#define YMM_READ(i) "vmovdqa %%ymm" #i ", " #i "*32(%2)\n"
#define ZMM_FILL(i) "vmovdqa64 " #i "*64(%1), %%zmm" #i "\n"
#define ZMM_READ(i) "vmovdqa64 %%zmm" #i ", " #i "*64(%2)\n"
#define K_FILL(i)   "kmovw 32*64+" #i "*2(%1), %%k" #i "\n"
#define K_READ(i)   "kmovw %%k" #i ", 32*64+" #i "*2(%2)\n"

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

__attribute__((target("avx512f"))) static void hold_zmm(void)
{
	uint64_t n = SPIN;

	__asm__ volatile(EACH(ZMM_FILL) EACH_HIGH(ZMM_FILL) EACH_MASK(K_FILL)
			 "1: dec %0\n jnz 1b\n"
			 EACH(ZMM_READ) EACH_HIGH(ZMM_READ) EACH_MASK(K_READ) "vzeroupper\n"
			 : "+&r"(n)
			 : "r"(before), "r"(after)
			 : CLOBBERED, CLOBBERED_HIGH);
}

static const struct {
	const char *name;
	void (*hold)(void);
	size_t bytes;
} kinds[] = {{"xmm", hold_xmm, 16 * 16}, {"ymm", hold_ymm, 16 * 32}, {"zmm", hold_zmm, sizeof(before)}};

/* One turn; whether the registers came back. */
static bool turn(unsigned int kind)
{
	size_t n = kinds[kind].bytes;

	for (size_t i = 0; i < n; i++)
		before[i] = (uint8_t)rand();
	memset(after, 0, n);
	kinds[kind].hold();
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
	unsigned int nr = __builtin_cpu_supports("avx512f") ? 3 : __builtin_cpu_supports("avx") ? 2 : 1;
	unsigned long turns[3] = {0}, lost[3] = {0}, all = 0;
	time_t end;

	if (argc != 2) {
		fprintf(stderr, "usage: registers SECONDS\n");
		return 2;
	}
	srand((unsigned int)now());
	end = now() + atoi(argv[1]);
	do {
		for (unsigned int i = 0; i < 100; i++) {
			turns[i % nr]++;
			lost[i % nr] += !turn(i % nr);
		}
	} while (now() < end);
	printf("lost");
	for (unsigned int i = 0; i < nr; i++) {
		printf("%s %s %lu of %lu", i ? "," : "", kinds[i].name, lost[i], turns[i]);
		all += lost[i];
	}
	printf(" times\n");
	return all != 0;
}
