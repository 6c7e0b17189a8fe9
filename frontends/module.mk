# SPDX-License-Identifier: BSD-2-Clause
# frontends/: block, network and console front ends for any OS, and their tests.

include backends/common/vars.mk
include frontends/vars.mk
