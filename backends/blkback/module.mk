# SPDX-License-Identifier: GPL-2.0-only
# blkback: the daemon, and the tests of its supervisor's side. The data path
# (worker's side) names its sources in BLKBACK_DATA_SRCS: data.mk.

include backends/common/vars.mk
include $(wildcard backends/blkback/data.mk)

$(eval $(call unit_test,image,tests/unit/image.c backends/blkback/image.c \
	backends/common/log.c,))
