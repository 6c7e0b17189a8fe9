# SPDX-License-Identifier: GPL-2.0-only
# Flags of the hypervisor, and the macro for its unit tests; each folder's module.mk
# includes this. DEBUG=1: assertions and lock checks, objects of their own.

HV_OUT := build/hv$(if $(filter-out 0,$(DEBUG)),-debug)

HV_BASE := -std=gnu11 -Wall -Wextra -Werror -I. -D__XEN_INTERFACE_VERSION__=0x00041700 \
	$(if $(filter-out 0,$(DEBUG)),-DDEBUG)
ifneq ($(findstring clang,$(CC)),)
HV_THUNKS := -mretpoline-external-thunk
else
HV_THUNKS := -mindirect-branch=thunk-extern -mindirect-branch-register -mfunction-return=thunk-extern
endif
HV_FLAGS := $(HV_BASE) -O2 -g -ffreestanding -fPIE -fvisibility=hidden -mno-red-zone \
	-mgeneral-regs-only -fno-stack-protector -fcf-protection=none $(HV_THUNKS) \
	-fno-omit-frame-pointer -fno-strict-aliasing -fno-asynchronous-unwind-tables \
	-include hypervisor/lib/hidden.h

# $(call hv_test,NAME,SOURCES): build/test/hv_NAME, CUnit under ASan and UBSan, of sources
# built for the host and tests/unit/hv_stubs.c. LIBS_hv_NAME: libraries that it wants besides.
define hv_test
UNIT_TESTS += build/test/hv_$(1)
HV_TEST_OBJS += $(patsubst %.c,build/hvtest/%.o,$(2) tests/unit/hv_stubs.c)
build/test/hv_$(1): $(patsubst %.c,build/hvtest/%.o,$(2) tests/unit/hv_stubs.c)
	$$(call say,LD-SAN,$$@)mkdir -p $$(@D) && $$(CC) $$(SAN) -pthread -o $$@ $$(filter %.o,$$^) -lcunit $$(LIBS_hv_$(1))
-include $(patsubst %.c,build/hvtest/%.d,$(2) tests/unit/hv_stubs.c)
endef
