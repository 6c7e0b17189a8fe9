// SPDX-License-Identifier: GPL-2.0-only
/* SCHED_OP, VCPU_OP and SET_TIMER_OP. */
#include "hypervisor/hypercall/op.h"
#include "hypervisor/mm/mm.h"
#include "hypervisor/sched/sched.h"

#define POLL_MAX 128

/* ---- SCHED_OP ---- */

static long op_yield(struct op_call *c)
{
	(void)c;
	vcpu_yield();
	return 0;
}

static long op_block(struct op_call *c)
{
	(void)c;
	vcpu_block();
	return 0;
}

static long op_poll(struct op_call *c)
{
	const struct sched_poll *op = c->arg;
	evtchn_port_t ports[POLL_MAX];

	if (op->nr_ports > POLL_MAX)
		return -EINVAL;
	if (copy_from_guest(ports, handle_gva(op->ports), op->nr_ports * sizeof(ports[0])))
		return -EFAULT;
	return vcpu_poll(ports, op->nr_ports, op->timeout);
}

static long op_remote_shutdown(struct op_call *c)
{
	domain_shutdown(c->d, (uint8_t)((struct sched_remote_shutdown *)c->arg)->reason);
	return 0;
}

static long op_shutdown(struct op_call *c)
{
	domain_shutdown(c->d, (uint8_t)((struct sched_shutdown *)c->arg)->reason);
	return 0;
}

static long op_shutdown_code(struct op_call *c)
{
	spin_lock(&c->d->lock);
	if (!c->d->is_shutting_down && c->d->shutdown_code == 0xff)
		c->d->shutdown_code = (uint8_t)((struct sched_shutdown *)c->arg)->reason;
	spin_unlock(&c->d->lock);
	return 0;
}

static long op_watchdog(struct op_call *c)
{
	const struct sched_watchdog *op = c->arg;

	return domain_watchdog(c->d, op->id, op->timeout);
}

static long op_pin_override(struct op_call *c)
{
	return vcpu_pin_override(current, ((struct sched_pin_override *)c->arg)->pcpu);
}

static const struct op_def sched_ops[] = {
	[SCHEDOP_yield] = {.fn = op_yield},
	[SCHEDOP_block] = {.fn = op_block},
	[SCHEDOP_shutdown] = {op_shutdown, OP_IN(struct sched_shutdown)},
	[SCHEDOP_poll] = {op_poll, OP_IN(struct sched_poll)},
	[SCHEDOP_remote_shutdown] = {op_remote_shutdown, OP_IN(struct sched_remote_shutdown),
		OP_DOMAIN(struct sched_remote_shutdown, domain_id, ACCESS_SHUTDOWN_FOR),
		.dying = true},
	[SCHEDOP_shutdown_code] = {op_shutdown_code, OP_IN(struct sched_shutdown)},
	[SCHEDOP_watchdog] = {op_watchdog, OP_IN(struct sched_watchdog)},
	[SCHEDOP_pin_override] = {op_pin_override, OP_IN(struct sched_pin_override),
		.access = ACCESS_PHYSDEV},
};

long do_sched_op(int cmd, uint64_t arg)
{
	struct op_call c = {.cmd = (unsigned int)cmd, .gva = arg};

	return op_run(sched_ops, ARRAY_SIZE(sched_ops), &c);
}

/* Before 3.1.1: the reason was the argument itself. */
long do_sched_op_compat(int cmd, uint64_t arg)
{
	if (cmd == SCHEDOP_yield || cmd == SCHEDOP_block)
		return do_sched_op(cmd, 0);
	if (cmd != SCHEDOP_shutdown)
		return -ENOSYS;
	domain_shutdown(current->domain, (uint8_t)arg);
	return 0;
}

/* ---- VCPU_OP ---- */

static long op_initialise(struct op_call *call)
{
	struct vcpu *v = call->v;
	struct domain *d = call->d;
	struct vcpu_guest_context *c;
	long rc;

	/* Where would its events be shown? */
	if (v->info == &v->own_info)
		return -EINVAL;
	c = xzalloc(struct vcpu_guest_context);
	if (!c)
		return -ENOMEM;
	rc = -EFAULT;
	if (get_guest(c, call->gva)) {
		spin_lock(&d->lock);
		rc = v->initialised ? -EEXIST : d->ops->set_context(v, c);
		spin_unlock(&d->lock);
	}
	xfree(c);
	return rc;
}

static long op_up(struct op_call *c)
{
	struct domain *d = c->d;
	struct vcpu *v = c->v;
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
static long op_down(struct op_call *c)
{
	struct domain *d = c->d;
	struct vcpu *v = c->v, *other;
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

static long op_is_up(struct op_call *c)
{
	return !test_bit(VCPU_DOWN, &c->v->pause_flags);
}

static long op_get_runstate(struct op_call *c)
{
	vcpu_runstate_get(c->v, c->arg);
	return 0;
}

static long op_register_runstate(struct op_call *c)
{
	uint64_t gva = ((struct vcpu_register_runstate_memory_area *)c->arg)->addr.p;
	struct vcpu_runstate_info info;

	if (!guest_range_ok(gva, sizeof(info)))
		return -EFAULT;
	c->v->runstate.guest_area = gva;
	if (gva) {
		vcpu_runstate_get(c->v, &info);
		(void)put_guest(gva, &info);
	}
	return 0;
}

static long op_register_time(struct op_call *c)
{
	uint64_t gva = ((struct vcpu_register_time_memory_area *)c->arg)->addr.p;

	if (!guest_range_ok(gva, sizeof(struct vcpu_time_info)))
		return -EFAULT;
	c->v->time_area = gva;
	if (c->v == current)
		force_update_vcpu_time(c->v);
	return 0;
}

static long op_register_info(struct op_call *c)
{
	const struct vcpu_register_vcpu_info *op = c->arg;
	long rc;

	spin_lock(&c->d->lock);
	rc = vcpu_map_info(c->v, GFN(op->mfn), op->offset);
	spin_unlock(&c->d->lock);
	if (!rc)
		force_update_vcpu_time(c->v);
	return rc;
}

static long op_set_periodic(struct op_call *c)
{
	uint64_t period = ((struct vcpu_set_periodic_timer *)c->arg)->period_ns;

	return period ? vcpu_set_periodic(c->v, period) : -EINVAL;
}

static long op_stop_periodic(struct op_call *c)
{
	return vcpu_set_periodic(c->v, 0);
}

static long op_set_singleshot(struct op_call *c)
{
	const struct vcpu_set_singleshot_timer *op = c->arg;

	return c->v == current ? vcpu_set_singleshot(c->v, op->timeout_abs_ns, op->flags) : -EINVAL;
}

static long op_stop_singleshot(struct op_call *c)
{
	if (c->v != current)
		return -EINVAL;
	vcpu_stop_singleshot(c->v);
	return 0;
}

static long op_send_nmi(struct op_call *c)
{
	vcpu_nmi(c->v);
	return 0;
}

static const struct op_def vcpu_ops[] = {
	[VCPUOP_initialise] = {.fn = op_initialise},
	[VCPUOP_up] = {.fn = op_up},
	[VCPUOP_down] = {.fn = op_down},
	[VCPUOP_is_up] = {.fn = op_is_up},
	[VCPUOP_get_runstate_info] = {op_get_runstate, OP_OUT(struct vcpu_runstate_info)},
	[VCPUOP_register_runstate_memory_area] = {op_register_runstate,
		OP_IN(struct vcpu_register_runstate_memory_area)},
	[VCPUOP_set_periodic_timer] = {op_set_periodic, OP_IN(struct vcpu_set_periodic_timer)},
	[VCPUOP_stop_periodic_timer] = {.fn = op_stop_periodic},
	[VCPUOP_set_singleshot_timer] = {op_set_singleshot,
		OP_IN(struct vcpu_set_singleshot_timer)},
	[VCPUOP_stop_singleshot_timer] = {.fn = op_stop_singleshot},
	[VCPUOP_register_vcpu_info] = {op_register_info, OP_IN(struct vcpu_register_vcpu_info)},
	[VCPUOP_register_vcpu_time_memory_area] = {op_register_time,
		OP_IN(struct vcpu_register_time_memory_area)},
	[VCPUOP_send_nmi] = {.fn = op_send_nmi},
	[VCPUOP_get_physid] = {.answer = -EINVAL}, /* for vcpus pinned for good (dom0_vcpus_pin) */
};

long do_vcpu_op(int cmd, unsigned int vcpuid, uint64_t arg)
{
	struct op_call c = {.cmd = (unsigned int)cmd, .gva = arg,
			    .v = domain_vcpu(current->domain, vcpuid)};
	long rc;

	if (!c.v)
		return -ENOENT;
	rc = op_run(vcpu_ops, ARRAY_SIZE(vcpu_ops), &c);
	if (rc == -ERESTART)
		return hypercall_continue(__HYPERVISOR_vcpu_op, 3, (uint64_t)cmd,
					  (uint64_t)vcpuid, arg);
	return rc;
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
