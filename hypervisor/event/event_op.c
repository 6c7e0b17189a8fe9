// SPDX-License-Identifier: GPL-2.0-only
/* EVENT_CHANNEL_OP: arguments copied in once, checked, handed on, results copied out. */
#include "hypervisor/event/channel.h"
#include "hypervisor/hypercall/hypercall.h"

static long op_alloc_unbound(uint64_t arg)
{
	struct evtchn_alloc_unbound op;
	struct domain *d;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	d = domain_get_any(op.dom);
	if (!d)
		return -ESRCH;
	rc = access_check(ACCESS_EVENT_FOR, d);
	if (!rc)
		rc = event_alloc_unbound(d, op.remote_dom, &op.port);
	if (!rc && !put_guest(arg, &op)) {
		event_close(d, op.port);
		rc = -EFAULT;
	}
	domain_put(d);
	return rc;
}

static long op_bind_interdomain(uint64_t arg)
{
	struct evtchn_bind_interdomain op;
	struct domain *rd;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	rd = domain_get_any(op.remote_dom);
	if (!rd)
		return -ESRCH;
	rc = access_check(ACCESS_EVENT_REMOTE, rd);
	if (!rc)
		rc = event_bind_interdomain(rd, op.remote_port, &op.local_port);
	domain_put(rd);
	if (!rc && !put_guest(arg, &op)) {
		event_close(current->domain, op.local_port);
		rc = -EFAULT;
	}
	return rc;
}

static long bound(long rc, uint32_t port, bool stored)
{
	if (rc || stored)
		return rc;
	event_close(current->domain, port);
	return -EFAULT;
}

static long op_bind_virq(uint64_t arg)
{
	struct evtchn_bind_virq op;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	rc = event_bind_virq(op.virq, op.vcpu, &op.port);
	return bound(rc, op.port, rc || put_guest(arg, &op));
}

static long op_bind_ipi(uint64_t arg)
{
	struct evtchn_bind_ipi op;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	rc = event_bind_ipi(op.vcpu, &op.port);
	return bound(rc, op.port, rc || put_guest(arg, &op));
}

static long op_bind_pirq(uint64_t arg)
{
	struct evtchn_bind_pirq op;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	rc = event_bind_pirq(op.pirq, op.flags, &op.port);
	return bound(rc, op.port, rc || put_guest(arg, &op));
}

static int status_of(struct domain *d, struct evtchn_status *op)
{
	struct evtchn *c = event_channel(d, op->port);
	unsigned long flags;

	if (!c)
		return -EINVAL;
	flags = spin_lock_irqsave(&c->lock);
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
	spin_unlock_irqrestore(&c->lock, flags);
	return 0;
}

static long op_status(uint64_t arg)
{
	struct evtchn_status op;
	struct domain *d;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	d = domain_get_any(op.dom);
	if (!d)
		return -ESRCH;
	rc = access_check(ACCESS_EVENT_FOR, d);
	if (!rc)
		rc = status_of(d, &op);
	domain_put(d);
	return rc ? rc : put_guest(arg, &op) ? 0 : -EFAULT;
}

static long op_unmask(uint64_t arg)
{
	struct domain *d = current->domain;
	struct evtchn_unmask op;
	struct evtchn *c;
	unsigned long flags;
	long rc = -EINVAL;

	if (!get_guest(&op, arg))
		return -EFAULT;
	c = event_channel(d, op.port);
	if (!c)
		return -EINVAL;
	flags = spin_lock_irqsave(&c->lock);
	if (c->state > ECS_RESERVED) {
		d->event.ops->unmask(d, c);
		rc = 0;
	}
	spin_unlock_irqrestore(&c->lock, flags);
	return rc;
}

static long op_reset(uint64_t arg)
{
	struct evtchn_reset op;
	struct domain *d;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	d = domain_get_any(op.dom);
	if (!d)
		return -ESRCH;
	rc = access_check(ACCESS_EVENT_FOR, d);
	if (!rc)
		rc = event_reset(d, false);
	domain_put(d);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_event_channel_op, 2,
					  (unsigned long)EVTCHNOP_reset, arg);
	return rc;
}

static long op_init_control(uint64_t arg)
{
	struct domain *d = current->domain;
	struct evtchn_init_control op;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	spin_lock(&d->event.lock);
	rc = event_fifo_init_control(&op);
	spin_unlock(&d->event.lock);
	if (!rc && !put_guest(arg, &op))
		rc = -EFAULT;
	return rc;
}

static long op_expand_array(uint64_t arg)
{
	struct domain *d = current->domain;
	struct evtchn_expand_array op;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	spin_lock(&d->event.lock);
	rc = event_fifo_expand_array(op.array_gfn);
	spin_unlock(&d->event.lock);
	return rc;
}

static long op_set_priority(uint64_t arg)
{
	struct domain *d = current->domain;
	struct evtchn_set_priority op;
	struct evtchn *c;
	unsigned long flags;
	long rc = -EINVAL;

	if (!get_guest(&op, arg))
		return -EFAULT;
	c = event_channel(d, op.port);
	if (!c)
		return -EINVAL;
	flags = spin_lock_irqsave(&c->lock);
	if (c->state > ECS_RESERVED)
		rc = d->event.ops->set_priority(d, c, op.priority);
	spin_unlock_irqrestore(&c->lock, flags);
	return rc;
}

long do_event_channel_op(unsigned int cmd, uint64_t arg)
{
	struct domain *d = current->domain;
	struct evtchn_close close;
	struct evtchn_send send;
	struct evtchn_bind_vcpu bind_vcpu;

	switch (cmd) {
	case EVTCHNOP_send: /* first: the one that counts */
		return get_guest(&send, arg) ? event_send(d, send.port) : -EFAULT;
	case EVTCHNOP_alloc_unbound:
		return op_alloc_unbound(arg);
	case EVTCHNOP_bind_interdomain:
		return op_bind_interdomain(arg);
	case EVTCHNOP_bind_virq:
		return op_bind_virq(arg);
	case EVTCHNOP_bind_ipi:
		return op_bind_ipi(arg);
	case EVTCHNOP_bind_pirq:
		return op_bind_pirq(arg);
	case EVTCHNOP_close:
		return get_guest(&close, arg) ? event_close(d, close.port) : -EFAULT;
	case EVTCHNOP_status:
		return op_status(arg);
	case EVTCHNOP_bind_vcpu:
		return get_guest(&bind_vcpu, arg)
			       ? event_bind_vcpu(d, bind_vcpu.port, bind_vcpu.vcpu)
			       : -EFAULT;
	case EVTCHNOP_unmask:
		return op_unmask(arg);
	case EVTCHNOP_reset:
		return op_reset(arg);
	case EVTCHNOP_init_control:
		return op_init_control(arg);
	case EVTCHNOP_expand_array:
		return op_expand_array(arg);
	case EVTCHNOP_set_priority:
		return op_set_priority(arg);
	default:
		return -ENOSYS;
	}
}
