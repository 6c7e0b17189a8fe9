# SPDX-License-Identifier: GPL-2.0-only
# netback's data path: what a worker does with a vif. Included by module.mk.

include backends/common/vars.mk
include frontends/vars.mk

# A vif without a process around it: for the daemon, tests, fuzzers and benchmarks.
NETBACK_VIF_SRCS := $(addprefix backends/netback/,vif.c queue.c waiter_poll.c waiter_uring.c tx.c \
	rx.c ctrl.c hash.c mcast.c packet.c steer.c port.c port_tap.c port_packet.c)
# What the daemon links besides its supervisor side.
NETBACK_DATA_SRCS := $(NETBACK_VIF_SRCS) backends/netback/vif_worker.c

NETBACK_TEST_SRCS := $(NETBACK_VIF_SRCS) backends/netback/port_loop.c tests/unit/net_rig.c \
	$(addprefix backends/common/,loopback.c limit.c metrics.c)

define net_test
$(call unit_test,net_$(1),tests/unit/net_$(1).c $(NETBACK_TEST_SRCS),-luring)
endef
$(foreach t,tx rx hash ctrl mcast hostile waiter packet,$(eval $(call net_test,$(t))))
$(eval $(call unit_test,net_port,tests/unit/net_port.c backends/netback/tap.c $(NETBACK_TEST_SRCS),-luring))
NET_FRONT_SRCS := tests/unit/net_front.c $(FRONT_LOOPBACK_SRCS) $(NETBACK_TEST_SRCS)
$(eval $(call unit_test,net_front,$(NET_FRONT_SRCS),-luring))
# what net_faults makes fail in turn
NET_FAULTS_LD := -Wl,--wrap=calloc -Wl,--wrap=mmap -Wl,--wrap=eventfd -Wl,--wrap=pthread_create -luring
$(eval $(call unit_test,net_faults,tests/unit/net_faults.c $(NETBACK_TEST_SRCS),$$(NET_FAULTS_LD)))

$(eval $(call fuzzer,vif,tests/fuzz/vif.c $(NETBACK_TEST_SRCS),-luring))
$(eval $(call fuzzer,vif_packet,tests/fuzz/vif_packet.c $(addprefix backends/netback/,packet.c hash.c),))

$(eval $(call bench_program,bench-loopback-net,bench/loopback_net.c $(NETBACK_TEST_SRCS),-luring))
$(eval $(call unit_test,net_worker,tests/unit/net_worker.c tests/unit/worker_stubs.c \
	backends/netback/vif_worker.c $(NETBACK_TEST_SRCS),-luring))
