# SPDX-License-Identifier: GPL-2.0-only
include hypervisor/vars.mk

$(eval $(call hv_test,decode,tests/unit/hv_decode.c hypervisor/pv/decode.c))
$(eval $(call hv_test,bounce,tests/unit/hv_bounce.c \
	$(addprefix hypervisor/pv/,trap_guest.c callback.c)))
$(eval $(call hv_test,descriptor,tests/unit/hv_descriptor.c \
	$(addprefix hypervisor/pv/,descriptor.c misc.c)))

PV_GUEST_TEST := tests/unit/hv_guest.c tests/unit/hv_machine.c \
	$(addprefix hypervisor/lib/,spinlock.c bits.c rangeset.c) \
	$(addprefix hypervisor/mm/,buddy.c frame.c domain_pages.c tlb_stamp.c xmalloc.c)
$(eval $(call hv_test,page_types,tests/unit/hv_page_types.c $(PV_GUEST_TEST) \
	$(addprefix hypervisor/pv/,page_types.c page_tables.c mmu_ops.c mmuext.c \
	mmuext_foreign.c emulate_ptwr.c grant_map.c decode.c)))
$(eval $(call hv_test,policy,tests/unit/hv_policy.c hypervisor/cpu/policy.c))
$(eval $(call hv_test,spec,tests/unit/hv_spec.c hypervisor/cpu/spec.c hypervisor/lib/string.c))
$(eval $(call hv_test,emulate,tests/unit/hv_emulate.c \
	$(addprefix hypervisor/pv/,emulate_priv.c emulate_io.c emulate_msr.c control_reg.c decode.c)))
$(eval $(call hv_test,fpu,tests/unit/hv_fpu.c hypervisor/cpu/fpu.c))
