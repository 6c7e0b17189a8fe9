/* SPDX-License-Identifier: GPL-2.0-only */
/* CPUs that go offline and come back: cpu/hotplug.c. */
#ifndef HV_HOTPLUG_H
#define HV_HOTPLUG_H

#include "hypervisor/lib/lib.h"

/* Not for CPU 0; present ones. 0; -EBUSY: another goes or comes; -EINVAL, -EBUSY: it is
 * so already; -ERESTART: under way, to be asked again. */
int cpu_down(unsigned int cpu);
int cpu_up(unsigned int cpu);
bool cpu_is_moving(unsigned int cpu); /* the one that -ERESTART was said of */

#endif
