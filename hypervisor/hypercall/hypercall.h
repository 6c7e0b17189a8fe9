/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The calls. pv/entry.S indexes hypercall_table[] (hypercall/table.c) with a checked and
 * masked number; a missing entry is -ENOSYS. Arguments are as in xen.h; a pointer is the
 * guest's linear address. Interrupts on. Returns what goes into RAX.
 */
#ifndef HV_HYPERCALL_H
#define HV_HYPERCALL_H

#include "hypervisor/domain/domain.h"
#include "hypervisor/hypercall/guest_access.h"
#include "hypervisor/lib/abi.h"
#include "hypervisor/sched/softirq.h"

typedef long (*hypercall_fn)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
extern const hypercall_fn hypercall_table[64];

/*
 * Make the guest ask again, with these arguments (@n of them), after it has run softirqs:
 * return hypercall_continue(...). Inside a multicall the entry is rewritten instead.
 */
long hypercall_continue(unsigned int nr, unsigned int n, ...);

/* What a PV guest may switch on (VMASST_TYPE_*). */
#define VM_ASSISTS                                                                       \
	(1ull << VMASST_TYPE_4gb_segments | 1ull << VMASST_TYPE_4gb_segments_notify |    \
	 1ull << VMASST_TYPE_writable_pagetables | 1ull << VMASST_TYPE_pae_extended_cr3 | \
	 1ull << VMASST_TYPE_architectural_iopl |                                        \
	 1ull << VMASST_TYPE_runstate_update_flag | 1ull << VMASST_TYPE_m2p_strict)

/* ---- memory.c, memory_populate.c ---- */
long do_memory_op(uint64_t cmd, uint64_t arg);
/* ---- version.c, console_io.c, misc.c ---- */
long do_xen_version(int cmd, uint64_t arg);
long do_console_io(unsigned int cmd, unsigned int count, uint64_t buffer);
long do_vm_assist(unsigned int cmd, unsigned int type);
long do_multicall(uint64_t list, uint64_t n);
long do_kexec_op(unsigned long op, uint64_t arg);
long do_xenpmu_op(unsigned int op, uint64_t arg);
long do_mca(uint64_t op);
long do_hvm_op(unsigned long op, uint64_t arg);
long do_dm_op(domid_t domid, unsigned int nr, uint64_t bufs);
/* ---- sched_vcpu.c ---- */
long do_sched_op(int cmd, uint64_t arg);
long do_sched_op_compat(int cmd, uint64_t arg);
long do_vcpu_op(int cmd, unsigned int vcpuid, uint64_t arg);
long do_set_timer_op(int64_t timeout);
/* ---- physdev.c, platform.c ---- */
long do_physdev_op(int cmd, uint64_t arg);
long do_physdev_op_compat(uint64_t uop);
long do_platform_op(uint64_t op);
/* ---- domctl.c, domctl_*.c, sysctl.c, sysctl_*.c ---- */
long do_domctl(uint64_t op);
long do_sysctl(uint64_t op);
const struct cpumask *cpupool_cpus(uint32_t id); /* NULL: no such pool */

/* ---- hypercall/access.c: who may do what to whom; 0 or -EPERM ---- */
enum access {
	ACCESS_ANYONE,        /* the operation itself decides */
	ACCESS_DOMCTL,        /* manage @target's life; control domain */
	ACCESS_SYSCTL,        /* no target */
	ACCESS_PLATFORM,
	ACCESS_PHYSDEV,
	ACCESS_MEMORY,        /* adjust @target's reservation */
	ACCESS_MAP_FOREIGN,   /* map @target's pages */
	ACCESS_MMU_FOREIGN,   /* update @target's page tables */
	ACCESS_EVENT_FOR,     /* allocate, reset or query in @target's name */
	ACCESS_GRANT_FOR,     /* set up, query, copy for @target */
	ACCESS_VERSION_PRIV,  /* command line, build id, changeset */
	ACCESS_CONSOLE,       /* console_io as the hardware domain's terminal */
	ACCESS_SHUTDOWN_FOR,  /* SCHEDOP_remote_shutdown */
	ACCESS_XENSTORE,
};
int access_check(enum access what, const struct domain *target);

#endif
