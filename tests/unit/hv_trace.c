// SPDX-License-Identifier: GPL-2.0-only
/* Trace buffers as xentrace reads them: whole records, none lost unsaid, hostile readers. */
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/event/event.h"
#include "hypervisor/lib/trace.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"
#include "tests/unit/suite.h"
#include "tests/unit/xorshift.h"

#define PAGES 2u
#define CPUS  3u
#define EVENT (TRC_SCHED_VERBOSE + 5)

unsigned int nr_cpus = CPUS;
struct cpumask cpu_present_map = {{(1u << CPUS) - 1}};
static struct frame frames[16 + 64]; /* frame 0 is nothing's, 16 the arena's first */
struct frame *frame_table = frames;
static char arena[64 * 4096] __attribute__((aligned(4096)));
static unsigned int arena_pages, shared_writable, shared_readonly, notified;
static uint64_t tsc;

void *heap_pages(unsigned int order)
{
	void *p = arena + arena_pages * PAGE_SIZE;

	arena_pages += 1u << order;
	return arena_pages > sizeof(arena) / PAGE_SIZE ? NULL : p;
}

void share_frame_with(struct frame *f, struct domain *d, bool writable)
{
	CU_ASSERT_PTR_NULL(d);
	(void)f;
	*(writable ? &shared_writable : &shared_readonly) += 1;
}

void tasklet_init(struct tasklet *t, void (*fn)(void *), void *arg)
{
	t->fn = fn;
	t->arg = arg;
}

void tasklet_schedule(struct tasklet *t)
{
	t->fn(t->arg);
}

void send_global_virq(unsigned int virq)
{
	CU_ASSERT_EQUAL(virq, VIRQ_TBUF);
	notified++;
}

uint64_t rdtsc(void)
{
	return ++tsc;
}

/* ---- a reader ---- */

static struct t_buf *buf_of(unsigned int cpu)
{
	uint64_t mfn;
	uint32_t mask, bytes;
	const struct t_info *info;

	trace_get(&mask, &mfn, &bytes);
	info = mfn_to_virt(MFN(mfn));
	return mfn_to_virt(MFN(((const uint32_t *)info)[info->mfn_offset[cpu]]));
}

static uint32_t expected, lost, bad;

/* One record at @r, of at most @room bytes: its size. Ours count up by one each. */
static uint32_t read_record(const uint32_t *r, uint32_t room)
{
	uint32_t event = r[0] & 0x0fffffff, n = r[0] >> 28 & 7, cycles = r[0] >> 31;
	uint32_t size = (1 + 2 * cycles + n) * 4;
	const uint32_t *extra = r + 1 + 2 * cycles;

	bad += size > room;
	if (event == TRC_LOST_RECORDS) {
		bad += n != 4;
		lost += extra[0];
		expected += extra[0];
	} else if (event == TRC_TRACE_WRAP_BUFFER) {
		bad += size != room; /* to the end, exactly */
	} else {
		bad += event != EVENT || !n || !cycles || extra[0] != expected;
		for (uint32_t i = 1; i < n; i++)
			bad += extra[i] != extra[0] * i;
		expected = extra[0] + 1;
	}
	return size;
}

static void read_some(struct t_buf *b, uint32_t data, uint32_t limit)
{
	uint32_t cons = b->cons, prod = b->prod;

	while (cons != prod && limit) {
		uint32_t at = cons % data, size;

		size = read_record((uint32_t *)((char *)(b + 1) + at), data - at);
		limit = limit > size ? limit - size : 0;
		cons = (cons + size) % (2 * data);
	}
	b->cons = cons;
}

/* ---- tests ---- */

static void test_setup(void)
{
	uint64_t mfn;
	uint32_t mask, bytes;

	host_memory = (char *)((uintptr_t)arena - 16 * PAGE_SIZE);
	trace_get(&mask, &mfn, &bytes);
	CU_ASSERT(!mfn && !bytes);
	CU_ASSERT_EQUAL(trace_enable(true), -EINVAL);
	CU_ASSERT_EQUAL(trace_set_size(0), -EINVAL);
	CU_ASSERT_EQUAL(trace_set_size(70000), -EINVAL);
	CU_ASSERT_EQUAL(trace_set_size(PAGES), 0);
	CU_ASSERT_EQUAL(trace_set_size(PAGES + 1), -EINVAL);
	CU_ASSERT_EQUAL(trace_set_size(PAGES), 0);
	CU_ASSERT_EQUAL(shared_writable, PAGES * CPUS);
	CU_ASSERT_EQUAL(shared_readonly, 1);
	CU_ASSERT_EQUAL(trace_enable(true), 0);
}

static void test_records(void)
{
	uint32_t data = PAGES * 4096 - sizeof(struct t_buf), sent = 0;
	struct t_buf *b = buf_of(1);

	host_cpu_info.cpu = 1;
	bad = expected = lost = 0;
	for (int round = 0; round < 300000; round++) {
		uint32_t extra[TRACE_EXTRA_MAX], n = 1 + (uint32_t)(rnd() % TRACE_EXTRA_MAX);

		for (uint32_t i = 0; i < n; i++)
			extra[i] = i ? sent * i : sent;
		trace_write(EVENT, n, extra);
		sent++;
		/* Sometimes fast, sometimes too slow. */
		if (rnd() % (round / 10000 % 2 ? 400 : 8) == 0)
			read_some(b, data, (uint32_t)(rnd() % 5000));
	}
	read_some(b, data, ~0u);
	trace_write(EVENT, 1, &sent); /* says what was lost before it */
	read_some(b, data, ~0u);
	CU_ASSERT_EQUAL(bad, 0);
	CU_ASSERT_EQUAL(expected, sent + 1);
	CU_ASSERT(lost > 1000 && lost < sent / 2);
	CU_ASSERT(notified > 10);
	CU_ASSERT_EQUAL(buf_of(0)->prod, 0);
}

static void test_masks(void)
{
	struct cpumask cpus = {{1u << 2}};
	struct t_buf *b = buf_of(2);
	uint32_t x = 0;

	host_cpu_info.cpu = 2;
	trace_set_cpus(&cpus);
	trace_set_mask(0x00021000); /* scheduler, changes of state only */
	trace_write(EVENT, 1, &x);
	CU_ASSERT_EQUAL(b->prod, 0);
	trace_write(TRC_SCHED_RUNSTATE_CHANGE, 1, &x);
	CU_ASSERT_EQUAL(b->prod, 16);
	trace_write(TRC_MEM | 0x1001, 1, &x);
	CU_ASSERT_EQUAL(b->prod, 16);
	host_cpu_info.cpu = 0;
	trace_write(TRC_SCHED_RUNSTATE_CHANGE, 1, &x);
	CU_ASSERT_EQUAL(buf_of(0)->prod, 0);
	trace_enable(false);
	CU_ASSERT_EQUAL(trace_mask, 0);
	trace_enable(true);
	CU_ASSERT_EQUAL(trace_mask, 0x00021000);
	memset(&cpus, 0xff, sizeof(cpus));
	trace_set_cpus(&cpus);
	trace_set_mask(0x0ffff000);
}

/* The reader's page is not believed: nothing outside of the buffer is written. */
static void test_hostile_reader(void)
{
	struct t_buf *b = buf_of(0);
	char *end = (char *)b + PAGES * 4096;
	uint32_t x[TRACE_EXTRA_MAX] = {0};
	char after[64];

	host_cpu_info.cpu = 0;
	memcpy(after, end, sizeof(after));
	for (int round = 0; round < 300000; round++) {
		b->cons = rnd() & 1 ? (uint32_t)rnd() : (uint32_t)(rnd() % 20000);
		b->prod = (uint32_t)rnd();
		trace_write(EVENT, (uint32_t)(rnd() % (TRACE_EXTRA_MAX + 1)), x);
	}
	CU_ASSERT_EQUAL(memcmp(after, end, sizeof(after)), 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"buffers, once", test_setup},
		{"records, wrapped and lost", test_records},
		{"masks", test_masks},
		{"a hostile reader", test_hostile_reader},
		CU_TEST_INFO_NULL,
	};

	return suite_main("trace", tests);
}
