# SPDX-License-Identifier: GPL-2.0-only
# Xylem's build. Each part describes itself in its module.mk with the macros
# below; this file holds the flags and the rules they share. `make help` lists
# what to ask for.

all:

ifneq ($(filter help,$(MAKECMDGOALS)),help)
# The goals of the README set a fresh machine up; a plain build only says what is missing.
SETUP_GOALS := check run shell system bench soak fuzz
-include build/config.mk
build/config.mk: configure VERSION
	./configure $(if $(filter $(SETUP_GOALS),$(MAKECMDGOALS)),--install-missing)
endif

V ?= 0
ifeq ($(V),0)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)';
else
Q :=
say =
endif

CC ?= gcc
PREFIX ?= /usr
CLANG ?= clang
INSTALL ?= install
DESTDIR ?=
HV ?= xen
export HV

WARN := -Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wshadow -Wundef \
	-Wpointer-arith -Wvla
BASE := -std=gnu11 $(WARN) -I. -Ibuild -D_GNU_SOURCE -D__XEN_INTERFACE_VERSION__=0x00040e00 -pthread
HARDEN := -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
HARDEN_LD := -pie -Wl,-z,relro,-z,now,-z,noexecstack
CFLAGS ?= -O2 -g
SAN := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined

# Flavours of one source: obj (installed programs), san (unit tests), fuzz
# (libFuzzer), afl (AFL++).
build/obj/%.o: %.c build/config.mk
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(BASE) $(CFLAGS) $(HARDEN) $(FLAGS_$*) -MMD -MP -c -o $@ $<
build/san/%.o: %.c build/config.mk
	$(call say,CC-SAN,$<)mkdir -p $(@D) && $(CC) $(BASE) $(SAN) -MMD -MP -c -o $@ $<
build/fuzz/%.o: %.c build/config.mk
	$(call say,CC-FUZZ,$<)mkdir -p $(@D) && $(CLANG) $(BASE) -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -MMD -MP -c -o $@ $<
build/afl/%.o: %.c build/config.mk
	$(call say,CC-AFL,$<)mkdir -p $(@D) && AFL_USE_ASAN=1 AFL_USE_UBSAN=1 AFL_QUIET=1 afl-clang-fast $(BASE) -O1 -g -MMD -MP -c -o $@ $<

ifeq ($(V),0)
.SILENT:
endif

PROGRAMS :=
BENCHES :=
UNIT_TESTS :=
FUZZERS :=
MAN_PAGES :=
ALL_SRCS :=

# $(call program,NAME,SOURCES,LIBS): an installed program, build/bin/NAME
define program
PROGRAMS += build/bin/$(1)
ALL_SRCS += $(2)
build/bin/$(1): $(patsubst %.c,build/obj/%.o,$(2))
	$$(call say,LD,$$@)mkdir -p $$(@D) && $$(CC) $$(HARDEN_LD) -pthread -o $$@ $$(filter %.o,$$^) $(3)
endef

# $(call bench_program,NAME,SOURCES,LIBS): built like an installed program, not installed
define bench_program
BENCHES += build/bin/$(1)
ALL_SRCS += $(2)
build/bin/$(1): $(patsubst %.c,build/obj/%.o,$(2))
	$$(call say,LD,$$@)mkdir -p $$(@D) && $$(CC) $$(HARDEN_LD) -pthread -o $$@ $$(filter %.o,$$^) $(3)
endef

# $(call unit_test,NAME,SOURCES,LIBS): a CUnit program under ASan and UBSan, build/test/NAME
define unit_test
UNIT_TESTS += build/test/$(1)
ALL_SRCS += $(2)
build/test/$(1): $(patsubst %.c,build/san/%.o,$(2))
	$$(call say,LD-SAN,$$@)mkdir -p $$(@D) && $$(CC) $$(SAN) -pthread -o $$@ $$(filter %.o,$$^) $(3) -lcunit
endef

# $(call fuzzer,NAME,SOURCES,LIBS): libFuzzer program build/fuzz/NAME and, for
# `make fuzz-afl`, AFL++ program build/afl/NAME, from the same entry point
define fuzzer
FUZZERS += $(1)
ALL_SRCS += $(2)
build/fuzz/$(1): $(patsubst %.c,build/fuzz/%.o,$(2))
	$$(call say,LD-FUZZ,$$@)mkdir -p $$(@D) && $$(CLANG) -fsanitize=fuzzer,address,undefined -pthread -o $$@ $$(filter %.o,$$^) $(3)
build/afl/$(1): $(patsubst %.c,build/afl/%.o,$(2) tests/fuzz/afl_main.c)
	$$(call say,LD-AFL,$$@)mkdir -p $$(@D) && AFL_USE_ASAN=1 AFL_USE_UBSAN=1 AFL_QUIET=1 afl-clang-fast -pthread -o $$@ $$(filter %.o,$$^) $(3)
endef

include $(sort $(wildcard */module.mk) $(wildcard */*/module.mk))

all: $(PROGRAMS) $(BENCHES)

install: $(PROGRAMS)

UNIT_TIMEOUT ?= 300
unit: $(UNIT_TESTS)
	UNIT_TIMEOUT=$(UNIT_TIMEOUT) tests/unit/run $(sort $(UNIT_TESTS))

# Bounded in make check, long by itself; both engines share the entry points.
FUZZ_SECONDS ?= 600
FUZZ_BRIEF_SECONDS ?= 15
fuzz-brief: $(FUZZERS:%=build/fuzz/%)
	tests/fuzz/run $(FUZZ_BRIEF_SECONDS) libfuzzer $(FUZZERS)
fuzz: $(FUZZERS:%=build/fuzz/%) $(FUZZERS:%=build/afl/%)
	tests/fuzz/run $(FUZZ_SECONDS) libfuzzer $(FUZZERS)
	tests/fuzz/run $(FUZZ_SECONDS) afl $(FUZZERS)

# Each stage prints its own counts; tests/check adds them up.
CHECK_STAGES := unit fuzz-brief system
check: all $(UNIT_TESTS)
	MAKE="$(MAKE)" tests/check $(CHECK_STAGES)

help:
	@echo 'make              build the daemons and tools'
	@echo 'make run          boot $$HV with a guest on our backends; fio and iperf3 report'
	@echo 'make shell        boot $$HV and give a dom0 prompt'
	@echo 'make check        all tests: unit (CUnit, sanitizers), fuzz (bounded), system'
	@echo 'make unit         unit tests only'
	@echo 'make system       system tests only'
	@echo 'make fuzz         libFuzzer and AFL++ on every parser, FUZZ_SECONDS each'
	@echo 'make check-bochs  what only an Intel CPU has, on Bochs (ten minutes)'
	@echo 'make soak         long runs of what make check does briefly'
	@echo 'make bench        kernel backends and ours, side by side, instruction-counted'
	@echo 'make install      into DESTDIR; make clean, make distclean'
	@echo 'Variables: HV=xen|xylem  V=1  CC=gcc|clang  DESTDIR=  FUZZ_SECONDS='

clean:
	rm -rf build/obj build/san build/fuzz build/afl build/bin build/test build/stage
distclean:
	rm -rf build

.PHONY: all install help clean distclean unit system check run shell fuzz fuzz-brief soak bench
.DELETE_ON_ERROR:
.SECONDARY:

-include $(patsubst %.c,build/obj/%.d,$(sort $(ALL_SRCS)))
-include $(patsubst %.c,build/san/%.d,$(sort $(ALL_SRCS)))
-include $(patsubst %.c,build/fuzz/%.d,$(sort $(ALL_SRCS)))
