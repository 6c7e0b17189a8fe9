/* SPDX-License-Identifier: GPL-2.0-only */
/* What pv/ offers to the rest, and its files to each other. */
#ifndef HV_PV_H
#define HV_PV_H

#include "hypervisor/domain/domain.h"
#include "hypervisor/mm/mm.h"

/* ---- entry and exceptions (pv/entry.S, pv/traps.c, pv/trap_guest.c) ---- */
/* Deliver @vector to the current guest on the way out. @ec: for those that push one. */
void pv_inject(unsigned int vector, uint32_t error_code);
void pv_inject_page_fault(uint32_t error_code, uint64_t address);
/* #GP from guest kernel or user: emulate (pv/emulate_priv.c). True: done. */
bool pv_emulate_privileged(struct cpu_user_regs *regs);
/* #PF on a read-only page table or MMCONFIG: pv/emulate_ptwr.c. True: done. */
bool pv_emulate_pte_write(uint64_t address, struct cpu_user_regs *regs);
bool pv_invalid_op(struct cpu_user_regs *regs); /* forced-emulation CPUID */
long pv_iret(void); /* HYPERVISOR_iret (pv/trap_guest.c) */
void pv_toggle_mode(struct vcpu *v); /* kernel <-> user: roots and GS bases */

/* ---- switching (pv/switch.c) ---- */
void pv_save_segments(struct vcpu *v);
void pv_load_segments(struct vcpu *v);
void pv_load_ldt(struct vcpu *v);
void pv_write_cr3(struct vcpu *v);
static inline uint64_t pv_cr3_of(const struct vcpu *v)
{
	return mfn_to_maddr(v->pv.kernel_mode ? v->pv.kernel_root : v->pv.user_root);
}

/* ---- page tables (pv/page_types.c, pv/page_tables.c, pv/mmu_ops.c) ---- */
/* The L1 entry that maps @va in the current address space, mapped for use, its frame
 * held and typed L1 until pv_unmap_l1e(); NULL. */
uint64_t *pv_map_l1e(uint64_t va, mfn_t *l1mfn);
uint64_t pv_read_l1e(uint64_t va); /* guest's entry through the current tables; 0 */
/* Checked update, as mmu_update does one; 0 or -errno. */
int pv_mod_l1(uint64_t *l1e, uint64_t new, mfn_t l1mfn, struct domain *page_owner, bool preserve_ad);
int pv_new_root(struct vcpu *v, mfn_t root, bool user); /* takes the type reference */
int pv_drop_roots(struct vcpu *v);
long do_mmu_update(uint64_t ureqs, unsigned int count, uint64_t pdone, unsigned int foreigndom);
long do_mmuext_op(uint64_t uops, unsigned int count, uint64_t pdone, unsigned int foreigndom);
long do_update_va_mapping(uint64_t va, uint64_t val, uint64_t flags);
long do_update_va_mapping_otherdomain(uint64_t va, uint64_t val, uint64_t flags, domid_t dom);
void pv_unmap_l1e(uint64_t *l1e, mfn_t l1mfn); /* after pv_map_l1e() */
int pv_finish_tables(struct vcpu *v); /* tear down what @v gave up; 0 or -ERESTART */
void pv_audit_init(void); /* debug key 'y' (pv/audit.c) */
/* Destruction: drop roots, unpin all; 0 or -ERESTART. */
int pv_relinquish_page_tables(struct domain *d);

/* ---- descriptors (pv/descriptor.c) ---- */
bool pv_check_descriptor(const struct domain *d, uint64_t *desc); /* may fix DPL; false: refuse */
int pv_set_gdt(struct vcpu *v, const uint64_t *frames, unsigned int entries);
void pv_destroy_gdt(struct vcpu *v);
bool pv_map_ldt_page(uint64_t offset); /* #PF inside the LDT's mapping; interrupts on */
/* After a selector of current's was refused. True: its page was missing, try again. */
bool pv_map_wanted_ldt(void);
long do_set_gdt(uint64_t frame_list, unsigned int entries);
long do_update_descriptor(uint64_t gaddr, uint64_t desc);
void pv_invalidate_ldt(struct vcpu *v);

/* ---- callbacks and small calls (pv/callback.c, pv/misc.c) ---- */
long do_set_trap_table(uint64_t traps);
long do_set_callbacks(uint64_t event, uint64_t failsafe, uint64_t syscall);
long do_callback_op(int cmd, uint64_t arg);
long do_stack_switch(uint64_t ss, uint64_t sp);
void pv_set_kernel_stack(struct vcpu *v, uint64_t ss, uint64_t sp);
long do_fpu_taskswitch(int set);
long do_set_debugreg(int reg, uint64_t value);
long do_get_debugreg(int reg);
long do_set_segment_base(unsigned int which, uint64_t base);
long do_nmi_op(unsigned int cmd, uint64_t arg);

/* ---- dom0 builder (boot/dom0.c) ---- */
struct boot_module;
void pv_build_dom0(const struct boot_module *kernel, const struct boot_module *initrd);

#endif
