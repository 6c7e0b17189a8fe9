/* SPDX-License-Identifier: GPL-2.0-only */
/* main() of the CUnit programs about blkback's data path. */
#ifndef XYLEM_VBD_MAIN_H
#define XYLEM_VBD_MAIN_H

#include "backends/common/log.h"
#include "tests/unit/suite.h"

/* Nothing is logged: the lines are provoked, and many. */
#define VBD_MAIN(suite, tests)                                                           \
	int main(void)                                                                   \
	{                                                                                \
		log_init(suite, (enum log_level)0);                                      \
		return suite_main(suite, tests);                                         \
	}

#endif
