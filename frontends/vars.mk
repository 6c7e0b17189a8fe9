# SPDX-License-Identifier: BSD-2-Clause
# What tests and benchmarks that need a front end link: `include frontends/vars.mk`
# more than once changes nothing.

ifndef FRONTENDS_SRCS

FRONTENDS_SRCS := $(addprefix frontends/,node.c blkfront.c blkfront_io.c netfront.c netfront_io.c console.c)

# os.h over the loopback transport, for tests and benchmarks.
FRONT_LOOPBACK_SRCS := $(FRONTENDS_SRCS) tests/unit/front_loopback.c backends/common/store.c

endif
