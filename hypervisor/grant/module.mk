# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,grant,tests/unit/hv_grant.c tests/unit/hv_guest.c tests/unit/hv_machine.c \
	hypervisor/hypercall/op.c $(addprefix hypervisor/lib/,spinlock.c bits.c rangeset.c) \
	$(addprefix hypervisor/mm/,buddy.c frame.c domain_pages.c tlb_stamp.c xmalloc.c) \
	$(wildcard hypervisor/grant/*.c)))
