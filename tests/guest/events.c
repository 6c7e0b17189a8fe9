// SPDX-License-Identifier: GPL-2.0-only
/*
 * 10,000 event channels with the FIFO ABI (event_channel.h): IPIs and pairs within the
 * domain; each is sent to while unmasked and while masked, and received once each time;
 * priorities decide who comes first; all are closed and can be had again.
 */
#include "tests/guest/guest.h"

#define PORTS    10000
#define ARRAY_VA 0xffff900000000000ul /* the event words of all ports */
#define WORD(n)  (((uint32_t *)ARRAY_VA)[n])
#define BIT(n)   (1u << (n))
#define LINKS    ((1u << EVTCHN_FIFO_LINK_BITS) - 1)

static struct evtchn_fifo_control_block *control;
static uint32_t heads[EVTCHN_FIFO_MAX_QUEUES];
static uint16_t seen[EVTCHN_FIFO_NR_CHANNELS];
static uint32_t target[PORTS], source[PORTS]; /* receives, is sent on */
static uint32_t order[2], nr_seen;

static uint32_t unlink(uint32_t *word)
{
	uint32_t old = READ_ONCE(*word);

	while (!__atomic_compare_exchange_n(word, &old, old & ~(BIT(EVTCHN_FIFO_LINKED) | LINKS),
					    false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	return old & LINKS;
}

/* One event of queue @q; false: that was its last. */
static bool consume(unsigned int q)
{
	uint32_t port = heads[q] ? heads[q] : READ_ONCE(control->head[q]), old;

	heads[q] = unlink(&WORD(port));
	old = READ_ONCE(WORD(port));
	if ((old & BIT(EVTCHN_FIFO_PENDING)) && !(old & BIT(EVTCHN_FIFO_MASKED))) {
		__atomic_fetch_and(&WORD(port), ~BIT(EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
		seen[port]++;
		order[nr_seen++ & 1] = port;
	}
	return heads[q] != 0;
}

static void handle(void)
{
	uint32_t ready = 0;

	while ((ready |= __atomic_exchange_n(&control->ready, 0, __ATOMIC_SEQ_CST))) {
		unsigned int q = (unsigned int)__builtin_ctz(ready);

		if (!consume(q))
			ready &= ~BIT(q);
	}
}

static void fifo_init(void)
{
	unsigned long pfn = page_alloc();
	struct evtchn_init_control init = {.control_gfn = mfn_of(pfn)};
	unsigned long n = (PORTS + 100 + 1023) / 1024;

	control = page(pfn);
	must(hcall(event_channel_op, EVTCHNOP_init_control, &init) == 0);
	must(init.link_bits == EVTCHN_FIFO_LINK_BITS);
	tables_for(ARRAY_VA, n);
	for (unsigned long i = 0; i < n; i++) {
		unsigned long p = page_alloc();
		struct evtchn_expand_array expand = {.array_gfn = mfn_of(p)};

		for (int w = 0; w < 1024; w++)
			((uint32_t *)page(p))[w] = BIT(EVTCHN_FIFO_MASKED);
		must(map_at(ARRAY_VA + i * PAGE_SIZE, mfn_of(p) << 12 | PTE_DATA) == 0);
		must(hcall(event_channel_op, EVTCHNOP_expand_array, &expand) == 0);
	}
}

/* A pair within the domain: what is sent on one is pending on the other. */
static void bind_pair(unsigned int i)
{
	struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
	struct evtchn_bind_interdomain bind = {.remote_dom = DOMID_SELF};

	must(hcall(event_channel_op, EVTCHNOP_alloc_unbound, &unbound) == 0);
	bind.remote_port = unbound.port;
	must(hcall(event_channel_op, EVTCHNOP_bind_interdomain, &bind) == 0);
	source[i] = target[i + 1] = unbound.port;
	target[i] = source[i + 1] = bind.local_port;
}

static void bind_all(void)
{
	struct evtchn_bind_ipi ipi = {0};

	for (unsigned int i = 0; i < PORTS; i++) {
		if (i % 4 < 2) {
			must(hcall(event_channel_op, EVTCHNOP_bind_ipi, &ipi) == 0);
			source[i] = target[i] = ipi.port;
		} else if (i % 4 == 2) {
			bind_pair(i);
		}
	}
}

static void send_all(void)
{
	for (unsigned int i = 0; i < PORTS; i++) {
		struct evtchn_send send = {.port = source[i]};

		must(hcall(event_channel_op, EVTCHNOP_send, &send) == 0);
	}
}

/* By hypercall every other one: it must deliver what is pending. */
static void unmask_all(void)
{
	for (unsigned int i = 0; i < PORTS; i++) {
		struct evtchn_unmask unmask = {.port = target[i]};

		if (i & 1 || READ_ONCE(WORD(target[i])) & BIT(EVTCHN_FIFO_PENDING))
			must(hcall(event_channel_op, EVTCHNOP_unmask, &unmask) == 0);
		else
			__atomic_fetch_and(&WORD(target[i]), ~BIT(EVTCHN_FIFO_MASKED),
					   __ATOMIC_SEQ_CST);
	}
}

static void all_seen(unsigned int times)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < PORTS; i++)
		wrong += seen[target[i]] != times;
	print("%d channels seen %u times, %u not\n", PORTS, times, wrong);
	must(!wrong);
}

static void priorities(void)
{
	struct evtchn_set_priority low = {target[0], 15}, high = {target[1], 0};
	struct evtchn_send first = {source[0]}, second = {source[1]};

	must(hcall(event_channel_op, EVTCHNOP_set_priority, &low) == 0);
	must(hcall(event_channel_op, EVTCHNOP_set_priority, &high) == 0);
	low.priority = 16;
	must(hcall(event_channel_op, EVTCHNOP_set_priority, &low) == -XEN_EINVAL);
	upcalls_disable();
	nr_seen = 0;
	must(hcall(event_channel_op, EVTCHNOP_send, &first) == 0);
	must(hcall(event_channel_op, EVTCHNOP_send, &second) == 0);
	upcalls_enable();
	must(nr_seen == 2 && order[0] == high.port && order[1] == low.port);
}

static void close_all(void)
{
	for (unsigned int i = 0; i < PORTS; i++) {
		struct evtchn_close close = {.port = target[i]};

		must(hcall(event_channel_op, EVTCHNOP_close, &close) == 0);
		must(hcall(event_channel_op, EVTCHNOP_close, &close) == -XEN_EINVAL);
	}
}

void guest_main(void)
{
	fifo_init();
	event_handler = handle;
	upcalls_enable();
	bind_all();
	unmask_all();
	memset(seen, 0, sizeof(seen)); /* who binds to a port gets an event at once */
	send_all();
	all_seen(1);
	for (unsigned int i = 0; i < PORTS; i++)
		__atomic_fetch_or(&WORD(target[i]), BIT(EVTCHN_FIFO_MASKED), __ATOMIC_SEQ_CST);
	send_all();
	all_seen(1);
	unmask_all();
	all_seen(2);
	priorities();
	close_all();
	bind_all();
	print("all closed and bound again\n");
}
