// SPDX-License-Identifier: GPL-2.0-only
/* Constants for assembly: compiled to assembly, which hypervisor/module.mk turns into
 * asm_offsets.h (included by that name: release and debug builds have one each). */
#include "hypervisor/cpu/guest_copy.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/domain/domain.h"

#undef current
#define CONSTANT(name, value) __asm__ volatile("\n#define " #name " %0" ::"i"(value))
#define OFFSET(name, type, member) CONSTANT(name, offsetof(type, member))

void asm_offsets(void)
{
	OFFSET(UREGS_r12, struct cpu_user_regs, r12);
	OFFSET(UREGS_rbx, struct cpu_user_regs, rbx);
	OFFSET(UREGS_r11, struct cpu_user_regs, r11);
	OFFSET(UREGS_r10, struct cpu_user_regs, r10);
	OFFSET(UREGS_r9, struct cpu_user_regs, r9);
	OFFSET(UREGS_r8, struct cpu_user_regs, r8);
	OFFSET(UREGS_rax, struct cpu_user_regs, rax);
	OFFSET(UREGS_rcx, struct cpu_user_regs, rcx);
	OFFSET(UREGS_rdx, struct cpu_user_regs, rdx);
	OFFSET(UREGS_rsi, struct cpu_user_regs, rsi);
	OFFSET(UREGS_rdi, struct cpu_user_regs, rdi);
	OFFSET(UREGS_error_code, struct cpu_user_regs, error_code);
	OFFSET(UREGS_entry_vector, struct cpu_user_regs, entry_vector);
	OFFSET(UREGS_rip, struct cpu_user_regs, rip);
	OFFSET(UREGS_cs, struct cpu_user_regs, cs);
	OFFSET(UREGS_eflags, struct cpu_user_regs, eflags);
	OFFSET(UREGS_rsp, struct cpu_user_regs, rsp);
	OFFSET(UREGS_ss, struct cpu_user_regs, ss);
	OFFSET(UREGS_es, struct cpu_user_regs, es);
	CONSTANT(UREGS_frame_size, offsetof(struct cpu_user_regs, es));

	OFFSET(CPUINFO_current, struct cpu_info, current);
	OFFSET(CPUINFO_percpu_offset, struct cpu_info, percpu_offset);
	OFFSET(CPUINFO_hypervisor_cr3, struct cpu_info, hypervisor_cr3);
	OFFSET(CPUINFO_guest_cr3, struct cpu_info, guest_cr3);
	OFFSET(CPUINFO_spec_flags, struct cpu_info, spec_flags);
	CONSTANT(CPUINFO_sizeof, sizeof(struct cpu_info));
	CONSTANT(ASM_STACK_SIZE, STACK_SIZE);
	CONSTANT(ASM_IMAGE_START, IMAGE_START);
	CONSTANT(ASM_DIRECT_MAP_START, DIRECT_MAP_START);

	OFFSET(VCPU_domain, struct vcpu, domain);
	OFFSET(VCPU_info, struct vcpu, info);
	OFFSET(VCPU_nmi, struct vcpu, nmi);
	OFFSET(VCPU_time_area_stale, struct vcpu, time_area_stale);
	OFFSET(VCPU_pv_kernel_mode, struct vcpu, pv.kernel_mode);
	OFFSET(VCPU_pv_kernel_root, struct vcpu, pv.kernel_root);
	OFFSET(VCPU_pv_user_root, struct vcpu, pv.user_root);
	OFFSET(VCPU_pv_cr3, struct vcpu, pv.cr3);
	OFFSET(VCPU_pv_frame_sp, struct vcpu, pv.frame_sp);
	OFFSET(VCPU_pv_syscall_callback, struct vcpu, pv.syscall_callback);
	OFFSET(VCPU_pv_syscall_masks_events, struct vcpu, pv.syscall_masks_events);
	OFFSET(DOMAIN_vm_assist, struct domain, vm_assist);
	CONSTANT(ASM_GUEST_SMALL_START, HV_VIRT_START - GUEST_SMALL);
	CONSTANT(ASM_GUEST_SMALL_SIZE, HV_VIRT_END - HV_VIRT_START + GUEST_SMALL);
}
