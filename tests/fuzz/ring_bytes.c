/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Byte streams whose other end writes what it likes into the indices: no access is
 * outside the buffer (it is allocated exactly, for ASan), no count beyond its size;
 * and between two honest ends nothing is lost or made up.
 */
#include "ring/bytes.h"
#include "tests/fuzz/fuzz.h"

static void honest(struct fuzz_input *in, char *buf, uint32_t size)
{
	uint32_t prod = fuzz_u32(in), cons = prod;
	uint8_t next_in = 0, next_out = 0, chunk[64];
	struct bytes_reader r;
	struct bytes_writer w;

	FUZZ_ASSERT(bytes_reader_init(&r, buf, size, &prod, &cons));
	FUZZ_ASSERT(bytes_writer_init(&w, buf, size, &prod, &cons));
	while (in->left) {
		uint8_t op = fuzz_u8(in);
		uint32_t n = op >> 2;
		int32_t did;

		if (op & 1) {
			for (uint32_t i = 0; i < n; i++)
				chunk[i] = (uint8_t)(next_in + i);
			did = bytes_write(&w, chunk, n);
			FUZZ_ASSERT(did >= 0 && did <= (int32_t)n);
			next_in = (uint8_t)(next_in + did);
		} else {
			did = bytes_read(&r, chunk, n);
			FUZZ_ASSERT(did >= 0 && did <= (int32_t)n);
			for (int32_t i = 0; i < did; i++)
				FUZZ_ASSERT(chunk[i] == next_out++);
		}
		FUZZ_ASSERT(bytes_readable(&r) + bytes_writable(&w) == (int32_t)size);
	}
}

static void hostile(struct fuzz_input *in, char *buf, uint32_t size)
{
	uint32_t prod = fuzz_u32(in), cons = prod + fuzz_u8(in);
	uint8_t chunk[64] = {0};
	struct bytes_reader r;
	struct bytes_writer w;
	struct xsd_sockmsg head;
	bool error;

	if (!bytes_reader_init(&r, buf, size, &prod, &cons) ||
	    !bytes_writer_init(&w, buf, size, &cons, &prod))
		return;
	while (in->left) {
		uint8_t op = fuzz_u8(in);
		int32_t did = 0;

		if (op & 1)
			prod = r.cons_pvt + (op & 2 ? fuzz_u32(in) : fuzz_u8(in));
		else if (op & 2)
			did = bytes_read(&r, chunk, op >> 2);
		else
			did = bytes_write(&w, chunk, op >> 2);
		FUZZ_ASSERT(did >= BYTES_OVERRUN && did <= (op >> 2));
		FUZZ_ASSERT(bytes_readable(&r) <= (int32_t)size);
		if (xenstore_head(&r, &head, &error))
			FUZZ_ASSERT(!error && head.len <= XENSTORE_PAYLOAD_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t how = fuzz_u8(&in);
	uint32_t n = 1u << (how >> 1 & 7);
	char *buf = calloc(n, 1);

	if (!buf)
		return 0;
	if (how & 1)
		hostile(&in, buf, n);
	else
		honest(&in, buf, n);
	free(buf);
	return 0;
}
