// SPDX-License-Identifier: GPL-2.0-only
/* PV's part in the life of domains and vcpus; a vcpu's state as the public vcpu_guest_context. */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/spec.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/pv.h"
#include "hypervisor/pv/segment.h"
#include "hypervisor/pv/trap.h"
#include "hypervisor/pv/mode.h"

static int pv_domain_init(struct domain *d)
{
	d->pv_state.check_absent = spec_l1tf_checked(d->hardware);
	return 0;
}

static int pv_domain_relinquish(struct domain *d)
{
	struct vcpu *v;
	unsigned int i;

	for_each_vcpu(d, v, i) {
		pv_destroy_gdt(v);
		v->pv.ldt_entries = 0;
		pv_invalidate_ldt(v);
	}
	return pv_relinquish_page_tables(d);
}

static int pv_vcpu_init(struct vcpu *v)
{
	uint64_t *l1 = perdomain_l1(v->domain, GDT_VADDR(v->id));

	if (!l1 || !perdomain_l1(v->domain, WINDOW_VADDR(v->id)))
		return -ENOMEM;
	v->pv.gdt_l1 = l1 + (GDT_VADDR(v->id) >> PAGE_SHIFT & 511);
	v->pv.kernel_mode = true;
	v->pv.ctrlreg[4] = pv_guest_cr4(0);
	v->pv.debugreg[6] = DR6_RESERVED_ONE;
	v->pv.debugreg[7] = DR7_RESERVED_ONE;
	return 0;
}

static mfn_t pv_translate(struct domain *d, gfn_t gfn)
{
	(void)d;
	return MFN(gfn.n);
}

/* ---- contexts ---- */

static bool context_valid(const struct vcpu_guest_context *c)
{
	unsigned int i;

	for (i = 0; i < 256; i++)
		if (!is_canonical(c->trap_ctxt[i].address))
			return false;
	return is_canonical(c->user_regs.rip) && is_canonical(c->event_callback_eip) &&
	       is_canonical(c->failsafe_callback_eip) && is_canonical(c->syscall_callback_eip) &&
	       is_canonical(c->fs_base) && is_canonical(c->gs_base_kernel) &&
	       is_canonical(c->gs_base_user) && c->ldt_ents <= 8192 &&
	       (!c->ldt_ents || guest_range_ok(c->ldt_base, c->ldt_ents * 8)) &&
	       c->gdt_ents <= FIRST_RESERVED_GDT_ENTRY;
}

/* What a vcpu that has run may not get by this call: other page tables or another GDT. */
static bool same_tables(const struct vcpu *v, const struct vcpu_guest_context *c)
{
	unsigned int i;

	if (c->ctrlreg[3] >> PAGE_SHIFT != v->pv.kernel_root.n ||
	    c->ctrlreg[1] >> PAGE_SHIFT != v->pv.user_root.n || c->gdt_ents != v->pv.gdt_entries ||
	    c->ldt_base != v->pv.ldt_base || c->ldt_ents != v->pv.ldt_entries)
		return false;
	for (i = 0; i < ROUND_UP(v->pv.gdt_entries, 512) / 512; i++)
		if (c->gdt_frames[i] != v->pv.gdt_frame[i].n)
			return false;
	return true;
}

static int set_tables(struct vcpu *v, const struct vcpu_guest_context *c)
{
	int rc;

	rc = pv_set_gdt(v, (const uint64_t *)c->gdt_frames, (unsigned int)c->gdt_ents);
	if (rc)
		return rc;
	v->pv.ldt_base = c->ldt_base;
	v->pv.ldt_entries = (uint32_t)c->ldt_ents;
	rc = pv_new_root(v, MFN(c->ctrlreg[3] >> PAGE_SHIFT), false);
	if (!rc && c->ctrlreg[1] >> PAGE_SHIFT)
		rc = pv_new_root(v, MFN(c->ctrlreg[1] >> PAGE_SHIFT), true);
	if (rc)
		pv_destroy_gdt(v); /* roots that were set stay until the vcpu's end */
	return rc;
}

static void set_entry_points(struct vcpu *v, const struct vcpu_guest_context *c)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		v->pv.trap[i].address = c->trap_ctxt[i].address;
		v->pv.trap[i].cs = c->trap_ctxt[i].cs | 3;
		v->pv.trap[i].flags = c->trap_ctxt[i].flags;
	}
	v->pv.event_callback = c->event_callback_eip;
	v->pv.failsafe_callback = c->failsafe_callback_eip;
	v->pv.syscall_callback = c->syscall_callback_eip;
	v->pv.failsafe_masks_events = c->flags & VGCF_failsafe_disables_events;
	v->pv.syscall_masks_events = c->flags & VGCF_syscall_disables_events;
	pv_set_kernel_stack(v, c->kernel_ss, c->kernel_sp);
}

static int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
	unsigned int i;
	int rc;

	if (!context_valid(c))
		return -EINVAL;
	if (!(c->flags & VGCF_in_kernel) && !(c->ctrlreg[1] >> PAGE_SHIFT))
		return -EINVAL;
	if (v->initialised && !same_tables(v, c))
		return -EOPNOTSUPP;

	v->pv.iopl = c->user_regs.rflags >> 12 & 3;
	v->regs = c->user_regs;
	pv_sanitise_regs(&v->regs);
	v->regs.entry_vector = 0;
	v->pv.ds = c->user_regs.ds;
	v->pv.es = c->user_regs.es;
	v->pv.fs = c->user_regs.fs;
	v->pv.gs = c->user_regs.gs;
	v->pv.fs_base = c->fs_base;
	v->pv.gs_base_kernel = c->gs_base_kernel;
	v->pv.gs_base_user = c->gs_base_user;
	v->pv.kernel_mode = c->flags & VGCF_in_kernel;
	set_entry_points(v, c);

	v->pv.ctrlreg[0] = c->ctrlreg[0] & X86_CR0_TS;
	v->pv.ctrlreg[4] = pv_guest_cr4(c->ctrlreg[4]);
	for (i = 0; i < 8; i++)
		if (i != 4 && i != 5 && pv_set_debugreg(v, i, c->debugreg[i]))
			return -EINVAL;
	/* Of a guest that goes on after a checkpoint XCR0 stays as it was. */
	if (!v->initialised)
		fpu_reset(v);
	if (c->flags & VGCF_I387_VALID)
		fpu_set_legacy(v, &c->fpu_ctxt);

	if (!v->initialised) {
		rc = set_tables(v, c);
		if (rc)
			return rc;
		if (!v->id)
			v->domain->vm_assist = c->vm_assist & VM_ASSISTS;
		v->initialised = true;
	}
	if (c->flags & VGCF_online)
		clear_bit(VCPU_DOWN, &v->pause_flags);
	else
		set_bit(VCPU_DOWN, &v->pause_flags);
	return 0;
}

/* @v is paused and its state in memory. */
static void pv_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	fpu_get_legacy(v, &c->fpu_ctxt);
	c->flags = VGCF_i387_valid;
	if (v->pv.kernel_mode)
		c->flags |= VGCF_in_kernel;
	if (!test_bit(VCPU_DOWN, &v->pause_flags))
		c->flags |= VGCF_online;
	if (v->pv.failsafe_masks_events)
		c->flags |= VGCF_failsafe_disables_events;
	if (v->pv.syscall_masks_events)
		c->flags |= VGCF_syscall_disables_events;

	c->user_regs = v->regs;
	c->user_regs.error_code = c->user_regs.entry_vector = 0;
	c->user_regs.rflags |= (uint64_t)(v->pv.iopl & 3) << 12;
	c->user_regs.ds = v->pv.ds;
	c->user_regs.es = v->pv.es;
	c->user_regs.fs = v->pv.fs;
	c->user_regs.gs = v->pv.gs;
	c->fs_base = v->pv.fs_base;
	c->gs_base_kernel = v->pv.gs_base_kernel;
	c->gs_base_user = v->pv.gs_base_user;

	for (i = 0; i < 256; i++) {
		c->trap_ctxt[i].vector = (uint8_t)i;
		c->trap_ctxt[i].flags = v->pv.trap[i].flags;
		c->trap_ctxt[i].cs = v->pv.trap[i].cs;
		c->trap_ctxt[i].address = v->pv.trap[i].address;
	}
	c->event_callback_eip = v->pv.event_callback;
	c->failsafe_callback_eip = v->pv.failsafe_callback;
	c->syscall_callback_eip = v->pv.syscall_callback;
	c->kernel_ss = v->pv.kernel_ss;
	c->kernel_sp = v->pv.kernel_sp;

	c->ldt_base = v->pv.ldt_base;
	c->ldt_ents = v->pv.ldt_entries;
	c->gdt_ents = v->pv.gdt_entries;
	for (i = 0; i < ROUND_UP(v->pv.gdt_entries, 512) / 512; i++)
		c->gdt_frames[i] = v->pv.gdt_frame[i].n;
	c->ctrlreg[0] = pv_guest_cr0(v);
	c->ctrlreg[1] = mfn_to_maddr(v->pv.user_root);
	c->ctrlreg[3] = mfn_to_maddr(v->pv.kernel_root);
	c->ctrlreg[4] = v->pv.ctrlreg[4];
	for (i = 0; i < 8; i++)
		c->debugreg[i] = v->pv.debugreg[i];
	c->debugreg[7] |= v->pv.dr7_emul;
	c->vm_assist = v->domain->vm_assist;
}

const struct guest_ops pv_guest_ops = {
	.domain_init = pv_domain_init,
	.domain_relinquish = pv_domain_relinquish,
	.vcpu_init = pv_vcpu_init,
	.save = pv_save,
	.restore = pv_restore,
	.set_context = pv_set_context,
	.get_context = pv_get_context,
	.translate = pv_translate,
};
