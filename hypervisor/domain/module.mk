# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,domain,tests/unit/hv_domain.c hypervisor/hypercall/op.c hypervisor/mm/guest_page.c \
	$(addprefix hypervisor/domain/,domain.c domain_list.c vcpu.c vcpu_info.c destroy.c shutdown.c) \
	$(addprefix hypervisor/event/,event.c event_op.c event_2level.c event_fifo.c) \
	$(addprefix hypervisor/sched/,core.c credit2.c null.c rtds.c runstate.c vcpu_timer.c) \
	$(addprefix hypervisor/lib/,spinlock.c bits.c rangeset.c)))
