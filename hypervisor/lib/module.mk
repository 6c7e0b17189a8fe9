# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,lib,tests/unit/hv_lib.c \
	$(addprefix hypervisor/lib/,string.c bits.c printf.c rangeset.c spinlock.c)))
$(eval $(call hv_test,trace,tests/unit/hv_trace.c $(addprefix hypervisor/lib/,trace.c bits.c)))
