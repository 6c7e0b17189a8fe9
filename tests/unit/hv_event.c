// SPDX-License-Identifier: GPL-2.0-only
/* Event channels: every operation between two domains, both ways of showing events, the
 * FIFO protocol against consumers in threads, and guests that scribble over their words. */
#include <pthread.h>

#include "hypervisor/cpu/irq.h"
#include "hypervisor/event/channel.h"
#include "hypervisor/hypercall/hypercall.h"
#include "tests/unit/hv_machine.h"

#define VCPUS   4
#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED  (1u << EVTCHN_FIFO_MASKED)
#define LINKED  (1u << EVTCHN_FIFO_LINKED)
#define BUSY    (1u << EVTCHN_FIFO_BUSY)

struct domain *dom0;
static struct domain *a, *b; /* domids 1 and 2 */
static bool denied;
static unsigned int continued, woken, mapped;
static struct {
	int result;
	unsigned int bound, unbound;
} pirq;

/* ---- what event/ wants of other folders: a guest address is a pointer here ---- */

long hypercall_continue(unsigned int nr, unsigned int n, ...)
{
	(void)n;
	continued++;
	this_cpu_var(softirq_pending) = 0;
	return nr;
}

int access_check(enum access what, const struct domain *target)
{
	return what == ACCESS_EVENT_FOR && denied && target != current->domain ? -EPERM : 0;
}

struct domain *domain_get(domid_t domid)
{
	return domain_get_any(domid);
}

struct domain *domain_get_any(domid_t domid)
{
	struct domain *d = domid == DOMID_SELF ? current->domain : domid == 1 ? a : domid == 2 ? b : NULL;

	if (d)
		domain_ref(d);
	return d;
}

struct vcpu *domain_vcpu(struct domain *d, unsigned int id)
{
	return id < d->max_vcpus ? d->vcpu[id] : NULL;
}

void vcpu_mark_events_pending(struct vcpu *v)
{
	atomic_xchg(&v->info->evtchn_upcall_pending, 1);
}

bool vcpu_end_poll(struct vcpu *v)
{
	if (!test_and_clear_bit(VCPU_POLLING, &v->pause_flags))
		return false;
	clear_bit(v->id, v->domain->poll_mask);
	return true;
}

void vcpu_wake(struct vcpu *v)
{
	(void)v;
	woken++;
}

int pirq_bind(struct vcpu *v, unsigned int n, bool share)
{
	(void)v, (void)n, (void)share;
	pirq.bound += !pirq.result;
	return pirq.result;
}

void pirq_set_vcpu(struct vcpu *v, unsigned int n)
{
	(void)v, (void)n;
}

void pirq_unbind(struct domain *d, unsigned int n)
{
	(void)d, (void)n;
	pirq.unbound++;
}

void *vmap(const mfn_t *mfn, unsigned int n)
{
	mapped += n;
	return mfn_to_virt(*mfn);
}

void vunmap(const void *p, unsigned int n)
{
	(void)p;
	mapped -= n;
}

static mfn_t translate(struct domain *d, gfn_t gfn)
{
	(void)d;
	return MFN(gfn.n);
}
static const struct guest_ops ops = {.translate = translate};

/* ---- two domains ---- */

static struct domain *make(domid_t domid)
{
	struct domain *d = machine_domain(1000);
	unsigned int i;

	d->domid = domid;
	d->ops = &ops;
	d->max_vcpus = VCPUS;
	d->vcpu = xzalloc_array(struct vcpu *, VCPUS);
	d->poll_mask = xzalloc(uint64_t);
	d->shared_info = heap_pages(0);
	CU_ASSERT_EQUAL(event_domain_init(d, EVTCHN_FIFO_NR_CHANNELS), 0);
	for (i = 0; i < VCPUS; i++) {
		struct vcpu *v = heap_pages(2);

		v->domain = d;
		v->id = i;
		v->info = &d->shared_info->vcpu_info[i];
		event_vcpu_init(v);
		d->vcpu[i] = v;
	}
	return d;
}

static void unmake(struct domain *d)
{
	unsigned int i;

	d->dying = DYING;
	while (event_domain_relinquish(d) == -ERESTART)
		this_cpu_var(softirq_pending) = 0;
	CU_ASSERT_EQUAL(d->event.active, 0);
	for (i = 0; i < VCPUS; i++) {
		event_vcpu_destroy(d->vcpu[i]);
		heap_free(d->vcpu[i], 2);
	}
	event_domain_destroy(d);
	while (d->first_page)
		frame_put_allocated(mfn_to_frame(MFN(d->first_page)));
	heap_free(d->shared_info, 0);
	xfree(d->poll_mask);
	xfree(d->vcpu);
	machine_domain_free(d);
}

static uint64_t free_before;

static void begin(void)
{
	machine_cpu(0);
	free_before = buddy_free_frames(ANY_NODE);
	machine_domain_refs = 0;
	denied = false;
	a = make(1);
	b = make(2);
	dom0 = a;
	current = a->vcpu[0];
}

/* Nothing is left over: pages, mappings, references. */
static void end(void)
{
	current = a->vcpu[0];
	unmake(b);
	unmake(a);
	a = b = dom0 = NULL;
	CU_ASSERT_EQUAL(mapped, 0);
	CU_ASSERT_EQUAL(machine_domain_refs, 0);
	/* xmalloc keeps a slab of each size at most. */
	CU_ASSERT(buddy_free_frames(ANY_NODE) + 64 >= free_before);
}

static void as(struct domain *d, unsigned int vcpu)
{
	current = d->vcpu[vcpu];
}

/* ---- the operations ---- */

static long alloc(domid_t dom, domid_t remote, uint32_t *port)
{
	struct evtchn_alloc_unbound op = {.dom = dom, .remote_dom = remote};
	long rc = do_event_channel_op(EVTCHNOP_alloc_unbound, (uint64_t)&op);

	*port = op.port;
	return rc;
}

static long bind(domid_t remote, uint32_t rport, uint32_t *port)
{
	struct evtchn_bind_interdomain op = {.remote_dom = remote, .remote_port = rport};
	long rc = do_event_channel_op(EVTCHNOP_bind_interdomain, (uint64_t)&op);

	*port = op.local_port;
	return rc;
}

static long virq(uint32_t n, uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_virq op = {.virq = n, .vcpu = vcpu};
	long rc = do_event_channel_op(EVTCHNOP_bind_virq, (uint64_t)&op);

	*port = op.port;
	return rc;
}

static long ipi(uint32_t vcpu, uint32_t *port)
{
	struct evtchn_bind_ipi op = {.vcpu = vcpu};
	long rc = do_event_channel_op(EVTCHNOP_bind_ipi, (uint64_t)&op);

	*port = op.port;
	return rc;
}

static long bind_pirq(uint32_t n, uint32_t *port)
{
	struct evtchn_bind_pirq op = {.pirq = n};
	long rc = do_event_channel_op(EVTCHNOP_bind_pirq, (uint64_t)&op);

	*port = op.port;
	return rc;
}

static long send_port(uint32_t port)
{
	struct evtchn_send op = {.port = port};

	return do_event_channel_op(EVTCHNOP_send, (uint64_t)&op);
}

static long close_port(uint32_t port)
{
	struct evtchn_close op = {.port = port};

	return do_event_channel_op(EVTCHNOP_close, (uint64_t)&op);
}

static long unmask(uint32_t port)
{
	struct evtchn_unmask op = {.port = port};

	return do_event_channel_op(EVTCHNOP_unmask, (uint64_t)&op);
}

static long to_vcpu(uint32_t port, uint32_t vcpu)
{
	struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};

	return do_event_channel_op(EVTCHNOP_bind_vcpu, (uint64_t)&op);
}

static long priority(uint32_t port, uint32_t prio)
{
	struct evtchn_set_priority op = {.port = port, .priority = prio};

	return do_event_channel_op(EVTCHNOP_set_priority, (uint64_t)&op);
}

static struct evtchn_status status(domid_t dom, uint32_t port)
{
	struct evtchn_status op = {.dom = dom, .port = port, .status = 99};

	if (do_event_channel_op(EVTCHNOP_status, (uint64_t)&op))
		op.status = 99;
	return op;
}

/* A pair: a's port and b's. */
static void pair(uint32_t *pa, uint32_t *pb)
{
	as(a, 0);
	CU_ASSERT_EQUAL(alloc(DOMID_SELF, 2, pa), 0);
	as(b, 0);
	CU_ASSERT_EQUAL(bind(1, *pa, pb), 0);
}

/* What the 2-level ABI shows of a port; the guest takes it off. */
static bool taken(struct domain *d, unsigned int vcpu, uint32_t port)
{
	struct vcpu_info *i = d->vcpu[vcpu]->info;
	bool shown = i->evtchn_upcall_pending && test_bit(port / 64, &i->evtchn_pending_sel) &&
		     test_bit(port, d->shared_info->evtchn_pending);

	i->evtchn_upcall_pending = 0;
	i->evtchn_pending_sel = 0;
	clear_bit(port, d->shared_info->evtchn_pending);
	return shown;
}

/* ---- 2-level ---- */

static void test_interdomain(void)
{
	uint32_t pa, pb, other;

	begin();
	pair(&pa, &pb);
	CU_ASSERT_EQUAL(pa, 1);
	/* Whatever was sent before the bind. */
	CU_ASSERT_TRUE(taken(b, 0, pb));
	CU_ASSERT_EQUAL(send_port(pb), 0);
	CU_ASSERT_TRUE(taken(a, 0, pa));
	CU_ASSERT_FALSE(taken(a, 0, pa));
	as(a, 0);
	CU_ASSERT_EQUAL(send_port(pa), 0);
	CU_ASSERT_TRUE(taken(b, 0, pb));
	/* Masked: pending, nobody told; unmasked: told. */
	set_bit(pb, b->shared_info->evtchn_mask);
	CU_ASSERT_EQUAL(send_port(pa), 0);
	CU_ASSERT_EQUAL(b->vcpu[0]->info->evtchn_upcall_pending, 0);
	as(b, 0);
	CU_ASSERT_EQUAL(unmask(pb), 0);
	CU_ASSERT_TRUE(taken(b, 0, pb));
	CU_ASSERT_FALSE(b->event.ops->is_masked(b, pb));
	/* Told to another vcpu. */
	CU_ASSERT_EQUAL(to_vcpu(pb, 3), 0);
	as(a, 0);
	CU_ASSERT_EQUAL(send_port(pa), 0);
	CU_ASSERT_TRUE(taken(b, 3, pb));
	/* One end closes: the other waits, for that domain alone. */
	CU_ASSERT_EQUAL(close_port(pa), 0);
	CU_ASSERT_EQUAL(status(2, pb).status, EVTCHNSTAT_unbound);
	CU_ASSERT_EQUAL(status(2, pb).u.unbound.dom, 1);
	as(b, 0);
	CU_ASSERT_EQUAL(send_port(pb), 0);
	CU_ASSERT_EQUAL(bind(DOMID_SELF, pb, &other), -EINVAL);
	as(a, 0);
	CU_ASSERT_EQUAL(bind(2, pb, &other), 0);
	CU_ASSERT_EQUAL(other, pa); /* the lowest free port */
	CU_ASSERT_EQUAL(bind(2, pb, &other), -EINVAL);
	end();
}

static void test_itself(void)
{
	uint32_t p, q;

	begin();
	CU_ASSERT_EQUAL(alloc(DOMID_SELF, DOMID_SELF, &p), 0);
	CU_ASSERT_EQUAL(bind(DOMID_SELF, p, &q), 0);
	CU_ASSERT_TRUE(taken(a, 0, q));
	CU_ASSERT_EQUAL(send_port(q), 0);
	CU_ASSERT_TRUE(taken(a, 0, p));
	CU_ASSERT_EQUAL(close_port(q), 0);
	CU_ASSERT_EQUAL(close_port(p), 0);
	CU_ASSERT_EQUAL(close_port(p), -EINVAL);
	end();
}

static void test_errors(void)
{
	struct evtchn_expand_array expand = {.array_gfn = 5};
	uint32_t p, pa, pb;

	begin();
	pair(&pa, &pb);
	as(a, 0);
	CU_ASSERT_EQUAL(alloc(9, 2, &p), -ESRCH);
	CU_ASSERT_EQUAL(bind(9, 1, &p), -ESRCH);
	CU_ASSERT_EQUAL(bind(2, 100000, &p), -EINVAL);
	CU_ASSERT_EQUAL(bind(2, 0, &p), -EINVAL);
	denied = true;
	CU_ASSERT_EQUAL(alloc(2, 1, &p), -EPERM);
	CU_ASSERT_EQUAL(status(2, pb).status, 99);
	denied = false;
	CU_ASSERT_EQUAL(send_port(0), -EINVAL);
	CU_ASSERT_EQUAL(send_port(77), -EINVAL);
	CU_ASSERT_EQUAL(send_port(~0u), -EINVAL);
	CU_ASSERT_EQUAL(close_port(0), -EINVAL);
	CU_ASSERT_EQUAL(close_port(~0u), -EINVAL);
	CU_ASSERT_EQUAL(unmask(0), -EINVAL);
	CU_ASSERT_EQUAL(unmask(~0u), -EINVAL);
	CU_ASSERT_EQUAL(to_vcpu(pa, VCPUS), -ENOENT);
	CU_ASSERT_EQUAL(to_vcpu(99, 1), -EINVAL);
	CU_ASSERT_EQUAL(ipi(VCPUS, &p), -ENOENT);
	CU_ASSERT_EQUAL(virq(NR_VIRQS, 0, &p), -EINVAL);
	CU_ASSERT_EQUAL(virq(VIRQ_TIMER, VCPUS, &p), -ENOENT);
	CU_ASSERT_EQUAL(virq(VIRQ_CONSOLE, 1, &p), -EINVAL);
	CU_ASSERT_EQUAL(bind_pirq(~0u, &p), -EINVAL);
	CU_ASSERT_EQUAL(priority(pa, 3), -ENOSYS);
	CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_expand_array, (uint64_t)&expand), -ENOSYS);
	CU_ASSERT_EQUAL(do_event_channel_op(99, 0), -ENOSYS);
	for (unsigned int cmd = 0; cmd <= EVTCHNOP_set_priority; cmd++)
		CU_ASSERT_EQUAL(do_event_channel_op(cmd, 0), -EFAULT);
	/* A result that cannot be stored: the port is not kept. */
	CU_ASSERT_EQUAL(a->event.active, 1);
	a->dying = DYING;
	CU_ASSERT_EQUAL(alloc(1, 2, &p), -EINVAL);
	a->dying = ALIVE;
	end();
}

static void test_virq(void)
{
	uint32_t t0, t1, c, p;

	begin();
	CU_ASSERT_EQUAL(virq(VIRQ_TIMER, 0, &t0), 0);
	CU_ASSERT_EQUAL(virq(VIRQ_TIMER, 1, &t1), 0);
	CU_ASSERT_EQUAL(virq(VIRQ_TIMER, 1, &p), -EEXIST);
	CU_ASSERT_EQUAL(virq(VIRQ_CONSOLE, 0, &c), 0);
	send_vcpu_virq(a->vcpu[1], VIRQ_TIMER);
	CU_ASSERT_TRUE(taken(a, 1, t1));
	CU_ASSERT_FALSE(taken(a, 0, t0));
	send_vcpu_virq(a->vcpu[2], VIRQ_TIMER); /* not bound: nothing */
	CU_ASSERT_EQUAL(send_port(t0), -EINVAL);
	CU_ASSERT_EQUAL(to_vcpu(t1, 0), -EINVAL); /* each vcpu has its own */
	CU_ASSERT_EQUAL(to_vcpu(c, 2), 0);
	send_global_virq(VIRQ_CONSOLE); /* dom0's, which is a here */
	CU_ASSERT_TRUE(taken(a, 2, c));
	CU_ASSERT_EQUAL(status(1, c).u.virq, VIRQ_CONSOLE);
	CU_ASSERT_EQUAL(status(1, c).vcpu, 2);
	/* Another handles it. */
	as(b, 0);
	CU_ASSERT_EQUAL(virq(VIRQ_CONSOLE, 0, &p), 0);
	CU_ASSERT_EQUAL(set_global_virq_handler(b, VIRQ_TIMER), -EINVAL);
	CU_ASSERT_EQUAL(set_global_virq_handler(b, VIRQ_CONSOLE), 0);
	send_global_virq(VIRQ_CONSOLE);
	CU_ASSERT_TRUE(taken(b, 0, p));
	CU_ASSERT_FALSE(taken(a, 2, c));
	as(a, 0);
	CU_ASSERT_EQUAL(close_port(c), 0);
	CU_ASSERT_EQUAL(virq(VIRQ_CONSOLE, 0, &c), 0);
	end();
}

static void test_ipi_pirq(void)
{
	uint32_t i, p, q;

	begin();
	pirq.result = 0;
	pirq.bound = pirq.unbound = 0;
	CU_ASSERT_EQUAL(ipi(2, &i), 0);
	CU_ASSERT_EQUAL(send_port(i), 0);
	CU_ASSERT_TRUE(taken(a, 2, i));
	CU_ASSERT_EQUAL(to_vcpu(i, 1), -EINVAL);

	CU_ASSERT_FALSE(send_pirq(a, 9));
	CU_ASSERT_EQUAL(bind_pirq(9, &p), 0);
	CU_ASSERT_EQUAL(bind_pirq(9, &q), -EEXIST);
	CU_ASSERT_TRUE(send_pirq(a, 9));
	CU_ASSERT_TRUE(taken(a, 0, p));
	CU_ASSERT_FALSE(send_pirq(a, 10));
	CU_ASSERT_FALSE(send_pirq(a, 1 << 30));
	CU_ASSERT_EQUAL(status(DOMID_SELF, p).u.pirq, 9);
	CU_ASSERT_EQUAL(close_port(p), 0);
	CU_ASSERT_FALSE(send_pirq(a, 9));
	CU_ASSERT_EQUAL(pirq.unbound, 1);
	pirq.result = -EBUSY;
	CU_ASSERT_EQUAL(bind_pirq(9, &p), -EBUSY);
	CU_ASSERT_EQUAL(a->event.active, 1);
	pirq.result = 0;
	CU_ASSERT_EQUAL(bind_pirq(9, &p), 0);
	CU_ASSERT_EQUAL(pirq.bound, 2);
	end();
}

static void test_poll(void)
{
	uint32_t p, q;

	begin();
	CU_ASSERT_EQUAL(ipi(0, &p), 0);
	CU_ASSERT_EQUAL(ipi(0, &q), 0);
	woken = 0;
	set_bit(VCPU_POLLING, &a->vcpu[2]->pause_flags);
	a->vcpu[2]->poll_port = (int32_t)p;
	set_bit(2, a->poll_mask);
	send_port(q);
	CU_ASSERT_EQUAL(woken, 0);
	send_port(p);
	CU_ASSERT_EQUAL(woken, 1);
	send_port(p);
	CU_ASSERT_EQUAL(woken, 1);
	set_bit(VCPU_POLLING, &a->vcpu[2]->pause_flags);
	a->vcpu[2]->poll_port = -1;
	set_bit(2, a->poll_mask);
	send_port(q);
	CU_ASSERT_EQUAL(woken, 2);
	end();
}

static void test_limits(void)
{
	uint32_t p, n;

	begin();
	a->event.limit = 10;
	for (n = 1; n < 10; n++)
		CU_ASSERT_EQUAL(alloc(DOMID_SELF, 2, &p), 0);
	CU_ASSERT_EQUAL(alloc(DOMID_SELF, 2, &p), -ENOSPC);
	a->event.limit = EVTCHN_FIFO_NR_CHANNELS;
	for (; n < EVTCHN_2L_NR_CHANNELS; n++)
		CU_ASSERT_EQUAL_FATAL(alloc(DOMID_SELF, 2, &p), 0);
	CU_ASSERT_EQUAL(p, EVTCHN_2L_NR_CHANNELS - 1);
	CU_ASSERT_EQUAL(alloc(DOMID_SELF, 2, &p), -ENOSPC);
	CU_ASSERT_EQUAL(close_port(70), 0);
	CU_ASSERT_EQUAL(close_port(30), 0);
	CU_ASSERT_EQUAL(alloc(DOMID_SELF, 2, &p), 0);
	CU_ASSERT_EQUAL(p, 30);
	CU_ASSERT_EQUAL(alloc(DOMID_SELF, 2, &p), 0);
	CU_ASSERT_EQUAL(p, 70);
	end();
}

/* ---- FIFO, one step at a time ---- */

static event_word_t *words[4]; /* a's array pages */
static struct evtchn_fifo_control_block *control[VCPUS];

static long init_control(unsigned int vcpu, uint64_t gfn, uint32_t offset)
{
	struct evtchn_init_control op = {.control_gfn = gfn, .offset = offset, .vcpu = vcpu};
	long rc = do_event_channel_op(EVTCHNOP_init_control, (uint64_t)&op);

	if (!rc)
		CU_ASSERT_EQUAL(op.link_bits, EVTCHN_FIFO_LINK_BITS);
	return rc;
}

static uint64_t guest_page(struct domain *d, void **va)
{
	struct frame *f = frames_alloc(d, 0, ANY_NODE, 0, 0);
	mfn_t mfn = frame_to_mfn(f);

	*va = mfn_to_virt(mfn);
	memset(*va, 0, PAGE_SIZE);
	return mfn.n;
}

static long expand(struct domain *d, unsigned int n)
{
	void *va;
	struct evtchn_expand_array op = {.array_gfn = guest_page(d, &va)};

	words[n] = va;
	return do_event_channel_op(EVTCHNOP_expand_array, (uint64_t)&op);
}

static void fifo_start(unsigned int vcpus)
{
	for (unsigned int i = 0; i < vcpus; i++) {
		void *va;
		uint64_t gfn = guest_page(a, &va);

		CU_ASSERT_EQUAL_FATAL(init_control(i, gfn, 64 * i), 0);
		control[i] = (void *)((char *)va + 64 * i);
	}
}

static event_word_t *word(uint32_t port)
{
	return &words[port / 1024][port % 1024];
}

/* The consumer of the protocol, as a guest is to write it. */
struct consumer {
	struct evtchn_fifo_control_block *control;
	uint32_t head[EVTCHN_FIFO_MAX_QUEUES];
	void (*handle)(uint32_t port);
};

static uint32_t clear_linked(event_word_t *w)
{
	event_word_t old = READ_ONCE(*w);

	while (!atomic_cmpxchg(w, &old, old & ~(LINKED | EVTCHN_FIFO_LINK_MASK)))
		;
	return old & EVTCHN_FIFO_LINK_MASK;
}

static void consume(struct consumer *c)
{
	uint32_t ready = atomic_xchg(&c->control->ready, 0);

	while (ready) {
		uint32_t q = (uint32_t)__builtin_ctz(ready), port;
		event_word_t *w;

		if (!c->head[q])
			c->head[q] = atomic_load(&c->control->head[q]);
		port = c->head[q];
		w = word(port);
		c->head[q] = clear_linked(w);
		if (!c->head[q])
			ready &= ~(1u << q);
		if ((READ_ONCE(*w) & (PENDING | MASKED)) == PENDING)
			c->handle(port);
		ready |= atomic_xchg(&c->control->ready, 0);
	}
}

static uint32_t order[64], handled;

static void note(uint32_t port)
{
	__atomic_and_fetch(word(port), ~PENDING, __ATOMIC_SEQ_CST);
	order[handled++ % 64] = port;
}

static void test_fifo(void)
{
	struct consumer c = {.handle = note};
	uint32_t p[8], x;
	unsigned int i;

	begin();
	CU_ASSERT_EQUAL(init_control(VCPUS, 1, 0), -ENOENT);
	CU_ASSERT_EQUAL(init_control(0, HOLE_START, 0), -EINVAL);
	CU_ASSERT_EQUAL(init_control(0, 1, 0), -EINVAL); /* not a's */
	CU_ASSERT_EQUAL(init_control(0, 1, PAGE_SIZE - 8), -EINVAL);
	CU_ASSERT_EQUAL(init_control(0, 1, 4), -EINVAL);
	for (i = 0; i < 8; i++)
		CU_ASSERT_EQUAL(ipi(0, &p[i]), 0);
	send_port(p[7]); /* shown by the old ABI */
	fifo_start(1);
	CU_ASSERT_EQUAL(init_control(0, 1, 0), -EINVAL);
	send_port(p[6]); /* no word for it yet */
	a->vcpu[0]->info->evtchn_upcall_pending = 0;
	CU_ASSERT_EQUAL(expand(a, 0), 0);
	CU_ASSERT_EQUAL(a->vcpu[0]->info->evtchn_upcall_pending, 1);
	c.control = control[0];
	handled = 0;
	consume(&c);
	CU_ASSERT_EQUAL(handled, 2);
	CU_ASSERT(order[0] + order[1] == p[6] + p[7]);
	/* In the order sent; each once. */
	handled = 0;
	for (i = 0; i < 6; i++)
		send_port(p[i]);
	send_port(p[2]);
	consume(&c);
	CU_ASSERT_EQUAL(handled, 6);
	for (i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(order[i], p[i]);
	/* The same one again and again: it is its queue's tail. */
	for (i = 0; i < 3; i++) {
		handled = 0;
		a->vcpu[0]->info->evtchn_upcall_pending = 0;
		send_port(p[5]);
		CU_ASSERT_EQUAL(a->vcpu[0]->info->evtchn_upcall_pending, 1);
		consume(&c);
		CU_ASSERT_EQUAL(handled, 1);
		CU_ASSERT_EQUAL(*word(p[5]), 0);
	}
	/* Priorities. */
	CU_ASSERT_EQUAL(priority(p[3], EVTCHN_FIFO_PRIORITY_MAX), 0);
	CU_ASSERT_EQUAL(priority(p[0], EVTCHN_FIFO_PRIORITY_MIN), 0);
	CU_ASSERT_EQUAL(priority(p[0], EVTCHN_FIFO_PRIORITY_MIN + 1), -EINVAL);
	handled = 0;
	for (i = 0; i < 4; i++)
		send_port(p[i]);
	consume(&c);
	CU_ASSERT_EQUAL(order[0], p[3]);
	CU_ASSERT_EQUAL(order[3], p[0]);
	/* Masked ones are not linked, until unmasked. */
	*word(p[1]) |= MASKED;
	CU_ASSERT_TRUE(a->event.ops->is_masked(a, p[1]));
	send_port(p[1]);
	CU_ASSERT_TRUE(event_port_is_pending(a, p[1]));
	CU_ASSERT_EQUAL(control[0]->ready, 0);
	CU_ASSERT_EQUAL(unmask(p[1]), 0);
	handled = 0;
	consume(&c);
	CU_ASSERT_EQUAL(handled, 1);
	/* Closed while queued: not given out before the guest has taken it off. */
	send_port(p[1]);
	CU_ASSERT_EQUAL(close_port(p[1]), 0);
	CU_ASSERT_EQUAL(ipi(0, &x), 0);
	CU_ASSERT_NOT_EQUAL(x, p[1]);
	consume(&c);
	CU_ASSERT_EQUAL(ipi(0, &x), 0);
	CU_ASSERT_EQUAL(x, p[1]);
	end();
}

/* Ports move between vcpus and priorities, with their old queue's tail behind them. */
static void test_fifo_move(void)
{
	struct consumer c[2];
	uint32_t p[6], pb[6];
	unsigned int i, round;

	begin();
	for (i = 0; i < 6; i++)
		pair(&p[i], &pb[i]);
	as(a, 0);
	fifo_start(2);
	CU_ASSERT_EQUAL(expand(a, 0), 0);
	for (i = 0; i < 2; i++)
		c[i] = (struct consumer){.control = control[i], .handle = note};
	machine_seed(3);
	for (round = 0; round < 2000; round++) {
		uint32_t want = 0, got = 0;

		handled = 0;
		for (i = 0; i < 1 + machine_random() % 6; i++) {
			uint32_t n = machine_random() % 6;

			as(a, 0);
			to_vcpu(p[n], machine_random() % 2);
			priority(p[n], machine_random() % 16);
			as(b, 0);
			CU_ASSERT_EQUAL(send_port(pb[n]), 0);
			want |= 1u << n;
		}
		consume(&c[0]);
		consume(&c[1]);
		for (uint32_t h = 0; h < handled; h++)
			for (i = 0; i < 6; i++)
				if (order[h] == p[i])
					got |= 1u << i;
		CU_ASSERT_EQUAL_FATAL(want, got);
		CU_ASSERT_EQUAL_FATAL(handled, (uint32_t)__builtin_popcount(want));
	}
	end();
}

static void test_fifo_many(void)
{
	struct evtchn_reset reset = {.dom = DOMID_SELF};
	struct consumer c = {.handle = note};
	uint32_t p;
	unsigned int i;

	begin();
	fifo_start(1);
	c.control = control[0];
	CU_ASSERT_EQUAL(a->event.max_ports, EVTCHN_FIFO_NR_CHANNELS);
	for (i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(expand(a, i), 0);
	for (i = 1; i < 4096; i++)
		CU_ASSERT_EQUAL_FATAL(ipi(0, &p), 0);
	handled = 0;
	for (i = 1; i < 4096; i++)
		send_port(i);
	consume(&c);
	CU_ASSERT_EQUAL(handled, 4095);
	/* Reset, preempted on the way: the 2-level ABI again, nothing is left. */
	continued = 0;
	this_cpu_var(softirq_pending) = 1;
	while (do_event_channel_op(EVTCHNOP_reset, (uint64_t)&reset) ==
	       __HYPERVISOR_event_channel_op)
		this_cpu_var(softirq_pending) = continued % 100 == 0;
	CU_ASSERT(continued > 0);
	CU_ASSERT_EQUAL(a->event.active, 0);
	CU_ASSERT_PTR_EQUAL(a->event.ops, &event_2level_ops);
	CU_ASSERT_EQUAL(mapped, 0);
	CU_ASSERT_EQUAL(ipi(1, &p), 0);
	CU_ASSERT_EQUAL(p, 1);
	CU_ASSERT_EQUAL(send_port(p), 0);
	CU_ASSERT_TRUE(taken(a, 1, p));
	/* Another's, only while tools have paused it. */
	reset.dom = 2;
	CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_reset, (uint64_t)&reset), -EINVAL);
	b->tools_pause_count = 1;
	CU_ASSERT_EQUAL(do_event_channel_op(EVTCHNOP_reset, (uint64_t)&reset), 0);
	end();
}

/* ---- FIFO, everything at once ---- */

#define PORTS   24
#define SENDERS 2
#define SENDS   20000
static uint32_t port_a[PORTS], port_b[PORTS], sent[PORTS], seen[PORTS];
static int running; /* senders, and the meddler: consumers outlive them */

static void handle_seen(uint32_t port)
{
	uint32_t now, before;
	unsigned int i = 0;

	while (port_a[i] != port)
		i++;
	/* The order of a driver: clear, then look at what was produced. A port that moves may
	 * be handled by both consumers at once: the later look counts. */
	__atomic_and_fetch(word(port), ~PENDING, __ATOMIC_SEQ_CST);
	now = atomic_load(&sent[i]);
	before = atomic_load(&seen[i]);
	while (before < now && !__atomic_compare_exchange_n(&seen[i], &before, now, false,
							    __ATOMIC_SEQ_CST,
							    __ATOMIC_SEQ_CST))
		;
}

static void *sender(void *arg)
{
	unsigned int cpu = (unsigned int)(uintptr_t)arg, i, n;

	machine_cpu(cpu);
	machine_seed(cpu);
	as(b, cpu % VCPUS);
	for (i = 0; i < SENDS; i++) {
		n = machine_random() % PORTS;
		atomic_add(&sent[n], 1);
		if (event_send(b, port_b[n]))
			abort();
	}
	atomic_sub(&running, 1);
	return NULL;
}

/* Moves ports between vcpus and priorities, masks and unmasks. */
static void *meddler(void *arg)
{
	machine_cpu((unsigned int)(uintptr_t)arg);
	machine_seed(99);
	as(a, 2);
	while (atomic_load(&running) > 1) {
		uint32_t n = machine_random() % PORTS, what = machine_random() % 4;

		if (what == 0)
			to_vcpu(port_a[n], machine_random() % 2);
		else if (what == 1)
			priority(port_a[n], machine_random() % 16);
		else
			__atomic_or_fetch(word(port_a[n]), MASKED, __ATOMIC_SEQ_CST);
		if (what > 1 && unmask(port_a[n]))
			abort();
	}
	atomic_sub(&running, 1);
	return NULL;
}

static void *consumer_thread(void *arg)
{
	unsigned int id = (unsigned int)(uintptr_t)arg, idle = 0;
	struct consumer c = {.control = control[id], .handle = handle_seen};
	struct vcpu_info *info = a->vcpu[id]->info;

	/* Only what the upcall says: a lost one shows as a port that stays pending. */
	while (idle < 100) {
		if (atomic_xchg(&info->evtchn_upcall_pending, 0)) {
			consume(&c);
			idle = 0;
		} else {
			idle += !atomic_load(&running);
			sched_yield();
		}
	}
	return NULL;
}

static void test_fifo_race(void)
{
	pthread_t t[SENDERS + 3];
	unsigned int i, n = 0;

	begin();
	for (i = 0; i < PORTS; i++)
		pair(&port_a[i], &port_b[i]);
	as(a, 0);
	fifo_start(2);
	CU_ASSERT_EQUAL(expand(a, 0), 0);
	memset(sent, 0, sizeof(sent));
	memset(seen, 0, sizeof(seen));
	running = SENDERS + 1;
	for (i = 0; i < 2; i++)
		pthread_create(&t[n++], NULL, consumer_thread, (void *)(uintptr_t)i);
	for (i = 0; i < SENDERS; i++)
		pthread_create(&t[n++], NULL, sender, (void *)(uintptr_t)(1 + i));
	pthread_create(&t[n++], NULL, meddler, (void *)(uintptr_t)7);
	while (n)
		pthread_join(t[--n], NULL);
	for (i = 0; i < PORTS; i++) {
		CU_ASSERT_EQUAL(sent[i], seen[i]);
		CU_ASSERT_EQUAL(*word(port_a[i]) & (PENDING | LINKED | BUSY), 0);
	}
	end();
}

/* A guest that writes whatever it likes into its words: its own events suffer. */
static void *scribbler(void *arg)
{
	machine_cpu((unsigned int)(uintptr_t)arg);
	machine_seed(5);
	while (atomic_load(&running)) {
		uint32_t r = (uint32_t)machine_random();

		atomic_store(&words[0][machine_random() % 64], r * 0x9e3779b9u);
		atomic_store(&control[0]->ready, r);
		atomic_store(&control[1]->head[r % 16], r);
	}
	return NULL;
}

static void test_hostile(void)
{
	pthread_t t[SENDERS + 2];
	unsigned int i, n = 0;

	begin();
	for (i = 0; i < PORTS; i++)
		pair(&port_a[i], &port_b[i]);
	as(a, 0);
	fifo_start(2);
	CU_ASSERT_EQUAL(expand(a, 0), 0);
	running = SENDERS + 1;
	pthread_create(&t[n++], NULL, scribbler, (void *)(uintptr_t)6);
	pthread_create(&t[n++], NULL, meddler, (void *)(uintptr_t)7);
	for (i = 0; i < SENDERS; i++)
		pthread_create(&t[n++], NULL, sender, (void *)(uintptr_t)(1 + i));
	while (n)
		pthread_join(t[--n], NULL);
	/* b, which shares nothing with it, still hears of events. */
	as(a, 0);
	taken(b, 0, port_b[0]);
	CU_ASSERT_EQUAL(send_port(port_a[0]), 0);
	CU_ASSERT_TRUE(taken(b, 0, port_b[0]));
	end();
}

/* Both ends are closed and bound again while events are sent. */
static uint32_t churn_port;

static void *churn_sender(void *arg)
{
	machine_cpu((unsigned int)(uintptr_t)arg);
	as(b, 1);
	while (atomic_load(&running))
		(void)event_send(b, atomic_load(&churn_port));
	return NULL;
}

static void test_churn(void)
{
	pthread_t t;
	uint32_t pa, pb;
	unsigned int i;

	begin();
	running = 1;
	pthread_create(&t, NULL, churn_sender, (void *)3);
	for (i = 0; i < 3000; i++) {
		pair(&pa, &pb);
		atomic_store(&churn_port, pb);
		as(i & 1 ? a : b, 0);
		CU_ASSERT_EQUAL(close_port(i & 1 ? pa : pb), 0);
		as(i & 1 ? b : a, 0);
		CU_ASSERT_EQUAL(close_port(i & 1 ? pb : pa), 0);
	}
	atomic_store(&running, 0);
	pthread_join(t, NULL);
	CU_ASSERT_EQUAL(a->event.active + b->event.active, 0);
	end();
}

/* ---- both ends close at once ---- */

static struct evtchn *closing; /* NULL: nothing is to happen */
static unsigned int looks;
static int refs_between;

static bool held(const struct spinlock *l)
{
	return (uint16_t)l->tickets != l->tickets >> 16;
}

/* As its own lock is dropped, before both ends' are taken, the other end's CPU closes it. */
void irq_restore(unsigned long flags)
{
	struct evtchn *c = closing;

	(void)flags;
	if (!c || !held(&a->event.lock) || held(&c->lock) || looks++ != 1)
		return;
	closing = NULL;
	refs_between = machine_domain_refs;
	machine_cpu(1);
	CU_ASSERT_EQUAL(event_close(b, c->remote.chn->port), 0);
	machine_cpu(0);
}

static void test_close_both(void)
{
	uint32_t port, near;
	int refs;

	begin();
	CU_ASSERT_EQUAL(alloc(2, 1, &port), 0);
	CU_ASSERT_EQUAL(bind(2, port, &near), 0);
	closing = event_channel(a, near);
	refs = machine_domain_refs;
	CU_ASSERT_EQUAL(event_close(a, near), 0);
	CU_ASSERT_PTR_NULL(closing);
	CU_ASSERT_EQUAL(refs_between, refs + 1); /* the other's channels stay so long */
	CU_ASSERT_EQUAL(machine_domain_refs, refs);
	end();
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"between domains", test_interdomain},
		{"within a domain", test_itself},
		{"errors", test_errors},
		{"VIRQs", test_virq},
		{"IPIs and PIRQs", test_ipi_pirq},
		{"pollers", test_poll},
		{"limits and reuse", test_limits},
		{"FIFO", test_fifo},
		{"FIFO: ports that move", test_fifo_move},
		{"FIFO: many, and reset", test_fifo_many},
		{"FIFO: consumers, senders, movers", test_fifo_race},
		{"FIFO: a guest that scribbles", test_hostile},
		{"closing while sending", test_churn},
		{"both ends close at once", test_close_both},
		CU_TEST_INFO_NULL,
	};

	machine_init();
	return suite_main("event", tests);
}
