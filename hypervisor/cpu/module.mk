# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,timer,tests/unit/hv_timer.c $(addprefix hypervisor/,lib/spinlock.c \
	lib/bits.c sched/timer.c sched/softirq.c)))
$(eval $(call hv_test,time,tests/unit/hv_time.c hypervisor/cpu/time.c hypervisor/lib/spinlock.c \
	hypervisor/lib/bits.c))
$(eval $(call hv_test,pirq,tests/unit/hv_pirq.c hypervisor/mm/guest_page.c hypervisor/lib/spinlock.c \
	hypervisor/lib/bits.c $(addprefix hypervisor/cpu/,pirq.c irq.c msi.c)))
$(eval $(call hv_test,apic,tests/unit/hv_apic.c hypervisor/cpu/apic.c hypervisor/lib/bits.c))
