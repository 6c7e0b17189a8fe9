# SPDX-License-Identifier: GPL-2.0-only
# The test rig: `make rig` fetches Debian's packages and builds the images,
# `make shell` gives a prompt in dom0 with BACKEND's backends, `make run` lets a
# guest show its disk and network. HV=, BACKEND=, TYPE=, ... as for tests/rig/run.

BACKEND ?= xylem
TYPE ?= pv

.PHONY: rig stage
rig:
	tests/rig/setup
	tests/rig/images

stage: all
	rm -rf build/stage
	$(MAKE) --no-print-directory install DESTDIR=$(CURDIR)/build/stage

shell: rig stage
	BACKEND=$(BACKEND) tests/rig/shell

# PV guests run on our own hypervisor, unless HV says otherwise; the others are not there yet.
run: HV := $(if $(filter file,$(origin HV)),$(if $(filter pv,$(TYPE)),xylem,xen),$(HV))
run: rig stage
	bench/run-report $(TYPE)
