# SPDX-License-Identifier: BSD-2-Clause
# ring/ is headers only; its tests and fuzzers are what is built.

$(eval $(call unit_test,ring,tests/unit/ring.c,))
$(eval $(call unit_test,ring_model,tests/unit/ring_model.c,))
$(eval $(call unit_test,ring_blkif,tests/unit/ring_blkif.c,))
$(eval $(call unit_test,ring_netif,tests/unit/ring_netif.c,))
$(eval $(call unit_test,ring_streams,tests/unit/ring_streams.c,))
