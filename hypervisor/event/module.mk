# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,event,tests/unit/hv_event.c tests/unit/hv_machine.c \
	hypervisor/hypercall/op.c hypervisor/lib/spinlock.c hypervisor/lib/bits.c \
	$(addprefix hypervisor/mm/,buddy.c frame.c domain_pages.c guest_page.c tlb_stamp.c xmalloc.c) \
	$(addprefix hypervisor/event/,event.c event_op.c event_2level.c event_fifo.c)))
