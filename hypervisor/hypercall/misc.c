// SPDX-License-Identifier: GPL-2.0-only
/* VM_ASSIST, and the families that stock Xen has and that are off here: each answers as
 * stock Xen does when it is built or booted without them. */
#include "hypervisor/cpu/irq.h"
#include "hypervisor/cpu/privileged.h"
#include "hypervisor/hypercall/control.h"

#include <xen/arch-x86/xen-mca.h>
#include <xen/hvm/hvm_op.h>
#include <xen/kexec.h>

long do_vm_assist(unsigned int cmd, unsigned int type)
{
	struct domain *d = current->domain;

	if (type >= 64 || !(VM_ASSISTS >> type & 1))
		return -EINVAL;
	switch (cmd) {
	case VMASST_CMD_enable:
		set_bit(type, &d->vm_assist);
		return 0;
	case VMASST_CMD_disable:
		clear_bit(type, &d->vm_assist);
		return 0;
	default:
		return -ENOSYS;
	}
}

/* vpmu=off, which is stock's default. */
long do_xenpmu_op(unsigned int op, uint64_t arg)
{
	(void)op, (void)arg;
	return -EOPNOTSUPP;
}

/* Without crashkernel= there is no room to load into, and nothing loaded. */
long do_kexec_op(unsigned long op, uint64_t arg)
{
	struct xen_kexec_range range;

	if (access_check(ACCESS_PLATFORM, NULL))
		return -EPERM;
	if (op != KEXEC_CMD_kexec_get_range)
		return op == KEXEC_CMD_kexec ? -ENOENT : -EINVAL;
	if (!get_guest(&range, arg))
		return -EFAULT;
	if (range.range != KEXEC_RANGE_MA_CRASH)
		return -EINVAL;
	range.start = 0;
	range.size = 0;
	return put_guest(arg, &range) ? 0 : -EFAULT;
}

static void describe_cpu(struct mcinfo_logical_cpu *c, unsigned int cpu)
{
	struct cpu_names n;

	memset(c, 0, sizeof(*c));
	cpu_names(&n);
	c->mc_cpunr = cpu;
	c->mc_apicid = c->mc_clusterid = cpu_to_apicid[cpu];
	c->mc_ncores = c->mc_ncores_active = c->mc_nthreads = 1;
	c->mc_cpuid_level = (int32_t)n.max_leaf;
	memcpy(c->mc_vendorid, n.vendor, sizeof(n.vendor));
	c->mc_family = n.family;
	c->mc_model = n.model;
	c->mc_step = n.stepping;
	c->mc_cpu_caps[0] = n.edx;
	c->mc_cpu_caps[4] = n.ecx;
}

/* With no room given it only counts. */
static long physcpuinfo(struct xen_mc_physcpuinfo *p)
{
	struct mcinfo_logical_cpu c;
	uint32_t room = p->ncpus;
	unsigned int cpu;

	p->ncpus = 0;
	for_each_online_cpu(cpu) {
		uint64_t at = handle_gva(p->info) + p->ncpus * sizeof(c);

		if (handle_gva(p->info)) {
			if (p->ncpus == room)
				break;
			describe_cpu(&c, cpu);
			if (!put_guest(at, &c))
				return -EFAULT;
		}
		p->ncpus++;
	}
	return 0;
}

/* Machine checks are the hypervisor's; none is kept for dom0 to fetch. */
long do_mca(uint64_t arg)
{
	struct xen_mc op;
	long rc = 0;

	if (access_check(ACCESS_PLATFORM, NULL))
		return -EPERM;
	if (!get_guest(&op, arg))
		return -EFAULT;
	if (op.interface_version != XEN_MCA_INTERFACE_VERSION)
		return -EACCES;
	switch (op.cmd) {
	case XEN_MC_fetch:
		op.u.mc_fetch.flags = XEN_MC_OK | XEN_MC_NODATA;
		op.u.mc_fetch.fetch_id = 0;
		break;
	case XEN_MC_physcpuinfo:
		rc = physcpuinfo(&op.u.mc_physcpuinfo);
		break;
	default:
		return -EINVAL;
	}
	return rc ? rc : put_guest(arg, &op) ? 0 : -EFAULT;
}

/* Everything here is for HVM domains, and there is none. */
long do_hvm_op(unsigned long op, uint64_t arg)
{
	(void)arg;
	switch (op) {
	case HVMOP_set_param:
	case HVMOP_get_param:
	case HVMOP_flush_tlbs:
	case HVMOP_get_mem_type:
	case HVMOP_set_evtchn_upcall_vector:
	case HVMOP_guest_request_vm_event:
		return -EINVAL;
	case HVMOP_altp2m:
		return -EOPNOTSUPP;
	default:
		return -ENOSYS;
	}
}

long do_dm_op(domid_t domid, unsigned int nr, uint64_t bufs)
{
	struct domain *d = domid == DOMID_SELF ? NULL : domain_get_any(domid);

	(void)nr, (void)bufs;
	if (!d)
		return -ESRCH;
	domain_put(d);
	return -EINVAL;
}
