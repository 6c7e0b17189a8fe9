# SPDX-License-Identifier: GPL-2.0-only
# netback: the daemon, and the tests of its supervisor's side. The data path
# (worker's side) names its sources in data.mk.

include backends/common/vars.mk
include $(wildcard backends/netback/data.mk)

$(eval $(call unit_test,tap,tests/unit/tap.c backends/netback/tap.c,))
