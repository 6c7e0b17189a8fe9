// SPDX-License-Identifier: GPL-2.0-only
/* Linux's bzImage (Documentation/arch/x86/boot.rst): real-mode sectors, then the
 * protected-mode code, in which the compressed ELF kernel lies. */
#include "hypervisor/boot/dom0.h"

#define SETUP_SECTS    0x1f1
#define BOOT_FLAG      0x1fe
#define HEADER         0x202 /* "HdrS" */
#define VERSION        0x206
#define PAYLOAD_OFFSET 0x248
#define PAYLOAD_LENGTH 0x24c
#define HEADER_END     0x250
#define SECTOR         512

bool bzimage_payload(const void *image, size_t size, const void **payload, size_t *n)
{
	const uint8_t *p = image;
	uint32_t offset, length;
	uint16_t version, flag;
	uint64_t start;

	if (size < HEADER_END || memcmp(p + HEADER, "HdrS", 4))
		return false;
	memcpy(&flag, p + BOOT_FLAG, sizeof(flag));
	memcpy(&version, p + VERSION, sizeof(version));
	if (flag != 0xaa55 || version < 0x208)
		return false;
	memcpy(&offset, p + PAYLOAD_OFFSET, sizeof(offset));
	memcpy(&length, p + PAYLOAD_LENGTH, sizeof(length));
	/* No number of sectors means 4. */
	start = (uint64_t)((p[SETUP_SECTS] ? p[SETUP_SECTS] : 4) + 1) * SECTOR + offset;
	if (start > size || length > size - start || length < 4)
		return false;
	*payload = p + start;
	*n = length;
	return true;
}
