# SPDX-License-Identifier: GPL-2.0-only
# Tests of the process machinery: state machine, control socket, sandbox, worker
# and supervisor. Included by module.mk; vars.mk names the sources.

# The supervisor's test starts itself as the worker, with a class that echoes.
SUPERVISOR_TEST_SRCS := $(PROCESS_SRCS) $(STORE_MEM_SRCS) \
	$(filter-out %store.c,$(COMMON_SRCS))
PROCESS_TEST_LIBS := $(COMMON_LIBS)

$(eval $(call unit_test,xenbus,tests/unit/xenbus.c backends/common/xenbus.c \
	backends/common/log.c $(STORE_MEM_SRCS),))
$(eval $(call unit_test,control,tests/unit/control.c backends/common/control.c,))
$(eval $(call unit_test,supervisor,tests/unit/supervisor.c $(SUPERVISOR_TEST_SRCS),$(PROCESS_TEST_LIBS)))

# What a taken-over worker may try: natively here, and as a program in dom0.
PROBE_SRCS := tests/system-helpers/probe.c $(wildcard backends/common/sandbox*.c)
$(eval $(call unit_test,sandbox,tests/unit/sandbox.c $(PROBE_SRCS),-lseccomp -luring))
$(eval $(call bench_program,probe-sandbox,tests/system-helpers/probe-sandbox.c $(PROBE_SRCS) \
	backends/common/transport_xen.c,-lseccomp -luring -lxenevtchn -lxengnttab))
$(eval $(call unit_test,worker,tests/unit/worker.c $(SUPERVISOR_TEST_SRCS),$(PROCESS_TEST_LIBS)))
