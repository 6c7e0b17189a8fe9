// SPDX-License-Identifier: GPL-2.0-only
/* Runstate: what a vcpu has been doing and for how long; its guest may have a copy in
 * its memory (VCPUOP_register_runstate_memory_area). */
#include "hypervisor/domain/domain.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/lib/trace.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/sched/sched.h"

void vcpu_runstate_set(struct vcpu *v, int state, stime_t t)
{
	stime_t spent = t - v->runstate.since;

	if (state == v->runstate.state)
		return;
	if (spent > 0) {
		v->runstate.time[v->runstate.state] += (uint64_t)spent;
		v->runstate.since = t;
	}
	trace(TRC_SCHED_RUNSTATE_CHANGE | (uint32_t)v->runstate.state << 8 | (uint32_t)state << 4,
	      v->id | (uint32_t)v->domain->domid << 16);
	WRITE_ONCE(v->runstate.state, state);
}

void vcpu_runstate_get(const struct vcpu *v, struct vcpu_runstate_info *out)
{
	stime_t t = now(), spent;

	memset(out, 0, sizeof(*out));
	out->state = READ_ONCE(v->runstate.state);
	out->state_entry_time = (uint64_t)READ_ONCE(v->runstate.since);
	memcpy(out->time, v->runstate.time, sizeof(out->time));
	spent = t - (stime_t)out->state_entry_time;
	if (spent > 0)
		out->time[out->state] += (uint64_t)spent;
}

static void area_write(uint64_t area, struct vcpu_runstate_info *i, bool flagged)
{
	uint64_t entry = area + offsetof(struct vcpu_runstate_info, state_entry_time);

	if (!flagged) {
		(void)put_guest(area, i);
		return;
	}
	/* The guest reads again while the flag is there (VMASST_TYPE_runstate_update_flag). */
	i->state_entry_time |= XEN_RUNSTATE_UPDATE;
	if (!put_guest(entry, &i->state_entry_time))
		return;
	smp_wmb();
	(void)put_guest(area, i);
	smp_wmb();
	i->state_entry_time &= ~XEN_RUNSTATE_UPDATE;
	(void)put_guest(entry, &i->state_entry_time);
}

void vcpu_runstate_update_guest(struct vcpu *v)
{
	struct vcpu_runstate_info i;
	bool user;

	if (likely(!v->runstate.guest_area) || v->domain->is_shut_down)
		return;
	memset(&i, 0, sizeof(i));
	i.state = v->runstate.state;
	i.state_entry_time = (uint64_t)v->runstate.since;
	memcpy(i.time, v->runstate.time, sizeof(i.time));
	/* The area is the guest kernel's: it need not be in its user's page tables. */
	user = v->domain->pv && !v->pv.kernel_mode;
	if (user)
		pv_toggle_mode(v);
	area_write(v->runstate.guest_area, &i,
		   v->domain->vm_assist & 1ull << VMASST_TYPE_runstate_update_flag);
	if (user)
		pv_toggle_mode(v);
}

uint64_t cpu_idle_time(unsigned int cpu)
{
	const struct vcpu *v = per_cpu(idle_vcpu, cpu);
	struct vcpu_runstate_info i;

	if (!v)
		return 0;
	vcpu_runstate_get(v, &i);
	return i.time[RUNSTATE_running];
}
