# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,acpi,tests/unit/hv_acpi.c hypervisor/platform/acpi.c))
$(eval $(call hv_test,framebuffer,tests/unit/hv_framebuffer.c \
	$(addprefix hypervisor/platform/,framebuffer.c vga.c)))
