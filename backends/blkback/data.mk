# SPDX-License-Identifier: GPL-2.0-only
# The data path of blkback: sources, tests and benchmark of it. Included by
# backends/blkback/module.mk.

include backends/common/vars.mk

BLK_ENGINE_SRCS := $(addprefix backends/blkback/,engine_common.c engine_uring.c engine_aio.c \
	engine_null.c)
BLK_QUEUE_SRCS := $(addprefix backends/blkback/,queue.c plain.c request.c data.c hold.c copy.c grant_cache.c \
	pool.c ranges.c)
BLK_DATA_SRCS := backends/blkback/vbd.c $(BLK_QUEUE_SRCS) $(BLK_ENGINE_SRCS)

VBD_TEST_SRCS := tests/unit/vbd_rig.c $(BLK_QUEUE_SRCS) $(BLK_ENGINE_SRCS) $(LOOPBACK_SRCS) \
	backends/blkback/engine_volatile.c $(addprefix backends/common/,log.c limit.c metrics.c)
VBD_TEST_LIBS := -luring -laio

$(eval $(call unit_test,vbd_queue,tests/unit/vbd_queue.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))
$(eval $(call unit_test,vbd_plain,tests/unit/vbd_plain.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))

$(eval $(call bench_program,loopback_blk,bench/loopback_blk.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))
$(eval $(call unit_test,vbd_sleep,tests/unit/vbd_sleep.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))
$(eval $(call unit_test,vbd_hostile,tests/unit/vbd_hostile.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))
$(eval $(call unit_test,copy,tests/unit/copy.c backends/blkback/copy.c \
	backends/common/log.c,))
$(eval $(call unit_test,grant_cache,tests/unit/grant_cache.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))
$(eval $(call unit_test,volatile,tests/unit/volatile.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))
VBD_WRAP := -Wl,--wrap=malloc,--wrap=calloc,--wrap=aligned_alloc,--wrap=mmap
$(eval $(call unit_test,vbd_faults,tests/unit/vbd_faults.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS) $(VBD_WRAP)))
$(eval $(call unit_test,engine,tests/unit/engine.c $(VBD_TEST_SRCS) \
	$(addprefix backends/common/,sandbox.c sandbox_seccomp.c),$(VBD_TEST_LIBS) -lseccomp))

$(eval $(call fuzzer,vbd_queue,tests/fuzz/vbd_queue.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))
$(eval $(call unit_test,vbd,tests/unit/vbd.c backends/blkback/vbd.c $(VBD_TEST_SRCS),$(VBD_TEST_LIBS)))

# A request goes through all of these files once: inlined into each other they take a
# tenth fewer instructions. Only GCC's objects can be linked by any linker.
ifeq ($(findstring clang,$(CC)),)
$(foreach f,$(BLK_QUEUE_SRCS) backends/blkback/engine_uring.c,$(eval FLAGS_$(f:.c=) := -O3 -flto))
endif
