/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue does what io/blkif.h says, over the loopback, with every engine. */
#include <CUnit/Basic.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/vbd_rig.h"

static int image(uint64_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0 && !ftruncate(fd, (off_t)size));
	return fd;
}

static void fill(char *p, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i += 8) {
		uint64_t v = (seed + i) * 0x9e3779b97f4a7c15ull;

		memcpy(p + i, &v, 8);
	}
}

static void test_write_read(void)
{
	struct rig_options o = { .fd = image(1 << 20), .size = 1 << 20, .engine_open = engine_uring_open };
	struct blkif_req req;
	char want[4096], got[4096];
	struct rig r;

	CU_ASSERT_FATAL(rig_open(&r, &o));
	fill(rig_page(&r, 0), 4096, 1);
	memcpy(want, rig_page(&r, 0), 4096);
	rig_request(&r, &req, BLKIF_OP_WRITE, 7, 16, 0, 1);
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(pread(o.fd, got, 4096, 16 * 512), 4096);
	CU_ASSERT(!memcmp(want, got, 4096));
	rig_request(&r, &req, BLKIF_OP_READ, 8, 16, 3, 1);
	CU_ASSERT_EQUAL(rig_do(&r, &req), BLKIF_RSP_OKAY);
	CU_ASSERT(!memcmp(want, rig_page(&r, 3), 4096));
	CU_ASSERT(rig_close(&r));
	close(o.fd);
}

int main(void)
{
	CU_pSuite s;
	unsigned int failed;

	CU_initialize_registry();
	s = CU_add_suite("vbd_queue", NULL, NULL);
	CU_add_test(s, "write, then read", test_write_read);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
