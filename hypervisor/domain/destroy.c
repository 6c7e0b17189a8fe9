// SPDX-License-Identifier: GPL-2.0-only
/* XEN_DOMCTL_destroydomain, in stages that may each be preempted. What others still hold
 * (mapped frames, references) keeps the struct, not the domain. */
#include "hypervisor/cpu/irq.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

enum stage { EVENTS, GRANTS, KIND, PAGES, DONE };

/* Nothing runs or sends any more. */
static void stop(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	domain_pause(d);
	d->dying = DYING;
	/* Who allocates a port or sends to one has seen it, or we see their work. */
	spin_lock(&d->event.lock);
	spin_unlock(&d->event.lock);
	domain_watchdogs_kill(d);
	domain_claim_pages(d, 0);
	for_each_vcpu(d, v, i) {
		timer_kill(&v->singleshot);
		timer_kill(&v->periodic);
		timer_kill(&v->poll_timer);
		vcpu_end_poll(v);
		v->runstate.guest_area = v->time_area = 0;
	}
	d->relinquish_state = EVENTS;
}

/* The owner's reference of each frame goes. A frame stays in the list while it has any
 * reference, ours too: so it is the place to go on from. */
static int pages_relinquish(struct domain *d)
{
	struct frame *at = d->relinquish, *f;
	uint32_t n;

	for (;;) {
		spin_lock(&d->page_lock);
		for (n = at ? at->next : d->first_page; n; n = f->next) {
			f = mfn_to_frame(MFN(n));
			if (frame_get(f, d))
				break;
		}
		spin_unlock(&d->page_lock);
		if (at)
			frame_put(at);
		d->relinquish = at = n ? mfn_to_frame(MFN(n)) : NULL;
		if (!at)
			return 0;
		frame_put_allocated(at);
		if (preempt_check())
			return -ERESTART;
	}
}

/* Places in the guest's memory that we write to, now that no event comes any more. */
static void unmap_infos(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(d, v, i)
		vcpu_unmap_info(v);
}

static int relinquish(struct domain *d)
{
	int rc = 0;

	for (;;) {
		switch ((enum stage)d->relinquish_state) {
		case EVENTS:
			rc = event_domain_relinquish(d);
			break;
		case GRANTS:
			unmap_infos(d);
			pirq_domain_relinquish(d);
			rc = grant_table_relinquish(d);
			break;
		case KIND:
			rc = d->ops->domain_relinquish(d);
			break;
		case PAGES:
			rc = pages_relinquish(d);
			break;
		case DONE:
			return 0;
		}
		if (rc)
			return rc;
		d->relinquish_state++;
		if (preempt_check())
			return -ERESTART;
	}
}

/* The control plane's lock is held: one at a time. */
int domain_kill(struct domain *d)
{
	int rc;

	if (d == current->domain)
		return -EINVAL;
	if (d->dying == DEAD)
		return 0;
	if (d->dying == ALIVE)
		stop(d);
	rc = relinquish(d);
	if (rc)
		return rc;
	d->dying = DEAD;
	send_global_virq(VIRQ_DOM_EXC);
	domain_put(d); /* the list's */
	return 0;
}
