// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every domctl and sysctl, asked with an argument of zeros: of the domains named on the
 * command line (not dom0 itself, unless named) and of one that is not there. Prints an
 * answer a line, for comparison between hypervisors.
 */
#define __XEN_TOOLS__ 1
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/sysctl.h>
#include <xencall.h>

static xencall_handle *call;
static void *buffer;

static const struct {
	uint32_t cmd;
	const char *name;
} domctls[] = {
#define D(n) {XEN_DOMCTL_##n, #n}
	D(getdomaininfo), D(max_vcpus), D(setvcpuaffinity), D(getvcpuaffinity), D(shadow_op),
	D(setvcpucontext), D(getvcpucontext), D(getvcpuinfo), D(scheduler_op), D(setdomainhandle),
	D(setdebugging), D(irq_permission), D(iomem_permission), D(ioport_permission),
	D(hypercall_init), D(settimeoffset), D(real_mode_area), D(resumedomain), D(sendtrigger),
	D(subscribe), D(gethvmcontext), D(sethvmcontext), D(set_address_size), D(get_address_size),
	D(assign_device), D(bind_pt_irq), D(memory_mapping), D(ioport_mapping),
	D(set_ext_vcpucontext), D(get_ext_vcpucontext), D(set_opt_feature), D(test_assign_device),
	D(set_target), D(deassign_device), D(unbind_pt_irq), D(get_device_group), D(debug_op),
	D(gethvmcontext_partial), D(vm_event_op), D(mem_sharing_op), D(gettscinfo), D(settscinfo),
	D(getpageframeinfo3), D(setvcpuextstate), D(getvcpuextstate), D(set_access_required),
	D(audit_p2m), D(set_virq_handler), D(set_broken_page_p2m), D(setnodeaffinity),
	D(getnodeaffinity), D(cacheflush), D(get_vcpu_msrs), D(set_vcpu_msrs), D(setvnumainfo),
	D(psr_cmt_op), D(monitor_op), D(psr_alloc), D(soft_reset), D(vuart_op), D(get_cpu_policy),
	D(set_cpu_policy), D(vmtrace_op), D(get_paging_mempool_size), D(set_paging_mempool_size),
	D(gdbsx_guestmemio), D(gdbsx_pausevcpu), D(gdbsx_unpausevcpu), D(gdbsx_domstatus),
	D(createdomain), {99, "unknown"}, {7, "removed"},
};

static const struct {
	uint32_t cmd;
	const char *name;
} sysctls[] = {
#define S(n) {XEN_SYSCTL_##n, #n}
	S(readconsole), S(tbuf_op), S(physinfo), S(sched_id), S(perfc_op), S(getdomaininfolist),
	S(debug_keys), S(getcpuinfo), S(availheap), S(get_pmstat), S(cpu_hotplug), S(pm_op),
	S(page_offline_op), S(lockprof_op), S(cputopoinfo), S(numainfo), S(cpupool_op),
	S(scheduler_op), S(coverage_op), S(psr_cmt_op), S(pcitopoinfo), S(psr_alloc),
	S(get_cpu_levelling_caps), S(get_cpu_featureset), S(livepatch_op), S(get_cpu_policy),
	{13, "removed"}, {77, "unknown"},
};

static void answer(const char *what, int domid, int sub, const char *name, int rc)
{
	printf("%s", what);
	if (domid >= 0)
		printf(" d%d", domid);
	printf(" %s", name);
	if (sub >= 0)
		printf(".%d", sub);
	if (rc < 0)
		printf(": %s\n", strerror(errno));
	else
		printf(": %d\n", rc);
}

static int domctl(int domid, uint32_t cmd, struct xen_domctl **out)
{
	struct xen_domctl *op = buffer;

	op->cmd = cmd;
	op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
	op->domain = domid;
	*out = op;
	return xencall1(call, __HYPERVISOR_domctl, (unsigned long)op);
}

static int sysctl(uint32_t cmd)
{
	struct xen_sysctl *op = buffer;

	op->cmd = cmd;
	op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	return xencall1(call, __HYPERVISOR_sysctl, (unsigned long)op);
}

static void all_domctls(int domid)
{
	struct xen_domctl *op;
	unsigned int i;
	int rc, sub;

	for (i = 0; i < sizeof(domctls) / sizeof(domctls[0]); i++) {
		memset(buffer, 0, 4096);
		rc = domctl(domid, domctls[i].cmd, &op);
		answer("domctl", domid, -1, domctls[i].name, rc);
	}
	/* Operations with operations of their own. */
	for (sub = 0; sub < 40; sub++) {
		op = buffer;
		memset(buffer, 0, 4096);
		op->u.shadow_op.op = sub;
		answer("domctl", domid, sub, "shadow_op", domctl(domid, XEN_DOMCTL_shadow_op, &op));
		if (sub < 6) {
			memset(buffer, 0, 4096);
			op->u.sendtrigger.trigger = sub;
			answer("domctl", domid, sub, "sendtrigger",
			       domctl(domid, XEN_DOMCTL_sendtrigger, &op));
			memset(buffer, 0, 4096);
			op->u.vm_event_op.op = sub;
			op->u.vm_event_op.mode = 1 + sub % 3;
			answer("domctl", domid, sub, "vm_event_op",
			       domctl(domid, XEN_DOMCTL_vm_event_op, &op));
			memset(buffer, 0, 4096);
			op->u.monitor_op.op = sub;
			answer("domctl", domid, sub, "monitor_op",
			       domctl(domid, XEN_DOMCTL_monitor_op, &op));
			memset(buffer, 0, 4096);
			op->u.psr_alloc.cmd = sub;
			answer("domctl", domid, sub, "psr_alloc",
			       domctl(domid, XEN_DOMCTL_psr_alloc, &op));
			memset(buffer, 0, 4096);
			op->u.psr_cmt_op.cmd = sub;
			answer("domctl", domid, sub, "psr_cmt_op",
			       domctl(domid, XEN_DOMCTL_psr_cmt_op, &op));
			memset(buffer, 0, 4096);
			op->u.bind_pt_irq.irq_type = sub;
			answer("domctl", domid, sub, "bind_pt_irq",
			       domctl(domid, XEN_DOMCTL_bind_pt_irq, &op));
		}
	}
	memset(buffer, 0, 4096);
	op->u.address_size.size = 32;
	answer("domctl", domid, 32, "set_address_size", domctl(domid, XEN_DOMCTL_set_address_size, &op));
	memset(buffer, 0, 4096);
	op->u.address_size.size = 64;
	answer("domctl", domid, 64, "set_address_size", domctl(domid, XEN_DOMCTL_set_address_size, &op));
	memset(buffer, 0, 4096);
	op->u.assign_device.u.pci.machine_sbdf = 0xf8;
	answer("domctl", domid, 1, "assign_device", domctl(domid, XEN_DOMCTL_assign_device, &op));
	memset(buffer, 0, 4096);
	op->u.max_vcpus.max = 70;
	answer("domctl", domid, 70, "max_vcpus", domctl(domid, XEN_DOMCTL_max_vcpus, &op));
	memset(buffer, 0, 4096);
	op->u.getvcpuinfo.vcpu = 70;
	answer("domctl", domid, 70, "getvcpuinfo", domctl(domid, XEN_DOMCTL_getvcpuinfo, &op));
	memset(buffer, 0, 4096);
	op->u.ioport_permission.first_port = 0x20;
	op->u.ioport_permission.nr_ports = 2;
	op->u.ioport_permission.allow_access = 1;
	answer("domctl", domid, 0x20, "ioport_permission",
	       domctl(domid, XEN_DOMCTL_ioport_permission, &op));
	memset(buffer, 0, 4096);
	op->u.ioport_permission.first_port = 0x3b0;
	op->u.ioport_permission.nr_ports = 2;
	op->u.ioport_permission.allow_access = 1;
	answer("domctl", domid, 0x3b0, "ioport_permission",
	       domctl(domid, XEN_DOMCTL_ioport_permission, &op));
	memset(buffer, 0, 4096);
	op->u.iomem_permission.first_mfn = 0xfee00;
	op->u.iomem_permission.nr_mfns = 1;
	op->u.iomem_permission.allow_access = 1;
	answer("domctl", domid, 0xfee00, "iomem_permission",
	       domctl(domid, XEN_DOMCTL_iomem_permission, &op));
	memset(buffer, 0, 4096);
	op->u.getpageframeinfo3.num = 1025;
	answer("domctl", domid, 1025, "getpageframeinfo3",
	       domctl(domid, XEN_DOMCTL_getpageframeinfo3, &op));
	for (sub = 0; sub < 30; sub++) {
		memset(buffer, 0, 4096);
		op->u.set_virq_handler.virq = sub;
		if (domid != 0 && sub != 3 && sub != 2)
			answer("domctl", domid, sub, "set_virq_handler",
			       domctl(domid, XEN_DOMCTL_set_virq_handler, &op));
	}
}

static void show_info(int domid)
{
	struct xen_domctl *op;
	struct xen_domctl_getdomaininfo *i;

	memset(buffer, 0, 4096);
	if (domctl(domid, XEN_DOMCTL_getdomaininfo, &op))
		return;
	i = &op->u.getdomaininfo;
	printf("info d%d: domain %u/%u flags %#x max %u online %u gpaddr %u emu %#x misc %#x pool %u\n",
	       domid, op->domain, i->domain, i->flags & ~0x30u, i->max_vcpu_id,
	       i->nr_online_vcpus, i->gpaddr_bits, i->arch_config.emulation_flags,
	       i->arch_config.misc_flags, i->cpupool);
	memset(buffer, 0, 4096);
	domctl(domid, XEN_DOMCTL_gettscinfo, &op);
	printf("tsc d%d: mode %u incarnation %u khz %s\n", domid, op->u.tsc_info.tsc_mode,
	       op->u.tsc_info.incarnation, op->u.tsc_info.gtsc_khz ? "some" : "0");
	memset(buffer, 0, 4096);
	domctl(domid, XEN_DOMCTL_get_ext_vcpucontext, &op);
	printf("ext d%d: size %u mcg_cap %#llx\n", domid, op->u.ext_vcpucontext.size,
	       (unsigned long long)op->u.ext_vcpucontext.mcg_cap);
	memset(buffer, 0, 4096);
	domctl(domid, XEN_DOMCTL_getvcpuextstate, &op);
	printf("xstate d%d: mask %#llx size %llu\n", domid,
	       (unsigned long long)op->u.vcpuextstate.xfeature_mask,
	       (unsigned long long)op->u.vcpuextstate.size);
	memset(buffer, 0, 4096);
	domctl(domid, XEN_DOMCTL_get_cpu_policy, &op);
	printf("policy d%d: %u leaves, %u MSRs\n", domid, op->u.cpu_policy.nr_leaves,
	       op->u.cpu_policy.nr_msrs);
}

static void all_sysctls(void)
{
	struct xen_sysctl *op = buffer;
	unsigned int i;
	int sub;

	for (i = 0; i < sizeof(sysctls) / sizeof(sysctls[0]); i++) {
		memset(buffer, 0, 4096);
		answer("sysctl", -1, -1, sysctls[i].name, sysctl(sysctls[i].cmd));
	}
	for (sub = 0; sub < 9; sub++) {
		memset(buffer, 0, 4096);
		op->u.cpupool_op.op = sub;
		op->u.cpupool_op.cpupool_id = 5;
		if (sub != 1)
			answer("sysctl pool 5", -1, sub, "cpupool_op", sysctl(XEN_SYSCTL_cpupool_op));
		memset(buffer, 0, 4096);
		op->u.cpupool_op.op = sub;
		op->u.cpupool_op.cpu = 77;
		if (sub != 1)
			answer("sysctl", -1, sub, "cpupool_op", sysctl(XEN_SYSCTL_cpupool_op));
		memset(buffer, 0, 4096);
		op->u.cpu_hotplug.op = sub;
		op->u.cpu_hotplug.cpu = 99;
		answer("sysctl", -1, sub, "cpu_hotplug", sysctl(XEN_SYSCTL_cpu_hotplug));
		memset(buffer, 0, 4096);
		op->u.cpu_featureset.index = sub;
		answer("sysctl", -1, sub, "featureset", sysctl(XEN_SYSCTL_get_cpu_featureset));
		printf("nr_features %u\n", op->u.cpu_featureset.nr_features);
		memset(buffer, 0, 4096);
		op->u.cpu_policy.index = sub;
		answer("sysctl", -1, sub, "policy", sysctl(XEN_SYSCTL_get_cpu_policy));
		printf("leaves %u msrs %u\n", op->u.cpu_policy.nr_leaves, op->u.cpu_policy.nr_msrs);
		memset(buffer, 0, 4096);
		op->u.tbuf_op.cmd = sub;
		if (sub != 3)
			answer("sysctl", -1, sub, "tbuf_op", sysctl(XEN_SYSCTL_tbuf_op));
		memset(buffer, 0, 4096);
		op->u.coverage_op.cmd = sub;
		answer("sysctl", -1, sub, "coverage_op", sysctl(XEN_SYSCTL_coverage_op));
		memset(buffer, 0, 4096);
		op->u.page_offline.cmd = sub;
		op->u.page_offline.start = op->u.page_offline.end = 0x90;
		if (sub == 3 || sub > 3)
			answer("sysctl", -1, sub, "page_offline", sysctl(XEN_SYSCTL_page_offline_op));
		memset(buffer, 0, 4096);
		op->u.psr_alloc.cmd = sub;
		answer("sysctl", -1, sub, "psr_alloc", sysctl(XEN_SYSCTL_psr_alloc));
		memset(buffer, 0, 4096);
		op->u.get_pmstat.type = 0x10 * (1 + sub / 4) + sub % 4;
		answer("sysctl", -1, op->u.get_pmstat.type, "get_pmstat", sysctl(XEN_SYSCTL_get_pmstat));
		memset(buffer, 0, 4096);
		op->u.pm_op.cmd = 0x20 + sub;
		if (sub != 3)
			answer("sysctl", -1, 0x20 + sub, "pm_op", sysctl(XEN_SYSCTL_pm_op));
		memset(buffer, 0, 4096);
		op->u.pm_op.cmd = 0x10 + sub;
		answer("sysctl", -1, 0x10 + sub, "pm_op", sysctl(XEN_SYSCTL_pm_op));
		memset(buffer, 0, 4096);
		op->u.livepatch.cmd = sub;
		answer("sysctl", -1, sub, "livepatch", sysctl(XEN_SYSCTL_livepatch_op));
		memset(buffer, 0, 4096);
		op->u.scheduler_op.sched_id = sub;
		op->u.scheduler_op.cmd = 1;
		answer("sysctl", -1, sub, "scheduler_op", sysctl(XEN_SYSCTL_scheduler_op));
	}
	memset(buffer, 0, 4096);
	sysctl(XEN_SYSCTL_physinfo);
	printf("physinfo: threads %u cores %u cpus %u max %u nodes %u max %u arch %#x\n",
	       op->u.physinfo.threads_per_core, op->u.physinfo.cores_per_socket,
	       op->u.physinfo.nr_cpus, op->u.physinfo.max_cpu_id, op->u.physinfo.nr_nodes,
	       op->u.physinfo.max_node_id, op->u.physinfo.arch_capabilities);
	memset(buffer, 0, 4096);
	sysctl(XEN_SYSCTL_get_cpu_levelling_caps);
	printf("levelling %#x\n", op->u.cpu_levelling_caps.caps);
	memset(buffer, 0, 4096);
	sysctl(XEN_SYSCTL_numainfo);
	printf("numa %u\n", op->u.numainfo.num_nodes);
	memset(buffer, 0, 4096);
	sysctl(XEN_SYSCTL_cputopoinfo);
	printf("topo %u\n", op->u.cputopoinfo.num_cpus);
}

int main(int argc, char **argv)
{
	int i;

	call = xencall_open(NULL, 0);
	buffer = call ? xencall_alloc_buffer_pages(call, 1) : NULL;
	if (!buffer) {
		perror("xencall");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 1; i < argc; i++) {
		show_info(atoi(argv[i]));
		all_domctls(atoi(argv[i]));
	}
	all_domctls(7777);
	all_sysctls();
	return 0;
}
