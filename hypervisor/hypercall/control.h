/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of domctl and sysctl. */
#ifndef HV_CONTROL_H
#define HV_CONTROL_H

#include "hypervisor/hypercall/op.h"

#include <xen/sysctl.h> /* domctl.h too */

/*
 * A family whose argument starts with the operation's number and the version of the
 * interface, and of which each operation has a place in a union: domctl, sysctl, platform.
 * op_call.arg is that place in a private copy of the argument. -ERESTART: ask again with
 * what is in the copy.
 */
struct control_op {
	op_fn *fn;
	int16_t answer;  /* without fn, the feature is off; 0: -ENOSYS */
	uint16_t flags;  /* CTL_* */
	uint8_t no_vcpu; /* errno when there is no such vcpu; 0: -EINVAL if there can be none */
};
#define CTL_RESULTS   1u  /* copied back, unless it failed */
#define CTL_ALWAYS    2u  /* then too */
#define CTL_LOCKED    4u  /* under control_lock */
#define CTL_NO_DOMAIN 8u  /* domctl: fn finds it itself */
#define CTL_VCPU      16u /* the first word is a vcpu of the domain: op_call.v */
#define CTL_OTHERS    32u /* not of the caller's own domain: it cannot be stopped */
#define CTL_XENSTORE  64u /* xenstored may ask */

struct control_family {
	const struct control_op *ops;
	uint16_t nr_ops, second_at; /* numbers from @second on are in the table from here on */
	uint32_t second, version;
	uint8_t hypercall, access, union_at, size;
};
long control_call(const struct control_family *f, uint64_t uop);

/* The argument that a domctl's op_call is of. */
#define domctl_of(c) container_of((c)->arg, struct xen_domctl, u)

/* The control plane does one thing at a time. Try, or answer -ERESTART: who has it may be
 * waiting for this CPU. */
extern struct spinlock control_lock;

/* ---- domctl_vcpu.c ---- */
op_fn domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo;
op_fn domctl_setvcpuaffinity, domctl_getvcpuaffinity;
op_fn domctl_set_ext_vcpucontext, domctl_get_ext_vcpucontext;
op_fn domctl_setvcpuextstate, domctl_getvcpuextstate;
op_fn domctl_get_vcpu_msrs, domctl_set_vcpu_msrs, domctl_sendtrigger;
op_fn domctl_get_cpu_policy, domctl_set_cpu_policy;
op_fn domctl_gdbsx_pausevcpu, domctl_gdbsx_unpausevcpu, domctl_gdbsx_domstatus;

/* ---- domctl_memory.c ---- */
op_fn domctl_max_mem, domctl_getpageframeinfo3, domctl_shadow_op, domctl_hypercall_init;
op_fn domctl_setnodeaffinity, domctl_getnodeaffinity, domctl_memory_mapping;
op_fn domctl_gdbsx_guestmemio;

/* ---- domctl_misc.c ---- */
op_fn domctl_irq_permission, domctl_iomem_permission, domctl_ioport_permission;
op_fn domctl_settimeoffset, domctl_gettscinfo, domctl_settscinfo;
op_fn domctl_set_address_size, domctl_get_address_size;
op_fn domctl_scheduler_op, domctl_set_target, domctl_set_virq_handler;
op_fn domctl_vm_event_op, domctl_monitor_op, domctl_set_access_required;

/* As XEN_DOMCTL_getdomaininfo has it. */
void domain_info_fill(struct domain *d, struct xen_domctl_getdomaininfo *info);
/* The domain with the lowest number from @domid on, with a reference, even one that is no
 * more than what others still hold of it; NULL. */
struct domain *domain_from(domid_t domid);

/* The domain of that number, even one that only lingers, with a reference; NULL. */
struct domain *domain_find(domid_t domid);

/* ---- control.c: bitmaps of guests, of any length ---- */
int bitmap_from_guest(uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b);
int bitmap_to_guest(const uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b);
/* A policy's leaves and MSRs to the caller; a NULL address asks for their largest number. */
struct cpu_policy;
long policy_to_guest(const struct cpu_policy *p, uint64_t leaves, uint32_t *nr_leaves,
		     uint64_t msrs, uint32_t *nr_msrs);

/* ---- platform.c: what CPUID says of this CPU's kind; all of a machine are of one ---- */
struct cpu_names {
	char vendor[12];
	uint32_t max_leaf, family, model, stepping, ecx, edx;
};
void cpu_names(struct cpu_names *n);

/* ---- sysctl_info.c, sysctl_misc.c ---- */
op_fn sysctl_physinfo, sysctl_cputopoinfo, sysctl_numainfo, sysctl_pcitopoinfo;
op_fn sysctl_page_offline_op, sysctl_perfc_op;
op_fn sysctl_getcpuinfo, sysctl_availheap, sysctl_getdomaininfolist;
op_fn sysctl_get_cpu_featureset, sysctl_get_cpu_policy, sysctl_get_cpu_levelling_caps;
op_fn sysctl_readconsole, sysctl_debug_keys, sysctl_sched_id, sysctl_scheduler_op;
op_fn sysctl_cpupool_op, sysctl_cpu_hotplug, sysctl_tbuf_op;
op_fn sysctl_pm_op;

#endif
