// SPDX-License-Identifier: GPL-2.0-only
/*
 * The FIFO ABI: a word a port in pages the guest gives, and per vcpu and priority a queue
 * linked through those words, whose heads are in the vcpu's control block.
 *
 * The guest takes events off the head, we add at the tail; both change words only by
 * atomic operations. Our idea of a tail is kept here and says nothing while the tail's
 * word is not LINKED: then the queue is empty. Whatever the guest writes harms its own
 * queues alone: links that we follow are ours.
 */
#include "hypervisor/event/channel.h"
#include "hypervisor/hypercall/op.h"
#include "hypervisor/mm/mm.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define ARRAY_PAGES    (EVTCHN_FIFO_NR_CHANNELS / WORDS_PER_PAGE)
#define PENDING        (1u << EVTCHN_FIFO_PENDING)
#define MASKED         (1u << EVTCHN_FIFO_MASKED)
#define LINKED         (1u << EVTCHN_FIFO_LINKED)
#define MOVE_TRIES     64

struct event_fifo {
	uint32_t nr_pages; /* published last */
	struct guest_page page[ARRAY_PAGES]; /* of event_word_t */
};

struct event_fifo_queue {
	struct spinlock lock;
	uint32_t tail; /* 0: none */
};

struct event_fifo_vcpu {
	struct evtchn_fifo_control_block *control;
	struct guest_page page;
	struct event_fifo_queue queue[EVTCHN_FIFO_MAX_QUEUES];
};

static event_word_t *word_of(const struct domain *d, uint32_t port)
{
	const struct event_fifo *f = d->event.fifo;
	uint32_t n = atomic_load(&f->nr_pages), page = port / WORDS_PER_PAGE;

	if (page >= n)
		return NULL;
	return (event_word_t *)f->page[index_nospec(page, n)].map + port % WORDS_PER_PAGE;
}

/*
 * Link @port behind the word of a tail; its link is 0 while it is one. True: done. False:
 * the tail was consumed; the queue's lock keeps it out of all queues until the link is
 * taken out again. One operation each, which no other change of the word can make fail:
 * given up while the tail is linked, the port would be lost to a guest that is still on
 * its way there.
 */
static bool link_behind(event_word_t *word, uint32_t port)
{
	if (__atomic_fetch_or(word, port, __ATOMIC_SEQ_CST) & LINKED)
		return true;
	__atomic_and_fetch(word, ~EVTCHN_FIFO_LINK_MASK, __ATOMIC_SEQ_CST);
	return false;
}

static struct event_fifo_queue *queue_of(const struct domain *d, uint32_t id)
{
	struct vcpu *v = domain_vcpu((struct domain *)d, id >> 8);
	struct event_fifo_vcpu *f = v ? atomic_load(&v->event.fifo) : NULL;

	return f ? &f->queue[id & (EVTCHN_FIFO_MAX_QUEUES - 1)] : NULL;
}

/*
 * A port moves to another queue. The old one may still take it for its tail; forget that,
 * so that nothing is linked behind a word that is about to be in the new queue. One queue
 * lock at a time: c->last_queue says which one protects the port's word.
 */
static void leave_queue(const struct domain *d, struct evtchn *c, event_word_t *word,
			uint32_t old, uint32_t new)
{
	struct event_fifo_queue *q = queue_of(d, old);

	if (!q) {
		atomic_cmpxchg(&c->last_queue, &old, new);
		return;
	}
	spin_guard_irqsave(&q->lock);
	if (READ_ONCE(c->last_queue) == old && !(READ_ONCE(*word) & LINKED)) {
		if (q->tail == c->port)
			q->tail = 0;
		WRITE_ONCE(c->last_queue, new);
	}
}

/* The port is pending, unmasked and not linked: into the queue of @v. */
static void enqueue(struct vcpu *v, struct evtchn *c, event_word_t *word)
{
	struct domain *d = v->domain;
	struct event_fifo_vcpu *f = atomic_load(&v->event.fifo);
	uint32_t prio = READ_ONCE(c->priority), id = v->id << 8 | prio, old;
	struct event_fifo_queue *q;
	unsigned long flags;
	unsigned int tries = 0;
	bool linked = false;

	if (!f)
		return; /* that vcpu cannot be told: the port stays pending */
	q = &f->queue[prio];
	for (;;) {
		/* Only a guest that plays with LINKED can keep us here. */
		if (tries++ == MOVE_TRIES)
			return;
		old = READ_ONCE(c->last_queue);
		if (old != id)
			leave_queue(d, c, word, old, id);
		if (READ_ONCE(*word) & LINKED)
			return;
		flags = spin_lock_irqsave(&q->lock);
		if (READ_ONCE(c->last_queue) == id)
			break;
		spin_unlock_irqrestore(&q->lock, flags); /* another mover was faster */
	}
	if (__atomic_fetch_or(word, LINKED, __ATOMIC_SEQ_CST) & LINKED) {
		spin_unlock_irqrestore(&q->lock, flags);
		return;
	}
	/* Were it the tail itself, it was consumed: the queue is empty. */
	if (q->tail && q->tail != c->port)
		linked = link_behind(word_of(d, q->tail), c->port);
	/* An empty queue. The guest reads the head after it has seen the ready bit. */
	if (!linked)
		atomic_store(&f->control->head[prio], c->port);
	q->tail = c->port;
	spin_unlock_irqrestore(&q->lock, flags);

	if (!linked && !(__atomic_fetch_or(&f->control->ready, 1u << prio, __ATOMIC_SEQ_CST) &
			 1u << prio))
		vcpu_mark_events_pending(v);
}

static void fifo_set_pending(struct vcpu *v, struct evtchn *c)
{
	event_word_t *word = word_of(v->domain, c->port), w;

	if (unlikely(!word)) {
		/* Kept until expand_array, which looks at it after the page is there. */
		atomic_xchg(&c->pending, 1);
		word = word_of(v->domain, c->port);
		if (!word || !atomic_xchg(&c->pending, 0))
			return;
	}
	w = __atomic_or_fetch(word, PENDING, __ATOMIC_SEQ_CST);
	if (!(w & (MASKED | LINKED)))
		enqueue(v, c, word);
}

static void fifo_clear_pending(struct domain *d, struct evtchn *c)
{
	event_word_t *word = word_of(d, c->port);

	atomic_xchg(&c->pending, 0);
	if (word)
		__atomic_and_fetch(word, ~PENDING, __ATOMIC_SEQ_CST);
}

static void fifo_unmask(struct domain *d, struct evtchn *c)
{
	event_word_t *word = word_of(d, c->port), w;
	struct vcpu *v = domain_vcpu(d, c->vcpu);

	if (!word)
		return;
	w = __atomic_and_fetch(word, ~MASKED, __ATOMIC_SEQ_CST);
	if ((w & PENDING) && !(w & LINKED) && v)
		enqueue(v, c, word);
}

static bool fifo_has(const struct domain *d, uint32_t port, event_word_t bit)
{
	event_word_t *word = word_of(d, port);

	return word && (READ_ONCE(*word) & bit);
}

static bool fifo_is_pending(const struct domain *d, uint32_t port)
{
	return fifo_has(d, port, PENDING);
}

static bool fifo_is_masked(const struct domain *d, uint32_t port)
{
	return !word_of(d, port) || fifo_has(d, port, MASKED);
}

static bool fifo_is_busy(const struct domain *d, uint32_t port)
{
	return fifo_has(d, port, LINKED);
}

static int fifo_set_priority(struct evtchn *c, uint32_t priority)
{
	if (priority > EVTCHN_FIFO_PRIORITY_MIN)
		return -EINVAL;
	/* Takes effect when the port is linked next. */
	WRITE_ONCE(c->priority, (uint8_t)priority);
	return 0;
}

const struct event_abi_ops event_fifo_ops = {
	.set_pending = fifo_set_pending,
	.clear_pending = fifo_clear_pending,
	.unmask = fifo_unmask,
	.is_pending = fifo_is_pending,
	.is_masked = fifo_is_masked,
	.is_busy = fifo_is_busy,
	.set_priority = fifo_set_priority,
};

/* ---- the guest's pages ---- */

/* Events that the 2-level ABI showed are shown again. Senders use the new one already. */
static void take_over_pending(struct domain *d)
{
	uint32_t port;

	for (port = 1; port < MIN(d->event.nr_valid, (uint32_t)EVTCHN_2L_NR_CHANNELS); port++) {
		struct evtchn *c = event_channel(d, port);

		if (c->state > ECS_RESERVED && test_bit(port, d->shared_info->evtchn_pending))
			atomic_xchg(&c->pending, 1);
	}
}

static long init_control(struct domain *d, struct evtchn_init_control *op)
{
	struct vcpu *v = domain_vcpu(d, op->vcpu);
	struct event_fifo_vcpu *fv;
	unsigned int i;
	int rc;

	op->link_bits = EVTCHN_FIFO_LINK_BITS;
	if (!v)
		return -ENOENT;
	if (op->offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || op->offset & 7 ||
	    v->event.fifo)
		return -EINVAL;
	if (!d->event.fifo) {
		d->event.fifo = xzalloc(struct event_fifo);
		if (!d->event.fifo)
			return -ENOMEM;
	}
	fv = xzalloc(struct event_fifo_vcpu);
	if (!fv)
		return -ENOMEM;
	rc = guest_page_map(d, GFN(op->control_gfn), &fv->page);
	if (rc) {
		xfree(fv);
		return rc;
	}
	for (i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++)
		spin_lock_init(&fv->queue[i].lock, LOCK_EVENT_QUEUE);
	fv->control = (struct evtchn_fifo_control_block *)((char *)fv->page.map + op->offset);
	atomic_store(&v->event.fifo, fv);
	if (d->event.ops != &event_fifo_ops) {
		d->event.max_ports = EVTCHN_FIFO_NR_CHANNELS;
		atomic_store(&d->event.ops, &event_fifo_ops);
		smp_mb();
		take_over_pending(d);
	}
	return 0;
}

static long expand_array(struct domain *d, uint64_t gfn)
{
	struct event_fifo *f = d->event.fifo;
	uint32_t n, port;
	int rc;

	if (d->event.ops != &event_fifo_ops)
		return -ENOSYS;
	n = f->nr_pages;
	if (n >= ARRAY_PAGES)
		return -ENOSPC;
	rc = guest_page_map(d, GFN(gfn), &f->page[n]);
	if (rc)
		return rc;
	atomic_store(&f->nr_pages, n + 1);
	smp_mb();
	for (port = (uint32_t)(n * WORDS_PER_PAGE); port < (n + 1) * WORDS_PER_PAGE; port++) {
		struct evtchn *c = event_channel(d, port);
		struct vcpu *v;

		if (!c)
			break;
		v = domain_vcpu(d, c->vcpu);
		if (v && atomic_xchg(&c->pending, 0))
			fifo_set_pending(v, c);
	}
	return 0;
}

long event_fifo_op(struct op_call *call)
{
	long rc;

	spin_lock(&call->d->event.lock);
	if (call->cmd == EVTCHNOP_init_control)
		rc = init_control(call->d, call->arg);
	else
		rc = expand_array(call->d, ((struct evtchn_expand_array *)call->arg)->array_gfn);
	spin_unlock(&call->d->event.lock);
	return rc;
}

/* All ports are closed; the ABI in use is the other one, or the domain is dying. */
void event_fifo_destroy(struct domain *d)
{
	struct event_fifo *f = d->event.fifo;
	struct vcpu *v;
	unsigned int i;

	if (!f)
		return;
	for_each_vcpu(d, v, i) {
		struct event_fifo_vcpu *fv = v->event.fifo;

		if (!fv)
			continue;
		v->event.fifo = NULL;
		guest_page_unmap(&fv->page);
		xfree(fv);
	}
	for (i = 0; i < f->nr_pages; i++)
		guest_page_unmap(&f->page[i]);
	d->event.fifo = NULL;
	xfree(f);
}
