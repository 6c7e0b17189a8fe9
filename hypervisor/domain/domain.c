// SPDX-License-Identifier: GPL-2.0-only
/* Creation of domains, and what is left to free when the last reference is gone. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/domain/domain.h"
#include "hypervisor/hypercall/hypercall.h"
#include "hypervisor/lib/rangeset.h"
#include "hypervisor/mm/mm.h"

#include <xen/domctl.h>

_Static_assert(sizeof(struct domain) <= PAGE_SIZE, "a domain is one page");

#define EXTRA_PIRQS_HARDWARE 224 /* beside the lines: MSIs */
#define EXTRA_PIRQS          32

static uint32_t opt_gnttab_max_frames = 64;
BOOT_OPTION_INT("gnttab_max_frames", opt_gnttab_max_frames);
static uint32_t opt_gnttab_max_maptrack_frames = 1024;
BOOT_OPTION_INT("gnttab_max_maptrack_frames", opt_gnttab_max_maptrack_frames);

struct domain *dom0, *dom_xen, *dom_io;
static struct domain *dom_idle;

static struct domain *domain_alloc(domid_t domid)
{
	struct domain *d = heap_pages(0);

	if (!d)
		return NULL;
	d->domid = domid;
	d->refs = 1;
	d->max_pages = ~0u;
	d->shutdown_code = 0xff;
	spin_lock_init(&d->lock, LOCK_DOMAIN);
	spin_lock_init(&d->page_lock, LOCK_DOMAIN_PAGES);
	list_init(&d->all);
	tasklet_init(&d->destroy_tasklet, domain_free, d);
	return d;
}

static int check_config(const struct xen_domctl_createdomain *c)
{
	if (c->flags & ~(XEN_DOMCTL_CDF_MAX * 2 - 1))
		return -EINVAL;
	/* No HVM yet, nor what needs it; and no IOMMU. */
	if (c->flags & (XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_iommu |
			XEN_DOMCTL_CDF_vpmu))
		return -EOPNOTSUPP;
	if (c->flags & (XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_oos_off | XEN_DOMCTL_CDF_s3_integrity))
		return -EINVAL;
	if (!c->max_vcpus || c->max_vcpus > MAX_VCPUS || c->iommu_opts || c->vmtrace_size ||
	    c->arch.emulation_flags)
		return -EINVAL;
	if (XEN_DOMCTL_GRANT_version(c->grant_opts) > 2)
		return -EINVAL;
	/* Negative: the command line's; those are also the most that anyone is given. */
	if (c->max_grant_frames > (int64_t)opt_gnttab_max_frames ||
	    c->max_maptrack_frames > (int64_t)opt_gnttab_max_maptrack_frames)
		return -EINVAL;
	return 0;
}

static int create_rights(struct domain *d)
{
	d->iomem = rangeset_create();
	d->ioports = rangeset_create();
	d->irqs = rangeset_create();
	return d->iomem && d->ioports && d->irqs ? 0 : -ENOMEM;
}

static int create_shared_info(struct domain *d)
{
	d->shared_info = heap_pages(0);
	if (!d->shared_info)
		return -ENOMEM;
	share_frame_with(virt_to_frame(d->shared_info), d, true);
	return 0;
}

/* Each step may find nothing of the next ones in domain_free(). */
static int domain_fill(struct domain *d, const struct xen_domctl_createdomain *c)
{
	unsigned int pirqs = nr_gsis() + (d->hardware ? EXTRA_PIRQS_HARDWARE : EXTRA_PIRQS);
	int32_t frames = c->max_grant_frames, maptrack = c->max_maptrack_frames;
	int rc;

	memcpy(d->handle, c->handle, sizeof(d->handle));
	d->createflags = c->flags;
	d->ssidref = c->ssidref;
	d->xenstore = !!(c->flags & XEN_DOMCTL_CDF_xs_domain);
	d->node = ANY_NODE;
	d->cpupool = c->cpupool_id;
	d->pool_cpus = cpupool_cpus(c->cpupool_id);
	d->max_vcpus = c->max_vcpus;
	d->vcpu = xzalloc_array(struct vcpu *, d->max_vcpus);
	d->poll_mask = xzalloc_array(uint64_t, (d->max_vcpus + 63) / 64);
	if (!d->vcpu || !d->poll_mask)
		return -ENOMEM;
	domain_watchdogs_init(d);
	if ((rc = create_rights(d)) || (rc = create_shared_info(d)) ||
	    (rc = policy_domain_init(d)) || (rc = perdomain_create(d)) ||
	    (rc = sched_policy->domain_init ? sched_policy->domain_init(d) : 0))
		return rc;
	rc = event_domain_init(d, (uint32_t)MIN((uint64_t)c->max_evtchn_port + 1,
						(uint64_t)EVTCHN_FIFO_NR_CHANNELS));
	if (rc)
		return rc;
	rc = grant_table_create(d, frames < 0 ? opt_gnttab_max_frames : (uint32_t)frames,
				maptrack < 0 ? opt_gnttab_max_maptrack_frames : (uint32_t)maptrack,
				c->grant_opts);
	if (rc)
		return rc;
	rc = pirq_domain_init(d, pirqs);
	return rc ? rc : d->ops->domain_init(d);
}

struct domain *domain_create(domid_t domid, const struct xen_domctl_createdomain *config,
			     bool privileged, int *err)
{
	struct domain *d;

	*err = config ? check_config(config) : 0;
	if (*err)
		return NULL;
	*err = -ENOMEM;
	d = domain_alloc(domid);
	if (!d)
		return NULL;
	if (!config) {
		*err = 0;
		return d;
	}
	d->pv = 1;
	d->control = d->hardware = privileged;
	d->ops = &pv_guest_ops;
	d->max_pages = 0; /* XEN_DOMCTL_max_mem says */
	d->pause_count = d->tools_pause_count = 1; /* until XEN_DOMCTL_unpausedomain */
	*err = domain_fill(d, config);
	if (!*err && !domain_list_add(d))
		*err = -EEXIST;
	if (*err) {
		d->dying = DEAD;
		domain_put(d);
		return NULL;
	}
	return d;
}

void domain_free(void *arg)
{
	struct domain *d = arg;
	unsigned int i;

	domain_list_remove(d);
	/* Before its vcpus: a policy's timer looks at them. */
	if (sched_policy->domain_destroy)
		sched_policy->domain_destroy(d);
	for (i = d->vcpu ? d->max_vcpus : 0; i--;)
		if (d->vcpu[i])
			vcpu_free(d->vcpu[i]);
	domain_watchdogs_kill(d);
	if (d->ops && d->ops->domain_destroy)
		d->ops->domain_destroy(d);
	pirq_domain_destroy(d);
	grant_table_destroy(d);
	event_domain_destroy(d);
	perdomain_destroy(d);
	policy_domain_destroy(d);
	if (d->shared_info)
		heap_free(d->shared_info, 0);
	rangeset_destroy(d->iomem);
	rangeset_destroy(d->ioports);
	rangeset_destroy(d->irqs);
	if (d->target)
		domain_put(d->target);
	xfree(d->node_affinity);
	xfree(d->poll_mask);
	xfree(d->memory_map);
	xfree(d->vcpu);
	heap_free(d, 0);
}

static struct domain *special(domid_t domid)
{
	int err;
	struct domain *d = domain_create(domid, NULL, false, &err);

	if (!d)
		panic("no memory for domain %#x", domid);
	return d;
}

void domains_init(void)
{
	dom_xen = special(DOMID_XEN);
	dom_io = special(DOMID_IO);
	mm_set_io_owner(dom_io);
	dom_idle = special(DOMID_IDLE);
	/* A vcpu for each CPU that may yet be started. */
	dom_idle->max_vcpus = MIN(MAX(acpi.nr_cpus, 1u), (unsigned int)NR_CPUS);
	dom_idle->vcpu = xzalloc_array(struct vcpu *, dom_idle->max_vcpus);
	/* Idle vcpus have windows for map_frame() too. */
	if (!dom_idle->vcpu || perdomain_create(dom_idle))
		panic("no memory for the idle domain");
	sched_init_cpu(0);
	current = idle_vcpu_create(0);
	if (!current)
		panic("no memory for CPU 0's idle vcpu");
}

struct vcpu *idle_vcpu_create(unsigned int cpu)
{
	return vcpu_create(dom_idle, cpu, cpu);
}
