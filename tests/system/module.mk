# SPDX-License-Identifier: GPL-2.0-only
# Whole boots: `make system`, with SCENARIOS="pv-basic ..." for some only.

system: rig stage
	tests/system/run-all $(SCENARIOS)
