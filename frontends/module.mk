# SPDX-License-Identifier: BSD-2-Clause
# frontends/: block, network and console front ends for any OS, and their tests.

include backends/common/vars.mk
include frontends/vars.mk

$(eval $(call unit_test,front_blk,tests/unit/front_blk.c $(FRONT_LOOPBACK_SRCS) $(LOOPBACK_SRCS),))
$(eval $(call unit_test,front_net,tests/unit/front_net.c $(FRONT_LOOPBACK_SRCS) $(LOOPBACK_SRCS),))

# The attacks of tests/guest-process on blkback, all in one process. BLK_DATA_SRCS is
# backends/blkback/data.mk's, which has been read by now.
$(eval $(call unit_test,front_hostile,tests/unit/front_hostile.c tests/unit/worker_stubs.c $(sort $(BLK_DATA_SRCS) \
	$(addprefix tests/guest-process/,attack.c attack_vbd.c attack_vif.c) \
	$(addprefix backends/blkback/,vbd_backend.c vbd_frontend.c vbd_medium.c image.c) \
	$(addprefix backends/common/,nodes.c xenbus.c conf.c limit.c log.c metrics.c) \
	$(FRONT_LOOPBACK_SRCS) $(LOOPBACK_SRCS) $(STORE_MEM_SRCS)),-linih -luring -laio))
$(eval $(call unit_test,front_hostile_net,tests/unit/front_hostile_net.c $(sort \
	$(NETBACK_VIF_SRCS) backends/netback/port_loop.c backends/netback/vif_frontend.c \
	$(addprefix tests/guest-process/,attack.c attack_vbd.c attack_vif.c) \
	$(addprefix backends/common/,nodes.c limit.c log.c metrics.c) \
	$(FRONT_LOOPBACK_SRCS) $(LOOPBACK_SRCS) $(STORE_MEM_SRCS)),-luring))
