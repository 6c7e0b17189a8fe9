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
