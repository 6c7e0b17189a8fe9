/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files of domctl and sysctl. */
#ifndef HV_CONTROL_H
#define HV_CONTROL_H

#include "hypervisor/hypercall/hypercall.h"

#include <xen/sysctl.h> /* domctl.h too */

/* An operation on @d, with a reference, under the control plane's lock; the operation's
 * argument is a private copy. 0, -errno; -ERESTART: ask again with what is in the copy. */
typedef long domctl_fn(struct domain *d, struct xen_domctl *op);

extern struct spinlock control_lock; /* domctl.c: try, or answer -ERESTART */

/* ---- domctl_vcpu.c ---- */
domctl_fn domctl_setvcpucontext, domctl_getvcpucontext, domctl_getvcpuinfo;
domctl_fn domctl_setvcpuaffinity, domctl_getvcpuaffinity;
domctl_fn domctl_set_ext_vcpucontext, domctl_get_ext_vcpucontext;
domctl_fn domctl_setvcpuextstate, domctl_getvcpuextstate;
domctl_fn domctl_get_vcpu_msrs, domctl_set_vcpu_msrs, domctl_sendtrigger;
domctl_fn domctl_get_cpu_policy, domctl_set_cpu_policy;
domctl_fn domctl_gdbsx_pausevcpu, domctl_gdbsx_unpausevcpu, domctl_gdbsx_domstatus;

/* ---- domctl_memory.c ---- */
domctl_fn domctl_max_mem, domctl_getpageframeinfo3, domctl_shadow_op, domctl_hypercall_init;
domctl_fn domctl_setnodeaffinity, domctl_getnodeaffinity, domctl_memory_mapping;
domctl_fn domctl_gdbsx_guestmemio;

/* ---- domctl_misc.c ---- */
domctl_fn domctl_irq_permission, domctl_iomem_permission, domctl_ioport_permission;
domctl_fn domctl_settimeoffset, domctl_gettscinfo, domctl_settscinfo;
domctl_fn domctl_set_address_size, domctl_get_address_size;
domctl_fn domctl_scheduler_op, domctl_set_target, domctl_set_virq_handler;
domctl_fn domctl_vm_event_op, domctl_monitor_op, domctl_set_access_required;

/* As XEN_DOMCTL_getdomaininfo has it. */
void domain_info_fill(struct domain *d, struct xen_domctl_getdomaininfo *info);
/* The domain with the lowest number from @domid on, with a reference, even one that is no
 * more than what others still hold of it; NULL. */
struct domain *domain_from(domid_t domid);

/* ---- domctl_misc.c: bitmaps of guests, of any length ---- */
int bitmap_from_guest(uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b);
int bitmap_to_guest(const uint64_t *bits, unsigned int n, const struct xenctl_bitmap *b);
/* A policy's leaves and MSRs to the caller; a NULL address asks for their largest number. */
struct cpu_policy;
long policy_leaves_to_guest(const struct cpu_policy *p, uint64_t gva, uint32_t *n);
long policy_msrs_to_guest(const struct cpu_policy *p, uint64_t gva, uint32_t *n);

/* ---- sysctl_info.c, sysctl_misc.c ---- */
typedef long sysctl_fn(struct xen_sysctl *op);
sysctl_fn sysctl_physinfo, sysctl_cputopoinfo, sysctl_numainfo, sysctl_pcitopoinfo,
	sysctl_page_status;
sysctl_fn sysctl_getcpuinfo, sysctl_availheap, sysctl_getdomaininfolist;
sysctl_fn sysctl_cpu_featureset, sysctl_cpu_policy, sysctl_levelling_caps;
sysctl_fn sysctl_readconsole, sysctl_debug_keys, sysctl_sched_id, sysctl_scheduler_op;
sysctl_fn sysctl_cpupool_op, sysctl_cpu_hotplug, sysctl_tbuf_op;
sysctl_fn sysctl_pm_op;

#endif
