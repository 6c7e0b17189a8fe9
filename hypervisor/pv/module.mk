# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,decode,tests/unit/hv_decode.c hypervisor/pv/decode.c))
$(eval $(call hv_test,bounce,tests/unit/hv_bounce.c \
	$(addprefix hypervisor/pv/,trap_guest.c iret.c callback.c)))
$(eval $(call hv_test,descriptor,tests/unit/hv_descriptor.c \
	$(addprefix hypervisor/pv/,descriptor.c misc.c)))
