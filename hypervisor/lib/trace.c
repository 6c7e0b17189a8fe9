// SPDX-License-Identifier: GPL-2.0-only
/*
 * Trace buffers. A CPU writes its own, with interrupts off: there is no lock. The reader's
 * end (cons) is dom0's to write: it is read once and believed within bounds; ours is kept
 * beside and only shown.
 */
#include "hypervisor/lib/trace.h"

#include "hypervisor/cpu/privileged.h"
#include "hypervisor/event/event.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

#define PAGES_MAX  1024u
#define REC_MAX    ((3 + TRACE_EXTRA_MAX) * 4u)
#define MASK_ALL   0x0ffff000u

uint32_t trace_mask;
static uint32_t wanted = MASK_ALL; /* what trace_mask is when tracing is on */
static struct cpumask wanted_cpus = {.bits = {[0 ... (NR_CPUS + 63) / 64 - 1] = ~0ull}};
static struct t_info *info;
static uint32_t info_bytes, data_bytes; /* of a buffer's records */
static struct tasklet notify_tasklet;

struct cpu_trace {
	struct t_buf *buf;
	uint32_t prod, lost;
	uint64_t first_lost; /* TSC */
};
static DEFINE_PER_CPU(struct cpu_trace, cpu_trace);

static void notify(void *unused)
{
	(void)unused;
	send_global_virq(VIRQ_TBUF);
}

/* A class and a subclass of it must both be wanted. */
static bool is_wanted(uint32_t event)
{
	uint32_t both = READ_ONCE(trace_mask) & event;

	return both >> TRC_CLS_SHIFT && (both >> TRC_SUBCLS_SHIFT & 0xf) &&
	       test_bit(this_cpu, wanted_cpus.bits);
}

static uint32_t used(const struct cpu_trace *t)
{
	uint32_t cons = READ_ONCE(t->buf->cons), n;

	if (cons >= 2 * data_bytes)
		return data_bytes;
	n = t->prod >= cons ? t->prod - cons : t->prod + 2 * data_bytes - cons;
	return MIN(n, data_bytes);
}

static uint32_t to_wrap(const struct cpu_trace *t)
{
	return data_bytes - t->prod % data_bytes;
}

/* It fits before the end. */
static void put(struct cpu_trace *t, uint32_t event, bool cycles, unsigned int n,
		const uint32_t *extra)
{
	uint32_t *to = (uint32_t *)((char *)(t->buf + 1) + t->prod % data_bytes);
	uint32_t bytes = (1 + 2 * cycles + n) * 4;
	uint64_t tsc = rdtsc();

	*to++ = (event & 0x0fffffff) | n << 28 | (uint32_t)cycles << 31;
	if (cycles) {
		*to++ = (uint32_t)tsc;
		*to++ = (uint32_t)(tsc >> 32);
	}
	for (unsigned int i = 0; i < n; i++)
		to[i] = extra ? extra[i] : 0;
	t->prod += bytes;
	if (t->prod >= 2 * data_bytes)
		t->prod -= 2 * data_bytes;
}

/* Records do not cross the end: what is left there becomes one that says nothing. */
static void put_wrapping(struct cpu_trace *t, uint32_t event, unsigned int n,
			 const uint32_t *extra)
{
	uint32_t left = to_wrap(t), words = left / 4 - 1;

	if (left < (3 + n) * 4)
		put(t, TRC_TRACE_WRAP_BUFFER, words > TRACE_EXTRA_MAX,
		    words > TRACE_EXTRA_MAX ? words - 2 : words, NULL);
	put(t, event, true, n, extra);
}

void trace_write(uint32_t event, unsigned int n, const uint32_t *extra)
{
	unsigned long flags = irq_save();
	struct cpu_trace *t = &this_cpu_var(cpu_trace);
	uint32_t before;

	if (!atomic_load(&t->buf) || !is_wanted(event))
		goto out;
	before = used(t);
	/* Room for this one, one about lost ones, and what is left at the end. */
	if (data_bytes - before < 3 * REC_MAX) {
		if (!t->lost++)
			t->first_lost = rdtsc();
		goto out;
	}
	if (t->lost) {
		const uint32_t what[] = {t->lost, 0, (uint32_t)t->first_lost,
					 (uint32_t)(t->first_lost >> 32)};

		put_wrapping(t, TRC_LOST_RECORDS, ARRAY_SIZE(what), what);
		t->lost = 0;
	}
	put_wrapping(t, event, n, extra);
	smp_wmb(); /* the records before the end moves past them */
	WRITE_ONCE(t->buf->prod, t->prod);
	if (before < data_bytes / 2 && used(t) >= data_bytes / 2)
		tasklet_schedule(&notify_tasklet);
out:
	irq_restore(flags);
}

/* ---- set-up: buffers once made stay ---- */

static void share(void *p, uint64_t bytes, bool writable)
{
	for (uint64_t at = 0; at < bytes; at += PAGE_SIZE)
		share_frame_with(virt_to_frame((char *)p + at), NULL, writable);
}

/* xentrace's list of frames of each CPU's buffer. */
static int make_buffer(unsigned int cpu, uint32_t pages, uint32_t *list)
{
	struct t_buf *b = heap_pages(order_of(pages * PAGE_SIZE));

	if (!b)
		return -ENOMEM;
	for (uint32_t i = 0; i < pages; i++)
		list[i] = (uint32_t)virt_to_mfn((char *)b + i * PAGE_SIZE).n;
	share(b, pages * PAGE_SIZE, true);
	atomic_store(&per_cpu(cpu_trace, cpu).buf, b);
	return 0;
}

int trace_set_size(uint32_t pages)
{
	uint32_t head, list, cpu;
	struct t_info *made;
	int rc = 0;

	if (info)
		return pages == info->tbuf_size ? 0 : -EINVAL;
	if (!pages || pages > PAGES_MAX)
		return -EINVAL;
	head = (uint32_t)ROUND_UP(sizeof(*info) + nr_cpus * sizeof(info->mfn_offset[0]), 4) / 4;
	if (head + (nr_cpus - 1) * pages > UINT16_MAX)
		return -EINVAL; /* offsets are 16 bits, in words */
	info_bytes = (uint32_t)ROUND_UP((head + nr_cpus * pages) * 4, PAGE_SIZE);
	made = heap_pages(order_of(info_bytes));
	if (!made)
		return -ENOMEM;
	made->tbuf_size = (uint16_t)pages;
	data_bytes = (uint32_t)(pages * PAGE_SIZE - sizeof(struct t_buf));
	tasklet_init(&notify_tasklet, notify, NULL);
	for_each_cpu(cpu, &cpu_present_map) {
		list = head + cpu * pages;
		made->mfn_offset[cpu] = (uint16_t)list;
		if (!rc)
			rc = make_buffer(cpu, pages, (uint32_t *)made + list);
		if (rc)
			made->mfn_offset[cpu] = 0; /* records of the others can be had */
	}
	share(made, info_bytes, false);
	info = made;
	return 0;
}

int trace_enable(bool on)
{
	if (!info)
		return on ? -EINVAL : 0;
	WRITE_ONCE(trace_mask, on ? wanted : 0);
	return 0;
}

void trace_set_mask(uint32_t mask)
{
	wanted = mask;
	if (trace_mask)
		WRITE_ONCE(trace_mask, mask);
}

void trace_set_cpus(const struct cpumask *cpus)
{
	wanted_cpus = *cpus;
}

void trace_get(uint32_t *mask, uint64_t *mfn, uint32_t *bytes)
{
	*mask = wanted;
	*mfn = info ? virt_to_mfn(info).n : 0;
	*bytes = info ? info_bytes : 0;
}
