// SPDX-License-Identifier: GPL-2.0-only
/* Binding, closing and re-targeting of ports. Each takes the domain's event lock, then
 * the locks of the channels that change. */
#include "hypervisor/cpu/irq.h"
#include "hypervisor/event/channel.h"
#include "hypervisor/hypercall/hypercall.h"

long event_alloc_unbound(struct domain *d, domid_t remote, uint32_t *port)
{
	struct evtchn *c;
	int rc;

	spin_lock(&d->event.lock);
	c = event_port_alloc(d, &rc);
	if (c) {
		c->remote_domid = remote == DOMID_SELF ? current->domain->domid : remote;
		event_channel_set(c, ECS_UNBOUND);
		*port = c->port;
		rc = 0;
	}
	spin_unlock(&d->event.lock);
	return rc;
}

long event_bind_interdomain(struct domain *rd, uint32_t rport, uint32_t *lport)
{
	struct domain *d = current->domain;
	struct evtchn *far = event_channel(rd, rport), *lc;
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
		rc = 0;
	} else {
		rc = -EINVAL;
	}
	event_unlock_pair(lc, far, flags);
	if (rc)
		event_port_free(d, lc);
	else
		*lport = lc->port;
out:
	spin_unlock(&d->event.lock);
	return rc;
}

long event_bind_virq(uint32_t virq, uint32_t vcpu_id, uint32_t *port)
{
	struct domain *d = current->domain;
	struct vcpu *v = domain_vcpu(d, vcpu_id);
	struct evtchn *c;
	unsigned long flags;
	int rc;

	if (virq >= NR_VIRQS || (event_virq_is_global(virq) && vcpu_id))
		return -EINVAL;
	virq = (uint32_t)index_nospec(virq, NR_VIRQS);
	if (!v)
		return -ENOENT;
	spin_lock(&d->event.lock);
	rc = -EEXIST;
	if (v->event.virq_to_port[virq])
		goto out;
	c = event_port_alloc(d, &rc);
	if (!c)
		goto out;
	c->virq = virq;
	c->vcpu = vcpu_id;
	event_channel_set(c, ECS_VIRQ);
	flags = spin_lock_irqsave(&v->event.virq_lock);
	v->event.virq_to_port[virq] = c->port;
	spin_unlock_irqrestore(&v->event.virq_lock, flags);
	*port = c->port;
	rc = 0;
out:
	spin_unlock(&d->event.lock);
	return rc;
}

long event_bind_ipi(uint32_t vcpu_id, uint32_t *port)
{
	struct domain *d = current->domain;
	struct evtchn *c;
	int rc;

	if (!domain_vcpu(d, vcpu_id))
		return -ENOENT;
	spin_lock(&d->event.lock);
	c = event_port_alloc(d, &rc);
	if (c) {
		c->vcpu = vcpu_id;
		event_channel_set(c, ECS_IPI);
		*port = c->port;
		rc = 0;
	}
	spin_unlock(&d->event.lock);
	return rc;
}

/* pirq_bind() takes a lock that is outside the event lock: the port is reserved first,
 * then the interrupt is asked for, then the port comes to life. */
long event_bind_pirq(uint32_t pirq, uint32_t flags, uint32_t *port)
{
	struct domain *d = current->domain;
	struct vcpu *v = domain_vcpu(d, 0);
	struct evtchn *c = NULL;
	uint32_t *slot;
	int rc;

	if (!v)
		return -EINVAL;
	spin_lock(&d->event.lock);
	slot = event_pirq_slot(d, pirq, true);
	if (!slot)
		rc = -EINVAL;
	else if (*slot)
		rc = -EEXIST;
	else
		c = event_port_alloc(d, &rc);
	if (c) {
		c->pirq = pirq;
		WRITE_ONCE(*slot, c->port);
	}
	spin_unlock(&d->event.lock);
	if (!c)
		return rc;
	/* An interrupt may come before pirq_bind() returns. */
	event_channel_set(c, ECS_PIRQ);
	rc = pirq_bind(v, pirq, flags & BIND_PIRQ__WILL_SHARE);
	if (rc) {
		spin_lock(&d->event.lock);
		if (c->state == ECS_PIRQ && *slot == c->port) {
			WRITE_ONCE(*slot, 0);
			event_port_free(d, c);
		}
		spin_unlock(&d->event.lock);
		return rc;
	}
	*port = c->port;
	return 0;
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

/* ---- who is told ---- */

int event_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu_id)
{
	struct evtchn *c = event_channel(d, port);
	struct vcpu *v = domain_vcpu(d, vcpu_id);
	unsigned long flags;
	int rc = 0, pirq = -1;

	if (!v)
		return -ENOENT;
	if (!c)
		return -EINVAL;
	spin_lock(&d->event.lock);
	flags = spin_lock_irqsave(&c->lock);
	switch (c->state) {
	case ECS_VIRQ:
		if (!event_virq_is_global(c->virq)) {
			rc = -EINVAL;
			break;
		}
		/* fall through */
	case ECS_UNBOUND:
	case ECS_INTERDOMAIN:
	case ECS_PIRQ:
		if (c->state == ECS_PIRQ)
			pirq = (int)c->pirq;
		WRITE_ONCE(c->vcpu, vcpu_id);
		break;
	default:
		rc = -EINVAL;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	spin_unlock(&d->event.lock);
	if (pirq >= 0)
		pirq_set_vcpu(v, (unsigned int)pirq); /* its lock is outside the event lock */
	return rc;
}
