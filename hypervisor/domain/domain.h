/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains and their vcpus. A struct domain is one page, a struct vcpu one to two, both in
 * the direct map. References keep the struct, not the domain alive: look at `dying`.
 */
#ifndef HV_DOMAIN_H
#define HV_DOMAIN_H

#include "hypervisor/event/event.h"
#include "hypervisor/grant/grant.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/pv/pv_state.h"
#include "hypervisor/sched/sched.h"
#include "hypervisor/sched/softirq.h"

#define MAX_VCPUS      8192
#define LEGACY_VCPUS   32 /* have their vcpu_info in the shared-info page */

enum dying { ALIVE, DYING, DEAD };

struct cpu_policy;   /* cpu/policy.h: CPUID and MSRs the domain sees */
struct xsave_area;
struct pirq_table;   /* cpu/irq_desc.h */
struct rangeset;     /* lib/rangeset.h */

struct domain {
	domid_t domid;
	uint8_t pv : 1, hvm : 1, control : 1 /* may call domctl and sysctl */,
		hardware : 1 /* has the machine's devices */, xenstore : 1, debugger : 1;
	uint8_t dying;                /* enum dying */
	bool is_shut_down, is_shutting_down;
	bool started;                 /* unpaused once: its CPU policy stays */
	uint8_t shutdown_code;
	int32_t refs;                 /* the list's reference included */
	struct domain *next_in_hash;
	struct list all;              /* every domain, by domid */
	xen_domain_handle_t handle;
	uint32_t createflags;         /* XEN_DOMCTL_CDF_* */
	uint32_t ssidref;
	const struct guest_ops *ops;
	struct domain *target;        /* device model's: may act for it */

	struct spinlock lock;
	struct spinlock page_lock;    /* LOCK_DOMAIN_PAGES */
	uint32_t first_page, last_page; /* of its list of frames, by number */
	uint32_t tot_pages, max_pages, outstanding_pages, extra_pages, xenheap_pages;
	uint32_t shr_pages, paged_pages;
	uint64_t max_gfn;             /* XENMEM_maximum_gpfn */
	void *memory_map;             /* XENMEM_set_memory_map, as the BIOS gives it */
	uint32_t nr_memory_map;

	uint32_t max_vcpus;
	struct vcpu **vcpu;
	struct shared_info *shared_info; /* a frame of ours that the guest maps */
	uint64_t vm_assist;

	int32_t pause_count, tools_pause_count;
	uint32_t suspend_port;        /* XEN_DOMCTL_subscribe: told of a suspend; 0: none */
	uint64_t *poll_mask;          /* vcpus in SCHEDOP_poll, a bit each */
	struct cpumask *node_affinity;
	uint32_t node;
	uint32_t cpupool;
	const struct cpumask *pool_cpus; /* its CPUs: hypercall/cpupool.c; NULL: all */

	struct event_domain event;
	struct grant_table *grant_table;
	struct rangeset *iomem, *ioports, *irqs; /* what it may touch */
	struct pirq_table *pirqs;
	uint32_t pci_cf8; /* the address it wrote to port 0xcf8: cpu/pci.c */

	struct cpu_policy *policy;
	struct {
		uint32_t mode; /* TSC_MODE_* */
		bool vtsc;
		uint32_t khz, incarnation;
		int64_t offset;
	} tsc;
	int64_t time_offset_seconds;

	void *sched_data;
	void *relinquish; /* progress of a destruction under way */
	uint32_t relinquish_state;
	struct tasklet destroy_tasklet; /* the last reference may go in any context */
	struct timer watchdog[2];     /* SCHEDOP_watchdog */
	uint32_t watchdog_inuse;
	struct pv_domain pv_state;
	uint64_t *perdomain_l3; /* slot 258 */
	struct cpumask dirty_cpus; /* may have its TLB entries */
};

struct vcpu {
	struct domain *domain;
	uint32_t id, cpu;             /* number; the CPU it is on, or will be */
	uint32_t last_cpu;
	bool is_running;              /* on a CPU now */
	bool initialised;
	uint64_t pause_flags;         /* enum vcpu_pause_flag */
	int32_t pause_count;
	struct cpumask hard_affinity, soft_affinity;
	void *sched_data;             /* its policy's */
	struct list queue;            /* of the policy, while it is queued: waits for a CPU */
	bool queued;

	struct vcpu_info *info;       /* in shared info, or where the guest registered it */
	struct vcpu_info own_info;    /* from LEGACY_VCPUS on, before that */
	struct guest_page info_page;  /* the registered one's */

	struct {
		int state; /* RUNSTATE_* */
		stime_t since;
		uint64_t time[4];
		uint64_t guest_area; /* guest linear address of vcpu_runstate_info; 0: none */
	} runstate;
	uint64_t time_area;           /* VCPUOP_register_vcpu_time_memory_area */
	bool time_area_stale;           /* to be written once its kernel runs: pv_toggle_mode() */

	struct timer singleshot, periodic, poll_timer;
	uint64_t period;
	stime_t last_tick;
	int32_t poll_port;            /* one polled port, or -1: several */

	struct event_vcpu event;
	struct {
		bool pending, masked;
	} nmi;

	uint64_t *window;             /* L1 entries of its map_frame() window */
	struct cpu_user_regs regs;    /* while not running */
	struct pv_vcpu pv;
	struct fpu {
		struct xsave_area *area;
		uint64_t xcr0, xcr0_accum;
		bool dirty, initialised;
	} fpu;
	struct cpumask dirty;         /* the CPU that still holds its state (lazy switch) */
	uint32_t dirty_cpu;           /* VCPU_CLEAN, or that CPU */
	struct {
		bool active, preempted;
		struct multicall_entry call;
	} multicall;
	uint32_t pin_override;        /* SCHEDOP_pin_override: CPU + 1; 0: none */
};
#define VCPU_CLEAN (~0u)

/* What differs between guest kinds. domain_init: rights, policy, slot 258, events, grants,
 * PIRQs are there; vcpu_init: FPU area, scheduler and events are. The destroy calls also
 * come when the init call failed or never came. */
struct guest_ops {
	int (*domain_init)(struct domain *d);
	int (*domain_relinquish)(struct domain *d); /* page tables...; -ERESTART */
	void (*domain_destroy)(struct domain *d);
	int (*vcpu_init)(struct vcpu *v);
	void (*vcpu_destroy)(struct vcpu *v);
	void (*save)(struct vcpu *v);    /* off the CPU */
	void (*restore)(struct vcpu *v); /* onto it */
	/* XEN_DOMCTL_get/setvcpucontext and VCPUOP_initialise: the public layout. */
	int (*set_context)(struct vcpu *v, const struct vcpu_guest_context *c);
	void (*get_context)(struct vcpu *v, struct vcpu_guest_context *c);
	/* gfn to mfn of an auto-translated guest; identity for PV. */
	mfn_t (*translate)(struct domain *d, gfn_t gfn);
};
extern const struct guest_ops pv_guest_ops;

extern struct domain *dom0, *dom_xen, *dom_io; /* pages of xen's, and device memory */

void domains_init(void); /* idle domain with CPU 0's vcpu, dom_xen, dom_io */
/* As XEN_DOMCTL_createdomain, paused by tools once; config NULL for the idle domain. NULL: *err. */
struct xen_domctl_createdomain;
struct domain *domain_create(domid_t domid, const struct xen_domctl_createdomain *config,
			     bool privileged, int *err);
struct vcpu *vcpu_create(struct domain *d, unsigned int id, unsigned int cpu);
struct vcpu *idle_vcpu_create(unsigned int cpu);

struct domain *domain_get(domid_t domid); /* with a reference, DOMID_SELF too; NULL */
struct domain *domain_get_any(domid_t domid); /* dying ones too (not DEAD) */
bool domain_ref(struct domain *d);
void domain_put(struct domain *d);
struct domain *domain_next(struct domain *d); /* takes one, drops @d's; NULL starts/ends */
struct vcpu *domain_vcpu(struct domain *d, unsigned int id); /* NULL; index-safe */

int domain_kill(struct domain *d);  /* XEN_DOMCTL_destroydomain; -ERESTART */
void domain_shutdown(struct domain *d, uint8_t reason);
void domain_resume(struct domain *d);
void domain_crash(struct domain *d, const char *why); /* current's state is printed */

int vcpu_map_info(struct vcpu *v, gfn_t gfn, uint32_t offset); /* VCPUOP_register_vcpu_info */
void vcpu_unmap_info(struct vcpu *v);
void vcpu_kick(struct vcpu *v); /* wake it, or make it leave guest mode to look */
void vcpu_nmi(struct vcpu *v);  /* one is pending, if it was not */
long domain_watchdog(struct domain *d, uint32_t id, uint32_t timeout); /* SCHEDOP_watchdog */
int vcpu_reset(struct vcpu *v);

/* ---- between the files of domain/ ---- */
bool domain_list_add(struct domain *d); /* false: the number is taken */
void domain_list_remove(struct domain *d);
void domain_free(void *d); /* after the last reference: everything that it still has */
void vcpu_free(struct vcpu *v);
void domain_watchdogs_init(struct domain *d);
void domain_watchdogs_kill(struct domain *d);

static inline bool is_idle_vcpu(const struct vcpu *v)
{
	return v->domain->domid == DOMID_IDLE;
}

#define for_each_vcpu(d, v, i)                                                           \
	for ((i) = 0; (i) < (d)->max_vcpus; (i)++)                                       \
		if (!((v) = (d)->vcpu[i])) {                                              \
		} else

#endif
