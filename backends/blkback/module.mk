# SPDX-License-Identifier: GPL-2.0-only
# blkback: the daemon, and the tests of its supervisor's side. The data path
# (worker's side) names its sources in data.mk.

include backends/common/vars.mk
include $(wildcard backends/blkback/data.mk)

VBD_BACKEND_SRCS := $(addprefix backends/blkback/,vbd_backend.c vbd_frontend.c vbd_medium.c image.c) backends/common/nodes.c

$(eval $(call program,blkback,backends/blkback/blkback.c $(VBD_BACKEND_SRCS) $(BLK_DATA_SRCS) \
	$(COMMON_SRCS) $(PROCESS_SRCS),$(COMMON_LIBS)))
$(eval $(call unit_test,image,tests/unit/image.c backends/blkback/image.c \
	backends/common/log.c,))
$(eval $(call unit_test,vbd_backend,tests/unit/vbd_backend.c tests/unit/class_rig.c $(VBD_BACKEND_SRCS) \
	$(STORE_MEM_SRCS) $(addprefix backends/common/,conf.c limit.c log.c),-linih))

MAN_PAGES += docs/man/blkback.8

install: install-blkback
install-blkback: build/bin/blkback
	$(call say,INSTALL,blkback)$(INSTALL) -d $(DESTDIR)$(PREFIX)/lib/xylem/bin $(DESTDIR)$(PREFIX)/share/man/man8
	$(Q)$(INSTALL) -m 755 build/bin/blkback $(DESTDIR)$(PREFIX)/lib/xylem/bin/
	$(Q)$(INSTALL) -m 644 docs/man/blkback.8 $(DESTDIR)$(PREFIX)/share/man/man8/
.PHONY: install-blkback

$(eval $(call fuzzer,vbd_nodes,tests/fuzz/vbd_nodes.c backends/blkback/vbd_frontend.c \
	backends/blkback/vbd_medium.c backends/blkback/image.c backends/common/nodes.c \
	backends/common/log.c $(STORE_MEM_SRCS),))

include frontends/vars.mk
$(eval $(call unit_test,vbd_whole,tests/unit/vbd_whole.c tests/unit/worker_stubs.c \
	$(VBD_BACKEND_SRCS) $(BLK_DATA_SRCS) \
	$(sort $(FRONT_LOOPBACK_SRCS) $(LOOPBACK_SRCS) $(STORE_MEM_SRCS)) \
	$(addprefix backends/common/,conf.c limit.c log.c metrics.c),-linih -luring -laio))
