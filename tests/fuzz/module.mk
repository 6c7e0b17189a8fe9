# SPDX-License-Identifier: GPL-2.0-only
# Fuzzers of ring/; afl_main.c is every AFL++ program's main().

$(eval $(call fuzzer,ring_blkif,tests/fuzz/ring_blkif.c,))
$(eval $(call fuzzer,ring_netif,tests/fuzz/ring_netif.c,))
$(eval $(call fuzzer,ring_ctrl,tests/fuzz/ring_ctrl.c,))
$(eval $(call fuzzer,ring_bytes,tests/fuzz/ring_bytes.c,))
