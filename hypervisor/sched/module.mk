# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,sched,tests/unit/hv_sched.c hypervisor/lib/spinlock.c hypervisor/lib/bits.c \
	$(addprefix hypervisor/sched/,core.c credit2.c null.c rtds.c runstate.c)))
