# SPDX-License-Identifier: GPL-2.0-only
# Measurement: `make bench` (kernel's backends and ours, counted), `make run` (the
# short demonstration). See docs/bench.md.

$(eval $(call bench_program,bench-probe,bench/probe.c,-lxenctrl))

# Static: fork and exec of it cost the same everywhere.
build/bin/hvops: bench/hvops.c bench/probe_mark.h build/config.mk
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(BASE) $(CFLAGS) -static -o $@ $<
BENCHES += build/bin/hvops

# A plugin for QEMU, loaded by bench/qemu.
build/bin/tbcount.so: bench/tbcount.c bench/qemu_plugin.h bench/probe_mark.h build/config.mk
	$(call say,CC-SO,$@)mkdir -p $(@D) && $(CC) $(BASE) $(CFLAGS) -fPIC -fvisibility=hidden -shared -o $@ $<
BENCHES += build/bin/tbcount.so

# One run: stock Xen and Xylem, an operation at a time; then a boot with the kernel's
# backends, a boot with ours (a quarter of an hour each; BENCH_QUICK=1 or BENCH_JOBS="..." BENCH_GUESTS=pv for less).
bench: rig stage
	bench/hypervisor
	bench/compare

.PHONY: bench
