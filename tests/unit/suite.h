/* SPDX-License-Identifier: GPL-2.0-only */
/* The main() of a CUnit program with one suite. */
#ifndef XYLEM_SUITE_H
#define XYLEM_SUITE_H

#include <CUnit/Basic.h>

/* Run @tests (ended by CU_TEST_INFO_NULL) as suite @name, between @begin and @end, each of
 * which may be NULL and returns 0 if it succeeds; the exit status. */
static inline int suite_main_between(const char *name, CU_InitializeFunc begin,
				     CU_CleanupFunc end, const CU_TestInfo *tests)
{
	CU_SuiteInfo suites[] = {{name, begin, end, NULL, NULL, (CU_TestInfo *)tests},
				 CU_SUITE_INFO_NULL};
	unsigned int failed;

	if (CU_initialize_registry() || CU_register_suites(suites))
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
	CU_cleanup_registry();
	return failed != 0;
}

static inline int suite_main(const char *name, const CU_TestInfo *tests)
{
	return suite_main_between(name, NULL, NULL, tests);
}

#endif
