# SPDX-License-Identifier: GPL-2.0-only
# Whole boots: `make check-system`, with SCENARIOS="pv-basic ..." for some only.

.PHONY: check-system
check-system: rig
	tests/system/run-all $(SCENARIOS)
