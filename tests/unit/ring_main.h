/* SPDX-License-Identifier: GPL-2.0-only */
/* The main() of a CUnit program with one suite. */
#ifndef XYLEM_RING_MAIN_H
#define XYLEM_RING_MAIN_H

#include <CUnit/Basic.h>

/* Run @tests (ended by CU_TEST_INFO_NULL) as suite @name; the exit status. */
static inline int ring_main(const char *name, CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {{name, NULL, NULL, NULL, NULL, tests},
				 CU_SUITE_INFO_NULL};
	unsigned int failed;

	if (CU_initialize_registry() || CU_register_suites(suites))
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}

#endif
