// SPDX-License-Identifier: GPL-2.0-only
/* Decompression of a kernel by zlib, liblzma and libzstd. They use SSE and the red zone,
 * and memory from malloc(): see decompress_shim.c, where they get all that. */
#include "hypervisor/boot/dom0.h"

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#define XZ_FLAGS_BYTE  7 /* .xz format, 2.1.1.2: check ID in its low four bits */
#define XZ_CHECK_CRC32 1
#define GZIP_WINDOW    (15 + 16) /* zlib.h: 16 asks for a gzip header */

enum decompress_format decompress_format(const void *data, size_t n)
{
	static const struct {
		const char *magic;
		size_t n;
		enum decompress_format format;
	} known[] = {
		{"\177ELF", 4, FORMAT_PLAIN},
		{"\037\213\010", 3, FORMAT_GZIP},
		{"\3757zXZ\0", 6, FORMAT_XZ},
		{"(\265/\375", 4, FORMAT_ZSTD},
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(known); i++)
		if (n >= known[i].n && !memcmp(data, known[i].magic, known[i].n))
			return known[i].format;
	return FORMAT_UNKNOWN;
}

static const char *gunzip(const void *data, size_t n, void *out, size_t size, size_t *done)
{
	z_stream z;
	int rc;

	if (n > UINT32_MAX || size > UINT32_MAX)
		return "gzip: too large";
	memset(&z, 0, sizeof(z));
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)n;
	z.next_out = out;
	z.avail_out = (uInt)size;
	if (inflateInit2(&z, GZIP_WINDOW) != Z_OK)
		return "gzip: no memory";
	rc = inflate(&z, Z_FINISH);
	*done = z.total_out;
	inflateEnd(&z);
	return rc == Z_STREAM_END ? NULL : "gzip: damaged, or larger than it says";
}

static const char *unxz(const void *data, size_t n, void *out, size_t size, size_t *done)
{
	uint64_t limit = UINT64_MAX;
	size_t in = 0;
	uint32_t flags = 0;

	/* CRC-64 is set up by a constructor, which nobody runs here. */
	if (n <= XZ_FLAGS_BYTE || (((const uint8_t *)data)[XZ_FLAGS_BYTE] & 15) != XZ_CHECK_CRC32)
		flags = LZMA_IGNORE_CHECK;
	*done = 0;
	if (lzma_stream_buffer_decode(&limit, flags, NULL, data, &in, n, out, done, size) != LZMA_OK)
		return "xz: damaged, or larger than it says";
	return NULL;
}

static const char *unzstd(const void *data, size_t n, void *out, size_t size, size_t *done)
{
	/* A bzImage's payload has the size behind the frame: that is not one of its frames. */
	size_t frame = ZSTD_findFrameCompressedSize(data, n);

	if (ZSTD_isError(frame))
		return "zstd: damaged";
	*done = ZSTD_decompress(out, size, data, frame);
	return ZSTD_isError(*done) ? "zstd: damaged, or larger than it says" : NULL;
}

const char *decompress(const void *data, size_t n, void *out, size_t size, size_t *done)
{
	switch (decompress_format(data, n)) {
	case FORMAT_GZIP:
		return gunzip(data, n, out, size, done);
	case FORMAT_XZ:
		return unxz(data, n, out, size, done);
	case FORMAT_ZSTD:
		return unzstd(data, n, out, size, done);
	default:
		return "an unknown format";
	}
}

/* ---- Linux's bzImage (Documentation/arch/x86/boot.rst): real-mode sectors, then the
 * protected-mode code, in which the compressed ELF kernel lies ---- */
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
