// SPDX-License-Identifier: GPL-2.0-only
/* The table of calls. Entry code answers an empty entry with -ENOSYS; among them are those
 * that stock Xen has and that are off here: a security module, argo, hypfs. */
#include "hypervisor/event/event.h"
#include "hypervisor/grant/grant.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/pv.h"

/* The System V ABI passes narrower arguments in the low halves of the same registers. */
#define CALL(nr, fn) [__HYPERVISOR_##nr] = (hypercall_fn)(void (*)(void))(fn)

const hypercall_fn hypercall_table[64] = {
	CALL(set_trap_table, do_set_trap_table),
	CALL(mmu_update, do_mmu_update),
	CALL(set_gdt, do_set_gdt),
	CALL(stack_switch, do_stack_switch),
	CALL(set_callbacks, do_set_callbacks),
	CALL(fpu_taskswitch, do_fpu_taskswitch),
	CALL(sched_op_compat, do_sched_op_compat),
	CALL(platform_op, do_platform_op),
	CALL(set_debugreg, do_set_debugreg),
	CALL(get_debugreg, do_get_debugreg),
	CALL(update_descriptor, do_update_descriptor),
	CALL(memory_op, do_memory_op),
	CALL(multicall, do_multicall),
	CALL(update_va_mapping, do_update_va_mapping),
	CALL(set_timer_op, do_set_timer_op),
	CALL(xen_version, do_xen_version),
	CALL(console_io, do_console_io),
	CALL(grant_table_op, do_grant_table_op),
	CALL(vm_assist, do_vm_assist),
	CALL(update_va_mapping_otherdomain, do_update_va_mapping_otherdomain),
	CALL(iret, pv_iret),
	CALL(vcpu_op, do_vcpu_op),
	CALL(set_segment_base, do_set_segment_base),
	CALL(mmuext_op, do_mmuext_op),
	CALL(nmi_op, do_nmi_op),
	CALL(sched_op, do_sched_op),
	CALL(callback_op, do_callback_op),
	CALL(event_channel_op, do_event_channel_op),
	CALL(physdev_op_compat, do_physdev_op_compat),
	CALL(physdev_op, do_physdev_op),
	CALL(hvm_op, do_hvm_op),
	CALL(sysctl, do_sysctl),
	CALL(domctl, do_domctl),
	CALL(kexec_op, do_kexec_op),
	CALL(xenpmu_op, do_xenpmu_op),
	CALL(dm_op, do_dm_op),
	CALL(arch_0, do_mca),
};
