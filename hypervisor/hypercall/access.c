// SPDX-License-Identifier: GPL-2.0-only
/* Rights: which domain may do what to which. Every call asks here and nowhere else. */
#include "hypervisor/hypercall/hypercall.h"

/* The domain itself, its device model, and the control domain. */
static bool for_target(const struct domain *me, const struct domain *target)
{
	return me == target || me->control || (target && me->target == target);
}

static bool allowed(enum access what, const struct domain *me, const struct domain *target)
{
	switch (what) {
	case ACCESS_DOMCTL:
	case ACCESS_SYSCTL:
	case ACCESS_PLATFORM:
	case ACCESS_VERSION_PRIV:
		return me->control;
	case ACCESS_XENSTORE: /* what xenstored asks of domains */
		return me->control || me->xenstore;
	case ACCESS_PHYSDEV:
	case ACCESS_CONSOLE:
		return me->hardware;
	case ACCESS_MEMORY:
	case ACCESS_EVENT_FOR:
	case ACCESS_GRANT_FOR:
	case ACCESS_SHUTDOWN_FOR:
	case ACCESS_MMU_FOREIGN:
		return for_target(me, target);
	case ACCESS_MAP_FOREIGN:
		/* What is xen's or a device's is mapped by who has the machine. */
		if (target == dom_xen || target == dom_io)
			return me->control || me->hardware;
		return for_target(me, target);
	case ACCESS_ANYONE: /* an unbound port, for one, names itself who may bind to it */
		return true;
	}
	return false;
}

int access_check(enum access what, const struct domain *target)
{
	return allowed(what, current->domain, target) ? 0 : -EPERM;
}
