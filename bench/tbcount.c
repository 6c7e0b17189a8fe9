// SPDX-License-Identifier: GPL-2.0-only
/*
 * QEMU plugin that counts how often each block of instructions runs, in the
 * hypervisor, dom0 and guests alike, between two marks that bench/probe.c sets.
 * Under -icount a nanosecond is an instruction, so the counts are the exact
 * profile of a run, without sampling and without the guest noticing.
 *
 * Arguments: out=PREFIX (the Nth window goes to PREFIX.N), hook=ADDRESS (hex,
 * repeated: kernel functions that run soon after any switch between domains).
 * A line a block: address, instructions, executions, domain (0 dom0, 1 guest,
 * - unknown), string copy (q, b or -).
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/probe_mark.h"
#include "bench/qemu_plugin.h"

#define EXPORT __attribute__((visibility("default")))
#define KERNEL_TEXT 0xffffffff81000000ULL
#define KERNEL_TEXT_SIZE 0x4000000ULL
#define BUCKETS (1u << 18)

struct block {
	uint64_t count; /* QEMU's generated code adds to it */
	uint64_t vaddr, haddr;
	uint32_t insns;
	char domain;
	char copies; /* q or b: starts with rep movsq or movsb, - otherwise */
	struct block *next;
};

static struct block *buckets[BUCKETS];
static const char *out_prefix = "tbcount";
static unsigned int windows, hook_count;
static uint64_t hooks[32];
static char current = '-';
/* Where dom0's kernel lies in QEMU's memory less its address: its text is one
 * contiguous piece, and it runs before any guest's does. */
static uint64_t dom0_offset;

EXPORT int qemu_plugin_version = 1;

static char kernel_domain(uint64_t vaddr, uint64_t haddr)
{
	return haddr - vaddr == dom0_offset ? '0' : '1';
}

/* User programs and modules are first translated while their domain runs. */
static char domain_of(const struct block *b)
{
	if (b->vaddr - KERNEL_TEXT < KERNEL_TEXT_SIZE && dom0_offset)
		return kernel_domain(b->vaddr, b->haddr);
	return b->domain;
}

/* QEMU enters a block of its own for every turn of a string instruction. */
static char copy_kind(const struct qemu_plugin_insn *insn)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);
	size_t n = qemu_plugin_insn_size(insn);

	if (n == 3 && code[0] == 0xf3 && code[1] == 0x48 && code[2] == 0xa5)
		return 'q';
	return n == 2 && code[0] == 0xf3 && code[1] == 0xa4 ? 'b' : '-';
}

static struct block *block_get(uint64_t vaddr, uint64_t haddr, uint32_t insns)
{
	uint64_t hash = (vaddr ^ haddr >> 12) * 0x9e3779b97f4a7c15ULL;
	struct block **slot = &buckets[hash >> 46], *b;

	for (b = *slot; b; b = b->next)
		if (b->vaddr == vaddr && b->haddr == haddr && b->insns == insns)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		abort();
	b->vaddr = vaddr;
	b->haddr = haddr;
	b->insns = insns;
	b->domain = current;
	b->next = *slot;
	*slot = b;
	return b;
}

static void switched(unsigned int vcpu, void *arg)
{
	(void)vcpu;
	current = *(const char *)arg;
}

static void window_begin(unsigned int vcpu, void *arg)
{
	(void)vcpu;
	(void)arg;
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct block *b = buckets[i]; b; b = b->next)
			b->count = 0;
}

static void window_end(unsigned int vcpu, void *arg)
{
	char path[4096];
	FILE *f;

	(void)vcpu;
	(void)arg;
	snprintf(path, sizeof(path), "%s.%u", out_prefix, ++windows);
	f = fopen(path, "w");
	if (!f) {
		perror(path);
		return;
	}
	for (unsigned int i = 0; i < BUCKETS; i++)
		for (struct block *b = buckets[i]; b; b = b->next)
			if (b->count)
				fprintf(f, "%" PRIx64 " %u %" PRIu64 " %c %c\n", b->vaddr,
					b->insns, b->count, domain_of(b), b->copies);
	fclose(f);
}

/* Is the instruction `mov $MARK, %rax`? */
static bool is_mark(const struct qemu_plugin_insn *insn, uint64_t mark)
{
	const uint8_t *code = qemu_plugin_insn_data(insn);

	return qemu_plugin_insn_size(insn) == 10 && code[0] == 0x48 && code[1] == 0xb8 &&
	       !memcmp(code + 2, &mark, 8);
}

static bool is_hook(uint64_t vaddr)
{
	for (unsigned int i = 0; i < hook_count; i++)
		if (hooks[i] == vaddr)
			return true;
	return false;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	uint64_t vaddr = qemu_plugin_tb_vaddr(tb);
	size_t n = qemu_plugin_tb_n_insns(tb);
	uint64_t haddr = (uintptr_t)qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0));
	struct block *b;

	(void)id;
	if (is_hook(vaddr)) {
		if (!dom0_offset)
			dom0_offset = haddr - vaddr;
		qemu_plugin_register_vcpu_tb_exec_cb(
			tb, switched, QEMU_PLUGIN_CB_NO_REGS,
			kernel_domain(vaddr, haddr) == '0' ? (void *)"0" : (void *)"1");
	}
	b = block_get(vaddr, haddr, (uint32_t)n);
	b->copies = copy_kind(qemu_plugin_tb_get_insn(tb, 0));
	qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &b->count, 1);
	if (vaddr >> 63)
		return;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (is_mark(insn, PROBE_MARK_BEGIN))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, window_begin,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
		else if (is_mark(insn, PROBE_MARK_END))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, window_end,
							       QEMU_PLUGIN_CB_NO_REGS, NULL);
	}
}

EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out_prefix = strdup(argv[i] + 4);
		else if (!strncmp(argv[i], "hook=", 5) && hook_count < 32)
			hooks[hook_count++] = strtoull(argv[i] + 5, NULL, 16);
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
