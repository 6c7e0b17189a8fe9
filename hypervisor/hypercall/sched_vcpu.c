// SPDX-License-Identifier: GPL-2.0-only
/* SCHED_OP, VCPU_OP and SET_TIMER_OP. */
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/sched.h"

#include <xen/domctl.h>

#define POLL_MAX 128

/* ---- SCHED_OP ---- */

static long op_poll(uint64_t arg)
{
	evtchn_port_t ports[POLL_MAX];
	struct sched_poll op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (op.nr_ports > POLL_MAX)
		return -EINVAL;
	if (copy_from_guest(ports, handle_gva(op.ports), op.nr_ports * sizeof(ports[0])))
		return -EFAULT;
	return vcpu_poll(ports, op.nr_ports, op.timeout);
}

static long op_remote_shutdown(uint64_t arg)
{
	struct sched_remote_shutdown op;
	struct domain *d;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	d = domain_get_any(op.domain_id);
	if (!d)
		return -ESRCH;
	rc = access_check(ACCESS_SHUTDOWN_FOR, d);
	if (!rc)
		domain_shutdown(d, (uint8_t)op.reason);
	domain_put(d);
	return rc;
}

static long op_shutdown(uint64_t arg, bool only_code)
{
	struct domain *d = current->domain;
	struct sched_shutdown op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	if (!only_code) {
		domain_shutdown(d, (uint8_t)op.reason);
		return 0;
	}
	spin_lock(&d->lock);
	if (!d->is_shutting_down && d->shutdown_code == 0xff)
		d->shutdown_code = (uint8_t)op.reason;
	spin_unlock(&d->lock);
	return 0;
}

static long op_pin_override(uint64_t arg)
{
	struct sched_pin_override op;

	if (access_check(ACCESS_PHYSDEV, NULL))
		return -EPERM;
	if (!get_guest(&op, arg))
		return -EFAULT;
	return vcpu_pin_override(current, op.pcpu);
}

long do_sched_op(int cmd, uint64_t arg)
{
	struct sched_watchdog wd;

	switch (cmd) {
	case SCHEDOP_yield:
		vcpu_yield();
		return 0;
	case SCHEDOP_block:
		vcpu_block();
		return 0;
	case SCHEDOP_shutdown:
		return op_shutdown(arg, false);
	case SCHEDOP_poll:
		return op_poll(arg);
	case SCHEDOP_remote_shutdown:
		return op_remote_shutdown(arg);
	case SCHEDOP_shutdown_code:
		return op_shutdown(arg, true);
	case SCHEDOP_watchdog:
		return get_guest(&wd, arg) ? domain_watchdog(current->domain, wd.id, wd.timeout)
					   : -EFAULT;
	case SCHEDOP_pin_override:
		return op_pin_override(arg);
	default:
		return -ENOSYS;
	}
}

/* Before 3.1.1: the reason was the argument itself. */
long do_sched_op_compat(int cmd, uint64_t arg)
{
	switch (cmd) {
	case SCHEDOP_yield:
		vcpu_yield();
		return 0;
	case SCHEDOP_block:
		vcpu_block();
		return 0;
	case SCHEDOP_shutdown:
		domain_shutdown(current->domain, (uint8_t)arg);
		return 0;
	default:
		return -ENOSYS;
	}
}

/* ---- VCPU_OP ---- */

static long op_initialise(struct vcpu *v, uint64_t arg)
{
	struct domain *d = v->domain;
	struct vcpu_guest_context *c;
	long rc;

	/* Where would its events be shown? */
	if (v->info == &v->own_info)
		return -EINVAL;
	c = xzalloc(struct vcpu_guest_context);
	if (!c)
		return -ENOMEM;
	rc = -EFAULT;
	if (get_guest(c, arg)) {
		spin_lock(&d->lock);
		rc = v->initialised ? -EEXIST : d->ops->set_context(v, c);
		spin_unlock(&d->lock);
	}
	xfree(c);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_vcpu_op, 3, (uint64_t)VCPUOP_initialise,
					  (uint64_t)v->id, arg);
	return rc;
}

static long op_up(struct vcpu *v)
{
	struct domain *d = v->domain;
	bool wake = false;
	long rc = 0;

	spin_lock(&d->lock);
	if (!v->initialised)
		rc = -EINVAL;
	else
		wake = test_and_clear_bit(VCPU_DOWN, &v->pause_flags);
	spin_unlock(&d->lock);
	if (wake)
		vcpu_wake(v);
	return rc;
}

/* The last one that goes down takes the domain with it. */
static long op_down(struct vcpu *v)
{
	struct domain *d = v->domain;
	struct vcpu *other;
	bool last = true;
	unsigned int i;

	spin_lock(&d->lock);
	for_each_vcpu(d, other, i)
		if (other != v && !test_bit(VCPU_DOWN, &other->pause_flags))
			last = false;
	if (!last)
		set_bit(VCPU_DOWN, &v->pause_flags);
	spin_unlock(&d->lock);
	if (last)
		domain_shutdown(d, SHUTDOWN_poweroff);
	else
		vcpu_sleep_nosync(v);
	return 0;
}

static long op_get_runstate(struct vcpu *v, uint64_t arg)
{
	struct vcpu_runstate_info info;

	vcpu_runstate_get(v, &info);
	return put_guest(arg, &info) ? 0 : -EFAULT;
}

static long op_register_runstate(struct vcpu *v, uint64_t arg)
{
	struct vcpu_register_runstate_memory_area area;
	struct vcpu_runstate_info info;

	if (!get_guest(&area, arg))
		return -EFAULT;
	if (!guest_range_ok(area.addr.p, sizeof(info)))
		return -EFAULT;
	v->runstate.guest_area = area.addr.p;
	if (area.addr.p) {
		vcpu_runstate_get(v, &info);
		(void)put_guest(area.addr.p, &info);
	}
	return 0;
}

static long op_register_time(struct vcpu *v, uint64_t arg)
{
	struct vcpu_register_time_memory_area area;

	if (!get_guest(&area, arg))
		return -EFAULT;
	if (!guest_range_ok(area.addr.p, sizeof(struct vcpu_time_info)))
		return -EFAULT;
	v->time_area = area.addr.p;
	if (v == current)
		force_update_vcpu_time(v);
	return 0;
}

static long op_register_info(struct vcpu *v, uint64_t arg)
{
	struct domain *d = v->domain;
	struct vcpu_register_vcpu_info op;
	long rc;

	if (!get_guest(&op, arg))
		return -EFAULT;
	spin_lock(&d->lock);
	rc = vcpu_map_info(v, GFN(op.mfn), op.offset);
	spin_unlock(&d->lock);
	if (!rc)
		force_update_vcpu_time(v);
	return rc;
}

static long op_set_periodic(struct vcpu *v, uint64_t arg)
{
	struct vcpu_set_periodic_timer op;

	if (!get_guest(&op, arg))
		return -EFAULT;
	return op.period_ns ? vcpu_set_periodic(v, op.period_ns) : -EINVAL;
}

static long op_set_singleshot(struct vcpu *v, uint64_t arg)
{
	struct vcpu_set_singleshot_timer op;

	if (v != current)
		return -EINVAL;
	if (!get_guest(&op, arg))
		return -EFAULT;
	return vcpu_set_singleshot(v, op.timeout_abs_ns, op.flags);
}

long do_vcpu_op(int cmd, unsigned int vcpuid, uint64_t arg)
{
	struct vcpu *v = domain_vcpu(current->domain, vcpuid);

	if (!v)
		return -ENOENT;
	switch (cmd) {
	case VCPUOP_initialise:
		return op_initialise(v, arg);
	case VCPUOP_up:
		return op_up(v);
	case VCPUOP_down:
		return op_down(v);
	case VCPUOP_is_up:
		return !test_bit(VCPU_DOWN, &v->pause_flags);
	case VCPUOP_get_runstate_info:
		return op_get_runstate(v, arg);
	case VCPUOP_register_runstate_memory_area:
		return op_register_runstate(v, arg);
	case VCPUOP_set_periodic_timer:
		return op_set_periodic(v, arg);
	case VCPUOP_stop_periodic_timer:
		return vcpu_set_periodic(v, 0);
	case VCPUOP_set_singleshot_timer:
		return op_set_singleshot(v, arg);
	case VCPUOP_stop_singleshot_timer:
		if (v != current)
			return -EINVAL;
		vcpu_stop_singleshot(v);
		return 0;
	case VCPUOP_register_vcpu_info:
		return op_register_info(v, arg);
	case VCPUOP_register_vcpu_time_memory_area:
		return op_register_time(v, arg);
	case VCPUOP_send_nmi:
		if (!atomic_xchg(&v->nmi.pending, true))
			vcpu_kick(v);
		return 0;
	case VCPUOP_get_physid: /* for vcpus pinned for good (dom0_vcpus_pin) */
		return -EINVAL;
	default:
		return -ENOSYS;
	}
}

/* ---- SET_TIMER_OP ---- */

/* Linux sets timeouts that wrapped, or lie weeks ahead, both when it has work to do and
 * when it has none. Between an event at once and none, soon is what helps either. */
#define TIMEOUT_FAR  (1ll << 50)
#define TIMEOUT_SOON MILLISECS(100)

long do_set_timer_op(int64_t timeout)
{
	struct vcpu *v = current;
	stime_t t;

	if (!timeout) {
		vcpu_stop_singleshot(v);
		return 0;
	}
	t = now();
	if (unlikely(timeout < 0 || timeout - t > TIMEOUT_FAR))
		timeout = t + TIMEOUT_SOON;
	return vcpu_set_singleshot(v, (uint64_t)timeout, 0);
}
