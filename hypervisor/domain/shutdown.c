// SPDX-License-Identifier: GPL-2.0-only
/* Shutdown, suspend and crash: the domain stops where it is, and the toolstack is told. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/sched/sched.h"

#define NO_CODE 0xff

static void tell(struct domain *d, uint8_t reason)
{
	uint32_t port = READ_ONCE(d->suspend_port);

	if (reason == SHUTDOWN_suspend && port)
		event_send(d, port);
	else
		send_global_virq(VIRQ_DOM_EXC);
}

/* No lock above LOCK_EVENT is held. */
void domain_shutdown(struct domain *d, uint8_t reason)
{
	struct vcpu *v;
	unsigned int i;

	if (d->hardware)
		hardware_domain_shutdown(reason);
	if (atomic_xchg(&d->is_shutting_down, true))
		return;
	/* A code that SCHEDOP_shutdown_code left before counts. */
	if (d->shutdown_code == NO_CODE)
		d->shutdown_code = reason;
	reason = d->shutdown_code;
	for_each_vcpu(d, v, i) {
		set_bit(VCPU_SHUTDOWN, &v->pause_flags);
		vcpu_sleep_nosync(v);
	}
	atomic_store(&d->is_shut_down, true);
	tell(d, reason);
}

/* The caller has paused it. */
void domain_resume(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	d->is_shut_down = false;
	d->shutdown_code = NO_CODE;
	atomic_store(&d->is_shutting_down, false);
	for_each_vcpu(d, v, i) {
		clear_bit(VCPU_SHUTDOWN, &v->pause_flags);
		vcpu_wake(v);
	}
}

void domain_crash(struct domain *d, const char *why)
{
	if (READ_ONCE(d->is_shutting_down))
		return;
	if (d == current->domain) {
		printk(LOG_ERR, "d%uv%u crashed on CPU %u: %s\n", d->domid, current->id, this_cpu,
		       why);
		show_registers(guest_regs());
	} else {
		printk(LOG_ERR, "d%u crashed by d%uv%u: %s\n", d->domid, current->domain->domid,
		       current->id, why);
	}
	domain_shutdown(d, SHUTDOWN_crash);
}

/* ---- SCHEDOP_watchdog ---- */

static void watchdog_expired(void *arg)
{
	domain_shutdown(arg, SHUTDOWN_watchdog);
}

void domain_watchdogs_init(struct domain *d)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(d->watchdog); i++)
		timer_init(&d->watchdog[i], watchdog_expired, d, this_cpu);
}

void domain_watchdogs_kill(struct domain *d)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(d->watchdog); i++)
		if (d->watchdog[i].fn)
			timer_kill(&d->watchdog[i]);
}

/* @id 0: a new one, its number is returned. @timeout in seconds; 0 ends it. */
long domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout)
{
	uint32_t n = ARRAY_SIZE(d->watchdog), i = id - 1;
	long rc;

	if (id > n || (!id && !timeout))
		return -EINVAL;
	spin_lock(&d->lock);
	if (!id) {
		for (i = 0; i < n && d->watchdog_inuse & 1u << i; i++)
			;
		rc = i < n ? (long)i + 1 : -ENOSPC;
	} else {
		i = (uint32_t)index_nospec(i, n);
		rc = d->watchdog_inuse & 1u << i ? 0 : -EINVAL;
	}
	if (rc >= 0 && timeout) {
		d->watchdog_inuse |= 1u << i;
		timer_set(&d->watchdog[i], now() + SECONDS(timeout));
	} else if (rc >= 0) {
		d->watchdog_inuse &= ~(1u << i);
		timer_stop(&d->watchdog[i]);
	}
	spin_unlock(&d->lock);
	return rc;
}
