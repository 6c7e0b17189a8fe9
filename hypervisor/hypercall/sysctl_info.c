// SPDX-License-Identifier: GPL-2.0-only
/* sysctl: what the machine is: CPUs, topology, memory, policies; and the list of domains. */
#include "hypervisor/boot/boot.h"
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/policy.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/control.h"
#include "hypervisor/mm/mm.h"

#define MAX_NODE_ID 63 /* of mm/numa.c */
#define PAGE_OFFLINE_MAX 1024 /* frames asked for at once: libxc's users ask for one */

/* ---- topology: what the bits of an APIC id are ---- */

struct topology {
	uint32_t threads, cores;         /* of a core, of a socket */
	uint32_t core_shift, pkg_shift;
};

static uint32_t bits_for(uint32_t n)
{
	return n > 1 ? 32 - (uint32_t)__builtin_clz(n - 1) : 0;
}

/* SDM CPUID leaf 0xb, else AMD's 0x80000008, else Intel's leaf 4. Every package is alike. */
static void topology_read(struct topology *t)
{
	uint32_t r[4], s[4], logical = 1;

	*t = (struct topology){1, 1, 0, 0};
	cpuid(0, 0, r);
	if (r[0] >= 0xb) {
		cpuid(0xb, 0, r);
		cpuid(0xb, 1, s);
		if (r[1] && s[1]) {
			t->threads = r[1] & 0xffff;
			t->cores = MAX((s[1] & 0xffff) / t->threads, 1u);
			t->core_shift = r[0] & 31;
			t->pkg_shift = s[0] & 31;
			return;
		}
	}
	cpuid(1, 0, s);
	if (s[3] >> 28 & 1)
		logical = MAX(s[1] >> 16 & 0xff, 1u);
	cpuid(0x80000000, 0, s);
	if (host_policy.vendor != VENDOR_INTEL && s[0] >= 0x80000008) {
		cpuid(0x80000008, 0, s);
		t->cores = (s[2] & 0xff) + 1;
		t->pkg_shift = s[2] >> 12 & 15 ? s[2] >> 12 & 15 : bits_for(t->cores);
		return;
	}
	if (r[0] >= 4) {
		cpuid(4, 0, s);
		t->cores = (s[0] >> 26) + 1;
	}
	t->threads = MAX(logical / t->cores, 1u);
	t->core_shift = bits_for(t->threads);
	t->pkg_shift = t->core_shift + bits_for(t->cores);
}

long sysctl_physinfo(struct op_call *c)
{
	struct xen_sysctl_physinfo *p = c->arg;
	uint32_t words[FEAT_WORDS];
	struct topology t;
	unsigned int cpu;

	topology_read(&t);
	memset(p, 0, sizeof(*p));
	p->threads_per_core = t.threads;
	p->cores_per_socket = t.cores;
	for_each_online_cpu(cpu)
		p->nr_cpus++;
	p->max_cpu_id = nr_cpus - 1;
	p->nr_nodes = numa_nodes();
	p->max_node_id = MAX_NODE_ID;
	p->cpu_khz = cpu_khz;
	p->capabilities = XEN_SYSCTL_PHYSCAP_pv | XEN_SYSCTL_PHYSCAP_gnttab_v1 |
			  XEN_SYSCTL_PHYSCAP_gnttab_v2;
	p->total_pages = total_frames();
	p->free_pages = buddy_free_frames(ANY_NODE);
	p->outstanding_pages = outstanding_claims();
	p->max_mfn = max_frame - 1;
	policy_featureset(&host_policy, words);
	memcpy(p->hw_cap, words, sizeof(p->hw_cap));
	return 0;
}

long sysctl_cputopoinfo(struct op_call *call)
{
	struct xen_sysctl_cputopoinfo *c = call->arg;
	uint64_t gva = handle_gva(c->cputopo);
	uint32_t cpu, n = gva ? MIN(c->num_cpus, nr_cpus) : 0;
	struct xen_sysctl_cputopo out;
	struct topology t;

	topology_read(&t);
	for (cpu = 0; cpu < n; cpu++) {
		uint32_t id = cpu_to_apicid[cpu];
		const struct acpi_cpu *found = acpi_cpu_of_apic(id);

		out = (struct xen_sysctl_cputopo){XEN_INVALID_CORE_ID, XEN_INVALID_SOCKET_ID,
						  XEN_INVALID_NODE_ID};
		if (test_bit(cpu, cpu_present_map.bits)) {
			out.core = (id & ((1u << t.pkg_shift) - 1)) >> t.core_shift;
			out.socket = id >> t.pkg_shift;
			out.node = found ? found->node : 0;
		}
		if (!put_guest(gva + cpu * sizeof(out), &out))
			return -EFAULT;
	}
	c->num_cpus = gva ? n : nr_cpus;
	return 0;
}

long sysctl_numainfo(struct op_call *c)
{
	struct xen_sysctl_numainfo *n = c->arg;
	uint64_t meminfo = handle_gva(n->meminfo), distance = handle_gva(n->distance);
	uint32_t nodes = numa_nodes(), some = MIN(n->num_nodes, nodes), i, j;

	for (i = 0; meminfo && i < some; i++) {
		struct xen_sysctl_meminfo mem = {numa_node_frames(i) << PAGE_SHIFT,
						 buddy_free_frames(i) << PAGE_SHIFT};

		if (!put_guest(meminfo + i * sizeof(mem), &mem))
			return -EFAULT;
	}
	for (i = 0; distance && i < some; i++)
		for (j = 0; j < some; j++) {
			uint32_t far = numa_distance(i, j);

			if (!far)
				far = XEN_INVALID_NODE_DIST;
			if (!put_guest(distance + (i * some + j) * sizeof(far), &far))
				return -EFAULT;
		}
	n->num_nodes = meminfo || distance ? some : nodes;
	return 0;
}

/* Devices are not looked up: which node one is near is not known. */
long sysctl_pcitopoinfo(struct op_call *c)
{
	struct xen_sysctl_pcitopoinfo *p = c->arg;
	uint64_t devs = handle_gva(p->devs), nodes = handle_gva(p->nodes);
	uint32_t i, node = XEN_INVALID_NODE_ID;
	physdev_pci_device_t dev;

	if (!devs || !nodes)
		return -EINVAL;
	for (i = 0; i < p->num_devs; i++) {
		if (i && preempt_check())
			break; /* the caller asks for the rest */
		if (!get_guest(&dev, devs + i * sizeof(dev)) ||
		    !put_guest(nodes + i * sizeof(node), &node))
			return -EFAULT;
	}
	p->num_devs = i;
	return 0;
}

long sysctl_getcpuinfo(struct op_call *call)
{
	struct xen_sysctl_getcpuinfo *c = call->arg;
	uint32_t cpu, n = MIN(c->max_cpus, nr_cpus);

	for (cpu = 0; cpu < n; cpu++) {
		struct xen_sysctl_cpuinfo info = {cpu_online(cpu) ? cpu_idle_time(cpu) : 0};

		if (!put_guest(handle_gva(c->info) + cpu * sizeof(info), &info))
			return -EFAULT;
	}
	c->nr_cpus = n;
	return 0;
}

/* All of it, whatever the width of addresses asked for: for tools that plan, not for those
 * that allocate. */
long sysctl_availheap(struct op_call *c)
{
	struct xen_sysctl_availheap *a = c->arg;

	if (a->node >= (int32_t)numa_nodes())
		return -EINVAL;
	a->avail_bytes = buddy_free_frames(a->node < 0 ? ANY_NODE : (unsigned int)a->node)
			 << PAGE_SHIFT;
	return 0;
}

long sysctl_getdomaininfolist(struct op_call *c)
{
	struct xen_sysctl_getdomaininfolist *l = c->arg;
	struct xen_domctl_getdomaininfo info;
	struct domain *d;
	uint32_t n = 0;

	for (d = domain_from(l->first_domain); d && n < l->max_domains; d = domain_next(d)) {
		domain_info_fill(d, &info);
		if (!put_guest(handle_gva(l->buffer) + n * sizeof(info), &info)) {
			domain_put(d);
			return -EFAULT;
		}
		n++;
	}
	if (d)
		domain_put(d);
	l->num_domains = n;
	return 0;
}

/* No frame is ever taken out of use, so each is in it: status 0. */
long sysctl_page_offline_op(struct op_call *c)
{
	const struct xen_sysctl_page_offline_op *p = c->arg;
	uint32_t mfn, status = 0;

	if (p->cmd != sysctl_query_page_offline)
		return -EOPNOTSUPP;
	if (p->end < p->start || p->end - p->start >= PAGE_OFFLINE_MAX)
		return -EINVAL;
	for (mfn = p->start; mfn - p->start <= p->end - p->start; mfn++) {
		if (!frame_lookup(MFN(mfn)))
			return -EINVAL;
		if (!put_guest(handle_gva(p->status) + (mfn - p->start) * sizeof(status), &status))
			return -EFAULT;
	}
	return 0;
}

/* ---- policies ---- */

long sysctl_get_cpu_levelling_caps(struct op_call *c)
{
	/* CPUID of a PV guest comes to us where the CPU can make it fault; masks are not used. */
	((struct xen_sysctl_cpu_levelling_caps *)c->arg)->caps =
		host_policy.platform_info >> 31 & 1 ? XEN_SYSCTL_CPU_LEVELCAP_faulting : 0;
	return 0;
}

long sysctl_get_cpu_featureset(struct op_call *c)
{
	static const struct cpu_policy *const policies[] = {
		[XEN_SYSCTL_cpu_featureset_raw] = &host_policy,
		[XEN_SYSCTL_cpu_featureset_host] = &host_policy,
		[XEN_SYSCTL_cpu_featureset_pv] = &pv_default_policy,
		[XEN_SYSCTL_cpu_featureset_pv_max] = &pv_max_policy,
	};
	struct xen_sysctl_cpu_featureset *f = c->arg;
	uint32_t words[FEAT_WORDS], n = MIN(f->nr_features, (uint32_t)FEAT_WORDS);
	uint64_t gva = handle_gva(f->features);

	if (!gva) {
		f->nr_features = FEAT_WORDS;
		return 0;
	}
	if (f->index == XEN_SYSCTL_cpu_featureset_hvm ||
	    f->index == XEN_SYSCTL_cpu_featureset_hvm_max)
		return -EOPNOTSUPP;
	if (f->index >= ARRAY_SIZE(policies))
		return -EINVAL;
	policy_featureset(policies[index_nospec(f->index, ARRAY_SIZE(policies))], words);
	if (copy_to_guest(gva, words, n * sizeof(words[0])))
		return -EFAULT;
	if (f->nr_features < FEAT_WORDS)
		return -ENOBUFS;
	f->nr_features = FEAT_WORDS;
	return 0;
}

long sysctl_get_cpu_policy(struct op_call *c)
{
	static const struct cpu_policy *const policies[] = {
		[XEN_SYSCTL_cpu_policy_raw] = &host_policy,
		[XEN_SYSCTL_cpu_policy_host] = &host_policy,
		[XEN_SYSCTL_cpu_policy_pv_max] = &pv_max_policy,
		[XEN_SYSCTL_cpu_policy_pv_default] = &pv_default_policy,
		[XEN_SYSCTL_cpu_policy_hvm_default] = NULL,
	};
	struct xen_sysctl_cpu_policy *p = c->arg;
	const struct cpu_policy *policy;

	if (p->_rsvd || p->index >= ARRAY_SIZE(policies))
		return -EINVAL;
	policy = policies[index_nospec(p->index, ARRAY_SIZE(policies))];
	if (!policy)
		return -EOPNOTSUPP;
	return policy_to_guest(policy, handle_gva(p->leaves), &p->nr_leaves, handle_gva(p->msrs),
			       &p->nr_msrs);
}
