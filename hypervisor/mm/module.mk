# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

MM_TEST := tests/unit/hv_machine.c hypervisor/lib/spinlock.c hypervisor/lib/bits.c \
	$(addprefix hypervisor/mm/,buddy.c frame.c domain_pages.c tlb_stamp.c xmalloc.c)

$(eval $(call hv_test,buddy,tests/unit/hv_buddy.c $(MM_TEST)))
$(eval $(call hv_test,frame,tests/unit/hv_frame.c $(MM_TEST)))
$(eval $(call hv_test,xmalloc,tests/unit/hv_xmalloc.c $(MM_TEST)))
$(eval $(call hv_test,memory,tests/unit/hv_memory.c $(MM_TEST) \
	$(addprefix hypervisor/hypercall/,op.c memory.c memory_populate.c memory_exchange.c)))
$(eval $(call hv_test,paging,tests/unit/hv_paging.c $(MM_TEST) \
	$(addprefix hypervisor/mm/,paging.c boot_alloc.c)))
$(eval $(call hv_test,vmap,tests/unit/hv_vmap.c hypervisor/mm/map.c \
	$(addprefix hypervisor/lib/,spinlock.c bits.c)))
