/* SPDX-License-Identifier: GPL-2.0-only */
/* boot/'s files to each other. */
#ifndef HV_MULTIBOOT_H
#define HV_MULTIBOOT_H

#include "hypervisor/boot/boot.h"

/* Copy what the loader left into boot_info. False: @magic is neither loader's. */
bool multiboot_parse(uint32_t magic, uint64_t info);

/* ---- e820.c ---- */
void e820_add(uint64_t start, uint64_t size, uint32_t type);
void e820_sanitise(void); /* sorted, no overlaps: the more restrictive type wins */
void e820_print(void);
/* RAM that nothing is in (not the image, not a module) to the boot allocator. */
void e820_give_memory(void);

#endif
