// SPDX-License-Identifier: GPL-2.0-only
/* The 2-level ABI: pending and mask bits in the shared-info page, and a selector word a
 * vcpu. */
#include "hypervisor/event/channel.h"

static void l2_notify(struct vcpu *v, uint32_t port)
{
	if (!test_bit(port, v->domain->shared_info->evtchn_mask) &&
	    !test_and_set_bit(port / 64, &v->info->evtchn_pending_sel))
		vcpu_mark_events_pending(v);
}

static void l2_set_pending(struct vcpu *v, struct evtchn *c)
{
	if (!test_and_set_bit(c->port, v->domain->shared_info->evtchn_pending))
		l2_notify(v, c->port);
}

static void l2_clear_pending(struct domain *d, struct evtchn *c)
{
	clear_bit(c->port, d->shared_info->evtchn_pending);
}

static void l2_unmask(struct domain *d, struct evtchn *c)
{
	struct vcpu *v = domain_vcpu(d, c->vcpu);

	if (test_and_clear_bit(c->port, d->shared_info->evtchn_mask) &&
	    test_bit(c->port, d->shared_info->evtchn_pending) && v)
		l2_notify(v, c->port);
}

static bool l2_is_pending(const struct domain *d, uint32_t port)
{
	return port < EVTCHN_2L_NR_CHANNELS && test_bit(port, d->shared_info->evtchn_pending);
}

static bool l2_is_masked(const struct domain *d, uint32_t port)
{
	return port >= EVTCHN_2L_NR_CHANNELS || test_bit(port, d->shared_info->evtchn_mask);
}

const struct event_abi_ops event_2level_ops = {
	.set_pending = l2_set_pending,
	.clear_pending = l2_clear_pending,
	.unmask = l2_unmask,
	.is_pending = l2_is_pending,
	.is_masked = l2_is_masked,
};
