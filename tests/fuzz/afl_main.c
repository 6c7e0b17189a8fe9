/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * main() for AFL++: its persistent mode calls the same entry point as libFuzzer.
 * With file arguments it runs those once each, to look at a crash.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX (1 << 20)

__AFL_FUZZ_INIT();

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buf = malloc(INPUT_MAX);
	size_t n;

	if (!f || !buf) {
		perror(path);
		free(buf);
		if (f)
			fclose(f);
		return 1;
	}
	n = fread(buf, 1, INPUT_MAX, f);
	LLVMFuzzerTestOneInput(buf, n);
	fclose(f);
	free(buf);
	return 0;
}

int main(int argc, char **argv)
{
	unsigned char *buf;
	int failed = 0;

	for (int i = 1; i < argc; i++)
		failed |= run_file(argv[i]);
	if (argc > 1)
		return failed;
	__AFL_INIT();
	buf = __AFL_FUZZ_TESTCASE_BUF;
	while (__AFL_LOOP(100000)) {
		size_t len = (size_t)__AFL_FUZZ_TESTCASE_LEN;
		/* a copy of the exact size, so that ASan sees a read beyond the input */
		uint8_t *copy = malloc(len ? len : 1);

		if (!copy)
			return 1;
		memcpy(copy, buf, len);
		LLVMFuzzerTestOneInput(copy, len);
		free(copy);
	}
	return 0;
}
