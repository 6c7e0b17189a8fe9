/* SPDX-License-Identifier: GPL-2.0-only */
/* What a PV domain and its vcpus have besides; part of struct domain and struct vcpu. */
#ifndef HV_PV_STATE_H
#define HV_PV_STATE_H

#include "hypervisor/lib/abi.h"
#include "hypervisor/mm/frame.h"

struct pv_domain {
	bool check_absent; /* against L1TF: see absent_entry_check() */
	uint32_t shadow_log_dirty; /* log-dirty mode for xl save */
	struct frame *relinquish_at; /* destruction's place in the page list, with a reference */
};

struct pv_trap {
	uint16_t cs;
	uint8_t flags; /* TI_GET_DPL, TI_GET_IF */
	uint64_t address;
};

struct pv_vcpu {
	/* Roots: frames with an L4 type reference. User's is 0 until set. */
	mfn_t kernel_root, user_root;
	uint64_t cr3; /* what CR3 gets now: kernel's or user's, or the XPTI root */
	bool kernel_mode; /* TF_kernel_mode: which of the two */

	struct pv_trap trap[256];
	uint64_t event_callback, failsafe_callback, syscall_callback, syscall32_callback,
		sysenter_callback; /* linear addresses */
	uint16_t syscall32_cs, sysenter_cs;
	bool syscall_masks_events, syscall32_masks_events, sysenter_masks_events,
		failsafe_masks_events;

	uint64_t kernel_ss, kernel_sp;
	uint64_t frame_sp; /* kernel_sp as a frame begins there; 0: ask the long way */
	uint64_t ctrlreg[8]; /* CR0 (TS...), CR2 in vcpu_info, CR3, CR4 as the guest sees */
	uint64_t fs_base, gs_base_kernel, gs_base_user; /* while not running */
	uint16_t ds, es, fs, gs;
	uint64_t debugreg[8], dr7_emul;
	uint8_t debugger_event; /* the exception that gdbsx has not asked for yet; 0: none */
	unsigned int iopl;
	uint8_t *iobmp; /* PHYSDEVOP_set_iobitmap: the guest's address, read when it is asked */
	uint32_t iobmp_limit; /* ports below it have a bit */

	uint64_t *gdt_l1; /* slot 258's entries of its GDT's 16 pages, then its LDT's 16 */
	mfn_t gdt_frame[14];
	uint32_t gdt_entries;
	uint64_t ldt_base;
	uint32_t ldt_entries; /* LDT pages are mapped when first used */
	uint32_t ldt_wanted;  /* where we needed one ourselves: offset + 1; 0: nowhere */
	/* Tables given up but not yet torn down (frame_finish_put()), with a general
	 * reference each: pv_finish_tables() before anything else is done to page tables. */
	struct frame *old_table[2];

	/* the bounce: an exception to be delivered on the way out */
	struct pv_bounce {
		uint32_t error_code;
		uint8_t flags; /* TBF_* of pv/trap.h */
		uint16_t cs;
		uint64_t address;
	} bounce;
};

#endif
