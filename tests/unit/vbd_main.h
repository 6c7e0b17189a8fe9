/* SPDX-License-Identifier: GPL-2.0-only */
/* main() of the CUnit programs about blkback's data path. */
#ifndef XYLEM_VBD_MAIN_H
#define XYLEM_VBD_MAIN_H

#include <CUnit/Basic.h>

#include "backends/common/log.h"

struct vbd_test {
	const char *name;
	void (*run)(void);
};

/* Run @n tests as one suite; what main() returns. */
static inline int vbd_run(const char *suite, const struct vbd_test *tests, unsigned int n)
{
	unsigned int failed;
	CU_pSuite s;

	log_init(suite, (enum log_level)0); /* the lines are provoked, and many */
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 2;
	s = CU_add_suite(suite, NULL, NULL);
	for (unsigned int i = 0; i < n; i++)
		CU_add_test(s, tests[i].name, tests[i].run);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() + (CU_get_number_of_tests_run() != n);
	CU_cleanup_registry();
	return failed != 0;
}

#define VBD_MAIN(suite, tests)                                                           \
	int main(void)                                                                   \
	{                                                                                \
		return vbd_run(suite, tests, sizeof(tests) / sizeof((tests)[0]));        \
	}

#endif
