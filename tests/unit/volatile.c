/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flush and barrier are real: a disk loses its unflushed writes at a random
 * moment, and what the guest was told must hold. Each sector carries the number of
 * the write that put it there. After the power cut:
 *
 * - flush: a sector is at least as new as the newest write acknowledged before a
 *   flush was asked for that was itself acknowledged;
 * - barrier: if a barrier's write, or anything after it, left a trace, everything
 *   that was asked for before the barrier is there.
 *
 * The same check must catch a disk that acknowledges flushes without doing them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vbd_main.h"
#include "tests/unit/vbd_rig.h"
#include "tests/unit/xorshift.h"

#define SECTORS  256u
#define SIZE     (SECTORS * 512u)
#define INFLIGHT 24u
#define BARRIERS 64u

struct model {
	uint32_t sent[SECTORS]; /* newest write asked for, acknowledged or not */
	uint32_t acked[SECTORS];
	uint32_t floor[SECTORS]; /* must be there */
	bool busy[SECTORS]; /* a write is in flight: the guest does not overlap its own */
	struct barrier {
		uint32_t seq;
		uint32_t before[SECTORS]; /* sent[] when it was asked for */
	} barrier[BARRIERS];
	unsigned int nr_barriers;
	uint32_t next_seq;
};

struct op {
	bool used;
	uint8_t op;
	uint32_t sector, n, seq;
	uint32_t snapshot[SECTORS]; /* flush: acked[] when it was asked for */
};

static struct rig r;
static struct model m;
static struct op ops[INFLIGHT];
static uint64_t seed;

static uint32_t below(uint32_t n)
{
	return (uint32_t)(xorshift(&seed) >> 11) % n;
}

static uint32_t find_slot(void)
{
	uint32_t i;

	for (i = 0; i < INFLIGHT && ops[i].used; i++)
		;
	return i;
}

/* A write of @n sectors, one piece, all in frame @slot. */
static bool put_write(uint32_t slot, uint8_t op)
{
	struct op *o = &ops[slot];
	struct blkif_req req;

	o->op = op;
	o->n = 1 + below(8);
	o->sector = below(SECTORS - o->n + 1);
	for (uint32_t s = o->sector; s < o->sector + o->n; s++)
		if (m.busy[s])
			return false;
	o->seq = m.next_seq++;
	if (op == BLKIF_OP_WRITE_BARRIER) {
		if (m.nr_barriers == BARRIERS)
			return false;
		m.barrier[m.nr_barriers].seq = o->seq;
		memcpy(m.barrier[m.nr_barriers++].before, m.sent, sizeof(m.sent));
	}
	for (uint32_t i = 0; i < o->n; i++) {
		uint32_t *p = (void *)(rig_page(&r, slot) + 512 * i);

		m.busy[o->sector + i] = true;
		m.sent[o->sector + i] = o->seq;
		for (uint32_t k = 0; k < 128; k++)
			p[k] = o->seq;
	}
	rig_request(&r, &req, op, slot, o->sector, slot, 1);
	req.seg[0].last_sect = (uint8_t)(o->n - 1);
	rig_put(&r, &req);
	return true;
}

static bool put_flush(uint32_t slot)
{
	struct blkif_req req;

	ops[slot].op = BLKIF_OP_FLUSH_DISKCACHE;
	memcpy(ops[slot].snapshot, m.acked, sizeof(m.acked));
	rig_request(&r, &req, BLKIF_OP_FLUSH_DISKCACHE, slot, 0, 0, 0);
	rig_put(&r, &req);
	return true;
}

static void put_some(bool barriers)
{
	uint32_t slot;

	for (uint32_t tries = 1 + below(6); tries; tries--) {
		slot = find_slot();
		if (slot == INFLIGHT)
			break;
		switch (below(12)) {
		case 0:
			ops[slot].used = put_flush(slot);
			break;
		case 1:
			ops[slot].used = put_write(slot, barriers ? BLKIF_OP_WRITE_BARRIER
								  : BLKIF_OP_WRITE);
			break;
		default:
			ops[slot].used = put_write(slot, BLKIF_OP_WRITE);
			break;
		}
	}
	rig_push(&r);
}

static void acknowledged(struct op *o)
{
	if (o->op == BLKIF_OP_FLUSH_DISKCACHE) {
		for (uint32_t s = 0; s < SECTORS; s++)
			if (o->snapshot[s] > m.floor[s])
				m.floor[s] = o->snapshot[s];
		return;
	}
	for (uint32_t s = o->sector; s < o->sector + o->n; s++) {
		m.acked[s] = o->seq;
		/* an acknowledged barrier is durable itself */
		if (o->op == BLKIF_OP_WRITE_BARRIER)
			m.floor[s] = o->seq;
	}
	if (o->op != BLKIF_OP_WRITE_BARRIER)
		return;
	for (unsigned int b = 0; b < m.nr_barriers; b++)
		if (m.barrier[b].seq == o->seq)
			for (uint32_t s = 0; s < SECTORS; s++)
				if (m.barrier[b].before[s] > m.floor[s])
					m.floor[s] = m.barrier[b].before[s];
}

static void take_responses(void)
{
	rig_poll(&r);
	for (uint32_t i = 0; i < r.nr_rsp; i++) {
		struct op *o = &ops[r.rsp[i].id];

		o->used = false;
		if (r.rsp[i].status == BLKIF_RSP_OKAY)
			acknowledged(o);
		if (o->op != BLKIF_OP_FLUSH_DISKCACHE)
			for (uint32_t s = o->sector; s < o->sector + o->n; s++)
				m.busy[s] = false;
	}
	r.nr_rsp = 0;
}

/* How many promises are broken. */
static unsigned int check(const struct volatile_disk *d)
{
	const char *data = volatile_disk_data(d);
	uint32_t have[SECTORS], newest = 0;
	unsigned int bad = 0;

	for (uint32_t s = 0; s < SECTORS; s++) {
		memcpy(&have[s], data + s * 512, 4);
		bad += memcmp(data + s * 512, data + s * 512 + 4, 508) !=
		       0; /* torn sector */
		bad += have[s] < m.floor[s] || have[s] > m.sent[s];
		if (have[s] > newest)
			newest = have[s];
	}
	for (unsigned int b = 0; b < m.nr_barriers; b++)
		for (uint32_t s = 0; m.barrier[b].seq <= newest && s < SECTORS; s++)
			bad += have[s] < m.barrier[b].before[s];
	return bad;
}

static unsigned int one_life(struct rig_options o, uint64_t with, bool barriers, bool lie)
{
	struct volatile_disk *d = volatile_disk_new(SIZE, with);
	unsigned int bad;

	CU_ASSERT_FATAL(d != NULL);
	memset(&m, 0, sizeof(m));
	memset(ops, 0, sizeof(ops));
	m.next_seq = 1;
	seed = with * 0x9e3779b97f4a7c15ull + 1;
	o.size = SIZE;
	o.engine_open = engine_volatile_open;
	o.disk = d;
	o.flags = VBD_FLUSH | VBD_BARRIER;
	if (lie)
		volatile_disk_lie(d);
	CU_ASSERT_FATAL(rig_open(&r, &o));
	volatile_disk_cut_after(d, 1 + below(300));
	for (int step = 0; step < 4000 && !volatile_disk_is_cut(d); step++) {
		if (below(3) == 0)
			put_some(barriers);
		vbd_queue_step(r.queue, false);
		take_responses();
	}
	CU_ASSERT(volatile_disk_is_cut(d));
	rig_settle(&r);
	take_responses();
	CU_ASSERT(rig_close(&r));
	volatile_disk_restore(d);
	bad = check(d);
	volatile_disk_free(d);
	return bad;
}

static void lives(struct rig_options o, bool barriers)
{
	for (uint64_t i = 1; i <= 150; i++) {
		unsigned int bad = one_life(o, i, barriers, false);

		CU_ASSERT_EQUAL(bad, 0);
		if (bad) {
			fprintf(stderr, "seed %llu: %u promises broken\n",
				(unsigned long long)i, bad);
			return;
		}
	}
}

static void test_flush(void)
{
	lives((struct rig_options){0}, false);
}

static void test_flush_persistent(void)
{
	lives((struct rig_options){.persistent = true, .max_persistent = 8}, false);
}

static void test_flush_direct(void)
{
	lives((struct rig_options){.persistent = true, .direct_min = 1}, false);
}

static void test_flush_rmw(void)
{
	lives((struct rig_options){.offset_align = 4096}, false);
}

static void test_barrier(void)
{
	lives((struct rig_options){0}, true);
}

static void test_barrier_rmw(void)
{
	lives((struct rig_options){.offset_align = 2048, .persistent = true}, true);
}

static void test_liar_is_caught(void)
{
	unsigned int caught = 0;

	for (uint64_t i = 1; i <= 40; i++)
		caught += one_life((struct rig_options){0}, i, true, true) != 0;
	CU_ASSERT(caught > 20);
}

static const CU_TestInfo tests[] = {
	{"flush", test_flush},
	{"flush, persistent grants", test_flush_persistent},
	{"flush, straight from the guest's pages", test_flush_direct},
	{"flush, read-modify-write", test_flush_rmw},
	{"barriers", test_barrier},
	{"barriers, read-modify-write", test_barrier_rmw},
	{"a disk that lies is caught", test_liar_is_caught},
	CU_TEST_INFO_NULL,
};

VBD_MAIN("volatile", tests)
