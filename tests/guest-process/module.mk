# SPDX-License-Identifier: GPL-2.0-only
# Front ends, and a check of the machine, as processes inside a Linux guest. Built
# with everything, not installed; a system test copies build/bin/NAME into a guest.

include frontends/vars.mk

$(eval $(call bench_program,hostile-front,$(addprefix tests/guest-process/,hostile-front.c attack.c \
	attack_vbd.c attack_vif.c front_xen.c) $(FRONTENDS_SRCS),-lxengnttab -lxenevtchn -lxenstore))

# Alone in a root: without libraries; one is 32-bit, and nothing but itself.
BENCHES += build/bin/registers build/bin/compat
build/bin/registers: tests/guest-process/registers.c build/config.mk
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(WARN) -std=gnu11 -O2 -static -o $@ $<
build/bin/compat: tests/guest-process/compat.c build/config.mk
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) -m32 $(WARN) -Wno-missing-prototypes -std=gnu11 -O2 -ffreestanding \
		-fno-pie -fno-stack-protector -fcf-protection=none -nostdlib -static -o $@ $<
