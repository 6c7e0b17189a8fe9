# SPDX-License-Identifier: GPL-2.0-only
# The hypervisor: build/hv/xylem, a flat multiboot image. See docs/hypervisor.md.

include hypervisor/vars.mk

HV_SRCS := $(filter-out hypervisor/cpu/asm_offsets.c,$(sort $(wildcard hypervisor/*/*.c hypervisor/*/*/*.c)))
HV_ASM := $(sort $(wildcard hypervisor/*/*.S))
HV_OBJS := $(HV_SRCS:%.c=$(HV_OUT)/%.o) $(HV_ASM:%=$(HV_OUT)/%.o) $(HV_OUT)/decompress_libs.o

$(HV_OUT)/hypervisor/%.o: hypervisor/%.c $(HV_OUT)/asm_offsets.h build/config.mk
	$(call say,HV-CC,$<)mkdir -p $(@D) && $(CC) $(HV_FLAGS) -I$(HV_OUT) -MMD -MP -c -o $@ $<
$(HV_OUT)/hypervisor/%.S.o: hypervisor/%.S $(HV_OUT)/asm_offsets.h build/config.mk
	$(call say,HV-AS,$<)mkdir -p $(@D) && $(CC) $(HV_BASE) -I$(HV_OUT) -g -D__ASSEMBLY__ -MMD -MP -c -o $@ $<
# The TLS model: what the linker makes of another (add becomes lea) loses the flags that
# UBSan's check of the address has just set.
build/hvtest/%.o: %.c build/config.mk
	$(call say,HV-SAN,$<)mkdir -p $(@D) && $(CC) $(HV_BASE) $(SAN) -ftls-model=local-exec -DHOST_TEST -DDEBUG -D_GNU_SOURCE -MMD -MP -c -o $@ $<

# What boot/decompress.c uses of zlib, liblzma and libzstd: one object without constructors
# (nobody runs them), its names its own but these.
HV_DECOMPRESS := inflateInit2_ inflate inflateEnd lzma_stream_buffer_decode ZSTD_decompress \
	ZSTD_findFrameCompressedSize ZSTD_isError
$(HV_OUT)/decompress_libs.o: hypervisor/module.mk build/config.mk
	$(call say,HV-LD,$@)mkdir -p $(@D) && ld -m elf_x86_64 -r --gc-sections $(HV_DECOMPRESS:%=-u %) \
		-o $@.new \
		$(foreach l,libz.a liblzma.a libzstd.a,$(shell $(CC) -print-file-name=$(l))) && \
	objcopy -R .init_array -R .eh_frame $(HV_DECOMPRESS:%=--keep-global-symbol=%) $@.new $@ && rm $@.new

# The glyphs of a PSF file (version 1: four bytes of header before them).
$(HV_OUT)/font.bin: build/config.mk
	$(call say,HV-FONT,$@)mkdir -p $(@D) && zcat $(CONSOLE_FONT) | tail -c +5 | head -c 4096 >$@.new && mv $@.new $@
$(HV_OUT)/hypervisor/platform/font.S.o: $(HV_OUT)/font.bin

$(HV_OUT)/asm_offsets.s: hypervisor/cpu/asm_offsets.c build/config.mk
	$(call say,HV-CC,$<)mkdir -p $(@D) && $(CC) $(HV_FLAGS) -MMD -MP -MT $@ -S -o $@ $<
$(HV_OUT)/asm_offsets.h: $(HV_OUT)/asm_offsets.s
	$(Q)sed -n 's/^[[:space:]]*\(#define [A-Za-z0-9_]*\) [$$]*/\1 /p' $< >$@.new && (cmp -s $@.new $@ || cp $@.new $@); rm $@.new

# The version and who built it; from the git commit if there is one.
$(HV_OUT)/version.h: VERSION build/config.mk $(wildcard .git/HEAD .git/logs/HEAD)
	$(Q)mkdir -p $(@D) && hypervisor/version.sh $(VERSION) "$(CC)" >$@.new && (cmp -s $@.new $@ || cp $@.new $@); rm $@.new
$(HV_OUT)/hypervisor/boot/version.o: $(HV_OUT)/version.h

# Linked three times: without a table of symbols, with one of the right size, and with
# the one that has the addresses of the second.
HV_LD := ld -m elf_x86_64 -static -no-pie -z noexecstack -z max-page-size=4096 \
	--no-warn-rwx-segments -T hypervisor/hypervisor.lds
$(HV_OUT)/xylem.elf: $(HV_OBJS) hypervisor/hypervisor.lds hypervisor/symbols.sh
	$(call say,HV-LD,$@)exec 9>$(HV_OUT)/lock && flock 9 && \
	cd $(HV_OUT) && top=$(CURDIR) && : >xylem.nm && for pass in 1 2 3; do \
		$$top/hypervisor/symbols.sh <xylem.nm >symbols.S && $(CC) -c -o symbols.o symbols.S && \
		(cd $$top && $(HV_LD) -Map=$@.map -o $@.new $(HV_OBJS) $(HV_OUT)/symbols.o) && \
		nm -n xylem.elf.new >xylem.nm || exit 1; \
	done && mv xylem.elf.new xylem.elf
$(HV_OUT)/xylem: $(HV_OUT)/xylem.elf
	$(Q)objcopy -O binary $< $@

all: hypervisor
hypervisor: $(HV_OUT)/xylem

install: install-hypervisor
install-hypervisor: $(HV_OUT)/xylem
	$(call say,INSTALL,boot/xylem)$(INSTALL) -d $(DESTDIR)/boot
	$(Q)gzip -9nc $(HV_OUT)/xylem >$(DESTDIR)/boot/xylem-$(VERSION).gz
	$(Q)$(INSTALL) -m 644 $(HV_OUT)/xylem $(DESTDIR)/boot/xylem

.PHONY: hypervisor install-hypervisor

-include $(HV_OBJS:.o=.d) $(HV_OUT)/asm_offsets.d $(patsubst %.o,%.d,$(sort $(HV_TEST_OBJS)))
