// SPDX-License-Identifier: GPL-2.0-only
/* While parts are being written: weak.S comes here. Goes with it. */
#include "hypervisor/lib/lib.h"

long missing(const char *name);
long missing(const char *name)
{
	printk(LOG_ERR, "missing: %s\n", name);
	return 0;
}
