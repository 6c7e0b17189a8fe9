# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,control,tests/unit/hv_control.c hypervisor/lib/rangeset.c \
	hypervisor/lib/spinlock.c hypervisor/lib/bits.c \
	$(addprefix hypervisor/hypercall/,control.c domctl_misc.c cpupool.c)))
$(eval $(call hv_test,multicall,tests/unit/hv_multicall.c hypervisor/hypercall/multicall.c \
	hypervisor/hypercall/continue.c))
