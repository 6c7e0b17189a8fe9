# SPDX-License-Identifier: GPL-2.0-only
# Front ends, and a check of the machine, as processes inside a Linux guest. Built
# with everything, not installed; a system test copies build/bin/NAME into a guest.

include frontends/vars.mk

$(eval $(call bench_program,hostile-front,$(addprefix tests/guest-process/,hostile-front.c attack.c \
	attack_vbd.c attack_vif.c front_xen.c) $(FRONTENDS_SRCS),-lxengnttab -lxenevtchn -lxenstore))
$(eval $(call bench_program,registers,tests/guest-process/registers.c,))
