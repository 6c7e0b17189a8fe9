// SPDX-License-Identifier: GPL-2.0-only
/* Pausing whole domains: counted; the tools' count apart, since xl may take back only
 * what xl gave. */
#include "hypervisor/domain/domain.h"
#include "hypervisor/sched/sched.h"

#define TOOLS_PAUSE_MAX 255

static void pause_count_up(struct domain *d, bool sync)
{
	struct vcpu *v;
	unsigned int i;

	atomic_add(&d->pause_count, 1);
	for_each_vcpu(d, v, i)
		if (sync)
			vcpu_sleep_sync(v);
		else
			vcpu_sleep_nosync(v);
}

void domain_pause(struct domain *d)
{
	ASSERT(d != current->domain);
	pause_count_up(d, true);
}

void domain_pause_nosync(struct domain *d)
{
	pause_count_up(d, false);
}

void domain_unpause(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	if (atomic_sub(&d->pause_count, 1))
		return;
	for_each_vcpu(d, v, i)
		vcpu_wake(v);
}

/* A counter with bounds: 0, or @full when it is at @end already. */
static int count_step(int32_t *count, int32_t step, int32_t end, int full)
{
	int32_t old = READ_ONCE(*count);

	do {
		if (old == end)
			return full;
	} while (!atomic_cmpxchg(count, &old, old + step));
	return 0;
}

int domain_pause_by_tools(struct domain *d)
{
	int rc = count_step(&d->tools_pause_count, 1, TOOLS_PAUSE_MAX, -EOVERFLOW);

	if (!rc)
		domain_pause(d);
	return rc;
}

int domain_unpause_by_tools(struct domain *d)
{
	int rc = count_step(&d->tools_pause_count, -1, 0, -EINVAL);

	if (!rc)
		domain_unpause(d);
	return rc;
}
