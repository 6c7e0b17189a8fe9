# SPDX-License-Identifier: BSD-2-Clause
# frontends/: block, network and console front ends for any OS, and their tests.

include backends/common/vars.mk
include frontends/vars.mk

$(eval $(call unit_test,front_blk,tests/unit/front_blk.c $(FRONT_LOOPBACK_SRCS) $(LOOPBACK_SRCS),))
$(eval $(call unit_test,front_net,tests/unit/front_net.c $(FRONT_LOOPBACK_SRCS) $(LOOPBACK_SRCS),))
