# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,boot,tests/unit/hv_boot.c \
	$(addprefix hypervisor/boot/,cmdline.c e820.c multiboot.c) hypervisor/lib/string.c))

LIBS_hv_elf := -llzma -lz -lzstd
$(eval $(call hv_test,elf,tests/unit/hv_elf.c \
	$(addprefix hypervisor/boot/,elf.c decompress.c)))
