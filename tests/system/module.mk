# SPDX-License-Identifier: GPL-2.0-only
# Whole boots: `make system`, with SCENARIOS="basic:pv ..." for some only; `make
# soak` all of them and then the long ones.

system: rig stage
	tests/system/run-all $(SCENARIOS)

soak: rig stage
	$(MAKE) --no-print-directory DEBUG=1 hypervisor
	cd tests/system && ./run-all $$(grep -hv '^#' scenarios scenarios.soak)

# What QEMU's CPU lacks, on Bochs; packages: see tests/rig/bochs.
check-bochs: rig stage build/bin/compat build/bin/registers
	$(MAKE) --no-print-directory DEBUG=1 hypervisor
	JOBS=1 tests/system/run-all intel:release intel:debug intel:release:guest

.PHONY: check-bochs
