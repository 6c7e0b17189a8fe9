# SPDX-License-Identifier: GPL-2.0-only
# backends/common: tests of the shared parts. What others link is in vars.mk.

include backends/common/vars.mk
include $(wildcard backends/common/process.mk)

$(eval $(call unit_test,log,tests/unit/log.c backends/common/log.c,))
$(eval $(call unit_test,loopback,tests/unit/loopback.c $(LOOPBACK_SRCS),-luring))
$(eval $(call unit_test,store,tests/unit/store.c $(STORE_MEM_SRCS),))
$(eval $(call unit_test,limit,tests/unit/limit.c backends/common/limit.c,))
$(eval $(call unit_test,metrics,tests/unit/metrics.c backends/common/metrics.c,))
$(eval $(call unit_test,conf,tests/unit/conf.c backends/common/conf.c backends/common/log.c,-linih))
STATS_SRCS := $(addprefix backends/common/,stats.c stats_text.c metrics.c limit.c log.c)
$(eval $(call unit_test,stats,tests/unit/stats.c $(STATS_SRCS),-lev -lcjson))

STAT_SRCS := $(addprefix backends/common/,stat_snapshot.c stat_exporter.c stats_text.c metrics.c limit.c)
$(eval $(call program,xylem-stat,backends/common/xylem-stat.c $(STAT_SRCS),-lcjson -lmicrohttpd))
$(eval $(call unit_test,xylem_stat,tests/unit/xylem_stat.c $(STAT_SRCS),-lcjson -lmicrohttpd))
$(eval $(call unit_test,common_faults,tests/unit/common_faults.c $(ALLOC_FAULT_SRCS) $(LOOPBACK_SRCS) \
	$(STORE_MEM_SRCS) $(addprefix backends/common/,conf.c stats.c stats_text.c stat_snapshot.c \
	metrics.c limit.c log.c),$(ALLOC_FAULT_LIBS) -linih -lev -lcjson))
$(eval $(call unit_test,transport_xen,tests/unit/transport_xen.c $(ALLOC_FAULT_SRCS) \
	backends/common/transport_xen.c,$(ALLOC_FAULT_LIBS)))

MAN_PAGES += docs/man/xylem-stat.1

install: install-common
install-common: build/bin/xylem-stat
	$(call say,INSTALL,xylem-stat)$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/man/man1
	$(Q)$(INSTALL) -m 755 build/bin/xylem-stat $(DESTDIR)$(PREFIX)/bin/
	$(Q)$(INSTALL) -m 644 docs/man/xylem-stat.1 $(DESTDIR)$(PREFIX)/share/man/man1/
.PHONY: install-common

# What Xen does, asked of the real transport in dom0 (tests/system/transport.host)
# and of the make-believe one here.
PROBE_SRCS := tests/system/transport_probe.c $(LOOPBACK_SRCS) $(STORE_MEM_SRCS) \
	$(addprefix backends/common/,transport_xen.c store_xen.c)
$(eval $(call bench_program,transport_probe,$(PROBE_SRCS),-lxengnttab -lxenevtchn -lxenstore))
