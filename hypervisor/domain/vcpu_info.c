// SPDX-License-Identifier: GPL-2.0-only
/* A vcpu's vcpu_info: in the shared-info page, or where the guest registered it. */
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/softirq.h"

/* Hypercalls that register (domain->lock held): current's own, or of a vcpu that is down. */
int vcpu_map_info(struct vcpu *v, gfn_t gfn, uint32_t offset)
{
	struct vcpu_info *to;
	int rc;

	if (offset > PAGE_SIZE - sizeof(struct vcpu_info) ||
	    offset % _Alignof(struct vcpu_info))
		return -EINVAL;
	if (v->info_page.map || (v != current && !test_bit(VCPU_DOWN, &v->pause_flags)))
		return -EINVAL;
	rc = guest_page_map(v->domain, gfn, &v->info_page);
	if (rc)
		return rc;
	to = (struct vcpu_info *)((char *)v->info_page.map + offset);
	memcpy(to, v->info, sizeof(*to));
	atomic_store(&v->info, to);
	/* A sender, with interrupts off, may still be on its way to the old place: an event that
	 * it left there after the look would be the last of its queue that the guest is told of. */
	smp_wait_others();
	event_check_pending(v);
	return 0;
}

/* The domain is dying and its ports are closed: nobody sends. */
void vcpu_unmap_info(struct vcpu *v)
{
	if (v->info_page.map)
		v->info = &v->own_info;
	guest_page_unmap(&v->info_page);
}

void vcpu_mark_events_pending(struct vcpu *v)
{
	if (atomic_xchg(&v->info->evtchn_upcall_pending, 1))
		return;
	vcpu_kick(v);
}

/* Something is there for the guest to see: wake it, or make it leave guest mode. */
void vcpu_kick(struct vcpu *v)
{
	vcpu_unblock(v);
	if (v != current && READ_ONCE(v->is_running))
		smp_send_event(v->cpu);
}

void vcpu_nmi(struct vcpu *v)
{
	if (!atomic_xchg(&v->nmi.pending, true))
		vcpu_kick(v);
}
