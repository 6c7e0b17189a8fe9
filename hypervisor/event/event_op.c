// SPDX-License-Identifier: GPL-2.0-only
/* EVENT_CHANNEL_OP: ports are bound, closed, shown and re-targeted. Each operation takes
 * the domain's event lock, then the locks of the channels that change. */
#include "hypervisor/cpu/irq.h"
#include "hypervisor/event/channel.h"
#include "hypervisor/hypercall/op.h"

/* A port made by an operation with an argument of @n bytes: who cannot be told of it does
 * not have it either. @rc: making it may have failed. */
static long give(struct op_call *call, struct domain *d, uint32_t port, size_t n, long rc)
{
	if (rc || !copy_to_guest(call->gva, call->arg, n))
		return rc;
	event_close(d, port);
	return -EFAULT;
}

static long op_alloc_unbound(struct op_call *call)
{
	struct evtchn_alloc_unbound *op = call->arg;
	domid_t remote = op->remote_dom;
	struct domain *d = call->d;
	struct evtchn *c;
	int rc;

	spin_lock(&d->event.lock);
	c = event_port_alloc(d, &rc);
	if (c) {
		c->remote_domid = remote == DOMID_SELF ? current->domain->domid : remote;
		event_channel_set(c, ECS_UNBOUND);
		op->port = c->port;
	}
	spin_unlock(&d->event.lock);
	return give(call, d, op->port, sizeof(*op), rc);
}

static long op_bind_interdomain(struct op_call *call)
{
	struct evtchn_bind_interdomain *op = call->arg;
	struct domain *rd = call->d, *d = current->domain;
	struct evtchn *far = event_channel(rd, op->remote_port), *lc;
	unsigned long flags;
	int rc;

	if (!far)
		return -EINVAL;
	spin_lock(&d->event.lock);
	lc = event_port_alloc(d, &rc);
	if (!lc)
		goto out;
	flags = event_lock_pair(lc, far);
	if (far->state == ECS_UNBOUND && far->remote_domid == d->domid) {
		lc->remote.domain = rd;
		lc->remote.chn = far;
		lc->state = ECS_INTERDOMAIN;
		far->remote.domain = d;
		far->remote.chn = lc;
		far->state = ECS_INTERDOMAIN;
		/* What was sent to the unbound port is lost: let the guest look once. */
		event_deliver(d, lc);
	} else {
		rc = -EINVAL;
	}
	event_unlock_pair(lc, far, flags);
	if (rc)
		event_port_free(d, lc);
	else
		op->local_port = lc->port;
out:
	spin_unlock(&d->event.lock);
	return give(call, d, op->local_port, sizeof(*op), rc);
}

static long op_bind_virq(struct op_call *call)
{
	struct evtchn_bind_virq *op = call->arg;
	struct domain *d = call->d;
	struct vcpu *v = domain_vcpu(d, op->vcpu);
	uint32_t virq = op->virq;
	struct evtchn *c = NULL;
	unsigned long flags;
	int rc = -EEXIST;

	if (virq >= NR_VIRQS || (event_virq_is_global(virq) && op->vcpu))
		return -EINVAL;
	virq = (uint32_t)index_nospec(virq, NR_VIRQS);
	if (!v)
		return -ENOENT;
	spin_lock(&d->event.lock);
	if (!v->event.virq_to_port[virq])
		c = event_port_alloc(d, &rc);
	if (c) {
		c->virq = virq;
		c->vcpu = op->vcpu;
		event_channel_set(c, ECS_VIRQ);
		flags = spin_lock_irqsave(&v->event.virq_lock);
		v->event.virq_to_port[virq] = c->port;
		spin_unlock_irqrestore(&v->event.virq_lock, flags);
		op->port = c->port;
	}
	spin_unlock(&d->event.lock);
	return give(call, d, op->port, sizeof(*op), rc);
}

static long op_bind_ipi(struct op_call *call)
{
	struct evtchn_bind_ipi *op = call->arg;
	struct domain *d = call->d;
	struct evtchn *c;
	int rc;

	if (!domain_vcpu(d, op->vcpu))
		return -ENOENT;
	spin_lock(&d->event.lock);
	c = event_port_alloc(d, &rc);
	if (c) {
		c->vcpu = op->vcpu;
		event_channel_set(c, ECS_IPI);
		op->port = c->port;
	}
	spin_unlock(&d->event.lock);
	return give(call, d, op->port, sizeof(*op), rc);
}

/* pirq_bind() takes a lock that is outside the event lock: the port is reserved first,
 * then the interrupt is asked for, then the port comes to life. */
static long op_bind_pirq(struct op_call *call)
{
	struct evtchn_bind_pirq *op = call->arg;
	struct domain *d = call->d;
	struct vcpu *v = domain_vcpu(d, 0);
	struct evtchn *c = NULL;
	uint32_t *slot;
	int rc = -EEXIST;

	if (!v)
		return -EINVAL;
	spin_lock(&d->event.lock);
	slot = event_pirq_slot(d, op->pirq, true);
	if (!slot)
		rc = -EINVAL;
	else if (!*slot)
		c = event_port_alloc(d, &rc);
	if (c) {
		c->pirq = op->pirq;
		WRITE_ONCE(*slot, c->port);
	}
	spin_unlock(&d->event.lock);
	if (!c)
		return rc;
	/* An interrupt may come before pirq_bind() returns. */
	event_channel_set(c, ECS_PIRQ);
	op->port = c->port;
	rc = pirq_bind(v, op->pirq, op->flags & BIND_PIRQ__WILL_SHARE);
	if (rc) {
		spin_lock(&d->event.lock);
		if (c->state == ECS_PIRQ && *slot == c->port) {
			WRITE_ONCE(*slot, 0);
			event_port_free(d, c);
		}
		spin_unlock(&d->event.lock);
	}
	return give(call, d, op->port, sizeof(*op), rc);
}

/* ---- closing ---- */

/* An end of a pair: the other waits for us to bind again. It may close meanwhile, and its
 * domain end: between the locks a reference keeps the channel. */
static void close_interdomain(struct domain *d, struct evtchn *c)
{
	for (bool done = false; !done;) {
		struct domain *rd = NULL;
		struct evtchn *r = NULL;
		unsigned long flags = spin_lock_irqsave(&c->lock);

		if (c->state == ECS_INTERDOMAIN && domain_ref(c->remote.domain)) {
			rd = c->remote.domain;
			r = c->remote.chn;
		}
		spin_unlock_irqrestore(&c->lock, flags);
		if (!r) /* the other end closed meanwhile: unbound */
			return;
		flags = event_lock_pair(c, r);
		done = c->state == ECS_INTERDOMAIN && c->remote.chn == r;
		if (done && r != c) {
			r->state = ECS_UNBOUND;
			r->remote_domid = d->domid;
		}
		if (done)
			c->state = ECS_RESERVED;
		event_unlock_pair(c, r, flags);
		domain_put(rd);
	}
}

static void close_virq(struct domain *d, struct evtchn *c)
{
	struct vcpu *v;
	unsigned int i;

	/* A global one may be told to another vcpu than it is bound by. */
	for_each_vcpu(d, v, i) {
		unsigned long flags;

		if (v->event.virq_to_port[c->virq] != c->port)
			continue;
		flags = spin_lock_irqsave(&v->event.virq_lock);
		v->event.virq_to_port[c->virq] = 0;
		spin_unlock_irqrestore(&v->event.virq_lock, flags);
		break;
	}
}

int event_close(struct domain *d, uint32_t port)
{
	struct evtchn *c = event_channel(d, port);
	uint32_t *slot;
	int pirq = -1;

	if (!c)
		return -EINVAL;
	spin_lock(&d->event.lock);
	switch (c->state) {
	case ECS_FREE:
	case ECS_RESERVED:
		spin_unlock(&d->event.lock);
		return -EINVAL;
	case ECS_INTERDOMAIN:
		close_interdomain(d, c);
		break;
	case ECS_VIRQ:
		close_virq(d, c);
		break;
	case ECS_PIRQ:
		pirq = (int)c->pirq;
		event_channel_set(c, ECS_RESERVED);
		spin_unlock(&d->event.lock);
		pirq_unbind(d, (unsigned int)pirq); /* its lock is outside the event lock */
		spin_lock(&d->event.lock);
		slot = event_pirq_slot(d, (unsigned int)pirq, false);
		if (slot && *slot == port)
			WRITE_ONCE(*slot, 0);
		break;
	}
	event_port_free(d, c);
	spin_unlock(&d->event.lock);
	return 0;
}

static long op_close(struct op_call *call)
{
	return event_close(call->d, ((struct evtchn_close *)call->arg)->port);
}

/* ---- ports that there are ---- */

static long op_status(struct op_call *call)
{
	struct evtchn_status *op = call->arg;
	struct evtchn *c = event_channel(call->d, op->port);

	if (!c)
		return -EINVAL;
	spin_guard_irqsave(&c->lock);
	op->vcpu = c->vcpu;
	switch (c->state) {
	case ECS_UNBOUND:
		op->status = EVTCHNSTAT_unbound;
		op->u.unbound.dom = c->remote_domid;
		break;
	case ECS_INTERDOMAIN:
		op->status = EVTCHNSTAT_interdomain;
		op->u.interdomain.dom = c->remote.domain->domid;
		op->u.interdomain.port = c->remote.chn->port;
		break;
	case ECS_PIRQ:
		op->status = EVTCHNSTAT_pirq;
		op->u.pirq = c->pirq;
		break;
	case ECS_VIRQ:
		op->status = EVTCHNSTAT_virq;
		op->u.virq = c->virq;
		break;
	case ECS_IPI:
		op->status = EVTCHNSTAT_ipi;
		break;
	default:
		op->status = EVTCHNSTAT_closed;
	}
	return 0;
}

static long op_send(struct op_call *call)
{
	return event_send(call->d, ((struct evtchn_send *)call->arg)->port);
}

static long op_bind_vcpu(struct op_call *call)
{
	const struct evtchn_bind_vcpu *op = call->arg;
	struct evtchn *c = event_channel(call->d, op->port);
	struct vcpu *v = domain_vcpu(call->d, op->vcpu);
	unsigned long flags;
	int rc = 0, pirq = -1;

	if (!v)
		return -ENOENT;
	if (!c)
		return -EINVAL;
	spin_lock(&call->d->event.lock);
	flags = spin_lock_irqsave(&c->lock);
	if (c->state == ECS_UNBOUND || c->state == ECS_INTERDOMAIN || c->state == ECS_PIRQ ||
	    (c->state == ECS_VIRQ && event_virq_is_global(c->virq))) {
		if (c->state == ECS_PIRQ)
			pirq = (int)c->pirq;
		WRITE_ONCE(c->vcpu, op->vcpu);
	} else {
		rc = -EINVAL;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	spin_unlock(&call->d->event.lock);
	if (pirq >= 0)
		pirq_set_vcpu(v, (unsigned int)pirq); /* its lock is outside the event lock */
	return rc;
}

/* Unmask or set the priority: the port is the first field of both. */
static long op_change(struct op_call *call)
{
	const struct evtchn_set_priority *op = call->arg;
	struct domain *d = call->d;
	struct evtchn *c = event_channel(d, op->port);
	const struct event_abi_ops *ops;

	_Static_assert(!offsetof(struct evtchn_set_priority, port) &&
			       !offsetof(struct evtchn_unmask, port), "the port first");
	if (!c)
		return -EINVAL;
	spin_guard_irqsave(&c->lock);
	ops = d->event.ops;
	if (c->state <= ECS_RESERVED)
		return -EINVAL;
	if (call->cmd == EVTCHNOP_set_priority)
		return ops->set_priority ? ops->set_priority(c, op->priority) : -ENOSYS;
	ops->unmask(d, c);
	return 0;
}

static long op_reset(struct op_call *call)
{
	return event_reset(call->d);
}

/* ---- the call ---- */

static const struct op_def event_ops[] = {
	[EVTCHNOP_bind_interdomain] = {op_bind_interdomain, OP_IN(struct evtchn_bind_interdomain),
		OP_DOMAIN(struct evtchn_bind_interdomain, remote_dom, ACCESS_ANYONE), .dying = true},
	[EVTCHNOP_bind_virq] = {op_bind_virq, OP_IN(struct evtchn_bind_virq)},
	[EVTCHNOP_bind_pirq] = {op_bind_pirq, OP_IN(struct evtchn_bind_pirq)},
	[EVTCHNOP_close] = {op_close, OP_IN(struct evtchn_close)},
	[EVTCHNOP_send] = {op_send, OP_IN(struct evtchn_send)},
	[EVTCHNOP_status] = {op_status, OP_INOUT(struct evtchn_status),
		OP_DOMAIN(struct evtchn_status, dom, ACCESS_EVENT_FOR), .dying = true},
	[EVTCHNOP_alloc_unbound] = {op_alloc_unbound, OP_IN(struct evtchn_alloc_unbound),
		OP_DOMAIN(struct evtchn_alloc_unbound, dom, ACCESS_EVENT_FOR), .dying = true},
	[EVTCHNOP_bind_ipi] = {op_bind_ipi, OP_IN(struct evtchn_bind_ipi)},
	[EVTCHNOP_bind_vcpu] = {op_bind_vcpu, OP_IN(struct evtchn_bind_vcpu)},
	[EVTCHNOP_unmask] = {op_change, OP_IN(struct evtchn_unmask)},
	[EVTCHNOP_reset] = {op_reset, OP_IN(struct evtchn_reset),
		OP_DOMAIN(struct evtchn_reset, dom, ACCESS_EVENT_FOR), .dying = true},
	[EVTCHNOP_init_control] = {event_fifo_op, OP_INOUT(struct evtchn_init_control)},
	[EVTCHNOP_expand_array] = {event_fifo_op, OP_IN(struct evtchn_expand_array)},
	[EVTCHNOP_set_priority] = {op_change, OP_IN(struct evtchn_set_priority)},
};

long do_event_channel_op(unsigned int cmd, uint64_t arg)
{
	struct op_call call = {.cmd = cmd, .gva = arg};
	long rc = op_run(event_ops, ARRAY_SIZE(event_ops), &call);

	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_event_channel_op, 2, (uint64_t)cmd, arg);
	return rc;
}
