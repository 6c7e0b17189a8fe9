// SPDX-License-Identifier: GPL-2.0-only
/* Creation, reset and end of a vcpu. */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/pv/pv.h"

#define VCPU_ORDER 1
_Static_assert(sizeof(struct vcpu) <= PAGE_SIZE << VCPU_ORDER, "a vcpu is two pages");

struct vcpu *domain_vcpu(struct domain *d, unsigned int id)
{
	if (id >= d->max_vcpus)
		return NULL;
	return READ_ONCE(d->vcpu[index_nospec(id, d->max_vcpus)]);
}

/* Where events and time are shown until the guest registers a place. */
static void info_init(struct vcpu *v)
{
	v->info = &v->own_info;
	if (v->id < LEGACY_VCPUS && v->domain->shared_info)
		v->info = &v->domain->shared_info->vcpu_info[v->id];
	v->info->evtchn_upcall_mask = 1;
}

static int vcpu_fill(struct vcpu *v, unsigned int cpu)
{
	struct domain *d = v->domain;
	int rc;

	info_init(v);
	if ((rc = perdomain_vcpu_init(v)) || (rc = fpu_vcpu_init(v)) || (rc = event_vcpu_init(v)))
		return rc;
	rc = sched_vcpu_init(v, cpu);
	if (rc || !d->ops)
		return rc;
	return d->ops->vcpu_init(v);
}

struct vcpu *vcpu_create(struct domain *d, unsigned int id, unsigned int cpu)
{
	struct vcpu *v;

	if (id >= d->max_vcpus || d->vcpu[id])
		return NULL;
	v = heap_pages(VCPU_ORDER);
	if (!v)
		return NULL;
	v->domain = d;
	v->id = id;
	v->dirty_cpu = VCPU_CLEAN;
	v->pause_flags = is_idle_vcpu(v) ? 0 : 1ull << VCPU_DOWN;
	if (vcpu_fill(v, cpu)) {
		vcpu_free(v);
		return NULL;
	}
	atomic_store(&d->vcpu[id], v);
	return v;
}

void vcpu_free(struct vcpu *v)
{
	struct domain *d = v->domain;

	if (d->ops && d->ops->vcpu_destroy)
		d->ops->vcpu_destroy(v);
	if (v->sched_data)
		sched_vcpu_destroy(v);
	event_vcpu_destroy(v);
	fpu_vcpu_destroy(v);
	vcpu_unmap_info(v);
	WRITE_ONCE(d->vcpu[v->id], NULL);
	heap_free(v, VCPU_ORDER);
}

/* XEN_DOMCTL_setvcpucontext without a context: as it was before VCPUOP_initialise. The
 * vcpu is paused. -ERESTART: go on later. */
int vcpu_reset(struct vcpu *v)
{
	int rc = pv_drop_roots(v);

	if (rc)
		return rc;
	set_bit(VCPU_DOWN, &v->pause_flags);
	vcpu_end_poll(v);
	clear_bit(VCPU_BLOCKED, &v->pause_flags);
	v->initialised = false;
	v->nmi.pending = v->nmi.masked = false;
	v->runstate.guest_area = v->time_area = 0;
	vcpu_stop_singleshot(v);
	vcpu_set_periodic(v, 0);
	fpu_reset(v);
	return 0;
}
