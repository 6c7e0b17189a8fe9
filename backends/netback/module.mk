# SPDX-License-Identifier: GPL-2.0-only
# netback: the daemon, and the tests of its supervisor's side. The data path
# (worker's side) names its sources in data.mk.

include backends/common/vars.mk
include $(wildcard backends/netback/data.mk)

VIF_BACKEND_SRCS := backends/netback/vif_backend.c backends/netback/vif_frontend.c \
	backends/common/nodes.c

$(eval $(call program,netback,backends/netback/netback.c $(VIF_BACKEND_SRCS) \
	backends/netback/tap.c $(NETBACK_DATA_SRCS) $(COMMON_SRCS) $(PROCESS_SRCS),$(COMMON_LIBS)))
$(eval $(call unit_test,net_coalesce,tests/unit/net_coalesce.c,))
$(eval $(call unit_test,tap,tests/unit/tap.c backends/netback/tap.c,))
$(eval $(call unit_test,vif_backend,tests/unit/vif_backend.c tests/unit/class_rig.c $(VIF_BACKEND_SRCS) \
	$(STORE_MEM_SRCS) $(addprefix backends/common/,conf.c limit.c log.c),-linih))

MAN_PAGES += docs/man/netback.8

install: install-netback
install-netback: build/bin/netback
	$(call say,INSTALL,netback)$(INSTALL) -d $(DESTDIR)$(PREFIX)/lib/xylem/bin $(DESTDIR)$(PREFIX)/share/man/man8
	$(Q)$(INSTALL) -m 755 build/bin/netback $(DESTDIR)$(PREFIX)/lib/xylem/bin/
	$(Q)$(INSTALL) -m 644 docs/man/netback.8 $(DESTDIR)$(PREFIX)/share/man/man8/
.PHONY: install-netback

$(eval $(call fuzzer,vif_nodes,tests/fuzz/vif_nodes.c backends/netback/vif_frontend.c \
	backends/common/nodes.c backends/common/log.c $(STORE_MEM_SRCS),))
