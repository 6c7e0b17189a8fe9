# SPDX-License-Identifier: GPL-2.0-only
# The small PV guest kernels, build/guest/NAME: tests/guest/NAME.c and all of lib/. The
# rig puts them into dom0 as /rig/guest/NAME. README.md says how to add one.

GUESTS := hello events grants crash hang triple exhaust refused fuzz
GUEST_SRCS_fuzz := $(wildcard tests/guest/fuzz/*.c)
GUEST_LIB := $(wildcard tests/guest/lib/*.c)
GUEST_FLAGS := -std=gnu11 $(WARN) -I. -O2 -g -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables

build/guest/obj/%.o: tests/guest/%.c build/config.mk
	$(call say,GUEST-C,$<)mkdir -p $(@D) && $(CC) $(GUEST_FLAGS) -MMD -MP -c -o $@ $<
build/guest/obj/%.o: tests/guest/%.S build/config.mk
	$(call say,GUEST-S,$<)mkdir -p $(@D) && $(CC) $(GUEST_FLAGS) -D__ASSEMBLY__ -MMD -MP -c -o $@ $<

GUEST_LIB_OBJS := $(GUEST_LIB:tests/guest/%.c=build/guest/obj/%.o) build/guest/obj/start.o
define guest_kernel
GUEST_OBJS += $(patsubst tests/guest/%.c,build/guest/obj/%.o,$(GUEST_SRCS_$(1)) tests/guest/$(1).c)
build/guest/$(1): $(patsubst tests/guest/%.c,build/guest/obj/%.o,$(GUEST_SRCS_$(1)) tests/guest/$(1).c) \
		$(GUEST_LIB_OBJS) tests/guest/guest.lds
	$$(call say,GUEST-L,$$@)ld -m elf_x86_64 -static -no-pie -z noexecstack -z max-page-size=4096 \
		--no-warn-rwx-segments -T tests/guest/guest.lds -o $$@ $$(filter %.o,$$^)
endef
$(foreach g,$(GUESTS),$(eval $(call guest_kernel,$(g))))

all: guest-kernels
guest-kernels: $(GUESTS:%=build/guest/%)
.PHONY: guest-kernels

-include $(patsubst %.o,%.d,$(sort $(GUEST_OBJS) $(GUEST_LIB_OBJS)))
