// SPDX-License-Identifier: GPL-2.0-only
/*
 * Switching a CPU between vcpus, and a PV vcpu between its kernel and user. A switch to
 * idle is lazy: the last vcpu's state stays on the CPU (loaded_vcpu, v->dirty_cpu) until
 * another guest comes or somebody needs it in memory.
 */
#include "hypervisor/cpu/fpu.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/cpu/setup.h"
#include "hypervisor/cpu/spec.h"
#include "hypervisor/pv/debugreg.h"
#include "hypervisor/pv/mode.h"
#include "hypervisor/pv/trap.h"
#include "hypervisor/sched/softirq.h"

/* Whose registers are on the CPU: current, unless that is idle. NULL: nobody's. */
static DEFINE_PER_CPU(struct vcpu *, loaded_vcpu);
/* Who taught its branch predictor last, as domid + 1. */
static DEFINE_PER_CPU(uint32_t, predictor_user);

/* ---- roots ---- */

void pv_write_cr3(struct vcpu *v)
{
	load_root(v);
}

void pv_toggle_mode(struct vcpu *v)
{
	toggle_mode(v);
}

/* ---- segments ---- */

void pv_save_segments(struct vcpu *v)
{
	uint64_t active = read_gs_base(), other = rdmsr(MSR_KERNEL_GS_BASE);

	v->pv.ds = read_ds();
	v->pv.es = read_es();
	v->pv.fs = read_fs();
	v->pv.gs = read_gs();
	v->pv.fs_base = read_fs_base();
	v->pv.gs_base_kernel = v->pv.kernel_mode ? active : other;
	v->pv.gs_base_user = v->pv.kernel_mode ? other : active;
}

/* Selectors first: loading one changes the base. A refused one is the failsafe's. */
void pv_load_segments(struct vcpu *v)
{
	struct pv_vcpu *pv = &v->pv;
	bool good = true;

	if (pv->ds | read_ds())
		good &= load_ds(pv->ds);
	if (pv->es | read_es())
		good &= load_es(pv->es);
	if (pv->fs | read_fs())
		good &= load_fs(pv->fs);
	if (pv->gs | read_gs())
		good &= load_gs(pv->gs);
	write_fs_base(pv->fs_base);
	write_gs_base(pv->kernel_mode ? pv->gs_base_kernel : pv->gs_base_user);
	wrmsr(MSR_KERNEL_GS_BASE, pv->kernel_mode ? pv->gs_base_user : pv->gs_base_kernel);
	if (unlikely(!good))
		pv_bounce_to(v, pv->failsafe_callback,
			     TBF_FAILSAFE | (pv->failsafe_masks_events ? TBF_INTERRUPT : 0));
}

void pv_load_ldt(struct vcpu *v)
{
	uint64_t *d = &this_cpu_var(gdt_page)[HV_GDT_INDEX(HV_LDT)];
	uint64_t base = LDT_VADDR(v->id), limit = (uint64_t)v->pv.ldt_entries * 8 - 1;

	if (!v->pv.ldt_entries) {
		load_ldt(0);
		return;
	}
	/* SDM vol. 3, 8.2.3: 16 bytes; type 2, present. */
	d[0] = (limit & 0xffff) | (base & 0xffffff) << 16 | 0x82ull << 40 |
	       (limit >> 16 & 0xf) << 48 | (base >> 24 & 0xff) << 56;
	d[1] = base >> 32;
	load_ldt(HV_LDT);
}

/* ---- a PV vcpu's state, off the CPU and onto it; interrupts off ---- */

void pv_save(struct vcpu *v)
{
	v->regs = *guest_regs();
	pv_save_segments(v);
	if (v->pv.debugreg[7] & DR7_ACTIVE)
		write_dr7(DR7_RESERVED_ONE);
}

void pv_restore(struct vcpu *v)
{
	/* In the new address space this CPU's page of the GDT must be where GDTR will point;
	 * until then an NMI finds its selectors through the CPU's own. */
	WRITE_ONCE(v->pv.gdt_l1[FIRST_RESERVED_GDT_PAGE],
		   mfn_to_maddr(virt_to_mfn(this_cpu_var(gdt_page))) | PTE_PERDOMAIN);
	gdt_load_at(gdt_idle_base());
	pv_write_cr3(v);
	gdt_load_at(GDT_VADDR(v->id));

	*guest_regs() = v->regs;
	pv_load_cr4(v);
	pv_load_ldt(v);
	pv_load_segments(v);
	if (v->pv.debugreg[7] & DR7_ACTIVE) {
		write_dr_addresses(v->pv.debugreg);
		write_dr7(v->pv.debugreg[7]);
	}
}

/* ---- the switch ---- */

/* The CPU no longer holds anything of @v. Its address space is not loaded any more. */
static void let_go(struct vcpu *v, const struct domain *next)
{
	clear_bit(this_cpu, v->dirty.bits);
	if (v->domain != next)
		clear_bit(this_cpu, v->domain->dirty_cpus.bits);
	atomic_store(&v->dirty_cpu, VCPU_CLEAN);
}

static void save_loaded(struct vcpu *v)
{
	fpu_save(v);
	v->domain->ops->save(v);
}

static void switch_state(struct vcpu *old, struct vcpu *next)
{
	if (old)
		save_loaded(old);
	/* Before the first TLB entry of its can be made. */
	set_bit(this_cpu, next->domain->dirty_cpus.bits);
	set_bit(this_cpu, next->dirty.bits);
	next->dirty_cpu = this_cpu;
	this_cpu_var(loaded_vcpu) = next;
	next->domain->ops->restore(next);
	fpu_restore(next);
	if (this_cpu_var(predictor_user) != next->domain->domid + 1u) {
		this_cpu_var(predictor_user) = next->domain->domid + 1u;
		branch_predictor_barrier();
	}
	if (old)
		let_go(old, next->domain);
}

/* Leave the state that idle has kept; interrupts off. */
static void drop_loaded(void)
{
	struct vcpu *v = this_cpu_var(loaded_vcpu);

	if (!v || v == current)
		return;
	save_loaded(v);
	gdt_load_at(gdt_idle_base());
	load_ldt(0);
	tlb_note_flush();
	write_cr3(image_to_maddr(idle_l4));
	xpti_load(NULL);
	this_cpu_var(loaded_vcpu) = NULL;
	let_go(v, NULL);
}

static void drop_loaded_ipi(void *unused)
{
	unsigned long flags = irq_save();

	(void)unused;
	drop_loaded();
	irq_restore(flags);
}

void drop_lazy_state(void)
{
	drop_loaded_ipi(NULL);
}

void sync_vcpu_state(struct vcpu *v)
{
	static DEFINE_PER_CPU(struct cpumask, sync_mask);
	struct cpumask *mask = &this_cpu_var(sync_mask);
	uint32_t cpu = READ_ONCE(v->dirty_cpu);

	if (cpu == VCPU_CLEAN || v == current)
		return;
	if (cpu == this_cpu) {
		drop_loaded_ipi(NULL);
		return;
	}
	set_bit(cpu, mask->bits);
	on_cpus(mask, drop_loaded_ipi, NULL);
	clear_bit(cpu, mask->bits);
}

void context_switch(struct vcpu *prev, struct vcpu *next)
{
	struct vcpu *old;

	if (next->dirty_cpu != VCPU_CLEAN && next->dirty_cpu != this_cpu) {
		/* The other CPU may want something of us meanwhile. */
		irq_enable();
		sync_vcpu_state(next);
		irq_disable();
	}

	old = this_cpu_var(loaded_vcpu);
	set_current(next);
	if (is_idle_vcpu(next)) {
		sched_context_saved(prev);
		reset_stack_and_jump(idle_loop);
	}
	if (old != next)
		switch_state(old, next);
	sched_context_saved(prev);

	update_vcpu_time(next);
	vcpu_timers_resume(next);
	irq_enable();
	vcpu_runstate_update_guest(next);
	reset_stack_and_jump(ret_from_guest_exit);
}
