# SPDX-License-Identifier: GPL-2.0-only
# The data path of blkback: sources, tests and benchmark of it. Included by
# backends/blkback/module.mk.

include backends/common/vars.mk

BLK_ENGINE_SRCS := $(addprefix backends/blkback/,engine_common.c engine_uring.c engine_aio.c \
	engine_null.c engine_volatile.c)
