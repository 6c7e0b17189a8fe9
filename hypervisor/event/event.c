// SPDX-License-Identifier: GPL-2.0-only
/* Ports and their life: allocation, closing, sending; VIRQs and PIRQs. The calls that
 * guests make are in event_op.c. */
#include "hypervisor/cpu/irq.h"
#include "hypervisor/event/channel.h"
#include "hypervisor/lib/perfc.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

#define PIRQS_PER_GROUP 128
#define PIRQ_GROUPS     64

/* Who gets a global VIRQ; NULL: the hardware domain. With a reference. */
static struct domain *global_handler[NR_VIRQS];
static struct spinlock handler_lock = SPINLOCK(LOCK_LEAF);

struct evtchn *event_channel(const struct domain *d, uint32_t port)
{
	uint32_t n = atomic_load(&d->event.nr_valid);

	if (port >= n)
		return NULL;
	port = (uint32_t)index_nospec(port, n);
	return &d->event.group[port / EVTCHNS_PER_GROUP][port % EVTCHNS_PER_GROUP];
}

/* ---- allocation; event lock held ---- */

static int grow(struct domain *d)
{
	struct event_domain *e = &d->event;
	struct evtchn *group;
	unsigned int i;

	if (e->nr_valid >= EVTCHN_FIFO_NR_CHANNELS)
		return -ENOSPC;
	group = xzalloc_array(struct evtchn, EVTCHNS_PER_GROUP);
	if (!group)
		return -ENOMEM;
	for (i = 0; i < EVTCHNS_PER_GROUP; i++) {
		spin_lock_init(&group[i].lock, LOCK_EVENT_CHANNEL);
		group[i].port = e->nr_valid + i;
		group[i].priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	}
	e->group[e->nr_valid / EVTCHNS_PER_GROUP] = group;
	atomic_store(&e->nr_valid, e->nr_valid + EVTCHNS_PER_GROUP);
	return 0;
}

/* A port, reserved: nobody sends to it until event_channel_set(). NULL: *err. */
struct evtchn *event_port_alloc(struct domain *d, int *err)
{
	struct event_domain *e = &d->event;
	uint32_t port, hint = 0;
	struct evtchn *c;

	*err = -EINVAL;
	if (d->dying)
		return NULL;
	for (port = e->next_free; port < MIN(e->limit, e->max_ports); port++) {
		if (port >= e->nr_valid) {
			*err = grow(d);
			if (*err)
				return NULL;
		}
		c = event_channel(d, port);
		if (c->state != ECS_FREE)
			continue;
		if (e->ops->is_busy && e->ops->is_busy(d, port)) {
			hint = hint ? hint : port;
			continue;
		}
		e->next_free = hint ? hint : port + 1;
		e->active++;
		c->state = ECS_RESERVED;
		c->vcpu = 0;
		*err = 0;
		return c;
	}
	*err = -ENOSPC;
	return NULL;
}

void event_port_free(struct domain *d, struct evtchn *c)
{
	struct event_domain *e = &d->event;
	unsigned long flags = spin_lock_irqsave(&c->lock);

	e->ops->clear_pending(d, c);
	c->state = ECS_FREE;
	c->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
	c->vcpu = 0;
	spin_unlock_irqrestore(&c->lock, flags);
	e->active--;
	e->next_free = MIN(e->next_free, c->port);
}

void event_channel_set(struct evtchn *c, enum evtchn_state state)
{
	spin_guard_irqsave(&c->lock);
	c->state = (uint8_t)state;
}

/* Both ends, the lower address first. */
unsigned long event_lock_pair(struct evtchn *a, struct evtchn *b)
{
	unsigned long flags;

	if (a == b)
		return spin_lock_irqsave(&a->lock);
	flags = spin_lock_irqsave(a < b ? &a->lock : &b->lock);
	spin_lock(a < b ? &b->lock : &a->lock);
	return flags;
}

void event_unlock_pair(struct evtchn *a, struct evtchn *b, unsigned long flags)
{
	if (a != b)
		spin_unlock(a < b ? &b->lock : &a->lock);
	spin_unlock_irqrestore(a < b ? &a->lock : &b->lock, flags);
}

/* ---- sending ---- */

/* Those in SCHEDOP_poll on the port. After the port was made pending, whose atomic
 * operation orders that before this look; vcpu_poll() does it the other way round. */
static void wake_pollers(struct domain *d, uint32_t port)
{
	unsigned long id;

	for (id = find_next_bit(d->poll_mask, d->max_vcpus, 0); id < d->max_vcpus;
	     id = find_next_bit(d->poll_mask, d->max_vcpus, id + 1)) {
		struct vcpu *v = d->vcpu[id];
		int32_t polled;

		if (!v)
			continue;
		polled = READ_ONCE(v->poll_port);
		if ((polled < 0 || (uint32_t)polled == port) && vcpu_end_poll(v))
			vcpu_wake(v);
	}
}

void event_deliver(struct domain *d, struct evtchn *c)
{
	struct vcpu *v = domain_vcpu(d, READ_ONCE(c->vcpu));

	if (!v)
		return;
	d->event.ops->set_pending(v, c);
	wake_pollers(d, c->port);
}

int event_send(struct domain *d, uint32_t port)
{
	struct evtchn *c = event_channel(d, port);

	perfc_incr(events);
	if (!c)
		return -EINVAL;
	spin_guard_irqsave(&c->lock);
	switch (c->state) {
	case ECS_INTERDOMAIN:
		event_deliver(c->remote.domain, c->remote.chn);
		break;
	case ECS_IPI:
		event_deliver(d, c);
		break;
	case ECS_UNBOUND: /* nobody listens yet */
		break;
	default:
		return -EINVAL;
	}
	return 0;
}

/* The port is closed only after virq_to_port was cleared under the lock held here. */
void send_vcpu_virq(struct vcpu *v, unsigned int virq)
{
	uint32_t port;

	spin_guard_irqsave(&v->event.virq_lock);
	port = v->event.virq_to_port[virq];
	if (port)
		event_deliver(v->domain, event_channel(v->domain, port));
}

void send_domain_virq(struct domain *d, unsigned int virq)
{
	struct vcpu *v = domain_vcpu(d, 0);

	if (v)
		send_vcpu_virq(v, virq);
}

void send_global_virq(unsigned int virq)
{
	unsigned long flags = spin_lock_irqsave(&handler_lock);
	struct domain *d = global_handler[virq] ? global_handler[virq] : dom0;
	bool have = d && domain_ref(d);

	spin_unlock_irqrestore(&handler_lock, flags);
	if (!have)
		return;
	send_domain_virq(d, virq);
	domain_put(d);
}

bool event_virq_is_global(unsigned int virq)
{
	return virq != VIRQ_TIMER && virq != VIRQ_DEBUG && virq != VIRQ_XENOPROF &&
	       virq != VIRQ_XENPMU;
}

static void replace_handler(unsigned int virq, struct domain *old, struct domain *new)
{
	unsigned long flags = spin_lock_irqsave(&handler_lock);
	struct domain *was = global_handler[virq];

	if (old && was != old)
		was = NULL;
	else
		global_handler[virq] = new;
	spin_unlock_irqrestore(&handler_lock, flags);
	if (was)
		domain_put(was);
}

int set_global_virq_handler(struct domain *d, unsigned int virq)
{
	if (virq >= NR_VIRQS || !event_virq_is_global(virq))
		return -EINVAL;
	virq = (unsigned int)index_nospec(virq, NR_VIRQS);
	if (!domain_ref(d))
		return -ESRCH;
	replace_handler(virq, NULL, d);
	return 0;
}

/* ---- PIRQs ---- */

/* Where the port of a PIRQ is kept; made if asked for (event lock held). NULL: none. */
uint32_t *event_pirq_slot(struct domain *d, unsigned int pirq, bool make)
{
	uint32_t **group;

	if (pirq >= PIRQS_PER_GROUP * PIRQ_GROUPS)
		return NULL;
	pirq = (unsigned int)index_nospec(pirq, PIRQS_PER_GROUP * PIRQ_GROUPS);
	group = &d->event.pirq_group[pirq / PIRQS_PER_GROUP];
	if (!*group && make)
		atomic_store(group, xzalloc_array(uint32_t, PIRQS_PER_GROUP));
	return *group ? *group + pirq % PIRQS_PER_GROUP : NULL;
}

bool send_pirq(struct domain *d, unsigned int pirq)
{
	uint32_t *slot = event_pirq_slot(d, pirq, false);
	struct evtchn *c = slot ? event_channel(d, READ_ONCE(*slot)) : NULL;

	if (!c)
		return false;
	spin_guard_irqsave(&c->lock);
	if (c->state != ECS_PIRQ || c->pirq != pirq)
		return false;
	event_deliver(d, c);
	return true;
}

/* ---- what a port shows ---- */

/* A free port is not looked at: the ABI may just be changing (event_reset()). */
bool event_port_is_pending(struct domain *d, uint32_t port)
{
	struct evtchn *c = event_channel(d, port);

	if (!c)
		return false;
	spin_guard_irqsave(&c->lock);
	return c->state > ECS_RESERVED && d->event.ops->is_pending(d, port);
}

void event_check_pending(struct vcpu *v)
{
	/* Bits set at the old place would be lost: let the guest look at all. */
	__atomic_store_n(&v->info->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
	vcpu_mark_events_pending(v);
}

/* ---- life ---- */

int event_domain_init(struct domain *d, uint32_t limit)
{
	struct event_domain *e = &d->event;

	spin_lock_init(&e->lock, LOCK_EVENT);
	e->ops = &event_2level_ops;
	e->max_ports = EVTCHN_2L_NR_CHANNELS;
	e->limit = limit;
	e->group = xzalloc_array(struct evtchn *, EVTCHN_GROUPS);
	e->pirq_group = xzalloc_array(uint32_t *, PIRQ_GROUPS);
	if (!e->group || !e->pirq_group || grow(d))
		return -ENOMEM;
	e->group[0][0].state = ECS_RESERVED; /* port 0 means none */
	e->next_free = 1;
	return 0;
}

int event_vcpu_init(struct vcpu *v)
{
	spin_lock_init(&v->event.virq_lock, LOCK_EVENT_CHANNEL);
	return 0;
}

void event_vcpu_destroy(struct vcpu *v)
{
	ASSERT(!v->event.fifo);
	(void)v;
}

/* Close all; may stop between two ports. Other holders of the event lock see a domain
 * whose ports vanish, nothing else. */
static int close_all(struct domain *d)
{
	struct event_domain *e = &d->event;

	while (e->next_close < e->nr_valid) {
		event_close(d, e->next_close++);
		if (preempt_check())
			return -ERESTART;
	}
	e->next_close = 0;
	return 0;
}

int event_reset(struct domain *d)
{
	int rc;

	if (d != current->domain && !READ_ONCE(d->tools_pause_count))
		return -EINVAL;
	rc = close_all(d);
	if (rc)
		return rc;
	spin_lock(&d->event.lock);
	if (d->event.active) {
		rc = -EAGAIN;
	} else if (d->event.fifo) {
		d->event.ops = &event_2level_ops;
		d->event.max_ports = EVTCHN_2L_NR_CHANNELS;
		event_fifo_destroy(d);
	}
	spin_unlock(&d->event.lock);
	return rc;
}

int event_domain_relinquish(struct domain *d)
{
	unsigned int virq;
	int rc = close_all(d);

	if (rc)
		return rc;
	for (virq = 0; virq < NR_VIRQS; virq++)
		replace_handler(virq, d, NULL);
	spin_lock(&d->event.lock);
	d->event.ops = &event_2level_ops;
	event_fifo_destroy(d);
	spin_unlock(&d->event.lock);
	return 0;
}

void event_domain_destroy(struct domain *d)
{
	struct event_domain *e = &d->event;
	unsigned int i;

	for (i = 0; e->pirq_group && i < PIRQ_GROUPS; i++)
		xfree(e->pirq_group[i]);
	for (i = 0; e->group && i < EVTCHN_GROUPS; i++)
		xfree(e->group[i]);
	xfree(e->pirq_group);
	xfree(e->group);
	e->pirq_group = NULL;
	e->group = NULL;
	e->nr_valid = 0;
}

void event_dump(struct domain *d)
{
	static const char *const name[] = {"free",   "reserved", "unbound", "interdomain",
					   "pirq",   "virq",     "ipi"};
	uint32_t port;

	printk(LOG_INFO, "d%u: %s, %u ports in use of %u\n", d->domid,
	       d->event.fifo ? "fifo" : "2-level", d->event.active,
	       MIN(d->event.limit, d->event.max_ports));
	for (port = 1; port < d->event.nr_valid; port++) {
		struct evtchn *c = event_channel(d, port);

		spin_guard_irqsave(&c->lock); /* it keeps the other end there */
		if (c->state == ECS_FREE)
			continue;
		printk(LOG_INFO, "  %4u [%d/%d] v%u prio %u %s", port,
		       d->event.ops->is_pending(d, port), d->event.ops->is_masked(d, port),
		       c->vcpu, c->priority, name[c->state]);
		if (c->state == ECS_INTERDOMAIN)
			printk(LOG_INFO, " d%u port %u\n", c->remote.domain->domid,
			       c->remote.chn->port);
		else if (c->state == ECS_UNBOUND)
			printk(LOG_INFO, " d%u\n", c->remote_domid);
		else
			printk(LOG_INFO, " %u\n", c->pirq);
	}
}
