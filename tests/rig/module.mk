# SPDX-License-Identifier: GPL-2.0-only
# The test rig: `make rig` fetches Debian's packages and builds the images,
# `make shell` gives a prompt in dom0 (HV=, BACKEND=, ... as for tests/rig/run).

.PHONY: rig shell
rig:
	tests/rig/setup
	tests/rig/images

shell: rig
	tests/rig/shell
